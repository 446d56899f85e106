-- What a server says to bytes: requests that it must answer, and those that it must refuse, because two readers could
-- take them for different things. Facts of RFC 9110 and 9112, and the cases that other servers have been found to get
-- wrong. Each is sent whole and in pieces of 1, 2 and 3 bytes, to a server that is alone in its process. (The parser's
-- own cases are in spec/http.)
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"

-- In the short form, and by a class.
local KINDS = {
  serve = [[
    serve(function(request)
      local body = assert(request.body:read "a")
      return 200, nil, ("[%s %s %s]"):format(request.method, request.target, body)
    end, { onerror = function() end })
    csock.run()
  ]],
  BaseHTTPRequestHandler = [[
    local Echo = class("Echo", httpserver.BaseHTTPRequestHandler)
    Echo.protocol_version = "HTTP/1.1"
    function Echo.log_message() end
    local function answer(self)
      local body, err = self.rfile:read "a"
      if not body and err then return self:send_error(err.status or 500) end
      local text = ("[%s %s %s]"):format(self.command, self.path, body or "")
      self:send_response(200)
      self:send_header("Content-Length", #text)
      self:end_headers()
      self.wfile:write(text)
    end
    Echo.do_GET, Echo.do_POST, Echo.do_PUT, Echo.do_OPTIONS = answer, answer, answer, answer
    serve_class(Echo)
  ]],
}

local function lines(...) return table.concat({ ... }, "\r\n") .. "\r\n\r\n" end
local function get(...) return lines("GET / HTTP/1.1", "Host: a", ...) end
local function post(...) return lines("POST / HTTP/1.1", "Host: a", ...) end
local CHUNKED = "Transfer-Encoding: chunked"

-- What must be answered: bytes -> what the answers say, one after the other. The connection is ended by a last
-- request that asks for it.
local GOOD = {
  ["GET"] = { get(), "[GET / ]" },
  ["GET with a query"] = { lines("GET /a?b=c&d HTTP/1.1", "Host: a"), "[GET /a?b=c&d ]" },
  ["two requests in one piece"] = { get() .. lines("GET /2 HTTP/1.1", "Host: a"), "[GET / ][GET /2 ]" },
  ["header names in any case"] = { lines("GET / HTTP/1.1", "hOsT: a"), "[GET / ]" },
  ["no blank after the colon"] = { lines("GET / HTTP/1.1", "Host:a"), "[GET / ]" },
  ["blanks around a value"] = { lines("GET / HTTP/1.1", "Host: \t a \t"), "[GET / ]" },
  ["an empty value"] = { get "X:", "[GET / ]" },
  ["an empty line before the request"] = { "\r\n" .. get(), "[GET / ]" },
  ["the absolute form"] = { lines("GET http://b/c HTTP/1.1", "Host: a"), "[GET http://b/c ]" },
  ["the asterisk form"] = { lines("OPTIONS * HTTP/1.1", "Host: a"), "[OPTIONS * ]" },
  ["a body by its length"] = { post "Content-Length: 5" .. "hello" .. get(), "[POST / hello][GET / ]" },
  ["a body of no bytes"] = { post "Content-Length: 0" .. get(), "[POST / ][GET / ]" },
  ["a length with zeros before it"] = { post "Content-Length: 0005" .. "hello" .. get(), "[POST / hello][GET / ]" },
  ["a body with a GET"] = { get "Content-Length: 3" .. "abc" .. get(), "[GET / abc][GET / ]" },
  ["a body that looks like a request"] = {
    post "Content-Length: 37" .. "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n" .. get(),
    "[POST / GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n][GET / ]",
  },
  ["chunks"] = { post(CHUNKED) .. "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" .. get(), "[POST / hello world][GET / ]" },
  ["no chunk"] = { post(CHUNKED) .. "0\r\n\r\n" .. get(), "[POST / ][GET / ]" },
  ["chunks with sizes in both cases"] = {
    post(CHUNKED) .. "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n" .. get(),
    "[POST / 01234567890123456789][GET / ]",
  },
  ["chunks with extensions"] = {
    post(CHUNKED) .. "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n" .. get(), "[POST / abc][GET / ]",
  },
  ["chunks with trailers"] = {
    post(CHUNKED) .. "3\r\nabc\r\n0\r\nX: y\r\nZ: a\r\n\r\n" .. get(), "[POST / abc][GET / ]",
  },
  ["the coding in any case"] = { post "transfer-encoding: CHUNKED" .. "1\r\na\r\n0\r\n\r\n", "[POST / a]" },
}

-- What must be refused, with this status (400 unless told), and be the last thing that is read.
local BAD = {
  -- what h1spec asks for
  ["a fragment of a request and then its end"] = { "G", 400, cut = true },
  ["a request line alone and then its end"] = { "GET / HTTP/1.1\r\n", 400, cut = true },
  ["a head without an end"] = { "GET / HTTP/1.1\r\nHost: a\r\n", 400, cut = true },
  ["a body that is cut"] = { post "Content-Length: 5" .. "hel", 400, cut = true },
  ["chunks that are cut"] = { post(CHUNKED) .. "5\r\nhel", 400, cut = true },
  ["no Host"] = { lines "GET / HTTP/1.1" },
  ["two Hosts"] = { get "Host: b" },
  ["a Host with a blank"] = { lines("GET / HTTP/1.1", "Host: a b") },
  ["a Host with a path"] = { lines("GET / HTTP/1.1", "Host: a/b") },
  ["a blank before the colon"] = { get "X : y" },
  ["a tab before the colon"] = { get "X\t: y" },
  ["an empty name"] = { get ": y" },
  ["a name with a blank in it"] = { get "X Y: z" },
  ["a name with a byte of Latin-1"] = { get "X\xe9: z" },
  ["a name with brackets"] = { get "(X): z" },
  ["words before the method"] = { "Extra line" .. get() },
  ["a CR before a header"] = { get "\rX: y" },
  ["a name with an LF in it"] = { get "X\nY: z" },
  ["a zero byte in a Host"] = { lines("GET / HTTP/1.1", "Host: a\0b") },
  ["a bell in a value"] = { get "X: y\7" },
  ["a line without a colon"] = { get "nonsense" },
  ["a zero byte in a value"] = { get "X: a\0b" },
  ["a CR in a value"] = { get "X: a\rb" },
  ["an escape in a value"] = { get "X: a\27b" },
  ["DEL in a value"] = { get "X: a\127b" },
  ["a folded line"] = { get("X: y", " z") },
  ["a folded line, by a tab"] = { get("X: y", "\tz") },
  ["a blank before the first header"] = { lines("GET / HTTP/1.1", " Host: a") },
  ["an LF at the end of a header"] = { "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" },
  ["an LF at the end of the request line"] = { "GET / HTTP/1.1\nHost: a\r\n\r\n" },
  ["an LF for the empty line"] = { "GET / HTTP/1.1\r\nHost: a\r\n\n" },
  ["no target"] = { lines("GET HTTP/1.1", "Host: a") },
  ["a target without a slash"] = { lines("GET index.html HTTP/1.1", "Host: a") },
  ["a target with a fragment"] = { lines("GET /#a HTTP/1.1", "Host: a") },
  ["two blanks in the request line"] = { lines("GET  / HTTP/1.1", "Host: a") },
  ["a tab in the request line"] = { lines("GET\t/ HTTP/1.1", "Host: a") },
  ["a blank at the end of the request line"] = { lines("GET / HTTP/1.1 ", "Host: a") },
  ["a blank before the method"] = { " " .. get() },
  ["a method that is no token"] = { lines("G(ET / HTTP/1.1", "Host: a") },
  ["HTTP/0.9"] = { "GET /\r\n\r\n" },
  ["HTTP/2.0"] = { lines("GET / HTTP/2.0", "Host: a"), 505 },
  ["HTTP/1.2"] = { lines("GET / HTTP/1.2", "Host: a"), 505 },
  ["HTTP/1.10"] = { lines("GET / HTTP/1.10", "Host: a") },
  ["another protocol"] = { lines("GET / HTTPS/1.1", "Host: a") },
  ["the protocol in lower case"] = { lines("GET / http/1.1", "Host: a") },
  ["what TLS begins with"] = { "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" },
  ["CONNECT to a path"] = { lines("CONNECT / HTTP/1.1", "Host: a") },
  ["the asterisk form of GET"] = { lines("GET * HTTP/1.1", "Host: a") },
  -- framing
  ["a length with a plus"] = { post "Content-Length: +5" .. "hello" },
  ["a length with a minus"] = { post "Content-Length: -5" .. "hello" },
  ["a length in hexadecimal"] = { post "Content-Length: 0x5" .. "hello" },
  ["a length with an underscore"] = { post "Content-Length: 1_0" .. "0123456789" },
  ["a length with a point"] = { post "Content-Length: 5.0" .. "hello" },
  ["a length with an exponent"] = { post "Content-Length: 1e1" .. "0123456789" },
  ["an empty length"] = { post "Content-Length:" .. "hello" },
  ["a length with words behind it"] = { post "Content-Length: 5 bytes" .. "hello" },
  ["a length that overflows"] = { post "Content-Length: 18446744073709551621" .. "hello" },
  ["two lengths"] = { post("Content-Length: 5", "Content-Length: 6") .. "hello" },
  ["the same length twice"] = { post("Content-Length: 5", "Content-Length: 5") .. "hello" },
  ["a list of lengths"] = { post "Content-Length: 5, 5" .. "hello" },
  ["a length and chunks"] = { post("Content-Length: 5", CHUNKED) .. "0\r\n\r\n" },
  ["chunks and a length"] = { post(CHUNKED, "Content-Length: 5") .. "0\r\n\r\n" },
  ["chunked twice"] = { post "Transfer-Encoding: chunked, chunked" .. "0\r\n\r\n" },
  ["chunked in two fields"] = { post(CHUNKED, CHUNKED) .. "0\r\n\r\n" },
  ["chunked that is not the last"] = { post "Transfer-Encoding: chunked, identity" .. "0\r\n\r\n" },
  ["identity"] = { post "Transfer-Encoding: identity" .. "hello" },
  ["another coding before chunked"] = { post "Transfer-Encoding: gzip, chunked" .. "0\r\n\r\n", 501 },
  ["another coding alone"] = { post "Transfer-Encoding: gzip" },
  ["a no-break space before chunked"] = { post "Transfer-Encoding: \xa0chunked" .. "0\r\n\r\n" },
  ["a vertical tab before chunked"] = { post "Transfer-Encoding: \vchunked" .. "0\r\n\r\n" },
  ["chunked in quotes"] = { post 'Transfer-Encoding: "chunked"' .. "0\r\n\r\n" },
  ["chunked with a parameter"] = { post "Transfer-Encoding: chunked;a=b" .. "0\r\n\r\n" },
  ["xchunked"] = { post "Transfer-Encoding: xchunked" .. "0\r\n\r\n" },
  ["an empty coding"] = { post "Transfer-Encoding:" .. "0\r\n\r\n" },
  ["a coding with a blank before the colon"] = { post "Transfer-Encoding : chunked" .. "0\r\n\r\n" },
  ["a coding in HTTP/1.0"] = { lines("POST / HTTP/1.0", "Host: a", CHUNKED) .. "0\r\n\r\n" },
  ["a chunk with a plus"] = { post(CHUNKED) .. "+5\r\nhello\r\n0\r\n\r\n" },
  ["a chunk with a minus"] = { post(CHUNKED) .. "-5\r\nhello\r\n0\r\n\r\n" },
  ["a chunk with 0x"] = { post(CHUNKED) .. "0x5\r\nhello\r\n0\r\n\r\n" },
  ["a chunk with an underscore"] = { post(CHUNKED) .. "0_5\r\nhello\r\n0\r\n\r\n" },
  ["a chunk with a blank before its size"] = { post(CHUNKED) .. " 5\r\nhello\r\n0\r\n\r\n" },
  ["a chunk without a size"] = { post(CHUNKED) .. "\r\nhello\r\n0\r\n\r\n" },
  ["a chunk with an extension alone"] = { post(CHUNKED) .. ";a\r\nhello\r\n0\r\n\r\n" },
  ["a chunk of a size that overflows"] = { post(CHUNKED) .. "10000000000000005\r\nhello\r\n0\r\n\r\n", 413 },
  ["a chunk that is no number"] = { post(CHUNKED) .. "xyz\r\nhello\r\n0\r\n\r\n" },
  ["a chunk that is longer than it says"] = { post(CHUNKED) .. "4\r\nhello\r\n0\r\n\r\n" },
  ["a chunk that ends with two other bytes"] = { post(CHUNKED) .. "5\r\nhelloXX0\r\n\r\n" },
  ["a chunk that ends with LF"] = { post(CHUNKED) .. "5\r\nhello\n0\r\n\r\n" },
  ["a chunk's size that ends with LF"] = { post(CHUNKED) .. "5\nhello\r\n0\r\n\r\n" },
  ["an LF in a chunk's extension"] = { post(CHUNKED) .. "5;a\nb\r\nhello\r\n0\r\n\r\n" },
  ["a CR in a chunk's extension"] = { post(CHUNKED) .. "5;a\rb\r\nhello\r\n0\r\n\r\n" },
  ["a trailer that is none"] = { post(CHUNKED) .. "0\r\nno colon\r\n\r\n" },
  ["a folded trailer"] = { post(CHUNKED) .. "0\r\nX: y\r\n z\r\n\r\n" },
  ["a trailer with LF"] = { post(CHUNKED) .. "0\r\nX: y\n\r\n" },
  -- limits
  ["a request line that is too long"] = {
    lines("GET /" .. ("a"):rep(9000) .. " HTTP/1.1", "Host: a"), 414, whole = true,
  },
  ["a header that is too long"] = { get("X: " .. ("a"):rep(70000)), 431, whole = true },
  ["too many headers"] = { get(("A: b\r\n"):rep(300) .. "C: d"), 431, whole = true },
}

local LAST = lines("GET /last HTTP/1.1", "Host: a", "Connection: close")

-- All answers up to the end: their statuses, and their bodies in one string.
local function read_all(bytes)
  local statuses, bodies, at = {}, {}, 1
  while at <= #bytes do
    local status, head, after = bytes:match("^HTTP/1%.1 (%d%d%d) [^\r\n]*\r\n(.-\r\n)\r\n()", at)
    assert(status, "no answer: " .. bytes:sub(at, at + 100))
    local length = tonumber(head:match "Content%-Length: (%d+)\r\n" or 0)
    statuses[#statuses + 1] = tonumber(status)
    bodies[#bodies + 1] = bytes:sub(after, after + length - 1)
    at = after + length
  end
  return statuses, bodies
end

for kind, program in pairs(KINDS) do
  describe("a server of " .. kind, function()
    local server
    setup(function() server = httpd.start(program) end)
    teardown(keep.close)

    for name, case in pairs(GOOD) do
      it("answers " .. name .. ", at every cut", function()
        for _, size in ipairs { #case[1] + #LAST, 1, 2, 3 } do
          local statuses, bodies = read_all(httpd.ask(server, case[1] .. LAST, size))
          assert.equal(case[2] .. "[GET /last ]", table.concat(bodies), size .. " at a time")
          for _, status in ipairs(statuses) do assert.equal(200, status) end
        end
      end)
    end

    for name, case in pairs(BAD) do
      it("refuses " .. name .. ", at every cut", function()
        for _, size in ipairs(case.whole and { #case[1] + #LAST } or { #case[1] + #LAST, 1, 2, 3 }) do
          local socket <close> = httpd.dial(server)
          httpd.send(socket, case[1] .. (case.cut and "" or LAST), size)
          if case.cut then socket:shutdown(1) end
          local statuses = read_all(httpd.rest(socket))
          assert.same({ case[2] or 400 }, statuses, size .. " at a time")
        end
      end)
    end
  end)
end

describe("the answer to a refused request", function()
  after_each(keep.close)

  it("reaches a client that is still sending", function()
    local server = httpd.start(KINDS.serve)
    for _ = 1, 5 do
      local bytes = httpd.ask(server, "nonsense\r\n\r\n" .. ("x"):rep(500000))
      assert.matches("^HTTP/1.1 400 Bad Request\r\n.*Connection: close\r\n", bytes)
    end
  end)
end)
