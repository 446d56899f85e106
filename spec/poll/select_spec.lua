-- select: waiting for several things at once, over poll(2).
local csock = require "csock"
local posix = require "spec.support.posix"

local open = {} -- what a test made, closed after it

local function keep(...)
  for _, thing in ipairs { ... } do open[#open + 1] = thing end
  return ...
end

local function pair()
  return keep(assert(csock.socketpair()))
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

-- Fills the socket's send buffer.
local function fill(s)
  s:settimeout(0)
  repeat until not s:send(("x"):rep(65536))
end

after_each(function()
  for _, thing in ipairs(open) do thing:close() end
  open = {}
end)

describe("select", function()
  it("gives the very objects that are ready, in the lists' order", function()
    local a, b = pair()
    local c, d = pair()
    b:sendall("x")
    d:sendall("x")
    local r, w, x = csock.select({ a, b, c }, { d, a }, { a }, 5)
    assert.same({ a, c }, r)
    assert.same({ d, a }, w)
    assert.same({}, x)
  end)

  it("is not ended early by a signal that raises nothing", function()
    local a = pair()
    posix.signal(posix.SIGALRM, "count")
    local timer = posix.timer(posix.SIGALRM, 0.005, 0.005)
    local began = posix.monotonic()
    local r = csock.select({ a }, nil, nil, 0.05)
    local took = posix.monotonic() - began
    posix.stop_timer(timer)
    local seen = posix.signals_seen()
    posix.signal(posix.SIGALRM, "default")
    assert.same({}, r)
    assert.is_true(took >= 0.05)
    assert.is_true(seen > 0)
  end)

  it("gives three empty lists when the time is over, and not earlier", function()
    local a = pair()
    local began = posix.monotonic()
    local r, w, x = csock.select({ a }, {}, { a }, 0.02)
    assert.is_true(posix.monotonic() - began >= 0.02)
    assert.same({ {}, {}, {} }, { r, w, x })
  end)

  it("only looks with a timeout of 0", function()
    local a, b = pair()
    assert.same({ {}, {}, {} }, { csock.select({ a }, {}, {}, 0) })
    b:sendall("x")
    assert.same({ { a }, {}, {} }, { csock.select({ a }, {}, {}, 0) })
  end)

  it("takes nil as an empty list, and sleeps when all are empty", function()
    local began = posix.monotonic()
    assert.same({ {}, {}, {} }, { csock.select(nil, nil, nil, 0.01) })
    assert.same({ {}, {}, {} }, { csock.select({}, {}, {}, 0.01) })
    assert.is_true(posix.monotonic() - began >= 0.02)
  end)

  it("takes one object in several lists, and several times in one", function()
    local a, b = pair()
    b:sendall("x")
    local r, w, x = csock.select({ a, a }, { a }, { a }, 5)
    assert.same({ { a, a }, { a }, {} }, { r, w, x })
  end)

  it("does not count one descriptor twice against the limit", function()
    local a, b = pair()
    local soft = posix.nofile()
    local list = {}
    for i = 1, 2000 do list[i] = i % 2 == 0 and a or a:fileno() end
    b:sendall("x")
    posix.nofile(256)
    local r, err = csock.select(list, list, nil, 5)
    posix.nofile(soft)
    assert.is_nil(r == nil and err or nil)
    assert.equal(2000, #r)
  end)

  it("calls the end of a stream readable", function()
    local a, b = pair()
    b:close()
    local r, w = csock.select({ a }, { a }, nil, 5)
    assert.same({ a }, r)
    assert.same({ a }, w)
    assert.equal("", a:recv(1))
  end)

  it("calls a listener with a waiting connection readable", function()
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    assert.same({}, (csock.select({ listener }, nil, nil, 0)))
    keep((assert(csock.create_connection(listener:getsockname()))))
    assert.same({ listener }, (csock.select({ listener }, nil, nil, 5)))
  end)

  it("calls a refused connection writable", function()
    local listener = assert(csock.create_server { "127.0.0.1", 0 })
    local addr = listener:getsockname()
    listener:close()
    local s = keep(assert(csock.socket()))
    s:settimeout(0)
    s:connect(addr)
    local r, w = csock.select({ s }, { s }, { s }, 5)
    assert.same({ s }, r)
    assert.same({ s }, w)
    assert.equal(csock.errno.ECONNREFUSED, s:getsockopt(csock.SOL_SOCKET, csock.SO_ERROR))
  end)

  it("does not call a full socket writable until there is room", function()
    local a, b = pair()
    fill(a)
    assert.same({ {}, {}, {} }, { csock.select({}, { a }, {}, 0) })
    b:settimeout(0)
    repeat until not b:recv(65536)
    assert.same({ {}, { a }, {} }, { csock.select({}, { a }, {}, 5) })
  end)

  it("calls out-of-band data exceptional", function()
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    local a = keep((assert(csock.create_connection(listener:getsockname()))))
    local b = keep((assert(listener:accept())))
    a:send("!", csock.MSG_OOB)
    local r, w, x = csock.select({}, {}, { b }, 5)
    assert.same({ {}, {}, { b } }, { r, w, x })
  end)

  it("neither reports nor spins on a hang-up that nobody asked about", function()
    local a, b = pair()
    local c = pair()
    b:close() -- a has POLLHUP from now on
    local cpu = posix.thread_clock()
    local r, w, x = csock.select({ c }, {}, { a }, 0.05)
    assert.same({ {}, {}, {} }, { r, w, x })
    assert.is_true(posix.thread_clock() - cpu < 0.03)
  end)

  it("still sees the others after such a hang-up", function()
    local a, b = pair()
    local c, d = pair()
    b:close()
    d:sendall("x")
    assert.same({ { c }, {}, {} }, { csock.select({ c }, {}, { a }, 5) })
  end)

  it("takes Lua files, pipes and descriptor numbers", function()
    local file = assert(io.popen("echo hello"))
    local r, w = posix.pipe()
    local readable = csock.select({ file }, nil, nil, 5)
    assert.same({ file }, readable)
    assert.equal("hello", file:read("l"))
    file:close()
    local x, y = csock.select({ r }, { w }, nil, 5)
    assert.same({}, x)
    assert.same({ w }, y)
    posix.write(w, "x")
    assert.same({ r }, (csock.select({ r }, nil, nil, 5)))
    posix.close(r)
    posix.close(w)
  end)

  it("calls regular files always ready", function()
    local file = assert(io.tmpfile())
    assert.same({ { file }, { file }, {} }, { csock.select({ file }, { file }, { file }, 5) })
    file:close()
  end)

  it("takes any object with a fileno or getfd method", function()
    local a, b = pair()
    b:sendall("x")
    local one = { fileno = function() return a:fileno() end }
    local two = setmetatable({}, { __index = { getfd = function() return a:fileno() end } })
    assert.same({ one, two }, (csock.select({ one, two }, nil, nil, 5)))
  end)

  it("calls a stream readable at once that holds input", function()
    local a, b = pair()
    local stream = keep(a:makefile("r"))
    b:sendall("one\ntwo\n")
    assert.same({ stream }, (csock.select({ stream }, nil, nil, 5)))
    assert.equal("one", stream:read("l"))
    assert.same({}, (csock.select({ a }, nil, nil, 0))) -- the kernel has nothing more
    assert.same({ stream }, (csock.select({ stream })))
    assert.equal("two", stream:read("l"))
    assert.same({}, (csock.select({ stream }, nil, nil, 0)))
  end)

  it("calls an object readable at once whose dirty method says so", function()
    local a, b = pair()
    local dirty = true
    local object = {
      getfd = function() return a:fileno() end,
      dirty = function() return dirty end,
    }
    local r, w = csock.select({ object }, { b })
    assert.same({ object }, r)
    assert.same({ b }, w) -- the kernel is asked about the others all the same
    dirty = false
    assert.same({}, (csock.select({ object }, {}, {}, 0)))
  end)

  it("works with descriptor 5,000", function()
    local a, b = pair()
    local soft = posix.nofile()
    posix.nofile(6000)
    local fd = posix.dup2(a:fileno(), 5000)
    posix.nofile(soft) -- an open descriptor may lie beyond the limit
    b:sendall("x")
    assert.equal(5000, fd)
    assert.same({ { 5000 }, { 5000 }, {} }, { csock.select({ 5000 }, { 5000 }, {}, 5) })
    local s <close> = assert(csock.socket { fileno = 5000 })
    assert.same({ s }, (csock.select({ s }, {}, {}, 5)))
  end)

  it("names the closed object in the error", function()
    local a, b = pair()
    b:close()
    local r, err, errno = csock.select({ a, b }, {}, {}, 5)
    assert.is_nil(r)
    assert.equal(csock.errno.EBADF, errno)
    assert.equal(b, err.address)
    assert.matches("^select <csock.socket %[closed%].*Bad file descriptor %[EBADF%]$",
      tostring(err))
  end)

  it("ends in a task when a socket is closed whose stream goes on; the stream's does not", function()
    csock.run(function()
      local a, b = pair()
      local stream = a:makefile()
      open[#open + 1] = stream
      local of_socket = csock.spawn(csock.select, { a }, {}, {}, 5)
      local of_stream = csock.spawn(csock.select, { stream }, {}, {}, 5)
      local p <close> = csock.poll()
      p:register(stream, csock.POLLIN)
      local of_poll = csock.spawn(p.poll, p, 5000)
      csock.yield()
      a:close()
      local ready, err = of_socket:join()
      assert.is_nil(ready)
      assert.equal(a, err.address)
      assert.equal("EBADF", err.name)
      b:send "x"
      assert.same({ stream }, (of_stream:join()))
      local event = of_poll:join()[1]
      assert.equal(stream, event.object)
      assert.equal(csock.POLLIN, event.event)
    end)
  end)

  it("names a closed Lua file and a descriptor that is not open", function()
    local a = pair()
    local file = assert(io.tmpfile())
    file:close()
    local _, err = csock.select({ file }, {}, {}, 5)
    assert.equal(file, err.address)
    local r, w = posix.pipe()
    posix.close(r)
    posix.close(w)
    local ok, errno
    ok, err, errno = csock.select({ a }, { a, r }, {}, 5)
    assert.is_nil(ok)
    assert.equal(csock.errno.EBADF, errno)
    assert.equal(r, err.address)
    assert.matches("select " .. r .. ": ", tostring(err))
  end)

  it("raises for things that have no descriptor, and says which", function()
    local a = pair()
    raises("bad argument #1 .*%[2%]: socket, stream, file.* expected, got nonsense", csock.select,
      { a, "nonsense" })
    raises("bad argument #2 .*%[1%]: ", csock.select, {}, { {} })
    raises("bad argument #3 .*%[1%]: .* got true", csock.select, {}, {}, { true })
    raises("%[1%]: ", csock.select, { 1.5 })
    raises("table expected", csock.select, a)
  end)

  it("raises on a negative timeout, and one that is no number", function()
    raises("bad argument #4 .*seconds >= 0", csock.select, {}, {}, {}, -1)
    raises("bad argument #4 .*seconds >= 0", csock.select, {}, {}, {}, 0 / 0)
    raises("bad argument #4 .*seconds >= 0 expected", csock.select, {}, {}, {}, "soon")
  end)

  it("keeps its objects although the lists change under it", function()
    local a, b = pair()
    local list = { a }
    list[2] = { fileno = function()
      list[1] = nil
      return b:fileno()
    end }
    b:sendall("x")
    local r = csock.select(list, {}, {}, 5)
    assert.equal(a, r[1])
  end)

  describe("in a task", function()
    it("lets the others run until something comes", function()
      local a, b = pair()
      local c = pair()
      local r, w, x
      csock.spawn(function() r, w, x = csock.select({ c, a }, {}, { a }) end)
      csock.spawn(function() b:sendall("x") end)
      csock.run()
      assert.same({ { a }, {}, {} }, { r, w, x })
    end)

    it("gives empty lists when the time is over", function()
      local a = pair()
      local result
      csock.spawn(function() result = { csock.select({ a }, nil, nil, 0.02) } end)
      local began = posix.monotonic()
      csock.run()
      assert.is_true(posix.monotonic() - began >= 0.02)
      assert.same({ {}, {}, {} }, result)
    end)

    it("neither reports nor spins on a hang-up that nobody asked about", function()
      local a, b = pair()
      b:close()
      local result
      csock.spawn(function() result = { csock.select({}, {}, { a }, 0.05) } end)
      local cpu = posix.thread_clock()
      csock.run()
      assert.same({ {}, {}, {} }, result)
      assert.is_true(posix.thread_clock() - cpu < 0.03)
    end)

    it("gives the objects that were in the lists when it was called", function()
      local a, b = pair()
      local list = { a }
      local r
      csock.spawn(function() r = csock.select(list) end)
      csock.spawn(function()
        list[1] = b
        b:sendall("x")
      end)
      csock.run()
      assert.equal(a, r[1])
    end)
  end)
end)

describe("poll", function()
  it("gives descriptor, events and object, by position and by name", function()
    local a, b = pair()
    local p <close> = csock.poll()
    assert.is_true(p:register(a))
    local events = assert(p:poll(5000))
    assert.same({ { a:fileno(), csock.POLLOUT, a, fd = a:fileno(), event = csock.POLLOUT,
      object = a } }, events)
    b:sendall("x")
    assert.equal(csock.POLLIN | csock.POLLOUT, p:poll()[1].event)
  end)

  it("waits for what the mask asks", function()
    local a, b = pair()
    local p <close> = csock.poll()
    p:register(a, csock.POLLIN)
    assert.same({}, p:poll(0))
    b:sendall("x")
    assert.equal(csock.POLLIN, p:poll(5000)[1].event)
  end)

  it("always reports a hang-up", function()
    local a, b = pair()
    local p <close> = csock.poll()
    p:register(a, 0)
    assert.same({}, p:poll(0))
    b:close()
    assert.equal(csock.POLLHUP, p:poll(5000)[1].event & csock.POLLHUP)
  end)

  it("changes the mask with modify and with a second register", function()
    local a = pair()
    local p <close> = csock.poll()
    p:register(a, csock.POLLIN)
    assert.is_true(p:modify(a, csock.POLLOUT))
    assert.equal(csock.POLLOUT, p:poll(5000)[1].event)
    assert.is_true(p:register(a, csock.POLLIN))
    assert.same({}, p:poll(0))
  end)

  it("says ENOENT to modify and unregister of what is not registered", function()
    local a, b = pair()
    local p <close> = csock.poll()
    p:register(b)
    local ok, err, errno = p:modify(a, csock.POLLIN)
    assert.is_nil(ok)
    assert.equal(csock.errno.ENOENT, errno)
    assert.equal(a, err.address)
    assert.equal(csock.errno.ENOENT, (select(3, p:unregister(a))))
    assert.is_true(p:unregister(b))
    assert.equal(csock.errno.ENOENT, (select(3, p:unregister(b))))
  end)

  it("forgets exactly what is unregistered, in any order", function()
    local p <close> = csock.poll()
    local all = {}
    for i = 1, 40 do
      all[i] = pair()
      assert(p:register(all[i], csock.POLLOUT))
    end
    local left = {}
    for i, s in ipairs(all) do
      if i % 3 == 0 then assert(p:unregister(s)) else left[s] = true end
    end
    for _, ready in ipairs(p:poll(5000)) do
      assert.is_true(left[ready.object])
      assert.equal(ready.object:fileno(), ready.fd)
      left[ready.object] = nil
    end
    assert.is_nil((next(left)))
  end)

  it("returns an empty list after so many milliseconds, and not earlier", function()
    local a = pair()
    local p <close> = csock.poll()
    p:register(a, csock.POLLIN)
    local began = posix.monotonic()
    assert.same({}, p:poll(20))
    assert.is_true(posix.monotonic() - began >= 0.02)
    began = posix.monotonic()
    assert.same({}, p:poll(0.5))
    assert.is_true(posix.monotonic() - began >= 0.0005)
  end)

  it("waits for as long as it takes with nil and with negative numbers", function()
    local a, b = pair()
    local p <close> = csock.poll()
    p:register(a, csock.POLLIN)
    b:sendall("x")
    assert.equal(1, #p:poll())
    assert.equal(1, #p:poll(nil))
    assert.equal(1, #p:poll(-1))
  end)

  it("takes files, numbers and objects with a fileno method", function()
    local a, b = pair()
    b:sendall("x")
    local r, w = posix.pipe()
    local object = { fileno = function() return a:fileno() end }
    local p <close> = csock.poll()
    assert(p:register(object, csock.POLLIN))
    assert(p:register(w, csock.POLLOUT))
    local seen = {}
    for _, ready in ipairs(p:poll(5000)) do seen[ready.fd] = ready.object end
    assert.equal(object, seen[a:fileno()])
    assert.equal(w, seen[w])
    posix.close(r)
    posix.close(w)
  end)

  it("reports a descriptor that is not open with POLLNVAL", function()
    local r, w = posix.pipe()
    local p <close> = csock.poll()
    p:register(r)
    posix.close(r)
    posix.close(w)
    assert.same({ r, csock.POLLNVAL, r, fd = r, event = csock.POLLNVAL, object = r },
      p:poll(5000)[1])
  end)

  it("reports a closed socket with POLLNVAL although its number is another's by now", function()
    local a = pair()
    local p <close> = csock.poll()
    p:register(a, csock.POLLOUT)
    local fd = a:fileno()
    a:close()
    local b = pair()
    assert.equal(fd, b:fileno())
    local ready = p:poll(5000)[1]
    assert.equal(a, ready.object)
    assert.equal(csock.POLLNVAL, ready.event)
  end)

  it("lets a closed socket be unregistered", function()
    local a, b = pair()
    local p <close> = csock.poll()
    p:register(a, csock.POLLOUT)
    p:register(b, csock.POLLOUT)
    a:close()
    assert.is_true(p:unregister(a))
    assert.equal(1, #p:poll(5000))
    assert.equal(csock.errno.ENOENT, (select(3, p:unregister(a))))
  end)

  it("says EBADF to registering a closed object", function()
    local a = pair()
    local p <close> = csock.poll()
    a:close()
    local ok, err, errno = p:register(a)
    assert.is_nil(ok)
    assert.equal(csock.errno.EBADF, errno)
    assert.equal(a, err.address)
  end)

  it("keeps what is registered alive", function()
    local p <close> = csock.poll()
    local a, b = assert(csock.socketpair())
    p:register(a, csock.POLLIN)
    b:sendall("x")
    local weak = setmetatable({ a }, { __mode = "v" })
    a = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(weak[1], p:poll(5000)[1].object)
    weak[1]:close()
    b:close()
  end)

  it("lets what is unregistered go", function()
    local p <close> = csock.poll()
    local a = { fileno = function() return 0 end }
    p:register(a)
    p:unregister(a)
    local weak = setmetatable({ a }, { __mode = "v" })
    a = nil -- luacheck: ignore
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("sees input that a stream holds", function()
    local a, b = pair()
    local stream = keep(a:makefile("r"))
    local p <close> = csock.poll()
    p:register(stream, csock.POLLIN)
    b:sendall("one\ntwo\n")
    assert.equal(stream, p:poll(5000)[1].object)
    assert.equal("one", stream:read("l"))
    assert.equal(csock.POLLIN, p:poll()[1].event)
    assert.equal("two", stream:read("l"))
    assert.same({}, p:poll(0))
  end)

  it("sees input that an object holds itself", function()
    local a, b = pair()
    local object = {
      getfd = function() return a:fileno() end,
      dirty = function() return true end,
    }
    local p <close> = csock.poll()
    p:register(object, csock.POLLIN)
    p:register(b, csock.POLLOUT)
    local seen = {}
    for _, ready in ipairs(p:poll()) do seen[ready.object] = ready.event end
    assert.same({ [object] = csock.POLLIN, [b] = csock.POLLOUT }, seen)
    p:modify(object, 0)
    assert.equal(1, #p:poll())
  end)

  it("may change its registrations between calls, many times over", function()
    local a, b = pair()
    local p <close> = csock.poll()
    b:sendall("x")
    for i = 1, 100 do
      p:register(i % 2 == 0 and a or b, csock.POLLOUT)
      assert.is_true(#p:poll(0) >= 1)
      if i % 5 == 0 then
        p:unregister(a)
        p:unregister(b)
        assert.same({}, p:poll(0))
      end
    end
  end)

  describe("in a task", function()
    it("lets the others run until something comes", function()
      local a, b = pair()
      local p <close> = csock.poll()
      p:register(a, csock.POLLIN)
      local events
      csock.spawn(function() events = p:poll() end)
      csock.spawn(function() b:sendall("x") end)
      csock.run()
      assert.equal(a, events[1].object)
    end)

    it("serves several tasks that poll the same object", function()
      local a, b = pair()
      local p <close> = csock.poll()
      p:register(a, csock.POLLIN)
      local results = {}
      for i = 1, 3 do
        csock.spawn(function() results[i] = p:poll(i == 3 and 10 or nil) end)
      end
      csock.spawn(function()
        csock.sleep(0.03)
        b:sendall("x")
      end)
      csock.run()
      assert.equal(a, results[1][1].object)
      assert.equal(a, results[2][1].object)
      assert.same({}, results[3])
    end)

    it("does not report what was unregistered while it waited", function()
      local a, b = pair()
      local c, d = pair()
      local p <close> = csock.poll()
      p:register(a, csock.POLLIN)
      p:register(c, csock.POLLIN)
      local events
      csock.spawn(function() events = p:poll() end)
      csock.spawn(function()
        p:unregister(a)
        b:sendall("x")
        csock.sleep(0.01)
        d:sendall("x")
      end)
      csock.run()
      assert.equal(1, #events)
      assert.equal(c, events[1].object)
    end)
  end)

  it("raises on wrong masks, times and objects", function()
    local a = pair()
    local p <close> = csock.poll()
    raises("number between", p.register, p, a, -1)
    raises("number between", p.register, p, a, 65536)
    raises("number expected", p.modify, p, a)
    raises("number expected", p.poll, p, "soon")
    raises("milliseconds", p.poll, p, 0 / 0)
    raises("socket, stream", p.register, p, "name")
    raises("csock.poll expected", p.poll, a)
  end)

  it("says EBADF once it is closed", function()
    local a = pair()
    local p = csock.poll()
    p:register(a)
    assert.equal("<csock.poll registered=1>", tostring(p))
    assert.is_true(p:close())
    assert.is_true(p:close())
    assert.equal("<csock.poll [closed]>", tostring(p))
    assert.equal(csock.errno.EBADF, (select(3, p:register(a))))
    assert.equal(csock.errno.EBADF, (select(3, p:modify(a, 0))))
    assert.equal(csock.errno.EBADF, (select(3, p:unregister(a))))
    assert.equal(csock.errno.EBADF, (select(3, p:poll(0))))
  end)
end)

describe("a stream over an object that has closed its descriptor", function()
  local function closed_beneath()
    local s, peer = assert(csock.socketpair())
    local stream = assert(csock.stream { fileno = function() return s:fileno() end })
    local p = csock.poll()
    p:register(stream)
    peer:close()
    s:close()
    return stream, p
  end

  it("is closed for select", function()
    assert.equal(csock.errno.EBADF, select(3, csock.select({ (closed_beneath()) }, nil, nil, 0)))
    assert.equal(csock.errno.EBADF, select(3, csock.run(csock.select, { (closed_beneath()) }, nil, nil, 1)))
  end)

  it("is closed for poll", function()
    local _, p = closed_beneath()
    local events = assert(p:poll(1000))
    assert.same({ 1, csock.POLLNVAL }, { #events, events[1] and events[1].event })
  end)
end)
