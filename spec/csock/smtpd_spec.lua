-- Taking mail: what clients may say, byte by byte, and what becomes of it. The clients are tasks beside the server.
local base64 = require "csock.wire.base64"
local class = require "csock.class"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local smtp = require "csock.smtp"
local smtpd = require "csock.smtpd"
local streams = require "spec.support.streams"

local loop = csock.loop
local LIMIT = 10 * process.slowness

local tls = contexts.missing and function(name) it(name, function() pending(contexts.missing) end) end or it

-- Keeps what it gets in `mails`; `hooks` are its methods.
local function start(options, hooks)
  local Server = class("Server", smtpd.SMTPServer)
  function Server:process_message(peer, mailfrom, rcpttos, data, more)
    table.insert(self.mails, { peer = peer, from = mailfrom, to = rcpttos, data = data, options = more })
  end
  for name, hook in pairs(hooks or {}) do Server[name] = hook end
  local all = { hostname = "mail.test" }
  for name, value in pairs(options or {}) do all[name] = value end
  local server = keep(Server({ "127.0.0.1", 0 }, nil, all))
  server.mails = {}
  return server
end

-- A client of few words: what it says is sent as it is.
local Client = {}
Client.__index = Client

local function dial(server)
  local socket = keep(csock.create_connection(server:getsockname(), { timeout = LIMIT }))
  return setmetatable({ socket = socket, stream = assert(socket:makefile "r") }, Client)
end

function Client:reply()
  local text = ""
  repeat
    local line = assert(self.stream:read "L", "the end")
    text = text .. line
  until not line:find "^%d%d%d%-"
  return text
end

-- Says something, and hears a reply that begins so.
function Client:say(bytes, wanted)
  assert(self.socket:sendall(bytes))
  local text = self:reply()
  if wanted then assert.equal(wanted, text:sub(1, #wanted), ("%q"):format(bytes)) end
  return text
end

function Client:is_over() return self.stream:read(1) == nil end

-- Greeted, and with EHLO said.
local function connect(server, hello)
  local client = dial(server)
  assert.equal("220 mail.test ESMTP csock\r\n", client:reply())
  client:say(hello or "EHLO me\r\n", "250")
  return client
end

-- Runs a function in a task beside a server that it gets.
local function with(options, hooks, f)
  streams.in_task(function()
    local server = start(options, hooks)
    local _ <close> = setmetatable({}, { __close = function() keep.close() end })
    f(server)
  end)
end

local MAIL = "MAIL FROM:<jane@a>\r\n"
local RCPT = "RCPT TO:<joe@b>\r\n"

describe("csock.smtpd", function()
  after_each(keep.close)

  it("takes a mail, whatever the pieces it comes in", function()
    with(nil, nil, function(server)
      local bytes = "EHLO me\r\nMAIL FROM:<jane@a> SIZE=100\r\nRCPT TO:<joe@b>\r\nRCPT TO:<jim@c>\r\nDATA\r\n"
      local data = "Subject: x\r\n\r\n..dot\r\n...\r\n.x\r\n\r\n.\r\n"
      for size = 1, #bytes + #data do
        local client = dial(server)
        client:reply()
        client.socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
        local text = bytes .. (size > 30 and "" or data)
        for i = 1, #text, size do
          assert(client.socket:sendall(text:sub(i, i + size - 1)))
          csock.yield()
        end
        for _, code in ipairs { "250", "250", "250", "250", "354" } do
          assert.equal(code, client:reply():sub(1, 3))
        end
        if size > 30 then assert(client.socket:sendall(data)) end
        assert.equal("250 2.0.0 OK\r\n", client:reply())
        client.socket:close()
      end
      for _, mail in ipairs(server.mails) do
        assert.same({ "jane@a", { "joe@b", "jim@c" } }, { mail.from, mail.to })
        assert.equal("Subject: x\n\n.dot\n..\nx\n", mail.data)
      end
      local mail = server.mails[1]
      assert.equal("127.0.0.1", mail.peer.host)
      assert.same({ mail_options = { "SIZE=100" }, rcpt_options = {}, helo = "me", esmtp = true, secure = false },
        mail.options)
    end)
  end)

  it("answers pipelined commands in one segment", function()
    with(nil, nil, function(server)
      local client = connect(server)
      assert(client.socket:sendall(MAIL .. RCPT .. "NOOP\r\nRSET\r\n"))
      assert.equal(("250"):rep(4), (client.socket:recv(1000):gsub("(%d+)[^\n]*\n", "%1")))
    end)
  end)

  it("offers what it has", function()
    with({ data_size_limit = 1000, enable_SMTPUTF8 = false }, nil, function(server)
      local client = dial(server)
      client:reply()
      assert.equal("250-mail.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-HELP\r\n"
        .. "250 SIZE 1000\r\n", client:say "EHLO me\r\n")
      client:say("HELO me\r\n", "250 mail.test\r\n")
    end)
  end)

  it("answers each command in its place, and no other", function()
    with(nil, nil, function(server)
      local client = dial(server)
      client:reply()
      for _, row in ipairs {
        { MAIL, "503" }, { "DATA\r\n", "503" }, { RCPT, "503" }, { "HELO\r\n", "501" }, { "EHLO \r\n", "501" },
        { "NOOP x\r\n", "250" }, { "VRFY joe@b\r\n", "252" }, { "VRFY\r\n", "501" }, { "EXPN x\r\n", "502" },
        { "HELP\r\n", "214" }, { "STARTTLS\r\n", "502" }, { "AUTH PLAIN\r\n", "502" }, { "RSET\r\n", "250" },
        { "helo me\r\n", "250" }, { "MAIL FROM:<jane@a> SIZE=1\r\n", "555" }, { "ehlo me  \r\n", "250" },
        { "MAIL FROM:<> BODY=8BITMIME\r\n", "250" }, { MAIL, "503" }, { "DATA\r\n", "554" },
        { "rcpt to:<Postmaster>\r\n", "250" }, { "RSET\r\n", "250" }, { RCPT, "503" }, { MAIL, "250" },
        { "DATA now\r\n", "501" }, { "WHAT\r\n", "500" }, { "\r\n", "500" }, { "NO-OP\r\n", "500" },
        { RCPT, "250" }, { "EHLO again\r\n", "250" }, { RCPT, "503" },
      } do
        client:say(row[1], row[2])
      end
      client:say("QUIT\r\n", "221")
      assert.is_true(client:is_over())
    end)
  end)

  it("refuses what is no address and no parameter", function()
    with({ max_errors = 1000 }, nil, function(server)
      local client = connect(server)
      for _, path in ipairs {
        "", "FROM", "FROM:", "FROM:<", "FROM:<a@b", "FROM:a b@c", "FROM:<a b@c>", "FROM:<a@b>x", "FROM:<a@@b>",
        "FROM:<@b>", "FROM:<a@>", "FROM:<a..b@c>", "FROM:<.a@c>", "FROM:<a@b..c>", "FROM:<a@b c>", "FROM:<a@[1.2.3>",
        "FROM:<a\127@b>",
        "FROM:<" .. ("a"):rep(65) .. "@b>", "FROM:<a@" .. ("b."):rep(130) .. "c>", "TO:<a@b>", "FROM:<a>",
        "FROM:<a@b> SIZE=x", "FROM:<a@b> =", "FROM:<a@b> SIZE=1=2", "FROM:<a@b> BODY=9BIT", "FROM:<a@b> SMTPUTF8=1",
        "FROM:<a@b> SIZE", 'FROM:<"a@b>', 'FROM:<"a"b@c>', "FROM:<\xff@b> SMTPUTF8",
      } do
        client:say("MAIL " .. path .. "\r\n", "501")
      end
      client:say("MAIL FROM:<a@b> COLOR=red\r\n", "555")
      client:say("MAIL FROM:<a@b> AUTH=<>\r\n", "555")
      client:say("MAIL FROM:<a@b> SIZE=99999999\r\n", "552")
      client:say("MAIL FROM:<a@b> SIZE=99999999999999999999\r\n", "501")
      client:say("MAIL FROM:<ü@b>\r\n", "553")
      for _, path in ipairs {
        "<a@b>", " <a@b>", "a@b", '<"a b>"@c>', '<"a\\"b"@c>', "<a@[127.0.0.1]>", "<a@[IPv6:::1]>", "<@x,@y:a@b>", "<>",
        "<a+b=c@d>", "<ü@ö> SMTPUTF8", "<a@b>  BODY=7bit SIZE=7",
      } do
        client:say("MAIL FROM:" .. path .. "\r\n", "250")
        client:say("RSET\r\n", "250")
      end
      client:say(MAIL, "250")
      for _, path in ipairs { "TO:<>", "FROM:<a@b>", "TO:<ü>" } do client:say("RCPT " .. path .. "\r\n", "501") end
      client:say("RCPT TO:<ü@b>\r\n", "553")
      client:say("RCPT TO:<a@b> NOTIFY=NEVER\r\n", "555")
    end)
  end)

  -- Whether a second mail that hides in the first one, behind an end that is none, is taken for one.
  it("ends a message with CRLF, dot, CRLF and nothing else", function()
    for _, keep_newlines in ipairs { false, true } do
      for _, fake in ipairs {
        "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\0.\r\n", "\r\n.\0\r\n",
        "\r\n.\r\r\n", "\r\r\n.\r\r\n",
      } do
        with({ keep_newlines = keep_newlines }, nil, function(server)
          local client = connect(server)
          client:say(MAIL, "250")
          client:say(RCPT, "250")
          client:say("DATA\r\n", "354")
          local data = "Subject: x\r\n\r\nhello" .. fake .. "MAIL FROM:<evil@a>\r\nRCPT TO:<joe@b>\r\nDATA\r\nevil"
          local whole = not keep_newlines and not fake:find "\0"
          client:say(data .. "\r\n.\r\n", whole and "550 5.6.11" or "250")
          client:say("NOOP\r\n", "250") -- in step
          assert.equal(whole and 0 or 1, #server.mails)
          for _, mail in ipairs(server.mails) do
            assert.equal("jane@a", mail.from)
            assert.is_truthy(mail.data:find("evil@a", 1, true))
          end
        end)
      end
    end
  end)

  it("keeps line ends, and takes commands with LF, only if told", function()
    with({ keep_newlines = true }, nil, function(server)
      local client = connect(server, "EHLO me\n")
      client:say("MAIL FROM:<jane@a>\n", "250")
      client:say(RCPT, "250")
      client:say("DATA\n", "354")
      client:say("a\nb\r\n..c\rd\r\n.\r\n", "250")
      assert.equal("a\nb\r\n.c\rd\r\n", server.mails[1].data)
    end)
    with(nil, nil, function(server)
      local client = connect(server)
      client:say("NOOP\n", "500 5.5.2 a line ends with CRLF")
      client:say("NOOP\rNOOP\r\n", "500")
      client:say("NOOP\0\r\n", "500")
      client:say("NOOP\r\n", "250")
    end)
  end)

  it("takes messages of just the limit, and passes over those that are longer", function()
    with({ data_size_limit = 1000 }, nil, function(server)
      local client = connect(server)
      for _, row in ipairs { { 998, "250" }, { 1001, "552" }, { 5000, "552", }, { 998, "250" } } do
        client:say(MAIL, "250")
        client:say(RCPT, "250")
        client:say("DATA\r\n", "354")
        client:say(("x"):rep(row[1]) .. "\r\n.\r\n", row[2])
      end
      assert.same({ 998, 998 }, { #server.mails[1].data, #server.mails[2].data })
    end)
  end)

  it("does not read a message without end for ever", function()
    with({ data_size_limit = 1000, data_timeout = 0.1 }, nil, function(server)
      local client = connect(server)
      client:say(MAIL .. RCPT .. "DATA\r\n", "250")
      client:reply()
      client:reply()
      while client.socket:send(("x"):rep(1000)) do csock.yield() end
      assert.equal(0, #server.mails)
    end)
  end)

  it("notices the end of a message that is cut in pieces of any size behind the limit", function()
    with({ data_size_limit = 10 }, nil, function(server)
      local data = ("x"):rep(20) .. "\r\n.\r\n"
      for size = 1, #data do
        local client = connect(server)
        client.socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
        client:say(MAIL .. RCPT .. "DATA\r\n", "250")
        client:reply()
        client:reply()
        for i = 1, #data, size do
          assert(client.socket:sendall(data:sub(i, i + size - 1)))
          csock.yield()
        end
        assert.equal("552", client:reply():sub(1, 3))
        client:say("NOOP\r\n", "250")
        client.socket:close()
      end
    end)
  end)

  it("takes an empty message", function()
    with(nil, nil, function(server)
      local client = connect(server)
      client:say(MAIL .. RCPT .. "DATA\r\n", "250")
      client:reply()
      client:reply()
      client:say(".\r\n", "250")
      assert.equal("", server.mails[1].data)
    end)
  end)

  it("has limits for lines, recipients and errors", function()
    with({ max_recipients = 2, max_errors = 3 }, nil, function(server)
      local client = connect(server)
      client:say("NOOP " .. ("x"):rep(3000) .. "\r\n", "500 5.5.2 line too long")
      assert.is_true(client:is_over())
      client = connect(server)
      client:say(MAIL, "250")
      for _, code in ipairs { "250", "250", "452", "452" } do client:say(RCPT, code) end
      client:say("DATA\r\n", "354")
      client:say("x\r\n.\r\n", "250")
      for _ = 1, 3 do client:say("WHAT\r\n", "500") end
      client:say("WHAT\r\n", "421")
      assert.is_true(client:is_over())
    end)
  end)

  it("gives each command and each message a time, however slowly it comes", function()
    with({ timeout = 0.1, data_timeout = 0.1 }, nil, function(server)
      local client = connect(server)
      local sender = csock.spawn(function()
        while client.socket:send "x" do csock.sleep(0.02) end
      end)
      assert.equal("421 4.4.2", client:reply():sub(1, 9))
      sender:cancel()
      client = connect(server)
      client:say(MAIL .. RCPT .. "DATA\r\n", "250")
      client:reply()
      client:reply()
      sender = csock.spawn(function()
        while client.socket:send "x\r\n" do csock.sleep(0.02) end
      end)
      assert.equal("421 4.4.2", client:reply():sub(1, 9))
      sender:cancel()
    end)
  end)

  it("serves so many clients at once, and lets others wait", function()
    with({ max_connections = 1 }, nil, function(server)
      local first, second = connect(server), dial(server)
      second.socket:settimeout(0.02)
      assert.equal("ETIMEDOUT", select(2, second.stream:read()).name)
      second.socket:settimeout(LIMIT)
      first:say("QUIT\r\n", "221")
      assert.equal("220", second:reply():sub(1, 3))
    end)
  end)

  it("asks whose mail, and for whom, is taken", function()
    local seen = {}
    with(nil, {
      accept_sender = function(_, peer, sender, options)
        seen[1] = { peer.host, sender, options.helo }
        if sender == "evil@a" then return "550 5.7.1 not you" end
      end,
      accept_recipient = function(_, _, recipient)
        if recipient == "none@b" then return "550 5.1.1 nobody" end
        return true
      end,
      process_message = function(_, _, _, _, data) return data == "spam" and "554 5.7.1 no" or nil end,
    }, function(server)
      local client = connect(server)
      client:say("MAIL FROM:<evil@a>\r\n", "550 5.7.1 not you\r\n")
      client:say(MAIL, "250")
      assert.same({ "127.0.0.1", "jane@a", "me" }, seen[1])
      client:say("RCPT TO:<none@b>\r\n", "550 5.1.1 nobody\r\n")
      client:say(RCPT, "250")
      client:say("DATA\r\n", "354")
      client:say("spam\r\n.\r\n", "554 5.7.1 no\r\n")
      client:say(MAIL, "250")
    end)
  end)

  it("tells the program of its errors, and the client nothing of them", function()
    local errors, before = {}, loop.onerror
    function loop.onerror(err) errors[#errors + 1] = tostring(err) end
    finally(function() loop.onerror = before end)
    local answers = {
      function() error "on purpose" end, function() return "no" end, function() return "250 a\r\nb" end,
    }
    with(nil, { process_message = function() return table.remove(answers, 1)() end }, function(server)
      local client = connect(server)
      for _ = 1, 3 do
        client:say(MAIL .. RCPT .. "DATA\r\n", "250")
        client:reply()
        client:reply()
        client:say("x\r\n.\r\n", "451 4.3.0 local error in processing\r\n")
      end
    end)
    assert.matches("on purpose", errors[1])
    assert.matches("process_message: a reply such as", errors[2])
    assert.equal(3, #errors)
  end)

  it("serves others while a message is processed", function()
    local gate = loop.event()
    with(nil, { process_message = function() gate:wait() end }, function(server)
      local slow, other = connect(server), connect(server)
      slow:say(MAIL .. RCPT .. "DATA\r\n", "250")
      slow:reply()
      slow:reply()
      slow.socket:sendall "x\r\n.\r\n"
      other:say("NOOP\r\n", "250")
      gate:set()
      assert.equal("250", slow:reply():sub(1, 3))
    end)
  end)

  it("ends its connections as it is closed", function()
    with(nil, nil, function(server)
      local client = connect(server)
      assert.equal(1, server:close())
      assert.is_true(client:is_over())
    end)
  end)

  it("raises for wrong options", function()
    for _, row in ipairs {
      { { color = 1 }, "unknown option 'color'" }, { { require_auth = true }, "'require_auth' without 'auth'" },
      { { require_tls = true }, "'require_tls' without" }, { { timeout = 0 }, "timeout: seconds > 0" },
      { { starttls = true }, "starttls: a server's SSLContext" }, { { auth = 7 }, "auth: function or table" },
    } do
      assert.error_matches(function() smtpd.SMTPServer({ "127.0.0.1", 0 }, nil, row[1]) end, row[2])
    end
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    local none, err = smtpd.SMTPServer(listener:getsockname())
    assert.same({ "EADDRINUSE" }, { none or err.name })
  end)

  describe("with logins", function()
    local function passwords(user) return ({ jane = "secret" })[user] end
    local JANE = base64.encode "\0jane\0secret"

    it("asks for one before it takes mails, if told", function()
      with({ auth = passwords, insecure = true, require_auth = true }, nil, function(server)
        local client = connect(server)
        client:say(MAIL, "530")
        client:say("AUTH PLAIN " .. JANE .. "\r\n", "235")
        client:say("AUTH PLAIN " .. JANE .. "\r\n", "503")
        client:say("MAIL FROM:<jane@a> AUTH=<>\r\n", "250")
        client:say(RCPT, "250")
        client:say("DATA\r\n", "354")
        client:say("x\r\n.\r\n", "250")
        assert.equal("jane", server.mails[1].options.user)
        assert.is_nil(client:say("EHLO me\r\n"):find "AUTH")
      end)
    end)

    it("refuses whoever is not known, and does not let anybody try for ever", function()
      with({ auth = passwords, insecure = true }, nil, function(server)
        local client = connect(server)
        client:say("AUTH PLAIN\r\n", "334 \r\n")
        client:say(base64.encode "\0jane\0wrong" .. "\r\n", "535")
        client:say("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n")
        client:say("*\r\n", "501")
        client:say("AUTH LOGIN " .. base64.encode "jane" .. "\r\n", "334 UGFzc3dvcmQ6\r\n")
        client:say("!\r\n", "501")
        client:say("AUTH PLAIN !\r\n", "501")
        client:say("AUTH\r\n", "501")
        client:say("AUTH GSSAPI\r\n", "504")
        client:say("AUTH PLAIN =\r\n", "535")
        client:say("AUTH PLAIN " .. base64.encode "\0joe\0" .. "\r\n", "421")
        assert.is_true(client:is_over())
      end)
    end)

    it("comes before and not in the middle of a mail", function()
      with({ auth = passwords, insecure = true }, nil, function(server)
        local client = connect(server, "HELO me\r\n")
        client:say("AUTH PLAIN " .. JANE .. "\r\n", "503")
        client:say("EHLO me\r\n", "250")
        client:say(MAIL, "250")
        client:say("AUTH PLAIN " .. JANE .. "\r\n", "503")
      end)
    end)

    it("lets nobody show a password in the clear", function()
      with({ auth = passwords }, nil, function(server)
        local client = connect(server)
        client:say("AUTH PLAIN " .. JANE .. "\r\n", "538")
        client:say("AUTH LOGIN\r\n", "538")
      end)
    end)

    it("tells the program where its check fails", function()
      local errors, before = {}, loop.onerror
      function loop.onerror(err) errors[#errors + 1] = tostring(err) end
      finally(function() loop.onerror = before end)
      with({ auth = { check = function() error "on purpose" end }, insecure = true }, nil, function(server)
        connect(server):say("AUTH PLAIN " .. JANE .. "\r\n", "454")
      end)
      assert.matches("on purpose", errors[1])
    end)

    tls("takes each mechanism of its own client", function()
      local kept = { jane = smtpd.verifier "secret" }
      local function right(user, password) return user == "jane" and password == "secret" end
      for names, auth in pairs {
        ["SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN"] = passwords, ["PLAIN LOGIN"] = { check = right },
        ["SCRAM-SHA-256 PLAIN LOGIN"] = {
          password = function(user) return kept[user] end, mechanisms = { "SCRAM-SHA-256", "PLAIN", "LOGIN" },
        },
      } do
        with({ auth = auth, insecure = true }, nil, function(server)
          local address = server:getsockname()
          for mechanism in names:gmatch "%S+" do
            for _, at_once in ipairs { true, false } do
              local client <close> = assert(smtp.SMTP(address.host, address.port, { timeout = LIMIT }))
              client:ehlo()
              assert.equal(names, client.esmtp_features.auth)
              assert.equal(235, (assert(client:auth(mechanism, { user = "jane", password = "secret" }, {
                initial_response_ok = at_once,
              }))))
            end
          end
        end)
      end
    end)

    it("takes tokens", function()
      local function right(user, token) return user == "jane" and token == "t" end
      with({ auth = { token = right }, insecure = true }, nil, function(server)
        local address = server:getsockname()
        local client <close> = assert(smtp.SMTP(address.host, address.port, { insecure = true, timeout = LIMIT }))
        assert.equal(235, (assert(client:login("jane", nil, { token = "t" }))))
      end)
    end)
  end)

  describe("over TLS", function()
    local function passwords(user) return ({ jane = "secret" })[user] end

    tls("forgets what was said in the clear", function()
      with({ starttls = contexts.server(), auth = passwords, require_tls = true }, nil, function(server)
        local client = dial(server)
        client:reply()
        local said = client:say "EHLO me\r\n"
        assert.is_truthy(said:find "STARTTLS")
        assert.is_nil(said:find "AUTH")
        client:say(MAIL, "530")
        client:say("STARTTLS now\r\n", "501")
        client:say("STARTTLS\r\n", "220")
        client.stream:close()
        assert(contexts.client():wrap_socket(client.socket, { server_hostname = "localhost" }))
        client.stream = client.socket:makefile "r"
        client:say(MAIL, "503")
        said = client:say "EHLO me\r\n"
        assert.is_nil(said:find "STARTTLS")
        assert.is_truthy(said:find "AUTH [^\r]*PLAIN")
        client:say("STARTTLS\r\n", "503")
        client:say("AUTH PLAIN " .. base64.encode "\0jane\0secret" .. "\r\n", "235")
        client:say(MAIL, "250")
        client:say(RCPT, "250")
        client:say("DATA\r\n", "354")
        client:say("x\r\n.\r\n", "250")
        assert.is_true(server.mails[1].options.secure)
      end)
    end)

    tls("takes nothing that came in the clear behind STARTTLS", function()
      with({ starttls = contexts.server() }, nil, function(server)
        for n = 1, #MAIL do
          local client = connect(server)
          client:say("STARTTLS\r\n" .. MAIL:sub(1, n), "554")
          assert.is_true(client:is_over())
        end
        assert.equal(0, #server.mails)
      end)
    end)

    tls("tells of a handshake that fails, and of one that never comes", function()
      local failed = {}
      with({
        starttls = contexts.server(), handshake_timeout = 0.1,
        handshake_failed = function(err) table.insert(failed, err) end,
      }, nil, function(server)
        local client = connect(server)
        client:say("STARTTLS\r\n", "220")
        client.socket:sendall "no handshake\r\n"
        client.stream:read "a"
        client = connect(server)
        client:say("STARTTLS\r\n", "220")
        client.stream:read "a"
        assert.equal(2, #failed)
        assert.equal("ETIMEDOUT", failed[2].name)
      end)
    end)

    tls("speaks it from the first byte on", function()
      with({ ssl = contexts.server(), require_tls = true }, nil, function(server)
        local client <close> = assert(smtp.SMTP_SSL("localhost", server:getsockname().port, {
          context = contexts.client(), timeout = LIMIT,
        }))
        assert.same({}, client:sendmail("jane@a", "joe@b", "x"))
        assert.is_true(server.mails[1].options.secure)
        assert.is_false(client:has_extn "starttls")
      end)
    end)

    tls("goes on with STARTTLS as its own client connects", function()
      with({ starttls = contexts.server() }, nil, function(server)
        local client <close> = assert(smtp.SMTP("localhost", server:getsockname().port, {
          context = contexts.client(), timeout = LIMIT, tls = "auto",
        }))
        assert.same({}, client:sendmail("jane@a", "joe@b", "x"))
        assert.is_true(server.mails[1].options.secure)
      end)
    end)
  end)

  it("takes many mails for many from its own client", function()
    with(nil, nil, function(server)
      local address = server:getsockname()
      local client <close> = assert(smtp.SMTP(address.host, address.port, { timeout = LIMIT }))
      local recipients = {}
      for i = 1, 1000 do recipients[i] = ("user%d@example.org"):format(i) end
      for _ = 1, 3 do assert.same({}, client:sendmail("jane@a", recipients, "x")) end
      assert.same({ 3, 1000 }, { #server.mails, #server.mails[3].to })
    end)
  end)
end)

describe("DebuggingServer", function()
  after_each(keep.close)

  it("prints what it gets", function()
    local printed = ""
    streams.in_task(function()
      local server = keep(smtpd.DebuggingServer { "127.0.0.1", 0 })
      local address = server:getsockname()
      local before = print
      rawset(_G, "print", function(line) printed = printed .. line .. "\n" end)
      local client = smtp.SMTP(address.host, address.port, { timeout = LIMIT })
      local ok = client and client:sendmail("jane@a", "joe@b", "Subject: x\n\nhello\n")
      rawset(_G, "print", before)
      client:close()
      server:close()
      assert(ok)
    end)
    assert.equal("---------- MESSAGE FOLLOWS ----------\nmail options: SIZE=21\nSubject: x\nX-Peer: 127.0.0.1\n\n"
      .. "hello\n------------ END MESSAGE ------------\n", printed)
  end)
end)
