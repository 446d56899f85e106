-- Endpoints that connect and listen: what becomes of their deferreds.
local class = require "csock.class"
local csock = require "csock"
local endpoints = require "csock.endpoints"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local proto_helpers = require "csock.proto_helpers"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local reason = require "csock.reactor.reason"
local twisted = require "spec.support.twisted"

local defer = require "csock.defer"

local same = twisted.specs(it, pending)

local LIMIT = 10 * process.slowness

-- What a deferred comes to, for a task beside the reactor.
local function wait(deferred)
  local result, err = defer.wait(deferred, LIMIT)
  if result == nil and err ~= nil then error(err, 0) end
  return result
end

local function failure_of(deferred)
  local result, err = defer.wait(deferred, LIMIT)
  assert.is_nil(result)
  return err
end

local function recording(events, base) return protocol.Factory:forProtocol(reactors.recorder(events, base)) end

local function listen(endpoint, events) return wait(endpoint:listen(recording(events))) end

local function tcp4(port) return endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port) end

describe("an endpoint", function()
  it("listens and connects", function()
    reactors.run(function()
      local theirs, ours = csock.loop.queue(), csock.loop.queue()
      local port = listen(endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1"), theirs)
      local text = ("tcp:127.0.0.1:%d:timeout=5:bindAddress=127.0.0.1"):format(port:getHost().port)
      local client = wait(endpoints.clientFromString(reactor, text):connect(recording(ours)))
      local server = reactors.expect(theirs, "made")
      assert.equal(client, (reactors.expect(ours, "made")))
      assert.is_truthy(client.factory)
      client.transport:write "hello"
      assert.equal("hello", select(2, reactors.expect(theirs, "data")))
      server.transport:write "bye"
      server.transport:loseConnection()
      assert.equal("bye", select(2, reactors.expect(ours, "data")))
      assert.equal("ConnectionDone", (select(2, reactors.expect(ours, "lost")):check "ConnectionDone"))
    end)
  end)

  for _, stage in ipairs { "connectionMade", "buildProtocol" } do
    it("that is cancelled in " .. stage .. " closes the connection, and nothing is wrong", function()
      reactors.run(function()
        local theirs, errors = csock.loop.queue(), {}
        local before = csock.loop.onerror
        local _ <close> = setmetatable({}, { __close = function() csock.loop.onerror = before end })
        function csock.loop.onerror(err) errors[#errors + 1] = err end
        local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), theirs)
        local connected, ours = nil, csock.loop.queue()
        local factory = recording(ours)
        local build = factory.buildProtocol
        function factory:buildProtocol(address)
          local built = build(self, address)
          function built.connectionMade() connected:cancel() end
          if stage == "buildProtocol" then connected:cancel() end
          return built
        end
        reactor.callFromThread(function() connected = tcp4(port:getHost().port):connect(factory) end)
        repeat csock.sleep(0.001) until connected
        assert.is_truthy(failure_of(connected):check "ConnectingCancelledError")
        reactors.expect(theirs, "made")
        reactors.expect(theirs, "lost")
        if stage == "connectionMade" then
          assert.equal("ConnectionDone", (select(2, reactors.expect(ours, "lost")):check "ConnectionDone"))
        end
        assert.same({}, errors)
      end)
    end)
  end

  it("over IPv6 looks a name up for IPv6 alone", function()
    if not csock.has_ipv6 then return pending "no IPv6" end
    reactors.run(function()
      local events = csock.loop.queue()
      local ok, port = pcall(listen, endpoints.serverFromString(reactor, "tcp6:0:interface=\\:\\:1"), events)
      if not ok then return pending "no address ::1" end
      for _, host in ipairs { "::1", "ip6-localhost" } do
        if csock.getaddrinfo(host, 0, csock.AF_INET6) then
          local endpoint = endpoints.TCP6ClientEndpoint(reactor, host, port:getHost().port)
          local client = wait(endpoint:connect(recording(csock.loop.queue())))
          assert.equal("::1", client.transport:getPeer().host)
        end
      end
      local missing = endpoints.TCP6ClientEndpoint(reactor, "name.invalid", 1)
      assert.equal("DNSLookupError", failure_of(missing:connect(recording(events))):check "DNSLookupError")
    end)
  end)

  it("connects to the quickest address of a name", function()
    reactors.run(function()
      local events = csock.loop.queue()
      local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events)
      local endpoint = endpoints.HostnameEndpoint(reactor, "localhost", port:getHost().port, 5)
      local client = wait(endpoint:connect(recording(csock.loop.queue())))
      assert.equal(port:getHost(), client.transport:getPeer())
      assert.equal(("<HostnameEndpoint localhost:%d>"):format(port:getHost().port), tostring(endpoint))
      assert.equal("<HostnameEndpoint [::1]:80>", tostring(endpoints.HostnameEndpoint(reactor, "::1", 80)))
    end)
  end)

  it("listens and connects at a path, with a mode", function()
    local dir = assert(posix.mkdtemp())
    local path = dir .. "/a:b"
    reactors.run(function()
      local events = csock.loop.queue()
      local text = "unix:" .. endpoints.quoteStringArgument(path)
      local port = listen(endpoints.serverFromString(reactor, text .. ":mode=600"), events)
      local _, mode = process.run { "stat", "-c", "%a", path }
      assert.equal("600\n", mode)
      local client = wait(endpoints.clientFromString(reactor, text):connect(recording(csock.loop.queue())))
      client.transport:write "hello"
      reactors.expect(events, "made")
      assert.equal("hello", select(2, reactors.expect(events, "data")))
      port:stopListening()
      assert.is_truthy(failure_of(endpoints.UNIXClientEndpoint(reactor, path):connect(recording(events)))
        :check "ConnectionRefusedError")
    end)
    os.remove(dir)
  end)

  it("says where it could not listen, and why", function()
    reactors.run(function()
      local events = csock.loop.queue()
      local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events):getHost().port
      local endpoint = endpoints.TCP4ServerEndpoint(reactor, port, 5, "127.0.0.1")
      local why = failure_of(endpoint:listen(recording(events)))
      assert.is_truthy(why:check "CannotListenError")
      assert.equal(csock.errno.EADDRINUSE, why.value.errno)
      assert.equal(port, why.port)
      assert.equal("127.0.0.1", why.interface)
      assert.match(("^Couldn't listen on 127%%.0%%.0%%.1:%d: bind .*in use"):format(port), tostring(why))
      why = failure_of(endpoints.UNIXServerEndpoint(reactor, "/nonexistent/socket"):listen(recording(events)))
      assert.match("^Couldn't listen on any:/nonexistent/socket: ", tostring(why))
    end)
  end)

  it("says that nobody is there", function()
    reactors.run(function()
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      local port = listener:getsockname().port
      listener:close()
      assert.is_truthy(failure_of(tcp4(port):connect(recording(csock.loop.queue()))):check "ConnectionRefusedError")
    end)
  end)

  it("ends the attempt when its deferred is cancelled", function()
    reactors.run(function()
      local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
      local port = listener:getsockname().port
      local deferred = tcp4(port):connect(recording(csock.loop.queue()))
      deferred:cancel()
      local why = failure_of(deferred)
      assert.is_truthy(why:check "ConnectingCancelledError")
      assert.same({ host = "127.0.0.1", port = port }, why.address)
    end)
  end)

  it("fails when the factory makes no protocol, or raises an error", function()
    reactors.run(function()
      local events = csock.loop.queue()
      local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events):getHost().port
      local factory = protocol.Factory()
      function factory.buildProtocol() end
      assert.is_truthy(failure_of(tcp4(port):connect(factory)):check "NoProtocol")
      function factory.buildProtocol() error("no", 0) end
      assert.equal("no", failure_of(tcp4(port):connect(factory)))
    end)
  end)

  it("fails when connectionMade raises an error", function()
    local why
    local errors = reactors.errors(function()
      reactors.run(function()
        local events = csock.loop.queue()
        local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events):getHost().port
        local Broken = class("Broken", protocol.Protocol)
        function Broken.connectionMade() error("broken", 0) end
        why = failure_of(tcp4(port):connect(protocol.Factory:forProtocol(Broken)))
      end)
    end)
    assert.equal("broken", why:check "CallbackError" and why.value)
    assert.equal(1, #errors)
  end)

  it("tells a protocol of the two halves, if it wants to know", function()
    reactors.run(function()
      local events, halves = csock.loop.queue(), csock.loop.queue()
      local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events):getHost().port
      local Half = class("Half", protocol.Protocol)
      function Half.readConnectionLost() halves:put "read" end
      wait(tcp4(port):connect(protocol.Factory:forProtocol(Half)))
      reactors.expect(events, "made").transport:loseConnection()
      assert.equal("read", halves:get(LIMIT))
    end)
  end)

  it("connects a protocol that is there already", function()
    reactors.run(function()
      local events = csock.loop.queue()
      local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events):getHost().port
      local mine = protocol.Protocol()
      assert.equal(mine, wait(endpoints.connectProtocol(tcp4(port), mine)))
      assert.is_true(mine.transport.connected)
      assert.is_nil(rawget(mine, "makeConnection"))
    end)
  end)

  it("tells its factory of the start and the end, as ports and connectors do", function()
    local calls = {}
    reactors.run(function()
      local events = csock.loop.queue()
      local port = listen(endpoints.TCP4ServerEndpoint(reactor, 0, 5, "127.0.0.1"), events):getHost().port
      local factory = recording(events)
      function factory.startFactory() calls[#calls + 1] = "start" end
      function factory.stopFactory()
        calls[#calls + 1] = "stop"
        events:put { "stopped" }
      end
      local client = wait(tcp4(port):connect(factory))
      client.transport:loseConnection()
      repeat local name = reactors.next(events) until name == "stopped"
    end)
    assert.same({ "start", "stop" }, calls)
  end)

  it("listens at a descriptor, once", function()
    if not reactor.adoptStreamPort then return pending "no adoptStreamPort" end
    reactors.run(function()
      local events = csock.loop.queue()
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      local address, fd = listener:getsockname(), listener:detach()
      local endpoint = endpoints.AdoptedStreamServerEndpoint(reactor, fd, csock.AF_INET)
      local port = listen(endpoint, events)
      assert.equal(address, port:getHost())
      assert.equal(csock.errno.EBADF, select(3, csock.dup(fd)))
      wait(tcp4(address.port):connect(recording(csock.loop.queue())))
      reactors.expect(events, "made")
      assert.is_truthy(failure_of(endpoint:listen(recording(events))):check "AlreadyListened")
    end)
  end)
end)

describe("what is no factory", function()
  it("is no failure of the endpoint's, but the program's mistake", function()
    local fake = proto_helpers.MemoryReactor()
    for method, list in pairs {
      listen = { "TCP4ServerEndpoint", "UNIXServerEndpoint", "SSL4ServerEndpoint", "AdoptedStreamServerEndpoint" },
      connect = { "TCP4ClientEndpoint", "UNIXClientEndpoint", "SSL4ClientEndpoint", "HostnameEndpoint" },
    } do
      for _, name in ipairs(list) do
        local endpoint = endpoints[name](fake, "x", 1)
        for _, wrong in ipairs { protocol.Factory, {}, 1 } do
          local ok, err = pcall(function() endpoint[method](endpoint, wrong) end)
          assert.is_false(ok)
          local words = "^[^ ]*connecting_spec.lua:%%d+: bad argument #1 to '%s' %%(factory expected"
          assert.match(words:format(method), err)
        end
      end
    end
  end)
end)

-- The same on a reactor in memory, beside Twisted.
local IN_MEMORY = "spec/support/twisted/connecting.py:"

local function tell(say, deferred)
  deferred:addCallbacks(function(result) say("connected", result.__class.__name) end, function(why)
    say("failed", why.__class.__name == "Failure" and why.value or why.__class.__name)
  end)
end

local function memory()
  local fake = proto_helpers.MemoryReactorClock()
  local factory = protocol.Factory:forProtocol(proto_helpers.AccumulatingProtocol)
  return fake, factory, endpoints.TCP4ClientEndpoint(fake, "10.1.2.3", 80, 7, { "10.0.0.1", 0 })
end

describe("an endpoint on a reactor in memory does as Twisted's:", function()
  same("what it asks for", IN_MEMORY .. "asks", function(say)
    local fake, factory, endpoint = memory()
    endpoint:connect(factory)
    local host, port, _, timeout, address = table.unpack(fake.tcpClients[1])
    say(host, port, timeout, address[1], address[2])
    endpoints.TCP4ServerEndpoint(fake, 80, 5, "127.0.0.1"):listen(factory):addCallback(function(listening)
      say("listening", listening:getHost().port)
    end)
    say(fake.tcpServers[1][1], fake.tcpServers[1][3], fake.tcpServers[1][4], fake.tcpServers[1][2] == factory)
    endpoints.UNIXServerEndpoint(fake, "/a", 5):listen(factory)
    say(fake.unixServers[1][1], fake.unixServers[1][3], fake.unixServers[1][4], fake.unixServers[1][5])
    endpoints.UNIXClientEndpoint(fake, "/a", 5):connect(factory)
    say(fake.unixClients[1][1], fake.unixClients[1][3], fake.unixClients[1][4])
    endpoints.SSL4ClientEndpoint(fake, "h", 443, { getContext = print }):connect(factory)
    say(fake.sslClients[1][1], fake.sslClients[1][2], fake.sslClients[1][5], fake.sslClients[1][6])
    endpoints.SSL4ServerEndpoint(fake, 443, { getContext = print }):listen(factory)
    say(fake.sslServers[1][1], fake.sslServers[1][4], fake.sslServers[1][5] == "")
  end)

  same("a connection that is made", IN_MEMORY .. "made", function(say)
    local fake, factory, endpoint = memory()
    local deferred = endpoint:connect(factory)
    tell(say, deferred)
    local built = fake.tcpClients[1][3]:buildProtocol(csock.address(csock.AF_INET, "10.1.2.3", 80))
    say "built"
    deferred:addCallback(function() say "later" end)
    built:makeConnection(proto_helpers.StringTransport())
    built:dataReceived "data"
    built:connectionLost(reason.ConnectionDone())
  end)

  same("a connection that fails", IN_MEMORY .. "fails", function(say)
    local fake, factory, endpoint = memory()
    tell(say, endpoint:connect(factory))
    fake.tcpClients[1][3]:clientConnectionFailed(fake.connectors[1], reason.ConnectionRefusedError())
  end)

  same("an attempt that is cancelled", IN_MEMORY .. "cancelled", function(say)
    local fake, factory, endpoint = memory()
    local deferred = endpoint:connect(factory)
    tell(say, deferred)
    say(fake.connectors[1].stoppedConnecting)
    deferred:cancel()
    say(fake.connectors[1].stoppedConnecting)
    fake.tcpClients[1][3]:clientConnectionFailed(fake.connectors[1], reason.UserError())
  end)

  same("a factory that makes nothing, or fails", IN_MEMORY .. "makes_nothing", function(say)
    local fake, factory, endpoint = memory()
    tell(say, endpoint:connect(factory))
    function factory.buildProtocol() end
    say(fake.tcpClients[1][3]:buildProtocol())
    tell(say, endpoint:connect(factory))
    function factory.buildProtocol() error("broken", 0) end
    say(fake.tcpClients[2][3]:buildProtocol())
  end)

  same("a reactor that refuses", IN_MEMORY .. "refuses", function(say)
    local refusing = proto_helpers.RaisingMemoryReactor(reason.ConnectError(), reason.ConnectionRefusedError())
    local factory = protocol.Factory()
    tell(say, endpoints.TCP4ClientEndpoint(refusing, "h", 1):connect(factory))
    tell(say, endpoints.UNIXClientEndpoint(refusing, "/a"):connect(factory))
    tell(say, endpoints.SSL4ClientEndpoint(refusing, "h", 1):connect(factory))
  end)

  same("the factory's start and end", IN_MEMORY .. "starts", function(say)
    local fake, factory, endpoint = memory()
    function factory.startFactory() say "start" end
    function factory.stopFactory() say "stop" end
    endpoint:connect(factory)
    local telling = fake.tcpClients[1][3]
    telling:doStart()
    telling:doStop()
  end)
end)
