-- ascii.lua: letters and digits of ASCII, in what strangers send, whatever the locale says.
local core = require "csock.core"

local M = {}

M.lower = core.http.lower

-- The integer that digits are; nil for anything else, and for one greater than `most`.
function M.integer(digits, most)
  if not digits:find "^[0-9]+$" then return nil end
  local value = 0
  for i = 1, #digits do
    local digit = digits:byte(i) - 48
    if value > (most - digit) // 10 then return nil end
    value = value * 10 + digit
  end
  return value
end

return M
