-- The client of POP3, against servers that do as they are told.
local csock = require "csock"
local contexts = require "spec.support.contexts"
local keep = require "spec.support.keep"
local pop3 = require "csock.pop3"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness
local HELLO = "+OK ready <1896.697170952@dbc.mtview.ca.us>"

local function start(...) return keep(scripted.start(...)) end

local function connect(server, options, Class)
  options = options or {}
  if options.timeout == nil then options.timeout = LIMIT end
  local pop, err, errno = (Class or pop3.POP3)("localhost", server.port, options)
  if pop then keep(pop) end
  return pop, err, errno
end

describe("a client of POP3", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("logs in, reads and deletes, " .. how, function()
      local server = start {
        HELLO, { expect = "^USER jane$" }, "+OK", { expect = "^PASS a secret$" }, "+OK in",
        { expect = "^STAT$" }, "+OK 2 320", { expect = "^LIST$" }, "+OK 2 messages\r\n1 120\r\n2 200\r\n.",
        { expect = "^LIST 2$" }, "+OK 2 200", { expect = "^UIDL$" }, "+OK\r\n1 a\r\n2 b\r\n.",
        { expect = "^RETR 1$" }, "+OK\r\nSubject: x\r\n\r\n..dot\r\n.",
        { expect = "^TOP 1 0$" }, "+OK\r\nSubject: x\r\n\r\n.",
        { expect = "^RETR 2$" }, { send = "+OK\r\n..\r\nbody\r\n.\r\n", piece = 1 },
        { expect = "^DELE 1$" }, "+OK", { expect = "^RSET$" }, "+OK", { expect = "^NOOP$" }, "+OK",
        { expect = "^UTF8$" }, "+OK", { expect = "^QUIT$" }, "+OK bye", { close = true },
      }
      run(function()
        local pop = connect(server)
        assert.equal(HELLO, pop:getwelcome())
        assert.equal("+OK", pop:user "jane")
        assert.equal("+OK in", pop:pass_ "a secret")
        assert.same({ 2, 320 }, { pop:stat() })
        assert.same({ "+OK 2 messages", { "1 120", "2 200" }, 14 }, { pop:list() })
        assert.equal("+OK 2 200", pop:list(2))
        assert.same({ "1 a", "2 b" }, (select(2, pop:uidl())))
        assert.same({ "+OK", { "Subject: x", "", ".dot" }, 20 }, { pop:retr(1) })
        local lines = {}
        assert.same({ "+OK", 2, 14 }, { pop:top(1, 0, function(line) lines[#lines + 1] = line end) })
        assert.same({ "Subject: x", "" }, lines)
        assert.equal(".\r\nbody\r\n", pop:message(2))
        for _, call in ipairs { "rset", "noop", "utf8" } do
          assert.equal("+OK", call == "rset" and pop:dele(1) and pop:rset() or pop[call](pop))
        end
        assert.equal("+OK bye", pop:quit())
        assert.equal(E.EBADF, select(3, pop:noop()))
      end)
    end)

    it("tells what a server refuses, and goes on, " .. how, function()
      local server = start { HELLO, { expect = "" }, "-ERR [IN-USE] somebody \27else",
        { expect = "" }, "-ERR no", { expect = "" }, "+OK" }
      run(function()
        local pop = connect(server)
        local none, err, errno = pop:pass_ "x"
        assert.same({ nil, E.EPROTO, "temporary", "IN-USE", "[IN-USE] somebody \27else" },
          { none, errno, err.kind, err.code, err.text })
        assert.equal("POP3: -ERR [IN-USE] somebody ?else [EPROTO]", tostring(err))
        err = select(2, pop:retr(7))
        assert.same({ "permanent", nil, "no" }, { err.kind, err.code, err.text })
        assert.equal("+OK", pop:noop())
      end)
    end)

    it("is never out of step: what is cut ends it, " .. how, function()
      local reply = "+OK\r\na\r\n.\r\n"
      local server = start(table.unpack(scripted.cuts(reply, { HELLO, { expect = "" } })))
      run(function()
        for _ = 1, #reply do
          local pop = connect(server)
          local none, err, errno = pop:retr(1)
          assert.same({ nil, E.ECONNRESET }, { none, errno })
          assert.same({ err, errno }, { select(2, pop:noop()) })
        end
      end)
    end)

    it("has one deadline for what trickles, " .. how, function()
      local server = start {
        HELLO, { expect = "" }, { send = "+OK\r\n" .. ("x\r\n"):rep(5000), piece = 1, every = 0.01 },
      }
      run(function()
        local pop = connect(server, { timeout = 0.2 * process.slowness })
        assert.equal(E.ETIMEDOUT, select(3, pop:retr(1)))
        assert.equal(E.ETIMEDOUT, select(3, pop:noop()))
      end)
    end)

    it("has one time-out for a call, of however many orders it is made, " .. how, function()
      local function late() csock.sleep(0.3 * process.slowness) end
      local ANY = { expect = "" }
      local server = start({ HELLO, ANY, late, "+OK\r\nSTLS\r\n.", ANY, late, "-ERR no" },
        { HELLO, ANY, late, "+OK 1 10", ANY, late, "-ERR no CAPA", ANY, "+OK\r\na\r\n." })
      run(function()
        local options = { timeout = 0.5 * process.slowness }
        assert.equal(E.ETIMEDOUT, select(3, connect(server, options):stls()))
        local pop = connect(server, options)
        local ok, err = pcall(function() return pop:messages()() end)
        assert.same({ false, E.ETIMEDOUT }, { ok, err and err.errno })
      end)
    end)

    it("asks for several messages at once where the server can take it, " .. how, function()
      local script = { HELLO, { expect = "^STAT$" }, "+OK 100 1000", { expect = "^CAPA$" }, "+OK\r\nPIPELINING\r\n.",
        { upto = "RETR 32" } } -- all of them before the first answer
      for i = 1, 100 do script[#script + 1] = ("+OK\r\n%d\r\n."):format(i) end
      script[#script + 1] = { upto = "NOOP" }
      script[#script + 1] = "+OK"
      local server = start(script)
      run(function()
        local pop, count = connect(server), 0
        for number, text in pop:messages() do
          count = count + 1
          assert.same({ count, count .. "\r\n" }, { number, text })
        end
        assert.equal(100, count)
        assert.equal("+OK", pop:noop())
      end)
    end)
  end

  it("may be told something else in a loop over messages, and in a loop in the loop", function()
    local several = "+OK\r\na\r\n.\r\n-ERR gone\r\n+OK\r\nc\r\n."
    local server = start { HELLO, { expect = "CAPA" }, "+OK\r\nPIPELINING\r\n.", { upto = "RETR 3" }, several,
      { expect = "^DELE 1$" }, "+OK deleted", { expect = "CAPA" }, "+OK\r\nPIPELINING\r\n.", { upto = "RETR 2" },
      "+OK\r\ny\r\n.\r\n+OK\r\nx\r\n.", { expect = "NOOP" }, "+OK" }
    local pop = connect(server)
    local outer = pop:messages { 1, 2, 3 }
    assert.same({ 1, "a\r\n" }, { outer() })
    assert.equal("+OK deleted", pop:dele(1))
    local inner = pop:messages { 4, 2 }
    assert.same({ 4, "y\r\n" }, { inner() })
    assert.equal("gone", select(2, pcall(outer)).text)
    assert.same({ 3, "c\r\n" }, { outer() })
    assert.same({ 2, "x\r\n" }, { inner() })
    assert.is_nil(outer())
    assert.equal("+OK", pop:noop())
  end)

  it("asks for one at a time where it cannot, and a loop may be left", function()
    local server = start { HELLO, { expect = "CAPA" }, "-ERR", { expect = "^TOP 3 0$" }, "+OK\r\na\r\n.",
      { expect = "^TOP 1 0$" }, "+OK\r\nb\r\n.", { expect = "^NOOP$" }, "+OK" }
    local pop, seen = connect(server), {}
    for number, text in pop:messages({ 3, 1, 2 }, 0) do
      seen[number] = text
      if number == 1 then break end
    end
    assert.same({ [3] = "a\r\n", [1] = "b\r\n" }, seen)
    assert.equal("+OK", pop:noop())
  end)

  it("is closed where a loop is left with answers on their way", function()
    local server = start { HELLO, { expect = "CAPA" }, "+OK\r\nPIPELINING\r\n.", { expect = "" }, "+OK\r\na\r\n." }
    local pop = connect(server)
    for number in pop:messages { 1, 2, 3 } do
      if number == 1 then break end
    end
    assert.equal(E.EBADF, select(3, pop:noop()))
  end)

  it("logs in by a digest of the greeting's time stamp", function()
    if contexts.missing then return pending(contexts.missing) end
    local server = start({ HELLO, { expect = "^APOP mrose c4c9334bac560ecc979e58001b3e22fb$" }, "+OK" },
      { "+OK hello" })
    assert.equal("+OK", connect(server):apop("mrose", "tanstaaf")) -- RFC 1939's example
    assert.equal(E.EOPNOTSUPP, select(3, connect(server):apop("mrose", "tanstaaf")))
  end)

  it("logs in by SASL", function()
    local server = start({ HELLO, { expect = "^AUTH PLAIN AGphbmUAc2VjcmV0$" }, "+OK" },
      { HELLO, { expect = "^AUTH LOGIN$" }, "+ VXNlcm5hbWU6", { expect = "^amFuZQ==$" }, "+ ",
        { expect = "^c2VjcmV0$" }, "+OK" },
      { HELLO, { expect = "^AUTH" }, "-ERR [AUTH] no", { expect = "NOOP" }, "+OK" },
      { HELLO, { expect = "^AUTH" }, "+ !" })
    local jane = { user = "jane", password = "secret" }
    assert.equal("+OK", connect(server):auth("PLAIN", jane))
    assert.equal("+OK", connect(server):auth("login", jane))
    local pop = connect(server)
    assert.equal("AUTH", select(2, pop:auth("PLAIN", jane)).code)
    assert.equal("+OK", pop:noop())
    assert.equal(E.EPROTO, select(3, connect(server):auth("LOGIN", jane)))
  end)

  it("knows what the server can do", function()
    local server = start { HELLO, { expect = "CAPA" }, "+OK\r\nTOP\r\nsasl PLAIN LOGIN\r\nLOGIN-DELAY 900\r\n." }
    assert.same({ TOP = {}, SASL = { "PLAIN", "LOGIN" }, ["LOGIN-DELAY"] = { "900" } }, connect(server):capa())
  end)

  it("goes over to TLS, and never by a server that does not offer it", function()
    if contexts.missing then return pending(contexts.missing) end
    local server = start(
      { HELLO, { expect = "CAPA" }, "+OK\r\nSTLS\r\n.", { expect = "^STLS$" }, "+OK", { starttls = true },
        { expect = "NOOP" }, "+OK" },
      { HELLO, { expect = "CAPA" }, "+OK\r\n." },
      { HELLO, { expect = "CAPA" }, "+OK\r\nSTLS\r\n.", { expect = "^STLS$" }, "+OK\r\n+OK injected" })
    local pop = connect(server, { context = contexts.client() })
    assert.equal("+OK", pop:stls())
    assert.equal("+OK", pop:noop())
    assert.equal(E.EISCONN, select(3, pop:stls()))
    assert.equal(E.EOPNOTSUPP, select(3, connect(server):stls()))
    local none, err = connect(server, { context = contexts.client() }):stls()
    assert.is_nil(none)
    assert.matches("in the clear", tostring(err))
  end)

  it("is over TLS from the first byte on", function()
    if contexts.missing then return pending(contexts.missing) end
    local server = keep(scripted.start_tls { HELLO, { expect = "^NOOP$" }, "+OK" })
    local pop = connect(server, { context = contexts.client() }, pop3.POP3_SSL)
    assert.equal("+OK", pop:noop())
  end)

  it("takes no greeting that is none, and no endless line, reply or message", function()
    local server = start({ "220 smtp" }, { "-ERR busy" }, { { endless = "x" } })
    assert.equal(E.EPROTO, select(3, connect(server)))
    assert.equal("busy", select(2, connect(server)).text)
    assert.equal(E.EMSGSIZE, select(3, connect(server)))
    server = start({ HELLO, { expect = "" }, { send = "+OK\r\n" }, { endless = "x\r\n" } })
    assert.equal(E.EMSGSIZE, select(3, connect(server, { block_limit = 100000 }):retr(1)))
    assert.equal(E.EMSGSIZE, select(3, connect(server, { block_limit = 100000 }):message(1)))
    server = start { HELLO, { expect = "" }, "+OK many messages" }
    assert.equal(E.EPROTO, select(3, connect(server):stat()))
  end)

  it("sends no line that is two", function()
    local server = start { HELLO }
    local pop = connect(server)
    for _, bad in ipairs { "a\r\nDELE 1", "a\nb", "a\0b" } do
      assert.error_matches(function() pop:user(bad) end, "bad argument #1 to 'user'")
      assert.error_matches(function() pop:pass_(bad) end, "bad argument #1 to 'pass_'")
      assert.error_matches(function() pop:rpop(bad) end, "bad argument #1 to 'rpop'")
    end
    assert.error_matches(function() pop:retr "1" end, "bad argument #1 to 'retr'")
    assert.error_matches(function() pop:dele(0) end, "bad argument #1 to 'dele'")
    assert.error_matches(function() pop:top(1, -1) end, "bad argument #2 to 'top'")
  end)
end)
