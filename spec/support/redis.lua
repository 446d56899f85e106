--- Starts Debian's redis-server (or another one of that name) for specs, on a free port.
--
--     local redis_server = require "spec.support.redis"
--     local test = redis_server.available and it or pending
--     local server = redis_server.start()         -- server.port, server.url
--     server:stop()                               -- and start again with server:restart()
--
-- and `after_each(redis_server.stop_all)`.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

--- Whether this machine has one. Specs that need it are skipped otherwise.
M.available = os.execute "command -v redis-server >/dev/null 2>&1" ~= nil

local running = {}

local Server = {}
Server.__index = Server

local function free_port()
  local socket <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return socket:getsockname().port
end

-- Whether it came up; somebody else may have taken the port meanwhile.
local function try(self)
  local command = { "redis-server", "--port", tostring(self.port), "--bind", "127.0.0.1", "--save", "",
    "--dir", self.dir, "--daemonize", "no" }
  table.move(self.options, 1, #self.options, #command + 1, command)
  self.process = process.start(command)
  local ok, why = pcall(self.process.expect, self.process, "Ready to accept connections")
  if ok then return true end
  self.process:kill()
  return false, why
end

--- Starts a server; `options` are more words of its command line.
function M.start(options)
  local self = setmetatable({ options = options or {}, dir = assert(posix.mkdtemp()) }, Server)
  running[#running + 1] = self
  local ok, why
  for _ = 1, 5 do
    self.port = free_port()
    self.url = "redis://127.0.0.1:" .. self.port
    ok, why = try(self)
    if ok then return self end
  end
  error(why)
end

--- Ends it, at once.
function Server:stop()
  self.process:kill()
end

--- Starts it again on the same port.
function Server:restart()
  self:stop()
  assert(try(self))
end

function M.stop_all()
  for _, server in ipairs(running) do
    server:stop()
    os.execute("rm -rf '" .. server.dir .. "'")
  end
  running = {}
end

return M
