-- arguments.lua: Python's optional arguments: in its order, or by name in a table. For csock.url.
local check = require "csock.check"

local M = {}

M.BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)

-- A reader of what follows the first `taken` arguments of `call`: gives the options by name. `list` says which there
-- are, in order: { name, kind, default }.
function M.reader(call, taken, list)
  local rows = {}
  for _, row in ipairs(list) do
    local off = row[3]
    if row[2] == M.BOOLEAN then off = false end
    rows[row[1]] = { row[2], row[3], off }
  end
  return function(...)
    local first = ...
    if type(first) == "table" then return check.options(first, rows, taken + 1, call) end
    local options = {}
    for i, row in ipairs(list) do
      local value = select(i, ...)
      if value == nil then value = row[3] else check.argument(row[2], value, taken + i, call) end
      options[row[1]] = value
    end
    return options
  end
end

return M
