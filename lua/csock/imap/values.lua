--- Dates and flags: imaplib's functions.
-- @module csock.imap
local check = require "csock.check"
local dates = require "csock.wire.dates"

local M = {}

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- The time of an `INTERNALDATE`, as `os.date("*t")` has it, in local time.
-- @function Internaldate2tuple
-- @tparam string resp an answer to FETCH that has one
-- @treturn ?table nil where there is none
-- @treturn ?int the same as seconds since 1970
-- @usage
-- print(select(2, imap.Internaldate2tuple '1 (INTERNALDATE "17-Jul-1996 02:44:25 -0700")')) --> 837596665
function M.Internaldate2tuple(resp)
  check.argument(check.STRING, resp, 1, "Internaldate2tuple")
  local day, rest = resp:match 'INTERNALDATE "([ 0123]%d)%-([^"]*)"'
  local month, year, time = (rest or ""):match "^(%u%l%l)%-(%d%d%d%d) (%d%d:%d%d:%d%d [+-]%d%d%d%d)$"
  local seconds = month and dates.parse_mail(("%s %s %s %s"):format(day:gsub(" ", ""), month, year, time))
  if not seconds then return nil end
  return os.date("*t", seconds), seconds
end

local TIME = check.kind("time", function(value)
  return math.type(value) and value == value and math.abs(value) < 1 << 40 or type(value) == "table"
    or type(value) == "string" and value:find '^"[^"%c]*"$' ~= nil
end)

--- A time as IMAP writes it, in local time, with the quotes around it.
-- @function Time2Internaldate
-- @param date_time seconds since 1970; a table as `os.date("*t")` gives; or a string in quotes, which is given back
-- @treturn string
-- @usage print(#imap.Time2Internaldate(837596665)) --> 28
function M.Time2Internaldate(date_time)
  check.argument(TIME, date_time, 1, "Time2Internaldate")
  if type(date_time) == "string" then return date_time end
  local seconds = type(date_time) == "table" and os.time(date_time) or math.floor(date_time)
  local t, zone = os.date("*t", seconds), dates.zone(seconds)
  return ('"%02d-%s-%04d %02d:%02d:%02d %s%02d%02d"'):format(t.day, MONTHS[t.month], t.year, t.hour, t.min, t.sec,
    zone < 0 and "-" or "+", math.abs(zone) // 60, math.abs(zone) % 60)
end

--- The flags in an answer to FETCH.
-- @function ParseFlags
-- @tparam string resp
-- @treturn {string,...}
-- @usage print(table.concat(imap.ParseFlags '1 (FLAGS (\\Seen $Junk))', ",")) --> \Seen,$Junk
function M.ParseFlags(resp)
  check.argument(check.STRING, resp, 1, "ParseFlags")
  local flags = {}
  for flag in (resp:match ".*FLAGS %(([^)]*)%)" or ""):gmatch "%S+" do flags[#flags + 1] = flag end
  return flags
end

--- A number in the letters A to P, as tags have it.
-- @function Int2AP
-- @tparam int num
-- @treturn string
-- @usage print(imap.Int2AP(4711)) --> BCGH
function M.Int2AP(num)
  check.argument(check.INTEGER, num, 1, "Int2AP")
  return num == 0 and "" or (("%x"):format(math.abs(num)):gsub(".", function(digit)
    return string.char(65 + tonumber(digit, 16))
  end))
end

--- A string in quotes, as what may have blanks in it is sent.
-- @function quote
-- @tparam string text without CR, LF and NUL
-- @treturn string
-- @usage print(imap.quote 'my "box"') --> "my \"box\""
function M.quote(text)
  if type(text) ~= "string" or text:find "[\r\n%z]" then
    check.expected("quote", 1, "string without CR, LF and NUL", text)
  end
  return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

return M
