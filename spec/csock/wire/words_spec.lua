-- Encoded words, beside Python's email.header.
local charset = require "csock.wire.charset"
local headers = require "csock.wire.headers"
local python = require "spec.support.python"
local trials = require "spec.support.random"
local words = require "csock.wire.words"

local random = trials.generator(3)

local PIECES = {
  "word", "a", "caf\u{e9}", "\u{20ac}", "\u{1f600}", "x_y", "=?", "?=", "(a)", '"q"', ("long"):rep(30), "=20",
  "\u{e9}\u{e8}",
}

local function text_of(most)
  local list = {}
  for i = 1, random(most) do list[i] = PIECES[random(#PIECES)] end
  return table.concat(list, " ")
end

describe("encoded words", function()
  it("are read by Python as what they were", function()
    if not python.name then return pending "no Python 3.11" end
    local questions, texts = {}, {}
    for i = 1, 2000 do
      texts[i] = text_of(20)
      questions[i] = { "header", words.encode(texts[i]) }
    end
    for i, answer in ipairs(python.ask("spec/coding/python.py", questions)) do
      local value = questions[i][2]
      assert.same({ "ok", texts[i] }, answer)
      assert.equal(texts[i], words.decode(value))
      for word in value:gmatch "%S+" do
        if word:find "^=%?utf" then assert.is_true(#word <= 64, word) end
        assert.is_nil(word:find "[^!-~]")
      end
    end
  end)

  it("are put together, in each charset that is known", function()
    for value, text in pairs {
      ["plain"] = "plain", ["=?utf-8?q?a_b=3D?="] = "a b=", ["=?UTF-8?B?w6k?="] = "\u{e9}",
      ["=?iso-8859-1?q?caf=E9?= ole"] = "caf\u{e9} ole", ["=?ISO-8859-15?Q?=A4?="] = "\u{20ac}",
      ["=?windows-1252?q?=80=93x=94?="] = "\u{20ac}\u{201c}x\u{201d}", ["=?us-ascii?q?a?= =?utf-8?q?b?="] = "ab",
      ["=?us-ascii*en?q?a?=\r\n =?us-ascii?q?b?="] = "ab", ["x=?utf-8?q?a?=y"] = "xay", ["=?utf-8?q?a?= b "] = "a b ",
      ["=?utf-8?b?ww==?= =?utf-8?b?qQ==?="] = "\u{e9}", -- cut in the middle of a character
      ["=?koi8-r?q?=C1?="] = "=?koi8-r?q?=C1?=", ["=?utf-8?x?a?="] = "=?utf-8?x?a?=",
      ["=?utf-8?b?A?="] = "=?utf-8?b?A?=",
      ["=?utf-8?q?a b?="] = "a b", ["=?us-ascii?q?=E9?="] = "\u{fffd}", [""] = "", ["=?"] = "=?",
    } do
      assert.equal(text, words.decode(value), value)
    end
  end)

  it("come as bytes with the charset's name as well", function()
    assert.same({ { "a " }, { "\xc1", "koi8-r" }, { " b" } }, words.parts "a =?KOI8-R?q?=C1?= b")
    assert.same({ { "a " }, { "\xc1\xc1", "koi8-r" } }, words.parts "a =?KOI8-R?q?=C1?= =?koi8-r?b?wQ==?=")
  end)

  it("are made of what is no ASCII alone, in the charset that is asked for", function()
    assert.equal("plain (text)", words.encode "plain (text)")
    assert.equal("a =?iso-8859-1?q?caf=E9?= b", words.encode("a caf\u{e9} b", "latin1"))
    assert.equal("=?utf-8?b?4oKs?=", words.encode("\u{20ac}", "iso-8859-1"))
    assert.equal("=?utf-8?q?=C3=A9_b_=C3=A9?= c", words.encode "\u{e9} b \u{e9} c")
    assert.equal("=?utf-8?q?caf=C3=A9?=", words.encode "caf\xe9") -- no UTF-8
    assert.equal("=?utf-8?q?a=0D=0AX=3A?= b", words.encode "a\r\nX: b")
    assert.has_error(function() words.encode("a", "koi8-r") end)
  end)

  it("can be folded, however long the text is", function()
    for _, text in ipairs { ("\u{e9}"):rep(1000), ("\u{1f600} "):rep(300), ("x"):rep(2000), ("word "):rep(500) } do
      local field = headers.fold("Subject", words.encode(text))
      for line in field:gmatch "(.-)\r\n" do assert.is_true(#line <= 78) end
      local value = field:gsub("\r\n", ""):match "^Subject: (.*)$"
      assert.equal(text, words.decode(value))
    end
  end)
end)

describe("charsets", function()
  it("go there and back", function()
    for _, name in ipairs { "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "UTF8", "Latin1", "cp1252" } do
      local count = 0
      for byte = 0, 255 do
        local text = charset.decode(string.char(byte), name)
        if text then
          count = count + 1
          assert.equal(string.char(byte), charset.encode(text, name))
        end
      end
      assert.equal(({ ["us-ascii"] = 128, UTF8 = 128, ["windows-1252"] = 251, cp1252 = 251 })[name] or 256, count)
    end
    assert.is_nil(charset.decode("a", "koi8-r"))
    assert.is_nil(charset.encode("\xff", "utf-8"))
    assert.equal("a\u{fffd}b\u{fffd}", charset.decode("a\xffb\xc3", "utf-8", true))
  end)
end)
