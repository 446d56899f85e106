-- Packed bodies: gzip and deflate.
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"
local found, zlib = pcall(require, "zlib")

after_each(keep.close)

describe("a packed body", function()
  if not found then return it("needs lua-zlib", function() pending "no lua-zlib" end) end

  local text = ("line %d of many\n"):rep(1000):gsub("%%d", "one")
  local function pack(bytes, window) return (zlib.deflate(9, window)(bytes, "finish")) end

  local function serve(coding, body, size)
    return keep(http_server.saying(
      ("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s"):format(coding, #body, body), size))
  end

  local function get(coding, body, options, size)
    local server = serve(coding, body, size)
    options = options or {}
    options.timeout = tls.LIMIT
    return http.get(server.url, options), server
  end

  local function why(...)
    local response, err = http.get(...)
    assert.is_nil(response)
    return err
  end

  it("is unpacked in each form, cut anywhere", function()
    for _, case in ipairs {
      { "gzip", pack(text, 31) }, { "x-gzip", pack(text, 31) }, { "GZIP", pack(text, 31) },
      { "deflate", pack(text, 15) }, { "deflate", pack(text, -15) },
      { "gzip", pack(text:sub(1, 100), 31) .. pack(text:sub(101), 31) }, { "identity", text }, { "br", text },
    } do
      for _, size in ipairs { 1, 2, 3, 100000 } do
        local response = assert(get(case[1], case[2], nil, size))
        assert.equal(text, response.body, case[1])
        keep.close()
      end
    end
    assert.equal("", assert(get("gzip", "")).body)
    local _, server = get("gzip", "")
    assert.matches("\r\nAccept%-Encoding: gzip, deflate\r\n", (server:request()))
  end)

  it("is read in each way, and its connection is used again", function()
    local packed = pack(text, 31)
    local server = keep(http_server.start(function(conn, number)
      while conn:request() do conn:answer(packed, ("Content-Encoding: gzip\r\nNumber: %d\r\n"):format(number)) end
    end))
    local session = keep(http.Session { timeout = tls.LIMIT, proxies = false })
    for _, way in ipairs {
      function(r) return r:read() end,
      function(r) return r:read "a" end,
      function(r) return table.concat(r:readlines()) end,
      function(r)
        local parts = {}
        for line in r:lines "L" do parts[#parts + 1] = line end
        return table.concat(parts)
      end,
      function(r)
        local parts = {}
        repeat parts[#parts + 1] = assert(r:read(7)) until parts[#parts] == ""
        return table.concat(parts)
      end,
      function(r)
        local parts = {}
        repeat parts[#parts + 1] = assert(r:read1(7)) until parts[#parts] == ""
        return table.concat(parts)
      end,
    } do
      local response = assert(session:get(server.url, { stream = true }))
      assert.equal("1", response.headers.number)
      assert.equal(text, way(response))
      assert.is_true(response:isclosed())
    end
  end)

  it("stays packed when that is wanted", function()
    local packed = pack(text, 31)
    local response, server = get("gzip", packed, { decode = false })
    assert.equal(packed, response.body)
    assert.matches("Accept%-Encoding: identity", (server:request()))
  end)

  it("that is malformed, cut, or has something behind it is an error", function()
    local packed = pack(text, 31)
    for _, case in ipairs {
      { "gzip", "nonsense" }, { "gzip", packed:sub(1, -2) }, { "gzip", packed:sub(1, 20) }, { "gzip", packed .. "x" },
      { "gzip", (packed:gsub("....$", "\0\0\0\0")) }, { "deflate", pack(text, 15) .. "x" }, { "deflate", "x" },
    } do
      for _, size in ipairs { 1, 100000 } do
        local server = serve(case[1], case[2], size)
        assert.equal("ContentDecodingError", why(server.url, { timeout = tls.LIMIT }).name, case[2]:sub(1, 10))
        keep.close()
      end
    end
  end)

  it("whose connection is cut is an error of the connection", function()
    local packed = pack(text, 31)
    local server = keep(http_server.saying(
      ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"):format(#packed + 1, packed)))
    assert.matches("ended in the middle", tostring(why(server.url, { timeout = tls.LIMIT })))
  end)

  it("that grows beyond the limit is an error, though it came small", function()
    local bomb = pack(("\0"):rep(50000000), 31)
    assert.is_true(#bomb < 100000)
    local server = serve("gzip", bomb)
    collectgarbage()
    local before = collectgarbage "count"
    assert.equal("ResponseTooLong", why(server.url, { timeout = tls.LIMIT, limit = 1000000 }).name)
    assert.is_true(collectgarbage "count" - before < 20000)
  end)

  it("is neither asked for nor unpacked without lua-zlib", function()
    local server = serve("gzip", "packed")
    local process = require "spec.support.process"
    local status, out, err = process.run { process.interpreter, "-e", ([[
      package.preload.zlib = function() error "absent" end
      print(assert(require "csock.http".get("%s", { timeout = 10, proxies = false })).body)
    ]]):format(server.url) }
    assert.same({ 0, "packed\n", "" }, { status, out, err })
    assert.matches("\r\nAccept%-Encoding: identity\r\n", (server:request()))
  end)

  it("of HEAD is none", function()
    local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n")
    assert.equal("", assert(http.head(server.url, { timeout = tls.LIMIT })).body)
  end)
end)
