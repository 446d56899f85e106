-- Downloads that go on where they were cut.
local csock = require "csock"
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"

local BODY = tls.pattern(100000)

local name

before_each(function() name = os.tmpname() end)

after_each(function()
  keep.close()
  os.remove(name)
end)

local function content()
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

local function write(bytes)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(bytes))
end

-- A server of BODY that knows ranges and hangs up after `most` bytes of each answer.
local function ranges(most, etag)
  return keep(http_server.start(function(conn, number)
    local text = conn:request()
    local from = tonumber(text:match "\r\nRange: bytes=(%d+)%-\r\n") or 0
    local tag = etag and etag(number) or '"v1"'
    local condition = text:match "\r\nIf%-Range: ([^\r]*)\r\n"
    if condition and condition ~= tag then from = 0 end
    local lines = ("ETag: %s\r\nContent-Length: %d\r\n"):format(tag, #BODY - from)
    if from >= #BODY then
      return conn:answer("", ("Content-Range: bytes */%d\r\n"):format(#BODY), "416 X")
    end
    if from > 0 then
      lines = "206 Partial Content\r\n" .. lines .. ("Content-Range: bytes %d-%d/%d\r\n"):format(from, #BODY - 1, #BODY)
    else
      lines = "200 OK\r\n" .. lines
    end
    conn:send("HTTP/1.1 " .. lines .. "\r\n" .. BODY:sub(from + 1, most and from + most))
  end))
end

describe("a download", function()
  for how, run in pairs(streams.ways) do
    it("goes on after a cut, where that was " .. how, function()
      local server = ranges(40000)
      run(function()
        local last
        local response = assert(http.download(server.url, name, {
          timeout = tls.LIMIT, on_download = function(n, total) last = { n, total } end,
        }))
        assert.same({ 100000, 100000 }, { response.received, response.size })
        assert.same({ 100000, 100000 }, last)
        assert.equal(BODY, content())
      end)
      assert.not_matches("Range", (server:request()))
      assert.matches('\r\nIf%-Range: "v1"\r\nRange: bytes=40000%-\r\n', (server:request()))
      assert.matches("Range: bytes=80000%-", (server:request()))
    end)
  end

  it("ends after so many cuts, with what has come", function()
    local server = ranges(10000)
    local response, err = http.download(server.url, name, { timeout = tls.LIMIT, attempts = 2 })
    assert.is_nil(response)
    assert.matches("ended in the middle", tostring(err))
    assert.equal(BODY:sub(1, 30000), content())
    response = assert(http.download(server.url, name, { timeout = tls.LIMIT, attempts = 9, resume = true }))
    assert.equal(70000, response.received)
    assert.equal(BODY, content())
  end)

  it("begins anew when the file has changed meanwhile", function()
    local server = ranges(nil)
    write("another version")
    local response = assert(http.download(server.url, name, { timeout = tls.LIMIT, resume = '"v0"' }))
    assert.same({ 200, 100000 }, { response.status, response.received })
    assert.equal(BODY, content())
    server = ranges(60000, function(number) return ('"v%d"'):format(number) end)
    assert.is_nil((http.download(server.url, name, { timeout = tls.LIMIT, attempts = 2 })))
    server:request()
    assert.matches('If%-Range: "v1"', (server:request()))
    assert.matches('If%-Range: "v2"', (server:request()))
  end)

  it("that is whole already is done", function()
    write(BODY)
    local response = assert(http.download(ranges().url, name, { timeout = tls.LIMIT, resume = true }))
    assert.same({ 0, 100000 }, { response.received, response.size })
    assert.equal(BODY, content())
  end)

  it("without ranges begins anew, and without `resume` does so at once", function()
    local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    write "something longer"
    assert(http.download(server.url, name, { timeout = tls.LIMIT, resume = true }))
    assert.equal("hello", content())
    assert.matches("Range: bytes=16%-", (server:request()))
    assert(http.download(server.url, name, { timeout = tls.LIMIT }))
    assert.not_matches("Range", (server:request()))
  end)

  it("of another range than was asked for is refused", function()
    write "abc"
    for _, range in ipairs { "bytes 0-4/5", "bytes 4-4/5", "bytes 3-2/5", "bytes x", "" } do
      local server = keep(http_server.saying(("HTTP/1.1 206 X\r\nContent-Range: %s\r\nContent-Length: 2\r\n\r\nxy")
        :format(range)))
      assert.equal(206, select(2, http.download(server.url, name, { timeout = tls.LIMIT, resume = true })).code)
      assert.equal("abc", content())
      keep.close()
    end
  end)

  it("that fails says so, and leaves the rest alone", function()
    local server = keep(http_server.saying "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
    write "what was there before"
    for _, resume in ipairs { false, true } do
      local response, err = http.download(server.url, name, { timeout = tls.LIMIT, resume = resume })
      assert.is_nil(response)
      assert.same({ "HTTPError", 404 }, { err.name, err.code })
      assert.equal("what was there before", content())
    end
    assert.is_nil((http.download("http://127.0.0.1:1/", name, { timeout = tls.LIMIT, proxies = false })))
    assert.equal("what was there before", content())
    assert.equal(csock.errno.ENOENT, select(3, http.download(server.url, "/does/not/exist")))
    server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlong")
    assert.equal(csock.errno.ENOSPC, select(3, http.download(server.url, "/dev/full", { timeout = tls.LIMIT })))
  end)
end)
