-- sources.lua: what was typed, by the name that errors call it ("[3]"): for tracebacks and for the help of functions
-- that are in no file. The last thousand inputs.
local KEPT = 1000

local texts, order, first = {}, {}, 1

local M = {}

function M.put(name, text)
  if texts[name] == nil then order[#order + 1] = name end
  texts[name] = text
  if #order - first >= KEPT then
    texts[order[first]] = nil
    order[first] = false
    first = first + 1
  end
end

-- The text, or nil.
function M.get(name) return texts[name] end

return M
