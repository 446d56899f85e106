-- Ctrl-C: it ends every wait at once, in a script and at the interpreter's prompt, and nothing is
-- lost: what waited can be used again.
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local SLOW_RESOLVER = process.preload "spec.support.slow_resolver"

-- What is typed: `setup` makes the things (globals: each line at the prompt is a chunk of its own),
-- `wait` does not come back, `after` raises unless all is well.
local TCP = [[
  l = assert(csock.create_server{"127.0.0.1", 0})
  a = assert(csock.create_connection(l:getsockname()))
  b = assert(l:accept())
]]
local PAIR = "a, b = assert(csock.socketpair()) "
local WAITS = {
  accept = {
    setup = [[ l = assert(csock.create_server{"127.0.0.1", 0}) ]],
    wait = "l:accept()",
    after = "a = assert(csock.create_connection(l:getsockname())) assert(l:accept())",
  },
  ["accept with a timeout"] = {
    setup = [[ l = assert(csock.create_server{"127.0.0.1", 0}) l:settimeout(100) ]],
    wait = "l:accept()",
    after = "a = assert(csock.create_connection(l:getsockname())) assert(l:accept())",
  },
  ["connect to a full TCP listener"] = {
    setup = [[
      l = assert(csock.create_server({"127.0.0.1", 0}, {backlog = 0}))
      full = {}
      for i = 1, 8 do
        full[i] = csock.socket()
        full[i]:settimeout(0)
        full[i]:connect(l:getsockname())
      end
      s = csock.socket()
    ]],
    wait = "s:connect(l:getsockname())",
    after = "s:settimeout(0.01) assert(select(3, s:connect(l:getsockname())) == csock.errno.ETIMEDOUT)",
  },
  ["connect to a full Unix listener"] = {
    setup = [[
      path = os.tmpname()
      os.remove(path)
      l = csock.socket(csock.AF_UNIX)
      assert(l:bind(path))
      assert(l:listen(0))
      full = {}
      repeat
        c = csock.socket(csock.AF_UNIX)
        c:settimeout(0)
        full[#full + 1] = c
      until not c:connect(path)
      s = csock.socket(csock.AF_UNIX)
    ]],
    wait = "s:connect(path)",
    after = "assert(l:accept()) s:settimeout(10) assert(s:connect(path)) os.remove(path)",
  },
  recv = { setup = TCP, wait = "b:recv(10)", after = "a:send('x') assert(b:recv(10) == 'x')" },
  ["recv of a Unix pair, with a timeout"] = {
    setup = PAIR .. "b:settimeout(100)",
    wait = "b:recv(10)",
    after = "a:send('x') assert(b:recv(10) == 'x')",
  },
  ["recv with MSG_WAITALL"] = {
    setup = PAIR,
    wait = "b:recv(10, csock.MSG_WAITALL)",
    after = "a:send('x') assert(b:recv(10) == 'x')",
  },
  recvfrom = {
    setup = [[ b = csock.socket(csock.AF_INET, csock.SOCK_DGRAM) b:bind("127.0.0.1", 0) ]],
    wait = "b:recvfrom(10)",
    after = "b:sendto('x', b:getsockname()) assert(b:recvfrom(10) == 'x')",
  },
  recv_into = {
    setup = PAIR .. "room = csock.buffer(10)",
    wait = "b:recv_into(room)",
    after = "a:send('x') assert(b:recv_into(room) == 1)",
  },
  recvmsg = { setup = PAIR, wait = "b:recvmsg(10)", after = "a:send('x') assert(b:recvmsg(10) == 'x')" },
  ["sendall on a full buffer"] = {
    setup = PAIR,
    wait = "a:sendall(('x'):rep(1 << 24))",
    after = "assert(#b:recv(1 << 20) > 0) assert(a:send('x') == 1)",
  },
  ["send on a full buffer"] = {
    setup = PAIR .. "a:settimeout(0) while a:send(('x'):rep(65536)) do end a:settimeout(nil)",
    wait = "a:send('x')",
    after = "assert(#b:recv(1 << 20) > 0) assert(a:send('x') == 1)",
  },
  ["sendmsg on a full buffer"] = {
    setup = PAIR .. "a:settimeout(0) while a:send(('x'):rep(65536)) do end a:settimeout(nil)",
    wait = "a:sendmsg{'x', 'y'}",
    after = "assert(#b:recv(1 << 20) > 0) assert(a:sendmsg{'x', 'y'} == 2)",
  },
  ["sendfile on a full buffer"] = {
    setup = PAIR .. [[
      name = os.tmpname()
      file = io.open(name, "w+")
      file:write(("x"):rep(1 << 22))
      file:flush()
      os.remove(name)
    ]],
    wait = "a:sendfile(file, 0)",
    after = "assert(#b:recv(1 << 20) > 0) assert(a:send('x') == 1)",
  },
  select = {
    setup = PAIR,
    wait = "csock.select({a, b}, {}, {})",
    after = "a:send('x') assert(csock.select({a, b}, {}, {})[1] == b)",
  },
  poll = {
    setup = PAIR .. "p = csock.poll() p:register(b, csock.POLLIN)",
    wait = "p:poll()",
    after = "a:send('x') assert(p:poll()[1][3] == b)",
  },
  epoll = {
    setup = PAIR .. "p = assert(csock.epoll()) p:register(b, csock.EPOLLIN)",
    wait = "p:poll()",
    after = "a:send('x') assert(#p:poll() == 1)",
  },
  ["a stream's read"] = {
    setup = PAIR .. "f = b:makefile('r') a:send('half')",
    wait = "f:read('l')",
    after = "a:send(' a line\\n') assert(f:read('l') == 'half a line')",
  },
  ["a stream's lines"] = {
    setup = PAIR .. "f = b:makefile('r') a:send('one\\nha')",
    wait = "for line in f:lines() do end",
    after = "a:send('lf\\n') assert(f:read('l') == 'half')",
  },
  ["a stream's flush"] = {
    setup = PAIR .. "f = a:makefile('w') f:setvbuf('full', 1 << 22)",
    wait = "f:write(('x'):rep(1 << 21)) f:flush()",
    after = "assert(#b:recv(1 << 20) > 0)",
  },
  ["a stream over standard input"] = {
    setup = "r, w = require'spec.support.posix'.pipe() f = csock.stream(r, 'r')",
    wait = "f:read('a')",
    after = "require'spec.support.posix'.write(w, 'x\\n', 1) assert(f:read('l') == 'x')",
  },
  getaddrinfo = {
    env = { LD_PRELOAD = SLOW_RESOLVER },
    setup = "",
    wait = "csock.getaddrinfo('never.slow', 80)",
    after = "assert(csock.getaddrinfo('127.0.0.1', 80))",
  },
  ["connect to a name that is looked up"] = {
    env = { LD_PRELOAD = SLOW_RESOLVER },
    setup = "s = csock.socket()",
    wait = "s:connect('never.slow', 80)",
    after = "assert(s:bind('127.0.0.1', 0))",
  },
}

local NAMES = {}
for name in pairs(WAITS) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

local SAY = "io.write('wait', 'ing\\n') io.flush() "

-- Until the process sleeps in the kernel (where the system tells).
local function asleep(p)
  local deadline = posix.monotonic() + 10
  while posix.monotonic() < deadline do
    local file <close> = io.open("/proc/" .. p.pid .. "/stat")
    if not file or file:read("a"):match("%) (%a)") == "S" then return end
    posix.sleep(0.001)
  end
end

describe("Ctrl-C in a script", function()
  for _, name in ipairs(NAMES) do
    local case = WAITS[name]
    local function run(wait)
      local p <close> = process.lua({ "-e", ([[
        csock = require "csock"
        %s
        print(pcall(function() %s %s end))
        %s
        print "usable"
      ]]):format(case.setup, SAY, wait, case.after) }, { env = case.env })
      p:expect("waiting\n")
      asleep(p)
      p:signal("SIGINT")
      p:expect("false\t[^\n]*interrupted!")
      p:expect("usable")
      assert.equal(0, p:wait())
    end

    it("stops " .. name, function() run(case.wait) end)

    it("stops " .. name .. " in a plain coroutine", function()
      run("coroutine.wrap(function() local c = coroutine.wrap(function() " .. case.wait ..
        " end) c() end)()")
    end)
  end

  it("stops a wait in a coroutine that has a hook of its own", function()
    local p <close> = process.lua{ "-e", [[
      csock = require "csock"
      a, b = csock.socketpair()
      co = coroutine.create(function() b:recv(1) end)
      debug.sethook(co, function() end, "crl")
      print(pcall(function()
        io.write("waiting\n") io.flush()
        assert(coroutine.resume(co))
      end))
    ]] }
    p:expect("waiting\n")
    asleep(p)
    p:signal("SIGINT")
    p:expect("false\t[^\n]*interrupted!")
    assert.equal(0, p:wait())
  end)

  it("ends a script that does not catch it, as any Lua program", function()
    local p <close> = process.lua{ "-e", [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      io.write("waiting\n") io.flush()
      a:recv(1)
    ]] }
    p:expect("waiting\n")
    asleep(p)
    p:signal("SIGINT")
    assert.equal(1, p:wait())
    assert.matches("interrupted!", p.err)
  end)
end)

-- A prompt in a terminal, with csock loaded.
local function prompt(env)
  local p = process.lua({ "-i" }, { pty = true, env = env })
  p:expect("> ")
  p:write("csock = require 'csock'\n")
  p:expect("> ")
  return p
end

local function one_line(code) return (code:gsub("%s*\n%s*", " ")) end

describe("Ctrl-C at the prompt", function()
  for _, name in ipairs(NAMES) do
    local case = WAITS[name]
    it("stops " .. name .. ", and the prompt goes on", function()
      local p <close> = prompt(case.env)
      p:write(one_line(case.setup) .. " print('se' .. 't')\n")
      p:expect("set\r\n")
      p:write(SAY .. case.wait .. "\n")
      p:expect("waiting\r\n")
      asleep(p)
      p:write("\3")
      p:expect("interrupted!")
      p:write(case.after .. " print('usa' .. 'ble')\n")
      p:expect("usable")
      p:write("os.exit()\n")
      assert.equal(0, p:wait())
    end)
  end

  it("stops a wait inside a plain coroutine", function()
    local p <close> = prompt()
    p:write("a, b = csock.socketpair()\n")
    p:expect("> ")
    p:write(SAY .. "coroutine.wrap(function() b:recv(1) end)()\n")
    p:expect("waiting\r\n")
    asleep(p)
    p:write("\3")
    p:expect("interrupted!")
    p:write("a:send('x') print('got ' .. b:recv(1))\n")
    p:expect("got x\r\n")
  end)

  it("is not lost when it comes just before the sleep", function()
    local p <close> = prompt()
    p:write("a, b = csock.socketpair() c = coroutine.wrap\n")
    p:expect("> ")
    for i = 1, 40 do
      p:write(SAY .. (i % 2 == 0 and "b:recv(1)\n" or "c(function() b:recv(1) end)()\n"))
      p:expect("waiting\r\n")
      p:write("\3") -- at once: somewhere on the way into the wait
      p:expect("interrupted!")
      p:expect("> ")
    end
    p:write("a:send('x') print('got ' .. b:recv(1))\n")
    p:expect("got x\r\n")
  end)
end)
