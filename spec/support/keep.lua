--- Closes what a spec opened or started: `keep(a, b)` gives its arguments back,
-- `after_each(keep.close)` closes them all, also when the spec failed. A failure (`nil, err`)
-- raises. Values that cannot be closed are left alone.
local kept = {}
local keep = {}

function keep.close()
  while #kept > 0 do
    local thing = table.remove(kept)
    getmetatable(thing).__close(thing)
  end
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
