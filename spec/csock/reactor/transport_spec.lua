-- Connections on the reactor: over real sockets, with the other side played by a task.
local class = require "csock.class"
local csock = require "csock"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local internal = require "csock.loop.internal"

local loop = csock.loop
local run, expect, dial, read = reactors.run, reactors.expect, reactors.dial, reactors.read

local MEGABYTE = 1 << 20

describe("a transport", function()
  local events, port, socket

  after_each(function()
    assert.is_false(reactor.running)
    assert.same({}, reactor.getDelayedCalls())
    assert.same({}, internal.hub.objects())
    if socket then socket:close() end
    socket = nil
  end)

  -- Runs `f(transport, socket, protocol)` with a connection from `socket`; protocols of class `base` with
  -- `methods` tell `events`.
  local function with(methods, f, base)
    events = loop.queue()
    local Mine = reactors.recorder(events, base)
    for name, method in pairs(methods) do Mine[name] = method end
    port = reactors.listen(Mine)
    run(function()
      socket = dial(port)
      local made = expect(events, "made")
      f(made.transport, socket, made)
    end)
  end

  it("passes on what comes", function()
    with({}, function(_, s)
      assert(s:sendall "hello")
      local _, data = expect(events, "data")
      assert.equal("hello", data)
    end)
  end)

  it("sends what connectionMade writes, and what answers write", function()
    with({
      connectionMade = function(self)
        events:put { "made", self }
        self.transport:write "wel"
        self.transport:write "come"
      end,
      dataReceived = function(self, data) self.transport:writeSequence { "<", data, ">" } end,
    }, function(_, s)
      assert.equal("welcome", read(s, 7))
      assert(s:sendall "x")
      assert.equal("<x>", read(s, 3))
    end)
  end)

  it("sends what tasks and timed calls write", function()
    with({}, function(transport, s)
      transport:write "task"
      assert.equal("task", read(s, 4))
      reactor.callLater(0.001, transport.write, transport, "later")
      assert.equal("later", read(s, 5))
    end)
  end)

  it("joins what is written in one turn", function()
    with({}, function(transport, s)
      assert(s:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
      transport:setTcpNoDelay(true) -- so that each send would be a segment
      reactor.callLater(0, function()
        for i = 1, 100 do transport:write(("%03d"):format(i)) end
      end)
      assert.equal(300, #s:recv(1000))
    end)
  end)

  it("keeps the order of what different callbacks write", function()
    local other
    with({
      connectionMade = function(self)
        events:put { "made", self }
        other = self
      end,
      dataReceived = function(self, data)
        self.transport:write("1" .. data)
        reactor.callLater(0, self.transport.write, self.transport, "2" .. data)
      end,
    }, function(transport, s)
      transport:write "0"
      assert(s:sendall "a")
      assert.equal("01a2a", read(s, 5))
      assert.equal(transport, other.transport)
    end)
  end)

  it("wants strings", function()
    with({}, function(transport)
      assert.error_matches(function() transport:write() end, "#1 to 'write' %(string expected, got nil%)")
      assert.error_matches(function() transport:write(12) end, "#1 to 'write' %(string expected, got number%)")
      assert.error_matches(function() transport:write {} end, "#1 to 'write' %(string expected, got table%)")
    end)
  end)

  it("keeps what the peer does not read, and sends it when it does", function()
    with({}, function(transport, s)
      local sent = {}
      for i = 1, 200 do
        sent[i] = ("%08d"):format(i):rep(8192)
        transport:write(sent[i])
        if i % 50 == 0 then csock.sleep(0) end
      end
      transport:write "end"
      local whole = table.concat(sent) .. "end"
      assert.is_true(read(s, #whole) == whole)
      transport:write "and more"
      assert.equal("and more", read(s, 8))
    end)
  end)

  it("sends a string that is larger than any buffer", function()
    with({}, function(transport, s)
      local large = ("0123456789abcdef"):rep(MEGABYTE)
      transport:write(large)
      assert.is_true(read(s, #large) == large)
    end)
  end)

  it("is connected until it is not, and tells why", function()
    with({}, function(transport, s)
      assert.is_true(transport.connected)
      assert.matches("^<transport to %('127.0.0.1', %d+%), open>$", tostring(transport))
      s:close()
      local _, reason = expect(events, "lost")
      assert.equal("ConnectionDone", reason:check "ConnectionDone")
      assert.is_false(transport.connected)
      assert.is_true(transport.disconnected)
      assert.matches("closed>$", tostring(transport))
      assert.equal("127.0.0.1", transport:getPeer().host)
      assert.is_nil((transport:getHost()))
    end)
  end)

  it("tells of a reset", function()
    with({}, function(_, s)
      assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
      s:close()
      local _, reason = expect(events, "lost")
      assert.equal("ConnectionLost", reason:check("ConnectionDone", "ConnectionLost"))
      assert.matches("ECONNRESET", tostring(reason))
      assert.equal(csock.errno.ECONNRESET, reason.value.errno)
    end)
  end)

  it("ignores what is done to it after it is lost", function()
    with({}, function(transport, s)
      s:close()
      expect(events, "lost")
      transport:write "x"
      transport:writeSequence { "x", "y" }
      transport:loseConnection()
      transport:abortConnection()
      transport:loseWriteConnection()
      transport:pauseProducing()
      transport:resumeProducing()
      transport:unregisterProducer()
      csock.sleep(0)
      assert.is_true(events:empty())
    end)
  end)

  describe("loseConnection", function()
    it("sends what is left first", function()
      with({}, function(transport, s)
        local large = ("x"):rep(10 * MEGABYTE)
        transport:write(large)
        transport:loseConnection()
        assert.is_true(transport.disconnecting)
        assert.equal(#large, #reactors.read_all(s))
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionDone))
      end)
    end)

    it("may be called in any callback, any number of times", function()
      for _, callback in ipairs { "connectionMade", "dataReceived" } do
        with({
          [callback] = function(self)
            if callback == "connectionMade" then events:put { "made", self } end
            self.transport:write "bye"
            self.transport:loseConnection()
            self.transport:loseConnection()
          end,
        }, function(_, s)
          assert(s:send "x")
          assert.equal("bye", read(s, 3))
          expect(events, "lost")
        end)
        socket:close()
        assert.is_true(events:empty())
      end
    end)

    it("is never answered before it returns", function()
      local order = {}
      with({
        dataReceived = function(self)
          self.transport:loseConnection()
          table.insert(order, "returned")
        end,
        connectionLost = function(self, reason)
          table.insert(order, "lost")
          events:put { "lost", self, reason }
        end,
      }, function(_, s)
        assert(s:send "x")
        expect(events, "lost")
        assert.same({ "returned", "lost" }, order)
      end)
    end)

    it("ends what is received", function()
      with({
        dataReceived = function(self, data)
          events:put { "data", self, data }
          self.transport:write(("x"):rep(10 * MEGABYTE)) -- it takes a while
          self.transport:loseConnection()
        end,
      }, function(_, s)
        assert(s:sendall "one")
        expect(events, "data")
        assert(s:sendall "two")
        csock.sleep(0.01)
        assert.is_true(events:empty())
      end)
    end)
  end)

  describe("abortConnection", function()
    it("drops what is left, and the peer sees a reset", function()
      with({}, function(transport, s)
        transport:write(("x"):rep(20 * MEGABYTE))
        csock.sleep(0)
        transport:abortConnection()
        transport:abortConnection()
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionAborted))
        assert.is_truthy(reason:check(reason.ConnectionLost))
        local data, err
        repeat data, err = s:recv(65536) until not data
        assert.equal("ECONNRESET", err.name)
        assert.is_true(events:empty())
      end)
    end)

    it("works while loseConnection waits for a peer that does not read", function()
      with({}, function(transport)
        transport:write(("x"):rep(20 * MEGABYTE))
        transport:loseConnection()
        csock.sleep(0.01)
        assert.is_true(transport.connected)
        transport:abortConnection()
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionAborted))
      end)
    end)
  end)

  describe("half-close", function()
    local function halves()
      return {
        readConnectionLost = function(self) events:put { "read lost", self } end,
        writeConnectionLost = function(self) events:put { "write lost", self } end,
      }
    end

    it("tells the protocol that the peer has finished, and lets it answer", function()
      with(halves(), function(transport, s)
        assert(s:sendall "question")
        expect(events, "data")
        assert(s:shutdown(csock.SHUT_WR))
        expect(events, "read lost")
        csock.sleep(0.01)
        assert.is_true(transport.connected)
        transport:write "answer"
        assert.equal("answer", read(s, 6))
        transport:loseConnection()
        assert.equal("", s:recv(1))
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionDone))
      end)
    end)

    it("closes the writing half when everything is sent, and still receives", function()
      with(halves(), function(transport, s)
        local large = ("x"):rep(10 * MEGABYTE)
        transport:write(large)
        transport:loseWriteConnection()
        assert.equal(#large, #reactors.read_all(s))
        expect(events, "write lost")
        transport:write "ignored"
        assert(s:sendall "hello")
        local _, data = expect(events, "data")
        assert.equal("hello", data)
        s:close()
        expect(events, "read lost")
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionDone))
      end)
    end)

    it("works for a protocol that does not ask to be told", function()
      with({}, function(transport, s)
        transport:loseWriteConnection()
        transport:loseWriteConnection()
        assert.equal("", s:recv(1))
        assert(s:sendall "hello")
        expect(events, "data")
        transport:loseConnection()
        expect(events, "lost")
      end)
    end)

    it("is over when this side closes its half after the peer", function()
      with(halves(), function(transport, s)
        assert(s:shutdown(csock.SHUT_WR))
        expect(events, "read lost")
        transport:loseWriteConnection()
        expect(events, "write lost")
        expect(events, "lost")
        assert.equal("", s:recv(1))
      end)
    end)

    it("without such methods, the peer's end is the end", function()
      with({}, function(_, s)
        assert(s:shutdown(csock.SHUT_WR))
        expect(events, "lost")
        assert.equal("", s:recv(1))
      end)
    end)
  end)

  describe("an error in a callback", function()
    for _, callback in ipairs { "connectionMade", "dataReceived", "readConnectionLost", "writeConnectionLost" } do
      it("ends the connection, not the reactor: " .. callback, function()
        local err_value = setmetatable({}, { __tostring = function() return "oh no" end })
        local errors = reactors.errors(function()
          with({
            [callback] = function(self)
              if callback == "connectionMade" then events:put { "made", self } end
              error(err_value)
            end,
          }, function(transport, s)
            if callback == "dataReceived" then assert(s:send "x") end
            if callback == "readConnectionLost" then assert(s:shutdown(csock.SHUT_WR)) end
            if callback == "writeConnectionLost" then transport:loseWriteConnection() end
            local _, reason = expect(events, "lost")
            assert.equal("CallbackError", reason:check "CallbackError")
            assert.equal(err_value, reason.value)
            assert.matches("oh no\nstack traceback:.*transport_spec.lua", reason.traceback)
            local t <close> = dial(port)
            if callback ~= "connectionMade" then
              assert(t:send "") -- the reactor serves on
            end
            expect(events, "made")
          end)
        end)
        assert.matches("^oh no\nstack traceback:", errors[1])
      end)
    end

    it("in connectionLost does not keep it from being lost", function()
      local errors = reactors.errors(function()
        with({
          connectionLost = function(self, reason)
            events:put { "lost", self, reason }
            error "at the end"
          end,
        }, function(transport, s)
          s:close()
          expect(events, "lost")
          assert.is_true(transport.disconnected)
        end)
      end)
      assert.equal(1, #errors)
      assert.matches("at the end", errors[1])
    end)

    it("lets the others of the same turn have theirs", function()
      local errors = reactors.errors(function()
        events = loop.queue()
        local Mine = reactors.recorder(events)
        function Mine:dataReceived(data)
          if data == "bad" then error "bad data" end
          self.transport:write(data)
        end
        port = reactors.listen(Mine)
        run(function()
          local sockets <close> = setmetatable({}, {
            __close = function(list) for _, s in ipairs(list) do s:close() end end,
          })
          for i = 1, 20 do
            sockets[i] = dial(port)
            expect(events, "made")
          end
          for i = 1, 20 do assert(sockets[i]:sendall(i % 2 == 0 and "bad" or "good")) end
          for i = 1, 20 do
            if i % 2 == 1 then assert.equal("good", read(sockets[i], 4)) else assert.equal("", sockets[i]:recv(1)) end
          end
        end)
      end)
      assert.equal(10, #errors)
    end)
  end)

  describe("producers:", function()
    -- A producer that writes when it is told, and keeps what it was told.
    local function producer(transport)
      local new = { told = {}, transport = transport, left = 0, paused = false }
      function new.pauseProducing(self)
        table.insert(self.told, "pause")
        self.paused = true
      end
      function new.stopProducing(self)
        table.insert(self.told, "stop")
        self.stopped = true
      end
      function new.resumeProducing(self)
        table.insert(self.told, "resume")
        self.paused = false
        self:go_on()
      end
      function new.go_on(self)
        while self.left > 0 and not self.paused do
          self.left = self.left - 1
          transport:write(("x"):rep(10000))
          if not self.streaming then return end
        end
        if self.left == 0 then transport:unregisterProducer() end
      end
      return new
    end

    it("one that streams is paused when too much waits, and resumed when all is sent", function()
      with({}, function(transport, s)
        local p = producer(transport)
        p.streaming, p.left = true, 2000
        transport:registerProducer(p, true)
        reactor.callLater(0, p.go_on, p)
        assert.equal(2000 * 10000, #read(s, 2000 * 10000))
        assert.equal("pause", p.told[1])
        assert.equal("resume", p.told[2])
        for i, what in ipairs(p.told) do assert.equal(i % 2 == 1 and "pause" or "resume", what) end
        assert.is_nil(transport.producer)
      end)
    end)

    it("what waits stays near bufferSize while the peer does not read", function()
      with({}, function(transport)
        transport.bufferSize = 100000
        local p = producer(transport)
        p.streaming, p.left = true, 100000
        transport:registerProducer(p, true)
        reactor.callLater(0, p.go_on, p)
        local before
        for _ = 1, 200 do -- until the kernel's buffers, which grow, take no more
          before = #p.told
          csock.sleep(0.05)
          if before > 0 and before == #p.told then break end
        end
        assert.equal(before, #p.told)
        assert.is_true(p.paused)
        assert.is_true(internal.hub.unsent(transport.socket) <= 110000)
        transport:abortConnection()
        expect(events, "lost")
        assert.equal("stop", p.told[#p.told])
      end)
    end)

    it("one that does not stream is asked for each piece", function()
      with({}, function(transport, s)
        local p = producer(transport)
        p.left = 100
        transport:registerProducer(p, false)
        assert.equal(100 * 10000, #read(s, 100 * 10000))
        while transport.producer do csock.sleep(0) end
        assert.equal(101, #p.told) -- the last time it has nothing left
        transport:write "end"
        assert.equal("end", read(s, 3))
      end)
    end)

    it("loseConnection waits until it unregisters", function()
      with({}, function(transport, s)
        local p = producer(transport)
        p.left = 50
        transport:registerProducer(p, false)
        transport:loseConnection()
        assert.equal(50 * 10000, #reactors.read_all(s))
        expect(events, "lost")
      end)
    end)

    it("loseConnection waits for one that streams, too", function()
      with({}, function(transport, s)
        local p = producer(transport)
        transport:registerProducer(p, true)
        transport:loseConnection()
        csock.sleep(0.01)
        assert.is_true(transport.connected)
        transport:write "last words"
        transport:unregisterProducer()
        assert.equal("last words", reactors.read_all(s))
        expect(events, "lost")
      end)
    end)

    it("loseConnection waits no longer for another connection that is lost", function()
      with({}, function(transport, s)
        local other <close> = dial(port)
        local source = expect(events, "made").transport
        transport:registerProducer(source, true)
        transport:write "last words"
        transport:loseConnection()
        csock.sleep(0.01)
        assert.is_true(transport.connected)
        other:close()
        assert.equal("last words", reactors.read_all(s))
      end)
    end)

    it("there is one at a time", function()
      with({}, function(transport)
        transport:registerProducer(producer(transport), true)
        assert.error_matches(function() transport:registerProducer(producer(transport), true) end,
          "a producer is registered already")
      end)
    end)

    it("stopConsuming takes nothing more from one, and closes the connection", function()
      with({}, function(transport, s)
        transport:registerProducer(producer(transport), true)
        transport:write "so far"
        transport:stopConsuming()
        assert.is_nil(transport.producer)
        assert.equal("so far", reactors.read_all(s))
        assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionDone"))
      end)
    end)

    it("one that comes too late is told to stop", function()
      with({}, function(transport, s)
        s:close()
        expect(events, "lost")
        local p = producer(transport)
        transport:registerProducer(p, true)
        assert.is_true(p.stopped)
        assert.is_nil(transport.producer)
      end)
    end)

    it("an error of one ends its connection", function()
      local errors = reactors.errors(function()
        with({}, function(transport)
          local count = 0
          transport:registerProducer({
            resumeProducing = function()
              count = count + 1
              if count == 2 then error "out of order" end
              transport:write "x"
            end,
            stopProducing = function() end,
          }, false)
          local _, reason = expect(events, "lost")
          assert.is_truthy(reason:check(reason.CallbackError))
        end)
      end)
      assert.equal(1, #errors)
    end)

    it("the transport is one itself: it stops receiving while it is paused", function()
      with({}, function(transport, s)
        transport:pauseProducing()
        assert(s:sendall "hello")
        csock.sleep(0.01)
        assert.is_true(events:empty())
        transport:resumeProducing()
        local _, data = expect(events, "data")
        assert.equal("hello", data)
        transport:stopProducing()
        expect(events, "lost")
      end)
    end)

    it("a transport that pauses another is a proxy without a limit", function()
      -- What comes from one connection goes to another, which nobody reads for a while.
      with({}, function(transport, s, mine)
        local received = loop.event()
        local target = reactors.listen((function()
          local Target = class("Target", protocol.Protocol)
          function Target:connectionMade()
            mine.peer = self.transport
            self.transport:registerProducer(transport, true)
            received:set()
          end
          return Target
        end)())
        local t <close> = dial(target)
        received:wait()
        function mine.dataReceived(self, data) self.peer:write(data) end
        local total = 20 * MEGABYTE
        csock.spawn(function() s:sendall(("x"):rep(total)) end)
        csock.sleep(0.05)
        local waiting = internal.hub.unsent(mine.peer.socket)
        assert.is_true(waiting < MEGABYTE, "waiting: " .. waiting)
        assert.equal(total, #read(t, total))
      end)
    end)
  end)

  it("sets the options of TCP", function()
    with({}, function(transport)
      for _, option in ipairs { "TcpNoDelay", "TcpKeepAlive" } do
        assert.is_true(transport["set" .. option](transport, true))
        assert.is_true(transport["get" .. option](transport))
        assert.is_true(transport["set" .. option](transport, false))
        assert.is_false(transport["get" .. option](transport))
      end
    end)
  end)

  it("lets a callback wait, and sends what it wrote then", function()
    with({
      dataReceived = function(self, data)
        csock.sleep(0.005)
        self.transport:write(data)
      end,
    }, function(_, s)
      assert(s:sendall "slow")
      assert.equal("slow", read(s, 4))
    end)
  end)

  it("serves the others while one sends without end", function()
    events = loop.queue()
    local Sink = class("Sink", protocol.Protocol)
    local received = 0
    function Sink:dataReceived(data)
      received = received + #data
      if data:find "ping" then self.transport:write "pong" end
    end
    port = reactors.listen(Sink)
    run(function()
      local flood <close> = dial(port)
      local task = csock.spawn(function()
        local chunk = ("x"):rep(65536)
        while flood:sendall(chunk) do end
      end)
      for _ = 1, 20 do
        local s <close> = dial(port)
        assert(s:sendall "ping")
        assert.equal("pong", read(s, 4))
      end
      assert.is_true(received > 0)
      task:cancel()
    end)
  end)

  it("takes little memory for an idle connection, with its protocol", function()
    events = loop.queue()
    local count = 0
    local Idle = class("Idle", protocol.Protocol)
    function Idle:connectionMade()
      count = count + 1
      self.number = count
    end
    port = reactors.listen(Idle)
    local server, sockets = port:getHost(), {}
    for i = 1, 400 do sockets[i] = assert(csock.socket()) end
    run(function()
      collectgarbage()
      collectgarbage()
      local before = collectgarbage "count"
      for _, s in ipairs(sockets) do assert(s:connect(server)) end
      while count < #sockets do csock.sleep(0) end
      collectgarbage()
      collectgarbage()
      local each = (collectgarbage "count" - before) * 1024 / #sockets
      for _, s in ipairs(sockets) do s:close() end
      assert.is_true(each <= 600, ("%.0f bytes"):format(each))
    end)
  end)
end)
