-- turns.lua: what the reactor does in a turn of the loop: the sockets that are ready, calls that others have asked for,
-- and timed calls. All of it runs in one task, so that callbacks never interrupt each other.
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
  internal.tell("error in a task", failure.err, failure.traceback, loop.current())
end

-- Calls a function; an error in it goes to `loop.onerror` and ends nothing. Gives true and what the function returned,
-- or false and the failure: its `err` and `traceback`.
function M.call(f, ...)
  local ok, result, err = xpcall(f, internal.traced, ...)
  if not ok then report(result) end
  return ok, result, err
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

-- --- calls from elsewhere -------------------------------------------------------------------------

local posted, noticed = {}, {} -- { f, arguments, n = } in order

-- Has a function called in the reactor's task, in its next turn; in order.
function M.post(f, ...)
  posted[#posted + 1] = table.pack(f, ...)
  hub.wake()
end

-- The same, among what is served because it is ready.
function M.notice(f, ...)
  noticed[#noticed + 1] = table.pack(f, ...)
  hub.wake()
end

local function call_all(list)
  for _, call in ipairs(list) do M.call(table.unpack(call, 1, call.n)) end
end

-- Those that come meanwhile have to wait for the next turn.

local function call_posted()
  local list = posted
  posted = {}
  call_all(list)
end

local function call_noticed()
  local list = noticed
  noticed = {}
  call_all(list)
end

-- --- turns ----------------------------------------------------------------------------------------

local at_end -- is called at the end of this turn
local ended -- there is to be no other turn

local function serve_all()
  local object, method, a, b = serve()
  while object do
    object[method](object, a, b)
    object, method, a, b = serve()
  end
  if noticed[1] then call_noticed() end
end

local function make_calls()
  if posted[1] then call_posted() end
  run_due()
  if at_end then
    local f = at_end
    at_end = nil
    f()
  end
end

-- Turn after turn. Called again after an error, it goes on where that was raised.
local function serve_turns()
  while true do
    serve_all()
    if not ended then make_calls() end
    if ended then return hub.flush() end
    local time = next_time()
    wait((posted[1] or noticed[1]) and 0 or time and math.max(time - now(), 0))
  end
end

-- Calls one of these, until it ends without an error.
local function persist(f)
  while true do
    local ok, failure = xpcall(f, internal.traced)
    if ok then return end
    local object = hub.served()
    report(failure)
    if object then object:failed(failure.err, failure.traceback) end
  end
end

-- Begins a run.
function M.begin()
  at_end, ended = nil, false
  for _, object in ipairs(hub.objects()) do object:watch() end -- in a forked child, anew
end

-- Serves until `finish`, or until an error ends the loop (Ctrl-C). `started` is called first, in the
-- reactor's task, and `left` last, however it ends.
function M.run(started, left)
  local alone = not loop.current()
  local function main()
    local _ <close> = internal.guard(function()
      internal.reactor = nil
      left()
      if alone then loop.stop() end -- whatever else there is to wait for
    end)
    internal.reactor = loop.current()
    started()
    persist(serve_turns)
  end
  if not alone then return main() end
  local task
  loop.run(function()
    task = loop.current()
    main()
  end)
  if task:status() ~= "done" then -- the program has stopped the loop: then this is over, too
    M.finish()
    task:join()
  end
end

-- One turn, in a task: the calls first, then what has come after so many seconds at most.
function M.iterate(delay)
  local _ <close> = internal.guard(function() internal.reactor = nil end)
  internal.reactor = loop.current()
  persist(make_calls)
  if ended then return hub.flush() end
  wait(delay)
  persist(serve_all)
  hub.flush()
end

-- Has a function called at the end of this turn.
function M.at_end(f)
  at_end = f
  hub.wake()
end

-- Makes this turn the last one.
function M.finish()
  ended = true
  hub.wake()
end

-- Whether it is.
function M.ended() return ended end

return M
