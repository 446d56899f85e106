-- The client of NNTP and INN, beside Python's nntplib.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local innd = require "spec.support.innd"
local keep = require "spec.support.keep"
local nntp = require "csock.nntp"
local process = require "spec.support.process"
local python = require "spec.support.python"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 20 * process.slowness

-- A value as oracle.py writes it.
local function show(value)
  if math.type(value) then return tostring(value) end
  if type(value) == "string" then return (value:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
  local parts = {}
  if value.flag then
    value = { value.group, value.last, value.first, value.flag }
  elseif value.message_id then
    value = { value.number, value.message_id, value.lines }
  end
  for i, v in ipairs(value) do parts[i] = show(v) end
  local names = {}
  for name in pairs(value) do names[#names + 1] = type(name) == "string" and name or nil end
  table.sort(names)
  for _, name in ipairs(names) do parts[#parts + 1] = show { name, value[name] } end
  return "(" .. table.concat(parts, " ") .. ")"
end

-- An argument as oracle.py reads it, and how csock's client takes it.
local READERS = {
  s = function(text) return text end,
  i = math.tointeger,
  t = math.tointeger,
  r = function(text)
    local first, last = text:match "(%d*)-(%d*)"
    return { math.tointeger(first), math.tointeger(last) }
  end,
  b = function(text) return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)) end,
}

-- What is asked, by whom. (INN takes 40 ms for many of them: it sends a reply in two parts, and waits between them.)
local CALLS = {}

CALLS.anybody = {
  { "list" }, { "list", "scomp.*" }, { "list", "sno.*" },
  { "descriptions", "s*" }, { "descriptions", "scomp.lang.*" }, { "description", "scomp.lang.lua" },
  { "description", "sno.such" }, { "newgroups", "t0" }, { "newgroups", "t4102444800" },
  { "newnews", "scomp.*", "t0" }, { "newnews", "scomp.*", "t4102444800" }, { "newnews", "sno.such", "t0" },
  { "stat" }, { "next" }, { "last" }, { "article" }, { "over", "r1-" }, { "xhdr", "ssubject", "s1-" },
  { "group", "sno.such" }, { "group", "sprivate.jane" }, { "group", "scomp.moderated" }, { "stat" },
  { "over", "r1-" }, { "xover", "i1", "i10" },
  { "group", "scomp.lang.lua" }, { "stat" }, { "last" }, { "next" }, { "next" }, { "stat" }, { "last" },
  { "stat", "i1" }, { "stat", "i3" }, { "stat", "i99" }, { "stat", "s<dots@specs.test>" },
  { "stat", "s<none@specs.test>" },
  { "article", "i1" }, { "article", "s<dots@specs.test>" }, { "article", "i4" }, { "article", "s<bytes@specs.test>" },
  { "article", "s<big@specs.test>" }, { "article" }, { "article", "i99" }, { "article", "s<none@specs.test>" },
  { "head", "i1" }, { "head", "s<wide@specs.test>" }, { "head" }, { "head", "i99" },
  { "body", "i2" }, { "body", "s<bytes@specs.test>" }, { "body" }, { "body", "i99" }, { "body", "s<empty@specs.test>" },
  { "over", "r1-4" }, { "over", "r1-" }, { "over", "r90-99" }, { "over", "r5-1" },
  { "over", "s<wide@specs.test>" }, { "over", "s<none@specs.test>" },
  { "xover", "i1", "i99" }, { "xover", "i1", "i1" }, { "xover", "i50", "i60" },
  { "xhdr", "ssubject", "s1-" }, { "xhdr", "sreferences", "s1-4" }, { "xhdr", "smessage-id", "s2" },
  { "xhdr", "ssubject", "s<dots@specs.test>" }, { "xhdr", "sx-none", "s1-3" }, { "xhdr", "slines", "s90-99" },
  { "xhdr", "sx-raw", "s1-" }, { "slave" }, { "capabilities" }, { "help" },
  { "post", "b" .. show "x" }, { "ihave", "s<other@specs.test>", "b" .. show "x" },
}

CALLS.jane = {
  { "list" }, { "group", "sprivate.jane" }, { "over", "r1-" }, { "article" }, { "newnews", "sprivate.*", "t0" },
  { "capabilities" }, { "post", "b" .. show "x" }, { "ihave", "s<other@specs.test>", "b" .. show "x" },
}

-- The arguments of a call as csock's client takes them.
local function arguments(call)
  local args = {}
  for i = 2, #call do args[i - 1] = READERS[call[i]:sub(1, 1)](call[i]:sub(2)) end
  return table.unpack(args)
end

-- What a method gave, as oracle.py writes it.
local function answer(first, ...)
  if not first then return ("refused %s"):format(show(("%d %s"):format((...).code, (...).text))) end
  return select("#", ...) > 0 and show { first, ... } or show(first)
end

local function article(id, head, body)
  local header = { "Path: specs.test!not-for-mail", "From: Joe <joe@specs.test>", "Message-ID: " .. id,
    os.date "!Date: %a, %d %b %Y %H:%M:%S +0000", head or "Newsgroups: comp.lang.lua\nSubject: hello" }
  return table.concat(header, "\n") .. "\n\n" .. (body or "hello\n")
end

local DOTS = ".\n..\n.dot\n\nend\n"

local function group(subject) return "Newsgroups: comp.lang.lua\nSubject: " .. subject end

local ARTICLES = {
  { "<one@specs.test>" },
  { "<dots@specs.test>", group "dots\nReferences: <one@specs.test>", DOTS },
  { "<gone@specs.test>" },
  { "<wide@specs.test>", group "=?utf-8?q?Gr=C3=BC=C3=9Fe?= to\n\tall of you\nX-Raw: Gr\xc3\xbc\xc3\x9fe \xff\n"
    .. "References: <one@specs.test>\n <dots@specs.test>", ("0123456789"):rep(90) .. "\n" },
  { "<bytes@specs.test>", group "\ttabs\there  ", "\xff\xfe\x01\x80\n\ttab\n   \n" },
  { "<big@specs.test>", "Newsgroups: comp.lang.lua,private.jane\nSubject: big",
    ("a line of this article\n"):rep(20000) },
  { "<empty@specs.test>", group " ", "" },
}

describe("INN and", function()
  if not innd.available then
    it("csock's client of NNTP", function() pending "no inn2" end)
    return
  end

  local server

  local function try(options, Class, port)
    options = options or {}
    options.timeout = LIMIT
    return (Class or nntp.NNTP)("localhost", port or server.port, options)
  end

  local function connect(...) return keep(assert(try(...))) end

  local function as_jane() return connect { user = "jane", password = "secret" } end

  -- (Who comes from there is another server.)
  local function try_as_peer() return try { source_address = { "127.0.0.2", 0 } } end

  local function as_peer() return keep(assert(try_as_peer())) end

  setup(function()
    server = innd.start()
    local peer <close> = as_peer()
    for _, one in ipairs(ARTICLES) do assert(peer:ihave(one[1], article(table.unpack(one)))) end
    server:control("cancel", "<gone@specs.test>")
  end)
  teardown(function() server:close() end)
  after_each(keep.close)

  -- What Python's client gives: a list.
  local function ask_python(calls, ...)
    local lines = {}
    for i, call in ipairs(calls) do lines[i] = table.concat(call, "\t") .. "\n" end
    local argv = { python.name, "-W", "ignore", "spec/csock/nntp/oracle.py", tostring(server.port), ... }
    local status, out, err = process.run(argv, { input = table.concat(lines), timeout = 60 })
    assert.same({ 0, "" }, { status, err })
    local theirs = {}
    for line in out:gmatch "([^\n]*)\n" do theirs[#theirs + 1] = line end
    return theirs
  end

  for who, calls in pairs(CALLS) do
    it("Python's nntplib give " .. who .. " the same as csock.nntp", function()
      if not python.name then return pending "no Python 3.11" end
      local theirs = ask_python(calls, table.unpack(who == "jane" and { "jane", "secret" } or {}))
      local news = who == "jane" and as_jane() or connect()
      assert.equal(#calls + 2, #theirs)
      assert.equal(theirs[1], show(news:getwelcome()))
      assert.equal(theirs[2], show(news:getcapabilities()))
      for i, call in ipairs(calls) do
        assert.equal(theirs[i + 2], answer(news[call[1]](news, arguments(call))), table.concat(call, " "))
      end
      local _, now = assert(news:date())
      assert.is_true(math.abs(now - os.time()) < 60)
      assert.equal("205 Bye!", news:quit())
    end)
  end

  it("Python's nntplib post the same as csock.nntp", function()
    if not python.name then return pending "no Python 3.11" end
    local news = as_jane()
    local theirs = ask_python({
      { "post", "b" .. show(article("<theirs@specs.test>", nil, DOTS)) },
      { "post", "b" .. show(article "<theirs@specs.test>") },
    }, "jane", "secret")
    local ours = { answer(news:post(article("<ours@specs.test>", nil, DOTS))),
      answer(news:post(article "<ours@specs.test>")) }
    for i, line in ipairs(ours) do assert.equal(theirs[i + 2], (line:gsub(show "ours", show "theirs"))) end
    assert.same({ ".", "..", ".dot", "", "end" }, select(2, news:body "<ours@specs.test>").lines)
    assert.same(select(2, news:body "<theirs@specs.test>").lines, select(2, news:body "<ours@specs.test>").lines)
  end)

  for how, run in pairs(streams.ways) do
    local name = how:gsub(" ", "-")

    it("csock.nntp post and read, " .. how, function()
      run(function()
        local id = "<" .. name .. "@specs.test>"
        local news = connect { readermode = true, user = "jane", password = "secret" }
        assert(news:group "private.jane")
        local head = "Newsgroups: private.jane\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?="
        local pieces = { article(id, head, DOTS), "more" }
        assert.equal("240 Article received " .. id, news:post(function() return table.remove(pieces, 1) end))
        local _, count, first, last = assert(news:group "private.jane")
        assert.equal(count, last - first + 1)
        local rows = select(2, assert(news:over { last }))
        local number, fields = table.unpack(rows[1])
        assert.same({ last, "Grüße", id }, { number, nntp.decode_header(fields.subject), fields["message-id"] })
        local lines = {}
        local _, found = assert(news:body(last, function(line) lines[#lines + 1] = line end))
        assert.same({ { ".", "..", ".dot", "", "end", "more" }, 6 }, { lines, found.lines })
        local none, err = news:post(article("<large@specs.test>", nil, ("a line of this article\n"):rep(50000)))
        assert.same({ nil, 441 }, { none, err.code })
        assert.equal(last, select(2, assert(news:stat())))
      end)
    end)

    it("csock.nntp hand articles on, " .. how, function()
      run(function()
        local id = "<handed-" .. name .. "@specs.test>"
        local peer = as_peer()
        assert.same({}, peer:getcapabilities().IHAVE)
        assert.matches("^235 ", peer:ihave(id, article(id, nil, DOTS)))
        local none, err = peer:ihave(id, article(id))
        assert.same({ nil, 435 }, { none, err.code })
        none, err = peer:ihave("<other@specs.test>", "no header")
        assert.same({ nil, 437, "temporary" }, { none, err.code, err.kind })
        assert.same({ 0, id }, { select(2, assert(peer:stat(id))) })
        none, err = peer:group "comp.lang.lua"
        assert.same({ nil, 401 }, { none, err.code })
      end)
    end)

    it("csock.nntp log in, and speak over TLS, from the first byte or later on, " .. how, function()
      if contexts.missing or not innd.tls then return pending(contexts.missing) end
      run(function()
        local news = connect { context = contexts.client() }
        assert.equal(480, select(2, news:post(article "<never@specs.test>")).code)
        assert(news:group "comp.lang.lua")
        assert(news:over { 1 })
        assert.matches("^382 ", news:starttls())
        assert.is_nil(news:getcapabilities().STARTTLS)
        assert.equal(E.EISCONN, select(3, news:starttls()))
        local none, err = news:login("jane", "wrong")
        assert.same({ nil, 481 }, { none, err.code })
        assert.matches("^281 ", news:login("jane", "secret"))
        assert.equal(E.EISCONN, select(3, news:login("jane", "secret")))
        assert(news:group "private.jane")
        local options = { context = contexts.client(), user = "jane", password = "secret" }
        news = connect(options, nntp.NNTP_SSL, server.tls_port)
        assert(news:group "private.jane")
        assert.equal(20000, #select(2, assert(news:body "<big@specs.test>")).lines)
        assert.equal("205 Bye!", news:quit())
        none, err = try({ context = contexts.client "unknown_ca" }, nntp.NNTP_SSL, server.tls_port)
        assert.same({ nil, "CERTIFICATE_VERIFY_FAILED" }, { none, err.name })
      end)
    end)
  end

  it("csock.nntp find groups that are new", function()
    local news = connect()
    server:control("newgroup", "comp.new", "m", "specs")
    local _, groups = assert(news:newgroups(os.time() - 3600))
    assert.same({ { group = "comp.new", last = 0, first = 1, flag = "m" } }, groups)
    server:control("rmgroup", "comp.new")
    assert.equal(411, select(2, news:group "comp.new").code)
  end)

  it("csock.nntp are told why there is nothing to be had", function()
    local peer = as_peer()
    server:control("pause", "a pause")
    local none, err = peer:ihave("<paused@specs.test>", article "<paused@specs.test>")
    assert.same({ nil, 436, "a pause", "temporary" }, { none, err.code, err.text, err.kind })
    assert(peer:capabilities())
    server:control("go", "a pause")
    server:control("throttle", "disk full")
    none, err = peer:ihave("<full@specs.test>", article "<full@specs.test>")
    assert.same({ nil, 400, "disk full" }, { none, err.code, err.text })
    assert.equal(err, select(2, peer:capabilities())) -- INN has hung up
    none, err = try_as_peer()
    assert.same({ nil, 400, "disk full" }, { none, err.code, err.text })
    server:control("go", "disk full")
    assert(as_peer():capabilities())
  end)
end)
