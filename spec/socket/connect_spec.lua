local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"

local E = csock.errno

local function listener(backlog)
  local s = keep(csock.socket())
  assert(s:bind("127.0.0.1", 0))
  assert(s:listen(backlog))
  return s
end

local function nonblocking(s)
  local _, flags = assert(posix.fd_flags(s:fileno()))
  return flags & posix.O_NONBLOCK ~= 0
end

local function unix_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

-- A TCP listener that answers no more connections: a connect to it stays under way.
local function full_tcp_listener()
  local s = listener(0)
  local addr = s:getsockname()
  for _ = 1, 8 do
    local waiting = keep(csock.socket())
    waiting:settimeout(0)
    waiting:connect(addr)
  end
  return s, addr
end

describe("bind", function()
  after_each(keep.close)

  it("gives the socket an address of its own", function()
    local s = keep(csock.socket())
    assert.is_true(s:bind("127.0.0.1", 0))
    local addr = s:getsockname()
    assert.equal("127.0.0.1", addr[1])
    assert.is_true(addr[2] > 0)
  end)

  it("takes a table, an address value and the parts", function()
    for _, args in ipairs{
      { { "127.0.0.1", 0 } }, { { host = "127.0.0.1", port = 0 } }, { "127.0.0.1", 0 },
      { csock.address(csock.AF_INET, "127.0.0.1", 0) },
    } do
      local s = keep(csock.socket())
      assert(s:bind(table.unpack(args)))
      assert.equal("127.0.0.1", s:getsockname().host)
    end
  end)

  it("refuses a second address", function()
    local s = keep(csock.socket())
    assert(s:bind("127.0.0.1", 0))
    local _, err, errno = s:bind("127.0.0.1", 0)
    assert.equal(E.EINVAL, errno)
    assert.equal("bind", err.call)
    assert.equal("127.0.0.1", err.address.host)
  end)

  it("refuses an address that somebody has", function()
    local other = listener()
    local s = keep(csock.socket())
    local _, err, errno = s:bind(other:getsockname())
    assert.equal(E.EADDRINUSE, errno)
    assert.equal(other:getsockname(), err.address)
  end)

  it("refuses an address that this machine does not have", function()
    local s = keep(csock.socket())
    assert.equal(E.EADDRNOTAVAIL, select(3, s:bind("192.0.2.1", 0)))
  end)

  it("refuses an address of another family", function()
    local s = keep(csock.socket())
    local six = csock.address(csock.AF_INET6, "::1", 0)
    assert.equal(E.EAFNOSUPPORT, select(3, s:bind(six)))
    assert.is_nil(s:connect(six))
    local unix = keep(csock.socket(csock.AF_UNIX))
    assert.equal(E.EAFNOSUPPORT, select(3, unix:bind(six)))
  end)

  it("raises on what is no address", function()
    local s = keep(csock.socket())
    for _, args in ipairs{
      {}, { 5 }, { {} }, { "127.0.0.1" }, { "127.0.0.1", -1 }, { "127.0.0.1", 65536 },
      { "127.0.0.1", 1.5 }, { "127.0.0.1", "http", "x" }, { true, 1 }, { print },
    } do
      assert.has_error(function() s:bind(table.unpack(args)) end)
      assert.has_error(function() s:connect(table.unpack(args)) end)
    end
  end)
end)

describe("listen", function()
  after_each(keep.close)

  it("gives true, with a backlog or without", function()
    local s = keep(csock.socket())
    assert(s:bind("127.0.0.1", 0))
    assert.is_true(s:listen())
    assert.is_true(s:listen(5))
    assert.is_true(s:listen(-1)) -- as in Python
    assert.is_true(s:listen(0))
  end)

  it("fails on a socket without connections", function()
    local s = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    local _, err, errno = s:listen()
    assert.equal(E.EOPNOTSUPP, errno)
    assert.equal("listen", err.call)
  end)

  it("raises on a backlog that is no number of the system's", function()
    local s = keep(csock.socket())
    for _, wrong in ipairs{ "many", 1.5, 1 << 31, {} } do
      assert.has_error(function() s:listen(wrong) end)
    end
  end)
end)

describe("accept", function()
  after_each(function()
    csock.setdefaulttimeout(nil)
    keep.close()
  end)

  it("gives the connection and the peer's address", function()
    local l = listener()
    local client = keep(csock.socket())
    assert(client:connect(l:getsockname()))
    local conn, addr = keep(l:accept())
    assert.equal(client:getsockname(), addr)
    assert.equal(client:getsockname(), conn:getpeername())
    assert.equal(l:getsockname(), conn:getsockname())
    assert.equal(csock.AF_INET, conn.family)
    assert.equal(csock.SOCK_STREAM, conn.type)
    assert.is_nil(conn:gettimeout())
  end)

  it("gives a blocking connection also from a listener with a timeout, as Python does", function()
    local l = listener()
    l:settimeout(5)
    local client = keep(csock.socket())
    assert(client:connect(l:getsockname()))
    local conn = keep(l:accept())
    assert.is_nil(conn:gettimeout())
    local _, flags = posix.fd_flags(conn:fileno())
    assert.equal(0, flags & posix.O_NONBLOCK)
  end)

  it("waits for no longer than the timeout", function()
    local l = listener()
    l:settimeout(0)
    assert.equal(E.EAGAIN, select(3, l:accept()))
    l:settimeout(0.03)
    local start = posix.monotonic()
    local _, err, errno = l:accept()
    assert.equal(E.ETIMEDOUT, errno)
    assert.equal("accept", err.call)
    assert.is_true(posix.monotonic() - start >= 0.03)
  end)

  it("leaves a listener non-blocking, for all processes that share it", function()
    local l = listener()
    local client = keep(csock.socket())
    assert(client:connect(l:getsockname()))
    keep(l:accept())
    assert.is_true(nonblocking(l))
    l:settimeout(1)
    l:settimeout(nil)
    assert.is_true(nonblocking(l))
  end)

  it("leaves one blocking that came from outside and was so", function()
    local l = listener()
    for _, s in ipairs { csock.fromfd(l), csock.socket { fileno = csock.dup(l) } } do
      keep(s)
      local client = keep(csock.socket())
      assert(client:connect(s:getsockname()))
      keep(s:accept())
      assert.is_false(nonblocking(s))
      s:settimeout(0.01)
      assert.is_true(nonblocking(s))
      assert.equal(E.ETIMEDOUT, select(3, s:accept()))
      s:settimeout(nil)
      assert.is_false(nonblocking(s))
    end
  end)

  it("fails where nobody listens", function()
    local s = keep(csock.socket())
    assert.equal(E.EINVAL, select(3, s:accept()))
    local dgram = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert.equal(E.EOPNOTSUPP, select(3, dgram:accept()))
  end)

  it("costs no memory when nobody is there", function()
    local l = listener()
    l:settimeout(0)
    l:accept()
    assert.equal(0, require "spec.support.memory".allocated(function()
      for _ = 1, 1000 do l:accept() end
    end))
  end)

  it("works over Unix sockets, whose clients have no name", function()
    local path = unix_path()
    local l = keep(csock.socket(csock.AF_UNIX))
    assert(l:bind(path))
    assert(l:listen())
    local client = keep(csock.socket(csock.AF_UNIX))
    assert(client:connect(path))
    local conn, addr = keep(l:accept())
    assert.equal("", addr)
    assert.equal(path, client:getpeername())
    assert.equal(path, conn:getsockname())
    os.remove(path)
  end)
end)

describe("connect", function()
  after_each(keep.close)

  it("gives true", function()
    local l = listener()
    local s = keep(csock.socket())
    assert.is_true(s:connect(l:getsockname()))
    assert.equal(l:getsockname(), s:getpeername())
  end)

  it("gives true with a timeout too, and leaves it", function()
    local l = listener()
    local s = keep(csock.socket())
    s:settimeout(5)
    assert.is_true(s:connect("127.0.0.1", l:getsockname().port))
    assert.equal(5, s:gettimeout())
  end)

  it("looks a name up", function()
    local l = listener()
    local s = keep(csock.socket())
    assert.is_true(s:connect("localhost", l:getsockname().port))
  end)

  it("says that nobody listens, in each way of waiting", function()
    local l = keep(csock.socket())
    assert(l:bind("127.0.0.1", 0))
    local addr = l:getsockname()
    for _, timeout in ipairs{ false, 5 } do
      local s = keep(csock.socket())
      s:settimeout(timeout or nil)
      local _, err, errno = s:connect(addr)
      assert.equal(E.ECONNREFUSED, errno)
      assert.equal(addr, err.address)
    end
  end)

  it("leaves a blocking socket blocking, also when it fails", function()
    local l = keep(csock.socket())
    assert(l:bind("127.0.0.1", 0))
    local s = keep(csock.socket())
    s:connect(l:getsockname())
    local _, flags = posix.fd_flags(s:fileno())
    assert.equal(0, flags & posix.O_NONBLOCK)
  end)

  it("without waiting is EINPROGRESS, then EALREADY, as the system has it", function()
    local _, addr = full_tcp_listener()
    local s = keep(csock.socket())
    s:settimeout(0)
    local _, err, errno = s:connect(addr)
    assert.equal(E.EINPROGRESS, errno)
    assert.equal(addr, err.address)
    assert.equal(E.EALREADY, select(3, s:connect(addr)))
  end)

  it("ends with ETIMEDOUT when the time is up", function()
    local _, addr = full_tcp_listener()
    local s = keep(csock.socket())
    s:settimeout(0.03)
    local _, err, errno = s:connect(addr)
    assert.equal(E.ETIMEDOUT, errno)
    assert.is_true(err:is(csock.timeout))
    assert.equal(addr, err.address)
    assert.equal(("connect %s: %s [ETIMEDOUT]"):format(addr, csock.strerror(E.ETIMEDOUT)), tostring(err))
  end)

  it("goes on with an attempt that is under way", function()
    local l = listener()
    local s = keep(csock.socket())
    s:settimeout(0)
    local ok, _, errno = s:connect(l:getsockname())
    if not ok then
      assert.equal(E.EINPROGRESS, errno)
      s:settimeout(5)
      ok, _, errno = s:connect(l:getsockname())
      assert.is_true(ok or errno == E.EISCONN)
    end
    assert.equal(l:getsockname(), s:getpeername())
  end)

  it("of a connected socket is EISCONN", function()
    local l = listener()
    local s = keep(csock.socket())
    assert(s:connect(l:getsockname()))
    for _ = 1, 3 do assert.equal(E.EISCONN, select(3, s:connect(listener():getsockname()))) end
    assert.equal(l:getsockname(), s:getpeername())
  end)

  it("waits while a Unix listener's backlog is full, for as long as the timeout", function()
    local path = unix_path()
    local full = keep(csock.socket(csock.AF_UNIX))
    assert(full:bind(path))
    assert(full:listen(0))
    local errno
    repeat
      local waiting = keep(csock.socket(csock.AF_UNIX))
      waiting:settimeout(0)
      errno = select(3, waiting:connect(path))
    until errno
    assert.equal(E.EAGAIN, errno)
    local late = keep(csock.socket(csock.AF_UNIX))
    late:settimeout(0.03)
    assert.equal(E.ETIMEDOUT, select(3, late:connect(path)))
    keep(full:accept())
    late:settimeout(5)
    assert.is_true(late:connect(path))
    os.remove(path)
  end)

  it("says which Unix path is missing", function()
    local s = keep(csock.socket(csock.AF_UNIX))
    local _, err, errno = s:connect("/nonexistent/socket")
    assert.equal(E.ENOENT, errno)
    assert.equal("/nonexistent/socket", err.address)
  end)

  it("of a datagram socket fixes its peer", function()
    local a = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    local b = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(a:bind("127.0.0.1", 0))
    assert.is_true(b:connect(a:getsockname()))
    assert.equal(2, b:send("hi"))
    local data, from = a:recvfrom(10)
    assert.equal("hi", data)
    assert.equal(b:getsockname(), from)
  end)
end)

describe("connect_ex", function()
  after_each(keep.close)

  it("gives 0", function()
    local l = listener()
    local s = keep(csock.socket())
    assert.same({ 0 }, { s:connect_ex(l:getsockname()) })
  end)

  it("gives the number of what went wrong, alone", function()
    local l = keep(csock.socket())
    assert(l:bind("127.0.0.1", 0))
    local addr = l:getsockname()
    for _, timeout in ipairs{ false, 5 } do
      local s = keep(csock.socket())
      s:settimeout(timeout or nil)
      assert.same({ E.ECONNREFUSED }, { s:connect_ex(addr) })
    end
    local unix = keep(csock.socket(csock.AF_UNIX))
    assert.same({ E.ENOENT }, { unix:connect_ex("/nonexistent/socket") })
    assert.same({ E.EAFNOSUPPORT }, { unix:connect_ex(addr) })
  end)

  it("gives EINPROGRESS and ETIMEDOUT", function()
    local _, addr = full_tcp_listener()
    local s = keep(csock.socket())
    s:settimeout(0)
    assert.same({ E.EINPROGRESS }, { s:connect_ex(addr) })
    local t = keep(csock.socket())
    t:settimeout(0.02)
    assert.same({ E.ETIMEDOUT }, { t:connect_ex(addr) })
  end)

  it("raises on what is no address", function()
    local s = keep(csock.socket())
    assert.has_error(function() s:connect_ex() end)
    assert.has_error(function() s:connect_ex("127.0.0.1", 65536) end)
  end)
end)

describe("getsockname and getpeername", function()
  after_each(keep.close)

  it("give the same value for the same address", function()
    local l = listener()
    assert.is_true(rawequal(l:getsockname(), l:getsockname()))
  end)

  it("say when there is no peer", function()
    local s = keep(csock.socket())
    local _, err, errno = s:getpeername()
    assert.equal(E.ENOTCONN, errno)
    assert.equal("getpeername", err.call)
  end)

  it("give an unnamed Unix socket's name as the empty string", function()
    local a, b = keep(csock.socketpair())
    assert.equal("", a:getsockname())
    assert.equal("", b:getpeername())
  end)

  it("give IPv6's four parts", function()
    local s = keep(csock.socket(csock.AF_INET6))
    if s:bind("::1", 0) then
      local addr = s:getsockname()
      assert.equal("::1", addr[1])
      assert.equal(4, #addr)
    end
  end)
end)
