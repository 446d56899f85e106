-- csock.buffer.
local csock = require "csock"
local streams = require "spec.support.streams"

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

after_each(streams.close_all)

describe("csock.buffer", function()
  it("makes so many bytes, all zero", function()
    local b = csock.buffer(5)
    assert.equal(5, #b)
    assert.equal("\0\0\0\0\0", b:tostring())
  end)

  it("copies a string, zero bytes and all", function()
    local b = csock.buffer("a\0b")
    assert.equal(3, #b)
    assert.equal("a\0b", b:tostring())
  end)

  it("may be empty", function()
    assert.equal(0, #csock.buffer(0))
    assert.equal("", csock.buffer(""):tostring())
  end)

  it("refuses sizes that are negative, fractional, huge or no number", function()
    raises("bad argument #1", csock.buffer, -1)
    raises("no integer representation", csock.buffer, 1.5)
    raises("bad argument #1", csock.buffer, 1 << 40)
    raises("bad argument #1", csock.buffer, math.mininteger)
    raises("number expected", csock.buffer, {})
    raises("bad argument #1", csock.buffer)
  end)

  it("describes itself by its size", function()
    assert.equal("<csock.buffer 1024>", tostring(csock.buffer(1024)))
  end)

  it("is sent in place of a string", function()
    local a, b = streams.pair()
    assert.equal(5, a:sendall(csock.buffer("bytes")))
    assert.equal("bytes", b:recv(10))
  end)

  it("is received into", function()
    local a, b = streams.pair()
    local into = csock.buffer("......")
    a:sendall("abc")
    assert.equal(3, b:recv_into(into))
    assert.equal("abc...", into:tostring())
  end)
end)

describe("buffer:sub and buffer:byte", function()
  local text = "hello"

  it("agree with string.sub and string.byte for every position", function()
    local b = csock.buffer(text)
    for i = -7, 7 do
      assert.equal(text:sub(i), b:sub(i))
      assert.same({ text:byte(i) }, { b:byte(i) })
      for j = -7, 7 do
        assert.equal(text:sub(i, j), b:sub(i, j))
        assert.same({ text:byte(i, j) }, { b:byte(i, j) })
      end
    end
    assert.equal(text, b:sub())
    assert.equal(104, b:byte())
  end)

  it("take the extreme integers", function()
    local b = csock.buffer(text)
    assert.equal(text, b:sub(math.mininteger, math.maxinteger))
    assert.equal("", b:sub(math.maxinteger, math.mininteger))
  end)

  it("raise when there are too many bytes for the stack", function()
    raises("too long", function() return csock.buffer(10000000):byte(1, -1) end)
  end)
end)

describe("buffer:set", function()
  it("overwrites bytes at a position", function()
    local b = csock.buffer("......")
    assert.is_true(b:set(2, "ab"))
    assert.is_true(b:set(-1, "z"))
    assert.equal(".ab..z", b:tostring())
  end)

  it("takes a buffer, also itself", function()
    local b = csock.buffer("abcd")
    b:set(2, csock.buffer("xy"))
    assert.equal("axyd", b:tostring())
    b:set(1, b)
    assert.equal("axyd", b:tostring())
  end)

  it("refuses what does not fit, and changes nothing", function()
    local b = csock.buffer("abcd")
    raises("does not fit", b.set, b, 3, "xyz")
    raises("outside the buffer", b.set, b, 0, "x")
    raises("outside the buffer", b.set, b, 6, "")
    raises("outside the buffer", b.set, b, -5, "x")
    assert.equal("abcd", b:tostring())
  end)

  it("writes nothing just after the end", function()
    local b = csock.buffer("abcd")
    assert.is_true(b:set(5, ""))
  end)
end)

describe("buffer:fill", function()
  it("sets all bytes or a part", function()
    local b = csock.buffer(4)
    b:fill(65)
    assert.equal("AAAA", b:tostring())
    b:fill(66, 2, 3)
    assert.equal("ABBA", b:tostring())
  end)

  it("refuses what is no byte", function()
    local b = csock.buffer(1)
    raises("bad argument", b.fill, b, 256)
    raises("bad argument", b.fill, b, -1)
  end)
end)

describe("buffer:close", function()
  it("leaves an empty buffer, and may be repeated", function()
    local b = csock.buffer("abc")
    assert.is_true(b:close())
    assert.is_true(b:close())
    assert.equal(0, #b)
    assert.equal("", b:tostring())
  end)

  it("is called for a <close> variable", function()
    local kept
    do
      local b <close> = csock.buffer("abc")
      kept = b
    end
    assert.equal(0, #kept)
  end)
end)

it("buffer methods refuse other objects", function()
  local b = csock.buffer(1)
  raises("csock.buffer expected", b.sub, "x")
  raises("csock.buffer expected", b.sub, io.stdout)
  raises("csock.buffer expected", b.sub, streams.pair())
end)
