-- Nanoseconds of CPU that calls of csock take, each kind the best of five: one that asks the system for nothing, 16
-- bytes to and fro, and an address that is made and written.
local csock = require "csock"

local a, b = csock.socketpair()
local bytes = ("x"):rep(16)

local function fileno(n)
  for _ = 1, n do a:fileno() end
end

local function message(n)
  for _ = 1, n do
    a:send(bytes)
    b:recv(16)
  end
end

local function address(n)
  for i = 1, n do csock.inet_ntoa(csock.inet_aton("192.0.2." .. i % 200)) end
end

for _, row in ipairs { { fileno, 400000 }, { message, 20000 }, { address, 50000 } } do
  local call, n = table.unpack(row)
  local best = math.huge
  for _ = 1, 5 do
    local start = os.clock()
    call(n)
    best = math.min(best, os.clock() - start)
  end
  print(best / n * 1e9)
end
