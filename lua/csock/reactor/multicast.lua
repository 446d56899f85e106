--- Ports for datagrams to groups: what `reactor.listenMulticast` gives.
-- @module csock.reactor.port
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local datagram_port = require "csock.reactor.datagram_port"
local given = require "csock.reactor.arguments"
local lookup = require "csock.reactor.lookup"
local reason = require "csock.reactor.reason"
local internal = require "csock.loop.internal"

local M = {}

local AF_INET, AF_INET6 = csock.AF_INET, csock.AF_INET6

-- --- what IPv4 and IPv6 have each its own way -----------------------------------------------------

-- `interface(text, group)`: the interface of a name or an address, as the system is told of it; "" is the group's own,
-- or any. nil, err: there is none. `set(number)`: a small number as options take it.
local V4 = {
  level = csock.IPPROTO_IP,
  join = csock.IP_ADD_MEMBERSHIP, leave = csock.IP_DROP_MEMBERSHIP,
  ttl = csock.IP_MULTICAST_TTL, loopback = csock.IP_MULTICAST_LOOP, outgoing = csock.IP_MULTICAST_IF,
  set = string.char, -- the one form that all systems take
}

-- By its address.
function V4.interface(text)
  local packed = csock.inet_pton(AF_INET, text == "" and "0.0.0.0" or text)
  if packed then return packed end
  local name, address = internal.hub.interface(AF_INET, text)
  if not name then return nil, address end
  return address
end

function V4.read(packed) return csock.inet_ntop(AF_INET, packed) end

local V6 = {
  level = csock.IPPROTO_IPV6,
  join = csock.IPV6_JOIN_GROUP, leave = csock.IPV6_LEAVE_GROUP,
  ttl = csock.IPV6_MULTICAST_HOPS, loopback = csock.IPV6_MULTICAST_LOOP, outgoing = csock.IPV6_MULTICAST_IF,
  set = math.tointeger,
}

-- By its index.
function V6.interface(text, group)
  local address = csock.address(AF_INET6, text, 0)
  local index, err = address and address.scope_id, nil
  if text == "" then
    index = group and group.scope_id or 0
  elseif not address then
    index, err = csock.if_nametoindex(text)
  elseif index == 0 and address.host ~= "::" then
    local name
    name, err = internal.hub.interface(AF_INET6, address.host)
    if not name then return nil, err end
    index, err = csock.if_nametoindex(name)
  end
  if not index then return nil, err end
  return ("=I4"):pack(index)
end

function V6.read(packed)
  local index = ("=I4"):unpack(packed)
  if index == 0 then return "" end
  return csock.if_indextoname(index)
end

-- --- looking up -----------------------------------------------------------------------------------

-- A Deferred of a group's address.
local function find_group(family, text)
  local defer = require "csock.defer"
  local address, err = csock.address(family, text, 0)
  if address then return defer.succeed(address) end
  if err.kind ~= "gaierror" then return defer.fail(err) end
  return lookup(text, family, csock.SOCK_DGRAM)
end

-- A Deferred of an interface, as the system is told of it.
local function find_interface(self, text, group)
  local defer = require "csock.defer"
  local packed = self.kind.interface(text, group)
  if packed then return defer.succeed(packed) end
  return lookup(text, self.socket.family, csock.SOCK_DGRAM)
    :addCallback(function(address) return self.kind.interface(address.host) end)
end

-- --- the port -------------------------------------------------------------------------------------

local GROUP = check.kind("group: string", function(value) return type(value) == "string" end)
local TTL = check.kind("ttl: 0 to 255", check.integer(0, 255).fits)

--- A port that can be in groups. It is a `datagramport`, too, with all that this has.
--
-- An interface is given by an address of it, or by its name (`"eth0"`); `""` is the one that the system chooses. A name
-- that is no interface's is looked up as a host's, as in Twisted. IPv6 groups and addresses may have a zone
-- (`"ff02::1%eth0"`).
-- Source: Twisted's `IMulticastTransport`.
-- @type multicastport
local MulticastPort = class("MulticastPort", datagram_port.DatagramPort)
M.MulticastPort = MulticastPort

function MulticastPort:__init(socket, protocol, size)
  self.kind = socket.family == AF_INET6 and V6 or V4
  datagram_port.DatagramPort.__init(self, socket, protocol, size)
end

local function change(self, option, call, addr, interface)
  check.argument(GROUP, addr, 1, call)
  check.argument(given.INTERFACE, interface, 2, call)
  local kind, socket = self.kind, self.socket
  return find_group(socket.family, addr):addCallback(function(group)
    return find_interface(self, interface or "", group):addCallback(function(packed)
      local ok, err = socket:setsockopt(kind.level, kind[option], csock.inet_pton(socket.family, group.host) .. packed)
      if not ok then return reason.MulticastJoinError(err) end
    end)
  end)
end

--- Receives from now on what is sent to a group, too. With addresses that is done at once, and the Deferred has its
-- result already; names are looked up first.
-- @function multicastport:joinGroup
-- @tparam string addr the group
-- @tparam[opt=""] string interface where it is to be received
-- @treturn deferred its failure is a `MulticastJoinError`, or a `DNSLookupError`
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- port:joinGroup("228.0.0.5", "127.0.0.1"):addErrback(print)
function MulticastPort:joinGroup(addr, interface) return change(self, "join", "joinGroup", addr, interface) end

--- Receives it no more.
-- @function multicastport:leaveGroup
-- @tparam string addr the group
-- @tparam[opt=""] string interface the one that was given to `joinGroup`
-- @treturn deferred its failure is a `MulticastJoinError`, or a `DNSLookupError`
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- port:joinGroup("228.0.0.5", "127.0.0.1"):addErrback(print)
-- port:leaveGroup("228.0.0.5", "127.0.0.1"):addErrback(print)
function MulticastPort:leaveGroup(addr, interface) return change(self, "leave", "leaveGroup", addr, interface) end

local function set(self, option, value)
  return self.socket:setsockopt(self.kind.level, self.kind[option], value)
end

local function get(self, option, size)
  return self.socket:getsockopt(self.kind.level, self.kind[option], size)
end

--- How many routers what is sent to groups may pass, and one: 1, at first, is this network alone; 0 is this host alone.
-- @function multicastport:setTTL
-- @tparam int ttl 0 .. 255
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- assert(port:setTTL(5))
function MulticastPort:setTTL(ttl)
  return set(self, "ttl", self.kind.set(check.argument(TTL, ttl, 1, "setTTL")))
end

--- The same as it is at present.
-- @function multicastport:getTTL
-- @treturn[1] int
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- print(port:getTTL()) --> 1
function MulticastPort:getTTL() return get(self, "ttl") end

--- Whether this host, if it is in the group, receives what is sent to it, too: at first it does.
-- @function multicastport:setLoopbackMode
-- @tparam boolean mode
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- assert(port:setLoopbackMode(false))
function MulticastPort:setLoopbackMode(mode) return set(self, "loopback", self.kind.set(mode and 1 or 0)) end

--- Whether it does.
-- @function multicastport:getLoopbackMode
-- @treturn[1] boolean
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- print(port:getLoopbackMode()) --> true
function MulticastPort:getLoopbackMode()
  local on, err, errno = get(self, "loopback")
  if not on then return nil, err, errno end
  return on ~= 0
end

--- By which interface what is sent to groups leaves. With an address, or an interface's name, that is done at once.
-- @function multicastport:setOutgoingInterface
-- @tparam string addr `""`: as the system chooses
-- @treturn deferred its result is true
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- port:setOutgoingInterface("127.0.0.1"):addErrback(print)
function MulticastPort:setOutgoingInterface(addr)
  check.argument(check.STRING, addr, 1, "setOutgoingInterface")
  return find_interface(self, addr):addCallback(function(packed) return set(self, "outgoing", packed) end)
end

--- By which it leaves.
-- @function multicastport:getOutgoingInterface
-- @treturn[1] string IPv4: its address, or `"0.0.0.0"`, as the system chooses; IPv6: its name, or `""`
-- @treturn[2] nil when it is closed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local port = assert(reactor.listenMulticast(8005, protocol.DatagramProtocol()))
-- print(port:getOutgoingInterface()) --> 0.0.0.0
function MulticastPort:getOutgoingInterface()
  local packed, err, errno = get(self, "outgoing", 4)
  if not packed then return nil, err, errno end
  return self.kind.read(packed)
end

return M
