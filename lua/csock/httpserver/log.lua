-- log.lua: the access log, in the Common Log Format: `host - - [date] "request" status bytes`. Hosts are addresses: no
-- name is looked up.
local time, date = os.time, os.date

local M = {}

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

local second, stamp

-- The time, as the log has it: `"10/Oct/2000:13:55:36 -0700"`; made once a second.
function M.stamp()
  local now = time()
  if now ~= second then
    local t = date("*t", now)
    stamp = ("%02d/%s/%04d:%02d:%02d:%02d %s"):format(
      t.day, MONTHS[t.month], t.year, t.hour, t.min, t.sec, date("%z", now))
    second = now
  end
  return stamp
end

local function escaped(c) return ("\\x%02x"):format(c:byte()) end

-- What a stranger has sent, as a part of a line: nothing in it looks like the line's own.
function M.escape(text) return (text:gsub('[\0-\x1f"\\\x7f-\xff]', escaped)) end

-- The client's address, without its port.
function M.host(address)
  if type(address) == "string" then return address == "" and "-" or M.escape(address) end
  return address and address.host or "-"
end

-- A line, without its end.
function M.line(address, request, status, bytes)
  return ('%s - - [%s] "%s" %d %s'):format(M.host(address), M.stamp(), M.escape(request), status,
    bytes > 0 and bytes or "-")
end

-- The request line of a request, as it was sent.
local function request_line(request)
  if request.method == "-" then return "-" end
  return ("%s %s HTTP/1.%d"):format(request.method, request.target, request.version - 10)
end

-- The function that logs for a connection, with the option `access_log`: a function, which gets the line; a file; or
-- true, standard error.
function M.logger(log)
  if not log then return nil end
  local put = log
  if type(log) ~= "function" then
    local file = log == true and io.stderr or log
    put = function(line) file:write(line, "\n") end
  end
  return function(link, request, status, bytes)
    put(M.line(link.address, request_line(request), status, bytes), request, status, bytes)
  end
end

return M
