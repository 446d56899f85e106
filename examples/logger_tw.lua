-- logger_tw.lua: prints what each of its clients sends, in whatever pieces it comes: a Protocol on csock.reactor.
--
--   lua5.4 examples/logger_tw.lua [host] [port]   # then telnet localhost 1234
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local Logger = class("Logger", protocol.Protocol)

function Logger:connectionMade()
  print(("Got connection from %s"):format(self.transport.client))
end

function Logger:dataReceived(data)
  example.show(("%s: "):format(self.transport.client), data)
end

function Logger:connectionLost()
  print(("%s disconnected"):format(self.transport.client))
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 1234)

  local factory = protocol.Factory:forProtocol(Logger)
  local listening = assert(reactor.listenTCP(port, factory, 50, host))
  example.announce(listening)
  example.run_reactor(reactor)
end)
