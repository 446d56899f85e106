--- Calls that are to come: a calendar of them, and each of them. The reactor has one calendar, which goes by the loop's
-- clock, and each `Clock` of @{csock.task} has one of its own.
-- @module csock.reactor.calls
local check = require "csock.check"
local class = require "csock.class"
local new_heap = require "csock.heap"

local M = {}

--- A call that is to come.
-- Source: Twisted's `IDelayedCall`.
-- @type delayedcall
local DelayedCall = class("DelayedCall")
M.DelayedCall = DelayedCall

-- How much later than it was due: also earlier.
local DELAY = check.kind("seconds", function(value) return math.type(value) and math.abs(value) < math.huge end)

local function check_active(call)
  if call.called then error("it has been called already", 3) end
  if call.cancelled then error("it has been cancelled already", 3) end
end

-- Whoever waits for the first call's time must look again.
local function moved(call, time)
  local of = call.calendar
  call.time = time
  of.heap:sift(call)
  if call.place == 1 then of.changed() end
end

--- When it is due.
-- @function delayedcall:getTime
-- @treturn number on the clock of `reactor.seconds`
-- @usage
-- local call = reactor.callLater(60, print)
-- print(call:getTime() > reactor.seconds()) --> true
function DelayedCall:getTime() return self.time end

--- Whether it is still to come.
-- @function delayedcall:active
-- @treturn boolean
-- @usage
-- local call = reactor.callLater(60, print)
-- print(call:active()) --> true
function DelayedCall:active() return not (self.called or self.cancelled) end

--- Takes it back.
-- @function delayedcall:cancel
-- @raise when it was called or cancelled already
-- @usage
-- local call = reactor.callLater(60, print)
-- call:cancel()
-- print(call:active()) --> false
function DelayedCall:cancel()
  check_active(self)
  self.cancelled = true
  self.calendar.heap:remove(self)
  self.f, self.arguments = nil, nil
end

--- Starts its time anew.
-- @function delayedcall:reset
-- @tparam number seconds from now
-- @raise when it was called or cancelled already
-- @usage
-- local call = reactor.callLater(60, print)
-- call:reset(5)
function DelayedCall:reset(seconds)
  check.seconds(seconds, 1, "reset")
  check_active(self)
  moved(self, self.calendar.now() + seconds)
end

--- Puts it off.
-- @function delayedcall:delay
-- @tparam number seconds from when it was due
-- @raise when it was called or cancelled already
-- @usage
-- local call = reactor.callLater(60, print)
-- call:delay(5)
function DelayedCall:delay(seconds)
  check.argument(DELAY, seconds, 1, "delay")
  check_active(self)
  moved(self, self.time + seconds)
end

function DelayedCall:__tostring()
  local state = self.called and "called" or self.cancelled and "cancelled"
  return ("<DelayedCall %s>"):format(state or ("in %.3f s"):format(self.time - self.calendar.now()))
end

-- A calendar. `now()` gives the time, in seconds; `changed()` is called when the next call is another one, or at
-- another time, than it was.
function M.new(now, changed)
  local calendar = {}
  local heap = new_heap() -- of DelayedCalls
  local record = { heap = heap, now = now, changed = changed }

  --- Calls a function later, in the reactor's task.
  -- Source: Twisted's `reactor.callLater`.
  -- @function callLater
  -- @tparam number seconds at least 0
  -- @tparam function f
  -- @param ... its arguments
  -- @treturn delayedcall
  -- @usage
  -- reactor.callLater(0.01, function(word) print(word) reactor.stop() end, "later")
  -- reactor.run() --> later
  function calendar.callLater(seconds, f, ...)
    check.seconds(seconds, 1, "callLater")
    if f == nil then check.expected("callLater", 2, "function", f) end
    local call = class.adopt(DelayedCall, {
      f = f, arguments = select("#", ...) > 0 and table.pack(...) or nil, time = now() + seconds, calendar = record,
      place = nil, order = nil, called = nil,
    })
    heap:put(call)
    if call.place == 1 then changed() end
    return call
  end

  --- All calls that are to come, the next one first.
  -- Source: Twisted's `reactor.getDelayedCalls`.
  -- @function getDelayedCalls
  -- @treturn {delayedcall,...}
  -- @usage
  -- reactor.callLater(60, print)
  -- print(#reactor.getDelayedCalls()) --> 1
  function calendar.getDelayedCalls() return heap:sorted() end

  -- The next one's time; nil: there is none.
  function calendar.next_time()
    local first = heap[1]
    return first and first.time
  end

  local function make(call)
    heap:remove(call)
    call.called = true
    local f, arguments = call.f, call.arguments
    call.f, call.arguments = nil, nil
    if arguments then f(table.unpack(arguments, 1, arguments.n)) else f() end
  end

  -- Makes the next one, if it is due. Gives whether it was.
  function calendar.run_next()
    local first = heap[1]
    if not first or first.time > now() then return false end
    make(first)
    return true
  end

  local newest -- of the calls that may be made in this turn

  -- Makes those that are due. What is added meanwhile has to wait for the next time, also when one fails: called again
  -- then, it goes on behind that.
  function calendar.run_due()
    if heap[1] then
      local time = now()
      newest = newest or heap.order
      while heap[1] and heap[1].time <= time and heap[1].order <= newest do make(heap[1]) end
    end
    newest = nil
  end

  return calendar
end

return M
