--- Whom the channels of a map wait for, and who is told of it.
-- @module csock.asyncore
local check = require "csock.check"
local csock = require "csock"
local errors = require "csock.asyncore.errors"
local watches = require "csock.asyncore.watch"
local internal = require "csock.loop.internal"

local guarded, loop = errors.guarded, csock.loop

local TIMEOUT = 30 -- Python's

local M = {}

--- The channels that are open, by descriptor: where a dispatcher enters itself when it is given no other map.
-- Source: Python's `asyncore.socket_map`.
-- @field socket_map
M.socket_map = {}

-- Events ------------------------------------------------------------------------------------------

--- Tells a channel that it is readable: calls `handle_read_event`, and `handle_error` when that raises an error.
-- Source: Python's `asyncore.read`.
-- @tparam dispatcher channel
function M.read(channel) guarded(channel, channel.handle_read_event) end

--- Tells a channel that it is writable: calls `handle_write_event`, and `handle_error` when that raises an error.
-- Source: Python's `asyncore.write`.
-- @tparam dispatcher channel
function M.write(channel) guarded(channel, channel.handle_write_event) end

local function urgent(channel) guarded(channel, channel.handle_expt_event) end

--- Tells a channel of all that poll(2) says of it.
-- Source: Python's `asyncore.readwrite`.
-- @tparam dispatcher channel
-- @tparam int flags `POLL*`
function M.readwrite(channel, flags)
  if flags & csock.POLLIN ~= 0 then M.read(channel) end
  if flags & csock.POLLOUT ~= 0 then M.write(channel) end
  if flags & csock.POLLPRI ~= 0 then urgent(channel) end
  if flags & (csock.POLLHUP | csock.POLLERR | csock.POLLNVAL) ~= 0 then guarded(channel, channel.handle_close) end
end

-- Waiting -----------------------------------------------------------------------------------------

local waiting = setmetatable({}, { __mode = "k" }) -- map -> the task that waits for its channels
local woken = setmetatable({}, { __mode = "k" }) -- maps that are to be asked anew

--- Has a `loop` that waits in another task ask the channels again what they wait for. Channels that are added, closed,
-- or given something to send see to it themselves; it is for a `readable` or a `writable` that goes by something else.
-- csock's own.
-- @tparam[opt=socket_map] table map
-- @usage asyncore.wake()
function M.wake(map)
  map = map or M.socket_map
  woken[map] = true
  if waiting[map] then waiting[map]:cancel() end
end

-- Waits in a task of its own, so that `wake` can end it. Gives what poll gives.
local function wait(map, poller, time)
  if waiting[map] then error("another task waits for the channels of this map", 0) end
  local task <close> = loop.spawn(poller.poll, poller, time):watch()
  local _ <close> = internal.guard(function() waiting[map] = nil end)
  waiting[map] = task
  local events, err, errno = task:join()
  if task:status() == "cancelled" then return {} end
  return events, err, errno
end

-- In Lua 0 is as good as true; Python's programs give the length of a buffer.
local function is_true(value) return value and value ~= 0 and value ~= "" end

local function wishes(channel)
  local readable, writable = is_true(channel:readable()), is_true(channel:writable())
  local is_flowing = channel._is_flowing -- what a channel is told depends on what its peer takes
  return readable and (not is_flowing or is_flowing(channel)), writable and not channel.accepting
end

-- For how long a listening channel asks for nothing, because descriptors have run out; nil when it does.
local function rest_of(channel)
  local rest = channel.resting and channel.resting - loop.now()
  if rest and rest > 0 then return rest end
  channel.resting = nil
end

-- A channel whose socket somebody has closed. It leaves the map, whatever it does about it.
local function lose(map, fd, channel)
  guarded(channel, channel.handle_close)
  if map[fd] == channel then map[fd] = nil end
end

-- Asks a channel what it waits for. Gives nil, err, errno when that cannot be waited for.
local function ask(watch, map, fd, channel)
  local ok, readable, writable = guarded(channel, wishes)
  if not ok or not readable and not writable or map[fd] ~= channel then return true end
  local err, errno
  ok, err, errno = watch:ask(fd, channel, readable, writable)
  if ok or err.name ~= "EBADF" then return ok, err, errno end
  lose(map, fd, channel)
  return true
end

-- Asks all channels. Gives true and the time to wait; or nil, err, errno.
local function ask_all(watch, map, timeout)
  local fds = {}
  for fd in pairs(map) do fds[#fds + 1] = fd end
  for _, fd in ipairs(fds) do
    local channel = map[fd] -- unless another one has closed it
    local rest = channel and channel.accepting and rest_of(channel)
    if rest then
      timeout = timeout and math.min(timeout, rest) or rest
    elseif channel and not channel.dialling then
      local ok, err, errno = ask(watch, map, fd, channel)
      if not ok then return nil, err, errno end
    end
  end
  return true, timeout
end

-- One turn: true, or nil, err, errno.
local function turn(timeout, map)
  if next(map) == nil then return true end
  local watch = watches.get(map)
  watch:begin()
  woken[map] = nil
  local ok, time, errno = ask_all(watch, map, timeout)
  if not ok then return nil, time, errno end
  if next(map) == nil then return true end
  if woken[map] then time = 0 end -- a channel has let another task run when it was asked
  local events, err
  events, err, errno = wait(map, watch.poller, watch:time(time))
  if not events then
    if not internal.exhausted(err) then return nil, err, errno end
    csock.sleep(math.min(internal.PATIENCE, time or internal.PATIENCE)) -- to wait may cost a descriptor
    return true
  end
  local list = watch:sort(events)
  local function tell(event, method)
    for _, one in ipairs(list) do
      if one[event] and map[one.fd] == one.channel then method(one.channel) end -- it is open still
    end
  end
  tell("readable", M.read)
  tell("writable", M.write)
  tell("urgent", urgent)
  return true
end

local function of_type(name)
  return check.kind(name, function(value) return type(value) == name end)
end

local TABLE = of_type "table"

--- One turn: asks each channel of the map whether it is `readable` or `writable`, waits until one of them is, and
-- calls the handlers of all that are.
-- Source: Python's `asyncore.poll`; `poll2` and `poll3` are the same here, since descriptors may have any number.
-- @tparam[opt=0] number timeout seconds; `math.huge`: as long as it takes
-- @tparam[opt=socket_map] table map
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise `ExitNow`, and what `handle_error` raises
-- @usage assert(asyncore.poll(0))
function M.poll(timeout, map)
  local seconds = check.timeout(timeout or 0, 1, "poll")
  return internal.in_task(turn, seconds, check.argument(TABLE, map or M.socket_map, 2, "poll"))
end

--- The same as `poll`.
-- @function poll2
M.poll2 = M.poll

--- The same as `poll`.
-- @function poll3
M.poll3 = M.poll

local function run(timeout, map, count)
  local _ <close> = watches.keep(map)
  while next(map) ~= nil and count > 0 do
    local ok, err, errno = turn(timeout, map)
    if not ok then return nil, err, errno end
    count = count - 1
  end
  return true
end

local loop_options = {
  timeout = { check.TIMEOUT, TIMEOUT }, use_poll = { of_type "boolean" }, map = { TABLE },
  count = { of_type "number", math.huge, math.huge },
}

-- The arguments of `loop`, as options.
local function named(...)
  local options = {}
  for i, name in ipairs { "timeout", "use_poll", "map", "count" } do
    options[name] = select(i, ...)
    if options[name] ~= nil then check.argument(loop_options[name][1], options[name], i, "loop") end
  end
  return options
end

--- Serves the channels of a map until none is left. Its arguments may also be the fields of a table:
-- `asyncore.loop { timeout = 1, count = 10 }`.
--
-- It may be called in a task, beside others, or outside of tasks, which then run meanwhile. Handlers run in the
-- task that calls it, one after the other. A map has one `loop` at a time.
-- Source: Python's `asyncore.loop`.
-- @tparam[opt=30] number timeout after how many seconds the channels are asked again at the latest what they wait for;
-- `math.huge`: when something happens
-- @tparam[opt] boolean use_poll makes no difference
-- @tparam[opt=socket_map] table map
-- @tparam[opt] int count how many turns to make; nil: until no channel is left
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise `ExitNow`, and what `handle_error` raises
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- asyncore.loop {timeout = 0.01, count = 1}
function M.loop(timeout, use_poll, map, count)
  local given = type(timeout) == "table" and timeout or named(timeout, use_poll, map, count)
  local options = check.options(given, loop_options, 1, "loop")
  return internal.in_task(run, options.timeout, options.map or M.socket_map, options.count)
end

--- Closes all channels of a map.
-- Source: Python's `asyncore.close_all`.
-- @tparam[opt=socket_map] table map
-- @tparam[opt] boolean ignore_all whether to go on when the `close` of one raises an error
-- @raise that error, otherwise; and `ExitNow`
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- asyncore.close_all()
function M.close_all(map, ignore_all)
  map = map or M.socket_map
  local channels = {}
  for _, channel in pairs(map) do channels[#channels + 1] = channel end
  for _, channel in ipairs(channels) do
    local ok, err = pcall(channel.close, channel)
    if not ok and (not ignore_all or errors.ends_the_loop(err)) then error(err, 0) end
  end
  for fd in pairs(map) do map[fd] = nil end
  M.wake(map)
end

return M
