-- frame.lua: what an attached prompt and the process behind it say to each other: a line with a word and a length, and
-- so many bytes.
local loop = require "csock".loop

local M = {}

M.LONGEST = 1 << 20 -- bytes
local HEAD = 32      -- bytes
local PATIENCE = 30  -- seconds for what a head has promised

-- A frame as bytes.
function M.text(word, payload) return ("%s %d\n%s"):format(word, #payload, payload) end

-- Reads a frame from a stream: its word and its bytes; nil at the end, and nil and what is wrong with it. The next one
-- may be long in coming, the rest of one that has begun may not.
function M.read(stream)
  local line, err = stream:readline(HEAD)
  if not line or line == "" then return nil, err and tostring(err) end
  local word, digits = line:match "^(%l+) (%d+)\n$"
  local length = word and #digits <= 7 and math.tointeger(tonumber(digits))
  if not length or length > M.LONGEST then return nil, "no frame of a prompt" end
  if length == 0 then return word, "" end
  local payload, why = loop.timeout(PATIENCE, stream.read, stream, length)
  if not payload or #payload < length then return nil, why and tostring(why) or "a frame was cut" end
  return word, payload
end

return M
