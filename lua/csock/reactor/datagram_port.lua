--- Ports for datagrams: what `reactor.listenUDP` gives.
-- @module csock.reactor.port
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local given = require "csock.reactor.arguments"
local port = require "csock.reactor.port"
local turns = require "csock.reactor.turns"
local internal = require "csock.loop.internal"

local hub = internal.hub
local ECONNREFUSED = csock.errno.ECONNREFUSED

local M = {}

local DATA = { string = true, number = true, userdata = true } -- types of what the core takes for bytes

-- What those of UDP and those of Unix sockets share. `client`: whom alone it exchanges datagrams with.
local Base = class("BaseDatagramPort", port.BasePort)
M.BaseDatagramPort = Base

-- The protocol may close the port at once, or raise an error: nothing is left open then.
function Base:__init(socket, protocol, size)
  port.BasePort.__init(self, socket)
  self.protocol, self.size, self.starting = protocol, size, true
  local _ <close> = internal.guard(function()
    if not self.starting then return end
    self:shut()
    protocol.transport = nil
  end)
  protocol:makeConnection(self)
  self.starting = nil
  if self.connected then self:watch() else self:stopped() end
end

Base.of_kind = "" -- what it speaks, in its `logPrefix`

function Base:getHandle() return self.socket end

function Base:logPrefix() return self.protocol:logPrefix() .. self.of_kind end

Base.write = hub.sendto

-- `write` of a port that has a client.
function Base:write_to_client(data, address)
  local client = self.client
  if address ~= nil and address ~= client then
    local other = csock.address(self.socket.family, address)
    if other ~= client then check.bad("write", 2, ("the port is connected to %s"):format(client)) end
  end
  if not DATA[type(data)] then check.expected("write", 1, "string", data) end
  local sent, err, errno = self.socket:send(data)
  if sent then return sent end
  if errno == ECONNREFUSED and self.connected then self.protocol:connectionRefused() end
  return nil, err, errno
end

-- From now on there is one.
function Base:keep_to(client) self.client, self.write = client, self.write_to_client end

function Base:writeSequence(list, address) return self:write(table.concat(list), address) end

function Base:watch() return hub.connect(self.socket, self, self.reading and not self.resting) end

-- Any error but this one may be there to stay; it is told once.
function Base:broken(err, errno)
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

function Base:stopped() turns.call(self.protocol.doStop, self.protocol) end

function Base:connectionLost()
  if self:shut() and not self.starting then self:stopped() end
end

--- A port for datagrams; the transport of a `DatagramProtocol`.
-- @type datagramport
local DatagramPort = class("DatagramPort", Base)
M.DatagramPort = DatagramPort
DatagramPort.of_kind = " (UDP)"

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

--- The descriptor.
-- @function datagramport:fileno
-- @treturn int -1 when it is closed
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:fileno())

--- The socket, for its own methods: `getsockopt` ...
-- Source: Twisted's `getHandle`.
-- @function datagramport:getHandle
-- @treturn socket
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:getHandle():fileno())

--- What messages about it may begin with: the protocol's own `logPrefix`, and what it speaks.
-- Source: Twisted's `ILoggingContext`.
-- @function datagramport:logPrefix
-- @treturn string
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:logPrefix()) --> DatagramProtocol (UDP)

--- Sends a datagram, at once.
-- @function datagramport:write
-- @tparam string data
-- @param[opt] address where to: an address value, or a table `{host, port}`, of which the host is no name, but may be
-- `"<broadcast>"`; after `connect` nil, or the address that it is connected to
-- @treturn[1] int the number of bytes sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN` when there is no room for it now, `EMSGSIZE`; `ECONNREFUSED` after `connect`: an
-- earlier one found nobody, and the protocol's `connectionRefused` was called)
-- @raise when the host is a name; when it is connected to another address
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:write("hello", {"127.0.0.1", 21567})) --> 5

--- Sends a datagram that is in pieces.
-- @function datagramport:writeSequence
-- @tparam {string,...} list
-- @param[opt] address as for `write`
-- @treturn[1] int the number of bytes sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:writeSequence({"hel", "lo"}, {"127.0.0.1", 21567})) --> 5

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
function DatagramPort:connect(host, number)
  check.argument(given.HOST, host, 1, "connect")
  check.argument(given.PORT, number, 2, "connect")
  if self.client then check.fail "already connected" end
  local address, err = csock.address(self.socket.family, host, number)
  if not address then check.bad("connect", 1, ("an address expected: %s"):format(err)) end
  local ok, errno
  ok, err, errno = self.socket:connect(address)
  if not ok then return nil, err, errno end
  self:keep_to(address)
  return true
end

--- Whether datagrams may go to the broadcast address: at first they may not.
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

--- Whether they may.
-- @function datagramport:getBroadcastAllowed
-- @treturn[1] boolean
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:getBroadcastAllowed()) --> false
function DatagramPort:getBroadcastAllowed()
  local on, err, errno = self.socket:getsockopt(csock.SOL_SOCKET, csock.SO_BROADCAST)
  if not on then return nil, err, errno end
  return on ~= 0
end

--- Closes the port. The protocol's `stopProtocol` is called.
-- @function datagramport:stopListening
-- @treturn deferred which has fired: the port is closed at once
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- port:stopListening()

--- The same as `stopListening`.
-- @function datagramport:loseConnection

return M
