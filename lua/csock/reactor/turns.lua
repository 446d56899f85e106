--- What the reactor does in a turn of the loop: the sockets that are ready, and timed calls. All of it
-- runs in one task, so that callbacks never interrupt each other.
--
-- The hub serves the sockets: it gives what comes to protocols, and sends what they write. Whatever else
-- there is to see to, it tells their objects by a method: `ready(readable, writable)`, `finished()`,
-- `broken(err, errno)`, `sent()`, `waits(bytes)`. They have as well `failed(err, traceback)`, for errors in
-- their callbacks; `watch()`, which tells the hub what is waited for; and `connectionLost(reason)`.
-- @module csock.reactor.turns
local check = require "csock.check"
local loop = require "csock.loop"
local class = require "csock.class"
local internal = require "csock.loop.internal"
local new_heap = require "csock.heap"

local hub = internal.hub
local serve, wait, now = hub.serve, hub.wait, loop.now

local M = {}

-- --- timed calls ----------------------------------------------------------------------------------

local heap = new_heap() -- of DelayedCalls

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

-- The reactor sleeps until the first call's time; it must look again.
local function moved(call, time)
  call.time = time
  heap:sift(call)
  if call.place == 1 then hub.wake() end
end

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
function M.callLater(seconds, f, ...)
  check.seconds(seconds, 1, "callLater")
  if f == nil then check.expected("callLater", 2, "function", f) end
  local call = DelayedCall()
  call.f, call.arguments, call.time = f, select("#", ...) > 0 and table.pack(...) or nil, now() + seconds
  heap:put(call)
  if call.place == 1 then hub.wake() end
  return call
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
function DelayedCall:active() return self.place ~= nil end

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
  heap:remove(self)
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
  moved(self, now() + seconds)
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
  return ("<DelayedCall %s>"):format(state or ("in %.3f s"):format(self.time - now()))
end

--- All calls that are to come, in no order.
-- Source: Twisted's `reactor.getDelayedCalls`.
-- @function getDelayedCalls
-- @treturn {delayedcall,...}
-- @usage
-- reactor.callLater(60, print)
-- print(#reactor.getDelayedCalls()) --> 1
function M.getDelayedCalls()
  return table.move(heap, 1, #heap, 1, {})
end

local newest -- of the calls that may be made in this turn

-- Those that are made meanwhile have to wait for the next turn, also when one fails.
local function run_due_calls()
  local time = now()
  newest = newest or heap.order
  while heap[1] and heap[1].time <= time and heap[1].order <= newest do
    local call = heap[1]
    heap:remove(call)
    call.called = true
    local f, arguments = call.f, call.arguments
    call.f, call.arguments = nil, nil
    if arguments then f(table.unpack(arguments, 1, arguments.n)) else f() end
  end
  newest = nil
end

-- --- errors ---------------------------------------------------------------------------------------

local function report(failure)
  local ok, err = pcall(loop.onerror, failure.err, failure.traceback, loop.current())
  if ok then return end
  internal.log("error in loop.onerror", tostring(err))
  internal.log("error in a task", failure.traceback)
end

-- Calls a function; an error in it goes to `loop.onerror` and ends nothing. Gives whether there was none.
function M.call(f, ...)
  local ok, failure = xpcall(f, internal.traced, ...)
  if not ok then report(failure) end
  return ok
end

-- The same, but after an error the object is told (`failed`).
function M.call_for(object, f, ...)
  local ok, failure = xpcall(f, internal.traced, ...)
  if not ok then
    report(failure)
    object:failed(failure.err, failure.traceback)
  end
  return ok
end

-- --- turns ----------------------------------------------------------------------------------------

local stopping

-- Turn after turn. Called again after an error, it goes on where that was raised.
local function serve_turns()
  while true do
    local object, method, a, b = serve()
    while object do
      object[method](object, a, b)
      object, method, a, b = serve()
    end
    if heap[1] then run_due_calls() end
    if stopping then return hub.flush() end
    wait(heap[1] and math.max(heap[1].time - now(), 0))
  end
end

local function serve_until_stop(started)
  for _, object in ipairs(hub.objects()) do object:watch() end -- in a forked child, anew
  started()
  while true do
    local ok, failure = xpcall(serve_turns, internal.traced)
    if ok then return end
    local object = hub.served()
    report(failure)
    if object then object:failed(failure.err, failure.traceback) end
  end
end

-- Serves until `stop`, or until an error ends the loop (Ctrl-C). `started` is called first, in the
-- reactor's task, and `left` last, however it ends.
function M.run(started, left)
  local alone = not loop.current()
  local leaving = setmetatable({}, {
    __close = function()
      left()
      if alone then loop.stop() end -- whatever else there is to wait for
    end,
  })
  local function main()
    local _ <close> = leaving
    serve_until_stop(started)
  end
  stopping = false
  if not alone then return main() end
  local task
  loop.run(function()
    task = loop.current()
    main()
  end)
  if task:status() ~= "done" then -- the program has stopped the loop: then this is over, too
    M.stop()
    task:join()
  end
end

-- Makes `run` return at the end of this turn.
function M.stop()
  stopping = true
  hub.wake()
end

return M
