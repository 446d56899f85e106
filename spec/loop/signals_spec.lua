-- Ctrl-C as often as it is typed: loop.interrupts. (Signals as ordinary Lua: spec/csock/loop_spec.lua.)
local process = require "spec.support.process"

local function start(code)
  return process.lua { "-e", [[io.stdout:setvbuf "line" csock = require "csock" loop = csock.loop ]] .. code }
end

describe("csock.loop.interrupts", function()
  it("raises in the foreground task each time, also while it computes", function()
    local p <close> = start [[
      csock.run(function()
        print(loop.interrupts(true), loop.interrupts())
        for _, work in ipairs { function() csock.sleep(60) end, function() while true do end end,
            function() csock.wrap(function() while true do end end)() end, function() csock.sleep(60) end } do
          local task = csock.spawn(function() print "waiting" work() end):watch()
          loop.foreground(task)
          print(select(2, task:join()))
        end
        print(loop.interrupts(false), loop.interrupts())
      end)
    ]]
    p:expect "false\ttrue\n"
    for _ = 1, 4 do
      p:expect "waiting\n"
      p:signal "SIGINT"
      p:expect "interrupted!\n"
    end
    p:expect "true\tfalse\n"
    assert.equal(0, p:wait(), p.err)
  end)

  it("raises outside of tasks, in a wait and in a computation", function()
    local p <close> = start [[
      loop.interrupts(true)
      for _ = 1, 2 do
        print(pcall(function() print "asleep" csock.sleep(60) end))
        print(pcall(function() print "busy" while true do end end))
      end
    ]]
    for _ = 1, 2 do
      for _, what in ipairs { "asleep\n", "busy\n" } do
        p:expect(what)
        p:signal "SIGINT"
        p:expect "false\t[^\n]*interrupted!\n"
      end
    end
    assert.equal(0, p:wait(), p.err)
  end)

  it("gives the signal back to who had it before", function()
    local p <close> = start [[
      csock.run(function()
        local got = loop.queue()
        local off = loop.on_signal("SIGINT", function() got:put "on_signal" end)
        loop.interrupts(true)
        local task = csock.spawn(function() csock.sleep(60) end):watch()
        loop.foreground(task)
        csock.yield()
        csock.kill(csock.getpid(), "SIGINT")
        print(select(2, task:join()))
        loop.interrupts(false)
        csock.kill(csock.getpid(), "SIGINT")
        print(got:get(10))
      end)
    ]]
    assert.matches("interrupted!\non_signal\n", p:read_all())
  end)

  it("leaves the signal to on_signal while that catches it, and has it again afterwards", function()
    local p <close> = start [[
      csock.run(function()
        loop.interrupts(true)
        local got = loop.queue()
        local handler = function() got:put "on_signal" end
        loop.on_signal("SIGINT", handler)
        csock.kill(csock.getpid(), "SIGINT")
        print(got:get(10))
        loop.on_signal("SIGINT", nil)
        local task = csock.spawn(function() csock.sleep(60) end):watch()
        loop.foreground(task)
        csock.yield()
        csock.kill(csock.getpid(), "SIGINT")
        print(select(2, task:join()))
      end)
    ]]
    assert.matches("on_signal\n[^\n]*interrupted!\n", p:read_all())
  end)

  it("is off in a forked child", function()
    local p <close> = start [[
      loop.interrupts(true)
      local pid = csock.fork()
      if pid == 0 then print(loop.interrupts()) io.stdout:flush() csock._exit(0) end
      csock.waitpid(pid)
      print(loop.interrupts())
    ]]
    assert.equal("false\ntrue\n", p:read_all())
  end)
end)
