--- A server's cookies.
-- @module csock.cookies
local Morsel = require "csock.cookies.morsel"
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"

-- --- reading ---------------------------------------------------------------------------------------

local KEY = "^([%w_!#%%&'~`><@,:/$*+%-.^|)(?}{]+)()"
local WORD = "^([%w_!#%%&'~`><@,:/$*+%-.^|)(?}{=%[%]]*)()"

-- Where the next piece begins, if this one ends here.
local function ended(text, at)
  return text:match("^%s*;()", at) or text:match("^%s+()", at) or text:find("^$", at) and at
end

-- The end of the quoted string that opens at a place.
local function quoted(text, at)
  local i = at + 1
  while true do
    local found = text:find('["\\]', i)
    if not found then return nil end
    if text:sub(found, found) == '"' then return found + 1 end
    if not text:find("^[^\n]", found + 1) then return nil end
    i = found + 2
  end
end

-- The end of a date, which has blanks and a comma.
local function dated(text, at)
  for length = 11, 9, -1 do
    local pattern = "^[%w_][%w_][%w_],%s" .. ("[%w_%s%-]"):rep(length) .. "%s" .. ("[%d:]"):rep(8) .. "%sGMT()"
    local behind = text:match(pattern, at)
    if behind and ended(text, behind) then return behind end
  end
end

-- The value that begins at a place, as it stands there, and where the next piece begins.
local function value_at(text, at)
  local behind = text:find('^"', at) and quoted(text, at)
  if behind and ended(text, behind) then return text:sub(at, behind - 1), ended(text, behind) end
  behind = dated(text, at)
  if behind then return text:sub(at, behind - 1), ended(text, behind) end
  local word
  word, behind = text:match(WORD, at)
  local next_one = ended(text, behind)
  if next_one then return word, next_one end
end

-- The pieces of a header: an iterator over names and values (nil: none). What is none is passed over, up to the next
-- semicolon.
local function pieces(text)
  local at = 1
  local function step()
    at = text:match("^%s*()", at)
    local key, behind = text:match(KEY, at)
    local equals = key and text:match("^%s*=()", behind)
    if equals then
      local start = text:match("^%s*()", equals)
      local value, next_one = value_at(text, start)
      if not value and start > equals then value, next_one = "", start end
      if value then
        at = next_one
        return key, value
      end
    elseif key and ended(text, behind) then
      at = ended(text, behind)
      return key
    end
    at = text:match(";()", at) or #text + 1
    return false
  end
  return function()
    while at <= #text do
      local key, value = step()
      if key then return key, value end
    end
  end
end

-- --- the class -------------------------------------------------------------------------------------

local MORSELS = {} -- the key of what it has: no name of a cookie hides it

--- Cookies that a server has read, and those that it sets, by name: `cookie.id = "1"`, `cookie.id.path = "/"`,
-- `cookie.id.value`; nil takes one away. One with the name of a method is found by `get` alone.
--
-- Values are any strings: what cannot stand in a header is quoted, as Python does it.
-- Source: Python's `http.cookies.SimpleCookie`. (`js_output` and pickled values are left out.)
-- @type simplecookie
local SimpleCookie = class("SimpleCookie")

--- Made by calling the class.
-- @function csock.cookies.SimpleCookie
-- @tparam[opt] string|table input as for `load`
-- @treturn simplecookie
-- @usage print(cookies.SimpleCookie("id=1").id.value) --> 1
function SimpleCookie:__init(input)
  rawset(self, MORSELS, {})
  if input ~= nil then self:load(input) end
end

function SimpleCookie.__index(self, name) return rawget(self, MORSELS)[name] end

function SimpleCookie.__newindex(self, name, value)
  if value == nil then
    rawget(self, MORSELS)[name] = nil
  elseif class.isinstance(value, Morsel) then
    if value.key ~= name then check.fail(("a Morsel named '%s' expected"):format(tostring(name))) end
    rawget(self, MORSELS)[name] = value
  else
    self:set(name, value)
  end
end

-- Sets a cookie; one that is there keeps its attributes.
local function put(self, name, value, coded)
  local morsel = rawget(self, MORSELS)[name] or Morsel()
  morsel:set(name, value, coded)
  rawget(self, MORSELS)[name] = morsel
  return morsel
end

-- What a piece is to the cookie before it.
local function attribute(morsel, key, value)
  if value == nil then
    if not Morsel._flags[ascii.lower(key)] then return end
    value = true
  end
  morsel:_receive(key, value)
end

--- Takes the cookies of a header Cookie, also of one as Set-Cookie has it; or of a table from names to values. What is
-- none in a header is passed over. (Python then takes nothing at all, or raises.)
-- Source: Python's `SimpleCookie.load`.
-- @tparam string|table rawdata
-- @usage
-- local cookie = cookies.SimpleCookie()
-- cookie:load 'id=1; lang="en\\054de"'
-- print(cookie.lang.value) --> en,de
function SimpleCookie:load(rawdata)
  if type(rawdata) == "table" then
    for name, value in pairs(rawdata) do self:set(name, value) end
    return
  end
  check.argument(check.STRING, rawdata, 1, "load")
  local morsel
  for key, value in pieces(rawdata) do
    if key:sub(1, 1) == "$" then
      if morsel then attribute(morsel, key:sub(2), value) end
    elseif Morsel:isReservedKey(key) then
      if morsel then attribute(morsel, key, value and Morsel._unquote(value)) end
    elseif value and key:find "^[%w!#$%%&'*+%-.^_`|~:]+$" and not value:find(Morsel._CONTROLS) then
      morsel = put(self, key, Morsel._unquote(value), value)
    end
  end
end

--- Sets a cookie. `cookie.id = "1"` does it, too.
-- @tparam string name
-- @tparam string|number value
-- @tparam[opt] table attributes of the @{csock.cookies.morsel}
-- @treturn morsel
-- @raise for what no cookie may have
-- @usage
-- local cookie = cookies.SimpleCookie()
-- cookie:set("id", "1", {path = "/"})
-- print(cookie:output()) --> Set-Cookie: id=1; Path=/
function SimpleCookie:set(name, value, attributes)
  if math.type(value) then value = tostring(value) end
  check.argument(check.STRING, name, 1, "set")
  check.argument(check.STRING, value, 2, "set")
  local morsel = put(self, name, value, Morsel._quote(value))
  if attributes then morsel:update(attributes) end
  return morsel
end

--- A cookie.
-- @tparam string name
-- @param[opt] default
-- @treturn ?morsel
-- @usage print(cookies.SimpleCookie("id=1"):get("id").value) --> 1
function SimpleCookie:get(name, default)
  local morsel = rawget(self, MORSELS)[name]
  if morsel == nil then return default end
  return morsel
end

--- The names, sorted.
-- @treturn {string,...}
-- @usage print(#cookies.SimpleCookie("id=1; lang=en"):keys()) --> 2
function SimpleCookie:keys()
  local names = {}
  for name in pairs(rawget(self, MORSELS)) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The cookies, by their names.
-- @treturn {morsel,...}
-- @usage for _, morsel in ipairs(cookies.SimpleCookie("id=1"):values()) do print(morsel:OutputString()) end --> id=1
function SimpleCookie:values()
  local list = self:keys()
  for i, name in ipairs(list) do list[i] = rawget(self, MORSELS)[name] end
  return list
end

--- All headers.
-- Source: Python's `SimpleCookie.output`.
-- @tparam[opt] {string,...} attrs only these attributes
-- @tparam[opt="Set-Cookie:"] string header
-- @tparam[opt="\\r\\n"] string sep
-- @treturn string
-- @usage print(cookies.SimpleCookie("id=1"):output()) --> Set-Cookie: id=1
function SimpleCookie:output(attrs, header, sep)
  local list = self:values()
  for i, morsel in ipairs(list) do list[i] = morsel:output(attrs, header) end
  return table.concat(list, sep or "\r\n")
end

function SimpleCookie:__tostring() return self:output() end

function SimpleCookie:__len() return #self:keys() end

return SimpleCookie
