-- Python's request handlers and servers for HTTP.
local httpd = require "spec.support.httpd"
local httpserver = require "csock.httpserver"
local keep = require "spec.support.keep"
local serving = require "spec.support.serving"

local ask, dial, get, read_answer = httpd.ask, httpd.dial, httpd.get, httpd.read_answer

local CLASS = [[
  local Handler = class("Handler", httpserver.BaseHTTPRequestHandler)
  Handler.protocol_version = %q
  function Handler:do_GET()
    local text = ("%%s|%%s|%%s|%%s|%%s"):format(self.command, self.path, self.request_version, self.requestline,
      self.headers["x-a"] or "-")
    if self.path == "/unframed" then
      self:send_response(200)
      self:end_headers()
      return self.wfile:write "up to the end"
    end
    if self.path == "/error" then error "the secret" end
    if self.path == "/404" then return self:send_error(404, "<b>", "it & that") end
    if self.path == "/304" then return self:send_error(304) end
    if self.path == "/cr" then
      self:send_response(200)
      print(pcall(self.send_header, self, "X", "a\rb"))
      print(pcall(self.send_header, self, "X Y", "a"))
      print(pcall(self.send_response, self, 200, "a\nb"))
    end
    self:send_response(200, "Fine")
    self:send_header("X-N", 5)
    self:send_header("Content-Length", #text)
    self:end_headers()
    self.wfile:write(text)
  end
  function Handler:do_HEAD()
    self:send_response(200)
    self:send_header("Content-Length", 100)
    self:end_headers()
  end
  function Handler:do_POST()
    local text = self.path == "/ignore" and "ignored" or assert(self.rfile:read "a")
    self:send_response(200)
    self:send_header("Content-Length", #text)
    self:end_headers()
    self.wfile:write(text)
  end
  serve_class(Handler, %q)
]]

local function start(version, kind, options)
  return httpd.start(CLASS:format(version or "HTTP/1.1", kind or "ThreadingHTTPServer"), options)
end

local function request(target, ...)
  return table.concat({ "GET " .. target .. " HTTP/1.1", "Host: a", ... }, "\r\n") .. "\r\n\r\n"
end

describe("BaseHTTPRequestHandler", function()
  local server
  setup(function() server = start() end)
  teardown(keep.close)

  local function talk()
    local socket = dial(server)
    return keep(socket:makefile()), function(bytes) httpd.send(socket, bytes) end
  end

  it("calls do_GET, which finds the request in its fields", function()
    local status, fields, body = get(server, "/a?b", "X-A: c")
    assert.equal(200, status)
    assert.equal("5", fields["x-n"])
    assert.equal("GET|/a?b|HTTP/1.1|GET /a?b HTTP/1.1|c", body)
    assert.matches("^csock/[%d.]+ Lua/5%.%d$", fields.server)
    assert.matches("^HTTP/1.1 200 Fine\r\n", ask(server, request("/", "Connection: close")))
  end)

  it("answers one request after the other, in their order", function()
    local stream, send = talk()
    local list = {}
    for i = 1, 30 do list[i] = request("/" .. i) end
    send(table.concat(list))
    for i = 1, 30 do assert.matches("|/" .. i .. "|", select(3, read_answer(stream))) end
    send "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert.equal("abc", select(3, read_answer(stream)))
    send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" .. request "/last")
    assert.equal("ignored", select(3, read_answer(stream)))
    assert.matches("/last", select(3, read_answer(stream)))
    send "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal("100", select(2, read_answer(stream, true))["content-length"])
    send "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert.equal("keep-alive", select(2, read_answer(stream)).connection)
    send "GET /old HTTP/1.0\r\n\r\n"
    assert.equal(200, (read_answer(stream)))
    assert.is_nil(stream:read(1))
  end)

  it("ends the connection where the answer does not say how long it is", function()
    local bytes = ask(server, request "/unframed" .. request "/2")
    assert.matches("Connection: close\r\n\r\nup to the end$", bytes)
  end)

  it("ends the connection when the handler fails, and tells of it", function()
    assert.equal("", ask(server, request "/error" .. request "/2"))
    server:expect_err "the secret"
    assert.equal(200, (get(server, "/")))
  end)

  it("sends pages about errors, in which nothing is what it is not", function()
    local status, fields, body = get(server, "/404")
    assert.equal(404, status)
    assert.equal("close", fields.connection)
    assert.matches("&lt;b&gt;", body)
    assert.matches("it &amp; that", body)
    assert.matches("\r\n\r\n$", ask(server, request "/304"))
    assert.equal(501, (read_answer((function()
      local stream, send = talk()
      send "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"
      return stream
    end)())))
    server:expect_err '"DELETE / HTTP/1.1" 501 %-\n'
  end)

  it("lets nothing into the head that is no line", function()
    get(server, "/cr")
    server:expect "false\t[^\n]*value of X is no line[^\n]*\n"
    server:expect "false\t.*cannot be the name of a field"
    server:expect "false\t.*status line is no line"
  end)

  it("gives leave to send a body, and does not wait for one that is refused", function()
    local stream, send = talk()
    send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    assert.equal(100, (read_answer(stream)))
    send "abc"
    assert.equal("abc", select(3, read_answer(stream)))
    send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\nExpect: 100-continue\r\n\r\n"
    assert.equal(413, (read_answer(stream)))
    assert.is_nil(stream:read(1))
  end)

  it("logs requests without names and control characters", function()
    get(server, '/a"b')
    server:expect_err '127%.0%.0%.1 %- %- %[.-%] "GET /a"b HTTP/1.1" 200 %-\n'
  end)
end)

describe("BaseHTTPRequestHandler, as in Python,", function()
  after_each(keep.close)

  it("speaks HTTP/1.0 unless told otherwise: one request for each connection", function()
    assert.equal("HTTP/1.0", httpserver.BaseHTTPRequestHandler.protocol_version)
    local server = start "HTTP/1.0"
    local bytes = ask(server, request "/1" .. request "/2")
    assert.matches("^HTTP/1.0 200 Fine\r\n", bytes)
    assert.equal(1, select(2, bytes:gsub("HTTP/1%.0 200", "")))
  end)

  it("writes times in English, whatever the locale", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT",
      httpserver.BaseHTTPRequestHandler.date_time_string(nil, 784111777))
  end)

  for _, kind in ipairs { "HTTPServer", "ThreadingHTTPServer", "ForkingHTTPServer", "PreforkHTTPServer" } do
    it("works in a " .. kind, function()
      local server = start("HTTP/1.1", kind, { group = true })
      for i = 1, 5 do assert.matches("|/" .. i .. "|", select(3, get(server, "/" .. i, "Connection: close"))) end
    end)
  end

  it("has a server with its name and port", function()
    local server = serving.make(httpserver.HTTPServer, httpserver.BaseHTTPRequestHandler)
    assert.equal("127.0.0.1", server.server_name)
    assert.equal(server.socket:getsockname().port, server.server_port)
    server:server_close()
  end)
end)
