--- A clock that moves when it is told to.
-- @module csock.task
local calls = require "csock.reactor.calls"
local check = require "csock.check"
local class = require "csock.class"

local M = {}

local function nobody_waits() end

--- Makes a clock that stands still until it is told to move: for specs of what goes by time. It stands wherever the
-- reactor does that is used for its time, and its functions are called in the same way, with a dot:
--
-- - `clock.callLater(seconds, f, ...)`, `clock.getDelayedCalls()` and `clock.seconds()`, as the reactor's: the clock
--   begins at 0. (The field `rightNow` is its time, too.)
-- - `clock.advance(seconds)`: moves it, and makes the calls that are due then, each in its turn, with those that are
--   added meanwhile. An error that one of them raises comes out of it, and leaves the others to the next `advance`.
-- - `clock.pump(steps)`: advances by each number of a list.
--
-- To move the time of all of csock, there is `csock.testing.clock`.
-- Source: Twisted's `Clock`.
-- @function Clock
-- @return a clock
-- @usage
-- local clock = task.Clock()
-- clock.callLater(60, print, "a minute later")
-- clock.advance(59)
-- clock.advance(1) --> a minute later
-- print(clock.seconds()) --> 60.0
local Clock = class("Clock")
M.Clock = Clock

function Clock:__init()
  self.rightNow = 0.0

  function self.seconds() return self.rightNow end

  local calendar = calls.new(self.seconds, nobody_waits)
  self.callLater, self.getDelayedCalls = calendar.callLater, calendar.getDelayedCalls

  function self.advance(seconds)
    check.seconds(seconds, 1, "advance")
    self.rightNow = self.rightNow + seconds
    while calendar.run_next() do end
  end

  function self.pump(steps)
    check.argument(check.TABLE, steps, 1, "pump")
    for _, seconds in ipairs(steps) do self.advance(seconds) end
  end
end

return M
