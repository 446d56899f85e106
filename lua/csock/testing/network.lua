--- A network in memory.
-- @module csock.testing
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"
local new_fabric = require "csock.testing.fabric"
local names = require "csock.testing.names"
local sockets = require "csock.testing.sockets"

local PROBABILITY = check.kind("probability from 0 to 1", function(value)
  return math.type(value) and value >= 0 and value <= 1
end)
local SHORT = check.kind("true or integer >= 1", function(value)
  return value == true or math.type(value) == "integer" and value >= 1
end)

-- Which calls are which, of each kind.
local EMFILE = check.kind("table of `socket` and `accept`, each an integer >= 1 or a sequence of such", function(value)
  if type(value) ~= "table" then return false end
  for call, which in pairs(value) do
    if call ~= "socket" and call ~= "accept" then return false end
    for _, n in ipairs(type(which) == "table" and which or { which }) do
      if math.type(n) ~= "integer" or n < 1 then return false end
    end
  end
  return true
end)
local HOSTS = check.kind("table of names, or of IPv4 addresses by names", function(value)
  if type(value) ~= "table" then return false end
  for key, host in pairs(value) do
    if type(host) ~= "string" then return false end
    if type(key) == "string" and not csock.inet_pton(csock.AF_INET, host) then return false end
  end
  return true
end)

local OPTIONS = {
  delay = { check.SECONDS, nil, 0 }, jitter = { check.SECONDS, nil, 0 },
  loss = { PROBABILITY, nil, 0 }, reorder = { PROBABILITY, nil, 0 },
  short_reads = { SHORT, nil, 0 }, short_writes = { SHORT, nil, 0 },
  reset_after = { check.integer(0, 0x7fffffff), nil, false }, emfile = { EMFILE, nil, {} },
}

-- Has a fabric do what the options say.
local function set(fabric, options)
  for name in pairs(OPTIONS) do
    local value = options[name]
    if value == true then value = -1 end
    if value ~= nil then fabric[name] = value end
  end
end

--- A network in memory: hosts with names, and sockets that reach each other and nobody else. Its sockets are csock's in
-- every respect, and are real to the system as well (a descriptor that can be polled), so all that works on sockets
-- works on these: streams, tasks, `select`, `csock.serve`, socketserver, the reactor, TLS, HTTP. Closing the network
-- (`<close>`) ends its connections.
-- @type network
local Network = {}
Network.__index = Network
Network.__name = "csock.testing.network"

--- Adds a host, under one more name if it is there already.
-- @tparam string name
-- @tparam[opt] string number its IPv4 address (default: the next free one of 198.18.0.0/15)
-- @treturn string its address
-- @usage
-- local net <close> = testing.network()
-- print(net:host "example.org") --> 198.18.0.1
function Network:host(name, number)
  check.argument(check.STRING, name, 1, "host")
  if number ~= nil then check.argument(check.STRING, number, 2, "host") end
  if number and not csock.inet_pton(csock.AF_INET, number) then check.bad("host", 2, "IPv4 address expected") end
  return self.fabric:host(name, number)
end

--- Has a host answer nobody any more: who connects to it waits until his time is up, datagrams to it are lost. What is
-- connected stays so.
-- @tparam string name
-- @tparam[opt=true] boolean silent false: it answers again
-- @usage
-- local net <close> = testing.network {hosts = {"example.org"}}
-- net:silence "example.org"
-- testing.virtual_time(net.run, net, function()
--   local _, err = csock.create_connection({"example.org", 80}, {timeout = 30})
--   print(err.name) --> ETIMEDOUT
-- end)
function Network:silence(name, silent)
  check.argument(check.STRING, name, 1, "silence")
  local number = names.number(self.fabric, name)
  if number == nil then check.bad("silence", 1, "no such host") end
  self.fabric.silent[number] = silent ~= false or nil
end

--- Makes a socket of the network; for families other than `AF_INET` and `AF_INET6` one of the system.
-- @param ... as for `csock.socket`
-- @treturn[1] socket
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local net <close> = testing.network()
-- local s <close> = assert(net:socket())
-- print(select(2, s:connect("localhost", 80)).name) --> ECONNREFUSED
function Network:socket(...) return sockets.socket(self.fabric, ...) end

local replaced -- the network in which the program runs

-- Sets csock's functions.
local function put_in(functions)
  for name, f in pairs(functions) do csock[name] = f end
end

--- Runs a function in the network: meanwhile all sockets for the internet that the program makes are the network's
-- (`csock.socket`, `create_connection`, `create_server`, `serve` and what uses them), and names are looked up among its
-- hosts. In a task it is simply called; outside the loop runs it.
-- @tparam function f
-- @param ... its arguments
-- @return what it returned
-- @raise what it raised
-- @usage
-- local net <close> = testing.network {hosts = {"example.org"}}
-- net:run(function()
--   local server <close> = assert(csock.serve({"example.org", 80}, function(conn) conn:sendall "hello" end))
--   local s <close> = assert(csock.create_connection {"example.org", 80})
--   print(s:recv(100), s:getpeername()) --> hello ('198.18.0.1', 80)
-- end)
function Network:run(f, ...)
  check.argument(check.FUNCTION, f, 1, "run")
  if replaced == self then return internal.in_task(f, ...) end
  if replaced then check.fail "run: the program runs in another network already" end
  local before = {}
  local functions = names.functions(self.fabric, sockets.plain)
  functions.socket = function(...) return sockets.socket(self.fabric, ...) end
  local _ <close> = internal.guard(function()
    put_in(before)
    replaced = nil
  end)
  for name in pairs(functions) do before[name] = csock[name] end
  replaced = self
  put_in(functions)
  return internal.in_task(f, ...)
end

--- Changes what the network does to what passes, from now on.
-- @tparam table options as for @{network}, but for `hosts`
-- @usage
-- local net <close> = testing.network {loss = 1}
-- net:change {loss = 0}
function Network:change(options) set(self.fabric, check.options(options, OPTIONS, 1, "change")) end

--- Ends the network: what is connected through it is cut off. Closing again is harmless.
-- @usage
-- local net = testing.network()
-- net:close()
function Network:close() self.fabric:close() end

Network.__close = Network.close

local M = {}

local MAKING = { hosts = { HOSTS, {} }, seed = { check.INTEGER, 1 } }
for name, row in pairs(OPTIONS) do MAKING[name] = { row[1], row[3], row[3] } end

--- Makes a network. What befalls those in it is drawn by chance, but always in the same way for the same seed.
-- @function network
-- @tparam[opt] table options
-- @tparam[opt] table options.hosts names of hosts, `{"example.org"}`, or with their addresses,
-- `{["example.org"] = "192.0.2.7"}`; "localhost" is there anyway, others are not found
-- @tparam[opt=0] number options.delay seconds that everything takes for one way
-- @tparam[opt=0] number options.jitter seconds that it may take longer
-- @tparam[opt=0] number options.loss of datagrams: the probability that one is lost
-- @tparam[opt=0] number options.reorder of datagrams: the probability that one is late, so that later ones overtake it
-- @tparam[opt] int|boolean options.short_reads how many bytes a read gives at the most; true: another number each time
-- @tparam[opt] int|boolean options.short_writes the same of a write
-- @tparam[opt] int options.reset_after after so many bytes in one direction a connection is reset
-- @tparam[opt] table options.emfile which calls fail with `EMFILE`: `{socket = 3}` is the third that makes a socket,
-- `{accept = {1, 2}}` the first two that would accept a connection
-- @tparam[opt=1] int options.seed of what is drawn
-- @treturn network
-- @usage
-- local net <close> = testing.network {hosts = {"example.org"}, short_reads = 2}
-- net:run(function()
--   local server <close> = assert(csock.serve({"example.org", 80}, function(conn) conn:sendall "hello" end))
--   local s <close> = assert(csock.create_connection {"example.org", 80})
--   print(s:recv(100)) --> he
-- end)
function M.network(options)
  local made = check.options(options, MAKING, 1, "network")
  local fabric = new_fabric(made.seed)
  for key, value in pairs(made.hosts) do
    if type(key) == "string" then fabric:host(key, value) end
  end
  for _, name in ipairs(made.hosts) do fabric:host(name) end -- in their order
  set(fabric, made)
  return setmetatable({ fabric = fabric }, Network)
end

return M
