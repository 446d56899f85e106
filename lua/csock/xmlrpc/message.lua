-- message.lua: calls and answers as XML.
local marshal = require "csock.xmlrpc.marshal"
local parse = require "csock.xmlrpc.parse"

local M = {}

local DECLARATION = "<?xml version='1.0'?>\n"

-- Codes of faults that servers have agreed on, under Python's names.
M.CODES = {
  PARSE_ERROR = -32700, SERVER_ERROR = -32600, APPLICATION_ERROR = -32500, SYSTEM_ERROR = -32400,
  TRANSPORT_ERROR = -32300, NOT_WELLFORMED_ERROR = -32700, UNSUPPORTED_ENCODING = -32701,
  INVALID_ENCODING_CHAR = -32702, INVALID_XMLRPC = -32600, METHOD_NOT_FOUND = -32601, INVALID_METHOD_PARAMS = -32602,
  INTERNAL_ERROR = -32603,
}

-- See csock.xmlrpc.dumps. Raises what cannot be sent, without a place.
function M.dumps(params, options)
  local text = marshal.dump(params, options.allow_none)
  if options.methodname then
    return DECLARATION .. "<methodCall>\n<methodName>" .. marshal.text(options.methodname) .. "</methodName>\n" .. text
      .. "</methodCall>\n"
  end
  if options.methodresponse or marshal.is_fault(params) then
    return DECLARATION .. "<methodResponse>\n" .. text .. "</methodResponse>\n"
  end
  return text
end

-- See csock.xmlrpc.loads.
M.loads = parse.parse

return M
