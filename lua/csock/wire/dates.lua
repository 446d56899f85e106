--- Dates in protocols: HTTP's (RFC 9110 section 5.6.7) and mail's (RFC 5322 section 3.3), in English in each locale.
-- @module csock.wire.dates
local M = {}

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local MONTH = {}
for i, name in ipairs(MONTHS) do MONTH[name:lower()] = i end

--- The seconds since 1970 of a time in UTC.
-- @function seconds
-- @tparam int year
-- @tparam int month
-- @tparam int day
-- @tparam int hour
-- @tparam int minute
-- @tparam int second
-- @treturn int
-- @usage print(dates.seconds(1994, 11, 6, 8, 49, 37)) --> 784111777
function M.seconds(year, month, day, hour, minute, second)
  local y = month > 2 and year or year - 1 -- years are counted from March on
  local of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  local days = 365 * y + y // 4 - y // 100 + y // 400 + of_year - 719468
  return days * 86400 + hour * 3600 + minute * 60 + second
end

local function parts(time) return os.date("!*t", time or os.time()) end

--- A time as HTTP writes it: `"Sun, 06 Nov 1994 08:49:37 GMT"`.
-- @function http
-- @tparam[opt] int time seconds since 1970; now by default
-- @treturn string
-- @usage print(dates.http(784111777)) --> Sun, 06 Nov 1994 08:49:37 GMT
function M.http(time)
  local t = parts(time)
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(
    DAYS[t.wday], t.day, MONTHS[t.month], t.year, t.hour, t.min, t.sec)
end

--- A time as mail writes it: `"Sun, 06 Nov 1994 08:49:37 +0000"`.
-- @function mail
-- @tparam[opt] int time seconds since 1970; now by default
-- @treturn string
-- @usage print(dates.mail(784111777)) --> Sun, 06 Nov 1994 08:49:37 +0000
function M.mail(time) return (M.http(time):gsub("GMT$", "+0000")) end

-- Digits of a pattern are digits: tonumber meets nothing else.
local function time_of(day, month, year, hour, minute, second)
  month = MONTH[month:lower()]
  day, year, hour, minute, second = tonumber(day), tonumber(year), tonumber(hour), tonumber(minute), tonumber(second)
  if not month or day < 1 or day > 31 or hour > 23 or minute > 59 or second > 60 then return nil end
  return M.seconds(year, month, day, hour, minute, second)
end

-- A year of two digits is the one within fifty years from now (RFC 9110).
local function full_year(digits)
  local now = parts().year
  local year = now // 100 * 100 + tonumber(digits)
  return tostring(year > now + 50 and year - 100 or year)
end

--- Reads a date of HTTP, in each of its three forms.
-- @function parse_http
-- @tparam string text
-- @treturn ?int seconds since 1970; nil for what is none
-- @usage print(dates.parse_http "Sun, 06 Nov 1994 08:49:37 GMT") --> 784111777
function M.parse_http(text)
  local day, month, year, hour, minute, second =
    text:match "^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if day then return time_of(day, month, year, hour, minute, second) end
  day, month, year, hour, minute, second = text:match "^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if day then return time_of(day, month, full_year(year), hour, minute, second) end
  month, day, hour, minute, second, year = text:match "^%a%a%a (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$"
  if day then return time_of(day, month, year, hour, minute, second) end
end

local ZONES = {
  UT = 0, GMT = 0, UTC = 0, Z = 0, EST = -300, EDT = -240, CST = -360, CDT = -300, MST = -420, MDT = -360,
  PST = -480, PDT = -420,
}

-- Minutes east of Greenwich; what is not known counts as UTC (RFC 5322 section 4.3).
local function zone_of(zone)
  local sign, hours, minutes = zone:match "^([+-])(%d%d)(%d%d)$"
  if not sign then return ZONES[zone:upper()] or 0 end
  local offset = tonumber(hours) * 60 + tonumber(minutes)
  return sign == "-" and -offset or offset
end

--- Reads a date of mail; the day of the week, the seconds and a comment may be there or not.
-- @function parse_mail
-- @tparam string text
-- @treturn ?int seconds since 1970; nil for what is none
-- @treturn ?int minutes east of Greenwich
-- @usage print(dates.parse_mail "Sun, 06 Nov 1994 09:49:37 +0100") --> 784111777 60
function M.parse_mail(text)
  text = text:gsub("%b()", " "):gsub("^%s*%a+%s*,%s*", ""):gsub("%s+", " "):gsub("^ ", "")
  local day, month, year, hour, minute, rest = text:match "^(%d%d?) (%a%a%a)%a* (%d%d+) (%d%d?):(%d%d)(.*)$"
  if not day or #year > 4 then return nil end
  local second, zone = rest:match "^:(%d%d) ?(%S*) ?$"
  if not second then second, zone = "0", rest:match "^ ?(%S*) ?$" end
  if not zone then return nil end
  if #year == 2 then year = tonumber(year) < 50 and "20" .. year or "19" .. year end
  if #year == 3 then year = tostring(1900 + tonumber(year)) end
  local offset = zone_of(zone)
  local time = time_of(day, month, year, hour, minute, second)
  if time then return time - offset * 60, offset end
end

return M
