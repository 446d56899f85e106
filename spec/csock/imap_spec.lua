-- The client of IMAP, against servers that do as they are told.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local imap = require "csock.imap"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness
local HELLO = "* OK [CAPABILITY IMAP4rev1 SASL-IR IDLE UNSELECT MOVE ENABLE] hello"

local function start(...) return keep(scripted.start(...)) end

local function connect(server, options, Class)
  options = options or {}
  if options.timeout == nil then options.timeout = LIMIT end
  local mail, err, errno = (Class or imap.IMAP4)("localhost", server.port, options)
  if mail then keep(mail) end
  return mail, err, errno
end

local tag -- of the last command, in the server's process

-- A step that reads a command, and answers it: `%T` is its tag.
local function to(pattern, answer)
  return function(stream, conn)
    local line = stream:read()
    if not line then return false end
    local command
    tag, command = line:match "^(%u+%d+) (.*)$"
    if not tag or not command:find(pattern) then
      conn:sendall(("* BYE heard %q\r\n"):format(line))
      return false
    end
    return conn:sendall((answer:gsub("%%T", tag))) ~= nil
  end
end

-- A step that reads a literal and what is behind it, and answers.
local function literal(wanted, answer)
  return function(stream, conn)
    if stream:read(#wanted) ~= wanted then return false end
    return conn:sendall((answer:gsub("%%T", tag))) ~= nil
  end
end

local OK = "%T OK done\r\n"
local IN = to("^LOGIN", "%T OK [CAPABILITY IMAP4rev1 IDLE UNSELECT MOVE ENABLE] in\r\n")
local SELECT = to("^SELECT INBOX$",
  "* 2 EXISTS\r\n* 1 RECENT\r\n* OK [UIDVALIDITY 7] valid\r\n%T OK [READ-WRITE] open\r\n")

-- What every script begins with, and a client that is there.
local function opened(...) return start { HELLO, IN, SELECT, ... } end

local function enter(server, options)
  local mail = connect(server, options)
  assert(mail:login("jane", "secret"))
  assert(mail:select())
  return mail
end

describe("a client of IMAP", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("logs in, opens a mailbox, fetches, searches and leaves, " .. how, function()
      local server = opened(
        to("^FETCH 1 %(BODY%[%]%)$", "* 1 FETCH (BODY[] {5}\r\nhello FLAGS (\\Seen))\r\n" .. OK),
        to("^SEARCH ALL$", "* SEARCH 1 2\r\n" .. OK), to("^NOOP$", "* 3 EXISTS\r\n" .. OK),
        to("^UID SEARCH UNSEEN$", "* SEARCH\r\n" .. OK),
        to("^STORE 1 %+FLAGS %(\\Deleted%)$", "* 1 FETCH (FLAGS (\\Deleted))\r\n" .. OK),
        to("^EXPUNGE$", "* 1 EXPUNGE\r\n" .. OK),
        to("^CLOSE$", OK), to("^LOGOUT$", "* BYE bye\r\n" .. OK), { close = true })
      run(function()
        local mail = enter(server)
        assert.same({ "UIDVALIDITY", { "7" } }, { mail:response "UIDVALIDITY" })
        assert.same({ "OK", { { "1 (BODY[] {5}", "hello" }, " FLAGS (\\Seen))" } }, { mail:fetch(1, "(BODY[])") })
        assert.same({ "OK", { "1 2" } }, { mail:search(nil, "ALL") })
        assert.same({ "OK", { "done" } }, { mail:noop() })
        assert.same({ "exists", { "2", "3" } }, { mail:response "exists" })
        assert.same({}, mail:find("UNSEEN", true))
        assert.same({ "OK", { "1 (FLAGS (\\Deleted))" } }, { mail:store(1, "+FLAGS", "\\Deleted") })
        assert.same({ "OK", { "1" } }, { mail:expunge() })
        assert.equal("OK", (mail:close()))
        assert.equal("AUTH", mail.state)
        assert.same({ "BYE", { "bye" } }, { mail:logout() })
        assert.equal(E.EBADF, (select(3, mail:noop())))
      end)
    end)

    it("tells what a server refuses, and goes on, " .. how, function()
      local server = opened(to("^COPY", "%T NO [TRYCREATE] no \27such\r\n"), to("^NOOP", "%T BAD what?\r\n"),
        to("^NOOP", OK))
      run(function()
        local mail = enter(server)
        local none, err, errno = mail:copy(1, "x")
        assert.same({ nil, E.EPROTO, "TRYCREATE", "[TRYCREATE] no \27such", "permanent" },
          { none, errno, err.code, err.text, err.kind })
        assert.equal("IMAP: NO [TRYCREATE] no ?such [EPROTO]", tostring(err))
        assert.equal("BAD", (select(2, mail:noop())).code)
        assert.equal("OK", (mail:noop()))
      end)
    end)

    it("is never out of step: what is cut ends it, " .. how, function()
      local answer = "* 1 FETCH (BODY[] {3}\r\na\r\n FLAGS ())\r\nTAG OK x\r\n"
      local scripts = {}
      for n = 0, #answer - 1 do
        scripts[n + 1] = { "* PREAUTH [CAPABILITY IMAP4rev1] hi", to("^SELECT", OK), function(stream, conn)
          conn:sendall((answer:gsub("TAG", stream:read():match "^%S+"):sub(1, n)))
          return false
        end }
      end
      local server = start(table.unpack(scripts))
      run(function()
        for _ = 1, #answer do
          local mail = connect(server)
          assert(mail:select())
          local none, err, errno = mail:fetch(1, "BODY[]")
          assert.same({ nil, E.ECONNRESET }, { none, errno })
          assert.same({ err, errno }, { select(2, mail:noop()) })
        end
      end)
    end)

    it("has one deadline for what trickles, " .. how, function()
      local server = opened({ expect = "" }, { send = ("* 1 EXISTS\r\n"):rep(1000), piece = 1, every = 0.01 })
      run(function()
        local mail = enter(server)
        mail.d.timeout = 0.2 * process.slowness
        assert.equal(E.ETIMEDOUT, (select(3, mail:noop())))
        assert.equal(E.ETIMEDOUT, (select(3, mail:noop())))
      end)
    end)

    it("waits for news, until the loop is left, " .. how, function()
      local server = opened(to("^IDLE$", "* 3 EXISTS\r\n+ idling\r\n* 4 EXISTS\r\n* 1 RECENT\r\n"),
        { expect = "^DONE$" }, function(_, conn) return conn:sendall "* 5 EXISTS\r\n" ~= nil end, { close = true })
      local answers = opened(function(stream, conn)
        tag = stream:read():match "^%S+"
        conn:sendall "+ \r\n* 4 EXISTS\r\n"
        if stream:read() == "DONE" then conn:sendall(tag .. " OK idled\r\n") end
      end, to("^NOOP$", OK))
      run(function()
        local mail, seen = enter(server), {}
        assert.error_matches(function()
          for name, data in assert(mail:idle()) do
            seen[#seen + 1] = name .. data[1]
            if #seen == 3 then
              assert.equal(E.EBUSY, (select(3, mail:noop())))
              error "enough"
            end
          end
        end, "enough")
        assert.same({ "EXISTS3", "EXISTS4", "RECENT1" }, seen)
        assert.equal(E.ECONNRESET, (select(3, mail:noop())))
        mail = enter(answers)
        do
          local news <close> = assert(mail:idle())
          assert.same({ "EXISTS", { "4" } }, { news() })
        end
        assert.equal("OK", (mail:noop()))
      end)
    end)

    it("waits for so long, and begins anew before the server loses its patience, " .. how, function()
      local rounds = 0
      local function round(stream, conn)
        tag = stream:read():match "^(%S+) IDLE"
        conn:sendall "+ \r\n"
        stream:read()
        rounds = rounds + 1
        return tag and conn:sendall(("* %d EXISTS\r\n%s OK\r\n"):format(rounds, tag))
      end
      local server = opened(round, round, round, round, to("^NOOP$", OK))
      run(function()
        local mail, seen = enter(server), {}
        for name, data in assert(mail:idle(nil, 0.05)) do
          seen[#seen + 1] = name .. data[1]
          if #seen == 2 then break end
        end
        for name, data in assert(mail:idle(0.05)) do seen[#seen + 1] = name .. data[1] end
        assert.same({ "EXISTS1", "EXISTS2", "EXISTS4" }, seen)
        assert.equal("OK", (mail:noop()))
      end)
    end)
  end

  it("ends with a task that is cancelled while it waits for news, or does something with them", function()
    local server = opened(to("^IDLE$", "+ \r\n* 1 EXISTS\r\n"), { upto = "DONE" })
    for _, seconds in ipairs { 0, LIMIT } do
      streams.in_task(function()
        local mail, begun = enter(server), csock.loop.event()
        local task = csock.spawn(function()
          for _ in assert(mail:idle()) do
            begun:set()
            csock.sleep(seconds)
          end
        end)
        begun:wait()
        csock.sleep(0)
        task:cancel()
        task:join()
        assert.is_nil(mail.idling)
        assert.is_nil((mail:noop()))
      end)
    end
  end)

  it("does not keep for ever what nobody asks for", function()
    local server = opened(to("^NOOP$", ("* 1 EXISTS\r\n"):rep(10001) .. OK), to("^NOOP$", "* 5 EXISTS\r\n" .. OK))
    local mail = enter(server)
    assert(mail:noop())
    assert(mail:noop())
    assert.same({ "EXISTS", { "5" } }, { mail:response "EXISTS" })
  end)

  it("raises in the loop what goes wrong while it waits", function()
    local server = opened(to("^IDLE$", "+ \r\n* BYE maintenance\r\n"))
    local mail = enter(server)
    local ok, err = pcall(function() for _ in assert(mail:idle()) do end end)
    assert.same({ false, "BYE", "temporary", "maintenance" }, { ok, err.code, err.kind, err.text })
    assert.equal(E.EOPNOTSUPP, (select(3, connect(start { "* PREAUTH [CAPABILITY IMAP4] x" }):idle())))
  end)

  it("sends literals, asking before each where it must", function()
    local message, hello = "Subject: x\r\n\r\nhello\r\n", "* PREAUTH [CAPABILITY IMAP4rev1%s] hi"
    local server = start(
      { hello:format "", to("^APPEND INBOX %(\\Seen%) {21}$", "* 1 EXISTS\r\n+ go\r\n"),
        literal(message .. "\r\n", OK) },
      { hello:format " LITERAL+", to("^APPEND INBOX {21%+}$", ""), literal(message .. "\r\n", OK) },
      { hello:format " LITERAL-", to("^APPEND INBOX {4097}$", "%T NO [TOOBIG] no\r\n"), to("^NOOP", OK) },
      { hello:format " LITERAL-", to("^APPEND INBOX {21%+}$", ""), literal(message .. "\r\n", OK) },
      { hello:format "", to("^APPEND INBOX {21}$", "%T OK what?\r\n") },
      { hello:format "", to("^SELECT", OK), to("^SEARCH CHARSET UTF%-8 SUBJECT {3}$", "+ \r\n"),
        literal("\xC3\xBCx TEXT {1}\r\n", "+ \r\n"), literal("y UNSEEN\r\n", "* SEARCH 7\r\n" .. OK),
        to("^UID SEARCH SUBJECT {1}$", "+ \r\n"), literal("z\r\n", "* SEARCH 8\r\n" .. OK) },
      { hello:format " ENABLE UTF8=ACCEPT", to("^ENABLE", OK), to("^APPEND INBOX UTF8 %(~{21}$", "+ \r\n"),
        literal(message .. ")\r\n", OK) })
    assert.equal("OK", (connect(server):append(nil, "\\Seen", nil, message)))
    assert.equal("OK", (connect(server):append("", nil, nil, (message:gsub("\r", "")))))
    local mail = connect(server)
    assert.equal("TOOBIG", (select(2, mail:append(nil, nil, nil, ("x"):rep(4097)))).code)
    assert.equal("OK", (mail:noop()))
    assert.equal("OK", (connect(server):append(nil, nil, nil, (message:gsub("\r\n", "\r")))))
    assert.equal(E.EPROTO, (select(3, connect(server):append(nil, nil, nil, message))))
    mail = connect(server)
    assert(mail:select())
    assert.same({ "OK", { "7" } },
      { mail:search("UTF-8", "SUBJECT", { literal = "\xC3\xBCx" }, "TEXT", { literal = "y" }, "UNSEEN") })
    mail.literal = "z" -- as imaplib has it
    assert.same({ "OK", { "8" } }, { mail:uid("SEARCH", "SUBJECT") })
    mail = connect(server)
    assert(mail:enable "UTF8=ACCEPT")
    assert.equal("OK", (mail:append(nil, nil, nil, message)))
  end)

  it("has one time-out for a call, of however many orders it is made", function()
    local function late() csock.sleep(0.3 * process.slowness) end
    local hello, caps = "* OK [CAPABILITY IMAP4rev1] hi", "* CAPABILITY IMAP4rev1 MOVE ENABLE IDLE\r\n" .. OK
    local function slow(pattern)
      return { hello, to("^LOGIN", OK), to("^SELECT", OK), late, to("^CAPABILITY", caps), late, to(pattern, "+ \r\n") }
    end
    local function ended(stream, conn)
      return stream:read() == "DONE" and conn:sendall(tag .. " OK idled\r\n") ~= nil
    end
    -- (A server each, since the conversations of one have one `tag`, and here they go on when the client is gone.)
    local options = { timeout = 0.5 * process.slowness }
    assert.equal(E.ETIMEDOUT, (select(3, enter(start(slow "^ENABLE"), options):enable "X")))
    assert.equal(E.ETIMEDOUT, (select(3, enter(start(slow "^MOVE"), options):move("1", "old"))))
    assert.equal(E.ETIMEDOUT, (select(3, enter(start(slow "^IDLE"), options):idle())))
    local server = opened(to("^IDLE", "+ \r\n"), late, ended, late, to("^IDLE", "+ \r\n* 3 EXISTS\r\n"))
    local ok, err = pcall(assert(enter(server, options):idle(nil, 0.01)))
    assert.same({ false, E.ETIMEDOUT }, { ok, err and err.errno })
  end)

  it("is told at any place that the server leaves", function()
    local steps = { HELLO, IN, SELECT, to("^FETCH", "* 1 FETCH (FLAGS ())\r\n" .. OK) }
    local function talk(server)
      local mail, err = connect(server)
      local calls = { { "login", "jane", "secret" }, { "select" }, { "fetch", 1, "FLAGS" } }
      for i = 1, 3 do
        if not mail then return err end
        local ok
        ok, err = mail[calls[i][1]](mail, calls[i][2], calls[i][3])
        if not ok then return err, mail end
      end
    end
    for n = 0, #steps - 1 do
      local script = table.move(steps, 1, n, 1, {})
      script[n + 1] = n > 0 and { expect = "" } or nil
      script[#script + 1] = "* 1 EXISTS\r\n* BYE [UNAVAILABLE] gone"
      if n == 0 then script[1] = "* BYE [UNAVAILABLE] gone" end
      local err, mail = talk(start(script))
      assert.same({ "UNAVAILABLE", "temporary", E.EPROTO }, { err.code, err.kind, err.errno })
      if mail then assert.equal(err, (select(2, mail:noop()))) end
    end
  end)

  it("knows a greeting that is cut as such", function()
    local greeting = "* OK [CAPABILITY IMAP4rev1] x\r\n"
    local server = start(table.unpack(scripted.cuts(greeting)))
    for _ = 1, #greeting do assert.equal(E.ECONNRESET, (select(3, connect(server)))) end
  end)

  it("logs in by SASL", function()
    local hello = "* OK [CAPABILITY IMAP4rev1] hi"
    local server = start({ HELLO, to("^AUTHENTICATE PLAIN AGphbmUAc2VjcmV0$", OK) },
      { hello, to("^AUTHENTICATE PLAIN$", "+ \r\n"), { expect = "^AGphbmUAc2VjcmV0\r?$" }, { close = true } },
      { hello, to("^AUTHENTICATE X$", "+ aGk=\r\n"), { expect = "^eW8=" }, { close = true } },
      { hello, to("^AUTHENTICATE PLAIN$", "%T OK so soon\r\n") },
      { hello, to("^AUTHENTICATE X$", "+ !\r\n") },
      { hello, to("^AUTHENTICATE PLAIN", "%T NO [AUTHENTICATIONFAILED] no\r\n"), to("^NOOP", OK) })
    local jane = { user = "jane", password = "secret" }
    local mail = connect(server)
    assert.equal("OK", (mail:authenticate("PLAIN", jane)))
    assert.equal("AUTH", mail.state)
    assert.equal(E.ECONNRESET, (select(3, connect(server):authenticate("plain", jane))))
    local heard
    assert.equal(E.ECONNRESET, (select(3, connect(server):authenticate("X", function(challenge)
      heard = challenge
      return "yo"
    end))))
    assert.equal("hi", heard)
    assert.equal(E.EPROTO, (select(3, connect(server):authenticate("PLAIN", jane))))
    assert.equal(E.EPROTO, (select(3, connect(server):authenticate("X", function() end))))
    mail = connect(server)
    assert.equal("AUTHENTICATIONFAILED", (select(2, mail:authenticate("PLAIN", jane))).code)
    assert.equal("OK", (mail:noop()))
  end)

  it("tells no password to a server that will not have it in the clear", function()
    local server = start { "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi" }
    local mail = connect(server)
    assert.equal(E.EPERM, (select(3, mail:login("jane", "secret"))))
    mail:shutdown()
    assert.same({}, server:heard())
  end)

  it("goes over to TLS, and never by a server that does not offer it", function()
    if contexts.missing then return pending(contexts.missing) end
    local hello = "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi"
    local server = start(
      { hello, to("^STARTTLS$", OK), { starttls = true }, to("^CAPABILITY", "* CAPABILITY IMAP4rev1 X\r\n" .. OK),
        to("^NOOP", OK) },
      { HELLO },
      { hello, to("^STARTTLS$", OK .. "* OK injected\r\n") },
      { "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi" })
    local mail = connect(server, { context = contexts.client() })
    assert.equal("OK", (mail:starttls()))
    assert.same({ "IMAP4REV1", "X" }, mail.capabilities)
    assert.equal("OK", (mail:noop()))
    assert.equal(E.EISCONN, (select(3, mail:starttls())))
    assert.equal(E.EOPNOTSUPP, (select(3, connect(server):starttls())))
    local none, err = connect(server, { context = contexts.client() }):starttls()
    assert.is_nil(none)
    assert.matches("in the clear", tostring(err))
    assert.equal("state", (select(2, connect(server):starttls())).kind) -- somebody has logged in for us
  end)

  it("is over TLS from the first byte on", function()
    if contexts.missing then return pending(contexts.missing) end
    local server = keep(scripted.start_tls { HELLO, to("^NOOP$", OK) })
    local mail = connect(server, { context = contexts.client() }, imap.IMAP4_SSL)
    assert.equal("OK", (mail:noop()))
  end)

  it("speaks with a program", function()
    local command = [[printf '* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n'; ]]
      .. [[while read -r tag rest; do printf '* 1 EXISTS\r\n%s OK done\r\n' "$tag"; done]]
    local mail = keep(imap.IMAP4_stream(command, { timeout = LIMIT }))
    assert.same({ "OK", { "1" } }, { mail:select() })
    mail:shutdown()
    assert.equal("EPROTO", (select(2, imap.IMAP4_stream("echo nothing", { timeout = LIMIT }))).name)
  end)

  it("says a mailbox's name as the server has it", function()
    local server = start { "* PREAUTH [CAPABILITY IMAP4rev1] hi", to('^CREATE "my box"$', OK),
      to("^CREATE Entw&APw%-rfe$", OK), to('^CREATE "as it is"$', OK), to("^CREATE &AOk%-$", OK),
      to('^LIST "" %*$', '* LIST (\\Noselect) NIL {4}\r\na"bc\r\n* LIST () "/" "x y"\r\n' .. OK) }
    local mail = connect(server)
    for _, name in ipairs { "my box", "Entwürfe", '"as it is"', "&AOk-" } do assert(mail:create(name)) end
    assert.same({
      { name = 'a"bc', raw = 'a"bc', flags = { "\\Noselect" } },
      { name = "x y", raw = "x y", flags = {}, delimiter = "/" },
    }, mail:mailboxes())
  end)

  it("lets no mailbox be open for writing that is not", function()
    local server = start { HELLO, IN, to("^SELECT x$", "%T OK [READ-ONLY] open\r\n"), to("^EXAMINE x$",
      "* 9 EXISTS\r\n%T OK [READ-ONLY] open\r\n"), to("^UNSELECT$", OK) }
    local mail = connect(server)
    assert(mail:login("jane", "secret"))
    assert.equal(E.EROFS, (select(3, mail:select "x")))
    assert.equal(E.EROFS, (select(3, mail:fetch(1, "FLAGS"))))
    assert.same({ "OK", { "9" } }, { mail:select("x", true) })
    assert.equal("OK", (mail:unselect()))
    assert.equal("state", (select(2, mail:fetch(1, "FLAGS"))).kind)
  end)

  it("takes no tag of somebody else's, nothing endless, no literal that lies", function()
    local function fails(errno, ...)
      local mail, _, code = connect(start { "* PREAUTH [CAPABILITY IMAP4rev1] hi", ... }, { block_limit = 100000 })
      if mail then
        code = select(3, mail:noop())
        assert.same({ nil, code }, { (mail:noop()), (select(3, mail:noop())) })
      end
      assert.equal(errno, code)
    end
    for _, answer in ipairs {
      "A1 OK\r\n", "%T YES\r\n", "+ what?\r\n", "220 hello\r\n", "%TOK done\r\n", "* 1\r\n", "*\r\n", "\r\n", "* \r\n",
      "* BYE no more\r\n", "* 1 FETCH (X {-1}\r\n", "* 1 FETCH (X {99999999999999999999}\r\n",
      "* 1 FETCH (X {1}\r\nabc\r\n",
    } do
      fails(E.EPROTO, to("NOOP", answer .. "!\r\n"))
    end
    fails(E.EMSGSIZE, to("NOOP", "* 1 FETCH (X {100001}\r\n"))
    fails(E.EMSGSIZE, { expect = "" }, { endless = "* 1 EXISTS\r\n" })
    fails(E.EMSGSIZE, { expect = "" }, { endless = "* 1 FETCH (X {1}\r\na)\r\n" })
    fails(E.EMSGSIZE, { expect = "" }, { endless = "x" })
    local server = start({ "220 smtp" }, { "* BYE full" }, { "* OK [CAPABILITY POP3] x" }, { { endless = "x" } })
    assert.equal(E.EPROTO, (select(3, connect(server))))
    assert.equal("full", (select(2, connect(server))).text)
    assert.equal(E.EPROTO, (select(3, connect(server))))
    assert.equal(E.EMSGSIZE, (select(3, connect(server))))
  end)

  it("sends no line that is two", function()
    local mail = connect(start { "* PREAUTH [CAPABILITY IMAP4rev1] hi" })
    for _, bad in ipairs { "a\r\nx DELETE y", "a\nb", "a\0b", "" } do
      assert.error_matches(function() mail:create(bad) end, "bad argument #1 to 'create'")
      assert.error_matches(function() mail:fetch(bad, "FLAGS") end, "bad argument #1 to 'fetch'")
      assert.error_matches(function() mail:store("1", bad, "x") end, "bad argument #2 to 'store'")
      assert.error_matches(function() mail:search(nil, "ALL", bad) end, "bad argument #3 to 'search'")
      assert.error_matches(function() mail:xatom("X", bad) end, "bad argument #2 to 'xatom'")
    end
    assert.error_matches(function() mail:login("a\0", "b") end, "bad argument #1 to 'login'")
    assert.error_matches(function() mail:uid("QUIT") end, "no command 'QUIT'")
    assert.error_matches(function() mail:authenticate("A B", {}) end, "bad argument #1 to 'authenticate'")
  end)

  it("has each command in upper case, too", function()
    assert.equal(imap.IMAP4.noop, connect(start { HELLO }).NOOP)
    assert.is_nil(connect(start { HELLO }).FOO)
  end)
end)
