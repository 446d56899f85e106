-- transaction.lua: one mail on its way: MAIL, RCPT and DATA, in one write where the server allows, and who was refused.
local address = require "csock.smtp.address"
local ascii = require "csock.wire.ascii"
local connection = require "csock.smtp.connection"
local csock = require "csock"

local M = {}

-- How many commands go out before their replies are read (PIPELINING): so that neither side waits for the other to
-- read, whatever the sizes of the system's buffers.
local MOST_AT_ONCE = 100

-- The parameters of MAIL for this message: those that were asked for, and SIZE, BODY and SMTPUTF8 where there is need;
-- nil, err, errno for what the server does not have.
function M.mail_words(self, envelope, bytes, size)
  local features, words, has = self.esmtp_features, { table.unpack(envelope.mail_words) }, {}
  for _, word in ipairs(words) do has[word:match "^[^=]*":upper()] = true end
  if envelope.international and not has.SMTPUTF8 then words[#words + 1] = "SMTPUTF8" end
  if not has.BODY and not address.is_ascii(bytes) then words[#words + 1] = "BODY=8BITMIME" end
  if features.size then
    local most = ascii.integer(features.size, math.maxinteger)
    if most and most > 0 and size > most then
      return csock.make_error {
        call = self.__class.__name, kind = "permanent", name = "SMTPDataError", errno = csock.errno.EMSGSIZE,
        strerror = ("a message of %d bytes, and the server takes %d"):format(size, most),
      }
    end
    if not has.SIZE then words[#words + 1] = ("SIZE=%d"):format(size) end
  end
  local lacks = address.lacking(words, features) or address.lacking(envelope.rcpt_words[1], features)
  if lacks then return connection.unsupported(self, ("the server has no %s"):format(lacks:upper())) end
  return words
end

local function with_words(command, words)
  return #words > 0 and command .. " " .. table.concat(words, " ") or command
end

M.with_words = with_words

local function is_taken(command) return command.code == 250 or command.code == 251 end

-- Sends the commands, of which the last is DATA, and reads their replies: how many recipients were taken; nil, err,
-- errno, and the dialog is broken. It stops where nothing more can come of it.
local function exchange(self, commands)
  local d, taken, sent = self.dialog, 0, 0
  local at_once = self.esmtp_features.pipelining and MOST_AT_ONCE or 1
  while sent < #commands do
    local last = math.min(sent + at_once, #commands)
    if sent > 0 and commands[1].code ~= 250 or last == sent + 1 and last == #commands and taken == 0 then break end
    local lines = {}
    for i = sent + 1, last do lines[#lines + 1] = commands[i].line end
    local ok, err, errno = d:put(lines)
    if not ok then return nil, err, errno end
    for i = sent + 1, last do
      local command = commands[i]
      command.code, command.text = d:reply()
      if not command.code then return nil, command.text, d.errno end
      if command.to and is_taken(command) then taken = taken + 1 end
    end
    sent = last
  end
  return taken
end

-- Sends the message, and reads the replies: LMTP gives one for each recipient that was taken. The code and text of the
-- last, and for how many it was good; nil, err, errno.
local function transmit(self, bytes, commands, refused)
  local d = self.dialog
  local ok, err, errno = d:write(bytes)
  if not ok then return nil, err, errno end
  local code, text, broken, good = nil, nil, nil, 0
  for _, command in ipairs(commands) do
    if command.to and is_taken(command) then
      if self.lmtp or not code then code, text, broken = d:reply() end
      if not code then return nil, text, broken end
      if code == 250 then good = good + 1 else refused[command.to] = { code, text } end
    end
  end
  return code, text, good
end

-- Ends a mail that the server has refused: nil, err, errno.
local function give_up(self, code, text, fields)
  self.dialog:put "RSET"
  self.dialog:reply()
  return self.dialog:refusal(code, text, fields)
end

local function all_refused(refused, recipients)
  local code, text = table.unpack(refused[recipients[#recipients]])
  return code, text, { name = "SMTPRecipientsRefused", recipients = refused }
end

-- Sends a mail (see message.lua). The recipients who were refused, each with {code, text}; nil, err, errno where there
-- was nobody else.
function M.send(self, envelope, bytes, size)
  local words, err, errno = M.mail_words(self, envelope, bytes, size)
  if not words then return nil, err, errno end
  local commands = { { line = with_words("MAIL FROM:" .. envelope.sender, words) } }
  for i, quoted in ipairs(envelope.quoted) do
    commands[i + 1] = { line = with_words("RCPT TO:" .. quoted, envelope.rcpt_words[i]), to = envelope.recipients[i] }
  end
  local mail, data = commands[1], { line = "DATA" }
  commands[#commands + 1] = data
  local taken
  taken, err, errno = exchange(self, commands)
  if not taken then return nil, err, errno end
  local refused = {}
  for _, command in ipairs(commands) do
    if command.to and command.code and not is_taken(command) then
      refused[command.to] = { command.code, command.text }
    end
  end
  if data.code == 354 and (mail.code ~= 250 or taken == 0) then -- sent with the others: there is nothing to say
    local code
    self.dialog:write ".\r\n"
    code, err, errno = self.dialog:reply()
    if not code then return nil, err, errno end
  end
  if mail.code ~= 250 then return give_up(self, mail.code, mail.text, { name = "SMTPSenderRefused" }) end
  if taken == 0 then return give_up(self, all_refused(refused, envelope.recipients)) end
  if data.code ~= 354 then return give_up(self, data.code, data.text, { name = "SMTPDataError" }) end
  local code, text, good = transmit(self, bytes, commands, refused)
  if not code then return nil, text, good end
  if good > 0 then return refused end
  if self.lmtp then return self.dialog:refusal(all_refused(refused, envelope.recipients)) end
  return self.dialog:refusal(code, text, { name = "SMTPDataError" })
end

return M
