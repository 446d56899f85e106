-- internal.lua: what csock's own modules have in common with the loop, and programs do not need: queues of waiting
-- tasks, the reactor's hub, things that are closed in every case, and what an error of `accept` means.
local csock_core = require "csock.core"
local core = csock_core.loop
local E = csock_core.errno

local M = {
  has_loop = rawget(core, "spawn") ~= nil, -- or a host has left it out, and what there is of it raises
  current = core.current,
  waiters = core.waiters, -- (call): where tasks wait for each other: `wait([timeout])`, `wake([all])`
  hub = core.hub,         -- one task that serves many sockets: the reactor's
  hang_up = core.hang_up, -- (socket): ends a connection whose handler has returned; false: it has to wait for that
  may_open = core.may_open, -- (call, path): asks the host's policy before Lua's own libraries do something to a file
  program = csock_core.program, -- pipes, terminals, and programs that have them: the reactor's and CGI's
  crossed = core.crossed, -- (object): whether its reads must write first, and its writes read (a transport's)
  descriptor = core.descriptor, -- (object): of anything that select takes; -1: it is closed
}

-- io.open, for which the host's policy is asked.
function M.open_file(call, path, mode)
  local may, err, errno = core.may_open(call, path)
  if not may then return nil, tostring(err), errno end
  return io.open(path, mode)
end

-- --- in every case --------------------------------------------------------------------------------

local Guard = { __close = function(self) self.leave() end }

-- For a `<close>` variable: calls a function as its block is left, however that comes about.
function M.guard(leave) return setmetatable({ leave = leave }, Guard) end

local Holder = {}
Holder.__index = Holder

function Holder:__close()
  if self.held then self.held:close() end
end

-- Holds this thing, instead of the one before.
function Holder:hold(thing)
  self.held = thing
  return thing
end

-- Takes the thing out, so that it stays open.
function Holder:take()
  local held = self.held
  self.held = nil
  return held
end

-- For a `<close>` variable: closes a thing that is in the making as the block is left (a failure, an error, a cancelled
-- task), unless it was taken out.
function M.holder(thing) return setmetatable({ held = thing }, Holder) end

-- For `xpcall`: what was raised, and where it came from.
-- (A host may have left `debug` out.)
function M.traced(err)
  return { err = err, traceback = debug and debug.traceback(tostring(err), 2) or tostring(err) }
end

-- Tells `loop.onerror` of an error (`report` is csock.loop's); where that fails itself, the log has both.
function M.tell(what, err, traceback, task)
  local ok, problem = pcall(M.report, err, traceback, task)
  if ok then return end
  M.log("error in loop.onerror", tostring(problem))
  M.log(what, traceback)
end

local is = select(2, csock_core.make_error { call = "is_error", errno = 0 }).is

-- Whether it is an error value of csock's; see csock.is_error.
function M.is_error(value)
  return type(value) == "userdata" and pcall(is, value, csock_core.error)
end

-- --- where one may wait ---------------------------------------------------------------------------

-- Whether a call may wait here: in a task, or outside with the loop at rest, but not in the loop's callbacks,
-- finalizers and the like.
function M.may_wait()
  if core.current() then return coroutine.isyieldable() end
  return not core.running()
end

-- M.reactor: the task that makes the reactor's callbacks, while it runs: if it waits, all of them do.

-- Whether it is the task that reads which signals have come: csock.loop's.
function M.reads_signals(task) return core.on_signal ~= nil and core.on_signal.task == task end

local OVER = { done = true, failed = true, cancelled = true }

-- Whether a task is: it will not run any more.
function M.is_over(task) return OVER[task:status()] == true end

-- Runs a function in a task of its own, for so many seconds (nil: without a limit). Gives what it returned, and raises
-- what it raised; nil, err, errno when the time was up.
function M.bounded(seconds, f, ...)
  local task <close> = core.spawn(f, ...):watch()
  if seconds == 0 then (core.current() and core.yield or core.step)() end -- its one turn
  local results = table.pack(task:join(seconds))
  if task:status() == "failed" then error(results[2], 0) end
  if not M.is_over(task) and results[3] ~= E.EDEADLK then
    return csock_core.make_error { call = "timeout", errno = E.ETIMEDOUT }
  end
  return table.unpack(results, 1, results.n)
end

-- Runs a function in a task: the present one, or else one of its own, with the loop running meanwhile.
function M.in_task(f, ...)
  if core.current() then return f(...) end
  return M.bounded(nil, f, ...)
end

local SOON = 1e-9 -- seconds: a limit that has passed, where 0 would mean not to wait at all

local function without_limit() end

-- How much of a time limit is left: a function that gives seconds; nil for no limit.
function M.countdown(timeout)
  if not timeout then return without_limit end
  if timeout == 0 then return function() return 0 end end
  local deadline = core.now() + timeout
  return function() return math.max(deadline - core.now(), SOON) end
end

-- Whether there is time left, of what a countdown gives: true; nil, err, errno. For calls one after the other that may
-- never have to wait, and so would never find out: a peer that is quick, and never ends.
function M.in_time(seconds, call)
  if seconds ~= SOON then return true end
  return csock_core.make_error { call = call, errno = E.ETIMEDOUT }
end

-- --- forking --------------------------------------------------------------------------------------

local in_child = {}

-- Has a function called in each process that is forked from now on, before anything else.
function M.in_child(f) in_child[#in_child + 1] = f end

-- See csock.fork.
function M.fork()
  local pid, err, errno = csock_core.fork()
  if not pid then return nil, err, errno end
  if pid == 0 then
    for _, f in ipairs(in_child) do f() end
  end
  return pid
end

-- Lua's random numbers go on where the parent's stand: its children would all draw the same.
M.in_child(function()
  local bytes = csock_core.random(16)
  if bytes then return math.randomseed(("jj"):unpack(bytes)) end
  math.randomseed(math.random(0) ~ os.time(), csock_core.getpid()) -- the system has none
end)

-- --- accepting ------------------------------------------------------------------------------------

-- How long servers wait, out of descriptors or memory, before they try again to accept (in seconds), if nothing that
-- gives some back ends meanwhile.
M.PATIENCE = 0.1

-- The listener is none, or none any more.
local OVER_FOR_GOOD = { EBADF = true, EINVAL = true, ENOTSOCK = true, EOPNOTSUPP = true }

-- Out of descriptors or memory, perhaps not for long: the clients wait in the backlog meanwhile.
local EXHAUSTED = { EMFILE = true, ENFILE = true, ENOBUFS = true, ENOMEM = true }

-- Whether an error says so.
function M.exhausted(err) return EXHAUSTED[err.name] == true end

-- What an error of `accept` means to a server, and how many seconds it is to wait before it accepts again:
-- "retry": this client is gone, or was refused; another one may be there. At once, and with a growing pause when there
-- are more `failures` (1 is the first) one after the other;
-- "rest": short of something, for a while; or "over": nothing will come any more.
function M.accept_verdict(err, failures)
  if OVER_FOR_GOOD[err.name] then return "over" end
  if M.exhausted(err) then return "rest", M.PATIENCE end
  return "retry", math.min(((failures or 1) - 1) / 1000, M.PATIENCE)
end

return M
