local csock = require "csock"
local defer = require "csock.defer"
local same = require("spec.support.twisted").specs(it, pending)

describe("deferreds that are made", function()
  same("have what Twisted's have", "spec/support/twisted/defer.py:made", function(say)
    local function oops() error("oops", 0) end
    local function failed(failure) say("failed", failure:getErrorMessage()) end
    local function add(a, b) return a + b end
    defer.succeed("there"):addCallback(say)
    defer.fail("broken"):addErrback(failed)
    local d = defer.Deferred()
    say(defer.maybeDeferred(function() return d end) == d)
    defer.maybeDeferred(add, 40, 2):addCallback(say)
    defer.maybeDeferred(oops):addErrback(failed)
    defer.maybeDeferred(function() return defer.Failure "given" end):addErrback(failed)
    defer.execute(add, 40, 2):addCallback(say)
    defer.execute(oops):addErrback(failed)
    d = defer.Deferred():addErrback(function(failure) say(failure:check "TimeoutError" ~= nil) end)
    defer.timeout(d)
  end)

  it("fail with what a function of csock's refuses", function()
    for _, make in ipairs { defer.maybeDeferred, defer.execute } do
      local name
      make(csock.if_nametoindex, "no such one"):addErrback(function(failure) name = failure.value.name end)
      assert.equal("ENODEV", name)
    end
  end)

  it("take no deferred for a result, and nil for no error", function()
    assert.has_error(function() defer.succeed(defer.Deferred()) end)
    assert.has_error(function() defer.fail() end)
  end)
end)
