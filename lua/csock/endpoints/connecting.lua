-- connecting.lua: from a reactor's connector, which tells a factory of what becomes of an attempt, to a deferred.
local class = require "csock.class"
local defer = require "csock.defer"
local failures = require "csock.defer.failure"
local given = require "csock.reactor.arguments"
local outcome = require "csock.defer.outcome"
local protocol = require "csock.protocol"
local reason = require "csock.reactor.reason"

local M = {}

-- Stands between the connector and a factory. `connected` is a deferred of the protocol.
local ConnectingFactory = class("ConnectingFactory", protocol.ClientFactory)

-- In the midst of the factory's `buildProtocol`, or the protocol's `connectionMade`, there is a connection already.
local function cancel(self, deferred)
  local connector = self.connector
  deferred:errback(reason.ConnectingCancelledError(connector:getDestination()))
  if connector.state == "connected" then connector:disconnect() else connector:stopConnecting() end
end

function ConnectingFactory:__init(factory)
  self.factory = factory
  self.connected = defer.Deferred(function(deferred) cancel(self, deferred) end)
end

function ConnectingFactory:startedConnecting(connector) self.connector = connector end
function ConnectingFactory:doStart() self.factory:doStart() end
function ConnectingFactory:doStop() self.factory:doStop() end

-- Has a protocol fire the deferred when its connection is made: the first call of its `makeConnection` goes through
-- here.
local function tell(self, built)
  local own = rawget(built, "makeConnection")
  function built.makeConnection(_, transport)
    built.makeConnection = own
    built:makeConnection(transport)
    if not self.connected.called then self.connected:callback(built) end
  end
end

-- What a factory makes; or nil and a failure.
function M.build(factory, address)
  local built = outcome.call(factory.buildProtocol, factory, address)
  if built == nil then return nil, reason.NoProtocol() end
  if failures.is_failure(built) then return nil, built end
  return built
end

function ConnectingFactory:buildProtocol(address)
  local built, failure = M.build(self.factory, address)
  if self.connected.called then return nil end -- it was cancelled meanwhile
  if not built then
    self.connected:errback(failure)
    return nil
  end
  tell(self, built)
  return built
end

local function failed(self, _, why)
  if not self.connected.called then self.connected:errback(why) end
end

ConnectingFactory.clientConnectionFailed = failed
ConnectingFactory.clientConnectionLost = failed -- `connectionMade` has raised an error

-- A deferred of the protocol that the factory makes when `dial(factory)`, which asks the reactor, has led to a
-- connection.
function M.connect(factory, dial)
  given.object("connect", 1, factory, "factory", "buildProtocol")
  return defer.maybeDeferred(function()
    local connecting = ConnectingFactory(factory)
    local connector, err = dial(connecting)
    if not connector then return nil, err end
    return connecting.connected
  end)
end

return M
