-- failure.lua: the errors that the client of HTTP makes itself. Their `name` is that of Python's exception.
local csock = require "csock"
local E = csock.errno

local ERRNOS = {
  CannotSendRequest = E.EBUSY, ResponseNotReady = E.EINVAL, NotConnected = E.ENOTCONN,
  RemoteDisconnected = E.ECONNRESET, BadStatusLine = E.EBADMSG,
  ContentDecodingError = E.EBADMSG, JSONDecodeError = E.EBADMSG,
  ResponseTooLong = E.EMSGSIZE, BodyLengthError = E.EMSGSIZE, TooManyRedirects = E.ELOOP,
  UnrewindableBodyError = E.ESPIPE, InsecureRedirect = E.EPERM, InvalidURL = E.EINVAL,
  UnknownProtocol = E.EPROTONOSUPPORT, ProxyError = E.ECONNREFUSED, HTTPError = E.EPROTO,
}

-- nil, an error, its errno. `more`: `code` and `text` of the answer that it is about, `response`.
return function(call, name, words, more)
  local fields = { call = call, name = name, kind = "http", errno = assert(ERRNOS[name], name), strerror = words }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end
