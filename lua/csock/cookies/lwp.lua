-- lwp.lua: files of cookies as Perl's libwww has them: a line `Set-Cookie3: name=value; path="/"; ...` for each.
local ascii = require "csock.wire.ascii"
local dates = require "csock.wire.dates"

local M = {}

M.HEADER = "#LWP-Cookies-2.0\n"

-- --- reading ---------------------------------------------------------------------------------------

-- The words of a header, as lists of {name, value}: a list for each piece between commas. (Python's
-- `split_header_words`.)
local function words_of(text)
  local lists, pairs_of, at = {}, {}, 1
  while at <= #text do
    local name, after = text:match("^%s*([^=%s;,]+)()", at)
    if name then
      at = after
      local value
      local opening = text:match('^%s*=%s*"()', at)
      local closing = opening
      while closing do
        local found = text:find('["\\]', closing)
        if not found then
          closing = nil
        elseif text:sub(found, found) == "\\" then
          closing = found + 2
        else
          value, at = text:sub(opening, found - 1):gsub("\\(.)", "%1"), found + 1
          break
        end
      end
      if not value then
        local plain, behind = text:match("^%s*=%s*([^%s;,]*)()", at)
        if plain then value, at = plain, behind end
      end
      pairs_of[#pairs_of + 1] = { name, value }
    elseif text:find("^%s*,", at) then
      at = text:match("^%s*,()", at)
      if pairs_of[1] then lists[#lists + 1] = pairs_of end
      pairs_of = {}
    else
      at = text:match("^[=%s;]*()", at)
    end
  end
  if pairs_of[1] then lists[#lists + 1] = pairs_of end
  return lists
end

-- "1994-11-06 08:49:37Z"
local function time_of(text)
  local year, month, day, hour, minute, second = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d) (%d%d):(%d%d):(%d%d)Z?$"
  if not year then return nil end
  return dates.seconds(tonumber(year), tonumber(month), tonumber(day), tonumber(hour), tonumber(minute),
    tonumber(second))
end

-- A cookie of its words; nil for one that is left out; nil, words for what is none.
local function cookie_of(words)
  local name, value, fields = words[1][1], words[1][2], {}
  for i = 2, #words do fields[ascii.lower(words[i][1])] = words[i][2] or true end
  local domain, path, expires = fields.domain, fields.path, fields.expires
  if type(domain) ~= "string" or domain:gsub("^%.", "") == "" then return nil, "a domain expected" end
  local time = type(expires) == "string" and time_of(expires) or nil
  if expires and not time then return nil, "a time expected" end
  if not value or (domain .. name .. value):find "[;%c]" then return nil end
  return {
    name = name, value = value, domain = domain, expires = time, secure = fields.secure and true,
    path = type(path) == "string" and path:find "^/[^;%c]*$" and path or "/", httponly = fields.httponly and true,
    host_only = not domain:find "^%.",
  }
end

-- The cookies of a file's text; nil, words for what is none.
function M.parse(text)
  local list, number = {}, 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if number == 1 and not line:find "^#LWP%-Cookies%-%d+%.%d+" then
      return nil, "it does not look like a file of cookies"
    end
    local header = line:match "^Set%-Cookie3:%s*(.-)%s*$"
    for _, words in ipairs(header and words_of(header) or {}) do
      local cookie, why = cookie_of(words)
      if why then return nil, ("line %d: %s"):format(number, why) end
      list[#list + 1] = cookie
    end
  end
  return list
end

-- --- writing ---------------------------------------------------------------------------------------

local function word(name, value)
  if value:find "^[%w_]+$" then return name .. "=" .. value end
  return name .. '="' .. value:gsub('["\\]', "\\%0") .. '"'
end

-- The line of a cookie.
function M.line(cookie)
  local list = {
    word(cookie.name, cookie.value), word("path", cookie.path),
    word("domain", (cookie.host_only and "" or ".") .. cookie.domain), "path_spec",
  }
  local function put(text) list[#list + 1] = text end
  if not cookie.host_only then put "domain_dot" end
  if cookie.secure then put "secure" end
  if cookie.expires then put(word("expires", os.date("!%Y-%m-%d %H:%M:%SZ", cookie.expires))) else put "discard" end
  if cookie.httponly then put "HttpOnly=None" end
  put "version=0"
  return "Set-Cookie3: " .. table.concat(list, "; ") .. "\n"
end

return M
