--- Errors in handlers: where they come from, and who is told.
-- @module csock.asyncore
local class = require "csock.class"
local csock = require "csock"

local FRAMES = 20 -- of a traceback

local M = {}

--- What a handler raises to end `loop`: `error(asyncore.ExitNow())`. It passes `handle_error` by, and comes out of
-- `loop`. A class of Python's.
-- @field ExitNow
local ExitNow = class("ExitNow")
M.ExitNow = ExitNow

-- `message` may be anything.
function ExitNow:__init(message) self.message = message end

function ExitNow:__tostring() return self.message == nil and "ExitNow" or "ExitNow: " .. tostring(self.message) end

-- What these errors say is that the peer has gone.
local DISCONNECTED = {
  ECONNRESET = true, ENOTCONN = true, ESHUTDOWN = true, ECONNABORTED = true, EPIPE = true, EBADF = true,
}

-- Whether an error of csock says so.
function M.disconnected(err) return DISCONNECTED[err.name] == true end

-- Whether it is ExitNow that was raised.
function M.ends_the_loop(err)
  if class.isclass(err) then return class.issubclass(err, ExitNow) end
  return class.isinstance(err, ExitNow)
end

-- What kind of thing was raised.
local function kind_of(err)
  if csock.is_error(err) then return err.name end
  return type(err) == "table" and class.isclass(err.__class) and err.__class.__name or type(err)
end

--- Where an error comes from, in one line: for message handlers (of `xpcall`) and the like.
-- Source: Python's `asyncore.compact_traceback`, which looks for the error itself.
-- @param[opt] err what was raised
-- @tparam[opt=1] int level where to begin, as in `debug.traceback`
-- @treturn {string,string,int} the file, the function and the line where it began
-- @treturn string the type of the error: an error's name, a class's, or Lua's
-- @return the error
-- @treturn string the calls that led there, the innermost one last: `[file|function|line] ...`
-- @usage local ok, place = xpcall(error, asyncore.compact_traceback, "oops")
function M.compact_traceback(err, level)
  local frames, texts = {}, {}
  level = (level or 1) + 1
  while #frames < FRAMES do
    local frame = debug.getinfo(level, "Slnf")
    if not frame or frame.func == xpcall then break end -- beyond that nothing failed
    if frame.what ~= "C" then
      local name = frame.name or (frame.what == "main" and "main chunk" or "?")
      frames[#frames + 1] = { frame.short_src, name, frame.currentline }
      table.insert(texts, 1, ("[%s|%s|%d]"):format(frame.short_src, name, frame.currentline))
    end
    level = level + 1
  end
  return frames[1] or { "?", "?", 0 }, kind_of(err), err, table.concat(texts, " ")
end

local function caught(err)
  return { err = err, info = not M.ends_the_loop(err) and select(4, M.compact_traceback(err, 2)) }
end

-- Tells a channel of an error in one of its methods. Only ExitNow, and what handle_error raises, goes further.
local function failed(channel, failure)
  local err = failure.err
  if M.ends_the_loop(err) then error(err, 0) end
  if csock.is_error(err) and err.name == "EAGAIN" then return end -- it was not ready after all
  if csock.is_error(err) and M.disconnected(err) then
    local ok
    ok, failure = xpcall(channel.handle_close, caught, channel)
    if ok then return end
    if M.ends_the_loop(failure.err) then error(failure.err, 0) end
  end
  channel:handle_error(failure.err, failure.info)
end

-- Calls a function for a channel. Gives its results behind true, or false.
function M.guarded(channel, f)
  local ok, first, second = xpcall(f, caught, channel)
  if ok then return true, first, second end
  failed(channel, first)
  return false
end

return M
