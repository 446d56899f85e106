-- shape.lua: what a table is to those who have arrays and structs: one of the two. dkjson's mark for it is ours, too.
local M = {}

local Array, Struct = { __jsontype = "array" }, { __jsontype = "object" }

local function marked(mark)
  return function(values)
    if values == nil then values = {} end
    if type(values) ~= "table" then
      error(("bad argument #1 to '%s' (table expected, got %s)"):format(
        mark == Array and "array" or "struct", type(values)), 2)
    end
    return setmetatable(values, mark)
  end
end

M.array, M.struct = marked(Array), marked(Struct)

-- What stands for nil where Lua's tables can hold none: in arrays, in structs, as a result.
M.null = setmetatable({}, { __name = "null", __tostring = function() return "null" end })

-- Whether a table is an array, and how long; raises for what is neither. Without a mark, an empty one is an array.
function M.of(values)
  local meta = getmetatable(values)
  local mark = type(meta) == "table" and rawget(meta, "__jsontype")
  local count = #values
  if mark == "object" or mark ~= "array" and count == 0 and next(values) ~= nil then
    for key in next, values do
      if type(key) ~= "string" then
        error(("the names of a struct are strings, not %s"):format(math.type(key) or type(key)), 0)
      end
    end
    return false
  end
  for key in next, values do
    if math.type(key) ~= "integer" or key < 1 or key > count then
      error(("an array has no field '%s'"):format(tostring(key)), 0)
    end
  end
  return true, count
end

return M
