--- XML-RPC: calls of functions in other processes, by HTTP and XML.
--
--     local xmlrpc = require "csock.xmlrpc"
--
--     local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
--     server:register_function(function(a, b) return a + b end, "add")
--     server:serve_forever()
--
--     local proxy <close> = assert(xmlrpc.ServerProxy "http://localhost:8000/")
--     print(assert(proxy.add(2, 3)))                         --> 5
--     local result, err = proxy.nothing()                    --> nil, and err.name is "Fault"
--
-- **Values.** Strings are text in UTF-8; other bytes go as @{Binary}. Integers of more than 32 bits go as `i8`, which
-- Python and Apache's XML-RPC read, too. A table is an array when it has elements `1` to `n`, or nothing, and a struct
-- when its keys are strings: an empty struct is `xmlrpc.struct {}`. What comes is marked so already. `xmlrpc.null`
-- stands for nil (Python's None), where that is allowed (`allow_none`).
--
-- **Failures.** A call gives nil, an error and its number. Of the kind `"xmlrpc"` there are `"Fault"`, what the server
-- says (`code`, `text`: faultCode and faultString in Python); `"ProtocolError"`, an answer of HTTP that is none of
-- XML-RPC (`code`: the status, `text`, `response`); `"ResponseError"`, what is no XML-RPC, and `"TooLarge"`.
--
-- XML is read by lua-expat (Debian: `lua-expat`; LuaRocks: `luaexpat`). A document type, and so an entity of one's own,
-- is refused; values may be in each other 100 deep, and a million in all.
-- @module csock.xmlrpc
local RPCDispatcher = require "csock.rpc.dispatcher"
local RPCRequestHandler = require "csock.rpc.handler"
local arguments = require "csock.url.arguments"
local check = require "csock.check"
local client = require "csock.xmlrpc.client"
local doc = require "csock.xmlrpc.doc"
local failure = require "csock.xmlrpc.failure"
local marshal = require "csock.xmlrpc.marshal"
local message = require "csock.xmlrpc.message"
local multicall = require "csock.xmlrpc.multicall"
local server = require "csock.xmlrpc.server"
local shape = require "csock.rpc.shape"
local values = require "csock.xmlrpc.values"

local M = {
  Binary = values.Binary, DateTime = values.DateTime, ServerProxy = client.ServerProxy, MultiCall = multicall.MultiCall,
  SimpleXMLRPCServer = server.SimpleXMLRPCServer, SimpleXMLRPCRequestHandler = server.SimpleXMLRPCRequestHandler,
  SimpleXMLRPCDispatcher = server.SimpleXMLRPCDispatcher, DocXMLRPCServer = doc.DocXMLRPCServer,
  DocXMLRPCRequestHandler = doc.DocXMLRPCRequestHandler, CGIXMLRPCRequestHandler = server.CGIXMLRPCRequestHandler,
  RPCDispatcher = RPCDispatcher, RPCRequestHandler = RPCRequestHandler,

  --- What stands for nil in arrays, in structs and as a result.
  -- @field null
  null = shape.null,

  MAXINT = 0x7fffffff, MININT = -0x80000000,
}
for name, code in pairs(message.CODES) do M[name] = code end

--- Marks a table as an array, which is only needed for one that is empty after all, or may not be one by mistake.
-- @function array
-- @tparam[opt] table values
-- @treturn table the same
-- @usage print(#xmlrpc.array {1, 2}) --> 2
M.array = shape.array

--- Marks a table as a struct: an empty table is an array otherwise.
-- @function struct
-- @tparam[opt] table fields
-- @treturn table the same
-- @usage print((xmlrpc.dumps {xmlrpc.struct {}}):find "<struct>" ~= nil) --> true
M.struct = shape.struct

--- Makes a fault: what a server's function raises, by `error`, to say what is wrong.
-- Source: Python's `xmlrpc.client.Fault`.
-- @tparam int code
-- @tparam string text
-- @treturn error with the `name` `"Fault"`, `code` and `text`
-- @usage
-- local fault = xmlrpc.Fault(4, "too many parameters")
-- print(fault.code, fault.text) --> 4 too many parameters
function M.Fault(code, text)
  check.argument(check.INTEGER, code, 1, "Fault")
  check.argument(check.STRING, text, 2, "Fault")
  local _, fault = failure("Fault", ("%d: %s"):format(code, text), { code = code, text = text })
  return fault
end

local BOOLEAN = arguments.BOOLEAN

local dumps_options = arguments.reader("dumps", 1, {
  { "methodname", check.STRING }, { "methodresponse", BOOLEAN, false },
  { "encoding", check.one_of("utf-8", "utf-8", "UTF-8") }, { "allow_none", BOOLEAN, false },
})

--- Writes parameters as XML: a call, an answer, or bare.
-- Source: Python's `xmlrpc.client.dumps`.
-- @tparam table|error params a sequence of values; or a @{Fault}, which is an answer
-- @tparam[opt] string methodname makes it a call
-- @tparam[opt=false] boolean methodresponse makes it an answer
-- @tparam[opt="utf-8"] string encoding no other one
-- @tparam[opt=false] boolean allow_none whether there may be nil. These may also be a table: `{ allow_none = true }`
-- @treturn string
-- @raise for what cannot be sent
-- @usage print(xmlrpc.loads(xmlrpc.dumps({1, "two"}, "f"))[2]) --> two
function M.dumps(params, ...)
  local options = dumps_options(...)
  if not marshal.is_fault(params) then check.argument(check.TABLE, params, 1, "dumps") end
  local ok, text = pcall(message.dumps, params, options)
  if not ok then check.fail("dumps: " .. text) end
  return text
end

local loads_options = arguments.reader("loads", 1, {
  { "use_datetime", BOOLEAN, false }, { "use_builtin_types", BOOLEAN, false },
})

--- Reads a call or an answer.
-- Source: Python's `xmlrpc.client.loads`.
-- @tparam string data
-- @tparam[opt=false] boolean use_datetime dates become tables, as `os.date "*t"` gives them
-- @tparam[opt=false] boolean use_builtin_types the same, and bytes become strings. These may also be a table
-- @treturn[1] table the parameters
-- @treturn[1] ?string the method's name, in a call
-- @treturn[2] nil
-- @treturn[2] error a fault, too
-- @treturn[2] int errno
-- @raise where lua-expat is not installed
-- @usage
-- local params, method = xmlrpc.loads(xmlrpc.dumps({1, "two"}, "f"))
-- print(method, params[1]) --> f 1
function M.loads(data, ...)
  check.argument(check.STRING, data, 1, "loads")
  return message.loads(data, loads_options(...))
end

return M
