--- Transports without a network, for csock.proto_helpers: what a protocol writes is kept, and what it asks for is
-- noted.
-- @module csock.proto_helpers
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local reason = require "csock.reactor.reason"

local M = {}

--- Keeps what is written to it. Made by calling the class, with the addresses that `getHost` and `getPeer` give, and
-- whether `resumeProducing` may be called after `loseConnection`: `StringTransport([hostAddress[, peerAddress[,
-- lenient]]])`.
--
-- It does nothing of itself: `disconnecting` says that `loseConnection` was called, `disconnected` the same of
-- `abortConnection`; `producer` and `streaming` are what `registerProducer` was given.
-- @type stringtransport
local StringTransport = class("StringTransport")
M.StringTransport = StringTransport

StringTransport.connected = true
StringTransport.disconnecting = false
StringTransport.disconnected = false

--- What it was told as a producer: `"producing"`, `"paused"` or `"stopped"`.
-- @field stringtransport:producerState
StringTransport.producerState = "producing"

function StringTransport:__init(hostAddress, peerAddress, lenient)
  self.hostAddr, self.peerAddr, self.lenient = hostAddress, peerAddress, lenient
  self:clear()
end

--- Forgets what was written.
-- @function stringtransport:clear
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:write "hello"
-- transport:clear()
-- print(#transport:value()) --> 0
function StringTransport:clear() self.written = {} end

--- What was written, since `clear`.
-- @function stringtransport:value
-- @treturn string
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:write "hello"
-- print(transport:value()) --> hello
function StringTransport:value()
  local data = table.concat(self.written)
  self.written = { data }
  return data
end

--- Keeps data.
-- @function stringtransport:write
-- @tparam string data
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:write "hello"
function StringTransport:write(data)
  check.argument(check.STRING, data, 1, "write")
  table.insert(self.written, data)
end

--- Keeps several pieces.
-- @function stringtransport:writeSequence
-- @tparam {string,...} pieces
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:writeSequence {"hello", "\n"}
function StringTransport:writeSequence(pieces) self:write(table.concat(pieces)) end

--- Sets `disconnecting`.
-- @function stringtransport:loseConnection
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:loseConnection()
-- print(transport.disconnecting) --> true
function StringTransport:loseConnection() self.disconnecting = true end

--- Sets `disconnected`, and does what `loseConnection` does.
-- @function stringtransport:abortConnection
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:abortConnection()
-- print(transport.disconnected) --> true
function StringTransport:abortConnection()
  self.disconnected = true
  self:loseConnection()
end

--- The peer's address: the one that was given, else 192.168.1.1, port 54321.
-- @function stringtransport:getPeer
-- @treturn address
-- @usage
-- local transport = proto_helpers.StringTransport()
-- print(transport:getPeer().port) --> 54321
function StringTransport:getPeer()
  return self.peerAddr or csock.address(csock.AF_INET, "192.168.1.1", 54321)
end

--- This side's address: the one that was given, else 10.0.0.1, port 12345.
-- @function stringtransport:getHost
-- @treturn address
-- @usage
-- local transport = proto_helpers.StringTransport()
-- print(transport:getHost().port) --> 12345
function StringTransport:getHost()
  return self.hostAddr or csock.address(csock.AF_INET, "10.0.0.1", 12345)
end

-- --- as a consumer --------------------------------------------------------------------------------

--- Sets `producer` and `streaming`. The producer is told nothing.
-- @function stringtransport:registerProducer
-- @param producer
-- @tparam boolean streaming
-- @raise when there is one already
-- @usage
-- local transport, producer = proto_helpers.StringTransport(), {}
-- transport:registerProducer(producer, true)
-- print(transport.producer == producer) --> true
function StringTransport:registerProducer(producer, streaming)
  if self.producer then error("Cannot register two producers", 2) end
  self.producer, self.streaming = producer, streaming
end

--- Forgets the producer.
-- @function stringtransport:unregisterProducer
-- @raise when there is none
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:registerProducer({}, true)
-- transport:unregisterProducer()
function StringTransport:unregisterProducer()
  if not self.producer then error("Cannot unregister a producer unless one is registered", 2) end
  self.producer, self.streaming = nil, nil
end

-- --- as a producer --------------------------------------------------------------------------------

local function change(self, state)
  if self.disconnecting and not self.lenient then error("Cannot resume producing after loseConnection", 3) end
  if self.producerState == "stopped" then error("Cannot resume a stopped producer", 3) end
  self.producerState = state
end

--- Sets `producerState` to `"paused"`.
-- @function stringtransport:pauseProducing
-- @raise after `stopProducing`; and, unless it is lenient, after `loseConnection`
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:pauseProducing()
-- print(transport.producerState) --> paused
function StringTransport:pauseProducing() change(self, "paused") end

--- Sets `producerState` to `"producing"`.
-- @function stringtransport:resumeProducing
-- @raise after `stopProducing`; and, unless it is lenient, after `loseConnection`
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:resumeProducing()
-- print(transport.producerState) --> producing
function StringTransport:resumeProducing() change(self, "producing") end

--- Sets `producerState` to `"stopped"`.
-- @function stringtransport:stopProducing
-- @usage
-- local transport = proto_helpers.StringTransport()
-- transport:stopProducing()
-- print(transport.producerState) --> stopped
function StringTransport:stopProducing() self.producerState = "stopped" end

-- --- with an end ----------------------------------------------------------------------------------

--- A `StringTransport` that calls the `connectionLost` of its `protocol`, a field that is to be set, with
-- `ConnectionDone` when it is closed.
-- @type stringtransportwithdisconnection
local StringTransportWithDisconnection = class("StringTransportWithDisconnection", StringTransport)
M.StringTransportWithDisconnection = StringTransportWithDisconnection

--- Tells the protocol, the first time that it is called.
-- @function stringtransportwithdisconnection:loseConnection
-- @usage
-- local transport = proto_helpers.StringTransportWithDisconnection()
-- transport.protocol = proto_helpers.AccumulatingProtocol()
-- transport:loseConnection()
-- print(transport.protocol.closed, transport.connected) --> true	false
function StringTransportWithDisconnection:loseConnection()
  if not self.connected then return end
  self.connected = false
  self.protocol:connectionLost(reason.ConnectionDone "Bye")
end

-- --- datagrams ------------------------------------------------------------------------------------

--- Keeps the datagrams that are written to it: `written` is a sequence of `{data, address}`.
-- @type fakedatagramtransport
local FakeDatagramTransport = class("FakeDatagramTransport")
M.FakeDatagramTransport = FakeDatagramTransport

function FakeDatagramTransport:__init() self.written = {} end

--- Keeps a datagram.
-- @function fakedatagramtransport:write
-- @tparam string data
-- @param[opt] address where to
-- @usage
-- local transport = proto_helpers.FakeDatagramTransport()
-- transport:write("hello", {"127.0.0.1", 9999})
-- print(transport.written[1][1]) --> hello
function FakeDatagramTransport:write(data, address) table.insert(self.written, { data, address }) end

return M
