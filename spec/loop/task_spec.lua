-- Tasks: their life, joining, cancelling; coroutines inside them. What they may wait for:
-- spec/waits_spec.lua.
local csock = require "csock"
local internal = require "csock.loop.internal"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local loop = csock.loop
local E = csock.errno
local run, spawn, sleep = csock.run, csock.spawn, csock.sleep

-- Lets all other tasks run until each of them waits.
local function settle()
  for _ = 1, 5 do loop.yield() end
end

-- Something for a <close> variable that calls f when it is closed.
local function closing(f) return setmetatable({}, { __close = function(_, err) f(err) end }) end

-- A program's standard output and error; it has to end by itself.
local function output(program)
  local p <close> = process.lua { "-e", "local csock = require 'csock'\n" .. program }
  assert.equal(0, p:wait(), p.err)
  return p.out, p.err
end

after_each(streams.close_all)

describe("spawn", function()
  it("begins in the next turn, with the arguments", function()
    local log = {}
    run(function()
      spawn(function(...) log[#log + 1] = table.pack(...) end, 1, nil, 3, nil)
      log[#log + 1] = "before"
    end)
    assert.same({ "before", { n = 4, 1, nil, 3, nil } }, log)
  end)

  it("takes as many arguments as Lua does", function()
    local n
    run(function()
      local many = {}
      for i = 1, 200 do many[i] = i end
      n = spawn(select, "#", table.unpack(many)):join()
    end)
    assert.equal(200, n)
  end)

  it("raises for what is no function", function()
    for _, bad in ipairs { false, 1, "x", {} } do assert.is_false((pcall(spawn, bad))) end
    assert.is_false((pcall(spawn)))
  end)

  it("keeps the task until it is over, and no longer", function()
    local weak = setmetatable({}, { __mode = "v" })
    run(function()
      spawn(function()
        weak[1] = loop.current()
        collectgarbage()
        sleep(0.001)
        collectgarbage()
        assert.equal(loop.current(), weak[1])
      end)
    end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

describe("a task", function()
  it("says how it stands", function()
    run(function()
      local a, b = streams.pair()
      local task
      task = spawn(function()
        assert.equal("running", task:status())
        assert.equal(task, loop.current())
        a:recv(1)
      end)
      assert.equal("ready", task:status())
      settle()
      assert.equal("waiting", task:status())
      assert.matches("^<csock.task .* waiting>$", tostring(task))
      b:send "x"
      task:join()
      assert.equal("done", task:status())
      local failing = spawn(error, "x")
      failing:join()
      assert.equal("failed", failing:status())
      local cancelled = spawn(sleep, 10)
      cancelled:cancel()
      assert.equal("cancelled", cancelled:status())
    end)
    assert.is_nil(loop.current())
  end)

  it("may yield: it goes on in the next turn", function()
    local log = {}
    run(function()
      local task = spawn(function()
        for i = 1, 3 do
          log[#log + 1] = i
          coroutine.yield("ignored", i)
        end
        return "end"
      end)
      spawn(function()
        for _ = 1, 3 do
          log[#log + 1] = "other"
          coroutine.yield()
        end
      end)
      assert.equal("end", task:join())
    end)
    assert.same({ 1, "other", 2, "other", 3, "other" }, log)
  end)

  it("may have a closed peer, a large stack and an error value of any kind", function()
    run(function()
      local function deep(n) return n == 0 and sleep(0) or 1 + (deep(n - 1) and 1) end
      assert.equal(2, spawn(deep, 10000):join())
      for _, value in ipairs { false, 1, {}, print } do
        assert.same({ nil, value }, { spawn(error, value):join() })
      end
      assert.same({ nil, (select(2, pcall(error))) }, { spawn(error):join() }) -- nil, or what Lua 5.5 has for it
    end)
  end)
end)

describe("join", function()
  it("gives what the task returned, to all who ask and as often as they do", function()
    run(function()
      local task = spawn(function()
        sleep(0.001)
        return 1, nil, 3, nil
      end)
      local joiners = {}
      for i = 1, 3 do
        joiners[i] = spawn(function() return table.pack(task:join()) end)
      end
      for i = 1, 3 do assert.same({ n = 4, 1, nil, 3, nil }, (joiners[i]:join())) end
      assert.same({ n = 4, 1, nil, 3, nil }, table.pack(task:join()))
    end)
  end)

  it("gives nil and the error of a task that failed", function()
    run(function()
      local value = {}
      local task = spawn(error, value)
      assert.same({ n = 2, nil, value }, table.pack(task:join()))
      assert.same({ n = 2, nil, value }, table.pack(task:join()))
    end)
  end)

  it("gives ECANCELED for a task that was cancelled, also to those who waited", function()
    run(function()
      local task = spawn(sleep, 10)
      local joiner = spawn(function() return select(3, task:join()) end)
      settle()
      task:cancel()
      assert.equal(E.ECANCELED, joiner:join())
      assert.equal(E.ECANCELED, select(3, task:join()))
    end)
  end)

  it("gives EDEADLK to a task that joins itself", function()
    run(function()
      local errno
      local task
      task = spawn(function() errno = select(3, task:join()) end)
      task:join()
      assert.equal(E.EDEADLK, errno)
    end)
  end)

  it("runs the loop outside of tasks, for as long as it needs", function()
    local log = {}
    local task = spawn(function()
      sleep(0.005)
      log[#log + 1] = "task"
      return "done"
    end)
    local other = spawn(sleep, 30)
    assert.equal("done", task:join())
    assert.same({ "task" }, log)
    assert.equal("waiting", other:status())
    assert.equal(E.ETIMEDOUT, select(3, other:join(0.005)))
    other:cancel()
  end)

  it("gives EDEADLK outside of tasks when nothing can happen any more", function()
    local event = loop.event()
    local task = spawn(event.wait, event)
    assert.equal(E.EDEADLK, select(3, task:join()))
    task:cancel()
  end)

  it("gives the error to who joins later, who has not to hurry", function()
    local told = 0
    local before = loop.onerror
    loop.onerror = function() told = told + 1 end
    run(function()
      local task = spawn(error, "late")
      settle()
      assert.same({ nil, "late" }, { task:join() })
    end)
    loop.onerror = before
    assert.equal(1, told)
  end)
end)

describe("cancel", function()
  it("closes the task's variables, the last one first", function()
    local log = {}
    run(function()
      local task = spawn(function()
        local _ <close> = closing(function(err) log[#log + 1] = { "outer", err } end)
        local _ <close> = closing(function(err) log[#log + 1] = { "inner", err } end)
        sleep(10)
        log[#log + 1] = "went on"
      end)
      settle()
      assert.is_true(task:cancel())
      assert.is_false(task:cancel())
    end)
    assert.same({ { "inner" }, { "outer" } }, log)
  end)

  it("keeps a task that has not begun from beginning", function()
    local ran = false
    run(function()
      local task = spawn(function() ran = true end)
      assert.is_true(task:cancel())
      settle()
    end)
    assert.is_false(ran)
  end)

  it("of a task that is over does nothing", function()
    run(function()
      for _, f in ipairs { function() end, error } do
        local task = spawn(f)
        task:join()
        local status = task:status()
        assert.is_false(task:cancel())
        assert.equal(status, task:status())
      end
    end)
  end)

  it("of the task itself does not return", function()
    local log = {}
    run(function()
      local task = spawn(function()
        local _ <close> = closing(function() log[#log + 1] = "closed" end)
        pcall(function() loop.current():cancel() end)
        log[#log + 1] = "went on"
      end)
      assert.equal(E.ECANCELED, select(3, task:join()))
      local inner = spawn(function()
        local co = csock.wrap(function() loop.current():cancel() end)
        co()
        log[#log + 1] = "went on"
      end)
      assert.equal(E.ECANCELED, select(3, inner:join()))
    end)
    assert.same({ "closed" }, log)
  end)

  it("reports an error in a <close> handler, and goes on closing", function()
    local log = {}
    local before = loop.onerror
    loop.onerror = function(err) log[#log + 1] = err end
    run(function()
      local task = spawn(function()
        local _ <close> = closing(function() log[#log + 1] = "outer" end)
        local _ <close> = closing(function() error("oh no", 0) end)
        sleep(10)
      end)
      settle()
      task:cancel()
    end)
    loop.onerror = before
    assert.same({ "outer", "oh no" }, log)
  end)

  it("may come from a <close> handler of another task that is being cancelled", function()
    run(function()
      local inner = spawn(sleep, 10)
      local outer = spawn(function()
        local _ <close> = inner
        sleep(10)
      end)
      settle()
      outer:cancel()
      assert.equal("cancelled", inner:status())
    end)
  end)

  it("goes down a long line of tasks that hold each other", function()
    local out = output [[
      local function nest(n)
        local task <close> = n > 0 and csock.spawn(nest, n - 1) or nil
        csock.sleep(60)
      end
      csock.run(function()
        local task = csock.spawn(nest, 150)
        for _ = 1, 200 do csock.loop.yield() end
        print(task:cancel())
      end)
    ]]
    assert.equal("true\n", out)
  end)

  it("closes also the coroutine that waits for the task, and what is entered in it", function()
    local log = {}
    run(function()
      local task = spawn(function()
        local _ <close> = closing(function() log[#log + 1] = "task" end)
        local inner = csock.wrap(function()
          local _ <close> = closing(function() log[#log + 1] = "inner" end)
          local innermost = csock.wrap(function()
            local _ <close> = closing(function() log[#log + 1] = "innermost" end)
            sleep(10)
          end)
          innermost()
        end)
        inner()
      end)
      settle()
      task:cancel()
    end)
    assert.same({ "innermost", "inner", "task" }, log)
  end)

  it("is what <close> does with a task", function()
    local task
    run(function()
      do
        local t <close> = spawn(sleep, 10)
        task = t
      end
      assert.equal("cancelled", task:status())
    end)
  end)

  it("raises where the task itself cannot be suspended", function()
    run(function()
      local ok, err = pcall(table.sort, { 1, 2 }, function() loop.current():cancel() end)
      assert.is_false(ok)
      assert.matches("cancel would wait where Lua cannot yield", err)
    end)
  end)
end)

describe("a daemon", function()
  it("does not keep the loop running, whatever it waits for", function()
    local a, b = csock.socketpair()
    b:settimeout(60)
    local daemons = {}
    for i, f in ipairs {
      function() csock.sleep(60) end, function() a:recv(1) end, function() b:recv(1) end,
      function() while true do csock.yield() end end, function() csock.loop.queue():get(60) end,
    } do
      daemons[i] = csock.spawn(f):daemon()
      assert.is_true(csock.run())
      assert.equal(i, csock.run(function() csock.sleep(0); return i end))
    end
    for _, task in ipairs(daemons) do
      assert.is_true(task:status() == "waiting" or task:status() == "ready")
      task:cancel()
    end
    a:close()
    b:close()
  end)

  it("goes on while others keep it running, and can be joined", function()
    local log = {}
    local task = csock.spawn(function()
      csock.sleep(0.01)
      log[1] = "slept"
      return "result"
    end):daemon()
    csock.run(function() csock.sleep(0.02) end)
    assert.same({ "slept" }, log)
    assert.equal("result", task:join())
    task = csock.spawn(function() csock.sleep(0.01); return "again" end):daemon()
    assert.equal("again", task:join()) -- outside of tasks
  end)
end)

describe("a child that a daemon has forked", function()
  local function in_daemon(program)
    return output([[
      local function child()
        local pid = csock.fork()
        if pid > 0 then return pid end
        local a, b = csock.socketpair()
        csock.spawn(function() csock.sleep(0.01) b:send "x" end)
        io.stdout:write("child got ", a:recv(1), "\n")
        io.stdout:flush()
        csock._exit(0)
      end
    ]] .. program)
  end

  it("goes on with that task, and not with the parent's program", function()
    assert.equal("child got x\nparent goes on\n", (in_daemon [[
      local task = csock.spawn(child):daemon()
      csock.run(function() csock.waitpid(task:join()) end)
      io.stdout:write "parent goes on\n"
    ]]))
  end)

  it("does so too behind an event, in a server's handler", function()
    assert.equal("child got x\nparent goes on\n", (in_daemon [[
      local server = assert(csock.create_server {"127.0.0.1", 0})
      local task = csock.spawn(function()
        local conn = assert(server:accept())
        conn:recv(1)
        return child()
      end):daemon()
      csock.run(function()
        local s = assert(csock.create_connection(server:getsockname()))
        csock.sleep(0.01)
        s:send "x"
        csock.sleep(0.01)
        csock.waitpid(task:join())
      end)
      io.stdout:write "parent goes on\n"
    ]]))
  end)
end)

describe("add_done_callback", function()
  it("has a function called with the task as it ends, however it ends", function()
    local log = {}
    local function note(task) log[#log + 1] = task:status() end
    local failing = spawn(function() error "no" end):watch()
    local waiting, unborn = spawn(csock.sleep, 60), spawn(print)
    for _, task in ipairs { spawn(function() end), failing, waiting, unborn } do
      assert.equal(task, task:add_done_callback(note))
    end
    unborn:cancel()
    csock.run(function() waiting:cancel() end)
    assert.same({ "cancelled", "failed", "done", "cancelled" }, log)
  end)

  it("calls several in their order, before those who join go on", function()
    local log = {}
    local task = spawn(csock.sleep, 0)
    spawn(function()
      task:join()
      log[#log + 1] = "joined"
    end)
    for i = 1, 3 do task:add_done_callback(function() log[#log + 1] = i end) end
    csock.run()
    assert.same({ 1, 2, 3, "joined" }, log)
  end)

  it("calls at once when the task is over", function()
    local task, seen = spawn(function() end), nil
    csock.run()
    task:add_done_callback(function(t) seen = t end)
    assert.equal(task, seen)
  end)

  it("reports an error in one and goes on with the next", function()
    local seen, called = {}, false
    local onerror = loop.onerror
    local _ <close> = internal.guard(function() loop.onerror = onerror end)
    function loop.onerror(err, traceback, task) seen = { err, traceback, task } end
    local task = spawn(function() end)
    task:add_done_callback(function() error("broken", 0) end):add_done_callback(function() called = true end)
    csock.run()
    assert.equal("broken", seen[1])
    assert.matches("^broken\nstack traceback:", seen[2])
    assert.equal(task, seen[3])
    assert.is_true(called)
  end)

  it("runs after the task's variables are closed", function()
    local log = {}
    local task = spawn(function()
      local _ <close> = internal.guard(function() log[#log + 1] = "variable" end)
      csock.sleep(60)
    end)
    task:add_done_callback(function() log[#log + 1] = "callback" end)
    run(function()
      settle()
      task:cancel()
    end)
    assert.same({ "variable", "callback" }, log)
  end)

  it("raises for what is no function", function()
    local task <close> = spawn(csock.sleep, 60)
    assert.has_error(function() task:add_done_callback(1) end)
  end)
end)

describe("csock.resume and csock.wrap", function()
  it("mean what Lua's do, in tasks and outside", function()
    local function try()
      for _, lib in ipairs { coroutine, csock } do
        local co = coroutine.create(function(...)
          local got = table.pack(coroutine.yield(...))
          error { got = got }
        end)
        assert.same({ n = 4, true, 1, nil, 3 }, table.pack(lib.resume(co, 1, nil, 3)))
        local ok, err = lib.resume(co, "x", nil)
        assert.is_false(ok)
        assert.same({ n = 2, "x", nil }, err.got)
        assert.same({ false, "cannot resume dead coroutine" }, { lib.resume(co) })
        local empty = coroutine.create(function() end)
        assert.same({ n = 1, true }, table.pack(lib.resume(empty)))
        assert.same({ false, "cannot resume non-suspended coroutine" }, { lib.resume(coroutine.running()) })

        local f = lib.wrap(function(...)
          local x = coroutine.yield(...)
          return x, "end"
        end)
        assert.same({ 1, 2 }, { f(1, 2) })
        assert.same({ "x", "end" }, { f "x" })
        local dead, message = pcall(f)
        assert.is_false(dead)
        assert.matches("cannot resume dead coroutine", message)
        assert.matches("oh no", select(2, pcall(lib.wrap(function() error "oh no" end))))
      end
    end
    try()
    run(try)
  end)

  it("refuse a coroutine that runs already", function()
    local function try()
      for _, lib in ipairs { coroutine, csock } do
        local f
        f = lib.wrap(function() return f() end)
        local ok, err = pcall(f)
        assert.is_false(ok)
        assert.matches("cannot resume non%-suspended coroutine", err)
        local co
        co = coroutine.create(function()
          return lib.wrap(function() return lib.resume(co) end)()
        end)
        assert.same({ true, false, "cannot resume non-suspended coroutine" }, { lib.resume(co) })
      end
    end
    try()
    run(try)
  end)

  it("say so where what is around them cannot yield", function()
    run(function()
      local a = streams.pair()
      for _ = 1, 2 do
        local ok, err = pcall(table.sort, { 1, 2 }, function()
          return csock.wrap(function() return csock.wrap(function() return a:recv(1) end)() end)()
        end)
        assert.is_false(ok)
        assert.matches("recv would wait where Lua cannot yield", err)
      end
      assert.is_true(sleep(0))
    end)
  end)

  it("close what a failed coroutine left open, as Lua's wrap does", function()
    local function try()
      for _, lib in ipairs { coroutine, csock } do
        local closed
        local f = lib.wrap(function()
          local _ <close> = closing(function(err) closed = err end)
          error("oh no", 0)
        end)
        assert.is_false((pcall(f)))
        assert.equal("oh no", closed)
      end
    end
    try()
    run(try)
  end)

  it("let the handlers of a failed coroutine wait as well", function()
    local log = {}
    run(function()
      local f = csock.wrap(function()
        local _ <close> = closing(function()
          assert(csock.sleep(0.001))
          log[#log + 1] = "waited"
        end)
        error("oh no", 0)
      end)
      spawn(function() log[#log + 1] = "other" end)
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.matches("oh no$", err)
    end)
    assert.same({ "other", "waited" }, log)
  end)

  it("say so where such a handler cannot wait", function()
    run(function()
      local why
      local co = coroutine.create(function()
        local _ <close> = closing(function() why = select(2, pcall(csock.sleep, 0.001)) end)
        error "oh no"
      end)
      csock.resume(co)
      coroutine.close(co)
      assert.matches("sleep would wait where Lua cannot yield", why)
    end)
  end)

  it("serve generators that wait between their values", function()
    local a, b = streams.pair()
    local got = {}
    run(function()
      spawn(function()
        for i = 1, 3 do
          sleep(0.001)
          b:send(tostring(i))
        end
        b:close()
      end)
      for data in csock.wrap(function()
        while true do
          local data = a:recv(1)
          if data == "" then return nil end
          coroutine.yield(data)
        end
      end) do got[#got + 1] = data end
    end)
    assert.same({ "1", "2", "3" }, got)
  end)

  it("may have other waits in between, and yields of each kind", function()
    local log = {}
    run(function()
      local gen = csock.wrap(function()
        for i = 1, 3 do
          sleep(0)
          coroutine.yield(i)
        end
      end)
      local outer = csock.wrap(function()
        for _ = 1, 3 do
          sleep(0)
          coroutine.yield(gen() * 10)
          sleep(0)
        end
      end)
      for _ = 1, 3 do
        log[#log + 1] = outer()
        sleep(0)
      end
    end)
    assert.same({ 10, 20, 30 }, log)
  end)
end)

describe("the coroutine of a task", function()
  it("is resumed by the loop alone", function()
    local out, err = output [[
      local a, b = csock.socketpair()
      for _, wait in ipairs {
        function() a:recv(1) end, function() csock.sleep(10) end, function() csock.select({ a }) end,
        function() csock.wrap(function() a:recv(1) end)() end,
        function() csock.loop.queue():get() end,
      } do
        for _, how in ipairs { "resume", "close" } do
          for _, where in ipairs { "task", "main" } do
            local co
            local task = csock.spawn(function()
              co = coroutine.running()
              wait()
            end)
            csock.loop.step()
            if where == "task" then
              csock.run(function()
                print(how, coroutine[how](co))
                task:cancel()
              end)
            else
              print(how, coroutine[how](co))
              collectgarbage()
              collectgarbage()
              task:cancel()
            end
            assert(csock.loop.step() == false)
          end
        end
      end
    ]]
    local n = 0
    for line in out:gmatch "[^\n]+" do
      if line:find "^resume" then
        assert.matches("resume\tfalse\t.*only the loop may resume a waiting task", line)
      else
        assert.equal("close\ttrue", line)
      end
      n = n + 1
    end
    assert.equal(20, n)
    assert.not_matches("attempt", err)
  end)

  it("that somebody has closed ends the task with an error", function()
    local _, err = output [[
      local a, b = csock.socketpair()
      local co
      csock.spawn(function()
        co = coroutine.running()
        a:recv(1)
      end)
      csock.spawn(function()
        coroutine.close(co)
        b:send "x"
      end)
      csock.run()
    ]]
    assert.matches("error in a task: cannot resume dead coroutine", err)
  end)
end)

describe("an error that is thrown into a task", function()
  local waits = {
    ["receives"] = function(a) a:recv(1) end,
    ["sleeps"] = function() sleep(30) end,
    ["selects"] = function(a) csock.select({ a }) end,
    ["waits for another"] = function() local other <close> = spawn(sleep, 30) other:join() end,
    ["waits in a coroutine of its own"] = function(a) csock.wrap(function() a:recv(1) end)() end,
  }
  for what, wait in pairs(waits) do
    it("is raised by the call in which it " .. what .. ", which leaves nothing behind", function()
      local a, b = streams.pair()
      local value, caught, after = {}, nil, nil
      local task
      csock.run(function()
        task = spawn(function()
          caught = select(2, pcall(wait, a))
          after = a:recv(1)
        end)
        settle()
        assert.is_true(task:throw(value))
        settle()
        assert(b:send "x")
        task:join()
      end)
      assert.equal(value, caught)
      assert.equal("x", after)
    end)
  end

  it("comes also when what it waits for has come already, and is the next one's then", function()
    local queue, caught, got = loop.queue(), nil, nil
    run(function()
      local first = spawn(function() caught = select(2, pcall(queue.get, queue)) end)
      spawn(function() got = queue:get() end)
      settle()
      queue:put "x"
      assert.is_true(first:throw "oh no")
    end)
    assert.same({ "oh no", "x" }, { caught, got })
  end)

  it("is refused where the task waits in no call", function()
    run(function()
      local task = spawn(sleep, 0)
      assert.is_false(task:throw "not begun")
      assert.is_false(loop.current():throw "running")
      assert.is_true(task:join())
      assert.is_false(task:throw "over")
    end)
  end)

  it("is forgotten when the task is cancelled before it runs", function()
    local value = setmetatable({}, { __name = "value" })
    local seen = setmetatable({ value }, { __mode = "v" })
    run(function()
      local task = spawn(sleep, 30)
      settle()
      task:throw(value)
      task:cancel()
      value = nil
    end)
    collectgarbage()
    assert.is_nil(seen[1])
  end)
end)

describe("a task whose coroutine somebody has closed", function()
  it("fails when it would go on, says so to who joins, and whoever stood behind it has its turn", function()
    local a, b = streams.pair()
    run(function()
      local closed
      local tasks = {}
      for i = 1, 3 do
        tasks[i] = spawn(function()
          if i == 2 then closed = coroutine.running() end
          local data = a:recv(1)
          if i == 1 then coroutine.close(closed) end -- it is woken, as there is more
          return data
        end)
      end
      tasks[2]:watch()
      loop.yield()
      b:send "xyz"
      assert.equal("x", tasks[1]:join(5))
      assert.equal("y", tasks[3]:join(5))
      assert.same({ n = 2, nil, "cannot resume dead coroutine" }, table.pack(tasks[2]:join(5)))
    end)
  end)

  for what, f in pairs {
    ["its own"] = function(wait) wait() end,
    ["one inside it"] = function(wait) csock.wrap(wait)() end,
  } do
    it("may be cancelled by what is closed then: " .. what, function()
      local co, task, after
      task = spawn(f, function()
        co = coroutine.running()
        local _ <close> = closing(function()
          task:cancel()
          after = task:status()
        end)
        sleep(60)
      end)
      run(function()
        loop.yield()
        assert.is_true(coroutine.close(co))
      end)
      assert.equal("cancelled", after)
      assert.equal("dead", coroutine.status(co))
      assert.equal(E.ECANCELED, select(3, task:join(0)))
    end)
  end
end)
