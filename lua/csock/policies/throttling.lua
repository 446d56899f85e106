--- Connections that may use so many bytes a second, all of a factory together.
--
-- What was too much in one second is made up for in the next ones, in which nothing is read, or no producer writes.
-- @module csock.policies
local check = require "csock.check"
local class = require "csock.class"
local later = require "csock.policies.later"
local wrapper = require "csock.policies.wrapper"

local ProtocolWrapper, WrappingFactory = wrapper.ProtocolWrapper, wrapper.WrappingFactory

local M = {}

-- --- producers ------------------------------------------------------------------------------------

-- Stands between a transport and a producer, which goes on as long as the transport wants it to and the valve is not
-- shut. `wanted`: what the transport has said last; of a producer that does not stream, it wants a piece.
local Valve = class("Valve")

function Valve:__init(protocol, producer, streaming)
  self.protocol, self.producer, self.streaming = protocol, producer, streaming
  self.shut, self.wanted, self.flowing = protocol._writes_throttled, streaming, streaming
end

function Valve:update()
  local flows = self.wanted and not self.shut
  if not self.streaming then
    if not flows then return end
    self.wanted = false
    self.producer:resumeProducing()
  elseif flows ~= self.flowing then
    self.flowing = flows
    if flows then self.producer:resumeProducing() else self.producer:pauseProducing() end
  end
end

function Valve:turn(shut)
  self.shut = shut
  self:update()
end

function Valve:pauseProducing()
  self.wanted = false
  self:update()
end

function Valve:resumeProducing()
  self.wanted = true
  self:update()
end

function Valve:stopProducing()
  self.protocol.producer, self.protocol._valve = nil, nil
  self.producer:stopProducing()
end

-- --- protocols ------------------------------------------------------------------------------------

--- A wrapper that counts for its factory, and stops and goes on when that says so. That the protocol in it pauses the
-- connection itself holds beside that.
-- @type throttlingprotocol
local ThrottlingProtocol = class("ThrottlingProtocol", ProtocolWrapper)
M.ThrottlingProtocol = ThrottlingProtocol

--- The producer that is registered; nil: none.
-- @field throttlingprotocol:producer

ThrottlingProtocol._valve = false -- before the producer
ThrottlingProtocol._paused = false -- by the protocol
ThrottlingProtocol._reads_throttled = false
ThrottlingProtocol._writes_throttled = false

function ThrottlingProtocol:write(data)
  check.argument(check.STRING, data, 1, "write")
  self.factory:registerWritten(#data)
  return ThrottlingProtocol.super.write(self, data)
end

function ThrottlingProtocol:writeSequence(pieces) return self:write(table.concat(pieces)) end

function ThrottlingProtocol:dataReceived(data)
  self.factory:registerRead(#data)
  return ThrottlingProtocol.super.dataReceived(self, data)
end

function ThrottlingProtocol:pauseProducing()
  self._paused = true
  return self.transport:pauseProducing()
end

function ThrottlingProtocol:resumeProducing()
  self._paused = false
  if not self._reads_throttled then return self.transport:resumeProducing() end
end

ThrottlingProtocol.stopReading = ThrottlingProtocol.pauseProducing
ThrottlingProtocol.startReading = ThrottlingProtocol.resumeProducing

function ThrottlingProtocol:registerProducer(producer, streaming)
  if self._valve then check.fail "a producer is registered already" end
  local valve = Valve(self, producer, streaming and true or false)
  self.producer, self._valve = producer, valve
  if producer.feeds then producer:feeds(self, producer) end -- a connection
  ThrottlingProtocol.super.registerProducer(self, valve, streaming)
  if self._valve == valve then valve:update() end
end

function ThrottlingProtocol:unregisterProducer()
  self.producer, self._valve = nil, nil
  return ThrottlingProtocol.super.unregisterProducer(self)
end

function ThrottlingProtocol:stopConsuming()
  self.producer, self._valve = nil, nil
  return ThrottlingProtocol.super.stopConsuming(self)
end

--- Called by the factory: reads nothing for a while. May be overridden.
-- @function throttlingprotocol:throttleReads
function ThrottlingProtocol:throttleReads()
  self._reads_throttled = true
  self.transport:pauseProducing()
end

--- Called by the factory: reads again. May be overridden.
-- @function throttlingprotocol:unthrottleReads
function ThrottlingProtocol:unthrottleReads()
  self._reads_throttled = false
  if not self._paused then self.transport:resumeProducing() end
end

--- Called by the factory: the producer is to pause, if there is one. May be overridden.
-- @function throttlingprotocol:throttleWrites
function ThrottlingProtocol:throttleWrites()
  self._writes_throttled = true
  if self._valve then self._valve:turn(true) end
end

--- Called by the factory: the producer may go on. May be overridden.
-- @function throttlingprotocol:unthrottleWrites
function ThrottlingProtocol:unthrottleWrites()
  self._writes_throttled = false
  if self._valve then self._valve:turn(false) end
end

-- --- factories ------------------------------------------------------------------------------------

--- A factory that limits how many connections there are, and how many bytes they read and write in a second, together.
-- What is written is limited only where producers write it.
--
-- `connectionCount`, `readThisSecond` and `writtenThisSecond` say what there is so far.
-- @type throttlingfactory
local ThrottlingFactory = class("ThrottlingFactory", WrappingFactory)
M.ThrottlingFactory = ThrottlingFactory
ThrottlingFactory.protocol = ThrottlingProtocol

local COUNT = check.kind("connections >= 0", function(value) return math.type(value) and value >= 0 end)
local LIMIT = check.kind("bytes a second > 0", function(value)
  return value == nil or math.type(value) and value > 0
end)

--- Made by calling the class, by `policies.ThrottlingFactory(factory, 100, 65536)`. The limits are fields of the same
-- names, too.
-- @function throttlingfactory:__init
-- @tparam factory wrappedFactory
-- @tparam[opt=math.huge] int maxConnectionCount further connections are closed
-- @tparam[opt] number readLimit bytes a second; nil: any number
-- @tparam[opt] number writeLimit bytes a second; nil: any number
-- @usage
-- local factory = policies.ThrottlingFactory(protocol.Factory:forProtocol(protocol.LineReceiver), 100, 65536)
function ThrottlingFactory:__init(wrappedFactory, maxConnectionCount, readLimit, writeLimit)
  ThrottlingFactory.super.__init(self, wrappedFactory)
  self.maxConnectionCount = check.argument(COUNT, maxConnectionCount or math.huge, 2, "ThrottlingFactory")
  self.readLimit = check.argument(LIMIT, readLimit, 3, "ThrottlingFactory")
  self.writeLimit = check.argument(LIMIT, writeLimit, 4, "ThrottlingFactory")
  self.connectionCount, self.readThisSecond, self.writtenThisSecond = 0, 0, 0
end

--- Calls a function later: by `clock`, or the reactor. May be overridden.
-- @function throttlingfactory:callLater
-- @tparam number seconds
-- @tparam function f
-- @treturn delayedcall
ThrottlingFactory.callLater = later

--- Called by a wrapper: so many bytes were written. May be overridden.
-- @function throttlingfactory:registerWritten
-- @tparam int length
function ThrottlingFactory:registerWritten(length) self.writtenThisSecond = self.writtenThisSecond + length end

--- Called by a wrapper: so many bytes were read. May be overridden.
-- @function throttlingfactory:registerRead
-- @tparam int length
function ThrottlingFactory:registerRead(length) self.readThisSecond = self.readThisSecond + length end

-- The names of what there is for either way. In the fields `ending` and `checking` are calls that are to come.
local READS = {
  limit = "readLimit", count = "readThisSecond",
  check = "checkReadBandwidth", checking = "checkReadBandwidthID",
  throttle = "throttleReads", unthrottle = "unthrottleReads", ending = "unthrottleReadsID",
}
local WRITES = {
  limit = "writeLimit", count = "writtenThisSecond",
  check = "checkWriteBandwidth", checking = "checkWriteBandwidthID",
  throttle = "throttleWrites", unthrottle = "unthrottleWrites", ending = "unthrottleWritesID",
}

local LONGEST = 1e9 -- seconds: where next to nothing is allowed, somebody waits for ever

local function check_bandwidth(self, way)
  local excess = math.min(self[way.count] / self[way.limit] - 1, LONGEST) -- in seconds
  if excess > 0 then
    self[way.throttle](self)
    if self[way.ending] then
      self[way.ending]:delay(excess)
    else
      self[way.ending] = self:callLater(excess, function() self[way.unthrottle](self) end)
    end
  end
  self[way.count] = 0
  self[way.checking] = self:callLater(1, function() self[way.check](self) end)
end

--- Called every second: whether too much was read. May be overridden.
-- @function throttlingfactory:checkReadBandwidth
function ThrottlingFactory:checkReadBandwidth() check_bandwidth(self, READS) end

--- Called every second: whether too much was written. May be overridden.
-- @function throttlingfactory:checkWriteBandwidth
function ThrottlingFactory:checkWriteBandwidth() check_bandwidth(self, WRITES) end

-- Tells all wrappers, in the order in which they came; those tell others.
local function tell_all(self, method)
  local list = {}
  for p in pairs(self.protocols) do list[#list + 1] = p end
  table.sort(list, function(a, b) return self.protocols[a] < self.protocols[b] end)
  for _, p in ipairs(list) do
    if self.protocols[p] then p[method](p) end
  end
end

--- Called when too much was read: no connection reads. May be overridden.
-- @function throttlingfactory:throttleReads
function ThrottlingFactory:throttleReads() tell_all(self, "throttleReads") end

--- Called when that is made up for. May be overridden.
-- @function throttlingfactory:unthrottleReads
function ThrottlingFactory:unthrottleReads()
  self.unthrottleReadsID = nil
  tell_all(self, "unthrottleReads")
end

--- Called when too much was written: no producer writes. May be overridden.
-- @function throttlingfactory:throttleWrites
function ThrottlingFactory:throttleWrites() tell_all(self, "throttleWrites") end

--- Called when that is made up for. May be overridden.
-- @function throttlingfactory:unthrottleWrites
function ThrottlingFactory:unthrottleWrites()
  self.unthrottleWritesID = nil
  tell_all(self, "unthrottleWrites")
end

function ThrottlingFactory:buildProtocol(address)
  if self.connectionCount >= self.maxConnectionCount then return nil end
  local new = ThrottlingFactory.super.buildProtocol(self, address)
  if not new then return nil end
  if self.connectionCount == 0 then
    if self.readLimit then self:checkReadBandwidth() end
    if self.writeLimit then self:checkWriteBandwidth() end
  end
  self.connectionCount = self.connectionCount + 1
  return new
end

-- Who comes while others wait has to wait, too.
function ThrottlingFactory:registerProtocol(p)
  ThrottlingFactory.super.registerProtocol(self, p)
  if self.unthrottleReadsID then p:throttleReads() end
  if self.unthrottleWritesID then p:throttleWrites() end
end

function ThrottlingFactory:unregisterProtocol(p)
  ThrottlingFactory.super.unregisterProtocol(self, p)
  self.connectionCount = self.connectionCount - 1
  if self.connectionCount > 0 then return end
  for _, way in ipairs { READS, WRITES } do
    for _, name in ipairs { way.ending, way.checking } do
      local call = self[name]
      if call and call:active() then call:cancel() end
      self[name] = nil
    end
  end
end

return M
