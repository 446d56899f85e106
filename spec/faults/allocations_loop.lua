-- What allocations.lua is for sockets, this is for the loop and its tasks. A task that finds no memory
-- fails, and others may depend on it: so all that a row waits for has come, or has an end.

local LOST = "not enough memory for a task" -- what a row says that has waited for one in vain

local function quiet()
  local csock = require "csock"
  function csock.loop.onerror() csock.lost = true end -- a task found no memory
  return csock
end

-- Runs the loop until `done()`, or a task is lost.
local function run_until(csock, done)
  local till = csock.now() + 0.5
  while not done() and not csock.lost and csock.now() < till and csock.loop.step(0.1) do end
  assert(done(), LOST)
end

local function quiet_pair()
  local csock = quiet()
  local a, b = assert(csock.socketpair())
  return csock, a, b
end

return {
  ["a stream that sends at the turn's end"] = {
    prepare = quiet_pair,
    run = function(csock, a, b)
      local stream = assert(a:makefile("w", "turn"))
      csock.run(function() assert(assert(stream:write("a", 1)):write "b") end)
      assert(stream:flush())
      assert(b:recv(10) == "a1b")
    end,
  },
  ["a stream whose peer does not read at the turn's end"] = {
    prepare = function()
      local csock, a, b = quiet_pair()
      local filled = 0
      a:settimeout(0)
      while a:send(("."):rep(4096)) do filled = filled + 4096 end
      a:settimeout(1)
      return csock, a, b, filled
    end,
    run = function(csock, a, b, filled)
      local stream = assert(a:makefile("w", "turn"))
      local written
      csock.spawn(function() written = stream:write "rest" end)
      run_until(csock, function() return written end)
      for _ = 1, 3 do csock.loop.step() end
      b:settimeout(0)
      for _ = 1, filled // 4096 do assert(b:recv(4096)) end
      csock.loop.step()
      assert(stream:flush())
      assert(b:recv(10) == "rest")
    end,
  },
  ["tasks"] = {
    prepare = function()
      local csock, a, b = quiet_pair()
      assert(a:sendall "x")
      return csock, b
    end,
    run = function(csock, b)
      local reader = csock.spawn(function()
        assert(csock.sleep(0))
        return assert(b:recv(10))
      end)
      csock.run(function() assert(assert(reader:join()) == "x") end)
    end,
  },
  ["a task that waits for a socket"] = {
    prepare = quiet_pair,
    run = function(csock, a, b)
      csock.run(function()
        local reader <close> = csock.spawn(function() return assert(b:recv(10)) end):watch()
        csock.yield()
        assert(a:sendall "x")
        assert(assert(reader:join()) == "x")
      end)
    end,
  },
  ["a task that waits in a coroutine of its own"] = {
    prepare = quiet,
    run = function(csock)
      csock.run(function()
        local generator = csock.wrap(function()
          csock.yield()
          coroutine.yield(1)
        end)
        assert(generator() == 1)
        assert(csock.resume(coroutine.create(function() return csock.sleep(0) end)))
      end)
    end,
  },
  ["a task that is cancelled"] = {
    prepare = quiet_pair,
    run = function(csock, _, b)
      csock.run(function()
        local closed = false
        local task <close> = csock.spawn(function()
          local guard <close> = setmetatable({}, { __close = function() closed = true end })
          return b:recv(10), guard
        end)
        csock.yield()
        task:cancel()
        assert(closed and task:status() == "cancelled", LOST)
      end)
    end,
  },
  ["a task that is interrupted"] = {
    prepare = quiet_pair,
    run = function(csock, _, b)
      local loop = csock.loop
      assert(loop.interrupts(true) ~= nil and loop.interrupts(false), LOST)
      csock.run(function()
        local task <close> = csock.spawn(function() return pcall(b.recv, b, 1) end):watch()
        csock.yield()
        assert(task:traceback(), LOST)
        assert(task:interrupt("enough"), LOST)
        assert(select(2, task:join()) == "enough", LOST)
      end)
    end,
  },
  ["sockets that are listed"] = {
    prepare = function()
      local csock = quiet()
      local off = setmetatable({}, { __close = function() csock.debug(false) end })
      return csock, assert(csock.create_server { "127.0.0.1", 0 }), off
    end,
    run = function(csock, listener, off)
      local _ <close> = off
      csock.debug(true)
      local a <close> = assert(csock.socket())
      assert(a:connect(listener:getsockname()))
      local b <close> = assert(listener:accept())
      assert(#csock.sockets() == 2)
      local c <close> = assert(csock.socket())
      local _, err = c:bind(a:getsockname())
      assert(tostring(err) and (err.name ~= "EADDRINUSE" or err.holders[1].socket == a), b)
    end,
  },
  ["a tap"] = {
    prepare = quiet_pair,
    run = function(csock, a, b)
      local tap <close> = assert(csock.tap(a, { limit = 1000 }))
      assert(a:send "x" == 1 and b:send "y" == 1)
      assert(a:recv(1) == "y")
      for _ = 1, 2 do
        local _, direction, _, data, count = assert(tap:read(0))
        assert(direction == "<" or direction == ">")
        assert(data or count == 1)
      end
    end,
  },
  ["a task that computes for too long"] = {
    prepare = function()
      local csock = quiet()
      return csock, setmetatable({}, { __close = function() csock.loop.watchdog(nil) end })
    end,
    run = function(csock, off)
      local _ <close> = off
      local over = false
      csock.loop.watchdog(0)
      csock.run(function()
        local task <close> = csock.spawn(function() csock.wrap(function() while not over do end end)() end):watch()
        csock.yield()
        assert(task:status() == "ready" and task:interrupt "enough", LOST)
        assert(select(2, task:join()):find "enough", LOST)
        over = true
      end)
      assert(over, LOST)
    end,
  },
  ["calls that come later"] = {
    prepare = quiet,
    run = function(csock)
      local calls = 0
      local function count() calls = calls + 1 end
      assert(csock.loop.call_soon(count))
      assert(csock.loop.call_later(0, count))
      assert(csock.loop.call_at(csock.now(), count))
      csock.run()
      assert(calls == 3, LOST)
    end,
  },
  ["the loop, step by step"] = {
    prepare = quiet,
    run = function(csock)
      local done = false
      csock.spawn(function() done = true end)
      while csock.loop.step() do assert(csock.loop.backend()) end
      assert(done and #csock.loop.backends() > 0, LOST)
    end,
  },
  ["readers and writers"] = {
    prepare = quiet_pair,
    run = function(csock, a, b)
      local loop, got = csock.loop, nil
      loop.add_reader(b, function()
        got = b:recv(10)
        loop.remove_reader(b)
      end)
      loop.add_writer(a, function()
        a:sendall "x"
        loop.remove_writer(a)
      end)
      run_until(csock, function() return got == "x" end)
    end,
  },
  ["a bound on a piece of work"] = {
    prepare = quiet_pair,
    run = function(csock, _, b)
      csock.run(function()
        assert(csock.loop.timeout(10, function() return 1 end) == 1)
        local done, err = csock.loop.timeout(0.001, function() return b:recv(1) end)
        assert(done == nil and err:is(csock.timeout), tostring(err))
      end)
    end,
  },
  ["a group of tasks"] = {
    prepare = quiet,
    run = function(csock)
      local sum = 0
      csock.run(function()
        local group <close> = csock.loop.group()
        for i = 1, 3 do
          group:spawn(function()
            csock.yield()
            sum = sum + i
          end)
        end
      end)
      assert(sum == 6, LOST)
    end,
  },
  ["a queue between tasks"] = {
    prepare = quiet,
    run = function(csock)
      csock.run(function()
        local queue = csock.loop.queue(2)
        assert(queue:put(1))
        assert(queue:put(2))
        assert(queue:get() == 1 and queue:get() == 2)
      end)
    end,
  },
  ["an event"] = {
    prepare = quiet,
    run = function(csock)
      csock.run(function()
        local event = csock.loop.event()
        local waiter <close> = csock.spawn(function() return event:wait() end):watch()
        csock.yield()
        event:set()
        assert(waiter:join(1))
      end)
    end,
  },
  ["lines"] = {
    prepare = quiet,
    run = function()
      local list = {}
      assert(require("csock.loop.internal").hub.split(list, "a\nb\nc", 1, "\n", 10, 10) == 2 and list[2] == "b")
    end,
  },
  ["the hub's sockets"] = {
    prepare = function()
      local csock = quiet()
      csock.setdefaulttimeout(0.5)
      return csock, { assert(csock.socketpair()) }, { assert(csock.socketpair()) }
    end,
    run = function(csock, a, b)
      local hub = require("csock.loop.internal").hub
      local over <close> = setmetatable({}, {
        __close = function()
          hub.remove(a[1])
          hub.remove(b[1])
        end,
      })
      local other = { socket = b[1], protocol = {} }
      local object = { socket = a[1], protocol = {} }
      function object.protocol.dataReceived(_, data)
        hub.write(object, data)
        hub.write(other, data)
        hub.write(other, ("x"):rep(20000))
      end
      csock.run(function()
        assert(hub.connect(a[1], object, true))
        assert(hub.connect(b[1], other, true))
        assert(a[2]:send "hi")
        hub.wait(1)
        assert(hub.serve() == nil and over)
        assert(a[2]:recv(10) == "hi")
        assert(#b[2]:recv(20002, csock.MSG_WAITALL) == 20002)
      end)
    end,
  },
  ["a network in memory"] = {
    prepare = function()
      local testing = require "csock.testing"
      return testing.network { short_reads = 1 }
    end,
    run = function(net)
      local listener <close> = assert(net:socket())
      assert(listener:bind("localhost", 7) and listener:listen())
      local s <close> = assert(net:socket())
      assert(s:connect("localhost", 7))
      local conn <close> = assert(listener:accept())
      assert(s:send "hi" == 2)
      assert(conn:recv(10) == "h" and conn:recv(10) == "i")
    end,
  },
  ["a program"] = {
    prepare = function()
      local csock = require "csock"
      return csock, require "csock.core".program, assert(csock.socketpair())
    end,
    run = function(csock, program, socket)
      local descriptors = { 0, socket, 1, socket }
      local pid = assert(program.run({ "/bin/true" }, { "true" }, { "A=b" }, descriptors, "group", "/"))
      csock.waitpid(pid)
    end,
  },
  ["a program that is not there"] = {
    prepare = function() return require "csock.core".program end,
    run = function(program)
      local pid, err = program.run({ "/nonesuch" }, { "nonesuch" }, nil, {})
      assert(not pid and (err.name == "ENOENT" or error(err)))
    end,
  },
  ["a pipe"] = {
    prepare = function() return require "csock.core".program end,
    run = function(program)
      local a <close>, b = assert(program.pipe())
      local _ <close> = b
      assert(b:send "hello")
      assert(a:recv(10) == "hello")
    end,
  },
  ["a terminal"] = {
    prepare = function() return require "csock.core".program end,
    run = function(program)
      local a <close>, b = assert(program.pipe(true))
      local _ <close> = b
      assert(a:send "hello\n")
      assert(b:recv(10) == "hello\n")
    end,
  },
  ["a signal's handler"] = {
    prepare = quiet,
    run = function(csock)
      local loop, seen = csock.loop, false
      local over <close> = setmetatable({}, { __close = function() loop.on_signal("SIGUSR1", nil) end })
      assert(loop.on_signal("SIGUSR1", function() seen = true end))
      assert(csock.kill(csock.getpid(), 10))
      run_until(csock, function() return seen or over == nil end)
    end,
  },
}
