-- reactor.resolve.
local csock = require "csock"
local defer = require "csock.defer"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local same = require("spec.support.twisted").specs(it, pending)

describe("resolve", function()
  same("gives addresses back, and looks names up", [[
    from twisted.internet import reactor
    for name in "", "127.0.0.1", "255.255.255.255":
        reactor.resolve(name).addCallback(say)
    def told(address):
        say(address)
        return reactor.resolve("no such.host.invalid", (1, 2)).addErrback(lambda f: say(f.type.__name__))
    d = reactor.resolve("localhost")
    d.addCallback(told)
    d.addBoth(lambda _: reactor.stop())
    reactor.run()
  ]], function(say)
    for _, name in ipairs { "", "127.0.0.1", "255.255.255.255" } do reactor.resolve(name):addCallback(say) end
    local function told(address)
      say(address)
      return reactor.resolve("no such.host.invalid", { 1, 2 })
        :addErrback(function(failure) say(failure.__class.__name) end)
    end
    local d = reactor.resolve "localhost"
    d:addCallback(told)
    d:addBoth(function() reactor.stop() end)
    reactor.run()
  end)

  it("calls back in the reactor's task", function()
    local task, here
    reactor.callWhenRunning(function() task = csock.loop.current() end)
    reactors.run(function()
      local d = reactor.resolve "localhost"
      d:addCallback(function(address) here = csock.loop.current() return address end)
      assert.equal("127.0.0.1", defer.wait(d, 10))
    end)
    assert.equal(task, here)
  end)

  it("can be cancelled, and is told nothing more then", function()
    reactors.run(function()
      local d = reactor.resolve "localhost"
      local failure
      d:addErrback(function(why) failure = why end)
      d:cancel()
      csock.sleep(0.05)
      assert.is_truthy(failure:check(defer.CancelledError))
    end)
  end)

  it("takes a time, or a sequence of them", function()
    assert.error_matches(function() reactor.resolve("x", -1) end,
      "#2 to 'resolve' %(timeout: seconds, or a sequence of them expected")
    assert.error_matches(function() reactor.resolve("x", { 1, "2" }) end, "#2 to 'resolve'")
    assert.error_matches(function() reactor.resolve() end, "#1 to 'resolve' %(host: string expected")
  end)
end)
