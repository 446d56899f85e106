-- Ports for datagrams over UDP, as Twisted documents them: what a protocol is told, and in which order.
local class = require "csock.class"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local twisted = require "spec.support.twisted"

local loop, run, expect = csock.loop, reactors.run, reactors.expect
local same = twisted.specs(it, pending)
local LOCAL = "127.0.0.1"

local function recorder(events)
  local Recorder = class("Recorder", protocol.DatagramProtocol)
  function Recorder:startProtocol() events:put { "start", self } end
  function Recorder:stopProtocol() events:put { "stop", self } end
  function Recorder.datagramReceived(_, data, address) events:put { "data", data, address } end
  function Recorder:connectionRefused() events:put { "refused", self } end
  return Recorder()
end

local function listen(interface)
  local events = loop.queue()
  local port = assert(reactor.listenUDP(0, recorder(events), interface or LOCAL))
  expect(events, "start")
  return port, events
end

-- A port at which nobody receives.
local function nobody()
  local s <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(s:bind(LOCAL, 0))
  return s:getsockname().port
end

local function udp()
  local s = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
  assert(s:bind(LOCAL, 0))
  s:settimeout(10 * process.slowness)
  return s
end

describe("a port for datagrams", function()
  after_each(function()
    keep.close()
    assert.same({}, reactor.getDelayedCalls())
  end)

  it("tells a connected protocol that nobody is there also when it is write that finds out", function()
    local port, events = listen()
    assert(port:connect(LOCAL, nobody()))
    assert.equal(5, port:write "hello") -- the answer comes at once, over the loopback interface
    local sent, err, errno = port:write "hello"
    assert.is_nil(sent)
    assert.equal("ECONNREFUSED", err.name)
    assert.equal(csock.errno.ECONNREFUSED, errno)
    expect(events, "refused")
    assert.is_true(events:empty())
    port:stopListening()
  end)

  it("may be closed when nobody is there", function()
    local port, events = listen()
    function port.protocol:connectionRefused() self.transport:stopListening() end
    assert(port:connect(LOCAL, nobody()))
    repeat local sent = port:write "hello" until not sent
    expect(events, "stop")
    local _, err = port:write "hello"
    assert.equal("EBADF", err.name)
  end)

  it("takes the address that it is connected to, and no other one", function()
    local port, s = listen(), udp()
    local peer = s:getsockname()
    assert(port:connect(LOCAL, peer.port))
    for _, address in ipairs { peer, { LOCAL, peer.port } } do
      assert.equal(1, port:write("x", address))
      assert.equal("x", s:recv(10))
    end
    assert.equal(5, port:writeSequence { "he", "llo" })
    assert.equal("hello", s:recv(10))
    assert.equal(2, port:write(csock.buffer "ok"))
    assert.error_matches(function() port:write("x", { LOCAL, 1 }) end, "#2 to 'write' %(the port is connected to ")
    assert.error_matches(function() port:write {} end, "#1 to 'write' %(string expected, got table%)")
    port:stopListening()
  end)

  it("connects to addresses alone, and once", function()
    local port = listen()
    for wrong, call in pairs {
      ["#1 to 'connect' %(host: string expected, got 5%)"] = { 5, 1 },
      ["#1 to 'connect' %(an address expected: address 'localhost'"] = { "localhost", 1 },
      ["#1 to 'connect' %(an address expected: address '::1'"] = { "::1", 1 },
      ["#2 to 'connect' %(port: 0 to 65535 expected, got 70000%)"] = { LOCAL, 70000 },
      ["#2 to 'connect' %(port: 0 to 65535 expected, got nil%)"] = { LOCAL },
    } do
      assert.error_matches(function() port:connect(table.unpack(call)) end, wrong)
    end
    assert(port:connect(LOCAL, 1))
    assert.error_matches(function() port:connect(LOCAL, 1) end, "already connected")
    port:stopListening()
  end)

  it("sends a datagram that is in pieces", function()
    local port, s = listen(), udp()
    assert.equal(6, port:writeSequence({ "a", "bc", "", "def" }, s:getsockname()))
    assert.equal("abcdef", s:recv(10))
    port:stopListening()
  end)

  it("sends to addresses of its own family alone", function()
    local has_ipv6 <close> = csock.socket(csock.AF_INET6, csock.SOCK_DGRAM)
    if not (has_ipv6 and has_ipv6:bind("::1", 0)) then return pending "IPv6 is not available" end
    local four, six = listen(), listen "::1"
    assert.error_matches(function() four:write("x", { "::1", 9 }) end, "an address expected, got a name")
    assert.error_matches(function() six:write("x", { LOCAL, 9 }) end, "an address expected, got a name")
    local _, err = four:write("x", six:getHost())
    assert.equal("EAFNOSUPPORT", err.name)
    assert.equal(1, six:write("x", six:getHost()))
    four:stopListening()
    six:stopListening()
  end)

  it("knows whether it may send to everybody", function()
    local port = listen()
    assert.is_false(port:getBroadcastAllowed())
    local _, err = port:write("x", { "<broadcast>", 9 })
    assert.equal("EACCES", err.name)
    for _, allowed in ipairs { true, false } do
      assert.is_true(port:setBroadcastAllowed(allowed))
      assert.equal(allowed, port:getBroadcastAllowed())
    end
    port:stopListening()
    _, err = port:getBroadcastAllowed()
    assert.equal("EBADF", err.name)
  end)

  it("passes nothing on while it does not read, nor when it was closed", function()
    local port, events = listen()
    run(function()
      local s = udp()
      port:stopReading()
      assert(s:sendto("one", port:getHost()))
      csock.yield()
      csock.yield()
      assert.is_true(events:empty())
      port:startReading()
      assert.equal("one", (expect(events, "data")))
      function port.protocol:datagramReceived() self.transport:stopListening() end
      for _ = 1, 3 do assert(s:sendto("the first closes it", port:getHost())) end
      expect(events, "stop")
      csock.yield()
      assert.is_true(events:empty())
    end)
  end)

  it("is the transport of its protocol until it is closed, and of that alone", function()
    local port, events = listen()
    local mine = port.protocol
    assert.equal(port, mine.transport)
    assert.equal(1, mine.numPorts)
    for _, call in ipairs { "listenUDP", "listenMulticast" } do
      assert.error_matches(function() reactor[call](0, mine) end,
        ("#2 to '%s' %%(the protocol has a transport already%%)"):format(call))
    end
    function mine:stopProtocol() events:put { "stop", self.transport } end
    port:stopListening()
    assert.is_nil((expect(events, "stop")))
    port:stopListening()
    assert.is_true(events:empty())
    port = assert(reactor.listenUDP(0, mine, LOCAL))
    assert.equal(port, mine.transport)
    port:stopListening()
  end)

  it("may be closed by startProtocol, and is closed when that raises an error", function()
    local said = {}
    local mine = protocol.DatagramProtocol()
    function mine:startProtocol()
      said[#said + 1] = "start"
      self.transport:stopListening()
      said[#said + 1] = "stopped"
    end
    function mine.stopProtocol() said[#said + 1] = "stop" end
    local port = assert(reactor.listenUDP(0, mine, LOCAL))
    assert.is_false(port.connected)
    assert.same({ "start", "stopped", "stop" }, said)
    function mine.startProtocol() error "not today" end
    local number = nobody()
    assert.error_matches(function() reactor.listenUDP(number, mine, LOCAL) end, "not today")
    assert.equal(3, #said)
    assert.is_nil(mine.transport)
    mine.startProtocol = nil
    assert(reactor.listenUDP(number, mine, LOCAL)):stopListening()
  end)

  same("tells a protocol the same as Twisted's, in the same order", [[
    from twisted.internet import reactor

    class P(protocol.DatagramProtocol):
        def startProtocol(self):
            say("start", self.transport is not None, self.numPorts)
            self.transport.write(b"one", ("127.0.0.1", self.transport.getHost().port))

        def datagramReceived(self, data, address):
            say(data.decode(), address[0], address[1] == self.transport.getHost().port)
            if data == b"one":
                self.transport.writeSequence([b"t", b"wo"], address)
            elif data == b"two":
                self.transport.connect(*address)
                self.transport.write(b"three")
            else:
                self.transport.stopListening()

        def stopProtocol(self):
            say("stop", self.transport is None, self.numPorts)
            reactor.stop()

    reactor.listenUDP(0, P(), "127.0.0.1")
    say("listens")
    reactor.run()
  ]], function(say)
    local P = class("P", protocol.DatagramProtocol)

    function P:startProtocol()
      say("start", self.transport ~= nil, self.numPorts)
      self.transport:write("one", { "127.0.0.1", self.transport:getHost().port })
    end

    function P:datagramReceived(data, address)
      say(data, address.host, address.port == self.transport:getHost().port)
      if data == "one" then
        self.transport:writeSequence({ "t", "wo" }, address)
      elseif data == "two" then
        self.transport:connect(address.host, address.port)
        self.transport:write "three"
      else
        self.transport:stopListening()
      end
    end

    function P:stopProtocol()
      say("stop", self.transport == nil, self.numPorts)
      reactor.stop()
    end

    assert(reactor.listenUDP(0, P(), "127.0.0.1"))
    say "listens"
    reactor.run()
  end)

  same("tells a connected protocol the same as Twisted's when nobody is there", [[
    from twisted.internet import reactor
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        number = s.getsockname()[1]

    class P(protocol.DatagramProtocol):
        def startProtocol(self):
            self.transport.connect("127.0.0.1", number)
            say(self.transport.write(b"one"))
            say(self.transport.write(b"two"))

        def connectionRefused(self):
            say("refused")

    reactor.listenUDP(0, P(), "127.0.0.1")
  ]], function(say)
    local P, number = class("P", protocol.DatagramProtocol), nobody()

    function P:startProtocol()
      self.transport:connect("127.0.0.1", number)
      say((self.transport:write "one"))
      say((self.transport:write "two"))
    end

    function P.connectionRefused() say "refused" end

    assert(reactor.listenUDP(0, P(), "127.0.0.1")):stopListening()
  end)
end)
