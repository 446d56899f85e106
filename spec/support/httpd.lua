--- For specs of HTTP servers: servers alone in their processes, and clients that send bytes.
local csock = require "csock"
local alone = require "spec.support.alone"
local keep = require "spec.support.keep"

local M = {}

--- Seconds that no answer takes, though the machine is busy.
M.LIMIT = 10 * require "spec.support.process".slowness

local PRELUDE = [[
  local httpserver = require "csock.httpserver"
  local class = require "csock.class"
  local function serve(handler, options) -- in the short form, on any port
    local server = assert(httpserver.serve({ "127.0.0.1", 0 }, handler, options))
    ready(server:getsockname().port)
    return server
  end
  local function serve_class(handler, kind)
    local server = assert(httpserver[kind or "ThreadingHTTPServer"]({ "127.0.0.1", 0 }, handler))
    ready(server.server_port)
    return server:serve_forever()
  end
]]

--- Starts a program that serves, until keep.close(). In it, `serve(handler, options)` and `serve_class(handler, kind)`
-- serve and say where.
-- @treturn Process with `port`
function M.start(code, options)
  local server = keep(alone.start(PRELUDE .. code, options))
  server.port = server.ports[1]
  return server
end

--- A connection to a server, which waits LIMIT at most.
function M.dial(server)
  local socket = keep(assert(csock.create_connection({ "127.0.0.1", server.port }, { timeout = M.LIMIT })))
  socket:settimeout(M.LIMIT)
  socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
  return socket
end

--- Sends bytes, in pieces of `size` bytes where that is given.
function M.send(socket, bytes, size)
  for i = 1, #bytes, size or #bytes do
    if not socket:sendall(bytes:sub(i, size and i + size - 1)) then return end -- the server knows enough
  end
end

--- What comes until the server ends the connection; a reset is an end, too.
function M.rest(socket)
  local pieces = {}
  while true do
    local data, err = socket:recv(1 << 16)
    if not data and err.name ~= "ECONNRESET" then error(err, 2) end
    if not data or data == "" then return table.concat(pieces) end
    pieces[#pieces + 1] = data
  end
end

--- Sends bytes on a connection of its own, and gives all that comes back until the server ends it.
function M.ask(server, bytes, size)
  local socket <close> = M.dial(server)
  M.send(socket, bytes, size)
  return M.rest(socket)
end

--- Reads an answer from a stream: its status, its fields (names in lower case) and its body.
-- @tparam[opt] boolean head whether it is one to HEAD
function M.read_answer(stream, head)
  local line = assert(stream:read "l", "no answer")
  local status = assert(tonumber(line:match "^HTTP/1%.[01] (%d%d%d) "), line)
  local fields = {}
  for field in stream:lines() do
    if field == "" then break end
    local name, value = field:match "^([^:]+): (.*)$"
    fields[name:lower()] = value
  end
  if head or status < 200 or status == 204 or status == 304 then return status, fields, "" end
  if fields["content-length"] then
    local length = tonumber(fields["content-length"])
    return status, fields, length > 0 and assert(stream:read(length)) or ""
  end
  if fields["transfer-encoding"] ~= "chunked" then return status, fields, stream:read "a" end
  local pieces = {}
  while true do
    local size = tonumber(assert(stream:read "l", "cut"), 16)
    if size > 0 then pieces[#pieces + 1] = stream:read(size) end
    assert(stream:read "l" == "", "a chunk without an end")
    if size == 0 then return status, fields, table.concat(pieces) end
  end
end

--- Sends a request on a connection of its own: `get(server, "/path", "X: y", ...)`.
function M.get(server, target, ...)
  local socket <close> = M.dial(server)
  M.send(socket, table.concat({ "GET " .. target .. " HTTP/1.1", "Host: a", ... }, "\r\n") .. "\r\n\r\n")
  local stream <close> = socket:makefile()
  return M.read_answer(stream)
end

return M
