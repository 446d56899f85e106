-- The limit of a stream: what a peer may make a program keep, without the program's asking each time.
local csock = require "csock"
local errno = csock.errno
local streams = require "spec.support.streams"

after_each(streams.close_all)

-- A stream with that limit, and the socket that it reads from.
local function limited(limit, timeout)
  local a, b = streams.pair()
  b:settimeout(timeout or 5)
  return assert(b:makefile("r", -1, { limit = limit })), a
end

local function too_long(limit, call, ...)
  local nothing, err, code = ...
  assert.is_nil(nothing)
  assert.equal(errno.EMSGSIZE, code)
  assert.equal("EMSGSIZE", err.name)
  assert.equal(call, err.call)
  assert.matches(("limit %d bytes"):format(limit), tostring(err))
end

-- Sends a text in pieces of that size, in a task.
local function send(socket, text, size)
  return csock.spawn(function()
    for i = 1, #text, size do
      socket:sendall(text:sub(i, i + size - 1))
      csock.yield()
    end
    socket:close()
  end)
end

describe("a stream with a limit", function()
  for size = 1, 12 do
    it(("takes lines of that length and none that are longer, %d byte(s) at a time"):format(size), function()
      csock.run(function()
        local st, peer = limited(4)
        send(peer, "four\nfour\r\n\nfiver\nx\n", size)
        assert.equal("four", st:read())
        too_long(4, "read", st:read()) -- the CR counts: it may be anything
        too_long(4, "read", st:read "L")
        assert.equal("four\r\n", st:read(6)) -- nothing is lost
        assert.equal("", st:read())
        too_long(4, "readline", st:readline())
        too_long(4, "read", st:read("l", "l"))
        assert.equal("fiver\n", st:readline(10)) -- a limit of the call's own comes first
        assert.equal("x", st:read())
        assert.is_nil(st:read())
      end)
    end)

    it(("reads all of that length and no more, %d byte(s) at a time"):format(size), function()
      csock.run(function()
        local st, peer = limited(10)
        send(peer, "0123456789", size)
        assert.equal("0123456789", st:read "a")
        st, peer = limited(10)
        send(peer, "0123456789x", size)
        too_long(10, "read", st:read "a")
        assert.equal("0123456789x", st:read(20))
        st, peer = limited(10)
        send(peer, "1\n2\n3\n4\n5\n", size)
        assert.same({ "1\n", "2\n", "3\n", "4\n", "5\n" }, st:readlines())
        st, peer = limited(9)
        send(peer, "1\n2\n3\n4\n5\n", size)
        too_long(9, "readlines", st:readlines())
        assert.same({ "1\n", "2\n" }, st:readlines(3))
      end)
    end)

    it(("looks no further for a delimiter, %d byte(s) at a time"):format(size), function()
      csock.run(function()
        local st, peer = limited(4)
        send(peer, "four--fiver--x", size)
        assert.equal("four", (st:read_until "--"))
        too_long(4, "read_until", st:read_until "--")
        assert.equal("fiver", (st:read_until("--", 5)))
        assert.equal("x", (st:read_until "--"))
      end)
    end)
  end

  it("does not wait for the end of a line that is too long already", function()
    local st, peer = limited(8, 0)
    peer:send(("x"):rep(9))
    too_long(8, "read", st:read())
    too_long(8, "read", st:read "a")
    too_long(8, "readline", st:readline())
    assert.equal(9, st:buffered())
  end)

  it("keeps no more than that of a peer that sends without end", function()
    csock.run(function()
      local st, peer = limited(1 << 16)
      local flood = csock.spawn(function()
        while peer:sendall(("x"):rep(1 << 16)) do end
      end)
      too_long(1 << 16, "read", st:read())
      assert.is_true(st:buffered() < 1 << 18, st:buffered())
      flood:cancel()
    end)
  end)

  it("raises in lines, and the loop may go on afterwards", function()
    local st, peer = limited(4)
    peer:send "one\nfiver\ntwo\n"
    peer:close()
    local seen = {}
    local ok, err = pcall(function() for line in st:lines() do seen[#seen + 1] = line end end)
    assert.is_false(ok)
    assert.equal("EMSGSIZE", err.name)
    assert.equal("lines", err.call)
    assert.equal("fiver\n", st:read(6))
    for line in st:lines "L" do seen[#seen + 1] = line end
    assert.same({ "one", "two\n" }, seen)
  end)

  it("bounds neither numbers of bytes nor numerals", function()
    local st, peer = limited(4)
    peer:send "0123456789 1234567 x"
    assert.equal("0123456789", st:read(10))
    assert.equal(1234567, st:read "n")
    assert.equal(" x", st:peek(2))
  end)

  it("is an integer from 1 on, or false for none; csock.stream has it too", function()
    local a = streams.pair()
    for _, bad in ipairs { 0, -1, 1.5, "many", {} } do
      assert.has_error(function() a:makefile("r", -1, { limit = bad }) end)
    end
    assert.has_error(function() a:makefile("r", -1, { limits = 1 }) end)
    assert.has_error(function() a:makefile("r", -1, { closefd = false }) end) -- csock.stream's
    assert(a:makefile("r", { limit = false }))
    local st <close> = assert(csock.stream(assert(io.open "README.md"), "r", { limit = 3 }))
    too_long(3, "read", st:read "a")
  end)
end)
