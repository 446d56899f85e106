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

local M = {}

-- A failure, with what was asked of whom. (A function that takes the answer may refuse with what is no error value.)
function M.within(method, url, err, errno)
  if type(err) == "userdata" then err = err:within(("%s %s"):format(method, url)) end
  return nil, err, errno
end

-- The same of what a response is about, where a session has asked for it.
function M.of(response, _, err, errno)
  local request = response.request
  if not request then return nil, err, errno end
  return M.within(request.method, request.url, err, errno)
end

-- nil, an error, its errno. `more`: `code` and `text` of the answer that it is about, `response`.
local function make(_, call, name, words, more)
  local fields = { call = call, name = name, kind = "http", errno = assert(ERRNOS[name], name), strerror = words }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end

return setmetatable(M, { __call = make })
