-- Bad weather: peers that reset, that are slow, that are too many; no descriptors; a fork that csock
-- is not told of. What each single wait does then: spec/waits_spec.lua.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local loop = csock.loop
local E = csock.errno

local function start(program)
  return keep(process.lua { "-e", "csock = require 'csock'\nposix = require 'spec.support.posix'\n" .. program })
end

local function connect(port)
  local s = keep(csock.create_connection { "127.0.0.1", port })
  s:settimeout(10 * process.slowness)
  return s
end

-- A connection over TCP.
local function connection()
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  local a = keep(csock.create_connection(listener:getsockname()))
  return a, (keep(listener:accept()))
end

-- Closes it so that the peer gets a reset.
local function reset(s)
  assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
  s:close()
end

after_each(keep.close)

describe("a peer that resets", function()
  local calls = {
    recv = function(s) return s:recv(10) end,
    recvmsg = function(s) return s:recvmsg(10) end,
    ["a stream's read"] = function(s) return s:makefile("r"):read "l" end,
    sendall = function(s) return s:sendall(("x"):rep(1 << 24)) end,
    ["a stream's write"] = function(s) return s:makefile("w"):write(("x"):rep(1 << 24)) end,
  }
  for name, call in pairs(calls) do
    it("ends " .. name .. " with ECONNRESET", function()
      local errno
      csock.run(function()
        local a, b = connection()
        local task = csock.spawn(function() errno = select(3, call(a)) end)
        csock.sleep(0.001)
        reset(b)
        assert(task:join(10) == nil)
      end)
      assert.is_true(errno == E.ECONNRESET or errno == E.EPIPE, errno)
    end)
  end

  it("does a server no harm, before and after it is accepted", function()
    csock.run(function()
      local errors, before = 0, loop.onerror
      loop.onerror = function() errors = errors + 1 end
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        local data = assert(conn:recv(10))
        assert(conn:sendall(data))
      end))
      for round = 1, 10 do
        local s = keep(csock.create_connection(server:getsockname()))
        if round % 2 == 0 then csock.sleep(0.001) end
        reset(s)
        local good = keep(csock.create_connection(server:getsockname()))
        good:settimeout(10)
        good:sendall "fine"
        assert.equal("fine", good:recv(10))
      end
      loop.onerror = before
      assert.is_true(errors <= 10)
    end)
  end)
end)

describe("a deadline", function()
  it("ends a connect whose peer does not answer", function()
    local l = keep(csock.create_server({ "127.0.0.1", 0 }, { backlog = 0 }))
    local full = {}
    for i = 1, 8 do
      full[i] = keep(csock.socket())
      full[i]:settimeout(0)
      full[i]:connect(l:getsockname())
    end
    csock.run(function()
      local s = keep(csock.socket())
      s:settimeout(0.02)
      local began = loop.now()
      assert.equal(E.ETIMEDOUT, select(3, s:connect(l:getsockname())))
      assert.equal(E.ETIMEDOUT, select(3, csock.create_connection(l:getsockname(), { timeout = 0.02 })))
      local took = loop.now() - began
      assert.is_true(took >= 0.04 and took < 10)
    end)
  end)

  it("bounds the whole of a call, though a little comes all the time", function()
    local a, b = keep(csock.socketpair())
    csock.run(function()
      local feeder <close> = csock.spawn(function()
        while true do
          b:send "x"
          csock.sleep(0.002)
        end
      end)
      local stream = keep(a:makefile "r")
      a:settimeout(0.03)
      for _, call in ipairs {
        function() return stream:read "l" end,
        function() return stream:read(1 << 20) end,
        function() return stream:read_until "!" end,
      } do
        local began = loop.now()
        assert.equal(E.ETIMEDOUT, select(3, call()))
        local took = loop.now() - began
        assert.is_true(took >= 0.03 and took < 10)
      end
      assert.is_true(stream:buffered() > 0)
      assert.equal("waiting", feeder:status())
    end)
  end)
end)

describe("a slow client", function()
  it("keeps nobody waiting, and gets its answer in the end", function()
    csock.run(function()
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        local stream <close> = assert(conn:makefile "rw")
        assert(stream:write("got ", assert(stream:read "l"), "\n"))
      end))
      local function ask(pause)
        local s <close> = assert(csock.create_connection(server:getsockname()))
        for c in ("a line\n"):gmatch "." do
          assert(s:sendall(c))
          if pause then csock.sleep(pause) end
        end
        return s:recv(100)
      end
      local slow = csock.spawn(ask, 0.01)
      local answered = 0
      while slow:status() ~= "done" do
        assert.equal("got a line\n", ask())
        answered = answered + 1
      end
      assert.equal("got a line\n", slow:join())
      assert.is_true(answered > 3)
    end)
  end)

  it("that floods does not starve the others", function()
    csock.run(function()
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        repeat local data = assert(conn:recv(16)) until data == "" or data == "?" and conn:sendall "!"
      end))
      local flood <close> = csock.spawn(function()
        local s <close> = assert(csock.create_connection(server:getsockname()))
        while true do s:sendall(("x"):rep(1 << 20)) end
      end)
      csock.sleep(0.001)
      local began = loop.now()
      for _ = 1, 20 do
        local s <close> = assert(csock.create_connection(server:getsockname()))
        s:sendall "?"
        assert.equal("!", s:recv(1))
      end
      assert.is_true(loop.now() - began < 10)
      assert.is_true(flood:status() ~= "failed")
    end)
  end)
end)

describe("without descriptors", function()
  it("a server neither spins nor dies, and forgets nobody who waits", function()
    local server = start [[
      local s = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        if conn:recv(1) == "?" then return conn:sendall(("%.3f"):format(os.clock())) end
        conn:sendall "served"
      end, { backlog = 100 }))
      posix.nofile(16)
      print(s:getsockname().port)
      io.stdout:flush()
      csock.run()
    ]]
    local port = tonumber(server:read_line())
    local function cpu()
      local file <close> = io.open(("/proc/%d/schedstat"):format(server.pid))
      return file and tonumber(file:read("l"):match "%d+") / 1e9 or 0
    end
    local clients = {}
    for i = 1, 40 do clients[i] = connect(port) end
    posix.sleep(0.1) -- it has noticed
    local before, began = cpu(), posix.monotonic()
    posix.sleep(0.5)
    local used, took = cpu() - before, posix.monotonic() - began
    assert.is_true(used < took / 4, ("%.3f s of CPU in %.3f s"):format(used, took))
    assert.is_true(server:running())
    for _, s in ipairs(clients) do
      s:sendall "x"
      assert.equal("served", s:recv(100))
      s:close()
    end
    local s = connect(port)
    s:sendall "x"
    assert.equal("served", s:recv(100))
  end)

  it("calls that need one say so, and the others go on", function()
    local p = start [[
      csock.run()
      local l = assert(csock.create_server{"127.0.0.1", 0})
      local a, b = csock.socketpair()
      local hogs = {}
      posix.nofile(32)
      for i = 1, 32 do hogs[i] = csock.socket() end
      csock.run(function()
        print(select(3, csock.socket()) == csock.errno.EMFILE)
        print(select(3, csock.create_connection(l:getsockname())) == csock.errno.EMFILE)
        local selector = csock.spawn(function() return csock.select({ a }, {}, {}, 10)[1] == a end)
        csock.sleep(0.001)
        print(select("#", csock.select({ a }, {}, {}, 0.001)) == 3)
        b:send "fine"
        print(selector:join())
        print(a:recv(10))
      end)
    ]]
    for _ = 1, 4 do assert.equal("true", p:read_line()) end
    assert.equal("fine", p:read_line())
    assert.equal(0, p:wait())
  end)
end)

describe("ten thousand clients", function()
  it("of which all but one are idle, cost that one nothing", function()
    local CLIENTS = 10000
    local _, hard = posix.nofile()
    if hard >= 0 and hard < CLIENTS + 100 then
      return pending(("this process may have %d descriptors at most"):format(hard))
    end
    if process.slowness > 1 then return pending "too slow under a sanitizer" end
    local server = start(([[
      posix.nofile(%d)
      local s = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        while true do
          local data = assert(conn:recv(100))
          if data == "" then return end
          assert(conn:sendall(data))
        end
      end, { backlog = 1000 }))
      print(s:getsockname().port)
      io.stdout:flush()
      csock.run()
    ]]):format(CLIENTS + 100))
    local port = server:read_line()
    local client = start(([[
      posix.nofile(%d)
      local address = csock.address(csock.AF_INET, "127.0.0.1", %s)
      local clients = {}
      csock.run(function()
        local first = assert(csock.create_connection(address))
        for i = 2, %d do clients[i] = assert(csock.create_connection(address)) end
        print "connected"
        io.stdout:flush()
        for i = 1, 1000 do
          assert(first:sendall(tostring(i)))
          assert(first:recv(100) == tostring(i))
        end
        print "served"
        for _, i in ipairs { 2, 5000, #clients } do
          assert(clients[i]:sendall "awake")
          assert(clients[i]:recv(100) == "awake")
        end
        print "all there"
      end)
    ]]):format(CLIENTS + 100, port, CLIENTS))
    client:expect("connected", 40)
    local began = posix.monotonic()
    client:expect("served", 40)
    local took = posix.monotonic() - began
    client:expect("all there", 20)
    assert.equal(0, client:wait(20))
    -- poll(2) itself looks at each of them.
    assert.is_true(took < 10 or csock.loop.backend() == "poll", took)
    assert.is_true(server:running())
  end)
end)

describe("a fork that csock is not told of", function()
  it("gives the child a fresh loop, and leaves the parent's alone", function()
    local p = start [[
      local a, b = csock.socketpair()
      local c, d = csock.socketpair()
      csock.spawn(function() print("parent", a:recv(100)) end)
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      csock.spawn(function() print("accepted", listener:accept() ~= nil) end)
      csock.run(function()
        csock.sleep(0.001)
        local pid = posix.fork()
        if pid == 0 then
          a:close()
          listener:close()
          csock.sleep(0.001)
          d:send "hello"
          print("child", c:recv(10), csock.spawn(function() csock.sleep(0.001) return "task" end):join())
          os.exit(0, true)
        end
        assert(posix.waitpid(pid, 10) == "exit")
        b:send "undisturbed"
        csock.create_connection(listener:getsockname()):close()
        csock.sleep(0.001)
      end)
    ]]
    assert.equal(0, p:wait(), p.err)
    -- A leak checker looks in the child for the parent's threads, such as libkqueue's.
    assert.equal("", (p.err:gsub("==%d+==Running thread %d+ was not suspended[^\n]*\n", "")))
    local lines = {}
    for line in p.out:gmatch "[^\n]+" do lines[#lines + 1] = line end
    table.sort(lines)
    assert.same({ "accepted\ttrue", "child\thello\ttask", "parent\tundisturbed" }, lines)
  end)

  for name, fork in pairs { ["a fork that csock is not told of"] = "posix.fork", ["csock.fork"] = "csock.fork" } do
    it("lets the child close what two objects had over one descriptor, after " .. name, function()
      local p = start([[
        local a, b = csock.socketpair()
        local c, d = csock.socketpair()
        local stream = csock.stream(a:fileno(), "r", { closefd = false })
        csock.spawn(function() a:recv(1) end)
        csock.spawn(function() stream:read(1) end)
        csock.run(function()
          csock.sleep(0.001)
          local pid = ]] .. fork .. [[()
          if pid == 0 then
            for _, object in ipairs { stream, a, b, c } do object:close() end
            csock.sleep(0.001)
            d:send "closed"
            d:recv(1) -- lives on until the parent has seen it
            csock._exit(0)
          end
          d:close()
          assert(c:recv(10) == "closed")
          stream:close()
          a:close()
          b:settimeout(10)
          print(b:recv(1) == "", c:close())
          posix.waitpid(pid, 10)
        end)
      ]])
      assert.equal("true\ttrue", p:read_line())
      assert.equal(0, p:wait(), p.err)
    end)
  end
end)
