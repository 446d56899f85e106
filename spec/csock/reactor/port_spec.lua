-- Ports in bad times: errors of accept and of receiving. The shim must be preloaded, so where it is not, this file
-- runs itself in a process where it is.
local process = require "spec.support.process"
local shim = require "spec.faults.shim"

if not shim.active() then
  describe("a port in bad times", function()
    it("holds its specs (run with the shim preloaded)", function()
      local status, out, err = process.run(
        { process.interpreter, "spec/support/run.lua", "spec/csock/reactor/port_spec.lua" },
        { env = { LD_PRELOAD = process.preload "spec.faults.shim" }, timeout = 60 })
      assert(status == 0, out .. err)
      assert.matches("\n%d+ passed, 0 failed\n$", out)
    end)
  end)
  return
end

local csock = require "csock"
local internal = require "csock.loop.internal"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local E, loop = csock.errno, csock.loop
local run, expect, dial = reactors.run, reactors.expect, reactors.dial
local FOR_EVER = { times = 1000000 }

-- Every call of accept(2), whichever of its two names it has here, fails so.
local function fail_accept(errno)
  shim.fail("accept", errno, FOR_EVER)
  shim.fail("accept4", errno, FOR_EVER)
end

local function accepts() return shim.calls "accept" + shim.calls "accept4" end

describe("a port in bad times", function()
  after_each(function()
    shim.reset()
    assert.same({}, reactor.getDelayedCalls())
  end)

  -- Runs `f(port, events)` with a port.
  local function with_port(f)
    local events = loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    run(function() f(port, events) end)
  end

  -- Connects, and waits until the port has failed to accept.
  local function fail_to_accept(port)
    local s = dial(port)
    while not port.resting do csock.sleep(0.001) end
    return s
  end

  it("accepts who waited, when it has descriptors again", function()
    with_port(function(port, events)
      fail_accept(E.EMFILE)
      local _ <close> = fail_to_accept(port)
      shim.reset()
      expect(events, "made")
    end)
  end)

  it("does not read again when it was told not to meanwhile", function()
    with_port(function(port, events)
      fail_accept(E.EMFILE)
      local _ <close> = fail_to_accept(port)
      port:stopReading()
      shim.reset()
      while port.resting do csock.sleep(0.01) end
      csock.sleep(0.01)
      assert.is_true(events:empty())
      port:startReading()
      expect(events, "made")
    end)
  end)

  it("rests on when it is told to read meanwhile", function()
    local patience <close> = setmetatable({ internal.PATIENCE }, {
      __close = function(before) internal.PATIENCE = before[1] end,
    })
    internal.PATIENCE = 60
    with_port(function(port)
      fail_accept(E.ENFILE)
      local _ <close> = fail_to_accept(port)
      local before = accepts()
      port:startReading()
      csock.sleep(0.001)
      assert.equal(before, accepts())
    end)
    assert(patience)
  end)

  it("can be closed meanwhile", function()
    with_port(function(port)
      fail_accept(E.EMFILE)
      local _ <close> = fail_to_accept(port)
      port:stopListening()
      assert.equal(1, #reactor.getDelayedCalls()) -- the limit of this run
    end)
  end)

  it("passes over a client that the system refuses, and does not spin when it refuses all", function()
    with_port(function(port, events)
      shim.fail("accept", E.EPERM)
      shim.fail("accept4", E.EPERM)
      local s <close> = dial(port)
      expect(events, "made")
      fail_accept(E.EPERM)
      local t <close> = dial(port)
      local until_then = csock.now() + 0.3
      while csock.now() < until_then do csock.sleep(0.01) end
      assert.is_true(accepts() < 100)
      shim.reset()
      expect(events, "made")
      assert(s and t)
    end)
  end)

  it("is over, and says so, when the socket is none to accept from", function()
    local errors = reactors.errors(function()
      with_port(function(port)
        fail_accept(E.EINVAL)
        local _ <close> = dial(port)
        while port.connected do csock.sleep(0.001) end
      end)
    end)
    assert.equal(1, #errors)
    assert.matches("EINVAL", errors[1])
  end)

  it("for datagrams, rests while nothing can be received, tells it once, and goes on then", function()
    local events = loop.queue()
    local Mine = protocol.DatagramProtocol()
    function Mine.datagramReceived(_, data) events:put { "data", data } end
    local port = assert(reactor.listenUDP(0, Mine, "127.0.0.1"))
    local errors = reactors.errors(function()
      run(function()
        local s <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
        for _, call in ipairs { "recvfrom", "recv", "recvmsg" } do shim.fail(call, E.ENOMEM, FOR_EVER) end
        assert(s:sendto("hello", port:getHost()))
        while not port.resting do csock.sleep(0.001) end
        local until_then = csock.now() + 0.3
        while csock.now() < until_then do csock.sleep(0.01) end
        assert.is_true(shim.calls "recvfrom" + shim.calls "recv" + shim.calls "recvmsg" < 20)
        shim.reset()
        assert.equal("hello", expect(events, "data"))
      end)
    end)
    assert.equal(1, #errors)
    assert.matches("ENOMEM", errors[1])
  end)
end)
