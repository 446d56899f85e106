-- adopt.lua: sockets that are there already, in the reactor: inherited ones, or such as came over a Unix socket.
local csock = require "csock"
local datagram_port = require "csock.reactor.datagram_port"
local given = require "csock.reactor.arguments"
local port = require "csock.reactor.port"
local transport = require "csock.reactor.transport"
local turns = require "csock.reactor.turns"
local check = require "csock.check"
local internal = require "csock.loop.internal"

local M = {}

local FAMILY = check.one_of("addressFamily: AF_INET, AF_INET6 or AF_UNIX",
  csock.AF_INET, csock.AF_INET6, csock.AF_UNIX)
local IP = check.one_of("addressFamily: AF_INET or AF_INET6", csock.AF_INET, csock.AF_INET6)

-- A socket over a copy of the descriptor, which must be of this family and type.
local function copy(call, fd, family, kind)
  local socket, err, errno = csock.fromfd(fd)
  if not socket then return nil, err, errno end
  local holder <close> = internal.holder(socket)
  local wrong = socket.family ~= family and csock.errno.EAFNOSUPPORT
    or socket.type ~= kind and csock.errno.EPROTOTYPE
  if wrong then return csock.make_error { call = call, errno = wrong } end
  return holder:take()
end

--- Accepts connections at a socket that listens already; the factory makes a protocol for each. The reactor has a copy
-- of the descriptor: the caller keeps its own, and may close it.
-- Source: Twisted's `IReactorSocket.adoptStreamPort`.
-- @tparam int|object fileDescriptor descriptor, or anything with a `fileno` method
-- @tparam int addressFamily `AF_INET`, `AF_INET6` or `AF_UNIX`
-- @tparam factory factory
-- @treturn[1] port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`; `ENOTSOCK`; `EAFNOSUPPORT`, `EPROTOTYPE`: it is of another family or type)
-- @usage
-- local listener <close> = assert(csock.create_server {"127.0.0.1", 8000})
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.adoptStreamPort(listener:fileno(), csock.AF_INET, factory))
function M.adoptStreamPort(fileDescriptor, addressFamily, factory)
  check.argument(FAMILY, addressFamily, 2, "adoptStreamPort")
  given.object("adoptStreamPort", 3, factory, "factory", "doStart")
  local socket, err, errno = copy("adoptStreamPort", fileDescriptor, addressFamily, csock.SOCK_STREAM)
  if not socket then return nil, err, errno end
  local path = addressFamily == csock.AF_UNIX and socket:getsockname() or nil
  return port.Port(socket, factory, path)
end

--- Has a factory make a protocol for a socket that is connected already. `doStart` and `doStop` of the factory are not
-- called. The reactor has a copy of the descriptor: the caller keeps its own, and is to close it, or else the peer will
-- not see the end of the connection.
-- Source: Twisted's `IReactorSocket.adoptStreamConnection`.
-- @tparam int|object fileDescriptor descriptor, or anything with a `fileno` method
-- @tparam int addressFamily `AF_INET`, `AF_INET6` or `AF_UNIX`
-- @tparam factory factory
-- @treturn[1] transport
-- @treturn[2] nil where the factory makes none
-- @treturn[2] ?error
-- @treturn[2] ?int errno (`EBADF`; `ENOTSOCK`; `EAFNOSUPPORT`, `EPROTOTYPE`: it is of another family or type;
-- `ENOTCONN`)
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- assert(reactor.adoptStreamConnection(a:fileno(), csock.AF_UNIX, factory))
-- a:close()
function M.adoptStreamConnection(fileDescriptor, addressFamily, factory)
  check.argument(FAMILY, addressFamily, 2, "adoptStreamConnection")
  given.object("adoptStreamConnection", 3, factory, "factory", "buildProtocol")
  local socket, err, errno = copy("adoptStreamConnection", fileDescriptor, addressFamily, csock.SOCK_STREAM)
  if not socket then return nil, err, errno end
  local holder <close> = internal.holder(socket)
  local client
  client, err, errno = socket:getpeername()
  if not client then return nil, err, errno end
  local connection = transport.Connection(holder:take(), client)
  turns.call_for(connection, connection.build, connection, factory)
  if connection.connected then return connection end
end

--- Receives datagrams at a socket that is bound already. The reactor has a copy of the descriptor: the caller keeps its
-- own, and may close it.
-- Source: Twisted's `IReactorSocket.adoptDatagramPort`.
-- @tparam int|object fileDescriptor descriptor, or anything with a `fileno` method
-- @tparam int addressFamily `AF_INET` or `AF_INET6`
-- @tparam datagramprotocol protocol
-- @tparam[opt=8192] int maxPacketSize bytes, at least 1; longer datagrams are cut
-- @treturn[1] datagramport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`; `ENOTSOCK`; `EAFNOSUPPORT`, `EPROTOTYPE`: it is of another family or type)
-- @usage
-- local socket <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
-- assert(socket:bind("127.0.0.1", 9999))
-- assert(reactor.adoptDatagramPort(socket:fileno(), csock.AF_INET, protocol.DatagramProtocol()))
function M.adoptDatagramPort(fileDescriptor, addressFamily, protocol, maxPacketSize)
  check.argument(IP, addressFamily, 2, "adoptDatagramPort")
  given.idle("adoptDatagramPort", 3, protocol, "datagramReceived")
  maxPacketSize = check.argument(given.SIZE, maxPacketSize or 8192, 4, "adoptDatagramPort")
  local socket, err, errno = copy("adoptDatagramPort", fileDescriptor, addressFamily, csock.SOCK_DGRAM)
  if not socket then return nil, err, errno end
  return datagram_port.DatagramPort(socket, protocol, maxPacketSize)
end

for name, adopt in pairs(M) do M[name] = check.public(adopt) end

return M
