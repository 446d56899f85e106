--- Time that passes only where somebody waits for it.
-- @module csock.testing
local check = require "csock.check"
local core = require "csock.core".testing
local internal = require "csock.loop.internal"
local loop = require "csock.loop"

local MOST = 100 -- turns for what is due at the time at which an advance ends: some may always have something to do

local M = {}

--- A virtual clock, which is that of the whole Lua state: `csock.now`, all time limits, `sleep`, `call_later` and the
-- reactor's `callLater` go by it. It stands still while anything is to be done, and is put forward to the next deadline
-- instead of waiting for that. `close` (`<close>`) lets time go on as usual, from where the clock stands: it never goes
-- back.
-- @type clock
local Clock = {}
Clock.__index = Clock
Clock.__name = "csock.testing.clock"

--- Lets so much time pass: what is due meanwhile comes to pass, in its order. In a task it is `csock.sleep`; outside it
-- runs the loop for so long.
-- @tparam number seconds
-- @usage
-- local clock <close> = testing.clock()
-- csock.loop.call_later(60, print, "a minute later")
-- clock:advance(59)
-- clock:advance(1) --> a minute later
function Clock:advance(seconds) -- luacheck: ignore 212/self
  check.seconds(seconds, 1, "advance")
  if loop.current() then
    loop.sleep(seconds)
  else
    local over = loop.spawn(loop.sleep, seconds):daemon()
    while not internal.is_over(over) do core.turn(math.huge) end
  end
  local go_on = loop.current() and loop.yield or loop.step
  for _ = 1, MOST do
    if loop.due() ~= 0 then return end
    go_on()
  end
end

--- Lets time go on as usual. Closing again is harmless.
-- @usage
-- local clock = testing.clock()
-- clock:close()
function Clock:close()
  if self.stopped then core.go() end
  self.stopped = false
end

Clock.__close = Clock.close

--- Stops the clock of this Lua state: from now on time passes only where somebody waits for it.
--
-- A wait for something from outside is a real one: where nobody in the loop waits for a time, the loop sleeps until
-- it comes. Where somebody does, that time is up at once, unless it has come already: what another process, a name
-- server or a thread takes its time for loses against every time limit.
-- @function clock
-- @treturn clock to be kept in a `<close>` variable
-- @usage
-- local clock <close> = testing.clock()
-- local begin = csock.now()
-- csock.sleep(3600)
-- print(csock.now() - begin) --> 3600.0
function M.clock()
  local clock = setmetatable({ stopped = false }, Clock)
  clock.stopped = core.stop()
  return clock
end

--- Runs a function with a virtual clock. In a task it is simply called; outside, the loop runs it. Afterwards, also
-- after an error, time goes on as usual.
-- @function virtual_time
-- @tparam function f
-- @param ... its arguments
-- @return what it returned
-- @raise what it raised
-- @usage
-- testing.virtual_time(function()
--   local begin = csock.now()
--   csock.sleep(3600)
--   print(csock.now() - begin) --> 3600.0
-- end)
function M.virtual_time(f, ...)
  check.argument(check.FUNCTION, f, 1, "virtual_time")
  local _ <close> = M.clock()
  return internal.in_task(f, ...)
end

return M
