--- What is waited for by deferreds: queues, locks, semaphores.
-- @module csock.defer
local check = require "csock.check"
local class = require "csock.class"
local deferred = require "csock.defer.deferred"
local failures = require "csock.defer.failure"
local fired = require "csock.defer.fired"

local Deferred = deferred.Deferred
local succeed, maybeDeferred = fired.succeed, fired.maybeDeferred

local M = {}

-- --- first come, first served ---------------------------------------------------------------------

-- A ring of places, of which the row itself is one, between the last and the first: whoever leaves, from wherever,
-- leaves nothing behind, and nobody has to be looked for.
local Row = {}
Row.__index = Row

local function new_row()
  local row = setmetatable({ count = 0 }, Row)
  row.before, row.behind = row, row
  return row
end

function Row:__len() return self.count end

-- Gives its place.
function Row:enter(value)
  local place = { value = value, before = self.before, behind = self }
  place.before.behind, self.before = place, place
  self.count = self.count + 1
  return place
end

function Row:strike(place)
  place.before.behind, place.behind.before = place.behind, place.before
  self.count = self.count - 1
end

-- Takes the first one out; there is one.
function Row:leave()
  local place = self.behind
  self:strike(place)
  return place.value
end

-- A deferred that waits in a row, until it is cancelled.
local function waiting_in(row)
  local place
  local d = Deferred(function() row:strike(place) end)
  place = row:enter(d)
  return d
end

-- --- queues ---------------------------------------------------------------------------------------

local LIMIT = check.kind("integer >= 0", function(value)
  return value == nil or math.type(value) == "integer" and value >= 0
end)

--- A queue whose `get` gives a deferred. Any value may be put into it, nil as well. `#queue.pending` is how many it
-- holds, `#queue.waiting` how many wait.
-- Source: Twisted's `DeferredQueue`.
-- @type deferredqueue
local DeferredQueue = class("DeferredQueue")
M.DeferredQueue = DeferredQueue

--- Makes a queue.
-- @function csock.defer.DeferredQueue
-- @tparam[opt] int size how many values it holds at most; nil: no limit
-- @tparam[opt] int backlog how many may wait for values; nil: no limit
-- @treturn deferredqueue
-- @usage
-- local queue = defer.DeferredQueue()
-- queue:get():addCallback(print)
-- queue:put "a" --> a
function DeferredQueue:__init(size, backlog)
  check.argument(LIMIT, size, 1, "DeferredQueue")
  check.argument(LIMIT, backlog, 2, "DeferredQueue")
  self.size, self.backlog = size, backlog
  self.waiting, self.pending = new_row(), new_row()
end

--- Puts a value at the end, or gives it to the first who waits.
-- @function deferredqueue:put
-- @param value
-- @raise `QueueOverflow` when it is full
-- @usage
-- local queue = defer.DeferredQueue(1)
-- queue:put "a"
-- print((pcall(queue.put, queue, "b"))) --> false
function DeferredQueue:put(value)
  if #self.waiting > 0 then
    self.waiting:leave():callback(value)
  elseif self.size and #self.pending >= self.size then
    error(failures.QueueOverflow(), 0)
  else
    self.pending:enter(value)
  end
end

--- Takes the first value.
-- @function deferredqueue:get
-- @treturn deferred the value, as soon as there is one
-- @raise `QueueUnderflow` when as many wait as may
-- @usage
-- local queue = defer.DeferredQueue()
-- queue:put "a"
-- queue:get():addCallback(print) --> a
function DeferredQueue:get()
  if #self.pending > 0 then return succeed(self.pending:leave()) end
  if self.backlog and #self.waiting >= self.backlog then error(failures.QueueUnderflow(), 0) end
  return waiting_in(self.waiting)
end

-- --- semaphores and locks -------------------------------------------------------------------------

--- So many may have it at once; the others wait. `tokens`: how many more may have it now; `limit`: how many at most.
-- Source: Twisted's `DeferredSemaphore`.
-- @type deferredsemaphore
local DeferredSemaphore = class("DeferredSemaphore")
M.DeferredSemaphore = DeferredSemaphore

local TOKENS = check.integer(1)

--- Makes a semaphore.
-- @function csock.defer.DeferredSemaphore
-- @tparam int tokens how many may have it at once
-- @treturn deferredsemaphore
-- @usage
-- local semaphore = defer.DeferredSemaphore(2)
-- for i = 1, 3 do semaphore:acquire():addCallback(function() print(i) end) end --> 1 2
-- semaphore:release() --> 3
function DeferredSemaphore:__init(tokens)
  check.argument(TOKENS, tokens, 1, "DeferredSemaphore")
  self.tokens, self.limit, self.waiting = tokens, tokens, new_row()
end

--- Waits for it.
-- @function deferredsemaphore:acquire
-- @treturn deferred the semaphore itself, as soon as one has it. In a task: `local held <close> =
-- defer.wait(semaphore:acquire())` releases it at the end of the block
-- @usage
-- local semaphore = defer.DeferredSemaphore(1)
-- csock.run(function()
--   local held <close> = defer.wait(semaphore:acquire())
--   print(semaphore.tokens) --> 0
-- end)
function DeferredSemaphore:acquire()
  if self.tokens == 0 then return waiting_in(self.waiting) end
  self.tokens = self.tokens - 1
  return succeed(self)
end

--- Gives it back: the first who waits has it.
-- @function deferredsemaphore:release
-- @raise when nobody has it
-- @usage
-- local semaphore = defer.DeferredSemaphore(1)
-- semaphore:acquire()
-- semaphore:release()
-- print(semaphore.tokens) --> 1
function DeferredSemaphore:release()
  if self.tokens == self.limit then check.fail("nobody has it to release") end
  if #self.waiting > 0 then return self.waiting:leave():callback(self) end
  self.tokens = self.tokens + 1
end

DeferredSemaphore.__close = DeferredSemaphore.release

--- Calls a function as soon as one has it, and gives it back when the function's result is there.
-- @function deferredsemaphore:run
-- @tparam function f may give a deferred
-- @param ... its arguments
-- @treturn deferred what the function gives
-- @usage
-- local semaphore = defer.DeferredSemaphore(1)
-- semaphore:run(tonumber, "42"):addCallback(print) --> 42
function DeferredSemaphore:run(f, ...)
  check.argument(check.ANY, f, 1, "run")
  local arguments = table.pack(...)
  return self:acquire():addCallback(function()
    return maybeDeferred(f, table.unpack(arguments, 1, arguments.n)):addBoth(function(given)
      self:release()
      return given
    end)
  end)
end

--- One may have it at a time: a semaphore of one token (see there). `locked`: whether somebody has it.
-- Source: Twisted's `DeferredLock`.
-- @type deferredlock
local DeferredLock = class("DeferredLock", DeferredSemaphore)
M.DeferredLock = DeferredLock

--- Makes a lock.
-- @function csock.defer.DeferredLock
-- @treturn deferredlock
-- @usage
-- local lock = defer.DeferredLock()
-- lock:acquire()
-- lock:acquire():addCallback(function() print "mine" end)
-- lock:release() --> mine
function DeferredLock:__init() DeferredLock.super.__init(self, 1) end

function DeferredLock:__index(name)
  if name == "locked" then return self.tokens == 0 end
end

return M
