-- events.lua: the reactor's system events: what is to be called when it starts, when it stops, and when the program
-- says that something has happened.
local turns = require "csock.reactor.turns"
local check = require "csock.check"

local M, functions = {}, {}

M.functions = functions -- of the reactor

local PHASE = check.one_of('phase: "before", "during" or "after"', "before", "during", "after")

-- Name -> its event: the triggers of each phase, in order; `fired`: those of "before" that have been called, while the
-- rest waits for what they gave; `cuts`: how often somebody has not waited for that.
local events = {}

-- --- the triggers of an event ---------------------------------------------------------------------

--- Has a function called at a system event. There are three phases, one after the other, and in each of them the
-- functions are called in the order in which they were added, each of them once: who wants to be called at the next
-- start, too, adds the function again.
--
-- - `"before"`: what gives a Deferred (@{csock.defer}) delays the next phase until that has fired;
-- - `"during"`: at the startup the reactor comes to be `running`; at the shutdown it ceases to be, and all ports and
--   connections are lost, before what the program has added is called;
-- - `"after"`: at the startup, what `callWhenRunning` was given.
--
-- An error in one goes to `csock.loop.onerror`, and the others are called all the same.
-- Source: Twisted's `reactor.addSystemEventTrigger`.
-- @tparam string phase
-- @tparam string eventType `"startup"`, `"shutdown"`, or any event of the program's own (`fireSystemEvent`)
-- @tparam function f
-- @param ... its arguments
-- @return what `removeSystemEventTrigger` takes
-- @usage
-- reactor.addSystemEventTrigger("before", "shutdown", print, "stopping")
-- reactor.callWhenRunning(reactor.stop)
-- reactor.run() --> stopping
function functions.addSystemEventTrigger(phase, eventType, f, ...)
  check.argument(PHASE, phase, 1, "addSystemEventTrigger")
  check.argument(check.STRING, eventType, 2, "addSystemEventTrigger")
  if f == nil then check.expected("addSystemEventTrigger", 3, "function", f) end
  local event = events[eventType]
  if not event then
    event = { before = {}, during = {}, after = {}, cuts = 0 }
    events[eventType] = event
  end
  local trigger = { event = event, phase = phase, n = select("#", ...) + 1, f, ... }
  table.insert(event[phase], trigger)
  return trigger
end

--- Takes back `addSystemEventTrigger` or `callWhenRunning`. While the event waits for what the functions of `"before"`
-- gave, one of those may be taken back that has been called: nothing happens.
-- Source: Twisted's `reactor.removeSystemEventTrigger`.
-- @param trigger what that gave
-- @raise when it has been called or taken back already
-- @usage
-- local trigger = reactor.addSystemEventTrigger("after", "shutdown", print, "stopped")
-- reactor.removeSystemEventTrigger(trigger)
function functions.removeSystemEventTrigger(trigger)
  local event = type(trigger) == "table" and trigger.event
  if not event then check.expected("removeSystemEventTrigger", 1, "trigger", trigger) end
  for place, other in ipairs(event[trigger.phase]) do
    if other == trigger then
      table.remove(event[trigger.phase], place)
      return
    end
  end
  if event.fired and event.fired[trigger] then return end
  check.bad("removeSystemEventTrigger", 1, "it has been called or removed already")
end

-- --- firing ---------------------------------------------------------------------------------------

-- Calls the triggers of a phase, those as well that are added meanwhile. `called(trigger, result)` is told of each.
local function call_all(list, called)
  while list[1] do
    local trigger = table.remove(list, 1)
    local ok, result = turns.call(table.unpack(trigger, 1, trigger.n))
    called(trigger, ok and result or nil)
  end
end

local function ignore() end

local function go_on(event)
  event.fired = nil
  call_all(event.during, ignore)
  call_all(event.after, ignore)
end

-- Calls those of "before"; gives the Deferreds that they gave.
local function begin(event)
  local deferreds, fired = {}, {}
  event.fired = fired
  call_all(event.before, function(trigger, result)
    fired[trigger] = true
    if type(result) == "table" and result.addBoth then deferreds[#deferreds + 1] = result end
  end)
  return deferreds
end

--- Says that an event has come about, of which others may be told: the functions that were given to
-- `addSystemEventTrigger` are called.
-- Source: Twisted's `reactor.fireSystemEvent`.
-- @tparam string eventType
-- @usage
-- reactor.addSystemEventTrigger("during", "reload", print, "reading the configuration")
-- reactor.fireSystemEvent "reload" --> reading the configuration
function functions.fireSystemEvent(eventType)
  check.argument(check.STRING, eventType, 1, "fireSystemEvent")
  local event = events[eventType]
  if not event then return end
  local deferreds = begin(event)
  local waiting, cuts = #deferreds, event.cuts
  if waiting == 0 then return go_on(event) end
  local function fired(result)
    waiting = waiting - 1
    if waiting == 0 and cuts == event.cuts then go_on(event) end
    return result
  end
  for _, deferred in ipairs(deferreds) do deferred:addBoth(fired) end
end

-- The same, but at once: nobody is waited for any more.
function M.cut_short(eventType)
  local event = events[eventType]
  if not event then return end
  event.cuts = event.cuts + 1
  begin(event)
  go_on(event)
end

return M
