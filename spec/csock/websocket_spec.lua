-- csock.websocket: what both sides promise. The servers are alone in their processes.
local csock = require "csock"
local f = require "spec.websocket.frames"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local websocket = require "csock.websocket"
local ws = require "spec.support.websockets"

local E, LIMIT = csock.errno, ws.LIMIT

local function connect(server, options)
  options = options or {}
  options.timeout, options.proxies = options.timeout or LIMIT, options.proxies or false
  return keep(assert(websocket.connect(server.url, options)))
end

describe("a WebSocket", function()
  local server
  setup(function()
    server = ws.start [[
      serve_ws(function(ws, request)
        if request.path == "/hello" then return ws:send "hello" end
        if request.path == "/close" then return ws:close(4001, "go away") end
        if request.path == "/about" then
          return ws:send(table.concat({ request.method, request.query, ws.side, tostring(ws.subprotocol) }, " "))
        end
        echo(ws)
      end, { subprotocols = { "chat", "echo" } }, { onerror = function() end })
      csock.run()
    ]]
  end)
  teardown(keep.close)

  for how, run in pairs(streams.ways) do
    it("carries texts and binary messages of all sizes " .. how, function()
      run(function()
        local c = connect(server)
        for _, size in ipairs { 0, 1, 125, 126, 65535, 65536, 1 << 20 } do
          local text = ("\u{DF}"):rep(size // 2)
          assert.is_true(c:send(text))
          local message, kind = c:recv(LIMIT)
          assert.is_true(message == text and kind == "text", size)
          local bytes = ("\xff"):rep(size)
          assert.is_true(c:send_binary(bytes))
          message, kind = c:recv(LIMIT)
          assert.is_true(message == bytes and kind == "binary", size)
        end
        assert.is_true(c:close())
      end)
    end)

    it("carries a message that comes piece by piece " .. how, function()
      run(function()
        local c, n = connect(server), 0
        assert.is_true(c:send(function()
          n = n + 1
          return ({ "one", "", "\xe2\x82", "\xac" })[n]
        end))
        assert.same({ "one\u{20AC}", "text" }, { c:recv(LIMIT) })
        assert.is_true(c:send(function() end, "binary"))
        assert.same({ "", "binary" }, { c:recv(LIMIT) })
      end)
    end)

    it("says that nothing has come in time, and loses nothing " .. how, function()
      run(function()
        local c = connect(server)
        local message, err, errno = c:recv(0)
        assert.same({ nil, "EAGAIN", E.EAGAIN }, { message, err.name, errno })
        message, err, errno = c:recv(0.01)
        assert.same({ nil, "ETIMEDOUT", E.ETIMEDOUT }, { message, err.name, errno })
        c:send "late"
        assert.equal("late", c:recv(LIMIT))
      end)
    end)

    it("measures how long a ping takes, and keeps the messages that come before the pong " .. how, function()
      run(function()
        local c = connect(server)
        c:send "one"
        c:send "two"
        local seconds = assert(c:ping())
        assert.is_true(seconds > 0 and seconds < LIMIT)
        c:send "three"
        assert(c:ping "payload")
        local list = {}
        for i = 1, 3 do list[i] = c:recv(LIMIT) end
        assert.same({ "one", "two", "three" }, list)
      end)
    end)

    it("is closed by both sides, with a code and a reason " .. how, function()
      run(function()
        local c = connect(server)
        assert.is_true(c:close(1000, "done"))
        assert.equal(1000, c.close_code)
        local message, err, errno = c:recv()
        assert.same({ nil, "ConnectionClosedOK", "websocket", 1000, E.ENOTCONN },
          { message, err.name, err.kind, math.tointeger(err.code), errno })
        assert.same({ nil, E.ENOTCONN }, { c:send "x", (select(3, c:send "x")) })
        assert.is_nil(c:ping())
        assert.is_true(c:close())
        assert.equal(-1, c:fileno())
      end)
    end)

    it("says with what the other side has closed it " .. how, function()
      run(function()
        server.url = server.url:gsub("/[^/]*$", "/close")
        local c = connect(server)
        local message, err, errno = c:recv(LIMIT)
        assert.same({ nil, "ConnectionClosedError", 4001, "go away", E.ECONNRESET },
          { message, err.name, math.tointeger(err.code), err.text, errno })
        assert.same({ 4001, "go away" }, { c.close_code, c.close_reason })
      end)
      server.url = server.url:gsub("/[^/]*$", "/")
    end)

    it("ends the loop over its messages " .. how, function()
      run(function()
        server.url = server.url:gsub("/[^/]*$", "/hello")
        local list = {}
        local c = connect(server)
        for message, kind in c:messages() do list[#list + 1] = message .. " " .. kind end
        assert.same({ "hello text" }, list)
        assert.equal(1000, c.close_code) -- the handler has returned
      end)
      server.url = server.url:gsub("/[^/]*$", "/")
    end)
  end

  it("is what a request says, and what was agreed on", function()
    server.url = server.url:gsub("/[^/]*$", "/about?x=y")
    local c = connect(server, { subprotocols = { "none", "echo", "chat" } })
    assert.equal("echo", c.subprotocol)
    assert.equal("GET x=y server echo", c:recv(LIMIT))
    assert.equal(server.port, c:getpeername().port)
    assert.matches("^<csock.websocket client open>$", tostring(c))
    server.url = server.url:gsub("/[^/]*$", "/")
    assert.is_nil(connect(server, { subprotocols = { "none" } }).subprotocol)
  end)

  it("is closed with its variable's block", function()
    local kept
    do
      local c <close> = assert(websocket.connect(server.url, { timeout = LIMIT, proxies = false }))
      kept = c
      assert(c:send "x")
    end
    assert.equal(1000, kept.close_code)
  end)

  it("refuses what cannot be sent or said", function()
    local c = connect(server)
    assert.has_error(function() c:send(7) end, "bad argument #1 to 'send' (string or function expected, got 7)")
    assert.has_error(function() c:send("a", "blue") end)
    assert.has_error(function() c:close(1005) end)
    assert.has_error(function() c:close(999) end)
    assert.has_error(function() c:close(1000, ("x"):rep(124)) end)
    assert.has_error(function() c:close(1000, "\xff") end)
    assert.has_error(function() c:ping(("x"):rep(126)) end)
    assert.has_error(function() websocket.connect(server.url, { colour = "blue" }) end)
    local ok, err, errno = c:send "\xff"
    assert.same({ nil, "EILSEQ", E.EILSEQ }, { ok, err.name, errno })
    c:send "still here"
    assert.equal("still here", c:recv(LIMIT))
  end)

  it("does not connect to what is no WebSocket", function()
    for url, name in pairs {
      ["http://127.0.0.1/"] = "InvalidURI", ["ws://"] = "InvalidURI", ["ws://a/#b"] = "InvalidURI",
    } do
      local c, err = websocket.connect(url)
      assert.same({ nil, name }, { c, err.name }, url)
    end
  end)
end)

describe("a WebSocket's handshake", function()
  local server
  setup(function()
    server = ws.start [[
      local kinds = {
        ["/any"] = { origins = "*" }, ["/list"] = { origins = { "https://Good.example" } },
        ["/function"] = { origins = function(origin, request) return origin == "x:" .. request.query end },
        ["/headers"] = { headers = { ["Set-Cookie"] = { "a=1", "b=2" } } },
      }
      serve(function(request) return websocket.upgrade(request, echo, kinds[request.path]) end)
      csock.run()
    ]]
  end)
  teardown(keep.close)

  it("is answered as RFC 6455 says", function()
    local status, fields = ws.ask(server)
    assert.same({ 101, ws.ACCEPT, "websocket", "Upgrade" },
      { status, fields["sec-websocket-accept"], fields.upgrade, fields.connection })
    assert.is_nil(fields["sec-websocket-extensions"])
    assert.equal(101, (ws.ask(server, { Connection = "keep-alive, UPGRADE", Upgrade = "WebSocket" })))
  end)

  it("is refused with a status that says why", function()
    for _, case in ipairs {
      { 426, { Upgrade = false } }, { 426, { Upgrade = "h2c" } }, { 426, { Connection = "close" } },
      { 426, { ["Sec-WebSocket-Version"] = "8" } }, { 426, { ["Sec-WebSocket-Version"] = false } },
      { 400, { ["Sec-WebSocket-Key"] = false } }, { 400, { ["Sec-WebSocket-Key"] = "abc" } },
      { 400, { ["Sec-WebSocket-Key"] = ws.KEY .. ", " .. ws.KEY } },
      { 405, {}, "POST / HTTP/1.1" }, { 400, {}, "GET / HTTP/1.0" }, { 400, { ["Content-Length"] = "3" } },
    } do
      local status, fields = ws.ask(server, case[2], case[3])
      assert.equal(case[1], status)
      if status == 426 and case[2].Upgrade == nil and not case[2].Connection then
        assert.equal("13", fields["sec-websocket-version"])
      end
    end
  end)

  it("is refused to pages from elsewhere, unless the server knows them", function()
    local function status(path, origin, host)
      return (ws.ask(server, { Origin = origin, Host = host }, "GET " .. path .. " HTTP/1.1"))
    end
    assert.equal(403, status("/", "http://evil.example", "good.example"))
    assert.equal(403, status("/", "null", "good.example"))
    assert.equal(403, status("/", "http://good.example:8080", "good.example"))
    assert.equal(101, status("/", "http://good.example", "Good.example:80"))
    assert.equal(101, status("/", "https://good.example", "good.example"))
    assert.equal(101, status("/", "https://good.example:8080", "good.example:8080"))
    assert.equal(101, status("/any", "http://evil.example", "a"))
    assert.equal(101, status("/list", "https://good.example", "a"))
    assert.equal(403, status("/list", "http://good.example", "a"))
    assert.equal(101, status("/function?me", "x:me", "a"))
    assert.equal(403, status("/function?me", "x:you", "a"))
  end)

  it("may have more fields in its answer", function()
    local socket = require "spec.support.httpd".dial(server)
    socket:sendall(ws.request(nil, "GET /headers HTTP/1.1"))
    local head = socket:makefile():read_until "\r\n\r\n"
    assert.matches("Set%-Cookie: a=1\r\n", head)
    assert.matches("Set%-Cookie: b=2", head)
  end)

  it("is checked by the client", function()
    local fine = "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    for answer, name in pairs {
      ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"] = "InvalidStatus",
      ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] = "InvalidStatus",
      [fine .. "\r\n"] = "InvalidHandshake",
      [fine .. "Sec-WebSocket-Accept: " .. ws.ACCEPT .. "\r\n\r\n"] = "InvalidHandshake",
      ["HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"] = "InvalidHandshake",
      [fine .. "Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: none\r\n\r\n"] = "InvalidHandshake",
      [fine .. "Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Extensions: x\r\n\r\n"] = "InvalidHandshake",
    } do
      streams.in_task(function()
        local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
        csock.spawn(function()
          local conn <close> = listener:accept()
          local stream <close> = conn:makefile()
          local head = stream:read_until "\r\n\r\n"
          local base64, core = require "csock.wire.base64", require "csock.core".websocket
          local accept = base64.encode(core.sha1(head:match "Sec%-WebSocket%-Key: (%S+)"
            .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
          conn:sendall((answer:gsub("ACCEPT", (accept:gsub("%%", "%%%%")))))
          conn:recv(1)
        end)
        local c, err = websocket.connect(("ws://127.0.0.1:%d/"):format(listener:getsockname().port),
          { timeout = LIMIT, proxies = false })
        assert.same({ nil, name }, { c, err.name }, answer)
      end)
    end
  end)
end)

describe("a WebSocket that breaks the rules", function()
  local server
  setup(function() server = ws.start "serve_ws(echo, { max_message = 1000, max_fragments = 5 }) csock.run()" end)
  teardown(keep.close)

  for name, case in pairs {
    ["without a mask"] = { f.plain(0x81, "a"), 1002 },
    ["a reserved bit"] = { f.masked(0xc1, "a"), 1002 },
    ["a text that is none"] = { f.masked(0x81, "\xff"), 1007 },
    ["a message that is too long"] = { f.masked(0x82, ("x"):rep(1001)), 1009 },
    ["too many fragments"] = { f.masked(0x01, "a") .. f.masked(0x00, "a"):rep(5), 1009 },
    ["a close frame with 1005"] = { f.masked(0x88, "\x03\xed"), 1002 },
    ["a megabyte behind what is wrong"] = { f.masked(0x83, "a") .. ("x"):rep(1 << 19), 1002 },
  } do
    it("is closed with a code: " .. name, function()
      assert.equal(case[2], (ws.end_code(server, case[1])))
    end)
  end

  it("and one that obeys them is closed with the code that it has said", function()
    assert.equal(1001, (ws.end_code(server, f.masked(0x88, "\x03\xe9bye"))))
    assert.equal(1005, (ws.end_code(server, f.masked(0x88, ""))))
  end)

  it("does not disturb the others", function()
    local c = connect(server)
    c:send "fine"
    assert.equal("fine", c:recv(LIMIT))
  end)
end)

describe("a WebSocket's server", function()
  after_each(keep.close)

  it("answers pings in the middle of a message, and passes over pongs", function()
    local socket, stream = ws.dial(ws.start "serve_ws(echo) csock.run()")
    socket:sendall(f.masked(0x01, "a") .. f.masked(0x89, "now") .. f.masked(0x8a, "x") .. f.masked(0x80, "b"))
    assert.same({ 0x8a, "now" }, { ws.read(stream) })
    assert.same({ 0x81, "ab" }, { ws.read(stream) })
  end)

  it("answers pings though much waits to be sent, but not without end", function()
    local socket, stream = ws.dial(ws.start "serve_ws(echo, { max_pending = 1 }) csock.run()")
    socket:sendall(f.masked(0x81, "a") .. f.masked(0x89, "now"):rep(100) .. f.masked(0x81, "b"))
    assert.same({ 0x81, "a" }, { ws.read(stream) })
    local count, first, payload = -1
    repeat
      count = count + 1
      first, payload = ws.read(stream)
    until first ~= 0x8a
    assert.same({ 0x81, "b" }, { first, payload })
    assert.is_true(count >= 1 and count < 100, count)
  end)

  it("asks a silent client whether it is there, and gives it up", function()
    local server = ws.start [[
      serve_ws(function(ws)
        echo(ws)
        print("over", ws.close_code)
      end, { ping_interval = 0.05, ping_timeout = 0.2 })
      csock.run()
    ]]
    local socket, stream = ws.dial(server)
    for _ = 1, 3 do
      local first, payload = ws.read(stream)
      assert.equal(0x89, first)
      socket:sendall(f.masked(0x8a, payload))
    end
    server:expect("over\t1006\n", LIMIT) -- it does not answer any more
    assert.equal(0x89, (ws.read(stream)))
    assert.is_nil((ws.read(stream)))
  end)

  it("knows that a connection was lost", function()
    local server = ws.start [[
      serve_ws(function(ws)
        local message, err, errno = ws:recv()
        print("over", message, err.name, math.tointeger(err.code), errno == csock.errno.ECONNRESET)
      end)
      csock.run()
    ]]
    local socket, stream = ws.dial(server)
    socket:sendall(f.masked(0x01, "half"))
    stream:close()
    socket:close()
    server:expect("over\tnil\tConnectionClosedError\t1006\ttrue\n", LIMIT)
  end)

  it("says 1001 to all when it is closed, and waits for them", function()
    local server = ws.start [[
      local server
      server = serve_ws(function(ws)
        local message = ws:recv()
        if message == "close" then csock.spawn(function() print("cut", server:close()) end) end
        echo(ws)
        print("code", ws.close_code)
      end)
      csock.run()
      print "ended"
    ]]
    local one, two = connect(server), connect(server)
    two:send "close"
    assert.is_nil(one:recv(LIMIT))
    assert.is_nil(two:recv(LIMIT))
    assert.same({ 1001, 1001 }, { one.close_code, two.close_code })
    server:expect("cut\t0\n", LIMIT)
    server:expect("ended\n", LIMIT)
  end)

  it("says 1011 where the handler has failed", function()
    local server = ws.start "serve_ws(function() error 'secret' end, nil, { onerror = function() end }) csock.run()"
    assert.same({ 1011, "" }, { ws.end_code(server, "") })
  end)

  it("gives a client up that does not agree to the end", function()
    local server = ws.start [[
      serve_ws(function(ws)
        local ok, err = ws:close(1000, "", 0.05)
        print("result", ok, err.name, ws.close_code)
      end)
      csock.run()
    ]]
    local _, stream = ws.dial(server)
    assert.equal(0x88, (ws.read(stream)))
    server:expect("result\tnil\tETIMEDOUT\t1006\n", LIMIT)
    assert.is_nil((ws.read(stream)))
  end)

  it("takes nothing of a message for a client that reads nothing, and goes on with the others", function()
    local server = ws.start [[
      local clients = {}
      serve_ws(function(ws)
        clients[#clients + 1] = ws
        for message in ws:messages() do
          local slow
          for i = 1, 2000 do
            for k = #clients, 1, -1 do
              local client = clients[k]
              local ok, err = client:send(message .. i, nil, client ~= ws and 0 or nil)
              if not ok and not slow then
                slow = k
                print("slow", k, err.name, client:pending() >= 1 << 16, client:pending() < 1 << 18)
                table.remove(clients, k)
                client:close(1008, "too slow", 0)
              end
            end
            csock.sleep(0)
          end
          print "done"
        end
      end)
      csock.run()
    ]]
    ws.dial(server) -- never reads
    local c = connect(server)
    local text = ("x"):rep(10000)
    c:send(text)
    for i = 1, 2000 do assert.equal(#text + #tostring(i), #c:recv(LIMIT)) end
    server:expect("slow\t1\tEAGAIN\ttrue\ttrue\n", LIMIT)
    server:expect("done\n", LIMIT)
  end)

  it("waits for a slow client as long as send_timeout says", function()
    local server = ws.start [[
      serve_ws(function(ws)
        local ok, err
        repeat ok, err = ws:send(("x"):rep(100000)) until not ok
        print("result", err.name)
        ws:close(1008, "", 0)
      end, { send_timeout = 0.05 })
      csock.run()
    ]]
    ws.dial(server)
    server:expect("result\tETIMEDOUT\n", LIMIT)
  end)

  it("does not mix what several tasks send", function()
    local server = ws.start [[
      serve_ws(function(ws)
        local group = csock.loop.group()
        for i = 0, 4 do
          group:spawn(function()
            local letter = string.char(97 + i)
            for k = 1, 10 do
              if k % 2 == 0 then
                assert(ws:send(letter:rep(20000 * k)))
              else
                local n = 0
                assert(ws:send(function()
                  n = n + 1
                  csock.sleep(0)
                  return n <= 5 and letter:rep(1000) or nil
                end))
              end
            end
          end)
        end
        group:join()
      end, { max_pending = 1000 })
      csock.run()
    ]]
    local c = connect(server)
    local count = 0
    for message in c:messages() do
      count = count + 1
      assert.is_truthy(message:find("^" .. message:sub(1, 1) .. "+$"))
    end
    assert.same({ 50, 1000 }, { count, c.close_code })
  end)

  it("sends no rest of a message behind its close frame", function()
    local server = ws.start [[
      serve_ws(function(ws)
        local n, closing = 0, csock.loop.event()
        local sender = csock.spawn(function()
          return ws:send(function()
            n = n + 1
            if n == 3 then closing:wait() end
            return n < 6 and "piece" or nil
          end)
        end)
        csock.sleep(0)
        local closer = csock.spawn(function() return ws:close(1000, "", 10) end)
        csock.sleep(0)
        closing:set()
        print(closer:join(), select(2, sender:join()).name)
      end)
      csock.run()
    ]]
    local socket, stream = ws.dial(server)
    local first, payload
    repeat first, payload = ws.read(stream) until first ~= 0x01 and first ~= 0x00
    assert.same({ 0x88, "\3\xe8" }, { first, payload })
    socket:sendall(f.masked(0x88, payload))
    assert.is_nil((ws.read(stream)))
    server:expect("true\tConnectionClosedOK\n", LIMIT)
  end)

  it("sends nothing behind its close frame that had to wait for room", function()
    local server = ws.start [[
      serve_ws(function(ws)
        local senders = {}
        for i = 1, 4 do
          senders[i] = csock.spawn(function()
            local ok, err
            repeat ok, err = ws:send(("x"):rep(100000)) until not ok
            return err.name
          end)
        end
        repeat
          csock.sleep(0.01)
          local waiting = ws:pending() > 0
          for _, task in ipairs(senders) do waiting = waiting and task:status() == "waiting" end
        until waiting
        local closer = csock.spawn(function() return ws:close(1000, "", 10) end)
        csock.sleep(0)
        print "closing"
        for _, task in ipairs(senders) do print(task:join()) end
        print(closer:join())
      end)
      csock.run()
    ]]
    local socket, stream = ws.dial(server)
    server:expect("closing\n", LIMIT)
    local first, payload
    repeat first, payload = ws.read(stream) until first ~= 0x81
    assert.same({ 0x88, "\3\xe8" }, { first, payload })
    socket:sendall(f.masked(0x88, payload))
    assert.is_nil((ws.read(stream)))
    server:expect(("ConnectionClosedOK\n"):rep(4) .. "true\n", LIMIT)
  end)

  it("ends the WebSocket where a message's function fails: it cannot be taken back", function()
    local server = ws.start [[
      serve_ws(function(ws)
        print(pcall(ws.send, ws, function() error("no more", 0) end))
        print(ws.close_code)
      end)
      csock.run()
    ]]
    local c = connect(server)
    assert.is_nil(c:recv(LIMIT))
    assert.equal(1011, c.close_code)
    server:expect("false\tno more\n1011\n", LIMIT)
  end)

  it("is in a handler of Python's kind, too", function()
    local server = ws.start [[
      local Handler = class("Handler", httpserver.BaseHTTPRequestHandler)
      function Handler:log_message() end
      function Handler:do_GET()
        local ws <close>, status = websocket.accept(self, { subprotocols = { "x" } })
        if not ws then return print("refused", status) end
        echo(ws)
        print("code", ws.close_code, ws.subprotocol)
      end
      serve_class(Handler)
    ]]
    assert.equal(426, (ws.ask(server, { Upgrade = false })))
    server:expect("refused\t426\n", LIMIT)
    local hasty <close> = httpd.dial(server)
    hasty:sendall(ws.request() .. f.masked(f.FIN | f.TEXT, "too early"))
    assert.equal(400, (httpd.read_answer(keep(hasty:makefile()))))
    server:expect("refused\t400\n", LIMIT)
    local c = connect(server, { subprotocols = { "x" } })
    c:send(("x"):rep(200000))
    assert.equal(200000, #c:recv(LIMIT))
    assert.is_true(c:close(3000))
    server:expect("code\t3000\tx\n", LIMIT)
  end)

  it("is the same on the backend poll", function()
    local server = ws.start("serve_ws(echo) csock.run()", { backend = "poll" })
    for _ = 1, 3 do
      local c = connect(server)
      for i = 1, 20 do c:send(("x"):rep(i * 10000)) end
      for i = 1, 20 do assert.equal(i * 10000, #c:recv(LIMIT)) end
      assert.is_true(c:close())
    end
  end)
end)
