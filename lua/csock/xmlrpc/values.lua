--- Values that Lua has not.
-- @module csock.xmlrpc
local check = require "csock.check"
local class = require "csock.class"
local dates = require "csock.wire.dates"

local M = {}

-- --- bytes -----------------------------------------------------------------------------------------

--- Bytes that are no text: sent as base64. `data` is them, as `tostring` gives them.
-- Source: Python's `xmlrpc.client.Binary`.
-- @type binary
local Binary = class("Binary")
M.Binary = Binary

--- Made by calling the class.
-- @function csock.xmlrpc.Binary
-- @tparam[opt=""] string data
-- @treturn binary
-- @usage print(xmlrpc.Binary("\0\1").data == "\0\1") --> true
function Binary:__init(data)
  if data ~= nil then check.argument(check.STRING, data, 1, "Binary") end
  self.data = data or ""
end

function Binary:__tostring() return self.data end

function Binary.__eq(a, b) return a.data == b.data end

-- --- times -----------------------------------------------------------------------------------------

--- A date and a time, without a zone: that is for both sides to know. `value` is its text, as `tostring` gives it:
-- `"19980717T14:08:55"`. Those of one form compare by `<`, `==` and so on.
-- Source: Python's `xmlrpc.client.DateTime`.
-- @type datetime
local DateTime = class("DateTime")
M.DateTime = DateTime

--- Made by calling the class.
-- @function csock.xmlrpc.DateTime
-- @tparam[opt] string|int|table value a text; or seconds since 1970, which become local time; or what `os.date "*t"`
-- gives. Default: now
-- @treturn datetime
-- @usage print(xmlrpc.DateTime {year = 1998, month = 7, day = 17, hour = 14, min = 8, sec = 55}) --> 19980717T14:08:55
function DateTime:__init(value)
  if type(value) == "string" then
    if value:find "[%c<&]" then check.bad("DateTime", 1, "a date expected") end
    self.value = value
    return
  end
  if value == nil or math.type(value) then value = os.date("*t", value and math.floor(value)) end
  if type(value) ~= "table" or not (value.year and value.month and value.day) then
    check.expected("DateTime", 1, "string, seconds or table with a date", value)
  end
  self.value = ("%04d%02d%02dT%02d:%02d:%02d"):format(
    value.year, value.month, value.day, value.hour or 0, value.min or 0, value.sec or 0)
end

--- The parts: `year`, `month`, `day`, `hour`, `min`, `sec`, `wday`, `yday`, as `os.date "*t"` has them.
-- Source: Python's `DateTime.timetuple`.
-- @treturn ?table nil for a text of another form
-- @usage print(xmlrpc.DateTime("19980717T14:08:55"):timetuple().hour) --> 14
function DateTime:timetuple()
  local year, month, day, hour, min, sec = self.value:match "^(%d%d%d%d)(%d%d)(%d%d)T(%d%d):(%d%d):(%d%d)$"
  if not year then return nil end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  hour, min, sec = tonumber(hour), tonumber(min), tonumber(sec)
  if hour > 23 or min > 59 or sec > 61 or month < 1 or month > 12 then return nil end
  local seconds = dates.seconds(year, month, day, hour, min, sec)
  local parts = os.date("!*t", dates.seconds(year, month, day, 0, 0, 0))
  if parts.day ~= day or not seconds then return nil end
  return { year = year, month = month, day = day, hour = hour, min = min, sec = sec, wday = parts.wday,
    yday = parts.yday, isdst = false }
end

function DateTime:__tostring() return self.value end

function DateTime.__eq(a, b) return a.value == b.value end

function DateTime.__lt(a, b) return tostring(a) < tostring(b) end

function DateTime.__le(a, b) return tostring(a) <= tostring(b) end

return M
