--- What tasks wait for each other by: queues and events.
-- @module csock.loop
local csock_core = require "csock.core"
local check = require "csock.check"
local internal = require "csock.loop.internal"

local E = csock_core.errno
local countdown, new_waiters = internal.countdown, internal.waiters

local M = {}

local function fail(call, errno)
  return csock_core.make_error { call = call, errno = errno }
end

--- A queue between tasks.
-- @type queue
local Queue = {}
Queue.__index = Queue
Queue.__name = "csock.queue"

local SIZE = check.integer(0)

--- Makes a queue.
-- Source: `asyncio.Queue`.
-- @function csock.loop.queue
-- @tparam[opt] int maxsize how many it holds before `put` waits; none or 0: no limit
-- @treturn queue
-- @usage
-- local queue = loop.queue()
-- csock.spawn(function() for i = 1, 3 do queue:put(i) end queue:close() end)
-- for value in queue:iter() do print(value) end --> 1 2 3
function M.queue(maxsize)
  maxsize = check.argument(SIZE, maxsize or 0, 1, "queue")
  return setmetatable({
    first = 1, last = 0, maxsize = maxsize > 0 and maxsize or math.maxinteger,
    getters = new_waiters "get", putters = new_waiters "put",
  }, Queue)
end

--- How many values it holds.
-- @treturn int
-- @usage
-- local queue = loop.queue()
-- queue:put "a"
-- print(queue:qsize()) --> 1
function Queue:qsize() return self.last - self.first + 1 end
Queue.__len = Queue.qsize

--- Whether it holds none.
-- @treturn boolean
-- @usage print(loop.queue():empty()) --> true
function Queue:empty() return self:qsize() == 0 end

--- Whether it holds as many as it may.
-- @treturn boolean
-- @usage
-- local queue = loop.queue(1)
-- queue:put "a"
-- print(queue:full()) --> true
function Queue:full() return self:qsize() >= self.maxsize end

-- Waits until `ready(self)` is false no more. Whoever stops waiting wakes the next one if there is
-- something for it, so that no wake-up is lost with a task that is cancelled.
local function wait_while(self, blocked, waiters, call, timeout)
  if timeout == 0 then return fail(call, E.EAGAIN) end
  local left = countdown(timeout)
  local done = false
  local _ <close> = internal.guard(function()
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
-- @usage
-- local queue = loop.queue(1)
-- queue:put "a"
-- print(select(2, queue:put("b", 0)).name) --> EAGAIN
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
-- @usage
-- local queue = loop.queue()
-- queue:put "a"
-- print(queue:get()) --> a
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
-- @usage
-- local queue = loop.queue()
-- queue:close()
-- print(queue:get()) --> nil
function Queue:close()
  self.closed = true
  self.getters:wake(true)
  self.putters:wake(true)
end

--- Takes values until the queue is closed and empty: `for value in queue:iter() do`.
-- @treturn function
-- @usage
-- local queue = loop.queue()
-- queue:put "a"
-- queue:close()
-- for value in queue:iter() do print(value) end --> a
function Queue:iter()
  return function() return self:get() end
end

--- Something that tasks wait for to happen.
-- @type event
local Event = {}
Event.__index = Event
Event.__name = "csock.event"

--- Makes an event, not set.
-- Source: `asyncio.Event`.
-- @function csock.loop.event
-- @treturn event
-- @usage
-- local ready = loop.event()
-- loop.call_later(0.01, function() ready:set() end)
-- print(ready:wait(5)) --> true
function M.event() return setmetatable({ waiters = new_waiters() }, Event) end

--- Sets it: all who wait go on.
-- @usage
-- local event = loop.event()
-- event:set()
-- print(event:wait()) --> true
function Event:set()
  self.happened = true
  self.waiters:wake(true)
end

--- Takes it back: who waits from now on waits for the next `set`.
-- @usage
-- local event = loop.event()
-- event:set()
-- event:clear()
-- print(event:is_set()) --> false
function Event:clear() self.happened = false end

--- Whether it is set.
-- @treturn boolean
-- @usage print(loop.event():is_set()) --> false
function Event:is_set() return self.happened == true end

--- Waits until it is set.
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error (`ETIMEDOUT`, `EAGAIN`)
-- @treturn[2] int errno
-- @usage
-- local event = loop.event()
-- print(select(2, event:wait(0.01)).name) --> ETIMEDOUT
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
