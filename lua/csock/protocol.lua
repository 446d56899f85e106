--- Protocols and factories: what a program derives its own from, for @{csock.reactor}.
--
-- A **protocol** is one side of one connection. The reactor calls its `connectionMade`, then `dataReceived` with
-- whatever has come, and in the end `connectionLost`, once; the protocol writes to `self.transport`
-- (@{csock.reactor.transport}).
--
-- A **factory** makes the protocols, and keeps what they share.
--
--     local Echo = class("Echo", protocol.LineReceiver)
--     function Echo:connectionMade() self:sendLine("hello") end
--     function Echo:lineReceived(line) self:sendLine(line) end
--
-- Names and meaning are Twisted's.
-- @module csock.protocol
local class = require "csock.class"
local datagrams = require "csock.protocol.datagrams"
local file_sender = require "csock.protocol.file_sender"
local noise = require "csock.protocol.noise"
local process = require "csock.protocol.process"
local receivers = require "csock.protocol.receivers"
local stateful = require "csock.protocol.stateful"

local M = {}

--- What all protocols have. `transport` is nil until there is a connection; `transport.connected` tells whether it
-- is still there.
-- @type baseprotocol
local BaseProtocol = class("BaseProtocol")
M.BaseProtocol = BaseProtocol

--- Called with the transport; sets `self.transport` and calls `connectionMade`.
-- @function baseprotocol:makeConnection
-- @param transport
function BaseProtocol:makeConnection(transport)
  self.transport = transport
  self:connectionMade()
end

--- Called when the connection is there. To be overridden.
-- @function baseprotocol:connectionMade
function BaseProtocol:connectionMade() end -- luacheck: ignore 212

--- One side of a connection. `factory` is the one that made it.
--
-- A protocol may have methods `pauseWriting()` and `resumeWriting()`, as the receivers below do: the first is called
-- when its peer does not read, that is, when more than `transport.bufferSize` bytes wait to be sent and no producer is
-- registered; the second when all is sent, or the connection is about to be lost. Nothing is received in between; a
-- protocol that holds what it will answer stops there. (Source: asyncio's `Protocol.pause_writing`.)
-- @type protocol
local Protocol = class("Protocol", BaseProtocol)
M.Protocol = Protocol

--- Called with what has come: any part of the stream, at least a byte. To be overridden.
-- @function protocol:dataReceived
-- @tparam string data
function Protocol:dataReceived(data) end -- luacheck: ignore 212

--- Called once, when the connection is over. To be overridden.
-- A protocol with methods `readConnectionLost()` and `writeConnectionLost()` is told of each half apart
-- (see `transport:loseWriteConnection`).
-- @function protocol:connectionLost
-- @tparam reason reason
function Protocol:connectionLost(reason) end -- luacheck: ignore 212

--- Called when the handshake of TLS is made: after `connectionMade`, or some time after `transport:startTLS`. What
-- comes over TLS is passed on later. To be overridden.
-- Source: Twisted's `IHandshakeListener`.
-- @function protocol:handshakeCompleted
function Protocol:handshakeCompleted() end -- luacheck: ignore 212

--- Whether it holds bytes that have come and that it has not made use of: as long as it does, `transport:startTLS` is
-- refused. A protocol that keeps what comes overrides this, as the receivers below do.
-- @function protocol:holdsInput
-- @treturn boolean
-- @usage
-- local Keeper = class("Keeper", protocol.Protocol)
-- function Keeper:holdsInput() return self.kept ~= nil end
function Protocol:holdsInput() return false end -- luacheck: ignore 212

--- What messages about it may begin with: the name of its class. May be overridden.
-- Source: Twisted's `ILoggingContext`.
-- @function protocol:logPrefix
-- @treturn string
-- @usage print(protocol.LineReceiver():logPrefix()) --> LineReceiver
Protocol.logPrefix = noise.logPrefix

stateful(M, receivers(M))
datagrams(M)
process(M)
M.FileSender = file_sender

-- --- factories ------------------------------------------------------------------------------------

--- Makes a protocol for each connection. `protocol` is the class of the protocols.
-- @type factory
local Factory = class("Factory")
M.Factory = Factory

--- How many ports and connectors use it.
-- @field factory:numPorts
Factory.numPorts = 0

--- Whether it is told on standard error, or to the host that has csock inside, that `startFactory` or `stopFactory` is
-- about to be called. Twisted's are noisy unless told otherwise; here nothing is.
-- @field factory:noisy
Factory.noisy = false

--- What messages about it may begin with: the name of its class. May be overridden.
-- Source: Twisted's `ILoggingContext`.
-- @function factory:logPrefix
-- @treturn string
-- @usage print(protocol.ServerFactory():logPrefix()) --> ServerFactory
Factory.logPrefix = noise.logPrefix

--- A factory for a class of protocols: `Factory:forProtocol(Echo)`.
-- @function factory:forProtocol
-- @tparam class protocol
-- @param ... for the factory's `__init`
-- @treturn factory
-- @usage local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
function Factory:forProtocol(protocol, ...)
  local factory = self(...)
  factory.protocol = protocol
  return factory
end

--- Called for each connection. May be overridden.
-- @function factory:buildProtocol
-- @tparam address address the peer's
-- @treturn ?protocol nil: the connection is closed
function Factory:buildProtocol(address) -- luacheck: ignore 212
  local protocol = self.protocol()
  protocol.factory = self
  return protocol
end

--- Called when the first port or connector uses it. To be overridden.
-- @function factory:startFactory
function Factory:startFactory() end -- luacheck: ignore 212

--- Called when the last one has ended. To be overridden.
-- @function factory:stopFactory
function Factory:stopFactory() end -- luacheck: ignore 212

--- Called when somebody has connected to a port of `reactor.listenSSL` and not made the handshake of TLS: there is no
-- protocol then. To be overridden.
-- @function factory:handshakeFailed
-- @tparam address address the peer's
-- @tparam reason reason `SSLError`, `TimeoutError` ...; its `value` says why
function Factory:handshakeFailed(address, reason) end -- luacheck: ignore 212

--- Says that a port or a connector begins to use it, which do so themselves: the first time it calls `startFactory`.
-- @function factory:doStart
-- @usage
-- local factory = protocol.Factory()
-- factory:doStart()
-- print(factory.numPorts) --> 1
function Factory:doStart()
  if self.numPorts == 0 then
    noise.say(self, "Starting factory")
    self:startFactory()
  end
  self.numPorts = self.numPorts + 1
end

--- Says that one has ended: the last time it calls `stopFactory`.
-- @function factory:doStop
-- @usage
-- local factory = protocol.Factory()
-- factory:doStart()
-- factory:doStop()
-- print(factory.numPorts) --> 0
function Factory:doStop()
  if self.numPorts == 0 then return end
  self.numPorts = self.numPorts - 1
  if self.numPorts > 0 then return end
  noise.say(self, "Stopping factory")
  self:stopFactory()
end

--- The same, under the name that says which side it is for.
-- @type serverfactory
M.ServerFactory = class("ServerFactory", Factory)

--- A factory for connections that the program makes.
-- @type clientfactory
local ClientFactory = class("ClientFactory", Factory)
M.ClientFactory = ClientFactory

--- Called when an attempt begins. To be overridden.
-- @function clientfactory:startedConnecting
-- @tparam connector connector
function ClientFactory:startedConnecting(connector) end -- luacheck: ignore 212

--- Called when an attempt has failed. To be overridden; `connector:connect()` tries again.
-- @function clientfactory:clientConnectionFailed
-- @tparam connector connector
-- @tparam reason reason
function ClientFactory:clientConnectionFailed(connector, reason) end -- luacheck: ignore 212

--- Called when the connection is over, after the protocol's `connectionLost`. To be overridden;
-- `connector:connect()` connects again.
-- @function clientfactory:clientConnectionLost
-- @tparam connector connector
-- @tparam reason reason
function ClientFactory:clientConnectionLost(connector, reason) end -- luacheck: ignore 212

--- Connects again whenever the connection is lost or cannot be made, each time after a longer pause.
-- A protocol that is content with its connection calls `self.factory:resetDelay()`.
--
-- May be set, besides the fields below: `maxRetries`, how often it tries before it gives up (nil: for ever);
-- `delay`, the last pause in seconds; `clock`, what has `callLater` (the reactor, if nil).
-- @type reconnectingclientfactory
local Reconnecting = class("ReconnectingClientFactory", ClientFactory)
M.ReconnectingClientFactory = Reconnecting

--- The longest pause, in seconds.
-- @field reconnectingclientfactory:maxDelay
Reconnecting.maxDelay = 3600

--- The pause after which the first one is measured, in seconds.
-- @field reconnectingclientfactory:initialDelay
Reconnecting.initialDelay = 1.0

--- How much longer each pause is than the one before.
-- @field reconnectingclientfactory:factor
Reconnecting.factor = math.exp(1)

--- How much the pauses vary, so that many clients do not come back at the same moment: the standard
-- deviation, in parts of the pause; 0 or nil: not at all.
-- @field reconnectingclientfactory:jitter
Reconnecting.jitter = 0.12

--- How often it has tried since it was content.
-- @field reconnectingclientfactory:retries
Reconnecting.retries = 0


Reconnecting.continueTrying = true

function Reconnecting:startedConnecting(connector) self.connector = connector end

function Reconnecting:clientConnectionFailed(connector)
  if self.continueTrying then self:retry(connector) end
end

function Reconnecting:clientConnectionLost(connector)
  if self.continueTrying then self:retry(connector) end
end

-- From the normal distribution (Box and Muller).
local function normal(mean, deviation)
  local u, v = 1 - math.random(), math.random()
  return mean + deviation * math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)
end

--- Tries again after the next pause.
-- @function reconnectingclientfactory:retry
-- @tparam[opt] connector connector the last one, unless given
-- @usage
-- local factory = protocol.ReconnectingClientFactory()
-- function factory:clientConnectionFailed(connector, why) self:retry(connector) end
function Reconnecting:retry(connector)
  if not self.continueTrying then return end
  connector = connector or self.connector or error("no connector to retry", 2)
  self.connector = connector
  self.retries = self.retries + 1
  if self.maxRetries and self.retries > self.maxRetries then return end
  local delay = math.min((self.delay or self.initialDelay) * self.factor, self.maxDelay)
  if self.jitter and self.jitter ~= 0 then delay = math.max(normal(delay, delay * self.jitter), 0) end
  self.delay = delay
  local clock = self.clock or require "csock.reactor"
  self.call = clock.callLater(delay, function()
    self.call = nil
    connector:connect()
  end)
end

--- Gives up: a pause or an attempt that is under way ends.
-- @function reconnectingclientfactory:stopTrying
-- @usage
-- local factory = protocol.ReconnectingClientFactory()
-- factory:stopTrying()
function Reconnecting:stopTrying()
  self.continueTrying = false
  if self.call then self.call:cancel() end
  self.call = nil
  if self.connector and self.connector.state == "connecting" then self.connector:stopConnecting() end
end

--- The next pause is the first one again, and `stopTrying` is taken back.
-- @function reconnectingclientfactory:resetDelay
-- @usage
-- local Client = class("Client", protocol.Protocol)
-- function Client:connectionMade() self.factory:resetDelay() end
function Reconnecting:resetDelay()
  self.delay, self.retries, self.continueTrying = self.initialDelay, 0, true
end

return M
