-- calls.lua: timed calls: call_at and call_later of csock.loop.
--
-- A call is a task of its own, which waits until its time has come. One task, the clock, sleeps until the earliest
-- one's and wakes them in the order of their times, whatever the order in which they were made or had their first turn.
local core = require "csock.core".loop
local internal = require "csock.loop.internal"
local new_heap = require "csock.heap"

local heap, entries, changed, clock -- entries: task -> its entry, while that is in the heap

local function reset()
  heap, entries, changed, clock = new_heap(), {}, internal.waiters(), nil
end

reset()
internal.in_child(reset) -- the parent's calls are the parent's

local function take_out(task)
  local entry = entries[task]
  entries[task] = nil
  if not entry then return end
  heap:remove(entry)
  if not heap[1] and clock ~= core.current() then -- nothing is to come any more
    clock:cancel()
    clock = nil
  end
end

local function run_clock()
  while heap[1] do
    local entry = heap[1]
    local left = entry.time - core.now()
    if left > 0 then
      changed:wait(left)
    elseif entry.waits then
      take_out(entry.task)
      entry.waiters:wake()
    else
      core.yield() -- its task is just about to have its first turn
    end
  end
end

local function call(entry, f, ...)
  entry.waits = true
  entry.waiters:wait()
  return f(...)
end

-- Calls a function at a time on the clock of `now`: gives the task that does it.
return function(time, f, ...)
  local entry = { time = time, waiters = internal.waiters() }
  entry.task = core.spawn(call, entry, f, ...)
  entries[entry.task] = entry
  heap:put(entry)
  entry.task:add_done_callback(take_out)
  if not clock or internal.is_over(clock) then
    clock = core.spawn(run_clock):daemon() -- it is the calls that keep the loop running
  elseif heap[1] == entry then
    changed:wake()
  end
  return entry.task
end
