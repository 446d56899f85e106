-- csock.smtp and other people's servers: Debian's Exim, Python's aiosmtpd.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local exim = require "spec.support.exim"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local smtp = require "csock.smtp"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness
local tls = not contexts.missing

local function given(available, what)
  if available then return it end
  return function(name) it(name, function() pending("no " .. what) end) end
end

local PYTHON = "/usr/bin/python3" -- Debian's, which has Debian's modules
local has_aiosmtpd = os.execute(PYTHON .. " -c 'import aiosmtpd' >/dev/null 2>&1") ~= nil

local function connect(port, options, kind)
  local all = { timeout = LIMIT, local_hostname = "me.test", context = tls and contexts.client() or nil }
  for name, value in pairs(options or {}) do all[name] = value end
  return (kind or smtp.SMTP)("localhost", port, all)
end

describe("csock.smtp and Exim:", function()
  local server
  setup(function() server = exim.available and exim.start() end)
  teardown(function() if server then server:close() end end)
  after_each(keep.close)

  local it_does = given(exim.available, "exim4")

  for how, run in pairs(streams.ways) do
    it_does("a mail is delivered as it was " .. how, function()
      local mark = "mark " .. how
      run(function()
        local client <close> = assert(connect(server.port))
        local refused = assert(client:sendmail("jane@a.test", { "joe@b.test", "nobody@b.test", "jim@c.test" },
          "Subject: x\n\n.dot\n..\n.\nhello\rthere\n" .. mark))
        assert.same({ ["nobody@b.test"] = { 550, "no such user" } }, refused)
        assert.is_true(client:has_extn "pipelining")
        local none, err = client:sendmail("jane@a.test", "joe@b.test", "Subject: x\n\nspam")
        assert.same({ "SMTPDataError", 550 }, { none or err.name, err.code })
        none, err = client:sendmail("jane@a.test", "nobody@b.test", "x")
        assert.same({ "SMTPRecipientsRefused", 550 }, { none or err.name, err.code })
        none, err = client:sendmail("jane@a.test", "joe@b.test", ("x"):rep(2 << 20))
        assert.same({ "SMTPDataError", E.EMSGSIZE }, { none or err.name, err.errno })
        assert.equal(250, (client:noop()))
        assert.equal(221, (client:quit()))
      end)
      local mails = server:delivered(mark)
      assert.is_truthy(mails:find("Return-path: <jane@a.test>", 1, true))
      assert.is_truthy(mails:find("Subject: x\n\n.dot\n..\n.\nhello\nthere\n" .. mark, 1, true))
    end)
  end

  it_does("many recipients, and many mails on one connection, are taken", function()
    local client <close> = assert(connect(server.port))
    local recipients = {}
    for i = 1, 250 do recipients[i] = ("user%d@b.test"):format(i) end
    assert.same({}, client:sendmail("jane@a.test", recipients, "Subject: many\n\nx"))
    for _ = 1, 5 do assert.same({}, client:sendmail("", "joe@b.test", "Subject: more\n\nx")) end
  end)

  it_does("UTF-8, eight bits and notices are agreed on", function()
    local client <close> = assert(connect(server.port))
    client:ehlo()
    if not client:has_extn "smtputf8" then return pending "this exim has no SMTPUTF8" end
    assert.same({}, client:sendmail("jürgen@ä.test", "jörg@b.test", "Subject: ü\n\numlaut ß\n", {
      mail_options = { ret = "HDRS", envid = "a b" }, rcpt_options = { notify = "NEVER", orcpt = "rfc822;joe@b.test" },
    }))
    assert.is_truthy(server:delivered "umlaut ß":find("Return-path: <jürgen@ä.test>", 1, true))
  end)

  local over_tls = given(exim.tls and tls, "exim4 or TLS")

  for how, run in pairs(streams.ways) do
    over_tls("TLS, and each login, go " .. how, function()
      run(function()
        for _, mechanism in ipairs { "CRAM-MD5", "PLAIN", "LOGIN" } do
          for _, at_once in ipairs { true, false } do
            local client <close> = assert(connect(server.port, { tls = "starttls" }))
            local code = assert(client:auth(mechanism, { user = "jane", password = "secret" }, {
              initial_response_ok = at_once,
            }))
            assert.equal(235, code)
          end
        end
        local client <close> = assert(connect(server.port, { tls = "auto" }))
        assert.equal(235, (assert(client:login("jane", "secret"))))
        assert.same({}, client:sendmail("jane@a.test", "joe@b.test", "Subject: tls\n\nx"))
        local other <close> = assert(connect(server.port, { tls = "starttls" }))
        local none, err = other:login("jane", "wrong")
        assert.same({ "SMTPAuthenticationError", 535, "permanent" }, { none or err.name, err.code, err.kind })
        local bad
        bad, err = connect(server.port, { tls = "starttls", context = contexts.client "unknown_ca" })
        assert.same({ "CERTIFICATE_VERIFY_FAILED" }, { bad or err.name })
      end)
    end)
  end
end)

-- Prints its port, and each mail in one line.
local SERVER = [[
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
from aiosmtpd.lmtp import LMTP

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        print("mail", envelope.mail_from, ",".join(envelope.rcpt_tos), bool(session.authenticated),
              session.ssl is not None, repr(envelope.content), flush=True)
        return "250 taken"

def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"jane" and data.password == b"secret"
    return AuthResult(success=good, auth_data=data.login, handled=False)

context = None
if len(sys.argv) > 1:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])

async def main():
    def smtp():
        return SMTP(Handler(), enable_SMTPUTF8=True, tls_context=context, authenticator=authenticate,
                    auth_require_tls=context is not None, data_size_limit=10000)
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(smtp, "127.0.0.1", 0),
               await loop.create_server(smtp, "127.0.0.1", 0, ssl=context),
               await loop.create_server(lambda: LMTP(Handler()), "127.0.0.1", 0)]
    print("ready", *[s.sockets[0].getsockname()[1] for s in servers], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
]]

describe("csock.smtp and aiosmtpd:", function()
  local server, ports
  setup(function()
    if not has_aiosmtpd then return end
    local certificates = require "spec.support.certificates"
    local command = { PYTHON, "-W", "ignore", "-c", SERVER }
    if tls then
      command[#command + 1] = certificates.good.cert
      command[#command + 1] = certificates.good.key
    end
    server, ports = process.start(command), {}
    for port in server:expect "ready ([^\n]*)\n":gmatch "%d+" do ports[#ports + 1] = tonumber(port) end
  end)
  teardown(function() if server then server:kill() end end)
  after_each(keep.close)

  local it_does = given(has_aiosmtpd, "aiosmtpd")
  local over_tls = given(has_aiosmtpd and tls, "aiosmtpd or TLS")

  for how, run in pairs(streams.ways) do
    it_does("a mail arrives as it was, without PIPELINING, " .. how, function()
      run(function()
        local client <close> = assert(connect(ports[1]))
        assert.same({ ["nobody@b"] = { 550, "5.1.1 no such user" } },
          client:sendmail("jane@a", { "joe@b", "nobody@b" }, "Subject: x\n\n.dot\n"))
        assert.is_false(client:has_extn "pipelining")
      end)
      assert.equal([[jane@a joe@b False False b'Subject: x\r\n\r\n.dot\r\n']], server:expect "mail ([^\n]*)\n")
    end)

    over_tls("TLS and logins go " .. how, function()
      run(function()
        local client <close> = assert(connect(ports[1], { tls = "auto" }))
        assert(client:login("jane", "secret"))
        assert.same({}, client:sendmail("jürgen@a", "joe@b", "ü\n"))
        local other <close> = assert(connect(ports[2], nil, smtp.SMTP_SSL))
        assert.same({}, other:sendmail("jane@a", "joe@b", "x\n"))
        assert.is_nil((other:login("jane", "wrong")))
      end)
      assert.matches("^jürgen@a joe@b True True", server:expect "mail ([^\n]*)\n")
      server:expect "mail [^\n]*\n"
    end)
  end

  it_does("LMTP says LHLO", function()
    local client <close> = assert(connect(ports[3], nil, smtp.LMTP))
    assert.same({}, client:sendmail("jane@a", "joe@b", "x\n"))
    server:expect "mail [^\n]*\n"
  end)
end)
