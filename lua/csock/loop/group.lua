--- Tasks that belong together.
-- @module csock.loop
local csock_core = require "csock.core"
local check = require "csock.check"
local internal = require "csock.loop.internal"

local core = csock_core.loop

--- A group of tasks: leaving it waits for them all. When one fails, the others are cancelled, and what the task that
-- made the group waits for ends too: the call raises the error, which leaves the block. When there are several errors,
-- an error of the kind `"group"` leaves it instead, whose `errors` are all of them, in their order.
-- Source: asyncio's `TaskGroup`.
--
--     do
--       local group <close> = loop.group()
--       group:spawn(serve, conn)
--       group:spawn(ping, conn)
--     end -- both are over
-- @type group
local Group = {}
Group.__index = Group
Group.__name = "csock.group"

-- --- errors ---------------------------------------------------------------------------------------

local function text_of(err)
  local ok, text = pcall(tostring, err)
  return ok and text or ("(error object is a %s value)"):format(type(err))
end

-- One error for several, which are each in a table, since one may be nil.
local function combined(failures)
  local errors, texts = {}, {}
  for i, failure in ipairs(failures) do errors[i], texts[i] = failure.err, text_of(failure.err) end
  local several = ("%d errors"):format(#failures)
  local _, err = csock_core.make_error {
    call = "group", errno = 0, kind = "group", name = "GROUP", strerror = several, errors = errors,
    message = ("group: %s: %s"):format(several, table.concat(texts, "; ")),
  }
  return err
end

local function take_failures(self)
  local failures = self.failures
  self.failures = {}
  return failures
end

local function raise(failures)
  if #failures == 1 then error(failures[1].err, 0) end
  if #failures > 1 then error(combined(failures), 0) end
end

-- What nobody will be told of any more.
local function report(self)
  for _, failure in ipairs(take_failures(self)) do
    internal.report(failure.err, text_of(failure.err), failure.task)
  end
end

-- What is to be done as one of its tasks ends: normally, by an error, or cancelled.
local function end_member(self)
  return function(task)
    self.tasks[task] = nil
    self.count = self.count - 1
    if task:status() == "failed" then
      local _, err = task:join()
      table.insert(self.failures, { err = err, task = task })
      if #self.failures == 1 then
        self:cancel()
        if self.body then self.body:throw(err) end
      end
    end
    self.changed:wake(true)
  end
end

-- --- the group ------------------------------------------------------------------------------------

--- Starts a task that belongs to the group.
-- @tparam function f
-- @param ... its arguments
-- @treturn task
-- @usage
-- csock.run(function()
--   local group <close> = loop.group()
--   group:spawn(csock.sleep, 0.01)
-- end)
function Group:spawn(f, ...)
  local task = core.spawn(f, ...):watch():add_done_callback(self.end_member)
  self.tasks[task] = true
  self.count = self.count + 1
  return task
end

--- Cancels the tasks that are not over yet.
-- @usage
-- csock.run(function()
--   local group <close> = loop.group()
--   group:spawn(csock.sleep, 60)
--   group:cancel()
-- end)
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

local function wait_for_all(self, timeout)
  local left = internal.countdown(timeout)
  while self.count > 0 do
    local ok, err, errno = self.changed:wait(left())
    if not ok then return nil, err, errno end
  end
  return true
end

--- Waits until all are over.
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error (`ETIMEDOUT`, `EAGAIN`)
-- @treturn[2] int errno
-- @raise what a task has raised; for several the error that has them all
-- @usage
-- csock.run(function()
--   local group <close> = loop.group()
--   group:spawn(csock.sleep, 0.01)
--   print(group:join(5)) --> true
-- end)
function Group:join(timeout)
  timeout = check.timeout(timeout, 1, "join")
  local body = self.body
  local _ <close> = internal.guard(function() self.body = body end)
  if body == core.current() then self.body = nil end -- it is told here
  local ok, err, errno = wait_for_all(self, timeout)
  if not ok then return nil, err, errno end
  raise(take_failures(self))
  return true
end

function Group:__close(err)
  self.body = nil
  local _ <close> = internal.guard(function() -- also when this task is cancelled meanwhile
    self:cancel()
    report(self)
  end)
  if err == nil then return self:join() end
  self:cancel()
  local failures, known = take_failures(self), false
  for _, failure in ipairs(failures) do known = known or rawequal(failure.err, err) end
  if not known then table.insert(failures, 1, { err = err }) end
  if #failures > 1 then raise(failures) end -- else it is the one that leaves the block already
end

Group.__gc = report

--- Makes a group, to be kept in a `<close>` variable.
-- @function csock.loop.group
-- @treturn group
-- @usage
-- csock.run(function()
--   local group <close> = loop.group()
--   for i = 1, 3 do group:spawn(csock.sleep, 0.01) end
-- end) -- all three are over
return function()
  local self = setmetatable({
    tasks = {}, count = 0, changed = internal.waiters "join", failures = {},
    body = core.current(), -- what it waits for ends when a task fails
  }, Group)
  self.end_member = end_member(self)
  return self
end
