-- csock.httpserver.serve: what a handler returns, and what its client gets. The server is alone in its process.
local csock = require "csock"
local httpd = require "spec.support.httpd"
local httpserver = require "csock.httpserver"
local keep = require "spec.support.keep"

local get, ask, dial, read_answer = httpd.get, httpd.ask, httpd.dial, httpd.read_answer

local ROUTES = [[
  local routes = {}
  routes["/"] = function() return 200, { ["Content-Type"] = "text/plain" }, "hello" end
  routes["/moved"] = function(r)
    r.path = "/elsewhere"
    return 200, nil, tostring(r.query) .. " " .. r.path
  end
  routes["/nothing"] = function() return 200 end
  routes["/204"] = function() return 204, nil, "no such thing" end
  routes["/304"] = function() return 304, { ETag = '"a"', ["Content-Length"] = 5 } end
  routes["/205"] = function() return 205, nil, "no such thing" end
  routes["/299"] = function() return 299 end
  routes["/many"] = function() return 200, { ["Set-Cookie"] = { "a=1", "b=2" }, ["X-N"] = 7 } end
  routes["/list"] = function() return 200, { "A", "1", "B", "2", "A", "3" } end
  routes["/own"] = function() return 200, { Date = "never", Server = "none" } end
  routes["/close"] = function() return 200, { Connection = "close" }, "bye" end
  routes["/length"] = function(r)
    local pieces = { "ab", "", "cde" }
    return 200, { ["Content-Length"] = r.query or 5 }, function() return table.remove(pieces, 1) end
  end
  routes["/as-get"] = function(r)
    r.method = "GET"
    return 200, nil, "hello"
  end
  routes["/parsed"] = function(r)
    local words = r.body:read "a"
    r.body = { words = words }
    return 200, nil, r.body.words
  end
  routes["/unparsed"] = function(r)
    r.body = "none"
    return 200, nil, r.body
  end
  routes["/before"] = function(r) return 200, nil, { file = assert(io.open(arg_file)), offset = -1 } end
  routes["/fewer"] = function(r) return 200, nil, { file = assert(io.open(arg_file)), count = -1 } end
  routes["/half"] = function(r) return 200, nil, { file = assert(io.open(arg_file)), count = 1.5 } end
  routes["/bad-switch"] = function() return 101, { ["Transfer-Encoding"] = "chunked" }, function() end end
  routes["/pieces"] = function()
    local i = 0
    return 200, nil, function()
      i = i + 1
      return ({ "one", "", "two", 3, nil })[i]
    end
  end
  routes["/piece-fails"] = function()
    local first = true
    return 200, nil, function()
      if not first then error "the well is dry" end
      first = false
      return "water"
    end
  end
  routes["/file"] = function()
    local file = assert(io.open(arg_file, "rb"))
    return 200, nil, file, setmetatable({}, { __close = function() file:close() print("closed", io.type(file)) end })
  end
  routes["/part"] = function()
    local file = assert(io.open(arg_file, "rb"))
    return 206, nil, { file = file, offset = 3, count = 4 }, file
  end
  routes["/pipe"] = function()
    local pipe = io.popen "printf 'from a pipe'"
    return 200, nil, pipe, pipe
  end
  routes["/echo"] = function(r) return 200, nil, assert(r.body:read "a") or "" end
  routes["/mirror"] = function(r) return 200, nil, function() return r.body:read(10) end end
  routes["/shy"] = function(r) return 200, nil, r.body:read "a" or "unread" end
  routes["/ignore"] = function() return 200, nil, "ignored" end
  routes["/about"] = function(r)
    return 200, nil, table.concat({ r.method, r.target, r.path, tostring(r.query), r.version, r.headers.host or "-",
      tostring(r.headers["X-A"]), r.client_address.host, tostring(r.nothing) }, " ")
  end
  routes["/error"] = function() error "the secret" end
  routes["/cr"] = function() return 200, { X = "a\rb" } end
  routes["/lf"] = function() return 200, { X = "a\nSet-Cookie: b" } end
  routes["/nul"] = function() return 200, { X = "a\0b" } end
  routes["/name"] = function() return 200, { ["X Y"] = "a" } end
  routes["/table-value"] = function() return 200, { X = true } end
  routes["/coding"] = function() return 200, { ["Transfer-Encoding"] = "gzip" } end
  routes["/wrong-length"] = function() return 200, { ["Content-Length"] = 3 }, "four" end
  routes["/no-length"] = function() return 200, { ["Content-Length"] = "0x5" }, "fives" end
  routes["/status"] = function() return "200" end
  routes["/big-status"] = function() return 20000 end
  routes["/number"] = function() return 200, nil, 42 end
  routes["/boolean"] = function() return 200, nil, true end
  routes["/table"] = function() return 200, nil, {} end
  routes["/closed"] = function()
    local file = io.tmpfile()
    file:close()
    return 200, nil, file
  end
  routes["/interim"] = function() return 102 end
  routes["/switching"] = function() return 101, { Upgrade = "x" }, "no function" end
  local function handler(request)
    local f = routes[request.path]
    if not f then return 404 end
    return f(request)
  end
  local loop_errors = 0
  csock.loop.onerror = function(err) print("told: " .. tostring(err)) end
]]

local function start(options, file)
  return httpd.start(("arg_file = %q\n"):format(file or "README.md") .. ROUTES .. ([[
    serve(handler, %s)
    csock.run()
  ]]):format(options or "{}"))
end

-- A stream over a connection, and a function that sends.
local function talk(server)
  local socket = dial(server)
  return keep(socket:makefile()), function(bytes) httpd.send(socket, bytes) end, socket
end

local function request(target, ...)
  return table.concat({ "GET " .. target .. " HTTP/1.1", "Host: a", ... }, "\r\n") .. "\r\n\r\n"
end

describe("httpserver.serve", function()
  local server

  setup(function() server = start() end)
  teardown(keep.close)

  it("answers with the status, the fields and the string that the handler returns", function()
    local status, fields, body = get(server, "/")
    assert.equal(200, status)
    assert.equal("text/plain", fields["content-type"])
    assert.equal("5", fields["content-length"])
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", fields.date)
    assert.matches("^csock/", fields.server)
    assert.equal("hello", body)
  end)

  it("takes a number for its digits", function()
    assert.equal("42", select(3, get(server, "/number")))
  end)

  it("leaves a path that the program has put into a request, also where there is no query", function()
    assert.equal("nil /elsewhere", (select(3, get(server, "/moved"))))
  end)

  it("says that there is nothing where the handler returns no body", function()
    local status, fields = get(server, "/nothing")
    assert.equal(200, status)
    assert.equal("0", fields["content-length"])
    assert.equal(404, (get(server, "/nowhere")))
  end)

  it("sends no body with 204 and 304, and an empty one with 205", function()
    local stream, send = talk(server)
    for status, length in pairs { [204] = false, [304] = "5", [205] = "0" } do
      send(request("/" .. status))
      local got, fields = read_answer(stream, true)
      assert.equal(status, got)
      assert.equal(length or nil, fields["content-length"])
      assert.is_nil(fields["transfer-encoding"])
    end
    send(request "/")
    assert.equal(200, (read_answer(stream)))
  end)

  it("answers HEAD as GET, without the body", function()
    local stream, send = talk(server)
    local size = tostring(#io.open("README.md"):read "a")
    for target, length in pairs { ["/"] = "5", ["/pieces"] = false, ["/file"] = size, ["/as-get"] = "5" } do
      send("HEAD" .. request(target):sub(4))
      local status, fields = read_answer(stream, true)
      assert.equal(200, status)
      assert.equal(length or nil, fields["content-length"])
    end
    send(request "/")
    assert.equal("hello", select(3, read_answer(stream)))
  end)

  it("goes on behind a body, whatever the program has put in its place", function()
    local stream, send = talk(server)
    for target, body in pairs { ["/parsed"] = "words", ["/unparsed"] = "none" } do
      send("POST" .. request(target, "Content-Length: 5"):sub(4) .. "words")
      assert.equal(body, select(3, read_answer(stream)))
    end
    send(request "/")
    assert.equal("hello", select(3, read_answer(stream)))
  end)

  it("answers 500 for what it knows to be wrong before the head goes", function()
    for _, target in ipairs { "/before", "/fewer", "/half", "/bad-switch" } do
      assert.equal(500, (get(server, target)), target)
    end
  end)

  it("sends a field for each of a sequence of values, and sequences in their order", function()
    local bytes = ask(server, request("/many", "Connection: close"))
    assert.matches("Set%-Cookie: a=1\r\nSet%-Cookie: b=2\r\n", bytes)
    assert.matches("X%-N: 7\r\n", bytes)
    assert.matches("A: 1\r\nB: 2\r\nA: 3\r\n", ask(server, request("/list", "Connection: close")))
  end)

  it("takes the handler's own Date and Server", function()
    local bytes = ask(server, request("/own", "Connection: close"))
    assert.matches("Date: never\r\n", bytes)
    assert.matches("Server: none\r\n", bytes)
    assert.equal(1, select(2, bytes:gsub("Date:", "")))
    assert.equal(1, select(2, bytes:gsub("Server:", "")))
  end)

  it("sends what a function gives in chunks, and to HTTP/1.0 up to the end", function()
    local _, fields, body = get(server, "/pieces")
    assert.equal("chunked", fields["transfer-encoding"])
    assert.equal("onetwo3", body)
    local bytes = ask(server, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert.matches("Connection: close\r\n", bytes)
    assert.matches("\r\n\r\nonetwo3$", bytes)
  end)

  it("sends it as it is where the handler says how long it is", function()
    local _, fields, body = get(server, "/length")
    assert.is_nil(fields["transfer-encoding"])
    assert.equal("abcde", body)
  end)

  it("cuts the connection where the handler was wrong about that", function()
    for _, length in ipairs { 4, 6 } do
      local bytes = ask(server, request("/length?" .. length))
      assert.is_true(#bytes:match "\r\n\r\n(.*)$" < length)
      server:expect "told: the body has "
    end
  end)

  it("cuts the connection when the function fails: no last chunk", function()
    local bytes = ask(server, request "/piece-fails")
    assert.matches("\r\n\r\n5\r\nwater\r\n$", bytes)
    server:expect "told: .*the well is dry"
  end)

  it("sends files, and closes what the handler asks to be closed", function()
    local _, fields, body = get(server, "/file")
    assert.equal(io.open("README.md"):read "a", body)
    assert.equal(tostring(#body), fields["content-length"])
    server:expect "closed\tclosed file"
    assert.equal(body:sub(4, 7), select(3, get(server, "/part")))
    assert.equal("from a pipe", select(3, get(server, "/pipe")))
  end)

  it("gives the handler what it needs to know of the request", function()
    assert.equal("GET /about?a=%20 /about a=%20 11 a b 127.0.0.1 nil",
      select(3, get(server, "/about?a=%20", "x-a: b")))
    assert.equal("GET http://b/about /about nil 11 a nil 127.0.0.1 nil", select(3, get(server, "http://b/about")))
    assert.matches("GET /about%? /about  10 %- nil", ask(server, "GET /about? HTTP/1.0\r\n\r\n"))
  end)

  it("gives the handler the body as a stream", function()
    local stream, send = talk(server)
    send "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour"
    assert.equal("four", select(3, read_answer(stream)))
    send "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert.equal("abcde", select(3, read_answer(stream)))
    send(request "/")
    assert.equal(200, (read_answer(stream)))
  end)

  it("passes over a body that the handler has not read", function()
    local stream, send = talk(server)
    for _ = 1, 3 do
      send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n" .. ("x"):rep(10000))
      assert.equal("ignored", select(3, read_answer(stream)))
      send("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
      assert.equal("ignored", select(3, read_answer(stream)))
    end
  end)

  it("closes the connection rather than pass over very much, and the client gets its answer", function()
    local bytes = ask(server, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" .. ("x"):rep(300000))
    assert.matches("\r\n\r\nignored$", bytes)
  end)

  it("sends 100 when the body is first asked for, and then alone", function()
    local stream, send = talk(server)
    local head = " HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    send("POST /shy" .. head)
    assert.equal(100, (read_answer(stream)))
    send "four"
    local status, _, body = read_answer(stream)
    assert.equal(200, status)
    assert.equal("four", body)
    send("POST /mirror" .. head .. "four") -- it has not waited: leave in the middle of an answer would be a part of it
    status, _, body = read_answer(stream)
    assert.equal(200, status)
    assert.equal("four", body)
    send("POST /ignore" .. head)
    assert.equal(200, (read_answer(stream)))
    assert.is_nil(stream:read(1)) -- the body may come or not: nobody can tell what follows
  end)

  it("answers pipelined requests in their order", function()
    local stream, send = talk(server)
    local list = {}
    for i = 1, 50 do list[i] = request("/about?" .. i) end
    send(table.concat(list) .. "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour" .. request "/")
    for i = 1, 50 do assert.matches("%?" .. i .. " ", select(3, read_answer(stream))) end
    assert.equal("four", select(3, read_answer(stream)))
    assert.equal("hello", select(3, read_answer(stream)))
  end)

  it("keeps the connection, unless one of the two does not want it", function()
    local stream, send = talk(server)
    for _ = 1, 3 do
      send(request "/")
      assert.is_nil(select(2, read_answer(stream)).connection)
    end
    send(request "/close")
    assert.equal("close", select(2, read_answer(stream)).connection)
    assert.is_nil(stream:read(1))
    assert.matches("Connection: close\r\n", ask(server, request("/", "Connection: close")))
    assert.not_matches("keep%-alive", ask(server, "GET / HTTP/1.0\r\n\r\n"))
    stream, send = talk(server)
    for _ = 1, 2 do
      send "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
      assert.equal("keep-alive", select(2, read_answer(stream)).connection)
    end
  end)

  it("answers with 500 and no details when the handler fails, tells of it, and goes on", function()
    local stream, send = talk(server)
    send(request "/error")
    local status, _, body = read_answer(stream)
    assert.equal(500, status)
    assert.equal("500 Internal Server Error\n", body)
    server:expect "told: .*the secret"
    send(request "/")
    assert.equal(200, (read_answer(stream)))
  end)

  it("sends no byte of an answer that cannot be one", function()
    for _, target in ipairs { "/cr", "/lf", "/nul", "/name", "/table-value", "/coding", "/wrong-length", "/no-length",
      "/status", "/big-status", "/interim", "/switching", "/boolean", "/table", "/closed" } do
      local status, fields, body = get(server, target)
      assert.equal(500, status, target)
      assert.is_nil(fields.x)
      assert.is_nil(fields["set-cookie"])
      assert.equal("500 Internal Server Error\n", body)
      server:expect "told: "
    end
  end)

  it("gives statuses that nobody knows a phrase", function()
    assert.matches("^HTTP/1.1 299 %w+\r\n", ask(server, request("/299", "Connection: close")))
  end)
end)

describe("httpserver.serve's options:", function()
  after_each(keep.close)

  it("a body over `max_body` gets 413, whichever way it says its length", function()
    local server = start "{ max_body = 10 }"
    local head = "POST /echo HTTP/1.1\r\nHost: a\r\n"
    assert.matches("^HTTP/1.1 413 ", ask(server, head .. "Content-Length: 11\r\n\r\n12345678901"))
    assert.matches("^HTTP/1.1 413 ",
      ask(server, head .. "Transfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n"))
    assert.matches("^HTTP/1.1 200 ", ask(server, head .. "Connection: close\r\nContent-Length: 10\r\n\r\n1234567890"))
  end)

  it("`limits` are those of the parser", function()
    local server = start "{ limits = { line = 20, field = 30, fields = 3 } }"
    assert.matches("^HTTP/1.1 414 ", ask(server, request "/123456789012345"))
    assert.matches("^HTTP/1.1 431 ", ask(server, request("/", "X: " .. ("y"):rep(30))))
    assert.matches("^HTTP/1.1 431 ", ask(server, request("/", "A: b", "C: d", "E: f")))
  end)

  it("`access_log` gets a line for each answer, in which nothing is what it is not", function()
    local server = start "{ access_log = function(line) print(line) end }"
    get(server, "/")
    server:expect '127%.0%.0%.1 %- %- %[%d%d/%a%a%a/%d%d%d%d:%d%d:%d%d:%d%d [+-]%d%d%d%d%] "GET / HTTP/1.1" 200 5\n'
    get(server, '/"\\')
    server:expect('"GET /\\x22\\x5c HTTP/1.1" 404 %-\n')
    ask(server, "nonsense\r\n\r\n")
    server:expect '"%-" 400 %d+\n'
    ask(server, "GET /piece-fails HTTP/1.1\r\nHost: a\r\n\r\n")
    server:expect '"GET /piece%-fails HTTP/1.1" 500 %-\n'
  end)

  it("`onerror` is told of the handler's errors", function()
    local server = start "{ onerror = function(err, where, request) print('mine', request.path, err, #where) end }"
    assert.equal(500, (get(server, "/error")))
    server:expect "mine\t/error\t.*the secret\t%d+\n"
  end)

  it("`max_connections` lets no more in at once", function()
    local server = start "{ max_connections = 1 }"
    local stream, send, socket = talk(server)
    send(request "/")
    assert.equal(200, (read_answer(stream)))
    local second, send_second = talk(server)
    send_second(request "/")
    assert.same({}, (csock.select({ second }, nil, nil, 0.1)))
    stream:close()
    socket:close()
    assert.equal(200, (read_answer(second)))
  end)

  it("a handler may be the name of a function, looked up at each request", function()
    local server = httpd.start [[
      app = { count = 0 }
      local function answer(n) return function() app.handle = answer(n + 1) return 200, nil, tostring(n) end end
      function app.handle() app.handle = function() app = nil return 200, nil, "two" end return 200, nil, "one" end
      csock.loop.onerror = function(err) print("told", err) end
      serve "app.handle"
      csock.run()
    ]]
    assert.equal("one", select(3, get(server, "/")))
    assert.equal("two", select(3, get(server, "/")))
    assert.equal(500, (get(server, "/")))
    server:expect "there is no function app.handle"
  end)

  it("wrong ones raise, where the program called", function()
    for words, call in pairs {
      ["unknown option 'colour'"] = function() httpserver.serve({ "", 0 }, print, { limits = {}, colour = 1 }) end,
      ["max_body"] = function() httpserver.serve({ "", 0 }, print, { max_body = -1 }) end,
      ["idle_timeout"] = function() httpserver.serve({ "", 0 }, print, { idle_timeout = 0 }) end,
      ["name of one"] = function() httpserver.serve({ "", 0 }, 5) end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches(words, err, 1, true)
      assert.matches("serve_spec.lua:", err, 1, true)
    end
  end)
end)

describe("a server of httpserver.serve", function()
  after_each(keep.close)

  local SLOW = [[
    local server = serve(function(request)
      if request.path == "/slow" then
        print "busy"
        go = csock.loop.event()
        go:wait()
      end
      if request.path == "/endless" then
        local n = 0
        return 200, nil, function()
          n = n + 1
          if n == 2 then csock.loop.event():wait() end
          return "piece"
        end
      end
      return 200, nil, "done"
    end)
    csock.spawn(function()
      for word in csock.stream(io.stdin):lines() do
        if word == "go" then go:set() end
        if word == "stop" then
          csock.spawn(function() print("stopped", server:close { drain = %s }) end)
        end
      end
    end)
    csock.run()
    print "over"
  ]]

  it("closes idle connections when it stops, and finishes the request that it is answering", function()
    local server = httpd.start(SLOW:format "false")
    local idle, send_idle = talk(server)
    send_idle(request "/")
    assert.equal(200, (read_answer(idle)))
    local fresh = talk(server)
    local busy, send_busy = talk(server)
    send_busy(request "/slow" .. request "/next")
    server:expect "busy"
    server:write "stop\n"
    assert.is_nil(idle:read(1))
    assert.is_nil(fresh:read(1))
    assert.is_nil((csock.create_connection({ "127.0.0.1", server.port }, { timeout = 5 })))
    server:write "go\n"
    local status, fields, body = read_answer(busy)
    assert.same({ 200, "done" }, { status, body })
    assert.is_nil(fields.connection)
    assert.is_nil(busy:read(1))
    server:expect "stopped\t0\n"
    server:close_stdin()
    server:expect "over\n"
  end)

  it("lets nobody take an answer that it cuts off for a whole one", function()
    local server = httpd.start(SLOW:format "0")
    local answer, _, socket = talk(server)
    socket:sendall "GET /endless HTTP/1.0\r\n\r\n"
    assert.equal(200, (read_answer(answer, true)))
    assert.equal("piece", answer:read(5))
    server:write "stop\n"
    local more, err, errno = answer:read(1)
    assert.same({ nil, csock.errno.ECONNRESET }, { more, errno }, tostring(err))
    server:expect "stopped\t1\n"
    server:close_stdin()
    server:expect "over\n"
  end)

  it("cuts off what has not ended in time", function()
    local server = httpd.start(SLOW:format "0.05")
    local busy, send_busy = talk(server)
    send_busy(request "/slow")
    server:expect "busy"
    server:write "stop\n"
    assert.is_nil(busy:read(1))
    server:expect "stopped\t1\n"
    server:close_stdin()
    server:expect "over\n"
  end)
end)
