-- Writing to streams: write, flush, setvbuf, and what close does with unsent bytes.
local csock = require "csock"
local errno = csock.errno
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local MANY = ("0123456789abcdef"):rep(1 << 16) -- 1 MiB: more than a socket or a pipe takes at once

local function fails(number, call, ...)
  assert.equal(3, select("#", ...))
  local nothing, err, code = ...
  assert.is_nil(nothing)
  assert.equal(number, code)
  assert.equal(number, err.errno)
  assert.equal(call, err.call)
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

-- A stream to write to, the socket that receives, and the stream's socket.
local function writer(buffering)
  local a, b = streams.pair()
  return streams.keep(assert(a:makefile("w", buffering))), b, a
end

-- What the socket has received so far.
local function arrived(s)
  s:settimeout(0)
  local pieces = {}
  for data in function() return (s:recv(65536)) end do
    if data == "" then break end
    pieces[#pieces + 1] = data
  end
  return table.concat(pieces)
end

after_each(streams.close_all)

describe("stream:write", function()
  it("keeps what it is given until flush", function()
    local st, peer = writer()
    st:write("abc")
    assert.equal("", arrived(peer))
    assert.is_true(st:flush())
    assert.equal("abc", arrived(peer))
  end)

  it("takes strings, numbers and buffers, and returns the stream", function()
    local st, peer = writer()
    assert.equal(st, st:write("a", 1, " ", 2.5, csock.buffer("\0z"), 3.0):write():write(""))
    st:flush()
    assert.equal("a1 2.5\0z3.0", arrived(peer))
  end)

  it("raises for anything else, and then has taken nothing", function()
    local st, peer = writer()
    raises("bad argument #3", st.write, st, "a", {})
    raises("bad argument #2", st.write, st, nil)
    raises("bad argument #4", st.write, st, "a", "b", true)
    st:flush()
    assert.equal("", arrived(peer))
  end)

  it("sends by itself when 8192 bytes have come together", function()
    local st, peer = writer()
    st:write(MANY:sub(1, 8191))
    assert.equal("", arrived(peer))
    st:write("x")
    assert.equal(MANY:sub(1, 8191) .. "x", arrived(peer))
  end)

  it("sends at once with a buffering of 0", function()
    local st, peer = writer(0)
    st:write("a", "b")
    assert.equal("ab", arrived(peer))
  end)

  it("sends complete lines with a buffering of 1", function()
    local st, peer = writer(1)
    st:write("no ")
    assert.equal("", arrived(peer))
    st:write("line\nnext")
    assert.equal("no line\nnext", arrived(peer))
  end)

  it("sends full buffers with a buffering of more", function()
    local st, peer = writer(10)
    st:write("123456789")
    assert.equal("", arrived(peer))
    st:write("0")
    assert.equal("1234567890", arrived(peer))
  end)

  it("has taken the bytes also when sending them times out: nothing is lost or doubled", function()
    local st, peer, s = writer()
    s:settimeout(0.01)
    fails(errno.ETIMEDOUT, "write", st:write(MANY))
    fails(errno.ETIMEDOUT, "flush", st:flush())
    fails(errno.ETIMEDOUT, "write", st:write("and more"))
    local got = ""
    repeat
      got = got .. arrived(peer)
      local ok, _, code = st:flush()
      assert.is_true(ok or code == errno.ETIMEDOUT)
    until ok
    got = got .. arrived(peer)
    assert.is_true(got == MANY .. "and more")
  end)

  it("does the same without waiting in non-blocking mode", function()
    local st, peer, s = writer(0)
    s:settimeout(0)
    fails(errno.EAGAIN, "write", st:write(MANY))
    local got = arrived(peer)
    assert.is_true(#got > 0)
    while not st:flush() do got = got .. arrived(peer) end
    got = got .. arrived(peer)
    assert.is_true(got == MANY)
  end)

  it("waits for a slow reader in a task", function()
    local st, peer = writer()
    local got = {}
    csock.spawn(function()
      assert(st:write(MANY):write("end"):flush())
      st:close()
    end)
    csock.spawn(function()
      repeat
        local data = assert(peer:recv(5000))
        got[#got + 1] = data
      until data:sub(-3) == "end"
    end)
    assert(csock.run())
    assert.is_true(table.concat(got) == MANY .. "end")
  end)

  it("ends for all who flush when one of them has sent everything", function()
    local listener = streams.keep((assert(csock.create_server { "127.0.0.1", 0 })))
    local s = streams.keep((assert(csock.create_connection(listener:getsockname()))))
    local peer = streams.keep((assert(listener:accept())))
    local st = streams.keep(assert(s:makefile("w", 1 << 30)))
    streams.in_task(function()
      s:settimeout(5)
      peer:settimeout(5)
      local tasks, size, got = {}, 16 * #MANY, 0 -- more than the two kernels' ends hold
      for _ = 1, 16 do assert(st:write(MANY)) end
      for i = 1, 4 do tasks[i] = csock.spawn(st.flush, st) end
      csock.sleep(0)
      while got < size do got = got + #assert(peer:recv(1 << 20)) end
      for i = 1, 4 do assert.is_true(assert(tasks[i]:join(5))) end
    end)
  end)

  it("waits for a slow reader in a blocking call", function()
    local p <close> = process.lua { "-e", [[
      local csock = require "csock"
      local out = csock.stream(1, "w")
      assert(out:write(("0123456789abcdef"):rep(1 << 16)):close())]] }
    assert.is_true(p:read_all() == MANY)
    assert.equal(0, p:wait())
  end)

  it("tells of a peer that has gone, without a signal", function()
    posix.signal(posix.SIGPIPE, "count")
    local st, peer = writer(0)
    peer:close()
    fails(errno.EPIPE, "write", st:write("x"))
    fails(errno.EPIPE, "flush", st:flush())
    fails(errno.EPIPE, "close", st:close())
    assert.equal(0, posix.signals_seen())
    posix.signal(posix.SIGPIPE, "default")
  end)

  it("gives EBADF when the stream is closed or was opened for reading", function()
    local st, _, s = writer()
    st:close()
    fails(errno.EBADF, "write", st:write("x"))
    fails(errno.EBADF, "flush", st:flush())
    fails(errno.EBADF, "setvbuf", st:setvbuf("no"))
    local r = streams.keep(s:makefile("r"))
    fails(errno.EBADF, "write", r:write("x"))
    assert.is_true(r:flush())
  end)
end)

describe("stream:setvbuf", function()
  it("has the three modes of Lua's files", function()
    local st, peer = writer()
    assert.is_true(st:setvbuf("no"))
    st:write("a")
    assert.equal("a", arrived(peer))
    assert.is_true(st:setvbuf("line"))
    st:write("b")
    assert.equal("", arrived(peer))
    st:write("\n")
    assert.equal("b\n", arrived(peer))
    assert.is_true(st:setvbuf("full", 3))
    st:write("c\n")
    assert.equal("", arrived(peer))
    st:write("d")
    assert.equal("c\nd", arrived(peer))
  end)

  it("refuses other modes and sizes", function()
    local st = writer()
    raises("invalid option", st.setvbuf, st, "none")
    raises("zero byte", st.setvbuf, st, "no\0ne")
    raises("bad argument", st.setvbuf, st, "full", -1)
  end)
end)

describe("stream:close", function()
  it("sends what is left", function()
    local st, peer = writer()
    st:write("abc")
    assert.is_true(st:close())
    assert.equal("abc", arrived(peer))
  end)

  it("closes also when sending times out, and says so", function()
    local st, _, s = writer(1 << 22)
    s:settimeout(0.01)
    st:write(MANY)
    fails(errno.ETIMEDOUT, "close", st:close())
    assert.equal(-1, st:fileno())
    assert.is_true(st:close())
    assert.is_true(s:fileno() >= 0)
  end)

  it("ends the writes of other tasks with EBADF", function()
    local st, peer, s = writer()
    local written, closed
    csock.spawn(function() written = table.pack(st:write(MANY)) end)
    csock.spawn(function()
      s:settimeout(0.01)
      closed = table.pack(st:close())
    end)
    assert(csock.run())
    fails(errno.ETIMEDOUT, "close", table.unpack(closed, 1, closed.n))
    fails(errno.EBADF, "write", table.unpack(written, 1, written.n))
    assert.is_true(MANY:find(arrived(peer), 1, true) == 1)
  end)

  it("may be called by two tasks at once", function()
    local st, peer = writer(1 << 22)
    assert(st:write(MANY))
    local one, two
    csock.spawn(function() one = st:close() end)
    csock.spawn(function() two = st:close() end)
    local size = 0
    csock.spawn(function()
      while size < #MANY do size = size + #assert(peer:recv(65536)) end
    end)
    assert(csock.run())
    assert.is_true(one)
    assert.is_true(two)
  end)

  it("is done by <close>, which waits", function()
    streams.in_task(function()
      local a, b = streams.pair()
      local got = {}
      local task = csock.spawn(function()
        for data in function() return (b:recv(65536)) end do
          if data == "" then break end
          got[#got + 1] = data
        end
      end)
      do
        local st <close> = a:makefile("w", 1 << 22)
        assert(st:write(MANY))
      end
      a:close()
      task:join()
      assert.is_true(table.concat(got) == MANY)
    end)
  end)
end)

describe("a collected stream", function()
  it("sends what can be sent at once", function()
    local a, b = streams.pair()
    a:makefile("w"):write("abc")
    collectgarbage()
    collectgarbage()
    assert.equal("abc", arrived(b))
  end)

  it("does not wait for the rest", function()
    local a, b = streams.pair()
    a:makefile("w", 1 << 22):write(MANY)
    collectgarbage()
    collectgarbage()
    local got = arrived(b)
    assert.is_true(#got > 0 and #got < #MANY and MANY:sub(1, #got) == got)
  end)
end)

describe("other descriptors", function()
  it("such as full pipes give ETIMEDOUT, and the rest goes later", function()
    local st, r = streams.pipe_writer()
    st:settimeout(0.01)
    fails(errno.ETIMEDOUT, "write", st:write(MANY))
    local got = {}
    while not st:flush() do
      for data in function() return (posix.read(r, 0)) end do got[#got + 1] = data end
    end
    st:close()
    for data in function() return (posix.read(r, 1)) end do
      if data == "" then break end
      got[#got + 1] = data
    end
    posix.close(r)
    assert.is_true(table.concat(got) == MANY)
  end)

  it("such as pipes do not block in non-blocking use, and keep their flags", function()
    local st, r = streams.pipe_writer()
    local _, before = posix.fd_flags(st:fileno())
    st:settimeout(0)
    fails(errno.EAGAIN, "write", st:write(MANY))
    local _, after = posix.fd_flags(st:fileno())
    assert.equal(before, after)
    posix.close(r)
  end)

  it("such as broken pipes give EPIPE without a signal", function()
    posix.signal(posix.SIGPIPE, "count")
    local st, r = streams.pipe_writer(0)
    posix.close(r)
    fails(errno.EPIPE, "write", st:write("x"))
    fails(errno.EPIPE, "close", st:close())
    assert.equal(0, posix.signals_seen())
    posix.signal(posix.SIGPIPE, "default")
  end)

  it("such as pipes are written to in a task, at the reader's pace", function()
    local st, w = streams.pipe_writer()
    local reading = streams.keep(csock.stream(w))
    local got
    csock.spawn(function()
      assert(st:write(MANY))
      assert(st:close())
    end)
    csock.spawn(function() got = reading:read("a") end)
    assert(csock.run())
    assert.is_true(got == MANY)
  end)

  it("such as regular files are written to", function()
    local f = streams.keep(assert(io.tmpfile()))
    local st = assert(csock.stream(f, "w"))
    st:write(MANY)
    assert.is_true(st:close())
    assert.is_true(f:read("a") == "" and f:seek("set") == 0 and f:read("a") == MANY)
  end)
end)
