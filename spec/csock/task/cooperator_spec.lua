local defer = require "csock.defer"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local same = require("spec.support.twisted").specs(it, pending)
local task = require "csock.task"

local yield = coroutine.yield

local function beside(name, scenario, f)
  same(name, "spec/support/twisted/cooperator.py:" .. scenario, f)
end

-- A cooperator whose rounds are a second apart, of so many steps.
local function new(steps, started)
  local clock = task.Clock()
  local function slice()
    local done = 0
    return function()
      done = done + 1
      return done == (steps or 1)
    end
  end
  return task.Cooperator(slice, function(round) return clock.callLater(1, round) end, started), clock
end

local function pump(clock, steps)
  for _ = 1, steps do clock.advance(1) end
end

-- What the scenarios have in common, telling by `say`.
local function tellers(say)
  local function numbers(name, count)
    return coroutine.wrap(function()
      for i = 0, count - 1 do
        say(name, i)
        yield(i)
      end
    end)
  end
  local function tell(name, d)
    d:addCallbacks(function() say(name, "over") end, function(f)
      local kind = f.value == "bad" and "ValueError" or f.__name
      say(name, "failed", kind, kind == "ValueError")
    end)
  end
  local function tried(f, ...)
    local ok, err = pcall(f, ...)
    say(ok and "fine" or err:check(task.SchedulerError) and err.__name)
  end
  return numbers, tell, tried
end

describe("a Cooperator beside Twisted's", function()
  beside("has its tasks take turns", "turns", function(say)
    local numbers, tell = tellers(say)
    for _, steps in ipairs { 1, 2, 5, 100 } do
      local cooperator, clock = new(steps)
      for _, row in ipairs { { "a", 3 }, { "b", 1 }, { "c", 0 }, { "d", 5 }, { "e", 2 } } do
        tell(row[1], cooperator:cooperate(numbers(row[1], row[2])):whenDone())
      end
      for _ = 1, 18 do
        say("at", clock.seconds(), #clock.getDelayedCalls())
        clock.advance(1)
      end
    end
  end)

  beside("takes tasks that others add", "added", function(say)
    local numbers, tell = tellers(say)
    local cooperator, clock = new(3)
    local function adding(name)
      return coroutine.wrap(function()
        for i = 0, 2 do
          say(name, i)
          tell(name .. "x", cooperator:coiterate(numbers(name .. "x", i)))
          yield(true)
        end
      end)
    end
    cooperator:coiterate(numbers("b", 4))
    cooperator:coiterate(adding "a"):addCallback(function()
      say "first over"
      tell("c", cooperator:coiterate(adding "c"))
    end)
    pump(clock, 20)
    say(#clock.getDelayedCalls())
  end)

  beside("waits for the deferreds that a task gives", "deferreds", function(say)
    local numbers, tell, tried = tellers(say)
    local cooperator, clock = new()
    local waiting = defer.Deferred()
    local work = cooperator:cooperate(coroutine.wrap(function()
      say "before"
      yield(waiting)
      say "behind"
      yield(defer.succeed "at once")
      say "behind both"
      yield(defer.fail "bad")
      say "never"
    end))
    tell("waits", work:whenDone())
    tell("numbers", cooperator:coiterate(numbers("numbers", 2)))
    pump(clock, 5)
    say(#clock.getDelayedCalls())
    waiting:callback()
    pump(clock, 5)
    tried(work.stop, work)
    tell("waits", work:whenDone())
  end)

  beside("lets tasks rest", "pauses", function(say)
    local numbers, tell, tried = tellers(say)
    local cooperator, clock = new()
    local work = cooperator:cooperate(numbers("a", 5))
    tell("a", work:whenDone())
    tried(work.resume, work)
    clock.advance(1)
    work:pause()
    say(#clock.getDelayedCalls())
    work:pause()
    work:resume()
    clock.advance(1)
    say(#clock.getDelayedCalls())
    work:resume()
    tried(work.resume, work)
    clock.advance(1)
    local other = cooperator:cooperate(numbers("b", 9))
    pump(clock, 2)
    other:pause()
    pump(clock, 5)
    other:resume()
    pump(clock, 2)
    other:pause()
    other:stop()
    other:resume()
    tried(other.pause, other)
    pump(clock, 2)
  end)

  beside("says how a task is over to whoever wants something of it", "ends", function(say)
    local numbers, tell, tried = tellers(say)
    local cooperator, clock = new()
    local done, stopped = cooperator:cooperate(function() end), cooperator:cooperate(numbers("b", 9))
    local failed = cooperator:cooperate(coroutine.wrap(function()
      yield(true)
      error("bad", 0)
    end))
    tell("done", done:whenDone())
    tell("stopped", stopped:whenDone())
    tell("failed", failed:whenDone())
    pump(clock, 6)
    stopped:stop()
    for _, work in ipairs { done, stopped, failed } do
      tried(work.pause, work)
      tried(work.stop, work)
      tried(work.resume, work)
      tell("again", work:whenDone())
    end
    say(#clock.getDelayedCalls())
  end)

  beside("lets a task pause and stop itself", "itself", function(say)
    local _, tell = tellers(say)
    local cooperator, clock = new()
    local work
    work = cooperator:cooperate(coroutine.wrap(function()
      yield(true)
      work:pause()
      say "paused"
      yield(true)
      say "resumed"
      yield(true)
    end))
    tell("pausing", work:whenDone())
    pump(clock, 4)
    say(#clock.getDelayedCalls())
    work:resume()
    pump(clock, 4)
    local other
    other = cooperator:cooperate(coroutine.wrap(function()
      yield(true)
      other:stop()
      yield(true)
    end))
    tell("stopping", other:whenDone())
    pump(clock, 4)
    say(#clock.getDelayedCalls())
  end)

  beside("ends its tasks when it is stopped, and takes none then", "stopped", function(say)
    local numbers, tell, tried = tellers(say)
    local cooperator, clock = new()
    say(cooperator.running)
    tell("a", cooperator:coiterate(numbers("a", 9)))
    local paused = cooperator:cooperate(numbers("b", 9))
    tell("b", paused:whenDone())
    paused:pause()
    pump(clock, 2)
    cooperator:stop()
    say(cooperator.running, #clock.getDelayedCalls())
    tell("c", cooperator:coiterate(numbers("c", 9)))
    local late = cooperator:cooperate(numbers("d", 9))
    tried(late.stop, late)
    paused:resume()
    cooperator:start()
    say(cooperator.running)
    tell("e", cooperator:coiterate(numbers("e", 2)))
    pump(clock, 5)
  end)

  beside("may be started later", "started", function(say)
    local numbers, tell = tellers(say)
    local cooperator, clock = new(1, false)
    tell("a", cooperator:coiterate(numbers("a", 2)))
    say(cooperator.running, #clock.getDelayedCalls())
    cooperator:start()
    say(cooperator.running, #clock.getDelayedCalls())
    pump(clock, 4)
  end)

  beside("calls the deferred that it is given, with the iterator", "given", function(say)
    local numbers = tellers(say)
    local cooperator, clock = new()
    local d, work = defer.Deferred(), numbers("a", 1)
    d:addCallback(function(result) say(result == work) end)
    say(cooperator:coiterate(work, d) == d)
    pump(clock, 2)
  end)

  beside("lets tasks share an iterator: so many deferreds are waited for at a time", "parallel", function(say)
    local _, tell = tellers(say)
    local clock = task.Clock()
    local cooperator = task.Cooperator(nil, function(round) return clock.callLater(0.125, round) end)
    local function fetch(n)
      say("fetch", n)
      local d = task.deferLater(clock, n % 3 + 1, say, "fetched", n)
      return d:addCallback(function() say("at", math.floor(clock.seconds())) end)
    end
    local work = coroutine.wrap(function()
      for n = 0, 6 do yield(fetch(n)) end
    end)
    local all = {}
    for i = 1, 3 do all[i] = cooperator:coiterate(work) end
    defer.gatherResults(all):addCallback(function(results) say("all", #results) end)
    for _ = 1, 80 do clock.advance(0.125) end
    local bad = coroutine.wrap(function()
      yield(true)
      error("bad", 0)
    end)
    for _, name in ipairs { "a", "b", "c" } do tell(name, cooperator:coiterate(bad)) end
    for _ = 1, 3 do clock.advance(0.125) end
  end)
end)

describe("a Cooperator", function()
  it("ends all its tasks when it is stopped, whatever they do then", function()
    local cooperator = new()
    local ended = {}
    local works = {}
    for i = 1, 5 do
      works[i] = cooperator:cooperate(function() return true end)
      works[i]:whenDone():addErrback(function(f)
        assert(f:check(task.SchedulerStopped, task.TaskStopped))
        table.insert(ended, i)
        if i == 2 then works[4]:stop() end
      end)
    end
    cooperator:stop()
    assert.same({ 1, 2, 4, 3, 5 }, ended)
  end)

  it("takes any iterator", function()
    local cooperator, clock = new(100)
    local list, results = {}, {}
    cooperator:coiterate(string.gmatch("a b c", "%a")):addCallback(function() results[1] = true end)
    cooperator:coiterate(setmetatable({}, {
      __call = function()
        list[#list + 1] = #list
        if #list < 5 then return #list end
      end,
    })):addCallback(function() results[2] = true end)
    clock.advance(1)
    assert.same({ true, true }, results)
    assert.equal(5, #list)
  end)

  it("fails with what an iterator refuses", function()
    local cooperator, clock = new()
    local failure
    cooperator:coiterate(function() return io.open "/none" end):addErrback(function(f) failure = f end)
    clock.advance(1)
    assert.matches("^/none", failure.value)
  end)

  it("tells loop.onerror of a task that has failed, and of which nobody wants to hear", function()
    local function fail(listen)
      local cooperator, clock = new()
      local work = cooperator:cooperate(function() error("bad", 0) end)
      clock.advance(1)
      if listen then work:whenDone():addErrback(function() end) end
      work, cooperator, clock = nil, nil, nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
    end
    assert.equal(1, #reactors.errors(function() fail(false) end))
    assert.equal(0, #reactors.errors(function() fail(true) end))
  end)

  it("tells of a deferred that fails when its task was stopped meanwhile", function()
    local texts = reactors.errors(function()
      local cooperator, clock = new()
      local waiting, ends = defer.Deferred(), 0
      local work = cooperator:cooperate(function() return waiting end)
      work:whenDone():addErrback(function() ends = ends + 1 end)
      clock.advance(1)
      work:stop()
      waiting:errback "too late"
      assert.equal(1, ends)
      waiting = nil
      collectgarbage()
      collectgarbage()
    end)
    assert.equal(1, #texts)
    assert.matches("too late", texts[1])
  end)

  it("says where it was used wrongly", function()
    local cooperator = new()
    local work = cooperator:cooperate(print)
    local _, err = pcall(function() work:resume() end)
    assert.matches("cooperator_spec.lua:%d+: the task is not paused$", tostring(err))
    assert.equal(task.NotPaused, err:check(task.TaskFinished, task.NotPaused))
    assert.error_matches(function() task.cooperate() end, "#1 to 'cooperate'")
    assert.error_matches(function() task.Cooperator(1) end, "#1 to 'Cooperator' %(function expected, got 1%)")
    work:stop()
  end)
end)

describe("task.cooperate and task.coiterate", function()
  it("share it also while the clock stands still", function()
    local clock <close> = require("csock.testing").clock()
    local steps, stopped = 0, false
    local work = task.cooperate(function()
      steps = steps + 1
      return not stopped or nil
    end)
    reactor.callLater(0, function() stopped = true end)
    work:whenDone():addCallback(reactor.stop)
    reactor.run()
    assert.is_true(steps > 1)
    return clock
  end)

  it("share the reactor with everything else, a hundredth of a second in turn", function()
    local steps, ticks, others, how = 0, 0, 0, nil
    local work = task.cooperate(function()
      steps = steps + 1
      return true
    end)
    task.coiterate(string.gmatch("a b c", "%a")):addCallback(function() others = others + 1 end)
    local function tick()
      ticks = ticks + 1
      if ticks < 3 then reactor.callLater(0, tick) else work:stop() end
    end
    reactor.callLater(0, tick)
    work:whenDone():addErrback(function(f) how = f:check(task.TaskStopped) end):addCallback(reactor.stop)
    reactor.run()
    assert.same({ 3, 1, task.TaskStopped }, { ticks, others, how })
    assert.is_true(steps > 10)
    assert.same({}, reactor.getDelayedCalls())
  end)
end)
