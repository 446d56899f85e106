-- Heads of requests and responses: what is found in them, what is refused, the limits.
local http = require "csock.core".http
local vectors = require "spec.http.vectors"

local M = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

-- The fields of `expected`, and of `head` what `expected` may have.
local function same(expected, head)
  for name, value in pairs(expected) do assert.equal(value, head[name], name) end
  assert.equal(expected.upgrade, head.upgrade)
  assert.equal(expected.expect_continue, head.expect_continue)
  if expected.body then assert.equal(expected.length, expected.length and head.length) end
end

local function refuses(case, ...)
  local nothing, err, errno = ...
  assert.is_nil(nothing)
  assert(err, "more was asked for")
  assert.equal(case[2], err.status)
  assert.equal("http", err.kind)
  assert.equal(errno, err.errno)
  if case[3] then assert(err.strerror:find(case[3], 1, true), tostring(err)) end
end

describe("a request's head:", function()
  for name, case in pairs(vectors.requests) do
    local bytes, expected = case[1], case[2]
    if type(expected) == "table" then
      it(name, function()
        local head, next = assert(http.parse_request(bytes .. "more"))
        same(expected, head)
        assert.equal(#bytes + 1, next)
      end)
    else
      it(name .. " is refused with " .. expected, function() refuses(case, http.parse_request(bytes)) end)
    end
  end
end)

describe("a response's head:", function()
  for name, case in pairs(vectors.responses) do
    local bytes, expected = case[1], case[2]
    if type(expected) == "table" then
      it(name, function()
        local head, next = assert(http.parse_response(bytes .. "more", case.method))
        same(expected, head)
        assert.equal(#bytes + 1, next)
      end)
    else
      it(name .. " is refused", function() refuses(case, http.parse_response(bytes, case.method)) end)
    end
  end
end)

describe("the headers of a head", function()
  it("are a list in order, with the names as they were sent, and an index by names in lower case", function()
    local head = assert(http.parse_request(
      "GET / HTTP/1.1\r\nHOST: a\r\nX-One:  1 \t\r\nx-two:2\r\nX-ONE: \xe9\r\nEmpty:\r\nx-one: 3\r\n\r\n"))
    assert.same({
      "HOST", "a", "X-One", "1", "x-two", "2", "X-ONE", "\xe9", "Empty", "", "x-one", "3",
      host = "a", ["x-one"] = "1, \xe9, 3", ["x-two"] = "2", empty = "",
    }, head.headers)
  end)

  it("have names of any length", function()
    for _, n in ipairs { 1, 63, 64, 65, 200 } do
      local name = ("X"):rep(n)
      local head = assert(http.parse_request("GET / HTTP/1.1\r\nHost: a\r\n" .. name .. ": b\r\n\r\n"))
      assert.equal("b", head.headers[name:lower()])
      assert.equal(name, head.headers[3])
    end
  end)

  it("may have every printing character in a value, at every place", function()
    for byte = 0, 255 do
      local c = string.char(byte)
      local fine = byte == 9 or (byte >= 32 and byte ~= 127)
      for at = 0, 16 do
        local value = ("v"):rep(at + 1) .. c .. ("w"):rep(17 - at)
        local head = http.parse_request("GET / HTTP/1.1\r\nHost: a\r\nX: " .. value .. "\r\n\r\n")
        assert.equal(fine, head ~= nil, "byte " .. byte)
        if fine then assert.equal(value, head.headers.x) end
      end
    end
  end)

  it("may have every character of a token in a name, and no other", function()
    for byte = 0, 255 do
      local c = string.char(byte)
      local head = http.parse_request("GET / HTTP/1.1\r\nHost: a\r\nX" .. c .. "Y: z\r\n\r\n")
      assert.equal(c:find "^[%w!#$%%&'*+%-.^_`|~]" ~= nil or c == ":", head ~= nil, "byte " .. byte)
    end
  end)
end)

describe("a head that is not complete", function()
  it("is nil, and nothing else", function()
    for n = 0, #M - 1 do assert.same({ n = 1 }, table.pack(http.parse_request(M:sub(1, n)))) end
  end)

  it("may begin in the middle of the bytes", function()
    local head, next = http.parse_request(M .. M, #M + 1)
    assert.equal("a", head.headers.host)
    assert.equal(2 * #M + 1, next)
    assert.is_nil(http.parse_request(M, #M + 1))
    assert.has_error(function() http.parse_request(M, #M + 2) end)
    assert.has_error(function() http.parse_request(M, 0) end)
  end)
end)

describe("limits", function()
  local function limited(options, bytes) return http.parse_request(bytes, 1, http.limits(options)) end

  -- The largest value of the option with which `bytes` are refused is one below the smallest with which they are not.
  local function limit(name, at, status, bytes)
    assert(limited({ [name] = at }, bytes))
    refuses({ nil, status }, limited({ [name] = at - 1 }, bytes))
    local err = select(2, limited({ [name] = at - 1 }, bytes))
    assert.equal("EMSGSIZE", err.name)
  end

  it("are kept to the byte", function()
    limit("line", 14, 414, M)
    limit("field", 7, 431, M)
    limit("fields", 1, 431, M)
    limit("head", #M, 431, M)
    limit("head", #M + 2, 431, "\r\n" .. M)
    limit("body", 5, 413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
  end)

  it("refuse a message before it is complete", function()
    refuses({ nil, 414 }, limited({ line = 10 }, "GET /123456789"))
    refuses({ nil, 431 }, limited({ field = 10 }, "GET / HTTP/1.1\r\nX: 123456789"))
    refuses({ nil, 431 }, limited({ head = 20 }, "GET / HTTP/1.1\r\nX: 123456789"))
  end)

  it("are 8192 bytes for the first line, 100 headers, and 65536 bytes for all unless told", function()
    local function line(n) return "GET /" .. ("a"):rep(n - 14) .. " HTTP/1.1\r\nHost: a\r\n\r\n" end
    assert(http.parse_request(line(8192)))
    refuses({ nil, 414 }, http.parse_request(line(8193)))
    local function fields(n) return "GET / HTTP/1.1\r\nHost: a\r\n" .. ("a: b\r\n"):rep(n - 1) .. "\r\n" end
    assert(http.parse_request(fields(100)))
    refuses({ nil, 431 }, http.parse_request(fields(101)))
    refuses({ nil, 431 }, http.parse_request(M:sub(1, -3) .. ("a: " .. ("b"):rep(16000) .. "\r\n"):rep(5)))
    assert(http.parse_request(fields(256), 1, http.limits { fields = 256 }))
  end)

  it("must be numbers that make sense", function()
    for _, options in ipairs {
      { line = 0 }, { fields = 257 }, { fields = -1 }, { body = -1 }, { body = 1.5 }, { body = "1" }, { lines = 1 },
      { trailer = 1 },
    } do
      assert.has_error(function() http.limits(options) end)
    end
    assert.has_error(function() http.parse_request(M, 1, {}) end)
    assert(http.parse_request(M, 1, http.limits { body = false }))
  end)
end)
