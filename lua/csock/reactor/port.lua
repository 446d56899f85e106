--- What the reactor listens on: `listenTCP`, `listenSSL`, `listenUNIX` and `listenUDP` give these.
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
local EAGAIN, ECONNREFUSED = csock.errno.EAGAIN, csock.errno.ECONNREFUSED

local MOST = 64 -- connections that one port may take before the others have a turn

local M = {}

-- What both kinds share: a socket that is open until it is closed, by whomever.
local Base = class("BasePort")
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
local function close(self)
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
  factory:doStart()
  self:watch()
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
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- port:stopListening()
function Port:stopListening() self:connectionLost() end

--- The same as `stopListening`.
-- @function port:loseConnection
Port.loseConnection = Port.stopListening

function Port:connectionLost()
  if not close(self) then return end
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

--- A port for datagrams; the transport of a `DatagramProtocol`.
-- @type datagramport
local DatagramPort = class("DatagramPort", Base)
M.DatagramPort = DatagramPort

function DatagramPort:__init(socket, protocol, size)
  Base.__init(self, socket)
  self.protocol, self.size = protocol, size
  self:watch()
  protocol:makeConnection(self)
end

--- The address that it receives at.
-- @function datagramport:getHost
-- @treturn[1] address with `host` and `port`
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:getHost().port)

--- Receives nothing for a while.
-- @function datagramport:stopReading
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- port:stopReading()

--- Receives again.
-- @function datagramport:startReading
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- port:stopReading()
-- port:startReading()

--- Sends a datagram, at once.
-- @function datagramport:write
-- @tparam string data
-- @param[opt] address where to: an address value, or a table `{host, port}`, of which the host is no name; not after
-- `connect`
-- @treturn[1] int the number of bytes sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN` when there is no room for it now, `EMSGSIZE` ...)
-- @raise when the host is a name
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:write("hello", {"127.0.0.1", 21567})) --> 5
DatagramPort.write = hub.sendto

--- Exchanges datagrams with one peer alone. The protocol's `connectionRefused` says that nobody is there.
-- @function datagramport:connect
-- @tparam string host an address, not a name
-- @tparam int port
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise when it is connected already, or the host is a name
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- assert(port:connect("127.0.0.1", 21567))
function DatagramPort:connect(host, port)
  if self.client then error("already connected", 2) end
  local address, err = csock.address(self.socket.family, host, port)
  if not address then error(("bad argument #1 to 'connect' (an address expected: %s)"):format(err), 2) end
  local ok, errno
  ok, err, errno = self.socket:connect(address)
  if not ok then return nil, err, errno end
  self.client = address
  return true
end

--- Whether datagrams may go to the broadcast address.
-- @function datagramport:setBroadcastAllowed
-- @tparam boolean enabled
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- assert(port:setBroadcastAllowed(true))
function DatagramPort:setBroadcastAllowed(enabled)
  return self.socket:setsockopt(csock.SOL_SOCKET, csock.SO_BROADCAST, enabled and 1 or 0)
end

function DatagramPort:watch() return hub.connect(self.socket, self, self.reading and not self.resting) end

-- Any error but this one may be there to stay; it is told once.
function DatagramPort:broken(err, errno)
  if errno == ECONNREFUSED then
    if self.client then self.protocol:connectionRefused() end
    return
  end
  self:rest(internal.PATIENCE)
  if err ~= self.told then
    self.told = err
    error(err, 0)
  end
end

--- Closes the port. The protocol's `stopProtocol` is called.
-- @function datagramport:stopListening
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- port:stopListening()
function DatagramPort:stopListening() self:connectionLost() end

--- The same as `stopListening`.
-- @function datagramport:loseConnection
DatagramPort.loseConnection = DatagramPort.stopListening

function DatagramPort:connectionLost()
  if not close(self) then return end
  turns.call(self.protocol.doStop, self.protocol)
end

return M
