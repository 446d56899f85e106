--- Connections, as the reactor's protocols see them: what to send is kept until the socket takes it.
-- What is written during one turn of the reactor leaves in one piece: at once when the callback of the
-- same connection returns, else at the turn's end.
--
-- Names and meaning are Twisted's (`ITCPTransport`, `IPushProducer`, `IConsumer`).
-- @module csock.reactor.transport
local class = require "csock.class"
local csock = require "csock"
local outgoing = require "csock.outgoing"
local reason = require "csock.reactor.reason"
local turns = require "csock.reactor.turns"

local hub = csock.loop.hub
local EAGAIN = csock.errno.EAGAIN

local PIECE = 65536 -- bytes that are received at a time

local DONE = reason.ConnectionDone()

local M = {}

--- A connection.
--
-- `connected`, `disconnecting` and `disconnected` are booleans; `protocol` is whom it tells; `client` is
-- the peer's address.
-- @type transport
local Connection = class("Connection")
M.Connection = Connection

-- An idle connection has four fields of its own: `socket`, `client`, `protocol`, `out`. A fifth would double
-- its table.
Connection.connected = true
Connection.disconnecting = false
Connection.disconnected = false
Connection.reading = true
-- What is to be sent: a string that was written in this turn, or a queue (csock.outgoing), or neither.
Connection.out = false
Connection.queue = false
-- Whether something happens when all is sent: a producer, or an end of a kind.
Connection.special = false

--- How many bytes may wait to be sent before a producer is told to pause.
-- @field transport:bufferSize
Connection.bufferSize = 65536

-- The methods of all sockets, so that none has to be looked up for each message.
local send, recv
do
  local s <close> = csock.socket()
  send, recv = s.send, s.recv
end

local CLOSED = { blocked = false } -- in the place of a queue when nothing can be sent any more

-- The connection whose protocol is being told of something: what that writes is sent when it returns.
local current

function Connection:__init(socket, client, connector)
  socket:settimeout(0)
  self.socket, self.client, self.connector = socket, client, connector
end

function Connection:__tostring()
  local state = self.disconnected and "closed" or self.disconnecting and "closing" or "open"
  return ("<transport to %s, %s>"):format(self.client, state)
end

-- Tells the loop what is waited for.
function Connection:watch()
  hub.add(self.socket, self, self.reading, self.queue and self.queue.blocked)
end

-- --- the end --------------------------------------------------------------------------------------

local function lose(self, why)
  if self.disconnected then return end
  self.connected, self.disconnected, self.out, self.queue = false, true, false, CLOSED
  hub.remove(self.socket)
  if why:check(reason.ConnectionAborted) then
    self.socket:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)) -- resets
  end
  local producer = self.producer
  self.producer = nil
  if producer then turns.call(producer.stopProducing, producer) end
  self.socket:close()
  local protocol = self.protocol
  if protocol then turns.call(protocol.connectionLost, protocol, why) end
  if self.connector then turns.call(self.connector.connectionLost, self.connector, why) end
end

-- Loses it for a reason that comes from outside.
Connection.connectionLost = lose

-- A callback has raised an error.
function Connection:failed(err, traceback)
  if current == self then current = nil end
  local why = reason.CallbackError(err)
  why.traceback = traceback
  lose(self, why)
end

-- --- sending --------------------------------------------------------------------------------------

local function pause_producer(self, waiting)
  local producer = self.producer
  if producer and self.streamingProducer and not self.producerPaused and waiting > self.bufferSize then
    self.producerPaused = true
    producer:pauseProducing()
  end
end

local function enqueue(self, queue, data)
  if queue == CLOSED then return end
  outgoing.put(queue, data)
  if self.producer then pause_producer(self, queue.size) end
end

--- Sends data, in the order of the calls. Never waits: what the socket does not take now is kept.
-- Ignored when the connection is lost, or its writing half is closed.
-- @function transport:write
-- @tparam string data
function Connection:write(data)
  if type(data) ~= "string" then
    error(("bad argument #1 to 'write' (string expected, got %s)"):format(type(data)), 2)
  end
  local queue, out = self.queue, self.out
  if queue then
    enqueue(self, queue, data)
  elseif out then
    queue = outgoing.new(out, 0)
    self.out, self.queue = false, queue
    enqueue(self, queue, data)
  else
    self.out = data
    if self ~= current then turns.put_off(self) end
  end
end

--- Sends several pieces.
-- @function transport:writeSequence
-- @tparam {string,...} pieces
function Connection:writeSequence(pieces)
  self:write(table.concat(pieces))
end

-- All is sent: what comes next?
local function drained(self)
  local producer = self.producer
  if self.aborting then
    lose(self, reason.ConnectionAborted())
  elseif producer and (self.producerPaused or not self.streamingProducer) then
    self.producerPaused = false
    producer:resumeProducing()
  elseif producer then
    return
  elseif self.disconnecting then
    lose(self, DONE)
  elseif self.writeDisconnecting then
    self.writeDisconnecting, self.writeDisconnected, self.queue = false, true, CLOSED
    self.socket:shutdown(csock.SHUT_WR)
    local protocol = self.protocol
    if protocol.writeConnectionLost then protocol:writeConnectionLost() end
    if self.readDisconnected then lose(self, DONE) end
  end
end

-- The socket takes no more of the queue for now.
local function block(self, queue)
  if not queue.blocked then
    queue.blocked = true
    self:watch()
  end
  pause_producer(self, queue.size)
end

local function flush_queue(self, queue)
  local empty, err = outgoing.send(queue, send, self.socket)
  if empty then
    self.queue = false
    if queue.blocked then self:watch() end
    if self.special then drained(self) end
  elseif err then
    lose(self, reason.ConnectionLost(err))
  else
    block(self, queue)
  end
end

-- Sends what was written: a string.
local function flush(self, out)
  local sent, err, errno = send(self.socket, out)
  self.out = false
  if sent == #out then
    if self.special then drained(self) end
  elseif sent or errno == EAGAIN then
    self.queue = outgoing.new(out, sent or 0)
    block(self, self.queue)
  else
    lose(self, reason.ConnectionLost(err))
  end
end

-- The turn is over: sends what was written, and does what waits for that.
function Connection:settle()
  local out, queue = self.out, self.queue
  if self.disconnected then return end
  if self.aborting then
    drained(self)
  elseif out then
    flush(self, out)
  elseif queue and queue ~= CLOSED then
    if not queue.blocked then flush_queue(self, queue) end
  elseif self.special then
    drained(self)
  end
end

-- --- receiving ------------------------------------------------------------------------------------

-- Calls a method of the protocol, and sends what that has written.
local function tell(self, method, ...)
  current = self
  method(self.protocol, ...)
  current = nil
  if self.out or self.queue then self:settle() end
end

-- Gives it to its protocol.
function Connection:start(protocol)
  self.protocol = protocol
  self:watch()
  tell(self, protocol.makeConnection, self)
end

-- The peer has finished, or recv has failed.
local function nothing_received(self, data, err, errno)
  local protocol = self.protocol
  if not data then
    if errno ~= EAGAIN then lose(self, reason.ConnectionLost(err)) end
  elseif protocol.readConnectionLost then -- Twisted's IHalfCloseableProtocol
    self.readDisconnected, self.reading = true, false
    self:watch()
    tell(self, protocol.readConnectionLost)
    if self.writeDisconnected then lose(self, DONE) end
  else
    lose(self, DONE)
  end
end

-- The loop says so. Written out for the usual case: data comes, and an answer goes.
function Connection:ready(readable, writable)
  if writable then
    if self.queue and self.queue ~= CLOSED then flush_queue(self, self.queue) end
    if not readable or not self.reading or self.disconnected then return end
  end
  local data, err, errno = recv(self.socket, PIECE)
  if not data or data == "" then return nothing_received(self, data, err, errno) end
  current = self
  self.protocol:dataReceived(data)
  current = nil
  local out = self.out
  if out then
    flush(self, out)
  elseif self.queue then
    self:settle()
  end
end

-- --- closing --------------------------------------------------------------------------------------

--- Closes the connection when everything is sent that was written; a registered producer goes on
-- until it unregisters. Nothing more is received. The protocol's `connectionLost` comes later, with
-- `ConnectionDone`.
-- @function transport:loseConnection
function Connection:loseConnection()
  if not self.connected or self.disconnecting then return end
  self.disconnecting, self.special, self.reading = true, true, false
  self:watch()
  turns.put_off(self)
end

--- Closes the connection at once: what is not sent yet is dropped, and the peer sees a reset. The
-- protocol's `connectionLost` comes later, with `ConnectionAborted`.
-- @function transport:abortConnection
function Connection:abortConnection()
  if not self.connected or self.aborting then return end
  self.aborting, self.disconnecting, self.special, self.reading = true, true, true, false
  self.out, self.queue = false, CLOSED
  self:watch()
  turns.put_off(self)
end

--- Closes the writing half when everything is sent that was written: the peer sees the end of the
-- stream, and may still send. The protocol's `writeConnectionLost` is called then, if it has one.
--
-- A protocol with a method `readConnectionLost` is told by it that the peer has closed its half, and goes
-- on writing; without one the connection is over then.
-- @function transport:loseWriteConnection
function Connection:loseWriteConnection()
  if not self.connected or self.writeDisconnecting or self.writeDisconnected then return end
  self.writeDisconnecting, self.special = true, true
  turns.put_off(self)
end

-- --- producers ------------------------------------------------------------------------------------

--- Has a producer write to this connection as fast as it takes the data.
--
-- A streaming producer writes whenever it likes: `producer:pauseProducing()` tells it that `bufferSize` is
-- exceeded, `producer:resumeProducing()` that all is sent. One that is not streaming writes a piece
-- each time it is told `resumeProducing`, for the first time right now. `producer:stopProducing()` says
-- that the connection is lost.
-- Source: Twisted's `IConsumer.registerProducer`.
-- @function transport:registerProducer
-- @param producer
-- @tparam boolean streaming
-- @raise when there is one already
function Connection:registerProducer(producer, streaming)
  if self.producer then error("a producer is registered already", 2) end
  if not self.connected then
    producer:stopProducing()
    return
  end
  self.producer, self.special = producer, true
  self.streamingProducer, self.producerPaused = streaming and true or false, false
  if not streaming then producer:resumeProducing() end
end

--- The producer has nothing more to write.
-- @function transport:unregisterProducer
function Connection:unregisterProducer()
  self.producer = nil
  if self.connected and (self.disconnecting or self.writeDisconnecting) then turns.put_off(self) end
end

--- Receives nothing for a while: the connection is a producer itself.
-- @function transport:pauseProducing
function Connection:pauseProducing()
  if not self.connected then return end
  self.reading = false
  self:watch()
end

--- Receives again.
-- @function transport:resumeProducing
function Connection:resumeProducing()
  if not self.connected or self.disconnecting or self.readDisconnected then return end
  self.reading = true
  self:watch()
end

--- The same as `loseConnection`.
-- @function transport:stopProducing
function Connection:stopProducing() self:loseConnection() end

-- --- what it is -----------------------------------------------------------------------------------

--- The peer's address; also after the connection is lost.
-- @function transport:getPeer
-- @treturn address with `host` and `port`; a string for a Unix socket
function Connection:getPeer() return self.client end

--- This side's address.
-- @function transport:getHost
-- @treturn[1] address with `host` and `port`; a string for a Unix socket
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function Connection:getHost() return self.socket:getsockname() end

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

--- Whether it does.
-- @function transport:getTcpNoDelay
-- @treturn boolean
option("TcpNoDelay", csock.IPPROTO_TCP, csock.TCP_NODELAY)

--- Asks a silent peer now and then whether it is still there.
-- @function transport:setTcpKeepAlive
-- @tparam boolean enabled
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno

--- Whether it does.
-- @function transport:getTcpKeepAlive
-- @treturn boolean
option("TcpKeepAlive", csock.SOL_SOCKET, csock.SO_KEEPALIVE)

return M
