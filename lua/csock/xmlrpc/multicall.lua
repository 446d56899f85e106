--- Several calls at once.
-- @module csock.xmlrpc
local check = require "csock.check"
local client = require "csock.xmlrpc.client"
local failure = require "csock.xmlrpc.failure"
local proxy = require "csock.rpc.proxy"
local results = require "csock.rpc.results"
local shape = require "csock.rpc.shape"

local M = {}

--- Calls that are collected, and then sent in one request (`system.multicall`): `multi.name(arguments)` for each, and
-- `multi()`.
-- Source: Python's `xmlrpc.client.MultiCall`.
-- @type multicall

local PROXY = check.kind("ServerProxy", client.is_proxy)

-- What one call gave: a value in an array; or a fault. nil, err, errno.
local function one(result)
  if type(result) ~= "table" then return failure("ResponseError", "a result of system.multicall that is none") end
  if math.type(result.faultCode) == "integer" and type(result.faultString) == "string" then
    return failure("Fault", ("%d: %s"):format(result.faultCode, result.faultString),
      { code = result.faultCode, text = result.faultString })
  end
  if #result ~= 1 then return failure("ResponseError", "a result of system.multicall that is none") end
  return result[1]
end

--- Made by a call.
-- @function csock.xmlrpc.MultiCall
-- @tparam serverproxy server
-- @treturn multicall calling it sends what was collected, and gives @{csock.xmlrpc.results}, or nil, an error and its
-- number
-- @usage
-- local proxy <close> = assert(xmlrpc.ServerProxy "http://localhost:8000/")
-- local multi = xmlrpc.MultiCall(proxy)
-- multi.add(2, 3)
-- multi.add(4, 5)
-- for i, value, err in assert(multi()):each() do print(i, value or err) end --> 1 5 2 9
function M.MultiCall(server)
  check.argument(PROXY, server, 1, "MultiCall")
  local calls = {}
  return proxy.new("MultiCall", function(name, ...)
    local params = shape.array { ... }
    for i = 1, select("#", ...) do
      if params[i] == nil then params[i] = shape.null end
    end
    calls[#calls + 1] = shape.struct { methodName = name, params = params }
  end, {
    __len = function() return #calls end,
    __call = function()
      local sent = calls
      calls = {}
      local list, err, errno = client.call(server, "system.multicall", { shape.array(sent) })
      if not list then return nil, err, errno end
      if type(list) ~= "table" or #list ~= #sent then
        return failure("ResponseError", "system.multicall gave another number of results")
      end
      local each = {}
      for i, result in ipairs(list) do each[i] = table.pack(one(result)) end
      return results.new(each)
    end,
    __tostring = function() return ("<MultiCall, %d calls>"):format(#calls) end,
  })
end

return M
