-- Streams that send at the end of the loop's turn. On a SOCK_SEQPACKET socket each system call is a
-- message of its own, so that the specs can count them.
local csock = require "csock"
local streams = require "spec.support.streams"

local E = csock.errno
local loop = csock.loop

-- A stream that sends at the turn's end, the socket at its other end, and its own.
local function writer(kind)
  local a, b = streams.pair(kind or csock.SOCK_SEQPACKET)
  return streams.keep(assert(a:makefile("rw", "turn"))), b, a
end

-- What has arrived, message by message.
local function arrived(socket)
  local messages = {}
  socket:settimeout(0)
  while true do
    local data = socket:recv(100000)
    if not data or data == "" then break end
    messages[#messages + 1] = data
  end
  socket:settimeout(5)
  return messages
end

local function received(socket, size)
  local pieces, count = {}, 0
  while count < size do
    local data = assert(socket:recv(65536))
    assert(data ~= "", "the end came early")
    pieces[#pieces + 1] = data
    count = count + #data
  end
  return table.concat(pieces)
end

-- Takes bytes that have no reader until none fits any more.
local function fill(socket)
  local count = 0
  socket:settimeout(0)
  while true do
    local n = socket:send(("."):rep(4096))
    if not n then break end
    count = count + n
  end
  socket:settimeout(5)
  return count
end

-- Lets turns end.
local function settle()
  for _ = 1, 3 do loop.yield() end
end

describe("a stream that sends at the turn's end", function()
  after_each(streams.close_all)

  it("sends what a task wrote in one system call", function()
    local st, peer = writer()
    csock.run(function() st:write("a"):write("b", 1):write "c" end)
    assert.same({ "ab1c" }, arrived(peer))
  end)

  it("sends what several tasks wrote together, in their order", function()
    local st, peer = writer()
    for i = 1, 5 do csock.spawn(function() st:write(i) end) end
    csock.run()
    assert.same({ "12345" }, arrived(peer))
  end)

  it("sends to each its own", function()
    local writers, peers = {}, {}
    for i = 1, 3 do writers[i], peers[i] = writer() end
    csock.run(function()
      for _, word in ipairs { "to", "all" } do
        for i, st in ipairs(writers) do st:write(word, i) end
      end
    end)
    for i, peer in ipairs(peers) do assert.same({ ("to%dall%d"):format(i, i) }, arrived(peer)) end
  end)

  it("sends each turn's bytes at its own end", function()
    local st, peer = writer()
    csock.run(function()
      for _, word in ipairs { "one", "two" } do
        st:write(word)
        assert.equal(word, peer:recv(10))
      end
    end)
  end)

  it("sends before the task that wrote waits for the answer", function()
    local st, peer = writer(csock.SOCK_STREAM)
    local other = streams.keep(assert(peer:makefile("rw", "turn")))
    csock.spawn(function() other:write(other:read():upper(), "\n") end)
    csock.run(function()
      st:write "question\n"
      assert.equal("QUESTION", st:read())
    end)
  end)

  it("sends before run returns, and when the loop is stopped", function()
    local st, peer = writer()
    csock.run(function()
      st:write "last"
      loop.stop()
    end)
    assert.same({ "last" }, arrived(peer))
  end)

  it("sends at the end of a step", function()
    local st, peer = writer()
    csock.spawn(function() st:write "step" end)
    loop.step()
    assert.same({ "step" }, arrived(peer))
  end)

  it("sends at once outside of the loop", function()
    local st, peer = writer()
    st:write "a":write "b"
    assert.same({ "a", "b" }, arrived(peer))
  end)

  it("sends at once when it is flushed, closed, or full", function()
    local st, peer = writer()
    csock.run(function()
      st:write "a"
      assert(st:flush())
      assert.same({ "a" }, arrived(peer))
      assert(st:setvbuf("turn", 4))
      st:write "abc":write "d":write "e"
      assert.same({ "abcd" }, arrived(peer))
      st:close()
      assert.same({ "e" }, arrived(peer))
    end)
    assert.same({}, arrived(peer))
  end)

  it("leaves sendall on the socket itself immediate", function()
    local st, peer, socket = writer()
    csock.run(function()
      st:write "later"
      socket:sendall "now"
    end)
    assert.same({ "now", "later" }, arrived(peer))
  end)

  it("sends before the socket's shutdown", function()
    local st, peer, socket = writer(csock.SOCK_STREAM)
    csock.run(function()
      st:write "goodbye"
      assert(socket:shutdown(csock.SHUT_WR))
    end)
    assert.equal("goodbye", peer:recv(100))
    assert.equal("", peer:recv(100))
  end)

  it("can be made so later, and be changed back", function()
    local a, peer = streams.pair(csock.SOCK_SEQPACKET)
    local st = streams.keep(a:makefile "w")
    csock.run(function()
      st:setvbuf "turn"
      st:write "a":write "b"
      settle()
      st:setvbuf "full"
      st:write "c"
    end)
    assert.same({ "ab" }, arrived(peer))
    assert(st:flush())
    assert.same({ "c" }, arrived(peer))
  end)

  it("works over a pipe", function()
    local st, r = streams.pipe_writer "turn"
    local reader = streams.keep(csock.stream(r))
    csock.run(function() st:write "through ":write "a pipe\n" end)
    assert.equal("through a pipe", reader:read())
  end)

  it("works over an object's descriptor, and finds it closed", function()
    local a, peer = streams.pair(csock.SOCK_SEQPACKET)
    local st = streams.keep(assert(csock.stream({ fileno = function() return a:fileno() end }, "w", "turn")))
    csock.run(function() st:write "a":write "b" end)
    assert.same({ "ab" }, arrived(peer))
    csock.run(function()
      st:write "c"
      a:close()
    end)
    assert.equal(E.EBADF, select(3, st:flush()))
  end)

  it("refuses another word", function()
    local a = streams.pair()
    assert.error_matches(function() a:makefile("w", "tern") end, "bad argument #2 to 'makefile'")
  end)

  describe("whose peer does not read", function()
    it("sends the rest as the peer reads, in order", function()
      local st, peer, socket = writer(csock.SOCK_STREAM)
      local filled = fill(socket)
      local text
      csock.run(function()
        for i = 10, 50 do st:write(i) end
        settle()
        for i = 51, 99 do st:write(i) end
        text = received(peer, filled + 180)
      end)
      local wanted = {}
      for i = 10, 99 do wanted[#wanted + 1] = i end
      assert.equal(table.concat(wanted), (text:gsub("^%.+", "")))
    end)

    it("makes write wait once the buffer is full", function()
      local st, peer, socket = writer(csock.SOCK_STREAM)
      local filled, written = fill(socket), 0
      st:setvbuf("turn", 1000)
      local task = csock.spawn(function()
        for _ = 1, 100 do
          assert(st:write(("x"):rep(100)))
          written = written + 100
        end
      end)
      csock.run(function()
        settle()
        assert.equal(900, written)
        received(peer, filled + 10000)
        task:join()
        assert.equal(10000, written)
      end)
    end)

    it("does not keep a flush, or another's write, from their turn", function()
      local st, peer, socket = writer(csock.SOCK_STREAM)
      local filled = fill(socket)
      csock.run(function()
        st:write "first "
        settle()
        local task = csock.spawn(function() return st:write "second " and st:flush() end)
        settle()
        csock.spawn(function() socket:sendall "third" end)
        settle()
        assert.equal("first second third", (received(peer, filled + 18):gsub("^%.+", "")))
        assert.is_true(task:join())
      end)
    end)

    it("tells the next call of a time-out, once", function()
      local st, peer, socket = writer(csock.SOCK_STREAM)
      local filled = fill(socket)
      socket:settimeout(0.02)
      csock.run(function()
        st:write "late"
        csock.sleep(0.05)
        assert.equal(E.ETIMEDOUT, select(3, st:write "r"))
        received(peer, filled)
        assert(st:flush())
        assert.equal("later", received(peer, 5))
      end)
    end)

    it("sends when it is asked again, if it does not wait", function()
      local st, peer, socket = writer(csock.SOCK_STREAM)
      local filled = fill(socket)
      socket:settimeout(0)
      csock.run(function()
        assert(st:write "a")
        settle()
        assert(st:write "b")
      end)
      received(peer, filled)
      assert(st:flush())
      assert.equal("ab", received(peer, 2))
    end)

    it("is closed all the same", function()
      local st, _, socket = writer(csock.SOCK_STREAM)
      fill(socket)
      socket:settimeout(0.02)
      csock.run(function()
        st:write "never read"
        settle()
        assert.equal(E.ETIMEDOUT, select(3, st:close()))
        socket:close()
        assert.equal(-1, st:fileno())
      end)
    end)
  end)

  describe("that fails", function()
    it("tells the next write, flush or close why, once", function()
      for _, call in ipairs { "write", "flush", "close" } do
        local st, peer = writer(csock.SOCK_STREAM)
        peer:close()
        csock.run(function()
          assert(st:write "lost")
          settle()
          local ok, err, errno = st[call](st)
          assert.same({ nil, E.EPIPE }, { ok, errno })
          assert.equal(call, err.call)
        end)
      end
    end)

    it("disturbs no other stream", function()
      local broken, gone = writer()
      local st, peer = writer()
      gone:close()
      csock.run(function()
        broken:write "lost"
        st:write "here"
      end)
      assert.same({ "here" }, arrived(peer))
    end)
  end)

  it("sends what it can when it is collected first", function()
    local a, peer = streams.pair(csock.SOCK_SEQPACKET)
    csock.run(function()
      a:makefile("w", "turn"):write "forgotten"
      collectgarbage()
      collectgarbage()
      assert.same({ "forgotten" }, arrived(peer))
    end)
    assert.same({}, arrived(peer))
  end)

  it("sends before a fork, so that nothing is sent twice", function()
    local st, peer = writer()
    csock.run(function()
      st:write "once"
      local pid = assert(csock.fork())
      if pid == 0 then csock._exit(0) end
      csock.waitpid(pid)
    end)
    assert.same({ "once" }, arrived(peer))
  end)
end)
