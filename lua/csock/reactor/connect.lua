-- connect.lua: what the reactor connects by: `connectTCP`, `connectSSL`, `connectUNIX`.
local csock = require "csock"
local connector = require "csock.reactor.connector"
local given = require "csock.reactor.arguments"
local tls = require "csock.reactor.tls"
local check = require "csock.check"
local internal = require "csock.loop.internal"
local secure = require "csock.secure"

local _ = csock.create_connection -- what csock has in Lua, and internal.dial with it, is loaded when it is asked for

local M = {}

--- Connects to a host by its name or address.
-- @tparam string host
-- @tparam int number the port
-- @tparam clientfactory factory
-- @tparam[opt=30] number timeout seconds for all of it
-- @param[opt] bindAddress this side's address, such as `{"127.0.0.1", 0}`
-- @treturn connector
-- @usage
-- local factory = protocol.ClientFactory()
-- factory.protocol = protocol.Protocol
-- local connector = reactor.connectTCP("localhost", 21567, factory)
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.connectTCP(host, number, factory, timeout, bindAddress)
  check.argument(given.HOST, host, 1, "connectTCP")
  check.argument(given.PORT, number, 2, "connectTCP")
  given.object("connectTCP", 3, factory, "factory", "startedConnecting")
  check.argument(given.TIMEOUT, timeout, 4, "connectTCP")
  local options = { timeout = timeout or 30, source_address = bindAddress }
  local function dial() return internal.dial({ host, number }, options) end
  local new = connector.Connector(dial, factory, { host = host, port = number })
  new:connect()
  return new
end

--- Connects to a host over TLS. The server's certificate must be for `host`, where the context verifies names
-- (@{csock.ssl}). The connection is made when the handshake is, and so is the protocol (Twisted makes it before); what
-- goes wrong until then, a certificate that is refused for instance, is told to `clientConnectionFailed`: an
-- `SSLError`.
-- @tparam string host
-- @tparam int number the port
-- @tparam clientfactory factory
-- @param contextFactory a client's `SSLContext`; true for the default one; or an object whose `getContext()` gives one,
-- and whose field `server_hostname`, if it has one, is the name to be verified in place of `host`
-- @tparam[opt=30] number timeout seconds for all of it, with the handshake
-- @param[opt] bindAddress this side's address, such as `{"127.0.0.1", 0}`
-- @treturn connector
-- @usage
-- local factory = protocol.ClientFactory()
-- factory.protocol = protocol.Protocol
-- reactor.connectSSL("localhost", 443, factory, true)
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.connectSSL(host, number, factory, contextFactory, timeout, bindAddress)
  check.argument(given.HOST, host, 1, "connectSSL")
  check.argument(given.PORT, number, 2, "connectSSL")
  given.object("connectSSL", 3, factory, "factory", "startedConnecting")
  tls.check(secure.CLIENT, contextFactory, 4, "connectSSL")
  check.argument(given.TIMEOUT, timeout, 5, "connectSSL")
  local function dial()
    local context, name = tls.context(contextFactory, host)
    local socket, other = internal.dial({ host, number }, {
      timeout = timeout or 30, source_address = bindAddress, ssl = context, server_hostname = name,
    })
    return socket, other, true
  end
  local new = connector.Connector(dial, factory, { host = host, port = number })
  new:connect()
  return new
end

--- Connects to a path.
-- @tparam string path
-- @tparam clientfactory factory
-- @tparam[opt=30] number timeout seconds
-- @treturn connector
-- @usage
-- local factory = protocol.ClientFactory()
-- factory.protocol = protocol.Protocol
-- reactor.connectUNIX("server.sock", factory)
function M.connectUNIX(path, factory, timeout)
  check.argument(given.PATH, path, 1, "connectUNIX")
  given.object("connectUNIX", 2, factory, "factory", "startedConnecting")
  check.argument(given.TIMEOUT, timeout, 3, "connectUNIX")
  local function dial()
    local socket, err = csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)
    if not socket then return nil, err end
    local holder <close> = internal.holder(socket)
    socket:settimeout(timeout or 30)
    local ok
    ok, err = socket:connect(path)
    if not ok then return nil, err end
    return holder:take(), path
  end
  local new = connector.Connector(dial, factory, { address = path })
  new:connect()
  return new
end

return M
