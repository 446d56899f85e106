local headers = require "csock.wire.headers"

describe("a block of header fields", function()
  it("puts fields in the place of those of the same names", function()
    local h = headers.new { "A", "1", "B", "2", "a", "3" }
    h:update { "a", "4", "C", "5", "C", "6" }
    assert.equal("B: 2\r\na: 4\r\nC: 5\r\nC: 6\r\n", h:encode())
    assert.equal("4", h.A)
    assert.equal("B: 7\r\n", headers.new { b = 1 }:update(headers.new { B = 7 }):encode())
  end)

  it("is made of several, of which the later ones count", function()
    local one, two = headers.new { "A", "1", "B", "2", "a", "3" }, headers.new { "b", "4", "C", "5", "c", "6" }
    local h = headers.merge(one, nil, two)
    assert.equal("A: 1\r\na: 3\r\nb: 4\r\nC: 5\r\nc: 6\r\n", h:encode())
    assert.equal("1, 3", h.a)
    assert.equal("5, 6", h.c)
    assert.equal("2", one.b)
    assert.equal("", headers.merge():encode())
    assert.has_error(function() headers.merge { 1 } end)
    assert.error_matches(function() headers.adopt({ "A", {} }):encode() end, "a field is a table")
  end)

  it("is changed by assignments", function()
    local h = headers.new { "A", "1", "B", "2", "a", "3" }
    h.a = "4"
    h["C"] = 5
    h.b = nil
    assert.equal("a: 4\r\nC: 5\r\n", h:encode())
    assert.equal("5", h.c)
    assert.error_matches(function() h.d = "x\r\nE: f" end, "without CR, LF and NUL")
    assert.error_matches(function() h[2] = "x" end, "string expected")
  end)

  it("copies a block", function()
    local h = headers.new { "A", "1" }
    local copy = headers.new(h)
    copy:add("A", "2")
    assert.equal("1", h.a)
    assert.equal("1, 2", copy.a)
  end)

  it("keeps order and names, and finds values whatever the case", function()
    local h = headers.new { "Host", "a", "X-One", "1", "x-one", "2" }
    assert.equal("a", h.host)
    assert.equal("1, 2", h["X-ONE"])
    assert.equal("1, 2", h:get "x-one")
    assert.same({ "1", "2" }, h:all "X-One")
    assert.is_nil(h:get "none")
    assert.equal("else", h:get("none", "else"))
    assert.equal("Host: a\r\nX-One: 1\r\nx-one: 2\r\n", h:encode())
  end)

  it("is made from a table of names, in their order", function()
    local h = headers.new { B = 1, A = { "x", "y" } }
    assert.equal("A: x\r\nA: y\r\nB: 1\r\n", h:encode())
    assert.equal(h:encode(), headers.new(h):encode())
  end)

  it("sets, removes and walks", function()
    local h = headers.new { "A", "1", "B", "2", "a", "3" }
    h:set("A", 4):add("C", "5")
    assert.equal("B: 2\r\nA: 4\r\nC: 5\r\n", h:encode())
    h:remove "b"
    local seen = {}
    for name, value in h:each() do seen[#seen + 1] = name .. "=" .. value end
    assert.same({ "A=4", "C=5" }, seen)
    assert.is_nil(h.b)
  end)

  it("finds tokens in lists", function()
    local h = headers.new { "Connection", "keep-alive,\tUpgrade " }
    assert.is_true(h:has("connection", "upgrade"))
    assert.is_false(h:has("connection", "close"))
    assert.is_false(h:has("none", "close"))
  end)

  it("refuses what would become another line", function()
    for _, value in ipairs { "a\r\nB: c", "a\nb", "a\0" } do
      assert.error_matches(function() headers.new { A = value } end, "without CR, LF and NUL")
    end
    for _, name in ipairs { "", "a b", "a:", "a\r", "\xc3\xa4" } do
      assert.error_matches(function() headers.new():add(name, "x") end, "name of a field")
    end
  end)

  it("takes the parser's table as it is", function()
    local h = headers.adopt { "A", "1", a = "1" }
    assert.equal("1", h.A)
    assert.is_true(headers.is(h))
    assert.is_false(headers.is {})
  end)

  it("cannot be disturbed by the names that a stranger chooses", function()
    local h = headers.adopt { "get", "x", "1", "y", "raw", "z", get = "x", ["1"] = "y", raw = "z" }
    assert.equal("x", h:get "get")
    assert.equal("y", h:get "1")
    assert.equal("z", h.raw)
    assert.equal("get: x\r\n1: y\r\nraw: z\r\n", h:encode())
  end)
end)

describe("a field of mail", function()
  it("is folded at blanks, at 78 characters", function()
    assert.equal("Subject: short\r\n", headers.fold("Subject", "short"))
    assert.equal("A: \n", headers.fold("A", "", "\n"))
    for count = 1, 60 do
      local value = ("word  "):rep(count) .. "\tend"
      local field = headers.fold("Subject", value)
      for line in field:gmatch "(.-)\r\n" do
        assert.is_true(#line <= 78)
        assert.matches("%S", line)
      end
      assert.equal("Subject: " .. value, (field:gsub("\r\n", "")))
    end
  end)

  it("has its first word behind the name, and blanks at its end where they were", function()
    assert.equal("Subject: " .. ("x"):rep(200) .. "\r\n y\r\n", headers.fold("Subject", ("x"):rep(200) .. " y"))
    local field = headers.fold("A", "b" .. (" "):rep(100))
    assert.equal("A: b" .. (" "):rep(100) .. "\r\n", field)
  end)

  it("is cut where no blank is, never to be longer than 998 characters", function()
    local spaces = (" "):rep(1500) .. "x"
    for _, value in ipairs { ("x"):rep(5000), "a " .. ("y"):rep(2500) .. " b", spaces, ("z"):rep(988) } do
      local field = headers.fold("Subject", value)
      for line in field:gmatch "(.-)\r\n" do assert.is_true(#line <= 998) end
      assert.equal("Subject:" .. value:gsub(" ", ""), (field:gsub("%s", "")))
    end
  end)
end)
