-- What is tried with a failing allocator of the parser of HTTP; see allocations.lua.
local HEAD = "POST /a HTTP/1.1\r\nHost: a\r\n" .. ("X"):rep(100) .. ": b\r\nC: " .. ("d"):rep(100) .. "\r\nc: e\r\n"
local CHUNKS = "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n"

local function load_http()
  return require "csock.core".http
end

-- A stream that has received `bytes` and then its end.
local function fed(bytes)
  return function()
    local csock = require "csock"
    local a, b = assert(csock.socketpair())
    local stream = assert(b:makefile())
    assert(a:sendall(bytes))
    a:close()
    return load_http(), stream, b
  end
end

return {
  ["parse_request"] = {
    prepare = load_http,
    run = function(http)
      local head, next = http.parse_request(HEAD .. "\r\n", 1, http.limits { fields = 10 })
      assert(#head.headers == 8 and next == #HEAD + 3)
    end,
  },
  ["parse_response"] = {
    prepare = load_http,
    run = function(http) assert(http.parse_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n").headers.a == "b") end,
  },
  ["a refusal"] = {
    prepare = load_http,
    run = function(http) assert(select(2, http.parse_request "GET /\r\n").status == 400) end,
  },
  ["block_index"] = {
    prepare = load_http,
    run = function(http)
      local index = http.block_index { method = 1 }
      assert(index({ { a = 2 } }, "method") == 1 and index({ { a = 2 } }, "A") == 2)
    end,
  },
  ["merge and encode"] = {
    prepare = load_http,
    run = function(http)
      local usual = { { "A", "b", a = "b" } }
      local long = { { "Host", "a", ("X"):rep(100), ("c"):rep(2000), "Host", "d", host = "a, d" } }
      local merged = http.merge(usual, nil, long)
      assert(merged.host == "a, d" and merged[("x"):rep(100)] == ("c"):rep(2000))
      assert(#http.encode({ merged }, "GET", "/", "B: c\r\n") > 2100)
    end,
  },
  ["quiet"] = {
    prepare = function()
      local csock = require "csock"
      local a, b = assert(csock.socketpair())
      b:settimeout(0)
      return load_http(), assert(b:makefile()), a
    end,
    run = function(http, stream) assert(http.quiet(stream)) end,
  },
  ["lower"] = {
    prepare = load_http,
    run = function(http) assert(http.lower("A\xC4" .. ("B"):rep(100)) == "a\xC4" .. ("b"):rep(100)) end,
  },
  ["decoder"] = {
    prepare = load_http,
    run = function(http)
      local decoder, body = http.decoder(), {}
      for byte in CHUNKS:gmatch "." do
        body[#body + 1] = assert(decoder:feed(byte))
      end
      assert(table.concat(body) == "hello world" and decoder:trailers().x == "y")
    end,
  },
  ["read_request, and a body in chunks"] = {
    prepare = fed(HEAD .. "Transfer-Encoding: chunked\r\n\r\n" .. CHUNKS),
    run = function(http, stream)
      local head = assert(http.read_request(stream))
      local body = assert(http.body(stream, head.body))
      assert(assert(body:read "a") == "hello world")
      assert(http.body_trailers(body).x == "y" and http.body_ended(body))
      body:close()
    end,
  },
  ["a request that is to be answered, and its fields"] = {
    prepare = fed(HEAD .. "Content-Length: 1\r\n\r\na"),
    run = function(http, stream)
      local class = {}
      local request = assert(http.server(class)(stream, nil, nil, "link"))
      assert(getmetatable(request) == class and request.link == "link" and request.length == 1)
      assert(http.fields(request.lines).host == "a")
    end,
  },
  ["the head of an answer"] = {
    prepare = load_http,
    run = function(http)
      local compose = http.composer("csock", { [200] = "OK" }, {})
      local fields = { A = "b", N = { 1, 2.5 }, Long = ("x"):rep(5000) }
      local head, framing = compose({ method = "GET", version = 11, keep_alive = true }, 200, fields, 3)
      assert(#head > 5000 and framing == "length")
      assert(compose({ method = "GET", version = 11 }, 200, { A = "b\n" }) == nil)
    end,
  },
  ["read_response, and its body"] = {
    prepare = fed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    run = function(http, stream)
      local head = assert(http.read_response(stream, "GET"))
      assert(head.bytes == "hello")
    end,
  },
  ["a body that is cut"] = {
    prepare = fed "hell",
    run = function(http, stream)
      local text, err = http.body(stream, "length", 5):read "a"
      assert(text == nil and (err.name == "EBADMSG" or error(err)))
    end,
  },
  ["open, a file and a directory"] = {
    prepare = load_http,
    run = function(http)
      local file <close> = assert(http.open(".", "spec/http/vectors.lua"))
      assert(#file:pread(10, 3) == 10)
      local directory <close> = assert(http.open(".", "spec/http"))
      assert(#directory:names() > 3)
    end,
  },
}
