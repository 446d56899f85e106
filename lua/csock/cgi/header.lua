-- header.lua: fields of a head that have parameters: `form-data; name="a"`.
local ascii = require "csock.wire.ascii"

local M = {}

-- Calls `f` with each piece between semicolons that stand in no quotes.
local function each_piece(line, f)
  local first, quoted, at = 1, false, 1
  while true do
    local found = line:find('[;"\\]', at)
    local char = found and line:sub(found, found)
    if char == "\\" then
      at = found + (line:sub(found + 1, found + 1) == '"' and 2 or 1)
    elseif char == '"' then
      quoted, at = not quoted, found + 1
    elseif char == ";" and quoted then
      at = found + 1
    else
      f(line:sub(first, (found or 0) - 1):match "^%s*(.-)%s*$")
      if not found then return end
      first, at = found + 1, found + 1
    end
  end
end

-- See csock.cgi.parse_header.
function M.parse(line)
  local key, parameters
  parameters = {}
  each_piece(line, function(piece)
    if not key then
      key = piece
      return
    end
    local name, value = piece:match "^([^=]*)=(.*)$"
    if not name then return end
    value = value:match "^%s*(.-)%s*$"
    if #value >= 2 and value:find '^".*"$' then value = value:sub(2, -2):gsub('\\(["\\])', "%1") end
    parameters[ascii.lower(name:match "^%s*(.-)%s*$")] = value
  end)
  return key, parameters
end

-- Whether this can be what stands between the parts of a body (RFC 2046, section 5.1.1; longer, as in Python).
function M.is_boundary(text) return text:find "^[ -~]*[!-~]$" ~= nil and #text <= 201 end

return M
