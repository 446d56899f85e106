--- Servers that are alone in their processes, and floods: peers in processes of their own that send without end.
-- Tasks of the same process would hide a loop that does not ask the poller.
--
--     local server = keep(alone.start([[
--       local listener = assert(csock.create_server{ "127.0.0.1", 0 })
--       ready(listener:getsockname().port)
--       ...]], { backend = "poll" }))
--     local flood = keep(alone.flood("tcp", server.ports[1]))
--
-- Both end when they are closed, or killed.
local csock = require "csock"
local process = require "spec.support.process"

local M = {}

--- Seconds that no answer takes, though the machine is busy.
M.LIMIT = 2 * process.slowness

-- For all programs: `ready(port, ...)` tells the spec where they serve, `work(seconds)` keeps the processor busy, and
-- `roomy(socket)` lets the system hold so much for a socket, or for a listener's connections, that a flood is
-- always ahead.
local PRELUDE = [[
  io.stdout:setvbuf "line"
  local csock = require "csock"
  local loop = csock.loop
  local function ready(...) print("ready", ...) end
  local function work(seconds)
    local stop = csock.now() + seconds
    while csock.now() < stop do end
  end
  local function roomy(socket) socket:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 1 << 20) end
]]

--- Starts a program, and waits until it has called `ready`.
-- @tparam string code its text
-- @tparam[opt] table options `backend`: the loop's; `descriptors`: how many it may have; and those of process.start
-- @treturn Process with `ports`, a list of what was given to `ready`
function M.start(code, options)
  options = options or {}
  local command, env = { process.interpreter, "-e", PRELUDE .. code }, { CSOCK_BACKEND = options.backend }
  if options.descriptors then
    command = { "sh", "-c", ("ulimit -n %d; exec \"$@\""):format(options.descriptors), "sh", table.unpack(command) }
    env.LD_PRELOAD = os.getenv "LD_PRELOAD" -- here the shell passes on a sanitizer's library
  end
  local server = process.start(command, { env = env, group = options.group })
  local ok, line = pcall(server.expect, server, "ready([^\n]*)\n")
  if not ok then
    server:kill()
    error(line, 0)
  end
  server.name, server.ports = "the server", {}
  for port in line:gmatch "%d+" do table.insert(server.ports, tonumber(port)) end
  return server
end

-- It ends by itself after so many seconds and bytes, and when nobody takes any more.
local SECONDS, BYTES = 60, 1 << 36

local FLOOD = [[
  local csock = require "csock"
  local kind, port = arg[1], tonumber(arg[2])
  local stop, left = csock.now() + tonumber(arg[3]), tonumber(arg[4])
  local socket = assert(csock.socket(csock.AF_INET, kind == "tcp" and csock.SOCK_STREAM or csock.SOCK_DGRAM))
  assert(socket:connect("127.0.0.1", port))
  socket:settimeout(5)
  local chunk = ("x"):rep(kind == "tcp" and 1 << 20 or 1)
  -- Datagrams that find no room are dropped by the system, or refused with ENOBUFS.
  local send = kind == "tcp" and socket.sendall or function(s, data)
    for _ = 1, 1000 do s:send(data) end
    return 1000
  end
  local told
  while left > 0 and csock.now() < stop do
    local n = send(socket, chunk)
    if not n then break end
    left = left - n
    if not told then
      print "flooding"
      io.stdout:flush()
      told = true
    end
  end
]]

--- Starts a flood to a port of this machine, and returns when it has begun.
-- @tparam string kind `"tcp"`: one connection and 1 MiB at a time; `"udp"`: datagrams of one byte
-- @tparam int port
-- @treturn Process
function M.flood(kind, port)
  -- An interpreter without -e has a table `arg`, and reads the program from its standard input.
  local flood = process.lua { "-", kind, tostring(port), tostring(SECONDS), tostring(BYTES) }
  flood:write(FLOOD)
  flood:close_stdin()
  local ok, err = pcall(flood.expect, flood, "flooding\n")
  if not ok then
    flood:kill()
    error(err, 0)
  end
  return flood
end

--- A connection whose calls do not wait longer than LIMIT.
function M.dial(port)
  local socket = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = M.LIMIT }))
  socket:settimeout(M.LIMIT)
  return socket
end

--- The same for UDP.
function M.dial_udp(port)
  local socket = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  socket:settimeout(M.LIMIT)
  assert(socket:connect("127.0.0.1", port))
  return socket
end

--- Sends a word and gives what comes back.
function M.ask(socket, word)
  assert(socket:sendall(word))
  return (assert(socket:recv(1024)))
end

return M
