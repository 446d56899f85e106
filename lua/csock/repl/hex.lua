-- hex.lua: bytes as hexadecimal digits, and as text beside them.
local M = {}

local ROW, MOST = 16, 4096 -- bytes

local function row(data, at)
  local bytes = data:sub(at, at + ROW - 1)
  local digits = ("%02x "):rep(#bytes):format(bytes:byte(1, -1))
  return ("  %06x  %-48s %s"):format(at - 1, digits, (bytes:gsub("[^\x20-\x7e]", ".")))
end

-- Something that passed, for people.
-- `string` head stands before it
-- `data` bytes; or how many there were, where they were not kept
-- `most` so many of them are shown (4096)
-- @treturn string
function M.dump(head, data, most)
  if type(data) ~= "string" then return ("%s %s bytes that were not kept"):format(head, tostring(data)) end
  local lines = { ("%s %d bytes"):format(head, #data) }
  most = math.min(#data, most or MOST)
  for at = 1, most, ROW do lines[#lines + 1] = row(data, at) end
  if #data > most then lines[#lines + 1] = ("  … %d more"):format(#data - most) end
  return table.concat(lines, "\n")
end

return M
