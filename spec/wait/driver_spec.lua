-- How calls wait: time, signals, hooks. Ctrl-C: spec/prompt_spec.lua.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local E = csock.errno

-- Runs f while a signal that does nothing interrupts this process all the time; gives f's
-- results and raises unless some signals came.
local function under_signals(f)
  posix.signal(posix.SIGUSR1, "count")
  -- Under valgrind a signal takes longer than that to be delivered.
  local every = 0.001 * math.max(1, process.slowness / 4)
  local timer = posix.timer(posix.SIGUSR1, every, every)
  local results = table.pack(pcall(f))
  posix.stop_timer(timer)
  local seen = posix.signals_seen()
  posix.signal(posix.SIGUSR1, "ignore")
  if not results[1] then error(results[2], 0) end
  assert.is_true(seen > 0)
  return table.unpack(results, 2, results.n)
end

-- A listener, and a program that connects to it and does `body` with the socket `s`.
local function with_peer(body)
  local l = keep(csock.socket())
  assert(l:bind("127.0.0.1", 0))
  assert(l:listen())
  local peer = keep(process.lua{ "-e", ([[
    local csock, posix = require "csock", require "spec.support.posix"
    local s <close> = assert(csock.socket())
    assert(s:connect("127.0.0.1", %d))
    %s
  ]]):format(l:getsockname().port, body) })
  return keep(l:accept()), peer
end

describe("a timeout", function()
  after_each(keep.close)

  it("is over neither early nor much later", function()
    local _, b = keep(csock.socketpair())
    for _, seconds in ipairs{ 0.001, 0.01, 0.05 } do
      b:settimeout(seconds)
      local start = posix.monotonic()
      assert.equal(E.ETIMEDOUT, select(3, b:recv(1)))
      local took = posix.monotonic() - start
      assert.is_true(took >= seconds and took < seconds + 5)
    end
  end)

  it("is not prolonged by signals that raise nothing", function()
    local _, b = keep(csock.socketpair())
    b:settimeout(0.05)
    local start = posix.monotonic()
    local errno = under_signals(function() return select(3, b:recv(1)) end)
    local took = posix.monotonic() - start
    assert.equal(E.ETIMEDOUT, errno)
    assert.is_true(took >= 0.05 and took < 5 * process.slowness)
  end)

  it("bounds the whole of a sendall, though the peer takes a little all the time", function()
    local s, peer = with_peer[[
      s:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 4096)
      while s:recv(1000) ~= "" do posix.sleep(0.002) end
    ]]
    s:settimeout(0.1)
    local start = posix.monotonic()
    local n, _, errno, sent = s:sendall(("x"):rep(1 << 26))
    local took = posix.monotonic() - start
    assert.is_nil(n)
    assert.equal(E.ETIMEDOUT, errno)
    assert.is_true(sent > 0 and sent < 1 << 26)
    assert.is_true(took >= 0.1 and took < 5 * process.slowness)
    peer:kill()
  end)

  it("bounds the whole of a gathering recv, though a little comes all the time", function()
    local s, peer = with_peer[[
      while s:send("x") do posix.sleep(0.002) end
    ]]
    s:settimeout(0.1)
    local start = posix.monotonic()
    local data = s:recv(1 << 20, csock.MSG_WAITALL)
    local took = posix.monotonic() - start
    assert.matches("^x+$", data)
    assert.is_true(took >= 0.1 and took < 5 * process.slowness)
    peer:kill()
  end)

  it("of any length is as good as none", function()
    local a, b = keep(csock.socketpair())
    for _, seconds in ipairs{ 1e9, 1e15, 1e300, math.huge } do
      b:settimeout(seconds)
      a:send("x")
      assert.equal("x", b:recv(1))
    end
  end)
end)

describe("a signal that raises nothing", function()
  after_each(keep.close)

  it("ends no wait and loses nothing", function()
    local s, peer = with_peer[[
      posix.sleep(0.02)
      s:sendall("late")
      s:recv(1)
    ]]
    assert.equal("late", under_signals(function() return s:recv(100) end))
    peer:kill()
  end)

  it("ends no accept and no connect", function()
    local l = keep(csock.socket())
    assert(l:bind("127.0.0.1", 0))
    assert(l:listen())
    local peer = keep(process.lua{ "-e", ([[
      local csock, posix = require "csock", require "spec.support.posix"
      io.read(1) -- from then on signals come
      posix.sleep(0.02)
      local s <close> = assert(csock.socket())
      assert(s:connect("127.0.0.1", %d))
      s:recv(1)
    ]]):format(l:getsockname().port) })
    assert.is_not_nil(keep(under_signals(function()
      peer:write "x"
      return l:accept()
    end)))
    peer:kill()
  end)

  it("leaves a large sendall whole", function()
    -- Valgrind looks at all of it before each send, and a signal meanwhile makes it begin again.
    local size = (1 << 24) // math.ceil(process.slowness)
    local s, peer = with_peer(([[
      local n = 0
      while n < %d do
        n = n + #assert(s:recv(1 << 16))
        if n < 1 << 18 then posix.sleep(0.005) end
      end
      print(n)
    ]]):format(size))
    assert.equal(size, under_signals(function() return s:sendall(("x"):rep(size)) end))
    assert.equal(tostring(size), peer:read_line())
  end)
end)

describe("a hook", function()
  after_each(function()
    debug.sethook()
    keep.close()
  end)

  it("that stays set, as a debugger's or a coverage tool's does, does no harm", function()
    local _, b = keep(csock.socketpair())
    b:settimeout(0.01)
    for _, where in ipairs{ "main", "coroutine", "both" } do
      local calls = 0
      local function count() calls = calls + 1 end
      local function wait() return select(3, b:recv(1)) end
      if where ~= "coroutine" then debug.sethook(count, "c") end
      local errno
      if where == "main" then
        errno = wait()
      else
        local co = coroutine.create(wait)
        debug.sethook(co, count, "c")
        errno = select(2, coroutine.resume(co))
      end
      debug.sethook()
      assert.equal(E.ETIMEDOUT, errno)
      assert.is_true(calls < 100, calls)
    end
  end)

  -- What a process does that gets a signal every 20 ms, and whose hook (a time limit's) raises after
  -- some; `wait` waits outside of tasks.
  local function interrupted(wait)
    local p <close> = process.lua { "-e", [[
      local csock, posix = require "csock", require "spec.support.posix"
      local a, b = csock.socketpair()
      local full = a:makefile("w", 0)
      local limit = 3
      local function hook()
        if posix.signals_seen() >= limit then error("time is up", 0) end
      end
      posix.signal(posix.SIGUSR1, "count")
      local timer = posix.timer(posix.SIGUSR1, 0.02, 0.02)
      debug.sethook(hook, "c")
      local ok, err = pcall(function() ]] .. wait .. [[ end)
      limit = math.huge
      debug.sethook()
      posix.stop_timer(timer)
      posix.signal(posix.SIGUSR1, "ignore")
      print(ok, err)
    ]] }
    local printed = p:read_all()
    assert.equal(0, p:wait(), printed .. p.err)
    return printed
  end

  for call, wait in pairs {
    recv = "a:recv(1)",
    sendall = "a:sendall(('x'):rep(1 << 24))",
    select = "csock.select({ a }, {}, {})",
    poll = "local p = csock.poll() p:register(a, csock.POLLIN) p:poll()",
    sleep = "csock.sleep(60)",
    ["a stream's write"] = "full:write(('x'):rep(1 << 24)) full:flush()",
    ["a stream's read"] = "a:makefile():read()",
  } do
    it("that stays set has its chance after every signal, in " .. call, function()
      assert.equal("false\ttime is up\n", interrupted(wait))
    end)
  end

  it("that raises ends the wait", function()
    local _, b = keep(csock.socketpair())
    local pcall, recv, sethook, getinfo = pcall, b.recv, debug.sethook, debug.getinfo
    local others = { [pcall] = true, [recv] = true, [sethook] = true }
    sethook(function()
      if not others[getinfo(2, "f").func] then error("enough", 0) end
    end, "c")
    local ok, err = pcall(recv, b, 1)
    sethook()
    assert.is_false(ok)
    assert.equal("enough", err)
  end)
end)

describe("an operation that is run anew after its wait", function()
  after_each(keep.close)

  it("may find its arguments changed; the next one knows nothing of that", function()
    csock.run(function()
      local a, b = keep(csock.socketpair())
      a:settimeout(0.05)
      local buffer = csock.buffer(10)
      local task = csock.spawn(function()
        local ok, err = pcall(a.recv_into, a, buffer, 10)
        csock.sleep(0.06) -- the time of the first one is over now
        return ok, tostring(err), a:recv(10)
      end)
      csock.yield()
      buffer:close()
      b:send "x"
      local ok, err, data = task:join()
      assert.is_false(ok)
      assert.matches("bad argument", err)
      assert.equal("x", data)
      task = csock.spawn(function() return a:recv(10) end)
      csock.yield()
      a:close()
      assert.equal(E.EBADF, select(3, task:join()))
    end)
  end)
end)

describe("a plain coroutine", function()
  after_each(keep.close)

  it("may wait where no loop runs", function()
    local a, b = keep(csock.socketpair())
    b:settimeout(0.01)
    local co = coroutine.wrap(function()
      coroutine.yield(select(3, b:recv(1)))
      a:send("x")
      return b:recv(1)
    end)
    assert.equal(E.ETIMEDOUT, co())
    assert.equal("x", co())
  end)
end)
