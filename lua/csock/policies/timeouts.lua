--- Protocols whose connections are closed when nothing happens for too long.
-- @module csock.policies
local check = require "csock.check"
local class = require "csock.class"
local later = require "csock.policies.later"
local wrapper = require "csock.policies.wrapper"

local ProtocolWrapper, WrappingFactory = wrapper.ProtocolWrapper, wrapper.WrappingFactory

local PERIOD = check.kind("seconds >= 0, or nil", function(value) return value == nil or check.SECONDS.fits(value) end)

local M = {}

local function cancel(call)
  if call and call:active() then call:cancel() end
end

-- --- around a protocol ----------------------------------------------------------------------------

--- A wrapper that closes the connection when for so long nothing has come and nothing was written.
-- @type timeoutprotocol
local TimeoutProtocol = class("TimeoutProtocol", ProtocolWrapper)
M.TimeoutProtocol = TimeoutProtocol

--- For how long, in seconds; false: for ever.
-- @field timeoutprotocol:timeoutPeriod
TimeoutProtocol.timeoutPeriod = false

--- The call that is to come; false: none.
-- @field timeoutprotocol:timeoutCall
TimeoutProtocol.timeoutCall = false

--- Made by calling the class, by the factory.
-- @function timeoutprotocol:__init
-- @tparam timeoutfactory factory
-- @tparam protocol wrappedProtocol
-- @tparam ?number timeoutPeriod seconds; nil: for ever
function TimeoutProtocol:__init(factory, wrappedProtocol, timeoutPeriod)
  TimeoutProtocol.super.__init(self, factory, wrappedProtocol)
  self:setTimeout(timeoutPeriod)
end

--- Begins anew, with another time.
-- @function timeoutprotocol:setTimeout
-- @tparam[opt] number timeoutPeriod seconds; nil: for ever
-- @usage
-- local Login = class("Login", protocol.LineReceiver)
-- function Login:lineReceived() self.transport:setTimeout(600) end
function TimeoutProtocol:setTimeout(timeoutPeriod)
  check.argument(PERIOD, timeoutPeriod, 1, "setTimeout")
  self:cancelTimeout()
  if not timeoutPeriod then return end
  self.timeoutPeriod = timeoutPeriod
  self.timeoutCall = self.factory:callLater(timeoutPeriod, function()
    self.timeoutCall = false
    self:timeoutFunc()
  end)
end

--- From now on it waits for ever.
-- @function timeoutprotocol:cancelTimeout
-- @usage
-- local Patient = class("Patient", protocol.LineReceiver)
-- function Patient:connectionMade() self.transport:cancelTimeout() end
function TimeoutProtocol:cancelTimeout()
  cancel(self.timeoutCall)
  self.timeoutPeriod, self.timeoutCall = false, false
end

--- Begins anew: something has happened.
-- @function timeoutprotocol:resetTimeout
-- @usage
-- local Patient = class("Patient", protocol.LineReceiver)
-- function Patient:askAgain() self.transport:resetTimeout() end
function TimeoutProtocol:resetTimeout()
  if self.timeoutCall then self.timeoutCall:reset(self.timeoutPeriod) end
end

function TimeoutProtocol:write(data)
  self:resetTimeout()
  return TimeoutProtocol.super.write(self, data)
end

function TimeoutProtocol:writeSequence(pieces)
  self:resetTimeout()
  return TimeoutProtocol.super.writeSequence(self, pieces)
end

function TimeoutProtocol:dataReceived(data)
  self:resetTimeout()
  return TimeoutProtocol.super.dataReceived(self, data)
end

function TimeoutProtocol:connectionLost(reason)
  self:cancelTimeout()
  TimeoutProtocol.super.connectionLost(self, reason)
end

--- Called when the time is over; closes the connection. May be overridden.
-- @function timeoutprotocol:timeoutFunc
function TimeoutProtocol:timeoutFunc() self:loseConnection() end

--- A factory whose connections are closed when for so long nothing has come and nothing was written.
-- @type timeoutfactory
local TimeoutFactory = class("TimeoutFactory", WrappingFactory)
M.TimeoutFactory = TimeoutFactory
TimeoutFactory.protocol = TimeoutProtocol

--- For how long, in seconds. May be set, for the next connections.
-- @field timeoutfactory:timeoutPeriod
TimeoutFactory.timeoutPeriod = 30 * 60

--- Made by calling the class, by `policies.TimeoutFactory(factory, seconds)`.
-- @function timeoutfactory:__init
-- @tparam factory wrappedFactory
-- @tparam[opt=1800] number timeoutPeriod seconds
-- @usage
-- local factory = policies.TimeoutFactory(protocol.Factory:forProtocol(protocol.LineReceiver), 60)
function TimeoutFactory:__init(wrappedFactory, timeoutPeriod)
  TimeoutFactory.super.__init(self, wrappedFactory)
  self.timeoutPeriod = check.argument(PERIOD, timeoutPeriod, 2, "TimeoutFactory")
end

function TimeoutFactory:wrap(wrapped) return self.protocol(self, wrapped, self.timeoutPeriod) end

--- Calls a function later: by `clock`, or the reactor. May be overridden.
-- @function timeoutfactory:callLater
-- @tparam number seconds
-- @tparam function f
-- @treturn delayedcall
TimeoutFactory.callLater = later

-- --- in a protocol --------------------------------------------------------------------------------

--- For protocols that end by themselves: a parent beside another one, `class("Talk", protocol.LineReceiver,
-- policies.TimeoutMixin)`. The protocol says when the time begins (`setTimeout`), when it begins anew (`resetTimeout`),
-- and when there is none any more: `setTimeout(nil)`, in `connectionLost` at the latest.
-- @type timeoutmixin
local TimeoutMixin = class("TimeoutMixin")
M.TimeoutMixin = TimeoutMixin

--- How long it waits, in seconds, as `setTimeout` has said; nil: for ever.
-- @field timeoutmixin:timeOut

TimeoutMixin._timeoutCall = false

--- Calls a function later: by `clock`, or the reactor. May be overridden.
-- @function timeoutmixin:callLater
-- @tparam number seconds
-- @tparam function f
-- @treturn delayedcall
TimeoutMixin.callLater = later

--- Begins anew; nothing, where there is no time set, or it is over.
-- @function timeoutmixin:resetTimeout
-- @usage
-- local Talk = class("Talk", protocol.LineReceiver, policies.TimeoutMixin)
-- function Talk:lineReceived(line) self:resetTimeout() end
function TimeoutMixin:resetTimeout()
  if self._timeoutCall and self.timeOut then self._timeoutCall:reset(self.timeOut) end
end

--- Sets how long it waits, and begins anew.
-- @function timeoutmixin:setTimeout
-- @tparam ?number seconds nil: for ever
-- @treturn ?number how long it has waited so far
-- @usage
-- local Talk = class("Talk", protocol.LineReceiver, policies.TimeoutMixin)
-- function Talk:connectionMade() self:setTimeout(60) end
-- function Talk:connectionLost() self:setTimeout(nil) end
function TimeoutMixin:setTimeout(seconds)
  check.argument(PERIOD, seconds, 1, "setTimeout")
  local before = self.timeOut
  self.timeOut = seconds
  local call = self._timeoutCall
  if not seconds then
    cancel(call)
    self._timeoutCall = false
  elseif call then
    call:reset(seconds)
  else
    self._timeoutCall = self:callLater(seconds, function()
      self._timeoutCall = false
      self:timeoutConnection()
    end)
  end
  return before
end

--- Called when the time is over; closes the connection. May be overridden.
-- @function timeoutmixin:timeoutConnection
function TimeoutMixin:timeoutConnection() self.transport:loseConnection() end

return M
