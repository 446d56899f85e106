-- Values as text.
local csock = require "csock"
local process = require "spec.support.process"
local show = require "csock.repl.show"

describe("a value is shown", function()
  -- What Lua makes of it again.
  local function value(text) return assert(load("return " .. text))() end

  it("as a literal, if it is a string", function()
    assert.equal([["a\r\n\t\"\\\x00\xff é"]], show "a\r\n\t\"\\\0\xff é")
    for _, bytes in ipairs { "", "a\0b", "\xc3", "\xc3\xa9\x80", "\u{9b}2J", "\27[2J", "é\xff\xfe", "\u{7f}" } do
      assert.equal(bytes, value(show(bytes)))
      assert.is_nil(show(bytes):find "%c")
    end
  end)

  it("shortened, if it is a long string, and not within a character", function()
    assert.equal('"aaé"… (7 bytes)', show("aaéaaa", { strings = 4 }))
    assert.equal('"aa"… (7 bytes)', show("aaéaaa", { strings = 3 }))
  end)

  it("as a constructor, if it is a table", function()
    assert.equal("{1, 2, {a = 3}}", show { 1, 2, { a = 3 } })
    assert.equal('{[1.5] = 2, ["a b"] = 1, ["end"] = 3}', show { ["a b"] = 1, [1.5] = 2, ["end"] = 3 })
    assert.equal("{}", show {})
    assert.equal("{[3] = 1}", show { [3] = 1 })
  end)

  it("over several lines where it is wider than a line", function()
    local text = show({ ("x"):rep(30), ("y"):rep(30), { z = ("z"):rep(30) } }, { columns = 40 })
    assert.same({ ("x"):rep(30), ("y"):rep(30), { z = ("z"):rep(30) } }, value(text))
    assert.matches("^{\n  \"x+\",\n  \"y+\",\n  {z = \"z+\"}\n}$", text)
  end)

  it("many in a line, if it is a long sequence", function()
    local numbers = {}
    for i = 1, 45 do numbers[i] = i end
    local text = show(numbers)
    assert.same(numbers, value(text))
    for line in text:gmatch "[^\n]+" do assert.is_true(#line <= 80) end
    assert.is_true(select(2, text:gsub("\n", "")) < 6)
  end)

  it("as far as is reasonable, if it is large, deep or within itself", function()
    local many, deep = {}, {}
    for i = 1, 100 do many[i] = i end
    assert.matches("50, … %(50 more%)\n}$", show(many))
    local inner = deep
    for _ = 1, 20 do
      inner.x = {}
      inner = inner.x
    end
    assert.equal("{x = {x = {…}}}", show(deep, { depth = 2 }))
    local own = { 1 }
    own.self = own
    assert.equal("{1, self = <the table around it>}", show(own))
    local twice = {}
    assert.equal("{{}, {}}", show { twice, twice })
  end)

  it("by its own words, if it has some", function()
    local s <close> = csock.socket()
    assert.equal(tostring(s), show(s))
    assert.equal("('127.0.0.1', 80)", show(csock.address(csock.AF_INET, "127.0.0.1", 80)))
    assert.equal("me", show(setmetatable({}, { __tostring = function() return "me" end })))
    assert.matches("__tostring fails: .*no>$", show(setmetatable({}, { __tostring = function() error "no" end })))
    assert.matches("__tostring fails", show(setmetatable({}, { __tostring = function() return {} end })))
  end)

  it("soon, however large it is", function()
    local many, keys = {}, {}
    for i = 1, 300000 do many[i], keys["k" .. i] = i, i end
    local began = csock.loop.now()
    assert.matches("^{\n  1, 2, .*50,%s+… %(more than 299950 more%)\n}$", show(many))
    assert.matches("^{\n  k.*… %(more than %d+ more%)\n}$", show(keys))
    assert.is_true(csock.loop.now() - began < 0.5 * process.slowness)
  end)

  it("in no more parts than somebody reads, however deep it is", function()
    local function tree(depth)
      local t = {}
      for i = 1, 50 do t[i] = depth > 0 and tree(depth - 1) or i end
      return t
    end
    local _, lines = show(tree(2)):gsub("\n", "")
    assert.is_true(lines < 1000, lines)
  end)

  it("without asking its __index, __pairs and __len", function()
    local function asked() error "asked" end
    local t = setmetatable({ 1 }, { __index = asked, __pairs = asked, __len = asked })
    assert.equal("{1}", show(t))
  end)

  it("with the name of its class", function()
    assert.equal("point {x = 1}", show(setmetatable({ x = 1 }, { __name = "point" })))
  end)

  it("by the place where it was written, if it is a function", function()
    local function f() end
    assert.matches("^<function .*show_spec.lua:%d+>$", show(f))
    assert.matches("^function: ", show(print))
  end)

  it("by the names of its constants, if it is a row of getaddrinfo", function()
    local infos = csock.getaddrinfo("127.0.0.1", 80, 0, csock.SOCK_STREAM)
    assert.equal("{family=AF_INET, type=SOCK_STREAM, proto=6, addr=('127.0.0.1', 80)}", show(infos[1]))
  end)

  it("whatever it is", function()
    for _, thing in ipairs { true, 1, -0.0, math.huge, 2 ^ 53, coroutine.create(print), io.stdout } do
      assert.equal(tostring(thing), show(thing))
    end
    assert.equal("nil", show(nil))
  end)
end)
