-- csock.policy and csock_options.policy: what they take and give.
local embed = require "spec.support.embed"
local keep = require "spec.support.keep"

after_each(keep.close)

-- Runs a script in a state of its own, with a policy in C if there are words to deny.
local function run(script, deny)
  return keep(embed.new { deny = deny }):run('local csock = require "csock"\n' .. script)
end

-- What a kill that does nothing gives under this policy.
local function judged(f)
  return run(([[
    assert(csock.policy(%s))
    local _, err = csock.kill(csock.getpid(), 0)
    return tostring(err)
  ]]):format(f))
end

describe("csock.policy", function()
  it("allows by true alone", function()
    assert.equal("nil", judged "function() return true end")
    for _, other in ipairs { "1", "'yes'", "{}", "false", "nil", "" } do
      assert.equal("kill: denied by policy [EPERM]", judged("function() return " .. other .. " end"))
    end
  end)

  it("gives its reason as the error's text", function()
    assert.equal("kill: not here [EPERM]", judged "function() return false, 'not here' end")
    assert.equal("kill: denied by policy [EPERM]", judged "function() return nil, {} end")
    assert.matches("^kill: x+ %[EPERM%]$", judged "function() return nil, ('x'):rep(10000) end")
  end)

  it("denies when the function fails, yields or waits", function()
    assert.matches("^kill: .*oh %[EPERM%]$", judged "function() error 'oh' end")
    assert.equal("kill: the policy failed [EPERM]", judged "function() error {} end")
    assert.matches("^kill: .*yield.* %[EPERM%]$", judged "coroutine.yield")
    assert.matches("%[EPERM%]$", judged "function() return csock.create_connection {'127.0.0.1', 9} end")
  end)

  it("denies what the function itself would have to ask for", function()
    assert.equal("kill: kill: asked for by the policy itself [EPERM] [EPERM]", judged [[function()
      return nil, tostring(select(2, csock.kill(csock.getpid(), 0)))
    end]])
  end)

  -- What a policy says that lets AF_UNIX through where its path (a string) has a host, or its method says so.
  local function tampered(script)
    return run([[
      csock.policy(function(ask)
        if ask.what ~= "connect" then return true end
        return ask.address.host ~= nil or ask.address:find "^/allowed" ~= nil or ask.host.name
      end)
    ]] .. script .. [[
      return tostring(select(2, csock.socket(csock.AF_UNIX):connect "/denied"))
    ]])
  end

  it("sees strings as they were when it was set", function()
    assert.matches("attempt to index a nil value %(field 'host'%) %[EPERM%]$", tampered "")
    assert.matches("%[EPERM%]$", tampered "string.host = '192.0.2.1'")
    assert.matches("%[EPERM%]$", tampered "function string.find() return 1 end")
    assert.matches("%[EPERM%]$", tampered "getmetatable('').__index = function() return print end")
    assert.matches("%[EPERM%]$", tampered "debug.setmetatable('', {__index = {host = 1}})")
  end)

  it("sees no metatables of other types, and puts all back", function()
    assert.matches("%[EPERM%]$", tampered "debug.setmetatable(nil, {__index = function() return true end})")
    assert.equal("true true true 3", run [[
      csock.policy(function(ask) return ask.host == nil and (ask.what):len() > 0 end)
      local mt = {__index = {}}
      debug.setmetatable(nil, mt)
      debug.setmetatable(1, mt)
      local strings = getmetatable ""
      csock.kill(csock.getpid(), 0)
      return ("%s %s %s %d"):format(debug.getmetatable(nil) == mt, debug.getmetatable(1) == mt,
        getmetatable "" == strings, ("abc"):len())
    ]])
  end)

  it("is set once", function()
    assert.equal("policy: Device or resource busy [EBUSY]", run [[
      assert(csock.policy(function() return true end))
      return tostring(select(2, csock.policy(function() return true end)))
    ]])
    assert.matches("function expected", run "return select(2, pcall(csock.policy, {}))")
  end)

  it("has to allow beside a policy in C, and the other way round", function()
    local script = [[
      csock.policy(function(ask) return ask.call ~= "umask", "Lua says no" end)
      return table.concat({
        tostring(select(2, csock.umask(18))), tostring(select(2, csock.chdir ".")),
        tostring(csock.setgid(csock.getgid())),
      }, "\n")
    ]]
    assert.equal("umask: Lua says no [EPERM]\nchdir: the host says no [EPERM]\ntrue", run(script, "process chdir"))
  end)

  it("is asked with plain values, whatever a script has made of csock's", function()
    assert.equal("table 127.0.0.1 9 127.0.0.1 9 2 connect 2 1 true", run [[
      local seen
      csock.policy(function(ask)
        local a = ask.address
        if a then
          seen = table.concat({
            type(a), a.host, a.port, a[1], a[2], a.family, ask.call, ask.family, ask.type,
            tostring(getmetatable(a) == nil),
          }, " ")
        end
        return a == nil
      end)
      csock.socket():connect {"127.0.0.1", 9}
      return seen
    ]])
  end)

  it("goes on with the collection of garbage afterwards, and leaves it stopped where it was", function()
    assert.equal("true false", run [[
      csock.policy(function() return true end)
      csock.umask(csock.umask(18))
      local before = collectgarbage "isrunning"
      collectgarbage "stop"
      csock.umask(csock.umask(18))
      return tostring(before) .. " " .. tostring(collectgarbage "isrunning")
    ]])
  end)

  it("is asked in each of many tasks", function()
    assert.equal("100", run [[
      local n = 0
      csock.policy(function(ask)
        if ask.what == "connect" then n = n + 1 end
        return ask.what ~= "connect"
      end)
      for _ = 1, 100 do csock.spawn(csock.create_connection, {"127.0.0.1", 9}) end
      csock.run()
      return tostring(n)
    ]])
  end)
end)

describe("a host's policy", function()
  it("ends with its state, and another state at the same place begins without", function()
    for _ = 1, 20 do
      local state = embed.new { deny = "process" }
      assert.matches("EPERM", state:run "return tostring(select(2, require 'csock'.umask(18)))")
      state:close()
      local free = embed.new()
      assert.equal("number", free:run "return type(require 'csock'.umask(require 'csock'.umask(18)))")
      free:close()
    end
  end)

  it("is another one in each state", function()
    local a, b = keep(embed.new { deny = "process umask" }), keep(embed.new { deny = "process chdir" })
    assert.matches("EPERM", a:run "return tostring(select(2, require 'csock'.umask(18)))")
    assert.equal("true", a:run "return tostring((require 'csock'.chdir '.'))")
    assert.matches("EPERM", b:run "return tostring(select(2, require 'csock'.chdir '.'))")
    assert.equal("process umask\nprocess chdir\n", a:asked())
  end)
end)

describe("a Lua state whose record a program has taken away", function()
  it("leaves nothing behind that would keep the next one at its place from being set up", function()
    for _ = 1, 50 do
      local state = embed.new { deny = "nothing" }
      state:run [[
        local registry = debug.getregistry()
        for key, value in pairs(registry) do
          if type(key) == "userdata" and type(value) == "thread" then registry[key] = nil end
        end
      ]]
      state:close()
    end
  end)
end)
