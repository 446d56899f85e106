--- Ports for datagrams at Unix sockets: what `reactor.listenUNIXDatagram` and `connectUNIXDatagram` give.
-- @module csock.reactor.port
local class = require "csock.class"
local datagram_port = require "csock.reactor.datagram_port"
local unixpath = require "csock.unixpath"

local M = {}

--- A port for datagrams at a path; the transport of a `DatagramProtocol`. The path is removed when it is closed.
-- Source: Twisted's `IUNIXDatagramTransport`.
-- @type unixdatagramport
local UNIXDatagramPort = class("UNIXDatagramPort", datagram_port.BaseDatagramPort)
M.UNIXDatagramPort = UNIXDatagramPort

-- `path`: the one that it has made; "": it has none.
function UNIXDatagramPort:__init(socket, protocol, size, path)
  self.path = path
  datagram_port.BaseDatagramPort.__init(self, socket, protocol, size)
end

--- The path that it receives at.
-- @function unixdatagramport:getHost
-- @treturn[1] string `""`: none
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- print(port:getHost()) --> server.sock
-- port:stopListening()

--- Sends a datagram, at once.
-- @function unixdatagramport:write
-- @tparam string data
-- @tparam string address the path to send it to
-- @treturn[1] int the number of bytes sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN` when the receiver has no room for it now, `EMSGSIZE`; `ECONNREFUSED` and `ENOENT`:
-- nobody is there)
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- print(port:write("hello", port:getHost())) --> 5
-- port:stopListening()

--- Sends a datagram that is in pieces.
-- @function unixdatagramport:writeSequence
-- @tparam {string,...} list
-- @tparam string address
-- @treturn[1] int the number of bytes sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- print(port:writeSequence({"hel", "lo"}, port:getHost())) --> 5
-- port:stopListening()

--- Receives nothing for a while.
-- @function unixdatagramport:stopReading
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- port:stopReading()
-- port:stopListening()

--- Receives again.
-- @function unixdatagramport:startReading
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- port:stopReading()
-- port:startReading()
-- port:stopListening()

--- Closes the port. The protocol's `stopProtocol` is called.
-- @function unixdatagramport:stopListening
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- port:stopListening()

--- The same as `stopListening`.
-- @function unixdatagramport:loseConnection

function UNIXDatagramPort:shut()
  if not UNIXDatagramPort.super.shut(self) then return false end
  unixpath.remove_dead(self.path)
  return true
end

--- A port that exchanges datagrams with one path alone; the transport of a `ConnectedDatagramProtocol`. It is used as
-- the one above, with these differences.
-- Source: Twisted's `IUNIXDatagramConnectedTransport`.
-- @type connectedunixdatagramport
local Connected = class("ConnectedUNIXDatagramPort", UNIXDatagramPort)
M.ConnectedUNIXDatagramPort = Connected

-- `path`: its own; `client`: the other one.
function Connected:__init(socket, protocol, size, path, client)
  self:keep_to(client)
  UNIXDatagramPort.__init(self, socket, protocol, size, path)
end

--- Sends a datagram, at once.
-- @function connectedunixdatagramport:write
-- @tparam string data
-- @treturn[1] int the number of bytes sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN` when the peer has no room for it now, `EMSGSIZE`; `ECONNREFUSED` when it is gone: the
-- protocol's `connectionRefused` was called)
-- @usage
-- local server = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- local client = assert(reactor.connectUNIXDatagram("server.sock", protocol.ConnectedDatagramProtocol()))
-- print(client:write "hello") --> 5
-- server:stopListening()

--- The path that it is connected to.
-- @function connectedunixdatagramport:getPeer
-- @treturn string
-- @usage
-- local server = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- local client = assert(reactor.connectUNIXDatagram("server.sock", protocol.ConnectedDatagramProtocol()))
-- print(client:getPeer()) --> server.sock
-- server:stopListening()
function Connected:getPeer() return self.client end

return M
