-- params.lua: the parameters of header fields such as Content-Type (RFC 2045, section 5.1; RFC 2231).
local ascii = require "csock.wire.ascii"
local charset = require "csock.wire.charset"
local words = require "csock.wire.words"

local M = {}

local MOST_SECTIONS = 1000 -- of one parameter: nobody's file has a longer name
local SECTION = 50         -- bytes of one that is made here

-- --- reading --------------------------------------------------------------------------------------

local function trim(text) return text:match "^%s*(.-)%s*$" end

-- The pieces between semicolons that are in no quoted string.
local function pieces_of(value)
  local pieces, from, at = {}, 1, 1
  while true do
    local found = value:find('[;"]', at)
    if found and value:byte(found) == 34 then
      at = found + 1
      while true do -- to the end of the quoted string
        at = value:find('["\\]', at)
        if not at then break end
        if value:byte(at) == 34 then break end
        at = at + 2
      end
      if not at then found = nil else at = at + 1 end
    end
    if not found then
      pieces[#pieces + 1] = trim(value:sub(from))
      return pieces
    elseif value:byte(found) == 59 then
      pieces[#pieces + 1] = trim(value:sub(from, found - 1))
      from, at = found + 1, found + 1
    end
  end
end

-- What a quoted string is; another text is itself.
function M.unquote(text)
  local inner = #text > 1 and text:match '^"(.*)"$'
  return inner and inner:gsub("\\(.)", "%1") or text
end

function M.quote(text) return '"' .. text:gsub('[\\"]', "\\%0") .. '"' end

local function percent_decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A parameter that came in sections, each { text, whether it is encoded }, or in one that is.
local function joined(sections)
  local list, name = {}, nil
  for i, section in ipairs(sections) do
    local text = section[1]
    if section[2] then
      local rest
      if i == 1 then
        name, rest = text:match "^([^']*)'[^']*'(.*)$"
      end
      text = percent_decoded(rest or text)
    end
    list[i] = text
  end
  local bytes = table.concat(list)
  return name and name ~= "" and charset.decode(bytes, name, true) or bytes
end

-- The parameters of a value, behind what is before the first semicolon: a sequence of { name, value }, the names in
-- lower case, the values in UTF-8; and what is before.
function M.parse(value)
  local pieces = pieces_of(value)
  local list, split = {}, {}
  for i = 2, #pieces do
    local name, text = pieces[i]:match "^([^=]-)%s*=%s*(.*)$"
    if not name then name, text = pieces[i], "" end
    name, text = ascii.lower(name), M.unquote(text)
    local base, star = name:match "^([^*]+)%*(.*)$"
    local number = base and star:match "^(%d+)%*?$"
    if base and (number or star == "") then
      local sections = split[base]
      if not sections then
        sections = { name = base, at = {} }
        split[base] = sections
        list[#list + 1] = sections
      end
      number = number and ascii.integer(number, MOST_SECTIONS) or 0
      sections.at[number + 1] = sections.at[number + 1] or { text, star:find "%*$" ~= nil or star == "" }
    elseif name ~= "" then
      list[#list + 1] = { name, text }
    end
  end
  for i, entry in ipairs(list) do
    if entry.at then list[i] = { entry.name, joined(entry.at) } end
  end
  return list, pieces[1]
end

-- The value of a parameter, of any case; nil: there is none. Encoded words in it, which some programs put there, are
-- decoded.
function M.get(value, name)
  name = ascii.lower(name)
  for _, pair in ipairs((M.parse(value))) do
    if pair[1] == name then return words.decode(pair[2]) end
  end
end

-- --- writing --------------------------------------------------------------------------------------

-- A parameter, as it is written behind a semicolon and a blank.
function M.format(name, value)
  if not value:find "[^\x20-\x7e]" and #value < 500 then return name .. "=" .. M.quote(value) end
  local encoded = value:gsub("[^%w!#$&+.^_`{}~|-]", function(byte) return ("%%%02X"):format(byte:byte()) end)
  local prefix = (utf8.len(value) and "utf-8" or "iso-8859-1") .. "''"
  if #encoded <= SECTION then return ("%s*=%s%s"):format(name, prefix, encoded) end
  local list, at = {}, 1
  while at <= #encoded do
    local last = at + SECTION - 1
    while encoded:sub(last - 1, last):find "%%" and last < #encoded do last = last - 1 end -- no "%XX" is cut
    list[#list + 1] = ("%s*%d*=%s%s"):format(name, #list, at == 1 and prefix or "", encoded:sub(at, last))
    at = last + 1
  end
  return table.concat(list, "; ")
end

-- A value with these parameters, a sequence of { name, value }.
function M.join(main, list)
  local pieces = { main }
  for _, pair in ipairs(list) do pieces[#pieces + 1] = M.format(pair[1], pair[2]) end
  return table.concat(pieces, "; ")
end

return M
