-- command.lua: the command `csock`: programs inside the loop, the prompt, and small tools of the network.
--
-- What is called `last` here is collected last when the state is closed, since nothing had a finalizer before it: what
-- ends by a signal does so when all else has been closed.
local last = setmetatable({}, {
  __gc = function(self)
    if self.kill then self.kill(self.pid, self.signal) end
  end,
})

local csock = require "csock"
local failure = require "csock.command.failure"
local options = require "csock.command.options"
local script = require "csock.command.script"

local M = {}

-- The commands, in the order of the help; each a module of its own.
M.NAMES = { "attach", "http", "nc", "proxy", "chat", "help", "version" }

local IS_NAME = {}
for _, name in ipairs(M.NAMES) do IS_NAME[name] = true end

function M.command(name) return require("csock.command." .. name) end

function M.commands()
  local list = {}
  for i, name in ipairs(M.NAMES) do list[i] = M.command(name) end
  return list
end

-- --- csock itself ---------------------------------------------------------------------------------

local csock_itself = {
  usage = { "[OPTIONS] [FILE [ARGUMENTS]]", "COMMAND [OPTIONS] [ARGUMENTS]" },
  about = "Without anything: a prompt at which servers run while one types. With a FILE of Lua: runs it inside csock's "
    .. "loop, until it has ended and nothing is left to wait for; - is standard input.",
  options = {
    { "-e", "CODE", key = "code", many = true,
      help = "run this code first, in which csock, its names and its modules are there" },
    { "-i", key = "interactive", help = "the prompt afterwards" },
    { "-v", "--version", help = "print the versions of csock and of what it runs on" },
  },
  text = {
    "An argument that names a command is that: a file of such a name is ./NAME. csock COMMAND --help tells of each.",
    "Status: that of the program; 1 when it fails, 2 when the command line is wrong. Ctrl-C ends it by SIGINT (130 "
      .. "for a shell).",
  },
  operands = { 0, math.maxinteger },
  script = true,
}
M.itself = csock_itself

-- A word that is no file may be meant to be a command.
local function load_file(name)
  if not name:find "[./]" and name ~= "-" then
    local file <close> = io.open(name)
    if not file then failure.usage("'%s' is neither a command nor a file; csock --help tells what there is", name) end
  end
  return script.load_file(name)
end

-- Runs the pieces of code and the file.
local function run_program(codes, file, arguments)
  local pieces = {}
  local names = #codes > 0 and script.names() or nil
  for i, code in ipairs(codes) do pieces[i] = script.load_code(code, names) end
  if file then pieces[#pieces + 1] = load_file(file) end
  script.run(pieces, table.unpack(arguments))
end

function csock_itself.run(found, operands, words)
  if found.version then return M.command("version").run() end
  if found.interactive and found.code then failure.usage "-e and -i do not go together" end
  local file = operands[1]
  local arguments = { table.unpack(operands, 2) }
  script.set_arguments(words, file and #words - #operands + 1 or 0)
  if found.interactive or not file and not found.code then
    return require "csock.repl".start { file = file, arguments = arguments }
  end
  run_program(found.code or {}, file, arguments)
end

-- --- how it ends ----------------------------------------------------------------------------------

local function complain(name, text) io.stderr:write(name, ": ", text, "\n") end

local NUMBERS = { SIGINT = 2, SIGPIPE = 13 } -- everywhere

-- Ends by a signal once the state is closed. Gives the status that a shell calls it.
local function end_by(signal)
  io.stdout:flush()
  last.kill, last.pid, last.signal = csock.kill, csock.getpid(), signal
  return 128 + NUMBERS[signal]
end

-- The status for what was raised; tells about it.
local function status_of(name, err)
  if failure.interrupted(err.err) then return end_by "SIGINT" end
  if failure.is(err.err) then
    if err.err.signal then return end_by(err.err.signal) end
    complain(name, err.err.text)
    return err.err.status
  end
  complain(name, csock.is_error(err.err) and tostring(err.err) or err.traceback)
  return 1
end

local function traced(err) return { err = err, traceback = debug.traceback(tostring(err), 2) } end

-- Runs what stands on the command line; `words` is as lua's table `arg`. Gives the exit status.
function M.main(words)
  local command, from, name = csock_itself, 1, "csock"
  if IS_NAME[words[1]] then
    command, from, name = M.command(words[1]), 2, "csock " .. words[1]
  end
  local found, operands = options.parse(command, { table.unpack(words, from) })
  if not found then
    complain(name, ("%s; %s --help tells what there is"):format(operands, name))
    return 2
  end
  if found.help then
    io.write(options.help(command, command == csock_itself and M.commands() or nil))
    return 0
  end
  local ok, result = xpcall(command.run, traced, found, operands, words)
  if ok then return math.type(result) == "integer" and result or 0 end
  return status_of(name, result)
end

return M
