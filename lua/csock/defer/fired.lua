--- Deferreds that have their results already.
-- @module csock.defer
local check = require "csock.check"
local deferred = require "csock.defer.deferred"
local outcome = require "csock.defer.outcome"

local Deferred = deferred.Deferred

local M = {}

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

return M
