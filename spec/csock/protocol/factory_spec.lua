-- Factories and protocols for datagrams: how they are counted, and what they tell of themselves.
local class = require "csock.class"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local same = require("spec.support.twisted").specs(it, pending)

describe("a factory", function()
  same("is told when it is used first, and when no more", [[
    class Counting(protocol.Factory):
        noisy = False
        def startFactory(self): say("start", self.numPorts)
        def stopFactory(self): say("stop", self.numPorts)
    factory = Counting()
    say(factory.logPrefix())
    for f in "doStart", "doStart", "doStop", "doStop", "doStop", "doStart":
        getattr(factory, f)()
        say(f, factory.numPorts)
  ]], function(say)
    local Counting = class("Counting", protocol.Factory)
    function Counting:startFactory() say("start", self.numPorts) end
    function Counting:stopFactory() say("stop", self.numPorts) end
    local factory = Counting()
    say(factory:logPrefix())
    for _, f in ipairs { "doStart", "doStart", "doStop", "doStop", "doStop", "doStart" } do
      factory[f](factory)
      say(f, factory.numPorts)
    end
  end)

  same("is not in use when startFactory fails", [[
    class Failing(protocol.Factory):
        noisy = False
        def startFactory(self): raise ValueError("no")
    factory = Failing()
    try:
        factory.doStart()
    except ValueError:
        say(factory.numPorts)
  ]], function(say)
    local factory = protocol.Factory()
    function factory.startFactory() error "no" end
    if not pcall(factory.doStart, factory) then say(factory.numPorts) end
  end)

  it("tells of its beginning and end when it is noisy, as a protocol for datagrams does", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      local reactor, protocol = require "csock.reactor", require "csock.protocol"
      local factory, quiet, datagrams = protocol.Factory(), protocol.Factory(), protocol.DatagramProtocol()
      factory.noisy, datagrams.noisy = true, true
      function factory:startFactory() io.stderr:write "start\n" end
      for _, each in ipairs { factory, quiet } do
        assert(reactor.listenTCP(0, each, 5, "127.0.0.1")):stopListening()
      end
      assert(reactor.listenUDP(0, datagrams, "127.0.0.1")):stopListening()
    ]] }
    assert.equal(0, status)
    assert.equal("", out)
    err = err:gsub("0x%x+", "ADDRESS")
    assert.equal(([[
csock: Starting factory: <Factory object at ADDRESS>
start
csock: Stopping factory: <Factory object at ADDRESS>
csock: Starting protocol: <DatagramProtocol object at ADDRESS>
csock: Stopping protocol: <DatagramProtocol object at ADDRESS>
]]), err)
  end)
end)

describe("a transport", function()
  it("has its descriptor, and a prefix for messages about it: its protocol's", function()
    local csock = require "csock"
    local events = csock.loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    reactors.run(function()
      local _ <close> = reactors.dial(port)
      local transport = reactors.expect(events, "made").transport
      assert.equal(transport:getHandle():fileno(), transport:fileno())
      assert.equal("Recorder", transport:logPrefix())
      assert.is_true(transport:setTcpKeepAlive(true))
      assert.is_true(transport:getTcpKeepAlive())
      reactor.callFromThread(transport.abortConnection, transport)
      reactors.expect(events, "lost")
      assert.equal(-1, transport:fileno())
      transport:startReading()
      transport:stopWriting()
      transport:startWriting()
    end)
  end)
end)
