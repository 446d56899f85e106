-- HTTPConnection and its answers, with servers of bytes.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local slowness = require "spec.support.process".slowness
local streams = require "spec.support.streams"

local E = csock.errno

after_each(keep.close)

local function connect(server, options)
  options = options or {}
  options.timeout = options.timeout or 10
  return keep(http.HTTPConnection("127.0.0.1", server.port, options))
end

-- The answer to `GET /` of a server that says these bytes.
local function answer_to(bytes, size, method, options)
  local connection = connect(keep(http_server.saying(bytes, size)), options)
  assert(connection:request(method or "GET", "/"))
  return connection:getresponse()
end

local function each_way(f)
  for how, run in pairs(streams.ways) do f(how, run) end
end

describe("HTTPConnection", function()
  each_way(function(how, run)
    it("sends requests over one connection and reads the answers " .. how, function()
      local server = keep(http_server.start(function(conn, number)
        while conn:request() do conn:answer(("body %d\n"):format(number), "X-A: 1\r\nX-A: 2\r\n") end
      end))
      run(function()
        local connection = connect(server)
        for _ = 1, 3 do
          assert(connection:request("GET", "/a?b=c"))
          local response = assert(connection:getresponse())
          assert.same({ 200, "OK", 11 }, { response.status, response.reason, response.version })
          assert.equal("1, 2", response:getheader "x-a")
          assert.equal("none", response:getheader("x-b", "none"))
          assert.same({ { "Content-Length", "7" }, { "X-A", "1" }, { "X-A", "2" } }, response:getheaders())
          assert.is_false(response:isclosed())
          assert.equal("body 1\n", response:read())
          assert.is_true(response:isclosed())
          assert.equal("", response:read())
          assert.equal(("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Encoding: identity\r\n\r\n")
            :format(server.port), server:request())
        end
      end)
    end)
  end)

  it("puts a request together piece by piece", function()
    local server = keep(http_server.saying "HTTP/1.1 204 No Content\r\n\r\n")
    local connection = connect(server)
    assert(connection:putrequest("POST", "", { skip_host = true, skip_accept_encoding = true }))
    assert(connection:putheader("Host", "example"))
    assert(connection:putheader("X", "a", 1))
    assert(connection:putheader("Content-Length", 6))
    assert(connection:endheaders())
    assert(connection:send "abc")
    assert(connection:send { "de", "f" })
    assert.equal(204, assert(connection:getresponse()).status)
    assert.equal("POST / HTTP/1.1\r\nHost: example\r\nX: a, 1\r\nContent-Length: 6\r\n\r\nabcdef", server:request())
  end)

  it("sends bodies of each kind, with their length or in chunks", function()
    local server = keep(http_server.start(function(conn)
      while conn:request() do conn:answer() end
    end))
    local connection = connect(server)
    local file = keep(assert(io.tmpfile()))
    file:write "skipped, content"
    file:seek("set", 9)
    local pieces = { "one", "", "two" }
    local left, right = csock.socketpair()
    keep(left, right)
    left:sendall "from a stream"
    left:close()
    for _, case in ipairs {
      { "text", "Content%-Length: 4\r\n\r\ntext" },
      { "", "Content%-Length: 0\r\n\r\n" },
      { nil, "Content%-Length: 0\r\n\r\n" },
      { { "a", "bc" }, "Content%-Length: 3\r\n\r\nabc" },
      { file, "Content%-Length: 7\r\n\r\ncontent" },
      { function() return table.remove(pieces, 1) end, "Transfer%-Encoding: chunked\r\n\r\nonetwo" },
      { keep((right:makefile())), "Transfer%-Encoding: chunked\r\n\r\nfrom a stream" },
      { ("x"):rep(100000), "Content%-Length: 100000\r\n\r\nx+" },
    } do
      assert(connection:request("POST", "/", case[1]))
      assert.equal(200, assert(connection:getresponse()).status)
      assert.matches("\r\n" .. case[2] .. "$", (server:request()))
    end
    assert(connection:request("GET", "/"))
    assert(connection:getresponse())
    assert.not_matches("Content%-Length", (server:request()))
  end)

  it("raises for what would break a line, before a byte is sent", function()
    local server = keep(http_server.saying "HTTP/1.1 204 No Content\r\n\r\n")
    local connection = connect(server)
    for _, bad in ipairs { "\r", "\n", "\0", "\r\n", "a\r\nX: y" } do
      assert.has_error(function() connection:request("GET" .. bad, "/") end)
      assert.has_error(function() connection:request("GET", "/" .. bad) end)
      assert.has_error(function() connection:request("GET", "/", nil, { ["X" .. bad] = "y" }) end)
      assert.has_error(function() connection:request("GET", "/", nil, { X = bad }) end)
      assert.has_error(function() connection:set_tunnel("host" .. bad) end)
      assert.has_error(function() connection:set_tunnel("host", 1, { X = bad }) end)
      assert.has_error(function() http.HTTPConnection("host" .. bad) end)
    end
    for _, target in ipairs { "/a b", "/a#b", "/\127", "/\t" } do
      assert.has_error(function() connection:request("GET", target) end)
    end
    assert.is_nil(connection.sock)
    assert(connection:request("GET", "/"))
    assert.equal(204, connection:getresponse().status)
  end)

  it("raises for framing that two servers could read in two ways", function()
    local connection = http.HTTPConnection "localhost"
    for _, fields in ipairs {
      { "Content-Length", "5", "Transfer-Encoding", "chunked" }, { "Content-Length", "+5" },
      { "Content-Length", "5", "Content-Length", "5" }, { "Transfer-Encoding", "gzip, chunked" },
      { "content-length", "5", "TRANSFER-ENCODING", "chunked" }, { "Content-Length", "0x5" },
    } do
      assert.has_error(function() connection:request("POST", "/", "abcde", fields) end)
    end
    assert.is_nil(connection.sock)
  end)

  it("sends no body that is longer or shorter than was promised", function()
    local server = keep(http_server.start(function(conn)
      while conn:request() do conn:answer() end
    end))
    local connection = connect(server)
    for _, body in ipairs { "abc", "abcdefg" } do
      local ok, err, errno = connection:request("POST", "/", body, { ["Content-Length"] = 5 })
      assert.is_nil(ok)
      assert.same({ "BodyLengthError", E.EMSGSIZE }, { err.name, errno })
      assert.is_nil(connection.sock)
    end
    assert(connection:request("POST", "/", "abcde", { ["Content-Length"] = 5 }))
    assert.equal(200, connection:getresponse().status)
  end)

  it("closes what a body that raises has left half said", function()
    local server = keep(http_server.start(function(conn)
      while conn:request() do conn:answer "fine" end
    end))
    local connection = connect(server)
    local count = 0
    assert.has_error(function()
      connection:request("POST", "/", function()
        count = count + 1
        if count == 3 then error "no more" end
        return "piece"
      end)
    end, "no more")
    assert.is_nil(connection.sock)
    local ok, why = connection:request("POST", "/", function() return nil, "no more" end)
    assert.is_nil(ok)
    assert.equal("no more", why)
    assert.is_nil(connection.sock)
    assert(connection:request("GET", "/"))
    assert.equal("fine", connection:getresponse():read())
  end)

  it("can be used again after a task that connected was cancelled", function()
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    csock.run(function()
      local connection = keep(http.HTTPConnection("127.0.0.1", listener:getsockname().port, { timeout = 10 }))
      connection:set_tunnel("far.test", 80)
      local task = csock.spawn(function() return connection:request("GET", "/") end)
      local conn <close> = listener:accept()
      assert.matches("^CONNECT", (conn:recv(100)))
      task:cancel()
      assert.is_nil(connection.sock)
      connection.tunnel, connection.port = nil, server.port
      assert(connection:request("GET", "/"))
      assert.equal("ok", connection:getresponse():read())
    end)
  end)

  it("says what comes when", function()
    local server = keep(http_server.start(function(conn)
      while conn:request() do conn:answer "body" end
    end))
    local connection = connect(server)
    assert.equal("ResponseNotReady", select(2, connection:getresponse()).name)
    assert.equal("CannotSendRequest", select(2, connection:putheader("A", "b")).name)
    assert.equal("CannotSendRequest", select(2, connection:endheaders()).name)
    assert.equal("CannotSendRequest", select(2, connection:send "x").name)
    assert(connection:request("GET", "/"))
    assert.equal("CannotSendRequest", select(2, connection:request("GET", "/")).name)
    local response = assert(connection:getresponse())
    assert.equal("CannotSendRequest", select(2, connection:request("GET", "/")).name)
    assert.equal("ResponseNotReady", select(2, connection:getresponse()).name)
    response:read()
    assert(connection:request("GET", "/"))
    assert(connection:getresponse()):close() -- not read: the connection cannot be used again
    assert.is_nil(connection.sock)
    assert(connection:request("GET", "/"))
    connection:close()
    connection.auto_open = false
    assert.equal("NotConnected", select(2, connection:request("GET", "/")).name)
    assert(connection:connect())
    assert(connection:request("GET", "/"))
    assert.equal("body", connection:getresponse():read())
  end)

  it("connects anew when the server has closed it while it was idle", function()
    local server = keep(http_server.start(function(conn, number)
      conn:request()
      conn:answer("from " .. number)
      conn:log "closed"
    end))
    local connection = connect(server)
    for number = 1, 3 do
      assert(connection:request("GET", "/"))
      assert.equal("from " .. number, assert(connection:getresponse()):read())
      assert.matches("^GET", (server:request()))
      assert.equal("closed", server:request())
      connection.stream:peek(1) -- until its end has come
    end
  end)

  it("gives up a connection on which more has come than was asked for", function()
    local answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    local server = keep(http_server.start(function(conn, number)
      conn:request()
      conn:send(number == 1 and answer .. answer:gsub("ok", "no") or answer)
      conn:request()
    end))
    local connection = connect(server)
    for _ = 1, 2 do
      assert(connection:request("GET", "/"))
      assert.equal("ok", connection:getresponse():read())
    end
  end)

  it("takes host and port in one, and IPv6 in brackets", function()
    for text, expected in pairs {
      ["example.org"] = { "example.org", 80 }, ["example.org:8080"] = { "example.org", 8080 },
      ["[::1]:8080"] = { "::1", 8080 }, ["[::1]"] = { "::1", 80 }, ["::1"] = { "::1", 80 },
      ["[fe80::1%25eth0]:1"] = { "fe80::1%eth0", 1 }, ["fe80::1%eth0"] = { "fe80::1%eth0", 80 },
    } do
      local connection = http.HTTPConnection(text)
      assert.same(expected, { connection.host, connection.port })
    end
    for _, text in ipairs { "", ":80", "a:99999", "a:b", "[::1", "a/b", "u@h" } do
      assert.has_error(function() http.HTTPConnection(text) end)
    end
  end)

  it("names an IPv6 host without its zone", function()
    local connection = http.HTTPConnection("fe80::1%eth0", 8080)
    assert(connection:putrequest("GET", "/"))
    assert.equal("[fe80::1]:8080", connection.out.headers.host)
  end)

  it("prints what it sends and gets at a debug level", function()
    local program = ([[
      local http = require "csock.http"
      local connection = http.HTTPConnection("127.0.0.1", %d, { timeout = 10 })
      connection:set_debuglevel(1)
      assert(connection:request("GET", "/"))
      assert(connection:getresponse()):read()
    ]]):format(keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n").port)
    local process = require "spec.support.process"
    local status, out, err = process.run { process.interpreter, "-e", program }
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches('send: "GET / HTTP/1.1.*reply: 200 "OK"\n.*header: A: "b"\n', out)
  end)
end)

describe("an answer", function()
  local chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nline1\r\nA\r\n\nline2\nend\r\n0\r\n\r\n"
  local sized = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nline1\nline2\nend"
  local ended = "HTTP/1.0 200 OK\r\n\r\nline1\nline2\nend"

  local ways = {
    read = function(r) return r:read() end,
    ["read by formats"] = function(r) return r:read "a" end,
    ["read of some bytes"] = function(r)
      local parts = {}
      while true do
        local data, err, errno = r:read(4)
        if not data then return nil, err, errno end
        if data == "" then return table.concat(parts) end
        parts[#parts + 1] = data
      end
    end,
    read1 = function(r)
      local parts = {}
      while true do
        local data, err, errno = r:read1(3)
        if not data then return nil, err, errno end
        if data == "" then return table.concat(parts) end
        parts[#parts + 1] = data
      end
    end,
    readline = function(r)
      local parts = {}
      while true do
        local data, err, errno = r:readline()
        if not data then return nil, err, errno end
        if data == "" then return table.concat(parts) end
        parts[#parts + 1] = data
      end
    end,
    readlines = function(r)
      local lines, err, errno = r:readlines()
      if not lines then return nil, err, errno end
      return table.concat(lines)
    end,
    lines = function(r)
      local parts = {}
      local ok, err = pcall(function()
        for line in r:lines "L" do parts[#parts + 1] = line end
      end)
      if not ok then return nil, err, err.errno end
      return table.concat(parts)
    end,
    readinto = function(r)
      local buffer, parts = csock.buffer(4), {}
      while true do
        local n, err, errno = r:readinto(buffer)
        if not n then return nil, err, errno end
        if n == 0 then return table.concat(parts) end
        parts[#parts + 1] = buffer:sub(1, n)
      end
    end,
  }

  for name, way in pairs(ways) do
    each_way(function(how, run)
      it(("is whole by %s, however it is cut on the way, %s"):format(name, how), function()
        for _, bytes in ipairs { chunked, sized, ended } do
          for _, size in ipairs { 1, 2, 3, 1000 } do
            run(function()
              local response = assert(answer_to(bytes, size))
              assert.equal("line1\nline2\nend", way(response))
              assert.is_true(response:isclosed())
            end)
            keep.close()
          end
        end
      end)

      it(("that breaks off is an error by %s, %s"):format(name, how), function()
        for _, bytes in ipairs { chunked, sized } do
          for _, cut in ipairs { 1, 4, 7 } do
            run(function()
              local response = assert(answer_to(bytes:sub(1, -1 - cut)))
              local data, err, errno = way(response)
              assert.is_nil(data)
              assert.equal(E.EBADMSG, errno)
              assert.matches("ended in the middle", tostring(err))
            end)
            keep.close()
          end
        end
      end)
    end)
  end

  it("that breaks off gives what has come, before and after the error", function()
    local response = assert(answer_to "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    assert.equal(E.EBADMSG, select(3, response:read()))
    assert.equal("hello", response:read(5))
    assert.equal(E.EBADMSG, select(3, response:read(1)))
  end)

  it("with malformed chunks is an error", function()
    for _, body in ipairs { "x\r\n", "-1\r\n", "0x1\r\na\r\n", "2\r\nabc\r\n", "1\nb\r\n", " 1\r\na\r\n", "1\r\na" } do
      local response = assert(answer_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. body))
      assert.equal(E.EBADMSG, select(3, response:read()), body)
      keep.close()
    end
  end)

  it("that could be read in two ways is refused, and its connection closed", function()
    for _, lines in ipairs {
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
      "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: -5\r\n", "Content-Length: 0x5\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: xchunked\r\n",
      "Content-Length : 5\r\n", " Content-Length: 5\r\n", "A: b\r\n c\r\n", "A\r\n", "A: b\0c\r\n", "A: b\rc\r\n",
      "A: b\n",
    } do
      local connection = connect(keep(http_server.saying("HTTP/1.1 200 OK\r\n" .. lines .. "\r\n0\r\n\r\n")))
      assert(connection:request("GET", "/"))
      local response, _, errno = connection:getresponse()
      assert.is_nil(response, lines)
      assert.equal(E.EBADMSG, errno)
      assert.is_nil(connection.sock)
      keep.close()
    end
  end)

  it("that is no HTTP is an error", function()
    for bytes, name in pairs {
      [""] = "RemoteDisconnected", ["HTTP/1.1 200"] = "EBADMSG", ["SSH-2.0-x\r\n\r\n"] = "EBADMSG",
      ["HTTP/2 200 OK\r\n\r\n"] = "EBADMSG", ["<html>hello\r\n\r\n"] = "EBADMSG",
      ["HTTP/1.1 20 OK\r\n\r\n"] = "EBADMSG",
    } do
      local response, err = answer_to(bytes)
      assert.is_nil(response)
      assert.equal(name, err.name, bytes)
      keep.close()
    end
  end)

  it("has no body after HEAD, and with 204 and 304", function()
    for _, case in ipairs {
      { "HEAD", "200 OK", "Content-Length: 5\r\n" }, { "HEAD", "200 OK", "Transfer-Encoding: chunked\r\n" },
      { "GET", "304 Not Modified", "Content-Length: 5\r\n" }, { "GET", "204 No Content", "" },
    } do
      local server = keep(http_server.start(function(conn)
        while conn:request() do conn:send(("HTTP/1.1 %s\r\n%s\r\n"):format(case[2], case[3])) end
      end))
      local connection = connect(server)
      local sock
      for _ = 1, 2 do
        assert(connection:request(case[1], "/"))
        local response = assert(connection:getresponse())
        assert.equal("", response:read())
        assert.is_true(response:isclosed())
        assert(connection.sock and (not sock or sock == connection.sock))
        sock = connection.sock
      end
      keep.close()
    end
  end)

  it("passes over interim answers, but not over endless ones", function()
    local early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    assert.equal("line1\nline2\nend", assert(answer_to(early:rep(16) .. sized)):read())
    local response, err, errno = answer_to(early:rep(17) .. sized)
    assert.is_nil(response)
    assert.same({ "ResponseTooLong", E.EMSGSIZE }, { err.name, errno })
    local server = keep(http_server.start(function(conn)
      conn:request()
      repeat until not conn:send(early:rep(10))
    end))
    local connection = connect(server)
    assert(connection:request("GET", "/"))
    assert.equal(E.EMSGSIZE, select(3, connection:getresponse()))
  end)

  it("that floods with headers is refused", function()
    for _, flood in ipairs {
      ("A: b\r\n"):rep(101), "A: " .. ("b"):rep(20000), ("A: " .. ("b"):rep(1000) .. "\r\n"):rep(70),
    } do
      local _, _, errno = answer_to("HTTP/1.1 200 OK\r\n" .. flood .. "\r\n\r\n")
      assert.equal(E.EMSGSIZE, errno)
      keep.close()
    end
    local endless = keep(http_server.start(function(conn)
      conn:request()
      conn:send "HTTP/1.1 200 OK\r\n"
      repeat until not conn:send(("A: b\r\n"):rep(100))
    end))
    local connection = connect(endless)
    assert(connection:request("GET", "/"))
    assert.equal(E.EMSGSIZE, select(3, connection:getresponse()))
  end)

  it("keeps the limits that it was given", function()
    local options = { limits = { head = 40, body = 10 } }
    local long = "HTTP/1.1 200 OK\r\nA: " .. ("b"):rep(30) .. "\r\n\r\n"
    assert.equal(E.EMSGSIZE, select(3, answer_to(long, nil, nil, options)))
    assert.equal(E.EMSGSIZE, select(3, answer_to(sized, nil, nil, options)))
  end)

  it("that switches protocols is the caller's when it was asked for, and else refused", function()
    local bytes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"
    assert.equal("BadStatusLine", select(2, answer_to(bytes)).name)
    local connection = connect(keep(http_server.saying(bytes)))
    assert(connection:request("GET", "/", nil, { Upgrade = "x", Connection = "Upgrade" }))
    assert.equal(101, assert(connection:getresponse()).status)
    assert.equal("hello", connection.stream:read(5))
  end)

  each_way(function(how, run)
    it("that does not come times out, and may come later, " .. how, function()
      local server = keep(http_server.start(function(conn)
        conn:request()
        conn:head()
        conn:answer "late"
      end))
      run(function()
        local connection = connect(server, { timeout = 0.05 })
        assert(connection:request("GET", "/"))
        local response, _, errno = connection:getresponse()
        assert.is_nil(response)
        assert.equal(E.ETIMEDOUT, errno)
        connection.timeout = 10
        assert(connection.stream:write "GO\r\n\r\n":flush())
        assert.equal("late", assert(connection:getresponse()):read())
      end)
    end)
  end)

  it("that comes before all is sent ends the sending", function()
    local server = keep(http_server.start(function(conn)
      conn:head()
      conn:answer("too much", "", "413 Content Too Large")
      conn.stream:read "a"
    end))
    local connection, count = connect(server), 0
    assert(connection:request("POST", "/", function()
      count = count + 1
      if count < 1000000 then return ("x"):rep(10000) end
    end))
    local response = assert(connection:getresponse())
    assert.equal(413, response.status)
    assert.equal("too much", response:read())
    assert.is_true(count < 1000000)
    assert.is_nil(connection.sock)
  end)

  for how, run in pairs(streams.ways) do
    for _, context in ipairs { false, contexts.missing == nil and contexts.server() or nil } do
      local over = context and "TLS" or "TCP"
      it(("that comes while nobody takes the body ends the waiting, over %s, %s"):format(over, how), function()
        local server = keep(http_server.start(function(conn)
          conn:head()
          conn:answer("too much", "", "413 Content Too Large")
          csock.sleep(600) -- and reads nothing; the spec ends it
        end, context or nil))
        run(function()
          local connection
          if context then
            connection = keep(http.HTTPSConnection("localhost", server.port,
              { timeout = 10 * slowness, context = contexts.client() }))
          else
            connection = connect(server)
          end
          local pieces = { ("x"):rep(1 << 25) } -- more than the system takes
          assert(connection:request("POST", "/", function() return table.remove(pieces) end))
          local response = assert(connection:getresponse())
          assert.equal(413, response.status)
          assert.equal("too much", response:read())
          assert.is_nil(connection.sock)
        end)
      end)
    end
  end

  it("is read though the server has hung up on the body", function()
    local server = keep(http_server.start(function(conn)
      conn:head()
      conn:answer("no", "Connection: close\r\n", "403 Forbidden")
    end))
    local connection = connect(server)
    assert(connection:request("POST", "/", ("x"):rep(10000000)))
    local response = connection:getresponse()
    if response then assert.equal(403, response.status) end -- a reset may have destroyed it
    assert.is_true(response ~= nil or connection.sock == nil)
  end)

  it("to Expect: the body is sent after 100, or when nothing comes, and not after a refusal", function()
    local server = keep(http_server.start(function(conn, number)
      local head = conn:head()
      conn:log(head)
      if number == 1 then conn:send "HTTP/1.1 100 Continue\r\n\r\n" end
      if number == 3 then return conn:answer("no", "", "417 Expectation Failed") end
      conn:log(conn.stream:read(4))
      conn:answer()
    end))
    for number = 1, 3 do
      local connection = connect(server)
      local patience = number == 2 and 0.01 or 10
      assert(connection:request("POST", "/", "body", nil, { expect = patience }))
      assert.equal(number == 3 and 417 or 200, assert(connection:getresponse()).status)
      assert.matches("Expect: 100%-continue", (server:request()))
      if number < 3 then assert.equal("body", server:request()) end
      if number == 3 then assert.is_true(connection.response.will_close) end
    end
  end)
end)
