-- Every call that waits, in a task: where it may stand, and what may happen to it meanwhile.
local csock = require "csock"
local posix = require "spec.support.posix"
local waits = require "spec.support.waits"

local loop = csock.loop
local E = csock.errno

-- Lets all other tasks run until each of them waits.
local function settle()
  for _ = 1, 5 do loop.yield() end
  csock.sleep(0.001)
end

-- Runs f in a task, with what it was given by `make`; nothing may be left open or waiting then.
local function trial(make, f)
  collectgarbage()
  local before = posix.fds()
  csock.run(function()
    local _ <close> = setmetatable({}, { __close = function(_, err)
      if err then loop.stop() end -- whatever else there is: the spec has failed
    end })
    local ok, err = loop.timeout(10, f, make())
    assert(ok or err == nil, err)
  end)
  waits.close()
  collectgarbage()
  assert.same(before, posix.fds())
end

-- Ways in which `wait` may be called; each gives its results.
local places = {
  ["plainly"] = function(wait) return wait() end,
  ["under pcall"] = function(wait) return select(2, assert(pcall(wait))) end,
  ["under xpcall"] = function(wait) return select(2, assert(xpcall(wait, debug.traceback))) end,
  ["in an iterator"] = function(wait)
    local results
    for done in function(_, before)
      if before then return nil end
      results = table.pack(wait())
      return true
    end do
      assert(done)
    end
    return table.unpack(results, 1, results.n)
  end,
  ["in a <close> handler"] = function(wait)
    local results
    do
      local _ <close> = setmetatable({}, { __close = function() results = table.pack(wait()) end })
    end
    return table.unpack(results, 1, results.n)
  end,
  ["in a <close> handler after an error"] = function(wait)
    local results
    pcall(function()
      local _ <close> = setmetatable({}, { __close = function() results = table.pack(wait()) end })
      error "left"
    end)
    return table.unpack(results, 1, results.n)
  end,
  ["in a metamethod"] = function(wait)
    local results
    local object = setmetatable({}, { __index = function()
      results = table.pack(wait())
      return 1
    end, __add = function(_, b) return b end })
    assert(object + object.field == 1)
    return table.unpack(results, 1, results.n)
  end,
  ["in a coroutine entered with csock.wrap"] = function(wait)
    local results
    for i in csock.wrap(function()
      coroutine.yield(1)
      results = table.pack(wait())
      coroutine.yield(2)
    end) do
      assert(i == (results and 2 or 1))
    end
    return table.unpack(results, 1, results.n)
  end,
  ["in coroutines inside each other"] = function(wait)
    local function nest(depth)
      if depth == 0 then return wait() end
      local co = coroutine.create(nest)
      return select(2, assert(csock.resume(co, depth - 1)))
    end
    return nest(5)
  end,
}

-- Places where a program may fork, in the loop: each calls `f` there, and gives its result. Where nothing else can
-- be done, it forks itself, and `f` goes on with what that gave.
local forks = {
  ["behind an event"] = function(f)
    local a, b = csock.socketpair()
    local task = csock.spawn(function()
      local _ <close> = a
      assert(a:recv(1) == "x")
      return f()
    end)
    settle()
    b:send "x"
    b:close()
    return task:join()
  end,
  ["behind an event, others of which are still to be seen to"] = function(f)
    local tasks, peers = {}, {}
    for i = 1, 3 do
      local a, b = csock.socketpair()
      peers[i] = b
      tasks[i] = csock.spawn(function()
        local _ <close> = a
        assert(a:recv(1) == "x")
        return i == 2 and f()
      end)
    end
    settle()
    for _, peer in ipairs(peers) do
      peer:send "x"
      peer:close()
    end
    tasks[1]:join()
    tasks[3]:join()
    return tasks[2]:join()
  end,
  ["when a timer has fired"] = function(f)
    csock.sleep(0.001)
    return f()
  end,
  ["in a callback"] = function(f)
    local done = loop.queue()
    loop.call_soon(function() done:put(f()) end)
    return done:get()
  end,
  ["in a timed callback"] = function(f)
    local done = loop.queue()
    loop.call_later(0.001, function() done:put(f()) end)
    return done:get()
  end,
  ["in a reader's callback"] = function(f)
    local done = loop.queue()
    local a, b = csock.socketpair()
    loop.add_reader(a, function()
      done:put(f())
      loop.remove_reader(a)
      a:close()
    end)
    b:send "x"
    local result = done:get()
    b:close()
    return result
  end,
  ["in a signal's handler"] = function(f)
    local done = loop.queue()
    local _, before = loop.on_signal("SIGUSR1", function() done:put(f()) end)
    csock.kill(csock.getpid(), "SIGUSR1")
    local pid = done:get()
    loop.on_signal("SIGUSR1", before)
    return pid
  end,
  ["in a finalizer"] = function(f)
    local pid
    setmetatable({}, { __gc = function() pid = csock.fork() end })
    collectgarbage()
    return f(pid)
  end,
}

-- Calls g in a child that is forked there, which must succeed, in a task.
local function in_child(fork, g)
  local pid = fork(function(pid)
    pid = pid or assert(csock.fork())
    if pid > 0 then return pid end
    local ok, err = xpcall(loop.timeout, debug.traceback, 10, g)
    if not ok then io.stderr:write(tostring(err), "\n") end
    csock._exit(ok and 0 or 1)
  end)
  local _, status = assert(csock.waitpid(pid))
  assert.equal(0, csock.waitstatus_to_exitcode(status))
end

-- The loop has its poller and its pipe for signals from now on.
loop.on_signal("SIGUSR1", print)
loop.on_signal("SIGUSR1", nil)
csock.run(csock.yield)

describe("in a task,", function()
  waits.each(function(name, make)
    describe(name, function()
      after_each(waits.close)

      for place, call in pairs(places) do
        it("waits " .. place, function()
          trial(make, function(w)
            local others = 0
            if not w.feed then w.limit(0.01) end
            local waiter = csock.spawn(function()
              local results = table.pack(call(w.wait))
              if w.feed then assert(w.good(table.unpack(results, 1, results.n)), results[2]) end
              return "over"
            end)
            settle()
            assert.equal("waiting", waiter:status())
            csock.spawn(function() others = others + 1 end)
            settle()
            assert.equal(1, others)
            if w.feed then w.feed() end
            assert.equal("over", (assert(waiter:join(10))))
          end)
        end)
      end

      for place, fork in pairs(forks) do
        it("waits in a child that was forked " .. place, function()
          trial(make, function(made)
            in_child(fork, function()
              local w = made.own and make() or made
              if not w.feed then w.limit(0.01) end
              local waiter = csock.spawn(function()
                local results = table.pack(w.wait())
                if w.feed then assert(w.good(table.unpack(results, 1, results.n)), results[2]) end
                return "over"
              end)
              settle()
              assert(waiter:status() == "waiting")
              if w.feed then w.feed() end
              assert(waiter:join(10) == "over")
            end)
            if made.own then made.feed() end
          end)
        end)
      end

      it("says so where Lua cannot yield", function()
        trial(make, function(w)
          for what, call in pairs {
            ["table.sort"] = function() table.sort({ 1, 2 }, function() w.wait() return false end) end,
            ["string.gsub"] = function() string.gsub("x", "x", function() w.wait() return "" end) end,
          } do
            local ok, err = pcall(call)
            assert.is_false(ok, what)
            assert.matches(w.call .. " would wait where Lua cannot yield", tostring(err))
          end
        end)
      end)

      it("says so in a coroutine that coroutine.resume entered", function()
        trial(make, function(w)
          local ok, err = coroutine.resume(coroutine.create(w.wait))
          assert.is_false(ok)
          assert.matches(w.call .. " would wait in a coroutine that coroutine.resume entered; "
            .. "in a task, enter it with csock.resume or csock.wrap", tostring(err))
        end)
      end)

      it("ends when its time is over, and not earlier", function()
        trial(make, function(w)
          w.limit(0.02)
          local began = loop.now()
          local ok, err, errno = w.wait()
          assert.is_true(loop.now() - began >= 0.02)
          if w.silent then return end
          assert.is_nil(ok)
          assert.is_true(err:is(csock.timeout))
          assert.equal(E.ETIMEDOUT, errno)
        end)
      end)

      it("can be cancelled, and another task still gets its event", function()
        trial(make, function(w)
          local closed = false
          local waiter = csock.spawn(function()
            local _ <close> = setmetatable({}, { __close = function() closed = true end })
            w.wait()
            error "it went on"
          end)
          settle()
          local other = w.feed and csock.spawn(function() return w.good(w.wait()) end)
          settle()
          assert.is_true(waiter:cancel())
          assert.is_true(closed)
          assert.equal("cancelled", waiter:status())
          if not w.feed then return end
          settle()
          assert.equal("waiting", other:status())
          w.feed()
          assert.is_true(other:join(10))
        end)
      end)

      it("can be cancelled when its turn has come, and another task has it", function()
        trial(make, function(w)
          if not w.feed then return end
          local waiter = csock.spawn(function()
            w.wait()
            error "it went on"
          end)
          settle()
          local other = csock.spawn(function() return w.good(w.wait()) end)
          settle()
          w.feed()
          waiter:cancel()
          assert.is_true(other:join(10))
        end)
      end)

      it("ends with EBADF when its object is closed, for all who wait", function()
        trial(make, function(w)
          if not w.close then return end
          local tasks = {}
          for i = 1, 3 do tasks[i] = csock.spawn(w.wait) end
          settle()
          w.close()
          for _, task in ipairs(tasks) do
            local ok, err, errno = task:join(10)
            assert.is_nil(ok)
            assert.equal(E.EBADF, errno, err)
          end
        end)
      end)

      it("gives ECANCELED when the task that is being cancelled would wait", function()
        trial(make, function(w)
          local ok, err, errno
          local task = csock.spawn(function()
            local _ <close> = setmetatable({}, { __close = function() ok, err, errno = w.wait() end })
            csock.sleep(30)
          end)
          settle()
          task:cancel()
          assert.is_nil(ok)
          assert.equal(E.ECANCELED, errno, err)
        end)
      end)
    end)
  end)
end)
