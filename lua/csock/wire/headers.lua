--- A block of header fields, as HTTP and mail have them: in order, with names whose case does not matter.
--
--     local headers = require "csock.wire.headers"
--     local h = headers.new { "Content-Type", "text/plain", "Set-Cookie", "a=1", "Set-Cookie", "b=2" }
--     h["content-type"]            --> "text/plain"
--     h:all "set-cookie"           --> { "a=1", "b=2" }
--     h.vary = "Accept"            -- in the place of all of this name; nil: none
--     for name, value in h:each() do print(name, value) end
--
-- A field is found by its name in any case, unless a method is called so; `get` finds each.
-- @module csock.wire.headers
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local core = require "csock.core"

local M = {}
local methods = {}

local lower, merge, encode = ascii.lower, core.http.merge, core.http.encode

-- A block has one element: what the parser gives, a sequence of names and values in turn, as they were sent, in which
-- each name in lower case is also a key, with its value, or its values with ", " between them. It is a table of its own
-- because a stranger chooses those keys: they must not hide a method.
local metatable = {
  __name = "csock.headers",
  __index = core.http.block_index(methods),
}

-- --- checks ----------------------------------------------------------------------------------------

--- Whether these bytes can be the name of a field.
-- @function is_name
-- @tparam string name
-- @treturn boolean
-- @usage print(headers.is_name "Content-Type", headers.is_name "a b") --> true false
M.is_name = core.http.is_name

--- Whether these bytes can be the value of a field, or stand in a line at all: no CR, LF or NUL.
-- @function is_value
-- @tparam string value
-- @treturn boolean
-- @usage print(headers.is_value "a\r\nb") --> false
M.is_value = core.http.is_value

local function value_of(value, number, call)
  if math.type(value) then value = tostring(value) end
  if type(value) ~= "string" then check.expected(call, number, "string", value) end
  if not M.is_value(value) then check.bad(call, number, "a value without CR, LF and NUL expected") end
  return value
end

local function name_of(name, number, call)
  if type(name) ~= "string" then check.expected(call, number, "string", name) end
  if not M.is_name(name) then check.bad(call, number, "the name of a field expected") end
  return name
end

-- Adds a field that has been checked.
local function put(raw, name, value)
  local key, count = lower(name), #raw
  local before = raw[key]
  raw[count + 1], raw[count + 2] = name, value
  raw[key] = before and before .. ", " .. value or value
end

-- --- making ----------------------------------------------------------------------------------------

--- Makes a block.
-- @function new
-- @tparam[opt] table fields a sequence of names and values in turn, or a table from names to values (a sequence of
-- values: several fields), which come in the order of their names; or another block
-- @treturn headers
-- @usage
-- local h = headers.new {["Content-Type"] = "text/plain"}
-- print(h["content-type"]) --> text/plain
function M.new(fields)
  if fields == nil then return M.adopt {} end
  if type(fields) ~= "table" then check.expected("headers.new", 1, "table", fields) end
  if M.is(fields) then return M.adopt(merge(fields)) end
  local block = M.adopt {}
  if #fields > 0 then
    for i = 1, #fields, 2 do block:add(fields[i], fields[i + 1]) end
    return block
  end
  local names = {}
  for name in next, fields do names[#names + 1] = name_of(name, 1, "headers.new") end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = fields[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do block:add(name, one) end
  end
  return block
end

--- Makes a block of the table that the parser gave.
-- @function adopt
-- @tparam table parsed
-- @treturn headers
-- @usage local h = headers.adopt {"Vary", "Accept"}
function M.adopt(parsed) return setmetatable({ parsed }, metatable) end

--- Makes a block of several: the fields of a later one come in the place of those of the same names before.
-- @function merge
-- @tparam ?headers ... blocks; nil: none
-- @treturn headers
-- @usage
-- local h = headers.merge(headers.new {"Vary", "Accept", "Age", "1"}, headers.new {"vary", "Cookie"})
-- print(h.vary) --> Cookie
function M.merge(...) return M.adopt(merge(...)) end

--- Whether this is a block.
-- @function is
-- @param value
-- @treturn boolean
-- @usage print(headers.is(headers.new()), headers.is {}) --> true false
function M.is(value) return getmetatable(value) == metatable end

-- --- folding ---------------------------------------------------------------------------------------

local FOLD_AT, LONGEST = 78, 998 -- characters of a line, without its end (RFC 5322, section 2.1.1)

--- A field as mail has it, folded at blanks into lines of 78 characters where that is possible, and of 998 at most.
-- @function fold
-- @tparam string name
-- @tparam string value one line
-- @tparam[opt="\r\n"] string linesep
-- @treturn string with the end of the last line
-- @usage print(#headers.fold("Subject", ("word "):rep(20))) --> 113
function M.fold(name, value, linesep)
  name_of(name, 1, "headers.fold")
  value = value_of(value, 2, "headers.fold")
  linesep = linesep or "\r\n"
  local pieces, column = { name, ":" }, #name + 1
  for blanks, word in (" " .. value):gmatch "([ \t]*)([^ \t]*)" do
    local text = blanks .. word
    if #pieces > 2 and blanks ~= "" and word ~= "" and column + #text > FOLD_AT then
      pieces[#pieces + 1] = linesep
      column = 0
    end
    while column + #text > LONGEST do -- without a blank: cut anywhere
      local room = LONGEST - column
      pieces[#pieces + 1] = text:sub(1, room) .. linesep .. " "
      text, column = text:sub(room + 1), 1
    end
    pieces[#pieces + 1] = text
    column = column + #text
  end
  pieces[#pieces + 1] = linesep
  return table.concat(pieces)
end

-- --- methods ---------------------------------------------------------------------------------------

--- A block of header fields.
-- @type headers

--- The value of a field; of several, their values with `", "` between them.
-- @function headers:get
-- @tparam string name
-- @param[opt] default what is given where there is none
-- @treturn ?string
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(h:get "vary", h:get("age", "none")) --> Accept none
function methods.get(block, name, default)
  local value = block[1][lower(name)]
  if value == nil then return default end
  return value
end

--- The values of all fields of this name.
-- @function headers:all
-- @tparam string name
-- @treturn {string,...}
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(#h:all "vary") --> 1
function methods.all(block, name)
  local raw, list = block[1], {}
  name = lower(name)
  if raw[name] == nil then return list end
  for i = 1, #raw, 2 do
    if lower(raw[i]) == name then list[#list + 1] = raw[i + 1] end
  end
  return list
end

--- Adds a field, behind those of the same name.
-- @function headers:add
-- @tparam string name
-- @tparam string|number value
-- @treturn headers itself
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(h:add("Vary", "Cookie"):get "vary") --> Accept, Cookie
function methods.add(block, name, value)
  name_of(name, 1, "add")
  put(block[1], name, value_of(value, 2, "add"))
  return block
end

--- Puts fields in the place of those of the same names.
-- @function headers:update
-- @tparam table fields as for `new`
-- @treturn headers itself
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- h:update {Vary = "Cookie"}
function methods.update(block, fields)
  rawset(block, 1, merge(block, M.is(fields) and fields or M.new(fields)))
  return block
end

--- Takes away all fields of this name.
-- @function headers:remove
-- @tparam string name
-- @treturn headers itself
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(h:remove("vary"):get "vary") --> nil
function methods.remove(block, name)
  name = lower(name)
  local raw = block[1]
  if raw[name] == nil then return block end
  local kept, count = 0, #raw
  for i = 1, count, 2 do
    if lower(raw[i]) ~= name then
      raw[kept + 1], raw[kept + 2] = raw[i], raw[i + 1]
      kept = kept + 2
    end
  end
  for i = kept + 1, count do raw[i] = nil end
  raw[name] = nil
  return block
end

--- Makes this the only field of its name.
-- @function headers:set
-- @tparam string name
-- @tparam string|number value
-- @treturn headers itself
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(h:set("vary", "Cookie"):get "Vary") --> Cookie
function methods.set(block, name, value)
  name_of(name, 1, "set")
  value = value_of(value, 2, "set")
  return block:remove(name):add(name, value)
end

-- `h["x-name"] = value` puts it in the place of those of its name; nil takes them away.
function metatable.__newindex(block, name, value)
  if value == nil then
    block:remove(name_of(name, 1, "remove"))
  else
    methods.set(block, name, value)
  end
end

--- Walks over all fields, in order.
-- @function headers:each
-- @treturn function for `for name, value in`
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- for name, value in h:each() do print(name, value) end
function methods.each(block)
  local raw, i = block[1], -1
  return function()
    i = i + 2
    return raw[i], raw[i + 1]
  end
end

--- Whether a comma-separated field has this token, whatever its case.
-- @function headers:has
-- @tparam string name
-- @tparam string token
-- @treturn boolean
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(h:has("vary", "accept")) --> true
function methods.has(block, name, token)
  token = lower(token)
  for piece in (methods.get(block, name) or ""):gmatch "[^,]+" do
    if lower(piece:match "^[ \t]*(.-)[ \t]*$") == token then return true end
  end
  return false
end

--- The block as it is sent, each line ended by CRLF, without the empty line behind it.
-- @function headers:encode
-- @treturn string
-- @usage
-- local h = headers.new {"Content-Type", "text/plain", "Vary", "Accept"}
-- print(#h:encode()) --> 40
function methods.encode(block) return encode(block) end

return M
