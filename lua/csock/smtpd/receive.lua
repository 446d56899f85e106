-- receive.lua: a message on its way in. It ends with CRLF, a dot and CRLF, and with nothing else: where one server took
-- another line end for that and the next did not, a second mail could be hidden in the first (SMTP smuggling).
local csock = require "csock"
local dots = require "csock.wire.dots"
local internal = require "csock.loop.internal"

local M = {}

local END = "\r\n.\r\n"

-- Whether each CR stands before an LF, and each LF behind a CR.
local function has_whole_ends(text)
  local at = 0
  repeat
    local cr, lf = text:find("\r", at + 1, true), text:find("\n", at + 1, true)
    if cr == nil and lf == nil then return true end
    if cr == nil or lf ~= cr + 1 then return false end
    at = lf
  until false
end

-- Passes over the rest of a message, as long as there is time: true; nil, err, errno.
local function drain(stream, left)
  local tail = ""
  while true do
    local seconds = left()
    local ok, err, errno = internal.in_time(seconds, "smtpd")
    if not ok then return nil, err, errno end
    stream:settimeout(seconds)
    local bytes
    bytes, err, errno = stream:peek()
    if not bytes then return nil, err, errno end
    if bytes == "" then return csock.make_error { call = "smtpd", errno = csock.errno.ECONNRESET } end
    local _, last = (tail .. bytes):find(END, 1, true)
    stream:read(last and last - #tail or #bytes)
    if last then return true end
    tail = (tail .. bytes):sub(-#END + 1)
  end
end

-- Reads a message of at most `limit` bytes, in so many seconds: its bytes, with lines that end with CRLF and dots as
-- they were; false and "size" or "newline" for one that was passed over; nil, err, errno. `keep`: CR and LF by
-- themselves are no fault.
function M.message(stream, limit, seconds, keep)
  local left = internal.countdown(seconds)
  stream:settimeout(left())
  local start, err, errno = stream:peek(3)
  if not start then return nil, err, errno end
  if start == ".\r\n" then
    stream:read(3)
    return ""
  end
  local text, whole, why = stream:read_until(END, limit)
  if not text and why == csock.errno.EMSGSIZE then
    local ok
    ok, err, errno = drain(stream, left)
    if not ok then return nil, err, errno end
    return false, "size"
  end
  if whole ~= true then
    if not text and whole then return nil, whole, why end
    return csock.make_error { call = "smtpd", errno = csock.errno.ECONNRESET }
  end
  if not keep and not has_whole_ends(text) then return false, "newline" end
  return (dots.unstuff(text .. END))
end

return M
