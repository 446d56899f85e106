-- portforward_tw.lua: passes on everything that comes to a port to another server, and its answers back, in both
-- directions no faster than it is taken. Each transport is the other's producer: a side that does not read
-- stops the other side's writer, so that nothing piles up in between.
--
--   lua5.4 examples/portforward_tw.lua [host] [port]   # where it listens
--   --to ENDPOINT: that server: tcp:localhost:21567 (which tsTserv.lua is), or "unix:/path", "tls:host:port" and more
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local endpoints = require "csock.endpoints"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

-- Both sides have this in common; the other one is `peer`, as long as there is one.
local Side = class("Side", protocol.Protocol)

function Side:dataReceived(data) self.peer.transport:write(data) end

function Side:connectionLost()
  if self.peer then self.peer.transport:loseConnection() end
end

-- The side to the server: now both are there.
local ToServer = class("ToServer", Side)

function ToServer:connectionMade()
  self.peer.peer = self
  self.transport:registerProducer(self.peer.transport, true)
  self.peer.transport:registerProducer(self.transport, true)
  self.peer.transport:resumeProducing()
end

-- The side to the client, who has to wait until there is a server to talk to.
local ToClient = class("ToClient", Side)

function ToClient:connectionMade()
  self.transport:pauseProducing()
  local side = ToServer()
  side.peer = self
  self.connecting = endpoints.connectProtocol(self.factory.to, side)
  self.connecting:addErrback(function(why)
    if not why:check "CancelledError" then print(example.clean(why:getErrorMessage())) end
    self.transport:loseConnection()
  end)
end

function ToClient:connectionLost(why)
  self.connecting:cancel() -- if that is not over
  ToClient.super.connectionLost(self, why)
end

example.run(function()
  local to = example.value("--to", "ENDPOINT") or "tcp:localhost:21567"
  local host, port = example.arguments("host", "localhost", "port", 8080)

  local factory = protocol.Factory:forProtocol(ToClient)
  factory.to = endpoints.clientFromString(reactor, to)
  example.announce(assert(reactor.listenTCP(port, factory, 50, host)))
  example.run_reactor(reactor)
end)
