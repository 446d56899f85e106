-- connection.lua: a connection of `httpserver.serve`: one request after the other, each answered before the next is
-- read; what may go wrong, and the end.
local csock = require "csock"
local csock_core = require "csock.core"
local answer = require "csock.httpserver.answer"
local internal = require "csock.loop.internal"
local requests = require "csock.httpserver.request"
local responses = require "csock.http.status".responses
local sending = require "csock.httpserver.sending"

local E = csock.errno
local http = csock_core.http
local compose, traced = answer.compose, internal.traced
local write = sending.write
local read_request = requests.read

local M = {}

-- A link is a connection's record: `conn`, `stream`, `address`, `server`. There may be very many: no more than four
-- fields while it is idle. Of an answer that is not sent at once, `begun`; `unread` and `cut` say how it ends.

-- --- answers ---------------------------------------------------------------------------------------

-- What is known of a request that could not be read.
local NO_REQUEST = { method = "-", target = "-", version = 11, keep_alive = false }

local PLAIN = { ["Content-Type"] = "text/plain; charset=utf-8" }

local function log(link, request, status, bytes)
  local f = link.server.settings.access_log
  if f then f(link, request, status, bytes or 0) end
end

-- Answers with a status and a line about it. Whether the connection may go on.
local function answer_error(link, request, status, words)
  local body = ("%d %s\n"):format(status, words or responses[status] or "Error")
  local head, framing, keep = compose(request, status, PLAIN, #body)
  if framing == "none" then body = "" end
  local ok = write(link, head, body)
  log(link, request, status, #body)
  return ok and keep
end

-- The handler has raised something, or given what is no answer: the client's fault or the program's. Whether the
-- connection may go on.
local function recover(link, request, failure)
  local body = requests.opened_body(request)
  local status = body and http.body_status(body)
  if not status then link.server.onerror(failure.err, failure.traceback, request) end
  if link.begun then
    link.cut = link.begun == "close" -- else the client sees that something is missing
    log(link, request, status or 500)
    return false
  end
  if status then request.keep_alive = false end
  return answer_error(link, request, status or 500)
end

-- Sends an answer that is a string, or nothing. Whether the connection may go on; or nil, err, errno when sending has
-- failed.
local function send_string(link, request, status, fields, body)
  local length = body and #body or not request.bodiless and 0 or nil
  local head, framing, keep = compose(request, status, fields, length)
  if not head then return recover(link, request, traced(framing)) end
  if not body or framing ~= "length" then body = "" end
  local ok, err, errno
  if #head + #body <= sending.BUFFER then
    ok, err, errno = link.stream:write(head, body)
  else
    ok, err, errno = write(link, head, body)
  end
  if not ok then return nil, err, errno end
  log(link, request, status, #body)
  return keep
end

-- The same of what gives its bytes one after the other: a function or a file. Raises what is wrong with the answer:
-- `link.begun` says whether a part of it has gone already, and how the body goes.
local function send_pieces(link, request, status, fields, body)
  local file, offset, count
  if type(body) ~= "function" then
    file, offset, count = sending.file_of(body)
    if count == nil then body = sending.reader(file) end
  end
  local head, framing, keep, length = assert(compose(request, status, fields, count))
  link.begun = framing
  local sent, err, errno
  if count and framing ~= "none" then
    sent, err, errno = sending.file(link, head, file, offset, count)
  else
    sent, err, errno = write(link, head)
    if not sent then return nil, err, errno end
    if framing == "none" then
      sent = 0
    elseif framing == "length" then
      sent, err, errno = sending.counted(link, body, length)
    else
      sent, err, errno = sending.pieces(link, body, framing == "chunked")
    end
  end
  if not sent then return nil, err, errno end
  log(link, request, status, sent)
  return keep
end

-- The connection becomes something else: the function that came for a body gets it.
local function hand_over(link, request, status, fields, f)
  local head = assert(compose(request, status, fields, nil, true))
  link.begun = "none"
  local ok, err, errno = write(link, head)
  if ok then ok, err, errno = link.stream:flush() end
  if not ok then return nil, err, errno end
  log(link, request, status, 0)
  link.conn:settimeout(nil)
  f(link.stream, link.conn, request)
  return false
end

local function is_handing_over(request, status)
  return status == 101 or request.framing == "tunnel" and math.type(status) == "integer" and status // 100 == 2
end

-- --- one request -----------------------------------------------------------------------------------

-- A body that is no longer never has to wait for the client.
local SMALL = sending.BUFFER // 2

-- Sends any answer; raises what is wrong with it.
local function respond(link, request, status, fields, body, closing)
  local _ <close> = closing
  if math.type(body) then body = tostring(body) end
  local kind = type(body)
  if kind == "function" and is_handing_over(request, status) then
    return hand_over(link, request, status, fields, body)
  end
  local settings = link.server.settings
  local send = (kind == "string" or kind == "nil") and send_string or send_pieces
  link.conn:settimeout(settings.send_timeout)
  local keep, err, errno = send(link, request, status, fields, body)
  link.begun = nil
  link.conn:settimeout(settings.idle_timeout)
  return keep, err, errno
end

-- Answers a request. Whether another one may follow. (Most answers need no protected call for themselves: the fewer
-- functions there are one in the other, the smaller is the stack of a task that waits.)
local function see_to(link, request)
  local ok, status, fields, body, closing = xpcall(link.server.handler, traced, request)
  local keep
  if not ok then
    keep = recover(link, request, status)
  elseif closing == nil and (body == nil or type(body) == "string" and #body < SMALL) then
    keep = send_string(link, request, status, fields, body)
  else
    ok, keep = xpcall(respond, traced, link, request, status, fields, body, closing)
    if not ok then keep = recover(link, request, keep) end
  end
  if keep == nil then -- the client is gone, or takes nothing
    link.cut = true
    log(link, request, 499)
    return false
  end
  if request.framing ~= "none" and not requests.drain(request, link.server.settings.drain) then
    link.unread = true
    return false
  end
  return keep
end

-- --- the end ---------------------------------------------------------------------------------------

local LINGER, MOST = 2, 1 << 20 -- seconds and bytes

-- The client may still be sending: what nobody reads would make the system forget what the client has not read.
local function linger(link)
  local conn = link.conn
  conn:settimeout(LINGER)
  if not link.stream:flush() or not conn:shutdown(csock.SHUT_WR) then return end
  local left, deadline = MOST, csock.now() + LINGER
  while left > 0 do
    local remaining = deadline - csock.now()
    if remaining <= 0 then return end
    conn:settimeout(remaining)
    local data = conn:recv(1 << 14)
    if not data or data == "" then return end
    left = left - #data
  end
end

-- No head came: what the client gets, if anything.
local function refuse(link, err, errno)
  if not err or link.server.closing then return end
  local status = err.status
  if errno == E.ETIMEDOUT and link.stream:buffered() > 0 then status = 408 end
  if not status then return end -- it is gone, or was idle
  local request = setmetatable({}, { __index = NO_REQUEST })
  answer_error(link, request, math.tointeger(status), err.status and err.strerror)
  link.unread = true
end

-- The client is to see that the end is none: nothing more is sent.
local function reset(conn)
  conn:settimeout(0)
  conn:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0))
end

-- Also where the task is cancelled in the middle of an answer that ends with the connection.
local Link = { __close = function(link)
  if link.cut or link.begun == "close" then reset(link.conn) end
end }

-- Serves a connection to its end: the handler of csock.serve.
function M.serve(server, conn, address)
  local settings = server.settings
  conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1) -- not of a Unix socket
  conn:settimeout(settings.header_timeout)
  local stream <close> = assert(conn:makefile("rw", "turn", { limit = settings.read_limit }))
  stream:setvbuf("turn", sending.BUFFER)
  local link <close> = setmetatable({ conn = conn, stream = stream, address = address, server = server }, Link)
  local limits, header_timeout, first = settings.limits, settings.header_timeout, true
  repeat
    local request, err, errno = read_request(stream, limits, header_timeout, link)
    if not request then
      refuse(link, err, errno)
      break
    end
    if first then
      conn:settimeout(settings.idle_timeout)
      first = false
    end
    if server.closing then request.keep_alive = false end
    server.busy[conn] = true
    local keep = see_to(link, request)
    server.busy[conn] = nil
  until not keep or server.closing
  if not link.cut and (link.unread or stream:buffered() > 0) then linger(link) end
end

return M
