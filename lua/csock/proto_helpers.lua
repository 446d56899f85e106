--- What helps to test protocols without a network: transports and reactors that only note what is asked of them.
--
--     local proto_helpers = require "csock.proto_helpers"
--
--     local server = Echo()
--     local transport = proto_helpers.StringTransport()
--     server:makeConnection(transport)
--     server:dataReceived "hello\r\n"
--     assert(transport:value() == "hello\r\n")
--
-- Names and meaning are those of Twisted's `twisted.internet.testing`, which was `twisted.test.proto_helpers`. For
-- programs of tasks, there is @{csock.testing}: a network in memory.
-- @module csock.proto_helpers
local class = require "csock.class"
local defer = require "csock.defer"
local protocol = require "csock.protocol"
local task = require "csock.task"
local reactors = require "csock.proto_helpers.reactors"
local transports = require "csock.proto_helpers.transports"

local M = {
  StringTransport = transports.StringTransport,
  StringTransportWithDisconnection = transports.StringTransportWithDisconnection,
  FakeDatagramTransport = transports.FakeDatagramTransport,
  MemoryReactor = reactors.MemoryReactor,
  MemoryReactorClock = reactors.MemoryReactorClock,
  RaisingMemoryReactor = reactors.RaisingMemoryReactor,
}

--- Keeps what befalls it: `made` says that `connectionMade` was called, `data` is all that has come, `closed` says that
-- `connectionLost` was called, and `closedReason` with what. `closedDeferred`, if it is set, is fired then; its
-- factory's `protocolConnectionMade`, if it is set, is fired with the first protocol that is connected.
-- @type accumulatingprotocol
local AccumulatingProtocol = class("AccumulatingProtocol", protocol.Protocol)
M.AccumulatingProtocol = AccumulatingProtocol

AccumulatingProtocol.made = false
AccumulatingProtocol.closed = false
AccumulatingProtocol.data = ""

-- Fires an object's deferred, once.
local function fire(object, field, value)
  local deferred = object and object[field]
  if not deferred then return end
  object[field] = nil
  deferred:callback(value)
end

function AccumulatingProtocol:connectionMade()
  self.made = true
  fire(self.factory, "protocolConnectionMade", self)
end

function AccumulatingProtocol:dataReceived(data) self.data = self.data .. data end

function AccumulatingProtocol:connectionLost(why)
  self.closed, self.closedReason = true, why
  fire(self, "closedDeferred")
end

--- Sends some lines, and keeps those that come. Made by calling the class: `LineSendingProtocol(lines[, start])`; with
-- `start` false it sends when a line has come. `response` is a sequence of the lines that came, `lostConn` says whether
-- the connection is lost.
-- @type linesendingprotocol
local LineSendingProtocol = class("LineSendingProtocol", protocol.LineReceiver)
M.LineSendingProtocol = LineSendingProtocol

LineSendingProtocol.lostConn = false

function LineSendingProtocol:__init(lines, start)
  self.lines = table.move(lines, 1, #lines, 1, {})
  self.response, self.start = {}, start ~= false
end

local function send_lines(self)
  for _, line in ipairs(self.lines) do self:sendLine(line) end
end

function LineSendingProtocol:connectionMade()
  if self.start then send_lines(self) end
end

function LineSendingProtocol:lineReceived(line)
  if not self.start then
    send_lines(self)
    self.lines = {}
  end
  table.insert(self.response, line)
end

function LineSendingProtocol:connectionLost() self.lostConn = true end

--- A producer that writes the numbers from 0 to 9 to its consumer, one each time that it is told to resume; then it
-- unregisters. Made by calling the class: `NonStreamingProducer(consumer)`; its `result` is a deferred that is fired
-- in the end.
-- @type nonstreamingproducer
local NonStreamingProducer = class("NonStreamingProducer")
M.NonStreamingProducer = NonStreamingProducer

NonStreamingProducer.counter = 0
NonStreamingProducer.stopped = false

function NonStreamingProducer:__init(consumer)
  self.consumer, self.result = consumer, defer.Deferred()
end

local function finish(self)
  self.consumer = nil
  fire(self, "result")
end

--- Writes the next number. Called by the consumer.
-- @function nonstreamingproducer:resumeProducing
-- @raise when it has written all of them, or was stopped
-- @usage
-- local transport = proto_helpers.StringTransport()
-- local producer = proto_helpers.NonStreamingProducer(transport)
-- transport:registerProducer(producer, false)
-- producer:resumeProducing()
-- producer:resumeProducing()
-- print(transport:value()) --> 01
function NonStreamingProducer:resumeProducing()
  local consumer = self.consumer or error("BUG: resume after unregister/stop.", 2)
  consumer:write(("%d"):format(self.counter))
  self.counter = self.counter + 1
  if self.counter < 10 then return end
  consumer:unregisterProducer()
  finish(self)
end

--- Raises: a consumer has no reason to call it.
-- @function nonstreamingproducer:pauseProducing
-- @raise always
-- @usage
-- local producer = proto_helpers.NonStreamingProducer(proto_helpers.StringTransport())
-- print(pcall(producer.pauseProducing, producer)) --> false	BUG: pause should never be called.
function NonStreamingProducer:pauseProducing() -- luacheck: ignore 212
  error("BUG: pause should never be called.", 0)
end

--- Ends it. Called by the consumer.
-- @function nonstreamingproducer:stopProducing
-- @usage
-- local producer = proto_helpers.NonStreamingProducer(proto_helpers.StringTransport())
-- producer:stopProducing()
-- print(producer.stopped) --> true
function NonStreamingProducer:stopProducing()
  self.stopped = true
  finish(self)
end

--- A deferred that is fired when the transports of some protocols are all disconnected, which is looked at every 0.01
-- seconds.
-- @function waitUntilAllDisconnected
-- @param reactor whose clock is used
-- @tparam {protocol,...} protocols
-- @treturn deferred
-- @usage
-- local clock, server = proto_helpers.MemoryReactorClock(), proto_helpers.AccumulatingProtocol()
-- server:makeConnection(proto_helpers.StringTransport())
-- proto_helpers.waitUntilAllDisconnected(clock, {server}):addCallback(function() print "all" end)
-- server.transport.connected = false
-- clock.advance(0.01) --> all
function M.waitUntilAllDisconnected(reactor, protocols)
  local looping
  looping = task.LoopingCall(function()
    for _, each in ipairs(protocols) do
      if each.transport.connected then return end
    end
    looping:stop()
  end)
  looping.clock = reactor
  return looping:start(0.01)
end

return M
