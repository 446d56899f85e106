--- Deferreds, as Twisted's: results that are yet to come, and what is to be done with them.
--
--     local defer = require "csock.defer"
--
--     local d = defer.Deferred()
--     d:addCallback(function(n) return n * 2 end)
--     d:addCallback(print)
--     d:addErrback(function(failure) print(failure:getErrorMessage()) end)
--     d:callback(21) --> 42
--
-- Names and meaning are Twisted's. In csock, code that waits is written as a task, which calls what it waits for:
-- `wait` is the way from a deferred to there, and `of` the way back.
-- @module csock.defer
local check = require "csock.check"
local deferred = require "csock.defer.deferred"
local failures = require "csock.defer.failure"
local fired = require "csock.defer.fired"
local lists = require "csock.defer.lists"
local queues = require "csock.defer.queues"
local tasks = require "csock.defer.tasks"

local M = {
  Failure = failures.Failure,
  failure = failures.failure,
  AlreadyCalledError = failures.AlreadyCalledError,
  CancelledError = failures.CancelledError,
  TimeoutError = failures.TimeoutError,
  FirstError = failures.FirstError,
  QueueOverflow = failures.QueueOverflow,
  QueueUnderflow = failures.QueueUnderflow,
  Deferred = deferred.Deferred,
  succeed = fired.succeed,
  fail = fired.fail,
  maybeDeferred = fired.maybeDeferred,
  execute = fired.execute,
  DeferredList = lists.DeferredList,
  gatherResults = lists.gatherResults,
  DeferredQueue = queues.DeferredQueue,
  DeferredLock = queues.DeferredLock,
  DeferredSemaphore = queues.DeferredSemaphore,
  wait = tasks.wait,
  of = tasks.of,
  inlineCallbacks = tasks.inlineCallbacks,
}

--- An errback that tells `csock.loop.onerror` of a failure, and passes it on.
-- Source: Twisted's `logError`.
-- @function logError
-- @tparam failure failure
-- @treturn failure the same
-- @usage
-- local loop = require "csock.loop"
-- function loop.onerror(err) print("told: " .. err) end
-- defer.fail("no such user"):addErrback(defer.logError):addErrback(function() end) --> told: no such user
function M.logError(failure)
  deferred.report(failure, "")
  return failure
end

--- Has a deferred fail with `TimeoutError`. (`deferred:addTimeout` has that happen in time.)
-- Source: Twisted's `timeout`.
-- @function timeout
-- @tparam deferred d
-- @usage
-- local d = defer.Deferred():addErrback(print)
-- defer.timeout(d) --> The deferred timed out.
function M.timeout(d)
  if not deferred.is_deferred(d) then check.expected("timeout", 1, "deferred", d) end
  d:errback(failures.TimeoutError())
end

return M
