-- zlib.lua: lua-zlib, where it is installed: a call gives the module, or false. It is looked for when first wanted.
local zlib -- the module; false: not installed

return function()
  if zlib == nil then
    local ok, found = pcall(require, "zlib")
    zlib = ok and type(found) == "table" and found.inflate and found or false
  end
  return zlib
end
