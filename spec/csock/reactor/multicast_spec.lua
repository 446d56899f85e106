-- Datagrams to groups: over the loopback interface, with other processes, and with Debian's Twisted. (A TTL of 0 keeps
-- what is sent on this host.)
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local reason = require "csock.reactor.reason"
local twisted = require "spec.support.twisted"

local loop, run, expect = csock.loop, reactors.run, reactors.expect
local LIMIT = 10 * process.slowness
local LOCAL = "127.0.0.1"

-- A group of this process's own, so that no other one's datagrams come.
local GROUP = ("239.%d.%d.7"):format(csock.getpid() >> 8 & 255, csock.getpid() & 255)

-- The loopback interface's name: "lo" or "lo0".
local function loopback()
  for _, interface in ipairs(assert(csock.if_nameindex())) do
    if interface[2]:find "^lo%d*$" then return interface[2] end
  end
end

local Member = class("Member", protocol.DatagramProtocol)

function Member:__init(events) self.events = events end

function Member:datagramReceived(data, address) self.events:put { "data", data, address } end

-- A port that is in no group yet, and the queue of what it gets.
local function listen(number, interface, multiple)
  local events = loop.queue()
  local port, err = reactor.listenMulticast(number or 0, Member(events), interface, nil, multiple)
  return port, events, err
end

-- What a Deferred has already: its result, or its failure.
local function outcome(d)
  local found
  d:addBoth(function(result) found = result end)
  assert.is_true(d.called)
  return found
end

local function done(d) assert.is_nil(outcome(d)) end

-- A port that sends to groups on this host alone.
local function sender(family_interface, outgoing)
  local port = assert(reactor.listenMulticast(0, protocol.DatagramProtocol(), family_interface))
  assert(port:setTTL(0))
  assert.is_true(outcome(port:setOutgoingInterface(outgoing)))
  return port
end

describe("listenMulticast", function()
  after_each(function()
    keep.close()
    assert.same({}, reactor.getDelayedCalls())
  end)

  it("receives what is sent to a group that it has joined, until it leaves", function()
    local port, events = listen()
    local from = sender("", LOCAL)
    local number = port:getHost().port
    run(function()
      assert(from:write("nobody hears this", { GROUP, number }))
      done(port:joinGroup(GROUP, LOCAL))
      assert(from:write("hello", { GROUP, number }))
      local data, address = expect(events, "data")
      assert.equal("hello", data)
      assert.equal(from:getHost().port, address.port)
      done(port:leaveGroup(GROUP, LOCAL))
      assert(from:write("nobody hears this", { GROUP, number }))
      assert(from:write("one for you alone", { LOCAL, number }))
      assert.equal("one for you alone", (expect(events, "data")))
    end)
  end)

  it("takes the interface by its name", function()
    local port, events = listen()
    local from = sender("", loopback())
    assert.equal(LOCAL, from:getOutgoingInterface())
    run(function()
      done(port:joinGroup(GROUP, loopback()))
      assert(from:write("hello", { GROUP, port:getHost().port }))
      expect(events, "data")
      done(port:leaveGroup(GROUP, LOCAL)) -- it is the same one
    end)
  end)

  it("shares its number with others that want so, and all of them receive", function()
    local one, first = listen(0, "", true)
    local number = one:getHost().port
    local two, second = listen(number, "", true)
    local _, _, err = listen(number, "", false)
    assert.equal("EADDRINUSE", err.name)
    local from = sender("", LOCAL)
    run(function()
      done(one:joinGroup(GROUP, LOCAL))
      done(two:joinGroup(GROUP, LOCAL))
      assert(from:write("hello", { GROUP, number }))
      assert.equal("hello", (expect(first, "data")))
      assert.equal("hello", (expect(second, "data")))
    end)
  end)

  it("has its number for itself without", function()
    local port = listen()
    local _, _, err = listen(port:getHost().port, "", true)
    assert.equal("EADDRINUSE", err.name)
    port:stopListening()
  end)

  for family, interface in pairs { IPv4 = "", IPv6 = "::" } do
    it(("has a TTL from 0 to 255 (%s)"):format(family), function()
      local port = listen(0, interface)
      assert.equal(1, port:getTTL())
      for _, ttl in ipairs { 0, 5, 255 } do
        assert.is_true(port:setTTL(ttl))
        assert.equal(ttl, port:getTTL())
      end
      for _, ttl in ipairs { -1, 256, 1.5, "5" } do
        assert.error_matches(function() port:setTTL(ttl) end, "#1 to 'setTTL' %(ttl: 0 to 255 expected")
      end
      assert.equal(255, port:getTTL())
      port:stopListening()
    end)

    it(("is told itself what it sends, or not (%s)"):format(family), function()
      local port = listen(0, interface)
      assert.is_true(port:getLoopbackMode())
      for _, mode in ipairs { false, true } do
        assert.is_true(port:setLoopbackMode(mode))
        assert.equal(mode, port:getLoopbackMode())
      end
      port:stopListening()
    end)

    it(("says what is wrong when it is closed (%s)"):format(family), function()
      local port = listen(0, interface)
      port:stopListening()
      for _, name in ipairs { "getTTL", "getLoopbackMode", "getOutgoingInterface", "setLoopbackMode" } do
        local result, err, errno = port[name](port, true)
        assert.is_nil(result)
        assert.equal("EBADF", err.name)
        assert.equal(csock.errno.EBADF, errno)
      end
      local failure = outcome(port:joinGroup(interface == "" and GROUP or "ff02::7", loopback()))
      assert.equal(reason.MulticastJoinError, failure:check(reason.MulticastJoinError))
    end)
  end

  it("sends by the interface that it is told, and by any other again", function()
    local port = listen()
    assert.equal("0.0.0.0", port:getOutgoingInterface())
    assert.is_true(outcome(port:setOutgoingInterface(LOCAL)))
    assert.equal(LOCAL, port:getOutgoingInterface())
    assert.is_true(outcome(port:setOutgoingInterface ""))
    assert.equal("0.0.0.0", port:getOutgoingInterface())
    local failure = outcome(port:setOutgoingInterface "192.0.2.77")
    assert.equal("EADDRNOTAVAIL", failure.value.name)
    port:stopListening()
  end)

  it("gives a failure for what is no group, for a group twice, and for one that it is not in", function()
    local port = listen()
    local function fails(name, d)
      local failure = outcome(d)
      assert.equal(reason.MulticastJoinError, failure:check(reason.MulticastJoinError))
      assert.equal(name, failure.value.name)
    end
    fails("EINVAL", port:joinGroup(LOCAL, LOCAL))
    fails("EADDRNOTAVAIL", port:leaveGroup(GROUP, LOCAL))
    done(port:joinGroup(GROUP, LOCAL))
    fails("EADDRINUSE", port:joinGroup(GROUP, LOCAL))
    port:stopListening()
  end)

  it("tells of a failure that nobody takes", function()
    local port = listen()
    local errors = reactors.errors(function()
      port:joinGroup(LOCAL)
      collectgarbage()
      collectgarbage()
    end)
    assert.equal(1, #errors)
    assert.matches("EINVAL", errors[1])
    port:stopListening()
  end)

  it("raises for what is no name", function()
    local port = listen()
    assert.error_matches(function() port:joinGroup(5) end, "#1 to 'joinGroup' %(group: string expected")
    assert.error_matches(function() port:leaveGroup(GROUP, 5) end, "#2 to 'leaveGroup' %(interface: string expected")
    assert.error_matches(function() port:setOutgoingInterface() end, "#1 to 'setOutgoingInterface' %(string expected")
    port:stopListening()
  end)

  describe("with names", function()
    local getaddrinfo = csock.getaddrinfo
    local asked

    before_each(function()
      asked = loop.queue()
      csock.getaddrinfo = function(name, _, options)
        asked:put { name, options.family }
        if name == "never.test" then loop.event():wait() end
        return getaddrinfo(({ ["group.test"] = GROUP, ["home.test"] = LOCAL })[name] or name, nil, {
          family = options.family, type = options.type, flags = csock.AI_NUMERICHOST,
        })
      end
    end)
    after_each(function() csock.getaddrinfo = getaddrinfo end)

    it("looks them up, the group's and the interface's", function()
      local port, events = listen()
      local from = sender("", LOCAL)
      run(function()
        assert.is_nil(defer.wait(port:joinGroup("group.test", "home.test"), LIMIT))
        assert(from:write("hello", { GROUP, port:getHost().port }))
        expect(events, "data")
        assert.is_true(defer.wait(from:setOutgoingInterface "home.test", LIMIT))
      end)
    end)

    it("gives a failure when there is no such host", function()
      local port = listen()
      run(function()
        local result, err = defer.wait(port:joinGroup "nobody.test", LIMIT)
        assert.is_nil(result)
        assert.equal(reason.DNSLookupError, err:check(reason.DNSLookupError))
      end)
    end)

    it("can be told to look no longer", function()
      local port = listen()
      run(function()
        local d = port:joinGroup "never.test"
        assert.equal("never.test", asked:get(LIMIT)[1])
        d:cancel()
        local failure = outcome(d)
        assert.equal(defer.CancelledError, failure:check(defer.CancelledError))
      end)
    end)
  end)

  describe("for IPv6", function()
    -- An interface over which it can be had: the loopback interface has it on some systems, and not on others.
    local function multicast_interface(group)
      for _, interface in ipairs(assert(csock.if_nameindex())) do
        local s <close> = assert(csock.socket(csock.AF_INET6, csock.SOCK_DGRAM))
        local index = ("=I4"):pack(interface[1])
        local ok = s:setsockopt(csock.IPPROTO_IPV6, csock.IPV6_MULTICAST_IF, index)
          and s:setsockopt(csock.IPPROTO_IPV6, csock.IPV6_MULTICAST_HOPS, 0)
          and s:sendto("", { group, 9 })
        if ok then return interface[2] end
      end
    end

    for kind, group in pairs { ["this host"] = "ff01::7777", ["this link"] = "ff02::7777" } do
      it(("receives what is sent to a group of %s"):format(kind), function()
        local has_ipv6 <close> = csock.socket(csock.AF_INET6, csock.SOCK_DGRAM)
        local name = has_ipv6 and multicast_interface(group)
        if not name then return pending "no interface has multicast over IPv6" end
        local port, events = listen(0, "::")
        local from = sender("::", name)
        assert.equal(name, from:getOutgoingInterface())
        run(function()
          done(port:joinGroup(group, name))
          assert(from:write("hello", { group, port:getHost().port }))
          assert.equal("hello", (expect(events, "data")))
          done(port:leaveGroup(("%s%%%s"):format(group, name)))
        end)
      end)
    end

    it("takes the interface by its name, by an address of it, and from the group's zone", function()
      local name, group = loopback(), "ff02::7777"
      local port = listen(0, "::1")
      for _, way in ipairs { { group, name }, { group, "::1" }, { ("%s%%%s"):format(group, name) } } do
        done(port:joinGroup(table.unpack(way)))
        local twice = outcome(port:joinGroup(group, name))
        assert.equal("EADDRINUSE", twice.value.name)
        done(port:leaveGroup(group, name))
      end
      local failure = outcome(port:joinGroup "ff02::7777%none")
      assert.equal("ENODEV", failure.value.name)
      port:stopListening()
    end)

    it("sends by the interface that it is told", function()
      local port = listen(0, "::1")
      assert.equal("", port:getOutgoingInterface())
      assert.is_true(outcome(port:setOutgoingInterface "::1"))
      assert.equal(loopback(), port:getOutgoingInterface())
      assert.is_true(outcome(port:setOutgoingInterface "::"))
      assert.equal("", port:getOutgoingInterface())
      port:stopListening()
    end)
  end)

  -- Twisted's example, in two processes: a server in the group, and a client that calls it and is answered.
  describe("as Twisted's manual shows it", function()
    local SERVER = [[
      local class = require "csock.class"
      local protocol = require "csock.protocol"
      local reactor = require "csock.reactor"

      local PingPong = class("MulticastPingPong", protocol.DatagramProtocol)

      function PingPong:startProtocol()
        self.transport:setTTL(5)
        self.transport:joinGroup("$GROUP", "127.0.0.1")
      end

      function PingPong:datagramReceived(data, address)
        print(data)
        if data == "Client: Ping" then self.transport:write("Server: Pong", address) end
        if data == "bye" then reactor.stop() end
      end

      io.stdout:setvbuf "no"
      local port = assert(reactor.listenMulticast(0, PingPong(), "", 8192, true))
      print(port:getHost().port)
      reactor.run()
    ]]

    local function twisted_member(number, ...)
      return keep(process.start { "/usr/bin/python3", "spec/support/twisted/multicast.py", GROUP, number, ... })
    end

    local function pings(server)
      local number = assert(math.tointeger(tonumber((server:expect "(%d+)\n"))))
      local port, events = listen()
      assert(port:setTTL(0))
      assert.is_true(outcome(port:setOutgoingInterface(LOCAL)))
      run(function()
        assert(port:write("Client: Ping", { GROUP, number }))
        local data, address = expect(events, "data")
        assert.equal("Server: Pong", data)
        assert.equal(number, address.port)
        assert(port:write("bye", { GROUP, number }))
      end)
      assert.equal("Client: Ping\nbye\n", server:read_all())
    end

    it("pings another process", function()
      pings(keep(process.lua { "-e", (SERVER:gsub("%$GROUP", GROUP)) }))
    end)

    it("pings Twisted", function()
      if not twisted.there then return pending "Twisted is not installed" end
      pings(twisted_member "0")
    end)

    it("is pinged by Twisted", function()
      if not twisted.there then return pending "Twisted is not installed" end
      local port, events = listen(0, "", true)
      done(port:joinGroup(GROUP, LOCAL))
      run(function()
        local client = twisted_member(tostring(port:getHost().port), "Client: Ping")
        local data, address = expect(events, "data")
        assert.equal("Client: Ping", data)
        assert(port:write("Server: Pong", address))
        client:expect "Server: Pong\n"
        assert(port:write("bye", address))
        assert.equal("bye\n", client:read_all())
      end)
    end)
  end)
end)
