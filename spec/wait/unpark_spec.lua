-- Why a task goes on: each wait ends for a reason of its own, and never for one of an earlier wait.
local csock = require "csock"
local process = require "spec.support.process"
local scale = require "spec.support.scale"
local streams = require "spec.support.streams"

local loop = csock.loop
local E = csock.errno

after_each(streams.close_all)

describe("a task whose last wait timed out", function()
  -- More operations than a task may do before the others have a turn, none of which waits.
  local MANY = 200

  local waits = {
    ["slept"] = function() csock.sleep(0.001) end,
    ["waited for an event in vain"] = function()
      assert.equal(E.ETIMEDOUT, select(3, loop.event():wait(0.001)))
    end,
    ["waited to read in vain"] = function()
      local a = streams.pair()
      a:settimeout(0.001)
      assert.equal(E.ETIMEDOUT, select(3, a:recv(1)))
    end,
    ["joined in vain"] = function()
      local task <close> = csock.spawn(csock.sleep, 60)
      assert.equal(E.ETIMEDOUT, select(3, task:join(0.001)))
    end,
  }
  local operations = {
    send = function(a, b)
      assert.equal(1, a:send "x")
      assert.equal("x", b:recv(10))
    end,
    sendall = function(a, b)
      assert.equal(1, a:sendall "x")
      assert.equal("x", b:recv(10))
    end,
    recv_into = function(a, b)
      assert(a:send "xy")
      assert.equal(2, b:recv_into(csock.buffer(10)))
    end,
    recvmsg = function(a, b)
      assert(a:sendmsg { "x" })
      assert.equal("x", (b:recvmsg(10)))
    end,
    flush = function(a, b)
      local stream = a:makefile("w")
      assert(stream:write "x")
      assert(stream:flush())
      assert(stream:close())
      assert.equal("x", b:recv(10))
    end,
    read = function(a, b)
      local stream = b:makefile()
      assert(a:send "line\n")
      assert.equal("line", stream:read())
      assert(stream:close())
    end,
  }
  for waited, wait in pairs(waits) do
    for call, operation in pairs(operations) do
      it(("can %s as often as it likes: it %s"):format(call, waited), function()
        csock.run(function()
          local a, b = streams.pair()
          wait()
          for _ = 1, MANY do operation(a, b) end
        end)
      end)
    end
  end

  it("sends datagrams as often as it likes", function()
    csock.run(function()
      local a = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
      assert(a:bind { "127.0.0.1", 0 })
      csock.sleep(0.001)
      for _ = 1, MANY do
        assert(a:sendto("x", a:getsockname()))
        assert.equal("x", (a:recvfrom(10)))
      end
      a:close()
    end)
  end)
end)

describe("a task that leaves a queue", function()
  local MANY = 20000 // process.slowness

  -- Ways to enter the same queue with n tasks.
  local queues = {
    ["an event's"] = function(n)
      local event, tasks = loop.event(), {}
      for i = 1, n do tasks[i] = csock.spawn(event.wait, event) end
      return tasks
    end,
    ["a socket's"] = function(n)
      local a, tasks = streams.pair(), {}
      a:settimeout(nil)
      for i = 1, n do tasks[i] = csock.spawn(a.recv, a, 1) end
      return tasks
    end,
    ["another task's"] = function(n)
      local other, tasks = csock.spawn(csock.sleep, 60), {}
      for i = 1, n do tasks[i] = csock.spawn(other.join, other) end
      tasks[n + 1] = other
      return tasks
    end,
    ["the timers'"] = function(n)
      local tasks = {}
      for i = 1, n do tasks[i] = csock.spawn(csock.sleep, 60 + i) end
      return tasks
    end,
    ["the ready ones'"] = function(n)
      local tasks = {}
      for i = 1, n do tasks[i] = csock.spawn(csock.yield) end
      return tasks, true
    end,
  }
  local orders = {
    ["the first one first"] = function(tasks) return tasks end,
    ["the last one first"] = function(tasks)
      local list = {}
      for i, task in ipairs(tasks) do list[#tasks + 1 - i] = task end
      return list
    end,
    ["in any order"] = function(tasks)
      for i = #tasks, 2, -1 do
        local j = math.random(i)
        tasks[i], tasks[j] = tasks[j], tasks[i]
      end
      return tasks
    end,
  }
  for queue, enter in pairs(queues) do
    for order, arrange in pairs(orders) do
      -- Making tasks is linear: were leaving quadratic, it would cost tens of times as much.
      it(("costs no more when many stand in %s: %s"):format(queue, order), function()
        scale.assert_within(8, function()
          local leaving, making
          csock.run(function()
            local tasks, now
            making = scale.cost(1, function()
              tasks, now = enter(MANY)
              if not now then csock.yield() end
            end)
            tasks = arrange(tasks)
            leaving = scale.cost(1, function()
              for _, task in ipairs(tasks) do task:cancel() end
            end)
          end)
          return leaving, making
        end)
      end)
    end
  end
end)

-- Seen by valgrind and AddressSanitizer: what the task was woken from is freed while it is still to run.
describe("a task that was woken", function()
  after_each(streams.close_all)

  local sources = {
    ["a queue of waiters"] = function()
      local waiters = require("csock.loop.internal").waiters()
      return waiters, function(w) w:wait() end, function(w) w:wake() end
    end,
    ["a socket"] = function()
      local a, b = csock.socketpair()
      streams.keep(b)
      return a, function(s) s:recv(1) end, function() b:send "x" end
    end,
    ["a task"] = function()
      local event = loop.event()
      local task = csock.spawn(event.wait, event)
      return task, function(t) t:join() end, function() event:set() end
    end,
  }
  for name, make in pairs(sources) do
    it("goes on though its coroutine is closed and what woke it is gone: " .. name, function()
      csock.run(function()
        local source, wait, wake = make()
        local inner = coroutine.create(wait)
        local task = csock.spawn(function() csock.resume(inner, source) end)
        csock.sleep(0.001)
        wake(source)
        coroutine.close(inner)
        source, wait, wake = nil, nil, nil -- luacheck: ignore
        collectgarbage()
        collectgarbage()
        csock.yield()
        task:cancel()
      end)
    end)
  end
end)
