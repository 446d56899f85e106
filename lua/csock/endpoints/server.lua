--- Endpoints to listen at, for csock.endpoints.
-- @module csock.endpoints
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local given = require "csock.reactor.arguments"
local reason = require "csock.reactor.reason"

local M = {}

-- A deferred of the port that `listen(port, factory, ...)`, a function of a reactor's, gives.
local function listening(interface, listen, port, factory, ...)
  given.object("listen", 1, factory, "factory", "buildProtocol")
  return defer.maybeDeferred(function(...)
    local opened, err = listen(port, factory, ...)
    return opened or reason.CannotListenError(err, interface, port)
  end, ...)
end

--- Listens for TCP connections. Made by calling the class: `TCP4ServerEndpoint(reactor, port[, backlog[, interface]])`,
-- as for `reactor.listenTCP`.
-- @type tcp4serverendpoint
local TCP4ServerEndpoint = class("TCP4ServerEndpoint")
M.TCP4ServerEndpoint = TCP4ServerEndpoint

TCP4ServerEndpoint.interface = ""

function TCP4ServerEndpoint:__init(reactor, port, backlog, interface)
  self.reactor, self.port, self.backlog, self.interface = reactor, port, backlog or 50, interface
end

--- Begins to listen.
-- @function tcp4serverendpoint:listen
-- @tparam factory factory
-- @treturn deferred of the port; or its failure is a `CannotListenError`
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.TCP4ServerEndpoint(reactor, 8000)
-- endpoint:listen(factory):addCallback(function(port) port:stopListening() end)
function TCP4ServerEndpoint:listen(factory)
  return listening(self.interface, self.reactor.listenTCP, self.port, factory, self.backlog, self.interface)
end

--- Listens for TCP connections over IPv6: at `"::"`, any address, unless told.
-- @type tcp6serverendpoint
local TCP6ServerEndpoint = class("TCP6ServerEndpoint", TCP4ServerEndpoint)
M.TCP6ServerEndpoint = TCP6ServerEndpoint

TCP6ServerEndpoint.interface = "::"

--- Listens for connections over TLS. Made by calling the class: `SSL4ServerEndpoint(reactor, port, contextFactory[,
-- backlog[, interface]])`, as for `reactor.listenSSL`.
-- @type ssl4serverendpoint
local SSL4ServerEndpoint = class("SSL4ServerEndpoint")
M.SSL4ServerEndpoint = SSL4ServerEndpoint

function SSL4ServerEndpoint:__init(reactor, port, contextFactory, backlog, interface)
  self.reactor, self.port, self.contextFactory = reactor, port, contextFactory
  self.backlog, self.interface = backlog or 50, interface or ""
end

--- Begins to listen.
-- @function ssl4serverendpoint:listen
-- @tparam factory factory
-- @treturn deferred of the port; or its failure is a `CannotListenError`
-- @usage
-- local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
-- context:load_cert_chain("cert.pem", "key.pem")
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.SSL4ServerEndpoint(reactor, 8443, context)
-- endpoint:listen(factory):addCallback(function(port) port:stopListening() end)
function SSL4ServerEndpoint:listen(factory)
  return listening(
    self.interface, self.reactor.listenSSL, self.port, factory, self.contextFactory, self.backlog, self.interface)
end

--- Listens for connections at a path. Made by calling the class: `UNIXServerEndpoint(reactor, address[, backlog[,
-- mode[, wantPID]]])`, as for `reactor.listenUNIX`. The file's mode is 0666 unless told. `wantPID` changes nothing: a
-- socket that nobody answers at is replaced without a lock file, too.
-- @type unixserverendpoint
local UNIXServerEndpoint = class("UNIXServerEndpoint")
M.UNIXServerEndpoint = UNIXServerEndpoint

function UNIXServerEndpoint:__init(reactor, address, backlog, mode, wantPID)
  self.reactor, self.address, self.backlog = reactor, address, backlog or 50
  self.mode, self.wantPID = mode or tonumber("666", 8), wantPID or false
end

--- Begins to listen.
-- @function unixserverendpoint:listen
-- @tparam factory factory
-- @treturn deferred of the port; or its failure is a `CannotListenError`
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.UNIXServerEndpoint(reactor, "server.sock")
-- endpoint:listen(factory):addCallback(function(port) port:stopListening() end)
function UNIXServerEndpoint:listen(factory)
  return listening(nil, self.reactor.listenUNIX, self.address, factory, self.backlog, self.mode, self.wantPID)
end

--- Listens at a descriptor that listens already. Made by calling the class: `AdoptedStreamServerEndpoint(reactor, fd,
-- family)`, as for `reactor.adoptStreamPort`. It can be used once: the descriptor is closed then, and the port has one
-- of its own.
-- @type adoptedstreamserverendpoint
local AdoptedStreamServerEndpoint = class("AdoptedStreamServerEndpoint")
M.AdoptedStreamServerEndpoint = AdoptedStreamServerEndpoint

AdoptedStreamServerEndpoint.used = false

function AdoptedStreamServerEndpoint:__init(reactor, fileno, addressFamily)
  self.reactor, self.fileno, self.addressFamily = reactor, fileno, addressFamily
end

--- Begins to listen.
-- @function adoptedstreamserverendpoint:listen
-- @tparam factory factory
-- @treturn deferred of the port; or its failure is `AlreadyListened`, or what `adoptStreamPort` gives
-- @usage
-- local listener = assert(csock.create_server {"127.0.0.1", 8000})
-- local endpoint = endpoints.AdoptedStreamServerEndpoint(reactor, listener:detach(), csock.AF_INET)
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- endpoint:listen(factory):addCallback(function(port) port:stopListening() end)
function AdoptedStreamServerEndpoint:listen(factory)
  given.object("listen", 1, factory, "factory", "buildProtocol")
  if self.used then return defer.fail(reason.AlreadyListened()) end
  self.used = true
  return defer.maybeDeferred(function()
    local port, err = self.reactor.adoptStreamPort(self.fileno, self.addressFamily, factory)
    if not port then return nil, err end
    csock.close(self.fileno)
    return port
  end)
end

return M
