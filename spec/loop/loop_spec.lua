-- The loop itself: run, step, stop, its clock and its backend; interruptions; its end with the state.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local loop = csock.loop
local E = csock.errno
local run, spawn, sleep = csock.run, csock.spawn, csock.sleep

-- Starts a program.
local function start(program, env)
  return process.lua({ "-e", "csock = require 'csock'\nloop = csock.loop\n" .. program }, { env = env })
end

after_each(streams.close_all)

describe("run", function()
  it("returns when nothing is left to wait for", function()
    local done = 0
    for i = 1, 3 do
      spawn(function()
        sleep(i * 0.001)
        done = done + 1
      end)
    end
    assert.is_true(run())
    assert.equal(3, done)
    assert.is_true(run())
  end)

  it("gives what its function returns, and raises its error", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(run(function(...) return ... end, 1, nil, 3)))
    local value = {}
    assert.same({ false, value }, { pcall(run, error, value) })
  end)

  it("waits for the other tasks too, when its function is over", function()
    local done = false
    assert.equal("first", run(function()
      spawn(function()
        sleep(0.002)
        done = true
      end)
      return "first"
    end))
    assert.is_true(done)
  end)

  it("waits for less than a millisecond, where it is to", function()
    if process.slowness > 1 then return pending "too slow for that" end
    local least = math.huge -- of some: other programs may hold up any of them
    run(function()
      for _ = 1, 100 do
        local begin = csock.now()
        sleep(0.0001)
        least = math.min(least, csock.now() - begin)
      end
    end)
    assert.is_true(least >= 0.0001 and least < 0.0009, tostring(least))
  end)

  it("gives EDEADLK when its function waits for what cannot happen", function()
    local task
    local ok, err, errno = run(function()
      task = loop.current()
      loop.queue():get()
    end)
    task:cancel()
    assert.is_nil(ok)
    assert.equal(E.EDEADLK, errno)
    assert.matches("run: ", tostring(err))
  end)

  it("cannot be called in a task, nor can step", function()
    run(function()
      for _, f in ipairs { run, loop.step } do
        local ok, err = pcall(f)
        assert.is_false(ok)
        assert.matches("running already", err)
      end
    end)
  end)

  it("raises for what is no function", function()
    for _, bad in ipairs { 1, "x", {} } do assert.is_false((pcall(run, bad))) end
  end)
end)

describe("stop", function()
  it("makes run return; the tasks go on in the next run", function()
    local log = {}
    spawn(function()
      sleep(0.001)
      log[#log + 1] = "before"
      loop.stop()
      sleep(0.001)
      log[#log + 1] = "after"
    end)
    assert.is_true(run())
    assert.same({ "before" }, log)
    assert.is_true(run())
    assert.same({ "before", "after" }, log)
  end)

  it("ends run though its function goes on", function()
    local finished = false
    assert.is_true(run(function()
      loop.stop()
      sleep(0.001)
      finished = true
    end))
    assert.is_false(finished)
    run()
    assert.is_true(finished)
  end)

  it("before run does not stop it", function()
    loop.stop()
    local done = false
    run(function()
      sleep(0.001)
      done = true
    end)
    assert.is_true(done)
  end)
end)

describe("step", function()
  it("runs one turn, and tells whether something is left", function()
    local log = {}
    spawn(function()
      log[#log + 1] = 1
      loop.yield()
      log[#log + 1] = 2
    end)
    assert.is_true(loop.step())
    assert.same({ 1 }, log)
    assert.is_false(loop.step())
    assert.same({ 1, 2 }, log)
    assert.is_false(loop.step())
  end)

  it("waits for as long as it is told, and no longer", function()
    local a, b = streams.pair()
    local got
    spawn(function() got = a:recv(1) end)
    local began = loop.now()
    assert.is_true(loop.step(0.02))
    assert.is_true(loop.step(0.02))
    assert.is_true(loop.now() - began >= 0.02)
    b:send "x"
    began = loop.now()
    while loop.step(30) do assert.is_nil(got) end
    assert.equal("x", got)
    assert.is_true(loop.now() - began < 10)
  end)

  it("lets another loop drive this one, by its descriptor", function()
    local fd = loop.fileno()
    if fd == -1 then return pending(loop.backend() .. " has none") end
    local a, b = streams.pair()
    local got = {}
    spawn(function()
      for i = 1, 3 do got[i] = a:recv(1) end
    end)
    loop.step()
    local poll = csock.poll()
    poll:register(fd, csock.POLLIN)
    for i = 1, 3 do
      assert.same({}, poll:poll(0))
      b:send(tostring(i))
      assert.equal(1, #poll:poll(10000))
      loop.step()
      assert.equal(tostring(i), got[i])
    end
  end)
end)

describe("due", function()
  it("tells another loop when to make the next step", function()
    assert.is_nil(loop.due())
    local task = spawn(function()
      sleep(0.05)
      sleep(30)
    end)
    assert.equal(0, loop.due())
    loop.step()
    local due = loop.due()
    assert.is_true(due > 0 and due <= 0.05, due)
    posix.sleep(due)
    loop.step()
    due = loop.due()
    assert.is_true(due > 20 and due <= 30, due)
    task:cancel()
    local q = loop.queue()
    task = spawn(q.get, q)
    loop.step()
    assert.is_nil(loop.due())
    q:put(1)
    assert.equal(0, loop.due())
    loop.step()
    assert.equal("done", task:status())
    assert.is_nil(loop.due())
  end)

  it("and fileno let another loop do all that run does", function()
    if loop.fileno() == -1 then return pending("poll has none") end
    local p <close> = start([[
      posix = require "spec.support.posix"
      local log = {}
      local function note(what) log[#log + 1] = what end
      local a, b = csock.socketpair()
      csock.spawn(function() note(a:recv(10)) end)
      loop.call_soon(note, "soon")
      loop.call_later(0.03, function()
        note "later"
        csock.spawn(function() note(#csock.getaddrinfo("localhost", 80) > 0 and "resolved") b:send "io" end)
      end)
      loop.on_signal("SIGUSR1", function() note "signal" csock.sleep(0.001) loop.call_later(0.001, note, "the end") end)
      csock.spawn(function() while #log < 4 do csock.sleep(0.005) end posix.kill(posix.getpid(), posix.SIGUSR1) end)
      local outer = csock.poll()
      outer:register(loop.fileno(), csock.POLLIN)
      local turns, began = 0, loop.now()
      while log[#log] ~= "the end" and loop.now() - began < 10 do
        local due = loop.due()
        outer:poll(due and due * 1000 or nil)
        loop.step()
        turns = turns + 1
      end
      print(table.concat(log, " "))
      print(turns < 200 or turns)
    ]])
    assert.equal("soon later resolved io signal the end", p:read_line())
    assert.equal("true", p:read_line())
    assert.equal(0, p:wait())
  end)
end)

describe("now", function()
  it("is a clock in seconds that never goes back", function()
    local before = loop.now()
    for _ = 1, 1000 do
      local now = loop.now()
      assert.is_true(now >= before)
      before = now
    end
    posix.sleep(0.01)
    assert.is_true(loop.now() - before >= 0.01)
  end)
end)

describe("the backend", function()
  it("is the best that there is, or what CSOCK_BACKEND says", function()
    local backends = loop.backends()
    assert.equal("poll", backends[#backends])
    for _, name in ipairs(backends) do
      local p <close> = start("print(loop.backend())", { CSOCK_BACKEND = name })
      assert.equal(name, p:read_line())
    end
    local p <close> = start("print(loop.backend())", { CSOCK_BACKEND = "" })
    assert.equal(backends[1], p:read_line())
    local bad <close> = start("csock.run()", { CSOCK_BACKEND = "carrier pigeons" })
    assert.equal(1, bad:wait())
    assert.matches("CSOCK_BACKEND: this system has no 'carrier pigeons'", bad.err)
  end)
end)

describe("Ctrl-C", function()
  -- What a program does that is interrupted in run, and goes on.
  local SETUP = [[
    a, b = assert(csock.socketpair())
    closed = {}
    function closing(name)
      return setmetatable({}, { __close = function() closed[#closed + 1] = name end })
    end
    server = assert(csock.serve({"127.0.0.1", 0}, function(conn) local c <close> = closing "handler"; conn:recv(1) end))
    address = server:getsockname()
    client = csock.socket()
    client:settimeout(10)
    csock.spawn(function() local c <close> = closing "reader"; local s <close> = a; s:recv(1) end)
    csock.spawn(function() local c <close> = closing "sleeper"; csock.sleep(60) end)
    csock.spawn(function() client:connect(address); print "waiting" end)
  ]]
  local AFTER = [[
    table.sort(closed)
    print(table.concat(closed, " "))
    print(a:fileno(), server:fileno(), client:recv(1) == "")
    again = assert(csock.serve(address, function(conn) conn:sendall(conn:recv(5)) end))
    print(csock.run(function()
      local s <close> = assert(csock.create_connection(address))
      s:sendall "again"
      local data = s:recv(100)
      again:close()
      return data
    end))
  ]]

  local function expect_after(p)
    p:expect "handler reader sleeper"
    p:expect "%-1\t%-1\ttrue"
    p:expect "again"
  end

  it("ends run with interrupted!, closes all that the tasks held, and the loop can be used again", function()
    local p <close> = start(SETUP .. "print(pcall(csock.run))\n" .. AFTER)
    p:expect "waiting"
    p:signal "SIGINT"
    p:expect "false\tinterrupted!"
    expect_after(p)
    assert.equal(0, p:wait())
  end)

  it("ends a script that does not catch it", function()
    local p <close> = start(SETUP .. [[
      local _ <close> = closing "main"
      setmetatable(closed, { __gc = function() print(#closed) end })
      csock.run()
    ]])
    p:expect "waiting"
    p:signal "SIGINT"
    p:expect "4"
    p:expect_err "interrupted!"
    assert.equal(1, p:wait())
  end)

  it("works at the prompt, which goes on", function()
    local p <close> = process.start({ process.interpreter, "-i" }, { pty = true })
    p:expect "> "
    p:write("csock = require 'csock'\n")
    p:expect "> "
    for line in SETUP:gsub("\n%s+", " "):gsub("function closing", "\nfunction closing")
      :gsub("server =", "\nserver ="):gmatch "[^\n]+" do
      p:write(line, "\n")
      p:expect "> "
    end
    p:write("csock.run()\n")
    p:expect "waiting\r*\n" -- and not the echo of what was typed
    p:write "\3"
    p:expect "interrupted!"
    p:expect "> "
    p:write((AFTER:gsub("\n%s+", " ")), "\n")
    expect_after(p)
    p:write("os.exit()\n")
    assert.equal(0, p:wait())
  end)

  it("stops a loop that is never idle, too", function()
    local p <close> = start [[
      csock.spawn(function() while true do csock.loop.yield() end end)
      csock.spawn(function() print "running" end)
      csock.run()
    ]]
    p:expect "running"
    p:signal "SIGINT"
    p:expect_err "interrupted!"
    assert.equal(1, p:wait())
  end)

  it("is no error of a callback during which it comes", function()
    for _, setting in ipairs {
      "csock.spawn(function() end):add_done_callback(busy)",
      "loop.onerror = busy csock.spawn(error, 'on purpose')",
    } do
      local p <close> = start([[
        local function busy()
          csock.kill(csock.getpid(), "SIGINT")
          for _ = 1, 1000 do busy_with = {} end
          print "done"
        end
        csock.spawn(csock.sleep, 60)
      ]] .. setting .. "\nprint(pcall(csock.run))")
      p:expect "done\nfalse\tinterrupted!\n"
      assert.equal(0, p:wait())
    end
  end)

  it("stops join, step and timeout outside of tasks", function()
    for _, call in ipairs { "task:join()", "loop.step(60)", "loop.timeout(60, csock.sleep, 60)",
      "loop.queue():get(60)" } do
      local p <close> = start([[
        task = csock.spawn(csock.sleep, 60)
        csock.spawn(function() print "running" end)
        loop.step()
      ]] .. call)
      p:expect "running"
      p:signal "SIGINT"
      p:expect_err "interrupted!"
      assert.equal(1, p:wait())
    end
  end)

  it("loses no event that had come with it", function()
    local p <close> = start [[
      local posix = require "spec.support.posix"
      local a, b = csock.socketpair()
      local c, d = csock.socketpair()
      local function readers()
        for _, s in ipairs { a, c } do csock.spawn(function() print(s:recv(10)) end) end
      end
      readers()
      csock.spawn(function()
        csock.sleep(0.001)
        b:send "x"
        d:send "y"
        posix.kill(posix.getpid(), posix.SIGINT)
      end)
      print(pcall(csock.run))
      readers()
      csock.run()
    ]]
    p:expect "false\tinterrupted!\n"
    local got = { p:read_line(), p:read_line() }
    table.sort(got)
    assert.same({ "x", "y" }, got)
    assert.equal(0, p:wait())
  end)

  it("does not take on_signal's handlers away", function()
    local p <close> = start [[
      local posix = require "spec.support.posix"
      loop.on_signal("SIGUSR1", function() print "handled"; os.exit(3) end)
      csock.spawn(function() print "running" end)
      csock.spawn(csock.sleep, 60)
      print(pcall(csock.run))
      posix.kill(posix.getpid(), posix.SIGUSR1)
      csock.run(csock.sleep, 60)
    ]]
    p:expect "running"
    p:signal "SIGINT"
    p:expect "interrupted!"
    p:expect "handled"
    assert.equal(3, p:wait())
  end)
end)

describe("the end of the state", function()
  -- Everything that can be under way.
  local PENDING = [[
    local q, sleeper
    finalized = setmetatable({}, { __gc = function() -- older than what the loop has made
      pcall(csock.run, loop.stop)
      pcall(loop.step)
      pcall(csock.spawn, print)
      pcall(sleeper.cancel, sleeper)
      pcall(loop.fileno)
      pcall(q.put, q, 1)
      pcall(q.get, q)
    end })
    local a, b = assert(csock.socketpair())
    local full, peer = assert(csock.socketpair())
    full:settimeout(0)
    repeat until not full:send(("x"):rep(65536))
    full:settimeout(nil)
    local stream = assert(a:makefile "rw")
    q = loop.queue()
    local full_q = loop.queue(1)
    full_q:put(1)
    sleeper = csock.spawn(csock.sleep, 60)
    for _, f in ipairs {
      function() csock.sleep(60) end,
      function() a:recv(1) end,
      function() a:recvmsg(1) end,
      function() stream:read() end,
      function() full:sendall "x" end,
      function() full:sendmsg { "x" } end,
      function() csock.select({ a, b }, {}, {}) end,
      function() local p = csock.poll() p:register(a) p:poll() end,
      function() local p = csock.epoll() p:register(a) p:poll() end,
      function() if csock.kqueue then csock.kqueue():control({ csock.kevent(a) }, 1) end end,
      function() csock.create_server{"127.0.0.1", 0}:accept() end,
      function() csock.getaddrinfo("never.slow", 80) end,
      function() csock.create_connection{"never.slow", 80} end,
      function() q:get() end,
      function() full_q:put(1) end,
      function() loop.event():wait() end,
      function() sleeper:join() end,
      function() local g <close> = loop.group() g:spawn(csock.sleep, 60) end,
      function() loop.timeout(60, csock.sleep, 60) end,
      function() csock.wrap(function() a:recv(1) end)() end,
      function() for _ = 1, math.huge do loop.yield() end end,
      function() local s <close> = csock.serve({"127.0.0.1", 0}, print) csock.sleep(60) end,
    } do
      csock.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() a:send "bye" end })
        f()
      end)
    end
    loop.on_signal("SIGUSR1", print)
    loop.add_reader(b, print)
    loop.step()
    loop.step(0.01)
  ]]
  local EXITS = {
    ["of itself"] = "",
    ["by os.exit"] = "os.exit(0, true)",
    ["by os.exit in a task"] = "csock.run(function() csock.sleep(0.001) os.exit(0, true) end)",
    ["by os.exit in a coroutine of a task"] =
      "csock.run(function() csock.wrap(function() csock.sleep(0) os.exit(0, true) end)() end)",
    ["by os.exit in a <close> handler"] = [[
      local t = csock.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() os.exit(0, true) end })
        csock.sleep(60)
      end)
      csock.run(function() csock.loop.yield() t:cancel() end)
    ]],
    ["after an error"] = "pcall(loop.step, {})",
    ["after everything was collected"] = "collectgarbage() collectgarbage()",
  }
  for name, exit in pairs(EXITS) do
    it(name .. " leaves nothing behind, whatever is under way", function()
      local p <close> = start(PENDING .. exit, { LD_PRELOAD = process.preload "spec.support.slow_resolver" })
      assert.equal(0, p:wait(), p.err)
      assert.equal("", p.err)
    end)
  end
end)

describe("events of more descriptors than one turn takes", function()
  for _, backend in ipairs(loop.backends()) do
    it("come to all of them, however busy the first ones are: " .. backend, function()
      local p <close> = start([[
        local posix = require "spec.support.posix"
        local PAIRS = 600
        local _, hard = posix.nofile()
        if hard < 2 * PAIRS + 50 then return print "too few descriptors" end
        posix.nofile(hard)
        local rounds, fewest = {}, 0
        for i = 1, PAIRS do
          local a, b = assert(csock.socketpair())
          rounds[i] = 0
          local function echo(from)
            while true do
              from:send(assert(from:recv(1)))
              rounds[i] = rounds[i] + 1
            end
          end
          csock.spawn(echo, a):daemon()
          csock.spawn(echo, b):daemon()
          a:send "x"
        end
        csock.run(function()
          for _ = 1, 1000 do
            fewest = math.min(table.unpack(rounds))
            if fewest >= 4 then break end
            loop.yield()
          end
        end)
        print(fewest >= 4)
      ]], { CSOCK_BACKEND = backend })
      assert.equal(0, p:wait(), p.err)
      if p.out == "too few descriptors\n" then return pending(p.out) end
      assert.equal("true\n", p.out)
    end)
  end
end)
