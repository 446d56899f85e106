--- Deferreds: results that are yet to come.
-- @module csock.defer
local check = require "csock.check"
local class = require "csock.class"
local failures = require "csock.defer.failure"
local internal = require "csock.loop.internal"
local loop = require "csock.loop"
local outcome = require "csock.defer.outcome"

local failure, is_failure = failures.failure, failures.is_failure
local outcome_of, traced = outcome.of, outcome.traced
local getmetatable, xpcall = getmetatable, xpcall

local M = {}

--- A result that is yet to come, and what is to be done with it: a chain of pairs of functions, a callback for a
-- result and an errback for a failure. Each is given what the one before it gave.
--
-- What a callback or errback gives decides what the next one is given: a failure (any reason), or nil and an error, is
-- a failure; an error that it raises is one, too; for a deferred the chain waits, and goes on with its result; all else
-- is a result.
--
-- A failure that no errback has taken when the deferred is collected is told to `csock.loop.onerror`, once.
--
-- Fields: `called`: whether it was given a result; `result`: the present one; `paused`: how often.
-- Source: Twisted's `Deferred`.
-- @type deferred
local Deferred = class("Deferred")
M.Deferred = Deferred

Deferred.called = false
Deferred.paused = 0
Deferred.first = 1 -- The chain: at `first` a callback and behind it its errback (false: passes on what there is), up to
Deferred.last = 0  -- `last`; or CONTINUE or FIRE, and the deferred that waits for the result.
-- running: whether a callback is being called; canceller; deaf: whether a late result is ignored, once, since it was
-- cancelled; unhandled: the record of the failure that nobody has taken yet.

local CONTINUE, FIRE = {}, {} -- a chained deferred: it goes on; chainDeferred: it is called

local is_one = setmetatable({}, { -- metatable -> whether its objects are deferreds
  __mode = "k",
  __index = function(known, meta)
    local owner = type(meta) == "table" and rawget(meta, "__class")
    known[meta] = class.isclass(owner) and class.issubclass(owner, Deferred)
    return known[meta]
  end,
})

local function is_deferred(value)
  local meta = getmetatable(value)
  return meta ~= nil and is_one[meta]
end
M.is_deferred = is_deferred

-- --- failures that nobody takes -------------------------------------------------------------------

-- Tells `loop.onerror` of a failure.
local function report(failed, what)
  local err = failures.error_of(failed)
  local text = what .. failed:getTraceback()
  local ok, problem = pcall(loop.onerror, err, text)
  if ok then return end
  internal.log("error in loop.onerror", tostring(problem))
  internal.log("error in a deferred", text)
end
M.report = report

-- It is the record that has a finalizer: few deferreds fail, and those that do not are collected sooner.
local Unhandled = {
  __gc = function(self)
    if self.failure then report(self.failure, "unhandled error in a deferred: ") end
  end,
}

local function note(self, failed)
  local record = self.unhandled
  if record then
    record.failure = failed
  elseif failed then
    self.unhandled = setmetatable({ failure = failed }, Unhandled)
  end
end

-- Somebody has heard of its failure, otherwise than by an errback.
function M.heard(self) note(self, nil) end

-- --- the chain ------------------------------------------------------------------------------------

local function append(self, callback, errback)
  local last = self.last
  self[last + 1], self[last + 2] = callback, errback
  self.last = last + 2
end

-- Gives what it has got to another one, and forgets it.
local function hand_over(self, other)
  other.result, self.result = self.result, nil
  note(self, nil)
end

-- What a callback gave becomes the result. Whether the chain has to wait for it.
local function take(self, result)
  self.result = result
  if not is_deferred(result) then return false end
  if result == self then
    self.result = failure "a callback returned the deferred that it was added to"
    return false
  end
  if result.called and result.paused == 0 and not is_deferred(result.result) then
    hand_over(result, self)
    return false
  end
  self.paused = self.paused + 1
  append(result, CONTINUE, self)
  return true
end

-- The one that waits for this one's result gets it. Gives it, if its own chain can go on.
local function pass_on(self, kind, waiting)
  if kind == CONTINUE then
    waiting.paused = waiting.paused - 1
  elseif waiting.called then
    if not waiting.deaf then
      self.result = failure(failures.AlreadyCalledError())
    else
      waiting.deaf, self.result = nil, nil
    end
    return nil
  else
    waiting.called = true
  end
  hand_over(self, waiting)
  return waiting
end

-- Takes the first pair out of the chain.
local function take_out(self)
  local first = self.first
  local callback, errback = self[first], self[first + 1]
  self[first], self[first + 1] = nil, nil
  if first + 1 >= self.last then
    self.first, self.last = 1, 0
  else
    self.first = first + 2
  end
  return callback, errback
end

-- Calls what is in the chain, as far as it can go. Gives the deferred that was waiting for the result, if it can go on
-- now, and is to do so before anything else.
local function go_on(self)
  while self.last > 0 do
    local callback, errback = take_out(self)
    if callback == CONTINUE or callback == FIRE then
      local waiting = pass_on(self, callback, errback)
      if waiting then return waiting end
    else
      local f = callback
      if is_failure(self.result) then f = errback end
      if f then
        self.running = true
        local _, result, err = xpcall(f, traced, self.result)
        self.running = nil
        if take(self, outcome_of(result, err)) then break end
      end
    end
  end
  note(self, is_failure(self.result) and self.result or nil)
end

-- Runs the chain, and those of all that wait for its result. However long such a row of deferreds is, it is a loop:
-- `below` are those whose results have gone to others, and which go on when these have.
local function run(self)
  if self.running then return end
  local below
  while self do
    local waiting = self.paused == 0 and not self.running and go_on(self) or nil
    if waiting then
      below = { self, below }
      self = waiting
    elseif below then
      self, below = below[1], below[2]
    else
      return
    end
  end
end

-- --- building -------------------------------------------------------------------------------------

function Deferred:__init(canceller)
  if canceller ~= nil then self.canceller = canceller end
end

local function check_callable(value, number, call)
  if type(value) == "function" then return end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__call then return end
  check.expected(call, number, "function", value)
end

-- The function with these arguments behind the result.
local function bound(f, ...)
  if not f or select("#", ...) == 0 then return f end
  local arguments = table.pack(...)
  return function(result) return f(result, table.unpack(arguments, 1, arguments.n)) end
end

local function add(self, callback, errback)
  append(self, callback, errback)
  if self.called then run(self) end
  return self
end

--- Adds a function that is called with the result.
-- Source: Twisted's `Deferred.addCallback`.
-- @function deferred:addCallback
-- @tparam function f called with the result and what follows
-- @param ... further arguments for it
-- @treturn deferred itself
-- @usage
-- local d = defer.Deferred()
-- d:addCallback(function(n, factor) return n * factor end, 2):addCallback(print)
-- d:callback(21) --> 42
function Deferred:addCallback(f, ...)
  check_callable(f, 1, "addCallback")
  return add(self, bound(f, ...), false)
end

--- Adds a function that is called with the failure.
-- Source: Twisted's `Deferred.addErrback`.
-- @function deferred:addErrback
-- @tparam function f called with the failure and what follows
-- @param ... further arguments for it
-- @treturn deferred itself
-- @usage
-- local d = defer.fail("no such user")
-- d:addErrback(function(failure) print(failure:getErrorMessage()) end) --> no such user
function Deferred:addErrback(f, ...)
  check_callable(f, 1, "addErrback")
  return add(self, false, bound(f, ...))
end

--- Adds a function that is called with the result or the failure.
-- Source: Twisted's `Deferred.addBoth`.
-- @function deferred:addBoth
-- @tparam function f called with either, and what follows
-- @param ... further arguments for it
-- @treturn deferred itself
-- @usage
-- local d = defer.succeed(42)
-- d:addBoth(print, "it is over") --> 42	it is over
function Deferred:addBoth(f, ...)
  check_callable(f, 1, "addBoth")
  f = bound(f, ...)
  return add(self, f, f)
end

local ARGUMENTS = check.kind("table of arguments", function(value) return value == nil or type(value) == "table" end)

--- Adds a pair: one of them is called, and errors of `f` do not reach `g`.
-- Source: Twisted's `Deferred.addCallbacks`.
-- @function deferred:addCallbacks
-- @tparam function f called with a result
-- @tparam[opt] function g called with a failure; nil: it goes on to the next one
-- @tparam[opt] table fArguments further arguments for `f`
-- @tparam[opt] table gArguments further arguments for `g`
-- @treturn deferred itself
-- @usage
-- local d = defer.succeed(42)
-- d:addCallbacks(print, defer.logError) --> 42
function Deferred:addCallbacks(f, g, fArguments, gArguments)
  check_callable(f, 1, "addCallbacks")
  if g ~= nil then check_callable(g, 2, "addCallbacks") end
  check.argument(ARGUMENTS, fArguments, 3, "addCallbacks")
  check.argument(ARGUMENTS, gArguments, 4, "addCallbacks")
  if fArguments then f = bound(f, table.unpack(fArguments, 1, fArguments.n)) end
  if gArguments then g = bound(g, table.unpack(gArguments, 1, gArguments.n)) end
  return add(self, f, g or false)
end

--- Has another deferred called with what comes here; this one goes on with nil then. Whoever calls the other one as
-- well is in error.
-- Source: Twisted's `Deferred.chainDeferred`.
-- @function deferred:chainDeferred
-- @tparam deferred d
-- @treturn deferred itself
-- @usage
-- local d = defer.Deferred():addCallback(print)
-- defer.succeed(42):chainDeferred(d) --> 42
function Deferred:chainDeferred(d)
  if not is_deferred(d) then check.expected("chainDeferred", 1, "deferred", d) end
  return add(self, FIRE, d)
end

-- --- firing ---------------------------------------------------------------------------------------

local function fire(self, result)
  if self.called then
    if not self.deaf then error(failures.AlreadyCalledError(), 0) end
    self.deaf = nil
    return
  end
  self.called, self.result = true, result
  run(self)
end

--- Gives it its result: the chain runs. A failure does the same as `errback`.
-- Source: Twisted's `Deferred.callback`.
-- @function deferred:callback
-- @param result anything but a deferred
-- @raise `AlreadyCalledError` when it has one
-- @usage
-- local d = defer.Deferred():addCallback(print)
-- d:callback(42) --> 42
function Deferred:callback(result)
  if is_deferred(result) then check.bad("callback", 1, "a result expected, got a deferred") end
  fire(self, result)
end

--- Gives it a failure: the chain runs.
-- Source: Twisted's `Deferred.errback`.
-- @function deferred:errback
-- @param err a failure, or any error, of which one is made
-- @raise `AlreadyCalledError` when it has a result
-- @usage
-- local d = defer.Deferred():addErrback(print)
-- d:errback("no such user") --> no such user
function Deferred:errback(err)
  check.argument(check.ANY, err, 1, "errback")
  fire(self, failure(err))
end

--- Keeps the chain from going on until `unpause`, as often as it was called.
-- Source: Twisted's `Deferred.pause`.
-- @function deferred:pause
-- @usage
-- local d = defer.succeed(42)
-- d:pause()
-- d:addCallback(print)
-- d:unpause() --> 42
function Deferred:pause() self.paused = self.paused + 1 end

--- Ends one `pause`.
-- Source: Twisted's `Deferred.unpause`.
-- @function deferred:unpause
-- @usage
-- local d = defer.succeed(42)
-- d:pause()
-- d:addCallback(print)
-- d:unpause() --> 42
function Deferred:unpause()
  self.paused = self.paused - 1
  if self.paused == 0 and self.called then run(self) end
end

--- Gives up waiting. When there is no result yet, the canceller is called with the deferred; unless that has given it
-- one, it fails with `CancelledError`. (Without a canceller, a result that comes later is ignored.) When the chain
-- waits for another deferred, that one is cancelled. Else nothing happens.
-- Source: Twisted's `Deferred.cancel`.
-- @function deferred:cancel
-- @usage
-- local d = defer.Deferred():addErrback(print)
-- d:cancel() --> The deferred was cancelled.
function Deferred:cancel()
  if self.called then
    if is_deferred(self.result) then return self.result:cancel() end
    return
  end
  if self.canceller then self.canceller(self) else self.deaf = true end
  if not self.called then self:errback(failures.CancelledError()) end
end

-- --- limits of time -------------------------------------------------------------------------------

-- What stands in for the reactor where none is given: the loop.
local plain_clock = {}

function plain_clock.callLater(seconds, f)
  local task = loop.call_later(seconds, f)
  return {
    active = function() return not internal.is_over(task) and task ~= loop.current() end,
    cancel = function() task:cancel() end,
  }
end

local function timed_out(result, seconds)
  if not is_failure(result) then return result end
  result:trap(failures.CancelledError)
  local why = failures.TimeoutError()
  why.seconds = seconds
  return why
end

--- Cancels it when it takes too long: it fails with `TimeoutError` then. What is added after this is not counted in.
-- Source: Twisted's `Deferred.addTimeout`.
-- @function deferred:addTimeout
-- @tparam number seconds
-- @param[opt] clock what has `callLater`: the reactor, or a `csock.task.Clock`; the loop does without either
-- @tparam[opt] function onTimeoutCancel called with the result or the failure (`CancelledError`, mostly) and `seconds`
-- when the time was up; what it gives goes on in place of `TimeoutError`
-- @treturn deferred itself
-- @usage
-- local d = defer.Deferred():addTimeout(0.01)
-- print((select(2, defer.wait(d)))) --> The deferred timed out.
function Deferred:addTimeout(seconds, clock, onTimeoutCancel)
  check.seconds(seconds, 1, "addTimeout")
  if onTimeoutCancel ~= nil then check_callable(onTimeoutCancel, 3, "addTimeout") end
  local late = false
  local call = (clock or plain_clock).callLater(seconds, function()
    late = true
    self:cancel()
  end)
  return self:addBoth(function(result)
    if late then return (onTimeoutCancel or timed_out)(result, seconds) end
    return result
  end):addBoth(function(result)
    if call:active() then call:cancel() end
    return result
  end)
end

-- As Twisted's.
function Deferred:__tostring()
  local state = ""
  if is_deferred(self.result) then
    state = (" waiting on Deferred at %p"):format(self.result)
  elseif self.called then
    state = " current result: " .. tostring(self.result)
  end
  return ("<%s at %p%s>"):format(self.__class.__name, self, state)
end

return M
