--- What all policies are made of: a protocol around a protocol, a factory around a factory.
-- @module csock.policies
local class = require "csock.class"
local protocol = require "csock.protocol"
local arguments = require "csock.reactor.arguments"

local Protocol, ClientFactory = protocol.Protocol, protocol.ClientFactory

local M = {}

--- A protocol that is the transport of another one, `wrappedProtocol`, and passes on everything, in both directions.
-- Derived classes override what they want to see or change. `factory` is the one that made it.
--
-- It has all that the transport has: its methods; its fields, of which those that may be set are set there
-- (`bufferSize`, `abortTimeout`, `handshakeTimeout`). So fields of a derived class that may be nil need a value in the
-- class, such as false.
-- @type protocolwrapper
local ProtocolWrapper = class("ProtocolWrapper", Protocol)
M.ProtocolWrapper = ProtocolWrapper

--- The protocol in it; nil after `connectionLost`.
-- @field protocolwrapper:wrappedProtocol

-- What a transport tells its protocol by methods that this need not have.
local OPTIONAL = { pauseWriting = true, resumeWriting = true, readConnectionLost = true, writeConnectionLost = true }

-- The fields of a transport that are for others to set.
local SETTINGS = { bufferSize = true, abortTimeout = true, handshakeTimeout = true }

-- Functions by the names of methods, which call those of the object in a field.
local function passing_to(field)
  return setmetatable({}, {
    __index = function(functions, name)
      local function pass(self, ...)
        local object = rawget(self, field)
        return object[name](object, ...)
      end
      functions[name] = pass
      return pass
    end,
  })
end

local to_transport, to_protocol = passing_to "transport", passing_to "wrappedProtocol"

function ProtocolWrapper:__index(name)
  if OPTIONAL[name] then
    local wrapped = rawget(self, "wrappedProtocol")
    return wrapped and wrapped[name] and to_protocol[name]
  end
  local transport = rawget(self, "transport")
  local value = transport and transport[name]
  return type(value) == "function" and to_transport[name] or value
end

function ProtocolWrapper:__newindex(name, value)
  local transport = SETTINGS[name] and rawget(self, "transport")
  if transport then
    transport[name] = value
  else
    rawset(self, name, value)
  end
end

--- Made by calling the class, by the factory.
-- @function protocolwrapper:__init
-- @tparam wrappingfactory factory
-- @tparam protocol wrappedProtocol
function ProtocolWrapper:__init(factory, wrappedProtocol)
  self.factory, self.wrappedProtocol = factory, wrappedProtocol
end

-- What to call it in a log. `wrapped` may be nil: it is over.
local function log_prefix(self, wrapped)
  local own = self.__class.__name
  if not wrapped then return own end
  return ("%s (%s)"):format(wrapped.logPrefix and wrapped:logPrefix() or type(wrapped), own)
end

--- What to call it in a log: what the protocol in it is called, and in parentheses its own class.
-- @function protocolwrapper:logPrefix
-- @treturn string
-- @usage
-- local wrapper = policies.ProtocolWrapper(nil, protocol.LineReceiver())
-- print(wrapper:logPrefix()) --> LineReceiver (ProtocolWrapper)
function ProtocolWrapper:logPrefix() return log_prefix(self, self.wrappedProtocol) end

function ProtocolWrapper:makeConnection(transport)
  ProtocolWrapper.super.makeConnection(self, transport)
  self.factory:registerProtocol(self)
  self.wrappedProtocol:makeConnection(self)
end

-- --- for the protocol: a transport ----------------------------------------------------------------

--- Sends data. May be overridden.
-- @function protocolwrapper:write
-- @tparam string data
function ProtocolWrapper:write(data) return self.transport:write(data) end

--- Sends several pieces. May be overridden.
-- @function protocolwrapper:writeSequence
-- @tparam {string,...} pieces
function ProtocolWrapper:writeSequence(pieces) return self.transport:writeSequence(pieces) end

--- Closes the connection when all is sent. May be overridden. `disconnecting` is true then.
-- @function protocolwrapper:loseConnection
function ProtocolWrapper:loseConnection()
  self.disconnecting = true
  return self.transport:loseConnection()
end

--- The peer's address. May be overridden.
-- @function protocolwrapper:getPeer
-- @treturn address
function ProtocolWrapper:getPeer() return self.transport:getPeer() end

--- This side's address. May be overridden.
-- @function protocolwrapper:getHost
-- @treturn address
function ProtocolWrapper:getHost() return self.transport:getHost() end

--- Has a producer write to the connection. May be overridden.
-- @function protocolwrapper:registerProducer
-- @param producer
-- @tparam boolean streaming
function ProtocolWrapper:registerProducer(producer, streaming)
  return self.transport:registerProducer(producer, streaming)
end

--- The producer has nothing more to write. May be overridden.
-- @function protocolwrapper:unregisterProducer
function ProtocolWrapper:unregisterProducer() return self.transport:unregisterProducer() end

--- Takes nothing more from the producer, and closes the connection. May be overridden.
-- @function protocolwrapper:stopConsuming
function ProtocolWrapper:stopConsuming() return self.transport:stopConsuming() end

-- --- for the transport: a protocol ----------------------------------------------------------------

--- Called with what has come, for the protocol in it. May be overridden.
-- @function protocolwrapper:dataReceived
-- @tparam string data
function ProtocolWrapper:dataReceived(data) return self.wrappedProtocol:dataReceived(data) end

--- Called when the handshake of TLS is made. May be overridden.
-- @function protocolwrapper:handshakeCompleted
function ProtocolWrapper:handshakeCompleted() return self.wrappedProtocol:handshakeCompleted() end

--- Called by `startTLS`: whether the protocol holds bytes that have come. May be overridden.
-- @function protocolwrapper:holdsInput
-- @treturn boolean
function ProtocolWrapper:holdsInput() return self.wrappedProtocol:holdsInput() end

--- Called when the connection is over: the factory is told, then the protocol. May be overridden.
-- @function protocolwrapper:connectionLost
-- @tparam reason reason
function ProtocolWrapper:connectionLost(reason)
  self.factory:unregisterProtocol(self)
  self.wrappedProtocol:connectionLost(reason)
  self.wrappedProtocol = nil
end

-- --- factories ------------------------------------------------------------------------------------

--- A factory around another one, `wrappedFactory`: it makes the protocols, this one a wrapper around each; of all else
-- that the factory is told, it is told here, too. For servers and clients.
-- @type wrappingfactory
local WrappingFactory = class("WrappingFactory", ClientFactory)
M.WrappingFactory = WrappingFactory

--- The class of the wrappers: `ProtocolWrapper`, unless a derived class has another one.
-- @field wrappingfactory:protocol
WrappingFactory.protocol = ProtocolWrapper

--- The wrappers whose connections are there, a table: of each a number, in the order in which they came, of others nil.
-- @field wrappingfactory:protocols

local serial = 0

--- Made by calling the class, by `policies.WrappingFactory(factory)`.
-- @function wrappingfactory:__init
-- @tparam factory wrappedFactory
-- @usage
-- local factory = policies.WrappingFactory(protocol.Factory:forProtocol(protocol.LineReceiver))
function WrappingFactory:__init(wrappedFactory)
  arguments.object(self.__class.__name, 1, wrappedFactory, "factory", "buildProtocol")
  self.wrappedFactory, self.protocols = wrappedFactory, {}
end

--- What to call it in a log: what the factory in it is called, and in parentheses its own class.
-- @function wrappingfactory:logPrefix
-- @treturn string
-- @usage
-- local factory = policies.WrappingFactory(protocol.Factory())
-- print(factory:logPrefix()) --> Factory (WrappingFactory)
function WrappingFactory:logPrefix() return log_prefix(self, self.wrappedFactory) end

function WrappingFactory:doStart()
  self.wrappedFactory:doStart()
  WrappingFactory.super.doStart(self)
end

function WrappingFactory:doStop()
  self.wrappedFactory:doStop()
  WrappingFactory.super.doStop(self)
end

function WrappingFactory:startedConnecting(connector) self.wrappedFactory:startedConnecting(connector) end

function WrappingFactory:clientConnectionFailed(connector, reason)
  self.wrappedFactory:clientConnectionFailed(connector, reason)
end

function WrappingFactory:clientConnectionLost(connector, reason)
  self.wrappedFactory:clientConnectionLost(connector, reason)
end

function WrappingFactory:handshakeFailed(address, reason)
  local wrapped = self.wrappedFactory
  if wrapped.handshakeFailed then wrapped:handshakeFailed(address, reason) end
end

--- Makes the wrapper around a protocol. To be overridden by classes whose wrappers take more than that.
-- @function wrappingfactory:wrap
-- @tparam protocol wrapped
-- @treturn protocolwrapper
function WrappingFactory:wrap(wrapped) return self.protocol(self, wrapped) end

function WrappingFactory:buildProtocol(address)
  local wrapped = self.wrappedFactory:buildProtocol(address)
  return wrapped and self:wrap(wrapped)
end

--- Called by a wrapper when its connection is there. May be overridden.
-- @function wrappingfactory:registerProtocol
-- @tparam protocolwrapper wrapper
function WrappingFactory:registerProtocol(wrapper)
  serial = serial + 1
  self.protocols[wrapper] = serial
end

--- Called by a wrapper when its connection is over. May be overridden.
-- @function wrappingfactory:unregisterProtocol
-- @tparam protocolwrapper wrapper
function WrappingFactory:unregisterProtocol(wrapper) self.protocols[wrapper] = nil end

return M
