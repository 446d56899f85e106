--- What went wrong, as errbacks are told it.
-- @module csock.defer
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local reason = require "csock.reactor.reason"

local E = csock.errno

local M = {}

--- An error that was raised, or that a function gave (nil, err), as a reason (@{csock.reactor.reason}): `value` is the
-- error; `traceback` says where it was raised, if it was. It has the methods `check`, `trap`, `getErrorMessage`,
-- `getTraceback` and `raiseException`, as every reason has; so `ConnectionLost` and its like are failures themselves.
-- Source: Twisted's `Failure`.
-- @function Failure
-- @param value any error
-- @tparam[opt] string traceback
-- @treturn failure
-- @usage print(defer.Failure("no such user"):getErrorMessage()) --> no such user
local Failure = class("Failure", reason.Reason)
M.Failure = Failure

function Failure:__init(value, traceback)
  self.value, self.traceback = value, traceback
end

function Failure:getErrorMessage() return tostring(self.value) end

-- What it was made of.
function Failure:raiseException() error(self.value, 0) end

local is_reason = setmetatable({}, { -- metatable -> whether its objects are reasons
  __mode = "k",
  __index = function(known, meta)
    local owner = type(meta) == "table" and rawget(meta, "__class")
    known[meta] = class.isclass(owner) and class.issubclass(owner, reason.Reason)
    return known[meta]
  end,
})

-- Whether a value is a failure.
local function is_failure(value)
  local meta = getmetatable(value)
  return meta ~= nil and is_reason[meta]
end
M.is_failure = is_failure

--- Makes a failure of an error, unless it is one already.
-- @function failure
-- @param err any error
-- @tparam[opt] string traceback where it came from
-- @treturn failure
-- @usage print(defer.failure("no such user").value) --> no such user
function M.failure(err, traceback)
  if not is_failure(err) then return Failure(err, traceback) end
  err.traceback = err.traceback or traceback
  return err
end

-- The error itself: what a function that fails gives after nil, with its number, if it has one.
function M.error_of(failure)
  local err = class.isinstance(failure, Failure) and failure.value or failure
  local value = failure.value
  local numbered = err == failure and err.errno and err or value
  local indexable = type(numbered) == "table" or type(numbered) == "userdata"
  local ok, errno = pcall(function() return indexable and numbered.errno or nil end)
  return err, ok and errno or nil
end

-- --- the module's own errors ----------------------------------------------------------------------

local function define(name, message, errno)
  local new = class(name, reason.Reason)
  new.message, new.errno = message, errno
  M[name] = new
  return new
end

--- The deferred was cancelled (`errno`: `ECANCELED`).
-- @field CancelledError
define("CancelledError", "The deferred was cancelled", E.ECANCELED)

--- The deferred has not got its result in time (`errno`: `ETIMEDOUT`).
-- @field TimeoutError
define("TimeoutError", "The deferred timed out", E.ETIMEDOUT)

--- One of several deferreds has failed: `subFailure` says how, `index` is its place in the list.
-- @field FirstError
local FirstError = define("FirstError", "One of several deferreds failed")

function FirstError:__init(subFailure, index)
  self.subFailure, self.index = subFailure, index
  self.value = subFailure.value
end

function FirstError:getErrorMessage() return ("FirstError[#%d, %s]"):format(self.index, self.subFailure) end

-- Wrong use, raised where csock was called.
local function define_raised(name, message)
  local new = define(name, message)
  function new:__init() self.place = check.place() end
  function new:getErrorMessage() return self.place .. self.message end
end

--- Raised by `callback` and `errback` of a deferred that has its result already.
-- @field AlreadyCalledError
define_raised("AlreadyCalledError", "the deferred was called already")

--- Raised by `put` of a queue that is full.
-- @field QueueOverflow
define_raised("QueueOverflow", "the queue is full")

--- Raised by `get` of a queue for which as many wait as may.
-- @field QueueUnderflow
define_raised("QueueUnderflow", "as many wait for the queue as may")

return M
