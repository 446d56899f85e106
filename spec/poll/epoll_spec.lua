-- epoll objects; Linux only.
local csock = require "csock"
local posix = require "spec.support.posix"

if not csock.epoll then return end

local open = {} -- what a test made, closed after it

local function keep(...)
  for _, thing in ipairs { ... } do open[#open + 1] = thing end
  return ...
end

local function pair()
  return keep(assert(csock.socketpair()))
end

local function epoll(...)
  return keep(assert(csock.epoll(...)))
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

after_each(function()
  for _, thing in ipairs(open) do thing:close() end
  open = {}
end)

describe("epoll", function()
  it("gives descriptor, events and object, by position and by name", function()
    local a, b = pair()
    local e = epoll()
    assert.is_true(e:register(a))
    b:sendall("x")
    local event = csock.EPOLLIN | csock.EPOLLOUT
    assert.same({ { a:fileno(), event, a, fd = a:fileno(), event = event, object = a } },
      e:poll(5))
  end)

  it("waits for what the mask asks", function()
    local a, b = pair()
    local e = epoll()
    e:register(a, csock.EPOLLIN)
    assert.same({}, e:poll(0))
    b:sendall("x")
    assert.equal(csock.EPOLLIN, e:poll()[1].event)
    assert.equal(csock.EPOLLIN, e:poll(-1)[1].event)
  end)

  it("returns an empty list when the time is over, and not earlier", function()
    local a = pair()
    local e = epoll()
    e:register(a, csock.EPOLLIN)
    local began = posix.monotonic()
    assert.same({}, e:poll(0.02))
    assert.is_true(posix.monotonic() - began >= 0.02)
  end)

  it("reports an edge once with EPOLLET", function()
    local a, b = pair()
    local e = epoll()
    e:register(a, csock.EPOLLIN | csock.EPOLLET)
    b:sendall("x")
    assert.equal(1, #e:poll(5))
    assert.same({}, e:poll(0)) -- still unread, but no news
    b:sendall("y")
    assert.equal(1, #e:poll(5))
    assert.equal("xy", a:recv(10))
  end)

  it("is silent after one event with EPOLLONESHOT, until modify", function()
    local a, b = pair()
    local e = epoll()
    e:register(a, csock.EPOLLIN | csock.EPOLLONESHOT)
    b:sendall("x")
    assert.equal(1, #e:poll(5))
    assert.same({}, e:poll(0))
    assert.is_true(e:modify(a, csock.EPOLLIN))
    assert.equal(1, #e:poll(5))
  end)

  it("returns at most maxevents, and the others next time", function()
    local e = epoll()
    for _ = 1, 5 do e:register((pair()), csock.EPOLLOUT) end
    assert.equal(2, #e:poll(5, 2))
    assert.equal(5, #e:poll(5, -1))
    assert.equal(5, #e:poll(5, 1 << 20))
    local seen = {}
    for _ = 1, 5 do seen[e:poll(5, 1)[1].object] = true end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.equal(5, n) -- the kernel takes turns
  end)

  it("says EEXIST to a second register and ENOENT to what it does not have", function()
    local a, b = pair()
    local e = epoll()
    e:register(a)
    local ok, err, errno = e:register(a)
    assert.is_nil(ok)
    assert.equal(csock.errno.EEXIST, errno)
    assert.equal(a, err.address)
    assert.equal(csock.errno.ENOENT, (select(3, e:modify(b, csock.EPOLLIN))))
    assert.equal(csock.errno.ENOENT, (select(3, e:unregister(b))))
    assert.is_true(e:unregister(a))
    assert.same({}, e:poll(0))
  end)

  it("says EPERM to a regular file and EBADF to a closed object", function()
    local e = epoll()
    local file = assert(io.tmpfile())
    assert.equal(csock.errno.EPERM, (select(3, e:register(file))))
    file:close()
    assert.equal(csock.errno.EBADF, (select(3, e:register(file))))
    local a = pair()
    a:close()
    assert.equal(csock.errno.EBADF, (select(3, e:register(a))))
    assert.equal(csock.errno.EBADF, (select(3, e:modify(a, 0))))
  end)

  it("lets a socket that was closed be unregistered, and its number be used again", function()
    local e = epoll()
    local a = pair()
    e:register(a, csock.EPOLLOUT)
    local fd = a:fileno()
    a:close()
    local b = pair()
    assert.equal(fd, b:fileno())
    assert.is_true(e:register(b, csock.EPOLLOUT))
    assert.equal(b, e:poll(5)[1].object)
    b:close()
    assert.is_true(e:unregister(b))
    assert.equal(csock.errno.ENOENT, (select(3, e:unregister(a))))
  end)

  it("keeps what is registered alive, and lets it go", function()
    local e = epoll()
    local a, b = assert(csock.socketpair())
    e:register(a, csock.EPOLLIN)
    b:sendall("x")
    local weak = setmetatable({ a }, { __mode = "v" })
    a = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(weak[1], e:poll(5)[1].object)
    e:unregister(weak[1])
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    b:close()
  end)

  it("takes numbers, files and objects with a fileno method", function()
    local e = epoll()
    local r, w = posix.pipe()
    local object = { fileno = function() return r end }
    e:register(object, csock.EPOLLIN)
    e:register(w, csock.EPOLLOUT)
    posix.write(w, "x")
    local seen = {}
    for _, ready in ipairs(e:poll(5)) do seen[ready.fd] = ready.object end
    assert.same({ [r] = object, [w] = w }, seen)
    posix.close(r)
    posix.close(w)
  end)

  it("can itself be waited on", function()
    local a, b = pair()
    local e = epoll()
    e:register(a, csock.EPOLLIN)
    assert.same({}, (csock.select({ e }, nil, nil, 0)))
    b:sendall("x")
    assert.same({ e }, (csock.select({ e }, nil, nil, 5)))
  end)

  it("is close-on-exec", function()
    local e = epoll(-1, csock.EPOLL_CLOEXEC)
    assert.equal(1, posix.fd_flags(e:fileno()) & 1)
  end)

  it("takes a descriptor over with fromfd", function()
    local a = pair()
    local e = epoll()
    local copy = posix.dup2(e:fileno(), 700)
    local f = assert(csock.epoll.fromfd(copy))
    assert.equal(700, f:fileno())
    f:register(a, csock.EPOLLOUT)
    assert.equal(a, f:poll(5)[1].object)
    assert.equal(a:fileno(), e:poll(5)[1].fd) -- the other object knows only the number
    f:close()
    assert.is_nil((posix.fd_flags(700)))
    assert.equal(csock.errno.EBADF, (select(3, csock.epoll.fromfd(700))))
  end)

  it("reports a descriptor that is no epoll object when it is used", function()
    local r, w = posix.pipe()
    local e = assert(csock.epoll.fromfd(r))
    assert.equal(csock.errno.EINVAL, (select(3, e:poll(0))))
    e:close()
    posix.close(w)
  end)

  it("is closed by close, <close> and the collector", function()
    local before = posix.fds()
    local e = assert(csock.epoll())
    assert.is_false(e.closed)
    assert.matches("^<csock.epoll fd=%d+>$", tostring(e))
    assert.is_true(e:close())
    assert.is_true(e:close())
    assert.is_true(e.closed)
    assert.equal(-1, e:fileno())
    assert.equal("<csock.epoll [closed] fd=-1>", tostring(e))
    do local f <close> = assert(csock.epoll()) end -- luacheck: ignore
    assert(csock.epoll())
    collectgarbage()
    assert.same(before, posix.fds())
  end)

  it("says EBADF once it is closed", function()
    local a = pair()
    local e = epoll()
    e:close()
    assert.equal(csock.errno.EBADF, (select(3, e:register(a))))
    assert.equal(csock.errno.EBADF, (select(3, e:modify(a, 0))))
    assert.equal(csock.errno.EBADF, (select(3, e:unregister(a))))
    assert.equal(csock.errno.EBADF, (select(3, e:poll(0))))
  end)

  it("lets other tasks run until something comes", function()
    local a, b = pair()
    local e = epoll()
    e:register(a, csock.EPOLLIN)
    local events, again
    csock.spawn(function()
      events = e:poll()
      a:recv(1)
      again = e:poll(5)
    end)
    csock.spawn(function()
      b:sendall("x")
      csock.sleep(0.01)
      b:sendall("y")
    end)
    csock.run()
    assert.equal(a, events[1].object)
    assert.equal(a, again[1].object)
    assert.equal("y", a:recv(1))
  end)

  it("wakes a waiting task with EBADF when it is closed", function()
    local e = epoll()
    local errno
    csock.spawn(function() errno = select(3, e:poll()) end)
    csock.spawn(function() e:close() end)
    csock.run()
    assert.equal(csock.errno.EBADF, errno)
  end)

  it("gives the system's error for flags that it does not know", function()
    assert.equal(csock.errno.EINVAL, (select(3, csock.epoll(-1, 1))))
    assert(csock.epoll(-1, csock.EPOLL_CLOEXEC)):close()
  end)

  it("has no field whose name only begins as one of its own", function()
    assert.is_nil(epoll()["closed\0x"])
    assert.is_nil(epoll()["poll\0x"])
  end)

  it("raises on wrong arguments", function()
    local a = pair()
    local e = epoll()
    raises("positive number", csock.epoll, 0)
    raises("number between", e.register, e, a, -1)
    raises("number between", e.register, e, a, 1 << 32)
    raises("number expected", e.modify, e, a)
    raises("socket, stream", e.register, e, "name")
    raises("positive number", e.poll, e, 0, 0)
    raises("number expected", e.poll, e, "soon")
    raises("csock.epoll expected", e.poll, a)
  end)
end)
