-- The contender LuaSocket, with its select: luasocket.lua MODE (see ../load.c). Prints the port.
local socket = require "socket"
local mode = arg[1]

local function announce(server)
  print((select(2, server:getsockname())))
  io.stdout:flush()
end

if mode == "udp" then
  local server = socket.udp()
  server:setsockname("127.0.0.1", 0)
  announce(server)
  while true do
    local data, host, port = server:receivefrom(8192)
    server:sendto(data, host, port)
  end
end

local server = assert(socket.bind("127.0.0.1", 0, 1024))
announce(server)

if mode == "lines" then
  while true do
    local conn, count = server:accept(), 0
    while conn:receive "*l" do count = count + 1 end
    conn:send(count .. "\n")
    conn:close()
  end
end

local list, clients = { server }, {}

local function forget(conn)
  for i, other in ipairs(list) do
    if other == conn then table.remove(list, i) end
  end
  conn:close()
end

local handlers = {}

function handlers.echo(conn, data) conn:send(data) end

function handlers.accept(conn, data)
  conn:send(data)
  forget(conn)
end

function handlers.fanout(_, data)
  for _, client in ipairs(clients) do client:send(data) end
end

while true do
  for _, conn in ipairs(socket.select(list)) do
    if conn == server then
      local new = server:accept()
      new:settimeout(0)
      new:setoption("tcp-nodelay", true)
      list[#list + 1] = new
      clients[#clients + 1] = new
      if mode == "fanout" then new:send "!" end
    else
      local data, err, part = conn:receive(65536)
      data = data or part
      if #data > 0 then
        handlers[mode](conn, data)
      elseif err == "closed" then
        if mode == "fanout" then os.exit(0) end
        forget(conn)
      end
    end
  end
end
