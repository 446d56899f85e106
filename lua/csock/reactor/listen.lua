-- listen.lua: what the reactor listens by: `listenTCP`, `listenSSL`, `listenUNIX`. For datagrams: datagrams.lua.
local csock = require "csock"
local given = require "csock.reactor.arguments"
local port = require "csock.reactor.port"
local tls = require "csock.reactor.tls"
local check = require "csock.check"
local secure = require "csock.secure"
local unixpath = require "csock.unixpath"

local M = {}

--- Listens for TCP connections; the factory makes a protocol for each.
-- @tparam int number the port; 0: any free one (`port:getHost().port`)
-- @tparam factory factory
-- @tparam[opt=50] int backlog how many connections may wait to be accepted
-- @tparam[opt=""] string interface the address to listen on; `""` is any IPv4 address
-- @treturn[1] port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE`, `EACCES` ...)
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenTCP(8000, factory))
-- print(port:getHost().port)
function M.listenTCP(number, factory, backlog, interface)
  check.argument(given.PORT, number, 1, "listenTCP")
  given.object("listenTCP", 2, factory, "factory", "doStart")
  backlog = check.argument(given.BACKLOG, backlog or 50, 3, "listenTCP")
  check.argument(given.INTERFACE, interface, 4, "listenTCP")
  local socket, err, errno = csock.create_server({ interface or "", number }, { backlog = backlog })
  if not socket then return nil, err, errno end
  return port.Port(socket, factory)
end

--- Listens for connections over TLS; the factory makes a protocol for each when the handshake is made. A slow client
-- holds up nobody, and one that has not made it after `handshakeTimeout` seconds (10: @{csock.reactor.port}) is closed;
-- the factory's `handshakeFailed` is told of each that fails.
--
-- Twisted calls `connectionMade` before the handshake. Here it is called after it, so that no protocol takes somebody
-- for connected whose certificate may yet be refused; what comes is passed on after both.
-- @tparam int number the port; 0: any free one
-- @tparam factory factory
-- @param contextFactory a server's `SSLContext` (@{csock.ssl}), or an object whose `getContext()` gives the one for the
-- next connection
-- @tparam[opt=50] int backlog
-- @tparam[opt=""] string interface
-- @treturn[1] sslport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE`, `EACCES` ...)
-- @usage
-- local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
-- context:load_cert_chain("cert.pem", "key.pem")
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenSSL(8443, factory, context))
function M.listenSSL(number, factory, contextFactory, backlog, interface)
  check.argument(given.PORT, number, 1, "listenSSL")
  given.object("listenSSL", 2, factory, "factory", "doStart")
  tls.check(secure.SERVER, contextFactory, 3, "listenSSL")
  backlog = check.argument(given.BACKLOG, backlog or 50, 4, "listenSSL")
  check.argument(given.INTERFACE, interface, 5, "listenSSL")
  local socket, err, errno = csock.create_server({ interface or "", number }, { backlog = backlog })
  if not socket then return nil, err, errno end
  return port.SSLPort(socket, factory, contextFactory)
end

--- Listens for connections at a path. A socket that another program left behind there is replaced, but
-- not one at which somebody answers. The path is removed in the end.
-- @tparam string path
-- @tparam factory factory
-- @tparam[opt=50] int backlog
-- @tparam[opt] int|string mode of the path, who may connect: `"660"` (as the umask has it, if nil)
-- @treturn[1] port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE` ...)
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenUNIX("server.sock", factory))
-- port:stopListening()
function M.listenUNIX(path, factory, backlog, mode)
  check.argument(given.PATH, path, 1, "listenUNIX")
  given.object("listenUNIX", 2, factory, "factory", "doStart")
  backlog = check.argument(given.BACKLOG, backlog or 50, 3, "listenUNIX")
  if mode ~= nil then check.argument(unixpath.MODE, mode, 4, "listenUNIX") end
  local options = { family = csock.AF_UNIX, backlog = backlog }
  local socket, err, errno = unixpath.bind(path, mode, csock.create_server, path, options)
  if not socket then return nil, err, errno end
  return port.Port(socket, factory, path)
end

return M
