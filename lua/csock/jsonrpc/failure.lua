-- failure.lua: the errors of JSON-RPC.
local csock = require "csock"

local E = csock.errno

local ERRNOS = { Fault = E.EPROTO, ProtocolError = E.EPROTO, ResponseError = E.EBADMSG, TooLarge = E.EMSGSIZE }

local M = {}

-- nil, an error, its errno. `more`: `code`, `text`, `response`.
function M.fail(name, words, more)
  local fields = { call = "jsonrpc", kind = "jsonrpc", name = name, errno = ERRNOS[name], strerror = words }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end

-- The error value of an error object.
function M.fault(object)
  local _, err = M.fail("Fault", ("%d: %s"):format(object.code, object.message),
    { code = object.code, text = object.message, response = object })
  return err
end

function M.is_fault(value)
  return csock.is_error(value) and value.name == "Fault" and value.kind == "jsonrpc"
end

return M
