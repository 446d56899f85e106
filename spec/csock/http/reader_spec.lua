-- A reader of pieces: the same whatever the pieces are.
local csock = require "csock"
local readers = require "csock.http.reader"

-- A reader of a text in pieces of a size; after it comes `last()`, or the end.
local function in_pieces(text, size, last)
  local at = 1
  return readers.new(function()
    if at > #text then
      if last then return last() end
      return ""
    end
    at = at + size
    return text:sub(at - size, at - 1)
  end)
end

describe("a reader", function()
  local TEXT = "one\r\ntwo\n\nlast"

  for size = 1, #TEXT do
    it(("gives lines and bytes out of pieces of %d"):format(size), function()
      local r = in_pieces(TEXT, size)
      assert.equal("one", r:read())
      assert.equal("two\n", r:read "L")
      assert.equal("\n", r:readline())
      assert.equal("la", r:readline(2))
      assert.equal("s", r:read(1))
      assert.equal("", r:read(0))
      assert.equal("t", r:peek(5))
      assert.equal("t", r:read "a")
      assert.equal("", r:read "a")
      assert.is_nil(r:read(0))
      assert.is_nil(r:read())
      assert.equal("", r:readline())
      assert.equal("", r:peek(1))
      assert.equal(0, r:buffered())
    end)
  end

  it("reads several things at once, up to the first that is not there", function()
    local r = readers.of(TEXT)
    assert.same({ "one", "tw", "o" }, { r:read("l", 2, "l") })
    assert.equal(3, select("#", r:read("L", "a", 1)))
  end)

  it("loses nothing by a failure", function()
    local fails = true
    local r = in_pieces("abc", 2, function()
      if fails then return csock.make_error { call = "more", errno = csock.errno.ETIMEDOUT } end
      return ""
    end)
    for _, format in ipairs { 4, "a", "l" } do assert.equal(csock.errno.ETIMEDOUT, select(3, r:read(format))) end
    assert.equal(csock.errno.ETIMEDOUT, select(3, r:readline()))
    assert.equal("ab", r:read(2))
    fails = false
    assert.equal("c", r:read "a")
  end)

  it("is closed for good", function()
    local r = readers.of "abc"
    r:close()
    for _, method in ipairs { "read", "readline", "peek" } do
      assert.equal(csock.errno.EBADF, select(3, r[method](r)))
    end
  end)

  it("knows no other formats", function()
    for _, format in ipairs { "x", -1, 1.5, "n" } do
      assert.has_error(function() readers.of "1":read(format) end)
    end
  end)
end)
