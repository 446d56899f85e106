-- send_mail.lua: sends a mail: what is typed, up to Ctrl-D, to the addresses of the third argument (with commas between
-- them).
--
--   lua5.4 examples/send_mail.lua [host] [port] [to]
--
--   --from ADDRESS     who sends it (default: $USER at this machine)
--   --subject TEXT     what it is about
--   --tls              over TLS: from the first byte on at port 465, else by STARTTLS; at port 587 unless told
--   --cafile FILE      whom to trust then, in PEM, instead of the system's authorities
--   --user NAME        log in as this one; it asks for the password
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"
local email = require "csock.email"
local smtp = require "csock.smtp"

local PATIENCE = 60 -- seconds, for each step

-- The addresses in a text, without names.
local function addresses_in(text)
  local list = {}
  for i, pair in ipairs(email.getaddresses { text }) do
    list[i] = pcall(smtp.quoteaddr, pair[2]) and pair[2]:find "." and pair[2] or example.fail("no address: '%s'", text)
  end
  return list
end

local function read_text(socket)
  print "The text, and then Ctrl-D:"
  local lines = {}
  while true do
    local line, why = example.typed_line(socket)
    if why then example.fail("%s", why) end
    if not line then return table.concat(lines, "\n") .. "\n" end
    if not utf8.len(line) then example.fail "the text is no UTF-8" end
    lines[#lines + 1] = line
  end
end

example.run(function()
  local cafile = example.value("--cafile", "FILE")
  local from = example.value("--from", "ADDRESS")
  local subject = example.value("--subject", "TEXT") or "a mail"
  local tls, user = example.option "--tls", example.value("--user", "NAME")
  local host, port, to = example.arguments("host", "localhost", "port", 25, "to", "postmaster@localhost")
  if tls and port == smtp.SMTP_PORT then port = 587 end -- where users hand in their mails
  from = from or ("%s@%s"):format(os.getenv "USER" or "me", csock.gethostname())
  local sender, recipients = addresses_in(from)[1], addresses_in(to)
  local ssl = tls and require "csock.ssl"
  local context = ssl and assert(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, { cafile = cafile })) or nil

  local server <close> = assert(smtp.SMTP(host, port, {
    timeout = PATIENCE, tls = tls and "auto" or "none", context = context,
  }))
  if user then
    local password = example.secret(("password of %s: "):format(example.clean(user)), server.sock)
    if not password then return end
    assert(server:login(user, password))
  end

  local message = email.EmailMessage()
  message.from, message.to, message.subject = from, to, subject
  message.date = email.formatdate()
  message["message-id"] = email.make_msgid()
  message:set_content(read_text(server.sock))
  local refused = assert(server:sendmail(sender, recipients, message:as_bytes()))
  server:quit()

  for _, address in ipairs(recipients) do
    local reply = refused[address]
    print(example.clean(("%s: %s"):format(address, reply and ("%d %s"):format(reply[1], reply[2]) or "sent")))
  end
  if next(refused) then os.exit(1, true) end
end)
