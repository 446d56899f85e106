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

--- The minutes east of Greenwich of the local time.
-- @function zone
-- @tparam[opt] int time when: seconds since 1970; now by default
-- @treturn int
-- @usage print(math.type(dates.zone())) --> integer
function M.zone(time)
  local t = os.date("*t", time or os.time())
  local there = M.seconds(t.year, t.month, t.day, t.hour, t.min, t.sec)
  return (there - (time or os.time(t))) // 60
end

--- A time as mail writes it: `"Sun, 06 Nov 1994 08:49:37 +0000"`.
-- @function mail
-- @tparam[opt] int time seconds since 1970; now by default
-- @param[opt=0] zone in which: minutes east of Greenwich, or `"local"`
-- @treturn string
-- @usage
-- print(dates.mail(784111777)) --> Sun, 06 Nov 1994 08:49:37 +0000
-- print(dates.mail(784111777, -90)) --> Sun, 06 Nov 1994 07:19:37 -0130
function M.mail(time, zone)
  time = time or os.time()
  if zone == "local" then zone = M.zone(time) end
  zone = zone or 0
  local size = math.abs(zone)
  local written = ("%s%02d%02d"):format(zone < 0 and "-" or "+", size // 60, size % 60)
  return (M.http(time + zone * 60):gsub("GMT$", written))
end

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
  UT = 0, GMT = 0, UTC = 0, Z = 0, AST = -240, ADT = -180, EST = -300, EDT = -240, CST = -360, CDT = -300, MST = -420,
  MDT = -360, PST = -480, PDT = -420,
}

-- Minutes east of Greenwich; nil: whoever wrote it did not say (RFC 5322, section 4.3; "-0000").
local function zone_of(zone)
  local sign, hours, minutes = zone:match "^([+-])(%d%d)(%d%d)$"
  if not sign then return ZONES[zone:upper()] end
  local offset = tonumber(hours) * 60 + tonumber(minutes)
  if sign == "+" then return offset end
  return offset > 0 and -offset or nil
end

-- Comments, which may be in each other, become blanks.
local function without_comments(text)
  local pieces, depth, from = {}, 0, 1
  for at, character in text:gsub("\\.", ".."):gmatch "()([()])" do
    if character == "(" then
      if depth == 0 then pieces[#pieces + 1] = text:sub(from, at - 1) end
      depth = depth + 1
    elseif depth > 0 then
      depth = depth - 1
      if depth == 0 then from = at + 1 end
    end
  end
  if depth == 0 then pieces[#pieces + 1] = text:sub(from) end
  return table.concat(pieces, " ")
end

-- RFC 5322, section 4.3; of one digit: somebody meant two.
local function year_of(digits)
  local year = tonumber(digits)
  if #digits > 4 then return nil end
  if #digits == 3 or #digits < 3 and year >= 50 then return 1900 + year end
  return #digits < 3 and 2000 + year or year
end

local DAY = {}
for _, name in ipairs(DAYS) do DAY[name:lower()] = true end

-- The day of the month, the month, and what comes behind them: "6 Nov 1994 ...", "6-Nov-94 ...", "Nov 6, 1994 ...".
local function day_of(text)
  local day, month, rest = text:match "^(%d%d?)[ -](%a+)[ -](.*)$"
  if not day then month, day, rest = text:match "^(%a+) (%d%d?),? (.*)$" end
  month = month and MONTH[month:sub(1, 3):lower()]
  if month then return tonumber(day), month, rest end
end

--- Reads a date of mail, in each form that there ever was: the day of the week, the seconds and the zone may be
-- missing, comments may be anywhere, years may have two or three digits, the year may come last.
-- @function read_mail
-- @tparam string text
-- @treturn ?table what is written there: `year`, `month`, `day`, `hour`, `min`, `sec`, and `zone` (minutes east of
-- Greenwich; nil where it is not said, or `-0000`); nil for what is no date
-- @usage print(dates.read_mail("Sun, 06 Nov 94 09:49 +0100").year) --> 1994
function M.read_mail(text)
  text = without_comments(text):gsub("[ \t\r\n]+", " "):gsub(" ?: ?", ":"):gsub("^ ", ""):gsub(" ?,", ",")
  local name = text:match "^(%a+)[, ]"
  if name and DAY[name:sub(1, 3):lower()] then text = text:sub(#name + 1) end
  text = text:gsub("^[, ]+", "")
  local day, month, rest = day_of(text)
  if not day then return nil end
  local year, time, zone
  for word in rest:gmatch "[^ ,]+" do
    if not time and word:find "^%d%d?[:.]%d%d" then
      local clock, behind = word:match "^([%d:.]+)(.*)$"
      time = clock
      if behind ~= "" then zone = behind end
    elseif not year and word:find "^%d+$" then
      year = year_of(word)
    elseif not zone then
      zone = word
    end
  end
  local hour, minute, second = (time or ""):match "^(%d+)[:.](%d%d)[:.]?(%d*)$"
  if not hour or not year then return nil end
  local read = {
    year = year, month = month, day = day, hour = tonumber(hour), min = tonumber(minute),
    sec = second == "" and 0 or tonumber(second), zone = zone_of(zone or ""),
  }
  if day < 1 or day > 31 or read.hour > 23 or read.min > 59 or read.sec > 60 then return nil end
  return read
end

--- The time that a date of mail is; see `read_mail`.
-- @function parse_mail
-- @tparam string text
-- @treturn ?int seconds since 1970; nil for what is none
-- @treturn ?int minutes east of Greenwich; what is not known counts as 0
-- @usage print(dates.parse_mail "Sun, 06 Nov 1994 09:49:37 +0100") --> 784111777 60
function M.parse_mail(text)
  local read = M.read_mail(text)
  if not read then return nil end
  local zone = read.zone or 0
  return M.seconds(read.year, read.month, read.day, read.hour, read.min, read.sec) - zone * 60, zone
end

return M
