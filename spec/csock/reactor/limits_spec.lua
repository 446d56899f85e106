-- Peers that do not read, and peers that are gone while somebody writes to them.
local class = require "csock.class"
local csock = require "csock"
local internal = require "csock.loop.internal"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local hub, loop = internal.hub, csock.loop
local run, expect, dial, read = reactors.run, reactors.expect, reactors.dial, reactors.read

local MEGABYTE = 1 << 20

-- Waits until `value()` stays as it is, however often the reactor has its turn.
local function settled(value)
  local before, rounds = value(), 0
  repeat
    csock.sleep(0.01)
    rounds = value() == before and rounds + 1 or 0
    before = value()
  until rounds == 30
  return before
end

describe("a transport whose peer does not read", function()
  local events, port

  after_each(function()
    assert.is_false(reactor.running)
    assert.same({}, reactor.getDelayedCalls())
    assert.same({}, hub.objects())
  end)

  -- Runs `f(transport, socket, received)` with a connection to an echo server; `received()` tells how many bytes that
  -- has received.
  local function with_echo(f, methods)
    events = loop.queue()
    local Echo = reactors.recorder(events)
    local received = 0
    function Echo:dataReceived(data)
      received = received + #data
      self.transport:write(data)
    end
    for name, method in pairs(methods or {}) do Echo[name] = method end
    port = reactors.listen(Echo)
    run(function()
      local socket <close> = dial(port)
      f(expect(events, "made").transport, socket, function() return received end)
    end)
  end

  local function send_for_ever(socket)
    local sent = 0
    local task = csock.spawn(function()
      local chunk = ("x"):rep(65536)
      while true do sent = sent + assert(socket:send(chunk)) end
    end)
    return task, function() return sent end
  end

  it("stops receiving when more than bufferSize waits, and goes on when all is sent", function()
    with_echo(function(transport, s, received)
      local sender <close>, sent = send_for_ever(s)
      local total = settled(sent)
      assert.is_true(hub.unsent(transport.socket) > transport.bufferSize)
      assert.is_true(hub.unsent(transport.socket) <= transport.bufferSize + 65536)
      assert.is_true(received() <= total)
      sender:cancel()
      assert.equal(total, #read(s, total))
      assert(s:sendall "more")
      assert.equal("more", read(s, 4))
    end)
  end)

  it("does so at the size that it is given", function()
    with_echo(function(transport, s)
      transport.bufferSize = 1000000
      local _ <close>, sent = send_for_ever(s)
      settled(sent)
      assert.is_true(hub.unsent(transport.socket) > 1000000)
      assert.is_true(hub.unsent(transport.socket) <= 1000000 + 65536)
    end)
  end)

  it("receives on with a bufferSize of math.huge", function()
    with_echo(function(transport, s, received)
      transport.bufferSize = math.huge
      assert(s:sendall(("x"):rep(20 * MEGABYTE)))
      while received() < 20 * MEGABYTE do csock.sleep(0.001) end
      assert.equal(20 * MEGABYTE, #read(s, 20 * MEGABYTE))
    end)
  end)

  it("receives on while a producer is registered, which is told to pause", function()
    with_echo(function(transport, s, received)
      local paused = 0
      transport:registerProducer({
        pauseProducing = function() paused = paused + 1 end,
        resumeProducing = function() end,
        stopProducing = function() end,
      }, true)
      assert(s:sendall(("x"):rep(20 * MEGABYTE)))
      while received() < 20 * MEGABYTE do csock.sleep(0.001) end
      assert.equal(1, paused)
    end)
  end)

  it("receives again as soon as a producer is registered", function()
    with_echo(function(transport, s, received)
      local sender <close>, sent = send_for_ever(s)
      settled(sent)
      sender:cancel()
      local total = sent()
      assert.is_true(received() < total)
      local producer = { stopProducing = function() end }
      producer.pauseProducing, producer.resumeProducing = producer.stopProducing, producer.stopProducing
      transport:registerProducer(producer, true)
      while received() < total do csock.sleep(0.001) end
    end)
  end)

  it("stays paused when its program has paused it meanwhile", function()
    with_echo(function(transport, s, received)
      local sender <close>, sent = send_for_ever(s)
      settled(sent)
      sender:cancel()
      local total = sent()
      local before = received()
      transport:pauseProducing()
      assert.equal(before, #read(s, before))
      csock.sleep(0.01)
      assert.equal(before, received())
      transport:resumeProducing()
      assert.equal(total - before, #read(s, total - before))
    end)
  end)

  it("is lost when the peer goes away", function()
    with_echo(function(_, s)
      local sender <close>, sent = send_for_ever(s)
      settled(sent)
      sender:cancel()
      s:close()
      local _, reason = expect(events, "lost")
      assert.is_truthy(reason:check(reason.ConnectionLost))
    end)
  end)

  describe("passes on no more messages, which it would answer:", function()
    local REPLY = ("x"):rep(998)

    -- Runs `f(transport, socket)` with a server whose protocols answer each line by a REPLY, and "bye" by the end too.
    local function with_lines(f)
      events = loop.queue()
      local Server = class("Server", protocol.LineReceiver)
      local count = 0
      function Server:connectionMade() events:put { "made", self } end
      function Server:lineReceived(line)
        count = count + 1
        self:sendLine(REPLY)
        if line == "bye" then self.transport:loseConnection() end
      end
      function Server:connectionLost(reason) events:put { "lost", self, reason } end
      port = reactors.listen(Server)
      run(function()
        local socket <close> = dial(port)
        f(expect(events, "made").transport, socket, function() return count end)
      end)
    end

    local LINES = 15000 -- in 30,000 bytes, which come as one piece

    it("what waits is bounded by bufferSize, however much each makes", function()
      with_lines(function(transport, s)
        assert(s:sendall(("\r\n"):rep(LINES)))
        local function unsent() return (hub.unsent(transport.socket)) end
        while unsent() == 0 do csock.sleep(0.001) end
        assert.is_true(settled(unsent) <= transport.bufferSize + 2 * 16384)
        assert.equal(LINES * 1000, #read(s, LINES * 1000))
        assert(s:sendall "\r\n")
        assert.equal(1000, #read(s, 1000))
      end)
    end)

    it("all that is written when it goes on is sent, also before the end", function()
      with_lines(function(_, s)
        assert(s:sendall(("\r\n"):rep(LINES - 1) .. "bye\r\n"))
        assert.equal(LINES * 1000, #reactors.read_all(s))
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionDone))
      end)
    end)

    it("it goes on when the peer is gone, before the connection is lost", function()
      with_lines(function(_, s, count)
        assert(s:sendall(("\r\n"):rep(LINES)))
        settled(count)
        assert.is_true(count() < LINES)
        s:close()
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionLost))
        assert.equal(LINES, count())
      end)
    end)

    it("it goes on when a producer is registered", function()
      with_lines(function(transport, s, count)
        assert(s:sendall(("\r\n"):rep(LINES)))
        settled(count)
        local producer = { stopProducing = function() end }
        producer.pauseProducing, producer.resumeProducing = producer.stopProducing, producer.stopProducing
        transport:registerProducer(producer, true)
        assert.equal(LINES, count())
      end)
    end)

    it("nothing is held back with a bufferSize of math.huge", function()
      with_lines(function(transport, s, count)
        transport.bufferSize = math.huge
        assert(s:sendall(("\r\n"):rep(LINES)))
        while count() < LINES do csock.sleep(0.001) end
      end)
    end)
  end)

  describe("after loseConnection", function()
    it("is aborted when the peer takes nothing for abortTimeout seconds", function()
      with_echo(function(transport)
        transport.abortTimeout = 0.05
        transport:write(("x"):rep(20 * MEGABYTE))
        transport:loseConnection()
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionAborted))
      end)
    end)

    it("stays as long as the peer takes something now and then", function()
      with_echo(function(transport, s)
        local total, got = 20 * MEGABYTE, 0
        transport.abortTimeout = 1000
        transport:write(("x"):rep(total))
        transport:loseConnection()
        local function time_passes()
          local call = transport.closing
          call:reset(0)
          while call:active() do csock.sleep(0) end
        end
        for _ = 1, 3 do
          local _, before = hub.unsent(transport.socket)
          repeat got = got + #read(s, 65536) until select(2, hub.unsent(transport.socket)) > before
          time_passes()
          assert.is_true(transport.connected)
        end
        assert.equal(total - got, #reactors.read_all(s))
        local _, reason = expect(events, "lost")
        assert.is_truthy(reason:check(reason.ConnectionDone))
      end)
    end)

    it("stays while a producer has nothing to write", function()
      with_echo(function(transport, s)
        transport.abortTimeout = 0.01
        local producer = { stopProducing = function() end }
        producer.pauseProducing, producer.resumeProducing = producer.stopProducing, producer.stopProducing
        transport:registerProducer(producer, true)
        transport:loseConnection()
        csock.sleep(0.05)
        assert.is_true(transport.connected)
        transport:write "the last"
        transport:unregisterProducer()
        assert.equal("the last", reactors.read_all(s))
        expect(events, "lost")
      end)
    end)

    it("stays for ever with an abortTimeout of math.huge", function()
      with_echo(function(transport)
        transport.abortTimeout = math.huge
        transport:write(("x"):rep(20 * MEGABYTE))
        transport:loseConnection()
        assert.equal(1, #reactor.getDelayedCalls()) -- the limit of this run
        transport:abortConnection()
        expect(events, "lost")
      end)
    end)

    it("sets no limit where all is sent at once", function()
      with_echo(function(transport, s)
        transport:write "bye"
        transport:loseConnection()
        assert.equal(1, #reactor.getDelayedCalls())
        assert.equal("bye", reactors.read_all(s))
      end)
    end)
  end)
end)

describe("a peer that sends, and is gone before it has read what is written to it", function()
  local WHOLE = ("0123456789"):rep(10000) -- more than one piece

  -- How many bytes have come that nobody has received yet.
  local function waiting(socket)
    return assert(socket:ioctl(csock.FIONREAD))
  end

  -- Runs a server whose protocols write by `write(transport, data)` what they receive; it gets WHOLE of a client that
  -- goes away without reading. Gives what the server was told until the connection was lost, and why.
  local function told(write, listen, connect)
    local events = loop.queue()
    local Server = class("Server", protocol.Protocol)
    local pieces, lost = {}, nil
    function Server:connectionMade()
      self.transport.bufferSize = math.huge
      self.transport:pauseProducing()
      events:put { "made", self }
    end
    function Server:dataReceived(data)
      pieces[#pieces + 1] = data
      write(self.transport, data)
    end
    function Server:connectionLost(reason)
      lost = reason
      events:put { "lost", self }
    end
    local factory = protocol.Factory:forProtocol(Server)
    local p = listen(factory)
    run(function()
      local s <close> = connect(p)
      local transport = expect(events, "made").transport
      transport:write "never read"
      csock.sleep(0) -- it has gone
      assert(s:sendall(WHOLE))
      while waiting(transport.socket) < #WHOLE do csock.sleep(0.001) end
      s:close() -- a reset, for what is unread
      transport:resumeProducing()
      expect(events, "lost")
    end)
    return table.concat(pieces), lost
  end

  local function listen_tcp(factory)
    local p = assert(reactor.listenTCP(0, factory, 5, "127.0.0.1"))
    assert(p.socket:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 1 << 20))
    return p
  end

  local path = os.tmpname()
  local function listen_unix(factory)
    os.remove(path)
    return assert(reactor.listenUNIX(path, factory))
  end
  local function connect_unix()
    local s = assert(csock.socket(csock.AF_UNIX))
    assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 1 << 20))
    assert(s:connect(path))
    return s
  end

  local ways = {
    ["in answer"] = function(transport, data) transport:write(data) end,
    ["a little in answer"] = function(transport) transport:write "." end,
    ["in a timed call"] = function(transport, data) reactor.callLater(0, transport.write, transport, data) end,
  }

  for way, write in pairs(ways) do
    it("loses none of what it sent: " .. way, function()
      local data, reason = told(write, listen_tcp, dial)
      assert.is_true(data == WHOLE, ("%d bytes of %d"):format(#data, #WHOLE))
      assert.equal("ConnectionLost", reason:check("ConnectionDone", "ConnectionLost"))
      data = told(write, listen_unix, connect_unix)
      assert.is_true(data == WHOLE, ("%d bytes of %d"):format(#data, #WHOLE))
    end)
  end

  it("loses none of what it sent: by another connection's callback of the same turn", function()
    local events = loop.queue()
    local Server = class("Server", protocol.Protocol)
    local all, pieces = {}, {}
    function Server:connectionMade()
      all[#all + 1] = self
      events:put { "made", self }
    end
    function Server:dataReceived(data)
      pieces[self] = (pieces[self] or "") .. data
      for _, other in ipairs(all) do
        if other ~= self then other.transport:write(data:rep(2000)) end
      end
    end
    function Server:connectionLost() events:put { "lost", self } end
    local p = reactors.listen(Server)
    run(function()
      local sockets, servers = {}, {}
      for i = 1, 2 do
        sockets[i] = dial(p)
        servers[i] = expect(events, "made")
        servers[i].transport:pauseProducing()
        servers[i].transport:write "never read"
      end
      csock.sleep(0)
      for i, s in ipairs(sockets) do
        assert(s:sendall("lines of " .. i))
        s:close()
      end
      for _, server in ipairs(servers) do server.transport:resumeProducing() end
      for _ = 1, 2 do expect(events, "lost") end
      for i, server in ipairs(servers) do assert.equal("lines of " .. i, pieces[server]) end
    end)
  end)
end)
