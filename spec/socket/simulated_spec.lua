-- The ends of socketpairs that csock.testing makes sockets of its network.
local embed = require "spec.support.embed"
local keep = require "spec.support.keep"

describe("an end of a socketpair", function()
  after_each(keep.close)

  it("stays what it is where the network has no methods yet, and is closed by whoever collects it", function()
    assert.equal("true true", keep(embed.new()):run [[
      local core = require "csock.core"
      local a, b = core.socketpair()
      local refused = not pcall(core.testing.adopt, a, {})
      a = nil -- luacheck: ignore
      collectgarbage()
      return ("%s %s"):format(refused, b:recv(1) == "")
    ]])
  end)
end)
