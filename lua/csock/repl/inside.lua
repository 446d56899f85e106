-- inside.lua: programs that begin and end the loop themselves, where it runs already: at the prompt. There
-- `csock.run()` at the end of a program that was pasted has nothing to do, `csock.run(f)` is a call of `f`, and `stop`
-- ends nothing.
local csock = require "csock"
local internal = require "csock.loop.internal"
local loop = csock.loop

local function within(f)
  return function(first, ...)
    if not loop.current() then return f(first, ...) end
    if type(first) == "function" then return first(...) end
    return true
  end
end

-- From now on, until what it returns is closed.
return function()
  local run, loop_run, stop = csock.run, loop.run, loop.stop
  csock.run, loop.run, loop.stop = within(run), within(loop_run), within(stop)
  loop.interrupts(true)
  return internal.guard(function()
    csock.run, loop.run, loop.stop = run, loop_run, stop
    loop.interrupts(false)
  end)
end
