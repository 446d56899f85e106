--- TLS for endpoints: contexts of the files that a description names, and endpoints that go on over TLS.
-- @module csock.endpoints
local check = require "csock.check"
local class = require "csock.class"
local connecting = require "csock.endpoints.connecting"
local defer = require "csock.defer"
local files = require "csock.core".file
local given = require "csock.reactor.arguments"
local internal = require "csock.loop.internal"
local protocol = require "csock.protocol"
local reason = require "csock.reactor.reason"
local secure = require "csock.secure"
local tls = require "csock.reactor.tls"

local M = {}

-- --- contexts -------------------------------------------------------------------------------------

-- pyOpenSSL's names, as far as there are such connections: the version, or false for any.
local METHODS = {
  SSLv23_METHOD = false, TLS_METHOD = false, TLS_SERVER_METHOD = false,
  TLSv1_2_METHOD = "TLSv1_2",
}

-- A server's context of `privateKey`, `certKey`, `extraCertChain` and `sslmethod`; or nil, err, errno.
function M.server_context(options)
  local version = options.sslmethod and METHODS[options.sslmethod]
  if options.sslmethod and version == nil then check.fail(("ssl: no sslmethod '%s'"):format(options.sslmethod)) end
  local ssl = require "csock.ssl"
  local context, err, errno = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
  if not context then return nil, err, errno end
  local key = options.privateKey or "server.pem"
  local ok
  ok, err, errno = context:load_cert_chain(options.certKey or key, key, nil, options.extraCertChain)
  if not ok then return nil, err, errno end
  if version then
    context.minimum_version, context.maximum_version = ssl.TLSVersion[version], ssl.TLSVersion[version]
  end
  return context
end

-- Trusts the certificates in a folder's files named `.pem`. Those that hold none are passed over.
local function trust(context, folder)
  local names, err, errno = files.names(folder)
  if not names then return nil, err, errno end
  for _, name in ipairs(names) do
    if name:lower():find "%.pem$" then context:load_verify_locations(folder .. "/" .. name) end
  end
  return true
end

-- A client's context: whom it trusts (a folder; nil: whom the system trusts), and who it is, if it has a certificate.
-- Or nil, err, errno.
function M.client_context(folder, certificate, key)
  local ssl = require "csock.ssl"
  local context, err, errno
  if folder then
    context, err, errno = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
  else
    context, err, errno = ssl.create_default_context()
  end
  if not context then return nil, err, errno end
  local ok = true
  if folder then ok, err, errno = trust(context, folder) end
  if ok and certificate then ok, err, errno = context:load_cert_chain(certificate, key) end
  if not ok then return nil, err, errno end
  return context
end

-- What gives the context, with the name that is to be verified.
function M.for_host(context, hostname)
  return { getContext = function() return context end, server_hostname = hostname }
end

-- --- connections that go on over TLS --------------------------------------------------------------

-- Makes the handshake; the protocol proper is made then, and takes its place when it is connected.
local Greeter = class("TLSGreeter", protocol.Protocol)

function Greeter:__init(factory, contextFactory)
  self.factory, self.contextFactory = factory, contextFactory
  self.greeted = defer.Deferred(function(deferred)
    deferred:errback(reason.ConnectingCancelledError(self.transport:getPeer()))
    self.transport:abortConnection()
  end)
end

function Greeter:connectionMade()
  local ok, err = self.transport:startTLS(self.contextFactory)
  if not ok then self.refused = err end -- and the connection is aborted
end

function Greeter:handshakeCompleted()
  local transport = self.transport
  local built, failure = connecting.build(self.factory, transport:getPeer())
  if self.greeted.called then return end -- it was cancelled meanwhile, which aborts the connection
  if not built then
    self.greeted:errback(failure)
    return transport:loseConnection()
  end
  self.built = built
  built:makeConnection(transport)
  transport.protocol = built
  if self.greeted.called then return end
  self.greeted:callback(built)
  if transport.connected then built:handshakeCompleted() end
end

function Greeter:connectionLost(why)
  if self.built then self.built:connectionLost(why) end -- its `connectionMade` has raised an error
  if self.greeted.called then return end
  local err = self.refused or why:check "ConnectionLost" and why.value
  self.greeted:errback(internal.is_error(err) and reason.of_connect(err) or why)
end

local GreetingFactory = class("TLSGreetingFactory", protocol.ClientFactory)

function GreetingFactory:__init(factory, contextFactory)
  self.factory, self.contextFactory = factory, contextFactory
end

function GreetingFactory:buildProtocol() return Greeter(self.factory, self.contextFactory) end
function GreetingFactory:doStart() self.factory:doStart() end
function GreetingFactory:doStop() self.factory:doStop() end

-- What `endpoints.wrapClientTLS` gives.
local WrapperEndpoint = class("TLSWrapperEndpoint")

function WrapperEndpoint:__init(contextFactory, wrapped)
  self.contextFactory, self.wrapped = contextFactory, wrapped
end

function WrapperEndpoint:connect(factory)
  given.object("connect", 1, factory, "factory", "buildProtocol")
  return self.wrapped:connect(GreetingFactory(factory, self.contextFactory)):addCallback(function(greeter)
    return greeter.greeted
  end)
end

--- An endpoint that connects as another one does, and goes on over TLS at once. The protocol is made when the handshake
-- is (Twisted makes it before); what goes wrong until then is the deferred's failure, an `SSLError` for instance.
-- Source: Twisted's `twisted.internet.endpoints.wrapClientTLS`.
-- @function wrapClientTLS
-- @param contextFactory a client's `SSLContext`, or an object whose `getContext()` gives one and whose field
-- `server_hostname` is the name to be verified; unless it is given, the host that was connected to is
-- @param wrappedEndpoint a client's endpoint
-- @return an endpoint with the method `connect`
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local plain = endpoints.HostnameEndpoint(reactor, "localhost", 443)
-- local endpoint = endpoints.wrapClientTLS(ssl.create_default_context(), plain)
-- endpoint:connect(factory):addCallback(function(client) print(client.transport.TLS) end):addBoth(reactor.stop)
-- reactor.run() --> true
function M.wrapClientTLS(contextFactory, wrappedEndpoint)
  tls.check(secure.CLIENT, contextFactory, 1, "wrapClientTLS")
  return WrapperEndpoint(contextFactory, wrappedEndpoint)
end

return M
