-- Sockets over a transport: the toy cipher of spec/support/cipher.c, which reads in order to write,
-- writes in order to read, and holds input back; and what goes with TLS as well. What stands on sockets:
-- spec/transport_spec.lua.
local csock = require "csock"
local ciphered = require "spec.support.ciphered"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"

local cipher, pattern, pair, in_task = ciphered.cipher, ciphered.pattern, ciphered.pair, ciphered.in_task
local E = csock.errno

-- Sends a few records of which all has come to the other end, and is held there but for a byte.
local function held(options)
  local a, b = pair(options or { every = 0, ahead = 4096 })
  assert(a:sendall "held back")
  assert.equal("h", b:recv(1))
  return a, b
end

-- Whether the kernel has something to read.
local function kernel_has_input(s) return #assert(csock.select({ s:fileno() }, nil, nil, 0)) > 0 end

local function fill(s)
  s:settimeout(0)
  local total = 0
  while true do
    local n = s:send(("x"):rep(65536))
    if not n then break end
    total = total + n
  end
  s:settimeout(ciphered.LIMIT)
  return total
end

after_each(keep.close)

for _, layer in ipairs(ciphered.layers) do
  for way, run in pairs {
    ["outside of tasks"] = function(f, ...) f(...) end,
    ["in a task"] = function(f, ...) in_task(f, ...) end,
  } do
    for how, timeout in pairs { [""] = false, [" with a time-out"] = ciphered.LIMIT } do
      describe("over " .. layer.name .. ", " .. way .. how .. ",", function()
        local peer
        setup(function() peer = layer.start() end)
        teardown(function() peer:kill() end)

        -- Runs f with a connection to the peer, which plays this role.
        local function with(role, f, options)
          run(function() f(layer.dial(peer, role, timeout or nil, options)) end)
        end

        it("recv gives what was sent, in order, and then the end", function()
          with("source 5000", function(s)
            local parts = {}
            repeat
              parts[#parts + 1] = assert(s:recv(70))
            until parts[#parts] == ""
            assert.equal(pattern(5000), table.concat(parts))
            assert.equal("", s:recv(1))
            assert.equal(5000, (s:getstats()))
          end)
        end)

        it("recv of more than comes at once gives a record, of nothing gives nothing", function()
          with("source 5000", function(s)
            local record = s:recv(1 << 40)
            assert.equal(pattern(#record), record)
            assert.equal(layer.reads_to_write and 100 or 5000, #record)
            assert.equal("", s:recv(0))
            assert.equal(layer.reads_to_write and pattern(130):sub(101) or "", s:recv(30))
          end)
        end)

        it("MSG_PEEK leaves the bytes", function()
          with("source 300", function(s)
            assert.equal(pattern(5), s:recv(5, csock.MSG_PEEK))
            assert.equal(pattern(5), s:recv(5, csock.MSG_PEEK))
            assert.equal(pattern(5), s:recv(5))
            assert.equal(5, (s:getstats()))
          end)
        end)

        it("MSG_WAITALL gathers records", function()
          with("source 5000", function(s)
            assert.equal(pattern(4000), s:recv(4000, csock.MSG_WAITALL))
            assert.equal(pattern(5000):sub(4001), s:recv(4000, csock.MSG_WAITALL))
          end)
        end)

        it("recvfrom, recv_into and recvfrom_into give the same bytes", function()
          with("source 160", function(s)
            local data, address = s:recvfrom(20)
            assert.equal(pattern(20), data)
            assert.is_nil(address)
            local buffer = csock.buffer(40)
            assert.equal(40, s:recv_into(buffer))
            assert.equal(pattern(60):sub(21), buffer:tostring())
            assert.equal(30, s:recvfrom_into(buffer, 30))
            assert.equal(pattern(90):sub(61), buffer:tostring():sub(1, 30))
          end)
        end)

        it("recvmsg and recvmsg_into give bytes alone", function()
          with("source 5000", function(s)
            local data, ancdata, flags, address = s:recvmsg(20)
            assert.equal(pattern(20), data)
            assert.same({}, ancdata)
            assert.equal(0, flags)
            assert.is_nil(address)
            local first, second = csock.buffer(3), csock.buffer(4)
            assert.equal(7, (s:recvmsg_into { first, second }))
            assert.equal(pattern(27):sub(21), first:tostring() .. second:tostring())
          end, { ahead = 4096 })
        end)

        it("send, sendall and sendmsg bring all to the other end", function()
          with("sink", function(s)
            local data, i = pattern(30000), 1
            while i <= 1000 do i = i + assert(s:send(data, 0, i, 1000)) end
            local n = assert(s:sendmsg { data:sub(1001, 1010), csock.buffer(data:sub(1011, 2000)) })
            assert(n >= 10)
            assert.equal(28000 + 1000 - n, s:sendall(data:sub(1001 + n)))
            assert(s:shutdown(csock.SHUT_WR))
            assert.equal("30000 right\n", s:recv(100, csock.MSG_WAITALL))
            if layer.reads_to_write then assert.is_true((cipher.counts(s)) > 0) end
            local received, sent = s:getstats()
            assert.equal(12, received)
            assert.equal(#"sink\n" + 30000, sent)
          end)
        end)

        it("sendall repeats what a full kernel has not taken", function()
          with("sink", function(s)
            s:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 4096)
            local data = pattern(3000000)
            assert.equal(#data, s:sendall(data))
            assert(s:shutdown(csock.SHUT_WR))
            assert.equal("3000000 right\n", s:recv(100, csock.MSG_WAITALL))
          end, { record = 4096, every = 50 })
        end)

        it("both directions go at once", function()
          with("echo", function(s)
            local parts = {}
            for i = 1, 300 do
              assert(s:sendall(("%04d"):format(i)))
              parts[#parts + 1] = assert(s:recv(4))
            end
            assert(s:shutdown(csock.SHUT_WR))
            repeat
              parts[#parts + 1] = assert(s:recv(100))
            until parts[#parts] == ""
            local all = table.concat(parts)
            assert.equal(1200, #all)
            for i = 1, 300 do assert.equal(i, tonumber(all:sub(4 * i - 3, 4 * i))) end
          end)
        end)

        it("a time-out ends a call that waits for a record, and nothing is lost", function()
          run(function()
            local a, b = layer.pair()
            b:settimeout(0.02)
            assert.equal(E.ETIMEDOUT, select(3, b:recv(10)))
            assert(a:sendall "late")
            b:settimeout(ciphered.LIMIT)
            assert.equal("late", b:recv(10))
          end)
        end)

        if layer.reads_to_write then
          it("a write that waits for an answer ends with the time", function()
            run(function()
              local a, b = pair { every = 1 }
              assert(a:sendall "one")
              a:settimeout(0.02)
              assert.equal(E.ETIMEDOUT, select(3, a:send "two"))
              assert.is_true((cipher.counts(a)) < 5) -- it has not tried all the time
              assert.equal("one", b:recv(10))
              b:settimeout(0)
              assert.equal(E.EAGAIN, select(3, b:recv(10))) -- it has answered the question
              assert.equal(3, a:send "two")
              b:settimeout(ciphered.LIMIT)
              assert.equal("two", b:recv(10))
            end)
          end)

          it("a handshake waits for the other end", function()
            run(function()
              local a, b = pair()
              a:settimeout(0.02)
              local ok, err, errno = cipher.handshake(a)
              assert.is_nil(ok)
              assert.equal("handshake", err.call)
              assert.equal(E.ETIMEDOUT, errno)
              assert.is_true(cipher.handshake(b))
              assert.is_true(cipher.handshake(a))
            end)
          end)
        end
      end)
    end
  end
end

describe("a socket's transport", function()
  it("is shown by tostring", function()
    assert.matches("transport=cipher", tostring(pair()))
  end)

  it("is put under a connected stream once, while no stream is open over it", function()
    local a = pair()
    assert.equal(E.EISCONN, select(3, cipher.wrap(a)))
    local u = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert.equal(E.EOPNOTSUPP, select(3, cipher.wrap(u)))
    u:close()
    assert.equal(E.EBADF, select(3, cipher.wrap(u)))
    local c = keep(csock.socketpair())
    local stream = c:makefile()
    assert.equal(E.EBUSY, select(3, cipher.wrap(c)))
    stream:close()
    assert.equal(c, cipher.wrap(c))
  end)

  it("can be taken off again", function()
    local a, b = pair()
    cipher.unwrap(a)
    cipher.unwrap(b)
    assert(a:sendall "plain")
    assert.equal("plain", b:recv(100))
  end)

  it("takes no out-of-band or ancillary data and no addresses", function()
    local a, b = pair()
    local address = b:getsockname()
    assert.equal(E.EOPNOTSUPP, select(3, a:send("x", csock.MSG_OOB)))
    assert.equal(E.EOPNOTSUPP, select(3, a:recv(1, csock.MSG_OOB)))
    assert.equal(E.EOPNOTSUPP, select(3, a:recvmsg(10, 100)))
    assert.equal(E.EOPNOTSUPP, select(3, a:sendmsg({ "x" }, { { csock.SOL_SOCKET, csock.SCM_RIGHTS, "1234" } })))
    assert.equal(E.EOPNOTSUPP, select(3, csock.send_fds(a, "x", { 0 })))
    assert.equal(E.EOPNOTSUPP, select(3, csock.recv_fds(a, 1, 1)))
    assert.equal(E.EISCONN, select(3, a:sendto("x", address)))
    assert.equal(E.EISCONN, select(3, a:sendmsg({ "x" }, nil, 0, address)))
  end)

  it("cannot be copied with its socket", function()
    assert.equal(E.EOPNOTSUPP, select(3, pair():dup()))
  end)

  it("has its own words for what is wrong, and is named in the error's kind", function()
    local a, b = pair { key = 1 }
    assert(a:sendall "x")
    cipher.unwrap(b)
    assert(cipher.wrap(b, { key = 2 }))
    local data, err, errno = b:recv(10)
    assert.is_nil(data)
    assert.equal(E.EBADMSG, errno)
    assert.equal("cipher", err.kind)
    assert.equal("BAD_RECORD", err.name)
    assert.equal("recv: a record that is none [BAD_RECORD]", tostring(err))
    local _, stream_error = b:makefile():read "a"
    assert.equal("read: a record that is none [BAD_RECORD]", tostring(stream_error))
  end)

  it("says goodbye when the socket is closed", function()
    for name, close in pairs {
      close = function(s) s:close() end,
      shutdown = function(s) assert(s:shutdown(csock.SHUT_WR)) end,
      ["shutdown of both directions"] = function(s) assert(s:shutdown(csock.SHUT_RDWR)) end,
      ["<close>"] = function(s) local _ <close> = s end,
    } do
      local a, b = pair()
      assert(a:sendall "last")
      close(a)
      assert.equal("last", b:recv(10), name)
      assert.equal("", b:recv(10), name)
    end
  end)

  it("says goodbye when the socket is collected", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local a = keep((csock.create_connection(listener:getsockname())))
    cipher.wrap(a)
    do cipher.wrap((assert(listener:accept()))) end
    collectgarbage()
    collectgarbage()
    a:settimeout(ciphered.LIMIT)
    assert.equal("", a:recv(10))
  end)

  it("says goodbye when the last stream over a closed socket is closed", function()
    local a, b = pair()
    local stream = a:makefile "w"
    a:close()
    assert(stream:write("from the stream"):close())
    assert.equal("from the stream", b:recv(100))
    assert.equal("", b:recv(10))
  end)

  it("does not say goodbye when the descriptor is given away", function()
    local a, b = pair()
    assert(csock.close(a:detach()))
    local _, err = b:recv(10)
    assert.equal("NO_GOODBYE", err.name)
  end)

  it("does not wait for a peer that takes nothing when the socket is closed", function()
    local a = pair { every = 0, record = 4096 }
    fill(a)
    a:settimeout(nil)
    assert.is_true(a:close())
  end)

  it("waits to say goodbye in shutdown, as long as the socket may", function()
    local a, b = csock.socketpair() -- once full it stays so; TCP's kernel may still make room
    cipher.wrap(keep(a), { every = 0, record = 4096 })
    cipher.wrap(keep(b), { every = 0, record = 4096 })
    local sent = fill(a)
    a:settimeout(0.02)
    assert.equal(E.ETIMEDOUT, select(3, a:shutdown(csock.SHUT_WR)))
    in_task(function()
      local stream = b:makefile()
      a:settimeout(ciphered.LIMIT)
      local reader = csock.spawn(function() return stream:read "a" end)
      assert(a:shutdown(csock.SHUT_WR))
      assert.is_true(#assert(reader:join(ciphered.LIMIT)) >= sent)
    end)
  end)

  it("reads on after shutdown of its own direction, also where that has to write", function()
    local a, b = pair { every = 1 }
    assert(a:shutdown(csock.SHUT_WR))
    assert(b:sendall "one")
    assert.equal("one", a:recv(10))
    a:settimeout(0)
    assert.equal(E.EAGAIN, select(3, a:recv(10)))
    assert(b:sendall "two")
    assert.equal("two", a:recv(10))
    assert.equal("", b:recv(10))
    assert.equal(E.EPIPE, select(3, a:send "x"))
  end)

  it("says goodbye only in the process that has used it since a fork", function()
    local a, b = pair()
    local to_child, from_parent = keep(csock.socketpair())
    local pid = assert(csock.fork())
    if pid == 0 then
      assert(to_child:recv(1))
      assert(a:sendall "the child's")
      a:close()
      csock._exit(0)
    end
    a:close()
    assert(from_parent:sendall "x")
    b:settimeout(ciphered.LIMIT)
    assert.equal("the child's", b:recv(100))
    assert.equal("", b:recv(10))
    assert(posix.waitpid(pid, ciphered.LIMIT))
  end)

  it("asks for the same bytes again after a try that failed, and says so", function()
    local a = pair { every = 0, record = 4096 }
    fill(a) -- the last record is under way
    local _, err = a:send "something else"
    assert.equal("WRONG_REPEAT", err.name)
  end)
end)

describe("what a transport holds", function()
  it("is readable at once for select", function()
    local _, b = held()
    assert.is_false(kernel_has_input(b))
    assert.is_true(b:dirty())
    assert.same({ { b }, {}, {} }, { csock.select({ b }, nil, nil) })
    assert.equal("eld back", b:recv(100))
    assert.is_false(b:dirty())
    assert.same({ {}, {}, {} }, { csock.select({ b }, nil, nil, 0) })
  end)

  it("is readable at once for poll objects, also when they came before it", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local a = keep((csock.create_connection(listener:getsockname())))
    local b = keep((assert(listener:accept())))
    local poller = csock.poll()
    assert(poller:register(b, csock.POLLIN))
    cipher.wrap(a, { ahead = 4096 })
    cipher.wrap(b, { ahead = 4096 })
    assert.same({}, poller:poll(0))
    assert(a:sendall "held back")
    assert.equal("h", b:recv(1))
    assert.is_false(kernel_has_input(b))
    local events = assert(poller:poll())
    assert.equal(b, events[1].object)
    assert.equal(csock.POLLIN, events[1].event)
  end)

  it("is seen by select and poll through a stream, too", function()
    local _, b = held()
    local stream = b:makefile()
    assert.same({ { stream }, {}, {} }, { csock.select({ stream }, nil, nil) })
    assert.equal("eld", stream:read(3))
    local poller = csock.poll()
    assert(poller:register(stream, csock.POLLIN))
    assert.equal(csock.POLLIN, assert(poller:poll())[1].event)
  end)

  for name, wait in pairs {
    select = function(s) return #assert(csock.select({ s }, nil, nil, ciphered.LIMIT)) end,
    poll = function(s)
      local poller = csock.poll()
      assert(poller:register(s, csock.POLLIN))
      return #assert(poller:poll(ciphered.LIMIT * 1000))
    end,
  } do
    it("ends a " .. name .. " that waits, when a writer has received it", function()
      in_task(function()
        local a, b = pair { every = 1, ahead = 4096 }
        assert(a:sendall "asks")
        local waiting = csock.spawn(wait, a)
        while waiting:status() ~= "waiting" do csock.sleep(0) end
        assert(b:sendall "comes before the answer")
        assert.equal("asks", b:recv(100))
        b:settimeout(0)
        assert.equal(E.EAGAIN, select(3, b:recv(100))) -- answers
        assert.equal(4, a:sendall "more") -- in the same turn: receives both
        assert.is_true(a:dirty())
        assert.is_false(kernel_has_input(a))
        assert.equal(1, waiting:join(ciphered.LIMIT))
      end)
    end)
  end

  it("is the next reader's, in a task", function()
    in_task(function()
      local a, b = pair { every = 0, ahead = 4096 }
      local got = {}
      local readers = {}
      for i = 1, 4 do
        readers[i] = csock.spawn(function()
          local data = assert(b:recv(2))
          got[#got + 1] = data
          return true
        end)
      end
      csock.sleep(0)
      assert(a:sendall "aabbccdd")
      for i = 1, 4 do assert(readers[i]:join(ciphered.LIMIT)) end
      assert.same({ "aa", "bb", "cc", "dd" }, got)
    end)
  end)

  it("wakes a reader when a writer has received it", function()
    in_task(function()
      local a, b = pair { every = 1, ahead = 4096 }
      assert(a:sendall "asks")
      local reader = csock.spawn(function() return a:recv(100) end)
      while reader:status() ~= "waiting" do csock.sleep(0) end
      assert(b:sendall "for the reader")
      assert.equal("asks", b:recv(100))
      b:settimeout(0)
      assert.equal(E.EAGAIN, select(3, b:recv(100))) -- answers
      assert.equal(4, a:sendall "more") -- in the same turn, before the loop has heard of it: receives both
      assert.is_false(kernel_has_input(a))
      assert.equal("for the reader", reader:join(ciphered.LIMIT))
    end)
  end)

  it("wakes a writer when a reader has received its answer", function()
    in_task(function()
      local a, b = pair { every = 1, ahead = 4096 }
      assert(a:sendall "asks")
      local reader = csock.spawn(function() return a:recv(100) end)
      csock.sleep(0)
      local writer = csock.spawn(function() return a:sendall "more" end)
      csock.sleep(0)
      b:settimeout(0)
      assert.equal("asks", b:recv(100))
      assert.equal(E.EAGAIN, select(3, b:recv(100))) -- answers
      a:settimeout(0) -- this call, and no event, receives the answer
      while cipher.counts(a) > 0 and writer:status() == "waiting" do
        a:recv(1)
        csock.sleep(0)
      end
      assert.equal(4, assert(writer:join(ciphered.LIMIT)))
      b:settimeout(ciphered.LIMIT)
      assert.equal("more", b:recv(100))
      assert(b:sendall "end")
      assert.equal("end", assert(reader:join(ciphered.LIMIT)))
    end)
  end)

  -- Tasks that wait to send over `a` until `b` has answered, each its number; and the answer, of which the loop has
  -- not heard. The first of them asks nothing.
  local function answered(count)
    local a, b = csock.socketpair()
    local writers = {}
    cipher.wrap(keep(a), { every = 2 })
    cipher.wrap(keep(b), { every = 0 })
    assert(a:sendall "a")
    assert(a:sendall "b") -- and a question
    for i = 1, count do writers[i] = csock.spawn(function() return a:sendall(tostring(i)) end) end
    csock.sleep(0)
    assert.equal("waiting", writers[count]:status())
    b:settimeout(0)
    assert.equal("a", b:recv(10))
    assert.equal("b", b:recv(10))
    assert.equal(E.EAGAIN, select(3, b:recv(10))) -- answers
    b:settimeout(ciphered.LIMIT)
    a:settimeout(0)
    return a, b, writers
  end

  it("wakes a writer when another, who did not wait for it, has received its answer", function()
    in_task(function()
      local a, b, writers = answered(1)
      assert.equal(1, a:send "0")
      assert.equal(1, assert(writers[1]:join(ciphered.LIMIT)))
      assert.equal("0", b:recv(10))
      assert.equal("1", b:recv(10))
    end)
  end)

  it("wakes all writers when a reader has received the answer", function()
    in_task(function()
      local a, b, writers = answered(2)
      assert.equal(E.EAGAIN, select(3, a:recv(1))) -- receives it
      for i = 1, 2 do
        assert.equal(1, assert(writers[i]:join(ciphered.LIMIT)))
        assert.equal(tostring(i), b:recv(10))
      end
    end)
  end)

  it("wakes a reader when the program has received it outside of tasks", function()
    local a, b = pair { every = 0, ahead = 4096 }
    local reader = csock.spawn(function() return b:recv(10) end)
    csock.run(function()
      csock.sleep(0)
      csock.loop.stop()
    end)
    assert.equal("waiting", reader:status())
    assert(a:sendall "one")
    assert(a:sendall "two")
    b:settimeout(ciphered.LIMIT)
    assert.equal("one", b:recv(10)) -- receives both
    in_task(function() assert.equal("two", assert(reader:join(ciphered.LIMIT))) end)
  end)

  it("wakes who waits for what it needs, when it is taken off", function()
    in_task(function()
      local a, b = pair { every = 1 }
      assert(a:sendall "asks")
      local writers = {}
      for i = 1, 2 do writers[i] = csock.spawn(function() return a:sendall(tostring(i)) end) end
      csock.sleep(0)
      assert.equal("waiting", writers[2]:status())
      assert.equal("asks", b:recv(10))
      b:settimeout(0)
      assert.equal(E.EAGAIN, select(3, b:recv(10))) -- answers
      cipher.unwrap(a)
      cipher.unwrap(b)
      b:settimeout(ciphered.LIMIT)
      for i = 1, 2 do
        assert.equal(1, assert(writers[i]:join(ciphered.LIMIT)))
        assert.equal(tostring(i), b:recv(1))
      end
    end)
  end)

  it("is asked to read once before the loop waits for the peer: it may have to speak first", function()
    in_task(function()
      local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
      local a = keep((csock.create_connection(listener:getsockname(), { timeout = ciphered.LIMIT })))
      local b = keep((assert(listener:accept())))
      local reader = csock.spawn(function() return a:recv(10) end)
      csock.sleep(0)
      assert(b:sendall "plain")
      assert.equal("plain", reader:join(ciphered.LIMIT)) -- drained, and watched from here on
      cipher.wrap(a, { greet = 1 })
      csock.spawn(function() return a:recv(10) end):watch()
      b:settimeout(ciphered.LIMIT)
      assert.equal(9, #assert(b:recv(100)))
    end)
  end)

  it("waits to write where reading has to", function()
    in_task(function()
      local a, b = pair { every = 2, record = 4096, ahead = 4096 }
      a:settimeout(0)
      assert(a:send "1")
      assert(a:send "2") -- and a question
      cipher.unwrap(b)
      cipher.wrap(b, { every = 0, record = 4096, ahead = 4096 })
      local filled = fill(b) -- nobody reads at a: what b has to write must wait
      assert.equal("1", b:recv(10))
      assert.equal("2", b:recv(10))
      local reader = csock.spawn(function() return b:recv(10) end)
      csock.sleep(0)
      csock.sleep(0)
      assert.equal("waiting", reader:status())
      a:settimeout(ciphered.LIMIT)
      local writer = csock.spawn(function() return a:sendall "3" end)
      local got = 0
      while got < filled do got = got + #assert(a:recv(65536)) end
      assert.equal("3", assert(reader:join(ciphered.LIMIT)))
      assert(writer:join(ciphered.LIMIT))
      assert.is_true(select(2, cipher.counts(b)) > 0)
    end)
  end)
end)

describe("many tasks over one transport", function()
  it("read and write at once, in both directions", function()
    in_task(function()
      local a, b = pair()
      local data = pattern(200000)
      local tasks = {}
      for _, ends in ipairs { { a, b }, { b, a } } do
        tasks[#tasks + 1] = csock.spawn(function()
          assert(ends[1]:sendall(data))
          return true
        end)
        tasks[#tasks + 1] = csock.spawn(function()
          return ends[2]:recv(#data, csock.MSG_WAITALL) == data
        end)
      end
      for _, task in ipairs(tasks) do assert.is_true((task:join(ciphered.LIMIT))) end
      assert.is_true(cipher.counts(a) + cipher.counts(b) > 0)
    end)
  end)

  it("are told when the socket is closed", function()
    in_task(function()
      local a = pair { every = 1 }
      assert(a:sendall "asks")
      local reader = csock.spawn(function() return select(3, a:recv(1)) end)
      local writer = csock.spawn(function() return select(3, a:sendall "x") end)
      csock.sleep(0)
      a:close()
      assert.equal(E.EBADF, reader:join(ciphered.LIMIT))
      assert.equal(E.EBADF, writer:join(ciphered.LIMIT))
    end)
  end)
end)

describe("a module of another version", function()
  it("says so in one line", function()
    local registry, name = debug.getregistry(), "spec.support.cipher"
    local api, module = registry["csock.api"], package.loaded[name]
    assert.equal("userdata", type(api))
    registry["csock.api"], package.loaded[name] = nil, nil
    local ok, err = pcall(require, name)
    registry["csock.api"], package.loaded[name] = api, module
    assert.is_false(ok)
    assert.matches("^spec.support.cipher and csock.core are of different versions: " ..
      "it needs interface %d+ %(%d+ bytes%), there is 0 %(0 bytes%)$", err)
  end)
end)

describe("the counts of a socket", function()
  it("are the bytes that the program has received and sent", function()
    local a, b = csock.socketpair()
    keep(a, b)
    assert.same({ 0, 0 }, { a:getstats() })
    assert(a:sendall(("x"):rep(1000)))
    assert(a:send "yy")
    assert.equal("xxx", b:recv(3))
    b:recv(10, csock.MSG_PEEK)
    assert.equal(999, #b:makefile():read(999))
    assert.same({ 0, 1002 }, { a:getstats() })
    assert.equal(1002, (b:getstats()))
    assert(a:sendmsg { "1", "23" })
    assert.equal("123", (b:recvmsg(10)))
    assert.same({ 0, 1005 }, { a:getstats() })
    assert.same({ 1005, 0 }, { b:getstats() })
    a:close()
    assert.same({ 0, 1005 }, { a:getstats() })
  end)

  it("include datagrams and files", function()
    local u = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(u:bind("127.0.0.1", 0))
    assert(u:sendto("datagram", u:getsockname()))
    assert.equal("datagram", (u:recvfrom(100)))
    assert.same({ 8, 8 }, { u:getstats() })
    local a, b = csock.socketpair()
    keep(a, b)
    local file <close> = assert(io.tmpfile())
    file:write "a file's"
    assert.equal(8, a:sendfile(file))
    assert.same({ 0, 8 }, { a:getstats() })
  end)
end)
