-- The contender luaposix: luaposix.lua tcp|unix ROUNDS. See floor.c.
local posix = require "posix"
local s = require "posix.sys.socket"
local kind, rounds = arg[1], tonumber(arg[2])

local a, b
if kind == "tcp" then
  local listener = assert(s.socket(s.AF_INET, s.SOCK_STREAM, 0))
  assert(s.bind(listener, { family = s.AF_INET, addr = "127.0.0.1", port = 0 }))
  assert(s.listen(listener, 1))
  a = assert(s.socket(s.AF_INET, s.SOCK_STREAM, 0))
  assert(s.connect(a, assert(s.getsockname(listener))))
  b = assert(s.accept(listener))
  s.setsockopt(a, s.IPPROTO_TCP, s.TCP_NODELAY, 1)
else
  a, b = s.socketpair(s.AF_UNIX, s.SOCK_STREAM, 0)
  assert(a, b)
end

local data = "0123456789abcdef"
local function run(n)
  local send, recv = s.send, s.recv
  for _ = 1, n do
    send(a, data)
    recv(b, 16)
  end
end

local function now()
  local sec, nsec = posix.clock_gettime "monotonic"
  if type(sec) == "table" then sec, nsec = sec.tv_sec, sec.tv_nsec end
  return sec + nsec * 1e-9
end

run(math.floor(rounds / 10))
local cpu, wall = os.clock(), now()
run(rounds)
print(os.clock() - cpu, now() - wall)
