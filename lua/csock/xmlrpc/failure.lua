-- failure.lua: the errors of XML-RPC. Their `name` is that of Python's exception.
local csock = require "csock"

local E = csock.errno

local ERRNOS = { Fault = E.EPROTO, ProtocolError = E.EPROTO, ResponseError = E.EBADMSG, TooLarge = E.EMSGSIZE }

-- nil, an error, its errno. `more`: `code`, `text`, `response`.
return function(name, words, more)
  local fields = { call = "xmlrpc", kind = "xmlrpc", name = name, errno = ERRNOS[name], strerror = words }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end
