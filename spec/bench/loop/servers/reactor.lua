-- The contender csock, on the reactor: reactor.lua MODE (see ../load.c). Prints the port.
local class = require "csock.class"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local protocols, clients = {}, {}

protocols.echo = class("Echo", protocol.Protocol)
function protocols.echo:dataReceived(data)
  self.transport:write(data)
end

protocols.accept = class("Once", protocol.Protocol)
function protocols.accept:dataReceived(data)
  self.transport:write(data)
  self.transport:loseConnection()
end

protocols.fanout = class("Fanout", protocol.Protocol)
function protocols.fanout:connectionMade()
  self.transport:setTcpNoDelay(true)
  self.transport:write "!"
  clients[#clients + 1] = self.transport
end
function protocols.fanout:dataReceived(data) -- luacheck: no self
  for _, client in ipairs(clients) do client:write(data) end
end
function protocols.fanout:connectionLost() -- luacheck: no self
  os.exit(0)
end

protocols.lines = class("Lines", protocol.LineReceiver)
protocols.lines.delimiter = "\n"
function protocols.lines:connectionMade()
  self.count = 0
end
function protocols.lines:lineReceived()
  self.count = self.count + 1
end
function protocols.lines:readConnectionLost()
  self:sendLine(tostring(self.count))
  self.transport:loseConnection()
end

local UDPEcho = class("UDPEcho", protocol.DatagramProtocol)
function UDPEcho:datagramReceived(data, addr)
  self.transport:write(data, addr)
end

local port
if arg[1] == "udp" then
  port = reactor.listenUDP(0, UDPEcho(), "127.0.0.1")
else
  local factory = protocol.Factory()
  factory.protocol = protocols[arg[1]]
  port = reactor.listenTCP(0, factory, 1024, "127.0.0.1")
end
print(port:getHost().port)
io.stdout:flush()
reactor.run()
