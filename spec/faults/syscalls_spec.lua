-- System calls that fail, or move less than they were asked to: what csock makes of it. The shim
-- must be preloaded, so where it is not, this file runs itself in a process where it is.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local shim = require "spec.faults.shim"
local oom = require "spec.faults.oom"

if not shim.active() then
  describe("with failing system calls", function()
    it("all specs hold (run with the shim preloaded)", function()
      local status, out, err = process.run(
        { process.interpreter, "spec/support/run.lua", "spec/faults/syscalls_spec.lua" },
        { env = { LD_PRELOAD = process.preload "spec.faults.shim" }, timeout = 60 })
      assert(status == 0, out .. err)
      assert.matches("\n%d+ passed, 0 failed\n$", out)
    end)
  end)
  return
end

local csock = require "csock"
local E = csock.errno

-- The usual furniture; all of it is closed after each spec.
local opened

local function keep(s, ...)
  opened[#opened + 1] = assert(s, ...)
  return s
end

local function pair(timeout)
  local a, b = csock.socketpair()
  keep(a, b)
  keep(b)
  a:settimeout(timeout)
  b:settimeout(timeout)
  return a, b
end

local function listener(timeout)
  local server = keep(csock.socket())
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen())
  server:settimeout(timeout)
  return server, server:getsockname()
end

local function client_of(address)
  local client = keep(csock.socket())
  assert(client:connect(address))
  return client
end

describe("with failing system calls", function()
  local descriptors

  before_each(function()
    opened = {}
    csock.loop.backend() -- the loop's own is open from now on
    descriptors = posix.fds()
  end)

  after_each(function()
    shim.reset()
    for _, s in ipairs(opened) do s:close() end
    assert.same(descriptors, posix.fds())
  end)

  -- Every way of waiting in which an operation must end alike.
  local modes = { blocking = nil, ["with a timeout"] = 10 }
  local function each_mode(body)
    body("blocking", nil)
    body("with a timeout", modes["with a timeout"])
  end

  each_mode(function(mode, timeout)
    describe(mode, function()
      for _, errno in ipairs { "EINTR", "EAGAIN" } do
        it("recv is tried again after " .. errno, function()
          local a, b = pair(timeout)
          assert(a:sendall "hello")
          shim.fail("recv", E[errno])
          assert.equal("hello", b:recv(100))
          assert.equal(2, shim.calls "recv")
        end)

        it("recvfrom is tried again after " .. errno, function()
          local a, b = pair(timeout)
          assert(a:sendall "hello")
          shim.fail("recvfrom", E[errno])
          assert.equal("hello", (b:recvfrom(100)))
          assert.equal(2, shim.calls "recvfrom")
        end)

        it("recv_into is tried again after " .. errno, function()
          local a, b = pair(timeout)
          local buffer = csock.buffer(10)
          assert(a:sendall "hello")
          shim.fail("recv", E[errno])
          shim.fail("recvfrom", E[errno])
          assert.equal(5, b:recv_into(buffer))
          assert.equal("hello", buffer:sub(1, 5))
        end)

        it("send is tried again after " .. errno, function()
          local a, b = pair(timeout)
          shim.fail("send", E[errno])
          assert.equal(5, a:send "hello")
          assert.equal(2, shim.calls "send")
          assert.equal("hello", b:recv(100))
        end)

        it("sendall is tried again after " .. errno .. ", from where it stood", function()
          local a, b = pair(timeout)
          shim.short("send", 2, { times = 1 })
          assert.equal(2, a:send "hello")
          shim.fail("send", E[errno], { nth = 1, times = 2 })
          assert.equal(3, a:sendall "llo")
          assert.equal(3, shim.calls "send")
          assert.equal("hello", b:recv(100))
        end)

        it("sendto is tried again after " .. errno, function()
          local a = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
          local b = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
          a:settimeout(timeout)
          assert(b:bind("127.0.0.1", 0))
          shim.fail("sendto", E[errno])
          assert.equal(5, a:sendto("hello", b:getsockname()))
          assert.equal(2, shim.calls "sendto")
          assert.equal("hello", b:recv(100))
        end)

        it("sendmsg and recvmsg are tried again after " .. errno, function()
          local a, b = pair(timeout)
          shim.fail("sendmsg", E[errno])
          shim.fail("recvmsg", E[errno])
          assert.equal(5, a:sendmsg { "hel", "lo" })
          assert.equal("hello", (b:recvmsg(100)))
          assert.equal(2, shim.calls "sendmsg")
          assert.equal(2, shim.calls "recvmsg")
        end)

        it("accept is tried again after " .. errno, function()
          local server, address = listener(timeout)
          local client = client_of(address)
          shim.fail("accept4", E[errno])
          local conn, from = server:accept()
          keep(conn, from)
          assert.equal(client:getsockname(), from)
          assert.equal(2, shim.calls "accept4")
        end)

        it("a stream reads on after " .. errno, function()
          local a, b = pair(timeout)
          local stream = keep(b:makefile "r")
          assert(a:sendall "one\ntwo\n")
          shim.fail("recv", E[errno])
          assert.equal("one", stream:read())
          assert.equal("two", stream:read())
        end)

        it("a stream writes on after " .. errno, function()
          local a, b = pair(timeout)
          local stream = keep(a:makefile "w")
          shim.fail("send", E[errno])
          assert(stream:write("one\n", "two\n"))
          assert(stream:flush())
          assert.equal("one\ntwo\n", b:recv(100))
        end)

        it("sendfile goes on after " .. errno, function()
          local a, b = pair(timeout)
          local file <close> = assert(io.tmpfile())
          assert(file:write "hello")
          file:seek "set"
          shim.fail("sendfile", E[errno])
          assert.equal(5, a:sendfile(file))
          assert.equal("hello", b:recv(100))
        end)
      end

      it("accept passes over connections that were aborted", function()
        local server, address = listener(timeout)
        local client = client_of(address)
        shim.fail("accept4", E.ECONNABORTED, { times = 3 })
        local conn, from = server:accept()
        keep(conn, from)
        assert.equal(client:getsockname(), from)
        assert.equal(4, shim.calls "accept4")
      end)

      for _, errno in ipairs { "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM" } do
        it("accept gives nil, err, errno after " .. errno .. ", and the connection is not lost", function()
          local server, address = listener(timeout)
          local client = client_of(address)
          shim.fail("accept4", E[errno], { times = 1000 })
          local conn, err, code = server:accept()
          assert.is_nil(conn)
          assert.equal(errno, err.name)
          assert.equal(E[errno], code)
          shim.reset()
          local from
          conn, from = server:accept()
          keep(conn, from)
          assert.equal(client:getsockname(), from)
        end)
      end

      it("connect goes on after EINTR, and after the wait for it was interrupted", function()
        local _, address = listener()
        local client = keep(csock.socket())
        client:settimeout(timeout)
        shim.fail("connect", E.EINTR, { also = true })
        shim.fail("ppoll", E.EINTR, { times = 3 })
        assert.is_true(client:connect(address))
        assert.equal(address, client:getpeername())
      end)

      it("connect reports what refuses it", function()
        local _, address = listener()
        local client = keep(csock.socket())
        client:settimeout(timeout)
        shim.fail("connect", E.ENOMEM)
        local ok, err, code = client:connect(address)
        assert.same({ nil, E.ENOMEM }, { ok, code })
        assert.equal(address, err.address)
      end)

      it("a wait that is interrupted goes on", function()
        local a, b = pair(timeout)
        shim.fail("ppoll", E.EINTR, { times = 5 })
        -- Nothing has come yet at the first try; then it has.
        shim.fail("recv", E.EAGAIN, { times = 6 })
        assert(a:sendall "hello")
        assert.equal("hello", b:recv(100))
        assert.is_true(shim.calls "ppoll" > 5)
      end)

      it("a wait that fails is reported", function()
        local _, b = pair(timeout)
        shim.fail("ppoll", E.ENOMEM)
        local data, err, code = b:recv(100)
        assert.same({ nil, "ENOMEM", E.ENOMEM }, { data, err.name, code })
      end)

      it("sendall sends all in pieces of any size", function()
        local text = ("0123456789"):rep(10)
        for size = 1, 7 do
          local a, b = pair(timeout)
          shim.short("send", size, { times = 1000 })
          assert.equal(#text, a:sendall(text))
          assert.equal((#text + size - 1) // size, shim.calls "send")
          assert.equal(text, b:recv(1000))
        end
      end)

      it("sendall tells how much was sent when it fails", function()
        local a, b = pair(timeout)
        shim.short("send", 3, { times = 2 })
        assert.equal(3, a:send "hello")
        shim.fail("send", E.ECONNRESET)
        local n, err, code, sent = a:sendall "lo"
        assert.same({ nil, "ECONNRESET", E.ECONNRESET, 0 }, { n, err.name, code, sent })
        assert.equal("hel", b:recv(100))
      end)

      it("a stream writes all in pieces of any size", function()
        local text = ("0123456789"):rep(10)
        for size = 1, 7 do
          local a, b = pair(timeout)
          local stream = keep(a:makefile "w")
          shim.short("send", size, { times = 1000 })
          assert(stream:write(text))
          assert(stream:flush())
          assert.equal(text, b:recv(1000))
        end
      end)

      it("a stream reads lines that come in pieces of any size", function()
        for size = 1, 7 do
          local a, b = pair(timeout)
          local stream = keep(b:makefile "r")
          assert(a:sendall "one\r\ntwo\n\nlast")
          a:close()
          shim.short("recv", size, { times = 1000 })
          assert.same({ "one", "two", "", "last" }, { stream:read("l", "l", "l", "l") })
          assert.is_nil((stream:read "l"))
        end
      end)

      it("sendfile sends all in pieces of any size", function()
        local text = ("0123456789"):rep(10)
        for size = 1, 7 do
          local a, b = pair(timeout)
          local file <close> = assert(io.tmpfile())
          assert(file:write(text))
          file:seek "set"
          shim.short("sendfile", size, { times = 1000 })
          assert.equal(#text, a:sendfile(file))
          assert.equal(text, b:recv(1000))
        end
      end)
    end)
  end)

  for _, errno in ipairs { "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPROTO", "EINTR", "EPERM",
      "ETIMEDOUT" } do
    it("csock.serve goes on accepting after " .. errno .. ", without spinning", function()
      csock.run(function()
        local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn) conn:sendall "served" end))
        csock.yield()
        shim.fail("accept4", E[errno], { times = 2 })
        for _ = 1, 2 do
          local client = client_of(server:getsockname())
          client:settimeout(10)
          assert.equal("served", client:recv(10))
        end
        assert.is_true(shim.calls "accept4" <= 8)
      end)
    end)
  end

  for _, errno in ipairs { "ENOMEM", "ENOSPC" } do
    it("a wait that the loop's poller refuses fails with " .. errno .. ", and the loop goes on", function()
      if csock.loop.backend() ~= "epoll" then return pending "another backend" end
      local a, b = pair()
      csock.run(function()
        shim.fail("epoll_ctl", E[errno], { times = 1 })
        local data, err, code = a:recv(5)
        assert.same({ nil, errno, E[errno] }, { data, err and err.name, code })
        shim.reset()
        csock.spawn(function() b:sendall "hello" end)
        assert.equal("hello", a:recv(5))
      end)
    end)
  end

  it("a loop whose poller fails says so, and can be run again", function()
    local call = csock.loop.backend() == "epoll" and "epoll_pwait" or "ppoll"
    local a, b = pair()
    local got
    local task = csock.spawn(function() got = a:recv(5) end)
    csock.loop.step()
    shim.fail(call, E.ENOMEM, { times = 1 })
    local ok, err, code = csock.run()
    assert.same({ nil, "ENOMEM", E.ENOMEM }, { ok, err and err.name, code })
    assert.equal("waiting", task:status())
    b:sendall "hello"
    assert.is_true(csock.run())
    assert.equal("hello", got)
  end)

  it("a timeout of 0 waits for nothing: EAGAIN", function()
    local _, b = pair(0)
    local _, err, code = b:recv(10)
    assert.same({ "EAGAIN", E.EAGAIN }, { err.name, code })
    assert.equal(0, shim.calls "ppoll")
  end)

  it("EINTR does not reach the caller even with a timeout of 0", function()
    local a, b = pair(0)
    assert(a:sendall "hello")
    shim.fail("recv", E.EINTR, { times = 3 })
    assert.equal("hello", b:recv(10))
    local server, address = listener(0)
    client_of(address)
    shim.fail("accept4", E.EINTR, { times = 3 })
    keep(server:accept())
  end)

  for _, errno in ipairs { "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES" } do
    it("a socket that cannot be made is nil, err, errno: " .. errno, function()
      shim.fail("socket", E[errno], { times = 1000 })
      local s, err, code = csock.socket()
      assert.same({ nil, errno, E[errno] }, { s, err.name, code })
      shim.fail("socketpair", E[errno], { times = 1000 })
      s, err, code = csock.socketpair()
      assert.same({ nil, errno, E[errno] }, { s, err.name, code })
    end)
  end

  it("a failing fcntl leaves no descriptor behind", function()
    -- Each of the calls that a new socket makes fails in turn.
    local nth = 0
    repeat
      nth = nth + 1
      shim.fail("fcntl", E.ENOMEM, { nth = nth, times = 1000 })
      local before = posix.fds()
      csock.setdefaulttimeout(1)
      local s = csock.socket()
      csock.setdefaulttimeout(nil)
      local enough = shim.calls "fcntl" < nth
      shim.reset()
      if s then s:close() end
      assert.same(before, posix.fds())
    until enough
    assert.is_true(nth > 1)
  end)

  it("a failing fcntl is reported by settimeout and dup", function()
    local a = pair()
    shim.fail("fcntl", E.ENOMEM, { times = 1000 })
    local ok, err, code = a:settimeout(1)
    assert.same({ nil, "ENOMEM", E.ENOMEM }, { ok, err.name, code })
    shim.fail("fcntl", E.EMFILE, { times = 1000 })
    ok, err, code = a:dup()
    assert.same({ nil, "EMFILE", E.EMFILE }, { ok, err.name, code })
  end)

  for _, errno in ipairs { "EINTR", "EIO" } do
    it("close after " .. errno .. " does not close the number again", function()
      local a = csock.socketpair()
      local fd = a:fileno()
      shim.fail("close", E[errno], { also = true })
      local ok, err = a:close()
      assert.equal(errno == "EINTR" or nil, ok)
      assert.is_true(errno == "EINTR" or err.name == "EIO")
      assert.equal(-1, a:fileno())
      shim.reset()
      local stranger = posix.dup2(0, fd)
      assert.is_true(a:close())
      a = nil -- luacheck: ignore
      collectgarbage()
      assert.is_truthy(posix.fd_flags(stranger))
      posix.close(stranger)
    end)
  end

  it("a fork that fails is nil, err, errno, and may be tried again", function()
    for _, errno in ipairs { "EAGAIN", "ENOMEM" } do
      shim.fail("fork", E[errno])
      local pid, err, code = csock.fork()
      assert.same({ nil, errno, E[errno] }, { pid, err.name, code })
    end
    local pid = assert(csock.fork())
    if pid == 0 then csock._exit(7) end
    local _, status = assert(csock.waitpid(pid))
    assert.equal(7, csock.waitstatus_to_exitcode(status))
  end)

  it("random goes on after a short count and EINTR, and reads the system's file where there is no call", function()
    local function asked(call)
      shim.short(call, 3, { times = 4 })
      local first = assert(csock.random(16))
      shim.fail(call, E.EINTR)
      local second = assert(csock.random(16))
      assert.same({ 16, 16 }, { #first, #second })
      assert.not_equal(first:sub(-4), second:sub(-4))
    end
    csock.random(1)
    if shim.calls "getrandom" == 0 then return pending "not by getrandom(2)" end
    asked "getrandom"
    shim.fail("getrandom", E.ENOSYS, { times = 1000 })
    asked "read"
    shim.fail("read", E.EIO)
    local bytes, err, code = csock.random(16)
    assert.same({ nil, "EIO", E.EIO }, { bytes, err.name, code })
  end)

  it("bind, listen, getsockname, getsockopt and setsockopt report what fails", function()
    local s = keep(csock.socket())
    for _, call in ipairs { "bind", "listen", "getsockname", "getsockopt", "setsockopt" } do
      shim.fail(call, E.ENOBUFS)
    end
    local function refused(ok, err, code)
      assert.same({ nil, "ENOBUFS", E.ENOBUFS }, { ok, err.name, code })
    end
    refused(s:bind("127.0.0.1", 0))
    refused(s:listen())
    refused(s:getsockname())
    refused(s:getsockopt(csock.SOL_SOCKET, csock.SO_TYPE))
    refused(s:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, 1))
  end)

  describe("create_server and create_connection", function()
    for _, call in ipairs { "socket", "setsockopt", "bind", "listen" } do
      it("create_server leaves nothing open when " .. call .. " fails", function()
        shim.fail(call, E.ENOBUFS, { times = 1000 })
        local s, err = csock.create_server { "127.0.0.1", 0 }
        assert.is_nil(s)
        assert.equal("ENOBUFS", err.name)
      end)
    end

    for _, call in ipairs { "socket", "connect" } do
      it("create_connection leaves nothing open when " .. call .. " fails", function()
        local _, address = listener()
        shim.fail(call, E.ENOBUFS, { times = 1000 })
        local s, err = csock.create_connection(address)
        assert.is_nil(s)
        assert.matches("ENOBUFS", tostring(err), 1, true)
      end)
    end
  end)

  describe("waiting for many", function()
    it("select goes on after EINTR", function()
      local a, b = pair()
      assert(a:sendall "x")
      shim.fail("ppoll", E.EINTR, { times = 3 })
      local r = csock.select({ b }, {}, {}, 10)
      assert.same({ b }, r)
    end)

    it("select reports ENOMEM", function()
      local _, b = pair()
      shim.fail("ppoll", E.ENOMEM)
      local r, err, code = csock.select({ b }, {}, {}, 10)
      assert.same({ nil, "ENOMEM", E.ENOMEM }, { r, err.name, code })
    end)

    it("poll goes on after EINTR", function()
      local a, b = pair()
      local p = csock.poll()
      assert(p:register(b, csock.POLLIN))
      assert(a:sendall "x")
      shim.fail("ppoll", E.EINTR, { times = 3 })
      local events = assert(p:poll(10000))
      assert.equal(b, events[1][3])
    end)

    if csock.epoll then
      it("epoll goes on after EINTR", function()
        local a, b = pair()
        local p = keep(csock.epoll())
        assert(p:register(b, csock.EPOLLIN))
        assert(a:sendall "x")
        shim.fail("ppoll", E.EINTR, { times = 3 })
        shim.fail("epoll_wait", E.EINTR, { times = 3 })
        assert.equal(1, #assert(p:poll(10)))
      end)

      it("epoll reports what epoll_ctl refuses", function()
        local _, b = pair()
        local p = keep(csock.epoll())
        shim.fail("epoll_ctl", E.ENOSPC)
        local ok, err, code = p:register(b, csock.EPOLLIN)
        assert.same({ nil, "ENOSPC", E.ENOSPC }, { ok, err.name, code })
      end)

      it("what the loop's poller cannot watch is looked at now and then", function()
        local a, b = pair()
        csock.run(function()
          shim.fail("epoll_ctl", E.EPERM, { times = 1000 })
          local task = csock.spawn(function() return b:recv(10) end)
          csock.sleep(0.001)
          assert(a:sendall "late")
          assert.equal("late", task:join(10))
          b:settimeout(0.001)
          assert.equal(E.ETIMEDOUT, select(3, b:recv(10)))
        end)
      end)

      it("an epoll that cannot be made is nil, err, errno", function()
        shim.fail("epoll_create1", E.EMFILE, { times = 1000 })
        local p, err, code = csock.epoll()
        assert.same({ nil, "EMFILE", E.EMFILE }, { p, err.name, code })
      end)
    end
  end)
end)

-- What csock's C code allocates for itself, besides what Lua allocates (allocations_spec.lua), fails
-- in turn in each of that spec's rows.
describe("with C's own memory running out", function()
  if not shim.active "malloc" then
    it("all rows hold", function() pending "a sanitizer has an allocator of its own" end)
    return
  end

  for _, file in ipairs { "spec/faults/allocations.lua", "spec/faults/allocations_loop.lua" } do
    for name in pairs(dofile(file)) do
      it(name .. " loses nothing", function()
        local before = posix.fds()
        local nth = 0
        repeat
          nth = nth + 1
          shim.fail("malloc", E.ENOMEM, { nth = nth })
          local ok, ran, fine, message, left = pcall(oom.try, file, name, -1, false)
          local calls = shim.calls "malloc"
          shim.reset()
          if not ok then fine, message, left = false, ran, 0 end -- it failed already in `prepare`
          assert.same(before, posix.fds())
          assert.equal(0, left)
          assert(fine or calls >= nth, message)
        until calls < nth
      end)
    end
  end
end)
