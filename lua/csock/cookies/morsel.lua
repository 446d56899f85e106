--- One cookie of a server.
-- @module csock.cookies
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"
local dates = require "csock.wire.dates"

--- A cookie of a server's: `key`, `value`, `coded_value` (as it is sent), and attributes: `morsel.path = "/"`,
-- `morsel["max-age"] = 3600` (or `max_age`). There are `expires`, `path`, `comment`, `domain`, `max-age`, `secure`,
-- `httponly`, `version`, `samesite`; one that is not set is `""`, as in Python.
-- Source: Python's `http.cookies.Morsel`.
-- @type morsel
local Morsel = class("Morsel")

-- As they are written, in the order in which they are sent.
local RESERVED = {
  comment = "Comment", domain = "Domain", expires = "expires", httponly = "HttpOnly", ["max-age"] = "Max-Age",
  path = "Path", samesite = "SameSite", secure = "Secure", version = "Version",
}
local ORDER = { "comment", "domain", "expires", "httponly", "max-age", "path", "samesite", "secure", "version" }

local FLAGS = { secure = true, httponly = true }
Morsel._flags = FLAGS

local LEGAL = "^[%w!#$%%&'*+%-.^_`|~:]+$"
local QUOTED = "[^%w!#$%%&'*+%-.^_`|~: ()/<=>?@[%]{}]"

-- A text as a cookie's value, in quotes where it has to be.
local function quote(text)
  if text:find(LEGAL) then return text end
  return '"' .. text:gsub(QUOTED, function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    return ("\\%03o"):format(c:byte())
  end) .. '"'
end

-- The text of a value.
local function unquote(text)
  if #text < 2 or text:sub(1, 1) ~= '"' or text:sub(-1) ~= '"' then return text end
  return (text:sub(2, -2):gsub("\\(.)([0-7]?[0-7]?)", function(c, digits)
    if c == "\n" then return nil end
    if c:find "[0-3]" and #digits == 2 then return string.char(tonumber(c .. digits, 8)) end
    return c .. digits
  end))
end

local function name_of(key) return (ascii.lower(tostring(key)):gsub("_", "-")) end

-- What an attribute may be: nothing that ends it. (A comment is quoted.)
local function is_attribute(key, value)
  if math.type(value) or type(value) == "boolean" then return true end
  return type(value) == "string" and (key == "comment" or not value:find "[%c;]")
end

-- For csock.cookies.simple.
Morsel._quote, Morsel._unquote, Morsel._CONTROLS = quote, unquote, "[\0-\8\10-\31\127]" -- (a tab does no harm)

-- Sets an attribute that a stranger has sent, if it is one.
function Morsel:_receive(key, value)
  key = name_of(key)
  if RESERVED[key] and is_attribute(key, value) then rawget(self, "_attributes")[key] = value end
end

--- Made by calling the class; `set` gives it a name and a value.
-- @function csock.cookies.Morsel
-- @treturn morsel
-- @usage
-- local morsel = cookies.Morsel()
-- morsel:set("id", "1", "1")
-- morsel.path = "/"
-- print(morsel:OutputString()) --> id=1; Path=/
function Morsel:__init() rawset(self, "_attributes", {}) end

function Morsel.__index(self, name)
  local key = type(name) == "string" and name_of(name)
  if not RESERVED[key] then return nil end
  local value = rawget(self, "_attributes")[key]
  if value == nil then return "" end
  return value
end

function Morsel.__newindex(self, name, value)
  local key = name_of(name)
  if not RESERVED[key] then check.fail(("no attribute of a cookie: '%s'"):format(tostring(name))) end
  if value ~= nil and not is_attribute(key, value) then
    check.fail(key .. ": a value without ';' and control characters expected")
  end
  rawget(self, "_attributes")[key] = value
end

--- Whether this is the name of an attribute, which no cookie can have.
-- Source: Python's `Morsel.isReservedKey`.
-- @function morsel:isReservedKey
-- @tparam string key
-- @treturn boolean
-- @usage print(cookies.Morsel():isReservedKey "Path") --> true
function Morsel.isReservedKey(_, key) return RESERVED[ascii.lower(key)] ~= nil end

--- Sets name and value.
-- Source: Python's `Morsel.set`.
-- @tparam string key
-- @tparam string value
-- @tparam string coded_value as it is sent
-- @raise for what cannot be sent
-- @usage
-- local morsel = cookies.Morsel()
-- morsel:set("id", "a b", '"a b"')
-- print(morsel.value, morsel.coded_value) --> a b "a b"
function Morsel:set(key, value, coded_value)
  check.argument(check.STRING, key, 1, "set")
  check.argument(check.STRING, value, 2, "set")
  check.argument(check.STRING, coded_value, 3, "set")
  if self:isReservedKey(key) then check.bad("set", 1, ("'%s' is an attribute"):format(key)) end
  if not key:find(LEGAL) then check.bad("set", 1, "the name of a cookie expected") end
  if coded_value:find(Morsel._CONTROLS) then check.bad("set", 3, "a value without control characters expected") end
  rawset(self, "key", key)
  rawset(self, "value", value)
  rawset(self, "coded_value", coded_value)
end

--- Sets several attributes.
-- Source: Python's `Morsel.update`.
-- @tparam table values
-- @usage
-- local morsel = cookies.SimpleCookie("id=1").id
-- morsel:update {path = "/", max_age = 60}
-- print(morsel:OutputString()) --> id=1; Max-Age=60; Path=/
function Morsel:update(values)
  for name, value in pairs(check.argument(check.TABLE, values, 1, "update")) do self[name] = value end
end

--- Another one with the same name, value and attributes.
-- Source: Python's `Morsel.copy`.
-- @treturn morsel
-- @usage print(cookies.SimpleCookie("id=1").id:copy().value) --> 1
function Morsel:copy()
  local other = Morsel()
  if self.key then other:set(self.key, self.value, self.coded_value) end
  other:update(rawget(self, "_attributes"))
  return other
end

--- What stands behind `Set-Cookie: `. `expires` may be an integer: so many seconds from now.
-- Source: Python's `Morsel.OutputString`.
-- @tparam[opt] {string,...} attrs only these attributes
-- @treturn string
-- @usage
-- local morsel = cookies.SimpleCookie("id=1").id
-- morsel.secure = true
-- print(morsel:OutputString()) --> id=1; Secure
function Morsel:OutputString(attrs)
  local coded, wanted = self.coded_value, nil
  if coded:find(";", 1, true) then coded = quote(self.value) end -- browsers see no quotes: what follows is an attribute
  local list = { self.key .. "=" .. coded }
  if attrs then
    wanted = {}
    for _, name in ipairs(attrs) do wanted[name_of(name)] = true end
  end
  for _, name in ipairs(ORDER) do
    local value, word = rawget(self, "_attributes")[name], RESERVED[name]
    local is_said = value ~= nil and value ~= "" and not (wanted and not wanted[name])
    if not is_said or FLAGS[name] then
      if is_said and value then list[#list + 1] = word end
    elseif name == "expires" and math.type(value) == "integer" then
      list[#list + 1] = word .. "=" .. dates.http(os.time() + value)
    elseif name == "comment" then
      list[#list + 1] = word .. "=" .. quote(tostring(value))
    else
      list[#list + 1] = word .. "=" .. tostring(value)
    end
  end
  return table.concat(list, "; ")
end

--- The whole header.
-- Source: Python's `Morsel.output`.
-- @tparam[opt] {string,...} attrs only these attributes
-- @tparam[opt="Set-Cookie:"] string header
-- @treturn string
-- @usage print(cookies.SimpleCookie("id=1").id:output()) --> Set-Cookie: id=1
function Morsel:output(attrs, header) return (header or "Set-Cookie:") .. " " .. self:OutputString(attrs) end

Morsel.__tostring = Morsel.output

function Morsel.__eq(a, b)
  if a.key ~= b.key or a.value ~= b.value or a.coded_value ~= b.coded_value then return false end
  for _, name in ipairs(ORDER) do
    if a[name] ~= b[name] then return false end
  end
  return true
end

return Morsel
