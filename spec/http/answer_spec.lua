-- Heads of answers, and the fields of requests when they are asked for (csrc/http/answer.c, push.c).
local csock = require "csock"
local headers = require "csock.wire.headers"
local http = require("csock.core").http

local compose = http.composer("test/1", { [200] = "OK", [204] = "No Content" }, getmetatable(headers.new()))
local GET = { method = "GET", version = 11, keep_alive = true }

-- The lines of a head, without Date, and what else compose gives.
local function lines(...)
  local head, framing, keep, length = compose(...)
  assert(head, framing)
  local list = {}
  for line in head:gmatch "(.-)\r\n" do
    if not line:find "^Date: %a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$" then list[#list + 1] = line end
  end
  return list, framing, keep, length
end

describe("the head of an answer", function()
  it("has the server's lines behind the program's", function()
    local list, framing, keep, length = lines(GET, 200, { Name = "value" }, 3)
    assert.same({ "HTTP/1.1 200 OK", "Name: value", "Server: test/1", "Content-Length: 3", "" }, list)
    assert.same({ "length", true, 3 }, { framing, keep, length })
  end)

  it("has a Date that is now", function()
    local date = compose(GET, 200):match "Date: ([^\r]+)"
    assert.near(os.time(), require("csock.wire.dates").parse_http(date), 2)
  end)

  it("takes fields in a sequence, in a block, with numbers and with several values", function()
    for _, fields in ipairs {
      { "A", "b", "C", 1, "C", 2.5 }, headers.new { "A", "b", "C", 1, "C", 2.5 },
    } do
      assert.same({ "HTTP/1.1 200 OK", "A: b", "C: 1", "C: 2.5", "Server: test/1", "Content-Length: 0", "" },
        (lines(GET, 200, fields, 0)))
    end
    assert.same({ "HTTP/1.1 200 OK", "C: 1", "C: two", "Server: test/1", "Content-Length: 0", "" },
      (lines(GET, 200, { C = { 1, "two" } }, 0)))
  end)

  it("leaves Server, Date and Connection to a program that says them", function()
    local fields = { "Server", "mine", "Date", "today", "Connection", "Close" }
    local list, _, keep = lines(GET, 200, fields, 0)
    table.remove(list, 1)
    assert.same({ "Server: mine", "Date: today", "Connection: Close", "Content-Length: 0", "" }, list)
    assert.is_false(keep)
  end)

  it("decides how the body goes", function()
    local old = { method = "GET", version = 10, keep_alive = true }
    local ask = { method = "GET", bodiless = true, version = 11, keep_alive = true }
    for _, case in ipairs {
      { GET, 200, nil, nil, "chunked", true }, { old, 200, nil, nil, "close", false },
      { GET, 200, { ["content-length"] = "7" }, nil, "length", true, 7 },
      { GET, 204, nil, 0, "none", true }, { GET, 304, nil, 0, "none", true }, { GET, 205, nil, 9, "none", true, 0 },
      { ask, 200, nil, 5, "none", true, 5 }, { ask, 200, nil, nil, "none", true },
    } do
      local _, framing, keep, length = lines(case[1], case[2], case[3], case[4])
      assert.same({ case[5], case[6], case[7] }, { framing, keep, length })
    end
  end)

  it("says what is wrong with an answer", function()
    for words, case in pairs {
      ["the status of an answer is 99"] = { 99 }, ["the status of an answer is OK"] = { "OK" },
      ["the status of an answer is 101"] = { 101 },
      ["the fields of an answer are a string"] = { 200, "A: b" },
      ["the value of A is no line: 'b\\x0d\\x0aC: d'"] = { 200, { A = "b\r\nC: d" } },
      ["the value of A is no line: 'b\\x00'"] = { 200, { A = { "a", "b\0" } } },
      ["the value of A is a table"] = { 200, { A = { {} } } }, ["the value of A is a boolean"] = { 200, { A = true } },
      ["the value of A is a nil"] = { 200, { "A" } },
      ["\"A B\" cannot be the name of a field"] = { 200, { ["A B"] = "c" } },
      ["\"\" cannot be the name of a field"] = { 200, { [""] = "c" } },
      ["a number cannot be the name of a field"] = { 200, { [2] = "c" } },
      ["Transfer-encoding is the server's to say"] = { 200, { ["Transfer-encoding"] = "chunked" } },
      ["\"0x5\" is no Content-Length"] = { 200, { ["Content-Length"] = "0x5" } },
      ["\"1000000000000000000\" is no Content-Length"] = { 200, { ["Content-Length"] = "1" .. ("0"):rep(18) } },
      ["Content-Length is 3, and the body has 4 bytes"] = { 200, { ["Content-Length"] = 3 }, 4 },
    } do
      assert.same({ nil, words }, { compose(GET, table.unpack(case, 1, 3)) })
    end
  end)

  it("is not made of a block whose inside is none", function()
    for _, inside in ipairs { false, "s", 5 } do
      local block = headers.new { "A", "b" }
      rawset(block, 1, inside or nil)
      assert.same({ nil, "the fields of an answer are a " .. type(inside or nil) }, { compose(GET, 200, block) })
    end
    assert.error_matches(function() getmetatable(headers.new()).__index("A", "b") end, "table expected")
  end)

  it("has no phrase that is no line", function()
    local own = http.composer("test/1", { [200] = "OK\r\nA: b", [201] = "a\0" }, getmetatable(headers.new()))
    for status = 200, 201 do
      assert.matches("^HTTP/1.1 " .. status .. " Unknown\r\nServer", (own(GET, status)))
    end
  end)

  it("has nothing of an answer that was refused before it", function()
    assert.is_nil((compose(GET, 200, { "A", "b", "C", "\n" }, 0)))
    assert.same({ "HTTP/1.1 200 OK", "Server: test/1", "Content-Length: 0", "" }, (lines(GET, 200, nil, 0)))
  end)
end)

describe("a request that is to be answered", function()
  local client, asked, stream

  before_each(function()
    client, asked = assert(csock.socketpair())
    stream = assert(asked:makefile())
  end)

  after_each(function()
    for _, object in ipairs { stream, asked, client } do object:close() end
  end)

  it("has its fields as lines until they are asked for", function()
    local read = http.server {}
    assert(client:sendall "\r\nGET /a?b HTTP/1.0\r\nA: b \r\na:c\r\n\r\n")
    assert(client:sendall "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
    local first = assert(read(stream, nil, nil, "mine"))
    assert.same({ method = "GET", target = "/a?b", version = 10, keep_alive = false, framing = "none",
      lines = "A: b \r\na:c\r\n\r\n", link = "mine" }, first)
    assert.same({ "A", "b", "a", "c", a = "b, c" }, http.fields(first.lines))
    local second = assert(read(stream))
    assert.same({ "length", 3, true }, { second.framing, second.length, second.keep_alive })
  end)

  it("is known for one whose answer has no body", function()
    assert(client:sendall "HEAD / HTTP/1.0\r\n\r\nhead / HTTP/1.0\r\n\r\n")
    local read = http.server {}
    assert.is_true(assert(read(stream)).bodiless)
    assert.is_nil(assert(read(stream)).bodiless)
  end)

  it("may have no fields", function()
    assert(client:sendall "GET / HTTP/1.0\r\n\r\n")
    local request = assert(http.server {}(stream))
    assert.equal("", request.lines)
    assert.same({}, http.fields(request.lines))
  end)

  it("is refused as every head is", function()
    assert(client:sendall "GET / HTTP/1.1\r\n\r\n")
    local request, err = http.server {}(stream)
    assert.is_nil(request)
    assert.equal(400, err.status)
  end)
end)
