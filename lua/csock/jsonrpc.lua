--- JSON-RPC 2.0: calls of functions in other processes, by HTTP and JSON. Of the same shape as @{csock.xmlrpc}.
--
--     local jsonrpc = require "csock.jsonrpc"
--
--     local server = jsonrpc.SimpleJSONRPCServer {"", 8001}
--     server:register_function(function(a, b) return a + b end, "add")
--     server:serve_forever()
--
--     local proxy <close> = assert(jsonrpc.ServerProxy "http://localhost:8001/")
--     print(assert(proxy.add(2, 3)))                         --> 5
--     proxy._notify.add(2, 3)                                -- nothing comes back
--     proxy.greet(jsonrpc.named { name = "x" })              -- parameters by name
--
-- **Values.** Strings are UTF-8. A table is an array when it has elements `1` to `n`, or nothing, and an object when
-- its keys are strings: an empty object is `jsonrpc.struct {}`. `jsonrpc.null` stands for null. JSON is read by cjson
-- or dkjson, whichever is installed; cjson does not tell `{}` from `[]`, and has numbers of 53 bits.
--
-- **Failures.** A call gives nil, an error and its number. Of the kind `"jsonrpc"` there are `"Fault"`, what the
-- server says (`code`, `text`, and `response`: the error object, with its `data`); `"ProtocolError"`, an answer of HTTP
-- that is none of JSON-RPC (`code`: the status); `"ResponseError"` and `"TooLarge"`. What is no JSON is csock.http's
-- `"JSONDecodeError"`.
-- @module csock.jsonrpc
local check = require "csock.check"
local client = require "csock.jsonrpc.client"
local failure = require "csock.jsonrpc.failure"
local server = require "csock.jsonrpc.server"
local shape = require "csock.rpc.shape"

local M = {
  ServerProxy = client.ServerProxy, MultiCall = client.MultiCall, SimpleJSONRPCServer = server.SimpleJSONRPCServer,
  SimpleJSONRPCRequestHandler = server.SimpleJSONRPCRequestHandler,
  SimpleJSONRPCDispatcher = server.SimpleJSONRPCDispatcher,

  --- What stands for null.
  -- @field null
  null = shape.null,
}
for name, code in pairs(server.CODES) do M[name] = code end

--- Marks a table as an array.
-- @function array
-- @tparam[opt] table values
-- @treturn table the same
-- @usage print(#jsonrpc.array {1, 2}) --> 2
M.array = shape.array

--- Marks a table as an object: an empty table is an array otherwise.
-- @function struct
-- @tparam[opt] table fields
-- @treturn table the same
-- @usage print(next(jsonrpc.struct())) --> nil
M.struct = shape.struct

--- Marks a table as parameters by name: the only argument of a call.
-- @function named
-- @tparam table fields
-- @treturn table the same
-- @usage
-- local proxy <close> = assert(jsonrpc.ServerProxy "http://localhost:8001/")
-- print(assert(proxy.greet(jsonrpc.named {name = "x"}))) --> hello, x
M.named = client.named

--- Makes a fault: what a server's function raises, by `error`, to say what is wrong.
-- @tparam int code
-- @tparam string message
-- @param[opt] data anything more that JSON has
-- @treturn error with the `name` `"Fault"`, `code`, `text` and `response`
-- @usage
-- local fault = jsonrpc.Fault(4, "too many parameters", {most = 2})
-- print(fault.code, fault.text, fault.response.data.most) --> 4 too many parameters 2
function M.Fault(code, message, data)
  check.argument(check.INTEGER, code, 1, "Fault")
  check.argument(check.STRING, message, 2, "Fault")
  return failure.fault(shape.struct { code = code, message = message, data = data })
end

return M
