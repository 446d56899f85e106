-- json.lua: the module for JSON that is installed: cjson, or else dkjson.
local failure = require "csock.http.failure"

local M = {}

local found, found_name

local function module()
  for _, name in ipairs { "cjson", "dkjson" } do
    local ok
    if not found then
      ok, found = pcall(require, name)
      if not ok then found = nil end
      found_name = name
    end
  end
  return found or error("JSON: neither cjson nor dkjson is installed (`luarocks install dkjson`)", 0)
end

-- The text of a value; raises for what JSON has not.
function M.encode(value)
  local text = assert(module().encode(value))
  return text
end

-- What stands for null in what `decode` gives, and may be sent.
function M.null() return module().null end

-- The value of a text; nil, err, errno. `nulls`: null is `null()`, and not nil where the module would have it so.
function M.decode(text, nulls)
  local decode = module().decode
  if nulls and found_name == "dkjson" then
    local null = M.null()
    decode = function(bytes) return found.decode(bytes, 1, null) end
  end
  local ok, value, at, words = pcall(decode, text) -- dkjson says where it has stopped
  if ok and math.type(at) and not words and text:find("[^ \t\r\n]", at) then words = "something behind the value" end
  if ok and not words then return value end
  return failure("json", "JSONDecodeError", tostring(words or value))
end

return M
