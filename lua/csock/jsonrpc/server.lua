--- Servers.
-- @module csock.jsonrpc
local RPCDispatcher = require "csock.rpc.dispatcher"
local RPCRequestHandler = require "csock.rpc.handler"
local class = require "csock.class"
local client = require "csock.jsonrpc.client"
local failure = require "csock.jsonrpc.failure"
local httpserver = require "csock.httpserver"
local servers = require "csock.rpc.server"
local shape = require "csock.rpc.shape"
local text = require "csock.jsonrpc.text"

local M = {}

M.CODES = {
  PARSE_ERROR = -32700, INVALID_REQUEST = -32600, METHOD_NOT_FOUND = -32601, INVALID_PARAMS = -32602,
  INTERNAL_ERROR = -32603, SERVER_ERROR = -32000,
}
local CODES = M.CODES

local MOST = 1000 -- requests in a batch

--- The functions that may be called by JSON-RPC: what @{csock.xmlrpc.rpcdispatcher} has.
--
-- Parameters by name come as one argument, a table.
-- @type simplejsonrpcdispatcher
local SimpleJSONRPCDispatcher = class("SimpleJSONRPCDispatcher", RPCDispatcher)
M.SimpleJSONRPCDispatcher = SimpleJSONRPCDispatcher

function SimpleJSONRPCDispatcher._is_fault(_, value) return failure.is_fault(value) end

local function error_object(code, message) return shape.struct { code = code, message = message } end

-- A text that may have any bytes, as one of JSON.
local function clean(words) return utf8.len(words) and words or (words:gsub("[\x80-\xFF]", "?")) end

--- Calls a function by its name.
-- @tparam string name
-- @tparam table params
-- @treturn[1] boolean true
-- @treturn[1] value
-- @treturn[2] boolean false
-- @treturn[2] table `code`, `message`, and perhaps `data`
-- @usage
-- local dispatcher = jsonrpc.SimpleJSONRPCDispatcher()
-- dispatcher:register_function(math.abs, "abs")
-- print(dispatcher:_dispatch("abs", {-3})) --> true 3
function SimpleJSONRPCDispatcher:_dispatch(name, params)
  local f = self:_find(name)
  if not f then return false, error_object(CODES.METHOD_NOT_FOUND, "Method not found") end
  if next(params) ~= nil and not shape.of(params) then params = { params } end
  local ok, value, words = self:_call(f, name, params)
  if ok then return true, value end
  return false, self:_is_fault(value) and value.response or error_object(CODES.SERVER_ERROR, clean(words))
end

local function answer_text(id, member, value)
  return ('{"jsonrpc":"2.0","%s":%s,"id":%s}'):format(member, value, text.encode(id))
end

local function refusal(id, code, words)
  return answer_text(id, "error", text.encode(error_object(code, words)))
end

local function is_id(id) return id == nil or id == shape.null or type(id) == "string" or math.type(id) ~= nil end

-- The text of the answer to one request; nil for a notification.
local function answer_one(self, request)
  if type(request) ~= "table" then return refusal(nil, CODES.INVALID_REQUEST, "Invalid Request") end
  local id, params = request.id, request.params
  local answered = id ~= nil
  if request.jsonrpc ~= "2.0" or type(request.method) ~= "string" or not is_id(id)
    or params ~= nil and type(params) ~= "table" or params == shape.null then
    return refusal(is_id(id) and id or nil, CODES.INVALID_REQUEST, "Invalid Request")
  end
  local ok, value = self:_dispatch(request.method, params or {})
  if not answered then return nil end
  local sent, encoded = pcall(text.encode, value)
  if not sent then return refusal(id, CODES.INTERNAL_ERROR, clean(tostring(encoded))) end
  return answer_text(id, ok and "result" or "error", encoded)
end

-- The text of the answer to a request or a batch; nil where there is nothing to say.
function SimpleJSONRPCDispatcher:_marshaled_dispatch(body)
  local request = text.decode(body)
  if request == nil then return refusal(nil, CODES.PARSE_ERROR, "Parse error") end
  local is_batch = type(request) == "table" and request ~= shape.null and request[1] ~= nil
  if not is_batch then return answer_one(self, request) end
  if #request > MOST then
    return refusal(nil, CODES.INVALID_REQUEST, ("more than %d requests"):format(MOST))
  end
  local answers = {}
  for _, one in ipairs(request) do answers[#answers + 1] = answer_one(self, one) end
  return answers[1] and "[" .. table.concat(answers, ",") .. "]" or nil
end

--- The request handler of JSON-RPC: what @{csock.xmlrpc.rpcrequesthandler} has.
-- @type simplejsonrpcrequesthandler
local SimpleJSONRPCRequestHandler = class("SimpleJSONRPCRequestHandler", RPCRequestHandler)
M.SimpleJSONRPCRequestHandler = SimpleJSONRPCRequestHandler
SimpleJSONRPCRequestHandler.content_types = client.TYPES
SimpleJSONRPCRequestHandler.answer_type = "application/json"

--- A server whose functions are called by JSON-RPC 2.0: a `ThreadingHTTPServer` (@{csock.httpserver}), with a task for
-- each connection, and a `SimpleJSONRPCDispatcher`.
-- @type simplejsonrpcserver
local SimpleJSONRPCServer = class("SimpleJSONRPCServer", SimpleJSONRPCDispatcher, httpserver.ThreadingHTTPServer)
M.SimpleJSONRPCServer = SimpleJSONRPCServer
SimpleJSONRPCServer.RequestHandler = SimpleJSONRPCRequestHandler

--- Made by calling the class.
-- @function csock.jsonrpc.SimpleJSONRPCServer
-- @tparam table addr `{host, port}`
-- @tparam[opt] class requestHandler a `SimpleJSONRPCRequestHandler`
-- @tparam[opt] table options those of a `TCPServer` of @{csock.socketserver}, and
-- @tparam[opt=true] boolean options.logRequests whether requests are logged, to standard error
-- @tparam[opt] class options.requestHandler
-- @treturn[1] simplejsonrpcserver
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(jsonrpc.SimpleJSONRPCServer({"", 8001}, {logRequests = false}))
-- server:register_function(function(a, b) return a + b end, "add")
-- csock.spawn(function() server:serve_forever() end)
-- csock.loop.call_later(0.01, server.shutdown, server)
-- csock.run()
function SimpleJSONRPCServer:__init(addr, requestHandler, options)
  return servers.make(self, {}, addr, requestHandler, options)
end

return M
