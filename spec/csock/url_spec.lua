-- csock.url: URLs are taken apart, put together and joined as RFC 3986 and Python do it.
local csock = require "csock"
local url = require "csock.url"

local EINVAL = csock.errno.EINVAL

local function refused(call, text, ...)
  local result, err, errno = url[call](text, ...)
  assert.is_nil(result, ("%q"):format(text))
  assert.equal(EINVAL, errno)
  assert.matches("^" .. call .. ": .+ %[EINVAL%]$", tostring(err))
end

describe("urlsplit", function()
  local cases = {
    { "http://example.org/a?b#c", "http", "example.org", "/a", "b", "c" },
    { "HTTP://EXAMPLE.org", "http", "EXAMPLE.org", "", "", "" },
    { "//host/path", "", "host", "/path", "", "" },
    { "/a/b", "", "", "/a/b", "", "" },
    { "", "", "", "", "", "" },
    { "?q", "", "", "", "q", "" },
    { "#f", "", "", "", "", "f" },
    { "http://h?q/a:b@c", "http", "h", "", "q/a:b@c", "" },
    { "http://h#f?no", "http", "h", "", "", "f?no" },
    { "http://h/a#b#c", "http", "h", "/a", "", "b#c" },
    { "http://h/?a?b", "http", "h", "/", "a?b", "" },
    { "mailto:a@example.org", "mailto", "", "a@example.org", "", "" },
    { "file:///etc/hosts", "file", "", "/etc/hosts", "", "" },
    { "http:///a", "http", "", "/a", "", "" },
    { "////a", "", "", "//a", "", "" },
    { "http://h//a//b/", "http", "h", "//a//b/", "", "" },
    { "svn+ssh://h/a", "svn+ssh", "h", "/a", "", "" },
    { "1http://h/", "", "", "1http://h/", "", "" },
    { ":a", "", "", ":a", "", "" },
    { "a.b-c+1:x", "a.b-c+1", "", "x", "", "" },
    { "a_b:x", "", "", "a_b:x", "", "" },
    { "urn:isbn:096139210x", "urn", "", "isbn:096139210x", "", "" },
    { "http://h/a;b;c/d;e", "http", "h", "/a;b;c/d;e", "", "" },
    { "http://h/%7Ea%00", "http", "h", "/%7Ea%00", "", "" },
  }
  for _, case in ipairs(cases) do
    it("takes apart " .. case[1], function()
      assert.same({ table.unpack(case, 2) }, { table.unpack(assert(url.urlsplit(case[1]))) })
    end)
  end

  it("gives the parts by Python's names", function()
    local u = assert(url.urlsplit "http://me:secret@Example.ORG:8080/a?b#c")
    assert.same({ "http", "me:secret@Example.ORG:8080", "/a", "b", "c" },
      { u.scheme, u.netloc, u.path, u.query, u.fragment })
    assert.same({ "me", "secret", "example.org", 8080 }, { u.username, u.password, u.hostname, u.port })
  end)

  it("takes a scheme for URLs without one, and may leave fragments alone", function()
    assert.equal("https", url.urlsplit("//h/a", "https").scheme)
    assert.equal("http", url.urlsplit("http://h/a", "https").scheme)
    for _, u in ipairs { url.urlsplit("/a?b#c", "", false), url.urlsplit("/a?b#c", { allow_fragments = false }) } do
      assert.same({ "/a", "b#c", "" }, { u.path, u.query, u.fragment })
    end
    refused("urlsplit", "//h/a", "no scheme")
  end)

  it("refuses control characters and blanks, wherever they are", function()
    for byte = 0, 127 do
      if byte <= 32 or byte == 127 then
        for _, form in ipairs { "_http://h/", "ht_tp://h/", "http://h_/", "//h/a_", "http://h/?_", "http://h/#_" } do
          refused("urlsplit", (form:gsub("_", string.char(byte))))
        end
      end
    end
  end)

  it("does not show in an error the URL, which may hold a password", function()
    local _, err = url.urlsplit "http://me:secret@h:port/"
    assert.is_nil(tostring(err):find("secret", 1, true))
  end)

  it("raises for what is no string, where it was called", function()
    for _, call in ipairs { "urlsplit", "urlparse", "urldefrag" } do
      local ok, err = pcall(function() url[call](42) end)
      assert.is_false(ok)
      assert.matches("^spec/csock/url_spec.lua:%d+: bad argument #1 to '" .. call .. "' %(string expected, got 42", err)
    end
    assert.error_matches(function() url.urlsplit("a", "", 0) end, "argument #3 to 'urlsplit' %(boolean expected, got 0")
    assert.error_matches(function() url.urlsplit("a", { fragments = true }) end, "unknown option 'fragments'")
  end)
end)

describe("urlparse", function()
  local cases = {
    { "http://h/a;b?c#d", "/a", "b" },
    { "http://h/a;b;c", "/a", "b;c" },
    { "http://h/a;b/c", "/a;b/c", "" },
    { "http://h/a;b/c;d", "/a;b/c", "d" },
    { "http://h/a;", "/a", "" },
    { "a;b", "a", "b" },
    { "mailto:a;b", "a;b", "" },
  }
  for _, case in ipairs(cases) do
    it("finds the parameters of " .. case[1], function()
      local u = assert(url.urlparse(case[1]))
      assert.same({ case[2], case[3] }, { u.path, u.params })
    end)
  end

  it("gives six parts", function()
    assert.same({ "http", "h", "/a", "b", "c", "d" }, { table.unpack(assert(url.urlparse "http://h/a;b?c#d")) })
  end)
end)

describe("a URL's parts", function()
  it("are equal by value, and of one kind", function()
    assert.is_true(url.urlsplit "http://h/a" == url.urlsplit "HTTP://h/a")
    assert.is_false(url.urlsplit "http://h/a" == url.urlsplit "http://h/b")
    assert.is_false(url.urlsplit "http://h/a" == url.urlparse "http://h/a")
  end)

  it("read as in Python, with nothing in them that a terminal obeys", function()
    assert.equal([[SplitResult(scheme='http', netloc='h', path='/it\'s', query='\xc3\xbc', fragment='')]],
      tostring(url.urlsplit "http://h/it's?ü"))
  end)

  it("cannot be changed, but replaced in another one", function()
    local u = assert(url.urlsplit "http://h:1/a?b")
    assert.error_matches(function() u.path = "/b" end, "a SplitResult cannot be changed: _replace makes another")
    local v = u:_replace { netloc = "h:2", query = "" }
    assert.same({ "http://h:2/a", 2, "http://h:1/a?b" }, { v:geturl(), v.port, u:geturl() })
    assert.equal(EINVAL, select(3, u:_replace { netloc = "h:x" }))
    assert.equal(EINVAL, select(3, u:_replace { path = "/a\r\nX: y" }))
    assert.error_matches(function() u:_replace { host = "x" } end, "unknown field 'host'")
    assert.error_matches(function() u:_replace { path = 1 } end, "path: string expected, got 1")
  end)

  it("may be made by hand", function()
    assert.equal("http://h/a?b#c", url.SplitResult("http", "h", "/a", "b", "c"):geturl())
    assert.equal("http://h/a;p?b#c", url.ParseResult("http", "h", "/a", "p", "b", "c"):geturl())
    assert.equal("http://h/a#c", url.DefragResult("http://h/a", "c"):geturl())
    assert.equal(EINVAL, select(3, url.SplitResult("http", "h:99999", "/a", "b", "c")))
    assert.error_matches(function() url.SplitResult("http", "h") end, "argument #3 to 'SplitResult' %(string expected")
    assert.error_matches(function() url.DefragResult("a", "b", "c") end, "bad argument #3 to 'DefragResult' %(no value")
  end)
end)

describe("urlunsplit", function()
  local cases = {
    [{ "http", "h", "/a", "b", "c" }] = "http://h/a?b#c",
    [{ "http", "h", "a", "", "" }] = "http://h/a",
    [{ "", "h", "", "", "" }] = "//h",
    [{ "file", "", "/etc", "", "" }] = "file:///etc",
    [{ "mailto", "", "a@b", "", "" }] = "mailto:a@b",
    [{ "", "", "", "", "" }] = "",
  }
  for parts, text in pairs(cases) do
    it("makes " .. text, function() assert.equal(text, url.urlunsplit(parts)) end)
  end

  it("makes of a path no host, and no scheme", function()
    assert.equal("////evil.example/x", url.urlunsplit { "", "", "//evil.example/x", "", "" })
    assert.equal("http:////evil.example/x", url.urlunsplit { "http", "", "//evil.example/x", "", "" })
    assert.equal("./javascript:x", url.urlunsplit { "", "", "javascript:x", "", "" })
    assert.equal("./javascript:x", url.urljoin("a", "./javascript:x"))
  end)

  it("takes what urlsplit gives, and refuses what it would refuse", function()
    assert.equal("http://h/a?b", url.urlunsplit(url.urlsplit "http://h/a?b"))
    assert.equal("http://h/a;p?b", url.urlunparse(url.urlparse "http://h/a;p?b"))
    for _, parts in ipairs {
      { "http", "h", "/a\r\nX: y", "", "" }, { "http", "h", "/", "a b", "" }, { "ht tp", "h", "/", "", "" },
      { "http", "h/x", "/", "", "" }, { "http", "h:x", "/", "", "" }, { "1", "", "", "", "" },
    } do
      local text, _, errno = url.urlunsplit(parts)
      assert.same({ nil, EINVAL }, { text, errno })
    end
  end)

  it("raises for other numbers of parts, and for parts that are no strings", function()
    assert.error_matches(function() url.urlunsplit(url.urlparse "a") end, "5 parts expected, got 6")
    assert.error_matches(function() url.urlunparse { "a" } end, "6 parts expected, got 1")
    assert.error_matches(function() url.urlunsplit { "", "", 1, "", "" } end, "part 3: string expected, got 1")
  end)
end)

describe("urldefrag", function()
  it("takes the fragment off", function()
    local cases = {
      ["http://h/a#b"] = { "http://h/a", "b" },
      ["http://h/a"] = { "http://h/a", "" },
      ["http://h/?q#"] = { "http://h/?q", "" },
      ["#b"] = { "", "b" },
      ["HTTP://h?"] = { "HTTP://h?", "" }, -- as it was, where there is none
    }
    for text, expected in pairs(cases) do
      local result = assert(url.urldefrag(text))
      assert.same(expected, { result.url, result.fragment })
    end
    assert.equal("http://h/a#b", url.urldefrag("http://h/a#b"):geturl())
    refused("urldefrag", "http://h/\n#a")
    refused("urldefrag", "http://h/\n")
  end)
end)

describe("urljoin", function()
  -- RFC 3986, sections 5.4.1 and 5.4.2; of the two answers for "http:g" that of Python.
  local BASE = "http://a/b/c/d;p?q"
  local rfc = {
    ["g:h"] = "g:h",
    ["g"] = "http://a/b/c/g",
    ["./g"] = "http://a/b/c/g",
    ["g/"] = "http://a/b/c/g/",
    ["/g"] = "http://a/g",
    ["//g"] = "http://g",
    ["?y"] = "http://a/b/c/d;p?y",
    ["g?y"] = "http://a/b/c/g?y",
    ["#s"] = "http://a/b/c/d;p?q#s",
    ["g#s"] = "http://a/b/c/g#s",
    ["g?y#s"] = "http://a/b/c/g?y#s",
    [";x"] = "http://a/b/c/;x",
    ["g;x"] = "http://a/b/c/g;x",
    ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
    [""] = "http://a/b/c/d;p?q",
    ["."] = "http://a/b/c/",
    ["./"] = "http://a/b/c/",
    [".."] = "http://a/b/",
    ["../"] = "http://a/b/",
    ["../g"] = "http://a/b/g",
    ["../.."] = "http://a/",
    ["../../"] = "http://a/",
    ["../../g"] = "http://a/g",
    ["../../../g"] = "http://a/g",
    ["../../../../g"] = "http://a/g",
    ["/./g"] = "http://a/g",
    ["/../g"] = "http://a/g",
    ["g."] = "http://a/b/c/g.",
    [".g"] = "http://a/b/c/.g",
    ["g.."] = "http://a/b/c/g..",
    ["..g"] = "http://a/b/c/..g",
    ["./../g"] = "http://a/b/g",
    ["./g/."] = "http://a/b/c/g/",
    ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h",
    ["g;x=1/./y"] = "http://a/b/c/g;x=1/y",
    ["g;x=1/../y"] = "http://a/b/c/y",
    ["g?y/./x"] = "http://a/b/c/g?y/./x",
    ["g?y/../x"] = "http://a/b/c/g?y/../x",
    ["g#s/./x"] = "http://a/b/c/g#s/./x",
    ["g#s/../x"] = "http://a/b/c/g#s/../x",
    ["http:g"] = "http://a/b/c/g",
  }
  for reference, target in pairs(rfc) do
    it(("joins %q as RFC 3986 has it"):format(reference), function()
      assert.equal(target, url.urljoin(BASE, reference))
    end)
  end

  local others = {
    { "http://a", "b", "http://a/b" },
    { "http://a/", "//h:1/x", "http://h:1/x" },
    { "http://a/b//c/", "d", "http://a/b/c/d" },
    { "http://a/b", "//", "http://a/b" },
    { "http://[::1]:80/a", "b", "http://[::1]:80/b" },
    { "http://u:p@h/a", "b", "http://u:p@h/b" },
    { "/a/b", "c", "/a/c" },
    { "a/b", "../c", "c" },
    { "", "x", "x" },
    { "ws://a/b", "c", "ws://a/c" },
    { "mailto:a@b", "c", "c" },
    { "https://a/b", "http:c", "http:c" },
  }
  for _, case in ipairs(others) do
    it(("joins %s and %s"):format(case[1], case[2]), function()
      assert.equal(case[3], url.urljoin(case[1], case[2]))
    end)
  end

  it("joins URLs of a scheme that was added", function()
    assert.equal("b", url.urljoin("redis://h/a", "b"))
    url.uses_relative.redis, url.uses_netloc.redis = true, true
    local joined = url.urljoin("redis://h/a", "b")
    url.uses_relative.redis, url.uses_netloc.redis = nil, nil
    assert.equal("redis://h/b", joined)
  end)

  it("refuses either of them", function()
    refused("urljoin", "http://a/\0", "b")
    refused("urljoin", "http://a/", "b\r\n")
    refused("urljoin", "http://a:x/", "b")
    refused("urljoin", "", "//h:99999")
  end)

  it("takes time that is proportional to the path", function()
    local up = ("../"):rep(100000)
    assert.equal("http://a/g", url.urljoin("http://a/" .. ("x/"):rep(100000), up .. "g"))
    assert.equal("http://a/", url.urljoin("http://a/b", ("/."):rep(100000)))
  end)
end)
