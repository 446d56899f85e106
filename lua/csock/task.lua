--- What is done in time: once, later; again and again; in small steps; or until a program is over.
--
--     local task = require "csock.task"
--
--     local seconds = 0
--     local looping
--     looping = task.LoopingCall(function()
--       print(seconds)
--       seconds = seconds + 1
--       if seconds == 3 then looping:stop() end
--     end)
--     task.react(function() return looping:start(1) end)
--
-- Names and meaning are Twisted's. (The tasks of csock, which may wait, are another thing: @{csock.loop}.)
-- @module csock.task
local check = require "csock.check"
local clock = require "csock.task.clock"
local cooperator = require "csock.task.cooperator"
local defer = require "csock.defer"
local deferred = require "csock.defer.deferred"
local looping = require "csock.task.looping"
local own_reactor = require "csock.reactor"
local reason = require "csock.reactor.reason"
local class = require "csock.class"
local failures = require "csock.defer.failure"

local M = { Clock = clock.Clock, LoopingCall = looping.LoopingCall }
for name, value in pairs(cooperator) do M[name] = value end

--- Calls a function later.
-- Source: Twisted's `deferLater`.
-- @param clock what has `callLater`: the reactor, or a `Clock`
-- @tparam number seconds at least 0
-- @tparam[opt] function f nil: time is to pass, and nothing else
-- @param ... its arguments
-- @treturn deferred of what the function gives; `cancel` takes the call back
-- @usage
-- task.deferLater(reactor, 0.01, string.upper, "later"):addCallback(print):addCallback(reactor.stop)
-- reactor.run() --> LATER
function M.deferLater(clock, seconds, f, ...) -- luacheck: ignore 431/clock
  if type(clock) ~= "table" or not clock.callLater then check.expected("deferLater", 1, "clock", clock) end
  check.seconds(seconds, 2, "deferLater")
  local call
  local d = deferred.Deferred(function() call:cancel() end)
  call = clock.callLater(seconds, d.callback, d, nil)
  if f ~= nil then
    local arguments = table.pack(...)
    d:addCallback(function() return f(table.unpack(arguments, 1, arguments.n)) end)
  end
  return d
end

-- --- the one cooperator ---------------------------------------------------------------------------

local common = cooperator.Cooperator()

--- Adds a task to the cooperator that all of a program share.
-- Source: Twisted's `cooperate`.
-- @tparam function iterator called for one step after the other, until it gives nil (see `Cooperator`)
-- @treturn cooperativetask
-- @usage
-- local function sum()
--   local total = 0
--   for i = 1, 1000000 do
--     total = total + i
--     if i % 10000 == 0 then coroutine.yield(true) end -- lets others have their turn
--   end
--   print(total)
-- end
-- task.cooperate(coroutine.wrap(sum)):whenDone():addCallback(reactor.stop)
-- reactor.run() --> 500000500000
function M.cooperate(iterator) return common:cooperate(iterator) end

--- Adds a task to the cooperator that all of a program share, and tells of its end.
-- Source: Twisted's `coiterate`.
-- @tparam function iterator called for one step after the other, until it gives nil (see `Cooperator`)
-- @treturn deferred of the iterator, or of what it has failed with
-- @usage
-- task.coiterate(string.gmatch("a b c", "%a")):addCallback(reactor.stop)
-- reactor.run()
function M.coiterate(iterator) return common:coiterate(iterator) end

-- --- a whole program ------------------------------------------------------------------------------

--- How a program that `react` runs is to end: with the status `value`. It may be raised, or be a deferred's failure.
-- @field SystemExit
local SystemExit = class("SystemExit", reason.Reason)
M.SystemExit = SystemExit
SystemExit.message = "The program ends"

-- As Python does: nil is 0, and what is no number is written to standard error.
local function status_of(failure)
  if not failure:check(SystemExit) then
    deferred.report(failure, "main function encountered error: ")
    return 1
  end
  local status = failure.value
  if status == nil then return 0 end
  if math.type(status) == "integer" then return status end
  io.stderr:write(tostring(status), "\n")
  return 1
end

--- Runs a program: calls its main function, and the reactor until the deferred has its result that this gives. Then the
-- process ends: with the status 0; or 1 after a failure, which `csock.loop.onerror` is told of; or that of a
-- `SystemExit`. If the reactor is stopped before, the status is 0. (Ctrl-C is an error that `react` raises, as
-- `reactor.run` does.)
-- Source: Twisted's `react`.
-- @tparam function main called with the reactor and the arguments; it may also give its result at once
-- @tparam[opt={}] table argv the arguments
-- @tparam[opt] reactor what stands in for the reactor
-- @usage
-- local function main(reactor, seconds)
--   return task.deferLater(reactor, seconds, print, "a program")
-- end
-- task.react(main, {0.01}) --> a program
function M.react(main, argv, reactor)
  check.argument(check.FUNCTION, main, 1, "react")
  argv = argv or {}
  check.argument(check.TABLE, argv, 2, "react")
  reactor = reactor or own_reactor
  local status, stopping = 0, false
  reactor.addSystemEventTrigger("before", "shutdown", function() stopping = true end)
  local function finished(result)
    if not stopping then reactor.stop() end
    if failures.is_failure(result) then status = status_of(result) end
  end
  defer.maybeDeferred(main, reactor, table.unpack(argv, 1, argv.n or #argv)):addBoth(function(result)
    if stopping then finished(result) else reactor.callWhenRunning(finished, result) end
  end)
  reactor.run()
  os.exit(status, true)
end

return M
