local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local E = csock.errno

local function nonblocking(s)
  local _, flags = assert(posix.fd_flags(s:fileno()))
  return flags & posix.O_NONBLOCK ~= 0
end

local function close_on_exec(fd)
  return assert(posix.fd_flags(fd)) & posix.FD_CLOEXEC ~= 0
end

describe("csock.socket", function()
  after_each(function()
    csock.setdefaulttimeout(nil)
    keep.close()
  end)

  it("makes a TCP socket over IPv4 when nothing is said", function()
    local s = keep(csock.socket())
    assert.equal(csock.AF_INET, s.family)
    assert.equal(csock.SOCK_STREAM, s.type)
    assert.equal(0, s.proto)
    assert.is_nil(s.timeout)
  end)

  it("takes family, type and protocol", function()
    local s = keep(csock.socket(csock.AF_INET6, csock.SOCK_DGRAM, csock.IPPROTO_UDP))
    assert.equal(csock.AF_INET6, s.family)
    assert.equal(csock.SOCK_DGRAM, s.type)
    assert.equal(csock.IPPROTO_UDP, s.proto)
  end)

  it("takes nil for what is to be as usual", function()
    local s = keep(csock.socket(nil, csock.SOCK_DGRAM, nil, nil))
    assert.equal(csock.AF_INET, s.family)
    assert.equal(csock.SOCK_DGRAM, s.type)
  end)

  it("makes a non-blocking socket of SOCK_NONBLOCK, which is no part of its type", function()
    local s = keep(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM | csock.SOCK_NONBLOCK))
    assert.equal(csock.SOCK_STREAM, s.type)
    assert.equal(0, s:gettimeout())
    assert.is_true(nonblocking(s))
  end)

  it("gives the socket the default timeout", function()
    csock.setdefaulttimeout(2.5)
    local s = keep(csock.socket())
    assert.equal(2.5, s:gettimeout())
    assert.is_true(nonblocking(s))
  end)

  it("says why the system has none", function()
    local _, err, errno = csock.socket(250)
    assert.equal(E.EAFNOSUPPORT, errno)
    assert.equal("socket", err.call)
    assert.equal(E.EPROTONOSUPPORT, select(3, csock.socket(csock.AF_INET, csock.SOCK_STREAM, 17)))
  end)

  it("raises on arguments that no system could take", function()
    for _, args in ipairs{
      { "inet" }, { 1.5 }, { -2 }, { 1 << 16 }, { 2, "stream" }, { 2, -7 }, { 2, 1 << 40 },
      { 2, 1, "tcp" }, { 2, 1, 1 << 40 }, { 2, 1, 0, 3 }, { true }, { { fileno = "x" } },
      { { fileno = -1 } }, { { fileno = 1 << 40 } }, { { fileno = 1.5 } },
    } do
      assert.has_error(function() csock.socket(table.unpack(args)) end)
    end
  end)

  it("names the wrong argument", function()
    assert.error_matches(function() csock.socket(2, "stream") end, "bad argument #2 to 'socket'")
    assert.error_matches(function() csock.socket{ fileno = "x" } end, "fileno")
  end)
end)

describe("csock.socket with a descriptor", function()
  after_each(keep.close)

  it("reads family, type and protocol from it", function()
    for _, made in ipairs{
      { csock.AF_INET, csock.SOCK_STREAM, csock.IPPROTO_TCP },
      { csock.AF_INET6, csock.SOCK_DGRAM, csock.IPPROTO_UDP },
      { csock.AF_UNIX, csock.SOCK_SEQPACKET, 0 },
    } do
      local fd = csock.socket(table.unpack(made)):detach()
      local s = keep(csock.socket{ fileno = fd })
      assert.equal(fd, s:fileno())
      assert.same(made, { s.family, s.type, s.proto })
    end
  end)

  it("believes what the caller says", function()
    local fd = csock.socket():detach()
    local s = keep(csock.socket(nil, csock.SOCK_DGRAM, { fileno = fd }))
    assert.equal(csock.AF_INET, s.family)
    assert.equal(csock.SOCK_DGRAM, s.type)
  end)

  it("owns it", function()
    local fd = csock.socket():detach()
    csock.socket{ fileno = fd }:close()
    assert.is_nil(posix.fd_flags(fd))
  end)

  it("refuses one that is no socket, and leaves it open", function()
    local r, w = posix.pipe()
    local _, err, errno = csock.socket{ fileno = r }
    assert.equal(E.ENOTSOCK, errno)
    assert.equal("socket", err.call)
    assert.truthy(posix.fd_flags(r))
    posix.close(r)
    posix.close(w)
    assert.equal(E.EBADF, select(3, csock.socket{ fileno = r }))
  end)
end)

describe("csock.socketpair", function()
  after_each(keep.close)

  it("makes two connected Unix streams", function()
    local a, b = keep(csock.socketpair())
    assert.equal(csock.AF_UNIX, a.family)
    assert.equal(csock.SOCK_STREAM, b.type)
    assert.equal(2, a:send("hi"))
    assert.equal("hi", b:recv(10))
    assert.equal(2, b:send("ho"))
    assert.equal("ho", a:recv(10))
  end)

  it("takes a type, and SOCK_NONBLOCK in it", function()
    local a, b = keep(csock.socketpair(csock.AF_UNIX, csock.SOCK_DGRAM | csock.SOCK_NONBLOCK))
    assert.equal(csock.SOCK_DGRAM, a.type)
    assert.equal(0, b:gettimeout())
    assert.is_true(nonblocking(a) and nonblocking(b))
  end)

  it("says why the system has none", function()
    local _, err, errno = csock.socketpair(csock.AF_INET)
    assert.equal(E.EOPNOTSUPP, errno)
    assert.equal("socketpair", err.call)
  end)

  it("raises on wrong arguments", function()
    assert.has_error(function() csock.socketpair("unix") end)
    assert.has_error(function() csock.socketpair(nil, -1) end)
    assert.has_error(function() csock.socketpair(nil, nil, 0.5) end)
  end)
end)

describe("csock.fromfd", function()
  after_each(keep.close)

  it("makes a socket over a copy of a descriptor", function()
    local a, b = keep(csock.socketpair(csock.AF_UNIX, csock.SOCK_DGRAM))
    local copy = keep(csock.fromfd(a:fileno()))
    assert.not_equal(a:fileno(), copy:fileno())
    assert.equal(csock.AF_UNIX, copy.family)
    assert.equal(csock.SOCK_DGRAM, copy.type)
    assert.equal(4, b:send("ping"))
    a:close()
    assert.equal("ping", copy:recv(10))
  end)

  it("takes anything with a fileno method", function()
    local a = keep(csock.socketpair())
    local copy = keep(csock.fromfd{ fileno = function() return a:fileno() end })
    assert.equal(csock.AF_UNIX, copy.family)
    assert.is_not_nil(keep(csock.fromfd(a)))
  end)

  it("takes family, type and protocol from the caller", function()
    local a = keep(csock.socketpair())
    local copy = keep(csock.fromfd(a, csock.AF_INET, csock.SOCK_DGRAM, 17))
    assert.same(
      { csock.AF_INET, csock.SOCK_DGRAM, 17 }, { copy.family, copy.type, copy.proto })
  end)

  it("refuses what is no socket, and leaves nothing open", function()
    local r, w = posix.pipe()
    local before = #posix.fds()
    local _, err, errno = csock.fromfd(r)
    assert.equal(E.ENOTSOCK, errno)
    assert.equal("fromfd", err.call)
    assert.equal(before, #posix.fds())
    posix.close(r)
    posix.close(w)
    assert.equal(E.EBADF, select(3, csock.fromfd(r)))
  end)

  it("gives EBADF for a closed socket", function()
    local s = csock.socket()
    s:close()
    assert.equal(E.EBADF, select(3, csock.fromfd(s)))
  end)

  it("raises on wrong arguments", function()
    assert.has_error(function() csock.fromfd() end)
    assert.has_error(function() csock.fromfd("0") end)
    assert.has_error(function() csock.fromfd({}) end)
    assert.has_error(function() csock.fromfd(1 << 40) end)
    assert.has_error(function() csock.fromfd(0, "inet") end)
  end)
end)

describe("is_socket", function()
  it("takes no path with a zero byte, which would cut it", function()
    local path = os.tmpname()
    os.remove(path)
    local s <close> = assert(csock.socket(csock.AF_UNIX))
    assert(s:bind(path))
    assert.is_true(csock.is_socket(path))
    local ok, err = pcall(csock.is_socket, path .. "\0.txt")
    os.remove(path)
    assert.is_false(ok)
    assert.matches("#1.*zero byte", err)
  end)
end)

describe("socket:dup", function()
  after_each(keep.close)

  it("makes a second socket with the same timeout", function()
    local a, b = keep(csock.socketpair())
    a:settimeout(7)
    local copy = keep(a:dup())
    assert.equal(7, copy:gettimeout())
    assert.equal(a.family, copy.family)
    assert.equal(a.type, copy.type)
    a:close()
    assert.equal(1, b:send("x"))
    assert.equal("x", copy:recv(1))
  end)

  it("gives EBADF on a closed socket", function()
    local s = csock.socket()
    s:close()
    local _, err, errno = s:dup()
    assert.equal(E.EBADF, errno)
    assert.equal("dup", err.call)
  end)

  it("leaves both with their own timeouts, though the system keeps one flag", function()
    local listener = keep(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    local other = keep(listener:dup())
    other:settimeout(0.02)
    listener:settimeout(0)
    assert.equal(E.EAGAIN, select(3, listener:accept()))
    listener:settimeout(nil)
    assert.equal(E.ETIMEDOUT, select(3, other:accept()))
  end)

  it("takes O_NONBLOCK from neither again, since the other may trust that it is on", function()
    local a = keep(csock.socketpair())
    local b = keep(a:dup())
    a:settimeout(1)
    b:settimeout(1)
    b:settimeout(nil)
    assert.is_true(nonblocking(a))
    a:settimeout(nil)
    assert.is_true(nonblocking(a))
  end)

  it("leaves O_NONBLOCK to a copy that relies on it", function()
    local listener = keep(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    local other = keep(listener:dup())
    other:settimeout(0)
    local client = keep(csock.socket())
    assert(client:connect(listener:getsockname()))
    keep(listener:accept()) -- blocking, as far as it knows
    assert.is_true(nonblocking(other))
    assert.equal(E.EAGAIN, select(3, other:accept()))
  end)
end)

describe("the number of what is closed", function()
  it("gives EBADF in every call that takes a descriptor", function()
    local s = csock.socket()
    s:close()
    assert.equal(-1, s:fileno())
    for name, call in pairs {
      close = csock.close, dup = csock.dup, fromfd = csock.fromfd, stream = csock.stream,
      ioctl = function(fd) return csock.ioctl(fd, csock.FIONREAD) end,
      select = function(fd) return csock.select({ fd }, {}, {}, 0) end,
      poll = function(fd) return csock.poll():register(fd) end,
      epoll = csock.epoll and csock.epoll.fromfd,
    } do
      local result, err, errno = call(-1)
      assert.same({ nil, "EBADF", E.EBADF }, { result, err.name, errno }, name)
    end
  end)
end)

describe("csock.dup and csock.close", function()
  after_each(keep.close)

  it("copy and close a descriptor", function()
    local a = keep(csock.socketpair())
    local fd = csock.dup(a:fileno())
    assert.is_true(close_on_exec(fd))
    assert.is_true(csock.close(fd))
    local _, err, errno = csock.close(fd)
    assert.equal(E.EBADF, errno)
    assert.equal("close", err.call)
    assert.equal(E.EBADF, select(3, csock.dup(fd)))
  end)

  it("raise on wrong arguments", function()
    assert.has_error(function() csock.dup() end)
    assert.has_error(function() csock.close() end)
    assert.has_error(function() csock.close("x") end)
    assert.has_error(function() csock.close(1 << 40) end)
  end)
end)

describe("the default timeout", function()
  after_each(function() csock.setdefaulttimeout(nil) end)

  it("is nil at first, and what it was set to", function()
    assert.is_nil(csock.getdefaulttimeout())
    assert.is_true(csock.setdefaulttimeout(1.5))
    assert.equal(1.5, csock.getdefaulttimeout())
    assert.is_true(csock.setdefaulttimeout(nil))
    assert.is_nil(csock.getdefaulttimeout())
  end)

  it("goes to accepted connections", function()
    local listener = keep(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    local client = keep(csock.socket())
    assert(client:connect(listener:getsockname()))
    csock.setdefaulttimeout(3)
    local conn = keep(listener:accept())
    assert.equal(3, conn:gettimeout())
    assert.is_true(nonblocking(conn))
    keep.close()
  end)

  it("raises on what is no time", function()
    for _, wrong in ipairs{ "soon", -1, 0 / 0, {}, false } do
      assert.has_error(function() csock.setdefaulttimeout(wrong) end)
    end
    assert.has_error(function() csock.setdefaulttimeout() end)
  end)
end)

describe("every descriptor that csock makes", function()
  after_each(keep.close)

  it("is closed when another program is run", function()
    local s = keep(csock.socket())
    local a, b = keep(csock.socketpair())
    local copy, from = keep(a:dup()), keep(csock.fromfd(b))
    local listener = keep(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    assert(s:connect(listener:getsockname()))
    local conn = keep(listener:accept())
    for _, made in ipairs{ s, a, b, copy, from, listener, conn } do
      assert.is_true(close_on_exec(made:fileno()))
      assert.is_false(made:get_inheritable())
    end
  end)
end)

-- In a program of its own, which has hardly any descriptors left.
local function run_short_of_descriptors(body)
  local status, out, err = process.run{ process.interpreter, "-e", [[
    local csock = require "csock"
    local posix = require "spec.support.posix"
    local E = csock.errno
    local listener = assert(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    local addr = listener:getsockname()
    posix.nofile(24)
    local held = {}
    local function fill()
      for fd = 0, 23 do
        if not posix.fd_flags(fd) then held[#held + 1] = assert(csock.socket()) end
      end
    end
    local function use_up()
      while true do
        local s, err, errno = csock.socket()
        if not s then return err, errno end
        held[#held + 1] = s
      end
    end
  ]] .. body }
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

describe("out of descriptors", function()
  it("every maker says EMFILE, and works again when there are some", function()
    assert.equal("ok\n", run_short_of_descriptors[[
      local err, errno = use_up()
      assert(errno == E.EMFILE and tostring(err) == ("socket: %s [EMFILE]"):format(csock.strerror(errno)))
      assert(select(3, csock.socketpair()) == E.EMFILE)
      assert(select(3, held[1]:dup()) == E.EMFILE)
      assert(select(3, csock.fromfd(held[1])) == E.EMFILE)
      assert(select(3, csock.dup(0)) == E.EMFILE)
      held[#held]:close()
      held[#held - 1]:close()
      local a, b = assert(csock.socketpair())
      a:close()
      b:close()
      local s <close> = assert(csock.socket())
      local copy <close> = assert(s:dup())
      print("ok")
    ]])
  end)

  it("accept says so, and takes the connection later", function()
    assert.equal("ok\n", run_short_of_descriptors[[
      local client = assert(csock.socket())
      assert(client:connect(addr))
      use_up()
      assert(select(3, listener:accept()) == E.EMFILE)
      assert(select(3, listener:accept()) == E.EMFILE)
      held[#held]:close()
      local conn, peer = assert(listener:accept())
      assert(peer == client:getsockname())
      print("ok")
    ]])
  end)

  for name, make in pairs {
    socket = "return csock.socket()",
    socketpair = "return csock.socketpair()",
    accept = "return listener:accept()",
    ["socket.dup"] = "return listener:dup()",
    fromfd = "return csock.fromfd(listener)",
    dup = "return csock.dup(0)",
  } do
    it(name .. " finds the descriptors of forgotten sockets before it fails", function()
      assert.equal("ok\n", run_short_of_descriptors([[
        local client = assert(csock.socket())
        assert(client:connect(addr))
        collectgarbage("stop")
        fill()
        held = {} -- forgotten, not closed
        local function make() ]] .. make .. [[ end
        assert(make())
        print("ok")
      ]]))
    end)
  end

  -- Collections show by the garbage that they take.
  local count_collections = [[
    collectgarbage("stop")
    local function collects(f)
      local garbage = setmetatable({ {} }, { __mode = "v" })
      f()
      return garbage[1] == nil
    end
  ]]

  it("collects garbage once, however many calls fail", function()
    assert.equal("ok\n", run_short_of_descriptors(count_collections .. [[
      use_up()
      held[#held]:close()
      held[#held] = assert(csock.socket())
      local before = csock.now()
      local collections = 0
      for _ = 1, 1000 do
        if collects(function() assert(not csock.socket()) end) then collections = collections + 1 end
      end
      assert(collections <= 1 + csock.now() - before)
      print("ok")
    ]]))
  end)

  it("collects none where no object holds a descriptor", function()
    assert.equal("ok\n", run_short_of_descriptors(count_collections .. [[
      listener:close()
      local copies, fd = {}, csock.dup(0)
      while fd do
        copies[#copies + 1] = fd
        fd = csock.dup(0)
      end
      assert(not collects(function() assert(select(3, csock.socket()) == E.EMFILE) end))
      for _, copy in ipairs(copies) do csock.close(copy) end
      print("ok")
    ]]))
  end)

  it("a finalizer that accepts meanwhile gets a socket of its own", function()
    assert.equal("ok\n", run_short_of_descriptors[[
      local first, second = assert(csock.socket()), assert(csock.socket())
      assert(first:connect(addr))
      assert(second:connect(addr))
      fill()
      collectgarbage("stop")
      local taken
      setmetatable({}, { __gc = function()
        held[1]:close()
        held[2]:close()
        taken = assert(listener:accept())
      end })
      local conn = assert(listener:accept())
      assert(taken ~= conn and taken:fileno() ~= conn:fileno())
      assert(taken:getpeername() == first:getsockname())
      assert(conn:getpeername() == second:getsockname())
      print("ok")
    ]])
  end)
end)
