-- Messages: sendmsg, recvmsg, recvmsg_into, send_fds, recv_fds, sendmsg_afalg.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local open = {} -- what a test made, closed after it

local function keep(...)
  for _, thing in ipairs { ... } do open[#open + 1] = thing end
  return ...
end

local function pair(kind)
  local a, b = assert(csock.socketpair(csock.AF_UNIX, kind or csock.SOCK_STREAM))
  a:settimeout(5)
  b:settimeout(5)
  return keep(a, b)
end

local function udp()
  local s = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
  assert(s:bind("127.0.0.1", 0))
  s:settimeout(5)
  return s
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

local function ints(...)
  return string.pack(("i"):rep(select("#", ...)), ...)
end

after_each(function()
  for _, thing in ipairs(open) do thing:close() end
  open = {}
end)

describe("sendmsg", function()
  it("sends the pieces one after the other", function()
    local a, b = pair()
    assert.equal(11, a:sendmsg { "hello", " ", csock.buffer("world") })
    assert.equal("hello world", b:recv(100))
  end)

  it("takes one string or buffer in place of a list", function()
    local a, b = pair()
    assert.equal(3, a:sendmsg("one"))
    assert.equal(3, a:sendmsg(csock.buffer("two")))
    assert.equal("onetwo", b:recv(100))
  end)

  it("makes one datagram of all pieces, also of none", function()
    local a, b = pair(csock.SOCK_DGRAM)
    assert.equal(4, a:sendmsg { "ab", "", "cd" })
    assert.equal(0, a:sendmsg {})
    assert.equal("abcd", b:recv(100))
    assert.equal("", b:recv(100))
  end)

  it("takes 1,024 pieces and says EMSGSIZE to more", function()
    local a, b = pair()
    local pieces = {}
    for i = 1, 1024 do pieces[i] = "x" end
    assert.equal(1024, a:sendmsg(pieces))
    assert.equal(("x"):rep(1024), b:recv(2000))
    pieces[1025] = "x"
    local n, err, errno = a:sendmsg(pieces)
    assert.is_nil(n)
    assert.equal(csock.errno.EMSGSIZE, errno)
    assert.equal("EMSGSIZE", err.name)
  end)

  it("sends to an address given as a value, a table or parts", function()
    local a, b = udp(), udp()
    local to = b:getsockname()
    assert.equal(1, a:sendmsg({ "1" }, nil, nil, to))
    assert.equal(1, a:sendmsg({ "2" }, {}, 0, { "127.0.0.1", to.port }))
    assert.equal(1, a:sendmsg("3", nil, 0, "127.0.0.1", to.port))
    for i = 1, 3 do
      local data, ancdata, flags, from = b:recvmsg(10)
      assert.equal(tostring(i), data)
      assert.same({}, ancdata)
      assert.equal(0, flags)
      assert.equal(a:getsockname(), from)
    end
  end)

  it("names the address in the error", function()
    local a = udp()
    local to = csock.address(csock.AF_INET, "127.0.0.1", 9)
    local n, err, errno = a:sendmsg({ ("x"):rep(70000) }, nil, 0, to)
    assert.is_nil(n)
    assert.equal(csock.errno.EMSGSIZE, errno)
    assert.equal(to, err.address)
  end)

  it("passes flags on", function()
    local a, b = pair()
    assert.equal(1, a:sendmsg({ "x" }, nil, csock.MSG_DONTWAIT))
    assert.equal("x", b:recv(1))
  end)

  it("returns EAGAIN when there is no room and the timeout is 0", function()
    local a = pair()
    a:settimeout(0)
    local n, _, errno
    repeat n, _, errno = a:sendmsg { ("x"):rep(65536) } until not n
    assert.equal(csock.errno.EAGAIN, errno)
  end)

  it("ends with a time-out when there is no room", function()
    local a = pair()
    a:settimeout(0.01)
    local n, err
    repeat n, err = a:sendmsg { ("x"):rep(65536) } until not n
    assert.is_true(err:is(csock.timeout))
  end)

  it("returns EPIPE, and no signal, when the peer is gone", function()
    local a, b = pair()
    b:close()
    local n, _, errno = a:sendmsg { "x" }
    assert.is_nil(n)
    assert.equal(csock.errno.EPIPE, errno)
  end)

  it("returns EBADF on a closed socket", function()
    local a = pair()
    a:close()
    assert.equal(csock.errno.EBADF, (select(3, a:sendmsg { "x" })))
  end)

  it("returns what the kernel says to unknown ancillary data", function()
    local a = pair()
    local n, _, errno = a:sendmsg({ "x" }, { { csock.SOL_SOCKET, 0x7777, "data" } })
    assert.is_nil(n)
    assert.equal(csock.errno.EINVAL, errno)
  end)

  it("raises on wrong arguments, and says which item is wrong", function()
    local a = pair()
    raises("string expected", a.sendmsg, a)
    raises("%[2%]: string or csock.buffer expected, got table", a.sendmsg, a, { "x", {} })
    raises("%[1%]: {level, type, data} expected", a.sendmsg, a, { "x" }, { "data" })
    raises("%[1%]: {level, type, data} expected", a.sendmsg, a, { "x" }, { { 1, 2 } })
    raises("%[2%]: {level, type, data} expected", a.sendmsg, a, { "x" },
      { { 1, 1, "" }, { 1 << 40, 1, "" } })
    raises("too much ancillary data", a.sendmsg, a, { "x" }, { { 1, 1, ("x"):rep(1 << 21) } })
    raises("number expected", a.sendmsg, a, { "x" }, nil, "flags")
    raises("number between", a.sendmsg, a, { "x" }, nil, 1 << 40)
  end)

  it("holds on to its pieces even if the list changes while it waits", function()
    local a, b = pair()
    a:settimeout(nil)
    a:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 4608)
    local pieces = setmetatable({}, { __len = function() return 2 end })
    pieces[1], pieces[2] = ("a"):rep(3000), ("b"):rep(3000)
    local sent = a:sendmsg(pieces)
    pieces[1], pieces[2] = nil, nil
    collectgarbage()
    local got = ""
    while #got < sent do got = got .. b:recv(sent - #got) end
    assert.equal((("a"):rep(3000) .. ("b"):rep(3000)):sub(1, sent), got)
  end)
end)

describe("recvmsg", function()
  it("returns data, ancillary data, flags and no address on a stream", function()
    local a, b = pair()
    a:sendall("hello")
    local results = table.pack(b:recvmsg(3))
    assert.equal(4, results.n)
    assert.equal("hel", results[1])
    assert.same({}, results[2])
    assert.equal(0, results[3])
    assert.is_nil(results[4])
    assert.equal("lo", (b:recvmsg(100)))
  end)

  it("returns an empty string at the end of the stream", function()
    local a, b = pair()
    a:close()
    assert.equal("", (b:recvmsg(10)))
  end)

  it("reports a cut datagram with MSG_TRUNC", function()
    local a, b = udp(), udp()
    assert(a:sendto("0123456789", b:getsockname()))
    local data, _, flags, from = b:recvmsg(4)
    assert.equal("0123", data)
    assert.equal(csock.MSG_TRUNC, flags & csock.MSG_TRUNC)
    assert.equal(a:getsockname(), from)
  end)

  it("tells an empty datagram from nothing", function()
    local a, b = pair(csock.SOCK_DGRAM)
    a:send("")
    assert.equal("", (b:recvmsg(10)))
    b:settimeout(0)
    local data, _, errno = b:recvmsg(10)
    assert.is_nil(data)
    assert.equal(csock.errno.EAGAIN, errno)
  end)

  it("takes an empty datagram's place with size 0", function()
    local a, b = pair(csock.SOCK_DGRAM)
    a:send("gone")
    a:send("next")
    local data, _, flags = b:recvmsg(0)
    assert.equal("", data)
    assert.equal(csock.MSG_TRUNC, flags)
    assert.equal("next", (b:recvmsg(10)))
  end)

  it("returns only what was written when MSG_TRUNC asks for the datagram's length", function()
    local a, b = pair(csock.SOCK_DGRAM)
    a:send(("x"):rep(1000))
    assert.equal("xxxx", (b:recvmsg(4, 0, csock.MSG_TRUNC)))
  end)

  it("receives a large message whole and does not allocate what was merely asked for", function()
    local a, b = pair(csock.SOCK_DGRAM)
    local big = ("0123456789abcdef"):rep(6000)
    assert.equal(#big, a:send(big))
    collectgarbage()
    local before = collectgarbage("count")
    local data = b:recvmsg(1 << 40)
    assert.equal(big, data)
    assert.is_true(collectgarbage("count") - before < 2000)
  end)

  it("ends with a time-out when nothing comes", function()
    local _, b = pair()
    b:settimeout(0.01)
    local data, err, errno = b:recvmsg(10, 100)
    assert.is_nil(data)
    assert.equal(csock.errno.ETIMEDOUT, errno)
    assert.is_true(err:is(csock.timeout))
    assert.equal("recvmsg", err.call)
  end)

  it("leaves the data there with MSG_PEEK", function()
    local a, b = pair()
    a:sendall("x")
    assert.equal("x", (b:recvmsg(1, 0, csock.MSG_PEEK)))
    assert.equal("x", (b:recvmsg(1)))
  end)

  it("gives out-of-band data's flag", function()
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    local a = keep((assert(csock.create_connection(listener:getsockname()))))
    local b = keep((assert(listener:accept())))
    assert.equal(1, a:send("!", csock.MSG_OOB))
    assert.same({ { b }, {} }, { select(3, assert(csock.select({}, {}, { b }, 5))), {} })
    local data, _, flags = b:recvmsg(1, 0, csock.MSG_OOB)
    assert.equal("!", data)
    assert.equal(csock.MSG_OOB, flags & csock.MSG_OOB)
  end)

  it("raises on sizes out of range", function()
    local a = pair()
    raises("number expected, got no value", a.recvmsg, a)
    raises("number between", a.recvmsg, a, -1)
    raises("no integer representation", a.recvmsg, a, 1.5)
    raises("number between", a.recvmsg, a, 1, -1)
    raises("number between", a.recvmsg, a, 1, (1 << 20) + 1)
  end)

  it("returns EBADF on a closed socket", function()
    local a = pair()
    a:close()
    assert.equal(csock.errno.EBADF, (select(3, a:recvmsg(1))))
  end)
end)

describe("recvmsg_into", function()
  it("fills the buffers one after the other", function()
    local a, b = pair()
    local one, two, three = csock.buffer(2), csock.buffer(3), csock.buffer(4)
    a:sendall("abcdef")
    local n, ancdata, flags, from = b:recvmsg_into { one, two, three }
    assert.equal(6, n)
    assert.same({}, ancdata)
    assert.equal(0, flags)
    assert.is_nil(from)
    assert.equal("ab", one:sub(1))
    assert.equal("cde", two:sub(1))
    assert.equal("f", three:sub(1, 1))
  end)

  it("takes one buffer in place of a list, and tells the sender", function()
    local a, b = udp(), udp()
    local buffer = csock.buffer(4)
    assert(a:sendto("0123456789", b:getsockname()))
    local n, _, flags, from = b:recvmsg_into(buffer)
    assert.equal(4, n)
    assert.equal(csock.MSG_TRUNC, flags & csock.MSG_TRUNC)
    assert.equal(a:getsockname(), from)
    assert.equal("0123", buffer:sub(1))
  end)

  it("brings ancillary data too", function()
    local a, b = pair()
    local r, w = posix.pipe()
    assert(csock.send_fds(a, "x", { r }))
    local n, ancdata = b:recvmsg_into({ csock.buffer(1) }, csock.CMSG_LEN(4))
    assert.equal(1, n)
    assert.equal(csock.SCM_RIGHTS, ancdata[1].type)
    posix.close((string.unpack("i", ancdata[1].data)))
    posix.close(r)
    posix.close(w)
  end)

  it("raises for what cannot be written to", function()
    local a = pair()
    raises("table of buffers expected", a.recvmsg_into, a, "string")
    raises("%[2%]: csock.buffer expected, got string", a.recvmsg_into, a,
      { csock.buffer(1), "string" })
    raises("%[1%]: ", a.recvmsg_into, a, { 1.5 })
  end)

  it("says EMSGSIZE to more than 1,024 buffers", function()
    local a = pair()
    local buffers = {}
    for i = 1, 1025 do buffers[i] = csock.buffer(1) end
    assert.equal(csock.errno.EMSGSIZE, (select(3, a:recvmsg_into(buffers))))
  end)
end)

describe("send_fds and recv_fds", function()
  it("pass descriptors of files, sockets and numbers", function()
    local a, b = pair()
    local file = assert(io.tmpfile())
    file:write("content")
    file:flush()
    local x, y = pair()
    assert.equal(2, csock.send_fds(a, { "o", "k" }, { file, y, y:fileno() }))
    local data, fds, flags, from = csock.recv_fds(b, 10, 3)
    assert.equal("ok", data)
    assert.equal(3, #fds)
    assert.equal(0, flags)
    assert.is_nil(from)
    local y1 = keep(assert(csock.socket { fileno = fds[2] }))
    assert.is_true(y1:fileno() ~= y:fileno())
    x:sendall("through")
    assert.equal("through", y1:recv(10))
    posix.close(fds[1])
    posix.close(fds[3])
    file:close()
  end)

  it("make what arrives close-on-exec", function()
    local a, b = pair()
    assert(csock.send_fds(a, "x", { 0 }))
    local _, fds = assert(csock.recv_fds(b, 1, 1))
    local flags = posix.fd_flags(fds[1])
    posix.close(fds[1])
    assert.equal(1, flags & 1)
  end)

  it("close what was not asked for, and say MSG_CTRUNC", function()
    local a, b = pair()
    local before = posix.fds()
    for max = 0, 3 do
      assert(csock.send_fds(a, "x", { a, b, 0, 1 }))
      local _, fds, flags = assert(csock.recv_fds(b, 1, max))
      assert.equal(max, #fds)
      assert.equal(csock.MSG_CTRUNC, flags & csock.MSG_CTRUNC)
      for _, fd in ipairs(fds) do posix.close(fd) end
      assert.same(before, posix.fds())
    end
  end)

  it("take as many as the kernel passes, and say EINVAL to more", function()
    local a, b = pair()
    local before = posix.fds()
    local fds = {}
    for i = 1, 253 do fds[i] = 0 end
    assert(csock.send_fds(a, "x", fds))
    local _, got = assert(csock.recv_fds(b, 1, 253))
    assert.equal(253, #got)
    for _, fd in ipairs(got) do posix.close(fd) end
    assert.same(before, posix.fds())
    fds[254] = 0
    assert.equal(csock.errno.EINVAL, (select(3, csock.send_fds(a, "x", fds))))
  end)

  it("work where credentials come along", function()
    local a, b = pair()
    assert(b:setsockopt(csock.SOL_SOCKET, csock.SO_PASSCRED, 1))
    assert(csock.send_fds(a, "x", { 0 }))
    local data, fds, flags = assert(csock.recv_fds(b, 1, 1))
    assert.equal("x", data)
    assert.equal(1, #fds)
    assert.equal(0, flags)
    posix.close(fds[1])
  end)

  it("send no descriptor where the list is empty", function()
    local a, b = pair()
    assert.equal(1, csock.send_fds(a, "x", {}))
    local data, fds = csock.recv_fds(b, 10, 10)
    assert.equal("x", data)
    assert.same({}, fds)
  end)

  it("send to an address", function()
    local dir = posix.mkdtemp()
    local a = keep(assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)))
    local b = keep(assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM)))
    assert(a:bind(dir .. "/a"))
    assert(b:bind(dir .. "/b"))
    assert.equal(1, csock.send_fds(a, "x", { 0 }, 0, dir .. "/b"))
    local data, fds, _, from = csock.recv_fds(b, 10, 1)
    os.remove(dir .. "/a")
    os.remove(dir .. "/b")
    os.remove(dir)
    assert.equal("x", data)
    assert.equal(dir .. "/a", from)
    posix.close(fds[1])
  end)

  it("report a closed object by name", function()
    local a = pair()
    local c = pair()
    c:close()
    local n, err, errno = csock.send_fds(a, "x", { 0, c })
    assert.is_nil(n)
    assert.equal(csock.errno.EBADF, errno)
    assert.equal(c, err.address)
    assert.matches("%[closed%]", tostring(err))
  end)

  it("raise on wrong arguments", function()
    local a = pair()
    raises("csock.socket expected", csock.send_fds, 1, "x", {})
    raises("table expected", csock.send_fds, a, "x", 1)
    raises("%[1%]: socket, stream", csock.send_fds, a, "x", { "name" })
    raises("%[1%]: socket, stream", csock.send_fds, a, "x", { 1.5 })
    raises("number expected", csock.recv_fds, a, 1)
    raises("number between", csock.recv_fds, a, 1, -1)
    raises("number between", csock.recv_fds, a, 1, 1 << 30)
  end)

  it("carry a listening socket to another process, which serves on it", function()
    local dir = posix.mkdtemp()
    local path = dir .. "/s"
    local control = keep(assert(csock.create_server(path, { family = csock.AF_UNIX })))
    control:settimeout(10)
    local worker <close> = process.lua { "-e", [[
      local csock = require "csock"
      local s = assert(csock.socket(csock.AF_UNIX))
      assert(s:connect(arg[1]))
      local data, fds = assert(csock.recv_fds(s, 10, 1))
      local listener = assert(csock.socket{fileno = fds[1]})
      local conn = assert(listener:accept())
      conn:sendall(data .. " from the worker")
      conn:close()
    ]], "-", path }
    worker:close_stdin()
    local conn = keep((assert(control:accept())))
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    assert(csock.send_fds(conn, "hello", { listener }))
    local client = keep((assert(csock.create_connection(listener:getsockname(), { timeout = 10 }))))
    assert.equal("hello from the worker", client:recv(100, csock.MSG_WAITALL))
    assert.equal(0, worker:wait())
    os.remove(path)
    os.remove(dir)
  end)
end)

describe("in tasks", function()
  it("messages and descriptors wait for each other", function()
    local a, b = pair()
    csock.run(csock.sleep, 0) -- the loop has its own descriptor from here on
    local before = posix.fds()
    local data, fds, text
    csock.spawn(function()
      data, fds = csock.recv_fds(b, 10, 1)
      text = b:recvmsg(10)
    end)
    csock.spawn(function()
      csock.send_fds(a, "one", { 0 })
      csock.sleep(0.01)
      a:sendmsg { "t", "wo" }
    end)
    csock.run()
    assert.equal("one", data)
    assert.equal("two", text)
    posix.close(fds[1])
    assert.same(before, posix.fds())
  end)

  it("sendmsg waits for room", function()
    local a, b = pair()
    a:settimeout(nil)
    local sent, got = 0, 0
    csock.spawn(function()
      for _ = 1, 50 do sent = sent + a:sendmsg { ("x"):rep(10000), ("y"):rep(20000) } end
      a:close()
    end)
    csock.spawn(function()
      repeat
        local n = b:recvmsg_into(csock.buffer(5000))
        got = got + n
      until n == 0
    end)
    csock.run()
    assert.is_true(sent > 0)
    assert.equal(sent, got)
  end)

  it("closing the socket wakes who waits with EBADF", function()
    local a = pair()
    local errno
    csock.spawn(function() errno = select(3, a:recvmsg(1, 100)) end)
    csock.spawn(function() a:close() end)
    csock.run()
    assert.equal(csock.errno.EBADF, errno)
  end)

  it("a cancelled wait leaves the message to others", function()
    local a, b = pair()
    local task = csock.spawn(function() csock.recv_fds(b, 1, 1) end)
    csock.spawn(function() task:cancel() end)
    csock.run()
    local before = posix.fds()
    assert(csock.send_fds(a, "x", { 0 }))
    local data, fds = csock.recv_fds(b, 1, 1)
    assert.equal("x", data)
    posix.close(fds[1])
    assert.same(before, posix.fds())
  end)
end)

describe("ancillary data", function()
  it("carries raw SCM_RIGHTS, by position and by name", function()
    local a, b = pair()
    local before = posix.fds()
    assert.equal(1, a:sendmsg({ "x" }, { { csock.SOL_SOCKET, csock.SCM_RIGHTS, ints(0, 1) } }))
    local _, ancdata, flags = b:recvmsg(1, csock.CMSG_SPACE(8))
    assert.equal(0, flags)
    assert.equal(1, #ancdata)
    local item = ancdata[1]
    assert.equal(csock.SOL_SOCKET, item[1])
    assert.equal(csock.SCM_RIGHTS, item[2])
    assert.equal(item[1], item.level)
    assert.equal(item[2], item.type)
    assert.equal(item[3], item.data)
    assert.equal(8, #item.data)
    local one, two = string.unpack("ii", item.data)
    assert.equal(1, posix.fd_flags(one) & 1)
    posix.close(one)
    posix.close(two)
    assert.same(before, posix.fds())
  end)

  it("can be sent on as it was received", function()
    local a, b = pair()
    assert(a:sendmsg({ "x" }, { { csock.SOL_SOCKET, csock.SCM_RIGHTS, ints(0) } }))
    local data, ancdata = b:recvmsg(1, 100)
    assert.equal(1, b:sendmsg({ data },
      { { level = ancdata[1].level, type = ancdata[1].type, data = ancdata[1].data } }))
    local _, again = a:recvmsg(1, 100)
    assert.equal(csock.SCM_RIGHTS, again[1].type)
    posix.close((string.unpack("i", ancdata[1].data)))
    posix.close((string.unpack("i", again[1].data)))
  end)

  it("that does not fit is dropped, closed, and reported with MSG_CTRUNC", function()
    local a, b = pair()
    local before = posix.fds()
    for _, room in ipairs { 0, 1, csock.CMSG_LEN(0), csock.CMSG_LEN(4) } do
      assert(a:sendmsg({ "x" }, { { csock.SOL_SOCKET, csock.SCM_RIGHTS, ints(0, 0, 0) } }))
      local _, ancdata, flags = b:recvmsg(1, room)
      assert.equal(csock.MSG_CTRUNC, flags & csock.MSG_CTRUNC)
      for _, item in ipairs(ancdata) do
        for at = 1, #item.data, 4 do posix.close((string.unpack("i", item.data, at))) end
      end
      assert.same(before, posix.fds())
    end
  end)

  it("carries the sender's credentials to who asked with SO_PASSCRED", function()
    local a, b = pair()
    assert(b:setsockopt(csock.SOL_SOCKET, csock.SO_PASSCRED, 1))
    a:sendall("x")
    local _, ancdata = b:recvmsg(1, csock.CMSG_SPACE(12))
    assert.equal(1, #ancdata)
    assert.equal(csock.SCM_CREDENTIALS, ancdata[1].type)
    assert.equal(posix.getpid(), (string.unpack("iII", ancdata[1].data)))
  end)

  it("carries credentials that the sender states", function()
    local a, b = pair()
    assert(b:setsockopt(csock.SOL_SOCKET, csock.SO_PASSCRED, 1))
    a:sendall("y")
    local _, mine = b:recvmsg(1, 100)
    local cred = mine[1].data
    assert.equal(1, a:sendmsg({ "z" }, { { csock.SOL_SOCKET, csock.SCM_CREDENTIALS, cred } }))
    local _, ancdata = b:recvmsg(1, 100)
    assert.equal(cred, ancdata[1].data)
    local pid, uid, gid = string.unpack("iII", cred)
    local n, _, errno = a:sendmsg({ "z" },
      { { csock.SOL_SOCKET, csock.SCM_CREDENTIALS, string.pack("iII", -2, uid, gid) } })
    assert.is_nil(n)
    assert.is_true(errno == csock.errno.EPERM or errno == csock.errno.ESRCH)
    assert.equal(posix.getpid(), pid)
  end)

  it("tells a datagram's local address with IP_PKTINFO", function()
    local a, b = udp(), udp()
    assert(b:setsockopt(csock.IPPROTO_IP, csock.IP_PKTINFO, 1))
    assert(a:sendto("x", b:getsockname()))
    local _, ancdata = b:recvmsg(1, csock.CMSG_SPACE(12))
    assert.equal(csock.IPPROTO_IP, ancdata[1].level)
    assert.equal(csock.IP_PKTINFO, ancdata[1].type)
    local index, _, address = string.unpack("i c4 c4", ancdata[1].data)
    assert.equal(csock.if_nametoindex("lo"), index)
    assert.equal("127.0.0.1", csock.inet_ntoa(address))
  end)

  it("chooses the sender's address with IP_PKTINFO", function()
    local b = udp()
    local a = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
    local info = string.pack("i c4 c4", 0, csock.inet_aton("127.0.0.2"), "\0\0\0\0")
    assert.equal(1, a:sendmsg({ "x" }, { { csock.IPPROTO_IP, csock.IP_PKTINFO, info } }, 0,
      b:getsockname()))
    local _, _, _, from = b:recvmsg(1)
    assert.equal("127.0.0.2", from.host)
  end)

  it("brings several control messages at once", function()
    local a, b = udp(), udp()
    assert(b:setsockopt(csock.IPPROTO_IP, csock.IP_PKTINFO, 1))
    assert(b:setsockopt(csock.IPPROTO_IP, csock.IP_RECVTTL, 1))
    assert(b:setsockopt(csock.IPPROTO_IP, csock.IP_RECVTOS, 1))
    assert(a:sendto("x", b:getsockname()))
    local _, ancdata, flags = b:recvmsg(1, 3 * csock.CMSG_SPACE(12))
    assert.equal(0, flags)
    assert.equal(3, #ancdata)
    local seen = {}
    for _, item in ipairs(ancdata) do seen[item.type] = item.data end
    assert.is_string(seen[csock.IP_PKTINFO])
    assert.equal(4, #seen[csock.IP_TTL])
    assert.equal(1, #seen[csock.IP_TOS])
  end)

  it("sizes are those of cmsg(3)", function()
    local header = csock.CMSG_LEN(0)
    assert.equal(header + 5, csock.CMSG_LEN(5))
    assert.equal(csock.CMSG_SPACE(1), csock.CMSG_SPACE(4))
    assert.is_true(csock.CMSG_SPACE(9) >= csock.CMSG_LEN(9))
    raises("number between", csock.CMSG_LEN, -1)
    raises("number between", csock.CMSG_SPACE, 1 << 62)
    local most = 2 ^ 31 - 1 | 0
    assert.equal(most, csock.CMSG_LEN(most - header))
    raises("number between", csock.CMSG_LEN, most - header + 1)
    local last = most - csock.CMSG_SPACE(1)
    assert.is_true(csock.CMSG_SPACE(last) > last and csock.CMSG_SPACE(last) <= most)
    raises("number between", csock.CMSG_SPACE, last + 1)
  end)
end)

describe("sendmsg_afalg", function()
  -- A socket for an operation of the kernel's cryptography; the test is skipped without it.
  local function algorithm(kind, name, key)
    local ok, s = pcall(function()
      local s = keep(assert(csock.socket(csock.AF_ALG, csock.SOCK_SEQPACKET)))
      assert(s:bind(kind, name))
      if key then assert(s:setsockopt(csock.SOL_ALG, csock.ALG_SET_KEY, key)) end
      return keep((assert(s:accept())))
    end)
    if not ok then pending("this kernel offers no AF_ALG " .. name .. ": " .. tostring(s)) end
    return ok and s
  end

  local function hex(s)
    return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end

  it("leaves hashing to plain sends, which compute a real hash", function()
    local s = algorithm("hash", "sha256")
    if not s then return end
    s:sendall("abc")
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex(s:recv(32)))
  end)

  it("enciphers and deciphers", function()
    local key = string.char(0x06, 0xa9, 0x21, 0x40, 0x36, 0xb8, 0xa1, 0x5b, 0x51, 0x2e, 0x03, 0xd5,
      0x34, 0x12, 0x00, 0x06)
    local iv = string.char(0x3d, 0xaf, 0xba, 0x42, 0x9d, 0x9e, 0xb4, 0x30, 0xb4, 0x22, 0xda, 0x80,
      0x2c, 0x9f, 0xac, 0x41)
    local text = "Single block msg"
    local s = algorithm("skcipher", "cbc(aes)", key)
    if not s then return end
    assert.equal(16, s:sendmsg_afalg(text, { op = csock.ALG_OP_ENCRYPT, iv = iv }))
    local cipher = s:recv(16)
    assert.equal("e353779c1079aeb82708942dbe77181a", hex(cipher)) -- RFC 3602, case 1
    assert.equal(0, s:sendmsg_afalg { op = csock.ALG_OP_DECRYPT, iv = iv, flags = csock.MSG_MORE })
    assert.equal(16, s:sendmsg_afalg({ cipher }, { op = csock.ALG_OP_DECRYPT, iv = iv }))
    assert.equal(text, s:recv(16))
  end)

  it("raises on wrong options", function()
    local a = pair()
    raises("table expected", a.sendmsg_afalg, a, "x")
    raises("op: integer", a.sendmsg_afalg, a, {})
    raises("op: integer", a.sendmsg_afalg, a, { op = -1 })
    raises("iv: string", a.sendmsg_afalg, a, { op = 0, iv = {} })
    raises("assoclen: integer", a.sendmsg_afalg, a, { op = 0, assoclen = -1 })
    raises("assoclen: integer", a.sendmsg_afalg, a, "x", { op = 0, assoclen = 1.5 })
  end)

  it("says EAFNOSUPPORT on a socket of another family", function()
    local a = pair()
    assert.equal(csock.errno.EAFNOSUPPORT, (select(3, a:sendmsg_afalg("x", { op = 0 }))))
  end)
end)
