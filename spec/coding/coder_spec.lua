-- Base64, quoted-printable and dots: what Python says, in pieces of every size.
local base64 = require "csock.wire.base64"
local csock = require "csock"
local dots = require "csock.wire.dots"
local python = require "spec.support.python"
local trials = require "spec.support.random"
local quoted = require "csock.wire.quoted"

local SCRIPT = "spec/coding/python.py"

local random = trials.generator(7)

local function bytes_of(alphabet, most)
  local list = {}
  for i = 1, random(most + 1) - 1 do
    local at = random(#alphabet)
    list[i] = type(alphabet) == "table" and alphabet[at] or alphabet:sub(at, at)
  end
  return table.concat(list)
end

local ALL = {}
for byte = 0, 255 do ALL[byte + 1] = string.char(byte) end

local TEXT = { "a", "b", "word", " ", " ", "\t", "=", "\n", "\n", ".", "\xc3\xa9", "\0", "From ", ("x"):rep(40) }

-- What a coder makes of bytes that come `size` at a time: a string, or nil.
local function in_pieces(coder, bytes, size)
  local list = {}
  for at = 1, #bytes, size do
    local piece = coder:push(bytes:sub(at, at + size - 1))
    if not piece then
      assert.is_nil(coder:finish())
      return nil
    end
    list[#list + 1] = piece
  end
  local rest = coder:finish()
  return rest and table.concat(list) .. rest
end

local function assert_cuts(expected, coder, bytes)
  assert.equal(expected, (coder:whole(bytes)))
  for size = 1, math.min(#bytes, 9) do assert.equal(expected, (in_pieces(coder, bytes, size)), size .. " at a time") end
end

-- Hundreds of questions; each answer of Python's is looked at by `check(question, answer)`.
local function compare(count, make, check)
  if not python.name then return pending "no Python 3.11" end
  local questions = {}
  for i = 1, count do questions[i] = make(i) end
  local answers = python.ask(SCRIPT, questions)
  assert.equal(count, #answers)
  for i, question in ipairs(questions) do check(question, answers[i]) end
end

describe("base64", function()
  it("encodes as Python does, wherever the bytes are cut", function()
    compare(2000, function(i) return { "b64encode", bytes_of(ALL, i % 200) } end, function(question, answer)
      assert_cuts(answer[2], base64.encoder(), question[2])
      assert_cuts(question[2], base64.decoder(), answer[2])
    end)
  end)

  it("makes lines of 76 characters as Python does", function()
    local coder, bare = base64.encoder { columns = 76 }, base64.encoder { columns = 76, linesep = "\n" }
    compare(1000, function(i) return { "encodebytes", bytes_of(ALL, i % 300) } end, function(question, answer)
      assert_cuts(answer[2], bare, question[2])
      assert_cuts(answer[2]:gsub("\n", "\r\n"), coder, question[2])
      assert_cuts(question[2], base64.decoder(), answer[2])
    end)
  end)

  it("makes lines of any length", function()
    for columns = 4, 40, 4 do
      local text = base64.encoder { columns = columns }:whole(("abc"):rep(20))
      for line in text:gmatch "(.-)\r\n" do assert.is_true(#line <= columns) end
      assert.equal(columns, #text:match "^[^\r]*")
      assert.matches("[^\n]\r\n$", text)
    end
    assert.equal("", base64.encoder { columns = 4 }:finish())
  end)

  it("refuses in pieces what it refuses at once", function()
    local PARTS = { "A", "b", "+", "/", "=", "=", "\n", " ", "!", "Zm9v" }
    local decoder = base64.decoder()
    for _ = 1, 3000 do
      local text = bytes_of(PARTS, 12)
      local whole = base64.decode(text)
      for size = 1, 3 do assert.equal(whole, in_pieces(decoder, text, size), text) end
    end
    local bytes, err, code = base64.decode "Z"
    assert.is_nil(bytes)
    assert.equal(csock.errno.EBADMSG, code)
    assert.matches("decode: no Base64", tostring(err))
  end)

  it("passes over what is none, when it is to, as Python does", function()
    local PARTS = { "A", "b", "+", "/", "=", "!", "-", "Zm9v", "Zm8=", "\xff" }
    local names = { characters = "Characters", padding = "Padding" }
    compare(5000, function() return { "lenient", bytes_of(PARTS, 10) } end, function(question, answer)
      local text = question[2]
      local results = table.pack(base64.decode(text, { lenient = true }))
      assert_cuts(results[1], base64.decoder { lenient = true }, text)
      local found, length = {}, false
      for i = 2, results.n do
        if results[i] == "length" then length = true
        else found[#found + 1] = ("InvalidBase64%sDefect"):format(names[results[i]]) end
      end
      -- Python gives the text back where one character is too much.
      if answer[3]:find "Length" or length then
        assert.is_true(length and answer[3]:find "Length" ~= nil, text)
      else
        assert.equal(answer[2], results[1], text)
        -- It takes padding that is not wanted for what pads something else.
        if not text:find "=" then assert.equal(answer[3], table.concat(found, " "), text) end
      end
    end)
  end)

  it("takes a buffer, and refuses what are no bytes", function()
    local buffer = csock.buffer "hello"
    assert.equal("aGVsbG8=", base64.encoder():whole(buffer))
    assert.has_error(function() base64.encode(nil) end)
    assert.has_error(function() base64.encoder { columns = 5 } end)
    assert.has_error(function() base64.encoder { columns = 76, linesep = "x" } end)
  end)
end)

describe("quoted-printable", function()
  it("is read by Python as what it was, in lines of 76 characters", function()
    local encoder = quoted.encoder { linesep = "\n" }
    local texts = {}
    compare(3000, function(i)
      texts[i] = bytes_of(i % 2 == 0 and TEXT or ALL, i % 150):gsub("\r\n?", "\n")
      return { "unquoted", quoted.encode(texts[i], { linesep = "\n" }) }
    end, function(question, answer)
      local text = table.remove(texts, 1)
      assert.equal(text, answer[2])
      assert.equal(text, quoted.decode(question[2]))
      assert_cuts(question[2], encoder, text)
      assert_cuts(text, quoted.decoder(), question[2])
      for line in question[2]:gmatch "[^\n]*" do
        assert.is_true(#line <= 76, line)
        assert.is_nil(line:find "[ \t]$")
        assert.is_nil(line:find "[^\t -~]")
      end
    end)
  end)

  it("keeps each byte of what is no text", function()
    local encoder = quoted.encoder { binary = true }
    compare(500, function(i) return { "unquoted", quoted.encode(bytes_of(ALL, i % 200), { binary = true }) } end,
      function(question, answer)
        assert_cuts(question[2], encoder, answer[2])
        assert_cuts(answer[2], quoted.decoder(), question[2])
      end)
  end)

  it("reads what Python has written", function()
    compare(2000, function(i)
      return { "quoted", (bytes_of(TEXT, i % 150):gsub("%z", "")) }
    end, function(question, answer)
      assert_cuts(question[2], quoted.decoder(), answer[2])
    end)
  end)

  it("leaves what is none as Python does", function()
    local PARTS = { "=", "=4", "=41", "=zz", "==", "=\n", "a", "F", "\n", "=c3=A9", " x" }
    compare(5000, function() return { "unquoted", bytes_of(PARTS, 10) .. "x" } end, function(question, answer)
      assert_cuts(answer[2], quoted.decoder(), question[2])
    end)
  end)

  it("takes blanks away that somebody has put at the ends of lines", function()
    for text, bytes in pairs {
      ["a  \r\nb\t\n"] = "a\r\nb\n", ["a= \t\r\nb"] = "ab", ["a= b"] = "a= b", ["a=  "] = "a", ["a "] = "a",
      ["a=20 \n"] = "a \n", ["=\r\nx"] = "x", ["=\rx"] = "x",
      ["a" .. (" "):rep(1500) .. "b"] = "a" .. (" "):rep(1500) .. "b",
      ["a=" .. (" "):rep(1500) .. "b"] = "a=" .. (" "):rep(1500) .. "b",
    } do
      assert_cuts(bytes, quoted.decoder(), text)
    end
  end)

  it("has a soft line break just before what has no room", function()
    local line = ("x"):rep(75)
    assert.equal(line .. "=\r\nx", quoted.encode(line .. "x"))
    assert.equal(("x"):rep(73) .. "=\r\n=C3=A9", quoted.encode(("x"):rep(73) .. "\u{e9}"))
    assert.equal("a=20\r\nb=0D", quoted.encode "a \nb\r")
  end)
end)

describe("dots", function()
  local STUFFED = {
    [""] = ".\r\n", ["."] = "..\r\n.\r\n", ["a"] = "a\r\n.\r\n", ["a\n"] = "a\r\n.\r\n", ["a\r\n.b\n\n..c"] =
    "a\r\n..b\r\n\r\n...c\r\n.\r\n", ["a\rb\r"] = "a\r\nb\r\n.\r\n", ["\r\r\n\n"] = "\r\n\r\n\r\n.\r\n",
    ["a.b\r\n.\r\n"] = "a.b\r\n..\r\n.\r\n",
  }

  it("are doubled, and lines end with CRLF, wherever the text is cut", function()
    for text, bytes in pairs(STUFFED) do assert_cuts(bytes, dots.stuffer(), text) end
  end)

  it("are taken away again, up to the line of one", function()
    local PARTS = { ".", "\r\n", "a", ".\r\n", "\r", "\n", "\r\n." }
    for _ = 1, 3000 do
      local text = bytes_of(PARTS, 12)
      local stuffed = dots.stuff(text)
      local lines = text:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("([^\n])$", "%1\n"):gsub("\n", "\r\n")
      assert_cuts(lines, dots.unstuffer(), stuffed)
      assert.same({ lines, "x" }, { dots.unstuff(stuffed .. "x") })
    end
  end)

  it("end a text in just one way", function()
    for _, bytes in ipairs {
      "", "a\r\n", "a\n.\n", "a\r\n.\n", "a\n.\r\n", "a\r.\r\n", "\r\n..\r\n", "a.\r\n", ".\r", ".\r\r\n",
    } do
      local text, err, code = dots.unstuff(bytes)
      assert.is_nil(text, bytes)
      assert.equal(csock.errno.EBADMSG, code)
      assert.matches("line of one dot is missing", tostring(err))
    end
    assert.same({ ".\n\r.x\r\n", "" }, { dots.unstuff "..\n\r.x\r\n.\r\n" })
    assert.same({ "\ra\r\n", "b" }, { dots.unstuff ".\ra\r\n.\r\nb" })
  end)

  it("let an unstuffer say what is behind the text, wherever that is cut", function()
    local bytes = "..a\r\nb\r\n.\r\nQUIT\r\n"
    for size = 1, #bytes do
      local coder, list, at = dots.unstuffer(), {}, 1
      local rest
      repeat
        list[#list + 1], rest = coder:push(bytes:sub(at, at + size - 1))
        at = at + size
      until rest
      assert.equal(".a\r\nb\r\n", table.concat(list))
      assert.equal("QUIT\r\n", rest .. bytes:sub(at))
      assert.same({ "", "more" }, { coder:push "more" })
      assert.equal("", coder:finish())
    end
  end)
end)
