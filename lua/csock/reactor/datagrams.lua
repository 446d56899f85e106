-- datagrams.lua: what the reactor exchanges datagrams by: `listenUDP`, `listenMulticast`, `listenUNIXDatagram`,
-- `connectUNIXDatagram`.
local csock = require "csock"
local datagram_port = require "csock.reactor.datagram_port"
local given = require "csock.reactor.arguments"
local multicast = require "csock.reactor.multicast"
local reason = require "csock.reactor.reason"
local unix_datagram = require "csock.reactor.unix_datagram"
local check = require "csock.check"
local internal = require "csock.loop.internal"
local unixpath = require "csock.unixpath"

local M = {}

local SIZE = 8192 -- bytes: maxPacketSize, when none is given

-- A socket that is bound there, and to which `prepare` was done before.
local function bound(number, interface, prepare)
  interface = interface or ""
  local family = interface:find(":", 1, true) and csock.AF_INET6 or csock.AF_INET
  local socket, err, errno = csock.socket(family, csock.SOCK_DGRAM)
  if not socket then return nil, err, errno end
  local holder <close> = internal.holder(socket)
  local ok = true
  if prepare then ok, err, errno = prepare(socket) end
  if ok then ok, err, errno = socket:bind(interface, number) end
  if not ok then return nil, err, errno end
  return holder:take()
end

--- Receives datagrams.
-- @tparam int number the port; 0: any free one
-- @tparam datagramprotocol protocol one that has no transport yet
-- @tparam[opt=""] string interface the address to receive at
-- @tparam[opt=8192] int maxPacketSize bytes, at least 1; longer datagrams are cut
-- @treturn[1] datagramport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenUDP(9999, protocol.DatagramProtocol()))
-- print(port:getHost().port)
function M.listenUDP(number, protocol, interface, maxPacketSize)
  check.argument(given.PORT, number, 1, "listenUDP")
  given.idle("listenUDP", 2, protocol, "datagramReceived")
  check.argument(given.INTERFACE, interface, 3, "listenUDP")
  local size = check.argument(given.SIZE, maxPacketSize or SIZE, 4, "listenUDP")
  local socket, err, errno = bound(number, interface)
  if not socket then return nil, err, errno end
  return datagram_port.DatagramPort(socket, protocol, size)
end

-- Other sockets may have the same address, also of other programs that want it so.
local function shared(socket)
  local ok, err, errno = socket:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, true)
  if not ok or not csock.SO_REUSEPORT then return ok, err, errno end
  ok, err, errno = socket:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEPORT, true)
  if not ok and errno ~= csock.errno.ENOPROTOOPT then return nil, err, errno end
  return true
end

--- Receives datagrams, those to groups, too, that the port joins.
--
--     local PingPong = class("PingPong", protocol.DatagramProtocol)
--
--     function PingPong:startProtocol()
--       self.transport:setTTL(5) -- past routers
--       self.transport:joinGroup "228.0.0.5"
--     end
--
--     function PingPong:datagramReceived(data, address)
--       if data == "Client: Ping" then self.transport:write("Server: Pong", address) end
--     end
--
--     assert(reactor.listenMulticast(8005, PingPong(), "", 8192, true))
-- @tparam int number the port; 0: any free one
-- @tparam datagramprotocol protocol one that has no transport yet
-- @tparam[opt=""] string interface the address to receive at; `"::"` for groups of IPv6. Where it is no such address of
-- all, it is received at that one alone, and so from no group
-- @tparam[opt=8192] int maxPacketSize bytes, at least 1; longer datagrams are cut
-- @tparam[opt=false] boolean listenMultiple whether others may receive at the same port at the same time
-- @treturn[1] multicastport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol(), "", 8192, true))
-- port:joinGroup("228.0.0.5", "127.0.0.1"):addErrback(print)
function M.listenMulticast(number, protocol, interface, maxPacketSize, listenMultiple)
  check.argument(given.PORT, number, 1, "listenMulticast")
  given.idle("listenMulticast", 2, protocol, "datagramReceived")
  check.argument(given.INTERFACE, interface, 3, "listenMulticast")
  local size = check.argument(given.SIZE, maxPacketSize or SIZE, 4, "listenMulticast")
  local socket, err, errno = bound(number, interface, listenMultiple and shared)
  if not socket then return nil, err, errno end
  return multicast.MulticastPort(socket, protocol, size)
end

-- --- Unix sockets ---------------------------------------------------------------------------------

-- Binds it to a path, unless that is "".
local function bind(socket, path, mode)
  if path == "" then return true end
  return unixpath.bind(path, mode, socket.bind, socket, path)
end

--- Receives datagrams at a path. A socket that another program left behind there is replaced, but not one that
-- somebody has. The path is removed in the end.
-- @tparam string path
-- @tparam datagramprotocol protocol one that has no transport yet
-- @tparam[opt=8192] int maxPacketSize bytes, at least 1; longer datagrams are cut
-- @tparam[opt] string|int mode the path's, such as `"660"`: who may send; nil: as the umask has it
-- @treturn[1] unixdatagramport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE` ...)
-- @usage
-- local port = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- port:stopListening()
function M.listenUNIXDatagram(path, protocol, maxPacketSize, mode)
  check.argument(given.PATH, path, 1, "listenUNIXDatagram")
  given.idle("listenUNIXDatagram", 2, protocol, "datagramReceived")
  local size = check.argument(given.SIZE, maxPacketSize or SIZE, 3, "listenUNIXDatagram")
  if mode ~= nil then check.argument(unixpath.MODE, mode, 4, "listenUNIXDatagram") end
  local socket, err, errno = csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)
  if not socket then return nil, err, errno end
  local holder <close> = internal.holder(socket)
  local ok
  ok, err, errno = bind(socket, path, mode)
  if not ok then return nil, err, errno end
  return unix_datagram.UNIXDatagramPort(holder:take(), protocol, size, path)
end

-- A socket of this path, if there is one, which sends to that one.
local function connected(path, bindAddress, mode)
  local socket, err, errno = csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)
  if not socket then return nil, err, errno end
  local holder <close> = internal.holder(socket)
  local ok
  ok, err, errno = bind(socket, bindAddress, mode)
  if not ok then return nil, err, errno end
  ok, err, errno = socket:connect(path)
  if ok then return holder:take() end
  socket:close()
  unixpath.remove_dead(bindAddress)
  return nil, err, errno
end

--- Exchanges datagrams with a path. When nobody receives there, the protocol's `connectionFailed` is called before this
-- returns.
-- @tparam string path
-- @tparam connecteddatagramprotocol protocol one that has no transport yet
-- @tparam[opt=8192] int maxPacketSize bytes, at least 1; longer datagrams are cut
-- @tparam[opt] string|int mode bindAddress's, such as `"660"`; nil: as the umask has it
-- @tparam[opt=""] string bindAddress this side's path, by which it is answered; it is removed in the end. `""`: none
-- @treturn[1] connectedunixdatagramport
-- @treturn[2] nil
-- @treturn[2] error the `value` of what the protocol was told
-- @treturn[2] int errno (`ECONNREFUSED`, `ENOENT`; `EADDRINUSE` ...)
-- @usage
-- local server = assert(reactor.listenUNIXDatagram("server.sock", protocol.DatagramProtocol()))
-- local client = assert(reactor.connectUNIXDatagram("server.sock", protocol.ConnectedDatagramProtocol()))
-- client:write "hello"
-- server:stopListening()
function M.connectUNIXDatagram(path, protocol, maxPacketSize, mode, bindAddress)
  check.argument(given.PATH, path, 1, "connectUNIXDatagram")
  given.idle("connectUNIXDatagram", 2, protocol, "connectionFailed")
  local size = check.argument(given.SIZE, maxPacketSize or SIZE, 3, "connectUNIXDatagram")
  if mode ~= nil then check.argument(unixpath.MODE, mode, 4, "connectUNIXDatagram") end
  if bindAddress ~= nil then check.argument(given.PATH, bindAddress, 5, "connectUNIXDatagram") end
  bindAddress = bindAddress or ""
  local socket, err, errno = connected(path, bindAddress, mode)
  if socket then return unix_datagram.ConnectedUNIXDatagramPort(socket, protocol, size, bindAddress, path) end
  protocol:connectionFailed(reason.of_connect(err))
  return nil, err, errno
end

return M
