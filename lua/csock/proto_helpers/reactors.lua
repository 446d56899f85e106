--- What stands in for the reactor, for csock.proto_helpers: it notes what it is asked for, and opens nothing.
--
-- It is called with a dot, as csock.reactor is: each object has functions of its own that know it.
-- @module csock.proto_helpers
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local task = require "csock.task"

local M = {}

-- Gives an object its own functions, of those that take it first.
local function bind(self, methods)
  for name, method in pairs(methods) do
    self[name] = function(...) return method(self, ...) end
  end
end

-- --- what it gives --------------------------------------------------------------------------------

local FakePort = class("FakePort")

function FakePort:__init(hostAddress) self.hostAddress = hostAddress end
function FakePort:startListening() end -- luacheck: ignore 212
function FakePort:stopListening() end -- luacheck: ignore 212
function FakePort:getHost() return self.hostAddress end

local FakeConnector = class("FakeConnector")

FakeConnector.stoppedConnecting = false

function FakeConnector:__init(destination) self.destination = destination end
function FakeConnector:connect() end -- luacheck: ignore 212
function FakeConnector:disconnect() end -- luacheck: ignore 212
function FakeConnector:stopConnecting() self.stoppedConnecting = true end
function FakeConnector:getDestination() return self.destination end

-- A port at this address; any one, if it is none.
local function listening(interface, port)
  local address = interface and interface ~= "" and csock.address(csock.AF_INET6, interface, port)
  return FakePort(address or csock.address(csock.AF_INET, "0.0.0.0", port))
end

local WHERE = { [csock.AF_INET] = "", [csock.AF_INET6] = "::" }

-- A descriptor that was handed over with its family.
local function adopt(self, call, family, record)
  local interface = WHERE[family]
  if not interface then return csock.make_error { call = call, errno = csock.errno.EAFNOSUPPORT } end
  table.insert(self.adoptedPorts, record)
  return listening(interface, 1234)
end

local function connecting(self, factory, destination)
  local connector = FakeConnector(destination)
  factory:startedConnecting(connector)
  table.insert(self.connectors, connector)
  return connector
end

-- --- running --------------------------------------------------------------------------------------

local methods = {}

function methods.install(self) self.hasInstalled = true end

function methods.callWhenRunning(self, f, ...) table.insert(self.whenRunningHooks, table.pack(f, ...)) end

function methods.run(self)
  if self.running then check.fail "the reactor is running already" end
  self.running, self.hasRun = true, true
  for _, hook in ipairs(self.whenRunningHooks) do hook[1](table.unpack(hook, 2, hook.n)) end
  self.stop()
end

function methods.stop(self) self.running, self.hasStopped = false, true end

function methods.crash(self) self.running, self.hasCrashed = false, true end

function methods.addSystemEventTrigger(self, phase, event, f, ...)
  local triggers = self.triggers
  triggers[phase] = triggers[phase] or {}
  triggers[phase][event] = triggers[phase][event] or {}
  table.insert(triggers[phase][event], table.pack(f, ...))
end

-- --- descriptors ----------------------------------------------------------------------------------

local function keys(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  return list
end

function methods.addReader(self, reader) self.readers[reader] = true end
function methods.removeReader(self, reader) self.readers[reader] = nil end
function methods.getReaders(self) return keys(self.readers) end
function methods.addWriter(self, writer) self.writers[writer] = true end
function methods.removeWriter(self, writer) self.writers[writer] = nil end
function methods.getWriters(self) return keys(self.writers) end
function methods.removeAll(self) self.readers, self.writers = {}, {} end

-- --- ports and connectors -------------------------------------------------------------------------

function methods.listenTCP(self, port, factory, backlog, interface)
  table.insert(self.tcpServers, { port, factory, backlog or 50, interface or "" })
  return listening(interface, port)
end

function methods.listenSSL(self, port, factory, contextFactory, backlog, interface)
  table.insert(self.sslServers, { port, factory, contextFactory, backlog or 50, interface or "" })
  return listening(interface, port)
end

function methods.listenUNIX(self, address, factory, backlog, mode, wantPID)
  table.insert(self.unixServers, { address, factory, backlog or 50, mode, wantPID })
  return FakePort(address)
end

function methods.connectTCP(self, host, port, factory, timeout, bindAddress)
  table.insert(self.tcpClients, { host, port, factory, timeout or 30, bindAddress })
  return connecting(self, factory, { host = host, port = port })
end

function methods.connectSSL(self, host, port, factory, contextFactory, timeout, bindAddress)
  table.insert(self.sslClients, { host, port, factory, contextFactory, timeout or 30, bindAddress })
  return connecting(self, factory, { host = host, port = port })
end

function methods.connectUNIX(self, address, factory, timeout, checkPID)
  table.insert(self.unixClients, { address, factory, timeout or 30, checkPID })
  return connecting(self, factory, { address = address })
end

function methods.adoptStreamPort(self, fd, family, factory)
  return adopt(self, "adoptStreamPort", family, { fd, family, factory })
end

function methods.adoptStreamConnection(self, fd, family, factory)
  table.insert(self.adoptedStreamConnections, { fd, family, factory })
end

function methods.adoptDatagramPort(self, fd, family, protocol, maxPacketSize)
  return adopt(self, "adoptDatagramPort", family, { fd, family, protocol, maxPacketSize or 8192 })
end

-- --- the classes ----------------------------------------------------------------------------------

--- A reactor in memory: it notes what its functions are given, those of @{csock.reactor}, and opens nothing.
--
--     local reactor = proto_helpers.MemoryReactor()
--     reactor.listenTCP(8080, factory)
--     local port, factory, backlog, interface = table.unpack(reactor.tcpServers[1])
--
-- `listenTCP`, `listenSSL`, `listenUNIX`, `adoptStreamPort` and `adoptDatagramPort` give a port whose `getHost` is what
-- was asked for; `connectTCP`, `connectSSL` and `connectUNIX` call the factory's `startedConnecting` and give a
-- connector that stays as it is, but for its field `stoppedConnecting`. `addReader`, `addWriter` and what belongs to
-- them keep sets. `run` makes the calls of `callWhenRunning` (`whenRunningHooks`) and returns; `crash` and `install`
-- set fields as it does: `running`, `hasRun`, `hasStopped`, `hasCrashed`, `hasInstalled`.
-- @type memoryreactor
local MemoryReactor = class("MemoryReactor")
M.MemoryReactor = MemoryReactor

MemoryReactor.hasInstalled = false
MemoryReactor.running = false
MemoryReactor.hasRun = false
MemoryReactor.hasStopped = false
MemoryReactor.hasCrashed = false

--- The arguments of each `listenTCP`: `{port, factory, backlog, interface}`.
-- @field memoryreactor:tcpServers

--- The arguments of each `connectTCP`: `{host, port, factory, timeout, bindAddress}`.
-- @field memoryreactor:tcpClients

--- The arguments of each `listenSSL`: `{port, factory, contextFactory, backlog, interface}`.
-- @field memoryreactor:sslServers

--- The arguments of each `connectSSL`: `{host, port, factory, contextFactory, timeout, bindAddress}`.
-- @field memoryreactor:sslClients

--- The arguments of each `listenUNIX`: `{address, factory, backlog, mode, wantPID}`.
-- @field memoryreactor:unixServers

--- The arguments of each `connectUNIX`: `{address, factory, timeout, checkPID}`.
-- @field memoryreactor:unixClients

--- The arguments of each `adoptStreamPort` and `adoptDatagramPort`: `{fd, family, factory}` or `{fd, family,
-- protocol, maxPacketSize}`.
-- @field memoryreactor:adoptedPorts

--- The arguments of each `adoptStreamConnection`: `{fd, family, factory}`.
-- @field memoryreactor:adoptedStreamConnections

--- The connectors that were given.
-- @field memoryreactor:connectors

--- The calls of `addSystemEventTrigger`: `triggers[phase][event]` is a sequence of `{f, ...}`.
-- @field memoryreactor:triggers

function MemoryReactor:__init()
  for _, name in ipairs {
    "whenRunningHooks", "triggers", "readers", "writers", "connectors", "tcpClients", "tcpServers", "sslClients",
    "sslServers", "unixClients", "unixServers", "adoptedPorts", "adoptedStreamConnections",
  } do
    self[name] = {}
  end
  bind(self, methods)
end

--- A `MemoryReactor` that is a clock as well (`csock.task.Clock`): `callLater`, `seconds`, `getDelayedCalls`, and
-- `advance`, which moves it.
-- @type memoryreactorclock
local MemoryReactorClock = class("MemoryReactorClock", MemoryReactor, task.Clock)
M.MemoryReactorClock = MemoryReactorClock

function MemoryReactorClock:__init()
  MemoryReactor.__init(self)
  task.Clock.__init(self)
end

--- A reactor that refuses everything. Made by calling the class, with the errors that it gives:
-- `RaisingMemoryReactor(listenException, connectException)`. `listenTCP`, `listenSSL`, `listenUNIX` and
-- `adoptStreamPort` give nil and the first one; `connectTCP`, `connectSSL`, `connectUNIX`, `adoptDatagramPort` and
-- `adoptStreamConnection` nil and the second one.
-- @type raisingmemoryreactor
local RaisingMemoryReactor = class("RaisingMemoryReactor")
M.RaisingMemoryReactor = RaisingMemoryReactor

local REFUSES = {
  listenException = { "listenTCP", "listenSSL", "listenUNIX", "adoptStreamPort" },
  connectException = { "connectTCP", "connectSSL", "connectUNIX", "adoptDatagramPort", "adoptStreamConnection" },
}

function RaisingMemoryReactor:__init(listenException, connectException)
  self.listenException, self.connectException = listenException, connectException
  for field, names in pairs(REFUSES) do
    local function refuse()
      local err = self[field] or error(("no %s was given"):format(field), 2)
      return nil, err, err.errno
    end
    for _, name in ipairs(names) do self[name] = refuse end
  end
end

return M
