-- Requests and sessions: what follows from an answer, and what is kept.
local csock = require "csock"
local http = require "csock.http"
local httpserver = require "csock.httpserver"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"

local E = csock.errno
local LIMIT = tls.LIMIT

after_each(keep.close)

-- Answers by the path: path -> { status, lines, body }, for which %s is the server's own URL.
local function by_path(answers, context)
  return keep(http_server.start(function(conn)
    while true do
      local text = conn:request()
      if not text then return end
      local answer = answers[text:match "^%S+ ([^ ?]*)"] or { "404 Not Found" }
      local port = conn.sock:getsockname().port
      conn:answer(answer[3] or "ok", (answer[2] or ""):gsub("PORT", tostring(port)), answer[1])
    end
  end, context))
end

local function session(options)
  options = options or {}
  options.timeout = options.timeout or LIMIT
  if options.proxies == nil then options.proxies = false end
  return keep(http.Session(options))
end

describe("a request", function()
  it("that fails says what was asked of whom, without the login", function()
    local server = by_path {
      ["/a"] = { "302 Found", "Location: /b?q=1\r\n" }, ["/b"] = { "302 Found", "Location: /c\r\n" },
    }
    local own = session { redirects = 1 }
    local _, err, errno = own:get((server.url:gsub("//", "//me:secret@")) .. "/a")
    assert.equal(E.ELOOP, errno)
    assert.equal(("GET %s/c"):format(server.url), err.during)
    assert.equal(("GET %s/c: request: more than 1 redirects [TooManyRedirects]"):format(server.url), tostring(err))
    _, err = own:post "http://127.0.0.1:1/x"
    assert.matches("^POST http://127%.0%.0%.1:1/x: create_connection %('127%.0%.0%.1', 1%): ", tostring(err))
    _, err = own:get(server.url .. "/c"):raise_for_status()
    assert.equal(("GET %s/c: request: 404 Not Found [HTTPError]"):format(server.url), tostring(err))
  end)

  for how, run in pairs(streams.ways) do
    it("reads the answer " .. how, function()
      local server = by_path { ["/a"] = { "200 OK", "X: y\r\n", "hello" } }
      run(function()
        local response = assert(http.get(server.url .. "/a", { params = { q = "a b", r = { 1, 2 } }, timeout = LIMIT }))
        assert.same({ 200, "hello", "y" }, { response.status, response.body, response.headers.x })
        assert.equal(server.url .. "/a?q=a+b&r=1&r=2", response.url)
        assert.equal("hello", response:read())
        assert.matches("^GET /a%?q=a%+b&r=1&r=2 HTTP/1.1\r\nHost: 127.0.0.1:%d+\r\nUser%-Agent: csock/[%d.]+\r\n",
          (server:request()))
      end)
    end)

    it("has one deadline for all of it, whoever trickles, " .. how, function()
      local server = keep(http_server.start(function(conn)
        conn:request()
        conn:send "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        repeat csock.sleep(0.02) until not conn:send "x"
      end))
      run(function()
        local began = csock.now()
        local response, _, errno = http.get(server.url, { timeout = 0.2 })
        assert.is_nil(response)
        assert.equal(E.ETIMEDOUT, errno)
        assert.is_true(csock.now() - began >= 0.2)
        response = assert(http.get(server.url, { timeout = 0.2, stream = true }))
        local data
        repeat data, _, errno = response:read1() until not data
        assert.equal(E.ETIMEDOUT, errno)
        response:close()
      end)
    end)
  end

  it("has one deadline, also where nothing has ever to be waited for", function()
    local chunk = ("x"):rep(1 << 16)
    csock.run(function() -- server and client in turns: there is always something
      local server <close> = assert(httpserver.serve({ "127.0.0.1", 0 }, function(request)
        repeat until not request.body:read(1 << 16)
        return 200, nil, function() return chunk end
      end, { max_body = false }))
      local url, began = "http://127.0.0.1:" .. server:getsockname().port, csock.now()
      local function endless()
        assert(csock.now() - began < LIMIT, "it goes on")
        return chunk
      end
      local options = { timeout = 0.3, proxies = false, limit = false, to = endless }
      assert.equal(E.ETIMEDOUT, select(3, http.get(url, options)))
      options.data = endless
      assert.equal(E.ETIMEDOUT, select(3, http.post(url, options)))
    end)
  end)

  it("sends forms, JSON, and data", function()
    local json = require(pcall(require, "cjson") and "cjson" or "dkjson")
    local server = by_path { ["/"] = {} }
    for text, options in pairs {
      ["application/x%-www%-form%-urlencoded\r\n.*\r\n\r\na=1&b=x%+y$"] = { form = { a = 1, b = "x y" } },
      ["application/json\r\n.*\r\n\r\n%[1,2%]$"] = { json = { 1, 2 } },
      ["application/json\r\n.*\r\n\r\nfalse$"] = { json = false },
      ["application/json\r\n.*\r\n\r\nnull$"] = { json = json.null },
      ["Content%-Type: mine\r\n.*\r\n\r\n%[1%]$"] = { json = { 1 }, headers = { ["Content-Type"] = "mine" } },
      ["Content%-Length: 3\r\n\r\nabc$"] = { data = "abc" },
    } do
      options.timeout = LIMIT
      assert.equal("ok", assert(http.post(server.url, options)).body)
      assert.matches(text, (server:request()))
    end
    assert.has_error(function() http.post(server.url, { form = {}, json = {} }) end)
    assert.has_error(function() http.post(server.url, { form = {}, json = false }) end)
    assert.has_error(function() http.post(server.url, { from = {} }) end)
    assert.has_error(function() http.post(server.url, { data = { a = 1 } }) end) -- a form, and no body of nothing
    assert.has_error(function() http.post(server.url, { headers = { ["Content-Length"] = "5" } }) end)
  end)

  it("decodes JSON, or says that it is none", function()
    local server = by_path { ["/a"] = { nil, nil, '{"a": [1, 2]}' }, ["/b"] = { nil, nil, "{a}" } }
    assert.same({ a = { 1, 2 } }, http.get(server.url .. "/a", { timeout = LIMIT }):json())
    local value, err, errno = http.get(server.url .. "/b", { timeout = LIMIT }):json()
    assert.is_nil(value)
    assert.same({ "JSONDecodeError", E.EBADMSG }, { err.name, errno })
  end)

  it("sends files as a form, streamed, with a boundary of its own", function()
    local server = by_path { ["/"] = {} }
    local file = keep(assert(io.tmpfile()))
    file:write "content"
    file:seek "set"
    local sent = {}
    assert(http.post(server.url, {
      timeout = LIMIT, form = { a = "1" }, on_upload = function(n, total) sent[#sent + 1] = { n, total } end,
      files = { { "f", { data = file, filename = 'x".txt', type = "text/plain" } }, { "g\r\n", "data" } },
    }))
    local text = server:request()
    local boundary, length, body =
      text:match "Content%-Type: multipart/form%-data; boundary=(csock%-%x+)\r\nContent%-Length: (%d+)\r\n\r\n(.*)$"
    assert.equal(tonumber(length), #body)
    assert.same({ #body, #body }, sent[#sent])
    assert.equal(([[
--B
Content-Disposition: form-data; name="a"

1
--B
Content-Disposition: form-data; name="f"; filename="x%22.txt"
Content-Type: text/plain

content
--B
Content-Disposition: form-data; name="g%0D%0A"; filename="g%0D%0A"
Content-Type: application/octet-stream

data
--B--
]]):gsub("\n", "\r\n"):gsub("%-%-B", "--" .. boundary:gsub("%%", "%%%%")), body)
    assert(http.post(server.url, { timeout = LIMIT, files = { f = function() return nil end } }))
    assert.matches("Transfer%-Encoding: chunked", (server:request()))
  end)

  it("reads no more into memory than the limit, and streams what is longer", function()
    local server = keep(http_server.start(function(conn)
      while conn:request() do
        conn:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ = 1, 10 do conn:send("64\r\n" .. ("x"):rep(100) .. "\r\n") end
        conn:send "0\r\n\r\n"
      end
    end))
    local response, err, errno = http.get(server.url, { limit = 999, timeout = LIMIT })
    assert.is_nil(response)
    assert.same({ "ResponseTooLong", E.EMSGSIZE }, { err.name, errno })
    assert.matches("999", tostring(err))
    assert.equal(1000, #assert(http.get(server.url, { limit = 1000, timeout = LIMIT })).body)
    local pieces, seen = {}, 0
    response = assert(http.get(server.url, { limit = 10, timeout = LIMIT,
      to = function(piece) pieces[#pieces + 1] = piece return true end,
      on_download = function(n) seen = n end }))
    assert.same({ 1000, 1000, 1000 }, { #table.concat(pieces), response.received, seen })
    response = assert(http.get(server.url, { stream = true, timeout = LIMIT }))
    assert.equal(("x"):rep(1000), response:read())
    local stopped, why = http.get(server.url, { timeout = LIMIT, to = function() return nil, "enough" end })
    assert.is_nil(stopped)
    assert.equal("enough", why)
  end)

  it("that is no URL of HTTP is refused", function()
    for url, name in pairs {
      ["ftp://h/"] = "UnknownProtocol", ["file:///etc/passwd"] = "UnknownProtocol", ["/a"] = "UnknownProtocol",
      ["http:///a"] = "InvalidURL", ["http://h/\r\nX: y"] = "EINVAL", ["http://h:99999/"] = "EINVAL",
      ["http://u%0D%0A:p@h/"] = "InvalidURL", ["http://h\195\164user/"] = "InvalidURL", ["http://h /"] = "EINVAL",
      ["http://h\\@evil/"] = "EINVAL",
    } do
      local response, err = http.get(url)
      assert.is_nil(response)
      assert.equal(name, err.name, url)
    end
    for _, bad in ipairs { "\r\nX: y", "a\nb", "\0" } do
      assert.has_error(function() http.request("GET" .. bad, "http://localhost:1/") end)
      assert.has_error(function() http.get("http://localhost:1/", { headers = { A = bad } }) end)
      assert.has_error(function() http.get("http://localhost:1/", { cookies = { a = bad } }) end)
      assert.has_error(function() http.get("http://localhost:1/", { auth = { "u" .. bad, "p" } }) end)
    end
    for name, value in pairs { a = "b; admin=1", ["a; b"] = "c", ["a=b"] = "c" } do -- two cookies, or another one
      assert.has_error(function() http.get("http://localhost:1/", { cookies = { [name] = value } }) end)
    end
  end)

  it("quotes what a URL has that is not ASCII", function()
    local server = by_path {}
    http.get(server.url .. "/\195\164?q=<\195\164>", { timeout = LIMIT })
    assert.matches("^GET /%%C3%%A4%?q=%%3C%%C3%%A4%%3E HTTP", (server:request()))
  end)

  it("says what a status of failure is, when asked", function()
    local server = by_path {}
    local response = assert(http.get(server.url, { timeout = LIMIT }))
    local nothing, err, errno = response:raise_for_status()
    assert.is_nil(nothing)
    assert.same({ "http", "HTTPError", 404, "Not Found", E.EPROTO }, { err.kind, err.name, err.code, err.text, errno })
    assert.equal(response, err.response)
    assert.equal("ok", err.response.body)
  end)
end)

describe("a redirect", function()
  -- What the client sends after such a redirect, and its answer.
  local function redirected(status, method, options)
    local server = by_path {
      ["/a"] = { status .. " X", "Location: /b#c\r\n" }, ["/b"] = { "200 OK", "", "b" },
    }
    options.timeout = LIMIT
    local response, err, errno = http.request(method, server.url .. "/a", options)
    server:request()
    return response and server:request(), response, err, errno
  end

  it("changes the method as browsers do", function()
    for _, case in ipairs {
      { 301, "GET", "GET" }, { 301, "POST", "GET" }, { 302, "POST", "GET" }, { 302, "PUT", "PUT" },
      { 303, "POST", "GET" }, { 303, "PUT", "GET" }, { 303, "DELETE", "GET" },
      { 307, "POST", "POST" }, { 308, "POST", "POST" }, { 307, "PUT", "PUT" },
    } do
      local text, response = redirected(case[1], case[2], { data = case[2] ~= "GET" and "body" or nil })
      assert.matches("^" .. case[3] .. " /b HTTP", text)
      assert.equal(case[3] == case[2] and case[2] ~= "GET", text:find "\r\n\r\nbody$" ~= nil)
      assert.equal(case[3] == "GET", text:find "Content%-Length" == nil)
      assert.same({ "b", 1, case[1] }, { response.body, #response.history, response.history[1].status })
      assert.matches("/b#c$", response.url)
      keep.close()
    end
  end)

  it("goes to the first of several places", function()
    local server = by_path { ["/a"] = { "302 Found", "Location: /b\r\nLocation: /c\r\n" }, ["/b"] = { nil, nil, "b" } }
    assert.equal("b", assert(http.get(server.url .. "/a", { timeout = LIMIT })).body)
  end)

  it("is no matter of HEAD's body", function()
    local text, response = redirected(302, "HEAD", {})
    assert.matches("^HEAD /b", text)
    assert.equal("", response.body)
  end)

  it("with a body that can be read only once is an error", function()
    local _, response, err = redirected(307, "POST", { data = function() end })
    assert.is_nil(response)
    assert.equal("UnrewindableBodyError", err.name)
  end)

  it("is not followed when it shall not be, or leads nowhere", function()
    local server = by_path { ["/a"] = { "302 Found", "Location: /b\r\n" }, ["/c"] = { "302 Found" } }
    assert.equal(302, http.get(server.url .. "/a", { redirects = 0, timeout = LIMIT }).status)
    assert.equal(302, http.get(server.url .. "/a", { redirects = false, timeout = LIMIT }).status)
    assert.equal(302, http.get(server.url .. "/c", { timeout = LIMIT }).status)
  end)

  it("to itself ends after ten", function()
    local server = by_path { ["/a"] = { "302 Found", "Location: /a\r\n" } }
    local response, err, errno = http.get(server.url .. "/a", { timeout = LIMIT })
    assert.is_nil(response)
    assert.same({ "TooManyRedirects", E.ELOOP, 302 }, { err.name, errno, err.code })
    for _ = 1, 11 do server:request() end
    assert.is_nil((server.channel:recv(1, csock.MSG_DONTWAIT)))
  end)

  it("to what is one host to some, and another to others, is refused", function()
    for _, place in ipairs { "http://127.0.0.1:PORT\\@localhost:PORT/b", "//127.0.0.1:PORT\\@localhost:PORT/b",
      "http://127.0.0.1:PORT @localhost:PORT/b" } do
      local server = by_path { ["/a"] = { "302 Found", "Location: " .. place .. "\r\n" }, ["/b"] = {} }
      assert.equal(E.EINVAL, select(3, http.get(server.url .. "/a", { timeout = LIMIT })), place)
    end
  end)

  it("to something else than HTTP is refused", function()
    for _, location in ipairs { "file:///etc/passwd", "ftp://h/", "http://h:99999/", "data:,x", "http://[::1/" } do
      local server = by_path { ["/a"] = { "302 Found", "Location: " .. location .. "\r\n" } }
      local response = http.get(server.url .. "/a", { timeout = LIMIT })
      assert.is_nil(response)
      keep.close()
    end
  end)

  it("takes no secrets to another origin, and does not bring them back on the way home", function()
    local home = keep(http_server.start(function(conn)
      while true do
        local text = conn:request()
        if not text then return end
        local there = text:match "there=(%d+)"
        if there then
          conn:answer("", ("Location: http://127.0.0.1:%s/\r\nSet-Cookie: jar=1\r\n"):format(there), "307 X")
        else
          conn:answer "home"
        end
      end
    end))
    local away = keep(http_server.start(function(conn)
      conn:request()
      conn:answer("", ("Location: %s/home\r\n"):format(home.url), "307 X")
    end))
    local response = assert(session():post(home.url .. "/?there=" .. away.port, {
      data = "x", auth = { "user", "secret" }, cookies = { own = "secret" },
      headers = { Authorization = "secret", Host = "mine" },
    }))
    assert.equal("home", response.body)
    local first, second, third = home:request(), away:request(), home:request()
    assert.matches("Authorization: secret", first)
    assert.matches("Cookie: own=secret", first)
    assert.matches("Host: mine", first)
    assert.not_matches("secret", second)
    assert.not_matches("Host: mine", second)
    assert.not_matches("secret", third)
    assert.matches("^POST /home .*\r\nCookie: jar=1\r\n.*\r\n\r\nx$", third)
  end)

  it("keeps the login within an origin", function()
    local text = redirected(302, "GET", { auth = { "u", "p" } })
    assert.matches("Authorization: Basic dTpw\r\n", text)
  end)

  if not tls.missing then
    it("from https to http is an error, unless it is allowed by name", function()
      local plain = by_path { ["/"] = { "200 OK", "", "plain" } }
      local server = by_path({ ["/"] = { "302 Found", ("Location: http://127.0.0.1:%d/\r\n"):format(plain.port) } },
        tls.server())
      local options = { ssl = tls.client(), timeout = LIMIT }
      local url = ("https://localhost:%d/"):format(server.port)
      local response, err, errno = http.get(url, options)
      assert.is_nil(response)
      assert.same({ "InsecureRedirect", E.EPERM }, { err.name, errno })
      options.insecure_redirects = true
      assert.equal("plain", assert(http.get(url, options)).body)
    end)
  end
end)

describe("a session", function()
  -- Says on which of its connections each request came.
  local function numbered(f, context)
    return keep(http_server.start(function(conn, number)
      local count = 0
      while true do
        count = count + 1
        if f and f(conn, number, count) then return end
        if not conn:request() then return end
        conn:answer(tostring(number))
      end
    end, context))
  end

  for how, run in pairs(streams.ways) do
    it("keeps connections, for each place and context its own, " .. how, function()
      local a, b = numbered(), numbered()
      run(function()
        local s = session()
        for _ = 1, 3 do
          assert.equal("1", s:get(a.url).body)
          assert.equal("1", s:get(b.url).body)
        end
        assert.equal("2", s:get("http://localhost:" .. a.port).body)
        s:close()
        assert.equal("3", s:get(a.url).body)
        assert.equal("4", s:get(a.url).body)
      end)
    end)
  end

  it("of many tasks has a connection for each, and keeps a bounded number of them", function()
    local server = numbered()
    csock.run(function()
      local s = session { max_idle = 2 }
      local group <close> = csock.loop.group()
      local done = 0
      for _ = 1, 10 do
        group:spawn(function()
          for _ = 1, 5 do assert(assert(s:get(server.url)):raise_for_status()) end
          done = done + 1
        end)
      end
      group:join()
      assert.equal(10, done)
      assert.equal(2, #s.pool.list)
    end)
  end)

  it("keeps a connection for so many seconds", function()
    local server = numbered()
    local s = session { idle_timeout = 0 }
    for number = 1, 3 do assert.equal(tostring(number), s:get(server.url).body) end
  end)

  it("does not use a connection whose answer was not read, or had more behind it", function()
    local server = numbered()
    local s = session()
    s:get(server.url, { stream = true }):close()
    assert.equal("2", s:get(server.url).body)
    local response = s:get(server.url, { stream = true })
    assert.equal("3", s:get(server.url).body)
    assert.equal("2", response:read())
    local poisoned = numbered(function(conn, number)
      if number > 1 then return false end
      conn:request()
      conn:send(("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal"):rep(2))
      return conn:request() == nil
    end)
    assert.equal("real", s:get(poisoned.url).body)
    assert.equal("2", s:get(poisoned.url).body)
  end)

  it("notices a connection that was closed while it was idle", function()
    local server = numbered(function(_, _, count) return count == 2 end)
    local s = session()
    for number = 1, 3 do
      assert.equal(tostring(number), s:get(server.url).body)
      s.pool.list[1].stream:peek(1)
    end
    assert.equal("4", s:post(server.url, { data = "x" }).body)
  end)

  -- A server that hangs up on the second request of its first connection, having read it, and said `bytes`.
  local function hanging_up(bytes)
    return numbered(function(conn, number, count)
      if number ~= 1 or count ~= 2 then return false end
      conn:request()
      if bytes then conn:send(bytes) end
      return true
    end)
  end

  it("asks once more what may be asked twice, when a kept connection ends without an answer", function()
    for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE" } do
      local server, s = hanging_up(), session()
      assert.equal("1", s:get(server.url).body)
      assert.equal(method ~= "HEAD" and "2" or "", assert(s:request(method, server.url)).body)
      keep.close()
    end
  end)

  it("does not ask again what may not be asked twice, was answered in part, or on a new connection", function()
    for _, case in ipairs {
      { "POST" }, { "PATCH" }, { "GET", "HTTP/1.1 200" }, { "GET", "HTTP/1.1 103 X\r\n\r\n" },
      { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab" }, { "PUT", nil, function() return nil end },
    } do
      local server, s = hanging_up(case[2]), session()
      assert.equal("1", s:get(server.url).body)
      local response = s:request(case[1], server.url, { data = case[3] })
      assert.is_nil(response)
      server:request()
      server:request()
      assert.equal("3", (s:get(server.url).body:gsub("2", "3")))
      assert.matches("^GET", (server:request()))
      keep.close()
    end
    local server = numbered(function(conn) return conn:request() end)
    local response, err, errno = session():get(server.url)
    assert.is_nil(response)
    assert.same({ "RemoteDisconnected", E.ECONNRESET }, { err.name, errno })
    server:request()
    assert.is_nil((server.channel:recv(1, csock.MSG_DONTWAIT)))
  end)

  it("whose task is cancelled keeps no connection that waits for an answer", function()
    local server = numbered(function(conn, number)
      if number > 1 then return false end
      conn:request()
      conn:log(tostring(conn.stream:read "a")) -- until the client has hung up
      return true
    end)
    csock.run(function()
      local s = session()
      local task = csock.spawn(function() return s:get(server.url) end)
      repeat csock.sleep(0.001) until csock.select({ server.channel }, {}, {}, 0)[1]
      server:request()
      task:cancel()
      assert.equal("", server:request())
      assert.equal(0, #s.pool.list)
      assert.equal("2", s:get(server.url).body)
    end)
  end)

  for scheme, context in pairs { http = false, https = not tls.missing and tls.server() or nil } do
    it("of a forked process leaves its parent's connections alone, " .. scheme, function()
      local server = numbered(nil, context or nil)
      local s = session { ssl = context and tls.client() or nil }
      local url = ("%s://localhost:%d/"):format(scheme, server.port)
      assert.equal("1", s:get(url).body)
      local ours, theirs = csock.socketpair()
      keep(ours, theirs)
      ours:settimeout(LIMIT)
      local pid = assert(csock.fork())
      if pid == 0 then
        theirs:sendall(s:get(url).body)
        s:close()
        for _ = 1, 3 do collectgarbage() end -- what was dropped says no goodbye either
        csock._exit(0)
      end
      assert.equal("2", ours:recv(1))
      assert(require "spec.support.posix".waitpid(pid, LIMIT))
      assert.equal("1", s:get(url).body)
    end)
  end

  it("keeps cookies, and sends them where they belong", function()
    local server = by_path {
      ["/set"] = { "302 Found", "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/sub\r\nLocation: /\r\n" },
      ["/"] = {}, ["/sub/x"] = {},
    }
    local s = session()
    s:get(server.url .. "/set")
    server:request()
    assert.matches("\r\nCookie: a=1\r\n", (server:request()))
    s:get(server.url .. "/sub/x", { cookies = { own = "3" } })
    assert.matches("\r\nCookie: b=2; a=1; own=3\r\n", (server:request()))
    s:get("http://localhost:" .. server.port .. "/")
    assert.not_matches("Cookie", (server:request()))
    s = session { cookies = false }
    s:get(server.url .. "/set")
    server:request()
    assert.not_matches("Cookie", (server:request()))
  end)

  it("has headers for all its requests, under those of each", function()
    local server = by_path { ["/"] = {} }
    local s = session { headers = { ["X-A"] = "1", ["User-Agent"] = "me" }, auth = { "u", "p" } }
    s:get(server.url, { headers = { ["x-a"] = "2" } })
    local text = server:request()
    assert.matches("User%-Agent: me\r\n", text)
    assert.matches("x%-a: 2\r\n", text)
    assert.not_matches("X%-A", text)
    assert.matches("Authorization: Basic dTpw", text)
  end)

  if not tls.missing then
    for how, run in pairs(streams.ways) do
      it("works over TLS " .. how, function()
        local server = numbered(nil, tls.server())
        run(function()
          local s = session { ssl = tls.client() }
          for _ = 1, 3 do
            assert.equal("1", assert(s:get(("https://localhost:%d/"):format(server.port))).body)
          end
          assert.equal("2", assert(s:get(("https://localhost:%d/"):format(server.port), { ssl = tls.client() })).body)
        end)
      end)
    end

    it("trusts nobody whose certificate is for another host", function()
      local server = keep(http_server.start(function() end, tls.server(tls.certificates.wrong_host)))
      local response, err = session { ssl = tls.client() }:get(("https://localhost:%d/"):format(server.port))
      assert.is_nil(response)
      assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
    end)

    it("takes a body that TLS ends without a goodbye for cut", function()
      local server = keep(http_server.start(function(conn)
        conn:request()
        conn:send "HTTP/1.1 200 OK\r\n\r\nhalf"
        conn:cut()
      end, tls.server()))
      local response = session { ssl = tls.client() }:get(("https://localhost:%d/"):format(server.port))
      assert.is_nil(response)
    end)
  end
end)
