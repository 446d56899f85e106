--- Deferreds: results that are yet to come.
-- @module csock.defer
local check = require "csock.check"
local class = require "csock.class"
local failures = require "csock.defer.failure"
local internal = require "csock.loop.internal"
local loop = require "csock.loop"
local outcome = require "csock.defer.outcome"
local Reason = require("csock.reactor.reason").Reason

local failure, is_failure, traced = failures.failure, failures.is_failure, failures.traced
local outcome_of = outcome.of
local getmetatable, select, type, xpcall = getmetatable, select, type, xpcall

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

-- Its list part is the chain: a callback and behind it its errback (false: passes on what there is), or CONTINUE or
-- FIRE and the deferred that waits for the result. `at`: the place of the next pair, negative while a callback is
-- called. Others: canceller; deaf: whether a late result is ignored, once, since it was cancelled; unhandled: the
-- record of the failure that nobody has taken yet. It is made as large as it will be, mostly.
function Deferred.__new()
  return { nil, nil, nil, nil, called = false, result = nil, paused = 0, at = 1 }
end

local CONTINUE, FIRE = {}, {} -- the deferred waits for this one, and goes on; chainDeferred: it is called
local DEFERRED, FAILURE = 1, 2

local kinds = failures.by_class(function(owner) -- metatable -> one of these, or false
  return class.issubclass(owner, Deferred) and DEFERRED or class.issubclass(owner, Reason) and FAILURE
end)

local function kind_of(value)
  local meta = getmetatable(value)
  return meta and kinds[meta]
end

local function is_deferred(value) return kind_of(value) == DEFERRED end
M.is_deferred = is_deferred

-- --- failures that nobody takes -------------------------------------------------------------------

-- Tells `loop.onerror` of a failure.
local function report(failed, what)
  internal.tell("error in a deferred", failures.error_of(failed), what .. failed:getTraceback())
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

-- Gives what it has got to another one, and forgets it.
local function hand_over(self, other)
  other.result, self.result = self.result, nil
  if self.unhandled then note(self, nil) end
end

-- A callback gave a deferred. Whether the chain has to wait for that; else it goes on with what that has.
local function wait_for(self, result)
  if result == self then
    self.result = failure "a callback returned the deferred that it was added to"
    return false
  end
  if result.called and result.paused == 0 and not is_deferred(result.result) then
    hand_over(result, self)
    return false
  end
  local last = #result
  result[last + 1], result[last + 2] = CONTINUE, self
  self.paused = self.paused + 1
  return true
end

local function forget() return nil end

-- Calls another one with the result, as a callback at the place before `at` would: the result stays until that has run.
local function call_with(self, other, at)
  if other.called then
    if other.deaf then other.deaf, self.result = nil, nil else self.result = failures.AlreadyCalledError() end
    return false
  end
  other.called, other.result = true, self.result
  if other.paused > 0 then
    self.result = nil
    return false
  end
  self[at - 2], self[at - 1], self.at = forget, forget, 2 - at
  return true
end

-- The one that waits for this one's result gets it. Whether its chain can go on.
local function continue(self, waiting)
  hand_over(self, waiting)
  waiting.paused = waiting.paused - 1
  return waiting.paused == 0
end

-- Forgets the pairs that were called, up to the place before `at`, which is behind the last one.
local function empty(self, at)
  for used = at - 1, 1, -1 do self[used] = nil end
  self.at = 1
end

-- Calls what is in the chain, as far as it can go. Gives the deferred that was waiting for the result, if that can go
-- on now, and is to do so before anything else.
local function go_on(self)
  local first = -self.at
  local i, result = first, self.result
  local meta = getmetatable(result)
  local kind = meta and kinds[meta]
  local f, g = self[i], self[i + 1]
  while f ~= nil do
    i = i + 2
    self.at = -i
    if f == CONTINUE or f == FIRE then
      if f == FIRE and call_with(self, g, i) or f == CONTINUE and continue(self, g) then return g end
      result = self.result
      kind = kind_of(result)
    else
      if kind == FAILURE then f = g end
      if f then
        local err
        result, err = f(result)
        if err ~= nil then result = outcome_of(result, err) end
        self.result = result
        meta = getmetatable(result)
        kind = meta and kinds[meta]
        if kind == DEFERRED then
          if wait_for(self, result) then
            for used = first, i - 1 do self[used] = false end
            self.at = i
            if self.unhandled then note(self, nil) end
            return nil
          end
          result = self.result
          kind = kind_of(result)
        end
      end
    end
    f, g = self[i], self[i + 1]
  end
  empty(self, i)
  if kind == FAILURE then note(self, result) elseif self.unhandled then note(self, nil) end
end

-- What is under way: `present`, whose chain runs, and `below`, those that have given their results away and go on when
-- that is done: a list. When the task in which a callback waits is cancelled, that callback has failed.
local Way = {}
local spare -- one that is not in use, so that not every run makes its own
local run

local function go_on_with(self)
  self.at = math.abs(self.at)
  run(self)
end

function Way:__close()
  local present, below = self.present, self.below
  self.present, self.below, spare = nil, nil, self
  if present then
    present.result = failures.CancelledError()
    go_on_with(present)
  end
  while below do
    go_on_with(below.present)
    below = below.below
  end
end

-- Runs the chain, and those of all that wait for its result. However long such a row of deferreds is, it is a loop.
function run(self)
  if self.paused > 0 or self.at < 0 then return end
  self.at = -self.at
  local way <close> = spare or setmetatable({ present = nil, below = nil }, Way)
  spare, way.present = nil, self
  while self do
    local at = self.at
    local ok, waiting = xpcall(go_on, traced, self)
    if not ok then
      if self.at == at or self.at > 0 then -- it was no callback: out of memory, or of C's stack
        self.at, way.present = math.abs(self.at), nil
        error(waiting, 0)
      end
      self.result = failure(waiting)
    elseif waiting then
      if self[-self.at] == nil then empty(self, -self.at) else way.below = { present = self, below = way.below } end
      waiting.at = -waiting.at
      self = waiting
      way.present = self
    else
      local below = way.below
      self = below and below.present
      way.present, way.below = self, below and below.below
    end
  end
end

-- --- building -------------------------------------------------------------------------------------

function Deferred:__init(canceller)
  if canceller ~= nil then self.canceller = canceller end
end

-- What is no function may be called, too.
local function check_callable(value, number, call)
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__call then return end
  check.expected(call, number, "function", value)
end

-- The function with these arguments behind the result.
local function bound(f, ...)
  local arguments = table.pack(...)
  return function(result) return f(result, table.unpack(arguments, 1, arguments.n)) end
end

local function add(self, callback, errback)
  local last = #self
  self[last + 1], self[last + 2] = callback, errback
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
  if type(f) ~= "function" then check_callable(f, 1, "addCallback") end
  if select("#", ...) > 0 then f = bound(f, ...) end
  return add(self, f, false)
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
  if type(f) ~= "function" then check_callable(f, 1, "addErrback") end
  if select("#", ...) > 0 then f = bound(f, ...) end
  return add(self, false, f)
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
  if type(f) ~= "function" then check_callable(f, 1, "addBoth") end
  if select("#", ...) > 0 then f = bound(f, ...) end
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
  if type(f) ~= "function" then check_callable(f, 1, "addCallbacks") end
  if g ~= nil and type(g) ~= "function" then check_callable(g, 2, "addCallbacks") end
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

-- It was given one before.
local function refuse(self)
  if not self.deaf then error(failures.AlreadyCalledError(), 0) end
  self.deaf = nil
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
  local meta = getmetatable(result)
  if meta and kinds[meta] == DEFERRED then check.bad("callback", 1, "a result expected, got a deferred") end
  if self.called then return refuse(self) end
  self.called, self.result = true, result
  run(self)
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
  if self.called then return refuse(self) end
  self.called, self.result = true, failure(err)
  run(self)
end

--- Keeps the chain from going on until `unpause`, as often as it was called. (When it waits for another deferred, what
-- was added to that one after this goes on, which Twisted holds up as well.)
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
  if onTimeoutCancel ~= nil then check.argument(check.FUNCTION, onTimeoutCancel, 3, "addTimeout") end
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
