--- Sending mail: Python's `smtplib`, over SMTP and LMTP.
--
--     local smtp = require "csock.smtp"
--
--     local server <close> = assert(smtp.SMTP("mail.example.org", 587, { tls = "starttls", timeout = 30 }))
--     assert(server:login("jane", "secret"))
--     local refused = assert(server:sendmail("jane@example.org", { "joe@example.org", "jim@example.com" },
--       "Subject: hello\n\nHow are you?\n"))
--     for address, reply in pairs(refused) do print(address, reply[1], reply[2]) end
--
-- It waits like the socket below: outside of tasks and in them, in the clear and over TLS. Each call has one time
-- limit for all that it does.
--
-- The short commands (`mail`, `rcpt`, `docmd`, `noop` ...) give the server's code and text, whatever these are; what
-- is meant to succeed (`connect`, `starttls`, `login`, `sendmail`) gives nil and an error with `code` and `text`
-- instead. Its `kind` is `"temporary"` (4xx: later it may go), `"permanent"` (5xx) or `"protocol"`; its `name` is that
-- of Python's exception: `"SMTPRecipientsRefused"` (with `recipients`), `"SMTPSenderRefused"`, `"SMTPDataError"`,
-- `"SMTPAuthenticationError"`, `"SMTPConnectError"`, `"SMTPHeloError"`, `"SMTPNotSupportedError"`. When the connection
-- is lost, or the server hangs up (421, wherever it says so), each call gives that error until `connect` makes a new
-- one, which knows nothing of the one before.
--
-- No password goes over a connection without TLS, unless the caller says `insecure = true`, and no TLS that was asked
-- for is left out where the server has none. CR, LF and NUL in an address or a command raise before a byte is sent.
-- @module csock.smtp
local address = require "csock.smtp.address"
local auth = require "csock.smtp.auth"
local check = require "csock.check"
local class = require "csock.class"
local commands = require "csock.smtp.commands"
local connection = require "csock.smtp.connection"
local message = require "csock.smtp.message"
local sasl = require "csock.wire.sasl"
local transaction = require "csock.smtp.transaction"

local SMTP, run = connection.SMTP, connection.run

local M = {
  SMTP = SMTP, SMTP_PORT = connection.SMTP_PORT, SMTP_SSL_PORT = connection.SMTP_SSL_PORT,
  LMTP_PORT = connection.LMTP_PORT,
}

--- An address as it stands in a command.
-- Source: Python's `smtplib.quoteaddr`.
-- @function quoteaddr
-- @tparam string address `jane@example.org`, or `Jane <jane@example.org>`
-- @treturn string
-- @raise for what is none
-- @usage print(smtp.quoteaddr "Jane <jane@example.org>") --> <jane@example.org>
function M.quoteaddr(text) return address.quote(text, 1, "quoteaddr") end

-- --- who one is -----------------------------------------------------------------------------------

-- Says hello, and does something then.
local function introduced(self, f, ...)
  local ok, err, errno = commands.introduce(self)
  if not ok then return nil, err, errno end
  return f(self, ...)
end

--- Logs in: by the best mechanism that the server offers and this side has (SCRAM-SHA-256, CRAM-MD5, XOAUTH2, PLAIN,
-- LOGIN), and by the next where that is refused. In the clear only those that do not show the password, unless the
-- object or the call is `insecure`.
-- Source: Python's `SMTP.login`.
-- @tparam string user
-- @tparam ?string password nil where there is a token
-- @tparam[opt] table options
-- @tparam[opt] string options.token for XOAUTH2, instead of a password
-- @tparam[opt] string options.authzid as whom to act
-- @tparam[opt] boolean options.insecure true: show the password in the clear, where nothing else is offered
-- @tparam[opt=true] boolean options.initial_response_ok false: nothing secret stands in the command itself
-- @treturn[1] int code 235, or 503 for who was logged in
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error `SMTPAuthenticationError`; `SMTPNotSupportedError`; `SASLInsecure`, `SASLUnavailable`
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:login("jane", "secret")
function SMTP:login(user, password, options)
  check.argument(check.STRING, user, 1, "login")
  if password ~= nil then check.argument(check.STRING, password, 2, "login") end
  options = check.options(options, {
    token = { check.STRING }, authzid = { check.STRING }, insecure = { check.ANY, self.insecure, false },
    initial_response_ok = { check.ANY, true, false },
  }, 3, "login")
  local fields = { user = user, password = password, token = options.token, authzid = options.authzid }
  sasl.check(fields, 1, "login")
  return run(self, introduced, auth.login, fields, options)
end

--- Logs in by this mechanism.
-- Source: Python's `SMTP.auth`.
-- @tparam string mechanism
-- @param authobject a function that gets each challenge, or nil for what is said first, and gives the response to it
-- (nil: none); or, for a mechanism that csock knows, a table: `user`, `password`, `token`, `authzid`
-- @tparam[opt] table options
-- @tparam[opt=true] boolean options.initial_response_ok false: the server is to ask first
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:auth("SCRAM-SHA-256", {user = "jane", password = "secret"})
function SMTP:auth(mechanism, authobject, options)
  check.argument(check.STRING, mechanism, 1, "auth")
  options = check.options(options, { initial_response_ok = { check.ANY, true, false } }, 3, "auth")
  local conversation, err, errno
  if type(authobject) == "table" then
    conversation, err, errno = sasl.start(mechanism, authobject)
    if not conversation then return nil, err, errno end
  else
    check.argument(check.FUNCTION, authobject, 2, "auth")
    conversation = auth.by_function(authobject, options.initial_response_ok)
  end
  return run(self, introduced, auth.converse, mechanism:upper(), conversation, options.initial_response_ok)
end

-- --- mails ----------------------------------------------------------------------------------------

--- Sends a mail, all of it: says hello if need be, from whom, to whom, and the message. With PIPELINING that takes two
-- writes, however many recipients there are.
--
-- SIZE is said, and BODY=8BITMIME and SMTPUTF8 are, where the message and the addresses need them; where a server has
-- not what is needed (or what was asked for, DSN), that is `SMTPNotSupportedError`.
-- Source: Python's `SMTP.sendmail`.
-- @tparam string from_addr an address; `""` is nobody, as bounces have it
-- @param to_addrs an address, or a sequence of them
-- @tparam string msg the message, header and body; line ends of any kind become CRLF, and dots are doubled
-- @tparam[opt] table options
-- @tparam[opt] table options.mail_options as for `mail`: `{ret = "HDRS", envid = "x"}`
-- @tparam[opt] table options.rcpt_options as for `rcpt`: `{notify = {"FAILURE"}, orcpt = true}`
-- @treturn[1] table the recipients that were refused: address to `{code, text}`; empty when there were none
-- @treturn[2] nil
-- @treturn[2] error `SMTPRecipientsRefused` when all were: its `recipients` is such a table; `SMTPSenderRefused`,
-- `SMTPDataError`, `SMTPHeloError`, `SMTPNotSupportedError`
-- @treturn[2] int errno
-- @raise for what is no address, before anything is sent
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- local refused = assert(server:sendmail("jane@example.org", {"joe@example.org"}, "Subject: hello\n\nHow are you?\n"))
-- print(next(refused)) --> nil
function SMTP:sendmail(from_addr, to_addrs, msg, options)
  local envelope = message.envelope(from_addr, to_addrs, options, "sendmail")
  return run(self, introduced, transaction.send, envelope, message.stuff(msg, 3, "sendmail"))
end

--- Sends a message to whom its header says (To, Cc and Bcc; those with Resent- where it was sent again), without its
-- Bcc.
-- Source: Python's `SMTP.send_message`.
-- @param msg a message of csock.email, or anything with a method `as_bytes`; or a string
-- @tparam[opt] string from_addr (default: its Sender, or From)
-- @param[opt] to_addrs as for `sendmail` (default: its To, Cc and Bcc)
-- @tparam[opt] table options as for `sendmail`
-- @treturn[1] table as of `sendmail`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for a message that says not from whom, or to whom
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- assert(server:send_message "From: Jane <jane@example.org>\nTo: joe@example.org\n\nHow are you?\n")
function SMTP:send_message(msg, from_addr, to_addrs, options)
  local text = msg
  if type(msg) == "table" and msg.as_bytes then text = msg:as_bytes() end
  check.argument(check.STRING, text, 1, "send_message")
  local from, to, bare = message.read(text, "send_message")
  return self:sendmail(from_addr or from or check.bad("send_message", 1, "a message with a sender expected"),
    to_addrs or #to > 0 and to or check.bad("send_message", 1, "a message with recipients expected"), bare, options)
end

-- --- the others -----------------------------------------------------------------------------------

--- The same over TLS from the first byte on.
-- Source: Python's `smtplib.SMTP_SSL`.
-- @type smtp_ssl
local SMTP_SSL = class("SMTP_SSL", SMTP)
M.SMTP_SSL = SMTP_SSL

SMTP_SSL.default_port, SMTP_SSL.tls = M.SMTP_SSL_PORT, "tls"

--- Made by calling the class, by the arguments of @{csock.smtp.SMTP}; the port is 465 unless told.
-- @function csock.smtp.SMTP_SSL
-- @tparam[opt] string host
-- @tparam[opt] int port
-- @tparam[opt] table options
-- @treturn[1] smtp_ssl
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno

--- Mail to where it is delivered (RFC 2033): `sendmail` hears of each recipient whether it was.
-- Source: Python's `smtplib.LMTP`.
-- @type lmtp
local LMTP = class("LMTP", SMTP)
M.LMTP = LMTP

LMTP.default_port, LMTP.hello, LMTP.lmtp = M.LMTP_PORT, "LHLO", true

--- Made by calling the class, by the arguments of @{csock.smtp.SMTP}; the port is 2003 unless told, and a host that
-- begins with `/` is the path of a Unix socket.
-- @function csock.smtp.LMTP
-- @tparam[opt] string host
-- @tparam[opt] int port
-- @tparam[opt] table options
-- @treturn[1] lmtp
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno

return M
