-- csock.pop3 and csock.imap: the kind, a port, the number of messages. Prints CPU and time in seconds.
local csock = require "csock"

local kind, port, count = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3])
local seen, client = 0
if kind == "pop3" then
  client = assert(require("csock.pop3").POP3("127.0.0.1", port))
  assert(client:user "jane")
  assert(client:pass_ "secret")
else
  client = assert(require("csock.imap").IMAP4("127.0.0.1", port))
  assert(client:login("jane", "secret"))
  assert(client:select "INBOX")
end
local cpu, time = os.clock(), csock.now()
if kind == "pop3" then
  for _, text in client:messages(nil, 0) do seen = seen + (text:find "^From: Jane" and 1 or 0) end
else
  local _, data = assert(client:fetch("1:" .. count, "(BODY.PEEK[HEADER])"))
  for _, item in ipairs(data) do
    local text = type(item) == "table" and item[2] or ""
    seen = seen + (text:find "^From: Jane" and 1 or 0)
  end
end
print(os.clock() - cpu, csock.now() - time)
assert(seen == count, seen)
