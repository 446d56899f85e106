--- What the reactor's `connectTCP`, `connectSSL` and `connectUNIX` give: a connection that is under way, open or lost.
-- @module csock.reactor.connector
local class = require "csock.class"
local loop = require "csock.loop"
local reason = require "csock.reactor.reason"
local transport = require "csock.reactor.transport"
local turns = require "csock.reactor.turns"

local M = {}

local under_way = {} -- connectors

--- Connects on behalf of a `ClientFactory`, which is told of the outcome.
--
-- `state` is "disconnected", "connecting" or "connected"; `host` and `port`, or `address` (of a Unix
-- socket) are where to.
-- @type connector
local Connector = class("Connector")
M.Connector = Connector
Connector.state = "disconnected"

-- `dial()` connects, in a task: a socket, the address that it is connected to, and whether it is over TLS; or nil and
-- the error.
function Connector:__init(dial, factory, destination)
  self.dial, self.factory = dial, factory
  for name, value in pairs(destination) do self[name] = value end
end

-- The attempt is over, in one way or another.
local function end_attempt(self)
  under_way[self] = nil
  local task, socket, secure = self.task, self.socket, self.secure
  self.task, self.socket, self.other, self.secure = nil, nil, nil, nil
  if task then task:cancel() end
  return socket, secure
end

-- To be done in the reactor's task: callbacks never interrupt each other.
local function finish(self, attempt)
  if self.attempt ~= attempt or self.state ~= "connecting" then return end
  local other = self.other
  local socket, secure = end_attempt(self)
  if not socket then return self:connectionFailed(reason.of_connect(other)) end
  self.state = "connected"
  local client = socket:getpeername() or other -- it may have been reset
  local connection = transport.Connection(socket, client, self)
  self.transport = connection
  if secure then connection:secured() end
  turns.call_for(connection, connection.build, connection, self.factory)
end

local function attempt_to_connect(self, attempt)
  local ok, socket, other, secure = pcall(self.dial)
  if ok then
    self.socket, self.other, self.secure = socket, other, secure
  else
    self.other = socket -- a bindAddress that is none, a context that is none
  end
  self.task = nil
  turns.callLater(0, finish, self, attempt)
end

--- Connects again, when it is disconnected: in `clientConnectionLost` or `clientConnectionFailed`, or later.
-- @function connector:connect
-- @raise when it is connecting or connected
-- @usage
-- local factory = protocol.ClientFactory()
-- function factory:clientConnectionLost(connector) connector:connect() end
function Connector:connect()
  if self.state ~= "disconnected" then error("can't connect in the state '" .. self.state .. "'", 2) end
  self.state = "connecting"
  if not self.started then
    self.factory:doStart()
    self.started = true
  end
  self.attempt = {}
  under_way[self] = true
  self.task = loop.spawn(attempt_to_connect, self, self.attempt)
  self.factory:startedConnecting(self)
end

--- Gives up an attempt that is under way; the factory's `clientConnectionFailed` is told `UserError`.
-- @function connector:stopConnecting
-- @raise when it is not connecting
-- @usage
-- local factory = protocol.ClientFactory()
-- factory.protocol = protocol.Protocol
-- local connector = reactor.connectTCP("localhost", 21567, factory)
-- connector:stopConnecting()
function Connector:stopConnecting()
  if self.state ~= "connecting" then error("we're not trying to connect", 2) end
  self:connectionFailed(reason.UserError())
end

--- Closes the connection, or gives up the attempt.
-- @function connector:disconnect
-- @usage
-- local factory = protocol.ClientFactory()
-- factory.protocol = protocol.Protocol
-- local connector = reactor.connectTCP("localhost", 21567, factory)
-- connector:disconnect()
function Connector:disconnect()
  if self.state == "connecting" then
    self:stopConnecting()
  elseif self.state == "connected" then
    self.transport:loseConnection()
  end
end

--- Where to.
-- @function connector:getDestination
-- @treturn table `{host=, port=}` or `{address=}`
-- @usage
-- local factory = protocol.ClientFactory()
-- factory.protocol = protocol.Protocol
-- local connector = reactor.connectTCP("localhost", 21567, factory)
-- print(connector:getDestination().host)
function Connector:getDestination()
  return { host = self.host, port = self.port, address = self.address }
end

function Connector:__tostring()
  return ("<Connector to %s, %s>"):format(self.address or ("%s:%s"):format(self.host, self.port), self.state)
end

-- Unless the factory has connected again, this was it.
local function stop_if_over(self)
  if self.state == "disconnected" and self.started then
    self.started = false
    self.factory:doStop()
  end
end

function Connector:connectionFailed(why)
  local socket = end_attempt(self)
  if socket then socket:close() end
  self.state, self.transport = "disconnected", nil
  turns.call(self.factory.clientConnectionFailed, self.factory, self, why)
  stop_if_over(self)
end

function Connector:connectionLost(why)
  self.state = "disconnected"
  turns.call(self.factory.clientConnectionLost, self.factory, self, why)
  stop_if_over(self)
end

-- Ends all attempts that are under way.
function M.fail_all(why)
  local list = {}
  for connector in pairs(under_way) do list[#list + 1] = connector end
  for _, connector in ipairs(list) do
    if connector.state == "connecting" then connector:connectionFailed(why) end
  end
end

return M
