-- Behind nginx as a reverse proxy.
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local nginx = require "spec.support.nginx"
local posix = require "spec.support.posix"

if not nginx.path then
  pending "a server behind nginx: no nginx"
  return
end

local SERVER = [[
  local go = csock.loop.event()
  serve(function(request)
    print(request.method, request.target)
    if request.path == "/client" then return 200, nil, tostring(request.client_address.port) end
    if request.path == "/fields" then
      return 200, nil, ("%s %s"):format(request.headers.host, request.headers["x-forwarded-for"])
    end
    if request.path == "/pieces" then
      local n = 0
      return 200, nil, function()
        n = n + 1
        return n <= 1000 and ("piece %d\n"):format(n) or nil
      end
    end
    if request.path == "/events" then
      local n = 0
      return 200, { ["Content-Type"] = "text/event-stream" }, function()
        n = n + 1
        if n == 2 then go:wait() end
        return n < 3 and httpserver.event { data = tostring(n) } or nil
      end
    end
    if request.path == "/go" then go:set() return 204 end
    if request.path == "/endless" then return 200, nil, function() return ("x"):rep(1 << 16) end end
    return 200, nil, assert(request.body:read "a")
  end, { max_body = 1 << 24, access_log = function(line) print(line) end })
  csock.run()
]]

local SITE = [[
  upstream backend {
    server 127.0.0.1:%d;
    keepalive 4;
  }
  server {
    listen 127.0.0.1:PORT;
    client_max_body_size 0;
    access_log DIR/log;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
      proxy_request_buffering off;
    }
    location /buffered/ { proxy_pass http://backend/; }
  }
]]

describe("a server behind nginx", function()
  local server, proxy

  setup(function()
    server = httpd.start(SERVER)
    proxy = keep(nginx.start(SITE:format(server.port)))
  end)
  teardown(keep.close)

  local function talk()
    local socket = httpd.dial(proxy)
    return keep(socket:makefile()), function(...) httpd.send(socket, table.concat({ ... }, "\r\n") .. "\r\n\r\n") end,
      socket
  end

  local function post(path, body)
    local socket <close> = httpd.dial(proxy)
    httpd.send(socket, ("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(path, #body, body))
    return httpd.read_answer(keep(socket:makefile()))
  end

  it("is asked over connections that are kept", function()
    local port = select(3, httpd.get(proxy, "/client"))
    for _ = 1, 20 do assert.equal(port, select(3, httpd.get(proxy, "/client"))) end
  end)

  it("gets the fields that nginx is told to send", function()
    assert.equal("a 127.0.0.1", select(3, httpd.get(proxy, "/fields")))
  end)

  it("gets and sends large bodies, whether nginx holds them back or not", function()
    local big = ("0123456789"):rep(500000)
    for _, path in ipairs { "/echo", "/buffered/echo" } do
      local status, _, body = post(path, big)
      assert.equal(200, status)
      assert.is_true(big == body)
    end
  end)

  it("gets bodies in chunks", function()
    local stream, _, socket = talk()
    httpd.send(socket, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for i = 1, 100 do httpd.send(socket, ("%x\r\n%s\r\n"):format(i, ("x"):rep(i))) end
    httpd.send(socket, "0\r\n\r\n")
    assert.equal(("x"):rep(5050), select(3, httpd.read_answer(stream)))
  end)

  it("sends bodies whose length it does not know, in chunks", function()
    for _, path in ipairs { "/pieces", "/buffered/pieces" } do
      local _, fields, body = httpd.get(proxy, path, "Connection: close")
      assert.matches("piece 1000\n$", body)
      assert.equal(1000, select(2, body:gsub("\n", "")))
      assert.equal("chunked", fields["transfer-encoding"])
    end
  end)

  it("sends events, each as it happens", function()
    local stream, send = talk()
    send("GET /events HTTP/1.1", "Host: a")
    repeat until assert(stream:read()) == ""
    assert.equal("9", stream:read())
    assert.equal("data: 1", stream:read()) -- and the second one waits
    assert.equal(204, (httpd.get(proxy, "/go")))
    assert.matches("data: 2", (stream:read_until "0\r\n\r\n"))
  end)

  it("notices that the client has gone, and stops", function()
    local stream, send, socket = talk()
    send("GET /endless HTTP/1.1", "Host: a")
    assert(stream:read(1 << 20))
    stream:close()
    socket:close()
    server:expect '"GET /endless HTTP/1.1" 499 '
    assert.equal(200, (httpd.get(proxy, "/client")))
  end)

  it("notices that the client has gone before its body was sent, and keeps in step", function()
    local _, send, socket = talk()
    send("POST /echo HTTP/1.1", "Host: a", "Content-Length: 1000000")
    httpd.send(socket, ("x"):rep(1000))
    server:expect "POST\t/echo\n"
    socket:close()
    for _ = 1, 5 do assert.equal(200, (httpd.get(proxy, "/client"))) end
  end)

  it("is reached by a Unix socket, too", function()
    local dir = assert(posix.mkdtemp())
    local program = httpd.start(([[
      local server = assert(httpserver.serve(%q, function(request)
        return 200, nil, request.path .. assert(request.body:read "a")
      end, { family = csock.AF_UNIX }))
      ready()
      csock.run()
    ]]):format(dir .. "/socket"))
    local front = keep(nginx.start(("server { listen 127.0.0.1:PORT; location / { proxy_pass http://unix:%s; } }")
      :format(dir .. "/socket")))
    for i = 1, 5 do assert.equal("/" .. i, select(3, httpd.get(front, "/" .. i, "Connection: close"))) end
    assert.is_true(program:running())
    os.execute(("rm -rf '%s'"):format(dir))
  end)

  -- What one of the two could take for a request that the other one has not seen.
  local SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
  local AMBIGUOUS = {
    ["a length and chunks"] = "Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s",
    ["chunks and a length"] = "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
    ["two lengths"] = "Content-Length: 0\r\nContent-Length: %d\r\n\r\n%s",
    ["a list of lengths"] = "Content-Length: 0, %d\r\n\r\n%s",
    ["a length with a sign"] = "Content-Length: +%d\r\n\r\n%s",
    ["a length with a blank before the colon"] = "Content-Length : %d\r\n\r\n%s",
    ["a length with a line feed"] = "X: y\nContent-Length: %d\r\n\r\n%s",
    ["a length behind a carriage return"] = "X: y\rContent-Length: %d\r\n\r\n%s",
    ["a length in a folded line"] = "X: y\r\n Content-Length: %d\r\n\r\n%s",
    ["a length with an underscore"] = "Content_Length: %d\r\n\r\n%s",
    ["chunks with a vertical tab"] = "Content-Length: %d\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n%s",
    ["chunks, named twice"] = "Content-Length: %d\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "0\r\n\r\n%s",
    ["chunks with another coding"] = "Content-Length: %d\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n%s",
    ["chunks with a blank before the colon"] = "Content-Length: %d\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n%s",
    ["chunks with a zero byte"] = "Content-Length: %d\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n%s",
    ["a chunk's size with 0x"] = "Transfer-Encoding: chunked\r\n\r\n0x%x\r\n%s\r\n0\r\n\r\n",
    ["a chunk's extension with a line feed"] = "Transfer-Encoding: chunked\r\n\r\n%x;a\nb\r\n%s\r\n0\r\n\r\n",
    ["a chunk that ends early"] = "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n%x\r\n%s\r\n0\r\n\r\n",
    ["a body of GET"] = "Content-Length: %d\r\n\r\n%s",
    ["Connection names the length"] = "Connection: Content-Length\r\nContent-Length: %d\r\n\r\n%s",
    ["Upgrade"] = "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n%s",
    ["Expect"] = "Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s",
  }

  for what, text in pairs(AMBIGUOUS) do
    it("sees the requests that nginx sees: " .. what, function()
      local method = what == "a body of GET" and "GET" or "POST"
      local socket <close> = httpd.dial(proxy)
      httpd.send(socket, ("%s /outer HTTP/1.1\r\nHost: a\r\n"):format(method) .. text:format(#SMUGGLED, SMUGGLED))
      assert(socket:shutdown(csock.SHUT_WR))
      httpd.rest(socket)
      -- Others, who share nginx's connections, get their own answers.
      for i = 1, 5 do
        local body = ("%s %d"):format(what, i)
        local status, _, answer = post("/next", body)
        assert.same({ 200, body }, { status, answer })
      end
      post("/last", "")
      server:expect "POST\t/last\n"
      local seen = select(2, server.out:gsub("\t/smuggled", ""))
      local log <close> = io.open(proxy.dir .. "/log")
      assert.is_true(seen <= select(2, log:read "a":gsub("/smuggled", ""))) -- it may mean a request to both
    end)
  end
end)
