-- conditions.lua: conditional requests and ranges (RFC 9110, 13 and 14): pure functions of the fields of a request and
-- of what the thing that is asked for is like.
local dates = require "csock.wire.dates"

local M = {}

-- Whether a list of tags has this one. `strong`: only when both are strong ones.
local function lists(list, tag, strong)
  if list:match "^%s*%*%s*$" then return true end
  local weak, bare = tag:match "^(W?/?)(.*)$"
  for prefix, one in list:gmatch '(W?/?)("[^"]*")' do
    if one == bare and not (strong and (prefix ~= "" or weak ~= "")) then return true end
  end
  return false
end

-- Whether the thing has not changed since the date in a field; nil when that is none.
local function unchanged_since(field, mtime)
  local time = field and dates.parse_http(field)
  if time then return mtime <= time end
end

-- The status that a GET or HEAD gets instead of the thing itself: 304, 412; nil: the thing. `fields`: those of the
-- request, by their names in lower case.
function M.status(fields, tag, mtime)
  if fields["if-match"] then
    if not lists(fields["if-match"], tag, true) then return 412 end
  elseif unchanged_since(fields["if-unmodified-since"], mtime) == false then
    return 412
  end
  if fields["if-none-match"] then
    if lists(fields["if-none-match"], tag) then return 304 end
  elseif unchanged_since(fields["if-modified-since"], mtime) then
    return 304
  end
end

-- Whether a range is what the client wants: it has the rest of this very thing.
local function is_current(field, tag, mtime)
  if not field then return true end
  if field:find '"' then return field == tag and not tag:find "^W/" end
  return dates.parse_http(field) == mtime
end

local MOST_DIGITS = 18

-- The part of a thing of `size` bytes that is asked for: where it begins and how many bytes it has; nil: all of it,
-- also where more than one part is asked for; false: there is no such part.
function M.range(fields, tag, mtime, size)
  local field = fields.range
  if not field or not is_current(fields["if-range"], tag, mtime) then return nil end
  local from, to = field:match "^[bB][yY][tT][eE][sS]=%s*(%d*)%-(%d*)%s*$"
  if not from or from == "" and to == "" or #from > MOST_DIGITS or #to > MOST_DIGITS then return nil end
  local first, last = math.tointeger(tonumber(from)), math.tointeger(tonumber(to))
  if not first then -- the last so many bytes
    if last == 0 or size == 0 then return false end
    first, last = math.max(size - last, 0), size - 1
  end
  if last and last < first then return nil end
  if first >= size then return false end
  last = math.min(last or size, size - 1)
  return first, last - first + 1
end

return M
