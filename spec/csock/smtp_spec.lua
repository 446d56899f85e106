-- Sending mail, to servers that do as they are told, each in a process of its own.
local base64 = require "csock.wire.base64"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local smtp = require "csock.smtp"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness
local MESSAGE = "Subject: x\n\nhello\n.dot\n"

local tls = contexts.missing and function(name) it(name, function() pending(contexts.missing) end) end or it

-- What a server says to EHLO.
local function hello(...)
  local lines = { "mail.example.test", ... }
  for i, line in ipairs(lines) do lines[i] = (i < #lines and "250-" or "250 ") .. line end
  return table.concat(lines, "\r\n")
end

-- Steps: a command and its answer, each.
local function dialogue(...)
  local steps, list = {}, { ... }
  for i = 1, #list, 2 do
    steps[#steps + 1] = { expect = list[i] }
    steps[#steps + 1] = list[i + 1]
  end
  return steps
end

-- Steps, and lists of steps, as one list.
local function flat(...)
  local steps = {}
  for _, step in ipairs { ... } do
    if type(step) == "table" and step[1] then
      table.move(step, 1, #step, #steps + 1, steps)
    else
      steps[#steps + 1] = step
    end
  end
  return steps
end

-- A script: a greeting, the answer to EHLO with these extensions, and more steps. Each answer waits for its command.
local function script(extensions, ...)
  return flat("220 hi", dialogue("^EHLO", hello(table.unpack(extensions))), ...)
end

local function start(...) return keep(scripted.start(...)) end

local function connect(server, options, class)
  local all = { timeout = LIMIT, local_hostname = "me" }
  for name, value in pairs(options or {}) do all[name] = value end
  local client, err, errno = (class or smtp.SMTP)("localhost", server.port, all)
  return client and keep(client), err, errno
end

local function assert_error(name, code, value, err, errno)
  assert.is_nil(value)
  assert.equal(name, err.name, tostring(err))
  assert.equal(code, err.code)
  assert.equal(err.errno, errno)
  return err
end

describe("csock.smtp", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("sends a mail, command by command, " .. how, function()
      local server = start(script({ "SIZE 1000" }, dialogue(
        "^MAIL FROM:<jane@a> SIZE=27$", "250 ok", "^RCPT TO:<joe@b>$", "250 ok", "^RCPT TO:<jim@c>$", "251 there",
        "^DATA$", "354 go on"), { upto = "." }, "250 taken", { expect = "^QUIT$" }, "221 bye"))
      run(function()
        local client = assert(connect(server))
        assert.same({}, client:sendmail("jane@a", { "Joe <joe@b>", "<jim@c>" }, MESSAGE))
        assert.same({ 221, "bye" }, { client:quit() })
        assert.same({ "EHLO me", "MAIL FROM:<jane@a> SIZE=27", "RCPT TO:<joe@b>", "RCPT TO:<jim@c>", "DATA",
          "Subject: x", "", "hello", "..dot", ".", "QUIT" }, server:heard())
      end)
    end)

    it("sends MAIL, RCPT and DATA in one write where the server has PIPELINING " .. how, function()
      local first
      local server = start(script({ "PIPELINING" }, function(_, conn)
        first = conn:recv(10000)
        conn:sendall("250 a\r\n250 b\r\n250 c\r\n354 d\r\n" .. (first:gsub("[^\n]*\n", "")) )
        return first == "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
      end, { upto = "." }, "250 taken"))
      run(function()
        assert.same({}, assert(connect(server)):sendmail("a@b", { "c@d", "e@f" }, MESSAGE))
      end)
    end)

    it("tells who was refused, and goes on, " .. how, function()
      for _, extensions in ipairs { {}, { "PIPELINING" } } do
        local piped = #extensions > 0
        local server = start(script(extensions,
          dialogue("^MAIL", "250 ok", "<c@d>", "550 5.1.1 no such", "<e@f>", "250 ok", "DATA", "354 go"),
          { upto = "." }, "250 taken",
          dialogue("^MAIL", "250 ok", "<c@d>", "550 no", "<e@f>", "450-later\r\n450 perhaps"),
          piped and dialogue("DATA", "554 for whom?") or {},
          dialogue("^RSET$", "250 ok", "^NOOP$", "250 in step")))
        run(function()
          local client = assert(connect(server))
          assert.same({ ["c@d"] = { 550, "5.1.1 no such" } }, client:sendmail("a@b", { "c@d", "e@f" }, MESSAGE))
          local err = assert_error("SMTPRecipientsRefused", 450, client:sendmail("a@b", { "c@d", "e@f" }, MESSAGE))
          assert.same({ ["c@d"] = { 550, "no" }, ["e@f"] = { 450, "later\nperhaps" } }, err.recipients)
          assert.equal("temporary", err.kind)
          assert.same({ 250, "in step" }, { client:noop() })
        end)
        server:close()
      end
    end)

    it("tells what else was refused, and is in step then, " .. how, function()
      for _, extensions in ipairs { {}, { "PIPELINING" } } do
        local piped = #extensions > 0
        local refused = {
          { "SMTPSenderRefused", 550, dialogue("^MAIL", "550 not you"),
            piped and dialogue("RCPT", "503 no", "DATA", "503 no") or {}, dialogue("^RSET$", "250 ok") },
          { "SMTPDataError", 451, dialogue("^MAIL", "250 ok", "RCPT", "250 ok", "DATA", "451 later",
            "^RSET$", "250 ok") },
          { "SMTPDataError", 554, dialogue("^MAIL", "250 ok", "RCPT", "250 ok", "DATA", "354 go"), { upto = "." },
            "554 spam" },
        }
        if piped then
          table.insert(refused, { "SMTPRecipientsRefused", 550, dialogue("^MAIL", "250 ok", "RCPT", "550 no",
            "DATA", "354 go", "^%.$", "554 nothing", "^RSET$", "250 ok") })
          table.insert(refused, { "SMTPSenderRefused", 550, dialogue("^MAIL", "550 no", "RCPT", "250 yes",
            "DATA", "354 go", "^%.$", "250 taken?", "^RSET$", "250 ok") })
        end
        for _, row in ipairs(refused) do
          row[#row + 1] = dialogue("^NOOP$", "250 in step")
          local server = start(script(extensions, table.unpack(row, 3)))
          run(function()
            local client = assert(connect(server))
            local err = assert_error(row[1], row[2], client:sendmail("a@b", "c@d", MESSAGE))
            assert.equal(E.EPROTO, err.errno)
            assert.same({ 250, "in step" }, { client:noop() })
          end)
          server:close()
        end
      end
    end)

    -- A whole conversation of a mail, with each answer replaced by another.
    local function conversations(answer)
      local steps = {
        "220 hi", { expect = "^EHLO" }, hello "SIZE", { expect = "^MAIL" }, "250 ok", { expect = "^RCPT" }, "250 ok",
        { expect = "^DATA" }, "354 go", { upto = "." }, "250 taken",
      }
      local list = {}
      for i, step in ipairs(steps) do
        if type(step) == "string" then
          local one = table.move(steps, 1, i - 1, 1, {})
          table.move(answer, 1, #answer, #one + 1, one)
          list[#list + 1] = one
        end
      end
      return list
    end

    it("hears 421 anywhere, and says so until it connects again, " .. how, function()
      local list = conversations { "421 4.3.2 closing down", { close = true } }
      list[#list + 1] = script { "AUTH PLAIN" }
      local server = start(table.unpack(list))
      run(function()
        assert_error("EPROTO", 421, connect(server))
        local client
        for _ = 2, #list - 1 do
          client = assert(connect(server))
          local _, err, errno = client:sendmail("a@b", "c@d", MESSAGE)
          assert.same({ 421, "4.3.2 closing down", "temporary", E.EPROTO }, { err.code, err.text, err.kind, errno })
          assert.same({ err, errno }, { select(2, client:noop()) })
        end
        assert.is_true(client.does_esmtp)
        assert(client:connect("localhost", server.port))
        assert.is_false(client.does_esmtp)
        assert.is_false(client:has_extn "size")
        assert(client:ehlo())
        assert.is_true(client:has_extn "auth")
        assert.is_false(client:has_extn "size")
      end)
    end)

    it("notices the end anywhere, " .. how, function()
      for _, last in ipairs { { close = true }, { reset = true } } do
        local list = conversations { last }
        local server = start(table.unpack(list))
        run(function()
          local none, err = connect(server)
          assert.is_nil(none)
          assert.matches("ECONNRESET", tostring(err))
          for _ = 2, #list do
            local client = assert(connect(server))
            none, err = client:sendmail("a@b", "c@d", MESSAGE)
            assert.is_nil(none)
            assert.matches("^SMTP: .*%[E%u+%]$", tostring(err))
            assert.equal(err, select(2, client:noop()))
          end
        end)
        server:close()
      end
    end)

    it("takes nothing else for an answer " .. how, function()
      for _, nonsense in ipairs { "hello", "250ok", "25", "\0\0\0", "250-a\r\n251 b" } do
        local list = conversations { nonsense }
        local server = start(table.unpack(list))
        run(function()
          assert.is_nil((connect(server)))
          for _ = 2, #list do
            local client = assert(connect(server))
            local none, err = client:sendmail("a@b", "c@d", MESSAGE)
            assert.same({ "EPROTO", "protocol" }, { none or err.name, err.kind })
          end
        end)
        server:close()
      end
    end)

    it("gives a mail one time limit, however quick each answer is, " .. how, function()
      local steps = { { expect = "^MAIL" }, "250 ok" }
      for _ = 1, 100 do
        steps[#steps + 1] = { expect = "^RCPT" }
        steps[#steps + 1] = { send = "250 ok\r\n", piece = 1, every = 0.005 }
      end
      local server = start(script({}, table.unpack(steps)))
      run(function()
        local recipients = {}
        for i = 1, 100 do recipients[i] = "a@b" end
        local client = assert(connect(server, { timeout = 0.3 }))
        local began = csock.now()
        assert_error("ETIMEDOUT", nil, client:sendmail("a@b", recipients, MESSAGE))
        assert(csock.now() - began < LIMIT)
      end)
    end)

    tls("puts TLS under itself as it connects, or fails, " .. how, function()
      local server = start(
        script({ "STARTTLS", "AUTH PLAIN", "SIZE" }, { expect = "STARTTLS" }, "220 go", { starttls = true },
          { expect = "^EHLO" }, hello "8BITMIME"),
        script({ "AUTH PLAIN" }), script({ "STARTTLS" }, { expect = "STARTTLS" }, "454 not now"),
        script({ "STARTTLS" }, { expect = "STARTTLS" }, { send = "220 go\r\n250 mail.example.test\r\n" }),
        { "220 hi", { expect = "EHLO" }, "500 what?", { expect = "HELO" }, "250 ok" })
      run(function()
        for _, mode in ipairs { "starttls", "auto", "starttls", "auto", "starttls" } do
          local options = { tls = mode, context = contexts.client() }
          local client, err = connect(server, options)
          if client then
            assert(client:ehlo_or_helo_if_needed())
            assert.is_true(client:has_extn "8bitmime")
            assert.is_false(client:has_extn "size") -- which was said in the clear
            assert.is_false(client:has_extn "auth")
            client:close()
          else
            assert.is_not_equal("EBADF", err.name)
          end
        end
      end)
      assert.same({ "EHLO me", "STARTTLS", "EHLO me" }, server:heard(1))
      assert.same({ "EHLO me" }, server:heard(2))
      assert.same({ "EHLO me", "STARTTLS" }, server:heard(3))
      assert.same({ "EHLO me", "HELO me" }, server:heard(5))
    end)

    tls("speaks TLS from the first byte on " .. how, function()
      local server = keep(scripted.start_tls(script({ "SIZE" }, { expect = "NOOP" }, "250 ok")))
      run(function()
        for class, options in pairs { [smtp.SMTP_SSL] = {}, [smtp.SMTP] = { tls = "tls" } } do
          options.context = contexts.client()
          local client = assert(connect(server, options, class))
          assert(client:ehlo())
          assert.equal(250, (client:noop()))
        end
      end)
    end)
  end

  it("falls back on HELO where EHLO is not known", function()
    local server = start(
      flat("220 hi", dialogue("^EHLO me", "502 what?", "^HELO me", "250 ok", "^MAIL FROM:<a@b>$", "250 ok")),
      flat("220 hi", dialogue("^EHLO", "502 what?", "^HELO", "550 no")))
    local client = assert(connect(server))
    assert(client:ehlo_or_helo_if_needed())
    assert.same({ false, "ok" }, { client.does_esmtp, client.helo_resp })
    assert.equal(250, (client:mail "a@b"))
    assert_error("SMTPHeloError", 550, assert(connect(server)):sendmail("a@b", "c@d", ""))
  end)

  it("reads what a server says of itself", function()
    local features = require "csock.smtp.address".features
    assert.same({ size = "100", starttls = "", auth = "LOGIN PLAIN CRAM-MD5", ["x-y"] = "a b" }, features {
      "host", "SIZE 100", "StartTLS", "AUTH=LOGIN", "auth PLAIN  CRAM-MD5 ", "X-Y a b", "-bad", "", "bad=x", "b\0d",
    })
    assert.same({}, features { "SIZE" })
  end)

  it("does not show a password in the clear, unless told", function()
    local server = start(script { "AUTH PLAIN LOGIN" },
      script({ "AUTH PLAIN LOGIN" }, { expect = "AUTH PLAIN " .. base64.encode "\0jane\0secret" }, "235 welcome"))
    local client = assert(connect(server))
    assert_error("SASLInsecure", nil, client:login("jane", "secret"))
    client:close()
    assert.same({ "EHLO me" }, server:heard())
    client = assert(connect(server))
    assert.same({ 235, "welcome" }, { client:login("jane", "secret", { insecure = true }) })
  end)

  it("tries the mechanisms one after the other", function()
    local server = start(
      script({ "AUTH LOGIN PLAIN" }, dialogue("^AUTH PLAIN", "535 no", "^AUTH LOGIN$", "334 VXNlcm5hbWU6",
        "^amFuZQ==$", "334 UGFzc3dvcmQ6", "^c2VjcmV0$", "235 ok")),
      script({ "AUTH LOGIN PLAIN" }, dialogue("^AUTH PLAIN", "535 no", "^AUTH LOGIN$", "535 5.7.8 never",
        "NOOP", "250 ok")),
      script {})
    local client = assert(connect(server, { insecure = true }))
    assert.equal(235, (client:login("jane", "secret")))
    client = assert(connect(server, { insecure = true }))
    assert.equal("permanent", assert_error("SMTPAuthenticationError", 535, client:login("jane", "secret")).kind)
    assert.equal(250, (client:noop()))
    assert_error("SMTPNotSupportedError", nil, assert(connect(server)):login("jane", "secret"))
  end)

  it("says nothing secret in the command itself, if told so", function()
    local server = start(script({ "AUTH PLAIN" }, dialogue("^AUTH PLAIN$", "334 ", "^AGphbmUAc2VjcmV0$", "235 ok")))
    local client = assert(connect(server, { insecure = true }))
    assert.equal(235, (client:login("jane", "secret", { initial_response_ok = false })))
  end)

  it("sends what is too long for a command behind it", function()
    local server = start(script({ "AUTH XOAUTH2" }, dialogue("^AUTH XOAUTH2$", "334 ", "^dXNlcj1q", "235 ok")))
    local client = assert(connect(server))
    assert.equal(235, (client:login("jane", nil, { token = ("t"):rep(2000), insecure = true })))
  end)

  it("gives up a login where the server asks nonsense, and is in step", function()
    local server = start(script({ "AUTH X" }, { expect = "^AUTH X$" }, "334 !", { expect = "^%*$" }, "501 so what",
      { expect = "^AUTH X$" }, "334 QQ==", { expect = "^%*$" }, "501 so what", { expect = "^AUTH X Yg==$" },
      "334 QQ==", { expect = "^Yw==$" }, "235 ok"))
    local client = assert(connect(server))
    assert_error("SMTPAuthenticationError", 334, client:auth("X", function() end))
    assert_error("SASLError", nil, client:auth("x", function() end))
    assert.equal(235, (client:auth("X", function(challenge)
      if not challenge then return "b" end
      assert.equal("A", challenge)
      return "c"
    end)))
  end)

  it("answers no challenge for ever", function()
    local server = start(script({ "AUTH X" }, function(stream, conn)
      while stream:read() do conn:sendall "334 QQ==\r\n" end
    end))
    assert_error("SMTPAuthenticationError", 334, assert(connect(server)):auth("X", function() return "b" end))
  end)

  tls("believes no server that has not proved that it knows the password", function()
    local server = start(script({ "AUTH SCRAM-SHA-256" }, { expect = "^AUTH SCRAM" }, "235 welcome"))
    local client = assert(connect(server))
    assert_error("SASLError", nil, client:login("jane", "secret"))
    assert_error("SASLError", nil, client:noop())
  end)

  it("raises for what is no address before anything is sent", function()
    local server = start(script({}, { expect = "NOOP" }, "250 ok"))
    local client = assert(connect(server))
    client:ehlo()
    for _, wrong in ipairs {
      "a@b\r\nRCPT TO:<x@y>", "a@b\n", "a@b\0", "a@b> SIZE=1", "<a@b", "a b@c", "a@b>", "<a@b> x", "\x80@b", "a\tb@c",
      7,
    } do
      for _, call in ipairs {
        function() client:mail(wrong) end, function() client:rcpt(wrong) end, function() client:vrfy(wrong) end,
        function() client:expn(wrong) end, function() client:sendmail(wrong, "c@d", "") end,
        function() client:sendmail("a@b", { "c@d", wrong }, "") end,
      } do
        local ok, err = pcall(call)
        assert.is_false(ok, tostring(wrong))
        assert.matches("^spec/csock/smtp_spec.lua:%d+: bad argument #[12] to '%l+' %(", tostring(err))
      end
    end
    for _, call in ipairs {
      function() client:docmd "NOOP\r\nQUIT" end, function() client:docmd("NOOP", "\n") end,
      function() client:ehlo "a\r\nb" end, function() client:putcmd "a\0" end,
      function() client:mail("a@b", { "SIZE=1 X" }) end, function() client:mail("a@b", { color = 1 }) end,
      function() client:mail("a@b", { ret = "ALL" }) end,
      function() client:rcpt("a@b", { notify = { "NEVER", "DELAY" } }) end,
      function() client:login("a\0", "b") end, function() client:login("a", "b\r\n") end,
      function() client:sendmail("a@b", {}, "") end, function() client:sendmail("a@b", "c@d", 7) end,
      function() client:sendmail("a@b", "c@d", "", { color = 1 }) end,
      function() client:send_message "To: a@b\n\n" end, function() client:send_message "From: a@b\n\n" end,
      function() smtp.SMTP("a b") end, function() smtp.SMTP("h", 70000) end,
      function() smtp.SMTP("h", 1, { tls = "no" }) end,
      function() smtp.SMTP("h", 1, { timeout = 0 }) end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches("^spec/csock/smtp_spec.lua:%d+: ", tostring(err))
    end
    assert.equal(250, (client:noop()))
    client:close()
    assert.same({ "EHLO me", "NOOP" }, server:heard())
  end)

  it("takes addresses as people write them", function()
    for given, wanted in pairs {
      ["a@b"] = "<a@b>", [" a@b "] = "<a@b>", ["<a@b>"] = "<a@b>", ["Jane Doe <a@b>"] = "<a@b>", [""] = "<>",
      ["<>"] = "<>", ['"a b"@c'] = '<"a b"@c>', ["jürgen@ö.example"] = "<jürgen@ö.example>",
    } do
      assert.equal(wanted, smtp.quoteaddr(given))
    end
  end)

  it("says what a message needs, and what was asked for", function()
    local server = start(script({ "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN" }, { expect = "^MAIL" }, "250 ok",
      { expect = "^RCPT" }, "250 ok", { expect = "^DATA" }, "354 go", { upto = "." }, "250 ok", { expect = "^MAIL" },
      "250 ok", { expect = "^RCPT" }, "250 ok"))
    local client = assert(connect(server))
    assert(client:sendmail("jürgen@b", "c@d", "\xc3\xbc\n", {
      mail_options = { ret = "HDRS", envid = "a+b=c d" },
      rcpt_options = { notify = { "SUCCESS", "FAILURE" }, orcpt = true },
    }))
    client:mail("", { "BODY=7BIT", size = 7, smtputf8 = true })
    client:rcpt("e@f", { notify = "NEVER", orcpt = "utf-8;x y" })
    client:close()
    local heard = server:heard()
    assert.same({
      "MAIL FROM:<jürgen@b> RET=HDRS ENVID=a+2Bb+3Dc+20d SMTPUTF8 BODY=8BITMIME SIZE=4",
      "RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d",
    }, { heard[2], heard[3] })
    assert.same({ "MAIL FROM:<> BODY=7BIT SIZE=7 SMTPUTF8", "RCPT TO:<e@f> NOTIFY=NEVER ORCPT=utf-8;x+20y" },
      { heard[#heard - 1], heard[#heard] })
  end)

  it("sends no mail that the server could not take", function()
    local server = start(script { "SIZE 10" })
    local client = assert(connect(server))
    assert.equal(E.EMSGSIZE, assert_error("SMTPDataError", nil, client:sendmail("a@b", "c@d", "0123456789")).errno)
    for _, call in ipairs {
      function() return client:sendmail("a@b", "c@d", "\xff") end,
      function() return client:sendmail("ü@b", "c@d", "") end, function() return client:sendmail("a@b", "ü@d", "") end,
      function() return client:sendmail("a@b", "c@d", "", { mail_options = { ret = "FULL" } }) end,
      function() return client:sendmail("a@b", "c@d", "", { rcpt_options = { notify = "NEVER" } }) end,
    } do
      assert_error("SMTPNotSupportedError", nil, call())
    end
    client:close()
    assert.same({ "EHLO me" }, server:heard())
  end)

  it("makes CRLF of each line end, and doubles dots", function()
    local stuff = require "csock.smtp.message".stuff
    for given, wanted in pairs {
      [""] = ".\r\n", a = "a\r\n.\r\n", ["a\n"] = "a\r\n.\r\n", ["a\r\n"] = "a\r\n.\r\n", ["."] = "..\r\n.\r\n",
      ["a\rb\nc\r\nd"] = "a\r\nb\r\nc\r\nd\r\n.\r\n", [".a\n.\r..\r\n"] = "..a\r\n..\r\n...\r\n.\r\n",
      ["\n\r"] = "\r\n\r\n.\r\n", ["a.\n"] = "a.\r\n.\r\n",
      ["a\r\n.\r\nMAIL FROM:<x@y>"] = "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n",
      ["a\n.\nMAIL"] = "a\r\n..\r\nMAIL\r\n.\r\n", ["a\r.\rMAIL"] = "a\r\n..\r\nMAIL\r\n.\r\n",
    } do
      assert.equal(wanted, stuff(given, 1, "x"), ("%q"):format(given))
    end
  end)

  it("finds in a message from whom and to whom it is", function()
    local read = require "csock.smtp.message".read
    local function addresses(text)
      local from, to, bare = read(text, "x")
      return from, table.concat(to, " "), bare
    end
    local from, to, bare = addresses(table.concat({
      'From: "Doe, Jane" <jane@a> (a comment, with <x@y>)', "To: joe@b, Jim <jim@c>,", "\tfriends: (none) x@y , z@y;",
      "Bcc: secret@d", " , more@d", "cc: \"a,b\"@e", "Subject: To: no@body", "", "Bcc: in the body",
    }, "\r\n"))
    assert.equal("jane@a", from)
    assert.equal('joe@b jim@c x@y z@y secret@d more@d "a,b"@e', to)
    assert.is_nil(bare:find("secret", 1, true))
    assert.is_nil(bare:find("more@d", 1, true))
    assert.is_truthy(bare:find("\r\n\r\nBcc: in the body", 1, true))
    from, to = addresses "From: f@a\nSender: s@a\nTo: b@a\n\n"
    assert.same({ "s@a", "b@a" }, { from, to })
    from, to = addresses "From: f@a\nTo: b@a\nResent-Date: x\nResent-From: r@a\nResent-Bcc: q@a\n\n"
    assert.same({ "r@a", "q@a" }, { from, to })
    assert.error_matches(function() read("Resent-Date: x\nResent-Date: y\n\n", "x") end, "more than once")
    from, to = addresses "From: a@b (\n\nTo: c@d"
    assert.same({ "a@b", "" }, { from, to })
  end)

  it("sends a message to whom its header says", function()
    local server = start(script({}, { expect = "MAIL FROM:<jane@a>" }, "250 ok", { expect = "<joe@b>" }, "250 ok",
      { expect = "<jim@b>" }, "250 ok", { expect = "DATA" }, "354 go", { upto = "." }, "250 ok"))
    local client = assert(connect(server))
    assert.same({}, client:send_message { as_bytes = function()
      return "From: Jane <jane@a>\nTo: joe@b\nBcc: jim@b\n\nhello\n"
    end })
    client:close()
    assert.same({ "From: Jane <jane@a>", "To: joe@b", "", "hello", "." }, table.move(server:heard(), 6, 10, 1, {}))
  end)

  it("says QUIT as it is closed by its block, and does not wait", function()
    local server = start { "220 hi" }
    do
      local client <close> = assert(smtp.SMTP("localhost", server.port))
      assert(client.sock)
    end
    assert.same({ "QUIT" }, server:heard())
  end)

  it("says that it is not connected", function()
    local client = assert(smtp.SMTP())
    local err = assert_error("SMTPServerDisconnected", nil, client:noop())
    assert.equal(E.ENOTCONN, err.errno)
    assert.is_true(client:close())
    assert_error("SMTPServerDisconnected", nil, client:quit())
  end)

  it("takes a port behind the host, and a socket that is open", function()
    local server = start { "220 hi" }
    assert(keep(smtp.SMTP("localhost:" .. server.port)))
    local a, b = keep(csock.socketpair())
    b:sendall "220 hi\r\n"
    local client = assert(keep(smtp.SMTP { socket = a, timeout = LIMIT, local_hostname = "me" }))
    assert(client:putcmd("NOOP", "x"))
    assert.equal("NOOP x\r\n", b:recv(100))
    b:sendall "250-a\r\n250 b\r\n"
    assert.same({ 250, "a\nb" }, { client:getreply() })
  end)

  it("looks up no name to say who it is", function()
    local server = start(script {})
    local client = assert(smtp.SMTP("127.0.0.1", server.port))
    client:ehlo()
    client:close()
    local name = csock.gethostname()
    assert.equal("EHLO " .. (name:find("%.") and name or "[127.0.0.1]"), server:heard()[1])
  end)

  it("prints what is said, but for passwords, if told", function()
    local server = start(script({ "AUTH PLAIN" }, { expect = "AUTH" }, "235 ok"))
    local status, _, err = process.run { process.interpreter, "-e", ([[
      local smtp = require "csock.smtp"
      local client = smtp.SMTP("localhost", %d, { local_hostname = "me", insecure = true })
      client:set_debuglevel(1)
      client:login("jane", "secret")
    ]]):format(server.port) }
    assert.equal(0, status)
    assert.equal('send: "EHLO me"\nreply: "250-mail.example.test"\nreply: "250 AUTH PLAIN"\nsend: "AUTH PLAIN ..."\n'
      .. 'reply: "235 ok"\n', err)
  end)

  describe("over LMTP", function()
    local function lmtp(...)
      return flat("220 hi", dialogue("^LHLO me$", hello "PIPELINING", "^MAIL", "250 ok", "<c@d>", "250 ok",
        "<e@f>", "550 no", "<g@h>", "250 ok", "DATA", "354 go"), { upto = "." }, ...)
    end

    it("hears of each recipient whether it was delivered", function()
      local server = start(lmtp("250 delivered", "452 full", { expect = "NOOP" }, "250 in step"))
      local client = assert(connect(server, nil, smtp.LMTP))
      assert.same({ ["e@f"] = { 550, "no" }, ["g@h"] = { 452, "full" } },
        client:sendmail("a@b", { "c@d", "e@f", "g@h" }, MESSAGE))
      assert.same({ 250, "in step" }, { client:noop() })
    end)

    it("fails when it was delivered to nobody", function()
      local server = start(lmtp("552 full", "452 full"))
      local client = assert(connect(server, nil, smtp.LMTP))
      local err = assert_error("SMTPRecipientsRefused", 452, client:sendmail("a@b", { "c@d", "e@f", "g@h" }, MESSAGE))
      assert.same({ ["c@d"] = { 552, "full" }, ["e@f"] = { 550, "no" }, ["g@h"] = { 452, "full" } }, err.recipients)
    end)

    it("goes to the path of a Unix socket", function()
      local dir = assert(posix.mkdtemp())
      finally(function() os.execute("rm -rf '" .. dir .. "'") end)
      local listener = keep(csock.create_server(dir .. "/lmtp", { family = csock.AF_UNIX }))
      streams.in_task(function()
        csock.spawn(function()
          local conn <close> = listener:accept()
          conn:sendall "220 hi\r\n"
          conn:recv(100)
        end)
        local client <close> = smtp.LMTP(dir .. "/lmtp")
        assert(client)
      end)
    end)
  end)
end)
