-- failure.lua: the errors of WebSockets: kind "websocket", with a name of their own.
local csock = require "csock"
local E = csock.errno

local ERRNOS = {
  ConnectionClosedOK = E.ENOTCONN, ConnectionClosedError = E.ECONNRESET, InvalidURI = E.EINVAL,
  InvalidHandshake = E.EBADMSG, InvalidStatus = E.ECONNREFUSED, PayloadError = E.EBADMSG, QueueFull = E.ENOBUFS,
}

-- nil, an error, its errno. `more`: `code` and `text`: those of the close frame, or of an HTTP answer.
return function(call, name, words, more)
  local fields = { call = call, name = name, kind = "websocket", errno = assert(ERRNOS[name], name), strerror = words }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end
