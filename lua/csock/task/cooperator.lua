--- Work in small steps, so that nothing else has to wait for long.
-- @module csock.task
local check = require "csock.check"
local class = require "csock.class"
local deferred = require "csock.defer.deferred"
local failures = require "csock.defer.failure"
local loop = require "csock.loop"
local outcome = require "csock.defer.outcome"
local reactor = require "csock.reactor"
local reason = require "csock.reactor.reason"

local Deferred, is_deferred, is_failure = deferred.Deferred, deferred.is_deferred, failures.is_failure

local M = {}

-- --- errors ---------------------------------------------------------------------------------------

local function define(name, parent, message)
  local new = class(name, parent)
  new.message = message
  M[name] = new
  return new
end

--- Any error of a cooperator or of its tasks.
-- @field SchedulerError
local SchedulerError = define("SchedulerError", reason.Reason, "the cooperator or its task is in another state")

-- Where one is raised, it has the place of the call.
function SchedulerError:getErrorMessage() return (self.place or "") .. self.message end

--- The cooperator was stopped.
-- @field SchedulerStopped
local SchedulerStopped = define("SchedulerStopped", SchedulerError, "the cooperator was stopped")

--- The task is over: any of the three that follow.
-- @field TaskFinished
local TaskFinished = define("TaskFinished", SchedulerError, "the task is over")

--- The task has come to its end.
-- @field TaskDone
local TaskDone = define("TaskDone", TaskFinished, "the task is done")

--- The task was stopped.
-- @field TaskStopped
local TaskStopped = define("TaskStopped", TaskFinished, "the task was stopped")

--- The task has failed.
-- @field TaskFailed
local TaskFailed = define("TaskFailed", TaskFinished, "the task has failed")

--- A task is to be resumed that is not paused.
-- @field NotPaused
local NotPaused = define("NotPaused", SchedulerError, "the task is not paused")

local function raise(kind)
  local err = kind()
  err.place = check.place()
  error(err, 0)
end

-- --- tasks ----------------------------------------------------------------------------------------

--- A task of a cooperator, as @{csock.task.cooperate} gives it. It has nothing to do with the tasks of csock, which may
-- wait: this one is a function that is called for one step after the other.
-- Source: Twisted's `CooperativeTask`.
-- @type cooperativetask
local CooperativeTask = class("CooperativeTask")
M.CooperativeTask = CooperativeTask

-- Fields: iterator, cooperator; pauses: how often it is paused; waiting: the deferreds of `whenDone`; over: one of the
-- classes above, when it is, and result: what it ended with; unheard: a deferred of its failure, for the first who
-- asks. If nobody does, that is told as any failure that nobody takes.

function CooperativeTask:__init(iterator, cooperator)
  check.argument(check.ANY, iterator, 1, "cooperate")
  self.iterator, self.cooperator = iterator, cooperator
  self.pauses, self.waiting = 0, {}
  cooperator:add(self)
end

-- It has to be out of the cooperator when the deferreds are called, whose callbacks may do anything.
local function complete(self, over, result)
  self.over, self.result = over, result
  if self.pauses == 0 then self.cooperator:remove(self) end
  local waiting = self.waiting
  self.waiting = nil
  if over == TaskFailed and not waiting[1] then
    self.unheard = Deferred()
    waiting[1] = self.unheard
  end
  for _, d in ipairs(waiting) do d:callback(result) end
end

--- Tells of its end.
-- @function cooperativetask:whenDone
-- @treturn deferred of the iterator, when that is done; of what it has failed with; or of a `TaskStopped` or
-- `SchedulerStopped`. Each call gives one of its own.
-- @usage
-- local cooperator = task.Cooperator(nil, function(step) return reactor.callLater(0, step) end)
-- cooperator:cooperate(string.gmatch("a b", "%a")):whenDone():addCallback(function() reactor.stop() print "done" end)
-- reactor.run() --> done
function CooperativeTask:whenDone()
  local d = self.unheard or Deferred()
  if not self.over then
    table.insert(self.waiting, d)
  elseif self.unheard then
    self.unheard = nil
  else
    d:callback(self.result)
  end
  return d
end

--- Lets it rest, until `resume` was called as often.
-- @function cooperativetask:pause
-- @raise `TaskFinished` when it is over: `TaskDone`, `TaskStopped`, `TaskFailed`; `SchedulerStopped`
-- @usage
-- local work = task.cooperate(string.gmatch("a b c", "%a"))
-- work:pause()
-- work:resume()
function CooperativeTask:pause()
  if self.over then raise(self.over) end
  self.pauses = self.pauses + 1
  if self.pauses == 1 then self.cooperator:remove(self) end
end

--- Ends a pause.
-- @function cooperativetask:resume
-- @raise `NotPaused`
-- @usage
-- local work = task.cooperate(string.gmatch("a b c", "%a"))
-- print(select(2, pcall(work.resume, work)):check(task.NotPaused) == task.NotPaused) --> true
function CooperativeTask:resume()
  if self.pauses == 0 then raise(NotPaused) end
  self.pauses = self.pauses - 1
  if self.pauses == 0 and not self.over then self.cooperator:add(self) end
end

--- Ends it, before its iterator is done.
-- @function cooperativetask:stop
-- @raise `TaskFinished` when it is over: `TaskDone`, `TaskStopped`, `TaskFailed`; `SchedulerStopped`
-- @usage
-- local work = task.cooperate(string.gmatch("a b c", "%a"))
-- work:whenDone():addErrback(print)
-- work:stop() --> the task was stopped
function CooperativeTask:stop()
  if self.over then raise(self.over) end
  complete(self, TaskStopped, TaskStopped())
end

local function wait_no_more(_, self) self:resume() end

-- It may have been stopped while it waited: nobody else hears of this then.
local function fail(failure, self)
  if self.over then return failure end
  complete(self, TaskFailed, failure)
end

-- Tasks may share an iterator, each of which takes what comes next: to all others but the one that finds its end, a
-- function of `coroutine.wrap` raises this.
local DEAD = "cannot resume dead coroutine"

local function step(self)
  local result = outcome.call(self.iterator)
  if self.over then return end -- it has stopped itself
  if result == nil or is_failure(result) and result.value == DEAD then
    complete(self, TaskDone, self.iterator)
  elseif is_failure(result) then
    complete(self, TaskFailed, result)
  elseif is_deferred(result) then
    self:pause()
    result:addCallbacks(wait_no_more, fail, { self }, { self })
  end
end

-- --- cooperators ----------------------------------------------------------------------------------

--- Has tasks go on in turns, a step of each, for a hundredth of a second, before everything else has its turn.
--
-- A task is an iterator as Lua has them: a function that is called without arguments until it gives nil, for instance
-- one that `coroutine.wrap` has made (which must not yield nil). A step that gives a deferred is not over before that
-- is; an error, or nil and an error, ends the task. Where several tasks have the same iterator, each goes on with what
-- comes next: so many deferreds are waited for at a time.
--
-- Field: `running`: whether it was started, and not stopped since.
-- Source: Twisted's `Cooperator`.
-- @type cooperator
local Cooperator = class("Cooperator")
M.Cooperator = Cooperator

-- Fields: tasks: those that are neither paused nor over; place: of the one whose turn it is; delayed: the next round;
-- stopped.

local SLICE = 0.01 -- seconds
local MOST = 10000 -- steps, where the clock stands still (csock.testing)

local function time_slice()
  local ending, steps = loop.now() + SLICE, 0
  return function()
    steps = steps + 1
    return steps >= MOST or loop.now() >= ending
  end
end

local function soon(f) return reactor.callLater(0, f) end

--- Makes one. There is one already for which `cooperate` and `coiterate` are: several of them do not take turns with
-- each other.
-- @function Cooperator
-- @tparam[opt] function terminationPredicateFactory called before each round; gives a function that is called after
-- each step, and tells whether the round is over; nil: after 0.01 s
-- @tparam[opt] function scheduler called with a function that is a round, to call it later; gives something whose
-- `cancel` takes it back; nil: in the reactor's next turn
-- @tparam[opt=true] boolean started false: nothing is done before `start`
-- @treturn cooperator
-- @usage
-- local clock = task.Clock()
-- local function every_second(round) return clock.callLater(1, round) end
-- local cooperator = task.Cooperator(function() return function() return true end end, every_second)
-- cooperator:coiterate(string.gmatch("a b", "%a")):addCallback(function() print(clock.seconds()) end)
-- clock.pump {1, 1, 1, 1} --> 3.0
function Cooperator:__init(terminationPredicateFactory, scheduler, started)
  if terminationPredicateFactory ~= nil then
    check.argument(check.FUNCTION, terminationPredicateFactory, 1, "Cooperator")
  end
  if scheduler ~= nil then check.argument(check.FUNCTION, scheduler, 2, "Cooperator") end
  self.slice, self.scheduler = terminationPredicateFactory or time_slice, scheduler or soon
  self.tasks, self.place = {}, 0
  self.running, self.stopped = started ~= false, false
end

local function next_task(self)
  local tasks = self.tasks
  self.place = self.place + 1
  if not tasks[self.place] then self.place = tasks[1] and 1 or 0 end
  return tasks[self.place]
end

-- One that ends leaves its place to the one behind it.
local function round(self)
  self.delayed = nil
  local is_over = self.slice()
  local work = next_task(self)
  while work do
    step(work)
    if is_over() then break end
    work = next_task(self)
  end
  self:schedule()
end

function Cooperator:schedule()
  if self.running and not self.delayed and self.tasks[1] then
    self.delayed = self.scheduler(function() round(self) end)
  end
end

function Cooperator:add(work)
  table.insert(self.tasks, work)
  if self.stopped then complete(work, SchedulerStopped, SchedulerStopped()) else self:schedule() end
end

function Cooperator:remove(work)
  for i, other in ipairs(self.tasks) do
    if other == work then
      table.remove(self.tasks, i)
      break
    end
  end
  if not self.tasks[1] then self:rest() end
end

function Cooperator:rest()
  local delayed = self.delayed
  self.delayed = nil
  if delayed then delayed:cancel() end
end

--- Adds a task.
-- Source: Twisted's `Cooperator.cooperate`.
-- @function cooperator:cooperate
-- @tparam function iterator
-- @treturn cooperativetask
-- @usage
-- local cooperator = task.Cooperator()
-- local work = cooperator:cooperate(string.gmatch("a b c", "%a"))
function Cooperator:cooperate(iterator)
  return CooperativeTask(iterator, self)
end

--- Adds a task, and tells of its end.
-- Source: Twisted's `Cooperator.coiterate`.
-- @function cooperator:coiterate
-- @tparam function iterator
-- @tparam[opt] deferred doneDeferred the one that is called in the end; nil: a new one
-- @treturn deferred as `whenDone` gives it
-- @usage
-- local cooperator = task.Cooperator()
-- cooperator:coiterate(string.gmatch("a b c", "%a")):addCallback(reactor.stop)
function Cooperator:coiterate(iterator, doneDeferred)
  local d = doneDeferred or Deferred()
  CooperativeTask(iterator, self):whenDone():chainDeferred(d)
  return d
end

--- Starts it, also again.
-- @function cooperator:start
-- @usage
-- local cooperator = task.Cooperator(nil, nil, false)
-- cooperator:start()
-- print(cooperator.running) --> true
function Cooperator:start()
  self.running, self.stopped = true, false
  self:schedule()
end

--- Stops it, and ends all its tasks with `SchedulerStopped`.
-- @function cooperator:stop
-- @usage
-- local cooperator = task.Cooperator()
-- cooperator:coiterate(string.gmatch("a b c", "%a")):addErrback(print)
-- cooperator:stop() --> the cooperator was stopped
function Cooperator:stop()
  self.running, self.stopped, self.place = false, true, 0
  for _, work in ipairs(table.move(self.tasks, 1, #self.tasks, 1, {})) do
    if not work.over then complete(work, SchedulerStopped, SchedulerStopped()) end
  end
end

return M
