--- What went wrong, as errbacks are told it.
-- @module csock.defer
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local reason = require "csock.reactor.reason"

local E = csock.errno

local M = {}

-- --- where it came from ---------------------------------------------------------------------------

local getinfo = debug and debug.getinfo -- a host may have left it out
local DEPTH = 20                        -- functions that are noted

-- The functions that are running, without those that are asked here. (What they are called is found out when
-- somebody wants to know: it takes ten times as long, and most failures are taken by an errback that does not.)
local function frames_from(level)
  local frames = {}
  for i = 1, getinfo and DEPTH or 0 do
    frames[i] = getinfo(level + i, "fl")
    if not frames[i] then break end
  end
  return frames
end

local function text_of(err)
  local ok, text = pcall(tostring, err)
  return ok and text or ("(error object is a %s value)"):format(type(err))
end

-- As `debug.traceback` writes it.
local function traceback_of(err, frames)
  local lines = { text_of(err), "stack traceback:" }
  for _, frame in ipairs(frames) do
    local source = getinfo(frame.func, "S")
    local line = frame.currentline > 0 and (":%d"):format(frame.currentline) or ""
    local name = source.what == "main" and "main chunk" or source.what == "C" and "?"
      or ("function <%s:%d>"):format(source.short_src, source.linedefined)
    lines[#lines + 1] = ("\t%s%s: in %s"):format(source.short_src, line, name)
  end
  if #frames == DEPTH then lines[#lines + 1] = "\t..." end
  return table.concat(lines, "\n")
end

-- --- failures -------------------------------------------------------------------------------------

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

function Failure:__index(name)
  local frames = rawget(self, "frames")
  if name == "traceback" and frames then return traceback_of(self.value, frames) end
end

function Failure:getErrorMessage() return text_of(self.value) end

-- What it was made of.
function Failure:raiseException() error(self.value, 0) end

-- A table: a metatable -> what `judge` says of the class whose objects have it; false where it is no class's.
function M.by_class(judge)
  return setmetatable({}, {
    __mode = "k",
    __index = function(known, meta)
      local owner = type(meta) == "table" and rawget(meta, "__class")
      known[meta] = class.isclass(owner) and judge(owner)
      return known[meta]
    end,
  })
end

local is_reason = M.by_class(function(owner) return class.issubclass(owner, reason.Reason) end)

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
  if traceback and not err.traceback then err.traceback = traceback end
  return err
end

-- For `xpcall`: a failure that knows where it came from.
function M.traced(err)
  if is_failure(err) then
    if rawget(err, "frames") or err.traceback or not debug then return err end
    err.traceback = debug.traceback(text_of(err), 2)
    return err
  end
  local new = Failure(err)
  new.frames = frames_from(2)
  return new
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
