-- live.lua: functions that can be defined anew while somebody holds them.
--
-- `function handler(conn) ... end`, typed at the top level, makes a function that calls what `handler` is defined as at
-- that moment. A server that was given it uses the new definition from its next call on.
local real = setmetatable({}, { __mode = "k" }) -- what was made here -> its definition

local M = {}

-- A function that calls `f`; or the one that `old` is, if it was made here, which calls `f` from now on.
function M.define(old, f)
  if real[old] == nil then
    old = function(...) return real[old](...) end
  end
  real[old] = f
  return old
end

-- The definition of a function, which may be one's own already.
function M.definition(f) return real[f] or f end

return M
