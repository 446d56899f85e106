-- text.lua: values as JSON, and back. The module that is installed (csock.http.json) knows strings, and how to read;
-- what is an array and what an object, and that integers are exact, is known here.
local failure = require "csock.jsonrpc.failure"
local json = require "csock.http.json"
local shape = require "csock.rpc.shape"

local M = {}

local DEPTH, VALUES = 100, 1 << 20

-- --- writing ---------------------------------------------------------------------------------------

local function string_of(text)
  if not utf8.len(text) then error("a string that is no UTF-8", 0) end
  return json.encode(text)
end

local function float_of(number)
  if number ~= number or number == math.huge or number == -math.huge then error("JSON has no such number", 0) end
  local text = ("%.15g"):format(number)
  if tonumber(text) ~= number then text = ("%.17g"):format(number) end
  return (text:gsub(",", ".")) -- some locales'
end

local encode

local function encode_table(out, value, depth, open)
  if depth > DEPTH then error(("values in values, deeper than %d"):format(DEPTH), 0) end
  if open[value] then error("a table that holds itself", 0) end
  open[value] = true
  local is_array, count = shape.of(value)
  out[#out + 1] = is_array and "[" or "{"
  if is_array then
    for i = 1, count do
      if i > 1 then out[#out + 1] = "," end
      encode(out, value[i], depth, open)
    end
  else
    local first = true
    for name, field in next, value do
      out[#out + 1] = (first and "" or ",") .. string_of(name) .. ":"
      encode(out, field, depth, open)
      first = false
    end
  end
  out[#out + 1] = is_array and "]" or "}"
  open[value] = nil
end

function encode(out, value, depth, open)
  local kind = math.type(value) or type(value)
  if value == nil or value == shape.null then
    out[#out + 1] = "null"
  elseif kind == "string" then
    out[#out + 1] = string_of(value)
  elseif kind == "integer" then
    out[#out + 1] = ("%d"):format(value)
  elseif kind == "float" then
    out[#out + 1] = float_of(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind == "table" then
    encode_table(out, value, depth + 1, open)
  else
    error(("a %s cannot be sent"):format(kind), 0)
  end
end

-- The text of a value; raises for what JSON has not.
function M.encode(value)
  local out = {}
  encode(out, value, 0, {})
  return table.concat(out)
end

-- --- reading ---------------------------------------------------------------------------------------

local EXACT = 2 ^ 53 -- below it, floats that are whole are integers

local normal

local function normal_table(state, value, depth)
  if depth > DEPTH then error(("values in values, deeper than %d"):format(DEPTH), 0) end
  for key, field in next, value do value[key] = normal(state, field, depth) end
  return value
end

function normal(state, value, depth)
  state.count = state.count + 1
  if state.count > VALUES then error(("more than %d values"):format(VALUES), 0) end
  if value == state.null then return shape.null end
  if type(value) == "table" then return normal_table(state, value, depth + 1) end
  if math.type(value) == "float" then
    if value ~= value or value - value ~= 0 then error("no number of JSON", 0) end
    if value > -EXACT and value < EXACT then return math.tointeger(value) or value end
  end
  return value
end

-- The value of a text; nil, err, errno.
function M.decode(text)
  local value, err, errno = json.decode(text, true)
  if value == nil then return nil, err, errno end
  local ok, result = pcall(normal, { count = 0, null = json.null() }, value, 0)
  if not ok then return failure.fail("TooLarge", tostring(result)) end
  return result
end

return M
