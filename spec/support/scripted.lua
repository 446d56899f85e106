--- Servers that say what a script tells them, whatever they hear: bad ones, for specs of clients. Each is a process of
-- its own, so that clients may block, and is started outside of tasks.
--
--     local server = keep(scripted.start { "220 hello", { expect = "^EHLO" }, { send = "250-a\r\n25", close = true } })
--     ... csock.create_connection { "127.0.0.1", server.port } ...
--     assert.same({ "EHLO x" }, server:heard())      -- the lines of the first conversation, when it is over
--
-- `scripted.start(script, script, ...)`: the first connection meets the first script, and so on; those after the last
-- one meet that one again. A script is a list of steps:
--
-- * a string: sends it and CRLF
-- * `{ send = bytes }`: sends them as they are; `piece = n`: n bytes at a time, `every = seconds` apart
-- * `{ endless = bytes }`: sends them again and again, until the client has left
-- * `{ expect = pattern }`: reads a line, and ends the conversation unless it matches
-- * `{ upto = line }`: reads lines up to that one
-- * `{ starttls = true }`: TLS from here on (the good certificate)
-- * `{ close = true }`, `{ reset = true }`: ends the connection, in order or not
-- * a function, called with the stream and the socket
--
-- Behind the last step the connection is kept open until the client has closed it.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

local Conversation = {}
Conversation.__index = Conversation

local function send(self, bytes, step)
  local size = step.piece or math.max(#bytes, 1)
  for i = 1, #bytes, size do
    if not self.conn:sendall(bytes:sub(i, i + size - 1)) then return false end
    if step.every then csock.sleep(step.every) end
  end
  return true
end

local function hear(self)
  local line = self.stream:read()
  if line then self.heard[#self.heard + 1] = line end
  return line
end

-- Whether the conversation goes on.
local function take(self, step)
  if type(step) == "string" then return send(self, step .. "\r\n", {}) end
  if type(step) == "function" then return step(self.stream, self.conn) ~= false end
  if step.send and not send(self, step.send, step) then return false end
  if step.endless then
    repeat until not send(self, step.endless:rep(math.max(1, 4096 // #step.endless)), step)
    return false
  end
  if step.expect then
    local line = hear(self)
    if not line or not line:find(step.expect) then return false end
  end
  if step.upto then
    local line
    repeat line = hear(self) until not line or line == step.upto
    if not line then return false end
  end
  if step.starttls then
    self.stream:close()
    local context = contexts.server()
    local ok = context:wrap_socket(self.conn, { server_side = true })
    if not ok then return false end
    self.stream = self.conn:makefile "r"
  end
  if step.reset then self.conn:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0)) end
  return not (step.close or step.reset)
end

local function converse(conn, script, report)
  local self = setmetatable({ conn = conn, heard = {}, stream = assert(conn:makefile "r") }, Conversation)
  local on = true
  conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
  for _, step in ipairs(script) do
    on = take(self, step)
    if not on then break end
  end
  while on and hear(self) do end -- what else the client says, up to its end
  self.stream:close()
  conn:close()
  report(self.heard)
end

local function serve(scripts, tls, telling)
  local count, done = 0, {}
  local function handle(conn)
    count = count + 1
    local number = count
    if tls then
      assert(tls:wrap_socket(conn, { server_side = true, do_handshake_on_connect = false }))
      if not conn:do_handshake() then return end
    end
    converse(conn, scripts[math.min(number, #scripts)], function(heard) done[number] = heard end)
    local lines = {}
    for i, line in ipairs(done[number]) do lines[i] = ("%q"):format(line) end
    telling:sendall(("s4"):pack(("return %d, { %s }"):format(number, table.concat(lines, ", "))))
  end
  local server = assert(csock.serve({ "127.0.0.1", 0 }, handle))
  assert(telling:sendall(("s4"):pack("return " .. server:getsockname().port)))
  csock.loop.add_reader(telling, csock._exit) -- the spec has ended
  csock.run()
end

local Server = {}
Server.__index = Server

local function told(self)
  local head = assert(self.stream:read(4))
  return assert(load(self.stream:read((("I4"):unpack(head)))))()
end

local function start(tls, ...)
  local ours, theirs = assert(csock.socketpair())
  local context = tls and contexts.server()
  local pid = assert(csock.fork())
  if pid == 0 then
    ours:close()
    local ok, err = xpcall(serve, debug.traceback, { ... }, context, theirs)
    if not ok then io.stderr:write(err, "\n") end
    csock._exit(1)
  end
  theirs:close()
  ours:settimeout(10 * process.slowness)
  local self = setmetatable({ pid = pid, socket = ours, stream = assert(ours:makefile()), done = {} }, Server)
  self.port = told(self)
  return self
end

--- A server, by its scripts.
function M.start(...) return start(false, ...) end

--- The same over TLS from the first byte on (the good certificate).
function M.start_tls(...) return start(true, ...) end

--- What the client has said in a conversation (the first one unless told), when that is over: its lines.
function Server:heard(number)
  number = number or 1
  while not self.done[number] do
    local i, lines = told(self)
    self.done[i] = lines
  end
  return self.done[number]
end

function Server:close()
  if not self.pid then return end
  posix.kill(self.pid, posix.SIGKILL)
  csock.waitpid(self.pid)
  self.pid = nil
  self.stream:close()
  self.socket:close()
end

Server.__close = Server.close

--- Scripts that end after each byte of `bytes`: the first sends nothing, the last all but the last byte. `before` are
-- the steps in front of it, `how` is the last step (`{ close = true }` unless told).
function M.cuts(bytes, before, how)
  local scripts = {}
  for n = 0, #bytes - 1 do
    local script = table.move(before or {}, 1, #(before or {}), 1, {})
    script[#script + 1] = { send = bytes:sub(1, n) }
    script[#script + 1] = how or { close = true }
    scripts[n + 1] = script
  end
  return scripts
end

return M
