-- Socket options, ioctl, peer credentials.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP = csock.SOL_SOCKET, csock.IPPROTO_TCP, csock.IPPROTO_IP

local open = {} -- what a test made, closed after it

local function keep(...)
  for _, thing in ipairs { ... } do open[#open + 1] = thing end
  return ...
end

after_each(function()
  for _, thing in ipairs(open) do thing:close() end
  open = {}
end)

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

local function tcp()
  return keep(assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM)))
end

local function udp()
  return keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
end

local function pair()
  return keep(assert(csock.socketpair(csock.AF_UNIX, csock.SOCK_STREAM)))
end

local function connected()
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  local client = keep((assert(csock.create_connection(listener:getsockname()))))
  return client, keep((assert(listener:accept())))
end

describe("getsockopt and setsockopt", function()
  it("read and set an integer: SO_REUSEADDR", function()
    local s = tcp()
    assert.equal(0, s:getsockopt(SOL_SOCKET, csock.SO_REUSEADDR))
    assert.is_true(s:setsockopt(SOL_SOCKET, csock.SO_REUSEADDR, 1))
    assert.equal(1, s:getsockopt(SOL_SOCKET, csock.SO_REUSEADDR))
    assert.is_true(s:setsockopt(SOL_SOCKET, csock.SO_REUSEADDR, 0))
    assert.equal(0, s:getsockopt(SOL_SOCKET, csock.SO_REUSEADDR))
  end)

  it("take a boolean: TCP_NODELAY", function()
    local s = tcp()
    assert.is_true(s:setsockopt(IPPROTO_TCP, csock.TCP_NODELAY, true))
    assert.not_equal(0, s:getsockopt(IPPROTO_TCP, csock.TCP_NODELAY))
    assert.is_true(s:setsockopt(IPPROTO_TCP, csock.TCP_NODELAY, false))
    assert.equal(0, s:getsockopt(IPPROTO_TCP, csock.TCP_NODELAY))
  end)

  it("read back what the system makes of it: SO_SNDBUF", function()
    local s = tcp()
    assert.is_true(s:setsockopt(SOL_SOCKET, csock.SO_SNDBUF, 8192))
    assert.is_true(s:getsockopt(SOL_SOCKET, csock.SO_SNDBUF) >= 8192) -- Linux doubles it
  end)

  it("read and set a structure as bytes: SO_LINGER", function()
    local s = tcp()
    assert.is_true(s:setsockopt(SOL_SOCKET, csock.SO_LINGER, ("ii"):pack(1, 7)))
    local on, seconds = ("ii"):unpack(s:getsockopt(SOL_SOCKET, csock.SO_LINGER, 8))
    assert.not_equal(0, on)
    assert.equal(7, seconds)
  end)

  it("take the bytes from a buffer", function()
    local s = tcp()
    assert.is_true(s:setsockopt(SOL_SOCKET, csock.SO_LINGER, csock.buffer(("ii"):pack(1, 3))))
    assert.equal(("ii"):pack(1, 3), s:getsockopt(SOL_SOCKET, csock.SO_LINGER, 8))
  end)

  it("keep a timeval: SO_RCVTIMEO", function()
    local s = tcp()
    assert.is_true(s:setsockopt(SOL_SOCKET, csock.SO_RCVTIMEO, ("jj"):pack(3, 0)))
    local seconds = ("j"):unpack(s:getsockopt(SOL_SOCKET, csock.SO_RCVTIMEO, 16))
    assert.equal(3, seconds)
    assert.is_nil(s:gettimeout())
  end)

  it("read as many bytes as there are, up to the length: TCP_INFO", function()
    local client = connected()
    local all = client:getsockopt(IPPROTO_TCP, csock.TCP_INFO, 1024)
    assert.is_true(#all > 100 and #all < 1024)
    assert.equal(csock.TCP_ESTABLISHED, all:byte())
    assert.equal(8, #client:getsockopt(IPPROTO_TCP, csock.TCP_INFO, 8))
  end)

  it("read and set a text: TCP_CONGESTION", function()
    local s = tcp()
    local name = s:getsockopt(IPPROTO_TCP, csock.TCP_CONGESTION, 16):match "^%Z+"
    assert.matches("^%l+", name)
    assert.is_true(s:setsockopt(IPPROTO_TCP, csock.TCP_CONGESTION, name))
    local _, err, errno = s:setsockopt(IPPROTO_TCP, csock.TCP_CONGESTION, "nosuchthing")
    assert.equal(csock.errno.ENOENT, errno)
    assert.equal("setsockopt: No such file or directory [ENOENT]", tostring(err))
  end)

  it("reach the levels of IP and IPv6", function()
    local s = udp()
    assert.is_true(s:setsockopt(IPPROTO_IP, csock.IP_TTL, 7))
    assert.equal(7, s:getsockopt(IPPROTO_IP, csock.IP_TTL))
    local six = csock.socket(csock.AF_INET6, csock.SOCK_STREAM)
    if not six then return pending "no IPv6" end
    assert.is_true(six:setsockopt(csock.IPPROTO_IPV6, csock.IPV6_V6ONLY, true))
    assert.equal(1, six:getsockopt(csock.IPPROTO_IPV6, csock.IPV6_V6ONLY))
    six:close()
  end)

  it("join a group, whose datagrams then come: IP_ADD_MEMBERSHIP", function()
    local receiver, sender = udp(), udp()
    local loopback = csock.inet_aton "127.0.0.1"
    receiver:settimeout(5)
    assert(receiver:bind("", 0))
    local membership = csock.inet_aton "239.1.2.3" .. loopback
    assert.is_true(receiver:setsockopt(IPPROTO_IP, csock.IP_ADD_MEMBERSHIP, membership))
    assert.is_true(sender:setsockopt(IPPROTO_IP, csock.IP_MULTICAST_IF, loopback))
    assert.equal(2, sender:sendto("hi", { "239.1.2.3", receiver:getsockname().port }))
    assert.equal("hi", receiver:recv(10))
    assert.is_true(receiver:setsockopt(IPPROTO_IP, csock.IP_DROP_MEMBERSHIP, membership))
  end)

  it("tell what kind of socket it is", function()
    local s = udp()
    assert.equal(csock.SOCK_DGRAM, s:getsockopt(SOL_SOCKET, csock.SO_TYPE))
    assert.equal(csock.AF_INET, s:getsockopt(SOL_SOCKET, csock.SO_DOMAIN))
  end)

  it("give a pending error once: SO_ERROR", function()
    local s = udp()
    local listener = udp()
    assert(listener:bind("127.0.0.1", 0))
    assert(s:connect(listener:getsockname()))
    listener:close()
    assert(s:send "to nobody")
    s:settimeout(5)
    assert.is_table((csock.select({ s }, {}, {}, 5)))
    assert.equal(csock.errno.ECONNREFUSED, s:getsockopt(SOL_SOCKET, csock.SO_ERROR))
    assert.equal(0, s:getsockopt(SOL_SOCKET, csock.SO_ERROR))
  end)

  it("set an option to nothing, with a length: IPV6_RTHDR", function()
    local s = csock.socket(csock.AF_INET6, csock.SOCK_DGRAM)
    if not s then return pending "no IPv6" end
    assert.is_true(s:setsockopt(csock.IPPROTO_IPV6, csock.IPV6_RTHDR, nil, 0))
    local ok, _, errno = s:setsockopt(SOL_SOCKET, csock.SO_REUSEADDR, nil, 4)
    assert.is_nil(ok)
    assert.equal(csock.errno.EFAULT, errno)
    s:close()
  end)

  it("bind to an interface: SO_BINDTODEVICE", function()
    local s = udp()
    local ok, _, errno = s:setsockopt(SOL_SOCKET, csock.SO_BINDTODEVICE, "lo\0")
    if errno == csock.errno.EPERM then return pending "needs rights" end
    assert.is_true(ok)
    assert.equal("lo", s:getsockopt(SOL_SOCKET, csock.SO_BINDTODEVICE, 16):match "^%Z*")
  end)

  it("give the peer of a Unix socket: SO_PEERCRED", function()
    local a = pair()
    local cred = a:getsockopt(SOL_SOCKET, csock.SO_PEERCRED, 64)
    assert.equal(12, #cred)
    assert.equal(posix.getpid(), (("i4I4I4"):unpack(cred)))
  end)

  it("fail with ENOPROTOOPT for what the level has not", function()
    local s = tcp()
    local value, err, errno = s:getsockopt(SOL_SOCKET, 9999)
    assert.is_nil(value)
    assert.equal(csock.errno.ENOPROTOOPT, errno)
    assert.equal("ENOPROTOOPT", err.name)
    assert.equal("getsockopt", err.call)
    assert.is_nil(s:getsockopt(SOL_SOCKET, 9999, 10))
    assert.is_nil(s:setsockopt(SOL_SOCKET, 9999, 1))
  end)

  it("fail with EBADF on a closed socket", function()
    local s = tcp()
    s:close()
    assert.equal(csock.errno.EBADF, select(3, s:getsockopt(SOL_SOCKET, csock.SO_TYPE)))
    assert.equal(csock.errno.EBADF, select(3, s:getsockopt(SOL_SOCKET, csock.SO_TYPE, 4)))
    assert.equal(csock.errno.EBADF, select(3, s:setsockopt(SOL_SOCKET, csock.SO_REUSEADDR, 1)))
  end)

  it("fail with EBADF once close was called, while a stream keeps the descriptor", function()
    local a = pair()
    local stream <close> = a:makefile "r"
    a:close()
    assert.equal(csock.errno.EBADF, select(3, a:getsockopt(SOL_SOCKET, csock.SO_TYPE)))
    assert.is_truthy(stream)
  end)

  it("fail with EINVAL when the value is too short", function()
    local s = tcp()
    assert.equal(csock.errno.EINVAL, select(3, s:setsockopt(SOL_SOCKET, csock.SO_LINGER, "ab")))
    assert.equal(csock.errno.EINVAL, select(3, s:setsockopt(SOL_SOCKET, csock.SO_REUSEADDR, "")))
  end)

  it("raise when the value is no int", function()
    local s = tcp()
    raises("number between", s.setsockopt, s, SOL_SOCKET, csock.SO_SNDBUF, 2 ^ 31)
    raises("number between", s.setsockopt, s, SOL_SOCKET, csock.SO_SNDBUF, -2 ^ 31 - 1)
    raises("no integer representation", s.setsockopt, s, SOL_SOCKET, csock.SO_SNDBUF, 1.5)
    raises("integer, boolean, string, buffer or nil", s.setsockopt, s, SOL_SOCKET, csock.SO_SNDBUF, {})
    raises("integer, boolean, string, buffer or nil", s.setsockopt, s, SOL_SOCKET, csock.SO_SNDBUF)
    assert.has_error(function() s:setsockopt(SOL_SOCKET, csock.SO_SNDBUF, io.stdout) end)
  end)

  it("raise when level or name is missing or no int", function()
    local s = tcp()
    raises("bad argument", s.getsockopt, s)
    raises("bad argument", s.getsockopt, s, SOL_SOCKET)
    raises("bad argument", s.getsockopt, s, "SOL_SOCKET", 1)
    raises("bad argument", s.getsockopt, s, 2 ^ 40, 1)
    raises("bad argument", s.setsockopt, s, SOL_SOCKET, 2 ^ 40, 1)
    raises("bad argument", s.setsockopt, s, SOL_SOCKET)
    raises("csock.socket", s.getsockopt, {}, SOL_SOCKET, 1)
  end)

  it("raise when a length is out of range, or given with a value", function()
    local s = tcp()
    raises("between 0 and 1024", s.getsockopt, s, SOL_SOCKET, csock.SO_TYPE, 1025)
    raises("between 0 and 1024", s.getsockopt, s, SOL_SOCKET, csock.SO_TYPE, -1)
    raises("bad argument", s.setsockopt, s, SOL_SOCKET, csock.SO_TYPE, nil)
    raises("bad argument", s.setsockopt, s, SOL_SOCKET, csock.SO_TYPE, nil, -1)
    raises("bad argument", s.setsockopt, s, SOL_SOCKET, csock.SO_TYPE, nil, 2 ^ 31)
    raises("only a nil value", s.setsockopt, s, SOL_SOCKET, csock.SO_TYPE, 1, 4)
  end)

  it("read an integer with length 0, and at most 1024 bytes", function()
    local s = tcp()
    assert.equal(csock.SOCK_STREAM, s:getsockopt(SOL_SOCKET, csock.SO_TYPE, 0))
    assert.equal(("i"):pack(csock.SOCK_STREAM), s:getsockopt(SOL_SOCKET, csock.SO_TYPE, 1024))
  end)
end)

describe("ioctl", function()
  it("tells how much is there to read: FIONREAD", function()
    local a, b = pair()
    assert.equal(0, b:ioctl(csock.FIONREAD))
    a:sendall "hello"
    assert.equal(5, b:ioctl(csock.FIONREAD))
  end)

  it("tells whether the read pointer is at the urgent mark: SIOCATMARK", function()
    local client, server = connected()
    server:settimeout(5)
    assert.equal(0, server:ioctl(csock.SIOCATMARK))
    client:send("!", csock.MSG_OOB)
    assert.equal(1, #(select(3, csock.select({}, {}, { server }, 5))))
    assert.equal(1, server:ioctl(csock.SIOCATMARK))
  end)

  it("gives the request a pointer to an integer: FIONBIO", function()
    local a = pair()
    assert.equal(1, a:ioctl(csock.FIONBIO, 1))
    assert.not_equal(0, select(2, posix.fd_flags(a:fileno())) & csock.SOCK_NONBLOCK)
    assert.equal(0, a:ioctl(csock.FIONBIO, 0))
    assert.equal(0, select(2, posix.fd_flags(a:fileno())) & csock.SOCK_NONBLOCK)
  end)

  it("gives the request a structure, and gives it back as long as it was: SIOCGIFINDEX", function()
    local s = udp()
    local request = ("c16 c24"):pack("lo", "")
    local answer = assert(s:ioctl(csock.SIOCGIFINDEX, request))
    assert.equal(#request, #answer)
    assert.equal("lo", answer:match "^%Z*")
    assert.equal(csock.if_nametoindex "lo", ("i"):unpack(answer, 17))
  end)

  it("does no harm when a request writes more than it was given", function()
    local s = udp()
    assert.equal("lo\0", s:ioctl(csock.SIOCGIFINDEX, "lo\0"))
    assert.is_nil(s:ioctl(csock.SIOCGIFNAME, -1))
    assert.is_truthy(s:ioctl(csock.SIOCGIFCONF)) -- writes a struct ifconf over its integer
  end)

  it("fails with ENOTTY for a request that means nothing to the socket", function()
    local s = tcp()
    local value, err, errno = s:ioctl(0x12345678)
    assert.is_nil(value)
    assert.equal(csock.errno.ENOTTY, errno)
    assert.matches("^ioctl: ", tostring(err))
  end)

  it("fails with EBADF on a closed socket", function()
    local s = tcp()
    s:close()
    assert.equal(csock.errno.EBADF, select(3, s:ioctl(csock.FIONREAD)))
    assert.equal(csock.errno.EBADF, select(3, csock.ioctl(s, csock.FIONREAD)))
  end)

  it("works on any descriptor", function()
    local a, b = pair()
    a:sendall "abc"
    assert.equal(3, csock.ioctl(b, csock.FIONREAD))
    assert.equal(3, csock.ioctl(b:fileno(), csock.FIONREAD))
    local pipe <close> = assert(io.popen "echo hello; cat")
    assert.is_number(csock.ioctl(pipe, csock.FIONREAD))
  end)

  it("raises on a wrong argument", function()
    local s = tcp()
    raises("bad argument", s.ioctl, s)
    raises("bad argument", s.ioctl, s, -1)
    raises("bad argument", s.ioctl, s, 2 ^ 32)
    raises("bad argument", s.ioctl, s, csock.FIONREAD, 2 ^ 31)
    raises("bad argument", s.ioctl, s, csock.FIONREAD, {})
    raises("4096", s.ioctl, s, csock.SIOCGIFINDEX, ("x"):rep(4097))
    raises("bad argument", csock.ioctl, {}, csock.FIONREAD)
  end)
end)

describe("getpeercred", function()
  it("names the process, the user and the group at the other end", function()
    local a = pair()
    local pid, uid, gid = a:getpeercred()
    assert.equal(posix.getpid(), pid)
    local _, ids = process.run { "sh", "-c", "id -u; id -g" }
    assert.equal(("%d\n%d\n"):format(uid, gid), ids)
  end)

  it("fails with ENOTCONN before there is a peer", function()
    local s <close> = assert(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM))
    local pid, err, errno = s:getpeercred()
    assert.is_nil(pid)
    assert.equal(csock.errno.ENOTCONN, errno)
    assert.equal("getpeercred", err.call)
  end)

  it("fails with EOPNOTSUPP on a socket of another family", function()
    local s = tcp()
    assert.equal(csock.errno.EOPNOTSUPP, select(3, s:getpeercred()))
  end)

  it("fails with EBADF on a closed socket", function()
    local a = pair()
    a:close()
    assert.equal(csock.errno.EBADF, select(3, a:getpeercred()))
  end)
end)
