-- line.lua: lines typed with GNU readline: the editor's face in a terminal.
local capture = require "csock.repl.editor.capture"
local csock = require "csock"
local internal = require "csock.loop.internal"
local ok, rl = pcall(require, "csock.readline")
local state = require "csock.repl.state"
local loop = csock.loop

if not ok then return false end

local HOLD = 0.1    -- seconds: an ESC is a key of its own, if nothing comes behind it
local PATIENCE = 0.2 -- seconds: how often a stopped prompt looks whether the terminal is its own again
local ANSWER = 2     -- seconds: what completes has that long
local ENTRIES = 2000 -- of the history

local Line = { columns = rl.columns }
Line.__index = Line

function Line.new() return setmetatable({}, Line) end

-- What has been typed.
function Line.typed() return (rl.line()) or "" end

function Line.begin(_, prompt) rl.start(prompt) end

-- Whether a line is on the screen.
function Line.running() return rl.running() end

-- Sends what is to be shown; waits while the terminal takes nothing.
function Line.flush()
  while not rl.flush() do csock.select({}, { rl.output() }, {}) end
end

-- The same, by somebody else. True: the terminal takes nothing any more.
local function send(self)
  local done, broken = rl.flush()
  if done or self.sender then return broken end
  self.sender = state.own(loop.spawn(function()
    local _ <close> = internal.guard(function() self.sender = nil end)
    self.flush()
  end)):daemon()
end

local function answer(complete, line, first, last)
  local called, list, append = pcall(loop.timeout, ANSWER, complete, line, first, last)
  if not called then list = {} end
  rl.candidates(list, append)
end

-- Lets readline have what is typed, until the line is finished: gives "line" and its text, "eof" or "interrupted".
-- `complete` is called as the editor's; `stop` when the process is to stop.
function Line:follow(complete, stop)
  local late = false
  while true do
    local what, text, first, last = rl.feed(late)
    local broken = send(self)
    late = false
    if what == "line" or what == "eof" then return what, text end
    if what == "interrupt" then return "interrupted" end
    if broken then return "eof" end
    if what == "suspend" then
      stop()
    elseif what == "complete" then
      answer(complete, text, first, last)
    elseif self.stopped then
      loop.sleep(PATIENCE)
      if rl.foreground() then self:resume() end
    elseif what == "more" then
      loop.yield()
    else
      local hold = what == "held" and HOLD or nil
      local readable = csock.select({ 0 }, {}, {}, hold)
      late = readable and #readable == 0
    end
  end
end

-- Ends the line.
function Line:finish(mark)
  self.stopped = false
  rl.stop(mark)
  send(self)
end

-- Waits while much is on its way to the terminal, where a task may wait.
function Line.await()
  while rl.full() and loop.current() and coroutine.isyieldable() do
    local waited, err = pcall(csock.select, {}, { rl.output() }, {})
    if not waited and tostring(err):find("would wait", 1, true) then return end
    if not waited then error(err, 0) end
    rl.flush()
  end
end

function Line:put(text)
  if not rl.put(text) then capture.write(io.stdout, text) end
  send(self)
end

function Line:above(text)
  rl.above(text)
  rl.show()
  send(self)
end

-- Gives the terminal back for a while.
function Line:suspend()
  self.stopped = true
  rl.suspend()
end

-- Takes it again, if it is this process's now.
function Line:resume()
  if not rl.foreground() then return end
  self.stopped = false
  rl.resume()
  send(self)
end

function Line:resize()
  rl.resize()
  send(self)
end

-- Whether keys are there at once, and are not shown.
function Line.keys(on) rl.keys(on) end

-- The next key within so many seconds, or nil.
function Line.key(seconds)
  csock.select({ 0 }, {}, {}, seconds)
  return rl.key()
end

-- --- history --------------------------------------------------------------------------------------

function Line.load(_, path) return rl.read_history(path, ENTRIES) end

function Line.remember(_, text, path)
  if rl.add_history(text) and path then rl.append_history(path, text) end
end

return Line
