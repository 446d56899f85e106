-- urlopen and urlretrieve: http, https, file and data.
local csock = require "csock"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"
local url = require "csock.url"

local E = csock.errno
local OPTIONS = { timeout = tls.LIMIT, proxies = false }

after_each(function()
  url.urlcleanup()
  keep.close()
end)

local function read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

-- A file with these bytes, which is removed: its name.
local function file_with(bytes)
  local name = os.tmpname()
  keep(setmetatable({}, { __close = function() os.remove(name) end }))
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(bytes))
  return name
end

local ANSWER = "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 12\r\n\r\none\ntwo\nrest"

describe("urlopen", function()
  for how, run in pairs(streams.ways) do
    it("reads a page " .. how, function()
      local server = keep(http_server.saying(ANSWER))
      run(function()
        local r = assert(url.urlopen(server.url .. "/a", nil, OPTIONS))
        assert.same({ 200, server.url .. "/a", "y" }, { r.status, r:geturl(), r:info().x })
        assert.equal("one\n", r:readline())
        assert.equal("two", r:lines()())
        assert.equal("rest", r:read())
        assert.equal("", r:read())
        assert.is_nil(r:read "l")
        assert.same({ "one\n", "two\n", "rest" }, url.urlopen(server.url, nil, OPTIONS):readlines())
        assert.equal("one\ntwo\nrest", url.urlopen(server.url, nil, OPTIONS):read "a")
        r = url.urlopen(server.url, nil, OPTIONS)
        r:close()
        assert.equal(E.EBADF, select(3, r:read()))
      end)
    end)
  end

  it("posts data, as a form unless told", function()
    local server = keep(http_server.saying(ANSWER))
    assert(url.urlopen(server.url, "a=1", OPTIONS))
    assert.matches("^POST / .*x%-www%-form%-urlencoded\r\n.*\r\n\r\na=1$", (server:request()))
    local request = url.Request(server.url, { data = "{}", headers = { ["Content-Type"] = "application/json" } })
    request:add_header("X-A", "b")
    request.method = "PUT"
    assert(url.urlopen(request, nil, OPTIONS))
    local text = server:request()
    assert.matches("^PUT / .*\r\n\r\n{}$", text)
    assert.matches("X%-A: b\r\n", text)
    assert.not_matches("form", text)
  end)

  it("gives an error with the answer for a status that is no success", function()
    local server = keep(http_server.saying "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
    local r, err, errno = url.urlopen(server.url, nil, OPTIONS)
    assert.is_nil(r)
    assert.same({ "HTTPError", 404, "Not Found", E.EPROTO }, { err.name, err.code, err.text, errno })
    assert.equal("gone", err.response:read())
  end)

  if not tls.missing then
    it("reads a page over TLS", function()
      local server = keep(http_server.start(function(conn)
        conn:request()
        conn:send(ANSWER)
      end, tls.server()))
      local options = { context = tls.client(), timeout = tls.LIMIT, proxies = false }
      local place = ("https://localhost:%d/"):format(server.port)
      assert.equal("one\ntwo\nrest", assert(url.urlopen(place, nil, options)):read())
    end)
  end

  it("reads a file", function()
    local name = file_with "line\nbytes\0\255"
    for _, prefix in ipairs { "file://", "file://localhost", "FILE:" } do
      local r <close> = assert(url.urlopen(prefix .. url.quote(name)))
      assert.same({ 200, 12, "12" }, { r.status, r.length, r:info()["content-length"] })
      assert.equal("line\n", r:readline())
      assert.equal("b", r:read1(1))
      assert.equal("ytes\0\255", r:read())
      assert.equal("", r:read(1))
    end
    for place, code in pairs { ["/does/not/exist"] = E.ENOENT, ["/"] = E.EISDIR, ["/a%00b"] = E.EINVAL } do
      local r, _, errno = url.urlopen("file://" .. place)
      assert.is_nil(r)
      assert.equal(code, errno)
    end
    assert.equal("InvalidURL", select(2, url.urlopen "file://elsewhere/etc/passwd").name)
  end)

  it("reads data that is in the URL itself", function()
    for text, expected in pairs {
      ["data:,a%20b"] = { "a b", "text/plain;charset=US-ASCII" }, ["data:text/html,<p>"] = { "<p>", "text/html" },
      ["data:;base64,aGk="] = { "hi", "text/plain;charset=US-ASCII" }, ["data:a/b;base64,aGk%3D"] = { "hi", "a/b" },
      ["data:;charset=utf-8,x"] = { "x", "text/plain;charset=utf-8" },
      ["DATA:,"] = { "", "text/plain;charset=US-ASCII" },
    } do
      local r = assert(url.urlopen(text))
      assert.same(expected, { r:read(), r:info()["content-type"] })
    end
    for _, text in ipairs { "data:", "data:x", "data:;base64,a", "data:;base64,!!", "data:a%0D%0Ab,x" } do
      assert.equal("InvalidURL", select(2, url.urlopen(text)).name, text)
    end
  end)

  it("refuses other schemes", function()
    for _, text in ipairs { "ftp://h/", "gopher://h", "h", "", "javascript:x" } do
      assert.equal("UnknownProtocol", select(2, url.urlopen(text)).name)
    end
  end)
end)

describe("urlretrieve", function()
  it("copies a page into a file, and says how it goes on", function()
    local body = ("x"):rep(20000)
    local server = keep(http_server.saying("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" .. body))
    local name, calls = file_with "", {}
    local to, headers = url.urlretrieve(server.url, name, function(...) calls[#calls + 1] = { ... } end, nil, OPTIONS)
    assert.equal(name, to)
    assert.equal("20000", headers["content-length"])
    assert.equal(body, read(name))
    assert.same({ { 0, 8192, 20000 }, { 1, 8192, 20000 }, { 2, 8192, 20000 }, { 3, 8192, 20000 } }, calls)
  end)

  it("makes a temporary file without a name, which urlcleanup removes", function()
    local name, headers = url.urlretrieve "data:,hello"
    assert.equal("hello", read(name))
    assert.equal("5", headers["content-length"])
    url.urlcleanup()
    assert.is_nil((io.open(name)))
    local own = file_with "mine"
    assert.equal(own, (url.urlretrieve("file://" .. own)))
    url.urlcleanup()
    assert.equal("mine", read(own))
  end)

  it("says -1 where nobody knows how much comes", function()
    local server = keep(http_server.saying "HTTP/1.0 200 OK\r\n\r\nabc")
    local total
    assert(url.urlretrieve(server.url, nil, function(_, _, n) total = n end, nil, OPTIONS))
    assert.equal(-1, total)
  end)

  it("takes what was cut for an error", function()
    local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    local name, err, errno = url.urlretrieve(server.url, file_with "", nil, nil, OPTIONS)
    assert.is_nil(name)
    assert.matches("ended in the middle", tostring(err))
    assert.equal(E.EBADMSG, errno)
    assert.is_nil((url.urlretrieve(server.url, nil, nil, nil, OPTIONS)))
  end)

  it("says why it cannot write", function()
    local name, err = url.urlretrieve("data:,x", "/does/not/exist")
    assert.is_nil(name)
    assert.equal("ENOENT", err.name)
    assert.equal("ENOSPC", select(2, url.urlretrieve("data:,x", "/dev/full")).name)
  end)
end)

describe("a robots.txt", function()
  local robots = require "csock.url.robots"

  it("is fetched and read", function()
    local text = "User-agent: *\nDisallow: /private\n"
    local server = keep(http_server.saying(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#text, text)))
    local rules = robots.RobotFileParser(server.url .. "/robots.txt")
    assert(rules:read(OPTIONS))
    assert.is_true(rules:can_fetch("me", server.url .. "/a"))
    assert.is_false(rules:can_fetch("me", server.url .. "/private/a"))
    assert.matches("^GET /robots.txt ", (server:request()))
  end)

  it("that is forbidden forbids all, and one that is not there nothing", function()
    for status, allowed in pairs { ["401 X"] = false, ["403 X"] = false, ["404 X"] = true, ["410 X"] = true } do
      local server = keep(http_server.saying("HTTP/1.1 " .. status .. "\r\nContent-Length: 0\r\n\r\n"))
      local rules = robots.RobotFileParser(server.url)
      assert(rules:read(OPTIONS))
      assert.equal(allowed, rules:can_fetch("me", "/a"))
      keep.close()
    end
    local server = keep(http_server.saying "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
    local rules = robots.RobotFileParser(server.url)
    assert.equal(500, select(2, rules:read(OPTIONS)).code)
    assert.is_false(rules:can_fetch("me", "/a"))
  end)
end)
