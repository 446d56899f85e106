-- Prints the seconds of CPU of: deferreds each of which waits for the one before, fired at the first; the same without
-- waiting for each other, with three functions each. (deferreds.py does the same.)
local defer = require "csock.defer"

local COUNT = 100000

local function chained()
  local first = defer.Deferred()
  local last = first
  for _ = 1, COUNT do
    local before = last
    last = defer.Deferred()
    last:addCallback(function() return before end)
    last:addCallback(function(n) return n + 1 end)
    last:callback(nil)
  end
  first:callback(0)
  assert(last.result == COUNT)
end

local function single()
  for i = 1, COUNT do
    local d = defer.Deferred()
    d:addCallback(function(n) return n + 1 end)
    d:addErrback(function() end)
    d:addBoth(function(n) return n + 1 end)
    d:callback(i)
    assert(d.result == i + 2)
  end
end

for _, f in ipairs { chained, single } do
  local start = os.clock()
  f()
  print(os.clock() - start)
end
