-- parse.lua: from XML to values, by lua-expat. Strict about what XML-RPC is, and about how much of it there is.
--
-- A document type is refused before anything in it is read: there are no entities but XML's own five.
local base64 = require "csock.wire.base64"
local failure = require "csock.xmlrpc.failure"
local shape = require "csock.rpc.shape"
local values = require "csock.xmlrpc.values"

local M = {}

-- How deep values may stand in each other, and how many there may be.
local DEPTH, VALUES = 100, 1 << 20

local lxp -- the module; false: not installed

local function module()
  if lxp == nil then
    local ok, found = pcall(require, "lxp")
    lxp = ok and type(found) == "table" and found.new and found or false
  end
  return lxp or error("csock.xmlrpc: lua-expat is not installed (`luarocks install luaexpat`)", 0)
end

-- --- what is in the elements -----------------------------------------------------------------------

local function trimmed(text) return text:match "^%s*(.-)%s*$" end

local function integer(text)
  text = trimmed(text)
  local value = text:find "^[+-]?%d+$" and tonumber((text:gsub("^+", "")))
  return math.type(value) == "integer" and value or nil
end

local WORDS = { inf = math.huge, ["-inf"] = -math.huge, ["+inf"] = math.huge, nan = 0 / 0 }

local function double(text)
  text = trimmed(text)
  local word = WORDS[text:lower()]
  if word then return word end
  if not (text:find "^[+-]?%d+%.?%d*$" or text:find "^[+-]?%d*%.?%d+$"
    or text:find "^[+-]?%d+%.?%d*[eE][+-]?%d+$" or text:find "^[+-]?%d*%.?%d+[eE][+-]?%d+$") then return nil end
  local value = tonumber((text:gsub("^+", "")))
  return value and value + 0.0
end

local function boolean(text)
  if text == "1" then return true end
  if text == "0" then return false end
end

local function binary(text, options)
  local bytes = base64.decode(text)
  if not bytes or options.use_builtin_types then return bytes end
  return values.Binary(bytes)
end

local function datetime(text, options)
  text = trimmed(text)
  if #text > 64 or text:find "[%c<&]" then return nil end
  local value = values.DateTime(text)
  if options.use_builtin_types or options.use_datetime then return value:timetuple() end
  return value
end

-- Elements of values: what their text is; nil for what is none.
local SCALARS = {
  string = function(text) return text end, boolean = boolean, base64 = binary, ["dateTime.iso8601"] = datetime,
  double = double, float = double, bigdecimal = double, biginteger = integer,
  ["nil"] = function(text) return trimmed(text) == "" and shape.null or nil end,
}
for _, name in ipairs { "int", "i1", "i2", "i4", "i8" } do SCALARS[name] = integer end

-- --- which elements there are ----------------------------------------------------------------------

local function set(names)
  local keys = {}
  for name in names:gmatch "%S+" do keys[name] = true end
  return keys
end

local INSIDE = {
  [""] = set "methodCall methodResponse params fault", methodCall = set "methodName params",
  methodResponse = set "params fault", params = set "param", param = set "value", fault = set "value",
  array = set "data", data = set "value", struct = set "member", member = set "name value", value = set "array struct",
}
for name in pairs(SCALARS) do INSIDE.value[name] = true end

-- How many of them an element has: exactly one, where it says nothing else.
local MANY = { params = true, data = true, struct = true }

-- --- reading ---------------------------------------------------------------------------------------

local function fail(state, words, name)
  if state.words then return end
  state.words, state.name = words, name or "ResponseError"
  state.parser:stop()
end

local function start(state, tag)
  if state.words then return end
  tag = tag:match "[^:]*$" -- Apache's ex:nil
  local parent = state[#state]
  local inside = INSIDE[parent.tag]
  if not inside or not inside[tag] then
    return fail(state, ("<%s> in <%s>"):format(tag:sub(1, 40), parent.tag))
  end
  if not MANY[parent.tag] and (parent.seen and (parent.tag == "value" or parent.seen[tag])) then
    return fail(state, ("<%s> with more than one value"):format(parent.tag))
  end
  parent.seen = parent.seen or {}
  parent.seen[tag] = true
  if tag == "value" then
    state.count, state.depth = state.count + 1, state.depth + 1
    if state.count > VALUES then return fail(state, ("more than %d values"):format(VALUES), "TooLarge") end
    if state.depth > DEPTH then
      return fail(state, ("values in values, deeper than %d"):format(DEPTH), "TooLarge")
    end
  end
  local element = { tag = tag }
  if tag == "data" or tag == "params" then
    element.list = {}
  elseif tag == "struct" then
    element.fields = {}
  elseif tag == "value" or tag == "name" or tag == "methodName" or SCALARS[tag] then
    element.text = {}
  end
  state[#state + 1] = element
end

-- What the end of each element does: to the element, to the one around it.
local FINISH = {
  value = function(state, element, parent)
    state.depth = state.depth - 1
    local value = element.value
    if not element.seen then value = table.concat(element.text) end
    if parent.tag == "data" then
      parent.list[#parent.list + 1] = value
    else
      parent.value, parent.whole = value, true
    end
  end,
  data = function(_, element, parent) parent.value, parent.whole = shape.array(element.list), true end,
  array = function(state, element, parent)
    if not element.whole then return fail(state, "an <array> without <data>") end
    parent.value = element.value
  end,
  struct = function(_, element, parent) parent.value = shape.struct(element.fields) end,
  name = function(_, element, parent) parent.name = table.concat(element.text) end,
  member = function(state, element, parent)
    if not element.name or not element.whole then return fail(state, "a <member> without name or value") end
    parent.fields[element.name] = element.value
  end,
  param = function(state, element, parent)
    if not element.whole then return fail(state, "a <param> without a value") end
    parent.list[#parent.list + 1] = element.value
  end,
  params = function(state, element) state.params = element.list end,
  fault = function(state, element)
    local fault = element.value
    if type(fault) ~= "table" or math.type(fault.faultCode) ~= "integer" or type(fault.faultString) ~= "string" then
      return fail(state, "a <fault> that says nothing")
    end
    state.fault = fault
  end,
  methodName = function(_, element, parent) parent.name = table.concat(element.text) end,
  methodCall = function(state, element)
    if not element.name then return fail(state, "a <methodCall> without a name") end
    state.method, state.params = trimmed(element.name), state.params or {}
  end,
  methodResponse = function() end,
}

local function finish(state)
  if state.words then return end
  local element = table.remove(state)
  local parent, tag = state[#state], element.tag
  local scalar = SCALARS[tag]
  if not scalar then return FINISH[tag](state, element, parent) end
  local text = table.concat(element.text)
  parent.value = scalar(text, state.options)
  if parent.value == nil then fail(state, ("no <%s>: '%s'"):format(tag, text:sub(1, 40))) end
end

-- Reads a call or an answer: the parameters, and the method's name. nil, err, errno for a fault, and for what is
-- neither. `options`: `use_datetime`, `use_builtin_types`.
function M.parse(text, options)
  local state = { options = options, count = 0, depth = 0, { tag = "" } }
  local parser = module().new {
    StartElement = function(_, tag) start(state, tag) end,
    EndElement = function() finish(state) end,
    CharacterData = function(_, piece)
      local pieces = state[#state].text
      if pieces then pieces[#pieces + 1] = piece end
    end,
    StartDoctypeDecl = function() fail(state, "a document type, which XML-RPC has not") end,
  }
  state.parser = parser
  local ok, words, line, column = parser:parse(text)
  if ok then ok, words, line, column = parser:parse() end
  pcall(parser.close, parser)
  if state.words then return failure(state.name, state.words) end
  if not ok then
    return failure("ResponseError", ("%s, line %d, column %d"):format(tostring(words), line or 0, column or 0))
  end
  if state.fault then
    local code, string = state.fault.faultCode, state.fault.faultString
    return failure("Fault", ("%d: %s"):format(code, string), { code = code, text = string })
  end
  if not state.params then return failure("ResponseError", "neither parameters nor a fault") end
  return state.params, state.method
end

return M
