-- Bodies in chunks, by the decoder that is fed with strings.
local http = require "csock.core".http
local vectors = require "spec.http.vectors"

-- Feeds `bytes` in pieces of `size` bytes; gives the body, what was not used and the decoder, or the error.
local function decode(bytes, size, limits)
  local decoder, body = http.decoder(limits), {}
  for i = 1, #bytes, size do
    local piece = bytes:sub(i, i + size - 1)
    local part, next, done = decoder:feed(piece)
    if not part then
      assert.same(next.strerror, select(2, decoder:feed "0\r\n\r\n").strerror)
      return nil, next, done
    end
    body[#body + 1] = part
    if done then return table.concat(body), piece:sub(next) .. bytes:sub(i + size), decoder end
    assert.equal(#piece + 1, next)
  end
  return nil, "cut"
end

describe("a body in chunks:", function()
  for name, case in pairs(vectors.chunks) do
    local bytes, expected = case[1], case[2]
    if bytes:find "\r\n\r\n$" and decode(bytes, #bytes) then
      it(name, function()
        for size = 1, #bytes + 4 do
          local body, rest, decoder = decode(bytes .. "more", size)
          assert.equal(expected, body)
          assert.equal("more", rest)
          assert.same(case.trailers or {}, decoder:trailers())
        end
      end)
    else
      it(name .. " is refused, and stays so", function()
        for size = 1, #bytes do
          local body, err, errno = decode(bytes, size)
          assert.is_nil(body)
          assert(err.strerror:find(expected, 1, true), tostring(err))
          assert.equal("EBADMSG", err.name)
          assert.equal(err.errno, errno)
          assert.equal(400, err.status)
        end
      end)
    end
  end

  it("has any number of chunks", function()
    local chunk = "5;a=b\r\nhello\r\n"
    for _, n in ipairs { 255, 256, 257, 1000 } do
      assert.equal(("hello"):rep(n), (decode(chunk:rep(n) .. "0\r\n\r\n", 3)))
    end
  end)

  it("is begun anywhere in a string, and ended", function()
    local decoder = http.decoder()
    assert.same({ "hello", 20, true }, { decoder:feed("head5\r\nhello\r\n0\r\n\r\nmore", 5) })
    assert.same({ "", 1, true }, { decoder:feed "more" })
  end)
end)

describe("limits of chunks", function()
  local function refused(status, text, options, bytes)
    for size = 1, #bytes, #bytes // 20 + 1 do
      local body, err = decode(bytes, size, http.limits(options))
      assert.is_nil(body)
      assert(tostring(err):find(text, 1, true), tostring(err))
      assert.equal(status, err.status)
    end
  end

  it("are kept to the byte", function()
    local three = "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert.equal("abc", (decode(three, 1, http.limits { body = 3 })))
    refused(413, "body", { body = 2 }, three)
    refused(413, "body", { body = 1000 }, "ffffffffffffffff\r\n")
    assert.equal("a", (decode("1;abc\r\na\r\n0;def\r\n\r\n", 1, http.limits { extension = 4 })))
    refused(400, "extensions", { extension = 3 }, "1;abc\r\na\r\n0\r\n\r\n")
    assert.equal("", (decode("0\r\nX: y\r\n\r\n", 1, http.limits { trailer = 8 })))
    refused(431, "trailers", { trailer = 7 }, "0\r\nX: y\r\n\r\n")
    refused(431, "more header lines", { fields = 1 }, "0\r\nX: y\r\nX: y\r\n\r\n")
    refused(431, "header line", { field = 3 }, "0\r\nX: y\r\n\r\n")
    refused(431, "trailers", { trailer = 2 }, "0\r\nX: y\r\n\r\n")
  end)

  it("are 8192 bytes of trailers and 4096 of an extension unless told", function()
    local value = ("v"):rep(8192 - 7)
    assert.equal("", (decode("0\r\nX: " .. value .. "\r\n\r\n", 1000)))
    refused(431, "trailers", {}, "0\r\nX: " .. value .. "v\r\n\r\n")
    assert.equal("", (decode("0;" .. ("v"):rep(4095) .. "\r\n\r\n", 1000)))
    refused(400, "extensions", {}, "0;" .. ("v"):rep(4096) .. "\r\n\r\n")
  end)
end)
