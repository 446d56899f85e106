-- send.lua: a request on its way: its head, how its body is framed, and its bytes.
local ascii = require "csock.wire.ascii"
local bodies = require "csock.http.body"
local check = require "csock.check"
local core = require "csock.core".http
local csock = require "csock"
local failure = require "csock.http.failure"
local headers = require "csock.wire.headers"
local internal = require "csock.loop.internal"
local place = require "csock.http.place"

local E, encode = csock.errno, core.encode

local M = {}

local Request = {}
Request.__index = Request

-- --- the head --------------------------------------------------------------------------------------

-- A request with the headers of a block. Raises for what is no method or target.
function M.start(method, target, block, call)
  if not headers.is_name(method) then
    check.argument(check.STRING, method, 1, call)
    check.bad(call, 1, "a method expected: a token")
  end
  if target == "" then target = "/" end
  if not place.is_target(target) then
    check.argument(check.STRING, target, 2, call)
    check.bad(call, 2, "a target expected: without control characters, blanks and '#'")
  end
  return setmetatable({ method = method, target = target, headers = block, framing = "", sent = 0 }, Request)
end

-- The source of a body; nil for none.
function M.body(body, number, call)
  return body ~= nil and bodies.source(body, number, call) or nil
end

local FRAMING = { ["content-length"] = "transfer-encoding", ["transfer-encoding"] = "content-length" }

-- What frames the body is checked: two servers must not read the request in two ways.
local function check_framing(self, key, value)
  if key == "content-length" then
    self.length = ascii.integer(value, math.maxinteger)
    if not self.length then check.bad("putheader", 2, "Content-Length: digits expected") end
  else
    if ascii.lower(value) ~= "chunked" then check.bad("putheader", 2, "Transfer-Encoding: chunked expected") end
    self.chunked = true
  end
end

-- Adds a header.
function Request:header(name, ...)
  local values = { ... }
  for i, value in ipairs(values) do
    if math.type(value) then value = tostring(value) end
    check.argument(check.STRING, value, i + 1, "putheader")
    values[i] = value
  end
  if #values == 0 then check.expected("putheader", 2, "string", nil) end
  local key, value = type(name) == "string" and ascii.lower(name), table.concat(values, ", ")
  if FRAMING[key] then
    if self.headers[key] then check.bad("putheader", 1, "a second " .. name) end
    if self.headers[FRAMING[key]] then check.bad("putheader", 1, "both Content-Length and Transfer-Encoding") end
    check_framing(self, key, value)
  end
  self.headers:add(name, value)
end


-- Methods whose requests say so when they have no body.
local WANTS_LENGTH = { PATCH = true, POST = true, PUT = true }

-- Says how long the body is, or that it comes in chunks, unless a header has said so; and what is expected. Gives the
-- options for sending it.
function Request:frame(body, options)
  local length, coding = self.headers["content-length"], self.headers["transfer-encoding"]
  if length and coding then check.bad("putheader", 1, "both Content-Length and Transfer-Encoding") end
  if length or coding then check_framing(self, length and "content-length" or "transfer-encoding", length or coding) end
  if body and options.expect and not self.headers.expect then self.framing = "Expect: 100-continue\r\n" end
  if length or coding then return options end
  self.length = body and body.length or not body and WANTS_LENGTH[self.method] and 0 or nil
  if self.length then
    self.framing = ("%sContent-Length: %d\r\n"):format(self.framing, self.length)
    return options
  end
  if not body then return options end
  self.chunked, self.framing = true, self.framing .. "Transfer-Encoding: chunked\r\n"
  return { encode_chunked = true, expect = options.expect, progress = options.progress }
end

function Request:encode() return encode(self.headers, self.method, self.target, self.framing) end

-- --- bytes -----------------------------------------------------------------------------------------

-- Whether the answer is there, or cannot come any more, before all was sent: the rest is not. Nothing is waited for.
local function answered(connection)
  while not connection.early do
    connection.sock:settimeout(0)
    local head, _, errno = connection:read_head()
    if head == nil then return errno ~= E.EAGAIN end -- what else it is, getresponse will say
    if head then connection.early = head end
  end
  return true
end

-- Waits until the socket takes more, and meanwhile for the server: a server that refuses a body may not read it, and
-- then nothing of it ever goes. True; false when the server has answered; nil, err, errno.
local function await_room(connection)
  local sock = connection.sock
  local for_input = connection:security() and sock:want() == "readable" -- TLS has to read first
  local readable, err, errno = csock.select({ sock }, for_input and {} or { sock }, {}, connection.left())
  if not readable then return nil, err, errno end
  if readable[1] and answered(connection) then return false end
  sock:settimeout(0)
  return true
end

-- The server has hung up: what it has said before may be there still, and says more.
local HUNG_UP = { [E.EPIPE] = true, [E.ECONNRESET] = true }

-- Writes pieces; `through`: all that is written is sent now. True; false when the server wants no more, for it has
-- answered or hung up (`broken`); nil, err, errno, and the connection is closed.
local function put(connection, through, ...)
  local stream = connection.stream
  connection.sock:settimeout(0)
  local ok, err, errno = internal.in_time(connection.left(), "request")
  if ok then ok, err, errno = stream:write(...) end
  if ok and through then ok, err, errno = stream:flush() end
  while errno == E.EAGAIN and connection.left() ~= 0 do
    ok, err, errno = internal.in_time(connection.left(), "request")
    if ok then ok, err, errno = await_room(connection) end
    if ok then ok, err, errno = stream:flush() end
  end
  if ok ~= nil then return ok ~= false end
  if HUNG_UP[errno] then
    connection.broken = { err = err, errno = errno }
    return false
  end
  connection:close()
  return nil, err, errno
end

-- Waits for `100 Continue`, so many seconds at most: whether to go on; nil, err, errno.
local function continued(connection, seconds)
  connection.continued = false
  local deadline = csock.now() + seconds
  while not connection.continued do
    local left = connection.left()
    local wait = math.max(deadline - csock.now(), 1e-9)
    connection.sock:settimeout(left and math.min(left, wait) or wait)
    local head, err, errno = connection:read_head()
    if head then
      connection.early = head
      return false
    end
    if head == nil then
      if errno ~= E.ETIMEDOUT then return false end
      if left and left <= wait then return nil, err, errno end
      return true -- it may not know of it
    end
  end
  return true
end

local function mismatch(connection, words, ...)
  connection:close()
  return failure("request", "BodyLengthError", words:format(...))
end

-- Sends a body's pieces: true; false when the server wants no more; nil, err, errno.
local function send_pieces(request, connection, body, options)
  local next_piece, err, errno = body.start()
  if not next_piece then return nil, err, errno end
  local chunked, total, count = options.encode_chunked, request.length or body.length, 0
  while true do
    local piece
    piece, err, errno = next_piece()
    if err then
      connection:close()
      return nil, err, errno
    end
    if not piece then break end
    if count > 0 and answered(connection) then return false end
    if request.length and request.sent + #piece > request.length then
      return mismatch(connection, "a body of more than the %d bytes that were promised", request.length)
    end
    local ok
    if chunked then
      ok, err, errno = put(connection, false, ("%x\r\n"):format(#piece), piece, "\r\n")
    else
      ok, err, errno = put(connection, false, piece)
    end
    if not ok then return ok, err, errno end
    count, request.sent = count + 1, request.sent + #piece
    if options.progress then options.progress(request.sent, total) end
  end
  local ok
  ok, err, errno = put(connection, true, chunked and "0\r\n\r\n" or "")
  if ok and chunked then request.done = true end
  return ok, err, errno
end

-- The same: true, also when the server wants no more (`cut`); nil, err, errno.
function Request:pieces(connection, body, options)
  if self.cut then return true end
  local ok, err, errno = send_pieces(self, connection, body, options)
  if ok == nil then return nil, err, errno end
  self.cut = not ok
  return true
end

-- Sends the head and the body: true; nil, err, errno, and the connection is closed.
function Request:transmit(connection, body, options)
  local ok, err, errno = put(connection, not body or options.expect, self:encode())
  if ok and body and options.expect then
    ok, err, errno = continued(connection, options.expect)
    if ok == nil then connection:close() end
  end
  if not ok or not body then
    self.cut = not ok
    return ok ~= nil or nil, err, errno
  end
  ok, err, errno = self:pieces(connection, body, options)
  if not ok then
    if connection.sock then connection:close() end
    return nil, err, errno
  end
  if self.length and self.sent < self.length and not self.cut then
    return mismatch(connection, "a body of %d bytes, where %d were promised", self.sent, self.length)
  end
  return true
end

-- Whether all that was promised has been sent, so that another request may follow.
function Request:whole()
  if self.cut then return false end
  if self.length then return self.sent == self.length end
  return not self.chunked or self.done == true
end

return M
