-- Throttled connections, where Twisted's are not, and over real sockets.
local class = require "csock.class"
local csock = require "csock"
local keep = require "spec.support.keep"
local policies = require "csock.policies"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local task = require "csock.task"
local transports = require "spec.support.transports"

local ADDRESS = assert(csock.address(csock.AF_INET, "10.0.0.1", 1))

after_each(function()
  keep.close()
  assert.same({}, reactor.getDelayedCalls())
end)

-- A factory with a clock of its own, and a function that connects: gives the wrapper and its fake transport.
local function throttling(readLimit, writeLimit, class_of_protocols)
  local inner = protocol.ServerFactory:forProtocol(class_of_protocols or protocol.Protocol)
  local factory = policies.ThrottlingFactory(inner, nil, readLimit, writeLimit)
  factory.clock = task.Clock()
  local function connect()
    local wrapper, transport = factory:buildProtocol(ADDRESS), transports.Transport()
    function transport.registerProducer(self, producer, streaming)
      self.producer = producer
      if not streaming then producer:resumeProducing() end
    end
    function transport.unregisterProducer(self) self.producer = nil end
    wrapper:makeConnection(transport)
    return wrapper, transport
  end
  return factory, factory.clock.advance, connect
end

describe("ThrottlingFactory", function()
  it("goes on checking where next to nothing is allowed", function()
    local factory, advance, connect = throttling(5e-324)
    local wrapper, transport = connect()
    for _ = 1, 3 do
      wrapper:dataReceived "some"
      advance(1)
      assert.equal(0, factory.readThisSecond)
    end
    assert.is_true(wrapper._reads_throttled)
    factory.readLimit = 0 -- may be set, too
    wrapper:dataReceived "some"
    advance(1)
    assert.equal(0, factory.readThisSecond)
    wrapper:connectionLost "over"
    assert.same({}, factory.clock.getDelayedCalls())
    return transport
  end)

  it("wants numbers that are limits", function()
    local inner = protocol.ServerFactory()
    for _, case in ipairs { { "many" }, { -1 }, { nil, 0 }, { nil, "10" }, { nil, nil, -5 } } do
      assert.has_error(function() policies.ThrottlingFactory(inner, case[1], case[2], case[3]) end)
    end
  end)

  it("lets who comes in the meantime wait, too", function()
    local _, advance, connect = throttling(10)
    local wrapper = connect()
    wrapper:dataReceived(("x"):rep(30))
    advance(1)
    local _, late = connect()
    assert.is_false(late.producing)
    advance(2)
    assert.is_true(late.producing)
  end)

  it("makes up for all that was too much", function()
    local factory, advance, connect = throttling(10)
    local wrapper, transport = connect()
    wrapper:dataReceived(("x"):rep(30)) -- 2 s too much
    advance(1)
    wrapper:dataReceived(("x"):rep(20)) -- was under way: 1 s more
    advance(1)
    for _, seconds in ipairs { 0.9, 1 } do
      advance(seconds)
      assert.is_false(transport.producing)
    end
    advance(0.2)
    assert.is_true(transport.producing)
    wrapper:connectionLost()
    assert.same({}, factory.clock.getDelayedCalls())
  end)

  it("is not overruled by a protocol that pauses, and does not overrule it", function()
    local _, advance, connect = throttling(10)
    local wrapper, transport = connect()
    local inner = wrapper.wrappedProtocol
    wrapper:dataReceived(("x"):rep(20))
    advance(1)
    inner.transport:resumeProducing()
    assert.is_false(transport.producing)
    inner.transport:pauseProducing()
    advance(1)
    assert.is_false(transport.producing)
    inner.transport:resumeProducing()
    assert.is_true(transport.producing)
    inner.transport:stopReading()
    assert.is_false(transport.producing)
    inner.transport:startReading()
    assert.is_true(transport.producing)
  end)

  it("throttles producers that do not stream: each piece comes when it may", function()
    local _, advance, connect = throttling(nil, 10)
    local wrapper, transport = connect()
    local pieces = 0
    local producer = {
      resumeProducing = function()
        pieces = pieces + 1
        wrapper:write(("x"):rep(pieces == 1 and 20 or 5))
      end,
      stopProducing = function() end,
    }
    wrapper:registerProducer(producer, false)
    assert.equal(1, pieces)
    assert.has_error(function() wrapper:registerProducer(producer, false) end)
    advance(1) -- 1 s too much
    transport.producer:resumeProducing() -- it is sent
    assert.equal(1, pieces)
    advance(0.9)
    assert.equal(1, pieces)
    advance(0.1)
    assert.equal(2, pieces)
    transport.producer:resumeProducing()
    assert.equal(3, pieces)
    wrapper:unregisterProducer()
    assert.is_nil(transport.producer)
    advance(10)
    assert.equal(3, pieces)
  end)

  it("lets a streaming producer go on when both the transport and the limit do", function()
    local _, advance, connect = throttling(nil, 10)
    local wrapper, transport = connect()
    local told = {}
    local producer = class("Producer")()
    function producer.pauseProducing() table.insert(told, "pause") end
    function producer.resumeProducing() table.insert(told, "resume") end
    wrapper:write(("x"):rep(20))
    wrapper:registerProducer(producer, true)
    advance(1)
    assert.same({ "pause" }, told)
    transport.producer:pauseProducing()
    transport.producer:resumeProducing()
    transport.producer:pauseProducing()
    advance(1)
    assert.same({ "pause" }, told)
    transport.producer:resumeProducing()
    assert.same({ "pause", "resume" }, told)
    wrapper:write(("x"):rep(20))
    advance(1)
    wrapper:unregisterProducer()
    wrapper:registerProducer(producer, true) -- while it is throttled
    assert.same({ "pause", "resume", "pause", "pause" }, told)
  end)

  it("lets a producer go that is a connection and is lost", function()
    local Recorder = reactors.recorder(csock.loop.queue())
    local made = {}
    function Recorder:connectionMade() made[#made + 1] = self.transport end
    local inner = protocol.ServerFactory:forProtocol(Recorder)
    local factory = policies.ThrottlingFactory(inner, nil, nil, 1000)
    factory.clock = task.Clock()
    local port = assert(reactor.listenTCP(0, factory, nil, "127.0.0.1"))
    reactors.run(function()
      local first, second = keep(reactors.dial(port)), keep(reactors.dial(port))
      repeat csock.sleep(0.001) until #made == 2
      made[1]:registerProducer(made[2], true)
      local peer = first:getsockname() == made[2]:getPeer() and first or second
      peer:close()
      repeat csock.sleep(0.001) until not made[2].connected
      assert.is_nil(made[1].producer)
      made[1]:registerProducer({}, true)
      made[1]:stopConsuming()
      assert.is_nil(made[1].producer)
    end)
  end)

  it("reads no faster than that over a socket, and everything in the end", function()
    local Counter, got = class("Counter", protocol.Protocol), 0
    function Counter.dataReceived(_, data) got = got + #data end
    local factory = policies.ThrottlingFactory(protocol.ServerFactory:forProtocol(Counter), nil, 1000)
    local clock = task.Clock()
    factory.clock = clock
    local port = assert(reactor.listenTCP(0, factory, nil, "127.0.0.1"))
    reactors.run(function()
      local s = keep(reactors.dial(port))
      assert(s:sendall(("x"):rep(2000)))
      repeat csock.sleep(0.001) until got == 2000
      clock.advance(1) -- a second too much
      assert(s:sendall(("x"):rep(500)))
      csock.sleep(0.05)
      assert.equal(2000, got)
      clock.advance(1)
      repeat csock.sleep(0.001) until got == 2500
    end)
    assert.same({}, clock.getDelayedCalls())
  end)
end)
