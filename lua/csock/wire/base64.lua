--- Base64, as HTTP and mail have it (RFC 4648, section 4).
-- @module csock.wire.base64
local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local CHARS, VALUES = {}, {}
for i = 1, #ALPHABET do
  CHARS[i - 1] = ALPHABET:sub(i, i)
  VALUES[ALPHABET:byte(i)] = i - 1
end

local function encoded(three)
  local a, b, c = three:byte(1, 3)
  local bits = a << 16 | (b or 0) << 8 | (c or 0)
  return CHARS[bits >> 18] .. CHARS[bits >> 12 & 63] .. (b and CHARS[bits >> 6 & 63] or "=")
    .. (c and CHARS[bits & 63] or "=")
end

--- Encodes bytes.
-- @function encode
-- @tparam string bytes
-- @treturn string without line ends
-- @usage print(base64.encode "hello") --> aGVsbG8=
function M.encode(bytes) return (bytes:gsub("..?.?", encoded)) end

local function decoded(four)
  local bits = 0
  for i = 1, 4 do bits = bits << 6 | (VALUES[four:byte(i)] or 0) end
  return string.char(bits >> 16, bits >> 8 & 255, bits & 255)
end

--- Decodes: blanks and line ends are passed over, the padding may be missing.
-- @function decode
-- @tparam string text
-- @treturn ?string nil for what is no base64
-- @usage print(base64.decode "aGVsbG8=") --> hello
function M.decode(text)
  text = text:gsub("[ \t\r\n]", "")
  local digits, padding = text:match "^([%w+/]*)(=*)$"
  if not digits or #padding > 2 or #digits % 4 == 1 then return nil end
  if padding ~= "" and (#digits + #padding) % 4 ~= 0 then return nil end
  local missing = -#digits % 4
  local bytes = (digits .. ("A"):rep(missing)):gsub("....", decoded)
  return bytes:sub(1, #bytes - missing)
end

return M
