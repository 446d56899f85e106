-- Streams: makefile, csock.stream, their life, timeout and text.
local csock = require "csock"
local errno = csock.errno
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local function fails(number, call, ...)
  assert.equal(3, select("#", ...))
  local nothing, err, code = ...
  assert.is_nil(nothing)
  assert.equal(number, code)
  assert.equal(call, err.call)
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

local function is_open(fd)
  return posix.fd_flags(fd) ~= nil
end

-- The warnings that a program causes.
local function warnings_of(program)
  local p <close> = process.lua { "-W", "-e", program }
  assert.equal(0, p:wait())
  return p.err
end

after_each(streams.close_all)

describe("socket:makefile", function()
  it("reads unless told otherwise", function()
    local a, b = streams.pair()
    local st = streams.keep(assert(a:makefile()))
    b:send("x\n")
    assert.equal("x", st:read())
    fails(errno.EBADF, "write", st:write("y"))
  end)

  it("takes Python's modes", function()
    local a = streams.pair()
    for mode, shown in pairs {
      r = "r", w = "w", rw = "rw", wr = "rw", rb = "r", wb = "w", rwb = "rw", b = "r", [""] = "r",
    } do
      local st = streams.keep(a:makefile(mode))
      assert.matches("mode=" .. shown .. ">", tostring(st), 1, true)
    end
  end)

  it("refuses other modes and bufferings", function()
    local a = streams.pair()
    raises("invalid mode", a.makefile, a, "a")
    raises("invalid mode", a.makefile, a, "r+")
    raises("zero byte", a.makefile, a, "r\0w")
    raises("bad argument", a.makefile, a, "w", "turn\0x")
    raises("bad argument", a.makefile, a, "r", -2)
    raises("bad argument", a.makefile, a, "r", 1 << 40)
    raises("bad argument", a.makefile, a, true)
  end)

  it("reads and writes through one stream with mode rw", function()
    local a, b = streams.pair()
    local one, two = streams.keep(a:makefile("rw"), b:makefile("rw"))
    one:write("question\n"):flush()
    assert.equal("question", two:read())
    two:write("answer\n"):flush()
    assert.equal("answer", one:read())
  end)

  it("gives EBADF on a closed socket", function()
    local a = streams.pair()
    a:close()
    fails(errno.EBADF, "makefile", a:makefile())
  end)

  it("keeps the descriptor open when the socket is closed, until the last stream is", function()
    local a, b = streams.pair()
    local fd = a:fileno()
    local one, two = assert(a:makefile()), assert(a:makefile("w"))
    a:close()
    assert.equal(-1, a:fileno())
    fails(errno.EBADF, "recv", a:recv(1))
    b:send("still here\n")
    assert.equal("still here", one:read())
    one:close()
    assert.is_true(is_open(fd))
    two:write("bye"):flush()
    assert.equal("bye", b:recv(10))
    two:close()
    assert.is_false(is_open(fd))
    assert.equal("", b:recv(10))
  end)

  it("leaves the descriptor to the socket when the streams are closed first", function()
    local a, b = streams.pair()
    a:makefile():close()
    a:makefile("w"):close()
    assert.equal(1, a:send("x"))
    assert.equal("x", b:recv(1))
  end)

  it("keeps the socket object alive", function()
    local st
    do
      local a, b = assert(csock.socketpair())
      st = a:makefile()
      b:send("x\n")
    end
    collectgarbage()
    collectgarbage()
    assert.equal("x", st:read())
    st:close()
  end)

  it("gives EBADF after the socket was detached", function()
    local a = streams.pair()
    local st = streams.keep(a:makefile("rw"))
    local fd = a:detach()
    fails(errno.EBADF, "read", st:read())
    fails(errno.EBADF, "flush", st:flush())
    assert.equal(-1, st:fileno())
    posix.close(fd)
    assert.is_true(st:close())
  end)
end)

describe("a stream's timeout", function()
  it("is its socket's, both ways", function()
    local a = streams.pair()
    local st = streams.keep(a:makefile())
    assert.equal(5, st:gettimeout())
    assert.is_true(st:settimeout(1.5))
    assert.equal(1.5, a:gettimeout())
    a:settimeout(nil)
    assert.is_nil(st:gettimeout())
    st:settimeout(0)
    fails(errno.EAGAIN, "recv", a:recv(1))
  end)

  it("is its own over other descriptors, and none at first", function()
    local st, w = streams.pipe_reader()
    assert.equal(5, st:gettimeout())
    assert.is_true(st:settimeout(0))
    assert.equal(0, st:gettimeout())
    posix.close(w)
    local other = streams.keep(csock.stream(io.stdin))
    assert.is_nil(other:gettimeout())
  end)

  it("refuses what is no time, and EBADF on a closed stream", function()
    local st = streams.reader()
    raises("seconds", st.settimeout, st, -1)
    raises("seconds >= 0 expected", st.settimeout, st, {})
    raises("value expected", st.settimeout, st)
    st:close()
    fails(errno.EBADF, "settimeout", st:settimeout(1))
  end)
end)

describe("csock.stream", function()
  it("owns a descriptor number", function()
    local r, w = posix.pipe()
    local st = assert(csock.stream(r))
    assert.equal(r, st:fileno())
    assert.is_true(st:close())
    assert.is_false(is_open(r))
    posix.close(w)
  end)

  it("does not own it with closefd = false", function()
    local r, w = posix.pipe()
    assert(csock.stream(r, { closefd = false })):close()
    assert(csock.stream(r, "r", -1, { closefd = false })):close()
    assert.is_true(is_open(r))
    posix.close(r)
    posix.close(w)
  end)

  it("leaves a Lua file to its owner and keeps it alive", function()
    local st
    do
      local f = assert(io.tmpfile())
      f:write("one\n"):seek("set")
      st = csock.stream(f)
    end
    collectgarbage()
    collectgarbage()
    assert.equal("one", st:read())
    st:close()
    local f <close> = assert(io.tmpfile())
    csock.stream(f):close()
    assert.equal("file", io.type(f))
  end)

  it("gives EBADF once the Lua file is closed, whoever has its number then", function()
    local f = assert(io.tmpfile())
    local st = streams.keep(csock.stream(f, "rw"))
    f:close()
    local other <close> = assert(io.tmpfile())
    other:write("not for you\n"):seek("set")
    fails(errno.EBADF, "read", st:read())
    fails(errno.EBADF, "write", st:write(("x"):rep(10000)))
  end)

  it("takes an object with a fileno method", function()
    local r, w = posix.pipe()
    local object = { fileno = function() return r end }
    local st = assert(csock.stream(object))
    posix.write(w, "x\n", 1)
    assert.equal("x", st:read())
    st:close()
    assert.is_true(is_open(r))
    posix.close(r)
    posix.close(w)
  end)

  it("treats a socket as makefile does", function()
    local a, b = streams.pair()
    local st = assert(csock.stream(a, "rw"))
    b:send("x\n")
    assert.equal("x", st:read())
    a:close()
    st:write("y"):close()
    assert.equal("y", b:recv(1))
    assert.equal("", b:recv(1))
    fails(errno.EBADF, "stream", csock.stream(a))
  end)

  it("reads from a descriptor of a socket", function()
    local a, b = streams.pair()
    local st = assert(csock.stream(a:detach(), "rw"))
    st:settimeout(0.01)
    fails(errno.ETIMEDOUT, "read", st:read())
    b:send("x\n")
    assert.equal("x", st:read())
    st:write("y"):close()
    assert.equal("y", b:recv(1))
    assert.equal("", b:recv(1))
  end)

  it("gives EBADF for a number that is no descriptor and for a closed file", function()
    local r, w = posix.pipe()
    posix.close(r)
    posix.close(w)
    fails(errno.EBADF, "stream", csock.stream(w))
    local f = io.tmpfile()
    f:close()
    fails(errno.EBADF, "stream", csock.stream(f))
  end)

  it("raises for what has no descriptor", function()
    raises("bad argument #1", csock.stream)
    raises("bad argument #1", csock.stream, "x")
    raises("bad argument #1", csock.stream, {})
    raises("invalid mode", csock.stream, 0, "x")
    raises("zero byte", csock.stream, 0, "r\0w")
  end)

  it("leaves no descriptor open when it fails", function()
    collectgarbage()
    local before = #posix.fds()
    local r, w = posix.pipe()
    raises("invalid mode", csock.stream, r, "?")
    posix.close(r)
    posix.close(w)
    collectgarbage()
    assert.equal(before, #posix.fds())
  end)
end)

describe("a stream's end", function()
  it("may be repeated", function()
    local st = streams.reader()
    assert.is_true(st:close())
    assert.is_true(st:close())
    assert.equal(-1, st:fileno())
  end)

  it("is the end of a <close> variable's block", function()
    local r, w = posix.pipe()
    do
      local st <close> = csock.stream(r)
      assert.equal(r, st:fileno())
    end
    assert.is_false(is_open(r))
    posix.close(w)
  end)

  it("comes with the collector too", function()
    local r, w = posix.pipe()
    csock.stream(r)
    collectgarbage()
    collectgarbage()
    assert.is_false(is_open(r))
    posix.close(w)
  end)

  it("comes when the state closes, which sends the rest", function()
    local p <close> = process.lua { "-W", "-e", [[
      local csock = require "csock"
      local out = csock.stream(1, "w", { closefd = false })
      out:write("sent at the end")]] }
    assert.equal(0, p:wait())
    assert.equal("sent at the end", p.out)
    assert.equal("", p.err)
  end)

  it("causes a warning when nobody closed a descriptor of its own", function()
    assert.matches("Lua warning: csock: collected without close: <csock.stream fd=%d+, mode=r>",
      warnings_of [[require "csock".stream(0)]])
  end)

  it("causes no warning when there is nothing to lose", function()
    assert.equal("", warnings_of [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      a:makefile() b:makefile("w"):write("x")
      collectgarbage() collectgarbage()
      a:close() b:close()]])
  end)

  it("causes a warning when bytes are lost", function()
    assert.matches("mode=w>, bytes lost", warnings_of [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      a:makefile("w"):write("x")
      b:close()
      collectgarbage() collectgarbage()
      a:close()]], 1, true)
  end)
end)

describe("a stream's text", function()
  it("tells descriptor and mode", function()
    local a = streams.pair()
    local st = streams.keep(a:makefile("rw"))
    assert.equal(("<csock.stream fd=%d, mode=rw>"):format(a:fileno()), tostring(st))
  end)

  it("tells that it is closed", function()
    local st = streams.reader()
    st:close()
    assert.equal("<csock.stream [closed] fd=-1, mode=r>", tostring(st))
  end)
end)

it("stream methods refuse other objects", function()
  local st, _, s = streams.reader()
  raises("csock.stream expected", st.read, s)
  raises("csock.stream expected", st.read, io.stdin)
  raises("csock.stream expected", st.close, nil)
end)
