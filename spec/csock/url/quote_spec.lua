-- Percent-encoding, and back.
local url = require "csock.url"

local ALL = {}
for byte = 0, 255 do ALL[#ALL + 1] = string.char(byte) end
ALL = table.concat(ALL)

describe("quote", function()
  it("leaves letters, digits, _.-~ and the slash", function()
    local stays = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/"
    for byte = 0, 255 do
      local char = string.char(byte)
      local expected = stays:find(char, 1, true) and char or ("%%%02X"):format(byte)
      assert.equal(expected, url.quote(char))
    end
  end)

  it("leaves what is said to be safe, if it is ASCII", function()
    assert.equal("a%2Fb", url.quote("a/b", ""))
    assert.equal("]^-a%\0%C3%BC", url.quote("]^-a%\0ü", "]^-%\0ü"))
    assert.equal("[a-z]", url.quote("[a-z]", "[]"))
    assert.equal("+:%3B", url.quote("+:;", "+-:")) -- no range
  end)

  it("quotes as forms do", function()
    assert.equal("a+b%2Bc%2F", url.quote_plus "a b+c/")
    assert.equal("a+b%2Bc/", url.quote_plus("a b+c/", "/"))
    assert.equal("a+b+c", url.quote_plus("a b+c", "+"))
    assert.equal("%2F", url.quote_plus "/")
  end)

  it("has Python's name for bytes", function()
    assert.equal("%FF/", url.quote_from_bytes "\xFF/")
    assert.equal("\xFF", url.unquote_to_bytes "%fF")
  end)

  it("raises for what is no string", function()
    for _, call in ipairs { "quote", "quote_plus", "unquote", "unquote_plus" } do
      assert.error_matches(function() url[call](1) end, "bad argument #1 to '" .. call .. "' %(string expected, got 1")
    end
    assert.error_matches(function() url.quote("", 1) end, "bad argument #2 to 'quote'")
  end)
end)

describe("unquote", function()
  it("undoes every quoting", function()
    assert.equal(ALL, url.unquote(url.quote(ALL)))
    assert.equal(ALL, url.unquote(url.quote(ALL, "")))
    assert.equal(ALL, url.unquote_plus(url.quote_plus(ALL)))
    assert.equal(ALL, url.unquote(url.quote(ALL):gsub("%%..", string.lower)))
  end)

  it("leaves what is none", function()
    for _, text in ipairs { "", "%", "%%", "%4", "%g0", "%0g", "a%", "% 41", "%+1", "%0x" } do
      assert.equal(text, url.unquote(text))
    end
    assert.equal("%A", url.unquote "%%41")
    assert.equal("%41", url.unquote "%2541")
  end)

  it("takes a plus sign for a blank only where forms are meant", function()
    assert.equal("a+b", url.unquote "a+b")
    assert.equal("a b+", url.unquote_plus "a+b%2B")
  end)
end)
