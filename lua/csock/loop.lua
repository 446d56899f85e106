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
local E = csock_core.errno
local countdown, guard, new_waiters = internal.countdown, internal.guard, internal.waiters

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
  resume = core.resume,
  wrap = core.wrap,
  fileno = core.fileno,
  due = core.due,
  backend = core.backend,
  backends = core.backends,
}

--- Called with the error of each task that failed and that nobody joins, with a traceback and the
-- task; may be replaced. By default it writes the traceback to standard error. The loop goes on.
-- @function onerror
-- @param err what the task raised
-- @tparam string traceback the error's text, and where it came from
-- @tparam task task
function M.onerror(_, traceback)
  io.stderr:write("csock: error in a task: ", traceback, "\n")
end

core.set_report(function(err, traceback, task) M.onerror(err, traceback, task) end)

local function fail(call, errno)
  return csock_core.make_error { call = call, errno = errno }
end

--- Callbacks
-- @section callbacks

--- Calls a function in the loop's next turn, as a task of its own.
-- Source: asyncio's `loop.call_soon`.
-- @function call_soon
-- @tparam function f
-- @param ... its arguments
-- @treturn task whose `cancel` takes it back
M.call_soon = core.spawn

local TIME = check.kind("time", function(value) return math.type(value) and math.abs(value) < math.huge end)

--- Calls a function later, as a task of its own.
-- Source: asyncio's `loop.call_later`.
-- @tparam number seconds
-- @tparam function f
-- @param ... its arguments
-- @treturn task whose `cancel` takes it back
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
    local _ <close> = guard(function()
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
M.add_writer = check.public(function(object, f, ...)
  local add_writer = core.descriptor
  return watch(writers, writable, object, add_writer(object), f, ...)
end)

--- Ends `add_reader`.
-- @function remove_reader
-- @param object
-- @treturn boolean whether there was one
M.remove_reader = check.public(function(object)
  local remove_reader = core.descriptor
  return unwatch(readers, (remove_reader(object)))
end)

--- Ends `add_writer`.
-- @function remove_writer
-- @param object
-- @treturn boolean whether there was one
M.remove_writer = check.public(function(object)
  local remove_writer = core.descriptor
  return unwatch(writers, (remove_writer(object)))
end)

--- Signals
-- @section signals

local handlers = {} -- signal number -> function
local signal_task -- reads the numbers of the signals that came

local function read_signals(stream)
  for byte in function() return (stream:read(1)) end do -- until the state is closed
    local handler = handlers[byte:byte()]
    if handler then core.spawn(handler, byte:byte()) end
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
  if not signal_task or internal.is_over(signal_task) then
    signal_task = core.spawn(read_signals, csock_core.stream(core.signal_fileno(), "r", { closefd = false }))
    signal_task:daemon()
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
function M.timeout(seconds, f, ...)
  seconds = check.timeout(seconds, 1, "timeout")
  check.argument(check.FUNCTION, f, 2, "timeout")
  return internal.bounded(seconds, f, ...)
end

--- A group of tasks: leaving it waits for them all, and when one fails the others are cancelled.
--
--     do
--       local group <close> = loop.group()
--       group:spawn(serve, conn)
--       group:spawn(ping, conn)
--     end -- both are over
-- @type group
local Group = {}
Group.__index = Group

-- What is to be done as one of its tasks ends: normally, by an error, or cancelled.
local function end_member(group)
  return function(task)
    group.tasks[task] = nil
    group.count = group.count - 1
    if task:status() == "failed" and not group.failure then
      group.failure = { select(2, task:join()) }
      group:cancel()
    end
    group.changed:wake(true)
  end
end

--- Makes a group, to be kept in a `<close>` variable.
-- @function csock.loop.group
-- @treturn group
function M.group()
  local group = setmetatable({ tasks = {}, count = 0, changed = new_waiters "join" }, Group)
  group.end_member = end_member(group)
  return group
end

--- Starts a task that belongs to the group.
-- @tparam function f
-- @param ... its arguments
-- @treturn task
function Group:spawn(f, ...)
  local task = core.spawn(f, ...):watch():add_done_callback(self.end_member)
  self.tasks[task] = true
  self.count = self.count + 1
  return task
end

--- Cancels the tasks that are not over yet.
function Group:cancel()
  local current, any = core.current(), true
  while any do -- they may start others as they end
    any = false
    local tasks = {}
    for task in pairs(self.tasks) do tasks[#tasks + 1] = task end
    for _, task in ipairs(tasks) do
      any = task ~= current and task:cancel() or any
    end
  end
end

--- Waits until all are over.
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error (`ETIMEDOUT`, `EAGAIN`)
-- @treturn[2] int errno
-- @raise what the first task that failed raised
function Group:join(timeout)
  timeout = check.timeout(timeout, 1, "join")
  local left = countdown(timeout)
  while self.count > 0 do
    local ok, err, errno = self.changed:wait(left())
    if not ok then return nil, err, errno end
  end
  local failure = self.failure
  self.failure = nil
  if failure then error(failure[1], 0) end
  return true
end

function Group:__close(err)
  local _ <close> = guard(function() self:cancel() end) -- also when this task is cancelled meanwhile
  if err ~= nil then
    self:cancel()
    self.failure = nil
  else
    self:join()
  end
end

--- A queue between tasks.
-- @type queue
local Queue = {}
Queue.__index = Queue

local SIZE = check.integer(0)

--- Makes a queue.
-- Source: `asyncio.Queue`.
-- @function csock.loop.queue
-- @tparam[opt] int maxsize how many it holds before `put` waits; none or 0: no limit
-- @treturn queue
function M.queue(maxsize)
  maxsize = check.argument(SIZE, maxsize or 0, 1, "queue")
  return setmetatable({
    first = 1, last = 0, maxsize = maxsize > 0 and maxsize or math.maxinteger,
    getters = new_waiters "get", putters = new_waiters "put",
  }, Queue)
end

--- How many values it holds.
-- @treturn int
function Queue:qsize() return self.last - self.first + 1 end
Queue.__len = Queue.qsize

--- Whether it holds none.
-- @treturn boolean
function Queue:empty() return self:qsize() == 0 end

--- Whether it holds as many as it may.
-- @treturn boolean
function Queue:full() return self:qsize() >= self.maxsize end

-- Waits until `ready(self)` is false no more. Whoever stops waiting wakes the next one if there is
-- something for it, so that no wake-up is lost with a task that is cancelled.
local function wait_while(self, blocked, waiters, call, timeout)
  if timeout == 0 then return fail(call, E.EAGAIN) end
  local left = countdown(timeout)
  local done = false
  local _ <close> = guard(function()
    if not done and not blocked(self) then waiters:wake() end
  end)
  local again = false
  repeat
    local ok, err, errno = waiters:wait(left(), again)
    if not ok then return nil, err, errno end
    again = true -- somebody else was faster: the next to be woken
  until not blocked(self) or self.closed
  done = true
  return true
end

--- Puts a value at the end; waits while the queue is full.
-- Source: `asyncio.Queue.put`.
-- @param value not nil
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error (`ETIMEDOUT`, `EAGAIN`, `EPIPE` when it is closed)
-- @treturn[2] int errno
function Queue:put(value, timeout)
  check.argument(check.ANY, value, 1, "put")
  timeout = check.timeout(timeout, 2, "put")
  if self:full() and not self.closed then
    local ok, err, errno = wait_while(self, self.full, self.putters, "put", timeout)
    if not ok then return nil, err, errno end
  end
  if self.closed then return fail("put", E.EPIPE) end
  self.last = self.last + 1
  self[self.last] = value
  self.getters:wake()
  return true
end

--- Takes the first value; waits while the queue is empty.
-- Source: `asyncio.Queue.get`.
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @return[1] the value
-- @treturn[2] nil alone, when the queue is closed and empty
-- @treturn[3] nil
-- @treturn[3] error (`ETIMEDOUT`, `EAGAIN`)
-- @treturn[3] int errno
function Queue:get(timeout)
  timeout = check.timeout(timeout, 1, "get")
  if self:empty() and not self.closed then
    local ok, err, errno = wait_while(self, self.empty, self.getters, "get", timeout)
    if not ok then return nil, err, errno end
  end
  if self:empty() then return nil end
  local value = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  self.putters:wake()
  return value
end

--- Ends the queue: what it holds can still be taken, nothing more can be put.
function Queue:close()
  self.closed = true
  self.getters:wake(true)
  self.putters:wake(true)
end

--- Takes values until the queue is closed and empty: `for value in queue:iter() do`.
-- @treturn function
function Queue:iter()
  return function() return self:get() end
end

--- Something that tasks wait for to happen.
-- @type event
local Event = {}
Event.__index = Event

--- Makes an event, not set.
-- Source: `asyncio.Event`.
-- @function csock.loop.event
-- @treturn event
function M.event() return setmetatable({ waiters = new_waiters() }, Event) end

--- Sets it: all who wait go on.
function Event:set()
  self.happened = true
  self.waiters:wake(true)
end

--- Takes it back: who waits from now on waits for the next `set`.
function Event:clear() self.happened = false end

--- Whether it is set.
-- @treturn boolean
function Event:is_set() return self.happened == true end

--- Waits until it is set.
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error (`ETIMEDOUT`, `EAGAIN`)
-- @treturn[2] int errno
function Event:wait(timeout)
  timeout = check.timeout(timeout, 1, "wait")
  local left = countdown(timeout)
  while not self.happened do
    local ok, err, errno = self.waiters:wait(left())
    if not ok then return nil, err, errno end
  end
  return true
end

return M
