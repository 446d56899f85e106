-- Reading from streams: read, lines, readline, readlines, read_until, peek, buffered.
local csock = require "csock"
local errno = csock.errno
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local reader, in_pieces = streams.reader, streams.in_pieces

-- nil, an error value that says what failed, and the number.
local function fails(number, call, ...)
  assert.equal(3, select("#", ...))
  local nothing, err, code = ...
  assert.is_nil(nothing)
  assert.equal(csock.errno[number], csock.errno[code])
  assert.equal(number, err.errno)
  assert.equal(call, err.call)
end

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

-- What `read` gives until it gives nil.
local function all(read, ...)
  local list = {}
  for piece in read, ... do list[#list + 1] = piece end
  return list
end

after_each(streams.close_all)

describe("a read that cannot be completed", function()
  it("gives EAGAIN in non-blocking mode and loses nothing", function()
    local st, peer, s = reader()
    s:settimeout(0)
    fails(errno.EAGAIN, "read", st:read())
    local text = "line one\nsecond"
    for i = 1, #text do
      if i > 9 then
        assert.equal(i - 10, st:buffered())
      else
        fails(errno.EAGAIN, "read", st:read())
      end
      peer:send(text:sub(i, i))
      if i == 9 then assert.equal("line one", st:read()) end
      if i > 9 then fails(errno.EAGAIN, "readline", st:readline()) end
    end
    peer:close()
    assert.equal("second", st:read())
    assert.is_nil(st:read())
  end)

  it("takes nothing when only its first formats could be read", function()
    local st, peer, s = reader()
    s:settimeout(0)
    peer:send("17 first\nsecond")
    for _ = 1, 3 do fails(errno.EAGAIN, "read", st:read("n", 1, "l", "l")) end
    assert.equal(15, st:buffered())
    peer:send("\n")
    assert.same({ 17, " ", "first", "second" }, { st:read("n", 1, "l", "l") })
    assert.equal(0, st:buffered())
  end)

  for how, run in pairs(streams.ways) do
    it("times out and can be repeated " .. how, function()
      run(function()
        local st, peer, s = reader()
        s:settimeout(0.01)
        peer:send("abc\nde")
        fails(errno.ETIMEDOUT, "read", st:read("l", "l"))
        fails(errno.ETIMEDOUT, "read", st:read(10))
        fails(errno.ETIMEDOUT, "read", st:read("a"))
        fails(errno.ETIMEDOUT, "read_until", st:read_until("x"))
        fails(errno.ETIMEDOUT, "readlines", st:readlines())
        fails(errno.ETIMEDOUT, "peek", st:peek(7))
        peer:send("f\n")
        assert.same({ "abc", "def" }, { st:read("l", "l") })
      end)
    end)

    it("can be repeated in the middle of a numeral " .. how, function()
      run(function()
        local st, peer, s = reader()
        s:settimeout(0.01)
        peer:send(" \n 12")
        fails(errno.ETIMEDOUT, "read", st:read("n"))
        peer:send("3.5e")
        fails(errno.ETIMEDOUT, "read", st:read("n"))
        peer:send("1,")
        assert.equal(1235.0, st:read("n"))
      end)
    end)
  end

  it("ends with the socket's timeout even when bytes keep coming", function()
    local st, peer, s = reader()
    s:settimeout(0.05)
    csock.spawn(function()
      peer:settimeout(nil)
      while peer:send("x") do csock.sleep(0.001) end
    end)
    local began = posix.monotonic()
    local result
    csock.spawn(function()
      result = table.pack(st:read())
      peer:close()
    end)
    csock.run()
    fails(errno.ETIMEDOUT, "read", table.unpack(result, 1, result.n))
    assert.is_true(posix.monotonic() - began >= 0.05)
    assert.is_true(st:buffered() > 0)
  end)
end)

describe("the end of the stream", function()
  it("is nil for read, again and again", function()
    local st, peer = reader()
    peer:send("a\nb")
    peer:close()
    assert.same({ "a", "b" }, { st:read("l", "l", "l", "l") })
    assert.equal(1, select("#", st:read()))
    assert.is_nil(st:read())
    assert.is_nil(st:read(5))
    assert.is_nil(st:read("n"))
    assert.equal("", st:read("a"))
  end)

  it("is told by a nil after the last result, not by an error", function()
    local st, peer = reader()
    peer:send("one")
    peer:close()
    local results = table.pack(st:read("l", "l", "l"))
    assert.equal(2, results.n)
    assert.equal("one", results[1])
    assert.is_nil(results[2])
  end)

  it("cuts a count short", function()
    local st, peer = reader()
    peer:send("abc")
    peer:close()
    assert.equal("abc", st:read(10))
    assert.is_nil(st:read(10))
  end)

  it("is an empty string for readline and peek, an empty list for readlines", function()
    local st, peer = reader()
    peer:close()
    assert.equal("", st:readline())
    assert.equal("", st:peek())
    assert.equal("", st:peek(3))
    assert.same({}, st:readlines())
    assert.is_nil(st:read_until("x"))
  end)

  it("of a file that grows is no end for ever", function()
    local name = os.tmpname()
    local out = assert(io.open(name, "w"))
    local f = streams.keep(assert(io.open(name)))
    local st = streams.keep(csock.stream(f))
    os.remove(name)
    out:write("one\ntwo"):flush()
    assert.same({ "one", "two" }, all(st:lines()))
    assert.is_nil(st:read())
    out:write("three\n"):close()
    assert.equal("three", st:read())
  end)
end)

describe("stream:read(0)", function()
  it("gives an empty string at once when nothing has come", function()
    local st = reader()
    assert.equal("", st:read(0))
  end)

  it("gives an empty string when bytes are there, and nil at the end", function()
    local st, peer = reader()
    peer:send("x")
    assert.equal("", st:read(0))
    assert.equal("x", st:read(1))
    peer:close()
    assert.is_nil(st:read(0))
  end)

  it("does not wait in a task either", function()
    streams.in_task(function()
      local st, peer = reader()
      assert.equal("", st:read(0))
      peer:send("ab")
      assert.same({ "a", "" }, { st:read(1, 0) })
      assert.same({ "b", "" }, { st:read(1, 0) })
    end)
  end)
end)

describe("formats", function()
  it("may begin with a star and be spelled out, as Lua's", function()
    local st = in_pieces("a\nb\n3 rest", 100)
    assert.same({ "a", "b\n", 3, " rest" }, { st:read("*line", "*L", "*number", "*all") })
  end)

  it("that do not exist raise before anything is read", function()
    local st = in_pieces("a\nb\n", 100)
    raises("invalid format", st.read, st, "l", "x")
    raises("invalid format", st.lines, st, "")
    raises("bad argument", st.read, st, {})
    raises("bad argument", st.read, st, -1)
    raises("no integer", st.read, st, 1.5)
    assert.equal("a", st:read())
  end)

  it("may ask for more bytes than there is memory", function()
    local st = in_pieces("abc", 2)
    assert.equal("abc", st:read(math.maxinteger))
  end)

  it("may be many", function()
    local st = in_pieces(("x"):rep(240), 240)
    local formats = {}
    for i = 1, 250 do formats[i] = 1 end
    assert.equal(241, select("#", st:read(table.unpack(formats))))
    st = in_pieces(("x"):rep(250), 250)
    assert.equal(250, select("#", st:lines(table.unpack(formats))()))
    formats[251] = 1
    raises("too many", st.lines, st, table.unpack(formats))
  end)
end)

describe("stream:lines", function()
  it("raises the error value when reading fails, and loses nothing", function()
    local st, peer, s = reader()
    s:settimeout(0.01)
    peer:send("one\ntw")
    local next_line = st:lines()
    assert.equal("one", next_line())
    local ok, err = pcall(next_line)
    assert.is_false(ok)
    assert.is_true(err:is(csock.timeout))
    assert.equal(errno.ETIMEDOUT, err.errno)
    assert.equal("lines", err.call)
    peer:send("o\n")
    assert.equal("two", next_line())
  end)

  it("raises EBADF once the stream is closed", function()
    local st, peer = reader()
    peer:send("one\ntwo\n")
    local next_line = st:lines()
    assert.equal("one", next_line())
    st:close()
    local ok, err = pcall(next_line)
    assert.is_false(ok)
    assert.equal(errno.EBADF, err.errno)
  end)

  it("keeps the stream alive", function()
    local a, b = streams.pair()
    local next_line = a:makefile():lines()
    collectgarbage()
    collectgarbage()
    b:send("alive\n")
    assert.equal("alive", next_line())
  end)

  it("works in a generic for in a task", function()
    local st, peer = reader()
    local seen = {}
    csock.spawn(function() for line in st:lines() do seen[#seen + 1] = line end end)
    csock.spawn(function()
      for i = 1, 3 do
        peer:sendall("line " .. i)
        csock.sleep(0)
        peer:sendall("\n")
      end
      peer:close()
    end)
    assert(csock.run())
    assert.same({ "line 1", "line 2", "line 3" }, seen)
  end)
end)

describe("stream:readline", function()
  it("takes at most its limit and leaves the rest", function()
    local st = in_pieces("abcdef\ngh\n", 4)
    assert.equal("", st:readline(0))
    assert.equal("abcd", st:readline(4))
    assert.equal("ef\n", st:readline(3))
    assert.equal("gh\n", st:readline(-1))
    assert.equal("", st:readline(5))
  end)

  it("does not wait for the line's end when the limit is reached", function()
    local st, peer = reader()
    peer:send("abc")
    assert.equal("abc", st:readline(3))
  end)
end)

describe("stream:readlines", function()
  it("stops when the hint is reached", function()
    local st = in_pieces("1\n22\n333\n4", 3)
    assert.same({ "1\n", "22\n" }, st:readlines(3))
    assert.same({ "333\n", "4" }, st:readlines())
  end)

  it("does not wait for more once the hint is reached", function()
    local st, peer = reader()
    peer:send("12\n34\n5")
    assert.same({ "12\n", "34\n" }, st:readlines(6))
  end)
end)

describe("stream:read_until", function()
  it("tells whether the delimiter was there", function()
    local st = in_pieces("a;b", 1)
    assert.same({ "a", true }, { st:read_until(";") })
    assert.same({ "b", false }, { st:read_until(";") })
    local results = table.pack(st:read_until(";"))
    assert.equal(1, results.n)
    assert.is_nil(results[1])
  end)

  it("gives empty records", function()
    local st = in_pieces(";;", 2)
    assert.same({ "", true }, { st:read_until(";") })
    assert.same({ "", true }, { st:read_until(";", 0) })
    assert.is_nil(st:read_until(";"))
  end)

  it("finds a delimiter that begins like itself", function()
    for size = 1, 8 do
      local st = in_pieces("xaabaaab", size)
      assert.equal("x", st:read_until("aab"))
      assert.equal("a", st:read_until("aab"))
      assert.is_nil(st:read_until("aab"))
    end
  end)

  it("finds long delimiters and zero bytes", function()
    local boundary = "\0--" .. ("b"):rep(60) .. "\0"
    for _, size in ipairs { 1, 3, 50 } do
      local st = in_pieces("part one" .. boundary .. "two" .. boundary, size)
      assert.equal("part one", st:read_until(boundary))
      assert.equal("two", st:read_until(boundary))
    end
  end)

  it("refuses an empty delimiter", function()
    local st = reader()
    raises("empty delimiter", st.read_until, st, "")
    raises("string expected", st.read_until, st)
  end)

  it("reports a record over its limit at once, with the bytes left in the stream", function()
    local st, peer = reader()
    peer:send("0123456789")
    fails(errno.EMSGSIZE, "read_until", st:read_until("\n", 9))
    assert.equal(10, st:buffered())
    assert.equal("0123456789", st:read(10))
  end)
end)

describe("stream:peek", function()
  it("shows what there is, waiting for the first byte only", function()
    local st, peer = reader()
    peer:send("abc")
    assert.equal("abc", st:peek())
    assert.equal("ab", st:peek(2))
    assert.equal("", st:peek(0))
    assert.equal("abc", st:read(3))
  end)

  it("refuses a negative size", function()
    local st = reader()
    raises("bad argument", st.peek, st, -1)
  end)
end)

describe("a stream that cannot be read", function()
  it("gives EBADF when it is closed", function()
    local st = reader()
    st:close()
    fails(errno.EBADF, "read", st:read())
    fails(errno.EBADF, "readline", st:readline())
    fails(errno.EBADF, "readlines", st:readlines())
    fails(errno.EBADF, "read_until", st:read_until("x"))
    fails(errno.EBADF, "peek", st:peek())
    assert.equal(0, st:buffered())
  end)

  it("gives EBADF when it was opened for writing", function()
    local a = streams.pair()
    local st = streams.keep(a:makefile("w"))
    fails(errno.EBADF, "read", st:read())
  end)

  it("gives ECONNRESET when the peer has reset the connection, and keeps what came before", function()
    local listener = streams.keep(assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM)))
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    local client = streams.keep(assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM)))
    assert(client:connect(listener:getsockname()))
    local conn = assert(listener:accept())
    assert(client:sendall("never read, so that close resets"))
    assert(conn:sendall("half a li"))
    local st = streams.keep(client:makefile())
    assert.equal("half", st:peek(4))
    conn:close()
    fails(errno.ECONNRESET, "read", st:read())
    assert.equal(9, st:buffered())
    assert.equal("half a li", st:read(9))
  end)
end)

describe("several readers", function()
  it("of one socket have buffers of their own", function()
    local a, b = streams.pair()
    local one, two = streams.keep(a:makefile(), a:makefile())
    b:send("one\nmore\n")
    assert.equal("one", one:read())
    b:send("two\n")
    assert.equal("two", two:read())
    assert.equal("more", one:read())
  end)

  it("of one stream in tasks are served in turn from what one of them received", function()
    local st, peer = reader()
    local seen = {}
    for i = 1, 4 do
      csock.spawn(function()
        local line = st:read()
        seen[#seen + 1] = i .. line
      end)
    end
    csock.spawn(function() peer:sendall("a\nb\nc\nd\n") end)
    assert(csock.run())
    assert.same({ "1a", "2b", "3c", "4d" }, seen)
  end)

  it("of one stream in tasks each get whole lines", function()
    local st, peer = reader()
    local seen = {}
    for _ = 1, 3 do
      csock.spawn(function() for line in st:lines() do seen[#seen + 1] = line end end)
    end
    csock.spawn(function()
      for i = 1, 20 do
        peer:sendall("li")
        csock.sleep(0)
        peer:sendall(("ne %02d\nand"):format(i))
        csock.sleep(0)
        peer:sendall((" %02d\n"):format(i))
      end
      peer:close()
    end)
    assert(csock.run())
    table.sort(seen)
    local expected = {}
    for i = 1, 20 do
      expected[i] = ("and %02d"):format(i)
      expected[20 + i] = ("line %02d"):format(i)
    end
    assert.same(expected, seen)
  end)
end)

describe("closing a stream", function()
  it("wakes the task that reads from it, though the socket stays open", function()
    local st, peer, s = reader()
    local result
    csock.spawn(function() result = table.pack(st:read()) end)
    csock.spawn(function() st:close() end)
    assert(csock.run())
    fails(errno.EBADF, "read", table.unpack(result, 1, result.n))
    assert.equal(1, peer:send("x"))
    assert.equal("x", s:recv(1))
  end)
end)

describe("other descriptors", function()
  for how, run in pairs(streams.ways) do
    it("such as pipes are read " .. how, function()
      run(function()
        local st, w = streams.pipe_reader()
        posix.write(w, "one\ntwo", 1)
        assert.equal("one", st:read())
        st:settimeout(0.01)
        fails(errno.ETIMEDOUT, "read", st:read())
        st:settimeout(0)
        fails(errno.EAGAIN, "read", st:read())
        posix.close(w)
        assert.equal("two", st:read())
        assert.is_nil(st:read())
      end)
    end)

    it("keep their O_NONBLOCK flag as it is " .. how, function()
      run(function()
        local st, w = streams.pipe_reader()
        local _, before = posix.fd_flags(st:fileno())
        st:settimeout(0.01)
        fails(errno.ETIMEDOUT, "read", st:read())
        local _, after = posix.fd_flags(st:fileno())
        assert.equal(before, after)
        posix.close(w)
      end)
    end)

    it("such as regular files are read " .. how, function()
      run(function()
        local f = streams.keep(assert(io.tmpfile()))
        f:write("one\r\ntwo\n"):seek("set")
        assert.same({ "one", "two" }, all(streams.keep(csock.stream(f)):lines()))
      end)
    end)
  end

  it("such as standard input are read in a program", function()
    local p <close> = process.lua { "-e", [[
      local csock = require "csock"
      for line in csock.stream(io.stdin):lines() do print("<" .. line .. ">") io.flush() end
      print "end"]] }
    p:write("one\n")
    assert.equal("<one>", p:read_line())
    p:write("t")
    p:write("wo\r\nthree")
    assert.equal("<two>", p:read_line())
    p:close_stdin()
    assert.equal("<three>", p:read_line())
    assert.equal("end", p:read_line())
    assert.equal(0, p:wait())
  end)
end)
