-- target.lua: what a request is for: the path and the query of a target, whose form the parser has made sure of. Both
-- are as they were sent; the query is nil where there is none.
local SLASH = 47

return function(target)
  local rest = target:byte() ~= SLASH and target:match "^%a[%w+.-]*://[^/?]*(.*)$" or target
  local mark = rest:find("?", 1, true)
  if not mark then return rest ~= "" and rest or "/" end
  return mark > 1 and rest:sub(1, mark - 1) or "/", rest:sub(mark + 1)
end
