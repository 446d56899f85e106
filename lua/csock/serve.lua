--- Serving: a listening task, and a task for each connection.
-- @module csock.serve
local check = require "csock.check"
local loop = require "csock.loop"
local internal = require "csock.loop.internal"
local secure = require "csock.secure"

--- A running server.
-- @type server
local Server = {}
Server.__index = Server
Server.__name = "csock.server"

-- Seconds in which a peer that does not read may take the end of a connection over TLS.
local GOODBYE = 10

local function say_goodbye(conn)
  conn:settimeout(GOODBYE)
  conn:shutdown(1) -- SHUT_WR
  conn:close()
end

-- What is to be done as a connection's task ends.
local function end_connection(server)
  return function(task)
    local conn = server.connections[task]
    if not internal.hang_up(conn) then loop.spawn(say_goodbye, conn) end
    server.connections[task] = nil
    server.count = server.count - 1
    server.changed:wake(true)
  end
end

local function accept_connections(server)
  local listener <close> = server.listener -- also when Ctrl-C ends `run`, and all tasks with it
  local failures = 0
  while true do
    while server.count >= server.max_connections do server.changed:wait() end
    local conn, addr = listener:accept() -- addr is the error if it failed
    if conn then
      failures = 0
      local task = loop.spawn(server.handler, conn, addr)
      server.count = server.count + 1
      server.connections[task] = conn
      task:add_done_callback(server.end_connection)
    else
      failures = failures + 1
      local verdict, pause = internal.accept_verdict(addr, failures)
      if verdict == "over" and addr.name == "EBADF" then return end -- somebody closed the listener
      if verdict == "over" then error(addr, 0) end
      server.changed:wait(pause)
    end
  end
end

-- The handler of a server over TLS: a connection reaches the program's when the handshake is made. A handshake that
-- fails is everyday life on a public port, and no error of this program: only who asks is told.
local function after_handshake(handler, options)
  return function(conn, addr)
    secure.cover(options.ssl, conn)
    local ok, err = secure.greet(conn, options.handshake_timeout)
    if ok then return handler(conn, addr) end
    if options.handshake_failed then options.handshake_failed(err, addr) end
  end
end

-- The handler of a server behind proxies: a connection reaches the next one when its header was read.
local function after_header(handler, rules)
  return function(conn, addr)
    local client = rules:greet(conn, addr)
    if client then return handler(conn, client) end
  end
end

local LOOKS = 4 -- in the time that a connection may be idle: how often it is looked at

-- A task: ends the connections in which no byte has passed for so many seconds. It counts its looks, and not time, so
-- that a loop that stood still itself takes nobody for idle.
local function end_idle(server, limit)
  local seen = setmetatable({}, { __mode = "k" }) -- task -> how many bytes had passed, and at how many looks since
  repeat
    loop.sleep(limit / LOOKS)
    local idle = {}
    for task, conn in pairs(server.connections) do
      local received, sent = conn:getstats()
      local was = seen[task]
      if not was or was.bytes ~= received + sent then
        seen[task] = { bytes = received + sent, looks = 0 }
      else
        was.looks = was.looks + 1
        if was.looks >= LOOKS then idle[#idle + 1] = task end
      end
    end
    for _, task in ipairs(idle) do task:cancel() end
  until internal.is_over(server.acceptor) and server.count == 0
end

--- The address that it listens on.
-- @treturn address
-- @usage
-- local server = assert(csock.serve({"127.0.0.1", 0}, print))
-- print(server:getsockname().port)
-- server:close()
function Server:getsockname() return self.listener:getsockname() end

--- The listening socket's descriptor.
-- @treturn int
-- @usage
-- local server = assert(csock.serve({"127.0.0.1", 0}, print))
-- print(server:fileno())
-- server:close()
function Server:fileno() return self.listener:fileno() end

local CLOSING = { drain = { check.TIMEOUT, 0, math.huge } }

--- Stops accepting, lets the handlers finish, then cancels those that are left. Closing again is
-- harmless.
-- @tparam[opt] table options
-- @tparam[opt=0] number options.drain how many seconds the handlers have (false, math.huge: as long as they take)
-- @treturn int how many were cancelled
-- @usage
-- local server = assert(csock.serve({"127.0.0.1", 0}, print))
-- print(server:close {drain = 5}) --> 0
function Server:close(options)
  local deadline = loop.now() + check.options(options, CLOSING, 1, "close").drain
  self.acceptor:cancel()
  self.listener:close()
  local current = loop.current()
  local own = current and self.connections[current] and 1 or 0 -- a handler may close its server
  while self.count > own do
    local left = deadline - loop.now()
    if left <= 0 or not self.changed:wait(left) then break end
  end
  local cancelled = 0
  for task in pairs(self.connections) do
    if task ~= current and task:cancel() then cancelled = cancelled + 1 end
  end
  return cancelled
end

Server.__close = function(self) self:close() end

--- As Python's: `<csock.server laddr=...>`.
function Server:__tostring()
  local closed = self.listener:fileno() < 0
  return ("<csock.server %s>"):format(closed and "[closed]" or tostring(self:getsockname()))
end

local OWN = {
  max_connections = { check.integer(1), math.huge, math.huge },
  idle_timeout = { check.kind("seconds > 0", function(value) return check.SECONDS.fits(value) and value > 0 end) },
  ssl = { secure.SERVER }, handshake_timeout = { secure.SECONDS, secure.HANDSHAKE_TIMEOUT },
  handshake_failed = { check.FUNCTION }, proxy_protocol = { check.TABLE },
}

--- Serves an address: `handler(conn, addr)` runs in a task for each connection, with plain calls;
-- the connection is closed when it returns or fails (its error is told to `loop.onerror`). Needs the
-- loop to run (`csock.run()`). Out of descriptors, clients wait in the backlog until there are some again.
-- @function csock.serve
-- @param address as for `create_server`; or a listening socket
-- @tparam function handler
-- @raise for a wrong argument or option
-- @tparam[opt] table options those of @{csock.create_server}, and
-- @tparam[opt] int options.max_connections how many are served at once; others wait in the backlog (default: no limit)
-- @tparam[opt] number options.idle_timeout a connection is ended, and its handler cancelled, when no byte has passed in
-- either direction for so many seconds, or up to a quarter more (default: never)
-- @tparam[opt] SSLContext options.ssl a server's context of `csock.ssl`: the connections are over TLS, and reach the
-- handler after the handshake, which is made in the connection's task (it counts for `max_connections`, and as idle)
-- @tparam[opt=10] number options.handshake_timeout how many seconds it may take (false: no limit)
-- @tparam[opt] function options.handshake_failed called with the error and the address when it has failed (default:
-- nobody is told, since every stranger can make that happen)
-- @tparam[opt] table options.proxy_protocol the proxies before this server, `{"10.0.0.0/8"}`, whose headers of the
-- PROXY protocol are read, before TLS: `addr` is the client's address then; see @{csock.proxyproto.rules}
-- @treturn[1] server
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(csock.serve({"", 21567}, function(conn, addr)
--   conn:sendall("hello, " .. addr.host .. "\n")
-- end))
-- server:close()
return function(create_server, address, handler, options)
  check.argument(check.FUNCTION, handler, 2, "serve")
  local own, listening = check.split(options or {}, OWN, 3, "serve")
  if own.ssl then handler = after_handshake(handler, own) end
  if own.proxy_protocol then
    handler = after_header(handler, require "csock.proxyproto.accept".rules(own.proxy_protocol))
  end
  local listener = address
  if type(address) ~= "userdata" or not address.accept then
    local made, err, errno = create_server(address, listening)
    if not made then return nil, err, errno end
    listener = made
  elseif next(listening) then
    check.bad("serve", 3, ("option '%s' for a socket that listens already"):format((next(listening))))
  end
  listener:settimeout(nil) -- the default timeout is for connections
  local server = setmetatable({
    listener = listener, handler = handler, count = 0, changed = internal.waiters(),
    connections = {}, -- task -> its socket
    max_connections = own.max_connections,
  }, Server)
  server.end_connection = end_connection(server)
  server.acceptor = loop.spawn(accept_connections, server)
  if own.idle_timeout then loop.spawn(end_idle, server, own.idle_timeout):daemon() end
  return server
end
