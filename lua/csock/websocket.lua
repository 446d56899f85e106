--- WebSockets (RFC 6455): servers and clients.
--
--     local csock = require "csock"
--     local httpserver = require "csock.httpserver"
--     local websocket = require "csock.websocket"
--
--     httpserver.serve({"", 8080}, function(request)
--       return websocket.upgrade(request, function(ws)
--         for message, kind in ws:messages() do ws:send(message, kind) end
--       end)
--     end)
--     csock.run()
--
-- and a client:
--
--     local ws <close> = assert(websocket.connect "ws://localhost:8080/")
--     assert(ws:send "hello")
--     print(ws:recv())             --> hello   text
--
-- **What both sides take as options**
--
-- - `max_message`: the most bytes of a message that comes (1 MiB; false: no limit); a longer one closes with 1009
-- - `max_fragments`: of how many it may be made (10,000)
-- - `max_pending`: when so many bytes wait to be sent (64 KiB), `send` waits
-- - `send_timeout`: and so long at most, in seconds (30; false: no limit)
-- - `ping_interval`: while somebody receives and nothing has come for so many seconds (30; false: never), a ping asks
--   whether the peer is still there; `ping_timeout`: in so many it has to answer, or is lost (20)
-- - `close_timeout`: how long `close` waits for the peer's agreement (10)
-- - `deflate`: true, or a table: messages are deflated (RFC 7692), where lua-zlib is installed and the peer agrees; a
--   connection then takes about 300 KiB. In the table: `level` (1 to 9, 6), `threshold` (shorter messages go as they
--   are: 64 bytes), `context_takeover` (true; false: no message refers to those before it, which takes less memory)
--
-- Source: RFC 6455, RFC 7692; csock's own.
-- @module csock.websocket
local check = require "csock.check"
local connection = require "csock.websocket.connection"
local connect = require "csock.websocket.connect"
local deflate = require "csock.websocket.deflate"
local handshake = require "csock.websocket.handshake"

local M = {}

local SERVER = {
  origins = { handshake.ORIGINS, nil, "*" }, subprotocols = { handshake.CHOICE }, headers = { check.TABLE },
}
for name, row in pairs(connection.OPTIONS) do SERVER[name] = row end

local function server_options(given, number, call)
  local options = check.options(given, SERVER, number, call)
  options.deflate = deflate.options(options.deflate, number, call)
  return options
end

local GOING_AWAY = 1001

-- So much is sent without waiting for the peer.
local BUFFER = 1 << 15

--- Answers a request of @{csock.httpserver.serve} with a WebSocket: return what this returns. One that asks for none,
-- or may not have one, is refused: 426, 405, 400, 403.
-- @tparam request request
-- @tparam function f called with the websocket and the request, in the connection's task; the WebSocket is closed when
-- it returns
-- @tparam[opt] table options those of both sides, and
--
-- - `origins`: from which pages browsers may connect: a sequence of origins (`"https://example.org"`), a function
--   `(origin, request)` that says so, or `"*"`. Default: those of the request's own host and port. Programs that are
--   no browsers send no origin, and may come
-- - `subprotocols`: a sequence of those that there are: the first that the client names is taken; or a function
--   `(offered, request)` that gives one or nil
-- - `headers`: further fields of the answer
-- @treturn int status
-- @treturn table fields
-- @treturn function|string body
-- @raise for a wrong argument or option
-- @usage
-- local server = assert(httpserver.serve({"", 8080}, function(request)
--   return websocket.upgrade(request, function(ws)
--     for message in ws:messages() do ws:send(message) end
--   end)
-- end))
-- server:close()
function M.upgrade(request, f, options)
  check.argument(check.FUNCTION, f, 2, "upgrade")
  options = server_options(options, 3, "upgrade")
  local fields, agreed, refusal_fields, body = handshake.answer(request, options)
  if not fields then return agreed, refusal_fields, body end
  return 101, fields, function(stream, conn)
    local ws <close> = connection.new("server", stream, conn, agreed, options)
    ws.request = request
    request.link.server.busy[conn] = function() ws:close(GOING_AWAY) end -- as the server is closed
    return f(ws, request)
  end
end

--- The same in a method of a `BaseHTTPRequestHandler` (@{csock.httpserver}): a request that cannot be one has been
-- answered when this returns nil. The connection ends with the WebSocket.
-- @tparam basehttprequesthandler handler
-- @tparam[opt] table options as for `upgrade`
-- @treturn[1] websocket
-- @treturn[2] nil
-- @treturn[2] int the status of the answer
-- @usage
-- local Handler = class("Handler", httpserver.BaseHTTPRequestHandler)
-- function Handler:do_GET()
--   local ws <close> = websocket.accept(self)
--   for message in ws and ws:messages() or function() end do ws:send(message) end
-- end
function M.accept(handler, options)
  options = server_options(options, 2, "accept")
  local version = handler.request_version == "HTTP/1.1" and 11 or 10
  local request = { method = handler.command, version = version, headers = handler.headers }
  local fields, agreed, refusal_fields, body = handshake.answer(request, options)
  if fields and handler._stream:buffered() > 0 then -- it would be lost
    fields, agreed, refusal_fields, body = handshake.refusal(400, "Frames come behind the answer (RFC 6455, 4.1).")
  end
  handler.close_connection = true
  if not fields then
    handler:send_response(agreed)
    for name, value in pairs(refusal_fields) do handler:send_header(name, value) end
    handler:send_header("Content-Length", #body)
    handler:end_headers()
    handler.wfile:write(body)
    return nil, agreed
  end
  handler.protocol_version = "HTTP/1.1"
  handler:send_response(101)
  for name, value in fields:each() do handler:send_header(name, value) end
  handler:end_headers()
  handler.wfile:flush()
  local stream = assert(handler.connection:makefile("rw", "turn"))
  stream:setvbuf("turn", BUFFER)
  return connection.new("server", stream, handler.connection, agreed, options)
end

--- Connects.
-- @function connect
-- @tparam string url with ws or wss. A login in it is sent (basic authentication)
-- @tparam[opt] table options those of both sides, and
--
-- - `subprotocols`: a sequence of those that may be used, the best one first
-- - `headers`: names and values; `origin`: that of a browser
-- - `timeout`: seconds for look-up, connecting and handshakes together (10; false: no limit)
-- - `ssl`: a client's context of @{csock.ssl} (default: one that verifies); `server_hostname`: the name that is asked
--   for and verified
-- - `proxies`: as for @{csock.http.request}: by CONNECT (default: those of the environment); `source_address`
-- @treturn[1] websocket
-- @treturn[2] nil
-- @treturn[2] error its `code` and `text` are those of an answer with which the server refuses
-- @treturn[2] int errno
-- @raise for a wrong argument or option
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- ws:send "hello"
-- print((ws:recv())) --> hello
M.connect = connect.connect

return M
