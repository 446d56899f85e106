--- For specs of protocols: a transport that keeps what is written, and a clock that moves when told.
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

--- A clock for what takes a `clock`: `advance(seconds)` makes the calls whose time has come.
function M.clock()
  local clock = { now = 0, calls = {} }

  function clock.callLater(delay, f, ...)
    local call = { time = clock.now + delay, f = f, arguments = table.pack(...) }
    function call.cancel() call.cancelled = true end
    table.insert(clock.calls, call)
    return call
  end

  function clock.advance(seconds)
    clock.now = clock.now + seconds
    local calls = clock.calls
    clock.calls = {}
    for _, call in ipairs(calls) do
      if call.time > clock.now then
        table.insert(clock.calls, call)
      elseif not call.cancelled then
        call.f(table.unpack(call.arguments, 1, call.arguments.n))
      end
    end
  end

  --- How long until the first call; nil when there is none.
  function clock.wait()
    local first
    for _, call in ipairs(clock.calls) do
      if not call.cancelled then first = math.min(first or math.huge, call.time) end
    end
    return first and first - clock.now
  end

  return clock
end

return M
