-- message.lua: a message and its envelope: what is sent, from whom and to whom.
local address = require "csock.smtp.address"
local addresses = require "csock.email.address"
local check = require "csock.check"
local dots = require "csock.wire.dots"

local M = {}

-- A message as it is sent (see csock.wire.dots), and its size without what was added.
function M.stuff(text, number, call)
  check.argument(check.STRING, text, number, call)
  local bytes = dots.stuff(text)
  local size, at = #bytes - #".\r\n", bytes:find("..", 1, true) == 1 and 1 or bytes:find("\n..", 1, true)
  while at do
    size, at = size - 1, bytes:find("\n..", at + 1, true)
  end
  return bytes, size
end

-- The envelope of a mail: `sender` as it stands in the command; `recipients` as the caller has them, `quoted` and
-- `rcpt_words` for each; `mail_words`; `international`: whether an address needs UTF-8.
function M.envelope(from, to, options, call)
  if type(to) == "string" then to = { to } end
  if type(to) ~= "table" or #to == 0 then check.expected(call, 2, "address, or a list of them", to) end
  options = check.options(options, { mail_options = { check.TABLE }, rcpt_options = { check.TABLE } }, 4, call)
  local envelope = {
    sender = address.quote(from, 1, call), recipients = to, quoted = {}, rcpt_words = {},
    mail_words = address.mail_words(options.mail_options, 4, call),
  }
  envelope.international = not address.is_ascii(envelope.sender)
  for i, recipient in ipairs(to) do
    local mailbox = address.mailbox(recipient, 2, call)
    envelope.quoted[i] = "<" .. mailbox .. ">"
    envelope.rcpt_words[i] = address.rcpt_words(options.rcpt_options, 4, call, mailbox)
    envelope.international = envelope.international or not address.is_ascii(mailbox)
  end
  return envelope
end

-- --- addresses in a message's header ---------------------------------------------------------------

-- The header's fields, in order: {name in lower case, value, first byte, last byte with its line end}; and where the
-- body begins, with the empty line.
local function fields_of(text)
  local fields, at = {}, 1
  while at <= #text do
    local name, next_at = text:match("^([!-9;-~]+)[ \t]*:()", at)
    if not name then break end
    local last = text:match("^[^\r\n]*()", next_at)
    local after = text:match("^\r?\n()", last) or text:match("^\r()", last) or last
    while text:find("^[ \t]", after) do -- it goes on
      last = text:match("^[^\r\n]*()", after)
      after = text:match("^\r?\n()", last) or text:match("^\r()", last) or last
    end
    fields[#fields + 1] = { name:lower(), text:sub(next_at, last - 1):gsub("[\r\n]+", ""), at, after - 1 }
    at = after
  end
  return fields, at
end

-- The same without these fields.
local function without(text, fields, names)
  local pieces, from = {}, 1
  for _, field in ipairs(fields) do
    if names[field[1]] then
      pieces[#pieces + 1] = text:sub(from, field[3] - 1)
      from = field[4] + 1
    end
  end
  pieces[#pieces + 1] = text:sub(from)
  return table.concat(pieces)
end

-- Adds the mailboxes that stand in a field's value.
local function add_mailboxes(list, text)
  for _, pair in ipairs(addresses.parse(text)) do
    if pair[2] ~= "" then list[#list + 1] = pair[2] end
  end
end

local SECRET = { bcc = true, ["resent-bcc"] = true }

-- What a message's header says: from whom, to whom (Resent-... where it was sent again), and the message without its
-- Bcc. Raises where it says that twice.
function M.read(text, call)
  local fields = fields_of(text)
  local prefix, resent = "", 0
  for _, field in ipairs(fields) do
    if field[1] == "resent-date" then prefix, resent = "resent-", resent + 1 end
  end
  if resent > 1 then check.bad(call, 1, "a message that was sent again more than once: say from whom and to whom") end
  local senders, authors, recipients = {}, {}, {}
  local lists = {
    sender = senders, from = authors, to = recipients, cc = recipients, bcc = recipients,
  }
  for _, field in ipairs(fields) do
    local list = field[1]:sub(1, #prefix) == prefix and lists[field[1]:sub(#prefix + 1)]
    if list then add_mailboxes(list, field[2]) end
  end
  return senders[1] or authors[1], recipients, without(text, fields, SECRET)
end

return M
