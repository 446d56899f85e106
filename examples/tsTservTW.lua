-- tsTservTW.lua: the timestamp server on csock.reactor, for many clients at once: the reactor calls the methods of a
-- Protocol, and a Factory makes one for each connection.
--
--   lua5.4 examples/tsTservTW.lua [host] [port]   # then tsTclntTW.lua, or any other client of tsTserv.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local Timestamp = class("Timestamp", protocol.Protocol)

function Timestamp:connectionMade()
  print(("...connected from: %s"):format(self.transport:getPeer().host))
end

-- From a client that does not read its replies, the transport receives nothing more.
function Timestamp:dataReceived(data)
  self.transport:write(("[%s] %s"):format(os.date("%c"), data))
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 21567)

  local factory = protocol.Factory:forProtocol(Timestamp)
  local listening = assert(reactor.listenTCP(port, factory, 50, host))
  example.announce(listening)
  print("waiting for connection...")
  example.run_reactor(reactor)
end)
