-- overview.lua: what servers of news say of groups and articles, in lines: pure functions from bytes to values.
local ascii = require "csock.wire.ascii"

local M = {}

-- The number that digits are; nil for anything else.
function M.number(digits) return digits and ascii.integer(digits, math.maxinteger) end

-- A line of LIST: fields that are no numbers are nil.
function M.group(line)
  local group, last, first, flag = line:match "^([^ ]+) *([^ ]*) *([^ ]*) *([^ ]*)"
  return { group = group or line, last = M.number(last), first = M.number(first), flag = flag }
end

-- What each overview has (RFC 3977, section 8.4).
local USUAL = { "subject", "from", "date", "message-id", "references", ":bytes", ":lines" }
local OTHERWISE = { bytes = ":bytes", lines = ":lines" }

-- The names of the fields, from the lines of LIST OVERVIEW.FMT (none: the usual ones); nil, and why not.
function M.format(lines)
  if #lines == 0 then return USUAL end
  local format = {}
  for i, line in ipairs(lines) do
    local name = (line:match "^:[^:]*" or line:match "^[^:]*"):lower()
    format[i] = OTHERWISE[name] or name
    if USUAL[i] and format[i] ~= USUAL[i] then return nil, "overviews with other fields than the usual ones" end
  end
  if #format < #USUAL then return nil, "overviews with fewer fields than the usual ones" end
  return format
end

-- A line of OVER: its number, and its fields by their names. (Those behind the usual ones have their names in them.)
function M.row(line, format)
  local number, rest = line:match "^(%d+)\t?(.*)$"
  local fields, i = {}, 0
  for token in ((rest or "") .. "\t"):gmatch "([^\t]*)\t" do
    i = i + 1
    local name, value = format[i], token
    if name and i > #USUAL and name:sub(1, 1) ~= ":" then
      value = token:sub(1, #name + 1):lower() == name .. ":" and token:sub(#name + 2):gsub("^ ", "") or nil
    end
    if name then fields[name] = value end
  end
  return { M.number(number) or 0, fields }
end

return M
