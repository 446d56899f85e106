-- fabric.lua: a network's inside: who is where, who reaches whom, and what befalls them on the way. The sockets:
-- sockets.lua; what users have of it: network.lua.
local chance = require "csock.testing.chance"
local csock = require "csock"
local names = require "csock.testing.names"
local sockets = require "csock.testing.sockets"
local wire = require "csock.testing.wire"

local E = csock.errno

local Fabric = {}
Fabric.__index = Fabric

local FIRST_PORT, LAST_PORT = 49152, 65535 -- RFC 6335, 6: those that are given out

-- --- what befalls ---------------------------------------------------------------------------------

-- Seconds for one way.
function Fabric:latency()
  if self.jitter == 0 then return self.delay end
  return self.delay + self.jitter * self.chance:number()
end

-- Whether this call of a kind is one that finds no descriptor.
function Fabric:is_out(call)
  local count = self.calls[call] + 1
  self.calls[call] = count
  local out = self.emfile[call]
  if type(out) ~= "table" then return out == count end
  for _, n in ipairs(out) do
    if n == count then return true end
  end
  return false
end

-- --- who is where ---------------------------------------------------------------------------------

local function key_of(type, host, port) return ("%d %s %d"):format(type, host, port) end

-- Who has this address, or the one for any host: a record, or nil.
function Fabric:find(type, address)
  local host = address.family == csock.AF_INET and "0.0.0.0" or "::"
  return self.bound[key_of(type, address.host, address.port)] or self.bound[key_of(type, host, address.port)]
end

function Fabric:unbind(record)
  if record.key and self.bound[record.key] == record then self.bound[record.key] = nil end
  record.key = nil
end

-- A socket is gone, and with it those who wait to be accepted.
function Fabric:forget(record)
  self:unbind(record)
  self.records[record] = nil
  if record.raw then record.raw:close() end
  for i, client in ipairs(record.listening or {}) do
    client.raw:close()
    record.listening[i] = nil -- who is about to accept it finds none
  end
  record.raw, record.listening = nil, nil
end

-- One that was collected without being closed holds its address no longer.
local function is_gone(record)
  return record.name.socket == nil or record.name.socket:fileno() < 0
end

function Fabric:free_port(type, address)
  for _ = FIRST_PORT, LAST_PORT do
    self.port = self.port < LAST_PORT and self.port + 1 or FIRST_PORT
    local candidate = csock.address(address.family, address.host, self.port)
    if not self:find(type, candidate) then return candidate end
  end
end

-- Gives a socket its address: nil, or an errno value.
function Fabric:bind(record, address)
  if address.family ~= record.family then return E.EAFNOSUPPORT end
  if record.own then return E.EINVAL end
  if not names.is_local(self, address) then return E.EADDRNOTAVAIL end
  if address.port == 0 then
    address = self:free_port(record.type, address)
    if not address then return E.EADDRINUSE end
  end
  local key = key_of(record.type, address.host, address.port)
  local other = self.bound[key]
  if other and is_gone(other) then
    self:forget(other)
    other = nil
  end
  if other then return E.EADDRINUSE end
  self.bound[key], record.key = record, key
  sockets.set_names(record, address)
end

-- The address from which a socket reaches another one: the destination's own host, as on one machine.
function Fabric:own_address(record, destination)
  local own = record.own
  if not own then
    self:bind(record, self:free_port(record.type, destination))
    return record.own or destination
  end
  if own.host ~= "0.0.0.0" and own.host ~= "::" then return own end
  return csock.address(own.family, destination.host, own.port)
end

-- --- connecting -----------------------------------------------------------------------------------

local PATIENCE = 127 -- seconds: as long as Linux asks for a connection that nobody answers

-- Hands the other end of the pair to who listens: 0, or an errno value.
function Fabric:connect(record, address, timeout)
  local way = self:latency() + self:latency()
  if self.silent[address.host] then way = math.huge end
  if way == math.huge and timeout == 0 then return E.EINPROGRESS end
  if way == math.huge and not timeout then timeout = PATIENCE end
  if timeout and timeout > 0 and way > timeout then
    sockets.pause(timeout)
    return E.ETIMEDOUT
  end
  if timeout ~= 0 then sockets.pause(way) end
  if not record.raw then return E.EBADF end -- closed meanwhile
  local listener = self:find(csock.SOCK_STREAM, address)
  if listener and is_gone(listener) then
    self:forget(listener)
    listener = nil
  end
  if not listener or not listener.listening then
    return names.is_local(self, address) and E.ECONNREFUSED or E.ENETUNREACH
  end
  local own, far = self:own_address(record, address), record.raw
  if self.delay > 0 or self.jitter > 0 then
    local near, err
    near, far, err = sockets.make_pair(csock.SOCK_STREAM)
    if not near then return err end
    local cut = wire(record.raw, near, function() return self:latency() end)
    self.wires[cut] = true
  end
  record.raw, record.connected = nil, true
  self.records[record] = nil
  sockets.set_names(record, own, address)
  table.insert(listener.listening, { raw = far, own = address, peer = own })
  listener.raw:send("c")
  return 0
end

-- --- hosts ----------------------------------------------------------------------------------------

-- Adds a host; gives its address.
function Fabric:host(name, number)
  name = name:lower()
  if self.hosts[name] then return self.hosts[name] end
  if not number then
    self.count = self.count + 1
    number = ("198.18.%d.%d"):format(self.count >> 8, self.count & 255)
  end
  self.hosts[name] = number
  self.names[number] = self.names[number] or name
  return number
end

-- --- its life -------------------------------------------------------------------------------------

function Fabric:close()
  for cut in pairs(self.wires) do cut() end
  local list = {}
  for record in pairs(self.records) do list[#list + 1] = record end
  for _, record in ipairs(list) do self:forget(record) end
end

return function(seed)
  local self = setmetatable({
    chance = chance(seed), calls = { socket = 0, accept = 0 },
    silent = {}, -- number -> true
    hosts = {}, names = {}, count = 0, -- name -> number, number -> first name, how many numbers were given out
    bound = {}, port = FIRST_PORT - 1, -- key -> record, the last port that was given out
    records = {},                            -- of sockets whose other ends are here
    wires = setmetatable({}, { __mode = "k" }), -- the functions that cut them
  }, Fabric)
  self:host("localhost", "127.0.0.1")
  return self
end
