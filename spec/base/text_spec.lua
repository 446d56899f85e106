-- Cutting a string into lines, for the receivers of csock.protocol.
local split = require("csock.loop.internal").hub.split

describe("split", function()
  local function all(...)
    local list = {}
    local n = split(list, ...)
    assert.equal(n, #list)
    return list
  end

  it("gives the lines that end in the string, from a place on", function()
    assert.same({ "a", "", "bc" }, all("a\n\nbc\nd", 1, "\n", 10, 100))
    assert.same({ "", "bc" }, all("a\n\nbc\nd", 3, "\n", 10, 100))
    assert.same({}, all("a\nb", 3, "\n", 10, 100))
    assert.same({}, all("a\n", 3, "\n", 10, 100))
    assert.same({}, all("", 1, "\n", 10, 100))
  end)

  it("takes delimiters of several bytes, whatever they are", function()
    assert.same({ "a\n", "b\r" }, all("a\n\r\nb\r\r\n\r", 1, "\r\n", 10, 100))
    assert.same({ "a", "b" }, all("a\0\0b\0\0\0", 1, "\0\0", 10, 100))
    assert.same({}, all("ab", 1, "abc", 10, 100))
  end)

  it("gives no more than it is asked for", function()
    assert.same({ "a", "b" }, all("a\nb\nc\n", 1, "\n", 10, 2))
    assert.same({}, all("a\n", 1, "\n", 10, 0))
  end)

  it("stops at a line that is longer than the limit", function()
    assert.same({ "ab" }, all("ab\nabc\na\n", 1, "\n", 2, 100))
    assert.same({ "ab", "abc" }, all("ab\nabc\n", 1, "\n", math.huge, 100))
  end)

  it("wants arguments that make sense", function()
    assert.error_matches(function() split({}, "a", 1, "", 10, 1) end, "#4 to 'split' %(empty delimiter%)")
    assert.error_matches(function() split({}, "a", 3, "x", 10, 1) end, "#3")
    assert.error_matches(function() split({}, "a", 0, "x", 10, 1) end, "#3")
    assert.error_matches(function() split("a", "a", 1, "x", 10, 1) end, "#1")
  end)
end)
