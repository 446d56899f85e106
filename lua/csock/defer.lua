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
local outcome = require "csock.defer.outcome"
local tasks = require "csock.defer.tasks"

local Deferred = deferred.Deferred

local M = {
  Failure = failures.Failure,
  failure = failures.failure,
  AlreadyCalledError = failures.AlreadyCalledError,
  CancelledError = failures.CancelledError,
  TimeoutError = failures.TimeoutError,
  FirstError = failures.FirstError,
  QueueOverflow = failures.QueueOverflow,
  QueueUnderflow = failures.QueueUnderflow,
  Deferred = Deferred,
  wait = tasks.wait,
  of = tasks.of,
  inlineCallbacks = tasks.inlineCallbacks,
}

--- Makes a deferred that has a result.
-- Source: Twisted's `succeed`.
-- @function succeed
-- @param result anything but a deferred
-- @treturn deferred
-- @usage defer.succeed(42):addCallback(print) --> 42
function M.succeed(result)
  local d = Deferred()
  d:callback(result)
  return d
end

--- Makes a deferred that has failed.
-- Source: Twisted's `fail`.
-- @function fail
-- @param err a failure, or any error, of which one is made
-- @treturn deferred
-- @usage defer.fail("no such user"):addErrback(print) --> no such user
function M.fail(err)
  check.argument(check.ANY, err, 1, "fail")
  local d = Deferred()
  d:errback(err)
  return d
end

--- Calls a function that may give a deferred or not.
-- Source: Twisted's `maybeDeferred`.
-- @function maybeDeferred
-- @tparam function f
-- @param ... its arguments
-- @treturn deferred the one that it gave; or one that has its result, or what it raised or refused (nil and an error)
-- @usage defer.maybeDeferred(tonumber, "42"):addCallback(print) --> 42
function M.maybeDeferred(f, ...)
  local result = outcome.call(f, ...)
  if deferred.is_deferred(result) then return result end
  return M.succeed(result)
end

--- Calls a function, and makes a deferred of what comes of it.
-- Source: Twisted's `execute`.
-- @function execute
-- @tparam function f
-- @param ... its arguments
-- @treturn deferred
-- @usage defer.execute(tonumber, "42"):addCallback(print) --> 42
function M.execute(f, ...)
  return M.succeed(outcome.call(f, ...))
end

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

return M
