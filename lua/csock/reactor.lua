--- A reactor, as Twisted's: it listens, connects, tells the time, and calls the methods of protocols and
-- factories (@{csock.protocol}).
--
--     local reactor = require "csock.reactor"
--     local protocol = require "csock.protocol"
--     local class = require "csock.class"
--
--     local Echo = class("Echo", protocol.Protocol)
--     function Echo:dataReceived(data) self.transport:write(data) end
--
--     local factory = protocol.Factory()
--     factory.protocol = Echo
--     assert(reactor.listenTCP(8000, factory))
--     reactor.run()
--
-- Names and meaning are Twisted's, with these differences: what the world refuses is nil and an error, as
-- everywhere in csock; a reactor can be run again after `stop`; and an error in a callback ends its
-- connection (`connectionLost` is told a `CallbackError`), goes to `csock.loop.onerror` with its traceback, and
-- the reactor goes on.
--
-- All callbacks run in one task, one after the other. A callback may wait, as any code in a task may, but
-- all the others wait for it then: `csock.spawn` a task for what takes long.
-- @module csock.reactor
local loop = require "csock.loop"
local adopt = require "csock.reactor.adopt"
local connect = require "csock.reactor.connect"
local connector = require "csock.reactor.connector"
local datagrams = require "csock.reactor.datagrams"
local descriptors = require "csock.reactor.descriptors"
local events = require "csock.reactor.events"
local listen = require "csock.reactor.listen"
local reason = require "csock.reactor.reason"
local resolve = require "csock.reactor.resolve"
local spawn = require "csock.reactor.spawn"
local turns = require "csock.reactor.turns"
local check = require "csock.check"
local internal = require "csock.loop.internal"

local M = {
  --- Whether it runs: from the startup to the shutdown (see `addSystemEventTrigger`).
  -- @field running
  running = false,
  callLater = turns.callLater,
  getDelayedCalls = turns.getDelayedCalls,
}

for _, part in ipairs { events.functions, descriptors.functions, listen, connect, adopt, datagrams, spawn, resolve } do
  for name, f in pairs(part) do M[name] = f end
end

--- The clock by which it measures: seconds since some point in the past.
-- Source: Twisted's `reactor.seconds`.
-- @function seconds
-- @treturn number
-- @usage print(reactor.seconds())
M.seconds = loop.now

-- --- a run ----------------------------------------------------------------------------------------

local active = false -- from the beginning of a run to its end
local started = false -- until `crash`, which the shutdown comes to
local by_hand = false -- goes on by `iterate`
local iterating = false
local startup, shutdown -- whether what belongs to these events is still to be called

local function come_to_run()
  startup = false
  M.running = started
end

local function shut()
  shutdown = false
  M.crash()
end

-- As Twisted's, the reactor's own triggers stand before the program's, if those were added later.
local function add_triggers()
  if not startup then M.addSystemEventTrigger("during", "startup", come_to_run) end
  if not shutdown then
    M.addSystemEventTrigger("during", "shutdown", shut)
    M.addSystemEventTrigger("during", "shutdown", function() M.disconnectAll() end)
  end
  startup, shutdown = true, true
end

add_triggers()

local function stop_now() M.fireSystemEvent "shutdown" end

local function left()
  if started then events.cut_short "shutdown" end -- Ctrl-C, or so
  active, by_hand = false, false
  add_triggers()
end

local function begin()
  active, started = true, true
  add_triggers() -- the program may have fired these events itself
  turns.begin()
  M.fireSystemEvent "startup"
end

--- Calls a function as soon as the reactor runs: at once when it does.
-- Source: Twisted's `reactor.callWhenRunning`.
-- @tparam function f
-- @param ... its arguments
-- @return what `removeSystemEventTrigger` takes; nil: it has been called
-- @usage
-- reactor.callWhenRunning(reactor.stop)
-- reactor.run()
function M.callWhenRunning(f, ...)
  if M.running then
    f(...)
  else
    return M.addSystemEventTrigger("after", "startup", f, ...)
  end
end

--- Runs until `stop`. Ctrl-C ends it, too; everything is closed then, and the error is raised again.
-- Ports and connections that are open when it ends are closed, and told `ConnectionLost`. Other signals do what they do
-- in any program; `csock.loop.on_signal("SIGTERM", reactor.stop)` has SIGTERM end it.
--
-- Where Ctrl-C, the end of its task or of the loop ends it, the events of the shutdown take place all the same, but no
-- Deferred is waited for.
-- @raise when it runs already
-- @usage
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.run()
  if active then error("the reactor is running already", 2) end
  turns.run(begin, left)
end

--- Makes `run` return when the callbacks of this turn are done, and the events of the shutdown have taken place. While
-- they do, it may be called again: nothing happens.
-- @raise when it does not run
-- @usage
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.stop()
  if not active then error("the reactor is not running", 2) end
  if started then turns.at_end(stop_now) end
end

--- Makes `run` return when the callbacks of this turn are done, without an event, and with everything left open: the
-- next `run` goes on with it. It is meant for tests, and for a shutdown that does not come to an end.
-- Source: Twisted's `reactor.crash`.
-- @usage
-- reactor.callLater(0.01, reactor.crash)
-- reactor.run()
function M.crash()
  started, M.running = false, false
  if not startup then
    M.addSystemEventTrigger("during", "startup", come_to_run)
    startup = true
  end
  turns.finish()
end

--- Begins a run that the program goes on with itself, by `iterate`: the events of the startup take place.
-- Source: Twisted's `reactor.startRunning`.
-- @raise when it runs already
-- @usage
-- reactor.startRunning()
-- reactor.callLater(0.01, reactor.stop)
-- while reactor.running do reactor.iterate(0.1) end
function M.startRunning()
  if active then error("the reactor is running already", 2) end
  by_hand = true
  begin()
end

--- Makes one turn: the timed calls that are due, then whatever has come, for which it waits. For programs that have a
-- loop of their own, such as games; see also `startRunning`.
-- Source: Twisted's `reactor.iterate`.
-- @tparam[opt=0] number delay how many seconds it waits at most
-- @raise during `run`, and in another `iterate`
-- @usage
-- reactor.callLater(0, print, "called")
-- reactor.iterate() --> called
function M.iterate(delay)
  check.timeout(delay, 1, "iterate")
  if iterating or active and not by_hand then error("the reactor is running already", 2) end
  if not active then turns.begin() end
  local _ <close> = internal.guard(function() iterating = false end)
  iterating = true
  internal.in_task(turns.iterate, delay or 0)
  if active and turns.ended() then left() end
end

--- Has a function called in the reactor's task, in its next turn: by another task, by a handler of a signal, or by a
-- callback that wants to return first; also before the reactor runs. They are called in order; an error goes to
-- `csock.loop.onerror`, and the others are called all the same.
--
-- There is no `callInThread`, since a state of Lua has no threads: `csock.spawn` a task for what waits; what computes
-- for long belongs into a process of its own. A thread of the host that has csock inside posts a C function
-- (`csock_post` in `csock.h`), and that may call this.
-- Source: Twisted's `reactor.callFromThread`.
-- @tparam function f
-- @param ... its arguments
-- @usage
-- csock.spawn(function()
--   csock.sleep(0.01)
--   reactor.callFromThread(reactor.stop)
-- end)
-- reactor.run()
function M.callFromThread(f, ...)
  if f == nil then check.expected("callFromThread", 1, "function", f) end
  turns.post(f, ...)
end

--- Loses whatever is open, as the shutdown does, the ports and the program's own descriptors too: `connectionLost` is
-- told `ConnectionLost`, and an attempt to connect fails.
-- Source: Twisted's `reactor.disconnectAll`.
-- @usage reactor.disconnectAll()
function M.disconnectAll()
  local why = reason.ConnectionLost(started and "all is to be lost" or "the reactor has stopped")
  connector.fail_all(why)
  for _, object in ipairs(internal.hub.objects()) do turns.call(object.connectionLost, object, why) end
  descriptors.lose_all(why)
end

return M
