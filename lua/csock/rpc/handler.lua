--- The request handler of servers of remote calls.
-- @module csock.xmlrpc
local class = require "csock.class"
local csock = require "csock"
local gzip = require "csock.rpc.gzip"
local httpserver = require "csock.httpserver"
local transport = require "csock.rpc.transport"

local E = csock.errno

--- A handler that takes calls by POST. Its server answers them.
--
-- A request has to say that it is what is meant (`text/xml` or `application/xml`; JSON-RPC: `application/json`): so
-- another site's page, which can have a browser send anything else, cannot call.
-- Source: Python's `xmlrpc.server.SimpleXMLRPCRequestHandler`.
-- @type rpcrequesthandler
local RPCRequestHandler = class("RPCRequestHandler", httpserver.BaseHTTPRequestHandler)

--- `"HTTP/1.1"`: connections are kept.
-- @field rpcrequesthandler:protocol_version
RPCRequestHandler.protocol_version = "HTTP/1.1"

--- The paths that are served; an empty table: all. `{"/", "/RPC2"}`.
-- @field rpcrequesthandler:rpc_paths
RPCRequestHandler.rpc_paths = { "/", "/RPC2" }

--- The media types that a request may have, as keys; nil here: each protocol has its own.
-- @field rpcrequesthandler:content_types

--- That of answers; nil here.
-- @field rpcrequesthandler:answer_type

--- Longer answers are packed, for clients that take that, where lua-zlib is installed: 1400 bytes; false: none.
-- @field rpcrequesthandler:encode_threshold
RPCRequestHandler.encode_threshold = 1400

--- The most bytes of a request, packed or not: 16 MiB.
-- @field rpcrequesthandler:max_body
RPCRequestHandler.max_body = 1 << 24

--- Called for a long answer: the codings that the client accepts, with their weights: `{gzip = 1.0}`.
-- @treturn table
function RPCRequestHandler:accept_encodings()
  local weights = {}
  for piece in self.headers:get("accept-encoding", ""):lower():gmatch "[^,]+" do
    local name, parameters = piece:match "^%s*([^%s;]+)%s*(.-)%s*$"
    local weight = (parameters or ""):match "^;%s*q%s*=%s*([01]%.?%d*)$"
    if name then weights[name] = parameters == "" and 1.0 or tonumber(weight) end
  end
  return weights
end

--- Called first: whether the path is one of `rpc_paths`.
-- @treturn boolean
function RPCRequestHandler:is_rpc_path_valid()
  if #self.rpc_paths == 0 then return true end
  for _, path in ipairs(self.rpc_paths) do
    if path == self.path then return true end
  end
  return false
end

--- Called for another path: answers with 404.
function RPCRequestHandler:report_404() self:send_error(404, "No such page") end

-- The request's text; nil: the client has been told why not.
local function read_text(self)
  local data, err, errno = self.rfile:read "a"
  if err then
    local status = errno == E.EMSGSIZE and 413 or errno == E.ETIMEDOUT and 408 or 400
    self:send_error(status)
    return nil
  end
  return self:decode_request_content(data or "")
end

--- Called with what was sent: unpacks it.
-- @tparam string data
-- @treturn ?string nil: it cannot be done, and the client has been told
function RPCRequestHandler:decode_request_content(data)
  local coding = self.headers:get("content-encoding", "identity"):lower()
  if coding == "identity" then return data end
  if coding ~= "gzip" or not gzip.available() then
    self:send_error(501, ("encoding %q not supported"):format(coding))
    return nil
  end
  local text, over = gzip.unpack(data, self.max_body or math.maxinteger)
  if not text then self:send_error(over and 413 or 400, not over and "error decoding gzip content" or nil) end
  return text
end

--- Called for POST: answers a call.
function RPCRequestHandler:do_POST()
  if not self:is_rpc_path_valid() then return self:report_404() end
  if not self.content_types[transport.media_type(self.headers["content-type"])] then return self:send_error(415) end
  local text = read_text(self)
  if not text then return end
  local answer = self.server:_marshaled_dispatch(text, self.path) or "" -- (some clients do not know 204)
  self:send_response(200)
  self:send_header("Content-Type", self.answer_type)
  local least, weight = self.encode_threshold, self:accept_encodings().gzip
  if least and #answer > least and gzip.available() then
    self:send_header("Vary", "Accept-Encoding")
    if weight and weight > 0 then
      self:send_header("Content-Encoding", "gzip")
      answer = gzip.pack(answer)
    end
  end
  self:send_header("Content-Length", #answer)
  self:end_headers()
  self.wfile:write(answer)
end

--- Called for each request: logs it, where the server says so (`logRequests`).
-- @tparam[opt] int|string code
-- @tparam[opt] int|string size
function RPCRequestHandler:log_request(code, size)
  if self.server.logRequests then RPCRequestHandler.super.log_request(self, code, size) end
end

return RPCRequestHandler
