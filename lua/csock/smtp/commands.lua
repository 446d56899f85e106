-- commands.lua: SMTP's commands, one by one.
local address = require "csock.smtp.address"
local check = require "csock.check"
local connection = require "csock.smtp.connection"
local message = require "csock.smtp.message"
local transaction = require "csock.smtp.transaction"

local SMTP = connection.SMTP
local ask, forget, run = connection.ask, connection.forget, connection.run

local M = {}

local function ehlo(self, name)
  forget(self)
  local d = self.dialog
  local ok, err, errno = d:put(self.hello .. " " .. (name or self.local_hostname))
  if not ok then return nil, err, errno end
  local code, text, lines = d:reply()
  if not code then return nil, text, lines end
  self.ehlo_resp = text
  if code == 250 then self.does_esmtp, self.esmtp_features = true, address.features(lines) end
  return code, text
end

--- Says EHLO, and takes note of what the server has.
-- Source: Python's `SMTP.ehlo`.
-- @tparam[opt] string name (default: `local_hostname`)
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:ehlo()
-- print(server:has_extn "size") --> true
function SMTP:ehlo(name) return run(self, ehlo, name) end

local function helo(self, name)
  local code, text, errno = ask(self, "HELO " .. (name or self.local_hostname))
  if not code then return nil, text, errno end
  self.helo_resp = text
  return code, text
end

--- Says HELO.
-- Source: Python's `SMTP.helo`.
-- @tparam[opt] string name (default: `local_hostname`)
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print((server:helo())) --> 250
function SMTP:helo(name) return run(self, helo, name) end

-- Says hello unless that was done: true; nil, err, errno.
function M.introduce(self)
  if self.ehlo_resp and self.does_esmtp or self.helo_resp then return true end
  local code, text, errno = ehlo(self)
  if code and code // 100 ~= 2 and not self.lmtp then code, text, errno = helo(self) end
  if not code then return nil, text, errno end
  if code // 100 ~= 2 then return self.dialog:refusal(code, text, { name = "SMTPHeloError" }) end
  return true
end

--- Says EHLO, or HELO to a server that does not know that, unless it was said. The other methods do it by themselves.
-- Source: Python's `SMTP.ehlo_or_helo_if_needed`.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error `SMTPHeloError`
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- assert(server:ehlo_or_helo_if_needed())
function SMTP:ehlo_or_helo_if_needed() return run(self, M.introduce) end

--- Whether the server has an extension, as it said to EHLO.
-- Source: Python's `SMTP.has_extn`.
-- @tparam string name in any case
-- @treturn boolean
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:ehlo()
-- print(server:has_extn "8bitmime") --> true
function SMTP:has_extn(name)
  check.argument(check.STRING, name, 1, "has_extn")
  return self.esmtp_features[name:lower()] ~= nil
end

--- What the server has to say about itself, or a command.
-- Source: Python's `SMTP.help`.
-- @tparam[opt] string command
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print(#server:help() > 0) --> true
function SMTP:help(command)
  local code, text, errno = self:docmd("HELP", command)
  if not code then return nil, text, errno end
  return text
end

--- Ends the mail that was begun.
-- Source: Python's `SMTP.rset`.
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print((server:rset())) --> 250
function SMTP:rset() return self:docmd "RSET" end

--- Does nothing, on the server's side.
-- Source: Python's `SMTP.noop`.
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print((server:noop())) --> 250
function SMTP:noop() return self:docmd "NOOP" end

--- Begins a mail. (`sendmail` does it all.)
-- Source: Python's `SMTP.mail`.
-- @tparam string sender an address; `""` is nobody, as bounces have it
-- @tparam[opt] table options a sequence of parameters as they are sent (`"BODY=8BITMIME"`), or
-- @tparam[opt] int options.size bytes
-- @tparam[opt] string options.body `"7BIT"` or `"8BITMIME"`
-- @tparam[opt] boolean options.smtputf8 addresses and headers are in UTF-8
-- @tparam[opt] string options.ret DSN: what comes back with a notice: `"FULL"` or `"HDRS"`
-- @tparam[opt] string options.envid DSN: a name for this mail in notices
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for what is no address, no parameter
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:helo()
-- print((server:mail "jane@example.org")) --> 250
function SMTP:mail(sender, options)
  local line = "MAIL FROM:" .. address.quote(sender, 1, "mail")
  return run(self, ask, transaction.with_words(line, address.mail_words(options, 2, "mail")))
end

--- Says for whom the mail is: once for each recipient.
-- Source: Python's `SMTP.rcpt`.
-- @tparam string recipient an address
-- @tparam[opt] table options a sequence of parameters as they are sent, or
-- @param[opt] options.notify DSN: `"NEVER"`, or a list of `"SUCCESS"`, `"FAILURE"` and `"DELAY"`
-- @param[opt] options.orcpt DSN: for whom the mail was meant at first; true: for this one
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for what is no address, no parameter
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:helo()
-- server:mail "jane@example.org"
-- print((server:rcpt "joe@example.org")) --> 250
function SMTP:rcpt(recipient, options)
  local mailbox = address.mailbox(recipient, 1, "rcpt")
  local words = address.rcpt_words(options, 2, "rcpt", mailbox)
  return run(self, ask, transaction.with_words("RCPT TO:<" .. mailbox .. ">", words))
end

--- Sends the message itself.
-- Source: Python's `SMTP.data`.
-- @tparam string msg as for `sendmail`
-- @treturn[1] int code of the last answer: over LMTP there is one for each recipient that was taken
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error `SMTPDataError`, where the server wants none
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:helo()
-- server:mail "jane@example.org"
-- server:rcpt "joe@example.org"
-- print((server:data "Subject: hello\n\nHow are you?\n")) --> 250
function SMTP:data(msg)
  local bytes = message.stuff(msg, 1, "data")
  return run(self, function()
    local code, text, errno = ask(self, "DATA")
    if not code then return nil, text, errno end
    if code ~= 354 then return self.dialog:refusal(code, text, { name = "SMTPDataError" }) end
    self.dialog:write(bytes)
    return connection.answer(self)
  end)
end

--- Asks whether there is such a user. Most servers do not say.
-- Source: Python's `SMTP.verify`.
-- @tparam string who
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print((server:vrfy "jane@example.org")) --> 252
function SMTP:vrfy(who) return self:docmd("VRFY", address.mailbox(who, 1, "vrfy")) end

SMTP.verify = SMTP.vrfy

--- Asks who is on a list.
-- Source: Python's `SMTP.expn`.
-- @tparam string list
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print((server:expn "everybody")) --> 502
function SMTP:expn(list) return self:docmd("EXPN", address.mailbox(list, 1, "expn")) end

--- Says good-bye, and closes the connection.
-- Source: Python's `SMTP.quit`.
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(smtp.SMTP("localhost", 25))
-- print((server:quit())) --> 221
function SMTP:quit()
  local code, text, errno = self:docmd "QUIT"
  self:close()
  return code, text, errno
end

return M
