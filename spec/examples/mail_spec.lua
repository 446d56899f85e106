-- mail_subjects, send_mail and mail_server: what they say to others, and what they print.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local pop3 = require "csock.pop3"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local python = require "spec.support.python"
local smtp = require "csock.smtp"
local scripted = require "spec.support.scripted"

local tls = contexts.missing and pending or it

after_each(function()
  keep.close()
  example.stop_all()
end)

local HEADERS = {
  "From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_au_lait?=\r\n\r\n.",
  "from: bob\27[2J\r\nX-Subject: no\r\n\r\n.",
}

local MAILBOX = {
  "+OK ready", { expect = "^USER jane$" }, "+OK", { expect = "^PASS a secret$" }, "+OK in",
  { expect = "^STAT$" }, "+OK 2 320", { expect = "^TOP 1 0$" }, { send = "+OK\r\n" .. HEADERS[1] .. "\r\n" },
  { expect = "^TOP 2 0$" }, { send = "+OK\r\n" .. HEADERS[2] .. "\r\n" },
  { expect = "^QUIT$" }, "+OK bye", { close = true },
}

describe("examples/mail_subjects", function()
  local function shows(program)
    program:expect "^%+OK ready\npassword of jane: $"
    program:type "a secret"
    program:expect("^2 messages, 320 bytes\n   1  Ann <ann@example.org>           café au lait\n"
      .. "   2  bob%?%[2J                         \n$")
    assert.equal("", program:ends(0))
  end

  it("prints from whom the messages are, and their subjects", function()
    local server = keep(scripted.start(MAILBOX))
    shows(example.start("mail_subjects", "127.0.0.1", server.port, "jane"))
    assert.equal("QUIT", server:heard()[6])
  end)

  tls("does so over TLS, with whom it trusts", function()
    local server = keep(scripted.start_tls(MAILBOX))
    local program = example.start("mail_subjects", "--tls", "--cafile", certificates.ca.cert, "localhost", server.port,
      "jane")
    shows(program)
    assert.matches("^mail_subjects%.lua: [^\n]*CERTIFICATE_VERIFY_FAILED[^\n]*\n$",
      example.start("mail_subjects", "--tls", "localhost", server.port):ends(1))
  end)

  it("says in one line that the password is wrong", function()
    local server = keep(scripted.start { "+OK", { expect = "^USER" }, "+OK", { expect = "^PASS" }, "-ERR no" })
    local program = example.start("mail_subjects", "127.0.0.1", server.port, "jane")
    program:expect "password"
    program:type "x"
    assert.matches("^mail_subjects%.lua: [^\n]*%-ERR no[^\n]*\n$", program:ends(1))
  end)

  it("does not show the password at a terminal, and gives the terminal back", function()
    local server = keep(scripted.start(MAILBOX))
    local program = example.start_at_terminal("mail_subjects", "127.0.0.1", server.port, "jane")
    program:expect "password of jane: $"
    program:type "a secret"
    program:expect "2 messages"
    program:ends(0)
    assert.is_nil(program.out:find("secret", 1, true))
  end)

  it("ends on Ctrl-D at the question for the password, and on Ctrl-C", function()
    for _, key in ipairs { "\4", "\3" } do
      local server = keep(scripted.start { "+OK ready" })
      local program = example.start_at_terminal("mail_subjects", "127.0.0.1", server.port)
      program:expect "password of [^:]*: $"
      program:write(key)
      program:ends(0)
    end
  end)
end)

describe("examples/send_mail", function()
  local function expect_mail(step)
    local script = { "220 mail.test", { expect = "^EHLO " }, "250-mail.test\r\n250 8BITMIME" }
    return keep(scripted.start(table.move(step, 1, #step, #script + 1, script)))
  end

  local function start(server, ...)
    local told = { "--from", "Jane <jane@a>", "--subject", "café", ... }
    table.move({ "127.0.0.1", server.port, "joe@b, Jim <jim@b>" }, 1, 3, #told + 1, told)
    local program = example.start("send_mail", table.unpack(told))
    return program
  end

  it("sends what is typed, and says who was refused", function()
    local server = expect_mail {
      { expect = "^MAIL FROM:<jane@a>" }, "250 ok", { expect = "^RCPT TO:<joe@b>$" }, "250 ok",
      { expect = "^RCPT TO:<jim@b>$" }, "550 no\27[2J", { expect = "^DATA$" }, "354 go on", { upto = "." }, "250 taken",
      { expect = "^QUIT$" }, "221 bye", { close = true },
    }
    local program = start(server)
    program:expect "^The text, and then Ctrl%-D:\n$"
    program:type "Dear all,"
    program:type ""
    program:type ".dot"
    program:finish_input()
    program:expect "joe@b: sent\njim@b: 550 no%?%[2J\n$"
    assert.equal("", program:ends(1))
    local said = table.concat(server:heard(), "\n")
    for _, line in ipairs {
      "From: Jane <jane@a>", "To: joe@b, Jim <jim@b>", "Subject: =?utf-8?q?caf=C3=A9?=", "\nDear all,\n\n..dot\n.\n",
    } do
      assert.is_truthy(said:find(line, 1, true), said)
    end
  end)

  tls("logs in over TLS, and not in the clear", function()
    local server = keep(scripted.start {
      "220 hi", { expect = "^EHLO " }, "250-hi\r\n250 STARTTLS", { expect = "^STARTTLS$" }, "220 go on",
      { starttls = true }, { expect = "^EHLO " }, "250-hi\r\n250 AUTH PLAIN", { expect = "^AUTH PLAIN " }, "235 in",
      { expect = "^MAIL FROM:<jane@a>" }, "250 ok", { expect = "^RCPT TO:<joe@b>$" }, "250 ok", { expect = "^DATA$" },
      "354 go on", { upto = "." }, "250 taken", { expect = "^QUIT$" }, "221 bye",
    })
    local program = example.start("send_mail", "--user", "jane", "--from", "jane@a", "--tls", "--cafile",
      certificates.ca.cert, "localhost", server.port, "joe@b")
    program:expect "^password of jane: $"
    program:type "secret"
    program:expect "Ctrl%-D:\n$"
    program:finish_input()
    program:expect "joe@b: sent\n$"
    assert.equal("", program:ends(0))
    local clear = keep(scripted.start { "220 hi", { expect = "^EHLO " }, "250-hi\r\n250 AUTH PLAIN" })
    program = example.start("send_mail", "--user", "jane", "--from", "jane@a", "127.0.0.1", clear.port, "joe@b")
    program:expect "^password of jane: $"
    program:type "secret"
    assert.matches("^send_mail%.lua: [^\n]+\n$", program:ends(1))
    assert.is_nil(table.concat(clear:heard(), " "):find "AUTH")
  end)

  it("sends nothing on Ctrl-C", function()
    local server = expect_mail {}
    local program = start(server)
    program:expect "Ctrl%-D:\n$"
    program:type "half"
    program:interrupt()
    program:ends(0)
    assert.is_nil(table.concat(server:heard(), " "):find "MAIL")
  end)

  it("says in one line what is wrong", function()
    local server = keep(scripted.start { "220 hi", { close = true } })
    assert.matches("^send_mail%.lua: [^\n]*closed[^\n]*\n$", start(server):ends(1))
    assert.equal("send_mail.lua: no address: 'nobody <>'\n",
      example.start("send_mail", "127.0.0.1", server.port, "nobody <>"):ends(1))
    server = expect_mail {}
    local program = start(server)
    program:type "\255"
    assert.equal("send_mail.lua: the text is no UTF-8\n", program:ends(1))
  end)
end)

describe("examples/mail_server", function()
  local dir, server, pop3_port

  before_each(function()
    dir = assert(posix.mkdtemp())
    local file <close> = assert(io.open(dir .. "/users", "w"))
    file:write "jane a secret\nJoe other\n"
    file:close()
    server = example.start("mail_server", "--pop3", 0, "--users", dir .. "/users", "127.0.0.1", 0, dir .. "/mail")
    local ports = { server:expect "^listening on port (%d+)\nPOP3 on port (%d+)\n" }
    server.port, pop3_port = math.tointeger(ports[1]), math.tointeger(ports[2])
  end)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function send(to, text)
    local client <close> = assert(smtp.SMTP("127.0.0.1", server.port, { timeout = 10 }))
    return client:sendmail("ann@example.org", to, text)
  end

  local function open(user, password)
    local pop = keep(pop3.POP3("127.0.0.1", pop3_port, { timeout = 10 }))
    assert(pop:user(user))
    local ok, err = pop:pass_(password)
    return ok and pop, err
  end

  it("keeps mails, and gives them out", function()
    assert.same({ ["bob@here"] = { 550, "5.1.1 no such user, and nothing is sent on" } },
      assert(send({ "JANE@here", "bob@here" }, "Subject: one\n\n.dot\n..\nthe end")))
    server:expect "%.%.%.from ann@example.org for JANE@here: %d+ bytes\n"
    assert(send({ "jane@here", "joe@there" }, "Subject: two\n\na\nb\nc\n"))
    local pop = open("Jane", "a secret")
    local count, size = pop:stat()
    assert.equal(2, count)
    local texts = { pop:message(1), pop:message(2) }
    table.sort(texts, function(a) return a:find "Subject: one" ~= nil end)
    assert.equal(size, #texts[1] + #texts[2])
    assert.matches("^Return%-Path: <ann@example.org>\r\nReceived: from [^\n]*\r\nSubject: one\r\n\r\n%.dot\r\n%.%.\r\n"
      .. "the end\r\n$", texts[1])
    assert.matches("\r\n\r\na\r\n$", (pop:message(texts[1] == pop:message(1) and 2 or 1, 1)))
    assert.same({ "-ERR no such message", "-ERR no such message" },
      { (select(2, pop:retr(3))).strerror, (select(2, pop:top(3, 1))).strerror })
    local names = select(2, pop:uidl())
    assert.equal(2, #names)
    assert(pop:dele(1) and pop:rset() and pop:dele(2) and pop:noop())
    assert.same({ 1, 1 }, { pop:stat(), #select(2, pop:list()) })
    assert(pop:quit())
    pop = open("jane", "a secret")
    assert.same({ names[1] }, (select(2, pop:uidl())))
    assert.is_truthy(pop:capa().UIDL)
  end)

  it("lets one visit have a mailbox at a time, and nobody in by a wrong password", function()
    local first = open("joe", "other")
    local second, err = open("joe", "other")
    assert.same({ false, "IN-USE" }, { second or false, err.code })
    assert(first:quit())
    assert.is_truthy(open("joe", "other"))
    second, err = open("jane", "secret")
    assert.same({ false, "AUTH" }, { second or false, err.code })
  end)

  it("answers what is no command, and a line that is too long", function()
    local conn = keep(assert(csock.create_connection({ "127.0.0.1", pop3_port }, { timeout = 10 })))
    local stream = keep(assert(conn:makefile "r"))
    assert(conn:sendall("STAT\r\n\r\n" .. ("x"):rep(100000) .. "\r\ncapa\r\nquit\r\n"))
    assert.equal("+OK\n-ERR what?\n-ERR what?\n-ERR a line that is too long\n+OK\nTOP\nUIDL\nUSER\nPIPELINING\n"
      .. "RESP-CODES\n.\n+OK\n", (stream:read "a":gsub("\r\n", "\n")))
  end)

  it("is used by Python", function()
    if not python.name then return pending "no Python" end
    local status, out, err = process.run { python.name, "-c", ([[
import poplib, smtplib
with smtplib.SMTP("127.0.0.1", %d, timeout=10) as s:
    s.sendmail("ann@a", ["jane@b"], "Subject: hello\r\n\r\n.dot\r\n")
p = poplib.POP3("127.0.0.1", %d, timeout=10)
p.user("jane"); p.pass_("a secret")
print(p.stat()[0], p.retr(1)[1][-3:], p.top(1, 0)[1][-2:])
p.dele(1)
p.quit()
]]):format(server.port, pop3_port) }
    assert.same({ 0, "1 [b'Subject: hello', b'', b'.dot'] [b'Subject: hello', b'']\n", "" }, { status, out, err })
  end)

  it("is used by curl", function()
    if not os.execute "command -v curl >/dev/null" then return pending "no curl" end
    local status, _, err = process.run({ "curl", "-sS", "--mail-from", "ann@a", "--mail-rcpt", "jane@b", "-T", "-",
      "smtp://127.0.0.1:" .. server.port }, { input = "Subject: by curl\r\n\r\nhello\r\n" })
    assert.same({ 0, "" }, { status, err })
    local out
    status, out = process.run { "curl", "-sS", "-u", "jane:a secret", ("pop3://127.0.0.1:%d/1"):format(pop3_port) }
    assert.equal(0, status)
    assert.matches("\nSubject: by curl\r\n\r\nhello\r\n$", out)
  end)
end)
