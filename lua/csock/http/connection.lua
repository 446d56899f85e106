-- connection.lua: HTTPConnection: one connection, one request after the other. How it is connected: dial.lua; the bytes
-- of a request: send.lua; of an answer: response.lua.
local check = require "csock.check"
local class = require "csock.class"
local core = require "csock.core".http
local csock = require "csock"
local dial = require "csock.http.dial"
local failure = require "csock.http.failure"
local internal = require "csock.loop.internal"
local place = require "csock.http.place"
local readers = require "csock.http.reader"
local secure = require "csock.secure"
local send = require "csock.http.send"
local headers = require "csock.wire.headers"
local HTTPResponse = require "csock.http.response".HTTPResponse

local E, MOST_INTERIM = csock.errno, dial.MOST_INTERIM

local M = {}

--- A connection to a server, and its requests, one after the other: `request`, `getresponse`, read all of it, and so
-- on. It connects by itself, and anew where the server has closed it meanwhile. `timeout` bounds each call as a whole.
--
-- CR, LF and NUL in a method, target or header raise before a byte is sent. An answer that could be read in two ways
-- is refused (`EBADMSG`), and what is too long (`EMSGSIZE`); both close the connection.
-- Source: Python's `http.client.HTTPConnection`.
-- @type httpconnection
local HTTPConnection = class("HTTPConnection")
M.HTTPConnection = HTTPConnection

HTTPConnection.default_port = 80

--- Whether `request` connects by itself: true unless changed.
-- @field httpconnection:auto_open
HTTPConnection.auto_open = true
HTTPConnection.debuglevel = 0

--- The socket; nil while it is not connected.
-- @field httpconnection:sock

--- The stream over it, or nil; it belongs to who asked for `Upgrade` or `CONNECT` once that was answered.
-- @field httpconnection:stream

local OPTIONS = {
  timeout = { check.TIMEOUT, nil, false }, source_address = { check.ANY }, limits = { check.ANY },
  context = { secure.CLIENT }, server_hostname = { secure.NAME, nil, false },
}

--- Made by calling the class. Nothing is connected yet.
-- @function csock.http.HTTPConnection
-- @tparam string host a name or an address, or both: `"example.org:8080"`, `"[::1]:8080"`
-- @tparam[opt=80] int port
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds for each call (default: `csock.getdefaulttimeout()`; false: none)
-- @param[opt] options.source_address as for `create_connection`
-- @tparam[opt] table options.limits the most bytes of an answer's `line`, `field`, `head`, `trailer` and `body`, and
-- the number of its `fields` (defaults: 8192, 16384, 65536, 8192, none, 100)
-- @treturn httpconnection
-- @raise for what is no host
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- assert(connection:request("GET", "/"))
-- print(assert(connection:getresponse()):read()) --> hello
function HTTPConnection:__init(host, port, options)
  if type(port) == "table" then port, options = nil, port end
  local call = self.__class.__name
  options = check.options(options, OPTIONS, 3, call)
  self.host, self.port = place.split(host, port, self.default_port, call)
  self.timeout = options.timeout
  if self.timeout == nil then self.timeout = csock.getdefaulttimeout() or false end
  if self.timeout == math.huge then self.timeout = false end
  self.source_address, self.limits = options.source_address, options.limits and core.limits(options.limits)
  self.context, self.server_hostname = options.context or true, options.server_hostname
  self.state = "idle" -- "started": the headers come; "sent": the answer does
end

-- --- time ------------------------------------------------------------------------------------------

-- Begins a call. `left()` is what remains of its time, or of that of the whole (a session's `clock`).
local function begin(self) self.left = self.clock or internal.countdown(self.timeout) end

-- To be called before each wait.
function HTTPConnection:arm()
  local seconds = self.left()
  if self.sock then self.sock:settimeout(seconds) end
end

-- --- connecting ------------------------------------------------------------------------------------

--- Says to what a proxy, which is what is connected to then, shall make a tunnel.
-- Source: Python's `HTTPConnection.set_tunnel`.
-- @tparam string host
-- @tparam[opt] int port
-- @tparam[opt] table fields further headers for the proxy, such as `Proxy-Authorization`
-- @raise on a connection that is open
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- connection:set_tunnel("example.org", 443) -- localhost:8080 is the proxy
function HTTPConnection:set_tunnel(host, port, fields)
  if self.sock then check.fail "set_tunnel: the connection is open" end
  host, port = place.split(host, port, self.default_port, "set_tunnel")
  self.tunnel = { host = host, port = port, headers = headers.new(fields) }
end

-- Gives the connection up: nil, err, errno.
local function fail(self, err, errno)
  self:close()
  return nil, err, errno
end

-- Whether TLS goes over it: HTTPSConnection says so.
function HTTPConnection.security() end

--- Connects, and makes the tunnel if there is to be one. `request` does it by itself.
-- Source: Python's `HTTPConnection.connect`.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error with `code` and `text` where a proxy has refused
-- @treturn[2] int errno
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- assert(connection:connect())
function HTTPConnection:connect()
  begin(self)
  if self.sock then self:close() end
  return dial.connect(self)
end

--- Closes the connection; the next request opens it again.
-- Source: Python's `HTTPConnection.close`.
-- @treturn boolean true
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- connection:close()
function HTTPConnection:close()
  local sock, stream = self.sock, self.stream
  self.sock, self.stream, self.early, self.broken = nil, nil, nil, nil
  self.state, self.response = "idle", nil
  if sock then sock:settimeout(0) end -- what was not sent is not waited for
  if stream then stream:close() end
  if sock then sock:close() end
  return true
end

HTTPConnection.__close = HTTPConnection.close

-- Whether an idle connection can take another request: nothing has come, and it has not ended.
function HTTPConnection:usable()
  if not self.sock or self.state ~= "idle" or self.response then return false end
  return core.quiet(self.stream)
end

--- How much is printed of what is sent and received: 0, nothing, or 1, the heads.
-- Source: Python's `HTTPConnection.set_debuglevel`.
-- @tparam int level
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- connection:set_debuglevel(1)
function HTTPConnection:set_debuglevel(level)
  self.debuglevel = check.argument(check.integer(0), level, 1, "set_debuglevel")
end

-- --- requests --------------------------------------------------------------------------------------

-- What a request says unless its headers do.
local function own_fields(self, skip_host, skip_accept_encoding)
  local block, origin = headers.new(), self.tunnel or self
  if not skip_host then block:add("Host", place.authority(origin.host, origin.port, self.default_port)) end
  if not skip_accept_encoding then block:add("Accept-Encoding", "identity") end
  return block
end

local function start(self, request, call)
  if self.response and self.response:isclosed() then self.response = nil end
  if self.state ~= "idle" or self.response then
    return failure(call, "CannotSendRequest", "the answer before has not been read")
  end
  if self.sock and self.auto_open and not self.checked and not self:usable() then self:close() end
  self.checked = false
  self.out, self.state = request, "started"
  return true
end

--- Begins a request.
-- Source: Python's `HTTPConnection.putrequest`.
-- @tparam string method a token, such as `"GET"`
-- @tparam string target what stands in the request line: a path with a query, quoted; `""` is `/`
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.skip_host true leaves the header Host to the caller
-- @tparam[opt=false] boolean options.skip_accept_encoding true leaves the header Accept-Encoding to the caller
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBUSY`: the answer before has not been read)
-- @raise for what is no method or target
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- assert(connection:putrequest("GET", "/"))
-- assert(connection:putheader("Accept", "text/plain"))
-- assert(connection:endheaders())
function HTTPConnection:putrequest(method, target, options)
  options = options or {}
  local block = own_fields(self, options.skip_host, options.skip_accept_encoding)
  return start(self, send.start(method, target, block, "putrequest"), "putrequest")
end

--- Adds a header.
-- Source: Python's `HTTPConnection.putheader`.
-- @tparam string name
-- @tparam string|number ... the value; several come with `", "` between them
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBUSY`: no request was begun)
-- @raise for a malformed one, also a Content-Length that is none, or one beside a Transfer-Encoding
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- connection:putrequest("GET", "/")
-- assert(connection:putheader("Accept", "text/plain"))
function HTTPConnection:putheader(name, ...)
  if self.state ~= "started" then return failure("putheader", "CannotSendRequest", "no request was begun") end
  self.out:header(name, ...)
  return true
end

-- Sends the head, and the body.
local function transmit(self, body, options)
  local request = self.out
  self.state = "sent"
  if not self.sock then
    if not self.auto_open then
      self.state = "idle"
      return failure("request", "NotConnected", "not connected, and auto_open is off")
    end
    local ok, err, errno = dial.connect(self)
    if not ok then return nil, err, errno end
    self.state = "sent"
  end
  self.interim, self.early, self.broken = 0, nil, nil
  if self.debuglevel > 0 then print(("send: %q"):format(request:encode())) end
  return request:transmit(self, body, options)
end

-- The same: half a request is none, also where its body raises.
local function transmit_whole(self, body, options)
  local holder <close> = internal.holder(self)
  local ok, err, errno = transmit(self, body, options)
  holder:take()
  return ok, err, errno
end

--- Ends the headers, and sends all so far.
-- Source: Python's `HTTPConnection.endheaders`.
-- @param[opt] message_body as for `request`
-- @tparam[opt] table options those of @{httpconnection:request}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- connection:putrequest("GET", "/")
-- assert(connection:endheaders())
-- print(connection:getresponse().status) --> 200
function HTTPConnection:endheaders(message_body, options)
  if self.state ~= "started" then return failure("endheaders", "CannotSendRequest", "no request was begun") end
  begin(self)
  return transmit_whole(self, send.body(message_body, 1, "endheaders"), options or {})
end

--- Sends bytes as they are, behind `endheaders`: framing them is up to the caller.
-- Source: Python's `HTTPConnection.send`.
-- @param data a string, a sequence of strings, a function, a file: as the `body` of `request`
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EMSGSIZE`: more than the Content-Length says)
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- connection:putrequest("POST", "/")
-- connection:putheader("Content-Length", 5)
-- connection:endheaders()
-- assert(connection:send "hello")
function HTTPConnection:send(data)
  local body = send.body(data, 1, "send")
  begin(self)
  if self.state ~= "sent" then return failure("send", "CannotSendRequest", "no request was begun") end
  return self.out:pieces(self, body, {})
end

--- Sends a request. What cannot be sent any more because the server has hung up is no failure yet: its answer, which
-- `getresponse` gives, may say why.
-- Source: Python's `HTTPConnection.request`.
-- @tparam string method
-- @tparam string target as for `putrequest`
-- @param[opt] body a string, a sequence of strings, a function that gives strings and then nil, a file or anything
-- with `read`. A body whose length is known is sent with it, any other in chunks
-- @tparam[opt] table fields headers: a table from names to values, or a sequence of names and values in turn, or a
-- header block
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.encode_chunked false: a body that has a Transfer-Encoding among `fields` is in
-- chunks already; true: it is put into chunks
-- @tparam[opt] number options.expect says `Expect: 100-continue`, and waits so many seconds for `100 Continue`, or a
-- refusal, before the body is sent
-- @tparam[opt] function options.progress called as `(sent, total)` after each piece of the body
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBUSY`: the answer before has not been read; those of connecting and sending)
-- @raise for a malformed method, target or header, before a byte is sent
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- assert(connection:request("POST", "/", "hello", {["Content-Type"] = "text/plain"}))
function HTTPConnection:request(method, target, body, fields, options)
  local source, block = send.body(body, 3, "request"), headers.new(fields)
  block = headers.merge(own_fields(self, block.host, block["accept-encoding"]), block)
  return self:ask(method, target, source, block, options or {}, transmit_whole)
end

-- The same with a source (body.lua) and all headers, a block that stays as it is. Whoever calls it closes the
-- connection where it does not return, unless `how` does.
function HTTPConnection:ask(method, target, source, block, options, how)
  begin(self)
  local request = send.start(method, target, block, "request")
  options = request:frame(source, options)
  local ok, err, errno = start(self, request, "request")
  if not ok then return nil, err, errno end
  return (how or transmit)(self, source, options)
end

-- --- answers ---------------------------------------------------------------------------------------

local function print_head(head)
  print(("reply: %d %q"):format(head.status, head.reason))
  for i = 1, #head.headers, 2 do print(("header: %s: %q"):format(head.headers[i], head.headers[i + 1])) end
end

-- One head: that, or false for one that is passed over; nil, err, errno.
function HTTPConnection:read_head()
  local head, err, errno = core.read_response(self.stream, self.out.method, self.limits)
  if not head then
    if err then return nil, err, errno end
    return failure("getresponse", "RemoteDisconnected", "the server has closed the connection without an answer")
  end
  if self.debuglevel > 0 then print_head(head) end
  if head.status >= 200 then return head end
  if head.status == 101 and self.out.headers.upgrade then return head end
  if head.status == 101 then
    return failure("getresponse", "BadStatusLine", "the server switches protocols unasked")
  end
  self.interim = self.interim + 1
  if self.interim > MOST_INTERIM then
    return failure("getresponse", "ResponseTooLong", ("more than %d interim answers"):format(MOST_INTERIM))
  end
  self.continued = head.status == 100
  return false
end

-- --- for the answer that is read: see response.lua ---------------------------------------------------

function HTTPConnection:may_wait()
  if not self.sock then return true end -- reading finds out
  local seconds = (self.clock or internal.countdown(self.timeout))()
  self.sock:settimeout(seconds)
  return internal.in_time(seconds, "read")
end

function HTTPConnection.is_over(_, response)
  local body = response.raw
  return not body or readers.ended(body) or body:buffered() == 0 and core.body_ended(body)
end

-- What becomes of the connection.
function HTTPConnection:released(response, whole)
  if self.response ~= response then return end
  self.response = nil
  local clean = whole and not response.will_close and self.stream and self.stream:buffered() == 0
  if not clean then self:close() end
  if self.on_release then self.on_release(self, clean) end
end

local function make_response(self, head)
  local kind, bytes, body = head.body, head.bytes, nil
  head.body, head.bytes = nil, nil -- the response is to have its own
  if bytes then
    body = readers.of(bytes)
  elseif kind ~= "none" and kind ~= "tunnel" then
    body = core.body(self.stream, kind, head.length, self.limits)
  end
  local fp = body or kind == "none" and readers.of "" or self.stream
  local response = class.adopt(self.response_class, head, fp, self)
  response.raw = body
  response.will_close = not head.keep_alive or not self.out:whole()
  self.response, self.state = response, "idle"
  if kind == "tunnel" then
    response.finished = true -- the stream is the caller's
    self.state = "tunnel"
  elseif not body then
    response:settle()
  end
  return response
end

HTTPConnection.response_class = HTTPResponse

--- Waits for the answer to the request: its head; the body is read from it. Interim answers (1xx) are passed over, at
-- most 32. When it times out it can be called again.
-- Source: Python's `HTTPConnection.getresponse`.
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ECONNRESET`: the server has closed the connection without an answer; `EBADMSG`: it is none,
-- or malformed; `EMSGSIZE`: it is too long; `EINVAL`: nothing was asked)
-- @usage
-- local connection = http.HTTPConnection("localhost", 8080)
-- assert(connection:request("GET", "/"))
-- print(assert(connection:getresponse()).status) --> 200
function HTTPConnection:getresponse()
  if self.state ~= "sent" then return failure("getresponse", "ResponseNotReady", "no request was sent") end
  begin(self)
  local head = self.early
  while not head do
    local err, errno
    self:arm()
    head, err, errno = self:read_head()
    if head == nil then
      if errno == E.ETIMEDOUT or errno == E.EAGAIN then return nil, err, errno end
      local broken = self.broken
      self.silent = self.interim == 0 and self.stream:buffered() == 0 -- of the answer nothing has come
      if broken then err, errno = broken.err, broken.errno end
      return fail(self, err, errno)
    end
  end
  return make_response(self, head)
end

-- --- over TLS --------------------------------------------------------------------------------------

--- The same over TLS. The server's certificate is verified, for `host`.
-- Source: Python's `http.client.HTTPSConnection`.
-- @type httpsconnection
local HTTPSConnection = class("HTTPSConnection", HTTPConnection)
M.HTTPSConnection = HTTPSConnection

HTTPSConnection.default_port = 443

--- Made by calling the class.
-- @function csock.http.HTTPSConnection
-- @tparam string host
-- @tparam[opt=443] int port
-- @tparam[opt] table options those of @{csock.http.HTTPConnection}, and
-- @param[opt] options.context a client's context of `csock.ssl`
-- @tparam[opt] string options.server_hostname the name that is asked for and verified
-- @treturn httpsconnection
-- @usage
-- local connection = http.HTTPSConnection("localhost", 8443)
-- assert(connection:request("GET", "/"))
-- print(assert(connection:getresponse()).status) --> 200
function HTTPSConnection:security() return self.context end

return M
