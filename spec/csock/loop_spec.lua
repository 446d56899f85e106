-- csock.loop: what tasks use to wait for each other, for time, descriptors and signals.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local loop = csock.loop
local E = csock.errno
local run, spawn, sleep = csock.run, csock.spawn, csock.sleep
local NIL_RAISED = select(2, pcall(error)) -- nil, or what Lua 5.5 has in its place

-- Lets all other tasks run until each of them waits.
local function settle()
  for _ = 1, 5 do loop.yield() end
end

-- Runs f, and returns what onerror was told meanwhile.
local function reported(f)
  local errors, before = {}, loop.onerror
  loop.onerror = function(err, traceback, task)
    errors[#errors + 1] = { err = err, traceback = traceback, task = task }
  end
  local results = table.pack(pcall(f))
  loop.onerror = before
  if not results[1] then error(results[2], 0) end
  return errors
end

after_each(streams.close_all)

describe("onerror", function()
  it("is told of an error that nobody joins, once, with a traceback of the task", function()
    local function deep() error "oh no" end
    local task
    local errors = reported(function()
      run(function() task = spawn(function() deep() end) end)
    end)
    assert.equal(1, #errors)
    assert.matches("loop_spec.lua:%d+: oh no", errors[1].err)
    assert.matches("oh no\nstack traceback:.*in upvalue 'deep'", errors[1].traceback)
    assert.equal(task, errors[1].task)
    assert.equal("failed", task:status())
  end)

  it("gets the very error value", function()
    local value = { code = 7 }
    local errors = reported(function() run(function() spawn(error, value) end) end)
    assert.equal(value, errors[1].err)
    assert.equal("string", type(errors[1].traceback))
  end)

  it("is told of errors that cannot be made text, and the loop goes on", function()
    local values = {
      setmetatable({}, { __tostring = function() error "not you, too" end }),
      setmetatable({}, { __tostring = function() return {} end }),
    }
    local lived
    local errors = reported(function()
      run(function()
        spawn(error, values[1])
        spawn(error, nil)
        local task = spawn(function()
          local _ <close> = setmetatable({}, { __close = function() error(values[2]) end })
          sleep(30)
        end)
        settle()
        task:cancel()
        lived = true
      end)
    end)
    assert.is_true(lived)
    assert.equal(3, #errors)
    assert.equal(values[1], errors[1].err)
    assert.matches("^%(error object is a table value%)\n", errors[1].traceback)
    assert.equal(NIL_RAISED, errors[2].err)
    assert.equal(values[2], errors[3].err)
  end)

  it("is not told of an error that is joined, or that run raises", function()
    local errors = reported(function()
      run(function()
        local task = spawn(error, "joined")
        assert.same({ nil, "joined" }, { task:join() })
      end)
      assert.same({ false, "raised" }, { pcall(run, error, "raised") })
    end)
    assert.same({}, errors)
  end)

  it("leaves the loop and the other tasks alive", function()
    local done = 0
    local errors = reported(function()
      run(function()
        for i = 1, 10 do
          spawn(function()
            sleep(0.001 * i)
            if i % 2 == 0 then error "oh no" end
            done = done + 1
          end)
        end
      end)
    end)
    assert.equal(5, #errors)
    assert.equal(5, done)
  end)

  it("that fails itself is reported on standard error, and the loop goes on", function()
    local p <close> = process.lua { "-e", [[
      local csock = require "csock"
      csock.loop.onerror = function() error "broken" end
      csock.run(function()
        csock.spawn(error, "first")
        csock.sleep(0.001)
      end)
      csock.loop.onerror = function(_, traceback) print("second handler", traceback) end
      csock.run(function() csock.spawn(error, "second") end)
    ]] }
    p:expect "second handler\tsecond"
    assert.equal(0, p:wait())
    assert.matches("error in loop.onerror: .*broken", p.err)
    assert.matches("error in a task: first\nstack traceback:", p.err)
  end)

  it("is standard error unless told otherwise", function()
    local p <close> = process.lua { "-e", [[
      local csock = require "csock"
      csock.spawn(function() error "oh no" end)
      csock.run()
    ]] }
    assert.equal(0, p:wait())
    assert.matches("^csock: error in a task: [^\n]*oh no\nstack traceback:", p.err)
  end)
end)

describe("call_soon", function()
  it("calls in the loop's next turn, in order, with the arguments", function()
    local got = {}
    run(function()
      loop.call_soon(function(...) got[#got + 1] = table.concat({ ... }, ",") end, 1, 2)
      loop.call_soon(function() got[#got + 1] = "second" end)
      got[#got + 1] = "now"
    end)
    assert.same({ "now", "1,2", "second" }, got)
  end)
end)

describe("call_later and call_at", function()
  it("count from the call, not from when their task begins", function()
    local late
    run(function()
      local due = loop.now() + 0.03
      loop.call_at(due, function() late = loop.now() - due end)
      while loop.now() < due do end -- work that keeps the task from beginning
      sleep(0.2)
    end)
    assert.is_true(late < 0.03, late)
  end)

  it("make the call for an earlier time first, whichever was made first or had its turn first", function()
    local order = {}
    local function add(what) order[#order + 1] = what end
    run(function()
      loop.call_later(0.02, add, "second") -- whose task waits already
      settle()
      local began = loop.now()
      loop.call_at(began + 0.001, add, "first") -- whose task has yet to begin when both are due
      while loop.now() < began + 0.03 do end
      loop.call_at(began - 1, add, "zeroth")
      loop.call_at(began + 0.025, add, "fourth")
      loop.call_at(began + 0.024, add, "third")
    end)
    assert.same({ "zeroth", "first", "second", "third", "fourth" }, order)
  end)

  it("keep the loop running until they are made, unless they are daemons or taken back", function()
    local made = 0
    local function call() made = made + 1 end
    loop.call_later(0.001, call)
    run()
    assert.equal(1, made)
    loop.call_later(30, call):daemon()
    loop.call_later(30, call):cancel()
    local taken_back = loop.call_later(30, call)
    loop.call_soon(function() taken_back:cancel() end)
    local began = loop.now()
    run()
    assert.is_true(loop.now() - began < 20)
    assert.equal(1, made)
  end)

  it("are the parent's alone after a fork", function()
    local mine, its = assert(csock.socketpair())
    run(function()
      loop.call_later(0.001, function() its:send "parent " end)
      local pid = assert(csock.fork())
      if pid == 0 then
        loop.call_later(0.002, function() its:send "child " end):join()
        csock._exit(0)
      end
      csock.waitpid(pid)
    end)
    its:close()
    local text, data = "", mine:recv(100)
    while data and data ~= "" do text, data = text .. data, mine:recv(100) end
    mine:close()
    assert.same({ 1, 1 }, { select(2, text:gsub("parent ", "")), (select(2, text:gsub("child ", ""))) })
  end)

  it("call when the time has come, the earliest first", function()
    local order, began = {}, loop.now()
    run(function()
      loop.call_later(0.03, function() order[#order + 1] = "third" end)
      loop.call_at(began + 0.02, function() order[#order + 1] = "second" end)
      loop.call_later(0.01, function(what) order[#order + 1] = what end, "first")
      loop.call_later(0, function() order[#order + 1] = "at once" end)
      loop.call_at(began - 10, function() order[#order + 1] = "late" end)
    end)
    assert.is_true(loop.now() - began >= 0.03)
    assert.same({ "late", "at once", "first", "second", "third" }, order)
  end)

  it("keep the order of their times, however they were set", function()
    local order = {}
    run(function()
      local times, from = { 5, 1, 4, 2, 3, 9, 7, 8, 6 }, loop.now() -- however long it takes to set them
      for _, t in ipairs(times) do
        loop.call_at(from + t / 500, function() order[#order + 1] = t end)
      end
    end)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, order)
  end)

  it("can be taken back", function()
    local called = false
    local began = loop.now()
    run(function()
      local call = loop.call_later(10, function() called = true end)
      settle()
      assert.is_true(call:cancel())
    end)
    assert.is_false(called)
    assert.is_true(loop.now() - began < 5)
  end)
end)

describe("add_reader", function()
  it("calls whenever there is something to read, until remove_reader", function()
    local a, b = streams.pair()
    local got = {}
    run(function()
      loop.add_reader(a, function(tag) got[#got + 1] = tag .. a:recv(1) end, "=")
      b:send "xy"
      settle()
      sleep(0.001)
      b:send "z"
      while #got < 3 do sleep(0.001) end
      assert.is_true(loop.remove_reader(a))
      assert.is_false(loop.remove_reader(a))
      b:send "unread"
      sleep(0.005)
    end)
    assert.same({ "=x", "=y", "=z" }, got)
    assert.equal("unread", a:recv(100))
  end)

  it("takes descriptors by number", function()
    local r, w = posix.pipe()
    local got
    run(function()
      loop.add_reader(r, function()
        got = posix.read(r, 1)
        loop.remove_reader(r)
      end)
      posix.write(w, "piped")
    end)
    posix.close(r)
    posix.close(w)
    assert.equal("piped", got)
  end)

  it("takes Lua's files, and those that are always readable let the others have their turn", function()
    local file <close> = assert(io.open "spec/csock/loop_spec.lua")
    local calls, turns = 0, 0
    run(function()
      local other <close> = spawn(function()
        while true do
          turns = turns + 1
          loop.yield()
        end
      end)
      local reader = loop.add_reader(file, function(what)
        assert(what == "argument")
        calls = calls + 1
        if calls == 1000 then assert(loop.remove_reader(file)) end
      end, "argument")
      reader:join()
      assert.is_false(loop.remove_reader(file))
      assert.equal("ready", other:status())
    end)
    assert.equal(1000, calls)
    assert.is_true(turns >= 10)
  end)

  it("lets a callback that removes or replaces itself run to its end", function()
    local a, b = streams.pair()
    local got = {}
    run(function()
      b:send "xyz"
      loop.add_reader(a, function()
        got[#got + 1] = "first " .. a:recv(1)
        loop.add_reader(a, function()
          got[#got + 1] = "second " .. a:recv(1)
          loop.remove_reader(a)
          got[#got + 1] = "end of second"
        end)
        got[#got + 1] = "end of first"
      end)
    end)
    assert.same({ "first x", "end of first", "second y", "end of second" }, got)
  end)

  it("reports an error of the callback, and ends", function()
    local a, b = streams.pair()
    local errors = reported(function()
      run(function()
        b:send "x"
        loop.add_reader(a, function() error "oh no" end)
      end)
    end)
    assert.equal(1, #errors)
    assert.is_false(loop.remove_reader(a))
  end)

  it("ends when its object is closed", function()
    local a, b = streams.pair()
    local fd = a:fileno()
    local errors = reported(function()
      run(function()
        loop.add_reader(a, function() a:close() end)
        b:send "x"
      end)
      local c, d = streams.pair()
      run(function()
        loop.add_reader(c, function() error "not called" end)
        sleep(0.005)
        c:close()
      end)
      d:close()
    end)
    assert.same({}, errors)
    assert.is_false(loop.remove_reader(fd))
  end)

  it("refuses what is no open descriptor", function()
    local a = streams.pair()
    a:close()
    for _, bad in ipairs { a, 987654, -1 } do
      assert.is_false((pcall(loop.add_reader, bad, print)))
    end
    assert.is_false((pcall(loop.add_reader, {}, print)))
  end)
end)

describe("add_writer", function()
  it("calls whenever there is room to write, until remove_writer", function()
    local a, b = streams.pair()
    local calls = 0
    run(function()
      loop.add_writer(a, function()
        calls = calls + 1
        if calls == 3 then loop.remove_writer(a) end
      end)
    end)
    assert.equal(3, calls)
    a:settimeout(0)
    repeat until not a:send(("x"):rep(65536))
    run(function()
      loop.add_writer(a, function()
        calls = calls + 1
        loop.remove_writer(a)
      end)
      sleep(0.005)
      assert.equal(3, calls)
      b:recv(1000000)
      while calls == 3 do b:recv(1000000) end
    end)
    assert.equal(4, calls)
  end)

  it("is apart from the reader of the same descriptor", function()
    local a, b = streams.pair()
    local log = {}
    run(function()
      loop.add_reader(a, function()
        log[#log + 1] = "read"
        a:recv(1)
        loop.remove_reader(a)
      end)
      loop.add_writer(a, function()
        log[#log + 1] = "write"
        loop.remove_writer(a)
        b:send "x"
      end)
    end)
    assert.same({ "write", "read" }, log)
  end)
end)

describe("on_signal", function()
  after_each(function()
    loop.on_signal("SIGUSR1")
    loop.on_signal("SIGUSR2")
  end)

  local function raise(name) assert(posix.kill(posix.getpid(), posix[name])) end

  it("runs a handler as a task, which may wait", function()
    local log = {}
    run(function()
      assert(loop.on_signal("SIGUSR1", function(signum)
        log[#log + 1] = signum
        sleep(0.001)
        log[#log + 1] = "done"
      end))
      raise "SIGUSR1"
      while #log < 2 do sleep(0.001) end
    end)
    assert.same({ posix.SIGUSR1, "done" }, log)
  end)

  it("wakes a loop that sleeps", function()
    local began = loop.now()
    local timer
    run(function()
      local task = spawn(sleep, 30)
      loop.on_signal(posix.SIGUSR1, function() task:cancel() end)
      timer = posix.timer(posix.SIGUSR1, 0.01, 0)
    end)
    posix.stop_timer(timer)
    assert.is_true(loop.now() - began < 10)
  end)

  it("takes the place of the handler before, and each signal has its own", function()
    local log = {}
    run(function()
      loop.on_signal("SIGUSR1", function() log[#log + 1] = "old" end)
      loop.on_signal("SIGUSR1", function() log[#log + 1] = "new" end)
      loop.on_signal("SIGUSR2", function() log[#log + 1] = "other" end)
      raise "SIGUSR1"
      while #log < 1 do sleep(0.001) end
      raise "SIGUSR2"
      while #log < 2 do sleep(0.001) end
    end)
    assert.same({ "new", "other" }, log)
  end)

  it("keeps the signals that come while no loop runs", function()
    local seen = 0
    loop.on_signal("SIGUSR1", function() seen = seen + 1 end)
    raise "SIGUSR1"
    assert.equal(0, seen)
    run(function()
      while seen == 0 do sleep(0.001) end
    end)
    assert.equal(1, seen)
  end)

  it("does not keep run from returning", function()
    local began = loop.now()
    loop.on_signal("SIGUSR1", print)
    run(sleep, 0.001)
    run()
    assert.is_true(loop.now() - began < 10)
  end)

  it("gives the signal back", function()
    posix.signal(posix.SIGUSR1, "count")
    posix.signals_seen()
    loop.on_signal("SIGUSR1", error)
    assert.is_true(loop.on_signal("SIGUSR1"))
    local before = posix.signals_seen()
    raise "SIGUSR1"
    assert.equal(before + 1, posix.signals_seen())
    posix.signal(posix.SIGUSR1, "default")
    run(sleep, 0.001)
  end)

  it("refuses what cannot be caught, and what is no signal", function()
    assert.equal(E.EINVAL, select(3, loop.on_signal("SIGKILL", print)))
    for _, bad in ipairs { 0, -1, 100000, "SIGNONE" } do
      assert.is_false((pcall(loop.on_signal, bad, print)))
    end
  end)

  it("reports a handler's error, and goes on", function()
    local seen = 0
    local errors = reported(function()
      run(function()
        loop.on_signal("SIGUSR1", function()
          seen = seen + 1
          error "oh no"
        end)
        for i = 1, 2 do
          raise "SIGUSR1"
          while seen < i do sleep(0.001) end
        end
        settle()
      end)
    end)
    assert.equal(2, #errors)
  end)
end)

describe("a wrong argument", function()
  local NAN = 0 / 0
  local q, e, g = loop.queue(), loop.event(), loop.group()
  local calls = {
    { loop.timeout, 1, { -1, NAN, "x" }, function(f, bad) f(bad, print) end, "timeout" },
    { loop.timeout, 2, { "x", {} }, function(f, bad) f(1, bad) end, "timeout" },
    { loop.call_later, 1, { -1, NAN, "x" }, function(f, bad) f(bad, print) end, "call_later" },
    { loop.call_later, 2, { "x", {} }, function(f, bad) f(1, bad) end, "call_later" },
    { loop.call_at, 1, { NAN, "x", {} }, function(f, bad) f(bad, print) end, "call_at" },
    { loop.call_at, 2, { "x", {} }, function(f, bad) f(1, bad) end, "call_at" },
    { q.get, 1, { -1, NAN, "x" }, function(f, bad) f(q, bad) end, "get" },
    { q.put, 2, { -1, NAN, "x" }, function(f, bad) f(q, 1, bad) end, "put" },
    { e.wait, 1, { -1, NAN, "x" }, function(f, bad) f(e, bad) end, "wait" },
    { g.join, 1, { -1, NAN, "x" }, function(f, bad) f(g, bad) end, "join" },
    { loop.add_reader, 1, { 1.5, {}, true }, function(f, bad) f(bad, print) end, "add_reader" },
    { loop.add_reader, 2, { 1, {} }, function(f, bad) f(0, bad) end, "add_reader" },
    { loop.add_writer, 1, { 1.5, {}, true }, function(f, bad) f(bad, print) end, "add_writer" },
    { loop.add_writer, 2, { 1, {} }, function(f, bad) f(1, bad) end, "add_writer" },
    { loop.remove_reader, 1, { 1.5, {}, true }, function(f, bad) f(bad) end, "remove_reader" },
    { loop.remove_writer, 1, { 1.5, {}, true }, function(f, bad) f(bad) end, "remove_writer" },
    { loop.on_signal, 1, { 0, -1, 1.5, "SIGNONE", {} }, function(f, bad) f(bad, print) end, "on_signal" },
    { loop.on_signal, 2, { 1, {} }, function(f, bad) f("SIGUSR1", bad) end, "on_signal" },
  }
  it("raises at once, naming it and the call", function()
    for _, row in ipairs(calls) do
      local f, arg, values, call, name = table.unpack(row)
      for _, bad in ipairs(values) do
        local ok, err = pcall(call, f, bad)
        assert.is_false(ok, name)
        assert.matches(("bad argument #%d to '[%%w.]*%s'"):format(arg, name), err)
      end
    end
    assert.same({}, reported(run)) -- and nothing of it is still to come
    assert.equal(0, q:qsize())
  end)
end)

describe("timeout", function()
  it("gives what the function returned in time", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(loop.timeout(5, function() return 1, nil, 3 end)))
    run(function()
      assert.equal("x", (loop.timeout(5, function()
        sleep(0.001)
        return "x"
      end)))
      assert.equal("y", (loop.timeout(nil, function() return "y" end)))
    end)
  end)

  it("ends the whole of a piece of work when its time is up", function()
    local a, b = streams.pair()
    local closed = false
    run(function()
      local began = loop.now()
      local ok, err, errno = loop.timeout(0.02, function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        while true do
          b:send "x"
          a:recv(1)
          sleep(0.001)
        end
      end)
      assert.is_nil(ok)
      assert.is_true(err:is(csock.timeout))
      assert.equal(E.ETIMEDOUT, errno)
      assert.is_true(closed)
      assert.is_true(loop.now() - began >= 0.02)
    end)
  end)

  it("raises what the function raises", function()
    local value = {}
    assert.same({ false, value }, { pcall(loop.timeout, 5, error, value) })
    run(function()
      local errors = reported(function()
        assert.same({ false, value }, { pcall(loop.timeout, 5, error, value) })
      end)
      assert.same({}, errors)
    end)
  end)

  it("can stand in another one: the shorter ends first", function()
    run(function()
      local outer_over = false
      local ok = loop.timeout(10, function()
        assert.equal(E.ETIMEDOUT, select(3, loop.timeout(0.005, sleep, 10)))
        outer_over = true
        return "outer"
      end)
      assert.equal("outer", ok)
      assert.is_true(outer_over)
      assert.equal(E.ETIMEDOUT, select(3, loop.timeout(0.005, loop.timeout, 10, sleep, 10)))
    end)
  end)

  it("of 0 seconds is for what needs not to wait", function()
    local function check()
      local closed = false
      assert.equal("now", (loop.timeout(0, function() return "now" end)))
      local ok, err, errno = loop.timeout(0, function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        sleep(10)
      end)
      assert.is_nil(ok)
      assert.equal(E.ETIMEDOUT, errno)
      assert.is_true(err:is(csock.timeout))
      assert.matches("^timeout: ", tostring(err))
      assert.is_true(closed)
    end
    check()
    run(check)
  end)

  it("passes on what the function returned, be it another call's failure", function()
    local a = streams.pair()
    a:settimeout(0.001)
    run(function()
      local ok, err, errno = loop.timeout(10, a.recv, a, 1)
      assert.is_nil(ok)
      assert.equal(E.ETIMEDOUT, errno)
      assert.matches("^recv: ", tostring(err))
    end)
  end)

  it("ends a group, and what waits in a coroutine of the task", function()
    local log = {}
    local function note(what)
      return setmetatable({}, { __close = function() log[#log + 1] = what end })
    end
    run(function()
      assert.equal(E.ETIMEDOUT, select(3, loop.timeout(0.005, function()
        local group <close> = loop.group()
        for i = 1, 2 do
          group:spawn(function()
            local _ <close> = note("member " .. i)
            sleep(10)
          end)
        end
      end)))
      table.sort(log)
      assert.same({ "member 1", "member 2" }, log)
      log = {}
      assert.equal(E.ETIMEDOUT, select(3, loop.timeout(0.005, function()
        local _ <close> = note "task"
        csock.wrap(function()
          local _ <close> = note "coroutine"
          sleep(10)
        end)()
      end)))
      assert.same({ "coroutine", "task" }, log)
    end)
  end)

  it("cancels the work with the task that waits for it", function()
    local inner
    run(function()
      local task = spawn(loop.timeout, 10, function()
        inner = loop.current()
        sleep(10)
      end)
      settle()
      task:cancel()
      assert.equal("cancelled", inner:status())
    end)
  end)
end)

describe("a queue", function()
  it("gives the values in the order in which they were put, false too", function()
    run(function()
      local q = loop.queue()
      for _, v in ipairs { 1, false, "three" } do q:put(v) end
      assert.equal(3, #q)
      assert.equal(3, q:qsize())
      assert.same({ 1, false, "three" }, { q:get(), (q:get()), (q:get()) })
      assert.is_true(q:empty())
    end)
  end)

  it("lets get wait for put, first come first served", function()
    local got = {}
    run(function()
      local q = loop.queue()
      for i = 1, 4 do
        spawn(function()
          local value = q:get()
          got[i] = value
        end)
      end
      settle()
      for i = 1, 4 do
        q:put(i)
        if i % 2 == 0 then settle() end
      end
    end)
    assert.same({ 1, 2, 3, 4 }, got)
  end)

  it("lets put wait while it is full, first come first served", function()
    local got = {}
    run(function()
      local q = loop.queue(2)
      for i = 1, 6 do spawn(function() q:put(i) end) end
      settle()
      assert.is_true(q:full())
      assert.equal(2, #q)
      for i = 1, 6 do got[i] = q:get() end
    end)
    assert.same({ 1, 2, 3, 4, 5, 6 }, got)
  end)

  it("does not lose a value with a getter that is cancelled when its turn has come", function()
    run(function()
      local q = loop.queue()
      local first = spawn(function() return q:get() end)
      local second = spawn(function() return q:get() end)
      settle()
      q:put "x"
      first:cancel()
      assert.equal("x", second:join(5))
    end)
  end)

  it("puts whoever was overtaken back to the head of the line", function()
    local got = {}
    run(function()
      local q = loop.queue()
      for i = 1, 2 do
        spawn(function()
          local value = q:get()
          got[i] = value
        end)
      end
      settle()
      q:put "overtaken"
      assert.equal("overtaken", q:get())
      settle()
      q:put "a"
      settle()
      q:put "b"
    end)
    assert.same({ "a", "b" }, got)
  end)

  it("bounds put and get by a time, or lets them not wait at all", function()
    run(function()
      local q = loop.queue(1)
      local began = loop.now()
      assert.equal(E.ETIMEDOUT, select(3, q:get(0.01)))
      assert.equal(E.EAGAIN, select(3, q:get(0)))
      assert.is_true(q:put(1, 0))
      assert.equal(E.EAGAIN, select(3, q:put(2, 0)))
      assert.equal(E.ETIMEDOUT, select(3, q:put(2, 0.01)))
      assert.is_true(loop.now() - began >= 0.02)
      assert.equal(1, q:get(0))
      assert.is_true(q:empty())
    end)
  end)

  it("that is closed gives what it holds, and then nil", function()
    run(function()
      local q = loop.queue(1)
      local values, put = {}
      local gate = loop.event()
      local reader = spawn(function()
        for value in q:iter() do
          values[#values + 1] = value
          gate:wait()
        end
      end)
      q:put(1)
      settle()
      q:put(2)
      local writer = spawn(function() put = table.pack(q:put(3)) end)
      settle()
      q:close()
      gate:set()
      writer:join()
      reader:join()
      assert.same({ 1, 2 }, values)
      assert.is_nil(put[1])
      assert.equal(E.EPIPE, put[3])
      assert.same({ n = 1, nil }, table.pack(q:get()))
    end)
  end)

  it("works outside of tasks while there are tasks to wait for", function()
    local q = loop.queue()
    spawn(function()
      sleep(0.002)
      q:put "from a task"
    end)
    assert.equal("from a task", q:get())
    assert.equal(E.EDEADLK, select(3, q:get()))
  end)

  it("raises for wrong arguments", function()
    for _, bad in ipairs { -1, 1.5, "x" } do assert.is_false((pcall(loop.queue, bad))) end
    assert.is_false((pcall(loop.queue().put, loop.queue(), nil)))
  end)
end)

describe("an event", function()
  it("lets all who wait go on when it is set, and who comes later not wait", function()
    local woken = 0
    run(function()
      local e = loop.event()
      assert.is_false(e:is_set())
      for _ = 1, 3 do
        spawn(function()
          assert.is_true(e:wait())
          woken = woken + 1
        end)
      end
      settle()
      assert.equal(0, woken)
      e:set()
      assert.is_true(e:is_set())
      settle()
      assert.equal(3, woken)
      assert.is_true(e:wait())
      e:clear()
      assert.equal(E.ETIMEDOUT, select(3, e:wait(0.001)))
    end)
  end)

  it("keeps its time limit when it is set and cleared as the time passes", function()
    local e = loop.event()
    run(function()
      local waiter = spawn(function() return select(3, e:wait(0.01)) end)
      settle()
      e:set()
      e:clear()
      local late = loop.now() + 0.02
      while loop.now() < late do end
      assert.equal(E.ETIMEDOUT, waiter:join())
    end)
  end)

  it("that is cleared at once has woken nobody", function()
    run(function()
      local e = loop.event()
      local task = spawn(function() return e:wait() end)
      settle()
      e:set()
      e:clear()
      assert.equal(E.ETIMEDOUT, select(3, task:join(0.005)))
      e:set()
      assert.is_true(task:join(5))
    end)
  end)
end)

describe("a group", function()
  it("waits for its tasks when it is left", function()
    local done = 0
    run(function()
      do
        local group <close> = loop.group()
        for i = 1, 3 do
          group:spawn(function()
            sleep(0.001 * i)
            done = done + 1
          end)
        end
      end
      assert.equal(3, done)
    end)
  end)

  it("cancels the others when one fails, and raises its error", function()
    run(function()
      local slow
      local ok, err = pcall(function()
        local group <close> = loop.group()
        slow = group:spawn(sleep, 30)
        group:spawn(function()
          sleep(0.001)
          error("oh no", 0)
        end)
      end)
      assert.same({ false, "oh no" }, { ok, err })
      assert.equal("cancelled", slow:status())
    end)
  end)

  local waits = {
    ["a queue"] = function() loop.queue():get() end,
    ["time"] = function() sleep(30) end,
    ["a socket"] = function() streams.pair():recv(1) end,
    ["a group of its own"] = function()
      local group <close> = loop.group()
      group:spawn(sleep, 30)
    end,
  }
  for what, wait in pairs(waits) do
    it("ends what its maker waits for when one fails: " .. what, function()
      local value, slow, after, went_on = {}, nil, nil, nil
      local errors = reported(function()
        run(function()
          local ok, err = pcall(function()
            local group <close> = loop.group()
            slow = group:spawn(sleep, 30)
            group:spawn(function()
              sleep(0.001)
              error(value)
            end)
            wait()
            went_on = true
          end)
          assert.same({ false, value }, { ok, err })
          after = sleep(0.001)
        end)
      end)
      assert.same({}, errors)
      assert.equal("cancelled", slow:status())
      assert.is_nil(went_on)
      assert.is_true(after)
    end)
  end

  it("raises the error at its end when its maker has caught it on the way", function()
    run(function()
      local caught
      local ok, err = pcall(function()
        local group <close> = loop.group()
        group:spawn(error, "oh no", 0)
        caught = select(2, pcall(sleep, 30))
        sleep(0.001)
      end)
      assert.same({ "oh no", false, "oh no" }, { caught, ok, err })
    end)
  end)

  it("tells all errors when there are several", function()
    run(function()
      local first = { "a table" }
      local ok, err = pcall(function()
        local group <close> = loop.group()
        group:spawn(error, first)
        pcall(sleep, 30)
        group:spawn(error, "second", 0)
        error("the maker's", 0)
      end)
      assert.is_false(ok)
      assert.same({ "the maker's", first }, err.errors) -- (what has not begun is cancelled)
      assert.equal("group", err.kind)
      assert.matches("^group: 2 errors: the maker's; table: ", tostring(err))

      ok, err = pcall(function()
        local group <close> = loop.group()
        group:spawn(error, "first", 0)
        pcall(sleep, 30)
        group:spawn(error, "second", 0)
        pcall(sleep, 0.001)
      end)
      assert.is_false(ok)
      assert.same({ "first", "second" }, err.errors)
      assert.equal("group: 2 errors: first; second", tostring(err))
    end)
  end)

  it("loses no error when its maker is cancelled, or when it is left to the collector", function()
    local errors = reported(function()
      run(function()
        local maker = spawn(function()
          local group <close> = loop.group()
          group:spawn(error, "with its maker", 0)
          pcall(sleep, 30)
          group:spawn(function() sleep(30) end)
        end)
        settle()
        maker:cancel()
        spawn(function()
          local group = loop.group()
          group:spawn(error, "left", 0)
          pcall(sleep, 30)
        end)
        settle()
      end)
      collectgarbage()
      collectgarbage()
    end)
    local texts = {}
    for i, told in ipairs(errors) do texts[i] = told.err end
    assert.same({ "with its maker", "left" }, texts)
  end)

  it("cancels its tasks when it is left by an error, or with its task", function()
    run(function()
      local inner
      local ok, err = pcall(function()
        local group <close> = loop.group()
        inner = group:spawn(sleep, 30)
        settle()
        error("left", 0)
      end)
      assert.same({ false, "left" }, { ok, err })
      assert.equal("cancelled", inner:status())

      local outer = spawn(function()
        local group <close> = loop.group()
        inner = group:spawn(sleep, 30)
        group:spawn(sleep, 30)
      end)
      settle()
      assert.equal("waiting", inner:status())
      outer:cancel()
      assert.equal("cancelled", inner:status())
    end)
  end)

  it("is over when its tasks are cancelled one by one, also before they begin", function()
    run(function()
      local group <close> = loop.group()
      local task = group:spawn(sleep, 30)
      assert.is_true(group:spawn(sleep, 30):cancel())
      settle()
      assert.is_true(task:cancel())
      assert.is_true(group:join(5))
    end)
  end)

  it("raises an error that is nil, too", function()
    run(function()
      local group = loop.group()
      group:spawn(error, nil)
      local other = group:spawn(sleep, 30)
      assert.same({ n = 2, false, NIL_RAISED }, table.pack(pcall(group.join, group)))
      assert.equal("cancelled", other:status())
    end)
  end)

  it("cancels also tasks that have not begun", function()
    run(function()
      local ran = false
      pcall(function()
        local group <close> = loop.group()
        group:spawn(function() ran = true end)
        error "left"
      end)
      settle()
      assert.is_false(ran)
    end)
  end)

  it("reports no error twice", function()
    local errors = reported(function()
      run(function()
        local group = loop.group()
        group:spawn(error, "first", 0)
        group:spawn(error, "second", 0)
        assert.same({ false, "first" }, { pcall(group.join, group) })
        assert.is_true(group:join())
      end)
    end)
    assert.same({}, errors)
  end)

  it("can be waited for with a time limit", function()
    run(function()
      local group <close> = loop.group()
      group:spawn(sleep, 30)
      assert.equal(E.ETIMEDOUT, select(3, group:join(0.005)))
      group:cancel()
      assert.is_true(group:join())
    end)
  end)

  it("may get new tasks from its tasks", function()
    local deepest = 0
    run(function()
      local group <close> = loop.group()
      local function go(depth)
        deepest = depth
        if depth < 10 then group:spawn(go, depth + 1) end
      end
      group:spawn(go, 1)
    end)
    assert.equal(10, deepest)
  end)

  it("cancels also what its tasks start when they are cancelled", function()
    run(function()
      local late
      local group = loop.group()
      group:spawn(function()
        local _ <close> = setmetatable({}, { __close = function() late = group:spawn(sleep, 30) end })
        sleep(30)
      end)
      settle()
      group:cancel()
      assert.equal("cancelled", late:status())
      assert.is_true(group:join(5))
    end)
  end)
end)
