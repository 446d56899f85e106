--- A reactor, as Twisted's: it listens, connects, tells the time, and calls the methods of protocols and
-- factories (@{csock.protocol}).
--
--     local reactor = require "csock.reactor"
--     local protocol = require "csock.protocol"
--     local class = require "csock.class"
--
--     local Echo = class("Echo", protocol.Protocol)
--     function Echo:dataReceived(data) self.transport:write(data) end
--
--     local factory = protocol.Factory()
--     factory.protocol = Echo
--     assert(reactor.listenTCP(8000, factory))
--     reactor.run()
--
-- Names and meaning are Twisted's, with these differences: what the world refuses is nil and an error, as
-- everywhere in csock; a reactor can be run again after `stop`; and an error in a callback ends its
-- connection (`connectionLost` is told a `CallbackError`), goes to `csock.loop.onerror` with its traceback, and
-- the reactor goes on.
--
-- All callbacks run in one task, one after the other. A callback may wait, as any code in a task may, but
-- all the others wait for it then: `csock.spawn` a task for what takes long.
-- @module csock.reactor
local class = require "csock.class"
local csock = require "csock"
local loop = require "csock.loop"
local connector = require "csock.reactor.connector"
local port = require "csock.reactor.port"
local reason = require "csock.reactor.reason"
local secure = require "csock.secure"
local tls = require "csock.reactor.tls"
local turns = require "csock.reactor.turns"
local check = require "csock.check"
local internal = require "csock.loop.internal"
local unixpath = require "csock.unixpath"

local _ = csock.create_connection -- what csock has in Lua, and internal.dial with it, is loaded when it is asked for

local M = {
  --- Whether it runs.
  -- @field running
  running = false,
  callLater = turns.callLater,
  getDelayedCalls = turns.getDelayedCalls,
}

local starters = {} -- what callWhenRunning was given before it ran

--- The clock by which it measures: seconds since some point in the past.
-- Source: Twisted's `reactor.seconds`.
-- @function seconds
-- @treturn number
-- @usage print(reactor.seconds())
M.seconds = loop.now

--- Calls a function as soon as the reactor runs: at once when it does.
-- Source: Twisted's `reactor.callWhenRunning`.
-- @tparam function f
-- @param ... its arguments
-- @usage
-- reactor.callWhenRunning(reactor.stop)
-- reactor.run()
function M.callWhenRunning(f, ...)
  if M.running then f(...) else starters[#starters + 1] = table.pack(f, ...) end
end

local function started()
  M.running = true
  local list = starters
  starters = {}
  for _, starter in ipairs(list) do turns.call(table.unpack(starter, 1, starter.n)) end
end

-- As Twisted does: whatever is open is lost, the ports too.
local function left()
  local why = reason.ConnectionLost("the reactor has stopped")
  connector.fail_all(why)
  for _, object in ipairs(internal.hub.objects()) do turns.call(object.connectionLost, object, why) end
  M.running = false
end

--- Runs until `stop`. Ctrl-C ends it, too; everything is closed then, and the error is raised again.
-- Ports and connections that are open when it ends are closed, and told `ConnectionLost`. Other signals do what they do
-- in any program; `csock.loop.on_signal("SIGTERM", reactor.stop)` has SIGTERM end it.
-- @raise when it runs already
-- @usage
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.run()
  if M.running then error("the reactor is running already", 2) end
  turns.run(started, left)
end

--- Makes `run` return when the callbacks of this turn are done.
-- @raise when it does not run
-- @usage
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.stop()
  if not M.running then error("the reactor is not running", 2) end
  turns.stop()
end

-- --- arguments ------------------------------------------------------------------------------------

local function is_string(value) return type(value) == "string" end

local HOST, PATH = check.kind("host: string", is_string), check.kind("path: string", is_string)
local INTERFACE = check.kind("interface: string", function(value) return value == nil or is_string(value) end)
local TIMEOUT = check.kind("timeout: seconds >= 0", function(value)
  return value == nil or check.TIMEOUT.fits(value)
end)

local function integer(words, least, most)
  return check.kind(words, check.integer(least, most).fits)
end

local PORT = integer("port: 0 to 65535", 0, 65535)
local BACKLOG = integer("backlog: integer >= 0", 0, 0x7fffffff)
local SIZE = integer("maxPacketSize: integer >= 1", 1)

-- An object that has this method, not a class.
local function check_object(call, place, value, what, method)
  if type(value) == "table" and not class.isclass(value) and value[method] then return end
  if class.isclass(value) then check.bad(call, place, ("%s expected, got %s"):format(what, value)) end
  check.expected(call, place, what, value)
end

-- --- listening ------------------------------------------------------------------------------------

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
  check.argument(PORT, number, 1, "listenTCP")
  check_object("listenTCP", 2, factory, "factory", "doStart")
  backlog = check.argument(BACKLOG, backlog or 50, 3, "listenTCP")
  check.argument(INTERFACE, interface, 4, "listenTCP")
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
  check.argument(PORT, number, 1, "listenSSL")
  check_object("listenSSL", 2, factory, "factory", "doStart")
  tls.check(secure.SERVER, contextFactory, 3, "listenSSL")
  backlog = check.argument(BACKLOG, backlog or 50, 4, "listenSSL")
  check.argument(INTERFACE, interface, 5, "listenSSL")
  local socket, err, errno = csock.create_server({ interface or "", number }, { backlog = backlog })
  if not socket then return nil, err, errno end
  return port.SSLPort(socket, factory, contextFactory)
end

--- Listens for connections at a path. A socket that another program left behind there is replaced, but
-- not one at which somebody answers. The path is removed in the end.
-- @tparam string path
-- @tparam factory factory
-- @tparam[opt=50] int backlog
-- @treturn[1] port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE` ...)
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local port = assert(reactor.listenUNIX("server.sock", factory))
-- port:stopListening()
function M.listenUNIX(path, factory, backlog)
  check.argument(PATH, path, 1, "listenUNIX")
  check_object("listenUNIX", 2, factory, "factory", "doStart")
  backlog = check.argument(BACKLOG, backlog or 50, 3, "listenUNIX")
  local options = { family = csock.AF_UNIX, backlog = backlog }
  local socket, err, errno = csock.create_server(path, options)
  if not socket and errno == csock.errno.EADDRINUSE and unixpath.remove_dead(path, csock.SOCK_STREAM) then
    socket, err, errno = csock.create_server(path, options)
  end
  if not socket then return nil, err, errno end
  return port.Port(socket, factory, path)
end

--- Receives datagrams.
-- @tparam int number the port; 0: any free one
-- @tparam datagramprotocol protocol
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
  check.argument(PORT, number, 1, "listenUDP")
  check_object("listenUDP", 2, protocol, "protocol", "datagramReceived")
  check.argument(INTERFACE, interface, 3, "listenUDP")
  maxPacketSize = check.argument(SIZE, maxPacketSize or 8192, 4, "listenUDP")
  interface = interface or ""
  local family = interface:find(":", 1, true) and csock.AF_INET6 or csock.AF_INET
  local socket, err, errno = csock.socket(family, csock.SOCK_DGRAM)
  if not socket then return nil, err, errno end
  local holder <close> = internal.holder(socket)
  local ok
  ok, err, errno = socket:bind(interface, number)
  if not ok then return nil, err, errno end
  return port.DatagramPort(holder:take(), protocol, maxPacketSize)
end

-- --- connecting -----------------------------------------------------------------------------------

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
  check.argument(HOST, host, 1, "connectTCP")
  check.argument(PORT, number, 2, "connectTCP")
  check_object("connectTCP", 3, factory, "factory", "startedConnecting")
  check.argument(TIMEOUT, timeout, 4, "connectTCP")
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
  check.argument(HOST, host, 1, "connectSSL")
  check.argument(PORT, number, 2, "connectSSL")
  check_object("connectSSL", 3, factory, "factory", "startedConnecting")
  tls.check(secure.CLIENT, contextFactory, 4, "connectSSL")
  check.argument(TIMEOUT, timeout, 5, "connectSSL")
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
  check.argument(PATH, path, 1, "connectUNIX")
  check_object("connectUNIX", 2, factory, "factory", "startedConnecting")
  check.argument(TIMEOUT, timeout, 3, "connectUNIX")
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
