-- setcookie.lua: what a Set-Cookie header says (RFC 6265, section 5.2).
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local dates = require "csock.wire.dates"

local M = {}

local MOST = 4096 -- bytes of name and value, and of an attribute: what browsers keep

local MONTHS = {}
for i, name in ipairs { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec" } do
  MONTHS[name] = i
end

-- A date as cookies have them, in nearly any form (RFC 6265, section 5.1.1): seconds since 1970; nil.
function M.date(text)
  local hour, minute, second, day, month, year
  for token in text:gmatch "[^\t -/;-@%[-`{-~]+" do
    local h, m, s = token:match "^(%d%d?):(%d%d?):(%d%d?)%f[^%d]"
    local digits = token:match "^%d+"
    if not hour and h then
      hour, minute, second = tonumber(h), tonumber(m), tonumber(s)
    elseif not day and digits and #digits <= 2 then
      day = tonumber(digits)
    elseif not month and MONTHS[ascii.lower(token:sub(1, 3))] then
      month = MONTHS[ascii.lower(token:sub(1, 3))]
    elseif not year and digits and (#digits == 2 or #digits == 4) then
      year = tonumber(digits)
      if #digits == 2 then year = year + (year >= 70 and 1900 or 2000) end
    end
  end
  if not (hour and day and month and year) then return nil end
  if day < 1 or day > 31 or year < 1601 or hour > 23 or minute > 59 or second > 59 then return nil end
  return dates.seconds(year, month, day, hour, minute, second)
end

local function trimmed(text) return text:match "^[ \t]*(.-)[ \t]*$" end

-- What each attribute does to a cookie.
local ATTRIBUTES = {
  expires = function(cookie, value) cookie.expires = M.date(value) or cookie.expires end,
  ["max-age"] = function(cookie, value)
    local sign, digits = value:match "^(%-?)(%d+)$"
    if not digits then return end
    cookie.max_age = sign == "-" and 0 or ascii.integer(digits, 400 * 86400) or 400 * 86400
  end,
  domain = function(cookie, value) cookie.domain = ascii.lower((value:gsub("^%.", ""))) end,
  path = function(cookie, value) cookie.path = value:sub(1, 1) == "/" and value or nil end,
  secure = function(cookie) cookie.secure = true end,
  httponly = function(cookie) cookie.httponly = true end,
  samesite = function(cookie, value) cookie.samesite = value end,
}

function M.parse(text)
  check.argument(check.STRING, text, 1, "parse_set_cookie")
  if text:find "[\0-\8\10-\31\127]" then return nil end
  local pair, rest = text:match "^([^;]*)(.*)$"
  local name, value = pair:match "^([^=]*)=(.*)$"
  if not name then return nil end
  local cookie = { name = trimmed(name), value = trimmed(value) }
  if cookie.name == "" or #cookie.name + #cookie.value > MOST then return nil end
  for attribute in rest:gmatch "[^;]+" do
    local key, said = attribute:match "^([^=]*)=(.*)$"
    local set = ATTRIBUTES[ascii.lower(trimmed(key or attribute))]
    said = trimmed(said or "")
    if set and #said <= 1024 then set(cookie, said) end
  end
  return cookie
end

return M
