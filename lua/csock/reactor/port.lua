--- What the reactor listens on: `listenTCP`, `listenSSL`, `listenUNIX`, `listenUDP` and their like give these.
-- @module csock.reactor.port
local class = require "csock.class"
local csock = require "csock"
local reason = require "csock.reactor.reason"
local secure = require "csock.secure"
local tls = require "csock.reactor.tls"
local transport = require "csock.reactor.transport"
local turns = require "csock.reactor.turns"
local unixpath = require "csock.unixpath"
local internal = require "csock.loop.internal"

local hub = internal.hub
local EAGAIN = csock.errno.EAGAIN

local MOST = 64 -- connections that one port may take before the others have a turn

local M = {}

-- What all kinds share, those for datagrams too: a socket that is open until it is closed, by whomever.
local Base = class("BasePort")
M.BasePort = Base
Base.connected = true
Base.reading = true

function Base:__init(socket)
  socket:settimeout(0)
  self.socket = socket
end

function Base:__tostring()
  return ("<%s %s>"):format(self.__class.__name, self.connected and tostring(self:getHost()) or "[closed]")
end

-- Tells the hub whether to ask for what comes: when the program wants it, and no rest is under way.
function Base:watch() return hub.add(self.socket, self, self.reading and not self.resting, false) end

-- Asks for nothing for so many seconds.
function Base:rest(seconds)
  self.resting = turns.callLater(seconds, function()
    self.resting = nil
    self:watch()
  end)
  self:watch()
end

-- Closes the port; whether it was open.
function Base:shut()
  if not self.connected then return false end
  self.connected = false
  if self.resting then self.resting:cancel() end
  hub.remove(self.socket)
  self.socket:close()
  return true
end

-- An error in what was called is no reason to stop listening.
function Base:failed() end -- luacheck: ignore 212

--- A port that accepts connections: it asks its factory for a protocol for each.
-- @type port
local Port = class("Port", Base)
M.Port = Port
Port.failures = 0 -- to accept, one after the other

-- `path`: the Unix socket's, removed in the end.
function Port:__init(socket, factory, path)
  Base.__init(self, socket)
  self.factory, self.path = factory, path
  local holder <close> = internal.holder(socket) -- the factory may raise an error
  factory:doStart()
  self:watch()
  holder:take()
end

--- The address that it listens on.
-- @function port:getHost
-- @treturn[1] address with `host` and `port`; a string for a Unix socket
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- print(port:getHost().port)
function Base:getHost() return self.socket:getsockname() end

--- Accepts nothing for a while: who connects waits in the backlog.
-- @function port:stopReading
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- port:stopReading()
function Base:stopReading()
  self.reading = false
  if self.connected then self:watch() end
end

--- Accepts again.
-- @function port:startReading
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- port:stopReading()
-- port:startReading()
function Base:startReading()
  self.reading = true
  if self.connected then self:watch() end
end

--- The descriptor.
-- Source: Twisted's `fileno`.
-- @function port:fileno
-- @treturn int -1 when it is closed
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- print(port:fileno())
function Base:fileno() return self.socket:fileno() end

--- What messages about it may begin with: the factory's own `logPrefix`.
-- Source: Twisted's `ILoggingContext`.
-- @function port:logPrefix
-- @treturn string
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- print(port:logPrefix()) --> Factory
function Port:logPrefix() return self.factory:logPrefix() end

-- A new connection.
function Port:open(connection) connection:build(self.factory) end

function Port:ready()
  local listener = self.socket
  for _ = 1, MOST do
    local socket, client, errno = listener:accept()
    if socket then
      self.failures = 0
      local connection = transport.Connection(socket, client)
      turns.call_for(connection, self.open, self, connection)
    elseif errno == EAGAIN or not self.connected then
      return
    else
      self.failures = self.failures + 1
      local verdict, pause = internal.accept_verdict(client, self.failures)
      if verdict == "over" then
        self:connectionLost()
        error(client, 0)
      end
      if pause > 0 then return self:rest(pause) end
    end
  end
end

--- Stops listening. The connections that it has accepted stay.
-- @function port:stopListening
-- @treturn deferred which has fired: the port is closed at once
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- port:stopListening()
function Base:stopListening()
  self:connectionLost()
  return require("csock.defer").succeed()
end

--- The same as `stopListening`.
-- @function port:loseConnection
function Base:loseConnection() return self:stopListening() end

function Port:connectionLost()
  if not self:shut() then return end
  if self.path then unixpath.remove_dead(self.path, csock.SOCK_STREAM) end
  turns.call(self.factory.doStop, self.factory)
end

--- A port whose connections are over TLS: the factory is asked for a protocol when the handshake is made. One that
-- fails is told to `factory:handshakeFailed`.
-- @type sslport
local SSLPort = class("SSLPort", Port)
M.SSLPort = SSLPort

--- Within how many seconds a client must have made the handshake. `math.huge`: there is no limit. May be set.
-- @field sslport:handshakeTimeout
SSLPort.handshakeTimeout = secure.HANDSHAKE_TIMEOUT

function SSLPort:__init(socket, factory, contextFactory)
  self.contextFactory = contextFactory
  Port.__init(self, socket, factory)
end

local function refused(self, connection, err)
  local factory, client = self.factory, connection.client
  connection:connectionLost(reason.ConnectionLost(err))
  if factory.handshakeFailed then turns.call(factory.handshakeFailed, factory, client, reason.of_connect(err)) end
end

function SSLPort:open(connection)
  secure.cover(tls.context(self.contextFactory), connection.socket)
  connection:shake_hands(self.handshakeTimeout, function(_, failure)
    if failure then return refused(self, connection, failure) end
    Port.open(self, connection)
  end)
end

return M
