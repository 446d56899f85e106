--- Servers of csock.socketserver for specs: in this process, and in one of their own.
local csock = require "csock"
local class = require "csock.class"
local socketserver = require "csock.socketserver"
local process = require "spec.support.process"

local M = {}

--- A handler class with this method `handle`.
function M.handler(handle, base)
  local Handler = class("Handler", base or socketserver.StreamRequestHandler)
  Handler.handle = handle
  return Handler
end

--- Sends back each line until the client has finished.
M.Echo = M.handler(function(self)
  for line in self.rfile:lines "L" do
    if not self.wfile:write(line) then return end
  end
end)

--- A server of this class (or its name) on this machine and any free port.
function M.make(kind, handler, options)
  kind = type(kind) == "string" and socketserver[kind] or kind
  return assert(kind({ "127.0.0.1", 0 }, handler or M.Echo, options))
end

--- A connection to a server, which never waits for ever.
function M.connect(server)
  local address = server.server_address
  if type(address) ~= "string" then return assert(csock.create_connection(address, { timeout = 5 })) end
  local socket = assert(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM))
  socket:settimeout(5)
  assert(socket:connect(address))
  return socket
end

--- Sends a line and gives the one that comes back.
function M.ask(socket, line)
  assert(socket:sendall(line .. "\n"))
  local reply = ""
  repeat
    local data = assert(socket:recv(1024))
    reply = reply .. data
  until data == "" or data:find "\n$"
  return (reply:gsub("\n$", ""))
end

--- The same with a connection of its own.
function M.ask_once(server, line)
  local socket <close> = M.connect(server)
  return M.ask(socket, line)
end

--- Runs a function in a task while the server serves in another one; then shuts it down and closes it.
function M.during(server, f)
  csock.run(function()
    local task = csock.spawn(server.serve_forever, server)
    local ok, err = xpcall(f, function(err) return type(err) == "string" and debug.traceback(err) or err end)
    server:shutdown()
    task:join()
    server:server_close()
    if not ok then error(err, 0) end
  end)
end

--- Runs a function with this as standard error's text: what it wrote there.
function M.captured(f)
  local written, stderr = {}, io.stderr
  local file = {}
  function file.write(_, ...)
    written[#written + 1] = table.concat { ... }
    return file
  end
  rawset(io, "stderr", file)
  local ok, err = pcall(f)
  rawset(io, "stderr", stderr)
  if not ok then error(err, 0) end
  return table.concat(written)
end

local PRELUDE = [[
  io.stdout:setvbuf "line"
  local csock = require "csock"
  local class = require "csock.class"
  local socketserver = require "csock.socketserver"
  local serving = require "spec.support.serving"
  local loop = csock.loop
]]

--- Starts a program that makes a server `server` and serves; `port` is its port. The lines of `code` come before
-- it serves. Options: `group` as for process.lua, and `descriptors`: how
-- many the program may have.
function M.start(code, options)
  local program = { process.interpreter, "-e", PRELUDE .. code .. [[
    print("port " .. (server.server_address.port or 0))
    print("served", server:serve_forever())
    server:server_close()
  ]] }
  if options and options.descriptors then
    program = { "sh", "-c", ("ulimit -n %d; exec \"$@\""):format(options.descriptors), "sh", table.unpack(program) }
  end
  -- process.lua gives a sanitizer's library to the interpreter alone; here the shell passes it on.
  local env = { LD_PRELOAD = options and options.descriptors and os.getenv "LD_PRELOAD" }
  program = process.start(program, { env = env, group = options and options.group })
  program.port = tonumber(program:expect "port (%d+)\n")
  program.server_address = { "127.0.0.1", program.port }
  return program
end

--- The children of a process: process id -> state ("Z": a zombie).
function M.children(pid)
  local list = {}
  local pipe <close> = assert(io.popen "cat /proc/[0-9]*/stat 2>/dev/null")
  for line in pipe:lines() do
    local child, state, parent = line:match "^(%d+) %(.*%) (%a) (%d+)"
    if tonumber(parent) == pid then list[tonumber(child)] = state end
  end
  return list
end

--- Waits until a condition holds, and gives its value.
function M.eventually(condition)
  local deadline = csock.now() + 10 * process.slowness
  while true do
    local value = condition()
    if value then return value end
    if csock.now() > deadline then error("it did not come about", 2) end
    csock.sleep(0.005)
  end
end

return M
