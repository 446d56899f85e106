-- editor.lua: who types at the prompt: lines with a prompt before them, while the loop runs; and above them what the
-- program prints meanwhile.
--
-- Where there is a terminal and csock.readline, lines are edited (editor/line.lua); else they come as standard input
-- gives them (editor/plain.lua).
--
-- While a line is typed, the editor answers the terminal's signals; between lines they are whose they were.
local capture = require "csock.repl.editor.capture"
local csock = require "csock"
local full = require "csock.repl.editor.full"
local internal = require "csock.loop.internal"
local Line = require "csock.repl.editor.line"
local Plain = require "csock.repl.editor.plain"
local state = require "csock.repl.state"
local loop = csock.loop

local MOST = 1 << 16 -- bytes that are printed above the line at once; what is more waits no longer

local Editor = {}
Editor.__index = Editor

local M = {}

-- Opens the editor on standard input and output. The options: `history`: a file, for what was typed; `complete`:
-- complete(line, first, last) gives a sequence of candidates for line:sub(first, last), and the character that belongs
-- behind a single one; nil: names of files. It may wait. Both may also be set as fields later.
-- Fields: `interactive`: whether there is a terminal, at both ends; `columns()`: how wide it is; `rows()`: how high;
-- `full(f)`: the whole terminal for a function, see editor/full.lua (nil where there is no editing).
function M.open(options)
  options = options or {}
  local interactive = csock.isatty(0) and csock.isatty(1)
  local edits = interactive and Line and os.getenv "TERM" and true
  local self = setmetatable({
    interactive = interactive, history = options.history, complete = options.complete,
    pending = {}, size = 0, fresh = true,
  }, Editor)
  self.face = edits and Line.new() or Plain.new(interactive)
  self.columns = self.face.columns
  self.rows = function() return (select(2, csock.get_terminal_size(1))) or 24 end
  if edits then self.full = function(f) full(self.face, f) end end
  if self.history then self.face:load(self.history) end
  internal.in_child(function() self:capture(false) self.face = Plain.new(false) end)
  return self
end

-- --- printing --------------------------------------------------------------------------------------

-- Shows what was printed while a line is typed.
function Editor:paint()
  self.painter = nil
  if self.size == 0 or not self.face:running() then return end -- it is shown when the line has ended
  local text = table.concat(self.pending)
  self.pending, self.size = {}, 0
  self.face:above(text)
end

-- While no line is typed: whoever prints waits for a slow terminal.
local function write(self, text)
  self.face:await()
  if self.typing then return self:above(text) end -- since then
  self.face:put(text)
  local seen = text:sub(-64):gsub("\27%[[%d;?]*%a", "") -- without what the terminal is told to do
  if seen ~= "" then self.fresh = seen:sub(-1) == "\n" end
end

-- Prints text: above the line that is being typed, if one is: all that is printed in a turn at once.
function Editor:above(text)
  if text == "" then return end
  if not self.typing then return write(self, text) end
  self.pending[#self.pending + 1] = text
  self.size = self.size + #text
  if self.size > MOST then
    self:paint()
  elseif not self.painter then
    self.painter = state.own(loop.spawn(self.paint, self)):daemon()
  end
end

-- From now on (or no longer) what `print`, `io.write` and the `write` of `io.stdout` and `io.stderr` are given is
-- printed so.
function Editor:capture(on)
  if self.captured then self.captured:close() end
  self.captured = on and self.interactive and capture.begin(self) or nil
end

-- --- signals ---------------------------------------------------------------------------------------

local ANSWERS = {}

function ANSWERS:SIGINT() self:interrupt() end
function ANSWERS:SIGHUP() self.event "eof" end
function ANSWERS:SIGWINCH() self.face:resize() end
function ANSWERS:SIGCONT() self.face:resume() end

-- The signal itself, as it is without the editor.
local function let_happen(self, name)
  loop.on_signal(name, self.before[name])
  csock.kill(csock.getpid(), name)
end

-- Stops the process, as the signal does without the editor, until it is continued.
function ANSWERS:SIGTSTP()
  self.face:suspend()
  loop.on_signal("SIGCONT", self.before.SIGCONT)
  let_happen(self, "SIGTSTP")
  if not self.typing then return end
  self.listen "SIGTSTP"
  self.listen "SIGCONT"
  self.face:resume()
end

function ANSWERS:SIGTERM()
  self.face:finish ""
  let_happen(self, "SIGTERM")
end

function ANSWERS:SIGQUIT()
  self.face:finish ""
  let_happen(self, "SIGQUIT")
end

-- Signals are the editor's until the line has ended. One that comes too late for that is passed on.
local function take_signals(self)
  local before, over = {}, false
  self.before = before
  function self.listen(name)
    local _, former = loop.on_signal(name, function()
      if over then csock.kill(csock.getpid(), name) else ANSWERS[name](self) end
    end)
    return former
  end
  for name in pairs(ANSWERS) do before[name] = self.listen(name) end
  return function()
    over = true
    for name in pairs(ANSWERS) do loop.on_signal(name, before[name]) end
  end
end

-- --- reading ---------------------------------------------------------------------------------------

local function finish(self, mark)
  self.face:finish(mark)
  self.typing = false
  if self.size > 0 then
    local text = table.concat(self.pending)
    self.pending, self.size = {}, 0
    write(self, text)
  end
end

-- Ctrl-C that came when the line had been taken already is not the editor's.
local function pass_on(outcomes)
  while not outcomes:empty() do
    if outcomes:get().what == "interrupted" then csock.kill(csock.getpid(), "SIGINT") end
  end
end

local function no_candidates() return {} end

-- Waits for a line: gives it; nil at the end of the input; nil, "interrupted" when Ctrl-C was typed instead,
-- and what had been typed before that.
function Editor:read(prompt)
  if self.closed then return nil end
  if not self.interactive then
    self.face:begin(prompt)
    return select(2, self.face:follow())
  end
  io.stdout:flush()
  if not self.fresh then write(self, "\n") end
  local outcomes = loop.queue()
  function self.event(what, line) outcomes:put { what = what, line = line } end
  local give_back = take_signals(self) -- before anybody sees that there is a prompt
  local mark = ""
  local _ <close> = internal.guard(function()
    finish(self, mark)
    give_back()
    pass_on(outcomes)
  end)
  self.typing = true
  self.face:begin(prompt)
  local follower <close> = state.own(loop.spawn(function()
    self.event(self.face:follow(self.complete or no_candidates, function() ANSWERS.SIGTSTP(self) end))
  end))
  local outcome = outcomes:get()
  local typed
  if outcome.what == "interrupted" then mark, typed = "^C", self.face.typed() end
  follower:cancel()
  self.face:flush()
  if outcome.what == "line" then return outcome.line end
  return nil, typed and "interrupted", typed
end

-- Ctrl-C, if a line is being typed: whether one is.
function Editor:interrupt()
  if self.typing then self.event "interrupted" end
  return self.typing == true
end

-- Keeps what was typed in the history.
function Editor:remember(text)
  if text:find "%S" then self.face:remember(text, self.history) end
end

-- Ends it: the terminal is as it was before.
function Editor:close()
  self:capture(false)
  self.face:flush()
  self.closed = true
end

Editor.__close = Editor.close

return M
