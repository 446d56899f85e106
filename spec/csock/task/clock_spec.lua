local class = require "csock.class"
local defer = require "csock.defer"
local reactor = require "csock.reactor"
local task = require "csock.task"
local same = require("spec.support.twisted").specs(it, pending)

local function beside(name, scenario, f)
  same(name, "spec/support/twisted/clock.py:" .. scenario, f)
end

describe("a task.Clock beside Twisted's", function()
  beside("makes calls in the order of time, and of making", "order", function(say)
    local clock = task.Clock()
    local function call(name) say(name, clock.seconds()) end
    local function more()
      call "more"
      clock.callLater(0, call, "at once")
      clock.callLater(1, call, "in the same step")
      clock.callLater(2, call, "in the next step")
    end
    clock.callLater(3, call, "third")
    clock.callLater(1, call, "first")
    clock.callLater(1, call, "second")
    clock.callLater(1, more)
    clock.callLater(5, call, "last")
    local times = {}
    for i, timed in ipairs(clock.getDelayedCalls()) do times[i] = math.tointeger(timed:getTime()) end
    say(table.concat(times, " ") == "1 1 1 3 5")
    clock.advance(0.5)
    say("moved", clock.seconds())
    clock.advance(2.5)
    say("moved", clock.seconds(), #clock.getDelayedCalls())
    clock.pump { 1, 1, 1 }
    say("moved", clock.seconds(), #clock.getDelayedCalls())
  end)

  beside("lets calls be taken back, put off and taken forward", "changes", function(say)
    local clock = task.Clock()
    local calls = {}
    local function call(name) say(name, clock.seconds(), calls[name]:active()) end
    for i, name in ipairs { "a", "b", "c", "d" } do calls[name] = clock.callLater(i, call, name) end
    clock.callLater(0.5, function()
      say "change"
      calls.a:cancel()
      calls.b:delay(3)
      calls.c:reset(1)
      calls.d:delay(-4)
    end)
    for _ = 1, 12 do clock.advance(0.5) end
    for _, name in ipairs { "a", "b", "c", "d" } do say(name, calls[name]:active(), calls[name]:getTime()) end
  end)

  beside("lets an error out, and goes on with the others then", "errors", function(say)
    local clock = task.Clock()
    clock.callLater(1, say, "before")
    clock.callLater(1, function()
      say "bad"
      error("bad", 0)
    end)
    clock.callLater(1, say, "behind")
    say("raised", select(2, pcall(clock.advance, 1)))
    say(clock.seconds(), #clock.getDelayedCalls())
    clock.advance(0)
    say(clock.seconds(), #clock.getDelayedCalls())
  end)

  beside("can be moved by its own calls", "inside", function(say)
    local clock = task.Clock()
    local function inner(name) say(name, clock.seconds()) end
    clock.callLater(1, function()
      say("outer", clock.seconds())
      clock.advance(2)
      say("outer again", clock.seconds())
    end)
    clock.callLater(1, inner, "same time")
    clock.callLater(2, inner, "later")
    clock.callLater(9, inner, "never")
    clock.advance(1)
    say("moved", clock.seconds())
  end)

  beside("is what deferLater goes by", "later", function(say)
    local clock = task.Clock()
    task.deferLater(clock, 1, function(...)
      say("called", ...)
      return "result"
    end, "x", 3):addCallback(say)
    task.deferLater(clock, 2):addCallback(say)
    task.deferLater(clock, 2, error, "bad", 0):addErrback(function(f) say("failed", f:getErrorMessage()) end)
    task.deferLater(clock, 2, defer.succeed, "deferred"):addCallback(say)
    local d = task.deferLater(clock, 2, say, "never")
    d:addErrback(function(f) say("cancelled", f:check(defer.CancelledError) == defer.CancelledError) end)
    clock.advance(1)
    say(#clock.getDelayedCalls())
    d:cancel()
    say(#clock.getDelayedCalls())
    clock.advance(1)
    say(#clock.getDelayedCalls())
  end)
end)

describe("a task.Clock", function()
  it("wants times that are some", function()
    local clock = task.Clock()
    assert.error_matches(function() clock.advance(-1) end, "#1 to 'advance' %(seconds >= 0 expected, got %-1%)")
    assert.error_matches(function() clock.advance() end, "#1 to 'advance'")
    assert.error_matches(function() clock.pump(1) end, "#1 to 'pump' %(table expected, got 1%)")
    assert.error_matches(function() clock.callLater(math.huge, print) end, "#1 to 'callLater'")
    assert.equal(0.0, clock.seconds())
  end)

  it("has nothing to do with another one, nor with the reactor", function()
    local a, b = task.Clock(), task.Clock()
    local called
    a.callLater(1, function() called = true end)
    b.advance(2)
    assert.is_nil(called)
    assert.same({ 1, 0, 0 }, { #a.getDelayedCalls(), #b.getDelayedCalls(), #reactor.getDelayedCalls() })
  end)

  it("may be derived from", function()
    local Mine = class("Mine", task.Clock)
    local clock, called = Mine(), false
    clock.callLater(1, function() called = true end)
    clock.advance(1)
    assert.is_true(called)
  end)
end)

describe("task.deferLater", function()
  it("wants a clock and a time", function()
    assert.error_matches(function() task.deferLater({}, 1) end, "#1 to 'deferLater' %(clock expected, got table%)")
    assert.error_matches(function() task.deferLater(task.Clock(), -1) end, "#2 to 'deferLater' %(seconds >= 0")
  end)

  it("fails with what the function refuses", function()
    local clock, failure = task.Clock(), nil
    task.deferLater(clock, 1, io.open, "/none"):addErrback(function(f) failure = f end)
    clock.advance(1)
    assert.matches("^/none: ", failure.value)
  end)
end)
