-- System events: the program's own, and those of a run, beside Twisted's.
local csock = require "csock"
local defer = require "csock.defer"
local protocol = require "csock.protocol"
local process = require "spec.support.process"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local same = require("spec.support.twisted").specs(it, pending)

local add, fire, remove = reactor.addSystemEventTrigger, reactor.fireSystemEvent, reactor.removeSystemEventTrigger
local SCENARIOS = "spec/support/twisted/events.py:"

-- Has errors that are told said as Twisted's script says them.
local function hearing(say, f)
  local loop = csock.loop
  local onerror = loop.onerror
  function loop.onerror(err) say("unhandled:", (tostring(err):gsub("^%S+:%d+: ", ""))) end
  local ok, err = pcall(f)
  loop.onerror = onerror
  if not ok then error(err, 0) end
end

describe("an event of the program's own", function()
  same("goes through its phases in order, once", SCENARIOS .. "order", function(say)
    for _, phase in ipairs { "after", "during", "before" } do
      for number = 1, 2 do add(phase, "order", say, phase, number) end
    end
    fire "order"
    fire "order"
  end)

  same("may be unknown", SCENARIOS .. "unknown", function(say)
    fire "unknown"
    say "fired"
  end)

  same("goes on after an error, which is told", SCENARIOS .. "errors", function(say)
    local function fail(phase)
      say("failing", phase)
      error(phase)
    end
    for _, phase in ipairs { "before", "during", "after" } do
      add(phase, "errors", fail, phase)
      add(phase, "errors", say, phase)
    end
    hearing(say, function() fire "errors" end)
  end)

  same("waits between before and during for what was given, and for nothing else", SCENARIOS .. "delays", function(say)
    local first, second = defer.Deferred(), defer.Deferred()
    add("before", "delays", function() say "before 1" return first end)
    add("before", "delays", function() say "before 2" return second end)
    add("before", "delays", function() say "before 3" end)
    add("during", "delays", function() say "during 1" return defer.Deferred() end)
    add("during", "delays", say, "during 2")
    add("after", "delays", say, "after")
    fire "delays"
    say "fired"
    second:callback()
    say "second"
    first:callback()
    say "first"
  end)

  same("goes on when what it waits for fails, and leaves the failure where it is", SCENARIOS .. "failing", function(say)
    local d = defer.Deferred()
    add("before", "failing", function() return d end)
    add("during", "failing", say, "during")
    fire "failing"
    d:errback "no"
    d:addErrback(function(failure) say("still", failure:getErrorMessage()) end)
  end)

  same("does not wait for what has fired", SCENARIOS .. "fired_already", function(say)
    add("before", "fired", function() return defer.succeed(1) end)
    add("during", "fired", say, "during")
    fire "fired"
    say "over"
  end)

  same("forgets what is removed", SCENARIOS .. "removal", function(say)
    local triggers = {}
    for _, phase in ipairs { "before", "during", "after" } do
      for n = 1, 2 do triggers[#triggers + 1] = add(phase, "removal", say, phase, n) end
    end
    for i = 1, 6, 2 do remove(triggers[i]) end
    if not pcall(remove, triggers[1]) then say "removed already" end
    fire "removal"
    if not pcall(remove, triggers[2]) then say "called already" end
  end)

  same("lets itself be changed while it takes place", SCENARIOS .. "removal_meanwhile", function(say)
    local d, triggers = defer.Deferred(), {}
    triggers.fired = add("before", "meanwhile", function() return d end)
    add("before", "meanwhile", function() remove(triggers.next) end)
    triggers.next = add("before", "meanwhile", say, "next")
    triggers.during = add("during", "meanwhile", say, "during")
    add("during", "meanwhile", function() remove(triggers.last) end)
    triggers.last = add("during", "meanwhile", say, "last")
    fire "meanwhile"
    remove(triggers.fired)
    remove(triggers.during)
    d:callback()
    say "over"
  end)

  same("calls what is added meanwhile, in a phase that is not over", SCENARIOS .. "additions", function(say)
    add("before", "additions", function()
      say "before"
      add("before", "additions", say, "added before")
      add("during", "additions", say, "added during")
    end)
    add("during", "additions", say, "during")
    add("after", "additions", function()
      say "after"
      add("after", "additions", say, "added after")
      add("before", "additions", say, "of the next time")
    end)
    fire "additions"
    say "again"
    fire "additions"
  end)

  same("may have another one fired", SCENARIOS .. "nested", function(say)
    add("before", "outer", function() say "outer before" fire "inner" end)
    add("during", "outer", say, "outer during")
    add("before", "inner", say, "inner before")
    add("after", "inner", say, "inner after")
    fire "outer"
  end)

  it("refuses what is no phase, no event, no function, no trigger", function()
    assert.error_matches(function() add("while", "x", print) end,
      "#1 to 'addSystemEventTrigger' %(phase: \"before\", \"during\" or \"after\" expected, got string")
    assert.error_matches(function() add("before", nil, print) end, "#2 to 'addSystemEventTrigger'")
    assert.error_matches(function() add("before", "x") end, "#3 to 'addSystemEventTrigger' %(function expected")
    assert.error_matches(function() remove {} end, "#1 to 'removeSystemEventTrigger' %(trigger expected")
    assert.error_matches(function() fire() end, "#1 to 'fireSystemEvent' %(string expected")
  end)
end)

describe("the events of a run", function()
  same("come in Twisted's order, and running is true between them", [[
    from twisted.internet import reactor
    for event in "startup", "shutdown":
        for phase in "before", "during", "after":
            reactor.addSystemEventTrigger(phase, event, lambda *a: say(*a, reactor.running), event, phase)
    reactor.callWhenRunning(say, "when running")
    def f():
        say("later")
        reactor.callWhenRunning(say, "at once")
        reactor.callFromThread(say, "from elsewhere")
        reactor.stop()
        reactor.callLater(0, say, "never")
    reactor.callLater(0, f)
    reactor.callLater(0, say, "in the same turn")
    reactor.run()
    say("over", reactor.running)
  ]], function(say)
    for _, event in ipairs { "startup", "shutdown" } do
      for _, phase in ipairs { "before", "during", "after" } do
        add(phase, event, function() say(event, phase, reactor.running) end)
      end
    end
    reactor.callWhenRunning(say, "when running")
    local never, over
    reactor.callLater(0, function()
      say "later"
      reactor.callWhenRunning(say, "at once")
      reactor.callFromThread(function()
        if not over then say "from elsewhere" end
      end)
      reactor.stop()
      never = reactor.callLater(0, say, "never")
    end)
    reactor.callLater(0, say, "in the same turn")
    reactor.run()
    say("over", reactor.running)
    never:cancel()
    over = true
    reactor.iterate() -- what was posted is for the next turn, whenever that comes
  end)

  same("wait for deferreds: the startup, and the shutdown", [[
    from twisted.internet import reactor
    def wait(what):
        say(what)
        return task.deferLater(reactor, 0.02, say, what, "over")
    for event in "startup", "shutdown":
        reactor.addSystemEventTrigger("before", event, wait, event)
        reactor.addSystemEventTrigger("during", event, lambda *a: say(*a, reactor.running), "during", event)
    reactor.callLater(0, lambda: say("a call", reactor.running))
    reactor.callWhenRunning(reactor.stop)
    reactor.addSystemEventTrigger("before", "shutdown", reactor.callLater, 0, say, "meanwhile")
    reactor.run()
    say("over")
  ]], function(say)
    local function wait(what)
      say(what)
      local d = defer.Deferred()
      reactor.callLater(0.02, function() say(what, "over") d:callback() end)
      return d
    end
    for _, event in ipairs { "startup", "shutdown" } do
      add("before", event, wait, event)
      add("during", event, function() say("during", event, reactor.running) end)
    end
    reactor.callLater(0, function() say("a call", reactor.running) end)
    reactor.callWhenRunning(reactor.stop)
    add("before", "shutdown", function() reactor.callLater(0, say, "meanwhile") end)
    reactor.run()
    say "over"
  end)

  same("tell of errors, and of a stop that comes with the start", [[
    from twisted.internet import reactor
    def fail(word):
        raise ValueError(word)
    for event in "startup", "shutdown":
        for phase in "before", "during", "after":
            reactor.addSystemEventTrigger(phase, event, fail, event + " " + phase)
    reactor.addSystemEventTrigger("before", "startup", reactor.stop)
    reactor.run()
    say("over")
  ]], function(say)
    local function fail(word) error(word, 0) end
    for _, event in ipairs { "startup", "shutdown" } do
      for _, phase in ipairs { "before", "during", "after" } do add(phase, event, fail, event .. " " .. phase) end
    end
    add("before", "startup", reactor.stop)
    hearing(say, reactor.run)
    say "over"
  end)

  same("have ports and connections lost between before and during", [[
    from twisted.internet import reactor
    class Told(protocol.Protocol):
        def connectionMade(self): say("made"); reactor.stop()
        def connectionLost(self, reason): say("lost", reason.type.__name__, reactor.running)
    factory = protocol.Factory.forProtocol(Told)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    import socket
    s = socket.create_connection(("127.0.0.1", port.getHost().port))
    for phase in "before", "during", "after":
        reactor.addSystemEventTrigger(phase, "shutdown", lambda phase: say(phase, bool(port.connected)), phase)
    reactor.run()
  ]], function(say)
    local class = require "csock.class"
    local Told = class("Told", protocol.Protocol)
    function Told:connectionMade() say "made" reactor.stop() end -- luacheck: ignore 212
    function Told:connectionLost(why) say("lost", why.__class.__name, reactor.running) end -- luacheck: ignore 212
    local factory = protocol.Factory:forProtocol(Told)
    local port = assert(reactor.listenTCP(0, factory, nil, "127.0.0.1"))
    local _ <close> = assert(csock.create_connection(port:getHost()))
    for _, phase in ipairs { "before", "during", "after" } do
      add(phase, "shutdown", function() say(phase, port.connected) end)
    end
    reactor.run()
  end)

  it("take place without waiting for anybody where Ctrl-C ends the run", function()
    local program <close> = process.lua({ "-e", [[
      io.stdout:setvbuf "no"
      local reactor, defer = require "csock.reactor", require "csock.defer"
      reactor.addSystemEventTrigger("before", "shutdown", function() print "before" return defer.Deferred() end)
      reactor.addSystemEventTrigger("during", "shutdown", function() print("during", reactor.running) end)
      reactor.addSystemEventTrigger("after", "shutdown", print, "after")
      reactor.callWhenRunning(function() print "running" end)
      print(pcall(reactor.run))
    ]] })
    assert.equal("running", program:read_line())
    program:signal "SIGINT"
    assert.equal("before", program:read_line())
    assert.equal("during\tfalse", program:read_line())
    assert.equal("after", program:read_line())
  end)

  it("do not wait for a deferred any more where the program stops the loop", function()
    local said = {}
    add("before", "shutdown", function() said[#said + 1] = "before" return defer.Deferred() end)
    add("during", "shutdown", function() said[#said + 1] = "during" end)
    reactor.callWhenRunning(reactor.stop)
    reactor.callLater(0.02, csock.loop.stop)
    reactor.run()
    assert.same({ "before", "during" }, said)
    assert.is_false(reactor.running)
  end)

  it("come to the program again when it adds them again", function()
    local said = {}
    for n = 1, 2 do
      add("during", "startup", function() said[#said + 1] = ("start %d %s"):format(n, reactor.running) end)
      add("during", "shutdown", function() said[#said + 1] = ("stop %d %s"):format(n, reactor.running) end)
      reactor.callWhenRunning(reactor.stop)
      reactor.run()
    end
    assert.same({ "start 1 true", "stop 1 false", "start 2 true", "stop 2 false" }, said)
  end)

  it("may be called off", function()
    local trigger = reactor.callWhenRunning(error, "never")
    remove(trigger)
    reactors.run(function() assert.is_nil(reactor.callWhenRunning(function() end)) end)
  end)
end)
