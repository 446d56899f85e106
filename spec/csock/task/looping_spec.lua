local defer = require "csock.defer"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local task = require "csock.task"
local testing = require "csock.testing"
local same = require("spec.support.twisted").specs(it, pending)

local function beside(name, scenario, f)
  same(name, "spec/support/twisted/looping.py:" .. scenario, f)
end

local function on_a_clock(lc)
  lc.clock = task.Clock()
  return lc, lc.clock
end

local function looping(...) return on_a_clock(task.LoopingCall(...)) end
local function counting(f) return on_a_clock(task.LoopingCall:withCount(f)) end

-- Has `say` tell of a start's end.
local function tell_end(say, d)
  d:addCallbacks(function(lc) say("over", lc.running, lc.clock.seconds()) end,
    function(f) say("failed", f:getErrorMessage()) end)
end

local STEPS = { 0.5, 2.75, 0.25, 0.5, 0.5, 3, 0.75, 0.25, 10.5, 0.5 }

describe("a LoopingCall beside Twisted's", function()
  beside("calls with its arguments, at equal distances, until it is stopped", "every", function(say)
    local lc, clock
    lc, clock = looping(function(...) say("call", clock.seconds(), ...) end, "x", 3)
    local d = lc:start(2)
    d:addCallback(function(result) say("over", result == lc) end)
    say(lc.running, lc.interval)
    clock.pump { 1, 1, 1, 1, 1 }
    lc:stop()
    say(lc.running, #clock.getDelayedCalls())
    clock.advance(3)
  end)

  beside("may begin an interval later", "later", function(say)
    local lc, clock
    lc, clock = looping(function() say("call", clock.seconds()) end)
    tell_end(say, lc:start(1, false))
    clock.pump { 0.5, 0.5, 0.5, 0.5, 0.5 }
    lc:stop()
    tell_end(say, lc:start(1, false))
    lc:stop()
  end)

  beside("leaves out what it is too late for, and keeps its times", "late", function(say)
    local lc, clock
    lc, clock = looping(function() say("call", clock.seconds()) end)
    lc:start(1)
    clock.pump(STEPS)
  end)

  beside("counts what was left out", "count", function(say)
    for _, now in ipairs { true, false } do
      local lc, clock
      lc, clock = counting(function(n) say("call", clock.seconds(), n) end)
      tell_end(say, lc:start(1, now))
      clock.pump(STEPS)
      lc:stop()
    end
  end)

  beside("waits for the deferred that a call gives", "deferred", function(say)
    local waiting = {}
    local lc, clock
    local function f(n)
      say("call", clock.seconds(), n)
      table.insert(waiting, defer.Deferred())
      return waiting[#waiting]
    end
    lc, clock = counting(f)
    tell_end(say, lc:start(1))
    clock.pump { 1, 1, 0.5 }
    waiting[1]:callback "ignored"
    clock.pump { 0.25, 0.25, 1 }
    waiting[2]:callback()
    clock.advance(1)
    say "stop"
    lc:stop()
    say(lc.running)
    waiting[3]:callback()
    clock.advance(5)
    lc, clock = counting(f)
    tell_end(say, lc:start(1))
    waiting[4]:errback "bad"
    say(lc.running, #clock.getDelayedCalls())
  end)

  beside("ends with an error", "fails", function(say)
    local lc, clock
    lc, clock = looping(function()
      say("call", clock.seconds())
      if clock.seconds() > 0 then error("bad", 0) end
    end)
    tell_end(say, lc:start(1))
    clock.advance(1)
    say(lc.running, #clock.getDelayedCalls())
    tell_end(say, lc:start(1))
    say(lc.running)
  end)

  beside("may be stopped by its own call", "stops_itself", function(say)
    local lc, clock
    lc, clock = looping(function()
      say("call", clock.seconds())
      if clock.seconds() ~= 2 then return end
      lc:stop()
      say("stopped", lc.running)
    end)
    tell_end(say, lc:start(1))
    clock.pump { 1, 1, 1, 1, 1 }
    say(#clock.getDelayedCalls())
    local other
    other = looping(function()
      other:stop()
      error("stopped and bad", 0)
    end)
    tell_end(say, other:start(1))
  end)

  beside("starts its time anew", "resets", function(say)
    local lc, clock
    lc, clock = counting(function(n) say("call", clock.seconds(), n) end)
    lc:start(1, false)
    clock.advance(0.5)
    lc:reset()
    clock.pump { 0.5, 0.5, 0.5, 0.5, 0.25 }
    lc:reset()
    clock.pump { 0.5, 0.5, 3.25, 0.75 }
    lc, clock = looping(function()
      say("call", clock.seconds())
      lc:reset()
    end)
    lc:start(1)
    clock.pump { 0.75, 0.75, 0.75, 0.75, 0.75 }
  end)

  beside("may be started again when it is over", "starts_again", function(say)
    local lc, clock
    lc, clock = looping(function() say("call", clock.seconds()) end)
    lc:start(1):addCallback(function()
      say("again", lc.running)
      tell_end(say, lc:start(2))
    end)
    clock.pump { 1, 0.5 }
    lc:stop()
    clock.pump { 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 }
    lc:stop()
  end)

  beside("calls as often as it can when the interval is 0", "zero", function(say)
    local calls = 0
    local lc, clock
    local function f(...)
      calls = calls + 1
      say("call", ...)
      if calls % 4 == 0 then lc:stop() end
    end
    lc, clock = looping(f, "x")
    tell_end(say, lc:start(0))
    clock.advance(0)
    lc, clock = counting(f)
    tell_end(say, lc:start(0))
    clock.advance(5)
  end)

  beside("says what is wrong", "wrong", function(say)
    local function tried(f, ...) say(pcall(f, ...) and "fine" or "wrong") end
    local lc, clock = looping(function() end)
    tried(lc.stop, lc)
    tried(lc.reset, lc)
    tried(lc.start, lc, -1)
    say(lc.running)
    lc:start(1)
    tried(lc.start, lc, 1)
    clock.advance(1)
    tried(lc.stop, lc)
    tried(lc.stop, lc)
  end)

  beside("goes on when what start gave is cancelled", "cancelled", function(say)
    local lc, clock
    lc, clock = looping(function() say("call", clock.seconds()) end)
    local d = lc:start(1)
    d:addErrback(function(f) say("cancelled", f:check(defer.CancelledError) == defer.CancelledError) end)
    d:cancel()
    clock.advance(1)
    lc:stop()
    say(lc.running)
  end)
end)

describe("a LoopingCall", function()
  it("does not drift on a clock whose steps do not add up exactly", function()
    local calls, counted = 0, 0
    local lc, clock
    lc, clock = counting(function(n) calls, counted = calls + 1, counted + n end)
    lc:start(0.1)
    for _ = 1, 10000 do clock.advance(0.1) end
    assert.same({ 10001, 10001 }, { calls, counted })
  end)

  it("makes the n-th call n intervals after the start, however long the calls take", function()
    local times = {}
    local lc, clock
    lc, clock = looping(function()
      times[#times + 1] = clock.seconds()
      clock.rightNow = clock.rightNow + 0.375 -- what this call takes
    end)
    clock.rightNow = 1000.0
    lc:start(0.5)
    for _ = 1, 30 do clock.advance(0.0625) end
    assert.same({ 1000.0, 1000.5, 1001.0, 1001.5, 1002.0 }, { table.unpack(times, 1, 5) })
  end)

  it("may be stopped and started again inside its call: each start has its own end", function()
    local order = {}
    local function say(text) order[#order + 1] = text end
    local lc, clock
    lc, clock = looping(function()
      say("call at " .. clock.seconds())
      if clock.seconds() ~= 1 then return end
      lc:stop()
      lc:start(2, false):addCallback(say, say "started again"):addCallback(function() say "second over" end)
    end)
    lc:start(1):addCallback(function() say "first over" end)
    for _ = 1, 8 do clock.advance(0.5) end
    assert.equal(1, #clock.getDelayedCalls())
    lc:stop()
    assert.same({ "call at 0.0", "call at 1.0", "started again", "first over", "call at 3.0" },
      { table.unpack(order, 1, 5) })
    assert.equal("second over", order[#order])
    assert.is_false(lc.running)
  end)

  it("is not stopped by the failure of a call from before it was started again", function()
    local waiting, failed = {}, nil
    local lc, clock = looping(function()
      waiting[#waiting + 1] = defer.Deferred()
      return waiting[#waiting]
    end)
    lc:start(1):addErrback(function(f) failed = f.value end)
    lc:stop()
    lc:start(1)
    waiting[1]:errback "old"
    assert.equal("old", failed)
    assert.is_true(lc.running)
    waiting[2]:callback()
    clock.advance(1)
    assert.equal(3, #waiting)
  end)

  it("counts from its own start", function()
    local counts = {}
    local lc, clock = counting(function(n) counts[#counts + 1] = n end)
    lc:start(1)
    clock.pump { 1, 1 }
    lc:stop()
    clock.advance(100)
    lc:start(1)
    clock.advance(1)
    assert.same({ 1, 1, 1, 1, 1 }, counts)
  end)

  it("tells of an error once, to loop.onerror when nobody takes it", function()
    local texts = reactors.errors(function()
      local lc, clock = looping(error, "bad", 0)
      lc:start(1)
      clock.pump { 1, 1 }
      lc = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
    end)
    assert.equal(1, #texts)
    assert.matches("bad", texts[1])
  end)

  it("ends with what its function refuses, too", function()
    local lc, clock = looping(io.open, "/none")
    local failure
    lc:start(1):addErrback(function(f) failure = f end)
    assert.matches("^/none", failure.value)
    assert.same({ false, {} }, { lc.running, clock.getDelayedCalls() })
  end)

  it("has its deferred while it runs, and goes by the reactor unless told otherwise", function()
    local calls = 0
    local lc
    lc = task.LoopingCall(function()
      calls = calls + 1
      if calls == 3 then lc:stop() end
    end)
    assert.equal(reactor, lc.clock)
    assert.is_nil(lc.deferred)
    reactor.callWhenRunning(function()
      local d = lc:start(0.001)
      assert.equal(d, lc.deferred)
      d:addCallback(reactor.stop)
    end)
    reactor.run()
    assert.same({ 3, false }, { calls, lc.running })
    assert.is_nil(lc.deferred)
  end)

  it("misses no call in ten seconds of a thousand each, where nothing holds it up", function()
    local calls, missed = 0, 0
    testing.virtual_time(function()
      local lc = task.LoopingCall:withCount(function(n) calls, missed = calls + 1, missed + n - 1 end)
      reactor.callWhenRunning(lc.start, lc, 0.001)
      reactor.callLater(10, reactor.stop)
      reactor.run()
      lc:stop()
    end)
    assert.equal(0, missed)
    assert.is_true(calls >= 10000)
  end)

  it("lets everything else have its turn when the interval is 0", function()
    local calls, others = 0, 0
    local lc = task.LoopingCall(function() calls = calls + 1 end)
    local function other()
      others = others + 1
      if others < 10 then return reactor.callLater(0, other) end
      lc:stop()
    end
    reactor.callWhenRunning(function()
      lc:start(0):addCallback(reactor.stop)
      reactor.callLater(0, other)
    end)
    reactor.run()
    assert.is_true(calls >= 10)
    assert.equal(10, others)
  end)

  it("says where it was used wrongly", function()
    local lc = looping(print, "never")
    local function raised(f, ...) return select(2, pcall(f, ...)) end
    assert.matches("looping_spec.lua:%d+: it is not running$", raised(function() lc:stop() end))
    assert.matches("looping_spec.lua:%d+: it is not running$", raised(function() lc:reset() end))
    assert.error_matches(function() lc:start "1" end, "#1 to 'start' %(seconds >= 0 expected, got string%)")
    assert.error_matches(function() lc:start(math.huge) end, "#1 to 'start'")
    lc:start(1, false)
    assert.matches("looping_spec.lua:%d+: it is running already$", raised(function() lc:start(1) end))
    assert.equal("<LoopingCall every 1 s>", tostring(lc))
    lc:stop()
    assert.equal("<LoopingCall stopped>", tostring(lc))
    assert.error_matches(function() task.LoopingCall() end, "#1 to 'LoopingCall'")
    assert.error_matches(function() task.LoopingCall:withCount() end, "#1 to 'withCount'")
  end)
end)
