-- The task that Ctrl-C is for: it ends, and the loop goes on with all others.
local process = require "spec.support.process"

local function start(code, env)
  return process.lua({ "-e", [[io.stdout:setvbuf "line" csock = require "csock" loop = csock.loop ]] .. code },
    { env = env })
end

-- A server that goes on, and a client that finds that out.
local SERVER = [[
  local server = assert(csock.serve({"127.0.0.1", 0}, function(conn) conn:sendall(conn:recv(5)) end))
  local function ask()
    local s <close> = assert(csock.create_connection(server:getsockname()))
    s:sendall "again"
    return s:recv(5)
  end
  local function foreground(f)
    local task = csock.spawn(f):watch()
    loop.foreground(task)
    local results = table.pack(task:join())
    print(task:status(), table.unpack(results, 1, results.n))
    print(ask(), loop.foreground())
  end
]]

describe("csock.loop.foreground", function()
  for _, backend in ipairs { "epoll", "poll" } do
    for what, wait in pairs {
      ["a sleep"] = [[csock.sleep(60)]],
      ["a read"] = [[local a, b = csock.socketpair() print(pcall(a.recv, a, 1)) b:close() error("not caught", 0)]],
      ["a select"] = [[local a = csock.socketpair() csock.select({a})]],
      ["a queue"] = [[loop.queue():get()]],
      ["a coroutine of its own"] = [[csock.wrap(function() csock.sleep(60) end)()]],
      ["an endless computation"] = [[while true do end]],
      ["an endless computation in a coroutine"] = [[csock.wrap(function() while true do end end)()]],
    } do
      it(("ends a task in %s, and nothing else (%s)"):format(what, backend), function()
        local p <close> = start(SERVER .. [[
          csock.run(function()
            foreground(function() print "waiting" ]] .. wait .. [[ end)
            server:close()
          end)
          print "over"
        ]], { CSOCK_BACKEND = backend })
        p:expect "waiting\n"
        p:signal "SIGINT"
        local printed = p:read_all()
        assert.equal(0, p:wait(), printed .. p.err)
        if what == "a read" then
          assert.matches("false\tinterrupted!.*failed\tnil\tnot caught\nagain\nover", printed)
        else
          assert.matches("failed\tnil\t[^\n]*interrupted!\nagain\nover", printed)
        end
      end)
    end
  end

  for what, wait in pairs {
    ["a sleep"] = [[csock.sleep(60)]],
    ["an endless computation"] = [[while true do end]],
    ["a coroutine that computes"] = [[csock.wrap(function() while true do end end)()]],
  } do
    it("cancels with the second Ctrl-C a firm one that catches the first, in " .. what, function()
      local p <close> = start([[
        csock.run(function()
          loop.interrupts(true)
          local task = csock.spawn(function()
            local _ <close> = setmetatable({}, { __close = function() print "closed" end })
            while true do
              pcall(function() print "waiting" ]] .. wait .. [[ end)
            end
          end)
          loop.foreground(task, true)
          print(select(2, task:join()).name, task:status())
        end)
      ]])
      p:expect "waiting\n"
      p:signal "SIGINT"
      p:expect "waiting\n"
      p:signal "SIGINT"
      p:expect "closed\nECANCELED\tcancelled\n"
      assert.equal(0, p:wait())
    end)
  end

  it("raises in one that is not firm each time", function()
    local p <close> = start [[
      csock.run(function()
        loop.interrupts(true)
        local task = csock.spawn(function()
          for _ = 1, 3 do print("waiting", pcall(csock.sleep, 60)) end
        end)
        loop.foreground(task)
        for _ = 1, 3 do
          csock.yield() csock.yield()
          csock.kill(csock.getpid(), "SIGINT")
        end
        print(task:join(), task:status())
      end)
    ]]
    local printed = p:read_all()
    assert.equal(3, select(2, printed:gsub("waiting\tfalse\t[^\n]*interrupted!\n", "")), printed .. p.err)
    assert.equal(0, p:wait())
  end)

  it("cancels one that has not begun", function()
    local p <close> = start [[
      csock.run(function()
        local task = csock.spawn(function() print "begun" end)
        loop.foreground(task)
        csock.kill(csock.getpid(), "SIGINT")
        print(select(2, task:join()).name)
      end)
    ]]
    assert.equal("ECANCELED\n", p:read_all())
    assert.equal(0, p:wait())
  end)

  it("leaves Ctrl-C to whoever runs the loop when there is no such task, or when it is over", function()
    local p <close> = start [[
      local task = csock.spawn(function() end)
      loop.foreground(task)
      csock.spawn(function() task:join() print(loop.foreground()) csock.sleep(60) end)
      csock.run()
    ]]
    p:expect "\n"
    p:signal "SIGINT"
    p:expect_err "interrupted!"
    assert.equal(1, p:wait())
  end)

  it("gives the task that it was before, and takes it away with nil", function()
    local p <close> = start [[
      csock.run(function()
        local a, b = csock.spawn(csock.sleep, 60), csock.spawn(csock.sleep, 60)
        print(loop.foreground(a), loop.foreground(b) == a, loop.foreground() == b, loop.foreground(nil) == b,
          loop.foreground())
        print(pcall(loop.foreground, 1))
        a:cancel()
        b:cancel()
      end)
    ]]
    assert.matches("^nil\ttrue\ttrue\ttrue\nfalse\tbad argument #1 to 'csock.loop.foreground'", p:read_all())
  end)

  it("spares tasks that the foreground one starts the looking", function()
    local p <close> = start [[
      csock.run(function()
        loop.foreground(loop.current())
        csock.spawn(function() print(debug.gethook()) end):join()
      end)
    ]]
    assert.equal("nil\n", p:read_all())
  end)

  it("gives its place back to the one before it", function()
    local p <close> = start [[
      csock.run(function()
        local own = loop.current()
        loop.foreground(own)
        for _, f in ipairs { function() end, function() csock.sleep(0) end, function() error("no", 0) end } do
          local task = csock.spawn(f):watch()
          loop.foreground(task)
          task:join()
          print(loop.foreground() == own)
        end
        print "asks"
        print(pcall(csock.sleep, 60))
        loop.foreground(csock.spawn(function() end))
        loop.foreground(nil)
        csock.yield()
        print(loop.foreground())
      end)
    ]]
    p:expect "true\ntrue\ntrue\nasks\n"
    p:signal "SIGINT"
    assert.matches("^false\t[^\n]*interrupted!\n\n?$", (p:read_all()))
    assert.equal(0, p:wait())
  end)
end)

describe("task:interrupt", function()
  local csock = require "csock"

  it("raises in the call in which the task waits, and the task may go on", function()
    csock.run(function()
      local a, b = csock.socketpair()
      local task = csock.spawn(function()
        local ok, err = pcall(a.recv, a, 1)
        return ok, err, a:recv(1)
      end)
      csock.yield()
      assert.is_true(task:interrupt("enough"))
      csock.yield()
      b:send "x"
      assert.same({ false, "enough", "x" }, { task:join() })
      assert.is_false(task:interrupt())
      a:close()
      b:close()
    end)
  end)

  it("says \"interrupted!\" by itself, and takes any value", function()
    csock.run(function()
      local value = {}
      for _, case in ipairs { { "interrupted!" }, { value, value } } do
        local task = csock.spawn(csock.sleep, 60):watch()
        csock.yield()
        task:interrupt(case[2])
        assert.equal(case[1], select(2, task:join()))
      end
    end)
  end)

  it("raises at once in the task that calls it", function()
    csock.run(function()
      assert.same({ false, "me" }, { pcall(function() csock.loop.current():interrupt("me") end) })
    end)
  end)

  it("cancels a task that has not begun", function()
    csock.run(function()
      local task = csock.spawn(function() end)
      assert.is_true(task:interrupt())
      assert.equal("cancelled", task:status())
    end)
  end)
end)
