-- talk.lua: what each call of csock.nntp says, and what it checks.
local check = require "csock.check"
local talks = require "csock.wire.talk"

local M = talks.of "NNTP"

-- The reply, and its lines (or how many were handed to `sink`).
function M.long(self, line, sink, ...)
  local wanted = table.pack(...)
  return M.run(self, function(d)
    local reply, code, text = M.ask(d, line, nil, table.unpack(wanted))
    if not reply then return nil, code, text end
    local lines, err, errno = d:block(sink)
    if not lines then return nil, err, errno end
    return reply, lines
  end)
end

-- --- arguments ------------------------------------------------------------------------------------

M.WORD = check.kind("string without blanks and control characters", function(value)
  return type(value) == "string" and value ~= "" and not value:find "[%c ]"
end)
M.LINE = check.kind("string without CR, LF and NUL", function(value) return value ~= "" and talks.LINE.fits(value) end)
M.NUMBER = check.integer(0)
M.SPEC = check.kind("number or message-id", function(value) return M.NUMBER.fits(value) or M.WORD.fits(value) end)

function M.word(value, number, call) return check.argument(M.WORD, value, number, call) end

-- " 7", " <id>", or nothing.
function M.spec_of(value, call)
  if value == nil then return "" end
  return " " .. check.argument(M.SPEC, value, 1, call)
end

-- A range of articles, one of them, or a message-id.
function M.range_of(value, number, call)
  if type(value) ~= "table" then return tostring(check.argument(M.SPEC, value, number, call)) end
  check.argument(M.NUMBER, value[1], number, call)
  if value[2] ~= nil then check.argument(M.NUMBER, value[2], number, call) end
  return ("%d-%s"):format(value[1], value[2] or "")
end

function M.instant(time, number, call)
  return os.date("!%Y%m%d %H%M%S GMT", check.argument(check.INTEGER, time, number, call))
end

return M
