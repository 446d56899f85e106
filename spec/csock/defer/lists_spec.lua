local defer = require "csock.defer"
local loop = require "csock.loop"
local same = require("spec.support.twisted").specs(it, pending)

local TWISTED = "spec/support/twisted/defer.py:"

describe("a list of deferreds beside Twisted's", function()
  local said

  local function same_as(name, scenario, f)
    same(name, TWISTED .. scenario, function(say)
      said = say
      f(say)
    end)
  end

  local function told(results)
    for _, pair in ipairs(results) do
      said(pair[1], pair[1] and pair[2] or pair[2]:getErrorMessage())
    end
  end

  -- Python counts from 0.
  local function first_error(failure)
    said("FirstError", failure.index - 1, failure.subFailure:getErrorMessage())
  end

  same_as("has its result when all have theirs", "list_all", function(say)
    local a, b, c = defer.Deferred(), defer.Deferred(), defer.Deferred()
    defer.DeferredList({ a, b, c }):addCallback(told)
    b:errback "b"
    b:addErrback(function(failure) say("b still has", failure:getErrorMessage()) end)
    c:callback "c"
    c:addCallback(say, "is passed on")
    say "not yet"
    a:callback "a"
    defer.DeferredList({}):addCallback(function(results) say("none", #results) end)
  end)

  same_as("has the first result", "list_first_callback", function(say)
    local a, b = defer.Deferred(), defer.Deferred()
    local all = defer.DeferredList({ a, b }, { fireOnOneCallback = true })
    all:addCallback(function(pair) say(pair[1], pair[2] - 1) end)
    b:callback "b"
    a:callback "a"
    say(defer.DeferredList({}, { fireOnOneCallback = true }).called)
  end)

  same_as("has the first failure", "list_first_errback", function(say)
    local a, b = defer.Deferred(), defer.Deferred()
    local all = defer.DeferredList({ a, b }, { fireOnOneErrback = true, consumeErrors = true })
    all:addErrback(first_error)
    a:addCallback(say, "of a")
    b:errback "b"
    b:addBoth(say, "of b")
    a:callback "a"
  end)

  same_as("takes the failures of its deferreds", "list_consume", function(say)
    local a = defer.fail "a"
    defer.DeferredList({ a }, { consumeErrors = true }):addCallback(told)
    a:addBoth(say)
  end)

  same_as("cancels those that have no result, whatever a canceller does", "list_cancel", function(say)
    local onerror <close> = setmetatable({ loop.onerror }, { __close = function(self) loop.onerror = self[1] end })
    function loop.onerror(err) say("unhandled:", err) end
    local function canceller()
      say "cancelled"
      error("oops", 0)
    end
    local a, b, c = defer.Deferred(canceller), defer.Deferred(), defer.succeed "c"
    local all = defer.DeferredList { a, b, c }
    all:addCallback(function(results)
      for _, pair in ipairs(results) do -- (Python's CancelledError has no words)
        say(pair[1], pair[1] and pair[2] or "")
      end
    end)
    b:addErrback(function() end)
    all:cancel()
    say(all.called)
    a:callback "a, later"
    all:cancel()
    return onerror
  end)

  same_as("gathers results, or the first failure", "gather", function(say)
    local a, b = defer.Deferred(), defer.Deferred()
    defer.gatherResults({ a, b }):addCallback(function(results) say(table.unpack(results)) end)
    b:callback "b"
    a:callback "a"
    a, b = defer.Deferred(), defer.Deferred()
    defer.gatherResults({ a, b }, { consumeErrors = true }):addErrback(first_error)
    b:errback "b"
    a:errback "a"
    a, b = defer.Deferred(), defer.Deferred()
    local all = defer.gatherResults({ a, b }, { consumeErrors = true })
    all:addErrback(function(failure) say(failure.index - 1, failure.subFailure:check "CancelledError") end)
    all:cancel()
  end)
end)

describe("a list of deferreds", function()
  it("knows how many results there are, also when some are nil", function()
    local got
    defer.gatherResults({ defer.succeed(), defer.succeed(2), defer.succeed() }):addCallback(function(results)
      got = results
    end)
    assert.same({ n = 3, [2] = 2 }, got)
  end)

  it("tells the first failure by what it is", function()
    local why
    defer.gatherResults({ defer.fail "first" }, { consumeErrors = true }):addErrback(function(failure)
      why = failure
    end)
    assert.equal("FirstError", why:check("CancelledError", "FirstError"))
    assert.same({ 1, "first", "first" }, { why.index, why.subFailure.value, why.value })
    assert.equal("FirstError[#1, first]", tostring(why))
  end)

  it("refuses what is no deferred, and options that it does not have", function()
    for words, call in pairs {
      ["bad argument #1 to 'DeferredList' %(element 2: deferred expected, got number%)"] = function()
        defer.DeferredList { defer.succeed(), 1 }
      end,
      ["bad argument #1 to 'gatherResults' %(element 2: deferred expected, got nil%)"] = function()
        defer.gatherResults { defer.succeed(), nil, defer.succeed() }
      end,
      ["bad argument #1 to 'gatherResults' %(table expected, got nil%)"] = function() defer.gatherResults() end,
      ["bad argument #2 to 'gatherResults' %(unknown option 'fireOnOneCallback'%)"] = function()
        defer.gatherResults({}, { fireOnOneCallback = true })
      end,
      ["bad argument #2 to 'DeferredList' %(consumeErrors: boolean expected, got 1%)"] = function()
        defer.DeferredList({}, { consumeErrors = 1 })
      end,
    } do
      local _, err = pcall(call)
      assert.matches("^spec/csock/defer/lists_spec%.lua:%d+: " .. words .. "$", err)
    end
  end)
end)
