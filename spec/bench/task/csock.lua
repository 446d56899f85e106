-- A LoopingCall with so many seconds between its calls, for so many seconds: prints how many calls it made, how many
-- were left out, and the CPU time, in seconds.
local reactor = require "csock.reactor"
local task = require "csock.task"

local interval, duration = tonumber(arg[1]), tonumber(arg[2])
local calls, missed = 0, 0

local looping = task.LoopingCall:withCount(function(count)
  calls, missed = calls + 1, missed + count - 1
end)

reactor.callWhenRunning(function()
  looping:start(interval)
  reactor.callLater(duration, reactor.stop)
end)
local start = os.clock()
reactor.run()
print(calls, missed, os.clock() - start)
