--- Runs the programs of examples/ for their specs.
--
--     local server = example.server("tsTserv")            -- on 127.0.0.1, any free port
--     local client = example.start("tsTclnt", "127.0.0.1", server.port)
--     client:type("hi")
--     client:expect("hi\n")
--     client:finish_input()
--     assert.equal("", client:ends(0))                    -- status 0, nothing on standard error
--
-- and `after_each(example.stop_all)`.
local csock = require "csock"
local process = require "spec.support.process"

local M = {}

local running = {}

local Program = {}

function Program:__index(name)
  local own = Program[name]
  if own then return own end
  local value = self.process[name]
  if type(value) ~= "function" then return value end
  return function(_, ...) return value(self.process, ...) end
end

--- Types a line.
function Program:type(line)
  self.process:write(line, "\n")
end

--- Ctrl-D, where the input is a pipe.
function Program:finish_input()
  self.process:close_stdin()
end

--- Ctrl-C.
function Program:interrupt()
  self.process:signal("SIGINT")
end

--- Waits for its end with this status; returns what it wrote to standard error.
function Program:ends(status, timeout)
  local ended = self.process:wait(timeout)
  if ended ~= status then
    error(("%s ended with %s, not %s; standard error: %s")
      :format(self.process.name, ended, status, self.process.err), 2)
  end
  return self.process.err
end

-- It uses the same csock as the spec, unless the options say otherwise.
local function start(command, options)
  options = options or {}
  options.env = options.env or {}
  if options.env.LUA_PATH == nil then
    options.env.LUA_PATH, options.env.LUA_CPATH = package.path, package.cpath
  end
  local program = setmetatable({ process = process.start(command, options) }, Program)
  table.insert(running, program)
  return program
end

local function command_of(name, ...)
  local command = { process.interpreter, "examples/" .. name .. ".lua" }
  for _, argument in ipairs { ... } do table.insert(command, tostring(argument)) end
  return command
end

--- Starts a program.
function M.start(name, ...)
  return start(command_of(name, ...))
end

--- The same in a terminal of its own.
function M.start_at_terminal(name, ...)
  return start(command_of(name, ...), { pty = true })
end

--- The same with Lua's warnings on.
function M.start_with_warnings(name, ...)
  local command = command_of(name, ...)
  table.insert(command, 2, "-W")
  return start(command)
end

--- The same from another directory, with no variable that helps it to find csock.
function M.start_elsewhere(name, ...)
  local command = command_of(name, ...)
  command[2] = io.popen("pwd"):read("l") .. "/" .. command[2]
  return start(command, { cwd = "/", env = { LUA_PATH = false, LUA_CPATH = false } })
end

--- The same with so few descriptors; the name may have options behind it.
function M.start_with_descriptors(limit, name, ...)
  local script = ("ulimit -n %d; exec \"$@\""):format(limit)
  local program, options = name:match "^(%S+) ?(.*)$"
  local command = { "sh", "-c", script, "sh", table.unpack(command_of(program)) }
  for word in options:gmatch "%S+" do table.insert(command, word) end
  for _, argument in ipairs { ... } do table.insert(command, tostring(argument)) end
  return start(command, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
end

-- Waits for the line that says a server's port.
local function with_port(server)
  server.port = math.tointeger(server:expect("^listening on port (%d+)\n"))
  return server
end

--- Starts a server on 127.0.0.1 as a user who has no rights; nil where this is not possible (only root can).
function M.server_as_nobody(name)
  local nobody = { "setpriv", "--reuid=65534", "--clear-groups" }
  local core = package.searchpath("csock.core", package.cpath)
  local try = ("%s cat examples/%s.lua '%s' >/dev/null 2>&1"):format(table.concat(nobody, " "), name, core)
  if not os.execute(try) then return nil end
  local command = table.move(command_of(name, "127.0.0.1", 0), 1, 4, #nobody + 1, nobody)
  return with_port(start(command, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } }))
end

--- Starts a server on this host and any free port; more arguments go before the host. Its port is
-- in `port`, and what it prints after the line about that is there to be expected.
function M.server_on(host, name, ...)
  local arguments = { ... }
  table.insert(arguments, host)
  table.insert(arguments, 0)
  return with_port(M.start(name, table.unpack(arguments)))
end

function M.server(name, ...)
  return M.server_on("127.0.0.1", name, ...)
end

function M.stop_all()
  for _, program in ipairs(running) do program.process:kill() end
  running = {}
end

--- Whether this machine has ::1.
M.has_ipv6 = (function()
  local socket <close> = csock.socket(csock.AF_INET6, csock.SOCK_STREAM)
  return socket and socket:bind("::1", 0) and true or false
end)()

return M
