--- Protocols that exchange datagrams, for csock.protocol, which has them.
-- @module csock.protocol
local class = require "csock.class"
local noise = require "csock.protocol.noise"

return function(M)
  --- What protocols for datagrams have. `transport` is nil until there is a port, and when it is closed.
  -- @type abstractdatagramprotocol
  local Abstract = class("AbstractDatagramProtocol")
  M.AbstractDatagramProtocol = Abstract

  --- How many ports use it.
  -- @field abstractdatagramprotocol:numPorts
  Abstract.numPorts = 0

  --- Whether it is told on standard error, or to the host that has csock inside, that `startProtocol` or `stopProtocol`
  -- is about to be called. Twisted's are noisy unless told otherwise; here nothing is.
  -- @field abstractdatagramprotocol:noisy
  Abstract.noisy = false

  --- What messages about it may begin with: the name of its class. May be overridden.
  -- Source: Twisted's `ILoggingContext`.
  -- @function abstractdatagramprotocol:logPrefix
  -- @treturn string
  -- @usage print(protocol.DatagramProtocol():logPrefix()) --> DatagramProtocol
  Abstract.logPrefix = noise.logPrefix

  --- Called with the port; sets `self.transport` and calls `doStart`.
  -- @function abstractdatagramprotocol:makeConnection
  -- @param transport
  function Abstract:makeConnection(transport)
    self.transport = transport
    self:doStart()
  end

  -- A port begins to use it.
  function Abstract:doStart()
    if self.numPorts == 0 then
      noise.say(self, "Starting protocol")
      self:startProtocol()
    end
    self.numPorts = self.numPorts + 1
  end

  -- It is closed.
  function Abstract:doStop()
    self.numPorts = self.numPorts - 1
    self.transport = nil
    if self.numPorts > 0 then return end
    noise.say(self, "Stopping protocol")
    self:stopProtocol()
  end

  --- Called when the port is open. To be overridden.
  -- @function abstractdatagramprotocol:startProtocol
  function Abstract:startProtocol() end -- luacheck: ignore 212

  --- Called when the port is closed. To be overridden.
  -- @function abstractdatagramprotocol:stopProtocol
  function Abstract:stopProtocol() end -- luacheck: ignore 212

  --- Called with each datagram. To be overridden.
  -- @function abstractdatagramprotocol:datagramReceived
  -- @tparam string data
  -- @tparam address address who sent it; a path, or `""` or nil for none, at a Unix socket
  function Abstract:datagramReceived(data, address) end -- luacheck: ignore 212

  --- Exchanges datagrams: an `abstractdatagramprotocol` whose transport is a port of `reactor.listenUDP`,
  -- `listenMulticast` or `listenUNIXDatagram` (@{csock.reactor.port}).
  -- @type datagramprotocol
  local DatagramProtocol = class("DatagramProtocol", Abstract)
  M.DatagramProtocol = DatagramProtocol

  --- Called when nobody is there who receives what a connected port sends. To be overridden.
  -- @function datagramprotocol:connectionRefused
  function DatagramProtocol:connectionRefused() end -- luacheck: ignore 212

  --- Exchanges datagrams with one peer: a `datagramprotocol` for `reactor.connectUNIXDatagram`. What its
  -- `datagramReceived` is called with is that one's.
  -- @type connecteddatagramprotocol
  local Connected = class("ConnectedDatagramProtocol", DatagramProtocol)
  M.ConnectedDatagramProtocol = Connected

  --- Called when it could not be connected. To be overridden.
  -- @function connecteddatagramprotocol:connectionFailed
  -- @tparam reason reason
  function Connected:connectionFailed(reason) end -- luacheck: ignore 212
end
