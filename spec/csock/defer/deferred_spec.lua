local csock = require "csock"
local class = require "csock.class"
local defer = require "csock.defer"
local loop = require "csock.loop"
local reason = require "csock.reactor.reason"
local same = require("spec.support.twisted").specs(it, pending)
local task = require "csock.task"

local TWISTED = "spec/support/twisted/defer.py:"

local function oops() error("oops", 0) end
local function kind(failure) return failure:check "CancelledError" or failure:check "AlreadyCalledError" end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a deferred beside Twisted's", function()
  local said

  -- What says how an errback was called.
  local function failed(failure) said("failed", failure:getErrorMessage()) end
  local function say_kind(failure) said(kind(failure)) end

  local function same_as(name, scenario, f)
    same(name, TWISTED .. scenario, function(say)
      said = say
      f(say)
    end)
  end

  same_as("calls callbacks in their order, with what the one before gave", "callbacks", function(say)
    local d = defer.Deferred()
    d:addCallback(function(n) return n * 2 end)
    d:addCallback(function(n, factor, word)
      say(word, n)
      return n * factor
    end, 3, "twice")
    d:addErrback(failed)
    d:addBoth(function(n) say("both", n) end)
    say(d.called)
    d:callback(21)
    say(d.called)
    d:addCallback(say)
    d:addCallback(function() say "late" end)
  end)

  same_as("calls the next errback with what was raised, and goes on with what that gives", "errors", function(say)
    local d = defer.Deferred()
    d:addCallback(oops)
    d:addCallback(say, "not this")
    d:addErrback(function(failure)
      failed(failure)
      return "mended"
    end)
    d:addErrback(function() say "not this either" end)
    d:addCallback(say)
    d:addCallbacks(oops, failed)
    d:addCallbacks(say, function(failure, word) say(word, failure:getErrorMessage()) end, nil, { "next" })
    d:addBoth(oops)
    d:addBoth(failed)
    d:callback(nil)
  end)

  same_as("fails by errback, or by a failure as its result", "errback", function(say)
    local KeyError, ValueError = class "KeyError", class "ValueError"
    local bad = ValueError()
    ValueError.__tostring = function() return "bad" end
    local d = defer.Deferred()
    d:addCallback(say)
    d:addErrback(function(failure)
      failed(failure)
      return failure
    end)
    d:addCallback(say)
    d:addErrback(function(failure) say(failure:check(KeyError), failure:check(ValueError) == ValueError) end)
    d:errback(bad)
    d = defer.Deferred()
    d:addErrback(failed)
    d:callback(defer.Failure "as a failure")
  end)

  same_as("calls what a callback adds when all others were called", "reentrant", function(say)
    local d = defer.Deferred()
    d:addCallback(function(n)
      say("first", n)
      d:addCallback(function(m) say("added", m) end)
      say "first is over"
      return n + 1
    end)
    d:addCallback(function(n)
      say("second", n)
      return n + 1
    end)
    d:callback(1)
  end)

  same_as("waits for a deferred that a callback gives, and takes its result", "chaining", function(say)
    local inner, outer = defer.Deferred(), defer.Deferred()
    outer:addCallback(function()
      say "waits"
      return inner
    end)
    outer:addCallback(function(n)
      say("outer", n)
      return "of outer"
    end)
    outer:callback(nil)
    inner:addCallback(function(n) say("inner", n) end)
    outer:addCallback(say, "and on")
    say "now"
    inner:callback(21)
    inner:addCallback(say)
  end)

  same_as("takes the result of one that has it", "chaining_called", function(say)
    local inner = defer.succeed "there"
    local outer = defer.Deferred()
    outer:addCallback(function() return inner end)
    outer:addCallback(say)
    outer:callback(nil)
    inner:addCallback(say)
  end)

  same_as("goes on in a row of deferreds from the innermost outwards", "chaining_deep", function(say)
    local a, b, c = defer.Deferred(), defer.Deferred(), defer.Deferred()
    c:addCallback(function() return b end):addCallback(function(n)
      say("c", n)
      return n + 1
    end)
    b:addCallback(function() return a end):addCallback(function(n)
      say("b", n)
      return n + 1
    end)
    c:callback(nil)
    b:callback(nil)
    a:addCallback(function(n) say("a", n) end)
    c:addCallback(say)
    b:addCallback(say, "b has nothing left")
    a:addCallback(say, "nor has a")
    a:callback(1)
  end)

  same_as("takes the failure of the one it waits for", "chaining_failure", function(say)
    local inner, outer = defer.Deferred(), defer.Deferred()
    inner:addCallback(oops)
    outer:addCallback(function() return inner end):addErrback(failed)
    outer:callback(nil)
    inner:callback(nil)
    inner:addBoth(say)
  end)

  same_as("fires another one by chainDeferred", "chain_deferred", function(say)
    for _, fire in ipairs {
      function(d) d:callback "result" end,
      function(d) d:errback "error" end,
    } do
      local a, b = defer.Deferred(), defer.Deferred()
      a:addBoth(function(x)
        say "a"
        return x
      end)
      a:chainDeferred(b)
      b:addCallbacks(say, failed)
      a:addBoth(say, "a goes on")
      b:addBoth(say, "b goes on")
      fire(a)
    end
    local a, b = defer.Deferred(), defer.Deferred()
    a:chainDeferred(b)
    b:addCallback(function() return a end)
    b:addCallback(say, "taken from a")
    a:addBoth(say, "a has")
    a:callback "result"
    a, b = defer.Deferred(), defer.Deferred()
    b:callback(nil)
    a:chainDeferred(b)
    a:addErrback(say_kind)
    a:callback(nil)
  end)

  same_as("waits until it was unpaused as often as paused", "pausing", function(say)
    local d = defer.Deferred()
    d:addCallback(say, "called")
    d:pause()
    d:pause()
    d:callback "result"
    d:addCallback(say, "added")
    say("paused", d.paused)
    d:unpause()
    say("paused", d.paused)
    d:unpause()
    d:pause()
    d:addCallback(say, "later")
    say "again"
    d:unpause()
  end)

  same_as("waits for one that is paused", "pausing_waits", function(say)
    local inner, outer = defer.succeed "inner", defer.Deferred()
    inner:pause()
    outer:addCallback(function() return inner end)
    outer:addCallback(say)
    outer:callback(nil)
    say "not yet"
    inner:unpause()
  end)

  same_as("refuses a second result", "called_again", function(say)
    local d = defer.succeed(1)
    for _, call in ipairs { d.callback, d.errback } do
      local ok, err = pcall(call, d, 2)
      say(not ok and kind(err))
    end
  end)

  same_as("fails when it is cancelled, and ignores one late result", "cancel", function(say)
    local d = defer.Deferred():addErrback(say_kind)
    d:cancel()
    d:callback "late"
    say(kind(select(2, pcall(d.callback, d, "later"))))
    d:cancel()
  end)

  same_as("asks its canceller, which may give the result", "cancel_canceller", function(say)
    local function answer(d)
      say("answers", d.called)
      d:callback "answer"
    end
    local function refuse(d) d:errback "refused" end
    for _, canceller in ipairs { answer, refuse, function() say "nothing" end } do
      local d = defer.Deferred(canceller)
      d:addCallbacks(say, canceller == refuse and failed or say_kind)
      d:cancel()
      d:cancel()
      say(kind(select(2, pcall(d.callback, d, "late"))))
    end
  end)

  same_as("cancels the one it waits for", "cancel_waiting", function(say)
    local inner = defer.Deferred(function() say "inner is cancelled" end)
    local outer = defer.Deferred(function() say "not outer" end)
    outer:addCallback(function() return inner end)
    outer:callback(nil)
    outer:addErrback(say_kind)
    outer:cancel()
  end)

  same_as("is limited in time", "timeouts", function(say)
    local clock = task.Clock()
    defer.Deferred():addTimeout(10, clock):addErrback(function(failure)
      say(failure:check(defer.TimeoutError) ~= nil)
    end)
    clock.advance(9)
    say "not yet"
    clock.advance(1)
    local d = defer.Deferred():addTimeout(10, clock):addCallback(say)
    d:callback "in time"
    say(#clock.getDelayedCalls())
    d = defer.Deferred():addTimeout(10, clock):addErrback(say_kind)
    d:cancel()
    say(#clock.getDelayedCalls())
    defer.Deferred(function(late) late:callback "default" end):addTimeout(10, clock):addCallback(say)
    clock.advance(10)
    defer.Deferred():addTimeout(10, clock, function(result, seconds)
      say(kind(result), seconds)
      return "instead"
    end):addCallback(say)
    clock.advance(10)
  end)

  same_as("is told when it is collected with a failure that nobody took, once", "unhandled_failures", function(say)
    local onerror <close> = setmetatable({ loop.onerror }, { __close = function(self) loop.onerror = self[1] end })
    function loop.onerror(err) say("unhandled:", err) end
    defer.fail "forgotten"
    collect()
    defer.fail("taken"):addErrback(function() end)
    collect()
    local d = defer.Deferred()
    d:callback(nil)
    d:addCallback(function() return defer.fail "of another one" end)
    d = nil -- luacheck: ignore 311
    collect()
    defer.fail("first"):addErrback(oops)
    collect()
    local waiting = defer.Deferred()
    d = defer.fail "taken by one that waits"
    d:addErrback(function() return waiting end)
    d, waiting = nil, nil -- luacheck: ignore 311
    collect()
    local inner = defer.Deferred()
    d = defer.succeed():addCallback(function() return inner end) -- luacheck: ignore 311
    inner:errback "handed over"
    inner = nil -- luacheck: ignore 311
    collect()
    say "not yet"
    d = nil -- luacheck: ignore 311
    collect()
    return onerror
  end)
end)

describe("a deferred", function()
  local LONG = 100000

  local function add_one(n) return n + 1 end

  it("waits in a row of 100,000", function()
    local first = defer.Deferred()
    local last = first
    for _ = 1, LONG do
      local before = last
      last = defer.succeed():addCallback(function() return before end):addCallback(add_one)
    end
    first:callback(0)
    assert.equal(LONG, last.result)
  end)

  it("waits in a row of 100,000 that was made from its end on", function()
    local row = {}
    for i = LONG, 0, -1 do
      row[i] = defer.Deferred()
      if i < LONG then row[i]:addCallback(function() return row[i + 1] end):addCallback(add_one) end
    end
    for i = 0, LONG do row[i]:callback(0) end
    assert.equal(LONG, row[0].result)
  end)

  it("has 100,000 chained to it by chainDeferred", function()
    local first = defer.Deferred()
    local last = first
    for _ = 1, LONG do
      local d = defer.Deferred()
      last:chainDeferred(d)
      last = d
    end
    first:callback "through"
    assert.equal("through", last.result)
  end)

  it("passes a cancellation down a row of 100,000", function()
    local cancelled = 0
    local last = defer.Deferred(function() cancelled = cancelled + 1 end)
    for _ = 1, LONG do
      local inner = last
      last = defer.succeed():addCallback(function() return inner end)
    end
    last:addErrback(kind)
    last:cancel()
    assert.same({ 1, "CancelledError" }, { cancelled, last.result })
  end)

  it("goes on with those that have more to do, when those that wait for them have gone on", function()
    local order, inner = {}, defer.Deferred()
    local function note(name) return function() order[#order + 1] = name end end
    local middle = defer.succeed():addCallback(function() return inner end)
    local outer = defer.succeed():addCallback(function() return middle end)
    outer:addCallback(note "outer")
    middle:addCallback(note "middle")
    inner:addCallback(note "inner")
    inner:callback(1)
    assert.same({ "outer", "middle", "inner" }, order)
  end)

  it("does not keep those from going on that wait for it beside one that is paused", function()
    local inner, got = defer.Deferred(), {}
    local paused = defer.succeed():addCallback(function() return inner end)
    paused:addCallback(function(result) got.paused = result end)
    paused:pause()
    inner:addCallback(function() got.inner = true end)
    inner:callback "result"
    assert.same({ inner = true }, got)
    paused:unpause()
    assert.equal("result", got.paused)
  end)

  it("fails when a callback gives nil and an error, as csock's functions do", function()
    local d = defer.succeed("no such host"):addCallback(csock.if_nametoindex)
    local failure
    d:addErrback(function(given) failure = given end)
    assert.equal("ENODEV", failure.value.name)
    assert.equal("ENODEV", failure:check("EPERM", "ENODEV"))
    assert.is_nil(failure:check "EPERM")
  end)

  it("fails with a reason as it is", function()
    local why = reason.ConnectionLost()
    local d, got = defer.succeed():addCallback(function() return why end), nil
    d:addErrback(function(failure) got = failure end)
    assert.equal(why, got)
    defer.succeed():addCallback(function() error(why) end):addErrback(function(failure) got = failure end)
    assert.equal(why, got)
  end)

  it("fails when a callback gives the deferred that it was added to", function()
    local d = defer.Deferred()
    d:addCallback(function() return d end)
    d:callback(nil)
    local message
    d:addErrback(function(failure) message = failure:getErrorMessage() end)
    assert.equal("a callback returned the deferred that it was added to", message)
  end)

  it("says where an error was raised", function()
    local function raise() error "here" end
    local function deep(n)
      if n == 0 then raise() end
      return 1 + deep(n - 1)
    end
    for _, calls in ipairs { 0, 100 } do
      local d, traceback = defer.succeed():addCallback(function() return 1 + deep(calls) end), nil
      d:addErrback(function(failure) return failure:trap "Other" end)
      d:addErrback(function(failure) traceback = failure.traceback end)
      local line = traceback:match "deferred_spec%.lua:(%d+): here\nstack traceback:\n"
      assert.matches("\tspec/csock/defer/deferred_spec.lua:" .. line .. ": in function <spec/", traceback)
      assert.equal(21, select(2, traceback:gsub("\n\t", "\n\t")), "20 of them, and ...")
    end
  end)

  it("says where a reason was raised", function()
    local d = defer.succeed():addCallback(function() error(reason.ConnectionLost()) end)
    local traceback
    d:addErrback(function(failure) traceback = failure:getTraceback() end)
    assert.matches("^Connection to the other side was lost.*deferred_spec%.lua", traceback)
  end)

  it("fails whatever the error is", function()
    local broken = setmetatable({}, { __tostring = function() error "no words" end })
    for _, case in ipairs { { broken, "%(error object is a table value%)" }, { nil, "nil" }, { 5, "5" } } do
      local got
      defer.succeed():addCallback(function() error(case[1], 0) end):addErrback(function(failure) got = failure end)
      assert.equal(case[1], got.value)
      assert.matches("^" .. case[2] .. "\nstack traceback:\n", got:getTraceback())
    end
  end)

  it("takes what can be called for a function", function()
    local callable = setmetatable({}, { __call = function(_, n) return n + 1 end })
    assert.equal(2, defer.succeed(1):addCallback(callable).result)
  end)

  it("passes nil and false on", function()
    local got = {}
    defer.succeed(false):addCallback(function(value) got[1] = value end):addCallback(function(value)
      got[2] = value == nil
    end)
    assert.same({ false, true }, got)
  end)

  it("refuses what is wrong, where it was called", function()
    local d = defer.Deferred()
    for words, call in pairs {
      ["bad argument #1 to 'addCallback' %(function expected, got nil%)"] = function() d:addCallback() end,
      ["bad argument #1 to 'addBoth' %(function expected, got 1%)"] = function() d:addBoth(1) end,
      ["bad argument #2 to 'addCallbacks' %(function expected, got table%)"] = function() d:addCallbacks(print, {}) end,
      ["bad argument #1 to 'callback' %(a result expected, got a deferred%)"] = function() d:callback(d) end,
      ["bad argument #1 to 'errback' %(value expected, got nil%)"] = function() d:errback() end,
      ["bad argument #1 to 'chainDeferred' %(deferred expected, got nil%)"] = function() d:chainDeferred() end,
      ["bad argument #1 to 'addTimeout' %(seconds >= 0 expected, got %-1%)"] = function() d:addTimeout(-1) end,
      ["the deferred was called already"] = function() defer.succeed():callback() end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches("^spec/csock/defer/deferred_spec%.lua:%d+: " .. words .. "$", tostring(err))
    end
  end)

  it("tells its state as a string", function()
    local inner = defer.Deferred()
    assert.matches("^<Deferred at 0x%x+>$", tostring(inner))
    assert.matches("^<Deferred at 0x%x+ current result: 42>$", tostring(defer.succeed(42)))
    local outer = defer.succeed():addCallback(function() return inner end)
    assert.matches("^<Deferred at 0x%x+ waiting on Deferred at 0x%x+>$", tostring(outer))
  end)

  it("fails where callbacks that fire others are nested deeper than C's stack", function()
    local row, why = {}, nil
    for i = 1, 1000 do
      row[i] = defer.Deferred()
      row[i]:addCallback(function() row[i + 1]:callback() end)
    end
    row[1]:callback()
    for i = 1, 1000 do
      row[i]:addErrback(function(failure) why = why or failure:getErrorMessage() end)
    end
    assert.matches("stack overflow", why)
  end)

  it("lets callbacks wait", function()
    local d = defer.Deferred()
    d:addCallback(function(n)
      csock.sleep(0.001)
      return n + 1
    end)
    csock.run(function() d:callback(1) end)
    assert.equal(2, d.result)
  end)

  it("goes on with a failure when the task is cancelled in which a callback waits", function()
    local d, inner, got = defer.Deferred(), defer.Deferred(), {}
    inner:addCallback(function() csock.sleep(60) end)
    inner:addBoth(function(failure) got[#got + 1] = failure:check "CancelledError" end)
    d:addCallback(function() return inner end):addBoth(function() got[#got + 1] = "outer" end)
    d:callback(nil)
    local waiting = csock.spawn(inner.callback, inner)
    loop.step()
    waiting:cancel()
    assert.same({ "CancelledError", "outer" }, { got[1], got[2] })
    assert.is_nil(d.result)
  end)

  it("is limited in time without a clock, too", function()
    local why
    local d = defer.Deferred():addTimeout(0.001):addErrback(function(failure) why = failure:check "TimeoutError" end)
    csock.run()
    assert.same({ "TimeoutError", true }, { why, d.called })
  end)

  it("tells of an error in what tells of errors", function()
    local onerror <close> = setmetatable({ loop.onerror }, { __close = function(self) loop.onerror = self[1] end })
    local called = 0
    function loop.onerror()
      called = called + 1
      error "in onerror"
    end
    local log = csock.loop and require("csock.loop.internal")
    local logged, before = {}, log.log
    function log.log(what) logged[#logged + 1] = what end
    defer.fail "forgotten"
    collect()
    log.log = before
    assert.same({ 1, "error in loop.onerror", "error in a deferred" }, { called, logged[1], logged[2] })
    return onerror
  end)

  it("can be derived from", function()
    local Mine = class("Mine", defer.Deferred)
    local mine, got = Mine(), nil
    defer.succeed():addCallback(function() return mine end):addCallback(function(result) got = result end)
    mine:callback "mine"
    assert.equal("mine", got)
  end)
end)
