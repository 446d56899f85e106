--- Python's request handlers for HTTP.
-- @module csock.httpserver
local answer = require "csock.httpserver.answer"
local class = require "csock.class"
local csock = require "csock"
local csock_core = require "csock.core"
local dates = require "csock.wire.dates"
local headers = require "csock.wire.headers"
local html = require "csock.httpserver.html"
local log = require "csock.httpserver.log"
local responses = require "csock.http.status".responses
local socketserver = require "csock.socketserver"

local E = csock.errno
local http = csock_core.http

--- A handler for HTTP: a method `do_GET` answers GET requests, `do_POST` POST requests, and so on.
--
--     local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
--     function Hello:do_GET()
--       self:send_response(200)
--       self:send_header("Content-Type", "text/plain")
--       self:send_header("Content-Length", 5)
--       self:end_headers()
--       self.wfile:write "hello"
--     end
--     httpserver.ThreadingHTTPServer({"", 8080}, Hello):serve_forever()
--
-- While such a method runs there are `command` (`"GET"`), `path` (the target, with its query), `requestline`,
-- `request_version` (`"HTTP/1.1"`), `headers` (a block: @{csock.wire.headers}), `rfile` (the body of the request, a
-- stream that ends with it), `wfile` (what is written to it is sent at the end of the loop's turn), `close_connection`,
-- `client_address`, `server`, `connection`.
--
-- What is no HTTP, or longer than the limits, never comes to a method: it is answered with its status.
-- Source: Python's `http.server.BaseHTTPRequestHandler`.
-- @type basehttprequesthandler
local BaseHTTPRequestHandler = class("BaseHTTPRequestHandler", socketserver.StreamRequestHandler)

--- What the program calls itself in the field Server: `"csock/0.3.0"`.
-- @field basehttprequesthandler:server_version
BaseHTTPRequestHandler.server_version = answer.SOFTWARE

--- `"Lua/5.4"`, which stands behind it.
-- @field basehttprequesthandler:sys_version
BaseHTTPRequestHandler.sys_version = _VERSION:gsub(" ", "/")

--- The version that is answered with: `"HTTP/1.0"`, as in Python; with `"HTTP/1.1"` connections go on for more
-- requests, where each answer says its Content-Length.
-- @field basehttprequesthandler:protocol_version
BaseHTTPRequestHandler.protocol_version = "HTTP/1.0"

--- The page for errors: a pattern with `%(code)d`, `%(message)s` and `%(explain)s`.
-- @field basehttprequesthandler:error_message_format
BaseHTTPRequestHandler.error_message_format = [[
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Error response</title></head>
<body>
<h1>Error response</h1>
<p>Error code: %(code)d</p>
<p>Message: %(message)s.</p>
<p>Error code explanation: %(code)d - %(explain)s.</p>
</body>
</html>
]]

--- Its type: `"text/html;charset=utf-8"`.
-- @field basehttprequesthandler:error_content_type
BaseHTTPRequestHandler.error_content_type = "text/html;charset=utf-8"

--- How many seconds a connection may wait for the next request, and each call of a method for its client: 60. (nil in
-- Python.)
-- @field basehttprequesthandler:timeout
BaseHTTPRequestHandler.timeout = 60

--- In how many seconds a head that has begun must be complete: 20. (csock's own, like the next ones.)
-- @field basehttprequesthandler:header_timeout
BaseHTTPRequestHandler.header_timeout = 20

--- How long a body may be waited for (30 seconds), where each `minimum_rate` bytes (500) give a second back.
-- @field basehttprequesthandler:body_timeout
BaseHTTPRequestHandler.body_timeout = 30
BaseHTTPRequestHandler.minimum_rate = 500

--- The most bytes of a request's body: 1 MiB; false: no limit. What is longer gives 413, or fails a read of `rfile`.
-- @field basehttprequesthandler:max_body
BaseHTTPRequestHandler.max_body = 1 << 20

--- Limits of heads, as those of @{serve}: a table, read once for each class.
-- @field basehttprequesthandler:limits
BaseHTTPRequestHandler.limits = {}

--- How many bytes of a body that nobody has read are passed over, so that the connection can go on: 64 KiB.
-- @field basehttprequesthandler:drain
BaseHTTPRequestHandler.drain = 1 << 16

BaseHTTPRequestHandler.wbufsize = "turn"
BaseHTTPRequestHandler.disable_nagle_algorithm = true

local limits_of = setmetatable({}, { __mode = "k" }) -- options -> body's limit -> object

local function parser_limits(self)
  local known = limits_of[self.limits] or {}
  limits_of[self.limits] = known
  local object = known[self.max_body]
  if not object then
    local options = { body = self.max_body }
    for name, value in pairs(self.limits) do options[name] = value end
    object = http.limits(options)
    known[self.max_body] = object
  end
  return object
end

--- Makes the streams.
function BaseHTTPRequestHandler:setup()
  self.disable_nagle_algorithm = self.disable_nagle_algorithm and self.request.family ~= csock.AF_UNIX
  BaseHTTPRequestHandler.super.setup(self)
  self._stream = self.rfile -- the connection's, while rfile is a body
end

--- Answers requests until `close_connection` is true.
function BaseHTTPRequestHandler:handle()
  self.close_connection = true
  self:handle_one_request()
  while not self.close_connection do self:handle_one_request() end
  self:_linger()
end

-- Reads the next head. A table; nil when there is none, and the client has been told why.
local function read_head(self)
  local head, err, errno = http.read_request(self._stream, parser_limits(self), self.header_timeout)
  self.close_connection = true
  if head then return head end
  if not err then return nil end -- the client has finished
  local status = math.tointeger(err.status)
  if errno == E.ETIMEDOUT and self._stream:buffered() > 0 then status = 408 end
  if not status then
    if errno == E.ETIMEDOUT then self:log_error("Request timed out: %s", tostring(err)) end
    return nil
  end
  self.requestline, self.request_version, self.command = "", self.protocol_version, ""
  self:send_error(status, nil, err.status and err.strerror or nil)
  self._unread = true
  return nil
end

--- Reads the head of the next request and sets `command`, `path`, `request_version`, `requestline`, `headers` and
-- `close_connection`.
-- @treturn boolean false when there is none: the client has been told, if it is still there
function BaseHTTPRequestHandler:parse_request()
  local head = read_head(self)
  if not head then return false end
  self.command, self.path = head.method, head.target
  self.request_version = head.version == 10 and "HTTP/1.0" or "HTTP/1.1"
  self.requestline = ("%s %s %s"):format(head.method, head.target, self.request_version)
  self.headers = headers.adopt(head.headers)
  self._head = head
  self.close_connection = not (head.keep_alive and self.protocol_version >= "HTTP/1.1")
  self.rfile = http.body(self._stream, head.body == "tunnel" and "none" or head.body, head.length,
    parser_limits(self), self.body_timeout, self.minimum_rate)
  if head.expect_continue and self.protocol_version >= "HTTP/1.1" then return self:handle_expect_100() end
  return true
end

--- Called when the client waits for leave to send its body: gives it. May be overridden: sends an error and returns
-- false.
-- @treturn boolean whether the request is to be answered
function BaseHTTPRequestHandler:handle_expect_100()
  self:send_response_only(100)
  self._headers_buffer[#self._headers_buffer + 1] = "\r\n"
  self:flush_headers()
  return true
end

-- Passes over what nobody has read of the body.
local function pass_over(self)
  local body, left = self.rfile, self.drain
  while not http.body_ended(body) do
    local piece = left > 0 and body:read(math.min(left, 1 << 14))
    if not piece then return http.body_ended(body) end
    left = left - #piece
  end
  return true
end

--- Reads a request and calls its method.
function BaseHTTPRequestHandler:handle_one_request()
  self._headers_buffer, self._said = {}, {}
  if not self:parse_request() then
    self.close_connection = true
    return
  end
  local method = self["do_" .. self.command]
  if not method then
    self:send_error(501, ("Unsupported method (%s)"):format(self.command))
  else
    method(self)
  end
  if not pass_over(self) then self.close_connection, self._unread = true, true end
  self.rfile = self._stream
end

local LINGER, MOST = 2, 1 << 20 -- seconds and bytes

-- The client may still be sending: what nobody reads would make the system forget what the client has not read.
function BaseHTTPRequestHandler:_linger()
  if not self._unread then return end
  local conn, left, deadline = self.connection, MOST, csock.now() + LINGER
  if not self.wfile:flush() or not conn:shutdown(csock.SHUT_WR) then return end
  repeat
    conn:settimeout(math.max(deadline - csock.now(), 1e-3))
    local data = conn:recv(1 << 14)
    left = left - #(data or "")
  until not data or data == "" or left <= 0 or csock.now() >= deadline
end

-- --- answering -------------------------------------------------------------------------------------

--- Begins an answer: logs the request, and sends the status line, Server and Date.
-- @tparam int code
-- @tparam[opt] string message the phrase behind it; by default that of the code
-- @raise for a message with CR, LF or a zero byte
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:send_response(204)
--   self:end_headers()
-- end
function BaseHTTPRequestHandler:send_response(code, message)
  self:log_request(code)
  self:send_response_only(code, message)
  self:send_header("Server", self:version_string())
  self:send_header("Date", self:date_time_string())
end

--- The status line alone.
-- @tparam int code
-- @tparam[opt] string message
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:send_response_only(204)
--   self:end_headers()
-- end
function BaseHTTPRequestHandler:send_response_only(code, message)
  message = answer.value("the status line", message or responses[code] or "")
  self._status, self._headers_buffer, self._said = code, {}, {}
  self._headers_buffer[1] = ("%s %d %s\r\n"):format(self.protocol_version, code, message)
end

--- Adds a field.
-- @tparam string keyword
-- @tparam string|number value
-- @raise for what cannot be one: CR, LF or a zero byte in it; a name that is none
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:send_response(200)
--   self:send_header("Content-Type", "text/plain")
--   self:end_headers()
--   self.wfile:write "hello"
-- end
function BaseHTTPRequestHandler:send_header(keyword, value)
  if not headers.is_name(keyword) then error(("%q cannot be the name of a field"):format(tostring(keyword)), 2) end
  value = answer.value(keyword, value)
  local name = keyword:lower()
  self._said[name] = value
  if name == "connection" then
    if value:lower() == "close" then self.close_connection = true end
    if value:lower() == "keep-alive" then self.close_connection = false end
  end
  self._headers_buffer[#self._headers_buffer + 1] = ("%s: %s\r\n"):format(keyword, value)
end

-- Whether the client can see where the body ends.
local function is_framed(self)
  return answer.is_bare(self._status) or self.command == "HEAD" or self._said["content-length"] ~= nil
    or self._said["transfer-encoding"] ~= nil
end

--- Ends the fields and sends them. Where none of them says how long the body is, the connection ends with it.
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:send_response(204)
--   self:end_headers()
-- end
function BaseHTTPRequestHandler:end_headers()
  if self.protocol_version >= "HTTP/1.1" and self._status ~= 101 then
    if not is_framed(self) then self.close_connection = true end
    if self.close_connection and not self._said.connection then self:send_header("Connection", "close") end
    if not self.close_connection and self.request_version == "HTTP/1.0" and not self._said.connection then
      self:send_header("Connection", "keep-alive")
    end
  end
  self._headers_buffer[#self._headers_buffer + 1] = "\r\n"
  self:flush_headers()
end

--- Sends what `send_header` has collected.
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:send_response(204)
--   self:send_header("Vary", "Accept")
--   self:flush_headers()
-- end
function BaseHTTPRequestHandler:flush_headers()
  local text = table.concat(self._headers_buffer)
  self._headers_buffer = {}
  if text ~= "" then self.wfile:write(text) end
end

--- Answers with an error and a page about it, and ends the connection.
-- @tparam int code
-- @tparam[opt] string message by default the code's phrase
-- @tparam[opt] string explain
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:send_error(404)
-- end
function BaseHTTPRequestHandler:send_error(code, message, explain)
  local phrase = responses[code] or "???"
  message, explain = message or phrase, explain or message or phrase
  self:log_error("code %d, message %s", code, message)
  self:send_response(code, message)
  self:send_header("Connection", "close")
  local body
  if not answer.is_bare(code) and code ~= 205 then
    local words = { code = tostring(code), message = html.escape(message), explain = html.escape(explain) }
    body = self.error_message_format:gsub("%%%((%a+)%)%a", words)
    self:send_header("Content-Type", self.error_content_type)
    self:send_header("Content-Length", #body)
  end
  self:end_headers()
  if body and self.command ~= "HEAD" then self.wfile:write(body) end
end

-- --- words -----------------------------------------------------------------------------------------

--- The software, as the field Server has it.
-- @treturn string
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:version_string() return "mine" end
function BaseHTTPRequestHandler:version_string() return self.server_version .. " " .. self.sys_version end

--- A time as HTTP writes it.
-- @function basehttprequesthandler:date_time_string
-- @tparam[opt] int timestamp seconds since 1970; now by default
-- @treturn string
-- @usage
-- local base = httpserver.BaseHTTPRequestHandler
-- print(base:date_time_string(784111777)) --> Sun, 06 Nov 1994 08:49:37 GMT
function BaseHTTPRequestHandler.date_time_string(_, timestamp) return dates.http(timestamp) end

--- The present time as the log writes it.
-- @function basehttprequesthandler:log_date_time_string
-- @treturn string
function BaseHTTPRequestHandler.log_date_time_string() return log.stamp() end

--- The client's address, without its port. (No name is looked up.)
-- @treturn string
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:log_message("from %s", self:address_string())
--   self:send_error(404)
-- end
function BaseHTTPRequestHandler:address_string() return log.host(self.client_address) end

--- Logs a request that is answered.
-- @tparam[opt] int|string code
-- @tparam[opt] int|string size
function BaseHTTPRequestHandler:log_request(code, size)
  self:log_message('"%s" %s %s', self.requestline or "", code or "-", size or "-")
end

--- Logs an error.
-- @tparam string format
-- @param ... its arguments
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:log_error("no %s", self.path)
--   self:send_error(404)
-- end
function BaseHTTPRequestHandler:log_error(format, ...) self:log_message(format, ...) end

--- Writes a line to the log: standard error. Control characters are escaped.
-- @tparam string format as for `string.format`
-- @param ... its arguments
-- @usage
-- local Hello = class("Hello", httpserver.BaseHTTPRequestHandler)
-- function Hello:do_GET()
--   self:log_message("asked for %s", self.path)
--   self:send_error(404)
-- end
function BaseHTTPRequestHandler:log_message(format, ...)
  local line = format:format(...):gsub("[\0-\x1f\x7f-\x9f\\]", function(c) return ("\\x%02x"):format(c:byte()) end)
  io.stderr:write(self:address_string(), " - - [", self:log_date_time_string(), "] ", line, "\n")
end

return { BaseHTTPRequestHandler = BaseHTTPRequestHandler }
