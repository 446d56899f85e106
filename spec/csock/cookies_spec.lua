-- Cookies: what Set-Cookie says, what a jar keeps, and what it gives to whom.
local cookies = require "csock.cookies"
local setcookie = require "csock.cookies.setcookie"

describe("a Set-Cookie header", function()
  it("says name, value and attributes", function()
    for text, expected in pairs {
      ["a=b"] = { name = "a", value = "b" },
      [" a = b c "] = { name = "a", value = "b c" },
      ["a="] = { name = "a", value = "" },
      ["a=b=c"] = { name = "a", value = "b=c" },
      ['a="b"'] = { name = "a", value = '"b"' },
      ["a=b; Path=/x; Domain=.Example.ORG; Secure; HttpOnly; SameSite=Lax"] = {
        name = "a", value = "b", path = "/x", domain = "example.org", secure = true, httponly = true, samesite = "Lax",
      },
      ["a=b; MAX-AGE=5; expires=Sun, 06 Nov 1994 08:49:37 GMT"] = {
        name = "a", value = "b", max_age = 5, expires = 784111777,
      },
      ["a=b; max-age=-1"] = { name = "a", value = "b", max_age = 0 },
      ["a=b; max-age=1e3; path=x; expires=soon; unknown=1;;"] = { name = "a", value = "b" },
      ["a=b; max-age=99999999999999999999"] = { name = "a", value = "b", max_age = 400 * 86400 },
    } do
      assert.same(expected, cookies.parse_set_cookie(text), text)
    end
  end)

  it("that is none, or holds control characters, is left out", function()
    for _, text in ipairs { "", "a", "=b", "; a=b", "a=b\0", "a=b\r\nX: y", "a=" .. ("b"):rep(4096) } do
      assert.is_nil(cookies.parse_set_cookie(text), text)
    end
  end)

  it("has dates in many forms", function()
    for text, expected in pairs {
      ["Sun, 06 Nov 1994 08:49:37 GMT"] = 784111777, ["Sunday, 06-Nov-94 08:49:37 GMT"] = 784111777,
      ["Sun Nov  6 08:49:37 1994"] = 784111777, ["6 november 1994 8:49:37"] = 784111777,
      ["08:49:37 06 Nov 94"] = 784111777, ["Thu, 01-Jan-1970 00:00:00 GMT"] = 0,
    } do
      assert.equal(expected, setcookie.date(text), text)
    end
    for _, text in ipairs {
      "", "soon", "32 Nov 1994 08:49:37", "6 Nov 1994 24:00:00", "6 Nov 1600 08:49:37", "6 Nov 1994",
      "Nov 1994 08:49:37",
    } do
      assert.is_nil(setcookie.date(text), text)
    end
  end)
end)

describe("a CookieJar", function()
  -- The Cookie header for a URL, of a jar that was given these headers from these URLs.
  local function jar_of(...)
    local jar, list = cookies.CookieJar(), { ... }
    for i = 1, #list, 2 do jar:set(list[i], list[i + 1]) end
    return jar
  end

  it("sends a cookie back to its host alone, unless it has a domain", function()
    local jar = jar_of("http://example.org/", "a=1", "http://www.example.org/", "b=2; Domain=example.org")
    assert.equal("a=1; b=2", jar:header "http://example.org/")
    assert.equal("b=2", jar:header "http://www.example.org/")
    assert.equal("b=2", jar:header "http://a.b.EXAMPLE.org:8080/")
    for _, host in ipairs { "example.com", "badexample.org", "org", "example.org.evil" } do
      local url = "http://" .. host .. "/"
      assert.is_nil(jar:header(url))
    end
  end)

  it("takes no cookie for another domain", function()
    for url, text in pairs {
      ["http://example.org/"] = "a=1; Domain=example.com", ["http://www.example.org/"] = "a=1; Domain=mail.example.org",
      ["http://example.net/"] = "a=1; Domain=net", ["http://evil.org/"] = "a=1; Domain=l.org",
      ["http://127.0.0.1/"] = "a=1; Domain=0.0.1", ["http://[::1]/"] = "a=1; Domain=1",
      ["http://example.org./"] = "a=1; Domain=example.org",
    } do
      assert.is_false(cookies.CookieJar():set(url, text), url)
    end
    local jar = jar_of("http://127.0.0.1/", "a=1; Domain=127.0.0.1", "http://localhost/", "b=2; Domain=localhost")
    assert.equal("a=1", jar:header "http://127.0.0.1/")
    assert.is_nil(jar:header "http://x.127.0.0.1/")
    assert.equal("b=2", jar:header "http://localhost/")
    assert.is_nil(jar:header "http://x.localhost/")
  end)

  it("sends a cookie back to its path, the longest first", function()
    local jar = jar_of("http://h/a/b", "x=default", "http://h/", "y=1; Path=/", "http://h/", "z=2; Path=/a/b",
      "http://h/", "w=3; Path=/a/")
    assert.equal("z=2; w=3; x=default; y=1", jar:header "http://h/a/b")
    assert.equal("w=3; x=default; y=1", jar:header "http://h/a/bc")
    assert.equal("x=default; y=1", jar:header "http://h/a")
    assert.equal("y=1", jar:header "http://h/ab")
    assert.equal("y=1", jar:header "http://h")
  end)

  it("sends a secure cookie over https alone, and takes it from there alone", function()
    local jar = jar_of("https://h.org/", "a=1; Secure")
    assert.equal("a=1", jar:header "https://h.org/")
    assert.is_nil(jar:header "http://h.org/")
    assert.is_false(jar:set("http://h.org/", "b=1; Secure"))
    assert.is_false(jar:set("http://h.org/", "a=2"))
    assert.is_false(jar:set("http://www.h.org/", "a=2; Domain=h.org"))
    assert.is_true(jar:set("http://h.org/", "b=2"))
    assert.equal("a=1; b=2", jar:header "https://h.org/")
  end)

  it("keeps what the prefixes of names promise", function()
    local jar = cookies.CookieJar()
    assert.is_false(jar:set("https://h.org/", "__Secure-a=1"))
    assert.is_true(jar:set("https://h.org/", "__Secure-a=1; Secure"))
    assert.is_false(jar:set("https://h.org/", "__Host-a=1; Secure; Path=/x"))
    assert.is_false(jar:set("https://h.org/", "__HOST-a=1; Secure; Path=/; Domain=h.org"))
    assert.is_true(jar:set("https://h.org/", "__Host-a=1; Secure; Path=/"))
  end)

  it("forgets what is over, and what is taken back", function()
    local jar = jar_of("http://h/", "a=1", "http://h/", "b=2; Max-Age=1000", "http://h/", "a=; Max-Age=0",
      "http://h/", "c=3; Expires=Sun, 06 Nov 1994 08:49:37 GMT", "http://h/",
      "d=4; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=10")
    assert.equal("b=2; d=4", jar:header "http://h/")
    jar:get("http://h/")[1].expires = os.time() - 1
    assert.equal("d=4", jar:header "http://h/")
    assert.equal(1, #jar)
  end)

  it("has one cookie of a name, domain and path, in the place of the first", function()
    local jar = jar_of("http://h/", "a=1", "http://h/", "b=2", "http://h/", "a=3")
    assert.equal("a=3; b=2", jar:header "http://h/")
    assert.equal(2, #jar)
  end)

  it("keeps a bounded number, those that were used last", function()
    local jar = jar_of("http://h/", "first=1")
    for i = 1, 179 do jar:set("http://h/", ("c%d=%d"):format(i, i)) end
    jar:get "http://h/"
    jar:set("http://h/other/", "late=1; Path=/other")
    assert.equal(180, #jar)
    for i = 1, 30 do
      for k = 1, 110 do jar:set(("http://h%d/"):format(i), "c" .. k .. "=1") end
    end
    assert.equal(3000, #jar)
  end)

  it("can be cleared", function()
    local jar = jar_of("http://a/", "x=1", "http://b/", "y=2; Max-Age=100", "http://b/", "z=3")
    jar:clear_session_cookies()
    assert.equal(1, #jar)
    jar:clear "a"
    assert.equal("y=2", jar:header "http://b/")
    jar:clear()
    assert.equal(0, #jar)
  end)

  it("takes the cookies of an answer", function()
    local jar = cookies.CookieJar()
    local block = require("csock.wire.headers").new { "Set-Cookie", "a=1", "X", "y", "set-cookie", "b=2" }
    jar:extract_cookies(block, "http://h/")
    assert.equal("a=1; b=2", jar:header "http://h/")
    assert.is_false(jar:set("no url", "a=1"))
    assert.is_nil(jar:header "mailto:x")
  end)
end)

describe("a server's cookies", function()
  it("are read from a Cookie header", function()
    assert.same({ a = "1", b = "x y", c = "=" }, cookies.parse 'a=1; b="x y";c==; a=2; broken; =x')
    assert.same({}, cookies.parse "")
  end)

  it("are written as Set-Cookie", function()
    assert.equal("a=b; Domain=h.org; Path=/; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=5; Secure; HttpOnly; "
      .. "SameSite=Lax", cookies.format("a", "b", {
        domain = "h.org", path = "/", expires = 784111777, max_age = 5, secure = true, httponly = true,
        samesite = "Lax",
      }))
    for _, bad in ipairs { { "a b", "c" }, { "a", "b;c" }, { "a", "b\r\n" }, { "", "b" }, { "a", "b c" } } do
      assert.has_error(function() cookies.format(bad[1], bad[2]) end)
    end
    assert.has_error(function() cookies.format("a", "b", { path = "/;x" }) end)
    assert.has_error(function() cookies.format("a", "b", { samesite = "maybe" }) end)
  end)

  it("come and go in a SimpleCookie", function()
    local c = cookies.SimpleCookie "a=1; b=2"
    assert.equal("1", c.a.value)
    c.s = "x"
    c.s.path = "/"
    c:set("b", 3)
    c.a = nil
    assert.same({ "b", "s" }, c:keys())
    assert.equal("Set-Cookie: b=3\r\nSet-Cookie: s=x; Path=/", c:output())
    assert.equal("b=3", c:get("b"):OutputString())
  end)
end)
