--- Between deferreds and tasks.
-- @module csock.defer
local check = require "csock.check"
local deferred = require "csock.defer.deferred"
local failures = require "csock.defer.failure"
local internal = require "csock.loop.internal"
local loop = require "csock.loop"
local outcome = require "csock.defer.outcome"

local Deferred, is_deferred = deferred.Deferred, deferred.is_deferred

local M = {}

-- Whether it has a result that nothing will change but what is added to its chain.
local function is_there(d) return d.called and d.paused == 0 and d.at > 0 end

-- What `wait` gives for a result.
local function results_of(d, result)
  if not failures.is_failure(result) then return result end
  deferred.heard(d)
  return nil, failures.error_of(result)
end

-- Whether the result was there before the time was up. A task that is cancelled meanwhile cancels what it waits for.
local function wait_until(is_over, d, waiters, seconds)
  local left, leaving = internal.countdown(seconds), true
  local _ <close> = internal.guard(function()
    if not leaving then return end
    d:cancel()
    deferred.heard(d)
  end)
  while not is_over() do
    local ok, err, errno = waiters:wait(left())
    if not ok then
      leaving = false
      return nil, err, errno
    end
  end
  leaving = false
  return true
end

--- Waits for a deferred's result: in a task, or outside of tasks, where the loop runs meanwhile. The result stays the
-- deferred's; a failure counts as taken. When the task is cancelled meanwhile, so is the deferred.
--
-- The reactor's callbacks all run in one task: there it gives what is there already, and raises an error where it would
-- have to wait.
-- @function wait
-- @tparam deferred d
-- @tparam[opt] number seconds nil: no limit; 0: does not wait
-- @return[1] the result
-- @treturn[2] nil when it has failed, or the time was up
-- @return[2] the error: what the failure was made of, or the reason that it is; or `ETIMEDOUT`, `EAGAIN`
-- @treturn[2] ?int errno, if the error has one
-- @raise in the reactor's callbacks, when it would have to wait
-- @usage
-- local d = defer.Deferred()
-- csock.spawn(function() d:callback(42) end)
-- print(defer.wait(d)) --> 42
function M.wait(d, seconds)
  if not is_deferred(d) then check.expected("wait", 1, "deferred", d) end
  seconds = check.timeout(seconds, 2, "wait")
  if is_there(d) then return results_of(d, d.result) end
  if internal.reactor and internal.reactor == loop.current() then
    check.fail("defer.wait in a callback of the reactor would keep all others waiting: spawn a task, or add a callback")
  end
  local waiters, over, result = internal.waiters(), false, nil
  d:addBoth(function(given)
    over, result = true, given
    waiters:wake()
    return given
  end)
  local ok, err, errno = wait_until(function() return over end, d, waiters, seconds)
  if not ok then return nil, err, errno end
  return results_of(d, result)
end

-- Gives a deferred what a function has given.
local function settle(d, result)
  if is_deferred(result) then result:chainDeferred(d) else d:callback(result) end
end

local TASK = check.kind("task", function(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__name == "csock.task"
end)

-- A deferred that cancels a task.
local function cancelling(task)
  return Deferred(function() task:cancel() end)
end

-- A task that was cancelled has nothing to give.
local function fail_when_cancelled(d, task)
  if task:status() == "cancelled" and not d.called then d:errback(failures.CancelledError()) end
end

--- The deferred of what a task will give: what its function returns first (a deferred: what that has; nil and an error:
-- a failure), or what it raises; `CancelledError` when it is cancelled. Cancelling the deferred cancels the task. What
-- is called as the task ends must not wait.
-- @function of
-- @tparam task task
-- @treturn deferred
-- @usage
-- local d = defer.of(csock.spawn(function() return 42 end)):addCallback(print)
-- defer.wait(d) --> 42
function M.of(task)
  check.argument(TASK, task, 1, "of")
  local d = cancelling(task:watch())
  task:add_done_callback(function()
    local status = task:status()
    if status == "done" then
      settle(d, outcome.of(task:join()))
    elseif status == "failed" then
      d:errback((select(2, task:join())))
    end
    fail_when_cancelled(d, task)
  end)
  return d
end

--- Makes a function that runs as a task, in which `wait` gives what a deferred has: it gives the deferred of its
-- outcome (see `of`). It begins in the loop's next turn.
-- Source: Twisted's `inlineCallbacks`.
-- @function inlineCallbacks
-- @tparam function f
-- @treturn function
-- @usage
-- local double = defer.inlineCallbacks(function(d) return 2 * assert(defer.wait(d)) end)
-- double(defer.succeed(21)):addCallback(print)
-- csock.run() --> 42
function M.inlineCallbacks(f)
  check.argument(check.FUNCTION, f, 1, "inlineCallbacks")
  return function(...)
    local d
    local task = loop.spawn(function(...) settle(d, outcome.call(f, ...)) end, ...)
    d = cancelling(task)
    task:add_done_callback(function() fail_when_cancelled(d, task) end)
    return d
  end
end

return M
