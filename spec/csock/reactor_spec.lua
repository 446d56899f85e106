-- The reactor: running, stopping, timed calls, listening and connecting. Connections: transport_spec.lua.
local class = require "csock.class"
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local testing = require "csock.testing"
local reactors = require "spec.support.reactors"
local internal = require "csock.loop.internal"

local loop = csock.loop
local run, expect = reactors.run, reactors.expect

local function clean()
  assert.is_false(reactor.running)
  assert.same({}, reactor.getDelayedCalls())
  assert.same({}, internal.hub.objects())
end

describe("the reactor", function()
  after_each(clean)

  it("runs until it is stopped, and again", function()
    for _ = 1, 3 do
      local seen
      reactor.callWhenRunning(function()
        seen = reactor.running
        reactor.stop()
      end)
      reactor.run()
      assert.is_true(seen)
      assert.is_false(reactor.running)
    end
  end)

  it("runs in a task, beside others", function()
    local turns = 0
    local result = csock.run(function()
      csock.spawn(function()
        for _ = 1, 3 do
          csock.sleep(0)
          turns = turns + 1
        end
        reactor.stop()
      end)
      reactor.run()
      return "over"
    end)
    assert.equal("over", result)
    assert.equal(3, turns)
  end)

  it("returns though other tasks have something to wait for", function()
    local other = csock.spawn(csock.sleep, 60)
    run(function() end)
    assert.equal("waiting", other:status())
    other:cancel()
  end)

  it("connects in a program that has asked for nothing else of csock", function()
    local s <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local status, out, err = process.run { process.interpreter, "-e", ([[
      local reactor, protocol = require "csock.reactor", require "csock.protocol"
      local factory = protocol.ClientFactory()
      function factory:buildProtocol() print "connected" reactor.stop() end
      function factory:clientConnectionFailed(_, reason) print(reason) reactor.stop() end
      reactor.connectTCP("127.0.0.1", %d, factory)
      reactor.run()
    ]]):format(s:getsockname().port) }
    assert.equal("", err)
    assert.equal("connected\n", out)
    assert.equal(0, status)
  end)

  it("is stopped by a signal's handler", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      local reactor = require "csock.reactor"
      local reactors = require "spec.support.reactors"
      local events = csock.loop.queue()
      local port = reactors.listen(reactors.recorder(events))
      csock.loop.on_signal("SIGTERM", reactor.stop)
      csock.spawn(function()
        local _ <close> = reactors.dial(port)
        reactors.expect(events, "made")
        csock.kill(csock.getpid(), "SIGTERM")
        csock.sleep(60)
      end)
      reactor.run()
      print(select(2, reactors.expect(events, "lost")))
    ]] }
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("the reactor has stopped\n$", out)
  end)

  it("is over when the loop is stopped", function()
    local _ = reactors.listen(protocol.Protocol)
    reactor.callLater(0, loop.stop)
    reactor.run()
  end)

  it("says when it runs already, or does not run", function()
    assert.error_matches(reactor.stop, "the reactor is not running")
    run(function() assert.error_matches(reactor.run, "the reactor is running already") end)
  end)

  it("calls what is to be called when it runs: at its start, or at once", function()
    local calls = {}
    local function call(...) table.insert(calls, { ... }) end
    reactor.callWhenRunning(call, 1, nil, 3)
    assert.same({}, calls)
    run(function()
      assert.same({ { 1, nil, 3 } }, calls)
      reactor.callWhenRunning(call, "now")
      assert.same({ "now" }, calls[2])
    end)
  end)

  it("goes on after an error in such a call, with its traceback", function()
    local errors = reactors.errors(function()
      reactor.callWhenRunning(function() error "first" end)
      reactor.callLater(0, function() error "second" end)
      run(function() csock.sleep(0.01) end)
    end)
    assert.equal(2, #errors)
    assert.matches("reactor_spec.lua:%d+: first\nstack traceback:", errors[1])
    assert.matches("reactor_spec.lua:%d+: second\nstack traceback:", errors[2])
  end)

  it("survives an onerror that fails itself", function()
    local status, _, err = process.run { process.interpreter, "-e", [[
      local csock, reactor = require "csock", require "csock.reactor"
      function csock.loop.onerror() error "worse" end
      reactor.callLater(0, error, "bad")
      reactor.callLater(0.01, reactor.stop)
      reactor.run()
    ]] }
    assert.equal(0, status)
    assert.matches("error in loop.onerror: .*worse", err)
    assert.matches("bad\nstack traceback", err)
  end)

  it("ends on Ctrl-C: connections are lost, the error is raised", function()
    local program <close> = process.lua({ "-e", [[
      local csock, reactor = require "csock", require "csock.reactor"
      local protocol, class = require "csock.protocol", require "csock.class"
      local Mine = class("Mine", protocol.Protocol)
      function Mine:connectionMade() print "made" end
      function Mine:connectionLost(reason) print("lost: " .. reason) end
      io.stdout:setvbuf "no"
      local port = assert(reactor.listenTCP(0, protocol.Factory:forProtocol(Mine), 5, "127.0.0.1"))
      print(port:getHost().port)
      print(pcall(reactor.run))
      print(reactor.running, port.connected)
    ]] })
    local number = tonumber(program:read_line())
    local _ <close> = assert(csock.create_connection({ "127.0.0.1", number }, { timeout = 10 }))
    assert.equal("made", program:read_line())
    program:signal "SIGINT"
    assert.matches("^lost: .*the reactor has stopped", program:read_line())
    assert.matches("^false.*interrupted!", program:read_line())
    assert.equal("false\tfalse", program:read_line())
    assert.equal(0, program:wait())
  end)

  it("closes everything when it stops", function()
    local events = loop.queue()
    local port, factory = reactors.listen(reactors.recorder(events))
    local stopped = false
    function factory.stopFactory() stopped = true end
    local socket
    run(function()
      socket = reactors.dial(port)
      expect(events, "made")
    end)
    local _, reason = expect(events, "lost")
    assert.equal("ConnectionLost", reason:check "ConnectionLost")
    assert.is_false(port.connected)
    assert.is_true(stopped)
    assert.equal("", socket:recv(1))
    socket:close()
  end)

  it("serves in a forked child what was open before", function()
    local port = reactors.listen((function()
      local Child = class("Child", protocol.Protocol)
      function Child:connectionMade()
        self.transport:write "from the child"
        self.transport:loseConnection()
        reactor.callLater(0.01, reactor.stop)
      end
      return Child
    end)())
    local pid = assert(csock.fork())
    if pid == 0 then
      reactor.run()
      csock._exit(7)
    end
    local s <close> = reactors.dial(port)
    assert.equal("from the child", reactors.read_all(s))
    local how, status = posix.waitpid(pid, 10 * process.slowness)
    assert.same({ "exit", 7 }, { how, status })
    port:stopListening()
  end)
end)

describe("callLater", function()
  after_each(clean)

  it("calls with its arguments, in the order of time, and of making", function()
    local calls = {}
    local function call(...) table.insert(calls, table.pack(...)) end
    run(function()
      local done = loop.event()
      reactor.callLater(0.03, function() done:set() end)
      reactor.callLater(0.02, call, "late", nil)
      reactor.callLater(0, call, "first")
      reactor.callLater(0, call, "second")
      reactor.callLater(0.01, call, "third")
      done:wait()
    end)
    local names = {}
    for i, c in ipairs(calls) do names[i] = c[1] end
    assert.same({ "first", "second", "third", "late" }, names)
    assert.equal(2, calls[4].n)
  end)

  it("is never early", function()
    run(function()
      local done = loop.event()
      local start, seen = reactor.seconds(), nil
      local call = reactor.callLater(0.02, function()
        seen = reactor.seconds()
        done:set()
      end)
      assert.is_true(math.abs(call:getTime() - start - 0.02) < 0.01 * process.slowness)
      done:wait()
      assert.is_true(seen >= call:getTime())
    end)
  end)

  it("can be made before the reactor runs, and by any task while it sleeps", function()
    local done = loop.event()
    reactor.callLater(0, function() done:set() end)
    run(function()
      done:wait()
      done:clear()
      csock.sleep(0)
      reactor.callLater(0, function() done:set() end)
      done:wait()
    end)
  end)

  it("keeps a call that is made meanwhile for the next turn", function()
    run(function()
      local done, count = loop.event(), 0
      local function again()
        count = count + 1
        if count == 100 then done:set() else reactor.callLater(0, again) end
      end
      reactor.callLater(0, again)
      csock.sleep(0)
      assert.is_true(count < 100)
      done:wait()
    end)
  end)

  it("can be cancelled, once", function()
    local called = false
    local call = reactor.callLater(0, function() called = true end)
    assert.is_true(call:active())
    call:cancel()
    assert.is_false(call:active())
    assert.error_matches(function() call:cancel() end, "cancelled already")
    assert.error_matches(function() call:reset(1) end, "cancelled already")
    run(function() csock.sleep(0.01) end)
    assert.is_false(called)
  end)

  it("says when it has been called already", function()
    local call = reactor.callLater(0, function() end)
    assert.matches("^<DelayedCall in ", tostring(call))
    run(function() csock.sleep(0.01) end)
    assert.is_false(call:active())
    assert.equal("<DelayedCall called>", tostring(call))
    assert.error_matches(function() call:cancel() end, "called already")
    assert.error_matches(function() call:delay(1) end, "called already")
  end)

  it("can be put off and taken forward", function()
    local order = {}
    run(function()
      local done = loop.event()
      local a = reactor.callLater(0.01, function() table.insert(order, "a") end)
      local b = reactor.callLater(60, function() table.insert(order, "b") end)
      local c = reactor.callLater(0.02, function()
        table.insert(order, "c")
        done:set()
      end)
      local before = a:getTime()
      a:delay(60)
      assert.equal(before + 60, a:getTime())
      b:reset(0)
      a:reset(0.005)
      assert.is_true(c:active())
      done:wait()
    end)
    assert.same({ "b", "a", "c" }, order)
  end)

  it("keeps any number of calls in order", function()
    local times, last, ordered = {}, 0, true
    local calls = {}
    run(function()
      local done, left = loop.event(), 500
      for i = 1, 500 do
        local time = (i * 7919 % 500) * 1e-5
        calls[i] = reactor.callLater(time, function()
          if calls[i]:getTime() < last then ordered = false end
          last = calls[i]:getTime()
          times[#times + 1] = last
          left = left - 1
          if left == 0 then done:set() end
        end)
      end
      for i = 1, 500, 5 do
        calls[i]:cancel()
        left = left - 1
      end
      for i = 2, 500, 5 do calls[i]:delay(0.001) end
      done:wait()
    end)
    assert.equal(400, #times)
    assert.is_true(ordered)
  end)

  it("tells which calls are to come, the next one first", function()
    local second, first = reactor.callLater(2, print), reactor.callLater(1, print)
    local third = reactor.callLater(2, print)
    local list = reactor.getDelayedCalls()
    assert.same({ true, true, true, 3 }, { list[1] == first, list[2] == second, list[3] == third, #list })
    list[1] = nil -- it is a copy
    assert.equal(3, #reactor.getDelayedCalls())
    for _, call in ipairs { first, second, third } do call:cancel() end
    assert.same({}, reactor.getDelayedCalls())
  end)

  it("wants a time that is one, and something to call", function()
    assert.error_matches(function() reactor.callLater(-1, print) end, "#1 to 'callLater'")
    assert.error_matches(function() reactor.callLater(0 / 0, print) end, "#1 to 'callLater'")
    assert.error_matches(function() reactor.callLater("x", print) end, "#1 to 'callLater'")
    assert.error_matches(function() reactor.callLater(math.huge, print) end, "#1 to 'callLater'")
    local call = reactor.callLater(1, print)
    for _, wrong in ipairs { math.huge, 0 / 0, "1" } do
      assert.error_matches(function() call:reset(wrong) end, "#1 to 'reset' %(seconds >= 0 expected")
      assert.error_matches(function() call:delay(wrong) end, "#1 to 'delay' %(seconds expected")
    end
    assert.error_matches(function() call:reset(-1) end, "#1 to 'reset'")
    call:cancel()
    assert.error_matches(function() reactor.callLater(1) end, "#2 to 'callLater'")
  end)
end)

describe("listenTCP", function()
  after_each(clean)

  it("says at which address", function()
    local port, factory = reactors.listen(protocol.Protocol)
    assert.equal("127.0.0.1", port:getHost().host)
    assert.is_true(port:getHost().port > 0)
    assert.equal(1, factory.numPorts)
    port:stopListening()
    assert.equal(0, factory.numPorts)
    assert.is_nil((port:getHost()))
    port:stopListening()
  end)

  it("fails as calls do when the port is taken", function()
    local port = reactors.listen(protocol.Protocol)
    local other, err, errno = reactor.listenTCP(port:getHost().port, protocol.Factory(), 5, "127.0.0.1")
    assert.is_nil(other)
    assert.equal("EADDRINUSE", err.name)
    assert.equal(csock.errno.EADDRINUSE, errno)
    port:stopListening()
  end)

  it("makes a protocol for each connection, and tells buildProtocol who it is", function()
    local events, peers = loop.queue(), {}
    local port, factory = reactors.listen(reactors.recorder(events))
    function factory:buildProtocol(address)
      table.insert(peers, address)
      return protocol.Factory.buildProtocol(self, address)
    end
    run(function()
      for i = 1, 3 do
        local s <close> = reactors.dial(port)
        local made = expect(events, "made")
        assert.equal(s:getsockname(), peers[i])
        assert.equal(s:getsockname(), made.transport:getPeer())
        assert.equal(s:getsockname(), made.transport.client)
        assert.equal(s:getpeername(), made.transport:getHost())
        s:close()
        expect(events, "lost")
      end
    end)
  end)

  it("closes a connection for which there is no protocol", function()
    local port, factory = reactors.listen(protocol.Protocol)
    function factory.buildProtocol() end
    run(function()
      local s <close> = reactors.dial(port)
      assert.equal("", s:recv(1))
    end)
  end)

  it("closes a connection for which buildProtocol fails, and goes on", function()
    local events = loop.queue()
    local port, factory = reactors.listen(reactors.recorder(events))
    local first = true
    function factory:buildProtocol(address)
      if first then
        first = false
        error "no protocol"
      end
      return protocol.Factory.buildProtocol(self, address)
    end
    local errors = reactors.errors(function()
      run(function()
        local s <close> = reactors.dial(port)
        assert.equal("", s:recv(1))
        local _ <close> = reactors.dial(port)
        expect(events, "made")
      end)
    end)
    assert.equal(1, #errors)
    assert.matches("no protocol", errors[1])
  end)

  it("accepts nothing while it is told not to read", function()
    local events = loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    run(function()
      port:stopReading()
      local _ <close> = reactors.dial(port)
      csock.sleep(0.01)
      assert.is_true(events:empty())
      port:startReading()
      expect(events, "made")
    end)
  end)

  it("keeps its connections when it stops listening", function()
    local events = loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    run(function()
      local s <close> = reactors.dial(port)
      local made = expect(events, "made")
      port:stopListening()
      made.transport:write "still here"
      assert.equal("still here", reactors.read(s, 10))
    end)
  end)

  it("serves many at once", function()
    local Echo = class("Echo", protocol.Protocol)
    function Echo:dataReceived(data) self.transport:write(data) end
    local port = reactors.listen(Echo)
    run(function()
      local group <close> = loop.group()
      for i = 1, 100 do
        group:spawn(function()
          local s <close> = reactors.dial(port)
          for n = 1, 10 do
            local text = ("client %d message %d"):format(i, n)
            assert(s:sendall(text))
            assert.equal(text, reactors.read(s, #text))
          end
        end)
      end
    end)
  end)

  it("outlives a time without descriptors, and serves who waited", function()
    local status, out, err = process.run({ "sh", "-c", 'ulimit -n 24; exec "$@"', "sh", process.interpreter, "-e", [[
      local csock, reactor = require "csock", require "csock.reactor"
      local protocol, class = require "csock.protocol", require "csock.class"
      local Mine = class("Mine", protocol.Protocol)
      local made = 0
      function Mine:connectionMade() made = made + 1 self.transport:write "x" end
      local port = assert(reactor.listenTCP(0, protocol.Factory:forProtocol(Mine), 50, "127.0.0.1"))
      local clients = {}
      while true do
        local s = csock.socket()
        if not s or not s:connect(port:getHost()) then break end
        clients[#clients + 1] = s
      end
      csock.spawn(function()
        csock.sleep(0.05)
        local before = made
        for i = 1, #clients do clients[i]:close() end
        local s = assert(csock.create_connection(port:getHost()))
        assert(s:recv(1) == "x")
        print(before < #clients, made == #clients + 1)
        reactor.stop()
      end)
      reactor.run()
    ]] }, { timeout = 10, env = { LD_PRELOAD = os.getenv "LD_PRELOAD" } }) -- a sanitizer's, for the shell to pass on
    assert.equal(0, status, err)
    assert.equal("true\ttrue\n", out)
  end)
end)

describe("what the reactor is given", function()
  after_each(clean)

  local factory, client = protocol.Factory(), protocol.ClientFactory()
  for call, wrong in pairs {
    ["reactor.listenTCP(70000, factory)"] = "#1 to 'listenTCP' (port: 0 to 65535 expected, got 70000)",
    ["reactor.listenTCP('80', factory)"] = "#1 to 'listenTCP' (port: 0 to 65535 expected, got string)",
    ["reactor.listenTCP(0)"] = "#2 to 'listenTCP' (factory expected, got nil)",
    ["reactor.listenTCP(0, Factory)"] = "#2 to 'listenTCP' (factory expected, got <class Factory>)",
    ["reactor.listenTCP(0, {})"] = "#2 to 'listenTCP' (factory expected, got table)",
    ["reactor.listenUNIX(5, factory)"] = "#1 to 'listenUNIX' (path: string expected, got 5)",
    ["reactor.listenUNIX('x')"] = "#2 to 'listenUNIX' (factory expected, got nil)",
    ["reactor.listenUDP(-1, factory)"] = "#1 to 'listenUDP' (port: 0 to 65535 expected, got -1)",
    ["reactor.listenTCP(0, factory, 'many')"] = "#3 to 'listenTCP' (backlog: integer >= 0 expected, got string)",
    ["reactor.listenTCP(0, factory, 5, 1)"] = "#4 to 'listenTCP' (interface: string expected, got 1)",
    ["reactor.listenUDP(0, receiver, 1)"] = "#3 to 'listenUDP' (interface: string expected, got 1)",
    ["reactor.listenUDP(0, receiver, '', -1)"] = "#4 to 'listenUDP' (maxPacketSize: integer >= 1 expected, got -1)",
    ["reactor.listenUDP(0, receiver, '', 0)"] = "#4 to 'listenUDP' (maxPacketSize: integer >= 1 expected, got 0)",
    ["reactor.listenUDP(0, receiver, '', 1.0)"] = "#4 to 'listenUDP' (maxPacketSize: integer >= 1 expected, got 1.0)",
    ["reactor.listenUDP(0, factory)"] = "#2 to 'listenUDP' (protocol expected, got table)",
    ["reactor.connectTCP(nil, 1, client)"] = "#1 to 'connectTCP' (host: string expected, got nil)",
    ["reactor.connectTCP('127.0.0.1', 99999, client)"] = "#2 to 'connectTCP' (port: 0 to 65535 expected, got 99999)",
    ["reactor.connectTCP('127.0.0.1', 1, factory)"] = "#3 to 'connectTCP' (factory expected, got table)",
    ["reactor.connectTCP('127.0.0.1', 1, client, -1)"] = "#4 to 'connectTCP' (timeout: seconds >= 0 expected, got -1)",
    ["reactor.connectUNIX(nil, client)"] = "#1 to 'connectUNIX' (path: string expected, got nil)",
    ["reactor.connectUNIX('x', {})"] = "#2 to 'connectUNIX' (factory expected, got table)",
  } do
    it("is refused at once where it is wrong: " .. call, function()
      local env = {
        reactor = reactor, factory = factory, client = client, Factory = protocol.Factory,
        receiver = protocol.DatagramProtocol(),
      }
      local ok, err = pcall(load(call, "=here", "t", env))
      assert.is_false(ok)
      assert.equal("here:1: bad argument " .. wrong, err)
      assert.equal(0, factory.numPorts + client.numPorts)
    end)
  end
end)

describe("connectTCP", function()
  after_each(clean)

  -- A factory that tells of everything.
  local function client_factory(events, class_of_protocols)
    local factory = protocol.ClientFactory:forProtocol(class_of_protocols or protocol.Protocol)
    local function tell(name)
      factory[name] = function(_, ...) events:put { name, ... } end
    end
    for _, name in ipairs { "startFactory", "stopFactory", "startedConnecting", "clientConnectionFailed",
      "clientConnectionLost" } do tell(name) end
    return factory
  end

  it("connects, and tells the factory and the protocol in order", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local number = listener:getsockname()[2]
    local connector = reactor.connectTCP("127.0.0.1", number, client_factory(events, reactors.recorder(events)))
    assert.equal("connecting", connector.state)
    expect(events, "startFactory")
    assert.equal(connector, expect(events, "startedConnecting"))
    run(function()
      local made = expect(events, "made")
      assert.equal("connected", connector.state)
      local s = assert(listener:accept())
      assert.equal(s:getsockname(), made.transport:getPeer())
      assert.equal(s:getpeername(), made.transport:getHost())
      s:close()
      local lost, reason = expect(events, "lost")
      assert.equal(made, lost)
      assert.equal(reason.ConnectionDone, reason:check(reason.ConnectionDone))
      local same, again = expect(events, "clientConnectionLost")
      assert.equal(connector, same)
      assert.equal(reason, again)
      expect(events, "stopFactory")
      assert.equal("disconnected", connector.state)
    end)
  end)

  it("looks names up", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    reactor.connectTCP("localhost", listener:getsockname()[2], client_factory(events, reactors.recorder(events)))
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      expect(events, "made")
    end)
  end)

  it("says that it was refused", function()
    local events = loop.queue()
    local listener = assert(csock.create_server { "127.0.0.1", 0 })
    local number = listener:getsockname()[2]
    listener:close()
    local connector = reactor.connectTCP("127.0.0.1", number, client_factory(events))
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local same, reason = expect(events, "clientConnectionFailed")
      assert.equal(connector, same)
      assert.equal("ConnectionRefusedError", reason:check("ConnectionDone", "ConnectionRefusedError"))
      assert.matches("^Connection was refused by other side: .*ECONNREFUSED", tostring(reason))
      expect(events, "stopFactory")
    end)
  end)

  it("says that a name is unknown", function()
    local events = loop.queue()
    reactor.connectTCP("name.invalid", 80, client_factory(events))
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local _, reason = expect(events, "clientConnectionFailed")
      assert.is_truthy(reason:check(reason.DNSLookupError), tostring(reason))
    end)
  end)

  it("says that this side's address cannot be had", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    reactor.connectTCP("127.0.0.1", listener:getsockname()[2], client_factory(events), 10, { "192.0.2.1", 0 })
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local _, reason = expect(events, "clientConnectionFailed")
      assert.is_truthy(reason:check(reason.ConnectBindError), tostring(reason))
    end)
  end)

  it("tells buildProtocol whom it has connected to, also when that is gone already", function()
    local dial = internal.dial
    local restored <close> = setmetatable({}, { __close = function() internal.dial = dial end })
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local server, events = listener:getsockname(), loop.queue()
    function internal.dial(...)
      local s, address = dial(...)
      local peer = listener:accept()
      assert(peer:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
      peer:close()
      while s:getpeername() do csock.sleep(0.001) end
      return s, address
    end
    local factory = client_factory(events, reactors.recorder(events))
    local built
    function factory.buildProtocol(self, address)
      built = address
      return protocol.ClientFactory.buildProtocol(self, address)
    end
    run(function()
      reactor.connectTCP("127.0.0.1", server.port, factory)
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local made = expect(events, "made")
      assert.equal(server, built)
      assert.equal(server, made.transport.client)
      expect(events, "lost")
    end)
    assert(restored)
  end)

  it("connects from the address that it is given", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local number = listener:getsockname()[2]
    reactor.connectTCP("127.0.0.1", number, client_factory(events, reactors.recorder(events)), 10, { "127.0.0.2", 0 })
    run(function()
      local _, peer = listener:accept()
      assert.equal("127.0.0.2", peer.host)
    end)
    while not events:empty() do events:get() end
  end)

  -- A listener whose backlog is full: connects to it stay under way.
  local function deaf()
    local listener = assert(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen(0))
    local fillers = {}
    for i = 1, 8 do
      fillers[i] = assert(csock.socket())
      fillers[i]:settimeout(0)
      fillers[i]:connect(listener:getsockname())
    end
    return listener:getsockname()[2], setmetatable({}, { __close = function()
      listener:close()
      for _, filler in ipairs(fillers) do filler:close() end
    end })
  end

  it("says that this side's address is none", function()
    local events = loop.queue()
    reactor.connectTCP("127.0.0.1", 1, client_factory(events), 30, { "127.0.0.1", 99999 })
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local connector, reason = expect(events, "clientConnectionFailed")
      assert.equal(reason.ConnectError, reason:check(reason.ConnectError))
      assert.matches("65535 expected", tostring(reason))
      assert.equal("disconnected", connector.state)
      expect(events, "stopFactory")
    end)
  end)

  it("gives up when the time is out", function()
    local events = loop.queue()
    local number, guard = deaf()
    local _ <close> = guard
    reactor.connectTCP("127.0.0.1", number, client_factory(events), 0.02)
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local _, reason = expect(events, "clientConnectionFailed")
      assert.is_truthy(reason:check(reason.TimeoutError), tostring(reason))
    end)
  end)

  it("gives up when it is told to", function()
    local events = loop.queue()
    local number, guard = deaf()
    local _ <close> = guard
    local connector = reactor.connectTCP("127.0.0.1", number, client_factory(events))
    local before = #posix.fds()
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      csock.sleep(0.01)
      connector:stopConnecting()
      local _, reason = expect(events, "clientConnectionFailed")
      assert.is_truthy(reason:check(reason.UserError))
      expect(events, "stopFactory")
      assert.error_matches(function() connector:stopConnecting() end, "not trying to connect")
    end)
    assert.is_true(#posix.fds() <= before)
  end)

  it("gives up when the reactor stops", function()
    local events = loop.queue()
    local number, guard = deaf()
    local _ <close> = guard
    reactor.connectTCP("127.0.0.1", number, client_factory(events))
    run(function() csock.sleep(0.01) end)
    expect(events, "startFactory")
    expect(events, "startedConnecting")
    local _, reason = expect(events, "clientConnectionFailed")
    assert.is_truthy(reason:check(reason.ConnectionLost))
  end)

  it("connects again when clientConnectionLost asks for it", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local factory = client_factory(events)
    local again = 2
    function factory.clientConnectionLost(_, connector)
      if again == 0 then return end
      again = again - 1
      connector:connect()
    end
    local connector = reactor.connectTCP("127.0.0.1", listener:getsockname()[2], factory)
    run(function()
      for _ = 1, 3 do
        local s <close> = assert(listener:accept())
        assert(s:shutdown(csock.SHUT_WR))
      end
      expect(events, "startFactory")
      for _ = 1, 3 do assert.equal(connector, expect(events, "startedConnecting")) end
      expect(events, "stopFactory")
    end)
  end)

  it("closes the connection when it is told to disconnect", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local factory = client_factory(events, reactors.recorder(events))
    local connector = reactor.connectTCP("127.0.0.1", listener:getsockname()[2], factory)
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      expect(events, "made")
      assert.error_matches(function() connector:connect() end, "can't connect in the state 'connected'")
      local s <close> = assert(listener:accept())
      connector:disconnect()
      assert.equal("", s:recv(1))
      expect(events, "lost")
      expect(events, "clientConnectionLost")
    end)
  end)

  it("closes a connection for which there is no protocol", function()
    local events = loop.queue()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local factory = client_factory(events)
    function factory.buildProtocol() end
    reactor.connectTCP("127.0.0.1", listener:getsockname()[2], factory)
    run(function()
      expect(events, "startFactory")
      expect(events, "startedConnecting")
      local s <close> = assert(listener:accept())
      assert.equal("", s:recv(1))
      expect(events, "clientConnectionLost")
    end)
  end)

  it("comes back with a ReconnectingClientFactory, after pauses that grow", function()
    local factory = protocol.ReconnectingClientFactory:forProtocol(protocol.Protocol)
    factory.initialDelay, factory.factor, factory.jitter, factory.maxDelay = 1, 2, 0, 60
    local waited = {}
    testing.run(function()
      reactor.connectTCP("server", 99, factory)
      local task = csock.spawn(function()
        local function accept()
          local began, listener <close> = csock.now(), assert(csock.create_server { "", 99 })
          local _ <close> = assert(listener:accept())
          waited[#waited + 1] = math.floor(csock.now() - began + 0.5)
        end
        csock.sleep(100)
        accept() -- tried after 0, 2, 6, 14, 30, 62 and 122 seconds
        for _ = 1, 2 do accept() end
        factory:stopTrying()
        csock.sleep(1)
        reactor.stop()
      end)
      reactor.run()
      task:join()
    end, { virtual_time = true, network = { hosts = { "server" } } })
    assert.same({ 22, 60, 60 }, waited) -- the pauses stay as long as they may be
    assert.is_false(factory.continueTrying)
  end)
end)

describe("listenUNIX and connectUNIX", function()
  local dir
  before_each(function() dir = assert(posix.mkdtemp()) end)
  after_each(function()
    os.execute("rm -rf '" .. dir .. "'")
    clean()
  end)

  local function exists(path)
    return os.rename(path, path) == true
  end

  it("connect programs of one machine", function()
    local events = loop.queue()
    local path = dir .. "/socket"
    local port = assert(reactor.listenUNIX(path, protocol.Factory:forProtocol(reactors.recorder(events))))
    assert.equal(path, port:getHost())
    run(function()
      local Client = class("Client", protocol.Protocol)
      function Client:connectionMade() self.transport:write "hello" end
      local connector = reactor.connectUNIX(path, protocol.ClientFactory:forProtocol(Client))
      assert.same({ address = path }, connector:getDestination())
      expect(events, "made")
      local _, data = expect(events, "data")
      assert.equal("hello", data)
      assert.equal(path, connector.transport:getPeer())
      connector:disconnect()
      expect(events, "lost")
    end)
    assert.is_false(exists(path))
  end)

  it("also by a name of Linux's that is no path", function()
    local events = loop.queue()
    local name = ("\0csock-reactor-%d"):format(csock.getpid())
    local factory = protocol.Factory:forProtocol(reactors.recorder(events))
    if not reactor.listenUNIX(name, factory) then return pending "this system has no such names" end
    local second, err = reactor.listenUNIX(name, factory)
    assert.is_nil(second)
    assert.equal("EADDRINUSE", err.name)
    run(function()
      local s <close> = assert(csock.socket(csock.AF_UNIX))
      assert(s:connect(name))
      expect(events, "made")
    end)
  end)

  it("say that nobody is there", function()
    local events = loop.queue()
    local factory = protocol.ClientFactory()
    function factory.clientConnectionFailed(_, _, reason) events:put { "failed", reason } end
    run(function()
      reactor.connectUNIX(dir .. "/nothing", factory)
      assert.is_truthy(expect(events, "failed"):check "ConnectionRefusedError")
    end)
  end)

  it("replace a socket that a dead server left behind", function()
    local path = dir .. "/socket"
    assert(csock.create_server(path, { family = csock.AF_UNIX })):close()
    assert.is_true(exists(path))
    local port = assert(reactor.listenUNIX(path, protocol.Factory()))
    port:stopListening()
    assert.is_false(exists(path))
  end)

  it("leave a socket alone at which somebody answers, and a file that is none", function()
    local path = dir .. "/socket"
    local _ <close> = assert(csock.create_server(path, { family = csock.AF_UNIX }))
    local port, err = reactor.listenUNIX(path, protocol.Factory())
    assert.is_nil(port)
    assert.equal("EADDRINUSE", err.name)
    local file = dir .. "/file"
    assert(io.open(file, "w")):close()
    port, err = reactor.listenUNIX(file, protocol.Factory())
    assert.is_nil(port)
    assert.equal("EADDRINUSE", err.name)
    assert.is_true(exists(file))
  end)
end)

describe("listenUDP", function()
  after_each(clean)

  local function datagrams(events)
    local Datagrams = class("Datagrams", protocol.DatagramProtocol)
    function Datagrams:startProtocol() events:put { "start", self } end
    function Datagrams:stopProtocol() events:put { "stop", self } end
    function Datagrams:datagramReceived(data, address) events:put { "data", self, data, address } end
    function Datagrams:connectionRefused() events:put { "refused", self } end
    return Datagrams()
  end

  local function udp()
    local s = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(s:bind("127.0.0.1", 0))
    s:settimeout(10 * process.slowness)
    return s
  end

  it("passes datagrams on with their senders, and answers", function()
    local events = loop.queue()
    local mine = datagrams(events)
    local port = assert(reactor.listenUDP(0, mine, "127.0.0.1"))
    assert.equal(mine, expect(events, "start"))
    run(function()
      local s <close> = udp()
      for _, text in ipairs { "one", "", "three" } do
        assert(s:sendto(text, port:getHost()))
        local _, data, from = expect(events, "data")
        assert.equal(text, data)
        assert.equal(s:getsockname(), from)
        assert.equal(#text + 4, mine.transport:write("re: " .. text, from))
        assert.equal("re: " .. text, s:recv(100))
      end
    end)
    expect(events, "stop")
  end)

  it("cuts a datagram that is longer than maxPacketSize, and gives the error of one that cannot be sent", function()
    local events = loop.queue()
    local mine = datagrams(events)
    local port = assert(reactor.listenUDP(0, mine, "127.0.0.1", 5))
    expect(events, "start")
    run(function()
      local s <close> = udp()
      for _, text in ipairs { "12345", "123456", "1234" } do assert(s:sendto(text, port:getHost())) end
      for _, text in ipairs { "12345", "12345", "1234" } do assert.equal(text, select(2, expect(events, "data"))) end
      local sent, err, errno = mine.transport:write(("x"):rep(70000), s:getsockname())
      assert.is_nil(sent)
      assert.equal("EMSGSIZE", err.name)
      assert.equal(csock.errno.EMSGSIZE, errno)
      assert.equal(1, mine.transport:write("x", s:getsockname()))
    end)
  end)

  it("writes to no name, which would have to be looked up", function()
    local port = assert(reactor.listenUDP(0, protocol.DatagramProtocol(), "127.0.0.1"))
    assert.error_matches(function() port:write("x", { "localhost", 53 }) end,
      "#2 to 'write' %(an address expected, got a name%)")
    assert.error_matches(function() port:write("x", { "127.0.0.1" }) end, "#2 to 'write' %(port: integer expected")
    port:stopListening()
  end)

  it("takes an address as a table", function()
    local events = loop.queue()
    local mine = datagrams(events)
    assert(reactor.listenUDP(0, mine, "127.0.0.1"))
    run(function()
      local s <close> = udp()
      assert(mine.transport:write("x", { "127.0.0.1", s:getsockname()[2] }))
      assert.equal("x", s:recv(100))
    end)
  end)

  it("exchanges datagrams with one peer after connect", function()
    local events = loop.queue()
    local mine = datagrams(events)
    local port = assert(reactor.listenUDP(0, mine, "127.0.0.1"))
    expect(events, "start")
    run(function()
      local peer <close> = udp()
      local stranger <close> = udp()
      assert.error_matches(function() port:connect("localhost", 1) end, "#1 to 'connect'")
      assert(port:connect("127.0.0.1", peer:getsockname()[2]))
      assert.error_matches(function() port:connect("127.0.0.1", 1) end, "already connected")
      assert(port:write "hello")
      assert.equal("hello", peer:recv(100))
      assert(stranger:sendto("not me", port:getHost()))
      assert(peer:sendto("me", port:getHost()))
      local _, data = expect(events, "data")
      assert.equal("me", data)
    end)
  end)

  it("says when nobody is there", function()
    local events = loop.queue()
    local mine = datagrams(events)
    local port = assert(reactor.listenUDP(0, mine, "127.0.0.1"))
    expect(events, "start")
    run(function()
      local peer = udp()
      local number = peer:getsockname()[2]
      peer:close()
      assert(port:connect("127.0.0.1", number))
      assert(port:write "hello")
      expect(events, "refused")
    end)
  end)

  it("outlives an error in datagramReceived", function()
    local events = loop.queue()
    local mine = datagrams(events)
    local received = mine.datagramReceived
    function mine.datagramReceived(self, data, from)
      if data == "bad" then error "bad datagram" end
      received(self, data, from)
    end
    local port = assert(reactor.listenUDP(0, mine, "127.0.0.1"))
    expect(events, "start")
    local errors = reactors.errors(function()
      run(function()
        local s <close> = udp()
        for _, text in ipairs { "bad", "bad", "good" } do assert(s:sendto(text, port:getHost())) end
        local _, data = expect(events, "data")
        assert.equal("good", data)
      end)
    end)
    assert.equal(2, #errors)
    assert.matches("bad datagram", errors[1])
  end)

  it("fails as calls do when the port is taken", function()
    local s <close> = udp()
    local port, err = reactor.listenUDP(s:getsockname()[2], protocol.DatagramProtocol(), "127.0.0.1")
    assert.is_nil(port)
    assert.equal("EADDRINUSE", err.name)
  end)

  it("may be told to send to everybody", function()
    local port = assert(reactor.listenUDP(0, protocol.DatagramProtocol(), "127.0.0.1"))
    assert.is_true(port:setBroadcastAllowed(true))
    port:stopListening()
  end)
end)
