local csock = require "csock"
local core = require "csock.core"

describe("csock", function()
  it("says its version", function()
    assert.matches("^csock %d+%.%d+%.%d+$", csock._VERSION)
  end)

  it("has all that the C core has", function()
    local more = { loop = true, fork = true } -- what Lua adds something to
    for name, value in pairs(core) do
      if not more[name] then assert.equal(value, csock[name], name) end
    end
  end)

  it("is the same core again for whoever clears package.loaded", function()
    local s <close> = csock.socket()
    package.loaded["csock.core"] = nil
    assert.equal(core, require "csock.core")
    collectgarbage()
    assert.is_true(s:bind("localhost", 0))
  end)

  it("sets no global variable", function()
    local process = require "spec.support.process"
    local status, out = process.run { process.interpreter, "-e", [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "csock"
      for name in pairs(_G) do if not before[name] then print(name) end end
    ]] }
    assert.equal("", out)
    assert.equal(0, status)
  end)
end)
