-- Limits of connections over real sockets.
local class = require "csock.class"
local csock = require "csock"
local keep = require "spec.support.keep"
local policies = require "csock.policies"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local LIMIT = 10 * process.slowness

local events

before_each(function() events = csock.loop.queue() end)
after_each(keep.close)

local function dial(address)
  return keep(assert(csock.create_connection(address, { timeout = LIMIT })))
end

-- Whether the port lets this one stay: the protocol greets.
local function stays(s) return assert(s:recv(100)) ~= "" end

local Greeter = class("Greeter", protocol.Protocol)
function Greeter:connectionMade() self.transport:write "hello" end
function Greeter:connectionLost() events:put { "lost", self } end

describe("LimitConnectionsByPeer", function()
  local function limited()
    local factory = policies.LimitConnectionsByPeer(protocol.ServerFactory:forProtocol(Greeter))
    factory.maxConnectionsPerPeer = 2
    return factory
  end

  it("lets each address have so many, and others theirs", function()
    local factory = limited()
    local port = assert(reactor.listenTCP(0, factory, nil, "0.0.0.0"))
    reactors.run(function()
      local address = { "127.0.0.1", port:getHost().port }
      local first, second = dial(address), dial(address)
      assert.is_true(stays(first) and stays(second))
      assert.is_false(stays(dial(address)))
      local other = keep(assert(csock.create_connection(address, {
        timeout = LIMIT, source_address = { "127.0.0.2", 0 },
      })))
      assert.is_true(stays(other))
      assert.same({ ["127.0.0.1"] = 2, ["127.0.0.2"] = 1 }, factory.peerConnections)
      first:close()
      other:close()
      reactors.expect(events, "lost")
      reactors.expect(events, "lost")
      assert.same({ ["127.0.0.1"] = 1 }, factory.peerConnections)
      assert.is_true(stays(dial(address)))
    end)
    assert.same({}, factory.peerConnections)
  end)

  it("takes all that come by a Unix socket for one", function()
    local path = os.tmpname()
    os.remove(path)
    assert(reactor.listenUNIX(path, limited()))
    reactors.run(function()
      local function connect()
        local s = keep(assert(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)))
        s:settimeout(LIMIT)
        assert(s:connect(path))
        return s
      end
      assert.is_true(stays(connect()) and stays(connect()))
      assert.is_false(stays(connect()))
    end)
  end)

  it("counts nobody whose protocol cannot be made", function()
    local inner = protocol.ServerFactory()
    function inner.buildProtocol() error "oops" end
    local counting = { policies.LimitConnectionsByPeer(inner), policies.ThrottlingFactory(inner) }
    local total = policies.LimitTotalConnectionsFactory()
    function total.protocol() error "oops" end
    counting[3] = total
    for _, factory in ipairs(counting) do
      local port = assert(reactor.listenTCP(0, factory, nil, "127.0.0.1"))
      local texts = reactors.errors(function()
        reactors.run(function() assert.is_false(stays(dial(port:getHost()))) end)
      end)
      assert.equal(1, #texts)
    end
    assert.same({}, counting[1].peerConnections)
    assert.equal(0, counting[2].connectionCount)
    assert.equal(0, total.connectionCount)
  end)
end)

describe("LimitTotalConnectionsFactory", function()
  it("tells those that are too many so, and counts them out", function()
    local Busy = class("Busy", protocol.Protocol)
    function Busy:connectionMade()
      self.transport:write "busy"
      self.transport:loseConnection()
    end
    local factory = policies.LimitTotalConnectionsFactory()
    factory.protocol, factory.connectionLimit, factory.overflowProtocol = Greeter, 1, Busy
    local port = assert(reactor.listenTCP(0, factory, nil, "127.0.0.1"))
    reactors.run(function()
      local first = dial(port:getHost())
      assert.equal("hello", reactors.read(first, 5))
      assert.equal("busy", reactors.read_all(dial(port:getHost())))
      repeat csock.sleep(0.001) until factory.connectionCount == 1
      first:close()
      reactors.expect(events, "lost")
      assert.equal(0, factory.connectionCount)
      assert.equal("hello", reactors.read(dial(port:getHost()), 5))
    end)
    assert.equal(0, factory.connectionCount)
  end)
end)
