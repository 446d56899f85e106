-- Capitals on the reactor: one process, and an object for each client whose methods are called.
local class = require "csock.class"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local Capitals = class("Capitals", protocol.LineReceiver)
Capitals.delimiter = "\n"
Capitals.MAX_LENGTH = 1024

function Capitals:lineReceived(line)
  self:sendLine(line:upper())
end

local factory = protocol.Factory()
factory.protocol = Capitals
local port = assert(reactor.listenTCP(tonumber(arg[1]) or 21567, factory, 50, "127.0.0.1"))
print(port:getHost().port)
reactor.run()
