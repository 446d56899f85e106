-- Waiting over TLS: time-outs, no time at all, tasks, select and poll; peers that are slow, deaf, or send much at once.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

local E = csock.errno

-- Seconds that something takes which is to time out, and how much later that may be noticed.
local SHORT, LATE = 0.05, 1 * process.slowness

local function kernel_has_input(s) return #assert(csock.select({ s:fileno() }, nil, nil, 0)) > 0 end

describe("over TLS", function()
  if tls.missing then return it("sockets wait", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  for _, version in ipairs { "1.2", "1.3" } do
    tls.ways(function(way, run)
      local where = (", TLS %s, %s"):format(version, way)

      local function dial(role, options)
        options = options or {}
        options.role, options.version = role, version
        local server = tls.listen(options)
        return assert(tls.dial(server.port)), server
      end

      it("recv gives what was sent, in order, and then the end" .. where, function()
        run(function()
          local s, server = dial("source", { size = 100000 })
          local parts = {}
          repeat parts[#parts + 1] = assert(s:recv(777)) until parts[#parts] == ""
          assert.equal(tls.pattern(100000), table.concat(parts))
          assert.equal(100000, (s:getstats()))
          s:close()
          assert.equal("closed", server:result())
        end)
      end)

      it("records of 16 KiB are read a byte at a time" .. where, function()
        run(function()
          local s = dial("records", { size = 2 * 16384 })
          local parts = {}
          for i = 1, 2 * 16384 do parts[i] = assert(s:recv(1)) end
          assert.equal(tls.pattern(2 * 16384), table.concat(parts))
          assert.equal("", s:recv(1))
        end)
      end)

      it("records of 16 KiB are read by lines" .. where, function()
        run(function()
          local s = dial("records", { size = 5 * 16384 })
          local stream, n = keep((s:makefile())), 0
          for line in stream:lines() do
            n = n + 1
            assert.equal(n, tonumber(line))
          end
          assert.equal(5 * 16384 // 8, n)
        end)
      end)

      it("much is written to one that reads" .. where, function()
        run(function()
          local s = dial "sink"
          local data = tls.pattern(1000000)
          assert.equal(#data, s:sendall(data))
          assert(s:shutdown(csock.SHUT_WR))
          assert.equal("1000000 right", s:recv(13, csock.MSG_WAITALL))
        end)
      end)

      it("a file is sent" .. where, function()
        run(function()
          local s = dial "sink"
          local file <close> = assert(io.tmpfile())
          assert(file:write(tls.pattern(300000)))
          assert(file:seek "set")
          assert.equal(300000, s:sendfile(file))
          assert(s:shutdown(csock.SHUT_WR))
          assert.equal("300000 right", s:recv(12, csock.MSG_WAITALL))
        end)
      end)

      it("a peer that never reads makes a write time out" .. where, function()
        run(function()
          local s, server = dial("deaf", { buffer = 4096 })
          tls.fill(s)
          s:settimeout(SHORT)
          local much = ("x"):rep(10000000) -- more than the kernel ever has room for
          local began = csock.now()
          assert.equal(E.ETIMEDOUT, select(3, s:sendall(much)))
          assert.is_true(csock.now() - began < SHORT + LATE)
          assert.equal(E.ETIMEDOUT, select(3, s:recv(1))) -- and reading is as before
          s:close()
          tls.release()
          server:result()
        end)
      end)

      it("tickets alone wake nobody" .. where, function()
        run(function()
          local s = dial "lines"
          s:settimeout(SHORT)
          assert.equal(E.ETIMEDOUT, select(3, s:recv(1)))
          s:settimeout(0)
          assert.equal(E.EAGAIN, select(3, s:recv(1)))
          assert.equal("readable", s:want())
          s:settimeout(tls.LIMIT)
          assert.equal("HELLO\n", tls.ask(s, "hello"))
        end)
      end)
    end)

    it("select and poll see what is held, TLS " .. version, function()
      local a, b = tls.pair(tls.client { version = version })
      assert(b:sendall "held back")
      assert.equal("h", a:recv(1))
      assert.is_false(kernel_has_input(a))
      assert.equal(8, a:pending())
      assert.same({ { a }, {}, {} }, { csock.select({ a }, nil, nil) })
      local poller = csock.poll()
      assert(poller:register(a, csock.POLLIN))
      assert.equal(csock.POLLIN, assert(poller:poll())[1].event)
      assert.equal("eld back", a:recv(100))
      assert.equal(0, a:pending())
      assert.same({ {}, {}, {} }, { csock.select({ a }, nil, nil, 0) })
    end)

    it("what is held is the next reader's, in a task, TLS " .. version, function()
      tls.in_task(function()
        local a, b = tls.pair(tls.client { version = version })
        local readers = {}
        for i = 1, 4 do readers[i] = csock.spawn(function() return a:recv(2) end) end
        csock.sleep(0)
        assert(b:sendall "aabbccdd")
        for i, text in ipairs { "aa", "bb", "cc", "dd" } do assert.equal(text, readers[i]:join(tls.LIMIT)) end
      end)
    end)

    it("both directions go at once, in tasks, TLS " .. version, function()
      tls.in_task(function()
        local a, b = tls.pair(tls.client { version = version })
        local data = tls.pattern(1000000)
        local tasks = {}
        for _, ends in ipairs { { a, b }, { b, a } } do
          tasks[#tasks + 1] = csock.spawn(function() return ends[1]:sendall(data) == #data end)
          tasks[#tasks + 1] = csock.spawn(function() return ends[2]:recv(#data, csock.MSG_WAITALL) == data end)
        end
        for _, task in ipairs(tasks) do assert.is_true((task:join(tls.LIMIT))) end
      end)
    end)

    it("a write that was cancelled in the middle leaves the socket of use to a reader, TLS " .. version, function()
      tls.in_task(function()
        local a, b = tls.narrow_pair(tls.client { version = version })
        local writer = csock.spawn(function() return a:sendall(("x"):rep(3000000)) end)
        while writer:status() ~= "waiting" do csock.sleep(0) end
        writer:cancel()
        writer:join(tls.LIMIT)
        assert(b:sendall "still heard")
        assert.equal("still heard", a:recv(11, csock.MSG_WAITALL))
      end)
    end)

    it("tasks that wait are told when the socket is closed, TLS " .. version, function()
      tls.in_task(function()
        local a = tls.pair(tls.client { version = version })
        tls.fill(a)
        local reader = csock.spawn(function() return select(3, a:recv(1)) end)
        local writer = csock.spawn(function() return select(3, a:sendall "x") end)
        csock.sleep(0)
        a:close()
        assert.equal(E.EBADF, reader:join(tls.LIMIT))
        assert.equal(E.EBADF, writer:join(tls.LIMIT))
      end)
    end)
  end

  tls.ways(function(way, run)
    local function dial()
      return assert(tls.dial(tls.listen { role = "dribble", pace = 0.02 }.port))
    end

    it("a byte every 20 ms is waited for, " .. way, function()
      run(function()
        local s = dial()
        assert.equal("A\n", tls.ask(s, "a"))
      end)
    end)

    it("a byte every 20 ms is not given more time for that, " .. way, function()
      run(function()
        local s = dial()
        assert(s:sendall "a longer line\n")
        s:settimeout(0.2)
        local began = csock.now()
        assert.equal(E.ETIMEDOUT, select(3, s:recv(1)))
        local took = csock.now() - began
        assert.is_true(took >= 0.2 and took < 0.2 + LATE)
        s:settimeout(tls.LIMIT) -- and nothing is lost
        assert.equal("A LONG", s:recv(6, csock.MSG_WAITALL))
      end)
    end)
  end)

  it("a try that failed is repeated with the same bytes, or more behind them, wherever they are", function()
    local a, b = tls.pair()
    local data = tls.pattern(50000)
    a:settimeout(0)
    local n, _, errno
    repeat n, _, errno = a:send(data) until not n
    assert.equal(E.EAGAIN, errno)
    tls.in_task(function()
      local reader = csock.spawn(function()
        local got = {}
        repeat
          local piece = assert(b:recv(65536))
          got[#got + 1] = piece
        until piece == ""
        return table.concat(got)
      end)
      a:settimeout(tls.LIMIT)
      assert.equal(#data + 4, a:sendall(data .. "more"))
      assert(a:shutdown(csock.SHUT_WR))
      assert.equal(data .. "more", assert(reader:join(tls.LIMIT)):sub(-#data - 4))
    end)
  end)

  it("a try that failed is repeated with fewer bytes, and none of them comes twice", function()
    local a, b = tls.pair()
    local data, at = tls.pattern(50000), 0
    local endless = data .. data
    local function piece(n) return endless:sub(at % #data + 1, at % #data + n) end -- of data, over and over
    a:settimeout(0)
    repeat
      local n = a:send(piece(50000))
      at = at + (n or 0)
    until not n
    local whole = at + 100000
    tls.in_task(function()
      local writer = csock.spawn(function()
        a:settimeout(tls.LIMIT)
        assert.equal(0, a:send "")
        while at < whole do at = at + assert(a:send(piece(math.min(1000, whole - at)))) end
        assert(a:shutdown(csock.SHUT_WR))
      end)
      local got = {}
      repeat
        got[#got + 1] = assert(b:recv(65536))
      until got[#got] == ""
      assert(writer:join(tls.LIMIT) == nil)
      assert.is_true(data:rep(whole // #data + 1):sub(1, whole) == table.concat(got))
    end)
  end)

  it("nothing is kept from being read by a task that writes, and the other way round", function()
    tls.in_task(function()
      local a, b = tls.narrow_pair()
      local writer = csock.spawn(function() return a:sendall(("x"):rep(3000000)) end)
      while writer:status() ~= "waiting" do csock.sleep(0) end
      assert(b:sendall "hello")
      assert.equal("hello", a:recv(5, csock.MSG_WAITALL))
      assert.equal("waiting", writer:status())
      assert.equal(3000000, #assert(b:recv(3000000, csock.MSG_WAITALL)))
      assert.equal(3000000, writer:join(tls.LIMIT))
    end)
  end)
end)
