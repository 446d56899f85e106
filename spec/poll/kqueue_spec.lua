-- kqueue objects and their events, on the BSDs and macOS; elsewhere by libkqueue (make kqueue).
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local E = csock.errno

if not csock.kqueue then
  describe("kqueue", function()
    it("is nil where there is none, with its constants", function()
      assert.is_nil(csock.kevent)
      assert.is_nil(csock.KQ_EV_ADD)
    end)

    it("makes objects", function() pending "this system has no kqueue, or csock was built without libkqueue" end)
  end)
  return
end

local READ, WRITE = csock.KQ_FILTER_READ, csock.KQ_FILTER_WRITE
local ADD, DELETE = csock.KQ_EV_ADD, csock.KQ_EV_DELETE

-- libkqueue's descriptor is the end of a pipe, which says nothing of events.
local function is_libkqueue()
  local kq <close> = assert(csock.kqueue())
  kq:control({ csock.kevent(1, csock.KQ_FILTER_TIMER, ADD, 0, 0) }, 0)
  return #csock.select({ kq }, {}, {}, 1) == 0
end

local function pair()
  return keep(assert(csock.socketpair()))
end

local function kqueue()
  return keep(assert(csock.kqueue()))
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

after_each(keep.close)

describe("kevent", function()
  it("has Python's fields and defaults", function()
    local e = csock.kevent(7)
    assert.equal(7, e.ident)
    assert.equal(READ, e.filter)
    assert.equal(ADD, e.flags)
    assert.equal(0, e.fflags)
    assert.equal(0, e.data)
    assert.equal(0, e.udata)
    assert.is_nil(e.other)
    e = csock.kevent(1, WRITE, DELETE, 3, -4, 5)
    assert.same({ 1, WRITE, DELETE, 3, -4, 5 }, { e.ident, e.filter, e.flags, e.fflags, e.data, e.udata })
    e = csock.kevent(1, nil, nil, nil, nil, -1)
    assert.same({ READ, ADD, -1 }, { e.filter, e.flags, e.udata })
  end)

  it("takes the descriptor of an object", function()
    local a = pair()
    assert.equal(a:fileno(), csock.kevent(a).ident)
    a:close()
    local e, err, errno = csock.kevent(a)
    assert.same({ nil, "EBADF", E.EBADF }, { e, err.name, errno })
  end)

  it("lets its fields be changed", function()
    local e = csock.kevent(1)
    e.ident, e.filter, e.flags, e.fflags, e.data, e.udata = 2, WRITE, DELETE, 0xffffffff, math.mininteger, 6
    assert.equal(csock.kevent(2, WRITE, DELETE, 0xffffffff, math.mininteger, 6), e)
  end)

  it("compares field by field", function()
    local e = csock.kevent(5, READ, ADD, 1, 2, 3)
    assert.is_true(e == csock.kevent(5, READ, ADD, 1, 2, 3))
    assert.is_false(e == csock.kevent(5, READ, ADD, 1, 2, 4))
    assert.is_false(e == kqueue())
    for _, greater in ipairs { csock.kevent(6), csock.kevent(5, READ + 1), csock.kevent(5, READ, ADD + 1),
      csock.kevent(5, READ, ADD, 2), csock.kevent(5, READ, ADD, 1, 3), csock.kevent(5, READ, ADD, 1, 2, 4) } do
      assert.is_true(e < greater)
      assert.is_true(e <= greater)
      assert.is_true(greater > e)
      assert.is_false(greater <= e)
    end
    assert.is_true(e <= csock.kevent(5, READ, ADD, 1, 2, 3))
    raises("csock.kevent expected", function() return e < kqueue() end)
  end)

  it("shows its fields", function()
    assert.equal("<csock.kevent ident=5 filter=-2 flags=0x21 fflags=0x1 data=-3 udata=4>",
      tostring(csock.kevent(5, -2, 0x21, 1, -3, 4)))
  end)

  it("raises on wrong arguments", function()
    raises("socket, stream", csock.kevent)
    raises("number between", csock.kevent, 1, 1 << 15)
    raises("number between", csock.kevent, 1, READ, 1 << 16)
    raises("number between", csock.kevent, 1, READ, ADD, -1)
    raises("number expected", csock.kevent, 1, READ, ADD, 0, "much")
    raises("no integer representation", csock.kevent, 1.5)
    local e = csock.kevent(1)
    raises("no field 'other'", function() e.other = 1 end)
    raises("number between", function() e.flags = -1 end)
  end)
end)

describe("kqueue", function()
  it("makes the changes, and gives the events", function()
    local a, b = pair()
    local kq = kqueue()
    assert.same({}, kq:control({ csock.kevent(a, READ, ADD, 0, 0, 99) }, 0))
    b:sendall "four"
    local events = assert(kq:control(nil, 10, 5))
    assert.equal(1, #events)
    assert.same({ a:fileno(), READ, 4, 99 },
      { events[1].ident, events[1].filter, events[1].data, events[1].udata })
    assert.same({}, kq:control({ csock.kevent(a, READ, DELETE) }, 0))
    assert.same({}, kq:control(nil, 10, 0))
  end)

  it("tells of both directions", function()
    local a, b = pair()
    local kq = kqueue()
    b:sendall "x"
    local seen = {}
    for _, event in ipairs(kq:control({ csock.kevent(a, READ), csock.kevent(a, WRITE) }, 10, 5)) do
      seen[event.filter] = event.ident
    end
    assert.same({ [READ] = a:fileno(), [WRITE] = a:fileno() }, seen)
  end)

  it("reports an edge once with KQ_EV_CLEAR", function()
    local a, b = pair()
    local kq = kqueue()
    kq:control({ csock.kevent(a, READ, ADD | csock.KQ_EV_CLEAR) }, 0)
    b:sendall "x"
    assert.equal(1, #kq:control(nil, 1, 5))
    assert.same({}, kq:control(nil, 1, 0)) -- still unread, but no news
    b:sendall "y"
    assert.equal(1, #kq:control(nil, 1, 5))
    assert.equal("xy", a:recv(10))
  end)

  it("forgets after one event with KQ_EV_ONESHOT", function()
    local a, b = pair()
    local kq = kqueue()
    kq:control({ csock.kevent(a, READ, ADD | csock.KQ_EV_ONESHOT) }, 0)
    b:sendall "x"
    assert.equal(1, #kq:control(nil, 1, 5))
    assert.same({}, kq:control(nil, 1, 0))
    assert.equal(E.ENOENT, (select(3, kq:control({ csock.kevent(a, READ, DELETE) }, 0))))
  end)

  it("says KQ_EV_EOF when the peer has finished", function()
    local a, b = pair()
    local kq = kqueue()
    kq:control({ csock.kevent(a) }, 0)
    b:close()
    assert.is_true(kq:control(nil, 1, 5)[1].flags & csock.KQ_EV_EOF ~= 0)
  end)

  it("has timers", function()
    local kq = kqueue()
    local began = posix.monotonic()
    local events = kq:control({ csock.kevent(1, csock.KQ_FILTER_TIMER, ADD | csock.KQ_EV_ONESHOT, 0, 20) }, 1, 5)
    assert.is_true(posix.monotonic() - began >= 0.02)
    assert.same({ 1, csock.KQ_FILTER_TIMER }, { events[1].ident, events[1].filter })
  end)

  it("returns at most max_events", function()
    local kq, changes = kqueue(), {}
    for i = 1, 5 do changes[i] = csock.kevent((pair()), WRITE) end
    local n = #kq:control(changes, 2, 5)
    assert.is_true(n == 1 or n == 2)
    assert.equal(5, #kq:control(nil, 1 << 20, 5))
  end)

  it("returns an empty list when the time is over, and not earlier", function()
    local a = pair()
    local kq = kqueue()
    local began = posix.monotonic()
    assert.same({}, kq:control({ csock.kevent(a) }, 1, 0.02))
    assert.is_true(posix.monotonic() - began >= 0.02)
  end)

  it("reports a change that fails: as an event where there is room, else as an error", function()
    local a, b = pair()
    local kq = kqueue()
    b:sendall "x"
    local gone = csock.kevent(a, READ, DELETE)
    local events = kq:control({ gone, csock.kevent(a) }, 2, 5)
    assert.is_true(events[1].flags & csock.KQ_EV_ERROR ~= 0)
    assert.equal(E.ENOENT, events[1].data)
    assert.equal(READ, events[2].filter) -- the next one is made
    kq:control({ gone }, 0)
    local ok, err, errno = kq:control({ gone }, 0)
    assert.same({ nil, "ENOENT", E.ENOENT }, { ok, err.name, errno })
    assert.equal("control", err.call)
  end)

  it("can itself be waited on", function()
    if is_libkqueue() then return pending "libkqueue: its descriptor is the end of a pipe, and not readable" end
    local a, b = pair()
    local kq = kqueue()
    kq:control({ csock.kevent(a) }, 0)
    assert.same({}, (csock.select({ kq }, nil, nil, 0)))
    b:sendall "x"
    assert.same({ kq }, (csock.select({ kq }, nil, nil, 5)))
  end)

  it("is close-on-exec", function()
    assert.equal(1, posix.fd_flags(kqueue():fileno()) & 1)
  end)

  it("takes a descriptor over with fromfd", function()
    local a, b = pair()
    local kq = assert(csock.kqueue())
    local fd <const> = kq:fileno()
    kq:control({ csock.kevent(a) }, 0)
    local other = assert(csock.kqueue.fromfd(fd))
    b:sendall "x"
    assert.equal(a:fileno(), other:control(nil, 1, 5)[1].ident)
    other:close()
    assert.is_nil((posix.fd_flags(fd)))
    assert.equal(E.EBADF, (select(3, csock.kqueue.fromfd(fd))))
    kq:close()
    raises("number between", csock.kqueue.fromfd, -1)
  end)

  it("is closed by close, <close> and the collector", function()
    local kq = assert(csock.kqueue())
    local fd = kq:fileno()
    assert.is_false(kq.closed)
    assert.matches("^<csock.kqueue fd=%d+>$", tostring(kq))
    assert.is_true(kq:close())
    assert.is_true(kq:close())
    assert.is_true(kq.closed)
    assert.equal(-1, kq:fileno())
    assert.equal("<csock.kqueue [closed] fd=-1>", tostring(kq))
    assert.is_nil((posix.fd_flags(fd)))
    do
      local other <close> = assert(csock.kqueue())
      fd = other:fileno()
    end
    assert.is_nil((posix.fd_flags(fd)))
    fd = assert(csock.kqueue()):fileno()
    collectgarbage()
    assert.is_nil((posix.fd_flags(fd)))
  end)

  it("says EBADF once it is closed", function()
    local kq = kqueue()
    kq:close()
    assert.equal(E.EBADF, (select(3, kq:control(nil, 1, 0))))
    assert.equal(E.EBADF, (select(3, kq:control({ csock.kevent(0) }, 0))))
  end)

  it("lets other tasks run until something comes", function()
    local a, b = pair()
    local kq = kqueue()
    local events, again
    csock.spawn(function()
      events = kq:control({ csock.kevent(a) }, 1)
      a:recv(1)
      again = kq:control(nil, 1, 5)
    end)
    csock.spawn(function()
      b:sendall "x"
      csock.sleep(0.01)
      b:sendall "y"
    end)
    csock.run()
    assert.equal(a:fileno(), events[1].ident)
    assert.equal(a:fileno(), again[1].ident)
    assert.equal("y", a:recv(1))
  end)

  it("makes its changes once, however long it waits", function()
    local a, b = pair()
    local kq = kqueue()
    csock.run(function()
      local task = csock.spawn(function() return kq:control({ csock.kevent(a, WRITE, ADD | csock.KQ_EV_ONESHOT),
        csock.kevent(a) }, 1) end)
      assert.equal(WRITE, task:join(10)[1].filter)
      task = csock.spawn(function() return kq:control({ csock.kevent(b) }, 1) end)
      csock.sleep(0.03)
      kq:control({ csock.kevent(b, READ, DELETE) }, 0)
      a:sendall "x"
      csock.sleep(0.03)
      assert.equal("waiting", task:status())
      task:cancel()
    end)
  end)

  it("wakes a waiting task with EBADF when it is closed", function()
    local kq = kqueue()
    local errno
    csock.spawn(function() errno = select(3, kq:control(nil, 1)) end)
    csock.spawn(function() kq:close() end)
    csock.run()
    assert.equal(E.EBADF, errno)
  end)

  it("is interrupted by Ctrl-C", function()
    local lua <close> = process.lua { "-e", [[
      local csock = require "csock"
      io.stdout:write "waiting\n"
      io.stdout:flush()
      csock.kqueue():control(nil, 1)
    ]] }
    lua:expect "waiting"
    lua:signal "SIGINT"
    lua:expect_err "interrupted!"
    assert.equal(1, lua:wait())
  end)

  it("is closed in the child of a fork, and closes nobody's descriptor there", function()
    local lua <close> = process.lua { "-e", [[
      local csock = require "csock"
      local kq = csock.kqueue()
      local fd = kq:fileno()
      local pid = csock.fork()
      if pid == 0 then
        local mine = csock.socket()
        print(kq.closed, kq:fileno(), (select(2, kq:control(nil, 1, 0))).name)
        kq:close()
        print(mine:getsockname() ~= nil)
        io.stdout:flush()
        csock._exit(0)
      end
      csock.waitpid(pid)
      print(kq.closed, kq:fileno() == fd, #kq:control(nil, 1, 0))
    ]] }
    assert.equal(0, lua:wait())
    assert.equal("true\t-1\tEBADF\ntrue\nfalse\ttrue\t0\n", lua.out)
  end)

  it("raises on wrong arguments", function()
    local a = pair()
    local kq = kqueue()
    raises("number expected", kq.control, kq, nil)
    raises("number between", kq.control, kq, nil, -1)
    raises("table expected", kq.control, kq, 1, 0)
    raises("sequence of kevents", kq.control, kq, { 1 }, 0)
    raises("sequence of kevents", kq.control, kq, { csock.kevent(a), a }, 0)
    raises("number expected", kq.control, kq, nil, 1, "soon")
    raises("csock.kqueue expected", kq.control, a, nil, 0)
  end)
end)

describe("the loop on kqueue", function()
  -- A program whose loop is on kqueue, whatever this run's is.
  local function run(program)
    local head = "csock = require 'csock'\nposix = require 'spec.support.posix'\n"
    local lua <close> = process.lua({ "-e", head .. program }, { env = { CSOCK_BACKEND = "kqueue" } })
    assert.equal(0, lua:wait(), lua.err)
    return lua.out
  end

  it("watches one descriptor for two objects", function()
    assert.equal("go\tgo\n", run [[
      local a, b = csock.socketpair()
      local same = csock.socket { fileno = a:fileno() }
      local got = {}
      csock.spawn(function() got[1] = a:recv(2) end)
      csock.spawn(function() got[2] = same:recv(2) end)
      csock.spawn(function()
        csock.sleep(0.01)
        b:sendall "go"
        csock.sleep(0.01)
        b:sendall "go"
      end)
      csock.run()
      print(got[1], got[2])
      same:detach()
    ]])
  end)

  it("gives the child of a fork a loop of its own, and closes nobody's descriptor there", function()
    assert.equal("go\ntrue\n", run [[
      csock.run(function()
        local a, b = csock.socketpair()
        csock.spawn(function() csock.sleep(0.001) b:sendall "go" end)
        assert(a:recv(2) == "go")
        local pid = csock.fork()
        if pid == 0 then
          local c, d = csock.socketpair()
          csock.spawn(function() csock.sleep(0.001) d:sendall "go" end)
          print(c:recv(2))
          io.stdout:flush()
          csock._exit(0)
        end
        csock.waitpid(pid)
        csock.spawn(function() csock.sleep(0.001) b:sendall "go" end)
        print(a:recv(2) == "go")
      end)
    ]])
  end)

  it("leaves other descriptors alone in a child that csock was not told of", function()
    assert.equal("true\tgo\n", run [[
      csock.run(function() csock.sleep(0.001) end) -- a loop, with its kqueue
      local pid = posix.fork()
      if pid == 0 then
        local open = {}
        for i = 1, 20 do open[i] = csock.socket() end -- one of them has the kqueue's number
        local a, b = csock.socketpair()
        csock.spawn(function() csock.sleep(0.001) b:sendall "go" end)
        csock.run(function()
          local got = a:recv(2)
          local whole = true
          for i = 1, 20 do whole = whole and open[i]:getsockname() ~= nil end
          print(whole, got)
        end)
        io.stdout:flush()
        csock._exit(0)
      end
      csock.waitpid(pid)
    ]])
  end)

  it("tells a writer that the reader of its pipe has gone", function()
    assert.equal("EPIPE\n", run [[
      local r, w = posix.pipe()
      local out = csock.stream(w, "w")
      csock.spawn(function()
        out:setvbuf "no"
        local ok, err
        repeat ok, err = out:write(("x"):rep(65536)) until not ok
        print(err.name)
      end)
      csock.spawn(function() csock.sleep(0.01) posix.close(r) end)
      csock.run()
    ]])
  end)

  it("learns of the end together with the last data", function()
    assert.equal("last\tend\n", run [[
      local a, b = csock.socketpair()
      csock.run(function()
        local task = csock.spawn(function() return a:recv(100), a:recv(100) end)
        csock.sleep(0.001)
        b:sendall "last"
        b:close()
        local last, rest = task:join(5)
        print(last, rest == "" and "end")
      end)
    ]])
  end)

  it("does not end a long step early", function()
    assert.equal("true\n", run [[
      local a = csock.socketpair()
      csock.spawn(function() a:recv(1) end)
      csock.loop.step(0)
      local began = csock.loop.now()
      csock.loop.step(1.2) -- more than one sleep of the poller
      print(csock.loop.now() - began >= 1.2)
    ]])
  end)
end)
