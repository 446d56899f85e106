--- Endpoints to connect to, for csock.endpoints.
-- @module csock.endpoints
local class = require "csock.class"
local connecting = require "csock.endpoints.connecting"
local csock = require "csock"
local defer = require "csock.defer"
local loop = require "csock.loop"
local reason = require "csock.reactor.reason"

local M = {}

local function connect_tcp(self, host, factory)
  return connecting.connect(factory, function(telling)
    return self.reactor.connectTCP(host, self.port, telling, self.timeout, self.bindAddress)
  end)
end

--- Connects over TCP. Made by calling the class: `TCP4ClientEndpoint(reactor, host, port[, timeout[, bindAddress]])`,
-- as for `reactor.connectTCP`.
-- @type tcp4clientendpoint
local TCP4ClientEndpoint = class("TCP4ClientEndpoint")
M.TCP4ClientEndpoint = TCP4ClientEndpoint

function TCP4ClientEndpoint:__init(reactor, host, port, timeout, bindAddress)
  self.reactor, self.host, self.port = reactor, host, port
  self.timeout, self.bindAddress = timeout or 30, bindAddress
end

--- Connects. To cancel the deferred ends the attempt: the failure is a `ConnectingCancelledError`.
-- @function tcp4clientendpoint:connect
-- @tparam factory factory
-- @treturn deferred of the protocol; its failure is a `ConnectError`, `NoProtocol`, or what a callback raised
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.TCP4ClientEndpoint(reactor, "localhost", 21567)
-- endpoint:connect(factory):addCallback(function(client)
--   client.transport:loseConnection()
--   reactor.stop()
-- end)
-- reactor.run()
function TCP4ClientEndpoint:connect(factory) return connect_tcp(self, self.host, factory) end

--- Connects over TCP and IPv6: a name is looked up for IPv6 addresses alone, of which the first one is taken.
-- @type tcp6clientendpoint
local TCP6ClientEndpoint = class("TCP6ClientEndpoint", TCP4ClientEndpoint)
M.TCP6ClientEndpoint = TCP6ClientEndpoint

local function look_up(host)
  local infos, err = csock.getaddrinfo(host, 0, csock.AF_INET6, csock.SOCK_STREAM)
  if not infos then return reason.of_connect(err) end
  return csock.getnameinfo(infos[1].addr, csock.NI_NUMERICHOST | csock.NI_NUMERICSERV) -- with its scope
end

--- Connects.
-- @function tcp6clientendpoint:connect
-- @tparam factory factory
-- @treturn deferred of the protocol, as that of `TCP4ClientEndpoint`
-- @usage
-- local endpoint = endpoints.TCP6ClientEndpoint(reactor, "::1", 1)
-- endpoint:connect(protocol.Factory:forProtocol(protocol.LineReceiver)):addErrback(function(why)
--   print(why:check "ConnectError")
--   reactor.stop()
-- end)
-- reactor.run() --> ConnectError
function TCP6ClientEndpoint:connect(factory)
  if csock.address(csock.AF_INET6, self.host, 0) then return connect_tcp(self, self.host, factory) end
  return defer.of(loop.spawn(look_up, self.host)):addCallback(function(host)
    return connect_tcp(self, host, factory)
  end)
end

--- Connects to the quickest of a name's addresses, of both families (RFC 8305; see @{csock.happy}). Made by calling the
-- class: `HostnameEndpoint(reactor, host, port[, timeout[, bindAddress]])`; `timeout` is for all of it, the look-up
-- too; `bindAddress` may be a host alone.
-- @type hostnameendpoint
local HostnameEndpoint = class("HostnameEndpoint", TCP4ClientEndpoint)
M.HostnameEndpoint = HostnameEndpoint

function HostnameEndpoint:__init(reactor, host, port, timeout, bindAddress)
  if type(bindAddress) == "string" then bindAddress = { bindAddress, 0 } end
  TCP4ClientEndpoint.__init(self, reactor, host, port, timeout, bindAddress)
end

function HostnameEndpoint:__tostring()
  local host = self.host:find(":", 1, true) and "[" .. self.host .. "]" or self.host
  return ("<HostnameEndpoint %s:%d>"):format(host, self.port)
end

--- Connects over TLS. Made by calling the class: `SSL4ClientEndpoint(reactor, host, port, contextFactory[, timeout[,
-- bindAddress]])`, as for `reactor.connectSSL`.
-- @type ssl4clientendpoint
local SSL4ClientEndpoint = class("SSL4ClientEndpoint")
M.SSL4ClientEndpoint = SSL4ClientEndpoint

function SSL4ClientEndpoint:__init(reactor, host, port, contextFactory, timeout, bindAddress)
  self.reactor, self.host, self.port, self.contextFactory = reactor, host, port, contextFactory
  self.timeout, self.bindAddress = timeout or 30, bindAddress
end

--- Connects, and makes the handshake.
-- @function ssl4clientendpoint:connect
-- @tparam factory factory
-- @treturn deferred of the protocol, as that of `TCP4ClientEndpoint`; its failure may be an `SSLError`
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.SSL4ClientEndpoint(reactor, "localhost", 443, true)
-- endpoint:connect(factory):addCallback(function(client) print(client.transport.TLS) end):addBoth(reactor.stop)
-- reactor.run() --> true
function SSL4ClientEndpoint:connect(factory)
  return connecting.connect(factory, function(telling)
    return self.reactor.connectSSL(self.host, self.port, telling, self.contextFactory, self.timeout, self.bindAddress)
  end)
end

--- Connects to a path. Made by calling the class: `UNIXClientEndpoint(reactor, path[, timeout[, checkPID]])`, as for
-- `reactor.connectUNIX`. `checkPID` changes nothing: that nobody listens there is told without a lock file, too.
-- @type unixclientendpoint
local UNIXClientEndpoint = class("UNIXClientEndpoint")
M.UNIXClientEndpoint = UNIXClientEndpoint

function UNIXClientEndpoint:__init(reactor, path, timeout, checkPID)
  self.reactor, self.path, self.timeout, self.checkPID = reactor, path, timeout or 30, checkPID or false
end

--- Connects.
-- @function unixclientendpoint:connect
-- @tparam factory factory
-- @treturn deferred of the protocol, as that of `TCP4ClientEndpoint`
-- @usage
-- local endpoint = endpoints.UNIXClientEndpoint(reactor, "nobody.sock")
-- endpoint:connect(protocol.Factory:forProtocol(protocol.LineReceiver)):addErrback(function(why)
--   print(why:check "ConnectionRefusedError")
--   reactor.stop()
-- end)
-- reactor.run() --> ConnectionRefusedError
function UNIXClientEndpoint:connect(factory)
  return connecting.connect(factory, function(telling)
    return self.reactor.connectUNIX(self.path, telling, self.timeout, self.checkPID)
  end)
end

return M
