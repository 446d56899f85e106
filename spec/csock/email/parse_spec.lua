-- Messages that are taken apart: nothing of them is lost, and Python finds the same in them.
local corpus = require "spec.csock.email.corpus"
local csock = require "csock"
local email = require "csock.email"
local python = require "spec.support.python"
local scale = require "spec.support.scale"

local SCRIPT = "spec/csock/email/python.py"

local function latin(text) return (text:gsub("\r", ""):gsub("[ \t]+$", "")) end

local function shown(value)
  if not value then return "None" end
  return "'" .. value:gsub("\n", "\\n") .. "'"
end

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

-- Of what Python loses some; and Base64 is spec/coding's.
local function is_skipped(part)
  return table.concat(part.defects):find "StartBoundary" or part:get("content-transfer-encoding",
    ""):find "^base64 *$" ~= nil
end

-- As describe() in python.py.
local function description(message)
  local lines = {}
  for part in message:walk() do
    lines[#lines + 1] = ("part %s %s %d"):format(part:get_content_type(),
      part:is_multipart() and "True" or "False", #part)
    for name, value in part:raw_items() do lines[#lines + 1] = name .. ": " .. latin((value:gsub("\n", ""))) end
    if part:is_multipart() then
      lines[#lines + 1] = shown(part.preamble) .. " " .. shown(part.epilogue and part.epilogue:gsub("\n+$", "") or "")
    elseif not is_skipped(part) then
      lines[#lines + 1] = hex((part:get_payload(nil, true):gsub("[\r\n]+$", "")))
    end
    lines[#lines + 1] = ("boundary %s filename %s charset %s"):format(part:get_boundary() or "None",
      part:get_filename() or "None", part:get_content_charset() or "None")
    local defects = { table.unpack(part.defects) }
    table.sort(defects)
    lines[#lines + 1] = table.concat(defects, " ")
  end
  return table.concat(lines, "\n")
end

describe("a message that is parsed", function()
  it("is written as it was, whatever is wrong with it", function()
    for i = 1, 3000 do
      local text = corpus.message()
      if i % 2 == 0 then text = corpus.damaged(text) end
      if i % 3 == 0 then text = text:gsub("\n", "\r\n") end
      if i % 7 == 0 then text = text:sub(1, corpus.random(#text)) end
      local message = assert(email.message_from_bytes(text))
      assert.equal(text, message:as_bytes())
      assert.equal(text, assert(email.message_from_string(text)):as_string())
    end
  end)

  it("has in it what Python finds", function()
    if not python.name then return pending "no Python 3.11" end
    local questions = {}
    for i = 1, 3000 do
      local text = corpus.message()
      questions[i] = { "parse", i % 2 == 0 and corpus.damaged(text, true) or text }
    end
    for i, answer in ipairs(python.ask(SCRIPT, questions)) do
      local text = questions[i][2]
      -- Python takes an empty boundary for one, and an empty line too many for an empty block.
      if not answer[2]:find "boundary  filename" and not text:find "failed\n\n\n" then
        assert.equal(answer[2], description(email.message_from_bytes(text)), text)
      end
    end
  end)

  it("has its defects listed, under Python's names", function()
    for text, defects in pairs {
      [" a\nB: c\n\n"] = "FirstHeaderLineIsContinuationDefect",
      ["A: b\nno field\n"] = "MissingHeaderBodySeparatorDefect",
      ["A: b\n: c\n\n"] = "InvalidHeaderDefect", ["A: b\nFrom c\nD: e\n\n"] = "MisplacedEnvelopeHeaderDefect",
      ["Content-Type: multipart/mixed\n\n"] = "NoBoundaryInMultipartDefect MultipartInvariantViolationDefect",
      ["Content-Type: multipart/mixed; boundary=b\n\nx"] =
        "StartBoundaryNotFoundDefect MultipartInvariantViolationDefect",
      ["Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx"] = "CloseBoundaryNotFoundDefect",
      ["Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\n--b--"] =
        "InvalidMultipartContentTransferEncodingDefect",
      ["A: b\n\nc"] = "",
    } do
      assert.equal(defects, table.concat(email.message_from_string(text).defects, " "), text)
    end
    local msg = email.message_from_string "Content-Transfer-Encoding: base64\n\na!b"
    assert.equal("i", msg:get_payload(nil, true))
    msg:get_payload(nil, true)
    assert.same({ "InvalidBase64CharactersDefect", "InvalidBase64PaddingDefect" }, msg.defects)
    msg = email.message_from_string "Content-Transfer-Encoding: base64\n\naaaab"
    assert.equal("aaaab", msg:get_payload(nil, true))
    assert.same({ "InvalidBase64LengthDefect" }, msg.defects)
  end)

  it("has what stands between parts with those who wrote it", function()
    local text = "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\nA: 1\n\none\n\n--b\n\ntwo\n--b--\npost"
    local msg = email.message_from_string(text)
    assert.same({ "pre", "post" }, { msg.preamble, msg.epilogue })
    assert.same({ "one\n", "two" }, { msg:get_payload(1):get_payload(), msg:get_payload(2):get_payload() })
    msg:get_payload(2):set_payload "three"
    assert.equal(text:gsub("two", "three"), msg:as_string())
    msg.preamble = "before"
    assert.equal(text:gsub("two", "three"):gsub("pre", "before"), msg:as_string())
    table.remove(msg:get_payload(), 1)
    assert.equal("Content-Type: multipart/mixed; boundary=b\n\nbefore\n--b\n\nthree\n--b--\npost", msg:as_string())
  end)

  it("of many parts in parts, or with endless fields, is refused by the limit's name", function()
    local deep = {}
    for i = 1, 200 do deep[i] = ("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"):format(i, i) end
    local cases = {
      max_depth = { table.concat(deep), {} }, max_size = { ("x"):rep(100), { max_size = 99 } },
      max_header = { "A: " .. ("x"):rep(100) .. "\n\n", { max_header = 99 } },
      max_parts = { "Content-Type: multipart/mixed; boundary=b\n\n" .. ("--b\n\nx\n"):rep(20), { max_parts = 20 } },
    }
    for limit, case in pairs(cases) do
      local msg, err, code = email.message_from_bytes(case[1], case[2])
      assert.is_nil(msg)
      assert.equal(csock.errno.EMSGSIZE, code)
      assert.matches(limit, tostring(err))
    end
    cases.max_parts[2].max_parts = 21
    assert.equal(20, #email.message_from_bytes(table.unpack(cases.max_parts)):get_payload())
    local message = email.message_from_bytes(cases.max_parts[1], { headersonly = true })
    assert.is_false(message:is_multipart())
    assert.has_error(function() email.message_from_bytes("", { depth = 1 }) end)
    assert.has_error(function() email.message_from_bytes(nil) end)
  end)

  it("takes time in proportion to its size, whatever is in it", function()
    local SIZE = 20000
    for _, make in ipairs {
      function(n) return "Content-Type: multipart/mixed; boundary=b\n\n" .. ("--b--x\n"):rep(n * 5) end,
      function(n) return ("A: b\n"):rep(n) .. "\n" end,
      function(n) return "A: " .. ("=?utf-8?q?"):rep(n) .. "\n\n" end,
      function(n) return "A: b" .. ("\n "):rep(n * 5) .. "\n\n" end,
      function(n) return "Content-Type: a/b; " .. ("c*0*=x; "):rep(n) .. "\n\n" end,
      function(n) return "To: " .. ("("):rep(n * 5) .. "\n\n" end,
      function(n) return "To: " .. ("=?a?q?b?= "):rep(n) .. "\n\n" end,
      function(n) return 'Content-Type: a/b; c="' .. ("\\"):rep(n * 5) .. "\n\n" end,
    } do
      local function cost(n)
        local text = make(n)
        return scale.cost(1, function()
          local msg = assert(email.message_from_bytes(text))
          assert.is_table(msg:values())
          assert.is_table(email.getaddresses(msg:get_all("to", {})))
          msg:get_filename()
        end)
      end
      -- Four times for four times as much; sixteen times where each step copies what there is.
      scale.assert_within(9, function() return cost(SIZE), cost(SIZE // 4) + 0.0005 end)
    end
  end)

  it("comes from a file, a stream in a task, or piece by piece", function()
    local text = "Subject: hello\n\n" .. ("text\n"):rep(50000)
    local file <close> = assert(io.tmpfile())
    file:write(text)
    file:seek "set"
    assert.equal(text, assert(email.message_from_file(file)):as_bytes())
    local a, b = assert(csock.socketpair())
    csock.run(function()
      csock.spawn(function()
        a:sendall(text)
        a:close()
      end)
      assert.equal(text, assert(email.message_from_file(assert(b:makefile()))):as_bytes())
    end)
    b:close()
    local pieces = { "Subject: hel", "lo\n\n", "x" }
    assert.equal("hello", email.message_from_file(function() return table.remove(pieces, 1) end).subject)
    local msg, err, code = email.message_from_file(function() return "endless " end, { max_size = 1000 })
    assert.is_nil(msg)
    assert.same({ csock.errno.EMSGSIZE, true }, { code, tostring(err):find "max_size" ~= nil })
    local asked = 0
    msg, err = email.message_from_file(function()
      asked = asked + 1
      return ("A: b\n"):rep(1000)
    end, { max_header = 20000 })
    assert.is_nil(msg)
    assert.matches("max_header", tostring(err))
    assert.is_true(asked < 10)
    assert.same({ nil, "broken", 5 }, { email.message_from_file(function() return nil, "broken", 5 end) })
  end)
end)
