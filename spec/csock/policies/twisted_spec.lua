-- The policies beside Twisted's: the same scenarios as in spec/support/twisted/policies.py.
-- luacheck: ignore 212/self
local class = require "csock.class"
local csock = require "csock"
local internal = require "csock.loop.internal"
local policies = require "csock.policies"
local protocol = require "csock.protocol"
local reason = require "csock.reactor.reason"
local task = require "csock.task"
local twisted = require "spec.support.twisted"

local specs = twisted.specs(it, pending)

local function same(name, scenario, f) specs(name, "spec/support/twisted/policies.py:" .. scenario, f) end

local DONE = reason.ConnectionDone()

-- What says what it is told: a factory, and `connect`.
local function cast(say)
  local M = {}

  local Transport = class("Transport")
  M.Transport = Transport
  Transport.disconnecting = false
  function Transport:__init(name, peer)
    self.name, self.peer = name, assert(csock.address(csock.AF_INET, peer or "10.0.0.1", 1))
  end
  function Transport:write(data) say(self.name, "write", data) end
  function Transport:writeSequence(pieces) say(self.name, "write", table.concat(pieces)) end
  function Transport:loseConnection()
    self.disconnecting = true
    say(self.name, "loseConnection")
  end
  function Transport:pauseProducing() say(self.name, "pauseProducing") end
  function Transport:resumeProducing() say(self.name, "resumeProducing") end
  function Transport:registerProducer(producer, streaming)
    self.producer = producer
    say(self.name, "registerProducer", streaming)
  end
  function Transport:unregisterProducer()
    self.producer = nil
    say(self.name, "unregisterProducer")
  end
  function Transport:stopConsuming() say(self.name, "stopConsuming") end
  function Transport:getPeer() return self.peer end
  function Transport:getHost() return assert(csock.address(csock.AF_INET, "127.0.0.1", 2)) end
  function Transport:increment(number) return number + 1 end

  local Inner = class("Inner", protocol.Protocol)
  M.Inner = Inner
  function Inner:connectionMade()
    say("made on", self.transport.__class.__name, self.factory and self.factory.__class.__name or "NoneType")
  end
  function Inner:dataReceived(data) say("received", data) end
  function Inner:connectionLost(why) say("lost", why:getErrorMessage()) end

  local InnerFactory = class("InnerFactory", protocol.ClientFactory)
  M.InnerFactory = InnerFactory
  InnerFactory.noisy = false
  InnerFactory.protocol = Inner
  function InnerFactory:startFactory() say "startFactory" end
  function InnerFactory:stopFactory() say "stopFactory" end
  function InnerFactory:startedConnecting(connector) say("startedConnecting", connector) end
  function InnerFactory:clientConnectionFailed(connector, why)
    say("clientConnectionFailed", connector, why:getErrorMessage())
  end
  function InnerFactory:clientConnectionLost(connector, why)
    say("clientConnectionLost", connector, why:getErrorMessage())
  end

  local Producer = class("Producer")
  M.Producer = Producer
  function Producer:pauseProducing() say "pause the producer" end
  function Producer:resumeProducing() say "resume the producer" end
  function Producer:stopProducing() say "stop the producer" end

  function M.connect(factory, name, peer)
    name = name or "a"
    local transport = Transport(name, peer)
    local made = factory:buildProtocol(transport.peer)
    if not made then return say(name, "refused") end
    made:makeConnection(transport)
    return made
  end

  return M
end

local function length(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

-- A factory that goes by a clock of its own.
local function timed(factory)
  local clock = task.Clock()
  function factory.callLater(_, seconds, f) return clock.callLater(seconds, f) end
  return factory, clock
end

local function calls(clock) return #clock.getDelayedCalls() end

describe("ProtocolWrapper and WrappingFactory, beside Twisted's,", function()
  same("pass on all that is asked and told", "wrapping", function(say)
    local our = cast(say)
    local Wrapper = class("Wrapper", policies.ProtocolWrapper)
    function Wrapper:connectionMade() say "the wrapper is made" end

    local Factory = class("Factory", policies.WrappingFactory)
    Factory.noisy = false
    Factory.protocol = Wrapper
    function Factory:registerProtocol(p)
      say "register"
      Factory.super.registerProtocol(self, p)
    end
    function Factory:unregisterProtocol(p)
      say "unregister"
      Factory.super.unregisterProtocol(self, p)
    end
    function Factory:startFactory() say "start the outer one" end
    function Factory:stopFactory() say "stop the outer one" end

    local factory = Factory(our.InnerFactory())
    factory:doStart()
    local wrapper = our.connect(factory)
    local inner = wrapper.wrappedProtocol
    say(inner.transport == wrapper, inner.factory == factory.wrappedFactory, length(factory.protocols))
    wrapper:dataReceived "hello"
    inner.transport:write "world"
    inner.transport:writeSequence { "a", "b" }
    local producer = our.Producer()
    inner.transport:registerProducer(producer, true)
    say(inner.transport.producer == producer)
    inner.transport:unregisterProducer()
    inner.transport:stopConsuming()
    inner.transport:pauseProducing()
    inner.transport:resumeProducing()
    say(inner.transport:getPeer().host, inner.transport:getHost().host, inner.transport:increment(1))
    inner.transport:loseConnection()
    say(inner.transport.disconnecting)
    wrapper:connectionLost(DONE)
    say(wrapper.wrappedProtocol, length(factory.protocols))
    factory:doStop()
  end)

  same("tell a client's factory how its connections fare", "connecting", function(say)
    local factory = policies.WrappingFactory(cast(say).InnerFactory())
    factory.noisy = false
    factory:doStart()
    factory:startedConnecting "connector"
    factory:clientConnectionFailed("connector", reason.UserError())
    factory:clientConnectionLost("connector", DONE)
    factory:doStop()
    say(factory:logPrefix())
  end)
end)

describe("ThrottlingFactory, beside Twisted's,", function()
  same("counts the connections, and refuses those that are too many", "counting", function(say)
    local our = cast(say)
    local factory, clock = timed(policies.ThrottlingFactory(our.InnerFactory(), 2))
    local first = our.connect(factory)
    our.connect(factory, "b")
    our.connect(factory, "c")
    first:connectionLost(DONE)
    our.connect(factory, "d")
    say(factory.connectionCount, calls(clock))
  end)

  same("throttles who reads too much", "throttled_reads", function(say)
    local our = cast(say)
    local factory, clock = timed(policies.ThrottlingFactory(our.InnerFactory(), nil, 10))
    local a, b = our.connect(factory), our.connect(factory, "b")
    for _, step in ipairs { { 1, 10 }, { 1, 25 }, { 1, 0 }, { 0.4, 0 }, { 0.2, 0 }, { 0.5, 5 }, { 2, 0 } } do
      if step[2] > 0 then a:dataReceived(("x"):rep(step[2])) end
      clock.advance(step[1])
      say("at", ("%.1f"):format(clock.seconds()), "count", factory.readThisSecond)
    end
    a:connectionLost(DONE)
    say("calls", calls(clock))
    b:connectionLost(DONE)
    say("calls", calls(clock))
  end)

  same("throttles producers that write too much", "throttled_writes", function(say)
    local our = cast(say)
    local factory, clock = timed(policies.ThrottlingFactory(our.InnerFactory(), nil, nil, 10))
    local a, b = our.connect(factory), our.connect(factory, "b")
    a:registerProducer(our.Producer(), true)
    for _, step in ipairs { { 1, 10 }, { 1, 20 }, { 0.5, 0 }, { 0.6, 0 }, { 1, 15 } } do
      a:write(("x"):rep(step[2]))
      b:writeSequence { "y", "z" }
      clock.advance(step[1])
      say("at", ("%.1f"):format(clock.seconds()), "count", factory.writtenThisSecond)
    end
    a:unregisterProducer()
    clock.advance(5)
    a:connectionLost(DONE)
    b:connectionLost(DONE)
    say("calls", calls(clock))
  end)
end)

describe("Timeouts, beside Twisted's,", function()
  same("close idle connections", "idle", function(say)
    local our = cast(say)
    local factory, clock = timed(policies.TimeoutFactory(our.InnerFactory(), 10))
    local p = our.connect(factory)
    local function pass_by(seconds)
      clock.advance(seconds)
      say("at", ("%.1f"):format(clock.seconds()), "calls", calls(clock))
    end
    pass_by(9)
    p:dataReceived "in"
    pass_by(9)
    p:write "out"
    pass_by(9)
    p:writeSequence { "o", "ut" }
    pass_by(9)
    p:setTimeout(20)
    pass_by(19)
    p:cancelTimeout()
    pass_by(100)
    p:dataReceived "more"
    p:setTimeout(5)
    pass_by(5)
    p:connectionLost(DONE)
    our.connect(factory, "q"):connectionLost(DONE)
    pass_by(100)
  end)

  same("end protocols that set one for themselves", "mixed_in", function(say)
    local our = cast(say)
    local clock = task.Clock()
    local Mine = class("Mine", our.Inner, policies.TimeoutMixin)
    function Mine:callLater(...) return clock.callLater(...) end
    function Mine:timeoutConnection()
      say("timed out at", ("%.1f"):format(clock.seconds()))
      Mine.super.timeoutConnection(self)
    end
    local p = Mine()
    p:makeConnection(our.Transport "a")
    say(p:setTimeout(10), p.timeOut)
    clock.advance(9)
    p:resetTimeout()
    clock.advance(9)
    say(p:setTimeout(3), p.timeOut)
    clock.advance(2)
    say(p:setTimeout(nil), p.timeOut, calls(clock))
    p:resetTimeout()
    clock.advance(10)
    say(p:setTimeout(2), p.timeOut)
    clock.advance(2)
    p:resetTimeout()
    say(p:setTimeout(nil), calls(clock))
  end)
end)

describe("Limits, beside Twisted's,", function()
  same("are for each peer", "by_peer", function(say)
    local our = cast(say)
    local factory = policies.LimitConnectionsByPeer(our.InnerFactory())
    factory.maxConnectionsPerPeer = 2
    factory:startFactory()
    local first = our.connect(factory)
    our.connect(factory, "b")
    our.connect(factory, "c")
    say(factory:buildProtocol(assert(csock.address(csock.AF_INET, "10.0.0.2", 1))) ~= nil)
    first:connectionLost(DONE)
    our.connect(factory, "d")
    say(factory.peerConnections["10.0.0.1"])
  end)

  same("are for all, with words for those that are too many", "in_all", function(say)
    local our = cast(say)
    local Overflow = class("Overflow", our.Inner)
    function Overflow:connectionMade()
      say "too many"
      self.transport:loseConnection()
    end
    local factory = policies.LimitTotalConnectionsFactory()
    factory.protocol = our.Inner
    factory.connectionLimit = 1
    local first = our.connect(factory)
    say(factory.connectionCount)
    our.connect(factory, "b")
    factory.overflowProtocol = Overflow
    local third = our.connect(factory, "c")
    say(factory.connectionCount, third.wrappedProtocol.factory == factory)
    third:connectionLost(DONE)
    first:connectionLost(DONE)
    say(factory.connectionCount)
    factory.connectionLimit = nil
    our.connect(factory, "d")
    our.connect(factory, "e")
    say(factory.connectionCount)
  end)
end)

describe("Logs, beside Twisted's,", function()
  same("tell of each connection in a file", "to_files", function(say)
    local our = cast(say)
    local factory = policies.TrafficLoggingFactory(our.InnerFactory(), "prefix")
    local logs = {}
    function factory.open(_, name)
      say("open", name)
      local file = { text = "", flush = function() end }
      function file.write(_, ...) file.text = file.text .. table.concat { ... } end
      logs[name] = file
      return file
    end
    local p = our.connect(factory)
    p:dataReceived "hello\r\n\tit is \\"
    p:write "0123456789 and much more"
    p:writeSequence { "x", "y" }
    p.wrappedProtocol.transport:loseConnection()
    our.connect(factory)
    for _, name in ipairs { "prefix-1", "prefix-2" } do
      say(name)
      say(logs[name].text)
    end
    factory:resetCounter()
    our.connect(factory)
  end)

  same("tell the log", "to_the_log", function(say)
    local log = internal.log
    function internal.log(_, text) say(text) end
    local our = cast(say)
    local p = our.connect(policies.SpewingFactory(our.InnerFactory()))
    p:dataReceived "hello\r\n"
    p:write "\1\x7f"
    internal.log = log
  end)
end)
