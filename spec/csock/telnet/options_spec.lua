-- Options of telnet: what is said, and that it ends.
local codec = require "csock.telnet.codec"
local options = require "csock.telnet.options"

local WILL, WONT, DO, DONT = codec.WILL, codec.WONT, codec.DO, codec.DONT
local NAMES = { [WILL] = "WILL", [WONT] = "WONT", [DO] = "DO", [DONT] = "DONT" }

-- One side, that agrees to the options in `agreed` ("him 1"); what it has sent and was told is in `said`, `told`.
local function side(...)
  local agreed = {}
  for _, name in ipairs { ... } do agreed[name] = true end
  local self = { said = {}, told = {}, queue = {} }
  self.options = options.new(
    function(bytes)
      local _, verb, option = bytes:byte(1, 3)
      self.said[#self.said + 1] = NAMES[verb] .. " " .. option
      table.insert(self.queue, { verb, option })
    end,
    function(which, option) return agreed[which .. " " .. option] == true end,
    function(which, option, on) self.told[#self.told + 1] = ("%s %d %s"):format(which, option, on) end)
  return self
end

-- Carries over what each has said to the other, until nobody says anything; fails where that never ends.
local function settle(a, b)
  for _ = 1, 100 do
    local from, to = a, b
    if #a.queue == 0 then from, to = b, a end
    if #from.queue == 0 then return end
    local verb, option = table.unpack(table.remove(from.queue, 1))
    to.options:heard(verb, option)
  end
  error "they talk for ever"
end

describe("telnet's options", function()
  it("are refused, unless the side agrees", function()
    local a = side("him 3", "us 24")
    for _, pair in ipairs { { WILL, 1 }, { DO, 1 }, { WILL, 3 }, { DO, 24 } } do a.options:heard(pair[1], pair[2]) end
    assert.same({ "DONT 1", "WONT 1", "DO 3", "WILL 24" }, a.said)
    assert.same({ "him 3 true", "us 24 true" }, a.told)
  end)

  it("are answered once: what is on or off already says nothing", function()
    local a = side "him 3"
    for _ = 1, 3 do a.options:heard(WILL, 3) end
    for _ = 1, 3 do a.options:heard(WONT, 3) end
    a.options:heard(DONT, 9)
    assert.same({ "DO 3", "DONT 3" }, a.said)
    assert.same({ "him 3 true", "him 3 false" }, a.told)
  end)

  it("are asked for, and the answer needs no other", function()
    local a = side()
    a.options:ask("him", 31, true)
    a.options:ask("him", 31, true)
    assert.is_false(a.options:on("him", 31))
    a.options:heard(WILL, 31)
    assert.is_true(a.options:on("him", 31))
    a.options:ask("us", 1, true)
    a.options:heard(DONT, 1)
    assert.is_false(a.options:on("us", 1))
    assert.same({ "DO 31", "WILL 1" }, a.said)
  end)

  it("are agreed upon by both, whoever asks, and whoever changes his mind", function()
    math.randomseed(2)
    for _ = 1, 500 do
      local agreeable = math.random(2) == 1 and "him 1" or "us 1"
      local a, b = side("him 1", "us 1"), side(agreeable)
      for _ = 1, math.random(6) do
        local who, which = math.random(2) == 1 and a or b, math.random(2) == 1 and "him" or "us"
        who.options:ask(which, 1, math.random(2) == 1)
        if math.random(2) == 1 and #a.queue > 0 then b.options:heard(table.unpack(table.remove(a.queue, 1))) end
        if math.random(2) == 1 and #b.queue > 0 then a.options:heard(table.unpack(table.remove(b.queue, 1))) end
      end
      settle(a, b)
      assert.equal(a.options:on("him", 1), b.options:on("us", 1))
      assert.equal(a.options:on("us", 1), b.options:on("him", 1))
    end
  end)
end)
