-- script.lua: programs inside the loop: files, standard input, pieces of code of the command line.
local csock = require "csock"
local failure = require "csock.command.failure"
local loop = require "csock.loop"

local M = {}

-- --- loading --------------------------------------------------------------------------------------

-- A file; "-" is standard input. Syntax errors and files that are not there end the command, as they do for lua.
function M.load_file(name)
  return failure.check(loadfile(name ~= "-" and name or nil))
end

-- A piece of code of the command line, in which a name means what it means at the prompt. `names`: from `M.names`.
function M.load_code(code, names) return failure.check(load(code, "=(command line)", "t", names)) end

function M.names() return require "csock.repl.names".environment {} end

-- The table `arg` as lua has it: the words of the command line, with the script, the word number `at`, at 0.
function M.set_arguments(words, at)
  local list = {}
  for i, word in pairs(words) do list[i - at] = word end
  _G.arg = list
end

-- --- running --------------------------------------------------------------------------------------

-- What lua says of an error. An object without text is named; one with a text stands for itself.
local function traced(err)
  if failure.interrupted(err) then return { err = err } end
  if type(err) ~= "string" then
    local meta = getmetatable(err)
    local speaks = type(meta) == "table" and meta.__tostring or csock.is_error(err)
    if speaks then return { err = err, text = tostring(err) } end
    err = type(err) == "number" and tostring(err) or ("(error object is a %s value)"):format(type(err))
  end
  local trace = debug.traceback(err, 2)
  return { err = err, text = (trace:gsub("\n\t%[C%]: in %a+ 'xpcall'.*$", "\n\t[C]: in ?")) }
end

local Program = {}
Program.__index = Program

-- `csock.run` for the program itself, which is in the loop already: it waits until nothing else is left, or `stop`. A
-- program that calls it is over when it ends, as it is for lua.
function Program:run(f, ...)
  if loop.current() ~= self.task then return self.loop_run(f, ...) end
  local task = f ~= nil and csock.spawn(f, ...):watch() or nil
  self.runs_itself = true
  self.rest = loop.event()
  self.rest:wait()
  self.rest = nil
  if not task then return true end
  local results = table.pack(task:join(0))
  if task:status() == "failed" then error(results[2], 0) end
  return table.unpack(results, 1, results.n)
end

-- Takes the place of `csock.run`, for a `<close>` variable.
local function replace_run(program)
  local before = csock.run
  program.loop_run = before
  local function run(...) return program:run(...) end
  csock.run, loop.run = run, run
  return setmetatable({}, { __close = function() csock.run, loop.run = before, before end })
end

local function cancel_all()
  for _, row in ipairs(loop.tasks()) do row.task:cancel() end
end

-- Runs functions one after the other, as a task in the loop, until that has ended and nothing is left to wait for.
-- Raises what has ended it otherwise.
function M.run(functions, ...)
  local program = setmetatable({}, Program)
  local _ <close> = replace_run(program)
  local ended
  program.task = csock.spawn(function(...)
    for _, f in ipairs(functions) do
      local ok, result = xpcall(f, traced, ...)
      if not ok then
        ended = result
        return loop.stop()
      end
    end
    if program.runs_itself then loop.stop() end
  end, ...)
  program.task:add_done_callback(function(task)
    if task:status() ~= "cancelled" then return end
    ended = ended or { err = "interrupted!" } -- by Ctrl-C before it was in a call
    loop.stop()
  end)
  loop.foreground(program.task)
  repeat
    program.loop_run()
    local rests = not ended and program.rest
    if rests then rests:set() end
  until not rests
  cancel_all()
  if not ended then return end
  if failure.interrupted(ended.err) then error(ended.err, 0) end
  failure.fail("%s", ended.text)
end

return M
