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
local connector = require "csock.reactor.connector"
local reason = require "csock.reactor.reason"
local turns = require "csock.reactor.turns"
local internal = require "csock.loop.internal"

local M = {
  --- Whether it runs.
  -- @field running
  running = false,
  callLater = turns.callLater,
  getDelayedCalls = turns.getDelayedCalls,
}

local starters = {} -- what callWhenRunning was given before it ran

--- The clock by which it measures: seconds since some point in the past.
-- Source: Twisted's `reactor.seconds`.
-- @function seconds
-- @treturn number
-- @usage print(reactor.seconds())
M.seconds = loop.now

--- Calls a function as soon as the reactor runs: at once when it does.
-- Source: Twisted's `reactor.callWhenRunning`.
-- @tparam function f
-- @param ... its arguments
-- @usage
-- reactor.callWhenRunning(reactor.stop)
-- reactor.run()
function M.callWhenRunning(f, ...)
  if M.running then f(...) else starters[#starters + 1] = table.pack(f, ...) end
end

local function started()
  M.running = true
  local list = starters
  starters = {}
  for _, starter in ipairs(list) do turns.call(table.unpack(starter, 1, starter.n)) end
end

-- As Twisted does: whatever is open is lost, the ports too.
local function left()
  local why = reason.ConnectionLost("the reactor has stopped")
  connector.fail_all(why)
  for _, object in ipairs(internal.hub.objects()) do turns.call(object.connectionLost, object, why) end
  M.running = false
end

--- Runs until `stop`. Ctrl-C ends it, too; everything is closed then, and the error is raised again.
-- Ports and connections that are open when it ends are closed, and told `ConnectionLost`. Other signals do what they do
-- in any program; `csock.loop.on_signal("SIGTERM", reactor.stop)` has SIGTERM end it.
-- @raise when it runs already
-- @usage
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.run()
  if M.running then error("the reactor is running already", 2) end
  turns.run(started, left)
end

--- Makes `run` return when the callbacks of this turn are done.
-- @raise when it does not run
-- @usage
-- reactor.callLater(0.01, reactor.stop)
-- reactor.run()
function M.stop()
  if not M.running then error("the reactor is not running", 2) end
  turns.stop()
end

for _, part in ipairs { "listen", "connect" } do
  for name, f in pairs(require("csock.reactor." .. part)) do M[name] = f end
end

return M
