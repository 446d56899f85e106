-- Conversations as text.
local conversation = require "csock.repl.conversation"
local csock = require "csock"

describe("a conversation", function()
  it("is read as it was written, whatever passed", function()
    local all = {}
    for byte = 0, 255 do all[byte + 1] = string.char(byte) end
    local bytes = table.concat(all)
    local text = conversation.head("a test", "<") .. conversation.lines(0, "<", "GET /\r\n\r\n")
      .. conversation.lines(0.5, ">", bytes .. ("x"):rep(5000)) .. conversation.lines(0.6, ">", "more")
    local pieces, played = conversation.parse(text)
    assert.equal("<", played)
    assert.same({
      { direction = "<", data = "GET /\r\n\r\n" }, { direction = ">", data = bytes .. ("x"):rep(5000) .. "more" },
    }, pieces)
    assert.is_nil(text:find "[^\n\x20-\x7e]")
  end)

  it("has a line for each line that passed", function()
    assert.equal('0.250 < "a\\n"\n        "b"\n', conversation.lines(0.25, "<", "a\nb"))
  end)

  it("may be edited: comments, empty lines, other quotes", function()
    local pieces = conversation.parse "# by hand\n\n0 > 'a'\n  [[b]]\n 1 < \"c\"\n"
    assert.is_nil(pieces)
    pieces = conversation.parse "# by hand\n\n0 > 'a'\n  \"b\"\n 1 < \"c\"\n"
    assert.same({ { direction = ">", data = "ab" }, { direction = "<", data = "c" } }, pieces)
  end)

  it("is refused where it is none, by the line", function()
    for text, line in pairs {
      ["hello"] = 1, ["0 > 'a'\n0 > os.exit()"] = 2, ["'a'"] = 1, ["0 > 'a' .. 'b'"] = 1, ["0 > 'a"] = 1,
      ["0 ? 'a'"] = 1,
    } do
      local pieces, why = conversation.parse(text)
      assert.is_nil(pieces)
      assert.matches("^line " .. line .. ": ", why)
    end
  end)

  -- Plays it against a server that answers each "ask" with "answer": how many pieces differ, and what is told.
  local function play(text)
    local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
      while conn:recv(3) == "ask" do conn:sendall "answer" end
    end))
    local told = {}
    local differences = csock.run(function()
      local conn <close> = assert(csock.create_connection(server:getsockname()))
      local n = conversation.play(conn, (conversation.parse(text)), ">", function(line) told[#told + 1] = line end)
      server:close()
      return n
    end)
    return differences, told
  end

  it("differs where more comes than was recorded", function()
    local differences, told = play '0 > "ask"\n0 < "ans"\n0 > "ask"\n0 < "answer"\n'
    assert.equal(1, differences)
    assert.same({ 'piece 2 goes on: "wer"' }, told)
  end)

  it("is played, and what comes otherwise is told", function()
    local differences, told = play '0 > "ask"\n0 < "answer"\n0 > "ask"\n0 < "anger!"\n'
    assert.equal(1, differences)
    assert.same({ 'piece 4 differs at byte 3: expected "ger!", got "swer"' }, told)
  end)
end)
