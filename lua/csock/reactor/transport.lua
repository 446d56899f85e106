--- Connections, as the reactor's protocols see them: what to send is kept until the socket takes it.
-- What is written during one turn of the reactor leaves in one piece: when the callback of the same
-- connection returns, else at the turn's end; sooner when it has grown to 16 KiB.
--
-- Names and meaning are Twisted's (`ITCPTransport`, `IPushProducer`, `IConsumer`).
-- @module csock.reactor.transport
local class = require "csock.class"
local csock = require "csock"
local reason = require "csock.reactor.reason"
local secure = require "csock.secure"
local turns = require "csock.reactor.turns"
local internal = require "csock.loop.internal"

local hub = internal.hub

local DONE = reason.ConnectionDone()

local M = {}

--- A connection.
--
-- `connected`, `disconnecting` and `disconnected` are booleans; `protocol` is whom it tells; `client` is
-- the peer's address.
-- @type transport
local Connection = class("Connection")
M.Connection = Connection

-- An idle connection has four fields of its own: `socket`, `client`, `protocol`, and `disconnecting`, which
-- receivers look at after each message. A fifth would double its table.
Connection.connected = true
Connection.disconnected = false
Connection.reading = true

--- How many bytes may wait to be sent before the connection stops receiving until all is sent; so what waits for a peer
-- that asks and does not read the answers does not grow without limit. A protocol with methods `pauseWriting()` and
-- `resumeWriting()` is told, as the receivers are, which then pass nothing on. Where a producer is registered, that is
-- told to pause instead. `math.huge`: there is no limit. May be set for one connection, or for all (in the class).
-- @field transport:bufferSize
Connection.bufferSize = 65536

--- After how many seconds in which the peer takes nothing of what is left to send a connection is aborted that
-- `loseConnection` closes. `math.huge`: never. May be set for one connection, before it is closed, or for all.
-- Source: the attribute of Twisted's `HTTPChannel`.
-- @field transport:abortTimeout
Connection.abortTimeout = 60

--- Within how many seconds a handshake must be made that `startTLS` has begun. `math.huge`: there is no limit. May be
-- set for one connection, or for all.
-- @field transport:handshakeTimeout
Connection.handshakeTimeout = secure.HANDSHAKE_TIMEOUT

--- Whether it is over TLS: `reactor.listenSSL`, `connectSSL`, or the end of `startTLS`.
-- @field transport:TLS
Connection.TLS = false

--- What the two have agreed on to speak over TLS (ALPN): `"h2"`; nil: nothing.
-- Source: Twisted's `INegotiated.negotiatedProtocol`.
-- @field transport:negotiatedProtocol

function Connection:__init(socket, client, connector)
  socket:settimeout(0)
  self.socket, self.client, self.disconnecting = socket, client, false
  if connector then self.connector = connector end
end

function Connection:__tostring()
  local state = self.disconnected and "closed" or self.disconnecting and "closing" or "open"
  return ("<transport to %s, %s>"):format(self.client, state)
end

-- Tells the hub whether to receive.
function Connection:watch()
  hub.connect(self.socket, self, self.reading)
end

-- --- the end --------------------------------------------------------------------------------------

-- Over TLS, the peer is told that nothing more will come (close_notify) when it has everything; else it sees that it
-- has not.
local function is_whole(self, why)
  return (why == DONE or class.isinstance(why, reason.ConnectionDone)) and hub.unsent(self.socket) == 0
end

local function lose(self, why)
  if self.disconnected then return end
  self.connected, self.disconnected = false, true
  if not is_whole(self, why) then hub.cut(self.socket) end
  hub.remove(self.socket)
  if self.closing then self.closing:cancel() end
  if self.handshake and self.handshake.timer then self.handshake.timer:cancel() end
  if self.aborting then
    self.socket:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)) -- resets
  end
  local producer, protocol = self.producer, self.protocol
  if producer then
    self.producer = nil
    turns.call(producer.stopProducing, producer)
  end
  if self.fed then self.fed() end
  self.socket:close()
  if protocol then turns.call(protocol.connectionLost, protocol, why) end
  if self.connector then turns.call(self.connector.connectionLost, self.connector, why) end
end

-- Loses it for a reason that comes from outside.
Connection.connectionLost = lose

-- A callback has raised an error.
function Connection:failed(err, traceback)
  local why = reason.CallbackError(err)
  why.traceback = traceback
  lose(self, why)
end

-- --- sending --------------------------------------------------------------------------------------

--- Sends data, in the order of the calls. Never waits: what the socket does not take now is kept.
-- Ignored when the connection is lost, or its writing half is closed.
-- @function transport:write
-- @tparam string data
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:write "hello"
-- end
Connection.write = hub.write

--- Sends several pieces.
-- @function transport:writeSequence
-- @tparam {string,...} pieces
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:writeSequence {"hello", "\n"}
-- end
function Connection:writeSequence(pieces)
  self:write(table.concat(pieces))
end

-- The hub is to tell when all is sent, and how much waits, if somebody wants to know.
local function tell(self)
  local closing = self.disconnecting or self.writeDisconnecting
  hub.tell(self.socket, closing or self.producer or self.held, closing)
end

-- Nothing is received until all is sent, and the protocol answers nothing meanwhile.
local function hold(self)
  hub.hold(self.socket, true)
  local protocol = self.protocol
  if self.held or not (protocol and protocol.pauseWriting) then return end
  self.held = true
  tell(self)
  protocol:pauseWriting()
end

local function release(self)
  hub.hold(self.socket, false)
  if not self.held then return end
  self.held = nil
  tell(self)
  self.protocol:resumeWriting()
end

-- So many bytes wait to be sent.
function Connection:waits(bytes)
  if bytes <= self.bufferSize then return end
  local producer = self.producer
  if not producer then
    hold(self)
  elseif self.streamingProducer and not self.producerPaused then
    self.producerPaused = true
    producer:pauseProducing()
  end
end

local limit_closing

-- Whether the peer knows that all is sent, where that has to be said (TLS); else `sent` comes again when it is.
local function said_goodbye(self)
  if hub.goodbye(self.socket) then return true end
  if self.disconnecting and not self.closing then limit_closing(self) end
  return false
end

-- All is sent: what comes next?
function Connection:sent()
  local producer = self.producer
  if self.closing then
    self.closing:reset(self.abortTimeout)
    self.gone = 0
  end
  if self.held then return release(self) end -- and what that writes is to be sent, too
  if self.aborting then
    lose(self, reason.ConnectionAborted())
  elseif producer and (self.producerPaused or not self.streamingProducer) then
    self.producerPaused = false
    producer:resumeProducing()
  elseif producer then
    return
  elseif self.disconnecting then
    if said_goodbye(self) then lose(self, DONE) end
  elseif self.writeDisconnecting then
    if not said_goodbye(self) then return end
    self.writeDisconnecting, self.writeDisconnected = false, true
    tell(self)
    hub.shut(self.socket)
    self.socket:shutdown(csock.SHUT_WR)
    local protocol = self.protocol
    if protocol.writeConnectionLost then protocol:writeConnectionLost() end
    if self.readDisconnected then lose(self, DONE) end
  end
end

-- --- receiving ------------------------------------------------------------------------------------

-- Gives it to its protocol.
function Connection:start(protocol)
  self.protocol = protocol
  self:watch()
  protocol:makeConnection(self)
  if self.TLS and self.connected then protocol:handshakeCompleted() end
end

-- Gives it to a protocol of the factory's, which may refuse.
function Connection:build(factory)
  local protocol = factory:buildProtocol(self.client)
  if protocol then
    self:start(protocol)
  else
    self:connectionLost(reason.ConnectionDone())
  end
end

-- The peer has finished.
function Connection:finished()
  local protocol = self.protocol
  if not protocol.readConnectionLost then return lose(self, DONE) end
  self.readDisconnected, self.reading = true, false -- Twisted's IHalfCloseableProtocol
  self:watch()
  protocol:readConnectionLost()
  if self.writeDisconnected then lose(self, DONE) end
end

function Connection:broken(err)
  release(self) -- what has come is passed on first
  lose(self, reason.ConnectionLost(err))
end

-- --- closing --------------------------------------------------------------------------------------

-- Has a connection that closes aborted when its peer takes nothing for so long.
function limit_closing(self)
  if self.abortTimeout == math.huge then return end
  self.gone = select(2, hub.unsent(self.socket))
  self.closing = turns.callLater(self.abortTimeout, function()
    self.closing = nil
    tell(self) -- what was written just now has its try
    local waiting, gone = hub.unsent(self.socket)
    if waiting > 0 and gone == self.gone then return self:abortConnection() end
    limit_closing(self)
  end)
end

--- Closes the connection when everything is sent that was written, over TLS with a close_notify behind it; a
-- registered producer goes on until it unregisters. Nothing more is received. The protocol's `connectionLost` comes
-- later, with `ConnectionDone`; or with `ConnectionAborted`, when the peer does not take what is left (`abortTimeout`).
-- @function transport:loseConnection
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:write "bye"
--   self.transport:loseConnection() -- when that is sent
-- end
function Connection:loseConnection()
  if not self.connected or self.disconnecting then return end
  self.disconnecting, self.reading = true, false
  self:watch()
  tell(self)
  if self.producer or hub.unsent(self.socket) > 0 then limit_closing(self) end
end

--- Closes the connection at once: what is not sent yet is dropped, and the peer sees a reset. The
-- protocol's `connectionLost` comes later, with `ConnectionAborted`.
-- @function transport:abortConnection
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:abortConnection()
-- end
function Connection:abortConnection()
  if not self.connected or self.aborting then return end
  self.aborting, self.disconnecting, self.reading = true, true, false
  self:watch()
  hub.shut(self.socket)
  tell(self)
end

--- Closes the writing half when everything is sent that was written: the peer sees the end of the
-- stream (over TLS: close_notify), and may still send. The protocol's `writeConnectionLost` is called then, if it has
-- one.
--
-- A protocol with a method `readConnectionLost` is told by it that the peer has closed its half, and goes
-- on writing; without one the connection is over then.
-- @function transport:loseWriteConnection
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:loseWriteConnection()
-- end
function Connection:loseWriteConnection()
  if not self.connected or self.writeDisconnecting or self.writeDisconnected then return end
  self.writeDisconnecting = true
  tell(self)
end

-- --- producers ------------------------------------------------------------------------------------

--- Has a producer write to this connection as fast as it takes the data.
--
-- A streaming producer writes whenever it likes: `producer:pauseProducing()` tells it that `bufferSize` is
-- exceeded, `producer:resumeProducing()` that all is sent. One that is not streaming writes a piece
-- each time it is told `resumeProducing`, for the first time right now. `producer:stopProducing()` says
-- that the connection is lost. A producer that is a connection itself, whose input is passed on here, unregisters when
-- it is lost.
-- Source: Twisted's `IConsumer.registerProducer`.
-- @function transport:registerProducer
-- @param producer
-- @tparam boolean streaming
-- @raise when there is one already
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:registerProducer(self.factory.producer, true)
-- end
function Connection:registerProducer(producer, streaming)
  if self.producer then error("a producer is registered already", 2) end
  if not self.connected then
    producer:stopProducing()
    return
  end
  self.producer = producer
  self.streamingProducer, self.producerPaused = streaming and true or false, false
  if producer.feeds then producer:feeds(self, producer) end
  release(self)
  tell(self)
  if not streaming then producer:resumeProducing() end
end

--- The producer has nothing more to write.
-- @function transport:unregisterProducer
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:unregisterProducer()
-- end
function Connection:unregisterProducer()
  self.producer = nil
  if self.connected then tell(self) end
end

--- Takes nothing more from the producer, and closes the connection.
-- Source: Twisted's `FileDescriptor.stopConsuming`.
-- @function transport:stopConsuming
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:tooLong() self.transport:stopConsuming() end
function Connection:stopConsuming()
  self:unregisterProducer()
  self:loseConnection()
end

--- Receives nothing for a while: the connection is a producer itself.
-- @function transport:pauseProducing
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:pauseProducing()
-- end
function Connection:pauseProducing()
  if not self.connected then return end
  self.reading = false
  self:watch()
end

--- The same as `pauseProducing`.
-- Source: the method of Twisted's `FileDescriptor`.
-- @function transport:stopReading
Connection.stopReading = Connection.pauseProducing

--- Receives again.
-- @function transport:resumeProducing
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:pauseProducing()
--   reactor.callLater(1, function() self.transport:resumeProducing() end)
-- end
function Connection:resumeProducing()
  if not self.connected or self.disconnecting or self.readDisconnected then return end
  self.reading = true
  self:watch()
end

--- The same as `resumeProducing`.
-- Source: the method of Twisted's `FileDescriptor`.
-- @function transport:startReading
Connection.startReading = Connection.resumeProducing

--- Sends nothing of what waits to be sent, until `startWriting`, or until something else is written, or the connection
-- is to be closed.
-- Source: the method of Twisted's `FileDescriptor`.
-- @function transport:stopWriting
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:write "hello"
--   self.transport:stopWriting()
--   reactor.callLater(1, function() self.transport:startWriting() end)
-- end
function Connection:stopWriting()
  if self.connected then hub.writing(self.socket, false) end
end

--- Goes on sending.
-- Source: the method of Twisted's `FileDescriptor`.
-- @function transport:startWriting
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:write "hello"
--   self.transport:stopWriting()
--   reactor.callLater(1, function() self.transport:startWriting() end)
-- end
function Connection:startWriting()
  if self.connected then hub.writing(self.socket, true) end
end

-- It was registered with a consumer (`as`: as what, since it may be wrapped): when it is lost, it has nothing more to
-- write there.
function Connection:feeds(consumer, as)
  self.fed = function()
    if consumer.producer == as then consumer:unregisterProducer() end
  end
end

--- The same as `loseConnection`.
-- @function transport:stopProducing
function Connection:stopProducing() self:loseConnection() end

-- --- what it is -----------------------------------------------------------------------------------

--- The peer's address; also after the connection is lost.
-- @function transport:getPeer
-- @treturn address with `host` and `port`; a string for a Unix socket
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:getPeer().host)
-- end
function Connection:getPeer() return self.client end

--- This side's address.
-- @function transport:getHost
-- @treturn[1] address with `host` and `port`; a string for a Unix socket
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:getHost().port)
-- end
function Connection:getHost() return self.socket:getsockname() end

--- The socket, for its own methods: `version()` and `cipher()` over TLS, `getsockopt` ... What it receives and sends is
-- the transport's.
-- Source: Twisted's `getHandle`.
-- @function transport:getHandle
-- @treturn socket
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:getHandle():fileno())
-- end
function Connection:getHandle() return self.socket end

--- The descriptor.
-- Source: Twisted's `fileno`.
-- @function transport:fileno
-- @treturn int -1 when the connection is lost
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:fileno())
-- end
function Connection:fileno() return self.socket:fileno() end

--- What messages about it may begin with: the protocol's own `logPrefix`.
-- Source: Twisted's `ILoggingContext`.
-- @function transport:logPrefix
-- @treturn string
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:logPrefix())
-- end
function Connection:logPrefix()
  local protocol = self.protocol
  return protocol and protocol.logPrefix and protocol:logPrefix() or self.__class.__name
end

-- A boolean option.
local function option(name, level, number)
  Connection["set" .. name] = function(self, enabled)
    return self.socket:setsockopt(level, number, enabled and 1 or 0)
  end
  Connection["get" .. name] = function(self)
    local value, err, errno = self.socket:getsockopt(level, number)
    if not value then return nil, err, errno end
    return value ~= 0
  end
end

--- Sends each write at once, instead of waiting for the peer's acknowledgement of the last one.
-- @function transport:setTcpNoDelay
-- @tparam boolean enabled
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:setTcpNoDelay(true)
-- end

--- Whether it does.
-- @function transport:getTcpNoDelay
-- @treturn boolean
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:getTcpNoDelay())
-- end
option("TcpNoDelay", csock.IPPROTO_TCP, csock.TCP_NODELAY)

--- Asks a silent peer now and then whether it is still there.
-- @function transport:setTcpKeepAlive
-- @tparam boolean enabled
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   self.transport:setTcpKeepAlive(true)
-- end

--- Whether it does.
-- @function transport:getTcpKeepAlive
-- @treturn boolean
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:getTcpKeepAlive())
-- end
option("TcpKeepAlive", csock.SOL_SOCKET, csock.SO_KEEPALIVE)

return M
