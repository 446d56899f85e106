-- A run apart from its events: crash, startRunning and iterate, callFromThread, disconnectAll; beside Twisted's.
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local internal = require "csock.loop.internal"
local same = require("spec.support.twisted").specs(it, pending)

local function clean()
  assert.is_false(reactor.running)
  assert.same({}, reactor.getDelayedCalls())
  assert.same({}, internal.hub.objects())
end

describe("crash", function()
  after_each(clean)

  same("ends the run without an event, and the run can go on", [[
    from twisted.internet import reactor
    for phase in "before", "during", "after":
        reactor.addSystemEventTrigger(phase, "shutdown", say, phase, "shutdown")
    reactor.callWhenRunning(say, "running")
    reactor.callLater(0, reactor.crash)
    reactor.callLater(0, lambda: say("in the same turn", reactor.running))
    later = reactor.callLater(0.05, say, "later")
    reactor.callLater(0.05, reactor.stop)
    reactor.run()
    say("crashed", reactor.running, later.active())
    reactor.callWhenRunning(say, "running again")
    reactor.run()
    say("over", reactor.running)
  ]], function(say)
    for _, phase in ipairs { "before", "during", "after" } do
      reactor.addSystemEventTrigger(phase, "shutdown", say, phase, "shutdown")
    end
    reactor.callWhenRunning(say, "running")
    reactor.callLater(0, reactor.crash)
    reactor.callLater(0, function() say("in the same turn", reactor.running) end)
    local later = reactor.callLater(0.05, say, "later")
    reactor.callLater(0.05, reactor.stop)
    reactor.run()
    say("crashed", reactor.running, later:active())
    reactor.callWhenRunning(say, "running again")
    reactor.run()
    say("over", reactor.running)
  end)

  it("leaves ports and connections open, and the next run goes on with them", function()
    local events = csock.loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    local s <close> = assert(csock.create_connection(port:getHost()))
    reactor.callLater(0, reactor.crash)
    reactor.run()
    assert.is_true(port.connected)
    reactors.run(function()
      local mine = reactors.expect(events, "made")
      assert(s:sendall "hello")
      assert.equal("hello", select(2, reactors.expect(events, "data")))
      mine.transport:write "answer"
      assert.equal("answer", reactors.read(s, 6))
    end)
  end)

  it("ends a shutdown that waits for what does not come", function()
    reactor.addSystemEventTrigger("before", "shutdown", function()
      reactor.callLater(0, reactor.crash)
      return defer.Deferred()
    end)
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    assert.is_false(reactor.running)
  end)

  it("lets an attempt to connect go on in the next run", function()
    local events = csock.loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    local made
    local factory = protocol.ClientFactory()
    function factory.buildProtocol() made = true end
    reactor.connectTCP("127.0.0.1", port:getHost().port, factory)
    reactor.callWhenRunning(reactor.crash)
    reactor.run()
    assert.is_nil(made)
    reactors.run(function() reactors.expect(events, "made") reactors.expect(events, "lost") end)
    assert.is_true(made)
  end)
end)

describe("iterate", function()
  after_each(clean)

  same("makes the calls that are due, then receives what has come", [[
    from twisted.internet import reactor
    import socket
    class Told(protocol.DatagramProtocol):
        def datagramReceived(self, data, address): say("received", data.decode())
    port = reactor.listenUDP(0, Told(), interface="127.0.0.1")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"hello", ("127.0.0.1", port.getHost().port))
    reactor.callLater(0, say, "due")
    reactor.callLater(0, lambda: reactor.callLater(0, say, "the next time"))
    reactor.callFromThread(say, "from elsewhere")
    reactor.iterate(5)
    say("once")
    reactor.iterate()
    say("twice", reactor.running)
    port.stopListening()
    reactor.iterate()
    say(bool(port.connected))
  ]], function(say)
    local Told = class("Told", protocol.DatagramProtocol)
    function Told:datagramReceived(data) say("received", data) end -- luacheck: ignore 212
    local port = assert(reactor.listenUDP(0, Told(), "127.0.0.1"))
    local s <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(s:sendto("hello", port:getHost()))
    reactor.callLater(0, say, "due")
    reactor.callLater(0, function() reactor.callLater(0, say, "the next time") end)
    reactor.callFromThread(say, "from elsewhere")
    reactor.iterate(5)
    say "once"
    reactor.iterate()
    say("twice", reactor.running)
    port:stopListening()
    reactor.iterate()
    say(port.connected)
  end)

  same("goes on with a run that startRunning has begun, until stop", [[
    from twisted.internet import reactor
    for event in "startup", "shutdown":
        for phase in "before", "during", "after":
            reactor.addSystemEventTrigger(phase, event, say, phase, event)
    reactor.callLater(0, reactor.stop)
    reactor.startRunning(False)
    say(reactor.running)
    turns = 0
    while reactor.running:
        reactor.iterate(0.01)
        turns += 1
    say("over", turns)
  ]], function(say)
    for _, event in ipairs { "startup", "shutdown" } do
      for _, phase in ipairs { "before", "during", "after" } do
        reactor.addSystemEventTrigger(phase, event, say, phase, event)
      end
    end
    reactor.callLater(0, reactor.stop)
    reactor.startRunning()
    say(reactor.running)
    local turns = 0
    while reactor.running do
      reactor.iterate(0.01)
      turns = turns + 1
    end
    say("over", turns)
  end)

  it("waits no longer than it is told, and not at all by default", function()
    local began = reactor.seconds()
    reactor.iterate()
    reactor.iterate(0.05)
    local took = reactor.seconds() - began
    assert.is_true(took >= 0.05)
    assert.is_true(took < 5 * process.slowness)
  end)

  it("is waked by a call from a task", function()
    csock.run(function()
      local said
      csock.spawn(function() reactor.callFromThread(function() said = true end) end)
      reactor.iterate(20 * process.slowness)
      reactor.iterate()
      assert.is_true(said)
    end)
  end)

  it("is refused during a run, in itself, and for what is no time", function()
    local errors = {}
    local function refused() errors[#errors + 1] = select(2, pcall(reactor.iterate)) end
    reactor.callLater(0, refused)
    reactor.iterate()
    reactors.run(function() refused() end)
    assert.same({ "the reactor is running already", "the reactor is running already" }, errors)
    assert.error_matches(function() reactor.iterate(-1) end, "#1 to 'iterate' %(seconds >= 0 expected")
    reactor.startRunning()
    assert.error_matches(reactor.startRunning, "running already")
    assert.error_matches(reactor.run, "running already")
    reactor.stop()
    reactor.iterate()
  end)

  it("makes the other calls when one raises an error", function()
    local said = {}
    local errors = reactors.errors(function()
      reactor.callFromThread(error, "posted")
      reactor.callLater(0, error, "timed")
      reactor.callFromThread(table.insert, said, 1)
      reactor.callLater(0, table.insert, said, 2)
      reactor.iterate()
    end)
    assert.same({ 1, 2 }, said)
    assert.equal(2, #errors)
  end)
end)

describe("callFromThread", function()
  after_each(clean)

  same("calls in order, what was given before the run first, and what comes meanwhile in the next turn", [[
    from twisted.internet import reactor
    reactor.callFromThread(say, "before the run")
    def f(n):
        say("call", n)
        if n < 3:
            reactor.callFromThread(f, n + 1)
            reactor.callFromThread(say, "behind", n)
        else:
            reactor.callFromThread(reactor.stop)
        say("made", n)
    reactor.callFromThread(f, 1)
    reactor.callWhenRunning(say, "running")
    reactor.callLater(0, say, "timed")
    reactor.run()
  ]], function(say)
    reactor.callFromThread(say, "before the run")
    local function f(n)
      say("call", n)
      if n < 3 then
        reactor.callFromThread(f, n + 1)
        reactor.callFromThread(say, "behind", n)
      else
        reactor.callFromThread(reactor.stop)
      end
      say("made", n)
    end
    reactor.callFromThread(f, 1)
    reactor.callWhenRunning(say, "running")
    reactor.callLater(0, say, "timed")
    reactor.run()
  end)

  it("calls in the reactor's task, from any other one, in order", function()
    local list, tasks = {}, {}
    reactors.run(function()
      for n = 1, 100 do
        reactor.callFromThread(function(...)
          list[#list + 1] = select("#", ...) == 3 and (...)
          tasks[csock.loop.current()] = true
        end, n, nil, nil)
        if n % 10 == 0 then csock.yield() end
      end
      local over = csock.loop.event()
      reactor.callFromThread(over.set, over)
      over:wait()
      assert.is_nil(tasks[csock.loop.current()])
    end)
    for n = 1, 100 do assert.equal(n, list[n]) end
    assert.is_not_nil(next(tasks))
    assert.is_nil(next(tasks, (next(tasks))))
  end)

  it("may be called by a handler of a signal, and wakes a reactor that has nothing else to do", function()
    local program <close> = process.lua({ "-e", [[
      local csock, reactor = require "csock", require "csock.reactor"
      csock.loop.on_signal("SIGUSR1", function() reactor.callFromThread(reactor.stop) end)
      io.stdout:setvbuf "no"
      reactor.callWhenRunning(print, "running")
      reactor.run()
      print "over"
    ]] })
    assert.equal("running", program:read_line())
    program:signal "SIGUSR1"
    assert.equal("over", program:read_line())
    assert.equal(0, program:wait())
  end)

  it("goes on after an error, which is told", function()
    local said
    local errors = reactors.errors(function()
      reactor.callFromThread(error, "bad")
      reactor.callFromThread(function() said = true end)
      reactor.callFromThread(reactor.stop)
      reactor.run()
    end)
    assert.is_true(said)
    assert.equal(1, #errors)
    assert.error_matches(reactor.callFromThread, "#1 to 'callFromThread' %(function expected")
  end)
end)

describe("disconnectAll", function()
  after_each(clean)

  it("loses ports, connections and attempts, and the reactor goes on", function()
    local events = csock.loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    local failed
    local factory = protocol.ClientFactory()
    function factory.clientConnectionFailed(_, _, why) failed = why end
    reactors.run(function()
      local s <close> = reactors.dial(port)
      reactors.expect(events, "made")
      reactor.callFromThread(function()
        reactor.connectTCP("127.0.0.1", port:getHost().port, factory)
        reactor.disconnectAll()
      end)
      local _, why = reactors.expect(events, "lost")
      assert.is_truthy(why:check "ConnectionLost")
      assert.is_false(port.connected)
      assert.is_truthy(failed:check "ConnectionLost")
      assert.is_true(reactor.running)
      assert.same({}, internal.hub.objects())
      assert.equal("", reactors.read_all(s))
    end)
  end)
end)

it("a program without deferreds does not load them", function()
  local status, out = process.run { process.interpreter, "-e", [[
    local reactor, protocol = require "csock.reactor", require "csock.protocol"
    local port = assert(reactor.listenTCP(0, protocol.Factory(), 5, "127.0.0.1"))
    reactor.addSystemEventTrigger("before", "shutdown", function() end)
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    print(package.loaded["csock.defer"], package.loaded["csock.task"])
    print(reactor.resolve "127.0.0.1", package.loaded["csock.defer"] ~= nil)
  ]] }
  assert.equal(0, status)
  assert.matches("^nil\tnil\n<Deferred.*\ttrue\n$", out)
end)
