local csock = require "csock"
local process = require "spec.support.process"
local keep = require "spec.support.keep"
local memory = require "spec.support.memory"
local posix = require "spec.support.posix"

local E = csock.errno

local function pair(type)
  return keep(csock.socketpair(csock.AF_UNIX, type))
end

-- Two connected TCP sockets.
local function tcp_pair()
  local l <close> = csock.socket()
  assert(l:bind("127.0.0.1", 0))
  assert(l:listen())
  local a = keep(csock.socket())
  assert(a:connect(l:getsockname()))
  return a, (keep(l:accept()))
end

-- A UDP socket of this machine, and its address.
local function udp()
  local s = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(s:bind("127.0.0.1", 0))
  s:settimeout(5)
  return s, s:getsockname()
end

-- Closes it so that the peer gets a reset: SO_LINGER with no time.
local function reset(s)
  assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
  s:close()
end

-- Fills the way to the peer.
local function fill(s)
  local timeout = s:gettimeout()
  s:settimeout(0)
  local chunk, total = ("x"):rep(65536), 0
  while true do
    local n, _, errno = s:send(chunk)
    if not n then
      assert.equal(E.EAGAIN, errno)
      break
    end
    total = total + n
  end
  s:settimeout(timeout)
  return total
end

describe("a call that has to wait", function()
  it("asks the system once before it does", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      local csock, shim = require "csock", require "spec.faults.shim"
      if not shim.active() then return print "no shim" end
      local a, b = csock.socketpair()
      a:settimeout(0.01)
      local function tries(f)
        shim.reset()
        f()
        return shim.calls "recv" + shim.calls "recvfrom", shim.calls "send" + shim.calls "sendto"
      end
      repeat until not a:send(("x"):rep(65536), csock.MSG_DONTWAIT)
      print(tries(function() a:recv(10) end))
      print(tries(function() a:send "x" end))
      b:close()
    ]] }, { env = { LD_PRELOAD = process.preload "spec.faults.shim" } })
    assert.equal("", err)
    assert.equal(0, status)
    if out == "no shim\n" then return pending "another library stands before libc" end
    assert.equal("1\t0\n0\t1\n", out)
  end)
end)

describe("recv", function()
  after_each(keep.close)

  it("gives what has arrived, at most so many bytes", function()
    local a, b = pair()
    a:sendall("hello\0world")
    assert.equal("hel", b:recv(3))
    assert.equal("lo\0world", b:recv(4096))
  end)

  it("gives the empty string at the end of the stream, again and again", function()
    for _, a_b in ipairs{ { pair() }, { tcp_pair() } } do
      local a, b = table.unpack(a_b)
      a:send("last")
      a:close()
      assert.equal("last", b:recv(10))
      assert.equal("", b:recv(10))
      assert.equal("", b:recv(10))
    end
  end)

  it("does not wait for no bytes of a stream", function()
    for _, a_b in ipairs{ { pair() }, { tcp_pair() } } do
      local a, b = table.unpack(a_b)
      assert.equal("", b:recv(0))
      assert.equal("", b:recvfrom(0))
      assert.equal(0, b:recv_into(csock.buffer(0)))
      a:send("x")
      assert.equal("", b:recv(0))
      assert.equal("x", b:recv(1))
    end
  end)

  it("makes no room for more than there is", function()
    local a, b = pair()
    a:send("x")
    for _, size in ipairs{ 1 << 20, 1 << 31, 1 << 40, math.maxinteger } do
      assert.equal("x", b:recv(size, csock.MSG_PEEK))
      local bytes = memory.allocated(function() b:recv(size, csock.MSG_PEEK) end)
      assert.is_true(bytes < 200000, bytes .. " bytes")
    end
    assert.equal("x", (b:recvfrom(1 << 40, csock.MSG_PEEK)))
    local bytes = memory.allocated(function() b:recv(1 << 40, csock.MSG_WAITALL | csock.MSG_DONTWAIT) end)
    assert.is_true(bytes < 200000, bytes .. " bytes")
  end)

  it("receives more than its own buffer holds in one piece", function()
    local a, b = pair()
    assert(a:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 1 << 20))
    local data = ("0123456789abcdef"):rep(8192) -- 128 KiB
    assert.equal(#data, a:send(data))
    assert.equal(data, b:recv(1 << 20))
  end)

  it("peeks without taking", function()
    local a, b = pair()
    a:send("hello")
    assert.equal("hel", b:recv(3, csock.MSG_PEEK))
    assert.equal("hello", b:recv(1024, csock.MSG_PEEK))
    assert.equal("hello", b:recv(1024, csock.MSG_PEEK | csock.MSG_WAITALL))
    assert.equal("hello", b:recv(1024))
  end)

  it("does not wait when the timeout is 0, or with MSG_DONTWAIT", function()
    local _, b = pair()
    local _, err, errno = b:recv(1, csock.MSG_DONTWAIT)
    assert.equal(E.EAGAIN, errno)
    assert.equal("recv", err.call)
    b:settimeout(0)
    assert.equal(E.EAGAIN, select(3, b:recv(1)))
    assert.equal(E.EAGAIN, select(3, b:recv(100000)))
  end)

  it("waits for no longer than the timeout", function()
    local _, b = pair()
    for _, size in ipairs{ 1, 100000 } do
      b:settimeout(0.03)
      local start = posix.monotonic()
      local _, err, errno = b:recv(size)
      assert.equal(E.ETIMEDOUT, errno)
      assert.is_true(err:is(csock.timeout))
      assert.is_true(posix.monotonic() - start >= 0.03)
    end
  end)

  it("says that the peer has reset the connection", function()
    local a, b = tcp_pair()
    b:send("unread")
    reset(a)
    local _, err, errno = b:recv(1)
    assert.equal(E.ECONNRESET, errno)
    assert.equal("ECONNRESET", err.name)
    assert.equal("", b:recv(1))
  end)

  it("says that there is no connection", function()
    local s = keep(csock.socket())
    assert.equal(E.ENOTCONN, select(3, s:recv(1)))
  end)

  it("raises on what is no size", function()
    local _, b = pair()
    for _, wrong in ipairs{ -1, math.mininteger, 1.5, 0 / 0, math.huge, "many", {}, false } do
      assert.has_error(function() b:recv(wrong) end)
      assert.has_error(function() b:recvfrom(wrong) end)
    end
    assert.has_error(function() b:recv() end)
    assert.has_error(function() b:recv(1, "peek") end)
    assert.has_error(function() b:recv(1, 1 << 40) end)
    assert.error_matches(function() b:recv(-1) end, "bad argument #1 to 'recv'")
    assert.error_matches(function() b:recv(1, {}) end, "bad argument #2 to 'recv'")
  end)

  it("never shows old bytes, also with MSG_TRUNC, which makes TCP drop them", function()
    local a, b = tcp_pair()
    a:sendall("secret")
    assert.equal("secret", b:recv(6))
    a:sendall("public")
    assert.equal("public", b:recv(6, csock.MSG_TRUNC | csock.MSG_WAITALL))
    a:sendall("again.")
    assert.equal("again.", b:recv(6, csock.MSG_TRUNC))
  end)
end)

-- The calls that gather: each gives the bytes, or fails as it does.
local gathering = {
  recv = function(s, size) return s:recv(size, csock.MSG_WAITALL) end,
  recvfrom = function(s, size)
    local data, err, errno, partial = s:recvfrom(size, csock.MSG_WAITALL)
    if data then assert(err == nil or type(err) == "string") end -- the sender: none, or AF_UNIX's
    return data, err, errno, partial
  end,
}
for _, name in ipairs { "recv_into", "recvfrom_into" } do
  gathering[name] = function(s, size)
    local buffer = csock.buffer(size)
    local n, err, errno, partial = s[name](s, buffer, size, csock.MSG_WAITALL)
    if not n then return nil, err, errno, partial and buffer:sub(1, partial) end
    return buffer:sub(1, n)
  end
end

for name, receive in pairs(gathering) do
  describe(name .. " with MSG_WAITALL", function()
    after_each(keep.close)

    it("gathers until there are so many bytes", function()
      local a, b = pair()
      local data = ("0123456789"):rep(2000)
      a:sendall(data:sub(1, 9000))
      b:settimeout(5)
      a:sendall(data:sub(9001))
      assert.equal(data, receive(b, #data))
    end)

    it("waits in a task for what comes piece by piece", function()
      local a, b = pair()
      csock.run(function()
        csock.spawn(function()
          for piece in ("one two three"):gmatch "%w+" do
            a:sendall(piece)
            csock.yield()
            csock.yield()
          end
        end)
        assert.equal("onetwothree", receive(b, 11))
      end)
    end)

    it("ends at the end of the stream", function()
      local a, b = pair()
      a:sendall("short")
      a:close()
      assert.equal("short", receive(b, 100))
      assert.equal("", receive(b, 100))
    end)

    it("gives what there is when the time is up, and fails when there is nothing", function()
      local a, b = pair()
      b:settimeout(0.01)
      a:sendall("short")
      assert.equal("short", receive(b, 100))
      assert.equal(E.ETIMEDOUT, select(3, receive(b, 100)))
    end)

    it("takes what is there without waiting when the timeout is 0", function()
      local a, b = pair()
      b:settimeout(0)
      assert.equal(E.EAGAIN, select(3, receive(b, 100)))
      a:sendall("short")
      assert.equal("short", receive(b, 100))
    end)

    it("fails with what it has when the connection is reset", function()
      local a, b = tcp_pair()
      b:send("unread")
      a:sendall("partial")
      assert.equal("partial", b:recv(7, csock.MSG_PEEK | csock.MSG_WAITALL)) -- it is there
      reset(a)
      local data, err, errno, partial = receive(b, 100)
      assert.is_nil(data)
      assert.equal(E.ECONNRESET, errno)
      assert.equal(name, err.call)
      assert.equal("partial", partial)
    end)
  end)
end

describe("recv_into with MSG_WAITALL", function()
  it("leaves in the buffer what had come when its task is cancelled", function()
    local a <close>, b = csock.socketpair()
    local buffer = csock.buffer(10)
    csock.run(function()
      local task = csock.spawn(function() b:recv_into(buffer, 10, csock.MSG_WAITALL) end)
      csock.yield()
      a:sendall "some"
      csock.sleep(0.001)
      task:cancel()
    end)
    b:close()
    assert.equal("some", buffer:sub(1, 4))
  end)
end)

describe("a datagram", function()
  after_each(keep.close)

  it("is received whole, with its sender", function()
    local a, addr = udp()
    local b, from = udp()
    assert.equal(5, b:sendto("hello", addr))
    local data, sender, length = a:recvfrom(100)
    assert.equal("hello", data)
    assert.equal(from, sender)
    assert.is_nil(length)
    assert.equal(5, b:sendto("hello", addr))
    assert.same({ "hello" }, { a:recv(100) })
  end)

  it("that is cut says how long it was", function()
    local a, addr = udp()
    local b, from = udp()
    for _, size in ipairs{ 0, 1, 4 } do
      b:sendto("hello", addr)
      assert.same({ ("hello"):sub(1, size), 5 }, { a:recv(size) })
      b:sendto("hello", addr)
      local data, sender, length = a:recvfrom(size)
      assert.equal(("hello"):sub(1, size), data)
      assert.equal(from, sender)
      assert.equal(5, length)
    end
    b:sendto("hello", addr)
    local buffer = csock.buffer(3)
    assert.same({ 3, 5 }, { a:recv_into(buffer) })
    assert.equal("hel", buffer:sub(1))
    b:sendto("hello", addr)
    local n, sender, length = a:recvfrom_into(buffer)
    assert.equal(3, n)
    assert.equal(from, sender)
    assert.equal(5, length)
  end)

  it("that is cut says so on every kind of socket that has datagrams", function()
    for _, kind in ipairs{ csock.SOCK_DGRAM, csock.SOCK_SEQPACKET } do
      local a, b = pair(kind)
      a:send("hello")
      assert.same({ "he", 5 }, { b:recv(2) })
    end
  end)

  it("can be asked for its length", function()
    local a, b = pair(csock.SOCK_DGRAM)
    a:send("hello")
    assert.same({ "", 5 }, { b:recv(0, csock.MSG_PEEK) })
    assert.same({ "hello" }, { b:recv(10) })
  end)

  it("of no bytes is received as such", function()
    local a, addr = udp()
    local b, from = udp()
    assert.equal(0, b:sendto("", addr))
    local data, sender = a:recvfrom(10)
    assert.equal("", data)
    assert.equal(from, sender)
    assert.equal(0, b:sendto("", addr))
    assert.equal(1, b:sendto("x", addr))
    assert.equal("", a:recv(1 << 20))
    assert.equal("x", a:recv(1 << 20))
  end)

  it("of more than 64 KiB is received whole", function()
    local a, b = pair(csock.SOCK_DGRAM)
    local data = ("0123456789"):rep(10000)
    assert(a:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 1 << 20))
    assert.equal(#data, a:send(data))
    assert.same({ data }, { b:recv(1 << 20) })
    a:send(data)
    assert.same({ data:sub(1, 70000), #data }, { b:recv(70000) })
  end)

  it("that is too long is refused", function()
    local _, addr = udp()
    local b = udp()
    local _, err, errno = b:sendto(("x"):rep(70000), addr)
    assert.equal(E.EMSGSIZE, errno)
    assert.equal(addr, err.address)
  end)

  it("to a port that nobody has fails at the next call", function()
    local gone, addr = udp()
    gone:close()
    local b = udp()
    assert(b:connect(addr))
    assert.equal(1, b:send("x"))
    assert.equal(E.ECONNREFUSED, select(3, b:recv(10)))
    b:settimeout(nil)
    assert.equal(1, b:send("x"))
    assert.equal(E.ECONNREFUSED, select(3, b:send("x")))
  end)
end)

describe("recvfrom", function()
  after_each(keep.close)

  it("gives no address on a connected stream", function()
    local a, b = tcp_pair()
    a:send("x")
    local data, addr = b:recvfrom(1)
    assert.equal("x", data)
    assert.is_nil(addr)
  end)

  it("names a Unix datagram's sender, if it has a name", function()
    local path, other = os.tmpname(), os.tmpname()
    os.remove(path)
    os.remove(other)
    local a = keep(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
    local b = keep(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
    assert(a:bind(path))
    assert.equal(2, b:sendto("hi", path))
    local data, from = a:recvfrom(10)
    assert.equal("hi", data)
    assert.is_nil(from)
    assert(b:bind(other))
    assert.equal(2, b:sendto("ho", path))
    data, from = a:recvfrom(10)
    assert.equal("ho", data)
    assert.equal(other, from)
    os.remove(path)
    os.remove(other)
  end)
end)

describe("recv_into", function()
  it("refuses a buffer that was closed while it waited, and who waits behind it has its turn", function()
    local a, b = pair()
    local buffer = csock.buffer(10)
    local ok, err, data
    csock.run(function()
      csock.spawn(function()
        a:recv(1)
        buffer:close() -- the next one is woken, as there is more
      end)
      csock.spawn(function() ok, err = pcall(a.recv_into, a, buffer, 5) end)
      local last = csock.spawn(function() data = a:recv(5) end)
      csock.yield()
      b:send "-hello"
      last:join(5)
      last:cancel()
    end)
    assert.is_false(ok)
    assert.matches("more than the buffer holds", err)
    assert.equal("hello", data)
  end)

  it("fills a buffer, or the part that is asked for", function()
    local a, b = pair()
    local buffer = csock.buffer(8)
    a:send("hello world")
    assert.equal(5, b:recv_into(buffer, 5))
    assert.equal("hello\0\0\0", buffer:sub(1))
    assert.equal(6, b:recv_into(buffer))
    assert.equal(" world\0\0", buffer:sub(1))
    a:send("12345678+")
    assert.equal(8, b:recv_into(buffer, 0))
    assert.equal("12345678", buffer:sub(1))
    assert.equal(1, b:recv_into(buffer, nil, csock.MSG_PEEK))
  end)

  it("gives 0 at the end of the stream", function()
    local a, b = pair()
    a:close()
    assert.equal(0, b:recv_into(csock.buffer(8)))
  end)

  it("fails as recv does", function()
    local _, b = pair()
    b:settimeout(0)
    local _, err, errno = b:recv_into(csock.buffer(8))
    assert.equal(E.EAGAIN, errno)
    assert.equal("recv_into", err.call)
    assert.equal("recvfrom_into", select(2, b:recvfrom_into(csock.buffer(8))).call)
  end)

  it("raises on wrong arguments", function()
    local a, b = pair()
    a:send("hello")
    local buffer = csock.buffer(4)
    for _, wrong in ipairs{ { "text" }, {}, { buffer, 5 }, { buffer, -1 }, { buffer, 1.5 },
      { buffer, 1 << 40 }, { buffer, "x" }, { buffer, 1, "peek" }, { {} }, { a } } do
      assert.has_error(function() b:recv_into(table.unpack(wrong)) end)
      assert.has_error(function() b:recvfrom_into(table.unpack(wrong)) end)
    end
    assert.equal("hello", b:recv(10))
  end)
end)

describe("send", function()
  after_each(keep.close)

  it("sends strings, numbers and buffers", function()
    local a, b = pair()
    local buffer = csock.buffer(3)
    assert.equal(3, a:send("a\0b"))
    assert.equal(2, a:send(42))
    assert.equal(3, a:send(buffer))
    assert.equal("a\0b42\0\0\0", b:recv(100))
  end)

  it("sends a part as string.sub would cut it", function()
    local a, b = pair(csock.SOCK_DGRAM)
    local data = "hello"
    for _, range in ipairs{
      { 1 }, { 2 }, { 5 }, { 6 }, { 7 }, { -1 }, { -2, -1 }, { -9, 2 }, { 0, 2 }, { 2, 4 },
      { 3, 2 }, { 1, 0 }, { 2, -2 }, { 2, -9 }, { 1, 99 }, { nil, 3 }, { 4, nil },
      { math.mininteger, math.maxinteger }, { math.maxinteger, math.mininteger },
    } do
      local i, j = range[1], range[2]
      local part = data:sub(i or 1, j or -1)
      assert.equal(#part, a:send(data, nil, i, j))
      assert.equal(part, b:recv(10))
    end
  end)

  it("sends no more than there is room for", function()
    local a, b = pair()
    fill(a)
    a:settimeout(0)
    assert.equal(E.EAGAIN, select(3, a:send("x")))
    b:recv(1 << 18)
    local n = a:send(("x"):rep(1 << 24))
    assert.is_true(n > 0 and n < 1 << 24)
  end)

  it("does not wait with MSG_DONTWAIT, and waits for no longer than the timeout", function()
    local a = pair()
    fill(a)
    assert.equal(E.EAGAIN, select(3, a:send("x", csock.MSG_DONTWAIT)))
    a:settimeout(0.02)
    assert.equal(E.ETIMEDOUT, select(3, a:send("x")))
  end)

  it("fails, and raises no SIGPIPE, when the peer is gone", function()
    local a, b = pair()
    b:close()
    posix.signal(posix.SIGPIPE, "count")
    local _, err, errno = a:send("x")
    assert.equal(E.EPIPE, errno)
    assert.equal("send", err.call)
    assert.equal(E.EPIPE, select(3, a:sendall("x")))
    local seen = posix.signals_seen()
    posix.signal(posix.SIGPIPE, "default")
    assert.equal(0, seen)
  end)

  it("says that there is no connection", function()
    local s = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert.equal(E.EDESTADDRREQ, select(3, s:send("x")))
  end)

  it("raises on wrong arguments", function()
    local a = pair()
    for _, wrong in ipairs{ {}, { {} }, { true }, { print }, { "x", "flags" }, { "x", 1.5 },
      { "x", 1 << 40 }, { "x", 0, "i" }, { "x", 0, 1, "j" }, { "x", 0, 1.5 } } do
      assert.has_error(function() a:send(table.unpack(wrong)) end)
    end
    for _, wrong in ipairs{ {}, { {} }, { true }, { "x", "flags" } } do
      assert.has_error(function() a:sendall(table.unpack(wrong)) end)
    end
    assert.error_matches(function() a:send({}) end, "bad argument #1 to 'send'")
  end)
end)

describe("sendall", function()
  after_each(keep.close)

  it("gives the number of bytes, all of them", function()
    local a, b = pair()
    assert.equal(5, a:sendall("hello"))
    assert.equal(0, a:sendall(""))
    assert.equal(3, a:sendall(csock.buffer(3)))
    assert.equal("hello\0\0\0", b:recv(10))
  end)

  it("sends what is more than the system takes at once", function()
    local a, b = pair()
    local data = ("0123456789abcdef"):rep(1 << 16) -- 1 MiB
    local sent, got = 0, {}
    a:settimeout(0)
    while sent < #data do
      local n, _, errno, done = a:sendall(data:sub(sent + 1))
      sent = sent + (n or done)
      assert.is_true(n ~= nil or errno == E.EAGAIN)
      repeat
        local piece = b:recv(1 << 20, csock.MSG_DONTWAIT)
        got[#got + 1] = piece
      until not piece
    end
    assert.equal(data, table.concat(got))
  end)

  it("says how much it sent when the time is up", function()
    local a = pair()
    a:settimeout(0.02)
    local n, err, errno, done = a:sendall(("x"):rep(1 << 24))
    assert.is_nil(n)
    assert.equal(E.ETIMEDOUT, errno)
    assert.equal("sendall", err.call)
    assert.is_true(done > 0 and done < 1 << 24)
  end)

  it("says how much it sent when it may not wait", function()
    local a, b = pair()
    a:settimeout(0)
    local _, _, errno, done = a:sendall(("x"):rep(1 << 24))
    assert.equal(E.EAGAIN, errno)
    local got = 0
    repeat
      local piece = b:recv(1 << 20, csock.MSG_DONTWAIT)
      got = got + #(piece or "")
    until not piece
    assert.equal(done, got)
  end)

  it("says how much it sent when the peer resets the connection", function()
    local a, b = tcp_pair()
    local sent = fill(a)
    assert.is_true(sent > 0)
    a:settimeout(5)
    reset(b)
    local n, err, errno, done = a:sendall(("x"):rep(1 << 20))
    assert.is_nil(n)
    assert.is_true(errno == E.ECONNRESET or errno == E.EPIPE)
    assert.equal("sendall", err.call)
    assert.equal(0, done)
  end)

  it("gives EBADF and 0 on a closed socket", function()
    local a = pair()
    a:close()
    local n, _, errno, done = a:sendall("x")
    assert.is_nil(n)
    assert.equal(E.EBADF, errno)
    assert.equal(0, done)
  end)
end)

describe("sendto", function()
  after_each(keep.close)

  it("takes an address in each of its forms, with flags and without", function()
    local a, addr = udp()
    local b = udp()
    local forms = {
      { "x", addr }, { "x", 0, addr }, { "x", nil, addr }, { "x", { addr[1], addr[2] } },
      { "x", { host = addr.host, port = addr.port } }, { "x", addr[1], addr[2] },
      { "x", 0, addr[1], addr[2] }, { "x", csock.MSG_DONTWAIT, addr },
    }
    for i = 1, #forms do
      assert.equal(1, b:sendto(table.unpack(forms[i], 1, #forms[i] > 3 and 4 or 3)), i)
      assert.equal("x", a:recv(10))
    end
  end)

  it("says where to it could not send", function()
    local b = udp()
    local far = csock.address(csock.AF_INET, "255.255.255.255", 9)
    local _, err, errno = b:sendto("x", far) -- without SO_BROADCAST
    assert.is_true(errno == E.EACCES or errno == E.ENETUNREACH)
    assert.equal(far, err.address)
    assert.equal("sendto", err.call)
  end)

  it("refuses an address of another family", function()
    local b = udp()
    assert.equal(E.EAFNOSUPPORT, select(3, b:sendto("x", csock.address(csock.AF_INET6, "::1", 9))))
  end)

  it("raises on wrong arguments", function()
    local b, addr = udp()
    for _, wrong in ipairs{ {}, { "x" }, { "x", 0 }, { {}, addr }, { "x", "y" }, { "x", 0, true },
      { "x", { "127.0.0.1" } }, { "x", "127.0.0.1", 65536 }, { "x", 1.5, addr } } do
      assert.has_error(function() b:sendto(table.unpack(wrong)) end)
    end
  end)
end)

describe("recv in a task", function()
  after_each(keep.close)

  -- What f(b) gives in a task, while another sends "hello" to b.
  local function in_task(f)
    local a, b = tcp_pair()
    b:settimeout(5)
    local task = csock.spawn(function() return f(b, a) end)
    csock.spawn(function() a:send("hello") end)
    csock.run()
    return task:join()
  end

  it("finds what was peeked at", function()
    assert.same({ "hello", "hello", "hello" }, { in_task(function(b)
      local first, second = b:recv(10, csock.MSG_PEEK), b:recv(10, csock.MSG_PEEK)
      return first, second, b:recv(10)
    end) })
  end)

  it("does not wait for a message of no bytes", function()
    for _, of in ipairs { csock.AF_UNIX, csock.AF_INET } do
      local a, b = pair()
      if of == csock.AF_INET then a, b = tcp_pair() end
      a:settimeout(0)
      local buffers = { csock.buffer(0) }
      local function look()
        assert.same({ "", {}, 0 }, { b:recvmsg(0) })
        assert.same({ 0, {}, 0 }, { b:recvmsg_into({}) })
        assert.same({ 0, {}, 0 }, { b:recvmsg_into(buffers) })
      end
      look()
      csock.run(look)
      a:sendall "hello"
      look()
      assert.equal("hello", (b:recvmsg(10)))
    end
  end)

  it("does not wait for no bytes", function()
    assert.same({ "", 0, "hello", "" }, { in_task(function(b)
      local none, zero, data = b:recv(0), b:recv_into(csock.buffer(0)), b:recv(10)
      return none, zero, data, (b:recv(0))
    end) })
  end)

  it("takes out-of-band data, which is no sign of what else there is", function()
    assert.same({ "!", "hello" }, { in_task(function(b, a)
      b:recv(1, csock.MSG_PEEK)
      a:send("!", csock.MSG_OOB)
      csock.select({}, {}, { b }, 5)
      local urgent = b:recv(10, csock.MSG_OOB)
      return urgent, (b:recv(10))
    end) })
  end)
end)
