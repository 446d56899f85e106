--- Several processes that serve one address.
-- @module csock.socketserver
local csock = require "csock"
local class = require "csock.class"
local loop = csock.loop
local link = require "csock.socketserver.link"
local internal = require "csock.loop.internal"

local SOON, LATE = 0.1, 5 -- seconds before a worker that died at once is replaced: doubled each time
local AT_ONCE = 1         -- seconds
local GRACE = 1           -- how much longer than `drain_timeout` a worker has before it is killed

-- The option that spreads connections over several listeners; elsewhere SO_REUSEPORT has another meaning.
local SPREAD = csock.SO_REUSEPORT_LB or csock.SO_ATTACH_REUSEPORT_CBPF and csock.SO_REUSEPORT

--- Serves with several processes, the workers, each with a loop of its own; the process that calls `serve_forever`
-- starts them and looks after them. A worker that dies is replaced: at once, or, when it had just begun, after a time
-- that doubles each time. To be named before the other mix-ins and the server class.
--
-- While it serves, SIGTERM ends it like `shutdown`: the workers finish what they are doing. SIGHUP replaces the workers
-- one by one, by new ones that begin with `worker_setup`; no connection is lost, and each old one serves until that has
-- succeeded in the new one. When the process that looks after them dies, the workers end as well.
--
-- Each worker has a listening socket of its own where the system spreads connections over several; elsewhere, and
-- for Unix sockets, they share one. The sockets belong to the process that looks after the workers, so that connections
-- that wait for a worker wait on when it dies.
--
-- (csock's own.)
-- @type preforkmixin
local PreforkMixIn = class("PreforkMixIn")

--- How many workers there are; nil (the default): one for each processor.
-- @field preforkmixin:workers

--- How many seconds a worker has to finish what it is doing when it is to end: 10.
-- @field preforkmixin:drain_timeout
PreforkMixIn.drain_timeout = 10

--- Whether each worker is to have a listening socket of its own where that is possible: true.
-- @field preforkmixin:own_listeners
PreforkMixIn.own_listeners = true

--- Whether SIGTERM and SIGHUP are acted upon: true.
-- @field preforkmixin:handle_signals
PreforkMixIn.handle_signals = true

--- The workers of an object: process id -> number (1 ... `workers`). The class's is nil.
-- @field preforkmixin:active_workers

function PreforkMixIn:__init(...)
  self.active_workers = {}
  return PreforkMixIn.super.__init(self, ...)
end

--- Called in each worker, with its number, before it serves: to open what is its own.
-- @function preforkmixin:worker_setup
-- @tparam int number
function PreforkMixIn.worker_setup() end

--- Called in the process that looks after the workers, when one has ended without being asked to; writes a line to
-- standard error.
-- @function preforkmixin:worker_ended
-- @tparam int number which one
-- @tparam ?int pid its process id; nil when it could not even be started
-- @param why its exit code (see `waitstatus_to_exitcode`), or the error
-- @tparam number delay seconds until it is replaced
function PreforkMixIn:worker_ended(number, pid, why, delay)
  io.stderr:write(("%s: worker %d (%s) ended with %s; another one in %g s\n"):format(
    self.__class.__name, number, pid and "process " .. pid or "not started", tostring(why), delay))
end

-- The listening sockets ---------------------------------------------------------------------------

local function spreads(self)
  return self.own_listeners and SPREAD
    and (self.address_family == csock.AF_INET or self.address_family == csock.AF_INET6)
end

local function set_spread(self)
  local ok, err, errno = self.socket:setsockopt(csock.SOL_SOCKET, SPREAD, 1)
  if not ok then return nil, err, errno end
  return true
end

-- The first socket gets the option after it is bound: so it is an error when another server has the port.
function PreforkMixIn:server_bind()
  if not spreads(self) then return PreforkMixIn.super.server_bind(self) end
  local further = self._listeners ~= nil
  if further then
    local ok, err, errno = set_spread(self)
    if not ok then return nil, err, errno end
  end
  local ok, err, errno = PreforkMixIn.super.server_bind(self)
  if not ok and err ~= nil then return nil, err, errno end
  self._bound = true
  if not further then return set_spread(self) end
  return true
end

-- One more, made by the server's own hooks.
local function add_listener(self)
  local first = self.socket
  local _ <close> = internal.guard(function() self.socket = first end)
  local socket, err, errno = csock.socket(self.address_family, self.socket_type)
  if not socket then return nil, err, errno end
  table.insert(self._listeners, socket)
  self.socket = socket
  local ok
  ok, err, errno = self:server_bind()
  if ok ~= nil or err == nil then ok, err, errno = self:server_activate() end
  if ok == nil and err ~= nil then return nil, err, errno end
  return true
end

local function make_listeners(self, count)
  if self._listeners then return true end
  self._listeners = { self.socket }
  for _ = 2, self._bound and spreads(self) and count or 1 do -- a socket that somebody else has bound cannot be spread
    local ok, err, errno = add_listener(self)
    if not ok then
      for i = 2, #self._listeners do self._listeners[i]:close() end
      self._listeners = nil
      return nil, err, errno
    end
  end
  return true
end

local function close_listeners(self)
  for _, listener in ipairs(self._listeners or {}) do listener:close() end
end

-- Workers -----------------------------------------------------------------------------------------

-- What a worker does in the end: sees to the connections that wait already, and waits for what goes on.
local function finish_work(self)
  self.timeout = 0
  for _ = 1, self.request_queue_size do
    if not self:handle_request() then break end
  end
  self:server_close()
end

-- In the child, for the rest of its life.
local function work(self, number, poll_interval)
  local status = 1
  local _ <close> = link.leaving(function() return status end)
  local parent = link.enter(self)
  self._number, self._path = number, nil
  self._serving, self._stopping, self._waiting = nil, nil, nil
  self._changed = internal.waiters()
  for i, listener in ipairs(self._listeners) do
    if i == (number - 1) % #self._listeners + 1 then self.socket = listener else listener:close() end
  end
  local function stop() PreforkMixIn.super.shutdown(self) end
  loop.on_signal("SIGTERM", stop)
  loop.on_signal("SIGHUP", function() end) -- the parent's business
  loop.spawn(function()
    parent:recv(1) -- nothing ever comes but the end
    stop()
  end):daemon()
  local ok, failure = xpcall(function()
    self:worker_setup(number)
    link.tell_ready(self)
    assert(self:serve_forever(poll_interval))
  end, internal.traced)
  if not ok then
    io.stderr:write(failure.traceback, "\n")
    return
  end
  status = 0
  loop.timeout(self.drain_timeout, finish_work, self)
end

local function start_worker(self, place)
  local ok, err = link.open(self)
  if not ok then return nil, err end
  local pid
  pid, err = csock.fork()
  if not pid then return nil, err end
  if pid == 0 then work(self, place.number, place.poll_interval) end
  place.pid = pid
  self.active_workers[pid] = place.number
  self._changed:wake(true)
  return pid
end

-- A task: keeps a worker in a place, until the place is given up.
local function keep_worker(self, place)
  local delay = 0
  while not place.given_up do
    local began = loop.now()
    local pid, why = start_worker(self, place)
    if pid then
      local _, status = csock.waitpid(pid)
      self.active_workers[pid] = nil
      self._changed:wake(true)
      why = status and csock.waitstatus_to_exitcode(status)
    end
    if place.given_up then return end
    delay = loop.now() - began < AT_ONCE and math.min(math.max(2 * delay, SOON), LATE) or 0
    self:worker_ended(place.number, pid, why, delay)
    csock.sleep(delay)
  end
end

local function fill_place(self, number, poll_interval)
  local place = { number = number, poll_interval = poll_interval }
  self._places[number] = place
  place.task = loop.spawn(keep_worker, self, place)
end

-- Asks a worker to end; returns when it has, or has been made to.
local function end_worker(self, pid)
  local deadline = loop.now() + self.drain_timeout + GRACE
  csock.kill(pid, "SIGTERM")
  while self.active_workers[pid] do
    local left = deadline - loop.now()
    if left <= 0 or not self._changed:wait(left) then
      csock.kill(pid, "SIGKILL")
      deadline = math.huge
    end
  end
end

local function give_up(self, place)
  place.given_up = true
  if self.active_workers[place.pid] then
    end_worker(self, place.pid)
  else
    place.task:cancel() -- it waits before it starts another one
  end
end

function PreforkMixIn:_worker_ready(pid)
  for _, place in ipairs(self._places) do
    if place.pid == pid then place.ready = true end
  end
  self._changed:wake(true)
end

local function replace_workers(self, poll_interval)
  for number, place in ipairs(self._places) do
    if self._stopping then return end
    fill_place(self, number, poll_interval)
    while not (self._places[number].ready or self._stopping) do self._changed:wait() end
    give_up(self, place)
  end
end

-- A function that has the workers replaced, and one that waits until no more are.
local function replacer(self, poll_interval)
  local wanted, task = false, nil
  local function run()
    local _ <close> = internal.guard(function() task = nil end)
    while wanted and not self._stopping do
      wanted = false
      replace_workers(self, poll_interval)
    end
  end
  local function replace()
    wanted = true -- also by those who have just begun
    task = task or loop.spawn(run)
  end
  local function finish()
    self._changed:wake(true)
    if task then task:join() end
  end
  return replace, finish
end

-- Looking after them ------------------------------------------------------------------------------

-- Handles signals while its variable is in scope.
local function handle_signals(self, replace)
  if not self.handle_signals then return end
  local _, term = loop.on_signal("SIGTERM", function()
    close_listeners(self) -- nobody will be served who comes from now on
    self:shutdown()
  end)
  local _, hup = loop.on_signal("SIGHUP", replace)
  return internal.guard(function()
    loop.on_signal("SIGTERM", term)
    loop.on_signal("SIGHUP", hup)
  end)
end

local function never() while true do csock.sleep(3600) end end

function PreforkMixIn:_serve(poll_interval)
  if self._number then return PreforkMixIn.super._serve(self, poll_interval) end
  local count = self.workers or csock.cpu_count()
  if not (math.type(count) == "integer" and count >= 1) then
    error(("%s.workers: integer >= 1 expected, got %s"):format(self.__class.__name, tostring(count)), 0)
  end
  local ok, err, errno = self.socket:getsockname() -- SIGTERM has closed it for good
  if ok then ok, err, errno = make_listeners(self, count) end
  if not ok then return nil, err, errno end
  local replace, finish_replacing = replacer(self, poll_interval)
  local _ <close> = handle_signals(self, replace)
  self._places = {}
  local _ <close> = internal.guard(function() -- when the task is cancelled: they end, though nobody waits for it
    for pid in pairs(self.active_workers) do csock.kill(pid, "SIGTERM") end
  end)
  for number = 1, count do fill_place(self, number, poll_interval) end
  if not self._stopping then
    self._waiting = loop.spawn(never)
    self._waiting:join() -- until shutdown cancels it
  end
  finish_replacing()
  local ending = {}
  for i, place in ipairs(self._places) do ending[i] = loop.spawn(give_up, self, place) end
  for _, task in ipairs(ending) do task:join() end
  return true
end

--- Makes `serve_forever` return when the workers have ended; called in a worker, too: that of the parent.
function PreforkMixIn:shutdown()
  if link.ask_parent(self) then return true end
  return PreforkMixIn.super.shutdown(self)
end

--- Closes the server.
function PreforkMixIn:server_close()
  close_listeners(self)
  PreforkMixIn.super.server_close(self)
  if not self._number then link.close(self) end
end

return PreforkMixIn
