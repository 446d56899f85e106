--- A reactor, as Twisted's: it listens, connects, tells the time, and calls the methods of protocols and
-- factories (@{csock.protocol}).
--
--     local reactor = require "csock.reactor"
--     local protocol = require "csock.protocol"
--     local class = require "csock.class"
--
--     local Echo = class("Echo", protocol.Protocol)
--     function Echo:dataReceived(data) self.transport:write(data) end
--
--     local factory = protocol.Factory()
--     factory.protocol = Echo
--     assert(reactor.listenTCP(8000, factory))
--     reactor.run()
--
-- Names and meaning are Twisted's, with these differences: what the world refuses is nil and an error, as
-- everywhere in csock; a reactor can be run again after `stop`; and an error in a callback ends its
-- connection (`connectionLost` is told a `CallbackError`), goes to `csock.loop.onerror` with its traceback, and
-- the reactor goes on.
--
-- All callbacks run in one task, one after the other. A callback may wait, as any code in a task may, but
-- all the others wait for it then: `csock.spawn` a task for what takes long.
-- @module csock.reactor
local class = require "csock.class"
local csock = require "csock"
local loop = require "csock.loop"
local connector = require "csock.reactor.connector"
local port = require "csock.reactor.port"
local reason = require "csock.reactor.reason"
local turns = require "csock.reactor.turns"
local unixpath = require "csock.unixpath"
local internal = require "csock.loop.internal"

local M = {
  --- Whether it runs.
  -- @field running
  running = false,
  callLater = turns.callLater,
  getDelayedCalls = turns.getDelayedCalls,
}

local starters = {} -- what callWhenRunning was given before it ran

--- The clock by which it measures: seconds since some point in the past.
-- Source: Twisted's `reactor.seconds`.
-- @function seconds
-- @treturn number
M.seconds = loop.now

--- Calls a function as soon as the reactor runs: at once when it does.
-- Source: Twisted's `reactor.callWhenRunning`.
-- @tparam function f
-- @param ... its arguments
function M.callWhenRunning(f, ...)
  if M.running then f(...) else starters[#starters + 1] = table.pack(f, ...) end
end

local function started()
  M.running = true
  local list = starters
  starters = {}
  for _, starter in ipairs(list) do turns.call(table.unpack(starter, 1, starter.n)) end
end

-- As Twisted does: whatever is open is lost, the ports too.
local function left()
  local why = reason.ConnectionLost("the reactor has stopped")
  connector.fail_all(why)
  for _, object in ipairs(internal.hub.objects()) do turns.call(object.connectionLost, object, why) end
  M.running = false
end

--- Runs until `stop`. Ctrl-C ends it, too; everything is closed then, and the error is raised again.
-- Ports and connections that are open when it ends are closed, and told `ConnectionLost`. Other signals do what they do
-- in any program; `csock.loop.on_signal("SIGTERM", reactor.stop)` has SIGTERM end it.
-- @raise when it runs already
function M.run()
  if M.running then error("the reactor is running already", 2) end
  turns.run(started, left)
end

--- Makes `run` return when the callbacks of this turn are done.
-- @raise when it does not run
function M.stop()
  if not M.running then error("the reactor is not running", 2) end
  turns.stop()
end

-- --- arguments ------------------------------------------------------------------------------------

local function wrong(call, place, expected, value)
  local what = class.isclass(value) and tostring(value) or math.type(value) and value or type(value)
  error(("bad argument #%d to '%s' (%s expected, got %s)"):format(place, call, expected, what), 4)
end

local function check_port(call, place, value)
  if not (math.type(value) == "integer" and value >= 0 and value <= 65535) then
    wrong(call, place, "port: 0 to 65535", value)
  end
end

local function check_string(call, place, value, what)
  if type(value) ~= "string" then wrong(call, place, what .. ": string", value) end
end

local function check_seconds(call, place, value)
  if value ~= nil and not (math.type(value) and value >= 0) then wrong(call, place, "timeout: seconds >= 0", value) end
end

-- An object that has this method, not a class.
local function check_object(call, place, value, what, method)
  if type(value) ~= "table" or class.isclass(value) or not value[method] then wrong(call, place, what, value) end
end

-- --- listening ------------------------------------------------------------------------------------

--- Listens for TCP connections; the factory makes a protocol for each.
-- @tparam int number the port; 0: any free one (`port:getHost().port`)
-- @tparam factory factory
-- @tparam[opt=50] int backlog how many connections may wait to be accepted
-- @tparam[opt=""] string interface the address to listen on; `""` is any IPv4 address
-- @treturn[1] port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE`, `EACCES` ...)
function M.listenTCP(number, factory, backlog, interface)
  check_port("listenTCP", 1, number)
  check_object("listenTCP", 2, factory, "factory", "doStart")
  local socket, err, errno = csock.create_server({ interface or "", number }, { backlog = backlog or 50 })
  if not socket then return nil, err, errno end
  return port.Port(socket, factory)
end

--- Listens for connections at a path. A socket that another program left behind there is replaced, but
-- not one at which somebody answers. The path is removed in the end.
-- @tparam string path
-- @tparam factory factory
-- @tparam[opt=50] int backlog
-- @treturn[1] port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE` ...)
function M.listenUNIX(path, factory, backlog)
  check_string("listenUNIX", 1, path, "path")
  check_object("listenUNIX", 2, factory, "factory", "doStart")
  local options = { family = csock.AF_UNIX, backlog = backlog or 50 }
  local socket, err, errno = csock.create_server(path, options)
  if not socket and errno == csock.errno.EADDRINUSE and unixpath.remove_dead(path, csock.SOCK_STREAM) then
    socket, err, errno = csock.create_server(path, options)
  end
  if not socket then return nil, err, errno end
  return port.Port(socket, factory, path)
end

--- Receives datagrams.
-- @tparam int number the port; 0: any free one
-- @tparam datagramprotocol protocol
-- @tparam[opt=""] string interface the address to receive at
-- @tparam[opt=8192] int maxPacketSize bytes; longer datagrams are cut
-- @treturn[1] datagramport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function M.listenUDP(number, protocol, interface, maxPacketSize)
  check_port("listenUDP", 1, number)
  check_object("listenUDP", 2, protocol, "protocol", "datagramReceived")
  interface = interface or ""
  local family = interface:find(":", 1, true) and csock.AF_INET6 or csock.AF_INET
  local socket, err, errno = csock.socket(family, csock.SOCK_DGRAM)
  if not socket then return nil, err, errno end
  local ok
  ok, err, errno = socket:bind(interface, number)
  if not ok then
    socket:close()
    return nil, err, errno
  end
  return port.DatagramPort(socket, protocol, maxPacketSize or 8192)
end

-- --- connecting -----------------------------------------------------------------------------------

--- Connects to a host by its name or address.
-- @tparam string host
-- @tparam int number the port
-- @tparam clientfactory factory
-- @tparam[opt=30] number timeout seconds for all of it
-- @param[opt] bindAddress this side's address, such as `{"127.0.0.1", 0}`
-- @treturn connector
function M.connectTCP(host, number, factory, timeout, bindAddress)
  check_string("connectTCP", 1, host, "host")
  check_port("connectTCP", 2, number)
  check_object("connectTCP", 3, factory, "factory", "startedConnecting")
  check_seconds("connectTCP", 4, timeout)
  local options = { timeout = timeout or 30, source_address = bindAddress }
  local function dial() return csock.create_connection({ host, number }, options) end
  local new = connector.Connector(dial, factory, { host = host, port = number })
  new:connect()
  return new
end

--- Connects to a path.
-- @tparam string path
-- @tparam clientfactory factory
-- @tparam[opt=30] number timeout seconds
-- @treturn connector
function M.connectUNIX(path, factory, timeout)
  check_string("connectUNIX", 1, path, "path")
  check_object("connectUNIX", 2, factory, "factory", "startedConnecting")
  check_seconds("connectUNIX", 3, timeout)
  local function dial()
    local socket, err = csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)
    if not socket then return nil, err end
    local guard <close> = setmetatable({ socket = socket }, {
      __close = function(self) if self.socket then self.socket:close() end end,
    })
    socket:settimeout(timeout or 30)
    local ok
    ok, err = socket:connect(path)
    if not ok then return nil, err end
    guard.socket = nil
    return socket
  end
  local new = connector.Connector(dial, factory, { address = path })
  new:connect()
  return new
end

return M
