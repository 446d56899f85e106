local csock = require "csock"
local defer = require "csock.defer"
local loop = require "csock.loop"
local reactor = require "csock.reactor"
local reason = require "csock.reactor.reason"
local same = require("spec.support.twisted").specs(it, pending)

local E = csock.errno
local TWISTED = "spec/support/twisted/defer.py:"

local function kind(failure) return failure:check("CancelledError", "TimeoutError") end

describe("inlineCallbacks beside Twisted's", function()
  same("goes on with what deferreds have", TWISTED .. "inline", function(say)
    local f = defer.inlineCallbacks(function(a, b)
      say "begins"
      local first, err = defer.wait(a)
      if err then error(err, 0) end
      say("first", first)
      local _, raised = defer.wait(b)
      say("raised", raised)
      say(defer.wait(defer.succeed "at once"))
      return "given"
    end)
    local a, b = defer.Deferred(), defer.Deferred()
    f(a, b):addCallback(say)
    loop.step()
    a:callback(1)
    b:errback "of b"
    csock.run()
    f(defer.fail "not caught"):addErrback(function(failure) say("failed", failure:getErrorMessage()) end)
    csock.run()
  end)

  same("cancels what it waits for", TWISTED .. "inline_cancel", function(say)
    local f = defer.inlineCallbacks(function()
      local _ <close> = setmetatable({}, { __close = function() say "leaves" end })
      defer.wait(defer.Deferred(function() say "the inner one is cancelled" end))
    end)
    local d = f():addErrback(function(failure) say(kind(failure)) end)
    loop.step()
    d:cancel()
  end)
end)

describe("inlineCallbacks", function()
  it("gives what the function raises, with where it was, or refuses", function()
    local traceback, name
    defer.inlineCallbacks(function() error "here" end)():addErrback(function(failure)
      traceback = failure:getTraceback()
    end)
    defer.inlineCallbacks(csock.if_nametoindex)("no such one"):addErrback(function(failure)
      name = failure:check "ENODEV"
    end)
    csock.run()
    assert.matches("tasks_spec%.lua:%d+: here\nstack traceback:", traceback)
    assert.equal("ENODEV", name)
  end)

  it("gives what the deferred has that the function gives", function()
    local inner, got = defer.Deferred(), nil
    defer.inlineCallbacks(function() return inner end)():addCallback(function(result) got = result end)
    csock.run()
    inner:callback "inner"
    assert.equal("inner", got)
  end)

  it("lets its callbacks wait", function()
    local got
    defer.inlineCallbacks(function() return 1 end)():addCallback(function(n)
      csock.sleep(0.001)
      got = n
    end)
    csock.run()
    assert.equal(1, got)
  end)

  it("fails when it is cancelled before it begins", function()
    local called, why = false, nil
    local d = defer.inlineCallbacks(function() called = true end)()
    d:addErrback(function(failure) why = kind(failure) end)
    d:cancel()
    csock.run()
    assert.same({ false, "CancelledError" }, { called, why })
  end)
end)

describe("waiting for a deferred", function()
  it("gives what is there", function()
    assert.equal(42, defer.wait(defer.succeed(42)))
    assert.is_nil(defer.wait(defer.succeed()))
    assert.is_false(defer.wait(defer.succeed(false)))
  end)

  it("runs the loop outside of tasks, and suspends a task", function()
    local d, e = defer.Deferred(), defer.Deferred()
    csock.spawn(function() d:callback(defer.wait(e) + 1) end)
    csock.spawn(function() e:callback(1) end)
    assert.equal(2, defer.wait(d))
    assert.equal(2, defer.wait(d), "it keeps its result")
  end)

  it("gives several tasks the same result", function()
    local d, got = defer.Deferred(), {}
    for i = 1, 3 do csock.spawn(function() got[i] = defer.wait(d) end) end
    csock.spawn(function() d:callback "it" end)
    csock.run()
    assert.same({ "it", "it", "it" }, got)
  end)

  it("gives errors as csock's functions do", function()
    local _, refused = csock.if_nametoindex "no such one"
    local lost = reason.ConnectionRefusedError(refused)
    assert.same({ nil, "text" }, { defer.wait(defer.fail "text") })
    assert.same({ n = 3, nil, refused, E.ENODEV }, table.pack(defer.wait(defer.fail(refused))))
    assert.same({ n = 3, nil, lost, E.ENODEV }, table.pack(defer.wait(defer.fail(lost))))
    local d = defer.Deferred()
    d:addErrback(function(failure) return failure end)
    d:cancel()
    local _, err, errno = defer.wait(d)
    assert.same({ "CancelledError", E.ECANCELED }, { kind(err), errno })
  end)

  it("takes the failure: it is told to nobody else", function()
    local onerror <close> = setmetatable({ loop.onerror }, { __close = function(self) loop.onerror = self[1] end })
    local told = 0
    function loop.onerror() told = told + 1 end
    defer.wait(defer.fail "there")
    csock.run(function()
      local d = defer.Deferred()
      csock.spawn(d.errback, d, "later")
      assert.equal("later", select(2, defer.wait(d)))
    end)
    collectgarbage()
    collectgarbage()
    assert.equal(0, told)
    return onerror
  end)

  it("ends when the time is up, and leaves the deferred alone", function()
    local d = defer.Deferred()
    assert.equal(E.ETIMEDOUT, select(3, defer.wait(d, 0.001)))
    assert.equal(E.EAGAIN, select(3, defer.wait(d, 0)))
    d:callback(1)
    assert.equal(1, defer.wait(d, 0))
  end)

  it("ends when nothing can happen any more", function()
    assert.equal(E.EDEADLK, select(3, defer.wait(defer.Deferred())))
  end)

  it("cancels the deferred when the task is cancelled", function()
    local cancelled = 0
    local d = defer.Deferred(function() cancelled = cancelled + 1 end)
    local task = csock.spawn(defer.wait, d)
    loop.step()
    task:cancel()
    assert.same({ 1, true }, { cancelled, d.called })
  end)

  it("raises an error where it would stop the reactor's callbacks", function()
    local there, message, elsewhere
    reactor.callLater(0, function()
      there = defer.wait(defer.succeed "there")
      message = select(2, pcall(defer.wait, defer.Deferred()))
      local d = defer.Deferred()
      csock.spawn(function()
        elsewhere = defer.wait(d)
        reactor.stop()
      end)
      reactor.callLater(0, d.callback, d, "elsewhere")
    end)
    reactor.run()
    assert.same({ "there", "elsewhere" }, { there, elsewhere })
    assert.matches("in a callback of the reactor", message)
    assert.equal(E.EDEADLK, select(3, defer.wait(defer.Deferred())), "the reactor is gone")
  end)

  it("refuses what is no deferred, and no time", function()
    for words, call in pairs {
      ["bad argument #1 to 'wait' %(deferred expected, got nil%)"] = function() defer.wait() end,
      ["bad argument #2 to 'wait' %(seconds >= 0 expected, got %-1%)"] = function()
        defer.wait(defer.Deferred(), -1)
      end,
      ["bad argument #1 to 'of' %(task expected, got table%)"] = function() defer.of {} end,
      ["bad argument #1 to 'inlineCallbacks' %(function expected, got nil%)"] = function() defer.inlineCallbacks() end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches("^spec/csock/defer/tasks_spec%.lua:%d+: " .. words .. "$", err)
    end
  end)
end)

describe("the deferred of a task", function()
  local function outcome(f, ...)
    local task, got = csock.spawn(f, ...), nil
    defer.of(task):addBoth(function(result) got = result end)
    csock.run()
    return got
  end

  it("has what the function gives", function()
    assert.equal(42, outcome(function() return 42 end))
    assert.equal("inner", outcome(function() return defer.succeed "inner" end))
  end)

  it("fails with what the function raises or refuses, which is told to nobody else", function()
    local onerror <close> = setmetatable({ loop.onerror }, { __close = function(self) loop.onerror = self[1] end })
    function loop.onerror(err) error(err) end
    assert.equal("oops", outcome(error, "oops", 0).value)
    assert.equal("ENODEV", outcome(csock.if_nametoindex, "no such one").value.name)
    return onerror
  end)

  it("has the outcome of one that is over", function()
    local task = csock.spawn(function() return 1 end)
    csock.run()
    assert.equal(1, defer.of(task).result)
  end)

  it("fails when the task is cancelled, and cancels the task", function()
    for how, cancel in pairs {
      task = function(task) task:cancel() end,
      deferred = function(_, d) d:cancel() end,
    } do
      local task, why = csock.spawn(csock.sleep, 60), nil
      local d = defer.of(task):addErrback(function(failure) why = kind(failure) end)
      loop.step()
      cancel(task, d)
      assert.same({ "CancelledError", "cancelled" }, { why, task:status() }, how)
    end
  end)
end)

describe("csock.defer", function()
  it("is not loaded by who does not ask for it", function()
    local code = "local csock = require 'csock' require 'csock.reactor' require 'csock.protocol' print(csock.loop, "
      .. "package.loaded['csock.defer'], package.loaded['csock.defer.deferred'], package.loaded['csock.task'])"
    local _, out = require("spec.support.process").run { require("spec.support.process").interpreter, "-e", code }
    assert.matches("\tnil\tnil\tnil\n$", out)
  end)
end)
