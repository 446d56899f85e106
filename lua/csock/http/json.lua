-- json.lua: the module for JSON that is installed: cjson, or else dkjson.
local failure = require "csock.http.failure"

local M = {}

local found

local function module()
  for _, name in ipairs { "cjson", "dkjson" } do
    local ok
    if not found then
      ok, found = pcall(require, name)
      if not ok then found = nil end
    end
  end
  return found or error("JSON: neither cjson nor dkjson is installed (`luarocks install dkjson`)", 0)
end

-- The text of a value; raises for what JSON has not.
function M.encode(value)
  local text = assert(module().encode(value))
  return text
end

-- The value of a text; nil, err, errno.
function M.decode(text)
  local ok, value, at, words = pcall(module().decode, text) -- dkjson says where it has stopped
  if ok and math.type(at) and not words and text:find("[^ \t\r\n]", at) then words = "something behind the value" end
  if ok and not words then return value end
  return failure("json", "JSONDecodeError", tostring(words or value))
end

return M
