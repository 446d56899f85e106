-- The resolver's threads, seen from Lua. Where the name server must not answer, the program runs
-- under spec/support/slow_resolver.c, which says on standard output that a look-up has begun.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local preload = process.preload "spec.support.slow_resolver"

-- Starts a program for which names that end in ".slow" are never found.
local function start(program)
  return process.lua({ "-e", "local csock = require 'csock'\n" .. program },
    { env = { LD_PRELOAD = preload } })
end

local count_threads = [[
  local function count_threads()
    local file <close> = io.open "/proc/self/status"
    return math.tointeger(file:read "a":match "Threads:%s*(%d+)")
  end
]]

describe("the resolver", function()
  local linux = io.open "/proc/self/task" ~= nil
  local it = linux and it or pending -- for LD_PRELOAD and /proc

  for what, call in pairs {
    getaddrinfo = "csock.getaddrinfo('never.slow', 80)",
    gethostbyname = "csock.gethostbyname 'never.slow'",
    ["connect with a name"] = "csock.socket():connect('never.slow', 80)",
    ["a look-up inside a coroutine"] =
      "assert(coroutine.resume(coroutine.create(function() csock.getaddrinfo('never.slow', 80) end)))",
  } do
    it("lets Ctrl-C stop " .. what .. " at once", function()
      local p <close> = start(call)
      p:expect "looking up never.slow"
      p:signal "SIGINT"
      p:expect_err "interrupted!"
      assert.equal(1, p:wait())
    end)
  end

  it("goes on waiting after a signal that raises nothing", function()
    local p <close> = start [[
      local posix = require "spec.support.posix"
      posix.signal(posix.SIGUSR1, "count")
      local _, err = csock.getaddrinfo("never.slow", 80, {timeout = 0.2})
      print(err.name, posix.signals_seen())
    ]]
    p:expect "looking up"
    p:signal "SIGUSR1"
    assert.equal("1", p:expect "ETIMEDOUT\t(%d)")
  end)

  it("gives up a look-up when its time is over", function()
    local p <close> = start [[
      local start = csock.now()
      local infos, err = csock.getaddrinfo("never.slow", 80, {timeout = 0.1})
      print(infos, err:is(csock.timeout), csock.now() - start >= 0.1)
    ]]
    p:expect "nil\ttrue\ttrue\n"
    assert.equal(0, p:wait())
  end)

  it("bounds a connect by its socket's timeout, look-up and all", function()
    local p <close> = start [[
      local s = csock.socket()
      s:settimeout(0.1)
      print(s:connect("never.slow", 80))
    ]]
    p:expect "nil\tconnect: [^\n]*%[ETIMEDOUT%]\t%d+\n"
    assert.equal(0, p:wait())
  end)

  it("bounds create_connection by its timeout, look-up and all", function()
    local p <close> = start [[
      print(csock.create_connection({"never.slow", 80}, {timeout = 0.1}))
    ]]
    p:expect "nil\tgetaddrinfo: [^\n]*%[ETIMEDOUT%]\t%d+\n"
    assert.equal(0, p:wait())
  end)

  it("neither hangs nor crashes when the state closes during a look-up", function()
    -- The preloaded library lets the look-up end after the state is closed and the C module gone.
    local p <close> = start [[
      csock.getaddrinfo("one.slow", 80, {timeout = 0.05})
      csock.gethostbyname_ex "localhost"
      os.exit(0, true)
    ]]
    assert.equal(0, p:wait())
  end)

  it("closes the state with look-ups under way whose owners still live", function()
    local p <close> = start [[
      for i = 1, 3 do
        local co = coroutine.create(function() csock.getaddrinfo(i .. ".slow", 80) end)
        debug.sethook(co, function() error "stop" end, "", 1)
        coroutine.resume(co)
      end
      collectgarbage "stop"
      csock.getaddrinfo("more.slow", 80, {timeout = 0.05})
      os.exit(0, true)
    ]]
    assert.equal(0, p:wait())
  end)

  it("lets other tasks run while a task waits for a name", function()
    local p <close> = start [[
      csock.spawn(function()
        print(select(2, csock.getaddrinfo("never.slow", 80, {timeout = 2})).name)
      end)
      csock.spawn(function()
        for _ = 1, 3 do print(csock.gethostbyname "localhost") end
      end)
      csock.run()
    ]]
    p:expect "127.0.0.1\n127.0.0.1\n127.0.0.1\n"
    p:expect "ETIMEDOUT\n"
    assert.equal(0, p:wait())
  end)

  it("gives a look-up up when its task is cancelled", function()
    local p <close> = start [[
      local task = csock.spawn(function() csock.getaddrinfo("never.slow", 80) end)
      csock.spawn(function()
        csock.sleep(0.05)
        task:cancel()
        csock.gethostbyname "localhost"
      end)
      csock.run()
      print(task:status())
      os.exit(0, true)
    ]]
    p:expect "cancelled\n"
    assert.equal(0, p:wait())
  end)

  it("answers other names while one look-up hangs", function()
    local p <close> = start [[
      csock.getaddrinfo("never.slow", 80, {timeout = 0.02})
      print(csock.gethostbyname "localhost")
    ]]
    p:expect "127.0.0.1\n"
    assert.equal(0, p:wait())
  end)

  it("answers other names while many hang, and one of them is asked for again and again", function()
    local p <close> = start(count_threads .. [[
      local before = count_threads()
      for _ = 1, 40 do csock.getaddrinfo("never.slow", 80, {timeout = 0.002}) end
      print("threads: " .. count_threads() - before)
      for i = 1, 9 do csock.getaddrinfo(i .. ".slow", 80, {timeout = 0.002}) end
      print(csock.getaddrinfo("localhost", 80, {timeout = 10}) ~= nil)
    ]])
    assert.equal("4", p:expect "threads: (%d+)")
    p:expect "true\n"
    assert.equal(0, p:wait())
  end)

  it("looks a name up for all that ask, a few at a time", function()
    local p <close> = start [[
      local count = 0
      for _ = 1, 50 do
        csock.spawn(function()
          if csock.gethostbyname "localhost" == "127.0.0.1" then count = count + 1 end
        end)
      end
      csock.run()
      print(count)
    ]]
    p:expect "50\n"
    assert.equal(0, p:wait())
  end)

  it("has 32 threads at the most, and forgets look-ups that were given up before their turn", function()
    local p <close> = start(count_threads .. [[
      local before = count_threads()
      for i = 1, 40 do csock.getaddrinfo(i .. ".slow", 80, {timeout = 0.01}) end
      print("threads: " .. count_threads() - before)
    ]])
    assert.equal("32", p:expect "threads: (%d+)")
    assert.equal(0, p:wait())
    local _, begun = p.out:gsub("looking up", "")
    assert.equal(32, begun)
  end)

  it("starts no thread for a numeric host", function()
    local p <close> = start(count_threads .. [[
      local before = count_threads()
      assert(csock.getaddrinfo("127.0.0.1", 80))
      assert(csock.getaddrinfo("::1", "http"))
      assert(csock.getaddrinfo(nil, 80))
      assert(csock.gethostbyname "127.0.0.1")
      assert(csock.gethostbyname_ex "127.0.0.1")
      assert(csock.getnameinfo({"127.0.0.1", 80}, csock.NI_NUMERICHOST))
      assert(csock.socket():bind("127.0.0.1", 0))
      print("threads: " .. count_threads() - before)
    ]])
    assert.equal("0", p:expect "threads: (%d+)")
  end)

  it("reports that there is no descriptor to be had", function()
    local p <close> = start [[
      local posix = require "spec.support.posix"
      posix.nofile(#posix.fds() + 4)
      local held = {}
      repeat held[#held + 1] = csock.socket() until #held > 100 or not csock.dup(held[#held])
      repeat local fd = csock.dup(held[1]) until not fd
      print(select(2, csock.getaddrinfo("localhost", 80)).name)
    ]]
    p:expect "EMFILE\n"
  end)

  it("leaves no descriptor behind", function()
    collectgarbage()
    csock.gethostbyname "localhost" -- what libc opens once
    local before = #posix.fds()
    for _ = 1, 20 do
      csock.gethostbyname "localhost"
      csock.gethostbyaddr "127.0.0.1"
      csock.getaddrinfo("localhost", 80, { timeout = 0 })
    end
    -- What was given up may still be under way, with libc's own descriptors.
    local deadline = csock.now() + 5
    while #posix.fds() > before and csock.now() < deadline do posix.sleep(0.01) end
    assert.equal(before, #posix.fds())
  end)
end)
