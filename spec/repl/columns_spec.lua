-- Rows of texts.
local columns = require "csock.repl.columns"

describe("a table of texts", function()
  it("has its columns under each other", function()
    assert.equal("id  name\n1   a\n20  bcd", columns({ "id", "name" }, { { "1", "a" }, { "20", "bcd" } }, 80))
  end)

  it("is as wide as there is room: the widest column gives way", function()
    local text = columns({ "id", "name" }, { { "1", ("x"):rep(100) } }, 20)
    for line in text:gmatch "[^\n]+" do assert.is_true(utf8.len(line) <= 20) end
    assert.matches("1 x+…$", (text:gsub(" +", " ")))
  end)

  it("shows the end of a long text where that tells more", function()
    assert.equal("id place\n1  …rver.lua:12", columns({ "id", { title = "place", keep = "end" } },
      { { "1", "/a/long/path/to/server.lua:12" } }, 15))
  end)

  it("leaves out what is least important where there is no room", function()
    local head = { "id", { title = "age", rank = 1 }, { title = "queue", rank = 2 }, { title = "address", least = 12 } }
    local rows = { { "1", "2s", "0", "127.0.0.1:80" } }
    assert.equal("id  age  queue  address\n1   2s   0      127.0.0.1:80", columns(head, rows, 80))
    assert.equal("id age address\n1  2s  127.0.0.1:80", columns(head, rows, 20))
    assert.equal("id address\n1  127.0.0.1:80", columns(head, rows, 16))
  end)

  it("counts characters, and not bytes", function()
    assert.equal("a  b\né  1", columns({ "a", "b" }, { { "é", "1" } }, 80))
  end)

  it("may have bytes that are no text, and places where nothing is", function()
    assert.equal("a   b\n\xff\xfe\n    1", columns({ "a", "b" }, { { "\xff\xfe" }, { nil, "1" } }, 80))
  end)
end)
