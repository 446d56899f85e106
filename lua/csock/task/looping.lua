--- A function that is called again and again.
-- @module csock.task
local check = require "csock.check"
local class = require "csock.class"
local deferred = require "csock.defer.deferred"
local failures = require "csock.defer.failure"
local outcome = require "csock.defer.outcome"
local reactor = require "csock.reactor"

local Deferred, is_deferred, is_failure = deferred.Deferred, deferred.is_deferred, failures.is_failure
local call = outcome.call

local M = {}

--- Calls a function again and again, at equal distances in time: the n-th call is `n * interval` seconds after the
-- start, however long the calls take, and however late they are. What could not be called in time is left out
-- (`LoopingCall:withCount` tells how much). When a call gives a deferred, the next one waits for that.
--
-- Fields: `running`; `interval`, in seconds; `clock`, what has `callLater` and `seconds`: the reactor, unless another
-- one is put there before the start (@{csock.task.Clock}); `deferred`, that of the present start, or nil.
-- Source: Twisted's `LoopingCall`.
-- @type loopingcall
local LoopingCall = class("LoopingCall")
M.LoopingCall = LoopingCall

LoopingCall.running = false

-- Others: call: the timed call that is to come; starttime; number: that of the call which is made or to come next;
-- counted: that of the last one that was told by `withCount`; early: how much of an interval a call may be early.

--- Makes one, which is to be started yet.
-- @function LoopingCall
-- @tparam function f
-- @param ... its arguments
-- @treturn loopingcall
-- @usage
-- local clock = task.Clock()
-- local looping = task.LoopingCall(print, "tick")
-- looping.clock = clock
-- looping:start(1) --> tick
-- clock.advance(1) --> tick
function LoopingCall:__init(f, ...)
  check.argument(check.ANY, f, 1, "LoopingCall")
  self.f, self.arguments = f, table.pack(...)
  self.clock = reactor
end

--- Makes one that tells its function how many calls there should have been since the one before: 1, and one more for
-- each that was left out.
-- Source: Twisted's `LoopingCall.withCount`.
-- @function loopingcall:withCount
-- @tparam function f called with the number
-- @treturn loopingcall
-- @usage
-- local clock = task.Clock()
-- local looping = task.LoopingCall:withCount(print)
-- looping.clock = clock
-- looping:start(1) --> 1
-- clock.advance(3.5) --> 3
function LoopingCall:withCount(f) -- of the class
  check.argument(check.ANY, f, 1, "withCount")
  local new
  new = self(function()
    local count = math.max(new.number - new.counted, 1)
    new.counted = new.number
    return f(count)
  end)
  return new
end

-- A call is made as much of an interval early as a clock may be behind that is moved by sums of intervals, where these
-- are not exact: where the interval is no binary fraction.
local EARLY = 1e-9

local function early(interval) return interval * 0x1p20 % 1 == 0 and 0 or EARLY end

-- The number of the call that is due now, or was due last. Where the clock is too coarse for the interval, or that is
-- 0, calls have no numbers.
local function number_at(self, time)
  if time + self.interval == time then return self.number end
  return math.max(self.number, math.floor((time - self.starttime) / self.interval + EARLY))
end

local turn

local function schedule(self, run)
  local now, interval = self.clock.seconds(), self.interval
  local delay = interval
  if now + interval > now then
    self.number = number_at(self, now) + 1
    delay = math.max(self.starttime + (self.number - self.early) * interval - now, 0)
  end
  self.call = self.clock.callLater(delay, turn, self, run)
end

-- A start has come to its end: nothing more is called because of it. Another one may have followed it.
local function finish(self, run, failure)
  if self.deferred == run then self.running, self.deferred = false, nil end
  if failure then run:errback(failure) else run:callback(self) end
end

-- `run`: the deferred of the start by which it is called.
local function go_on(_, self, run)
  if self.running and self.deferred == run then schedule(self, run) else finish(self, run) end
end

local function fail(failure, self, run) finish(self, run, failure) end

function turn(self, run)
  self.call = nil
  self.number = number_at(self, self.clock.seconds())
  local result = call(self.f, table.unpack(self.arguments, 1, self.arguments.n))
  if is_deferred(result) then
    result:addCallback(go_on, self, run):addErrback(fail, self, run)
  elseif is_failure(result) then
    finish(self, run, result)
  else
    go_on(nil, self, run)
  end
end

--- Starts it.
-- @function loopingcall:start
-- @tparam number interval seconds; 0: as often as may be, with everything else in its turn
-- @tparam[opt=true] boolean now false: the first call is an interval from now
-- @treturn deferred of what it ends with: itself after `stop`; what the function failed with, which stops it (an error,
-- nil and an error, or a deferred of one)
-- @raise when it is running
-- @usage
-- local looping
-- looping = task.LoopingCall(function() looping:stop() end)
-- looping:start(60):addCallback(function() print "over" end) --> over
function LoopingCall:start(interval, now)
  check.seconds(interval, 1, "start")
  if self.running then check.fail "it is running already" end
  local run = Deferred()
  self.running, self.deferred, self.interval, self.early = true, run, interval, early(interval)
  self.starttime, self.number = self.clock.seconds(), 0
  self.counted = now == false and 0 or -1
  if now == false then schedule(self, run) else turn(self, run) end
  return run
end

--- Stops it. A call that is under way ends first, also one that has given a deferred; what `start` gave is called
-- then.
-- @function loopingcall:stop
-- @raise when it is not running
-- @usage
-- local looping = task.LoopingCall(print)
-- looping:start(1, false):addCallback(function() print "over" end)
-- looping:stop() --> over
function LoopingCall:stop()
  if not self.running then check.fail "it is not running" end
  self.running = false
  local coming, run = self.call, self.deferred
  if not coming then return end
  self.call = nil
  coming:cancel()
  finish(self, run)
end

--- Starts its time anew: the next call is an interval from now. While a call is under way, it changes nothing.
-- @function loopingcall:reset
-- @raise when it is not running
-- @usage
-- local clock = task.Clock()
-- local looping = task.LoopingCall(print, "tick")
-- looping.clock = clock
-- looping:start(1, false)
-- clock.advance(0.5)
-- looping:reset()
-- clock.advance(0.5)
-- clock.advance(0.5) --> tick
function LoopingCall:reset()
  if not self.running then check.fail "it is not running" end
  if not self.call then return end
  self.call:cancel()
  self.counted = self.counted - (self.number - 1) -- of those before, what was left out is still to be told
  self.starttime, self.number = self.clock.seconds(), 0
  schedule(self, self.deferred)
end

function LoopingCall:__tostring()
  if not self.running then return "<LoopingCall stopped>" end
  return ("<LoopingCall every %g s>"):format(self.interval)
end

return M
