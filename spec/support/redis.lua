--- Redis servers for specs: real ones (Debian's redis-server, or another one of that name), each on a
-- free port, and fakes.
--
--     local redis_server = require "spec.support.redis"
--     local test = redis_server.available and it or pending
--     local server = redis_server.start()         -- server.port, server.url
--     server:stop()                               -- and start again with server:restart()
--
-- and `after_each(redis_server.stop_all)`.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

--- Whether this machine has one. Specs that need it are skipped otherwise.
M.available = os.execute "command -v redis-server >/dev/null 2>&1" ~= nil

--- Whether that one can speak TLS.
M.over_tls = M.available and not os.execute "redis-server --tls-port x 2>&1 | grep -q 'Bad directive'"

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
  local tls = self.options.tls
  if tls then
    table.move({ "--port", "0", "--tls-port", tostring(self.port), "--tls-cert-file", tls.cert, "--tls-key-file",
      tls.key, "--tls-ca-cert-file", tls.ca, "--tls-auth-clients", "no" }, 1, 12, #command + 1, command)
  end
  table.move(self.options, 1, #self.options, #command + 1, command)
  self.process = process.start(command)
  local ok, why = pcall(self.process.expect, self.process, "Ready to accept connections")
  if ok then return true end
  self.process:kill()
  return false, why
end

--- Starts a server; `options` are more words of its command line. With a field `tls` (paths: `cert`, `key` and `ca`) it
-- speaks TLS alone.
function M.start(options)
  local self = setmetatable({ options = options or {}, dir = assert(posix.mkdtemp()) }, Server)
  running[#running + 1] = self
  local ok, why
  for _ = 1, 5 do
    self.port = free_port()
    self.url = (self.options.tls and "rediss" or "redis") .. "://127.0.0.1:" .. self.port
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

--- To be called after each test.
function M.stop_all()
  for _, server in ipairs(running) do
    server:stop()
    os.execute("rm -rf '" .. server.dir .. "'")
  end
  running = {}
end

-- --- servers in this program, for which nothing is needed ------------------------------------------

--- A server that does as it is told: `serve(stream, conn)` for each connection. Its URL, and itself.
function M.fake(serve)
  local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
    local stream <close> = assert(conn:makefile "rw")
    stream:setvbuf "no"
    serve(stream, conn)
  end))
  return "redis://127.0.0.1:" .. server:getsockname().port, server
end

--- The next command that a client has sent: its words, with spaces between; nil at the end.
function M.command(stream)
  local count = stream:read "l"
  if not count then return nil end
  local words = {}
  for i = 1, tonumber(count:sub(2)) do
    local length = tonumber(stream:read("l"):sub(2))
    words[i] = stream:read(length)
    stream:read "l"
  end
  return table.concat(words, " ")
end

--- A fake server for which every command has its answer in a table; others are echoed. It adds what
-- it hears to a list.
function M.answering(answers, heard)
  return M.fake(function(stream)
    for text in function() return M.command(stream) end do
      if heard then heard[#heard + 1] = text end
      stream:write(answers[text] or ("+%s\r\n"):format(text))
    end
  end)
end

--- Runs f in a task; what was kept is closed with it.
function M.in_task(f)
  local task = csock.spawn(function()
    local ok, why = xpcall(f, debug.traceback)
    keep.close()
    return ok, why
  end)
  assert(csock.run())
  local ok, why = task:join()
  if not ok then error(why, 0) end
end

--- Waits, in a task, for something that will be so.
function M.eventually(what, condition)
  local deadline = csock.now() + 10 * process.slowness
  while not condition() do
    assert(csock.now() < deadline, what)
    csock.sleep(0.01)
  end
end

return M
