--- Closes what a spec opened: `keep(a, b)` gives its arguments back, `after_each(keep.close)` closes
--- them all, also when the spec failed. A failure (`nil, err`) raises.
local kept = {}
local keep = {}

function keep.close()
  for i = #kept, 1, -1 do kept[i]:close() end
  kept = {}
end

setmetatable(keep, { __call = function(_, ...)
  assert(...)
  for _, thing in ipairs{ ... } do
    local meta = getmetatable(thing)
    if type(meta) == "table" and meta.__close then kept[#kept + 1] = thing end
  end
  return ...
end })

return keep
