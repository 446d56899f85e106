-- proxy.lua: objects whose fields are the methods of something far away: `object.a.b(...)` calls `a.b`.
local check = require "csock.check"

local M = {}

-- Calls `call` with a method's dotted name and the arguments. `meta`: further metamethods; `fields`: names that are
-- no methods.
function M.new(what, call, meta, fields)
  local method, root = { __name = what .. " method" }, nil

  local function named(name) return setmetatable({ name }, method) end

  function method.__index(self, key) return named(("%s.%s"):format(rawget(self, 1), tostring(key))) end

  function method.__newindex() check.fail(what .. ": a method cannot be assigned") end

  function method.__call(self, ...)
    local first = ...
    if first ~= nil and (first == root or getmetatable(first) == method) then
      check.fail(("%s: write .%s(...), not :%s(...)"):format(what, self[1], self[1]))
    end
    return call(self[1], ...)
  end

  function method.__tostring(self) return ("<%s method %s>"):format(what, self[1]) end

  meta.__name = what
  function meta.__index(_, key)
    local field = fields and fields[key]
    if field ~= nil then return field end
    return named(tostring(key))
  end
  function meta.__newindex() check.fail(what .. ": a method cannot be assigned") end
  root = setmetatable({}, meta)
  return root
end

return M
