-- gzip.lua: bodies that are packed, where lua-zlib is installed.
local zlib = require "csock.wire.zlib"

local M = {}

-- So many bytes are unpacked at once: zlib makes at most 1032 of one.
local PIECE = 1024

-- Whether it can be done here.
function M.available() return zlib() ~= false end

function M.pack(bytes) return (zlib().deflate(6, 31)(bytes, "finish")) end

-- The bytes; nil for what is none, is cut, or would be more than `most`, and then true.
function M.unpack(bytes, most)
  local inflate, pieces, size = zlib().inflate(31), {}, 0
  for at = 1, #bytes, PIECE do
    local ok, piece, over, used = pcall(inflate, bytes:sub(at, at + PIECE - 1))
    if not ok then return nil end
    size = size + #piece
    if size > most then return nil, true end
    pieces[#pieces + 1] = piece
    if over then return used == #bytes and table.concat(pieces) or nil end
  end
  return nil
end

return M
