-- send.lua: a request on its way: its head, how its body is framed, and its bytes.
local ascii = require "csock.wire.ascii"
local bodies = require "csock.http.body"
local check = require "csock.check"
local csock = require "csock"
local failure = require "csock.http.failure"
local headers = require "csock.wire.headers"
local place = require "csock.http.place"

local E = csock.errno

local M = {}

local Request = {}
Request.__index = Request

-- --- the head --------------------------------------------------------------------------------------

-- A request without headers yet. Raises for what is no method or target.
function M.start(method, target, call)
  check.argument(check.STRING, method, 1, call)
  check.argument(check.STRING, target, 2, call)
  if not headers.is_name(method) then check.bad(call, 1, "a method expected: a token") end
  if target == "" then target = "/" end
  if not place.is_target(target) then
    check.bad(call, 2, "a target expected: without control characters, blanks and '#'")
  end
  return setmetatable({ method = method, target = target, headers = headers.new(), sent = 0 }, Request)
end

-- The source of a body; nil for none.
function M.body(body, number, call)
  return body ~= nil and bodies.source(body, number, call) or nil
end

local FRAMING = { ["content-length"] = "transfer-encoding", ["transfer-encoding"] = "content-length" }

-- Adds a header. What frames the body is checked: two servers must not read the request in two ways.
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
    if key == "content-length" then
      self.length = ascii.integer(value, math.maxinteger)
      if not self.length then check.bad("putheader", 2, "Content-Length: digits expected") end
    else
      if ascii.lower(value) ~= "chunked" then check.bad("putheader", 2, "Transfer-Encoding: chunked expected") end
      self.chunked = true
    end
  end
  self.headers:add(name, value)
end

-- Methods whose requests say so when they have no body.
local WANTS_LENGTH = { PATCH = true, POST = true, PUT = true }

-- Says how long the body is, or that it comes in chunks, unless a header has said so; and what is expected.
function Request:frame(body, options)
  if body and options.expect and not self.headers.expect then self:header("Expect", "100-continue") end
  if self.length or self.chunked then return end
  local length = body and body.length or not body and WANTS_LENGTH[self.method] and 0
  if length then return self:header("Content-Length", length) end
  if not body then return end
  self:header("Transfer-Encoding", "chunked")
  options.encode_chunked = true
end

function Request:encode()
  return ("%s %s HTTP/1.1\r\n%s\r\n"):format(self.method, self.target, self.headers:encode())
end

-- --- bytes -----------------------------------------------------------------------------------------

-- The server has hung up: what it has said before may be there still, and says more.
local HUNG_UP = { [E.EPIPE] = true, [E.ECONNRESET] = true }

-- What a write gave: true, or nil, err, errno; true as well when the server has hung up (`broken`).
local function written(connection, ok, err, errno)
  if ok then return true end
  if HUNG_UP[errno] then
    connection.broken = { err = err, errno = errno }
    return true
  end
  connection:close()
  return nil, err, errno
end

local function write(connection, ...)
  connection:arm()
  return written(connection, connection.stream:write(...))
end

local function flush(connection)
  connection:arm()
  return written(connection, connection.stream:flush())
end

-- Whether the answer is there, or begins to come, before all was sent: the rest is not. Nothing is waited for.
local function answered(connection)
  while not connection.early do
    connection.sock:settimeout(0)
    local head, _, errno = connection:read_head()
    if head == nil then return errno ~= E.EAGAIN end -- what else it is, getresponse will say
    if head then connection.early = head end
  end
  return true
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

-- Sends a body's pieces: true; nil, err, errno. `broken` and `early` end it.
function Request:pieces(connection, body, options)
  local next_piece, err, errno = body.start()
  if not next_piece then return nil, err, errno end
  local chunked, total, count = options.encode_chunked, self.length or body.length, 0
  while true do
    local piece
    piece, err, errno = next_piece()
    if err then
      connection:close()
      return nil, err, errno
    end
    if not piece then break end
    if count > 0 and answered(connection) then return true end
    if self.length and self.sent + #piece > self.length then
      return mismatch(connection, "a body of more than the %d bytes that were promised", self.length)
    end
    local ok
    if chunked then
      ok, err, errno = write(connection, ("%x\r\n"):format(#piece), piece, "\r\n")
    else
      ok, err, errno = write(connection, piece)
    end
    if not ok then return nil, err, errno end
    if connection.broken then return true end
    count, self.sent = count + 1, self.sent + #piece
    if options.progress then options.progress(self.sent, total) end
  end
  local ok = true
  if chunked then ok, err, errno = write(connection, "0\r\n\r\n") end
  if ok then ok, err, errno = flush(connection) end
  if not ok then return nil, err, errno end
  if chunked and not connection.broken then self.done = true end
  return true
end

-- Sends the head and the body: true; nil, err, errno, and the connection is closed.
function Request:transmit(connection, body, options)
  local ok, err, errno = write(connection, self:encode())
  if not ok then return nil, err, errno end
  if not body or options.expect then
    ok, err, errno = flush(connection)
    if not ok or not body then return ok, err, errno end
  end
  if options.expect and not connection.broken then
    ok, err, errno = continued(connection, options.expect)
    if ok == nil then
      connection:close()
      return nil, err, errno
    end
    if not ok then return true end
  end
  if connection.broken then return true end
  ok, err, errno = self:pieces(connection, body, options)
  if not ok then
    if connection.sock then connection:close() end
    return nil, err, errno
  end
  if self.length and self.sent < self.length and not connection.broken and not connection.early then
    return mismatch(connection, "a body of %d bytes, where %d were promised", self.sent, self.length)
  end
  return true
end

-- Whether all that was promised has been sent, so that another request may follow.
function Request:whole()
  if self.length then return self.sent == self.length end
  return not self.chunked or self.done == true
end

return M
