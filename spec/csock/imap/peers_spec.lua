-- The clients of IMAP and POP3 with Dovecot, beside Python's imaplib and poplib.
local contexts = require "spec.support.contexts"
local dovecot = require "spec.support.dovecot"
local imap = require "csock.imap"
local keep = require "spec.support.keep"
local pop3 = require "csock.pop3"
local process = require "spec.support.process"
local python = require "spec.support.python"
local streams = require "spec.support.streams"

local LIMIT = 20 * process.slowness

local HEAD = "From: Joe <joe@example.org>\nTo: jane@example.org\nSubject: %s\nDate: Sun, 06 Nov 1994 08:49:37 +0000\n"
  .. "Message-ID: <%s@example.org>\n"
local MULTIPART = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n"
  .. ".dot\nhello\n--b\nContent-Type: application/pdf; name=a\nContent-Disposition: attachment; filename=a.pdf\n\n"
  .. "x\n--b--\n"

-- A value as the other side writes it.
local function show(value)
  if math.type(value) then return tostring(value) end
  if type(value) == "string" then return (value:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
  local parts = {}
  for i, v in ipairs(value) do parts[i] = show(v) end
  return "(" .. table.concat(parts, " ") .. ")"
end

local CALLS = {
  { "capability" }, { "list" }, { "list", '""', "%" }, { "status", "INBOX", "(MESSAGES UIDNEXT UNSEEN)" },
  { "namespace" },
  { "select", "INBOX" }, { "response", "UIDVALIDITY" }, { "search", "None", "ALL" },
  { "search", "UTF-8", "SUBJECT", "two" },
  { "fetch", "1:2", "(FLAGS UID RFC822.SIZE)" }, { "fetch", "1", "(BODY.PEEK[])" },
  { "fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] ENVELOPE BODYSTRUCTURE)" },
  { "uid", "SEARCH", "SUBJECT", "one" }, { "uid", "FETCH", "1", "(FLAGS)" }, { "sort", "(SUBJECT)", "UTF-8", "ALL" },
  { "thread", "REFERENCES", "UTF-8", "ALL" }, { "search", "None", "SUBJECT", "nothing" },
}

describe("Dovecot and", function()
  if dovecot.missing then
    it("the clients of IMAP and POP3", function() pending(dovecot.missing) end)
    return
  end

  local server

  setup(function()
    server = dovecot.start()
    server:deliver("1", HEAD:format("one", "1") .. "\nhello\n")
    server:deliver("2", HEAD:format("two", "2") .. MULTIPART)
  end)
  teardown(function() server:close() end)
  after_each(keep.close)

  local function connect(Class, port, options)
    options = options or {}
    options.timeout = LIMIT
    return keep(assert(Class("localhost", port, options)))
  end

  local function enter()
    local mail = connect(imap.IMAP4, server.imap)
    assert(mail:login("jane", "secret"))
    return mail
  end

  it("Python's imaplib and poplib hear the same as csock's clients", function()
    if not python.name then return pending "no Python 3.11" end
    local lines = {}
    for i, call in ipairs(CALLS) do lines[i] = table.concat(call, "\t") .. "\n" end
    -- The first who looks is told that all is \Recent, and who reads by POP3 has seen it.
    local first = enter()
    assert(first:select())
    assert(first:store("1:2", "FLAGS", "(\\Seen)"))
    first:logout()
    local ports = { tostring(server.imap), tostring(server.pop3) }
    local peer = keep(process.start { python.name, "spec/csock/imap/oracle.py", table.unpack(ports) })
    peer:write(table.concat(lines))
    peer:close_stdin()
    assert.same({ 0, "" }, { peer:wait(60), peer.err })
    local theirs = {}
    for line in peer.out:gmatch "([^\n]*)\n" do theirs[#theirs + 1] = line end

    local mail = enter()
    for i, call in ipairs(CALLS) do
      local args = { table.unpack(call, 2) }
      if args[1] == "None" then args[1] = nil end
      local answer = { mail[call[1]](mail, table.unpack(args, 1, #call - 1)) }
      assert.equal(theirs[i], show(answer), call[1])
    end
    mail:logout()

    local pop = connect(pop3.POP3, server.pop3)
    assert(pop:user "jane")
    assert(pop:pass_ "secret")
    for i, answer in ipairs {
      { pop:stat() }, { pop:list() }, { pop:uidl() }, { pop:retr(1) }, { pop:top(2, 0) }, pop:noop(),
    } do
      assert.equal(theirs[#CALLS + i], show(answer))
    end
    pop:quit()
  end)

  for how, run in pairs(streams.ways) do
    it("csock.imap do all that there is, " .. how, function()
      run(function()
        local mail, box = enter(), "Entwürfe & " .. (how:gsub(" ", "_"))
        assert(mail:create(box))
        assert(mail:subscribe(box))
        local found
        for _, one in ipairs(mail:mailboxes()) do found = found or one.name == box and one end
        assert.equal("/", found.delimiter)
        assert.equal(1, #select(2, mail:lsub()))
        local big = "Subject: three\r\n\r\n" .. ("0123456789\r\n"):rep(20000)
        assert(mail:append(box, "\\Seen", 837596665, "Subject: two\n\nx\n"))
        assert(mail:append(box, nil, nil, big))
        assert.same({ "OK", { "2" } }, { mail:select(box) })
        local list = assert(mail:messages("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[] ENVELOPE)"))
        assert.same({ 837596665, "Subject: two\r\n\r\nx\r\n", "\\Seen", "two" },
          { list[1].date, list[1]["BODY[]"], list[1].FLAGS[1], list[1].ENVELOPE.subject })
        assert.equal(big, list[2]["BODY[]"])
        assert.same({ list[2].UID }, mail:find("UNSEEN", true))
        assert.same({ 1 }, mail:find { "SUBJECT", { literal = "two" } })
        assert.matches("^1 %(FLAGS %(\\Deleted", select(2, mail:store(1, "FLAGS", "\\Deleted"))[1])
        assert.same({ "OK", { "1" } }, { mail:expunge() })
        mail:create "kept" -- the second time it is there
        assert(mail:copy(1, "kept"))
        assert(mail:uid("MOVE", list[2].UID, "kept"))
        assert.same({}, mail:find "ALL")
        assert(mail:check())
        assert(mail:unselect())
        assert(mail:unsubscribe(box))
        assert(mail:rename(box, "later"))
        assert(mail:delete "later")
        local none, err = mail:select "later"
        assert.same({ nil, "NO" }, { none, err.code })
        assert.equal("BYE", (mail:logout()))
      end)
    end)

    it("csock.imap are told of news while they wait, " .. how, function()
      run(function()
        local mail, other = enter(), enter()
        assert(mail:select "INBOX")
        local news, seen = assert(mail:idle(LIMIT)), nil
        assert(other:append(nil, nil, nil, "Subject: news\r\n\r\nx\r\n"))
        for name, data in news, nil, nil, news do
          seen = data[1]
          if name == "EXISTS" then break end
        end
        assert.equal("3", seen)
        assert.equal("OK", (mail:noop()))
        assert(other:select "INBOX")
        assert(other:store(3, "+FLAGS", "\\Deleted"))
        assert(other:expunge())
      end)
    end)
  end

  it("csock's clients log in by each mechanism", function()
    for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256" } do
      if contexts.missing and mechanism:find "%d" then break end
      local mail = connect(imap.IMAP4, server.imap)
      assert.equal("OK", (mail:authenticate(mechanism, { user = "jane", password = "secret" })))
      assert.equal("OK", (mail:select()))
      local pop = connect(pop3.POP3, server.pop3)
      assert.matches("^%+OK", pop:auth(mechanism, { user = "jane", password = "secret" }))
      pop:quit()
    end
    local mail = connect(imap.IMAP4, server.imap)
    assert.equal("OK", (mail:login("joe", 'a "b"\\c')))
    mail = connect(imap.IMAP4, server.imap)
    local none, err = mail:login("jane", "wrong")
    assert.same({ nil, "AUTHENTICATIONFAILED" }, { none, err.code })
    assert.equal("OK", (mail:login("jane", "secret")))
  end)

  it("csock's clients speak over TLS, from the first byte or later on", function()
    if contexts.missing or not dovecot.tls then return pending(contexts.missing) end
    local mail = connect(imap.IMAP4, server.imap, { context = contexts.client() })
    assert.equal("OK", (mail:starttls()))
    assert.equal("OK", (mail:login("jane", "secret")))
    mail = connect(imap.IMAP4_SSL, server.imaps, { context = contexts.client() })
    assert.equal("OK", (mail:login("jane", "secret")))
    assert.equal("BYE", (mail:logout()))
    local pop = connect(pop3.POP3, server.pop3, { context = contexts.client() })
    assert.matches("^%+OK", pop:stls())
    assert(pop:user "jane")
    assert.matches("^%+OK", pop:pass_ "secret")
    pop:quit()
    pop = connect(pop3.POP3_SSL, server.pop3s, { context = contexts.client() })
    assert(pop:user "jane")
    assert.matches("^%+OK", pop:pass_ "secret")
    pop:quit()
  end)

  it("csock.pop3 reads and deletes", function()
    local mail = enter()
    assert(mail:append(nil, nil, nil, "Subject: x\n\n.\n..\nend\n"))
    local pop = connect(pop3.POP3, server.pop3)
    assert(pop:user "jane")
    assert(pop:pass_ "secret")
    local count = pop:stat()
    assert.equal("Subject: x\r\n\r\n.\r\n..\r\nend\r\n", pop:message(count))
    local seen = 0
    for number, text in pop:messages() do
      seen = seen + 1
      assert.same({ seen, text }, { number, pop:message(number) })
    end
    assert.equal(count, seen)
    assert(pop:dele(count))
    assert(pop:quit())
    pop = connect(pop3.POP3, server.pop3)
    assert(pop:user "jane")
    assert(pop:pass_ "secret")
    assert.equal(count - 1, (pop:stat()))
    pop:quit()
  end)
end)
