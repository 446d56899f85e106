--- Factories that make no more than so many protocols.
-- @module csock.policies
local class = require "csock.class"
local protocol = require "csock.protocol"
local wrapper = require "csock.policies.wrapper"

local M = {}

--- A factory that allows each peer so many connections at a time; further ones are closed.
-- @type limitconnectionsbypeer
local LimitConnectionsByPeer = class("LimitConnectionsByPeer", wrapper.WrappingFactory)
M.LimitConnectionsByPeer = LimitConnectionsByPeer

--- How many connections one peer may have.
-- @field limitconnectionsbypeer:maxConnectionsPerPeer
LimitConnectionsByPeer.maxConnectionsPerPeer = 5

--- How many each has, by its host, an address as text; nil: none. Those of a Unix socket are one peer. A table.
-- @field limitconnectionsbypeer:peerConnections

--- Made by calling the class, by `policies.LimitConnectionsByPeer(factory)`.
-- @function limitconnectionsbypeer:__init
-- @tparam factory wrappedFactory
-- @usage
-- local factory = policies.LimitConnectionsByPeer(protocol.Factory:forProtocol(protocol.LineReceiver))
-- factory.maxConnectionsPerPeer = 2
function LimitConnectionsByPeer:__init(wrappedFactory)
  LimitConnectionsByPeer.super.__init(self, wrappedFactory)
  self.peerConnections = {}
end

local function host_of(address)
  return type(address) ~= "string" and address and address.host or ""
end

function LimitConnectionsByPeer:buildProtocol(address)
  local host = host_of(address)
  if (self.peerConnections[host] or 0) >= self.maxConnectionsPerPeer then return nil end
  local new = LimitConnectionsByPeer.super.buildProtocol(self, address)
  if not new then return nil end
  self.peerConnections[host] = (self.peerConnections[host] or 0) + 1
  new.peerHost = host
  return new
end

function LimitConnectionsByPeer:unregisterProtocol(p)
  LimitConnectionsByPeer.super.unregisterProtocol(self, p)
  local left = self.peerConnections[p.peerHost] - 1
  self.peerConnections[p.peerHost] = left > 0 and left or nil
end

--- A factory of protocols, not around another factory, that allows so many connections in all.
-- @type limittotalconnectionsfactory
local LimitTotalConnectionsFactory = class("LimitTotalConnectionsFactory", protocol.ServerFactory)
M.LimitTotalConnectionsFactory = LimitTotalConnectionsFactory

--- How many there are.
-- @field limittotalconnectionsfactory:connectionCount
LimitTotalConnectionsFactory.connectionCount = 0

--- How many there may be; nil: any number.
-- @field limittotalconnectionsfactory:connectionLimit

--- The class of the protocols for connections beyond that, which are to say so and close; those count, too. nil: they
-- are closed at once.
-- @field limittotalconnectionsfactory:overflowProtocol

function LimitTotalConnectionsFactory:buildProtocol(address) -- luacheck: ignore 212
  local full = self.connectionLimit and self.connectionCount >= self.connectionLimit
  if full and not self.overflowProtocol then return nil end
  local wrapped = (full and self.overflowProtocol or self.protocol)()
  wrapped.factory = self
  self.connectionCount = self.connectionCount + 1
  return wrapper.ProtocolWrapper(self, wrapped)
end

--- Called by a wrapper when its connection is there. May be overridden.
-- @function limittotalconnectionsfactory:registerProtocol
-- @tparam protocolwrapper wrapper
function LimitTotalConnectionsFactory:registerProtocol() end -- luacheck: ignore 212

--- Called by a wrapper when its connection is over. May be overridden.
-- @function limittotalconnectionsfactory:unregisterProtocol
-- @tparam protocolwrapper wrapper
function LimitTotalConnectionsFactory:unregisterProtocol() self.connectionCount = self.connectionCount - 1 end

return M
