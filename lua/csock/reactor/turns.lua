-- turns.lua: what the reactor does in a turn of the loop: the sockets that are ready, and timed calls. All of it
-- runs in one task, so that callbacks never interrupt each other.
--
-- The hub serves the sockets: it gives what comes to protocols, and sends what they write. Whatever else
-- there is to see to, it tells their objects by a method: `ready(readable, writable)`, `finished()`,
-- `broken(err, errno)`, `sent()`, `waits(bytes)`. They have as well `failed(err, traceback)`, for errors in
-- their callbacks; `watch()`, which tells the hub what is waited for; and `connectionLost(reason)`.
local calls = require "csock.reactor.calls"
local loop = require "csock.loop"
local internal = require "csock.loop.internal"

local hub = internal.hub
local serve, wait, now = hub.serve, hub.wait, loop.now

local M = {}

local calendar = calls.new(loop.now, hub.wake) -- the reactor sleeps until the first call's time
local run_due, next_time = calendar.run_due, calendar.next_time

M.callLater, M.getDelayedCalls = calendar.callLater, calendar.getDelayedCalls

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
    run_due()
    if stopping then return hub.flush() end
    local time = next_time()
    wait(time and math.max(time - now(), 0))
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
      internal.reactor = nil
      left()
      if alone then loop.stop() end -- whatever else there is to wait for
    end,
  })
  local function main()
    local _ <close> = leaving
    internal.reactor = loop.current()
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
