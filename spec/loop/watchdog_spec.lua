-- A task that computes for too long: the others go on, and it can be looked at and ended.
local csock = require "csock"
local process = require "spec.support.process"

local loop = csock.loop
local spawn, yield = csock.spawn, csock.yield

local function endless() while true do end end -- luacheck: ignore

-- Something for a <close> variable that calls f when it is closed.
local function closing(f) return setmetatable({}, { __close = function(_, err) f(err) end }) end

-- Runs f in a task with the watchdog on; what it spawned is cancelled.
local function watched(f)
  loop.watchdog(0.005)
  local _ <close> = closing(function() loop.watchdog(nil) end)
  csock.run(f)
end

describe("csock.loop.watchdog", function()
  it("is off, and tells how it was", function()
    assert.is_nil(loop.watchdog())
    assert.is_nil(loop.watchdog(0.5))
    assert.equal(0.5, loop.watchdog())
    assert.equal(0.5, loop.watchdog(nil))
    assert.is_nil(loop.watchdog())
    assert.is_false((pcall(loop.watchdog, -1)))
    assert.is_false((pcall(loop.watchdog, "x")))
  end)

  for what, work in pairs {
    ["an endless loop"] = endless,
    ["an endless loop within calls"] = function()
      local function deep(n) if n == 0 then endless() else deep(n - 1) end end
      deep(50)
    end,
    ["a coroutine entered by wrap"] = function() csock.wrap(endless)() end,
    ["two coroutines entered by resume"] = function()
      csock.resume(coroutine.create(function() csock.resume(coroutine.create(endless)) end))
    end,
    ["a protected call"] = function() pcall(endless) end,
  } do
    it("lets the others go on beside " .. what, function()
      watched(function()
        local task <close> = spawn(work)
        for _ = 1, 5 do csock.sleep(0.001) end
        assert.equal("ready", task:status())
        assert.matches("watchdog_spec", task:traceback())
        assert.is_true(task:cancel())
        assert.equal("cancelled", task:status())
      end)
    end)
  end

  it("spoils nothing that the task computes, also over many turns", function()
    local function sum(n)
      local total, text = 0, {}
      for i = 1, n do
        total = total + i
        text[i % 7 + 1] = tostring(total)
      end
      return total, table.concat(text, ",")
    end
    local turns = 0
    local expected = { sum(300000) }
    loop.watchdog(0.0005)
    csock.run(function()
      local ticker <close> = spawn(function()
        while true do
          yield()
          turns = turns + 1
        end
      end)
      local one, two = spawn(sum, 300000), spawn(csock.wrap(sum), 300000)
      assert.same(expected, { one:join() })
      assert.same(expected, { two:join() })
      assert(ticker)
    end)
    loop.watchdog(nil)
    assert(turns > 5, turns)
  end)

  it("waits until a task has left what cannot be suspended", function()
    watched(function()
      local log = {}
      local function busy()
        local till = csock.now() + 0.02
        while csock.now() < till do end -- luacheck: ignore
      end
      local task = spawn(function()
        coroutine.wrap(busy)()
        log[#log + 1] = "coroutine"
        table.sort({ 1, 2 }, function(a, b)
          busy()
          return a < b
        end)
        log[#log + 1] = "sort"
        endless()
      end)
      local other <close> = spawn(function()
        yield()
        log[#log + 1] = "other"
      end)
      while #log < 3 do yield() end
      task:cancel()
      assert(other)
      assert.equal("coroutine", log[1])
    end)
  end)

  it("leaves a hook of the program's own alone", function()
    watched(function()
      local ticks = 0
      local task = spawn(function()
        local hook = function() ticks = ticks + 1 end
        debug.sethook(hook, "", 1000)
        local till = csock.now() + 0.02
        while csock.now() < till do end -- luacheck: ignore
        local same = debug.gethook() == hook
        debug.sethook()
        return same
      end)
      yield()
      assert.equal("done", task:status())
      assert.is_true((task:join()))
      assert(ticks > 0)
    end)
  end)

  it("closes the variables of a task that is cancelled, in all its coroutines", function()
    watched(function()
      local log = {}
      local task = spawn(function()
        local _ <close> = closing(function() log[#log + 1] = "outer" end)
        csock.wrap(function()
          local _ <close> = closing(function() log[#log + 1] = "inner" end)
          endless()
        end)()
      end)
      yield()
      task:cancel()
      assert.same({ "inner", "outer" }, log)
    end)
  end)

  it("gives whoever waits for a socket, and timers, their turn", function()
    watched(function()
      local a, b = csock.socketpair()
      local busy <close> = spawn(endless)
      local reader = spawn(function() return a:recv(10) end)
      csock.sleep(0.001)
      b:send "x"
      assert.equal("x", reader:join(5))
      assert(busy)
      a:close()
      b:close()
    end)
  end)

  it("spares new coroutines the hook once it is off", function()
    watched(function() spawn(endless):cancel() end)
    csock.run(function() assert.is_nil(debug.gethook()) end)
  end)
end)

describe("with the watchdog, task:interrupt", function()
  local function forever() while true do end end -- luacheck: ignore

  it("raises in the midst of a computation", function()
    for _, work in ipairs { forever, function() csock.wrap(forever)() end } do
      watched(function()
        local task = spawn(work):watch()
        yield()
        assert.equal("ready", task:status())
        assert.is_true(task:interrupt("enough"))
        local ok, err = task:join()
        assert.is_nil(ok)
        assert.matches("enough$", err)
        assert.equal("failed", task:status())
      end)
    end
  end)

  it("raises before the next call, and lets the task go on if it catches that", function()
    watched(function()
      local a, b = csock.socketpair()
      local task = spawn(function()
        local ok, err = pcall(function()
          while true do math.abs(1) end
        end)
        return ok, err, a:recv(1)
      end)
      yield()
      task:interrupt("first")
      task:interrupt("second")
      yield()
      assert.equal("waiting", task:status())
      b:send "x"
      assert.same({ false, "second", "x" }, { task:join() })
      a:close()
      b:close()
    end)
  end)

  it("may be followed by a cancel", function()
    watched(function()
      local closed
      local task = spawn(function()
        local _ <close> = closing(function(err)
          closed = true
          assert(err == nil)
        end)
        forever()
      end)
      yield()
      task:interrupt()
      task:cancel()
      assert.is_true(closed)
      assert.equal("cancelled", task:status())
    end)
  end)
end)

describe("with the watchdog, Ctrl-C", function()
  for what, work in pairs {
    ["the foreground task computes"] = "while true do end",
    ["it computes in a coroutine of its own"] = "csock.wrap(function() while true do end end)()",
    ["it waits, and another one computes"] = "csock.sleep(60)",
    ["nobody is the foreground task"] = false,
  } do
    it("is answered when " .. what, function()
      local p <close> = process.lua { "-e", [[
        io.stdout:setvbuf "line"
        local csock = require "csock"
        local loop = csock.loop
        loop.interrupts(true)
        loop.watchdog(0.01)
        print(pcall(csock.run, function()
          csock.spawn(function() while true do end end)
          ]] .. (work and ([[
          local task = csock.spawn(function() print "ready" %s end):watch()
          loop.foreground(task)
          print(select(2, task:join()))
          os.exit(0)]]):format(work) or [[
          print "ready"
          while true do csock.yield() end]]) .. [[
        end))
      ]] }
      p:expect "ready\n"
      p:signal "SIGINT"
      p:expect "interrupted!\n"
      assert.equal(0, p:wait(), p.err)
    end)
  end
end)
