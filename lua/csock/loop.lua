--- The event loop: tasks, and what tasks wait for.
--
-- A task is a coroutine that the loop runs. Every call of csock that would block suspends the task
-- that makes it, and no other. There is one loop for each Lua state.
--
-- Names come from Python's asyncio where it has the thing.
-- @module csock.loop
local csock_core = require "csock.core"
local check = require "csock.check"
local call_at = require "csock.loop.calls"
local internal = require "csock.loop.internal"
local core = csock_core.loop

local M = {
  spawn = core.spawn,
  sleep = core.sleep,
  yield = core.yield,
  run = core.run,
  stop = core.stop,
  step = core.step,
  now = core.now,
  current = core.current,
  tasks = core.tasks,
  foreground = core.foreground,
  interrupts = core.interrupts,
  watchdog = core.watchdog,
  resume = core.resume,
  wrap = core.wrap,
  fileno = core.fileno,
  due = core.due,
  backend = core.backend,
  backends = core.backends,
}

--- Called with the error of each task that failed and that nobody joins, with a traceback and the
-- task; may be replaced. By default it writes the traceback to standard error, or has the host told that has csock
-- inside (`log` in `csock.h`). The loop goes on.
-- @function onerror
-- @param err what the task raised
-- @tparam string traceback the error's text, and where it came from
-- @tparam task task
-- @usage function loop.onerror(err, traceback) io.stderr:write(traceback, "\n") end
function M.onerror(_, traceback) internal.log("error in a task", traceback) end

function internal.report(err, traceback, task) M.onerror(err, traceback, task) end

-- Tells of an error that nobody else hears of.
function internal.log(what, text) core.log(what, text, io and io.stderr) end

core.set_report(internal.report)

--- Callbacks
-- @section callbacks

--- Calls a function in the loop's next turn, as a task of its own.
-- Source: asyncio's `loop.call_soon`.
-- @function call_soon
-- @tparam function f
-- @param ... its arguments
-- @treturn task whose `cancel` takes it back
-- @usage loop.call_soon(print, "in the next turn")
M.call_soon = core.spawn

local TIME = check.kind("time", function(value) return math.type(value) and math.abs(value) < math.huge end)

--- Calls a function later, as a task of its own.
-- Source: asyncio's `loop.call_later`.
-- @tparam number seconds
-- @tparam function f
-- @param ... its arguments
-- @treturn task whose `cancel` takes it back
-- @usage
-- local task = loop.call_later(60, print, "a minute later")
-- task:cancel()
function M.call_later(seconds, f, ...)
  check.seconds(seconds, 1, "call_later")
  check.argument(check.FUNCTION, f, 2, "call_later")
  return call_at(core.now() + seconds, f, ...)
end

--- Calls a function at a time.
-- Source: asyncio's `loop.call_at`.
-- @tparam number when on the clock of `now`; a time that has passed: in the next turn
-- @tparam function f
-- @param ... its arguments
-- @treturn task whose `cancel` takes it back
-- @usage loop.call_at(loop.now() + 0.01, print, "soon")
function M.call_at(when, f, ...)
  check.argument(TIME, when, 1, "call_at")
  check.argument(check.FUNCTION, f, 2, "call_at")
  return call_at(when, f, ...)
end

local readers, writers = {}, {} -- descriptor -> the task that watches it

local function unwatch(tasks, fd)
  local task = tasks[fd]
  tasks[fd] = nil
  if task and task ~= core.current() then task:cancel() end -- one that ends itself runs to its end
  return task ~= nil
end

local function watch(tasks, select, object, fd, f, ...)
  check.argument(check.FUNCTION, f, 2, tasks == readers and "add_reader" or "add_writer")
  assert(select(object, 0)) -- a bad descriptor is found out here and now
  unwatch(tasks, fd)
  local task
  task = core.spawn(function(...)
    local _ <close> = internal.guard(function()
      if tasks[fd] == task then tasks[fd] = nil end
    end)
    repeat
      local ok, err = select(object)
      if not ok and err.name == "EBADF" then return end -- it was closed meanwhile
      assert(ok, err)
      f(...)
    until tasks[fd] ~= task
  end, ...)
  tasks[fd] = task
  return task
end

local function readable(object, timeout) return csock_core.select({ object }, {}, {}, timeout) end
local function writable(object, timeout) return csock_core.select({}, { object }, {}, timeout) end

--- Calls a function whenever a descriptor is readable, until `remove_reader`, or until the function
-- raises an error or the object is closed. A descriptor has one reader; another one takes its place.
-- Source: asyncio's `loop.add_reader`.
-- @function add_reader
-- @param object a socket, stream, Lua file, descriptor, or anything with a `fileno` method
-- @tparam function f
-- @param ... its arguments
-- @treturn task that does it
-- @usage
-- loop.add_reader(a, function() print(a:recv(100)) end)
-- loop.remove_reader(a)
M.add_reader = check.public(function(object, f, ...)
  local add_reader = core.descriptor -- named so in its errors
  return watch(readers, readable, object, add_reader(object), f, ...)
end)

--- Calls a function whenever a descriptor is writable, until `remove_writer`.
-- Source: asyncio's `loop.add_writer`.
-- @function add_writer
-- @param object as for `add_reader`
-- @tparam function f
-- @param ... its arguments
-- @treturn task that does it
-- @usage loop.add_writer(a, function() loop.remove_writer(a) end)
M.add_writer = check.public(function(object, f, ...)
  local add_writer = core.descriptor
  return watch(writers, writable, object, add_writer(object), f, ...)
end)

--- Ends `add_reader`.
-- @function remove_reader
-- @param object
-- @treturn boolean whether there was one
-- @usage print(loop.remove_reader(a)) --> false
M.remove_reader = check.public(function(object)
  local remove_reader = core.descriptor
  return unwatch(readers, (remove_reader(object)))
end)

--- Ends `add_writer`.
-- @function remove_writer
-- @param object
-- @treturn boolean whether there was one
-- @usage print(loop.remove_writer(a)) --> false
M.remove_writer = check.public(function(object)
  local remove_writer = core.descriptor
  return unwatch(writers, (remove_writer(object)))
end)

--- Signals
-- @section signals

-- Kept with the core: whoever clears package.loaded gets this module anew, but there is one pipe to read from.
-- handlers: signal number -> function; task: reads the numbers of those that came.
local signals = core.on_signal or { handlers = {} }
core.on_signal = signals
local handlers = signals.handlers

local function read_signals(stream)
  for byte in function() return (stream:read(1)) end do -- until the state is closed
    local handler = handlers[byte:byte()]
    if handler then
      core.spawn(handler, byte:byte())
    else -- it was given back meanwhile: to whoever has it now
      csock_core.kill(csock_core.getpid(), byte:byte())
    end
  end
end

--- Calls a function when a signal comes, as a task: it is ordinary Lua, and may wait. It does not
-- keep `run` from returning. A signal is one state's in the whole process: of several Lua states, the
-- one that asked last has it, and gives it back to the one before.
-- Source: asyncio's `loop.add_signal_handler`, sigaction(2).
-- @function on_signal
-- @tparam int|string signum the number, or a name such as "SIGTERM"
-- @tparam ?function f called with the number; nil gives the signal back to what handled it before
-- @treturn[1] boolean true
-- @treturn[1] ?function what handled it before through `on_signal`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`: no such signal, or one that cannot be handled)
-- @usage
-- loop.on_signal("SIGTERM", loop.stop)
-- loop.on_signal("SIGTERM", nil) -- as before
M.on_signal = check.public(function(signum, f)
  if type(signum) == "string" then
    signum = core.signals[signum] or check.bad("on_signal", 1, "no such signal")
  end
  if f ~= nil then check.argument(check.FUNCTION, f, 2, "on_signal") end
  local before = handlers[signum]
  local on_signal = f and core.signal_catch or core.signal_release -- named so in its errors
  local ok, err, errno = on_signal(signum)
  if not ok then return nil, err, errno end
  handlers[signum] = f
  if not f then return true, before end
  if not signals.task or internal.is_over(signals.task) then
    signals.task = core.spawn(read_signals, csock_core.stream(core.signal_fileno(), "r", { closefd = false }))
    signals.task:daemon()
  end
  return true, before
end)

--- Bounds
-- @section bounds

--- Bounds a whole piece of work: look-ups, connects, any number of calls. The function runs as a task,
-- which is cancelled when its time is up.
-- @tparam ?number seconds nil, math.huge: no limit; 0: just for what needs not to wait
-- @tparam function f
-- @param ... its arguments
-- @return[1] what the function returned
-- @treturn[2] nil when the time was up
-- @treturn[2] error
-- @treturn[2] int `ETIMEDOUT`
-- @raise what the function raised
-- @usage
-- local ok, err = loop.timeout(0.01, function() csock.sleep(60) end)
-- print(err.name) --> ETIMEDOUT
function M.timeout(seconds, f, ...)
  seconds = check.timeout(seconds, 1, "timeout")
  check.argument(check.FUNCTION, f, 2, "timeout")
  return internal.bounded(seconds, f, ...)
end

M.group = require "csock.loop.group"
local queues = require "csock.loop.queue"
M.queue, M.event = queues.queue, queues.event

return M
