--- Endpoints: where to listen and where to connect to, as values, which a user may write down as a string.
--
--     local endpoints = require "csock.endpoints"
--
--     local server = assert(endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1"))
--     server:listen(factory):addErrback(function(why) print(why) end)
--
--     local client = assert(endpoints.clientFromString(reactor, "tls:example.org:443"))
--     client:connect(factory):addCallbacks(use, print)
--
-- `listen(factory)` gives a deferred (@{csock.defer}) of the port, `connect(factory)` one of the protocol, which is
-- fired when its `connectionMade` has returned. To cancel that ends the attempt. Failures are those of
-- @{csock.reactor.reason}: `CannotListenError`, `ConnectError`, `ConnectingCancelledError` ...
--
-- Names and meaning are those of Twisted's `twisted.internet.endpoints`, with these differences: files that cannot be
-- read are nil and an error, as everywhere in csock; and a server's certificate is always verified.
-- @module csock.endpoints
local check = require "csock.check"
local client = require "csock.endpoints.client"
local process = require "csock.endpoints.process"
local protocol = require "csock.protocol"
local server = require "csock.endpoints.server"
local strings = require "csock.endpoints.strings"
local tls = require "csock.endpoints.tls"

local M = {
  serverFromString = strings.serverFromString,
  clientFromString = strings.clientFromString,
  serverParsers = strings.serverParsers,
  clientParsers = strings.clientParsers,
  quoteStringArgument = strings.quoteStringArgument,
  wrapClientTLS = tls.wrapClientTLS,
}
for _, classes in ipairs { server, client, process } do
  for name, class in pairs(classes) do M[name] = class end
end

--- Connects a protocol, without a factory.
-- Source: Twisted's `twisted.internet.endpoints.connectProtocol`.
-- @function connectProtocol
-- @param endpoint a client's
-- @tparam protocol protocol
-- @treturn deferred of the protocol, as `endpoint:connect` gives it
-- @usage
-- local endpoint = endpoints.TCP4ClientEndpoint(reactor, "localhost", 21567)
-- endpoints.connectProtocol(endpoint, protocol.LineReceiver()):addCallback(function(client)
--   client.transport:loseConnection()
--   reactor.stop()
-- end)
-- reactor.run()
function M.connectProtocol(endpoint, made)
  check.argument(check.TABLE, made, 2, "connectProtocol")
  local factory = protocol.Factory()
  function factory.buildProtocol() return made end
  return endpoint:connect(factory)
end

return M
