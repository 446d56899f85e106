-- pump.lua: bytes from one end to another. An end is a table of functions, each of which waits in its task:
--
--   read()        the next bytes; "" at the end; nil, err
--   write(data)   all of it; nil, err
--   finish()      nothing more will be written; nil, err
local csock = require "csock"

local M = {}

local CHUNK = 65536

-- A connection.
function M.connection(sock)
  return {
    read = function() return sock:recv(CHUNK) end,
    write = function(data) return sock:sendall(data) end,
    finish = function()
      local ok, err, errno = sock:shutdown(csock.SHUT_WR)
      if errno == csock.errno.ENOTCONN then return true end -- the peer is gone already
      return ok, err, errno
    end,
  }
end

local DATAGRAM = 16384 -- bytes of one that is made of standard input

-- A UDP socket that is connected. Every datagram is one, and none is the end.
function M.datagrams(sock)
  return {
    size = DATAGRAM,
    read = function()
      local data, err, errno
      repeat data, err, errno = sock:recv(CHUNK) until data ~= ""
      return data, err, errno
    end,
    write = function(data) return sock:send(data) end,
    finish = function() return true end,
  }
end

-- Standard input and output: one that is closed is empty.
function M.standard()
  local input, output = csock.stream(io.stdin), csock.stream(io.stdout, "w", 0)
  return {
    read = function(most)
      if not input then return "" end
      local data, err, errno = input:peek()
      if not data or data == "" then return data, err, errno end
      return input:read(math.min(#data, most or CHUNK))
    end,
    write = function(data)
      if not output then return true end
      return output:write(data)
    end,
    finish = function() return true end,
  }
end

-- Copies until the end, never more than has been taken at the other side; `seen(data)` is called with what passes.
-- True; or nil, the error, and the end where it was met.
function M.copy(from, to, seen)
  while true do
    local data, err = from.read(to.size)
    if not data then return nil, err, from end
    if data == "" then return true end
    if seen then seen(data) end
    local ok
    ok, err = to.write(data)
    if not ok then return nil, err, to end
  end
end

return M
