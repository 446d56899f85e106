-- Other people's clients of SMTP, and a server in a process of its own: Python's smtplib, curl, swaks.
local alone = require "spec.support.alone"
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local function has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") ~= nil end

local function needs(program)
  if has(program) then return it end
  return function(name) it(name, function() pending("no " .. program) end) end
end

local python, curl, swaks = needs "python3", needs "curl", needs "swaks"
local tls = not contexts.missing

-- Prints each mail in one line; %q: one that Lua reads.
local SERVER = (tls and contexts.SERVER or "local ctx") .. [[
  local class, smtpd = require "csock.class", require "csock.smtpd"
  local Server = class("Server", smtpd.SMTPServer)
  function Server:accept_recipient(_, recipient)
    if recipient:find "^nobody@" then return "550 5.1.1 no such user" end
  end
  function Server:process_message(peer, mailfrom, rcpttos, data, options)
    print(("mail %q"):format(table.concat({ mailfrom, table.concat(rcpttos, " "), tostring(options.user),
      options.secure and "tls" or "clear", table.concat(options.mail_options, " "), data }, "|")))
  end
  local options = {
    hostname = "mail.test", starttls = ctx, data_size_limit = 100000, insecure = true,
    auth = function(user) return user == "jane" and "secret" or nil end,
  }
  local server = assert(Server({ "127.0.0.1", 0 }, nil, options))
  options.starttls, options.ssl = nil, ctx
  local over_tls = ctx and assert(Server({ "127.0.0.1", 0 }, nil, options)) or server
  ready(server:getsockname().port, over_tls:getsockname().port)
  csock.run()
]]

describe("csock.smtpd and other clients:", function()
  local server
  before_each(function() server = keep(alone.start(SERVER)) end)
  after_each(keep.close)

  -- The next mail, its parts.
  local function mail()
    local text = load("return " .. server:expect 'mail (".-[^\\]")\n')()
    return { text:match "^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|(.*)$" }
  end

  local function run_python(code)
    local status, out, err = process.run({ "python3", "-c", ([[
import smtplib, ssl, sys
port, tls_port, ca = %d, %d, %q
context = ssl.create_default_context(cafile=ca) if ca else None
]]):format(server.ports[1], server.ports[2], tls and certificates.ca.cert or "") .. code }, { timeout = 30 })
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  python("Python's smtplib sends mails, and hears who was refused", function()
    local out = run_python [[
with smtplib.SMTP("127.0.0.1", port, local_hostname="me", timeout=10) as s:
    print(s.sendmail("jane@a", ["joe@b", "nobody@b"], "Subject: x\n\n.dot\n..\nhello"))
    try:
        s.sendmail("jane@a", ["nobody@b"], "x")
    except smtplib.SMTPRecipientsRefused as e:
        print(e.recipients)
    s.sendmail("jane@a", "joe@b", "Subject: \u00fc\r\n\r\n".encode(), mail_options=["BODY=8BITMIME"])
    s.sendmail("j\u00fcrgen@a", "joe@b", "x", mail_options=["SMTPUTF8"])
    try:
        s.sendmail("jane@a", "joe@b", "x" * 200000)
    except smtplib.SMTPResponseException as e:
        print(e.smtp_code)
    try:
        s.sendmail("jane@a", "joe@b", b"bare\nline feed\n.\nMAIL")
    except smtplib.SMTPDataError as e:
        print(e.smtp_code, e.smtp_error)
    print(s.vrfy("x")[0], s.help()[:5], s.noop(), s.rset(), s.expn("x")[0], s.has_extn("pipelining"))
    print(s.docmd("NONSENSE")[0])
]]
    assert.equal("{'nobody@b': (550, b'5.1.1 no such user')}\n{'nobody@b': (550, b'5.1.1 no such user')}\n552\n"
      .. "550 b'5.6.11 a CR or LF that is no part of CRLF'\n252 b'2.0.0' (250, b'2.0.0 OK') (250, b'2.0.0 OK') 502"
      .. " True\n500\n", out)
    local first = mail()
    assert.same({ "jane@a", "joe@b", "nil", "clear" }, table.move(first, 1, 4, 1, {}))
    assert.equal("Subject: x\n\n.dot\n..\nhello", first[6])
    assert.equal("Subject: ü\n", mail()[6])
    assert.equal("jürgen@a", mail()[1])
  end)

  python("Python's smtplib logs in by each mechanism, in the clear and over TLS", function()
    local out = run_python(([[
tls = %s
for mechanism in ("cram_md5", "plain", "login"):
    s = smtplib.SMTP("127.0.0.1", port, timeout=10)
    if tls:
        s._host = "localhost"
        print(s.starttls(context=context)[0])
    s.ehlo()
    s.user, s.password = "jane", "secret"
    for ok in (True, False):
        if not ok:
            s.close(); s.connect("127.0.0.1", port); s.ehlo()
        print(s.auth(mechanism.upper().replace("_", "-"), getattr(s, "auth_" + mechanism), initial_response_ok=ok)[0])
    s.sendmail("jane@a", "joe@b", "x")
    s.quit()
s = smtplib.SMTP("127.0.0.1", port, timeout=10)
try:
    s.login("jane", "wrong")
except smtplib.SMTPAuthenticationError as e:
    print(e.smtp_code)
if tls:
    s = smtplib.SMTP_SSL("localhost", tls_port, context=context, timeout=10)
    print(s.login("jane", "secret")[0])
    s.sendmail("jane@a", "joe@b", "y")
    s.quit()
]]):format(tls and "True" or "False"))
    local one = (tls and "220\n" or "") .. "235\n235\n"
    assert.matches("^" .. one:rep(3) .. "[45]%d%d\n" .. (tls and "235\n" or "") .. "$", out)
    for _ = 1, 3 do assert.same({ "jane@a", "joe@b", "jane", "clear" }, table.move(mail(), 1, 4, 1, {})) end
    if tls then assert.same({ "jane@a", "joe@b", "jane", "tls" }, table.move(mail(), 1, 4, 1, {})) end
  end)

  curl("curl sends a mail, in the clear and over TLS", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file <close> = assert(io.open(path, "w"))
    assert(file:write "Subject: x\n\n.dot\nhello\n")
    file:flush()
    local function send(url, ...)
      local status, _, err = process.run { "curl", "-sS", "--crlf", url, "--mail-from", "jane@a",
        "--mail-rcpt", "joe@b", "--mail-rcpt", "jim@c", "-T", path, "-u", "jane:secret", ... }
      assert.equal("", err)
      assert.equal(0, status)
    end
    send(("smtp://127.0.0.1:%d/me"):format(server.ports[1]))
    assert.same({ "jane@a", "joe@b jim@c", "jane", "clear" }, table.move(mail(), 1, 4, 1, {}))
    if not tls then return end
    local ca = certificates.ca.cert
    send(("smtp://localhost:%d/me"):format(server.ports[1]), "--ssl-reqd", "--cacert", ca)
    assert.same({ "jane", "tls" }, table.move(mail(), 3, 4, 1, {}))
    send(("smtps://localhost:%d/me"):format(server.ports[2]), "--cacert", ca)
    local last = mail()
    assert.same({ "jane", "tls" }, { last[3], last[4] })
    assert.equal("Subject: x\n\n.dot\nhello", last[6])
  end)

  swaks("swaks sends a mail, with each login that it knows", function()
    for _, mechanism in ipairs { "PLAIN", "LOGIN" } do
      for _, over in ipairs { false, tls and "--tls" or nil } do
        local status, out = process.run { "swaks", "--server", "127.0.0.1:" .. server.ports[1], "--helo", "me",
          "--from", "jane@a", "--to", "joe@b", "--auth", mechanism, "--auth-user", "jane",
          "--auth-password", "secret", "--pipeline", "--body", "hello", over or nil }
        assert.equal(0, status, out)
        assert.same({ "jane@a", "joe@b", "jane", over and "tls" or "clear" }, table.move(mail(), 1, 4, 1, {}))
      end
    end
  end)

  it("a client of another process that hangs up anywhere does no harm", function()
    local bytes = "EHLO me\r\nMAIL FROM:<jane@a>\r\nRCPT TO:<joe@b>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
    for n = 0, #bytes - 1 do
      local socket = alone.dial(server.ports[1])
      assert(socket:sendall(bytes:sub(1, n)))
      socket:close()
    end
    local socket <close> = alone.dial(server.ports[1])
    assert(socket:sendall(bytes))
    assert.equal("x", mail()[6]:match "\n\n(.*)$")
    assert.equal("", server.err)
  end)
end)
