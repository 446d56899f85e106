-- replies.lua: what each call of csock.ftp says, and what it reads of replies.
local ascii = require "csock.wire.ascii"
local talks = require "csock.wire.talk"

local M = talks.of "FTP"

-- The number that digits are; nil for anything else.
function M.number(digits) return digits and ascii.integer(digits, math.maxinteger) end

-- The name in a reply 257, in which quotes are doubled; nil where there is none.
function M.quoted(reply)
  local name = reply:match '^257 "(.*)'
  if not name then return nil end
  name = name:gsub('""', "\0"):match '^([^"]*)"'
  return name and (name:gsub("%z", '"'))
end

return M
