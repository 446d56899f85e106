--- The client of IMAP4rev1 (RFC 3501): Python's imaplib.
--
--     local imap = require "csock.imap"
--
--     local mail <close> = assert(imap.IMAP4_SSL("mail.example.org", nil, { timeout = 30 }))
--     assert(mail:login("jane", "secret"))
--     assert(mail:select("INBOX", true))
--     for _, message in ipairs(mail:messages("1:*", "(UID FLAGS ENVELOPE)")) do
--       print(message.UID, message.ENVELOPE.subject)
--     end
--     mail:logout()
--
-- **Results** are imaplib's: `"OK"`, and a sequence of what the server has said: strings, and where there are literals
-- `{text, literal}` and then what is behind it. (Where Python has `[None]` it is empty.) A server's `NO` and `BAD` are
-- errors with `text`, `code` (what stands in brackets, as `"TRYCREATE"`, RFC 5530; else `"NO"`, `"BAD"`) and `kind`:
-- "temporary" or "permanent". What has been said besides is kept in `mail.untagged_responses`, and `mail:response`
-- takes it from there.
--
-- **Values.** `messages`, `find` and `mailboxes` give the same as values, and `imap.parse`, `parse_fetch`,
-- `parse_search`, `parse_list`, `parse_status` make them of what the others give.
--
-- **Arguments** go out as they are, as in Python; but names of mailboxes with blanks get quotes, and those with other
-- letters than ASCII become UTF-7. `{literal = bytes}` in the place of a string is sent as a literal.
--
-- What goes wrong in the middle of an answer (a time-out, a line that is too long, a tag of somebody else's, the end
-- of the connection, a `BYE`) ends the conversation: each call after it gives the same error.
--
-- Fields: `state` ("NONAUTH", "AUTH", "SELECTED", "LOGOUT"), `capabilities` (a sequence), `welcome`, `is_readonly`,
-- `untagged_responses`, `host`, `port`. Not here: `open`, `read`, `readline`, `send`, which a class in Python may
-- define anew: the option `socket`, which takes a stream as well, is for that.
-- @module csock.imap
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local class = require "csock.class"
local dialog = require "csock.wire.dialog"
local program = require "csock.imap.program"
local sasl = require "csock.wire.sasl"
local session = require "csock.imap.session"
local values = require "csock.imap.values"

local failure, raw, raws, run, say = session.failure, session.raw, session.raws, session.run, session.say

local M = {}

--- The ports: 143, and 993 for TLS from the first byte on.
-- @field IMAP4_PORT
M.IMAP4_PORT = 143

--- See `IMAP4_PORT`.
-- @field IMAP4_SSL_PORT
M.IMAP4_SSL_PORT = 993

for _, name in ipairs { "values", "utf7", "parser" } do
  for key, f in pairs(require("csock.imap." .. name)) do M[key] = f end
end

-- As imaplib's: what some servers say to SEARCH is long.
local OPTIONS = dialog.rows { limit = { check.integer(1), 1000000 }, block_limit = { check.integer(1), 1 << 28 } }

-- --- the connection -------------------------------------------------------------------------------

--- A connection to a server.
-- Source: Python's `imaplib.IMAP4`.
-- @type imap4
local IMAP4 = class("IMAP4")
M.IMAP4 = IMAP4

IMAP4.__tls, IMAP4.__port = false, M.IMAP4_PORT

-- Asks what the server can do, within an operation: "OK", text; nil, err, errno.
local function ask_capabilities(self, d)
  local status, text, errno = say(self, d, "CAPABILITY", {})
  if not status then return nil, text, errno end
  session.pop(self, "CAPABILITY")
  return status, text
end

-- The greeting, and what the server can do: true; nil, err, errno.
local function greet(self, d)
  session.prepare(self, d)
  local kind, status, text = session.read(self, d)
  if not kind then return nil, status, text end
  if kind ~= "*" or status ~= "OK" and status ~= "PREAUTH" then return d:protest "a greeting that is none" end
  self.state, self.welcome = status == "OK" and "NONAUTH" or "AUTH", ("* %s %s"):format(status, text[1])
  if self.stale then
    local err, errno
    status, err, errno = ask_capabilities(self, d)
    if not status then return nil, err, errno end
  end
  session.pop(self, "CAPABILITY")
  for _, version in ipairs { "IMAP4REV1", "IMAP4REV2", "IMAP4" } do
    if session.has(self, version) then
      self.PROTOCOL_VERSION = version
      return true
    end
  end
  return d:protest "the server does not speak IMAP4"
end

local function connect(self, host, port, options)
  self.state, self.tagnum, self.tagpre = "LOGOUT", 0, values.Int2AP(math.random(4096, 65535))
  self.untagged_responses, self.kept, self.capabilities, self.stale = {}, 0, {}, true
  self.is_readonly, self.utf8_enabled, self.host, self.port = false, false, host, port
  local settings = dialog.settings({ what = "IMAP", tls = self.__tls or nil }, options)
  local d, err, errno = dialog.connect(host, port, settings, function(d) return greet(self, d) end)
  if not d then return nil, err, errno end
  self.d = d
end

--- Made by calling the class: connects, reads the greeting, and asks what the server can do.
-- @function csock.imap.IMAP4
-- @tparam string host
-- @tparam[opt=143] int port
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds that connecting, and each call, may take (default: the default timeout)
-- @param[opt] options.source_address an address of this side
-- @tparam[opt] context options.context for TLS (default: see `csock.ssl`)
-- @tparam[opt] string options.server_hostname whose certificate must be shown (default: the host's; false: anybody's)
-- @tparam[opt] socket options.socket a connected socket, or a stream, in the place of host and port
-- @tparam[opt=1000000] int options.limit bytes of a line
-- @tparam[opt=268435456] int options.block_limit bytes that come in answer to one command
-- @tparam[opt=0] int options.debuglevel 1: what passes is told on standard error
-- @treturn[1] imap4
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143, {timeout = 5}))
-- print(mail.state) --> NONAUTH
function IMAP4:__init(host, port, options)
  return connect(self, host, port or self.__port, check.options(options, OPTIONS, 3, "IMAP4"))
end

--- The same over TLS from the first byte on, port 993.
-- @function csock.imap.IMAP4_SSL
-- @tparam string host
-- @tparam[opt=993] int port
-- @tparam[opt] table options those of `IMAP4`
-- @treturn[1] imap4
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail, err = imap.IMAP4_SSL("localhost", 1)
-- print(mail, err.name) --> nil ECONNREFUSED
local IMAP4_SSL = class("IMAP4_SSL", IMAP4)
M.IMAP4_SSL = IMAP4_SSL

IMAP4_SSL.__tls, IMAP4_SSL.__port = true, M.IMAP4_SSL_PORT

--- The same with a program that speaks IMAP on its standard input and output, as `ssh` to a server does. The shell runs
-- it; it gets the variables of the environment that such programs need (`PATH`, `HOME`, `SSH_AUTH_SOCK` ...).
-- It is ended with the connection.
-- @function csock.imap.IMAP4_stream
-- @tparam string command
-- @tparam[opt] table options those of `IMAP4`
-- @treturn[1] imap4
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail, err = imap.IMAP4_stream "echo '* BYE not now'"
-- print(mail, err.text) --> nil not now
local IMAP4_stream = class("IMAP4_stream", IMAP4)
M.IMAP4_stream = IMAP4_stream

function IMAP4_stream:__init(command, options)
  check.argument(session.TEXT, command, 1, "IMAP4_stream")
  options = check.options(options, OPTIONS, 2, "IMAP4_stream")
  local socket, pid, errno = program.start(command)
  if not socket then return nil, pid, errno end
  self.pid, options.socket = pid, socket
  local _, err, code = connect(self, "localhost", nil, options)
  if err then
    self:shutdown()
    return nil, err, code
  end
end

--- What the server can do. (`mail.capabilities` has it, too.)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} one string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- print(select(2, mail:capability())[1]:match "IMAP4rev1") --> IMAP4rev1
function IMAP4:capability() return session.ask(self, "CAPABILITY", {}) end

--- Goes over to TLS. A server that does not offer it is not asked: nothing goes on in the clear by mistake. What the
-- server has said before is forgotten.
-- @tparam[opt] context context (default: that of the connection)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EOPNOTSUPP`: it does not offer it; `EISCONN`: the connection is over TLS already)
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- print(select(2, mail:starttls()).name) --> EOPNOTSUPP
function IMAP4:starttls(context)
  if self.d and self.d.secure then return failure("EISCONN", "the connection is over TLS already") end
  if self.d and not session.has(self, "STARTTLS") then
    return failure("EOPNOTSUPP", "the server does not offer STARTTLS")
  end
  return run(self, "STARTTLS", function(d)
    local status, text, errno = say(self, d, "STARTTLS", {})
    if not status then return nil, text, errno end
    local ok, err, code = d:starttls(context)
    if not ok then return nil, err, code end
    self.untagged_responses, self.kept, self.capabilities = {}, 0, {}
    ok, err, code = ask_capabilities(self, d)
    if not ok then return nil, err, code end
    return status, { text }
  end)
end

--- With a level above 0 what passes is told on standard error (but no passwords).
-- @tparam int level
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:set_debuglevel(0)
function IMAP4:set_debuglevel(level)
  check.argument(check.integer(0), level, 1, "set_debuglevel")
  if self.d then self.d.debuglevel = level end
end

-- --- logging in -----------------------------------------------------------------------------------

--- Logs in, in the clear unless the connection is over TLS. A server that says it will not have it (`LOGINDISABLED`) is
-- not told the password.
-- @tparam string user
-- @tparam string password
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EPERM`: the server takes it over TLS alone)
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- print((mail:login("jane", "secret"))) --> OK
function IMAP4:login(user, password)
  local args = { session.string_of(user, 1, "login"), session.string_of(password, 2, "login") }
  return run(self, "LOGIN", function(d)
    if session.has(self, "LOGINDISABLED") then
      return failure("EPERM", "the server takes no passwords here (LOGINDISABLED): use TLS", { kind = "permanent" })
    end
    self.stale = true -- who has logged in may do more
    local status, text, errno = say(self, d, "LOGIN", args, "LOGIN ...")
    if not status then return nil, text, errno end
    self.state = "AUTH"
    return status, { text }
  end)
end

-- What answers challenges: a function of the caller's, as imaplib has it, or a conversation of csock.wire.sasl.
local function respond(exchange, challenge)
  if type(exchange) ~= "function" then return exchange:step(challenge) end
  local response = exchange(challenge)
  if response ~= nil and type(response) ~= "string" then
    check.bad("authenticate", 2, "a function that gives strings expected")
  end
  return response or false
end

-- Answers the server's challenges: "OK", text; nil, err, errno.
local function converse(self, d, exchange)
  while true do
    local kind, text, more = session.settle(self, d)
    if kind ~= "+" then
      local status, said, errno = session.outcome(d, kind, text, more)
      if not status then return nil, said, errno end
      if type(exchange) ~= "function" then
        local ok, err, code = exchange:finish()
        if not ok then return d:fail(err, code) end
      end
      return status, said
    end
    local challenge = base64.decode(text)
    if not challenge then return d:protest "a challenge that is no Base64" end
    local response, err, errno = respond(exchange, challenge)
    if response == nil then return d:fail(err, errno) end
    d:put(response and base64.encode(response) or "*", "...")
  end
end

--- Logs in by SASL.
-- @tparam string mechanism `"SCRAM-SHA-256"`, `"PLAIN"` ...
-- @tparam table|function authobject `user`, `password`, `token`, `authzid`: what the mechanism needs; or a function
-- that gets each challenge and gives the response to it, or nil to give up
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- print((mail:authenticate("PLAIN", {user = "jane", password = "secret"}))) --> OK
function IMAP4:authenticate(mechanism, authobject)
  check.argument(check.kind("name of a mechanism", function(value)
    return type(value) == "string" and value:find "^[%w_-]+$" ~= nil
  end), mechanism, 1, "authenticate")
  local exchange, line = authobject, "AUTHENTICATE " .. mechanism:upper()
  if type(authobject) ~= "function" then
    local err, errno
    exchange, err, errno = sasl.start(mechanism, authobject)
    if not exchange then return nil, err, errno end
  end
  return run(self, "AUTHENTICATE", function(d)
    local first = exchange ~= authobject and exchange:first()
    local at_once = first and session.has(self, "SASL-IR")
    local initial = at_once and " " .. (first == "" and "=" or base64.encode(first)) or ""
    self.stale = true
    d:put(session.new_tag(self) .. " " .. line .. initial, line .. " ...")
    if first and not at_once then
      local kind, text, more = session.settle(self, d)
      if kind ~= "+" then
        if text == "OK" then return d:protest "the server says yes before it has heard anything" end
        return session.outcome(d, kind, text, more)
      end
      d:put(base64.encode(first), "...")
    end
    local status, text, errno = converse(self, d, exchange)
    if not status then return nil, text, errno end
    self.state = "AUTH"
    return status, { text }
  end)
end

--- Logs in by a digest of the password. (MD5: who listens may guess the password.) Needs `csock.ssl`.
-- @tparam string user
-- @tparam string password
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- print((mail:login_cram_md5("jane", "secret"))) --> OK
function IMAP4:login_cram_md5(user, password)
  check.argument(check.STRING, user, 1, "login_cram_md5")
  check.argument(check.STRING, password, 2, "login_cram_md5")
  return self:authenticate("CRAM-MD5", { user = user, password = password })
end

--- Acts as somebody else, as an administrator may (Sun's and Netscape's servers).
-- @tparam string user
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:proxyauth "joe")) --> OK
function IMAP4:proxyauth(user) return session.command(self, "PROXYAUTH", { raw(user, 1, "proxyauth") }) end

--- Turns on what the server does only where that is asked for (RFC 5161).
-- @tparam string capability `"UTF8=ACCEPT"`: names are UTF-8 then, no longer UTF-7
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EOPNOTSUPP`: the server has no such command)
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:enable "CONDSTORE")) --> OK
function IMAP4:enable(capability)
  local argument = raw(capability, 1, "enable")
  local status, data, errno = session.where_offered(self, "ENABLE", function()
    return session.command(self, "ENABLE", { argument })
  end)
  if not status then return nil, data, errno end
  if capability:upper():find("UTF8=ACCEPT", 1, true) then self.utf8_enabled = true end
  return status, data
end

--- Says a command that has no method.
-- @tparam string name
-- @param ... its arguments
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- print((mail:xatom("ID", "NIL"))) --> OK
function IMAP4:xatom(name, ...)
  return session.command(self, check.argument(session.TEXT, name, 1, "xatom"):upper(),
    raws(table.pack(...), 2, "xatom"))
end

for _, name in ipairs { "mailboxes", "messages", "idle" } do
  for key, method in pairs(require("csock.imap." .. name)) do IMAP4[key] = method end
end

-- --- the end --------------------------------------------------------------------------------------

--- Ends the session, and closes the connection.
-- @treturn[1] string `"BYE"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail = assert(imap.IMAP4("localhost", 143))
-- print((mail:logout())) --> BYE
function IMAP4:logout()
  local status, text, errno = run(self, "LOGOUT", function(d)
    self.leaving = true
    return say(self, d, "LOGOUT", {})
  end)
  local bye = session.pop(self, "BYE")
  self:shutdown()
  if not status and not bye then return nil, text, errno end
  return bye and "BYE" or status, bye or { text }
end

--- Closes the connection. Closing again is harmless.
-- @treturn boolean true
-- @usage
-- local mail = assert(imap.IMAP4("localhost", 143))
-- mail:shutdown()
function IMAP4:shutdown()
  self.state = "LOGOUT"
  if self.d then self.d:close() end
  self.d = nil
  if self.pid then program.stop(self.pid) end
  self.pid = nil
  return true
end

IMAP4.__close = IMAP4.shutdown

-- imaplib has each command in upper case, too.
IMAP4.__index = function(_, name)
  return type(name) == "string" and session.STATES[name] and IMAP4[name:lower()] or nil
end

return M
