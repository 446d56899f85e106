-- talk.lua: what the calls of a client have in common whose server answers with three digits, and whose results begin
-- with the reply: csock.ftp and csock.nntp. A client is a table with its dialog at `d`, nil without a connection.
--
--     local talk = talks.of "FTP"
--     talk.failure("EBADF", words)                        -- nil, an error of its own, its errno
--     talk.run(client, f)                                 -- f(dialog) as one operation
--     talk.ask(d, line, shown, 2, 3)                      -- in one: sends a line: the reply, its code, its text
--     talk.only(talk.ask(...))                            -- the reply alone
--     talk.short(client, line, 2, 3)                      -- a whole operation: the reply
--
-- All of them give nil, err, errno otherwise; a reply that is not among those expected is an error.
local check = require "csock.check"
local csock = require "csock"

local E = csock.errno

local M = {}

-- What becomes part of a line.
M.LINE = check.kind("string without CR, LF and NUL", function(value)
  return type(value) == "string" and not value:find "[\r\n\0]"
end)

-- The reply as it came.
function M.whole(code, text) return ("%d %s"):format(code, text) end

function M.only(reply, code, text)
  if not reply then return nil, code, text end
  return reply
end

function M.ask(d, line, shown, ...)
  d:put(line, shown)
  local code, text, errno = d:ok(...)
  if not code then return nil, text, errno end
  return M.whole(code, text), code, text
end

function M.of(what)
  local talk = setmetatable({}, { __index = M })

  function talk.failure(name, words)
    return csock.make_error { call = what, errno = E[name], strerror = words, kind = "protocol" }
  end

  function talk.run(client, f)
    if not client.d then return talk.failure("EBADF", "there is no connection") end
    return client.d:run(f, client.d)
  end

  function talk.short(client, line, ...)
    local wanted = table.pack(...)
    return talk.run(client, function(d) return M.only(M.ask(d, line, nil, table.unpack(wanted, 1, wanted.n))) end)
  end

  return talk
end

return M
