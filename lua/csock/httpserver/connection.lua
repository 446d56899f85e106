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
local compose, is_bare = answer.compose, answer.is_bare
local write = sending.write
local read_request, new_request = http.read_request, requests.new

local M = {}

-- A link is a connection's record: `conn`, `stream`, `address`, `server`, `busy` (a request is being answered), and of
-- the present answer `begun`; `unread` and `cut` say how it ends. There may be very many: no more than eight fields.
local Link = {
  __close = function(link) link.server.links[link] = nil end,
}

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
  local head, framing, _, keep = compose(request, status, PLAIN, #body)
  if framing == "none" then body = "" end
  local ok = write(link, head, body)
  log(link, request, status, #body)
  return ok and keep
end

local function send_pieces(link, f, framing, length)
  if framing == "none" then return 0 end
  if framing == "length" then return sending.counted(link, f, length) end
  return sending.pieces(link, f, framing == "chunked")
end

-- Sends an answer. Whether the connection may go on; or nil, err, errno when sending failed. Raises what is wrong with
-- the answer: `link.begun` says whether a part of it has gone already, and how the body goes.
local function send(link, request, status, fields, body)
  if math.type(status) ~= "integer" or status < 200 or status > 999 then -- after 1xx the client goes on waiting
    error(("the status of an answer is %s"):format(tostring(status)), 0)
  end
  local kind = type(body)
  if kind == "string" or kind == "nil" then
    local length = body and #body or not is_bare(status) and request.method ~= "HEAD" and 0 or nil
    local head, framing, _, keep = compose(request, status, fields, length)
    if framing ~= "length" then body = nil end
    body = body or ""
    link.begun = framing
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
  if kind == "number" then return send(link, request, status, fields, tostring(body)) end
  local file, offset, count
  if kind ~= "function" then
    file, offset, count = sending.file_of(body)
    if count == nil then body = sending.reader(file) end
  end
  local head, framing, length, keep = compose(request, status, fields, count)
  link.begun = framing
  local sent, err, errno
  if count and framing ~= "none" then
    sent, err, errno = sending.file(link, head, file, offset, count)
  else
    sent, err, errno = write(link, head)
    if sent then sent, err, errno = send_pieces(link, body, framing, length) end
  end
  if not sent then return nil, err, errno end
  log(link, request, status, sent)
  return keep
end

-- The connection becomes something else: the function that came for a body gets it.
local function hand_over(link, request, status, fields, f)
  link.begun = "none"
  local ok, err, errno = write(link, (compose(request, status, fields)))
  if ok then ok, err, errno = link.stream:flush() end
  if not ok then return nil, err, errno end
  log(link, request, status, 0)
  link.conn:settimeout(nil)
  f(link.stream, link.conn, request)
  return false
end

local function is_handing_over(request, status, body)
  return type(body) == "function" and
    (status == 101 or request.head.body == "tunnel" and math.type(status) == "integer" and status // 100 == 2)
end

-- --- one request -----------------------------------------------------------------------------------

-- A body that is no longer never has to wait for the client.
local SMALL = sending.BUFFER // 2

local function respond(link, request)
  local handler = link.server.handler or link.server.find_handler()
  local status, fields, body, closing = handler(request)
  local _ <close> = closing
  if is_handing_over(request, status, body) then return hand_over(link, request, status, fields, body) end
  if body == nil or type(body) == "string" and #body < SMALL then return send(link, request, status, fields, body) end
  link.conn:settimeout(link.server.settings.send_timeout)
  local keep, err, errno = send(link, request, status, fields, body)
  link.conn:settimeout(link.server.settings.idle_timeout)
  return keep, err, errno
end

-- The handler has raised something: the client's fault or the program's. Whether the connection may go on.
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

-- Answers a request. Whether another one may follow.
local function see_to(link, head)
  local request = new_request(head, link)
  if link.server.closing then request.keep_alive = false end
  link.begun = nil
  local ok, keep = xpcall(respond, internal.traced, link, request)
  if not ok then keep = recover(link, request, keep) end
  if keep == nil then -- the client is gone, or takes nothing
    link.cut = true
    log(link, request, 499)
    return false
  end
  if head.body ~= "none" and not requests.drain(request, link.server.settings.drain) then
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

-- Serves a connection to its end: the handler of csock.serve.
function M.serve(server, conn, address)
  local settings = server.settings
  conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1) -- not of a Unix socket
  conn:settimeout(settings.header_timeout)
  local stream <close> = assert(conn:makefile("rw", "turn", { limit = settings.read_limit }))
  stream:setvbuf("turn", sending.BUFFER)
  local link <close> = setmetatable({
    conn = conn, stream = stream, address = address, server = server, busy = false,
  }, Link)
  server.links[link] = true
  local limits, header_timeout, first = settings.limits, settings.header_timeout, true
  repeat
    local head, err, errno = read_request(stream, limits, header_timeout)
    if not head then
      refuse(link, err, errno)
      break
    end
    if first then
      conn:settimeout(settings.idle_timeout)
      first = false
    end
    link.busy = true
    local keep = see_to(link, head)
    link.busy = false
  until not keep or server.closing
  if link.cut then
    reset(conn)
  elseif link.unread or stream:buffered() > 0 then
    linger(link)
  end
end

return M
