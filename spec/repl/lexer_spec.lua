-- The words of Lua: as Lua's own compiler sees them.
local lexer = require "csock.repl.lexer"

local function texts(text)
  local list = {}
  for i, word in ipairs(lexer(text)) do list[i] = word.text end
  return list
end

local function kinds(text)
  local list = {}
  for i, word in ipairs(lexer(text)) do list[i] = word.kind end
  return list
end

describe("the words of a text", function()
  it("are names, keywords, numbers, strings, symbols and comments", function()
    assert.same({ "keyword", "name", "symbol", "number", "comment" }, kinds "local x = 1 -- one")
    assert.same({ "name", "string" }, kinds "f 'a'")
  end)

  it("are as long as Lua's own are", function()
    assert.same({ "a", "..", "b", "...", "::", "//", ">=", "==", "=" }, texts "a..b ... ::// >= == =")
    assert.same({ "0x1p-4", "1e+5", "3", "..", "4", ".5", "0xA.8" }, texts "0x1p-4 1e+5 3 ..4 .5 0xA.8")
  end)

  it("have strings with escapes, and strings over several lines", function()
    assert.same({ [["a\"b"]], "x" }, texts [["a\"b" x]])
    assert.same({ "'a\\z \n  b'", "x" }, texts "'a\\z \n  b' x")
    assert.same({ "'a\\\nb'", "x" }, texts "'a\\\nb' x")
    assert.same({ "[==[ ]] \n]==]", "x" }, texts "[==[ ]] \n]==] x")
  end)

  it("have comments of both kinds", function()
    assert.same({ "x", "-- y", "z" }, texts "x -- y\nz")
    assert.same({ "--[[ y\n]]", "z" }, texts "--[[ y\n]] z")
    assert.same({ "--[==x", "z" }, texts "--[==x\nz")
  end)

  it("are open where they do not end", function()
    for _, text in ipairs { "'a", "x = [[ b", "--[[ c", "'a\\", '"a\nb"' } do
      local words, open = lexer(text), false
      for _, word in ipairs(words) do open = open or word.open == true end
      assert.is_true(open, text)
    end
    assert.is_nil(lexer "'a'"[1].open)
  end)

  it("are found in bytes that are no Lua", function()
    for byte = 0, 255 do
      local words = lexer("a " .. string.char(byte) .. " b")
      assert.is_true(#words >= 1)
    end
  end)

  it("cover the text from its first to its last", function()
    local text = [[for i = 1, #t do f{t[i], "x"; [1] = y.z:w()} end --]]
    local rest = text
    for _, word in ipairs(lexer(text)) do
      assert.equal(word.text, text:sub(word.first, word.last))
      rest = rest:sub(1, word.first - 1) .. (" "):rep(#word.text) .. rest:sub(word.last + 1)
    end
    assert.is_nil(rest:find "%S")
  end)
end)
