local csock = require "csock"
local defer = require "csock.defer"
local same = require("spec.support.twisted").specs(it, pending)

local TWISTED = "spec/support/twisted/defer.py:"

local function kind(failure) return failure:check("CancelledError", "QueueOverflow", "QueueUnderflow") end
local function raised(f, ...) return kind(select(2, pcall(f, ...))) end

describe("beside Twisted's", function()
  same("a queue gives values in their order to those who wait in theirs", TWISTED .. "queue", function(say)
    local q = defer.DeferredQueue()
    q:get():addCallback(say, "first")
    q:get():addCallback(say, "second")
    say(#q.waiting)
    for i = 1, 4 do q:put(({ "a", "b", "c" })[i]) end
    say(#q.pending)
    q:get():addCallback(say, "third")
    q:get():addCallback(say, "fourth")
    say(#q.waiting, #q.pending)
  end)

  same("a queue has limits", TWISTED .. "queue_limits", function(say)
    local q = defer.DeferredQueue(1, 1)
    q:put "a"
    say(raised(q.put, q, "b"))
    q:get():addCallback(say)
    local d = q:get():addBoth(function(failure) say(kind(failure)) end)
    say(raised(q.get, q))
    d:cancel()
    q:get():addCallback(say, "instead")
    q:put "c"
  end)

  same("a queue forgets who was cancelled", TWISTED .. "queue_cancel", function(say)
    local q, waiting = defer.DeferredQueue(), {}
    for i = 0, 3 do
      waiting[i] = q:get():addCallbacks(say, function(failure) say(kind(failure)) end, { i })
    end
    waiting[1]:cancel()
    waiting[0]:cancel()
    say(#q.waiting)
    q:put "a"
    q:put "b"
    q:put "c"
    say(#q.waiting, #q.pending)
  end)

  same("a lock has one holder at a time", TWISTED .. "lock", function(say)
    local lock = defer.DeferredLock()
    say(lock.locked)
    lock:acquire():addCallback(function(got) say("first", got == lock) end)
    say(lock.locked)
    local second = lock:acquire():addErrback(function(failure) say(kind(failure)) end)
    lock:acquire():addCallback(function() say "third" end)
    second:cancel()
    lock:release()
    say(lock.locked)
    lock:release()
    say(lock.locked)
    local _, err = pcall(lock.release, lock)
    say(err:match "nobody has it")
  end)

  same("a lock is held until the function's deferred has its result", TWISTED .. "lock_run", function(say)
    local lock, d = defer.DeferredLock(), defer.Deferred()
    lock:run(function(word)
      say(word)
      return d
    end, "runs"):addCallback(say)
    lock:run(function() error("oops", 0) end):addErrback(function(failure) say("failed", failure:getErrorMessage()) end)
    lock:run(function() return "third" end):addCallback(say)
    say(lock.locked)
    d:callback "first"
    say(lock.locked)
  end)

  same("a semaphore has as many holders as tokens", TWISTED .. "semaphore", function(say)
    local s = defer.DeferredSemaphore(2)
    say(s.tokens, s.limit)
    for i = 0, 3 do s:acquire():addCallback(function(got) say(i, got == s) end) end
    say(s.tokens)
    s:release()
    s:release()
    say(s.tokens)
    s:release()
    s:release()
    say(s.tokens)
    s:run(function() return s.tokens end):addCallback(say)
    local _, err = pcall(s.release, s)
    say(err:match "nobody has it")
  end)
end)

describe("a lock", function()
  it("is held to the end of a block", function()
    local lock = defer.DeferredLock()
    csock.run(function()
      do
        local held <close> = defer.wait(lock:acquire())
        assert.equal(lock, held)
        assert.is_true(lock.locked)
      end
      assert.is_false(lock.locked)
    end)
  end)

  it("passes arguments on, nil as well", function()
    local n
    defer.DeferredLock():run(function(...) n = select("#", ...) end, nil, nil)
    assert.equal(2, n)
  end)
end)

describe("queues and semaphores", function()
  it("take 100,000 in and out in no more time than that takes", function()
    local q, sum = defer.DeferredQueue(), 0
    for i = 1, 100000 do q:put(i) end
    for _ = 1, 100000 do q:get():addCallback(function(i) sum = sum + i end) end
    assert.equal(100000 * 100001 // 2, sum)
  end)

  it("keep nothing of those who have given up, in whatever order", function()
    local q, lock = defer.DeferredQueue(), defer.DeferredLock()
    lock:acquire()
    local function give_up(wait, first)
      local one = wait:addErrback(function() end)
      if first then first:cancel() else one:cancel() end
      return one
    end
    local function churn()
      local before = q:get():addErrback(function() end)
      for _ = 1, 20000 do
        give_up(q:get())
        give_up(lock:acquire())
        before = give_up(q:get(), before)
      end
      before:cancel()
    end
    churn()
    collectgarbage()
    local size = collectgarbage "count"
    churn()
    collectgarbage()
    assert.is_true(collectgarbage "count" - size < 64, collectgarbage "count" - size)
    assert.same({ 0, 0 }, { #q.waiting, #lock.waiting })
    local got = {}
    for i = 1, 3 do q:get():addCallback(function(value) got[i] = value end) end
    for i = 1, 3 do q:put(i) end
    assert.same({ 1, 2, 3 }, got)
  end)

  it("refuse what is wrong, where they were called", function()
    for words, call in pairs {
      ["bad argument #1 to 'DeferredQueue' %(integer >= 0 expected, got %-1%)"] = function()
        defer.DeferredQueue(-1)
      end,
      ["bad argument #2 to 'DeferredQueue' %(integer >= 0 expected, got string%)"] = function()
        defer.DeferredQueue(1, "")
      end,
      ["bad argument #1 to 'DeferredSemaphore' %(integer >= 1 expected, got 0%)"] = function()
        defer.DeferredSemaphore(0)
      end,
      ["the queue is full"] = function() defer.DeferredQueue(0):put(1) end,
      ["as many wait for the queue as may"] = function() defer.DeferredQueue(nil, 0):get() end,
      ["nobody has it to release"] = function() defer.DeferredLock():release() end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches("^spec/csock/defer/queues_spec%.lua:%d+: " .. words .. "$", tostring(err))
    end
  end)
end)
