--- For specs of WebSockets: servers alone in their processes, and clients that know no more than frames.
local frames = require "spec.websocket.frames"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"

local M = {}

M.LIMIT = httpd.LIMIT

local PRELUDE = [[
  local websocket = require "csock.websocket"
  -- Serves WebSockets: `handler(ws, request)`; the options of upgrade, and those of serve.
  local function serve_ws(handler, options, more)
    return serve(function(request) return websocket.upgrade(request, handler, options) end, more)
  end
  local function echo(ws)
    for message, kind in ws:messages() do assert(ws:send(message, kind)) end
  end
]]

--- As httpd.start; in the program there are `serve_ws(handler, options, more)` and the handler `echo`, too.
function M.start(code, options)
  local server = httpd.start(PRELUDE .. code, options)
  server.url = ("ws://127.0.0.1:%d/"):format(server.port)
  return server
end

M.KEY = "dGhlIHNhbXBsZSBub25jZQ=="
M.ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

--- A request for a WebSocket: `changes` has fields that are other ones, or (false) missing.
function M.request(changes, line)
  local fields = {
    Host = "a", Upgrade = "websocket", Connection = "Upgrade", ["Sec-WebSocket-Version"] = "13",
    ["Sec-WebSocket-Key"] = M.KEY,
  }
  for name, value in pairs(changes or {}) do fields[name] = value or nil end
  local lines = { line or "GET / HTTP/1.1" }
  for name, value in pairs(fields) do lines[#lines + 1] = name .. ": " .. value end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- Status, fields and body of the answer to such a request.
function M.ask(server, changes, line)
  local socket <close> = httpd.dial(server)
  socket:sendall(M.request(changes, line))
  local stream <close> = socket:makefile()
  return httpd.read_answer(stream)
end

--- A socket on which frames may be sent, and the stream from which they may be read.
function M.dial(server, changes)
  local socket = httpd.dial(server)
  socket:sendall(M.request(changes))
  local stream = keep(socket:makefile())
  assert(httpd.read_answer(stream) == 101)
  return socket, stream
end

--- Reads a frame of a server's: its first byte and its payload; nil at the end.
function M.read(stream)
  local head = stream:read(2)
  if not head then return nil end
  local size = head:byte(2)
  if size == 126 then size = (">I2"):unpack(stream:read(2)) end
  if size == 127 then size = (">I8"):unpack(stream:read(8)) end
  return head:byte(1), size > 0 and stream:read(size) or ""
end

--- What ends the connection after these bytes: the code of the close frame; then nothing may come.
function M.end_code(server, bytes, changes)
  local socket, stream = M.dial(server, changes)
  socket:sendall(bytes)
  local first, payload
  repeat first, payload = M.read(stream) until first == nil or first == 0x88
  if not first then return nil end
  socket:sendall(frames.masked(0x88, payload))
  assert(stream:read(1) == nil)
  return #payload >= 2 and (">I2"):unpack(payload) or 1005, payload:sub(3)
end

return M
