-- The client of NNTP, against servers that do as they are told.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local nntp = require "csock.nntp"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness

local CAPS = { expect = "^CAPABILITIES$" }
local ABLE = "101 list\r\nVERSION 1 2\r\nreader\r\nIMPLEMENTATION INN 2.7\r\nOVER MSGID\r\nSTARTTLS\r\n."

-- A script behind the greeting and what the server can do.
local function after(caps, ...) return { "200 hello", CAPS, caps or "500 what", ... } end

local function start(...) return keep(scripted.start(...)) end

local function connect(server, options, Class)
  options = options or {}
  if options.timeout == nil then options.timeout = LIMIT end
  local news, err, errno = (Class or nntp.NNTP)("localhost", server.port, options)
  if news then keep(news) end
  return news, err, errno
end

describe("a client of NNTP", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("finds groups and articles, " .. how, function()
      local server = start(after(ABLE,
        { expect = "^LIST$" }, "215\r\na.b 9 1 y\r\nc 0 1 m\r\n.",
        { expect = "^LIST ACTIVE a%.%*$" }, "215\r\na.b 9 1 y\r\n.",
        { expect = "^LIST NEWSGROUPS a%.b$" }, "215\r\na.b \t Of b. \r\n.",
        { expect = "^GROUP a%.b$" }, "211 9 1 9 a.b",
        { expect = "^NEWGROUPS 19700102 000000 GMT$" }, "231\r\nc 0 1 m\r\n.",
        { expect = "^NEWNEWS %* 19700101 000001 GMT$" }, "230\r\n<1@x>\r\n.",
        { expect = "^STAT$" }, "223 1 <1@x>",
        { expect = "^NEXT$" }, "223 2 <2@x> next", { expect = "^LAST$" }, "422 none",
        { expect = "^DATE$" }, "111 20240229123456"))
      run(function()
        local news = connect(server)
        assert.equal("200 hello", news:getwelcome())
        assert.same({ 2, "INN 2.7", { "MSGID" } },
          { news.nntp_version, news.nntp_implementation, news:getcapabilities().OVER })
        local ab = { group = "a.b", last = 9, first = 1, flag = "y" }
        assert.same({ ab, { group = "c", last = 0, first = 1, flag = "m" } }, (select(2, news:list())))
        assert.same({ ab }, (select(2, news:list "a.*")))
        assert.equal("Of b.", news:description "a.b")
        assert.same({ "211 9 1 9 a.b", 9, 1, 9, "a.b" }, { news:group "a.b" })
        assert.equal("c", select(2, news:newgroups(86400))[1].group)
        assert.same({ "<1@x>" }, (select(2, news:newnews("*", 1))))
        assert.same({ "223 1 <1@x>", 1, "<1@x>" }, { news:stat() })
        assert.same({ 2, "<2@x>" }, { select(2, news:next()) })
        local none, err, errno = news:last()
        assert.same({ nil, 422, "temporary", E.EPROTO }, { none, err.code, err.kind, errno })
        assert.equal(1709210096, (select(2, news:date())))
      end)
    end)

    it("reads articles, " .. how, function()
      local server = start(after(ABLE,
        { expect = "^ARTICLE 7$" }, { send = "220 7 <7@x>\r\nA: b\r\n\r\n..x\r\n.\r\n", piece = 1 },
        { expect = "^HEAD <7@x>$" }, "221 0 <7@x>\r\nA: b\r\n.",
        { expect = "^BODY$" }, "222 7 <7@x>\r\none\r\ntwo\r\n.",
        { expect = "^XHDR subject 1%-$" }, "221\r\n1 a b\r\n2 \r\n.",
        { expect = "^OVER 1%-2$" }, "224\r\n1\ts\tf\td\t<1>\t\t10\t2\tXref: x y\r\n2\ts2\r\n.") )
      run(function()
        local news = connect(server)
        assert.same({ "220 7 <7@x>", { number = 7, message_id = "<7@x>", lines = { "A: b", "", ".x" } } },
          { news:article(7) })
        assert.same({ number = 0, message_id = "<7@x>", lines = { "A: b" } }, (select(2, news:head "<7@x>")))
        local lines = {}
        local _, found = news:body(nil, function(line) lines[#lines + 1] = line end)
        assert.same({ 2, { "one", "two" } }, { found.lines, lines })
        assert.same({ { 1, "a b" }, { 2, "" } }, (select(2, news:xhdr("subject", { 1 }))))
      end)
    end)

    it("posts, with dots doubled, " .. how, function()
      local server = start(after(nil, { expect = "^POST$" }, "340 go on", { upto = "." }, "240 thanks",
        { expect = "^IHAVE <1@x>$" }, "435 have it", { expect = "^POST$" }, "440 no"))
      run(function()
        local news = connect(server)
        assert.equal("240 thanks", news:post "A: b\n\n.dot\r\nlast")
        assert.equal(435, select(2, news:ihave("<1@x>", "x")).code)
        assert.equal(440, select(2, news:post "x").code)
        news:close()
        assert.same({ "CAPABILITIES", "POST", "A: b", "", "..dot", "last", ".", "IHAVE <1@x>", "POST" }, server:heard())
      end)
    end)

    it("is never out of step: what is cut ends it, " .. how, function()
      local reply = "222 1 <1@x>\r\na\r\n.\r\n"
      local server = start(table.unpack(scripted.cuts(reply, after(nil, { expect = "" }))))
      run(function()
        for _ = 1, #reply do
          local news = connect(server)
          local none, err, errno = news:body()
          assert.same({ nil, E.ECONNRESET }, { none, errno })
          assert.same({ err, errno }, { select(2, news:date()) })
        end
      end)
    end)
  end

  it("knows the fields of overviews, as the server has them", function()
    local server = start(after(ABLE,
      { expect = "^LIST OVERVIEW.FMT$" },
      "215\r\nSubject:\r\nFrom:\r\nDate:\r\nMessage-ID:\r\nReferences:\r\nBytes:\r\nLines:\r\nXref:full\r\n:extra\r\n.",
      { expect = "^OVER 1%-2$" }, "224\r\n1\ts\tf\td\t<1>\t\t10\t2\tXREF: x y\tmore\tand\r\n2\ts2\r\n.",
      { expect = "^XOVER 3%-3$" }, "224\r\n."))
    local news = connect(server)
    local _, rows = news:over { 1, 2 }
    assert.same({
      { 1, { subject = "s", from = "f", date = "d", ["message-id"] = "<1>", references = "", [":bytes"] = "10",
        [":lines"] = "2", xref = "x y", [":extra"] = "more" } },
      { 2, { subject = "s2" } },
    }, rows)
    assert.same({}, (select(2, news:xover(3, 3))))
    server = start(after(ABLE, { expect = "FMT" }, "215\r\nFrom:\r\n.", { expect = "FMT" }, "215\r\nSubject:\r\n."))
    news = connect(server)
    assert.equal(E.EBADMSG, select(3, news:over(1)))
    assert.equal(E.EBADMSG, select(3, news:over(1)))
  end)

  it("logs in, and asks again what the server can do", function()
    local server = start(
      after(nil, { expect = "^AUTHINFO USER jane$" }, "381 more",
        { expect = "^AUTHINFO PASS a secret$" }, "281 in", CAPS, ABLE),
      after(nil, { expect = "^AUTHINFO USER jane$" }, "381 more", { expect = "^AUTHINFO PASS x$" }, "481 no"))
    local news = connect(server, { user = "jane", password = "a secret" })
    assert.same({}, news:getcapabilities().READER)
    assert.equal(E.EISCONN, select(3, news:login("jane", "x")))
    local none, err = connect(server, { user = "jane", password = "x" })
    assert.same({ nil, 481 }, { none, err.code })
  end)

  it("has one time-out for a call, and for connecting, of however many orders they are made", function()
    local options = { timeout = 0.5 * process.slowness }
    local function late() csock.sleep(0.3 * process.slowness) end
    local ANY = { expect = "" }
    local server = start(
      after(ABLE, ANY, late, "215\r\n.", ANY, late, "224\r\n."),
      after(ABLE, ANY, late, "281 in", ANY, late, ABLE),
      { "200 hello", CAPS, late, ABLE, ANY, late, "281 in", CAPS, ABLE })
    assert.equal(E.ETIMEDOUT, select(3, connect(server, options):over { 1 }))
    assert.equal(E.ETIMEDOUT, select(3, connect(server, options):login("jane", "secret")))
    options.user = "jane"
    assert.equal(E.ETIMEDOUT, select(3, connect(server, options)))
  end)

  it("asks for headers by HDR where a server knows that alone, and says whose they are", function()
    local server = start(after(ABLE:gsub("OVER", "HDR\r\n%0"),
      { expect = "^XHDR subject <1@x>$" }, "500 what", { expect = "^HDR subject <1@x>$" }, "225\r\n0 hi\r\n.",
      { expect = "^XHDR lines 5%-$" }, "500 what", { expect = "^HDR lines 5%-$" }, "225\r\n5 12\r\n.",
      { expect = "^XHDR subject 9$" }, "423 none"),
      after(ABLE, { expect = "^XHDR" }, "221\r\n0 hi\r\n.", { expect = "^XHDR" }, "500 what"))
    local news = connect(server)
    assert.same({ { "<1@x>", "hi" } }, (select(2, news:xhdr("subject", "<1@x>"))))
    assert.same({ { 5, "12" } }, (select(2, news:xhdr("lines", { 5 }))))
    assert.equal(423, select(2, news:xhdr("subject", 9)).code)
    news = connect(server)
    assert.same({ { "<2@x>", "hi" } }, (select(2, news:xhdr("subject", "<2@x>"))))
    assert.equal(500, select(2, news:xhdr("subject", 9)).code)
  end)

  it("gives nothing behind its results", function()
    local news = connect(start(after(ABLE,
      { expect = "HELP" }, "100 words\r\na\r\n.", { expect = "NEWNEWS" }, "230 x\r\n.")))
    assert.same({ "100 words", { "a" } }, { news:help() })
    assert.same({ "230 x", {} }, { news:newnews("*", 0) })
  end)

  it("says that it reads, where servers want that, and after the login if need be", function()
    local server = start(
      after(nil, { expect = "^MODE READER$" }, "201 go", CAPS, ABLE),
      after(nil, { expect = "^MODE READER$" }, "480 who", { expect = "^AUTHINFO" }, "281 in", CAPS, "500 what",
        { expect = "^MODE READER$" }, "200 go", CAPS, ABLE),
      after(nil, { expect = "^MODE READER$" }, "502 no"),
      after(ABLE),
      after(nil, { expect = "^MODE READER$" }, "480 who", { expect = "^AUTHINFO" }, "281 in", CAPS, ABLE,
        { expect = "^DATE$" }, "111 19700101000001"))
    assert.equal("201 go", connect(server, { readermode = true }):getwelcome())
    assert.equal("200 go", connect(server, { readermode = true, user = "jane" }):getwelcome())
    for _ = 1, 2 do assert.equal("200 hello", connect(server, { readermode = true }):getwelcome()) end
    assert.equal(1, select(2, assert(connect(server, { readermode = true, user = "jane" })):date()))
  end)

  it("goes over to TLS, and never by a server that does not offer it", function()
    if contexts.missing then return pending(contexts.missing) end
    local server = start(after(ABLE, { expect = "^STARTTLS$" }, "382 go", { starttls = true }, CAPS,
        "101\r\nVERSION 2\r\n."),
      after(), after(ABLE, { expect = "^STARTTLS$" }, "382 go\r\n200 injected"))
    local context = contexts.client()
    local news = connect(server, { context = context })
    assert.equal("382 go", news:starttls())
    assert.is_nil(news:getcapabilities().STARTTLS)
    assert.equal(E.EISCONN, select(3, news:starttls()))
    assert.equal(E.EOPNOTSUPP, select(3, connect(server):starttls()))
    assert.matches("in the clear", tostring(select(2, connect(server, { context = context }):starttls())))
    local over_tls = keep(scripted.start_tls(after()))
    assert.equal("200 hello", connect(over_tls, { context = context }, nntp.NNTP_SSL):getwelcome())
  end)

  it("forgets by STARTTLS what was said in the clear", function()
    if contexts.missing then return pending(contexts.missing) end
    local fields = { "Subject:", "From:", "Date:", "Message-ID:", "References:", "Bytes:", "Lines:", ":old" }
    local server = start(after(ABLE,
      { expect = "FMT$" }, "215\r\n" .. table.concat(fields, "\r\n") .. "\r\n.",
      { expect = "^OVER 1$" }, "224\r\n.",
      { expect = "^STARTTLS$" }, "382 go", { starttls = true }, CAPS, "101\r\nVERSION 2\r\nOVER\r\n.",
      { expect = "FMT$" }, "215\r\n.", { expect = "^OVER 1$" }, "224\r\n1\ts\tf\td\t<1>\t\t10\t2\tmore\r\n."))
    local news = connect(server, { context = contexts.client() })
    assert.same({}, (select(2, news:over(1))))
    assert(news:starttls())
    assert.is_nil(select(2, assert(news:over(1)))[1][2][":old"])
  end)

  it("takes no greeting that is none, and ends where the server does", function()
    local server = start({ "+OK pop" }, { "502 no" }, { { endless = "x" } }, after(nil, { expect = "" }, "400 bye"),
      after(nil, { expect = "" }, "211 many"), after(nil, { expect = "" }, "223 x"))
    assert.equal(E.EPROTO, select(3, connect(server)))
    assert.equal(502, select(2, connect(server)).code)
    assert.equal(E.EMSGSIZE, select(3, connect(server)))
    local news = connect(server)
    assert.equal(400, select(2, news:date()).code)
    assert.equal(400, select(2, news:date()).code)
    assert.equal(E.EPROTO, select(3, connect(server):group "a"))
    assert.equal(E.EPROTO, select(3, connect(server):stat(1)))
  end)

  it("sends no line that is two, and no word that is two", function()
    local news = connect(start(after()))
    for _, bad in ipairs { "a\r\nPOST", "a b", "a\0", "", "a\n" } do
      assert.error_matches(function() news:group(bad) end, "bad argument #1 to 'group'")
      assert.error_matches(function() news:article(bad) end, "bad argument #1 to 'article'")
      assert.error_matches(function() news:xhdr(bad, 1) end, "bad argument #1 to 'xhdr'")
      assert.error_matches(function() news:xhdr("subject", bad) end, "bad argument #2 to 'xhdr'")
      assert.error_matches(function() news:ihave(bad, "x") end, "bad argument #1 to 'ihave'")
    end
    assert.error_matches(function() news:login("a\r\nb", "x") end, "bad argument #1 to 'login'")
    assert.error_matches(function() news:over { -1 } end, "bad argument #1 to 'over'")
    assert.error_matches(function() news:post(7) end, "bad argument #1 to 'post'")
  end)

  it("reads what people write in other alphabets", function()
    assert.equal("Grüße", nntp.decode_header "=?iso-8859-1?q?Gr=FC=DFe?=")
  end)
end)

describe("csock.nntp.overview", function()
  local overview = require "csock.nntp.overview"

  it("takes any bytes", function()
    math.randomseed(3)
    local chars = { "\t", " ", ":", "1", "99999999999999999999", "a", "\0", "\255", "Xref: " }
    local format = assert(overview.format {})
    for _ = 1, 5000 do
      local parts = {}
      for i = 1, math.random(0, 12) do parts[i] = chars[math.random(#chars)] end
      local line = table.concat(parts)
      assert.equal("string", type(overview.group(line).group))
      assert.equal("integer", math.type(overview.row(line, format)[1]))
      overview.format { line, line }
    end
  end)
end)
