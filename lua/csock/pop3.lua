--- The client of POP3 (RFC 1939, 2449, 2595, 5034, 6856): Python's poplib.
--
--     local pop3 = require "csock.pop3"
--
--     local pop <close> = assert(pop3.POP3_SSL("mail.example.org", nil, { timeout = 30 }))
--     assert(pop:user "jane")
--     assert(pop:pass_ "secret")
--     for number, text in pop:messages() do keep(text) end
--     assert(pop:quit())
--
-- **Results** are Python's: `"+OK ..."` of a command with one line; of others the same, the lines, and how many bytes
-- those were. A server's `-ERR` is an error with `text` (without the word), `code` (what stands in brackets before it,
-- as `"IN-USE"`, RFC 2449 section 8) and `kind`: "temporary" or "permanent".
--
-- What goes wrong in the middle of a reply (a time-out, a line that is too long, the end of the connection) ends the
-- conversation: each call after it gives the same error, so that no reply is taken for another one's. What was marked
-- for deletion is deleted by `quit` alone.
-- @module csock.pop3
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local dialog = require "csock.wire.dialog"
local sasl = require "csock.wire.sasl"

local E = csock.errno

local M = {}

--- The ports: 110, and 995 for TLS from the first byte on.
-- @field POP3_PORT
M.POP3_PORT = 110

--- See `POP3_PORT`.
-- @field POP3_SSL_PORT
M.POP3_SSL_PORT = 995

local OPTIONS = dialog.rows {}

-- --- replies --------------------------------------------------------------------------------------

local function failure(name, words, more)
  local fields = { call = "POP3", errno = E[name], strerror = words, kind = "protocol" }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end

local TEMPORARY = { ["IN-USE"] = true, ["LOGIN-DELAY"] = true, ["SYS/TEMP"] = true }

-- What "-ERR" says as an error.
local function refusal(text)
  local code = text:match "^%[([%w/%-]+)%]"
  code = code and code:upper()
  return failure("EPROTO", "-ERR " .. text:gsub("%c", "?"), {
    text = text, code = code, kind = TEMPORARY[code] and "temporary" or "permanent",
  })
end

-- The first line of a reply: itself; nil, err, errno.
local function read_status(d)
  local line, err, errno = d:line()
  if not line then return nil, err, errno end
  if line:find "^%+OK" then return line end
  if line:find "^%-ERR" then return refusal((line:gsub("^%-ERR ?", ""))) end
  return d:protest(("no reply: %q"):format(line:sub(1, 80)))
end

-- One of the answers that are on their way to a loop over messages: { text }, or { nil, err, errno }.
local function receive(flight, d)
  flight.received = flight.received + 1
  local status, err, errno = read_status(d)
  if not status then return { nil, err, errno } end
  return { d:text() }
end

-- Runs f(dialog) as one operation. What is on its way to a loop over messages (`flight`: that loop is this one) is read
-- before that, and kept for it.
local function run(self, f, flight)
  if not self.d then return failure("EBADF", "there is no connection") end
  return self.d:run(function(d)
    local other = self.flight ~= flight and self.flight
    while other and other.received < other.asked do
      other.queue[#other.queue + 1] = receive(other, d)
      if d.err then return nil, d.err, d.errno end
    end
    self.flight = flight
    return f(d)
  end, self.d)
end

local function short(self, line, shown)
  return run(self, function(d)
    d:put(line, shown)
    return read_status(d)
  end)
end

-- Of a reply with many lines: the first one, and what `read(dialog)` gives.
local function long(self, line, read)
  return run(self, function(d)
    d:put(line)
    local status, err, errno = read_status(d)
    if not status then return nil, err, errno end
    local value, more, code = read(d)
    if not value then return nil, more, code end
    return status, value, more
  end)
end

-- A reader of lines for `long`: the lines (or how many were handed to `sink`), and their bytes, CR LF counted.
local function lines_into(sink)
  return function(d)
    local octets = 0
    if not sink then
      local lines, err, errno = d:block()
      if not lines then return nil, err, errno end
      for _, line in ipairs(lines) do octets = octets + #line + 2 end
      return lines, octets
    end
    local count, err, errno = d:block(function(line)
      octets = octets + #line + 2
      sink(line)
    end)
    if not count then return nil, err, errno end
    return count, octets
  end
end

local NUMBER = check.integer(1)

local function numbered(number, call) return check.argument(NUMBER, number, 1, call) end

-- What becomes part of a line.
local WORD = check.kind("string without blanks and control characters", function(value)
  return type(value) == "string" and value ~= "" and not value:find "[%c ]"
end)

local LINE = check.kind("string without CR, LF and NUL", function(value)
  return type(value) == "string" and not value:find "[\r\n\0]"
end)

-- --- the connection -------------------------------------------------------------------------------

--- A connection to a server.
-- Source: Python's `poplib.POP3`.
-- @type pop3
local POP3 = class("POP3")
M.POP3 = POP3

POP3.__tls, POP3.__port = false, M.POP3_PORT

--- Made by calling the class: connects, and reads the greeting.
-- @function csock.pop3.POP3
-- @tparam string host
-- @tparam[opt=110] int port
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds that connecting, and each call, may take (default: the default timeout)
-- @param[opt] options.source_address an address of this side
-- @tparam[opt] context options.context for TLS (default: see `csock.ssl`)
-- @tparam[opt] string options.server_hostname whose certificate must be shown (default: the host's; false: anybody's)
-- @tparam[opt] socket options.socket a connected socket, in the place of host and port
-- @tparam[opt=8192] int options.limit bytes of a line
-- @tparam[opt=67108864] int options.block_limit bytes of a message
-- @tparam[opt=0] int options.debuglevel 1: what passes is told on standard error
-- @treturn[1] pop3
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110, {timeout = 10}))
-- print(#pop:getwelcome() > 3) --> true
function POP3:__init(host, port, options)
  options = check.options(options, OPTIONS, 3, "POP3")
  local settings = dialog.settings({ what = "POP3", tls = self.__tls or nil }, options)
  port = port or self.__port
  local d, status, errno = dialog.connect(host, port, settings, read_status)
  if not d then return nil, status, errno end
  self.d, self.welcome, self.host, self.port = d, status, host, port
end

--- The same over TLS from the first byte on, port 995.
-- @function csock.pop3.POP3_SSL
-- @tparam string host
-- @tparam[opt=995] int port
-- @tparam[opt] table options those of `POP3`
-- @treturn[1] pop3
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop, err = pop3.POP3_SSL("localhost", 1)
-- print(pop, err.name) --> nil ECONNREFUSED
local POP3_SSL = class("POP3_SSL", POP3)
M.POP3_SSL = POP3_SSL

POP3_SSL.__tls, POP3_SSL.__port = true, M.POP3_SSL_PORT

--- What the server has greeted with.
-- @treturn string
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:getwelcome()) --> +OK ready <1896.697170952@localhost>
function POP3:getwelcome() return self.welcome end

--- With a level above 0 what passes is told on standard error (but no passwords).
-- @tparam int level
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- pop:set_debuglevel(0)
function POP3:set_debuglevel(level)
  if self.d then self.d.debuglevel = check.argument(check.integer(0), level, 1, "set_debuglevel") end
end

-- --- logging in -----------------------------------------------------------------------------------

--- Says who wants to log in.
-- @tparam string user
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:user "jane") --> +OK
function POP3:user(user) return short(self, "USER " .. check.argument(LINE, user, 1, "user")) end

--- Says the password, in the clear unless the connection is over TLS.
-- @tparam string password
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- pop:user "jane"
-- print(pop:pass_ "secret") --> +OK
function POP3:pass_(password)
  return short(self, "PASS " .. check.argument(LINE, password, 1, "pass_"), "PASS ...")
end

--- Logs in by a digest of the password and of the time stamp in the greeting, which nobody who listens can use again.
-- (MD5: who listens may guess the password.) Needs `csock.ssl`.
-- @tparam string user
-- @tparam string password
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EOPNOTSUPP`: no time stamp, or no digests)
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:apop("jane", "secret")) --> +OK
function POP3:apop(user, password)
  check.argument(WORD, user, 1, "apop")
  check.argument(check.STRING, password, 2, "apop")
  local stamp = self.welcome:match "<[!-;=?-~]+@[!-;=?-~]+>"
  if not stamp then return failure("EOPNOTSUPP", "there is no time stamp in the greeting") end
  local digest, err, errno = sasl.md5(stamp .. password)
  if not digest then return nil, err, errno end
  return short(self, ("APOP %s %s"):format(user, digest), "APOP ...")
end

--- Logs in by SASL (RFC 5034).
-- @tparam string mechanism `"SCRAM-SHA-256"`, `"PLAIN"` ...
-- @tparam table fields `user`, `password`, `token`, `authzid`: what the mechanism needs
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:auth("PLAIN", {user = "jane", password = "secret"})) --> +OK
function POP3:auth(mechanism, fields)
  local exchange, err, errno = sasl.start(mechanism, fields)
  if not exchange then return nil, err, errno end
  return run(self, function(d)
    local response = exchange:first()
    local initial = response and " " .. (response == "" and "=" or base64.encode(response)) or ""
    d:put("AUTH " .. mechanism:upper() .. initial, "AUTH ...")
    while true do
      local line, why, code = d:line()
      if not line then return nil, why, code end
      local challenge = line:match "^%+ (.*)$" or line == "+" and ""
      if not challenge then
        if line:find "^%-ERR" then return refusal((line:gsub("^%-ERR ?", ""))) end
        if not line:find "^%+OK" then return d:protest(("no reply: %q"):format(line:sub(1, 80))) end
        local ok
        ok, why, code = exchange:finish()
        if not ok then return d:fail(why, code) end
        return line
      end
      local bytes = base64.decode(challenge)
      if bytes then
        response, why, code = exchange:step(bytes)
      else
        response, why, code = d:protest "a challenge that is no Base64"
      end
      if not response then return d:fail(why, code) end
      d:put(base64.encode(response), "...")
    end
  end)
end

-- --- the mailbox ----------------------------------------------------------------------------------

local function two_numbers(line)
  local a, b = line:match "^%+OK +(%d+) +(%d+)"
  return a and ascii.integer(a, math.maxinteger), b and ascii.integer(b, math.maxinteger)
end

--- How much there is.
-- @treturn[1] int messages
-- @treturn[1] int bytes of all of them
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:stat()) --> 2 320
function POP3:stat()
  return run(self, function(d)
    d:put "STAT"
    local line, err, errno = read_status(d)
    if not line then return nil, err, errno end
    local count, size = two_numbers(line)
    if not size then return d:protest(("no reply to STAT: %q"):format(line:sub(1, 80))) end
    return count, size
  end)
end

--- The sizes of the messages, or of one.
-- @tparam[opt] int number
-- @treturn[1] string the reply; of one message `"+OK 1 120"`
-- @treturn[1] ?{string,...} `"1 120"`, ...
-- @treturn[1] ?int bytes of these lines
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(select(2, pop:list())[1]) --> 1 120
function POP3:list(number)
  if number then return short(self, "LIST " .. numbered(number, "list")) end
  return long(self, "LIST", lines_into())
end

--- The unique names of the messages, or of one.
-- @tparam[opt] int number
-- @treturn[1] string the reply; of one message `"+OK 1 abc"`
-- @treturn[1] ?{string,...} `"1 abc"`, ...
-- @treturn[1] ?int bytes of these lines
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:uidl(1)) --> +OK 1 abc
function POP3:uidl(number)
  if number then return short(self, "UIDL " .. numbered(number, "uidl")) end
  return long(self, "UIDL", lines_into())
end

--- A message, as lines.
-- @tparam int number
-- @tparam[opt] function sink is called with each line, instead of their being kept
-- @treturn[1] string the reply
-- @treturn[1] {string,...} or how many there were
-- @treturn[1] int their bytes
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(select(2, pop:retr(1))[1]) --> Subject: one
function POP3:retr(number, sink)
  return long(self, "RETR " .. numbered(number, "retr"), lines_into(sink))
end

--- A message's header, and the first lines of what follows.
-- @tparam int number
-- @tparam int count lines behind the header
-- @tparam[opt] function sink as with `retr`
-- @treturn[1] string the reply
-- @treturn[1] {string,...} or how many there were
-- @treturn[1] int their bytes
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(#select(2, pop:top(1, 0))) --> 2
function POP3:top(number, count, sink)
  check.argument(check.integer(0), count, 2, "top")
  return long(self, ("TOP %d %d"):format(numbered(number, "top"), count), lines_into(sink))
end

local function command(number, count)
  if count then return ("TOP %d %d"):format(number, count) end
  return ("RETR %d"):format(number)
end

--- A message, as one text with CR LF at the end of each line: what `csock.email` and mailboxes take.
-- @tparam int number
-- @tparam[opt] int count only its header, and so many lines behind that
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(#pop:message(1)) --> 19
function POP3:message(number, count)
  numbered(number, "message")
  local status, text, errno = long(self, command(number, count), function(d) return d:text() end)
  if not status then return nil, text, errno end
  return text
end

local WINDOW = 32 -- commands that are on their way at once

--- An iterator over messages: their numbers and texts, as `message` gives them. Where the server can take it, several
-- are asked for at once, so that a slow line costs one round and not one for each. Raises what goes wrong.
-- @tparam[opt] {int,...} numbers (default: all)
-- @tparam[opt] int count only headers, and so many lines behind
-- @treturn function
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- for number, text in pop:messages(nil, 0) do print(number, #text) end --> 1 16 2 16
function POP3:messages(numbers, count)
  for _, number in ipairs(numbers or {}) do numbered(number, "messages") end
  local caps
  local ok, why = run(self, function()
    if not numbers then
      local most, err, errno = self:stat()
      if not most then return nil, err, errno end
      numbers = {}
      for i = 1, most do numbers[i] = i end
    end
    caps = self:capa() -- a server without it answers with an error, which is no harm
    return true
  end)
  if not ok then error(why, 0) end
  local window = caps and caps.PIPELINING and WINDOW or 1
  local flight, given = { asked = 0, received = 0, queue = {} }, 0
  local function ask(d)
    local on_its_way = flight.asked - flight.received
    if on_its_way <= window // 2 then
      local last = math.min(#numbers, flight.asked + window - on_its_way)
      local lines = {}
      for i = flight.asked + 1, last do lines[#lines + 1] = command(numbers[i], count) end
      if lines[1] then d:put(lines) end
      flight.asked = last
    end
    return receive(flight, d)
  end
  local function next_one()
    if given == #numbers then return nil end
    given = given + 1
    local one, err = table.remove(flight.queue, 1), nil
    if not one then one, err = run(self, ask, flight) end
    if not one or not one[1] then error(one and one[2] or err, 0) end
    return numbers[given], one[1]
  end
  -- A loop that is left early would leave replies to be taken for others.
  local guard = setmetatable({}, { __close = function()
    if flight.asked > flight.received and self.d and not self.d.closed then self:close() end
  end })
  return next_one, nil, nil, guard
end

--- Marks a message: `quit` deletes it.
-- @tparam int number
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:dele(1)) --> +OK
function POP3:dele(number) return short(self, "DELE " .. numbered(number, "dele")) end

--- Does nothing, but that the server sees that somebody is there.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:noop()) --> +OK
function POP3:noop() return short(self, "NOOP") end

--- Takes back all marks.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:rset()) --> +OK
function POP3:rset() return short(self, "RSET") end

--- Logs in by the name of this host (which no server allows any more).
-- @tparam string user
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:rpop "jane")
function POP3:rpop(user) return short(self, "RPOP " .. check.argument(WORD, user, 1, "rpop")) end

--- Has names and headers be UTF-8 (RFC 6856).
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:utf8()) --> +OK
function POP3:utf8() return short(self, "UTF8") end

--- What the server can do (RFC 2449).
-- @treturn[1] table name -> its arguments, a sequence: `caps.STLS`, `caps.SASL[1]`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(pop:capa().TOP ~= nil) --> true
function POP3:capa()
  local status, lines, errno = long(self, "CAPA", lines_into())
  if not status then return nil, lines, errno end
  return dialog.capabilities(lines)
end

--- Goes over to TLS (RFC 2595). A server that does not offer it is not asked: nothing goes on in the clear by mistake.
-- @tparam[opt] context context (default: that of the connection)
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EOPNOTSUPP`: it does not offer it; `EISCONN`: the connection is over TLS already)
-- @usage
-- local pop <close> = assert(pop3.POP3("localhost", 110))
-- print(select(2, pop:stls()).name) --> EOPNOTSUPP
function POP3:stls(context)
  if self.d and self.d.secure then return failure("EISCONN", "the connection is over TLS already") end
  return run(self, function(d)
    local caps, err, errno = self:capa()
    if not caps then return nil, err, errno end
    if not caps.STLS then return failure("EOPNOTSUPP", "the server does not offer STLS") end
    d:put "STLS"
    local status, why, code = read_status(d)
    if not status then return nil, why, code end
    local ok
    ok, why, code = d:starttls(context)
    if not ok then return nil, why, code end
    return status
  end)
end

--- Ends the session: what is marked is deleted. Then the connection is closed.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local pop = assert(pop3.POP3("localhost", 110))
-- print(pop:quit()) --> +OK bye
function POP3:quit()
  local status, err, errno = short(self, "QUIT")
  self:close()
  if not status then return nil, err, errno end
  return status
end

--- Closes the connection; nothing is deleted. Closing again is harmless.
-- @treturn boolean true
-- @usage
-- local pop = assert(pop3.POP3("localhost", 110))
-- pop:close()
function POP3:close()
  if self.d then self.d:close() end
  self.d = nil
  return true
end

POP3.__close = POP3.close

return M
