-- Terminators, producers, and the limits on both.
local csock = require "csock"
local asynchat = require "csock.asynchat"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local class = require "csock.class"

local async_chat = asynchat.async_chat
local turn_until = channels.turn_until
local LIMIT = channels.LIMIT

-- A class that keeps each message in `messages`; `hooks` are further fields.
local function collector(hooks)
  local Collector = channels.recorder(async_chat)
  Collector.handle_read = async_chat.handle_read
  Collector.terminator = "\n"
  Collector.ignore_log_types = { error = true, warning = true }
  Collector.collect_incoming_data = async_chat._collect_incoming_data
  function Collector:found_terminator()
    self.messages = self.messages or {}
    table.insert(self.messages, self:_get_data())
  end
  for name, method in pairs(hooks or {}) do Collector[name] = method end
  return Collector
end

local function chat(hooks)
  local peer, socket = channels.pair()
  local map = {}
  return collector(hooks)(socket, map), peer, map
end

-- Has a channel receive the data in pieces of this size.
local function feed(data, size, hooks)
  local a, b = assert(csock.socketpair())
  local map = {}
  local one = collector(hooks)(b, map)
  for at = 1, #data, size do
    if not a:send(data:sub(at, at + size - 1)) then break end -- it has been closed
    asyncore.poll(LIMIT, map)
  end
  a:close()
  return one, map
end

-- How many bytes a channel keeps to be sent.
local function waiting(one)
  local size = 0
  for i = one.producer_fifo.first, one.producer_fifo.last do size = size + one.producer_fifo[i].size end
  return size
end

-- What is left of a message without its terminator.
local function rest_of(one)
  return table.concat(one.incoming) .. one._in:sub(one._at)
end

describe("a terminator", function()
  local texts = {
    { "\n", "one\ntwo\n\nthree\nfour", { "one", "two", "", "three" }, "four" },
    { "\r\n", "one\r\ntw\ro\r\r\n\r\n\nthree\r", { "one", "tw\ro\r", "" }, "\nthree\r" },
    { "\r\n.\r\n", "a\r\nb\r\n.\r\n\r\n.\r\nc\r\n.\r\r\n.\r\n..\r\n.", { "a\r\nb", "", "c\r\n.\r" }, "..\r\n." },
    { "aab", "aaab|aaaabaabaaa", { "a", "|aa", "" }, "aaa" },
    { "\0%z", "\0\0%z%\0%zx", { "\0", "%" }, "x" },
  }
  for _, text in ipairs(texts) do
    local terminator, data, messages, rest = table.unpack(text)
    it(("is found in pieces of any size: %q"):format(terminator), function()
      for size = 1, #data do
        local one, map = feed(data, size, { terminator = terminator })
        assert.same(messages, one.messages, size)
        assert.equal(rest, rest_of(one), size)
        asyncore.close_all(map)
      end
    end)
  end

  it("may be a number of bytes", function()
    for size = 1, 12 do
      local one, map = feed("abcdefghijkl", size, {
        terminator = 5,
        found_terminator = function(self)
          self:note(self:_get_data())
          self:set_terminator(self.log_text == "abcde " and 3 or 4)
        end,
      })
      assert.equal("abcde fgh ijkl ", one.log_text)
      assert.equal(4, one:get_terminator())
      asyncore.close_all(map)
    end
  end)

  it("that is a number is 0 afterwards: the rest is collected", function()
    for size = 1, 6 do
      local one, map = feed("abcdef", size, { terminator = 2 })
      assert.same({ "ab" }, one.messages)
      assert.equal("cdef", table.concat(one.incoming))
      assert.equal(0, one:get_terminator())
      asyncore.close_all(map)
    end
  end)

  it("may be none: all is collected as it comes", function()
    for _, terminator in ipairs { "", 0, "none" } do
      local one, map = feed("abc\ndef", 3, { get_terminator = function()
        return terminator ~= "none" and terminator or nil
      end })
      assert.is_nil(one.messages)
      assert.same({ "abc", "\nde", "f", size = 7 }, one.incoming)
      asyncore.close_all(map)
    end
  end)

  it("may change from message to message, in the middle of what has come", function()
    local data = "5\nab\ncd3\nxyzend.\n"
    for size = 1, #data do
      local one, map = feed(data, size, { found_terminator = function(self)
        local text = self:_get_data()
        self:note(("%q"):format(text))
        if self.body then
          self.body = false
          self:set_terminator "\n"
        elseif tonumber(text) then
          self.body = true
          self:set_terminator(tonumber(text))
        end
      end })
      assert.equal('"5" "ab\\\ncd" "3" "xyz" "end." ', one.log_text)
      asyncore.close_all(map)
    end
  end)

  it("is a string, a whole number from 0, or nil", function()
    local one = async_chat(nil, {})
    for _, term in ipairs { -1, 1.5, true, {} } do
      assert.error_matches(function() one:set_terminator(term) end, "bad argument #1 to 'set_terminator'")
    end
    for _, term in ipairs { "\n", "", 0, 5 } do
      one:set_terminator(term)
      assert.equal(term, one:get_terminator())
    end
    one:set_terminator(nil)
    assert.is_nil(one:get_terminator())
  end)

  it("is not passed on, nor is an empty piece", function()
    local one, map = feed("\na\n", 3, { collect_incoming_data = function(self, data) self:note(data) end })
    assert.equal("a ", one.log_text)
    asyncore.close_all(map)
  end)
end)

describe("find_prefix_at_end", function()
  it("says how much of the end may be a beginning", function()
    for _, row in ipairs {
      { "qwerty\r", "\r\n", 1 }, { "qwertydkjf", "\r\n", 0 }, { "aa", "aab", 2 }, { "aaa", "aab", 2 }, { "", "ab", 0 },
      { "a", "aaaa", 1 }, { "x\r\n.\r", "\r\n.\r\n", 4 }, { "abc", "x", 0 },
    } do
      assert.equal(row[3], asynchat.find_prefix_at_end(row[1], row[2]))
    end
  end)
end)

describe("an async_chat", function()
  it("must be told what to do with what comes", function()
    local one = feed("a", 1, { collect_incoming_data = async_chat.collect_incoming_data })
    assert.matches("^error:collect_incoming_data must be defined", one.log_text)
    one = feed("\n", 1, { found_terminator = async_chat.found_terminator })
    assert.matches("^error:found_terminator must be defined", one.log_text)
  end)

  it("passes on nothing more once it is closed", function()
    local one = feed("one\ntwo\nthree\n", 100, { found_terminator = function(self)
      self:note(self:_get_data())
      if self.log_text:find "two" then self:close() end
    end })
    assert.equal("one two ", one.log_text)
  end)

  it("is closed when the peer leaves in the middle of a line", function()
    local one, peer, map = chat()
    assert(peer:send "one\ntw")
    peer:close()
    asyncore.loop(LIMIT, false, map)
    assert.same({ "one" }, one.messages)
    assert.matches("^close ", one.log_text)
    assert.same({}, map)
  end)

  it("says what a broken connection says", function()
    local one, peer, map = chat { recv = function()
      return csock.make_error { call = "recv", errno = csock.errno.EIO }
    end }
    assert(peer:send "x")
    turn_until(map, function() return one.closing end)
    assert.matches("^error:.*EIO", one.log_text)
    peer:close()
  end)

  it("takes lines as fast as it gets them", function()
    local lines, expected = {}, {}
    for i = 1, 20000 do lines[i], expected[i] = i .. "\n", tostring(i) end
    local one, peer, map = chat()
    csock.run(function()
      csock.spawn(asyncore.loop, math.huge, false, map)
      assert(peer:sendall(table.concat(lines)))
      peer:close()
    end)
    assert.same(expected, one.messages)
  end)

  it("forgets everything when told to", function()
    local one, peer, map = chat()
    assert(peer:send "some\nthing")
    asyncore.poll(LIMIT, map)
    one.connected = false -- nothing goes
    one:push_with_producer { more = function() error "not this one" end }
    one.connected = true
    one:discard_buffers()
    assert.equal("", rest_of(one))
    assert.is_falsy(one:writable())
    assert(peer:send "new\n")
    turn_until(map, function() return one.messages[2] end)
    assert.same({ "some", "new" }, one.messages)
    one:close()
    peer:close()
  end)

  it("serves many clients at once", function()
    local map = {}
    local Upper = collector { found_terminator = function(self) self:push(self:_get_data():upper() .. "\n") end }
    local server = channels.server(Upper, map)
    channels.during(map, function()
      local group <close> = csock.loop.group()
      for i = 1, 100 do
        group:spawn(function()
          local socket <close> = channels.dial(server)
          local stream <close> = socket:makefile "rw"
          for k = 1, 10 do
            stream:write("line ", k, " of ", i, "\n"):flush()
            assert.equal(("LINE %d OF %d"):format(k, i), stream:read())
          end
        end)
      end
    end)
  end)
end)

describe("max_incoming", function()
  it("lets a message of that length through, in pieces of any size", function()
    local data = ("x"):rep(20) .. "\r\n" .. ("y"):rep(20) .. "\r\n"
    for size = 1, #data do
      local one, map = feed(data, size, { max_incoming = 20, terminator = "\r\n" })
      assert.same({ ("x"):rep(20), ("y"):rep(20) }, one.messages)
      assert.equal("", one.log_text)
      asyncore.close_all(map)
    end
  end)

  it("closes the channel at a longer one, in pieces of any size", function()
    local data = ("x"):rep(21) .. "\r\n" .. "y\r\n"
    for size = 1, #data do
      local one, map = feed(data, size, { max_incoming = 20, terminator = "\r\n" })
      assert.is_nil(one.messages, size)
      assert.equal("close ", one.log_text)
      assert.same({}, map)
    end
  end)

  it("is named in what is printed then", function()
    local text = channels.printed(function()
      feed(("x"):rep(30), 30, { max_incoming = 20, ignore_log_types = {} })
    end)
    assert.matches("^error: closing channel <Recorder connected at 0x%x+>: no terminator in 20 bytes$", text)
  end)

  it("may be handled otherwise: the rest of the message is skipped", function()
    local data = "one\n" .. ("x"):rep(50) .. "\ntwo\n" .. ("y"):rep(21) .. "\nthree\n"
    for size = 1, #data do
      local one, map = feed(data, size, { max_incoming = 20, handle_incoming_overflow = function(self)
        self:note "overflow"
      end })
      assert.same({ "one", "two", "three" }, one.messages, size)
      assert.equal("overflow overflow ", one.log_text)
      asyncore.close_all(map)
    end
  end)

  it("holds for what _collect_incoming_data keeps, whatever the terminator", function()
    for _, terminator in ipairs { 1000000, 0 } do
      local one, map = feed(("x"):rep(100), 7, { max_incoming = 20, terminator = terminator })
      assert.equal("close ", one.log_text)
      assert.same({}, map)
    end
  end)

  it("does not hold for a number of bytes that the class keeps elsewhere", function()
    local size = 0
    local one, map = feed(("x"):rep(100), 7, {
      max_incoming = 20,
      terminator = 100,
      collect_incoming_data = function(_, data) size = size + #data end,
      found_terminator = function(self) self:note "found" end,
    })
    assert.equal("found ", one.log_text)
    assert.equal(100, size)
    asyncore.close_all(map)
  end)

  it("bounds what a peer can make a server keep that sends 10 MB and no terminator, and others are served", function()
    local map = {}
    local peak = 0
    local Line = collector {
      collect_incoming_data = function(self, data)
        async_chat._collect_incoming_data(self, data)
        peak = math.max(peak, self.incoming.size)
      end,
      found_terminator = function(self) self:push(self:_get_data() .. "\n") end,
    }
    local server = channels.server(Line, map)
    channels.during(map, function()
      local bad, good = channels.dial(server), channels.dial(server)
      local sent, err = bad:sendall(("x"):rep(10000000))
      assert.is_nil(sent)
      assert.is_true(err.name == "ECONNRESET" or err.name == "EPIPE")
      assert(good:sendall "hi\n")
      assert.equal("hi\n", channels.read(good, 3))
      bad:close()
      good:close()
    end)
    assert.is_true(peak <= 1 << 20 and peak > 1 << 19)
  end)
end)

describe("push", function()
  it("sends in order: strings, producers, and then the end", function()
    local one, peer, map = chat()
    assert.is_true(one:push "a")
    assert.is_true(one:push "")
    one:push_with_producer(asynchat.simple_producer("bcdefg", 2))
    one:push "h"
    one:push_with_producer(asynchat.simple_producer "")
    one:push "i"
    one:close_when_done()
    asyncore.loop(LIMIT, false, map)
    assert.equal("abcdefghi", channels.read_all(peer))
    assert.equal("close ", one.log_text)
    peer:close()
  end)

  it("sends large data to a peer that reads slowly, and closes then", function()
    local big = {}
    for i = 1, 500000 do big[i] = ("%07d\n"):format(i) end
    big = table.concat(big)
    local one, peer, map = chat { max_outgoing = 1 << 24 }
    one:push(big)
    one:push_with_producer(asynchat.simple_producer(big, 100000))
    one:close_when_done()
    local got
    csock.run(function()
      csock.spawn(asyncore.loop, math.huge, false, map)
      got = channels.read_all(peer)
    end)
    assert.is_true(got == big .. big)
    assert.is_true(one.closing)
    peer:close()
  end)

  it("keeps the order when another task pushes, too, while it sends", function()
    local one, peer, map = chat { max_outgoing = 1 << 24 }
    local parts = {}
    for i = 1, 3000 do parts[i] = ("%d "):format(i):rep(300) end
    channels.during(map, function()
      for _, part in ipairs(parts) do assert(one:push(part)) end
      local all = table.concat(parts)
      assert.is_true(all == channels.read(peer, #all))
    end)
    peer:close()
  end)

  it("is seen at once by a loop that waits in another task", function()
    local one, peer, map = chat { max_outgoing = 1 << 24 }
    channels.during(map, function()
      channels.let_others_wait()
      one:push(("x"):rep(1 << 23))
      assert.equal(1 << 23, #channels.read(peer, 1 << 23))
      channels.let_others_wait()
      one:close_when_done()
      assert.equal("", peer:recv(1))
    end)
    peer:close()
  end)

  it("sends in pieces of ac_out_buffer_size, by send, which may be overridden", function()
    local sizes = {}
    local one, peer, map = chat { ac_out_buffer_size = 4, send = function(self, data)
      sizes[#sizes + 1] = #data
      return async_chat.super.send(self, data)
    end }
    one:push "abcdefghij"
    turn_until(map, function() return not one:writable() end)
    assert.same({ 4, 4, 2 }, sizes)
    assert.equal("abcdefghij", channels.read(peer, 10))
    one:close()
    peer:close()
  end)

  it("waits for the connection", function()
    local map = {}
    local server = channels.server(collector(), map)
    local one = collector()(nil, map)
    assert(one:create_socket())
    one:push "before\n"
    assert(one:connect(server.addr))
    one:push "meanwhile\n"
    turn_until(map, function() return server.last and server.last.messages and server.last.messages[2] end)
    assert.same({ "before", "meanwhile" }, server.last.messages)
    asyncore.close_all(map)
  end)

  it("takes strings, and nothing on a closed channel", function()
    local one, peer = chat()
    assert.error_matches(function() one:push(nil) end, "string expected, got nil")
    one:close()
    for _, push in ipairs { one.push, one.push_with_producer } do
      local ok, err, errno = push(one, "x")
      assert.is_nil(ok)
      assert.equal("EBADF", err.name)
      assert.equal(csock.errno.EBADF, errno)
    end
    peer:close()
  end)

  it("closes the channel when the peer is gone", function()
    local a, b = assert(csock.socketpair())
    local one = collector()(a, {})
    b:close()
    one:push "x"
    assert.equal("close ", one.log_text)
  end)

  it("tells handle_error of a producer that fails", function()
    local one, peer, map = chat()
    one.connected = false -- so that it is asked in the loop
    one:push_with_producer { more = function() error "on purpose" end }
    one.connected = true
    turn_until(map, function() return one.closing end)
    assert.equal("error:on purpose ", one.log_text)
    peer:close()
  end)
end)

describe("max_outgoing", function()
  it("bounds what waits for a peer that does not read, and closes the channel", function()
    local one, peer = chat { max_outgoing = 100000 }
    local ok, err, errno
    repeat
      assert.is_true(waiting(one) <= 110000)
      ok, err, errno = one:push(("x"):rep(10000))
    until not ok
    assert.equal("ENOBUFS", err.name)
    assert.equal(csock.errno.ENOBUFS, errno)
    assert.equal("close ", one.log_text)
    peer:close()
  end)

  it("may be handled otherwise: what was refused is lost, and no more", function()
    local one, peer, map = chat { max_outgoing = 100000, handle_outgoing_overflow = function(self)
      self:note "overflow"
    end }
    local sent = 0
    while one:push(("x"):rep(10000)) do sent = sent + 10000 end
    assert.equal("overflow ", one.log_text)
    channels.during(map, function() assert.equal(sent, #channels.read(peer, sent)) end)
    peer:close()
  end)

  it("lets one large push through", function()
    local one, peer, map = chat { max_outgoing = 10 }
    assert.is_true(one:push(("x"):rep(1 << 22)))
    channels.during(map, function() assert.equal(1 << 22, #channels.read(peer, 1 << 22)) end)
    peer:close()
  end)

  it("bounds the number of producers, too", function()
    local one, peer = chat { max_outgoing = 100000 }
    one.connected = false -- nothing goes
    local count = 0
    while one:push_with_producer(asynchat.simple_producer "x") do count = count + 1 end
    assert.is_true(count >= 20 and count <= 30)
    assert.equal("close ", one.log_text)
    peer:close()
  end)

  it("makes a peer wait that sends requests and does not read the replies; it gets all of them later", function()
    local map, asked, peak = {}, 0, 0
    local function reply_to(text) return text .. (" "):rep(999 - #text) .. "\n" end
    local Reply = collector {
      max_outgoing = 1 << 18,
      found_terminator = function(self)
        asked = asked + 1
        self:push(reply_to(self:_get_data()))
        peak = math.max(peak, waiting(self))
      end,
    }
    local server = channels.server(Reply, map)
    channels.during(map, function()
      local socket = channels.dial(server)
      local requests = {}
      for i = 1, 20000 do requests[i] = i .. "\n" end
      requests = table.concat(requests) -- for 20 MB of replies
      local sender = csock.spawn(function() assert(socket:sendall(requests)) end)
      local other = channels.dial(server)
      assert(other:sendall "hi\n")
      assert.equal(reply_to "hi", channels.read(other, 1000))
      assert.is_true(asked < 20001)
      for i = 1, 20000 do
        assert.is_true(channels.read(socket, 1000) == reply_to(tostring(i)))
      end
      sender:join()
      socket:close()
      other:close()
    end)
    assert.equal(20001, asked)
    assert.is_true(peak <= 1 << 18)
  end)
end)

describe("a simple_producer", function()
  it("gives its string in pieces, and then nothing", function()
    local producer = asynchat.simple_producer("abcde", 2)
    assert.same({ "ab", "cd", "e", "", "" },
      { producer:more(), producer:more(), producer:more(), producer:more(), producer:more() })
    assert.equal(512, #asynchat.simple_producer(("x"):rep(1000)):more())
  end)
end)

describe("the classes", function()
  it("are Python's", function()
    assert.is_true(class.issubclass(async_chat, asyncore.dispatcher))
    assert.is_true(class.issubclass(asyncore.dispatcher_with_send, asyncore.dispatcher))
    assert.is_true(class.issubclass(asyncore.file_dispatcher, asyncore.dispatcher))
  end)
end)
