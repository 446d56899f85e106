-- session.lua: one prompt's memory, and how what is typed there is run: each input is a task, for which the session
-- waits, unless it ends with `&`. Where the text comes from and where the answers go is not its business.
local chunk = require "csock.repl.chunk"
local commands = require "csock.repl.commands"
local complete = require "csock.repl.complete"
local loop = require "csock".loop
local names = require "csock.repl.names"
local show = require "csock.repl.show"
local sources = require "csock.repl.sources"

local Session = {}
Session.__index = Session

local M = {}

-- A new session. The options: `out`: a function that is called with text to be printed; `err`: with what is wrong (the
-- same); `columns`: one that tells how wide lines may be; `own`: names that this session's code sees before the
-- globals; `foreground`: a function that is called with the task that Ctrl-C is for now; `prefix`: of the numbers of
-- inputs.
function M.new(options)
  local self = setmetatable({
    out = options.out, err = options.err or options.out, columns = options.columns or function() return 80 end,
    own = options.own or {}, foreground = options.foreground or function() end, prefix = options.prefix or "",
    number = 1, done = {}, closing = {}, settings = { items = 50, depth = 5, strings = 1000 },
  }, Session)
  self.own.exit = function() self.over = true end
  self.locals = names.environment(self.own)
  return self
end

-- How the prompt reads: the number is that of the input, whose first result will be `_1`, `_2` ...
function Session:prompt(continued)
  local text = ("csock %d> "):format(self.number)
  return continued and (" "):rep(#text - 3) .. ".> " or text
end

function Session:show(value)
  local settings = self.settings
  return show(value, { columns = self.columns(), items = settings.items, depth = settings.depth,
    strings = settings.strings })
end

function Session:print(...) self.out(table.concat({ ... }) .. "\n") end

-- Says what is wrong.
function Session:complain(...) self.err(table.concat({ ... }) .. "\n") end

-- --- results ---------------------------------------------------------------------------------------

-- What a call gives that fails: nil, an error and its number. They stay in one line.
local function is_failure(results)
  return results.n >= 2 and results[1] == nil and results[2] ~= nil
end

function Session:print_results(results)
  if results.n == 0 then return end
  local parts, width = {}, 0
  for i = 1, results.n do
    parts[i] = self:show(results[i])
    width = parts[i]:find("\n", 1, true) and math.huge or width + #parts[i] + 2
  end
  self:print(table.concat(parts, (width <= self.columns() or is_failure(results)) and ", " or "\n"))
end

function Session:keep_results(number, results)
  if results.n == 0 then return end
  self.own._ = results[1]
  self.own["_" .. number] = results[1]
end

-- The global function in C that a line of a traceback is about. (Lua 5.4 calls it a function, 5.5 a global.)
local function of_c(line)
  local kind, name = line:match "%[C%]: in (%l+) '(%l+)'$"
  return (kind == "function" or kind == "global") and name or nil
end

-- The lines of a traceback that are of the user's own: without what the prompt itself adds below.
local function trimmed(traceback)
  local lines = {}
  for line in traceback:gmatch "[^\n]+" do
    if of_c(line) == "xpcall" or line:find("csock/repl/", 1, true) and lines[2] then break end
    lines[#lines + 1] = line
  end
  if lines[3] and of_c(lines[3]) then table.remove(lines, 3) end -- `error`, `assert`
  if #lines <= 3 then return lines[1] end -- it happened in what was typed
  return table.concat(lines, "\n")
end

local function traced(err)
  if type(err) == "string" and err:find("interrupted!", 1, true) then return "interrupted" end
  local text = type(err) == "string" and err or show(err)
  return trimmed(debug.traceback(text, 2))
end

-- --- running ---------------------------------------------------------------------------------------

-- Runs in the task of an input.
local function call(f) return table.pack(xpcall(f, traced)) end

local function unpacked(results) return { n = results.n - 1, table.unpack(results, 2, results.n) } end

-- What has become of an input: its results, or the text of an error. `head`: what to print before them.
function Session:finished(number, task, head)
  local results, err = task:join(0)
  if results and results[1] then
    results = unpacked(results)
    self:keep_results(number, results)
    if results.n > 0 then self.out(head) end
    self:print_results(results)
    return true
  end
  -- (One that had not begun to wait is cancelled by Ctrl-C.)
  self:complain(head, results and results[2] or task:status() == "cancelled" and "interrupted" or tostring(err))
  return false
end

function Session:in_background(number, task)
  self:print(("[%d] in the background"):format(number))
  task:add_done_callback(function()
    if not self.closed then self:finished(number, task, ("[%d] "):format(number)) end
  end)
end

function Session:close_later(closing)
  for _, name in ipairs(closing) do self.closing[#self.closing + 1] = self.locals[name] end
end

-- Waits for the foreground task, which may be interrupted meanwhile.
function Session:wait(task)
  self.running = task
  self.foreground(task, true)
  if self.interrupted then task:interrupt() end
  task:join()
  self.running = nil
end

-- For `:save`.
function Session:keep(number, text) self.done[#self.done + 1] = { number = number, text = text } end

function Session:run_chunk(text, code)
  local number = self.number
  self.number = number + 1
  sources.put(("[%s%d]"):format(self.prefix, number), text)
  local task = loop.spawn(call, code.run):set_name(("[%s%d]"):format(self.prefix, number)):watch()
  if code.background then
    self:keep(number, text)
    self:in_background(number, task)
    return "background"
  end
  self:wait(task)
  local ok = self:finished(number, task, "")
  self:close_later(code.closing)
  if ok then self:keep(number, text) end
  return ok and "done" or "failed"
end

-- Runs what was typed: a piece of Lua, or a command that begins with a colon. To be called in a task. Gives "more" (it
-- is not complete), "done", "failed" or "background".
function Session:run(text)
  if not text:find "%S" then return "done" end
  local command, argument = text:match "^%s*:(%a+)%s*(.-)%s*$"
  if command then return commands.run(self, command, argument) and "done" or "failed" end
  local code, why = chunk.compile(text, ("=[%s%d]"):format(self.prefix, self.number), self.locals)
  if code then return self:run_chunk(text, code) end
  if why == "more" then return "more" end
  self:complain(why)
  return "failed"
end

-- Compiles an expression for a command: a function, or nil and what is wrong.
function Session:expression(text)
  if text == "" then return nil, "expects an expression" end
  local code, why = chunk.compile(text, "=[expression]", self.locals)
  if not code then return nil, why == "more" and "it is not complete" or why end
  return code.run
end

-- Calls a function for a command, as a foreground task: true and what it returned, or nil and what it raised.
function Session:call(f, ...)
  local arguments = table.pack(...)
  local task = loop.spawn(call, function() return f(table.unpack(arguments, 1, arguments.n)) end):watch()
  self:wait(task)
  local results, err = task:join(0)
  if results and results[1] then return table.unpack(results, 1, results.n) end
  return nil, results and results[2] or task:status() == "cancelled" and "interrupted" or tostring(err)
end

-- Interrupts what runs in the foreground, or is just about to. The second time ends it, whatever it catches.
function Session:interrupt()
  local task = self.running
  if not task then
    self.interrupted = true
  elseif self.insisting == task then
    task:cancel()
  else
    self.insisting = task
    task:interrupt()
  end
end

-- Candidates for what stands before the cursor: see complete.lua.
function Session:complete(line, first, last) return complete(self, line, first, last) end

-- The session is over: closes its locals that are to be closed.
function Session:close()
  if self.closed then return end
  self.closed = true
  for i = #self.closing, 1, -1 do
    local value = self.closing[i]
    local meta = debug.getmetatable(value)
    if type(meta) == "table" and meta.__close then pcall(meta.__close, value, nil) end
  end
end

Session.__close = Session.close

return M
