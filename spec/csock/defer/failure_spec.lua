local csock = require "csock"
local class = require "csock.class"
local defer = require "csock.defer"
local reason = require "csock.reactor.reason"

describe("a failure", function()
  local Problem = class "Problem"
  local Grave = class("Grave", Problem)
  local _, refused = csock.if_nametoindex "no such one"

  it("is checked for classes of what it was made of, by themselves or by name", function()
    local failure = defer.Failure(Grave())
    assert.equal(Problem, failure:check(defer.CancelledError, Problem))
    assert.equal("Grave", failure:check("Other", "Grave"))
    assert.is_nil(failure:check("Other", reason.ConnectError))
    assert.equal(defer.Failure, failure:check(defer.Failure))
  end)

  it("is checked for the name of an error of csock's", function()
    assert.equal("ENODEV", defer.Failure(refused):check("EPERM", "ENODEV"))
    assert.is_nil(defer.Failure(refused):check "EPERM")
  end)

  it("is raised by trap, unless it is one of those", function()
    local failure = defer.Failure(Grave())
    assert.equal(Grave, failure:trap(Grave))
    local ok, err = pcall(failure.trap, failure, "Other")
    assert.is_false(ok)
    assert.equal(failure, err)
  end)

  it("raises what it was made of", function()
    local failure = defer.Failure(refused)
    assert.equal(refused, select(2, pcall(failure.raiseException, failure)))
    local why = reason.ConnectionLost()
    assert.equal(why, select(2, pcall(why.raiseException, why)))
  end)

  it("says what it was made of", function()
    assert.equal("no such user", tostring(defer.Failure "no such user"))
    assert.equal("no such user", defer.Failure("no such user"):getTraceback())
    assert.equal("no such user\nhere", defer.Failure("no such user", "no such user\nhere"):getTraceback())
    assert.equal("nil", defer.Failure():getErrorMessage())
  end)

  it("is made of anything but a reason, which is one", function()
    local why, failure = reason.ConnectionDone(), defer.failure "no such user"
    assert.equal(why, defer.failure(why))
    assert.equal(failure, defer.failure(failure))
    assert.equal("no such user", failure.value)
    local object = setmetatable({}, { __metatable = "locked" })
    assert.equal(object, defer.failure(object).value)
  end)

  it("refuses to be checked for what is no kind of error", function()
    local failure = defer.Failure "no such user"
    local _, err = pcall(function() failure:check("ENODEV", {}) end)
    assert.matches("^spec/csock/defer/failure_spec%.lua:%d+: "
      .. "bad argument #2 to 'check' %(class or name expected, got table%)$", err)
  end)
end)
