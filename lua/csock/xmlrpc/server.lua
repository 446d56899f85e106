--- Servers.
-- @module csock.xmlrpc
local RPCDispatcher = require "csock.rpc.dispatcher"
local RPCRequestHandler = require "csock.rpc.handler"
local class = require "csock.class"
local failure = require "csock.xmlrpc.failure"
local httpserver = require "csock.httpserver"
local marshal = require "csock.xmlrpc.marshal"
local message = require "csock.xmlrpc.message"
local servers = require "csock.rpc.server"
local shape = require "csock.rpc.shape"

local M = {}

--- The functions that may be called by XML-RPC: what @{csock.xmlrpc.rpcdispatcher} has, and several calls at once.
-- Source: Python's `xmlrpc.server.SimpleXMLRPCDispatcher`.
-- @type simplexmlrpcdispatcher
local SimpleXMLRPCDispatcher = class("SimpleXMLRPCDispatcher", RPCDispatcher)
M.SimpleXMLRPCDispatcher = SimpleXMLRPCDispatcher

--- The request handler of XML-RPC: what @{csock.xmlrpc.rpcrequesthandler} has.
-- Source: Python's `xmlrpc.server.SimpleXMLRPCRequestHandler`.
-- @type simplexmlrpcrequesthandler
local SimpleXMLRPCRequestHandler = class("SimpleXMLRPCRequestHandler", RPCRequestHandler)
M.SimpleXMLRPCRequestHandler = SimpleXMLRPCRequestHandler
SimpleXMLRPCRequestHandler.content_types = { ["text/xml"] = true, ["application/xml"] = true }
SimpleXMLRPCRequestHandler.answer_type = "text/xml"

-- --- answering -------------------------------------------------------------------------------------

local function fault(code, text)
  local _, err = failure("Fault", ("%d: %s"):format(code, text), { code = code, text = text })
  return err
end

function SimpleXMLRPCDispatcher._is_fault(_, value) return marshal.is_fault(value) end

-- A fault of a text that may have any bytes.
local function clean_fault(code, text)
  text = text:gsub("[\0-\8\11\12\14-\31]", "?")
  if not utf8.len(text) then text = text:gsub("[\x80-\xFF]", "?") end
  return fault(code, text)
end

--- Calls a function by its name.
-- Source: Python's `SimpleXMLRPCDispatcher._dispatch`.
-- @tparam string name
-- @tparam table params
-- @treturn[1] boolean true
-- @treturn[1] value
-- @treturn[2] boolean false
-- @treturn[2] error a fault
-- @usage
-- local dispatcher = xmlrpc.SimpleXMLRPCDispatcher()
-- dispatcher:register_function(math.abs, "abs")
-- print(dispatcher:_dispatch("abs", {-3})) --> true 3
function SimpleXMLRPCDispatcher:_dispatch(name, params)
  local f = self:_find(name)
  if not f then return false, clean_fault(1, ("method %q is not supported"):format(name)) end
  local ok, value, words = self:_call(f, name, params)
  if ok then return true, value end
  return false, self:_is_fault(value) and value or clean_fault(1, words)
end

-- The text of an answer to the text of a call.
function SimpleXMLRPCDispatcher:_marshaled_dispatch(text)
  local settings = { methodresponse = true, allow_none = self.allow_none }
  local params, method = message.loads(text, { use_builtin_types = self.use_builtin_types })
  if not params then
    local err = method
    local code = err.name == "ResponseError" and message.CODES.NOT_WELLFORMED_ERROR or message.CODES.INVALID_XMLRPC
    return message.dumps(clean_fault(code, err.strerror), settings)
  elseif not method then
    return message.dumps(fault(message.CODES.INVALID_XMLRPC, "no call"), settings)
  end
  local ok, value = self:_dispatch(method, params)
  if not ok then return message.dumps(value, settings) end
  local sent, answer = pcall(message.dumps, { value, n = 1 }, settings)
  if sent then return answer end
  return message.dumps(clean_fault(1, tostring(answer)), settings)
end

local MOST = 1000 -- calls in one request

--- Calls several functions, one after the other: what `system.multicall` does.
-- @tparam {table,...} calls structs of `methodName` and `params`; 1000 at most
-- @treturn table for each an array of its result, or a struct of `faultCode` and `faultString`
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- server:register_function(math.abs, "abs")
-- print(server:system_multicall({{methodName = "abs", params = {-3}}})[1][1]) --> 3
function SimpleXMLRPCDispatcher:system_multicall(calls)
  local results = shape.array()
  if type(calls) ~= "table" then error("an array of calls expected", 0) end
  if #calls > MOST then error(("more than %d calls"):format(MOST), 0) end
  for i, call in ipairs(calls) do
    local name, params = nil, nil
    if type(call) == "table" then name, params = call.methodName, call.params end
    local ok, value
    if type(name) ~= "string" or type(params) ~= "table" then
      ok, value = false, fault(message.CODES.INVALID_XMLRPC, "a call has methodName and params")
    elseif name == "system.multicall" then
      ok, value = false, fault(message.CODES.INVALID_XMLRPC, "system.multicall in itself")
    else
      ok, value = self:_dispatch(name, params)
    end
    if ok then
      results[i] = shape.array { value == nil and shape.null or value }
    else
      results[i] = shape.struct { faultCode = value.code, faultString = value.text }
    end
  end
  return results
end

--- Lets `system.multicall` be called.
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- server:register_multicall_functions()
function SimpleXMLRPCDispatcher:register_multicall_functions()
  self.funcs["system.multicall"] = function(calls) return self:system_multicall(calls) end
end

-- --- by HTTP ---------------------------------------------------------------------------------------

--- A server whose functions are called by XML-RPC: a `ThreadingHTTPServer` (@{csock.httpserver}), with a task for each
-- connection, and a `SimpleXMLRPCDispatcher`.
-- Source: Python's `xmlrpc.server.SimpleXMLRPCServer`.
-- @type simplexmlrpcserver
local SimpleXMLRPCServer = class("SimpleXMLRPCServer", SimpleXMLRPCDispatcher, httpserver.ThreadingHTTPServer)
M.SimpleXMLRPCServer = SimpleXMLRPCServer

SimpleXMLRPCServer.RequestHandler = SimpleXMLRPCRequestHandler

local OPTIONS = {
  allow_none = { servers.BOOLEAN, false, false }, use_builtin_types = { servers.BOOLEAN, false, false },
}

--- Made by calling the class: `SimpleXMLRPCServer({"", 8000}, {allow_none = true})`.
-- @function csock.xmlrpc.SimpleXMLRPCServer
-- @tparam table addr `{host, port}`
-- @tparam[opt] class requestHandler a `SimpleXMLRPCRequestHandler`
-- @tparam[opt] table options those of a `TCPServer` of @{csock.socketserver} (`ssl_context` ...), and
-- @tparam[opt=true] boolean options.logRequests whether requests are logged, to standard error
-- @tparam[opt=false] boolean options.allow_none whether nil may be a result
-- @tparam[opt=false] boolean options.use_builtin_types dates come as tables, and bytes as strings
-- @tparam[opt] class options.requestHandler
-- @treturn[1] simplexmlrpcserver
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(xmlrpc.SimpleXMLRPCServer({"", 8000}, {logRequests = false}))
-- server:register_function(function(a, b) return a + b end, "add")
-- csock.spawn(function() server:serve_forever() end)
-- csock.loop.call_later(0.01, server.shutdown, server)
-- csock.run()
function SimpleXMLRPCServer:__init(addr, requestHandler, options)
  return servers.make(self, OPTIONS, addr, requestHandler, options)
end

-- --- as a CGI program ------------------------------------------------------------------------------

--- Answers one call as a CGI program: from standard input to standard output.
-- Source: Python's `xmlrpc.server.CGIXMLRPCRequestHandler`.
-- @type cgixmlrpcrequesthandler
local CGIXMLRPCRequestHandler = class("CGIXMLRPCRequestHandler", SimpleXMLRPCDispatcher)
M.CGIXMLRPCRequestHandler = CGIXMLRPCRequestHandler

--- The most bytes of a request: 16 MiB.
-- @field cgixmlrpcrequesthandler:max_body
CGIXMLRPCRequestHandler.max_body = 1 << 24

--- Made by calling the class.
-- @function csock.xmlrpc.CGIXMLRPCRequestHandler
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.allow_none
-- @tparam[opt=false] boolean options.use_builtin_types
-- @treturn cgixmlrpcrequesthandler
-- @usage local handler = xmlrpc.CGIXMLRPCRequestHandler {allow_none = true}
function CGIXMLRPCRequestHandler:__init(options)
  self:_prepare()
  options = options or {}
  self.allow_none, self.use_builtin_types = options.allow_none == true, options.use_builtin_types == true
end

local function say(status, kind, body)
  io.stdout:write(("Status: %s\nContent-Type: %s\nContent-Length: %d\n\n%s"):format(status, kind, #body, body))
  io.stdout:flush()
end

--- Answers.
-- @tparam[opt] string request_text default: what stands on standard input
-- @usage
-- local handler = xmlrpc.CGIXMLRPCRequestHandler()
-- handler:register_function(math.abs, "abs")
-- local call = xmlrpc.dumps({-3}, "abs")
-- -- handler:handle_request(call)
function CGIXMLRPCRequestHandler:handle_request(request_text)
  if not request_text then
    if os.getenv "REQUEST_METHOD" ~= "POST" then return say("400 Bad Request", "text/plain", "Not a POST request\n") end
    local digits = os.getenv "CONTENT_LENGTH" or ""
    local length = digits:find "^%d+$" and #digits < 18 and math.tointeger(tonumber(digits))
    if not length then return say("411 Length Required", "text/plain", "No length\n") end
    if length > self.max_body then return say("413 Content Too Large", "text/plain", "Too long\n") end
    request_text = length > 0 and io.stdin:read(length) or ""
    if #request_text < length then return say("400 Bad Request", "text/plain", "Cut\n") end
  end
  say("200 OK", "text/xml", self:_marshaled_dispatch(request_text))
end

return M
