--- A server that says the bytes that a spec tells it, in a process of its own: for clients that block.
--
--     local server = http_server.start(function(conn)
--       conn:request()
--       conn:send "HTTP/1.1 204 No Content\r\n\r\n"
--     end)
--     ... server.port ...
--     assert.matches("^GET / ", server:request())   -- the next one that it has read
--
-- The function is called for each connection, in a task, with its number; the connection ends when it returns.
local csock = require "csock"
local internal = require "csock.loop.internal"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

local LIMIT = 10 * process.slowness

-- --- in the server's process -----------------------------------------------------------------------

local Connection = {}
Connection.__index = Connection

local function body_of(stream, head)
  local fields = head:lower()
  local length = fields:match "\ncontent%-length: (%d+)\r"
  if length then return stream:read(tonumber(length)) or "" end
  if not fields:find "\ntransfer%-encoding: chunked\r" then return "" end
  local pieces = {}
  while true do
    local size = tonumber(stream:read() or "", 16)
    if not size then return nil end -- it was cut
    if size > 0 then pieces[#pieces + 1] = stream:read(size) end
    stream:read()
    if size == 0 then return table.concat(pieces) end
  end
end

--- Reads the head of a request: that; nil at the end.
function Connection:head()
  local lines = {}
  while true do
    local line = self.stream:read "L"
    if not line then return nil end
    lines[#lines + 1] = line
    if line == "\r\n" then return table.concat(lines) end
  end
end

--- Tells the spec a text, as if it were a request.
function Connection:log(text) assert(self.channel:sendall(("s4"):pack(text))) end

--- Reads a request and tells it to the spec: head and body, the chunks taken apart; nil at the end.
function Connection:request()
  local head = self:head()
  if not head then return nil end
  local body = body_of(self.stream, head)
  if not body then return nil end
  local text = head .. body
  self:log(text)
  return text
end

--- Sends bytes, so many at a time.
function Connection:send(bytes, size)
  size = size or math.max(#bytes, 1)
  for i = 1, #bytes, size do
    if not self.sock:sendall(bytes:sub(i, i + size - 1)) then return false end
    if size < #bytes then csock.yield() end
  end
  return true
end

--- Sends an answer with a length: status (200), body (""), further lines of the head.
function Connection:answer(body, lines, status)
  body = body or ""
  local head = ("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n"):format(status or "200 OK", #body, lines or "")
  return self:send(head .. body)
end

--- Ends the connection with a reset.
function Connection:reset()
  self.sock:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0))
  self.stream:close()
  self.sock:close()
end

--- Ends the connection without what TLS says at the end.
function Connection:cut()
  self.stream:close()
  csock.close(self.sock:detach())
end

local function serve(listener, channel, handler, context)
  local count = 0
  internal.in_task(function() -- the process may have been forked in a task
    while true do
      local sock = assert(listener:accept())
      count = count + 1
      local number = count
      csock.spawn(function()
        sock:settimeout(LIMIT)
        sock:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
        if context and not context:wrap_socket(sock, { server_side = true }) then return end
        local stream <close> = sock:makefile "rw"
        local conn = setmetatable({ sock = sock, stream = stream, channel = channel }, Connection)
        handler(conn, number)
        stream:close()
        sock:close()
      end)
    end
  end)
end

-- --- in the spec's ---------------------------------------------------------------------------------

local Server = {}
Server.__index = Server

--- What it has read next: a request's head and body.
function Server:request()
  local size = assert(self.channel:recv(4, csock.MSG_WAITALL))
  assert(#size == 4, "the server has ended")
  return self.channel:recv(("<I4"):unpack(size), csock.MSG_WAITALL)
end

function Server:close()
  if not self.pid then return end
  posix.kill(self.pid, posix.SIGKILL)
  posix.waitpid(self.pid, LIMIT)
  self.pid = nil
  self.channel:close()
end

Server.__close = Server.close

--- Starts one; to be closed. `context`: a server's, for TLS.
function M.start(handler, context)
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  local ours, theirs = assert(csock.socketpair())
  local pid = assert(csock.fork())
  if pid == 0 then
    ours:close()
    local ok, why = xpcall(serve, debug.traceback, listener, theirs, handler, context)
    if not ok then io.stderr:write("http_server: ", tostring(why), "\n") end
    csock._exit(ok and 0 or 1)
  end
  theirs:close()
  ours:settimeout(LIMIT)
  local port = listener:getsockname().port
  return setmetatable({ pid = pid, channel = ours, port = port, url = "http://127.0.0.1:" .. port }, Server)
end

--- One that says the same bytes on each connection, `size` at a time, whenever a request has come.
function M.saying(bytes, size)
  return M.start(function(conn)
    if conn:request() then conn:send(bytes, size) end
  end)
end

return M
