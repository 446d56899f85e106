--- Protocols of which is logged what they send and receive.
-- @module csock.policies
local check = require "csock.check"
local class = require "csock.class"
local internal = require "csock.loop.internal"
local wrapper = require "csock.policies.wrapper"

local ProtocolWrapper, WrappingFactory = wrapper.ProtocolWrapper, wrapper.WrappingFactory

local M = {}

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["'"] = "\\'", ["\\"] = "\\\\" }

local function escape(char) return ESCAPES[char] or ("\\x%02x"):format(char:byte()) end

-- Bytes as text in one line, in quotes.
local function quoted(data) return "'" .. data:gsub("[%c\\'\x7f-\xff]", escape) .. "'" end

-- --- to the log -----------------------------------------------------------------------------------

--- A wrapper that has its factory log what is sent and received.
-- @type spewingprotocol
local SpewingProtocol = class("SpewingProtocol", ProtocolWrapper)
M.SpewingProtocol = SpewingProtocol

function SpewingProtocol:dataReceived(data)
  self.factory:log("Received: " .. quoted(data))
  return SpewingProtocol.super.dataReceived(self, data)
end

function SpewingProtocol:write(data)
  check.argument(check.STRING, data, 1, "write")
  self.factory:log("Sending: " .. quoted(data))
  return SpewingProtocol.super.write(self, data)
end

function SpewingProtocol:writeSequence(pieces) return self:write(table.concat(pieces)) end

--- A factory whose connections have logged what they send and receive: for looking for mistakes.
-- @type spewingfactory
local SpewingFactory = class("SpewingFactory", WrappingFactory)
M.SpewingFactory = SpewingFactory
SpewingFactory.protocol = SpewingProtocol

--- Called with each line: `Received: 'hello\r\n'`. May be overridden; writes it to standard error, or has the host told
-- that has csock inside (`log` in `csock.h`).
-- @function spewingfactory:log
-- @tparam string line
function SpewingFactory:log(line) -- luacheck: ignore 212
  internal.log("traffic", line)
end

-- --- to files -------------------------------------------------------------------------------------

--- A wrapper that writes down what its connection does, in a file of its own, a line for each event. `C 1: 'hello'` is
-- what the peer of the first connection has sent, `S 1: 'hello'` what this side sends, `SV 1: ['a', 'b']` the same in
-- pieces, `S 1: *` that it closes the connection, and `C 1:` with a reason is its end.
-- @type trafficloggingprotocol
local TrafficLoggingProtocol = class("TrafficLoggingProtocol", ProtocolWrapper)
M.TrafficLoggingProtocol = TrafficLoggingProtocol

--- The longest piece of data that stands there, in bytes; of longer ones the beginning does. false: any length.
-- @field trafficloggingprotocol:lengthLimit
TrafficLoggingProtocol.lengthLimit = false

TrafficLoggingProtocol._over = false -- the connection is lost, and with it the file

--- Made by calling the class, by the factory.
-- @function trafficloggingprotocol:__init
-- @tparam trafficloggingfactory factory
-- @tparam protocol wrappedProtocol
-- @param logfile what has `write(...)` and `flush()`, as Lua's files
-- @tparam ?int lengthLimit
-- @tparam[opt=0] int number the connection's
function TrafficLoggingProtocol:__init(factory, wrappedProtocol, logfile, lengthLimit, number)
  TrafficLoggingProtocol.super.__init(self, factory, wrappedProtocol)
  self.logfile, self.lengthLimit, self._number = logfile, lengthLimit or nil, number or 0
end

local ELIDED = "<... elided>"

-- A line of the log: `who`, this connection's number, and `what`.
local function log(self, who, what)
  if self._over then return end
  local line = who and ("%s %d: %s"):format(who, self._number, what) or what
  self.logfile:write(line, "\n")
  self.logfile:flush()
end

local function shown(self, data)
  local limit = self.lengthLimit
  if limit and #data > limit then data = data:sub(1, math.max(limit - #ELIDED, 0)) .. ELIDED end
  return quoted(data)
end

function TrafficLoggingProtocol:connectionMade() log(self, nil, "*") end

function TrafficLoggingProtocol:dataReceived(data)
  log(self, "C", shown(self, data))
  return TrafficLoggingProtocol.super.dataReceived(self, data)
end

function TrafficLoggingProtocol:connectionLost(reason)
  local _ <close> = internal.guard(function() -- also after an error of the inner protocol's
    self._over = true
    self.factory:close(self.logfile)
  end)
  log(self, "C", tostring(reason))
  TrafficLoggingProtocol.super.connectionLost(self, reason)
end

function TrafficLoggingProtocol:write(data)
  check.argument(check.STRING, data, 1, "write")
  log(self, "S", shown(self, data))
  return TrafficLoggingProtocol.super.write(self, data)
end

function TrafficLoggingProtocol:writeSequence(pieces)
  local texts = {}
  for i, piece in ipairs(pieces) do texts[i] = shown(self, piece) end
  log(self, "SV", "[" .. table.concat(texts, ", ") .. "]")
  return TrafficLoggingProtocol.super.writeSequence(self, pieces)
end

function TrafficLoggingProtocol:loseConnection()
  log(self, "S", "*")
  return TrafficLoggingProtocol.super.loseConnection(self)
end

--- A factory whose connections are written down, each in a file of its own: `PREFIX-1`, `PREFIX-2` ...
-- @type trafficloggingfactory
local TrafficLoggingFactory = class("TrafficLoggingFactory", WrappingFactory)
M.TrafficLoggingFactory = TrafficLoggingFactory
TrafficLoggingFactory.protocol = TrafficLoggingProtocol
TrafficLoggingFactory._counter = 0

local LENGTH = check.kind("integer >= 1, or nil", function(value)
  return value == nil or check.integer(1).fits(value)
end)

--- Made by calling the class, by `policies.TrafficLoggingFactory(factory, "traffic")`.
-- @function trafficloggingfactory:__init
-- @tparam factory wrappedFactory
-- @tparam string logfilePrefix what the files' names begin with
-- @tparam[opt] int lengthLimit the longest piece of data in them, in bytes; nil: any length
-- @usage
-- local factory = policies.TrafficLoggingFactory(protocol.Factory:forProtocol(protocol.LineReceiver), "traffic", 100)
function TrafficLoggingFactory:__init(wrappedFactory, logfilePrefix, lengthLimit)
  TrafficLoggingFactory.super.__init(self, wrappedFactory)
  self.logfilePrefix = check.argument(check.STRING, logfilePrefix, 2, "TrafficLoggingFactory")
  self.lengthLimit = check.argument(LENGTH, lengthLimit, 3, "TrafficLoggingFactory")
end

--- Called for each connection: opens its file. May be overridden; an error closes the connection.
-- @function trafficloggingfactory:open
-- @tparam string name
-- @return what has `write(...)` and `flush()`, as Lua's files
function TrafficLoggingFactory:open(name) -- luacheck: ignore 212
  return assert(internal.open_file("open", name, "w"))
end

--- Called when its connection is over: closes the file. What an `open` of one's own gives, which several connections
-- may share, is left alone. May be overridden.
-- @function trafficloggingfactory:close
-- @param file
function TrafficLoggingFactory:close(file)
  if self.open == TrafficLoggingFactory.open then file:close() end
end

function TrafficLoggingFactory:wrap(wrapped)
  local number = self._counter + 1
  self._counter = number
  return self.protocol(self, wrapped, self:open(self.logfilePrefix .. "-" .. number), self.lengthLimit, number)
end

--- The next connection is the first one again.
-- @function trafficloggingfactory:resetCounter
-- @usage
-- local factory = policies.TrafficLoggingFactory(protocol.Factory(), "traffic")
-- factory:resetCounter()
function TrafficLoggingFactory:resetCounter() self._counter = 0 end

return M
