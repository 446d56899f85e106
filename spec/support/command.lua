--- Starts the command `csock` for specs, as spec/support/process.lua does programs.
--
--     local p <close> = command.start{"nc", "-l", "-v", "127.0.0.1", "0"}
--     local status, out, err = command.run{"-e", "print(1)"}
local process = require "spec.support.process"

local M = {}

--- The command of this run's build.
M.path = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "bin/csock")

--- Where a file of that name can be made; removed by `remove_files`.
local files = {}
function M.file(text)
  local name = os.tmpname()
  files[#files + 1] = name
  local file <close> = assert(io.open(name, "wb"))
  file:write(text)
  return name
end

function M.remove_files()
  for _, name in ipairs(files) do os.remove(name) end
  files = {}
end

-- By the interpreter, which may have to run with a sanitizer.
local function command_of(arguments)
  local argv = { process.interpreter, M.path }
  for i, argument in ipairs(arguments) do argv[i + 2] = tostring(argument) end
  return argv
end

--- Starts it with these arguments.
function M.start(arguments, opts) return process.start(command_of(arguments), opts) end

--- Runs it to its end.
-- @treturn int|string exit status, or `"signal 2"`
-- @treturn string standard output
-- @treturn string standard error
function M.run(arguments, opts) return process.run(command_of(arguments), opts) end

--- The same by a shell's script, in which "$@" is the command.
function M.run_in_shell(script, arguments)
  local argv = table.move(command_of(arguments), 1, #arguments + 2, 5, { "sh", "-c", script, "sh" })
  return process.run(argv, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
end

return M
