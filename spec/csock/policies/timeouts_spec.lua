-- Timeouts, where they are csock's own, and over real sockets.
local class = require "csock.class"
local csock = require "csock"
local keep = require "spec.support.keep"
local policies = require "csock.policies"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local task = require "csock.task"

local events

before_each(function() events = csock.loop.queue() end)
after_each(function()
  keep.close()
  assert.same({}, reactor.getDelayedCalls())
end)

describe("TimeoutFactory", function()
  it("closes a connection on which nothing happens, by the reactor's clock", function()
    local factory = policies.TimeoutFactory(protocol.ServerFactory:forProtocol(reactors.recorder(events)), 0.02)
    local port = assert(reactor.listenTCP(0, factory, nil, "127.0.0.1"))
    reactors.run(function()
      local s = keep(reactors.dial(port))
      assert.equal("", reactors.read_all(s))
      reactors.expect(events, "made")
      assert.is_truthy((select(2, reactors.expect(events, "lost")):check "ConnectionDone"))
    end)
  end)

  it("keeps those apart that stand around each other", function()
    local clock = task.Clock()
    local inner = policies.TimeoutFactory(protocol.ServerFactory:forProtocol(protocol.Protocol), 10)
    local factory = policies.TimeoutFactory(inner, 20)
    inner.clock, factory.clock = clock, clock
    local outer = factory:buildProtocol(assert(csock.address(csock.AF_INET, "10.0.0.1", 1)))
    outer.transport = { loseConnection = function() events:put { "closed" } end }
    local wrapper = outer.wrappedProtocol
    wrapper.transport = outer
    assert.equal(2, #clock.getDelayedCalls())
    wrapper:cancelTimeout()
    assert.equal(1, #clock.getDelayedCalls())
    wrapper:resetTimeout()
    assert.is_false(wrapper.timeoutPeriod)
    assert.equal(20, outer.timeoutPeriod)
    clock.advance(20)
    reactors.expect(events, "closed")
    assert.same({}, clock.getDelayedCalls())
  end)

  it("wants seconds, or nothing", function()
    local inner = protocol.ServerFactory()
    assert.equal(1800, policies.TimeoutFactory(inner).timeoutPeriod)
    for _, period in ipairs { -1, "10", math.huge, 0 / 0 } do
      assert.has_error(function() policies.TimeoutFactory(inner, period) end)
      assert.has_error(function() policies.TimeoutMixin():setTimeout(period) end)
    end
  end)
end)

describe("TimeoutMixin", function()
  it("closes the connection of a receiver that waits for its peer", function()
    local Talk = reactors.recorder(events, class("Talk", protocol.LineReceiver, policies.TimeoutMixin))
    Talk.dataReceived = nil
    function Talk:lineReceived(line)
      self:sendLine(line)
      self:setTimeout(0.02)
    end
    local port = reactors.listen(Talk)
    reactors.run(function()
      local s = keep(reactors.dial(port))
      assert(s:sendall "hello\r\n")
      assert.equal("hello\r\n", reactors.read_all(s))
      reactors.expect(events, "made")
      reactors.expect(events, "lost")
    end)
  end)

  it("goes by a clock that it has", function()
    local p, clock, count = policies.TimeoutMixin(), task.Clock(), 0
    p.clock = clock
    function p.timeoutConnection() count = count + 1 end
    p:setTimeout(10)
    clock.advance(9)
    p:resetTimeout()
    clock.advance(9)
    assert.equal(0, count)
    clock.advance(1)
    assert.equal(1, count)
  end)
end)
