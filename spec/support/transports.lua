--- For specs of protocols: a transport that keeps what is written.
local class = require "csock.class"

local M = {}

--- A transport without a socket: what was written is in `written`, what was asked for in its fields.
local Transport = class("FakeTransport")
M.Transport = Transport
Transport.disconnecting = false
Transport.disconnected = false
Transport.producing = true

function Transport:__init() self.written = "" end
function Transport:write(data) self.written = self.written .. data end
function Transport:loseConnection() self.disconnecting = true end
function Transport:pauseProducing() self.producing = false end
function Transport:resumeProducing() self.producing = true end
function Transport:stopProducing() self:loseConnection() end

--- A protocol on such a transport.
function M.connected(protocol)
  protocol:makeConnection(Transport())
  return protocol
end

--- Feeds a protocol with `input`, `size` bytes at a time.
function M.feed(protocol, input, size)
  for i = 1, #input, size do protocol:dataReceived(input:sub(i, i + size - 1)) end
end

return M
