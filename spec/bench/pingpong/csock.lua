-- The contender csock: csock.lua tcp|unix ROUNDS [methods]. See floor.c.
local csock = require "csock"
local kind, rounds, form = arg[1], tonumber(arg[2]), arg[3]
local monotonic = require "spec.support.posix".monotonic

local a, b
if kind == "tcp" then
  local listener <close> = assert(csock.create_server{ "127.0.0.1", 0 })
  a = assert(csock.create_connection(listener:getsockname()))
  b = assert(listener:accept())
  a:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
else
  a, b = assert(csock.socketpair())
end

local data = "0123456789abcdef"
local function localised(n)
  local send, recv = a.send, b.recv
  for _ = 1, n do
    send(a, data)
    recv(b, 16)
  end
end
local function methods(n)
  for _ = 1, n do
    a:send(data)
    b:recv(16)
  end
end

local run = form == "methods" and methods or localised
run(rounds // 10)
local cpu, wall = os.clock(), monotonic()
run(rounds)
print(os.clock() - cpu, monotonic() - wall)
