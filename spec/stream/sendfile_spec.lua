-- socket:sendfile.
local csock = require "csock"
local posix = require "spec.support.posix"

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

local function file_of(content)
  local file = assert(io.tmpfile())
  assert(file:write(content))
  return keep(file)
end

-- All that comes until the end of the stream.
local function receive_all(s)
  local parts = {}
  for data in function() return assert(s:recv(65536)) end do
    if data == "" then break end
    parts[#parts + 1] = data
  end
  return table.concat(parts)
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

-- Larger than any socket's buffer.
local big = {}
for i = 1, 400000 do big[i] = ("%015d\n"):format(i) end
big = table.concat(big)

after_each(function()
  for _, thing in ipairs(open) do pcall(thing.close, thing) end
  open = {}
end)

describe("sendfile", function()
  it("sends a whole file, and leaves its position behind what was sent", function()
    local a, b = pair()
    local file = file_of("0123456789")
    assert.equal(10, a:sendfile(file))
    assert.equal("0123456789", b:recv(100))
    assert.equal(10, file:seek())
  end)

  it("begins at the offset, wherever the file's position is", function()
    local a, b = pair()
    local file = file_of("0123456789")
    file:seek("set", 2)
    assert.equal("23", file:read(2))
    assert.equal(3, a:sendfile(file, 7))
    assert.equal("789", b:recv(100))
    assert.equal(10, a:sendfile(file, 0))
    assert.equal("0123456789", b:recv(100))
  end)

  it("sends count bytes", function()
    local a, b = pair()
    local file = file_of("0123456789")
    assert.equal(4, a:sendfile(file, 3, 4))
    assert.equal("3456", b:recv(100))
    assert.equal(7, file:seek())
    assert.equal("789", file:read("a"))
    assert.equal(2, a:sendfile(file, nil, 2))
    assert.equal("01", b:recv(100))
  end)

  it("sends what is there when count or offset reach beyond the end", function()
    local a, b = pair()
    local file = file_of("0123456789")
    assert.equal(5, a:sendfile(file, 5, 100))
    assert.equal("56789", b:recv(100))
    assert.equal(0, a:sendfile(file, 100))
    assert.equal(0, a:sendfile(file, 10, 1))
  end)

  it("sends nothing of an empty file", function()
    local a = pair()
    assert.equal(0, a:sendfile(file_of("")))
  end)

  it("takes descriptors and objects with a fileno method, and leaves their position", function()
    local a, b = pair()
    local file = file_of("content")
    file:seek("set", 1)
    local fd = csock.stream(file, "r"):fileno()
    assert.equal(7, a:sendfile(fd))
    assert.equal(7, a:sendfile { fileno = function() return fd end })
    assert.equal(7, a:sendfile(csock.stream(file, "r")))
    assert.equal(("content"):rep(3), b:recv(100))
    assert.equal("ontent", file:read("a"))
  end)

  it("sends a file whose size is not known beforehand", function()
    local a, b = pair()
    local file = keep(assert(io.open "/proc/version"))
    local content = file:read("a")
    assert.equal(#content, a:sendfile(file))
    assert.equal(content, b:recv(1000))
  end)

  it("over TCP too", function()
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    local a = keep(assert(csock.create_connection(listener:getsockname())))
    local b = keep((assert(listener:accept())))
    assert.equal(10, a:sendfile(file_of("0123456789")))
    a:close()
    assert.equal("0123456789", receive_all(b))
  end)

  describe("waits", function()
    -- Sends `file` in one task and receives in another; returns sendfile's results, what came.
    local function through(timeout, file, ...)
      local a, b = pair()
      a:settimeout(timeout)
      local sent, got
      csock.spawn(function(...)
        sent = table.pack(a:sendfile(file, ...))
        a:close()
      end, ...)
      csock.spawn(function() got = receive_all(b) end)
      csock.run()
      return sent, got
    end

    it("for room as long as need be, in a task", function()
      local sent, got = through(nil, file_of(big))
      assert.equal(#big, sent[1])
      assert.is_true(big == got)
    end)

    it("and sends exactly a part of a large file", function()
      local sent, got = through(10, file_of(big), 1000001, 3000003)
      assert.equal(3000003, sent[1])
      assert.is_true(big:sub(1000002, 4000004) == got)
    end)

    it("and sends from a pipe what does not fit into its buffer", function()
      local r, w = posix.pipe()
      local output = keep(assert(csock.stream(w, "w")))
      local a, b = pair()
      local sent, got
      csock.spawn(function()
        output:write(big)
        output:close()
        posix.close(w)
      end)
      csock.spawn(function()
        sent = a:sendfile(r)
        a:close()
      end)
      csock.spawn(function() got = receive_all(b) end)
      csock.run()
      posix.close(r)
      assert.equal(#big, sent)
      assert.is_true(big == got)
    end)

    it("until the time is over, and tells what was sent", function()
      local a, b = pair()
      a:settimeout(0.02)
      local file = file_of(big)
      local n, err, errno, sent = a:sendfile(file)
      assert.is_nil(n)
      assert.equal(csock.errno.ETIMEDOUT, errno)
      assert.is_true(err:is(csock.timeout))
      assert.is_true(sent > 0 and sent < #big)
      assert.equal(sent, file:seek())
      a:close()
      assert.is_true(big:sub(1, sent) == receive_all(b))
    end)

    it("not at all with a timeout of 0", function()
      local a, b = pair()
      a:settimeout(0)
      local file = file_of(big)
      local n, _, errno, sent = a:sendfile(file)
      assert.is_nil(n)
      assert.equal(csock.errno.EAGAIN, errno)
      local got = 0
      while got < sent do got = got + #b:recv(65536) end
      assert.equal(sent, got)
      -- The rest can follow from there.
      n, _, _, got = a:sendfile(file, sent)
      assert.is_true((n or got) > 0)
    end)

    it("leaves a socket from outside blocking where it was", function()
      local a, b = pair()
      a:settimeout(nil)
      local outside = keep(csock.fromfd(a))
      assert.equal(3, outside:sendfile(file_of("abc")))
      local _, flags = posix.fd_flags(a:fileno())
      assert.equal(0, flags & posix.O_NONBLOCK)
      assert.equal("abc", b:recv(10))
    end)
  end)

  describe("from a pipe", function()
    it("sends up to its end", function()
      local a, b = pair()
      local file = keep(assert(io.popen("printf hello; printf ' world'")))
      assert.equal(11, a:sendfile(file))
      assert.equal("hello world", b:recv(100))
    end)

    it("sends count bytes and leaves the others in it", function()
      local a, b = pair()
      local r, w = posix.pipe()
      posix.write(w, "0123456789")
      assert.equal(4, a:sendfile(r, 0, 4))
      assert.equal("0123", b:recv(100))
      assert.equal("456789", posix.read(r, 5))
      posix.close(r)
      posix.close(w)
    end)

    it("waits for what is yet to come until the time is over", function()
      local a, b = pair()
      a:settimeout(0.02)
      local r, w = posix.pipe()
      posix.write(w, "some")
      local n, _, errno, sent, rest = a:sendfile(r)
      assert.is_nil(n)
      assert.equal(csock.errno.ETIMEDOUT, errno)
      assert.equal(4, sent)
      assert.is_nil(rest)
      assert.equal("some", b:recv(100))
      posix.close(r)
      posix.close(w)
    end)

    it("gives what it read and could not send, so that nothing is lost", function()
      local a, b = pair()
      local c, d = pair()
      a:settimeout(0)
      local n, sent, rest, _
      local total = 0
      repeat -- fill a's buffer from a pair that has always more
        c:settimeout(0)
        c:send(("x"):rep(30001))
        n, _, _, sent, rest = a:sendfile(d, 0, 30001)
        total = total + (n or sent)
      until not n and rest
      local got = 0
      b:settimeout(0)
      while true do
        local data = b:recv(65536)
        if not data then break end
        got = got + #data
      end
      assert.equal(total, got)
      assert.equal("", (rest:gsub("x", "")))
    end)

    it("sends what a stream holds before what follows it", function()
      local a, b = pair()
      local c, d = pair()
      local stream = keep(d:makefile("r"))
      c:sendall("first\nsecond\nthird\n")
      assert.equal("first", stream:read("l"))
      c:sendall("fourth\n")
      c:close()
      assert.equal(20, a:sendfile(stream))
      assert.equal("second\nthird\nfourth\n", b:recv(100))
      assert.equal("", stream:read("a"))
    end)

    it("refuses an offset with ESPIPE", function()
      local a = pair()
      local r, w = posix.pipe()
      local n, _, errno, sent = a:sendfile(r, 1)
      posix.close(r)
      posix.close(w)
      assert.is_nil(n)
      assert.equal(csock.errno.ESPIPE, errno)
      assert.equal(0, sent)
    end)
  end)

  describe("fails", function()
    it("with EPIPE, and no signal, when the peer is gone", function()
      local a, b = pair()
      b:close()
      local n, _, errno, sent = a:sendfile(file_of("x"))
      assert.is_nil(n)
      assert.equal(csock.errno.EPIPE, errno)
      assert.equal(0, sent)
      posix.signal(posix.SIGPIPE, "count") -- a pending one would arrive now
      assert.equal(0, posix.signals_seen())
      posix.signal(posix.SIGPIPE, "default")
    end)

    it("when the peer goes away in the middle, without a signal too", function()
      local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
      local a = keep(assert(csock.create_connection(listener:getsockname())))
      assert(listener:accept()):close()
      local file = file_of(big)
      local errno
      repeat errno = select(3, a:sendfile(file)) until errno == csock.errno.EPIPE
      posix.signal(posix.SIGPIPE, "count") -- a pending one would arrive now
      assert.equal(0, posix.signals_seen())
      posix.signal(posix.SIGPIPE, "default")
    end)

    it("with EBADF for a closed socket and a closed file", function()
      local a = pair()
      local file = file_of("x")
      file:close()
      local n, err, errno, sent = a:sendfile(file)
      assert.is_nil(n)
      assert.equal(csock.errno.EBADF, errno)
      assert.equal("sendfile", err.call)
      assert.equal(0, sent)
      a:close()
      assert.equal(csock.errno.EBADF, (select(3, a:sendfile(file_of("x")))))
    end)

    it("with EBADF for what is not open for reading", function()
      local a = pair()
      local r, w = posix.pipe()
      assert.equal(csock.errno.EBADF, (select(3, a:sendfile(w))))
      posix.close(r)
      posix.close(w)
      assert.equal(csock.errno.EBADF, (select(3, a:sendfile(w))))
    end)

    it("with EISDIR for a directory", function()
      local a = pair()
      local dir = keep(assert(io.open("/")))
      assert.equal(csock.errno.EISDIR, (select(3, a:sendfile(dir))))
    end)

    it("by raising on wrong arguments", function()
      local a = pair()
      local file = file_of("x")
      raises("value expected", a.sendfile, a)
      raises("socket, stream, file", a.sendfile, a, "name")
      raises("number between 0", a.sendfile, a, file, -1)
      raises("number between 1", a.sendfile, a, file, 0, 0)
      raises("number between 1", a.sendfile, a, file, 0, -5)
      raises("no integer representation", a.sendfile, a, file, 0.5)
      raises("stream socket expected", a.sendfile, pair(csock.SOCK_DGRAM), file)
    end)
  end)
end)
