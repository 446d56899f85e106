--- Frames of WebSockets as bytes, made by a few lines that know nothing of csock's.
local M = {}

M.FIN, M.RSV1, M.RSV2, M.RSV3 = 0x80, 0x40, 0x20, 0x10
M.NEXT, M.TEXT, M.BINARY, M.CLOSE, M.PING, M.PONG = 0, 1, 2, 8, 9, 10

local function xor(payload, key)
  local bytes = {}
  for i = 1, #payload do bytes[i] = string.char(payload:byte(i) ~ key:byte((i - 1) % 4 + 1)) end
  return table.concat(bytes)
end

--- A frame. `key`: four bytes that mask it, or false for none; `width`: of the length, 0, 2 or 8 bytes.
function M.frame(first, payload, key, width)
  width = width or (#payload < 126 and 0 or #payload < 65536 and 2 or 8)
  local small = width == 0 and #payload or width == 2 and 126 or 127
  local length = width == 0 and "" or (">I" .. width):pack(#payload)
  return string.char(first, small | (key and 0x80 or 0)) .. length .. (key and key .. xor(payload, key) or payload)
end

--- As a client sends them: masked.
function M.masked(first, payload, width) return M.frame(first, payload or "", "\x12\x9a\x03\xfe", width) end

--- As a server does.
function M.plain(first, payload, width) return M.frame(first, payload or "", false, width) end

return M
