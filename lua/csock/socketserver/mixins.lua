--- The mix-ins that see to several requests at once: a task, or a process, for each.
-- @module csock.socketserver
local check = require "csock.check"
local csock = require "csock"
local class = require "csock.class"
local loop = csock.loop
local link = require "csock.socketserver.link"
local internal = require "csock.loop.internal"

-- Threading ---------------------------------------------------------------------------------------

--- Sees to each request in a task of its own, so that clients are served side by side. To be named before the server
-- class: `class("Server", ThreadingMixIn, TCPServer)`. (What Python does with threads, tasks do here.)
-- Source: Python's `socketserver.ThreadingMixIn`.
-- @type threadingmixin
local ThreadingMixIn = class("ThreadingMixIn")

--- Whether the loop may end before the tasks have, and `server_close` does not wait for them: false.
-- @field threadingmixin:daemon_threads
ThreadingMixIn.daemon_threads = false

--- Whether `server_close` waits for the tasks: true.
-- @field threadingmixin:block_on_close
ThreadingMixIn.block_on_close = true

--- How many requests are seen to at once; the others wait until one has ended. nil (the default): no limit. (csock's
-- own.)
-- @field threadingmixin:max_connections

ThreadingMixIn._task_count = 0

local function tasks_of(self)
  self._tasks = self._tasks or {}
  return self._tasks
end

local function forget_task(self, task)
  local tasks = tasks_of(self)
  if not tasks[task] then return end
  tasks[task] = nil
  self._task_count = self._task_count - 1
  self._changed:wake(true)
end

local function list_tasks(self)
  local list = {}
  for task in pairs(tasks_of(self)) do list[#list + 1] = task end
  return list
end

function ThreadingMixIn:_is_full()
  local most = self.max_connections
  if not most or self._task_count < most then return false end
  for _, task in ipairs(list_tasks(self)) do
    if task:status() == "cancelled" then forget_task(self, task) end -- before it had begun
  end
  return self._task_count >= most
end

local function run(self, request, client_address)
  local _ <close> = internal.guard(function() forget_task(self, loop.current()) end)
  self:process_request_thread(request, client_address)
end

--- Starts a task.
-- @param request
-- @param client_address
function ThreadingMixIn:process_request(request, client_address)
  local task = loop.spawn(run, self, request, client_address)
  if self.daemon_threads then task:daemon() end
  tasks_of(self)[task] = true
  self._task_count = self._task_count + 1
end

--- What the task does: `finish_request`, then `shutdown_request`, also when it is cancelled.
-- @param request
-- @param client_address
function ThreadingMixIn:process_request_thread(request, client_address)
  local _ <close> = internal.guard(function() self:shutdown_request(request) end)
  self:_protected("finish_request", request, client_address)
end

local function join_tasks(self)
  local current = loop.current()
  if self.daemon_threads or not self.block_on_close or current and tasks_of(self)[current] then return end
  for _, task in ipairs(list_tasks(self)) do task:join() end
end

--- Closes the server and waits for the tasks, if `block_on_close` is true and `daemon_threads` is not. A handler that
-- calls it does not wait.
function ThreadingMixIn:server_close()
  -- Those who answer datagrams need the server's socket.
  if self.socket_type == csock.SOCK_DGRAM then join_tasks(self) end
  ThreadingMixIn.super.server_close(self)
  join_tasks(self)
end

-- Forking -----------------------------------------------------------------------------------------

--- Sees to each request in a process of its own. To be named before the server class. The child has the connection
-- and a copy of everything else, and leaves by `_exit` when the request has ended; the parent closes its copy of the
-- connection at once.
-- Source: Python's `socketserver.ForkingMixIn`.
-- @type forkingmixin
local ForkingMixIn = class("ForkingMixIn")

--- 300 seconds: see `BaseServer.timeout`.
-- @field forkingmixin:timeout
ForkingMixIn.timeout = 300

--- The processes: their ids are the keys; nil before the first.
-- @field forkingmixin:active_children

--- How many there may be at once, 40; further requests wait until one has ended.
-- @field forkingmixin:max_children
ForkingMixIn.max_children = 40

--- Whether `server_close` waits for the processes: true.
-- @field forkingmixin:block_on_close
ForkingMixIn.block_on_close = true

function ForkingMixIn:_is_full()
  local count = 0
  for _ in pairs(self.active_children or {}) do count = count + 1 end
  return count >= self.max_children
end

local function forget(self, pid)
  self.active_children[pid] = nil
  self._changed:wake(true)
end

-- A task of the parent's: no child stays a zombie, whatever else goes on.
local function reap(self, pid)
  csock.waitpid(pid)
  if self.active_children[pid] == loop.current() then forget(self, pid) end
end

local function in_child(self, request, client_address)
  local status = 1
  local _ <close> = link.leaving(function() return status end)
  link.enter(self)
  if request ~= self.socket and self.socket_type ~= csock.SOCK_DGRAM then self.socket:close() end
  local _ <close> = internal.guard(function() self:shutdown_request(request) end)
  if self:_protected("finish_request", request, client_address) then status = 0 end
end

--- Starts a process.
-- @param request
-- @param client_address
function ForkingMixIn:process_request(request, client_address)
  assert(link.open(self))
  local pid = assert(csock.fork())
  if pid == 0 then in_child(self, request, client_address) end
  self.active_children = self.active_children or {}
  self.active_children[pid] = loop.spawn(reap, self, pid):daemon()
  self:close_request(request)
end

local COLLECTING = { blocking = { check.ANY } }

--- Takes note of the processes that have ended.
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.blocking true: waits until all have
function ForkingMixIn:collect_children(options)
  local flags = check.options(options, COLLECTING, 1, "collect_children").blocking and 0 or csock.WNOHANG
  local pids = {}
  for pid in pairs(self.active_children or {}) do pids[#pids + 1] = pid end
  for _, pid in ipairs(pids) do
    if csock.waitpid(pid, flags) ~= 0 then forget(self, pid) end -- nil: it was taken note of already
  end
end

--- Calls `collect_children`.
function ForkingMixIn:handle_timeout() self:collect_children() end

--- Calls `collect_children`.
function ForkingMixIn:service_actions() self:collect_children() end

--- Makes `serve_forever` return; called in a child, too: that of the parent.
function ForkingMixIn:shutdown()
  if link.ask_parent(self) then return true end
  return ForkingMixIn.super.shutdown(self)
end

--- Closes the server, and takes note of the processes that have ended; waits for all if `block_on_close` is true.
function ForkingMixIn:server_close()
  ForkingMixIn.super.server_close(self)
  link.close(self)
  self:collect_children { blocking = self.block_on_close }
end

return { ThreadingMixIn = ThreadingMixIn, ForkingMixIn = ForkingMixIn }
