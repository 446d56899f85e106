-- The contender LuaSec with copas: copas.lua MODE CERTIFICATE KEY (see ../load.c). Prints the port.
local copas = require "copas"
local socket = require "socket"
local ssl = require "ssl"
local mode, certificate, key = arg[1], arg[2], arg[3]

local MESSAGE = ("x"):rep(1048576)

local handlers = {}

function handlers.echo(conn)
  while true do
    local data, _, part = conn:receivepartial(65536)
    data = data or part
    if not data or data == "" then return end
    conn:send(data)
  end
end

function handlers.send(conn)
  while conn:receive(1) do conn:send(MESSAGE) end
end

function handlers.receive(conn)
  local got = 0
  while true do
    local data, _, part = conn:receivepartial(65536)
    data = data or part
    if not data or data == "" then return end
    got = got + #data
    if got >= #MESSAGE then
      got = 0
      conn:send "x"
    end
  end
end

function handlers.accept(conn)
  conn:send(conn:receive(1))
end

local context = assert(ssl.newcontext { mode = "server", protocol = "any", certificate = certificate, key = key })
local server = assert(socket.bind("127.0.0.1", 0, 1024))
copas.addserver(server, function(conn)
  conn:setoption("tcp-nodelay", true)
  return copas.handler(handlers[mode], { wrap = context })(conn)
end)
print((select(2, server:getsockname())))
io.stdout:flush()
copas.loop()
