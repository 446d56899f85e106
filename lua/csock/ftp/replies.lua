-- replies.lua: what each call of csock.ftp says, and what it checks.
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local csock = require "csock"

local E = csock.errno

local M = {}

function M.failure(name, words)
  return csock.make_error { call = "FTP", errno = E[name], strerror = words, kind = "protocol" }
end

-- What becomes part of a line.
M.LINE = check.kind("string without CR, LF and NUL", function(value)
  return type(value) == "string" and not value:find "[\r\n\0]"
end)

-- Runs f(dialog) as one operation.
function M.run(self, f)
  if not self.d then return M.failure("EBADF", "there is no connection") end
  return self.d:run(f, self.d)
end

function M.whole(code, text) return ("%d %s"):format(code, text) end

-- The first of the results of `ask`; or nil, err, errno.
function M.only(reply, code, text)
  if not reply then return nil, code, text end
  return reply
end

-- Sends a line: the reply, its code and its text; nil, err, errno for one that is not among those expected.
function M.ask(d, line, shown, ...)
  d:put(line, shown)
  local code, text, errno = d:ok(...)
  if not code then return nil, text, errno end
  return M.whole(code, text), code, text
end

-- The same as one operation: the reply.
function M.short(self, line, ...)
  local wanted = table.pack(...)
  return M.run(self, function(d) return M.only(M.ask(d, line, nil, table.unpack(wanted, 1, wanted.n))) end)
end

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
