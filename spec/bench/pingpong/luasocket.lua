-- The contender LuaSocket: luasocket.lua tcp|unix ROUNDS. See floor.c.
local socket = require "socket"
local kind, rounds = arg[1], tonumber(arg[2])

local a, b
if kind == "tcp" then
  local listener = assert(socket.bind("127.0.0.1", 0))
  local host, port = listener:getsockname()
  a = assert(socket.connect(host, port))
  b = assert(listener:accept())
  a:setoption("tcp-nodelay", true)
else
  local unix = require "socket.unix"
  unix = type(unix) == "table" and unix.stream or unix
  local path = os.tmpname()
  os.remove(path)
  local listener = assert(unix())
  assert(listener:bind(path))
  assert(listener:listen(1))
  a = assert(unix())
  assert(a:connect(path))
  b = assert(listener:accept())
  os.remove(path)
end

local data = "0123456789abcdef"
local function run(n)
  local send, receive = a.send, b.receive
  for _ = 1, n do
    send(a, data)
    receive(b, 16)
  end
end

run(math.floor(rounds / 10))
local cpu, wall = os.clock(), socket.gettime()
run(rounds)
print(os.clock() - cpu, socket.gettime() - wall)
