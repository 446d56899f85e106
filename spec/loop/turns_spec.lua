-- Several tasks that wait on one socket.
local csock = require "csock"
local posix = require "spec.support.posix"
local streams = require "spec.support.streams"
local loop = csock.loop

describe("tasks on one socket", function()
  local a, b

  before_each(function() a, b = assert(csock.socketpair()) end)
  after_each(function() a:close() b:close() streams.close_all() end)

  it("all read until what one event brought is gone", function()
    local got = { 0, 0 }
    csock.run(function()
      local tasks = {}
      for i = 1, 2 do
        tasks[i] = csock.spawn(function()
          while got[1] + got[2] < 1000 do got[i] = got[i] + #assert(a:recv(10)) end
        end)
      end
      csock.sleep(0.01)
      b:sendall(("x"):rep(1000))
      for _, task in ipairs(tasks) do task:join(5) end
      for _, task in ipairs(tasks) do task:cancel() end
    end)
    assert.equal(1000, got[1] + got[2])
    assert.is_true(got[1] >= 100 and got[2] >= 100, "both have had their share")
  end)

  it("all write when there is room again", function()
    local done = 0
    csock.run(function()
      for _ = 1, 3 do
        csock.spawn(function()
          assert(a:sendall(("x"):rep(1000000)))
          done = done + 1
        end)
      end
      local total = 0
      while total < 3000000 do total = total + #assert(b:recv(65536)) end
    end)
    assert.equal(3, done)
  end)

  it("send one after the other: nobody's bytes come between another one's", function()
    local SIZE = 3000000
    local order = {}
    csock.run(function()
      for i = 1, 3 do csock.spawn(function() assert(a:sendall(tostring(i):rep(SIZE))) end) end
      csock.spawn(function()
        csock.sleep(0.001)
        assert(a:sendall(("4"):rep(SIZE)))
      end)
      local got = 0
      while got < 4 * SIZE do
        local data = assert(b:recv(1000))
        got = got + #data
        for run in data:gsub("(.)%1*", "%1"):gmatch "." do
          if order[#order] ~= run then order[#order + 1] = run end
        end
      end
    end)
    assert.equal("1234", table.concat(order))
  end)

  it("pass the turn on when a sender is cancelled that has more to send", function()
    local sent
    csock.run(function()
      local first = csock.spawn(function() a:sendall(("x"):rep(100000000)) end)
      local second = csock.spawn(function() sent = a:sendall("y") end)
      for _ = 1, 50 do b:recv(1000) end
      first:cancel()
      repeat local data = assert(b:recv(65536)) until data:find "y"
      second:join(5)
    end)
    assert.equal(1, sent)
  end)

  it("pass the turn on when a sender's time is over", function()
    local sent
    csock.run(function()
      local failed
      csock.spawn(function()
        a:settimeout(0.02)
        failed = select(3, a:sendall(("x"):rep(100000000)))
      end)
      local second = csock.spawn(function()
        a:settimeout(nil)
        sent = a:sendall("y")
      end)
      repeat local data = assert(b:recv(1000)) until data:find "y"
      second:join(5)
      assert.equal(csock.errno.ETIMEDOUT, failed)
    end)
    assert.equal(1, sent)
  end)

  it("pass the turn on when the one whose turn it is gets cancelled", function()
    local got = {}
    csock.run(function()
      local first = csock.spawn(function() got[1] = a:recv(1) end)
      local second = csock.spawn(function() got[2] = a:recv(1) end)
      local third = csock.spawn(function() got[3] = a:recv(1) end)
      csock.sleep(0.01)
      csock.spawn(function() second:cancel() end)
      b:sendall("xy")
      first:join(5)
      assert(third:join(5) == nil)
    end)
    assert.same({ "x", nil, "y" }, got)
  end)

  it("get EBADF when it is closed, though a stream over it goes on", function()
    local stream, other = a:makefile "r", a:makefile "r"
    local got = {}
    csock.run(function()
      local reader = csock.spawn(function() return select(3, a:recv(1)) end)
      local writer = csock.spawn(function() return select(3, a:sendall(("x"):rep(1 << 22))) end)
      local lines = {}
      for i = 1, 3 do -- which keep their order
        lines[i] = csock.spawn(function() got[i] = (i == 3 and other or stream):read "l" end)
      end
      csock.sleep(0.001)
      a:close()
      assert.equal(csock.errno.EBADF, reader:join(5))
      assert.equal(csock.errno.EBADF, writer:join(5))
      b:sendall "one\ntwo\n"
      for i = 1, 2 do lines[i]:join(5) end
      other:close()
      lines[3]:join(5)
      stream:close()
    end)
    assert.same({ "one", "two" }, got)
  end)

  it("are told by select and poll that it is closed, though its number is another one's at once", function()
    for i, call in ipairs {
      function() return select(3, csock.select({ a }, {}, {}, 5)) end,
      function() return select(3, csock.select({}, {}, { a }, 5)) end, -- a hang-up is none of its events
      function()
        local p = csock.poll()
        p:register(a, csock.POLLIN)
        local events = p:poll(5000)
        return events[1] and events[1].event == csock.POLLNVAL and csock.errno.EBADF
      end,
    } do
      csock.run(function()
        local number = a:fileno()
        local task = csock.spawn(call)
        if i == 2 then b:close() end
        csock.sleep(0.001)
        a:close()
        local other <close> = assert(csock.socket())
        assert.equal(number, other:fileno())
        assert.equal(csock.errno.EBADF, (task:join(10)))
      end)
      b:close()
      a, b = assert(csock.socketpair())
    end
  end)

  it("leave the event that came to a stream when the one whose turn it is finds it closed", function()
    local stream = a:makefile "r"
    local got
    csock.run(function()
      local first = csock.spawn(function()
        local data = a:recv(1)
        a:close() -- it is the second one's turn now, which has not begun
        return data
      end)
      local second = csock.spawn(function() return select(3, a:recv(1)) end)
      local reader = csock.spawn(function() got = stream:read(1) end)
      csock.sleep(0.001)
      b:sendall "xy"
      assert.equal("x", first:join(5))
      assert.equal(csock.errno.EBADF, second:join(5))
      reader:join(5)
      stream:close()
    end)
    assert.equal("y", got)
  end)

  it("wait on another object over the same descriptor", function()
    local twin = assert(csock.socket { fileno = a:fileno() })
    local x, y = csock.run(function()
      local one = csock.spawn(function() return a:recv(1) end)
      local two = csock.spawn(function() return twin:recv(1) end)
      csock.sleep(0.01)
      b:sendall("xy")
      return one:join(5) .. two:join(5), twin:detach()
    end)
    assert.is_true(x == "xy" or x == "yx")
    assert.equal(a:fileno(), y)
  end)

  it("leave it non-blocking, whatever timeout is set then", function()
    local flags
    csock.run(function()
      a:settimeout(0.001)
      a:recv(1) -- the loop watches it
      a:settimeout(nil)
      flags = select(2, posix.fd_flags(a:fileno()))
      -- (A system call that has no flag of its own would stop the whole loop.)
      if flags & posix.O_NONBLOCK == 0 then return end
      local file <close> = assert(io.open "spec/loop/turns_spec.lua")
      local task <close> = csock.spawn(function() while a:sendfile(file, 0) do end end)
      for _ = 1, 10 do csock.sleep(0.001) end
      assert.equal("waiting", task:status())
    end)
    assert.is_true(flags & posix.O_NONBLOCK ~= 0)
  end)

  it("are not asked to yield where Lua cannot", function()
    local sent = 0
    csock.run(function()
      local list = {}
      for i = 1, 200 do list[i] = -i end
      table.sort(list, function(x, y)
        sent = sent + assert(a:send("x"))
        b:recv(1)
        return x < y
      end)
    end)
    assert.is_true(sent > 200)
  end)

  it("give others a turn when there is always something to read", function()
    local turns = 0
    csock.run(function()
      local ticker = csock.spawn(function()
        while true do
          turns = turns + 1
          loop.yield()
        end
      end)
      for _ = 1, 1000 do
        a:send("x")
        b:recv(1)
      end
      ticker:cancel()
    end)
    assert.is_true(turns > 10)
  end)

  it("do not keep the others from the poller by being ready again and again", function()
    local got
    csock.run(function()
      local spinners = {}
      local reader = csock.spawn(function() got = a:recv(1) end)
      for i = 1, 3 do
        spinners[i] = csock.spawn(function()
          if i == 1 then spinners[3]:cancel() end -- the last one of the round
          for _ = 1, 100000 do
            if got then break end
            loop.yield()
          end
        end)
      end
      b:send("x")
      reader:join()
    end)
    assert.equal("x", got)
  end)

  -- Whoever has had its share begins when the others had their turn, behind those who stand in line.
  it("send all of theirs in one piece, whenever the others' shares end", function()
    for operations = 56, 64 do
      local c, d = streams.pair()
      local got = {}
      csock.run(function()
        local first = csock.spawn(function() assert(c:sendall(("x"):rep(1000000))) end)
        loop.yield()
        d:settimeout(0)
        local second = csock.spawn(function()
          for _ = 1, operations do table.insert(got, (d:recv(65536))) end
          assert(c:sendall("y"))
        end)
        loop.yield()
        for _ = 1, 10000 do
          local data = d:recv(65536)
          table.insert(got, data)
          if not data and first:status() == "done" and second:status() == "done" then break end
          loop.yield()
        end
      end)
      local sent = table.concat(got)
      assert.equal(1000001, #sent)
      assert.equal(1000001, (sent:find "y"))
    end
  end)

  it("go on with room that came just when their share was over", function()
    for operations = 56, 66 do
      local c, d = streams.pair()
      csock.run(function()
        csock.spawn(loop.timeout, 0.001, c.recv, c, 1):join() -- now the loop watches it
        local idle = csock.spawn(a.recv, a, 1) -- so that the poller is asked
        b:settimeout(0)
        c:settimeout(0)
        repeat until not c:send(("x"):rep(65536))
        c:settimeout(nil)
        d:settimeout(0)
        local writer = csock.spawn(function()
          loop.yield()
          for _ = 1, operations do b:recv(1) end
          c:sendall("y")
        end)
        local reader = csock.spawn(function()
          loop.yield()
          repeat until not d:recv(65536)
        end)
        reader:join()
        writer:join(5)
        assert.equal("done", writer:status())
        idle:cancel()
      end)
    end
  end)
end)
