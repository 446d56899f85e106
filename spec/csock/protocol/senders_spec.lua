-- Files that are sent over real connections, and what may go wrong.
local csock = require "csock"
local contexts = require "spec.support.contexts"
local keep = require "spec.support.keep"
local policies = require "csock.policies"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local task = require "csock.task"

local LIMIT = 10 * process.slowness

local events

before_each(function() events = csock.loop.queue() end)
after_each(keep.close)

local function file_of(text)
  local file = assert(io.tmpfile())
  file:write(text)
  file:seek "set"
  return keep(file)
end

-- A factory whose protocols send a file each, which `open` gives, and tell `events` of the outcome.
local function giving(open)
  local Giver = reactors.recorder(events)
  function Giver:connectionMade()
    local d = protocol.FileSender():beginFileTransfer(open(), self.transport)
    d:addBoth(function(outcome)
      events:put { "outcome", self, outcome }
      self.transport:loseConnection()
    end)
  end
  return protocol.ServerFactory:forProtocol(Giver)
end

local TEXT = ("0123456789"):rep(300000) .. "!"

describe("FileSender", function()
  it("sends a file over a connection, and tells when all is written", function()
    local port = assert(reactor.listenTCP(0, giving(function() return file_of(TEXT) end), nil, "127.0.0.1"))
    reactors.run(function()
      local s = keep(reactors.dial(port))
      assert.is_true(reactors.read_all(s) == TEXT)
      assert.equal("!", (select(2, reactors.expect(events, "outcome"))))
      reactors.expect(events, "lost")
    end)
  end)

  it("sends a stream of csock, within policies", function()
    local theirs, ours = keep(assert(csock.socketpair()))
    local clock = task.Clock()
    local inner = giving(function() return keep(assert(ours:makefile())) end)
    local factory = policies.ThrottlingFactory(inner, 5, nil, 1e6)
    factory.clock = clock
    local port = assert(reactor.listenTCP(0, policies.WrappingFactory(factory), nil, "127.0.0.1"))
    reactors.run(function()
      csock.spawn(function()
        assert(theirs:sendall(TEXT))
        theirs:close()
      end)
      local mover = csock.spawn(function()
        repeat clock.advance(0.1) until not csock.sleep(0.001)
      end)
      assert.is_true(reactors.read_all(keep(reactors.dial(port))) == TEXT)
      mover:cancel()
      assert.equal("!", (select(2, reactors.expect(events, "outcome"))))
      reactors.expect(events, "lost")
    end)
  end)

  it("sends over TLS", function()
    if contexts.missing then return pending(contexts.missing) end
    local factory = policies.TimeoutFactory(giving(function() return file_of(TEXT) end), 1000)
    local port = assert(reactor.listenSSL(0, factory, contexts.server(), nil, "127.0.0.1"))
    reactors.run(function()
      local s = keep(csock.create_connection(port:getHost(), {
        ssl = contexts.client(), server_hostname = "localhost", timeout = LIMIT,
      }))
      assert.is_true(reactors.read_all(s) == TEXT)
      assert.equal("!", (select(2, reactors.expect(events, "outcome"))))
      reactors.expect(events, "lost")
    end)
  end)

  it("fails when the connection is lost", function()
    local endless = { read = function(_, n) return ("x"):rep(n) end }
    local port = assert(reactor.listenTCP(0, giving(function() return endless end), nil, "127.0.0.1"))
    reactors.run(function()
      local s = keep(reactors.dial(port))
      reactors.read(s, 1000000)
      s:close()
      local _, why = reactors.expect(events, "outcome")
      assert.equal("Consumer asked us to stop producing", why:getErrorMessage())
      reactors.expect(events, "lost")
    end)
  end)

  it("fails with what could not be read", function()
    local pieces = { "one", "two" }
    local bad = { read = function()
      local piece = table.remove(pieces, 1)
      if piece then return piece end
      return nil, "disk on fire", 5
    end }
    local port = assert(reactor.listenTCP(0, giving(function() return bad end), nil, "127.0.0.1"))
    reactors.run(function()
      local s = keep(reactors.dial(port))
      assert.equal("onetwo", reactors.read_all(s))
      local _, why = reactors.expect(events, "outcome")
      assert.equal("disk on fire", why.value)
    end)
  end)

  it("goes on behind pieces of which nothing is left", function()
    local written = {}
    local consumer = {
      registerProducer = function(_, producer) producer:resumeProducing() end,
      unregisterProducer = function() end,
      write = function(_, data) table.insert(written, data) end,
    }
    local sender = protocol.FileSender()
    sender.CHUNK_SIZE = 2
    sender:beginFileTransfer(file_of "  ab  cd", consumer, function(data) return (data:gsub(" ", "")) end)
    sender:resumeProducing()
    assert.same({ "ab", "cd" }, written)
  end)
end)

describe("csock.protocol", function()
  it("loads no deferreds before a file is sent", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      require "csock.protocol"
      require "csock.reactor"
      assert(not package.loaded["csock.defer"] and not package.loaded["csock.policies"])
    ]] }, { timeout = 20 })
    assert.equal("", out .. err)
    assert.equal(0, status)
  end)
end)
