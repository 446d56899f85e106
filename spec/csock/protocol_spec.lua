-- Protocols, receivers and factories, without a socket.
local class = require "csock.class"
local memory = require "spec.support.memory"
local protocol = require "csock.protocol"
local task = require "csock.task"
local transports = require "spec.support.transports"

local connected, feed = transports.connected, transports.feed

-- A receiver of this class that keeps what it is told: strings by themselves, other calls as tables.
local function recorder(base, method, fields)
  local Recorder = class("Recorder", base)
  for name, value in pairs(fields or {}) do Recorder[name] = value end
  Recorder[method] = function(self, data) table.insert(self.got, data) end
  local new = Recorder()
  new.got = {}
  return connected(new)
end

-- Feeds the input in pieces of every size, with a new receiver each time.
local function every_size(input, make, check)
  for size = 1, #input do
    local receiver = make()
    feed(receiver, input, size)
    check(receiver, size)
  end
end

-- Feeds it cut in two, at every place.
local function every_cut(input, make, check)
  for cut = 0, #input do
    local receiver = make()
    receiver:dataReceived(input:sub(1, cut))
    receiver:dataReceived(input:sub(cut + 1))
    check(receiver, cut)
  end
end

describe("Protocol", function()
  it("is connected by makeConnection, which tells it so", function()
    local Mine = class("Mine", protocol.Protocol)
    local seen
    function Mine:connectionMade() seen = self.transport end
    local mine, transport = Mine(), transports.Transport()
    assert.is_nil(mine.transport)
    mine:makeConnection(transport)
    assert.equal(transport, seen)
    assert.equal(transport, mine.transport)
  end)

  it("needs no callback", function()
    local plain = connected(protocol.Protocol())
    plain:dataReceived("x")
    plain:connectionLost()
  end)
end)

for _, name in ipairs { "LineReceiver", "LineOnlyReceiver" } do
  describe(name, function()
    local function lines(fields)
      return recorder(protocol[name], "lineReceived", fields)
    end

    it("passes on lines, however they come", function()
      local input = "one\r\n\r\ntwo words\r\nthree\nstill three\r\n\rfour\r\r\nrest"
      every_size(input, lines, function(receiver, size)
        assert.same({ "one", "", "two words", "three\nstill three", "\rfour\r" }, receiver.got, "size " .. size)
      end)
      every_cut(input, lines, function(receiver, cut)
        assert.equal(5, #receiver.got, "cut at " .. cut)
      end)
    end)

    it("takes any delimiter", function()
      for _, delimiter in ipairs { "\n", "\0", "%.", "END", "aab" } do
        local input = "one" .. delimiter .. "aaa" .. delimiter .. delimiter .. "x" .. delimiter
        every_size(input, function() return lines { delimiter = delimiter } end, function(receiver, size)
          assert.same({ "one", "aaa", "", "x" }, receiver.got, ("%q, size %d"):format(delimiter, size))
        end)
      end
    end)

    it("takes a line of MAX_LENGTH bytes, wherever it is cut", function()
      every_cut(("x"):rep(5) .. "\r\n" .. ("y"):rep(5) .. "\r\n", function() return lines { MAX_LENGTH = 5 } end,
        function(receiver, cut)
          assert.same({ "xxxxx", "yyyyy" }, receiver.got, "cut at " .. cut)
          assert.is_false(receiver.transport.disconnecting)
        end)
    end)

    it("closes the connection for a longer one, wherever it is cut", function()
      every_cut("ok\r\nxxxxxx\r\nmore\r\n", function() return lines { MAX_LENGTH = 5 } end, function(receiver, cut)
        assert.same({ "ok" }, receiver.got, "cut at " .. cut)
        assert.is_true(receiver.transport.disconnecting)
      end)
    end)

    it("keeps no more than it must of a line without an end", function()
      local receiver = lines { MAX_LENGTH = 1000 }
      local exceeded = 0
      function receiver.lineLengthExceeded(_, data) exceeded = math.max(exceeded, #data) end
      for _ = 1, 1000 do receiver:dataReceived(("x"):rep(100)) end
      assert.is_true(exceeded >= 1000 and exceeded <= 1102)
    end)

    it("gives lineLengthExceeded what came", function()
      local receiver = lines { MAX_LENGTH = 3 }
      local given
      function receiver.lineLengthExceeded(_, data) given = data end
      receiver:dataReceived("xxxx\r\nmore")
      assert.equal("xxxx\r\nmore", given)
      receiver:dataReceived("ok\r\n") -- what it was given is gone
      assert.same({ "ok" }, receiver.got)
    end)

    it("passes on no line after loseConnection", function()
      local receiver = lines()
      function receiver.lineReceived(self, line)
        table.insert(self.got, line)
        self.transport:loseConnection()
      end
      receiver:dataReceived("one\r\ntwo\r\n")
      assert.same({ "one" }, receiver.got)
    end)

    it("passes on any number of lines, and stops behind any of them", function()
      local input = ""
      for i = 1, 200 do input = input .. i .. "\r\n" end
      for stop = 1, 200 do
        local receiver = lines()
        function receiver.lineReceived(self, line)
          table.insert(self.got, line)
          if #self.got == stop then self.transport:loseConnection() end
        end
        receiver:dataReceived(input)
        assert.equal(stop, #receiver.got)
        assert.equal(tostring(stop), receiver.got[stop])
      end
    end)

    it("minds what a callback changes: the delimiter, MAX_LENGTH, the callback", function()
      local receiver = lines { delimiter = "\n", MAX_LENGTH = 4 }
      function receiver.lineReceived(self, line)
        table.insert(self.got, line)
        if line == "semi" then self.delimiter = ";" end
        if line == "nl" then self.delimiter = "\n" end
        if line == "long" then self.MAX_LENGTH = 10 end
        if line == "else" then
          function self.lineReceived(me, other) table.insert(me.got, { other }) end
        end
      end
      receiver:dataReceived("a\nsemi\nb\n;c;nl;d\nlong\n0123456789\nelse\ne\nf\n")
      assert.same({ "a", "semi", "b\n", "c", "nl", "d", "long", "0123456789", "else", { "e" }, { "f" } }, receiver.got)
      receiver:dataReceived("0123456789\n")
      assert.same({ "0123456789" }, receiver.got[12])
    end)

    it("minds what its class changes between chunks", function()
      local receiver = lines { delimiter = ";" }
      local Mine = receiver.__class
      receiver:dataReceived("a;b\n")
      Mine.delimiter = "\n"
      receiver:dataReceived("c\n")
      Mine.MAX_LENGTH = 2
      receiver:dataReceived("long\n")
      assert.same({ "a", "b", "c" }, receiver.got)
      assert.is_true(receiver.transport.disconnecting)
    end)

    it("passes on lines in lines: one receiver's callback may feed another", function()
      local inner = lines()
      local receiver = lines()
      function receiver.lineReceived(self, line)
        table.insert(self.got, line)
        inner:dataReceived(line .. "\r\n" .. line .. "\r\n")
      end
      receiver:dataReceived("1\r\n2\r\n3\r\n4\r\n5\r\n")
      assert.same({ "1", "2", "3", "4", "5" }, receiver.got)
      assert.same({ "1", "1", "2", "2", "3", "3", "4", "4", "5", "5" }, inner.got)
    end)

    it("sends lines", function()
      local receiver = lines()
      receiver:sendLine("hello")
      assert.equal("hello\r\n", receiver.transport.written)
    end)

    it("holds lines back while it is paused", function()
      local receiver = lines()
      function receiver.lineReceived(self, line)
        table.insert(self.got, line)
        if line == "stop" then self:pauseProducing() end
      end
      receiver:dataReceived("one\r\nstop\r\ntwo\r\nthr")
      assert.is_false(receiver.transport.producing)
      receiver:dataReceived("ee\r\n") -- was under way
      assert.same({ "one", "stop" }, receiver.got)
      receiver:resumeProducing()
      assert.is_true(receiver.transport.producing)
      assert.same({ "one", "stop", "two", "three" }, receiver.got)
    end)

    it("holds lines back until the answers are sent", function()
      local receiver = lines()
      function receiver.lineReceived(self, line)
        table.insert(self.got, line)
        self:pauseWriting() -- as the transport does
      end
      receiver:dataReceived("one\r\ntwo\r\n")
      receiver:dataReceived("three\r\n")
      for _, line in ipairs { "one", "two", "three" } do
        assert.equal(line, table.remove(receiver.got))
        assert.same({}, receiver.got)
        receiver:pauseProducing()
        receiver:resumeWriting()
        assert.same({}, receiver.got)
        receiver:resumeProducing()
      end
      assert.same({}, receiver.got)
    end)

    it("takes a chunk of many lines in time that is proportional to it", function()
      local input = ("x"):rep(38) .. "\r\n"
      local count = 0
      local receiver = lines()
      function receiver.lineReceived() count = count + 1 end
      receiver:dataReceived(input:rep(50000)) -- with a copy of the rest for each: 50 GB
      assert.equal(50000, count)
    end)

    it("takes a long line in many pieces in time that is proportional to it", function()
      local long = ("x"):rep(10000000)
      local receiver = lines { MAX_LENGTH = #long }
      feed(receiver, long .. "\r\nshort\r\n", 1000) -- copied, or searched, for each piece: 50 GB
      assert.is_true(receiver.got[1] == long)
      assert.equal("short", receiver.got[2])
    end)

    it("keeps little more of a line than its bytes, however it comes", function()
      local receiver = lines { MAX_LENGTH = 1000000 }
      local piece = ("x"):rep(100)
      assert.is_true(memory.kept(function() feed(receiver, piece:rep(1000), 1) end) < 150000)
    end)

    it("keeps no lines when it is gone, also behind one that was its last", function()
      local input = {}
      for i = 1, 200 do input[i] = ("%09d"):format(i):rep(1000) end
      input = table.concat(input, "\r\n") .. "\r\n"
      for _, last in ipairs { 40, 130, 1000 } do
        local count = 0
        local kept = memory.kept(function()
          local receiver = lines()
          function receiver.lineReceived(self)
            count = count + 1
            if count == last then self.transport:loseConnection() end
          end
          receiver:dataReceived(input)
        end)
        assert.equal(math.min(last, 200), count)
        assert.is_true(kept < 50000, ("%d bytes after %d lines"):format(kept, last))
      end
    end)

    it("finds a delimiter wherever it is cut, also one that begins like what is before it", function()
      for _, delimiter in ipairs { ";", "aab", "abab", "aaaa" } do
        local expected, input = { "", "a", "ab", "xyz", "b", "", "aba" }, ""
        if delimiter == "aaaa" then expected[2], expected[7] = "y", "z" end
        if delimiter == "abab" then expected[3], expected[7] = "y", "z" end
        for _, line in ipairs(expected) do input = input .. line .. delimiter end
        every_size(input, function() return lines { delimiter = delimiter } end, function(receiver, size)
          assert.same(expected, receiver.got, ("%s by %d"):format(delimiter, size))
        end)
      end
    end)
  end)
end

describe("LineReceiver", function()
  -- A header line, its length in bytes of body, then the next header: "3\r\nabc2\r\nxy".
  local Bodies = class("Bodies", protocol.LineReceiver)
  function Bodies:__init() self.got, self.body = {}, "" end

  function Bodies:lineReceived(line)
    self.left = tonumber(line)
    if self.left == 0 then
      table.insert(self.got, "")
    else
      self:setRawMode()
    end
  end

  function Bodies:rawDataReceived(data)
    local mine = data:sub(1, self.left)
    self.body, self.left = self.body .. mine, self.left - #mine
    if self.left == 0 then
      table.insert(self.got, self.body)
      self.body = ""
      self:setLineMode(data:sub(#mine + 1))
    end
  end

  it("goes on with what lineLengthExceeded gives back, in the same chunk", function()
    local receiver = recorder(protocol.LineReceiver, "lineReceived", { MAX_LENGTH = 3 })
    local exceeded = 0
    function receiver.lineLengthExceeded(self, data)
      exceeded = exceeded + 1
      self:setRawMode()
      self:rawDataReceived(data)
    end
    function receiver.rawDataReceived(self, data)
      local _, last = data:find("\r\n", 1, true)
      if last then self:setLineMode(data:sub(last + 1)) end
    end
    receiver:dataReceived("one\r\nmuch longer\r\nlonger\r\ntwo\r\nlong again")
    assert.same({ "one", "two" }, receiver.got)
    assert.equal(3, exceeded)
    receiver:dataReceived(" and again\r\nend\r\n")
    assert.same({ "one", "two", "end" }, receiver.got)
  end)

  it("changes between lines and raw data in the middle of a chunk", function()
    local input = "3\r\nabc0\r\n4\r\n\r\n\r\n1\r\n\r10\r\n0123456789"
    local function make() return connected(Bodies()) end
    local function check(receiver, where)
      assert.same({ "abc", "", "\r\n\r\n", "\r", "0123456789" }, receiver.got, "at " .. where)
    end
    every_size(input, make, check)
    every_cut(input, make, check)
  end)

  it("gives clearLineBuffer what came behind the line", function()
    local receiver = recorder(protocol.LineReceiver, "lineReceived")
    function receiver.lineReceived(self, line)
      table.insert(self.got, line)
      if line == "upgrade" then table.insert(self.got, { self:clearLineBuffer() }) end
    end
    receiver:dataReceived("one\r\nupgrade\r\n\1\2\3")
    receiver:dataReceived("two\r\n")
    assert.same({ "one", "upgrade", { "\1\2\3" }, "two" }, receiver.got)
  end)

  it("goes on otherwise with a line that has begun, when it is told to between chunks", function()
    local receiver = recorder(protocol.LineReceiver, "lineReceived")
    local raw = {}
    function receiver.rawDataReceived(_, data) raw[#raw + 1] = data end
    feed(receiver, "one\r\ntwo", 1)
    receiver:setRawMode()
    receiver:dataReceived "!"
    assert.same({ "two!" }, raw)
    receiver:setLineMode "thr"
    feed(receiver, "ee;e\r", 1)
    receiver.delimiter = ";"
    receiver:dataReceived ""
    assert.same({ "one", "three" }, receiver.got)
    assert.equal("e\r", receiver:clearLineBuffer())
    receiver.delimiter = "\r\n"
    receiver:dataReceived "\n"
    assert.equal("\n", receiver:clearLineBuffer())
    assert.equal("", receiver:clearLineBuffer())
  end)

  it("may be fed by its own callbacks", function()
    local receiver = recorder(protocol.LineReceiver, "lineReceived")
    function receiver.lineReceived(self, line)
      table.insert(self.got, line)
      if line == "one" then self:dataReceived("three\r\n") end
    end
    receiver:dataReceived("one\r\ntwo\r\n")
    assert.same({ "one", "two", "three" }, receiver.got)
  end)
end)

describe("a receiver of strings", function()
  local encode = {
    NetstringReceiver = function(s) return #s .. ":" .. s .. "," end,
    Int8StringReceiver = function(s) return string.pack(">s1", s) end,
    Int16StringReceiver = function(s) return string.pack(">s2", s) end,
    Int32StringReceiver = function(s) return string.pack(">s4", s) end,
  }

  for name, encoded in pairs(encode) do
    describe(name, function()
      local strings = { "hello", "", "a", ("x"):rep(200), "12:ab,", "\0\1\2" }
      local input = ""
      for _, s in ipairs(strings) do input = input .. encoded(s) end

      local function make(fields) return recorder(protocol[name], "stringReceived", fields) end

      it("passes on strings, however they come", function()
        local function check(receiver, where) assert.same(strings, receiver.got, "at " .. where) end
        every_size(input, make, check)
        every_cut(input, make, check)
      end)

      it("sends what it receives", function()
        local sender, receiver = make(), make()
        for _, s in ipairs(strings) do sender:sendString(s) end
        assert.equal(input, sender.transport.written)
        receiver:dataReceived(sender.transport.written)
        assert.same(strings, receiver.got)
      end)

      it("takes strings of MAX_LENGTH bytes, and closes the connection for a longer one", function()
        local function short() return make { MAX_LENGTH = 12 } end
        every_cut(encoded(("x"):rep(12)) .. encoded(("y"):rep(13)) .. encoded("z"), short, function(receiver, cut)
          assert.same({ ("x"):rep(12) }, receiver.got, "cut at " .. cut)
          assert.is_true(receiver.transport.disconnecting)
        end)
      end)

      it("tells lengthLimitExceeded the length", function()
        local receiver = make { MAX_LENGTH = 5 }
        local length
        function receiver.lengthLimitExceeded(_, n) length = n end
        receiver:dataReceived(encoded("123456"))
        assert.equal(6, length)
      end)

      it("holds strings back while it is paused", function()
        local receiver = make()
        function receiver.stringReceived(self, s)
          table.insert(self.got, s)
          if s == "stop" then self:pauseProducing() end
        end
        receiver:dataReceived(encoded "stop" .. encoded "one" .. encoded("two"):sub(1, 3))
        receiver:dataReceived(encoded("two"):sub(4))
        assert.same({ "stop" }, receiver.got)
        receiver:resumeProducing()
        assert.same({ "stop", "one", "two" }, receiver.got)
      end)

      it("holds strings back until the answers are sent", function()
        local receiver = make()
        function receiver.stringReceived(self, data)
          table.insert(self.got, data)
          self:pauseWriting() -- as the transport does
        end
        receiver:dataReceived(encoded "one" .. encoded "two")
        receiver:dataReceived(encoded "three")
        for _, text in ipairs { "one", "two", "three" } do
          assert.same({ text }, receiver.got)
          receiver.got = {}
          receiver:resumeWriting()
        end
        assert.same({}, receiver.got)
      end)

      it("passes on nothing after loseConnection", function()
        local receiver = make()
        function receiver.stringReceived(self, s)
          table.insert(self.got, s)
          self.transport:loseConnection()
        end
        receiver:dataReceived(encoded "one" .. encoded "two")
        assert.same({ "one" }, receiver.got)
      end)

      it("may be fed by its own callbacks", function()
        local receiver = make()
        function receiver.stringReceived(self, s)
          table.insert(self.got, s)
          if s == "one" then self:dataReceived(encoded "three") end
        end
        receiver:dataReceived(encoded "one" .. encoded "two")
        assert.same({ "one", "two", "three" }, receiver.got)
      end)

      it("keeps little more of a string than its bytes, however it comes", function()
        if name == "Int8StringReceiver" then return end
        local receiver = make()
        local whole = encoded(("x"):rep(60000))
        assert.is_true(memory.kept(function() feed(receiver, whole:sub(1, -10), 1) end) < 100000)
        receiver:dataReceived(whole:sub(-9))
        assert.equal(60000, #receiver.got[1])
      end)

      it("takes a long string in many pieces in time that is proportional to it", function()
        if name == "Int8StringReceiver" or name == "Int16StringReceiver" then return end
        local long = ("x"):rep(10000000)
        local receiver = make { MAX_LENGTH = #long }
        feed(receiver, encoded(long), 1000) -- copied for each piece: 50 GB
        assert.equal(#long, #receiver.got[1])
      end)
    end)
  end

  it("refuses to send what its prefix cannot say", function()
    local small = connected(protocol.Int8StringReceiver())
    small:sendString(("x"):rep(255))
    assert.error_matches(function() small:sendString(("x"):rep(256)) end, "256 bytes is too long")
    local medium = connected(protocol.Int16StringReceiver())
    assert.error_matches(function() medium:sendString(("x"):rep(65536)) end, "too long")
  end)

  it("NetstringReceiver closes the connection of a peer that does not speak it", function()
    for _, wrong in ipairs { "x", ":,", "-1:,", "01:a,", "1;a,", "1:ab", "3:abcd,", " 1:a,", "1 :a,", "1x" } do
      every_size(wrong, function() return recorder(protocol.NetstringReceiver, "stringReceived") end,
        function(receiver, size)
          assert.same({}, receiver.got)
          assert.is_true(receiver.transport.disconnecting, ("%q, size %d"):format(wrong, size))
          assert.is_true(receiver.brokenPeer)
        end)
    end
  end)

  it("NetstringReceiver waits no longer than it must for an endless number", function()
    local receiver = recorder(protocol.NetstringReceiver, "stringReceived")
    feed(receiver, ("9"):rep(6), 1)
    assert.is_true(receiver.transport.disconnecting)
  end)
end)

describe("Factory", function()
  it("makes protocols of its class, which know it", function()
    local Mine = class("Mine", protocol.Protocol)
    local factory = protocol.Factory:forProtocol(Mine)
    local one, two = factory:buildProtocol(), factory:buildProtocol()
    assert.is_true(class.isinstance(one, Mine))
    assert.are_not_equal(one, two)
    assert.equal(factory, one.factory)
  end)

  it("starts with the first that uses it, and stops with the last", function()
    local events = {}
    local factory = protocol.ServerFactory()
    function factory.startFactory() table.insert(events, "start") end
    function factory.stopFactory() table.insert(events, "stop") end
    factory:doStart()
    factory:doStart()
    factory:doStop()
    assert.same({ "start" }, events)
    factory:doStop()
    factory:doStop()
    assert.same({ "start", "stop" }, events)
  end)
end)

describe("ReconnectingClientFactory", function()
  local function fake_connector()
    local connector = { state = "disconnected", connects = 0 }
    function connector.connect(self)
      self.connects = self.connects + 1
      self.state = "connecting"
    end
    function connector.stopConnecting(self) self.state = "disconnected" end
    return connector
  end

  local function make(fields)
    local factory = protocol.ReconnectingClientFactory()
    factory.clock = task.Clock()
    for name, value in pairs(fields or {}) do factory[name] = value end
    return factory, factory.clock, fake_connector()
  end

  -- How long until the first call; nil when there is none.
  local function wait(clock)
    local first = clock.getDelayedCalls()[1]
    return first and first:getTime() - clock.seconds()
  end

  it("tries again, each time after a longer pause, up to maxDelay", function()
    local factory, clock, connector = make { initialDelay = 1, factor = 2, jitter = 0, maxDelay = 10 }
    local pauses = {}
    for i = 1, 6 do
      factory:clientConnectionFailed(connector)
      pauses[i] = wait(clock)
      clock.advance(pauses[i])
      assert.equal(i, connector.connects)
      connector.state = "disconnected"
    end
    assert.same({ 2, 4, 8, 10, 10, 10 }, pauses)
  end)

  it("tries again when a connection is lost", function()
    local factory, clock, connector = make()
    factory:clientConnectionLost(connector)
    clock.advance(wait(clock))
    assert.equal(1, connector.connects)
  end)

  it("begins with the first pause again after resetDelay", function()
    local factory, clock, connector = make { initialDelay = 1, factor = 3, jitter = 0 }
    for _ = 1, 3 do
      factory:clientConnectionFailed(connector)
      clock.advance(wait(clock))
    end
    factory:resetDelay()
    assert.equal(0, factory.retries)
    factory:clientConnectionLost(connector)
    assert.equal(3, wait(clock))
  end)

  it("varies its pauses", function()
    local seen, different = {}, 0
    for i = 1, 100 do
      local factory, clock, connector = make { initialDelay = 10, factor = 1, jitter = 0.1 }
      factory:clientConnectionFailed(connector)
      local pause = wait(clock)
      assert.is_true(pause >= 0 and pause > 4 and pause < 16, tostring(pause))
      if not seen[pause] then different = different + 1 end
      seen[pause] = i
    end
    assert.is_true(different > 90)
  end)

  it("gives up after maxRetries", function()
    local factory, clock, connector = make { maxRetries = 2 }
    for _ = 1, 3 do
      factory:clientConnectionFailed(connector)
      if wait(clock) then clock.advance(wait(clock)) end
    end
    assert.equal(2, connector.connects)
  end)

  it("gives up in a pause after stopTrying", function()
    local factory, clock, connector = make()
    factory:clientConnectionFailed(connector)
    factory:stopTrying()
    assert.is_nil(wait(clock))
    factory:clientConnectionLost(connector)
    assert.is_nil(wait(clock))
    assert.equal(0, connector.connects)
  end)

  it("gives up an attempt that is under way after stopTrying", function()
    local factory, clock, connector = make()
    factory:clientConnectionFailed(connector)
    clock.advance(wait(clock))
    assert.equal("connecting", connector.state)
    factory:stopTrying()
    assert.equal("disconnected", connector.state)
  end)

  it("says when there is nothing to retry", function()
    local factory = make()
    assert.error_matches(function() factory:retry() end, "no connector to retry")
  end)
end)
