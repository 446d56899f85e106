-- mail_subjects.lua: logs in to a mailbox by POP3, and prints from whom each message is, and its subject. The messages
-- stay there. It asks for the password.
--
--   lua5.4 examples/mail_subjects.lua [host] [port] [user]
--
--   --tls            over TLS, on port 995 unless told; without it the password can be overheard
--   --cafile FILE    whom to trust then, in PEM, instead of the system's authorities
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local email = require "csock.email"
local pop3 = require "csock.pop3"

local PATIENCE = 30 -- seconds, for each step

example.run(function()
  local cafile = example.value("--cafile", "FILE")
  local tls = example.option "--tls"
  local host, port, user = example.arguments("host", "localhost", "port", 110, "user", os.getenv "USER" or "me")
  if tls and port == pop3.POP3_PORT then port = pop3.POP3_SSL_PORT end -- nobody speaks TLS there
  local ssl = tls and require "csock.ssl"
  local context = ssl and assert(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, { cafile = cafile })) or nil

  local Connection = tls and pop3.POP3_SSL or pop3.POP3
  local pop <close> = assert(Connection(host, port, { timeout = PATIENCE, context = context }))
  print(example.clean(pop:getwelcome()))
  local password = example.secret(("password of %s: "):format(example.clean(user)))
  if not password then return end
  assert(pop:user(user))
  assert(pop:pass_(password))

  local count, size = assert(pop:stat())
  print(("%d messages, %d bytes"):format(count, size))
  for number = 1, count do
    local _, lines = assert(pop:top(number, 0)) -- the header, and no line of what follows; retr gets all of it
    local header = assert(email.message_from_string(table.concat(lines, "\n"), { headersonly = true }))
    print(("%4d  %-30s  %s"):format(number, example.clean(header.from or ""), example.clean(header.subject or "")))
  end
  assert(pop:quit())
end)
