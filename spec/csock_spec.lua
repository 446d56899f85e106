local csock = require "csock"
local core = require "csock.core"
local process = require "spec.support.process"

-- What a new program prints, in one line, that has `csock`: nothing of it has been asked for yet.
local function fresh(code)
  local status, out, err = process.run { process.interpreter, "-e", 'local csock = require "csock"\n' .. code }
  assert.equal("", err)
  assert.equal(0, status)
  return (out:gsub("\t", " "):gsub("\n$", ""))
end

describe("csock", function()
  it("says its version", function()
    assert.matches("^csock %d+%.%d+%.%d+$", csock._VERSION)
  end)

  it("has all that the C core has", function()
    local more = { -- Lua adds to it, or keeps it
      loop = true, coding = true, file = true,
      fork = true, http = true, program = true, service = true, testing = true, websocket = true,
    }
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
    local status, out = process.run { process.interpreter, "-e", [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "csock"
      for name in pairs(_G) do if not before[name] then print(name) end end
    ]] }
    assert.equal("", out)
    assert.equal(0, status)
  end)

  describe("makes at once", function()
    it("its functions, and neither constants nor what is written in Lua", function()
      assert.equal("no constants", fresh [[
        for name, value in next, csock do
          if math.type(value) == "integer" and not name:find "^W" then print(name) end
        end
        print "no constants"
      ]])
      assert.equal("csock csock.core", fresh [[
        local loaded = {}
        for name in pairs(package.loaded) do
          if name:find "^csock" then loaded[#loaded + 1] = name end
        end
        table.sort(loaded)
        print(table.concat(loaded, " "))
      ]])
      assert.equal("function function function", fresh [[
        print(type(rawget(csock, "socket")), type(rawget(csock, "select")), type(rawget(csock, "spawn")))
      ]])
    end)
  end)

  describe("makes when it is first asked for", function()
    it("a constant, which is a plain field from then on", function()
      assert.equal("nil true true", fresh [[
        local before, first = rawget(csock, "AF_INET6"), csock.AF_INET6
        print(before, math.type(first) == "integer", rawget(csock, "AF_INET6") == first)
      ]])
    end)

    it("what is written in Lua, all of it with the first", function()
      for _, name in ipairs { "loop", "serve", "is_error", "fork", "create_server", "create_connection", "getfqdn",
        "has_dualstack_ipv6" } do
        assert.equal("true true true true", fresh(([[
          local before, first = rawget(csock, "%s"), csock.%s
          local function has(field) return rawget(csock, field) ~= nil end
          print(before == nil, first ~= nil, has "loop" and has "serve", has "create_server" and has "getfqdn")
        ]]):format(name, name)))
      end
    end)

    it("the same loop and the same functions as csock.loop has", function()
      assert.equal("true true true", fresh [[
        local loop = require "csock.loop"
        print(csock.loop == loop, csock.spawn == loop.spawn, csock.run == loop.run)
      ]])
    end)
  end)

  it("has nil for what is no name of it", function()
    assert.equal(("nil "):rep(6) .. "nil", fresh [[
      print(csock.AF_NONE, csock[""], csock["AF_INET\0"], csock[1], csock[true], csock[0 / 0], csock[csock])
    ]])
  end)

  it("shows by pairs all that can be asked for, and by next after that", function()
    assert.equal("true true", fresh [[
      local by_pairs, count, by_next = {}, 0, 0
      for name, value in pairs(csock) do
        by_pairs[name] = value
        count = count + 1
      end
      for name, value in next, csock do
        assert(by_pairs[name] == value, name)
        by_next = by_next + 1
      end
      for _, name in ipairs { "AF_INET", "SO_REUSEADDR", "IPV6_V6ONLY", "TCP_NODELAY", "FIONREAD", "errno", "socket",
        "loop", "serve", "is_error", "fork", "create_server", "create_connection", "getfqdn",
        "has_dualstack_ipv6" } do
        assert(by_pairs[name] ~= nil and by_pairs[name] == csock[name], name)
      end
      print(count == by_next, count > 400)
    ]])
  end)

  it("lets a program put its own in any place, before it was asked for and after", function()
    assert.equal("mine mine mine mine table", fresh [[
      csock.AF_INET, csock.serve = "mine", "mine"
      local _ = csock.SOCK_STREAM, csock.create_server
      csock.SOCK_STREAM, csock.create_server = "mine", "mine"
      for _ in pairs(csock) do end
      print(csock.AF_INET, csock.serve, csock.SOCK_STREAM, csock.create_server, type(csock.loop))
    ]])
  end)

  it("tells of a failed task's error before anybody has asked for the loop", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      csock.spawn(function() error "unheard" end)
      csock.run()
      print(package.loaded["csock.loop"])
    ]] }
    assert.equal(0, status)
    assert.equal("nil\n", out)
    assert.matches("^csock: error in a task: .*unheard", err)
  end)
end)
