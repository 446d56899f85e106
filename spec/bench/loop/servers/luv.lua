-- The contender luv: luv.lua MODE (see ../load.c). Prints the port.
local uv = require "luv"
local mode = arg[1]

local handlers, clients = {}, {}

function handlers.echo(conn)
  conn:read_start(function(_, data)
    if data then conn:write(data) else conn:close() end
  end)
end

function handlers.accept(conn)
  conn:read_start(function(_, data)
    if data then conn:write(data) end
    conn:close()
  end)
end

function handlers.lines(conn)
  local count, rest = 0, ""
  local function got_line() count = count + 1 end
  conn:read_start(function(_, data)
    if not data then
      conn:write(count .. "\n")
      conn:shutdown(function() conn:close() end)
      return
    end
    local from = 1
    while true do
      local lf = data:find("\n", from, true)
      if not lf then break end
      got_line(rest .. data:sub(from, lf - 1))
      rest, from = "", lf + 1
    end
    rest = rest .. data:sub(from)
  end)
end

function handlers.fanout(conn)
  conn:nodelay(true)
  clients[#clients + 1] = conn
  conn:write "!"
  conn:read_start(function(_, data)
    if not data then os.exit(0) end
    for _, client in ipairs(clients) do client:write(data) end
  end)
end

local server
if mode == "udp" then
  server = uv.new_udp()
  server:bind("127.0.0.1", 0)
  server:recv_start(function(_, data, addr)
    if data and addr then server:try_send(data, addr.ip, addr.port) end
  end)
else
  server = uv.new_tcp()
  server:bind("127.0.0.1", 0)
  server:listen(1024, function()
    local conn = uv.new_tcp()
    server:accept(conn)
    handlers[mode](conn)
  end)
end
print(server:getsockname().port)
io.stdout:flush()
uv.run()
