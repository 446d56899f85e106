-- Jars in files, and who decides which cookies are taken and sent.
local class = require "csock.class"
local cookies = require "csock.cookies"
local csock = require "csock"
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local url = require "csock.url"

local E = csock.errno
local LIMIT = 10 * process.slowness
local HEAD = "# Netscape HTTP Cookie File\n"

describe("a jar in a file", function()
  local dir, path
  setup(function()
    dir = assert(posix.mkdtemp())
    path = dir .. "/jar"
  end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)
  before_each(function() os.remove(path) end)
  after_each(keep.close)

  local function write(text)
    local file <close> = assert(io.open(path, "wb"))
    assert(file:write(text))
  end

  local function loaded(text, options)
    write(text)
    local jar = cookies.MozillaCookieJar(path)
    local ok, err, errno = jar:load(options)
    if not ok then return nil, err, errno end
    local list = {}
    for c in jar:each() do list[#list + 1] = c.name .. "=" .. c.value end
    return table.concat(list, " "), jar
  end

  it("reads curl's lines: those for HTTP alone, and sessions' with 0", function()
    local text, jar = loaded(HEAD .. "\n# a comment\n#HttpOnly_.h.org\tTRUE\t/\tTRUE\t4102444800\ta\t1\r\n"
      .. "h.org\tFALSE\t/x\tFALSE\t0\tb\t2\n\t\n$x\nh.org\tTRUE\t/\tFALSE\t0\tc\nh.org\tFALSE\t/\tFALSE\t0\td\t4\t5\n",
      { ignore_discard = true })
    assert.equal("a=1 c= d=4\t5 b=2", text)
    assert.equal("a=1; c=", jar:header "https://www.h.org/")
    assert.is_true(jar:get("https://h.org/")[1].httponly)
    assert.equal("a=1", (loaded(HEAD .. "#HttpOnly_.h.org\tTRUE\t/\tTRUE\t4102444800\ta\t1\n"
      .. "h.org\tFALSE\t/\tTRUE\t0\tb\t2")))
  end)

  it("goes to curl and back", function()
    if process.run { "sh", "-c", "command -v curl" } ~= 0 then return pending "no curl" end
    local server = keep(http_server.start(function(conn)
      while conn:request() do
        conn:answer("", "Set-Cookie: theirs=2; Path=/; Max-Age=1000; HttpOnly\r\nSet-Cookie: session=3\r\n")
      end
    end))
    local jar = cookies.MozillaCookieJar(path)
    jar:set(server.url, "ours=1; Max-Age=1000")
    assert(jar:save())
    assert.equal(0, (process.run { "curl", "-s", "-b", path, "-c", path, server.url }))
    assert.matches("\r\nCookie: ours=1\r\n", (server:request()))
    assert(jar:revert { ignore_discard = true })
    assert.equal("ours=1; theirs=2; session=3", (function()
      local list = {}
      for _, c in ipairs(jar:get(server.url)) do list[#list + 1] = c.name .. "=" .. c.value end
      table.sort(list, function(a, b) return a:match "%d" < b:match "%d" end)
      return table.concat(list, "; ")
    end)())
  end)

  it("leaves out what is over, and what ends with its session, unless told", function()
    local past, far = os.time() - 10, os.time() + 1000
    local text = ("%sh\tFALSE\t/\tFALSE\t%d\ta\t1\nh\tFALSE\t/\tFALSE\t\tb\t2\nh\tFALSE\t/\tFALSE\t%d\tc\t3\n"):format(
      HEAD, past, far)
    assert.equal("c=3", (loaded(text)))
    local all, jar = loaded(text, { ignore_discard = true, ignore_expires = true })
    assert.equal("b=2 c=3", all)
    assert(jar:save())
    assert.equal("c=3", (loaded(io.open(path):read "a", { ignore_discard = true })))
  end)

  it("refuses what is no such file, and says where", function()
    for text, words in pairs {
      [""] = "does not look", ["x\n"] = "does not look", ["#LWP-Cookies-2.0\n"] = "does not look",
      [HEAD .. "h\tFALSE\t/\tFALSE\t1"] = "line 2: seven fields", [HEAD .. "\nnonsense"] = "line 3: seven fields",
      [HEAD .. "h\tFALSE\t/\tFALSE\t1e9\ta\tb"] = "line 2: a time", [HEAD .. "h\tFALSE\t/\tFALSE\t-1\ta\tb"] = "a time",
      [HEAD .. "h\tFALSE\t/\tFALSE\t0\ta\tb\0"] = "a control character",
      [HEAD .. "h\tFALSE\t/\tFALSE\t99999999999999999999\ta\tb"] = "a time",
    } do
      local list, err, errno = loaded(text)
      assert.is_nil(list)
      assert.same({ "LoadError", E.EBADMSG }, { err.name, errno })
      assert.matches(words, tostring(err))
    end
    for _, line in ipairs {
      "h\tFALSE\t/\tFALSE\t0\t\tb", ".\tTRUE\t/\tFALSE\t0\ta\tb", "h\tFALSE\t/;\tFALSE\t0\ta\tb",
    } do
      assert.equal("", (loaded(HEAD .. line, { ignore_discard = true })))
    end
    local jar = cookies.LWPCookieJar(path)
    for text, words in pairs {
      ["x"] = "does not look", ["#LWP-Cookies-2.0\nSet-Cookie3: a=b; path=/"] = "line 2: a domain",
      ["#LWP-Cookies-2.0\nSet-Cookie3: a=b; domain=h; expires=soon"] = "line 2: a time",
    } do
      write(text)
      local ok, err = jar:load()
      assert.is_nil(ok)
      assert.matches(words, tostring(err))
    end
  end)

  it("keeps what it has when it cannot be read again", function()
    local jar = cookies.MozillaCookieJar(path)
    jar:set("http://h/", "a=1; Max-Age=1000")
    write "nonsense"
    assert.is_nil((jar:revert()))
    os.remove(path)
    local ok, err, errno = jar:revert()
    assert.same({ nil, E.ENOENT }, { ok, errno })
    assert.matches("jar", tostring(err))
    assert.equal(1, #jar)
    assert(jar:save())
    jar:set("http://h/", "b=2; Max-Age=1000")
    assert(jar:revert())
    assert.equal("a=1", jar:header "http://h/")
  end)

  it("is written as a whole, for its owner alone", function()
    local jar = cookies.MozillaCookieJar()
    jar:set("http://h/", "a=1; Max-Age=1000")
    assert.has_error(function() jar:save() end)
    assert(jar:save(path))
    local _, mode = process.run { "stat", "-c", "%a", path }
    assert.equal("600\n", mode)
    local ok, _, errno = jar:save(dir .. "/missing/jar")
    assert.same({ nil, E.ENOENT }, { ok, errno })
    assert.equal(jar:save(dir), nil)
    local _, names = process.run { "ls", dir }
    assert.equal("jar\n", names)
  end)

  it("serves a session of csock.http, and requests of csock.url", function()
    local server = keep(http_server.start(function(conn)
      while conn:request() do conn:answer("", "Set-Cookie: id=7; Max-Age=1000\r\n") end
    end))
    local jar = cookies.MozillaCookieJar(path)
    local session = keep(http.Session { cookies = jar, timeout = LIMIT, proxies = false })
    assert(session:get(server.url))
    assert(jar:save())
    local other = cookies.MozillaCookieJar(path)
    assert(other:load())
    local request = url.Request(server.url .. "/a")
    other:add_cookie_header(request)
    assert.equal("id=7", request:get_header "Cookie")
    request = url.Request(server.url .. "/a", { headers = { Cookie = "own=1" } })
    other:add_cookie_header(request)
    assert.equal("own=1", request:get_header "Cookie")
  end)
end)

describe("a jar", function()
  it("takes a cookie from a program, checked", function()
    local jar = cookies.CookieJar()
    jar:set_cookie { name = "a", value = "1", domain = ".H.org", path = "/x", secure = true }
    assert.equal("a=1", jar:header "https://www.h.org/x")
    for _, bad in ipairs {
      {}, { name = "a", value = "1" }, { name = "a", value = "1;", domain = "h" },
      { name = "", value = "1", domain = "h" },
      { name = "a=", value = "1", domain = "h" }, { name = "a", value = "\n", domain = "h" },
      { name = "a", value = "1", domain = "h", expires = 1.5 }, { name = "a", value = "1", domain = "h", nonsense = 1 },
    } do
      assert.has_error(function() jar:set_cookie(bad) end)
    end
  end)

  it("forgets by domain, path and name", function()
    local function jar_of()
      local jar = cookies.CookieJar()
      for _, domain in ipairs { "a.org", "b.org" } do
        for _, path in ipairs { "/", "/x" } do
          for _, name in ipairs { "m", "n" } do
            jar:set_cookie { name = name, value = "1", domain = domain, path = path }
          end
        end
      end
      return jar
    end
    for count, arguments in pairs {
      [0] = {}, [4] = { "a.org" }, [6] = { ".a.org", "/x" }, [7] = { "a.org", "/x", "m" },
    } do
      local jar = jar_of()
      jar:clear(table.unpack(arguments))
      assert.equal(count, #jar)
    end
  end)
end)

describe("a DefaultCookiePolicy", function()
  it("blocks domains, and allows others alone", function()
    local jar = cookies.CookieJar(cookies.DefaultCookiePolicy { blocked_domains = { "ads.net", ".Ads.net" } })
    assert.is_false(jar:set("http://ads.net/", "a=1"))
    assert.is_false(jar:set("http://www.ads.net/", "a=1"))
    assert.is_false(jar:set("http://www.ads.net/", "a=1; Domain=ads.net"))
    assert.is_true(jar:set("http://notads.net/", "a=1"))
    jar:set_policy(cookies.DefaultCookiePolicy { allowed_domains = { "h.org" } })
    assert.is_nil(jar:header "http://notads.net/")
    assert.is_true(jar:set("http://h.org/", "b=2"))
    assert.is_false(jar:set("http://www.h.org/", "b=2"))
    assert.equal("b=2", jar:header "http://h.org/")
    jar:set_policy()
    assert.equal("a=1", jar:header "http://notads.net/")
    local policy = cookies.DefaultCookiePolicy()
    assert.is_nil(policy:allowed_domains())
    policy:set_allowed_domains { "127.0.0.1", ".0.0.1" }
    assert.is_true(policy:is_not_allowed "1.0.0.1")
    assert.is_false(policy:is_not_allowed "127.0.0.1")
  end)

  it("may be another one", function()
    local Short = class("Short", cookies.DefaultCookiePolicy)
    function Short:set_ok(cookie, from) return #cookie.value < 3 and Short.super.set_ok(self, cookie, from) end
    local jar = cookies.CookieJar(Short { blocked_domains = { "x" } })
    assert.is_true(jar:set("http://h/", "a=12"))
    assert.is_false(jar:set("http://h/", "a=123"))
    assert.is_false(jar:set("http://x/", "a=1"))
    assert.has_error(function() cookies.CookieJar {} end)
  end)
end)

describe("a Morsel", function()
  it("raises for what no cookie has", function()
    local cookie = cookies.SimpleCookie()
    cookie.a = "1"
    for _, bad in ipairs {
      function() cookie.a.nonsense = "x" end, function() cookie.a.path = "/;x" end,
      function() cookie.a.domain = "a\r\nX: b" end, function() cookie.a.path = {} end,
      function() cookie["a b"] = "1" end,
      function() cookie.path = "1" end, function() cookie[""] = "1" end, function() cookie.a = {} end,
      function() cookie.b = cookie.a end, function() cookies.Morsel():set("a", "1", "a\nb") end,
    } do
      assert.has_error(bad)
    end
    assert.equal("Set-Cookie: a=1", cookie:output())
  end)

  it("compares, and is copied", function()
    local a = cookies.SimpleCookie("a=1; Path=/").a
    local b = a:copy()
    assert.is_true(a == b)
    b.max_age = 5
    assert.is_false(a == b)
    assert.equal("a=1; Max-Age=5", b:OutputString { "max-age", "secure" })
    assert.equal("X: a=1; Path=/", a:output(nil, "X:"))
    assert.matches("^a=1; expires=%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT", (function()
      b.expires = 3600
      return b:OutputString()
    end)())
  end)

  it("of a stranger cannot put lines or attributes into a header", function()
    local cookie = cookies.SimpleCookie('a="x\\012y"; path="/\\015\\012Set-Cookie: b=1"; domain="a\\073b"; '
      .. 'comment="c\\012"')
    assert.equal('Set-Cookie: a="x\\012y"; Comment="c\\012"', cookie:output())
    assert.equal("x\ny", cookie.a.value)
    cookie = cookies.SimpleCookie 'a="x; Domain=evil.org"'
    assert.equal('a="x\\073 Domain=evil.org"', cookie.a:OutputString())
  end)
end)
