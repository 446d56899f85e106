-- A server of FTP with one file of so many bytes of zeros, and the same bytes for whoever connects to the second port.
local csock = require "csock"

local size = math.tointeger(arg[1])
local block = ("\0"):rep(65536)

local function send(conn)
  for _ = 1, size // #block do
    if not conn:sendall(block) then break end
  end
  conn:close()
end

local plain = assert(csock.serve({ "127.0.0.1", 0 }, send))
local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
  local stream, listener = conn:makefile "rw", nil
  local function say(line) return stream:write(line, "\r\n") and stream:flush() end
  say "220 ready"
  for line in stream:lines() do
    if line:find "^EPSV" then
      listener = assert(csock.create_server { "127.0.0.1", 0 })
      say(("229 go (|||%d|)"):format(listener:getsockname().port))
    elseif line:find "^PASV" then
      listener = assert(csock.create_server { "127.0.0.1", 0 })
      local port = listener:getsockname().port
      say(("227 go (127,0,0,1,%d,%d)"):format(port // 256, port % 256))
    elseif line:find "^RETR" then
      say "150 here"
      send(listener:accept())
      listener:close()
      say "226 done"
    else
      say(line:find "^USER" and "230 in" or "200 ok")
    end
  end
end))
io.stdout:setvbuf "line"
print(server:getsockname().port, plain:getsockname().port)
csock.run()
