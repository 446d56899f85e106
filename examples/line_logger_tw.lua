-- line_logger_tw.lua: the server of logger_tw.lua with a LineReceiver, which puts lines together from the pieces in
-- which they come.
--
--   lua5.4 examples/line_logger_tw.lua [host] [port]   # then telnet localhost 1234
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local LineLogger = class("LineLogger", protocol.LineReceiver)
LineLogger.delimiter = "\n" -- telnet sends "\r\n", other programs less
LineLogger.MAX_LENGTH = 1024

function LineLogger:connectionMade()
  print(("Got connection from %s"):format(self.transport.client))
end

function LineLogger:lineReceived(line)
  print(("%s: %s"):format(self.transport.client, example.clean((line:gsub("\r$", "")))))
end

-- The rest of a line that is too long is received raw, and passed over.
function LineLogger:lineLengthExceeded(data)
  self:sendLine(("error: a line of over %d bytes\r"):format(self.MAX_LENGTH))
  self:setRawMode()
  self:rawDataReceived(data)
end

function LineLogger:rawDataReceived(data)
  local last = data:find(self.delimiter, 1, true)
  if last then self:setLineMode(data:sub(last + 1)) end
end

function LineLogger:connectionLost()
  print(("%s disconnected"):format(self.transport.client))
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 1234)

  local factory = protocol.Factory:forProtocol(LineLogger)
  local listening = assert(reactor.listenTCP(port, factory, 50, host))
  example.announce(listening)
  example.run_reactor(reactor)
end)
