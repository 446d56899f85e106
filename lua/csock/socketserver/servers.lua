--- The servers: where requests come from, and the order in which each is seen to.
-- @module csock.socketserver
local check = require "csock.check"
local csock = require "csock"
local class = require "csock.class"
local unixpath = require "csock.unixpath"
local internal = require "csock.loop.internal"
local secure = require "csock.secure"
local loop = csock.loop

local TICK = 0.5     -- Python's poll_interval

--- What all servers have in common. To be made by a server that has a `fileno` and a `get_request` of its
-- own.
--
-- May be called: `serve_forever`, `handle_request`, `shutdown`, `server_close`, `fileno`. Those and all others may be
-- overridden. They are called in this order:
--
-- - `server_bind`, `server_activate`: as the server is made;
-- - `get_request` gives the next request; `verify_request` says whether to take it; `process_request` sees to
--   it: it calls `finish_request`, which makes a `RequestHandlerClass`, and `shutdown_request`, which calls
--   `close_request`;
-- - `handle_error` when one of these raised an error, and then `shutdown_request`, so that the connection is closed
--   in every case;
-- - `service_actions` after each, in `serve_forever`; `handle_timeout`, in `handle_request`.
--
-- It has `server_address`, `RequestHandlerClass` and, but for those that have none, `socket`.
--
-- Source: Python's `socketserver.BaseServer`.
-- @type baseserver
local BaseServer = class("BaseServer")

--- How many seconds `handle_request` waits for a request before it calls `handle_timeout`; nil (the default):
-- as long as it takes.
-- @field baseserver:timeout

--- Made by calling the class.
-- @param server_address where it serves
-- @tparam class RequestHandlerClass called with the request, the client's address and the server
function BaseServer:__init(server_address, RequestHandlerClass)
  self.server_address = server_address
  self.RequestHandlerClass = RequestHandlerClass
  self._changed = internal.waiters() -- woken when a request ends that something may wait for
  self._failures = 0             -- of get_request, one after the other
end

-- Taking requests ---------------------------------------------------------------------------------

-- Whether no further request may be taken at present.
function BaseServer._is_full() return false end

-- Called with each request before all others: nothing is said in the clear that is not meant to be.
function BaseServer._cover() end

-- Waits until get_request has something to give, if that does not wait itself.
function BaseServer:_await() return csock.select({ self }) end

-- In a task of its own, which can be ended without harm to the server's.
local function next_request(self)
  if self._failures > 0 then self._changed:wait(self._patience) end
  while self:_is_full() do self._changed:wait() end
  local ready, err, errno = self:_await()
  if not ready then return nil, err, errno end
  return self:get_request()
end

-- Calls a method for a request, and handle_error when it raises. Whether it did not, and its result.
function BaseServer:_protected(method, request, client_address)
  local ok, result = xpcall(self[method], internal.traced, self, request, client_address)
  if not ok then self:handle_error(request, client_address, result.err, result.traceback) end
  return ok, result
end

local function see_to(self, request, client_address)
  local handed_over = false
  local _ <close> = internal.guard(function() -- also when this task is cancelled
    if not handed_over then self:shutdown_request(request) end
  end)
  local verified
  local ok = self:_protected("_cover", request, client_address)
  if ok then ok, verified = self:_protected("verify_request", request, client_address) end
  handed_over = ok and verified and self:_protected("process_request", request, client_address)
end

-- What a failure of get_request means: true when there may be a request the next time, after a pause; else nil, err,
-- errno. One of the program's own may give no error, or something else.
local function excuse(self, err, errno)
  self._failures = self._failures + 1
  local verdict, pause = internal.accept_verdict(internal.is_error(err) and err or {}, self._failures)
  if verdict == "over" then return nil, err, errno end
  self._patience = pause
  return true
end

-- Waits for a request and sees to it. True; false when there was none in time or `shutdown` ended the wait; nil, err,
-- errno when there will be none any more.
local function take_request(self, timeout, serving)
  local request, client_address, errno, status
  do
    local waiting <close> = loop.spawn(next_request, self):watch()
    if serving then self._waiting = waiting end
    request, client_address, errno = waiting:join(timeout)
    status = waiting:status()
    if serving then self._waiting = nil end
  end
  if status == "done" and request ~= nil then
    self._failures = 0
    see_to(self, request, client_address)
    return true
  elseif status == "failed" and not internal.is_error(client_address) then
    error(client_address, 0)
  elseif status == "failed" then
    return excuse(self, client_address, client_address.errno)
  elseif status == "done" then
    return excuse(self, client_address, errno)
  end
  return false
end

-- Serving -----------------------------------------------------------------------------------------

-- What serve_forever does until `shutdown`.
function BaseServer:_serve(poll_interval)
  local tick = self.service_actions ~= BaseServer.service_actions and poll_interval or nil
  while not self._stopping do
    local ok, err, errno = take_request(self, tick, true)
    if ok == nil and not self._stopping then return nil, err, errno end
    if not self._stopping then self:service_actions() end
  end
  return true
end

local function serve(self, poll_interval)
  if self._serving then error("serve_forever is running already", 0) end
  self._serving = loop.event() -- set at its end
  local _ <close> = internal.guard(function()
    self._serving:set()
    self._serving, self._waiting, self._stopping = nil, nil, nil
  end)
  return self:_serve(poll_interval or TICK)
end

--- Sees to requests until `shutdown`. Outside of tasks, this runs the loop meanwhile; handlers and hooks always run in
-- a task, so that what waits in them lets the other tasks go on.
-- Source: Python's `socketserver.BaseServer.serve_forever`.
-- @tparam[opt=0.5] number poll_interval how often `service_actions` is called when nothing happens, in seconds; only
-- a server whose `service_actions` is overridden is woken for it
-- @treturn[1] boolean true after `shutdown`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF` when the server was closed, `EINVAL` when it does not listen)
-- @raise what a hook raises, other than those that are called for a request; when it runs already
-- @usage
-- local server = assert(socketserver.TCPServer({"", 21567}, socketserver.StreamRequestHandler))
-- loop.call_later(0.01, server.shutdown, server)
-- server:serve_forever()
function BaseServer:serve_forever(poll_interval)
  if poll_interval ~= nil then check.seconds(poll_interval, 1, "serve_forever") end
  return internal.in_task(serve, self, poll_interval)
end

local function handle_one(self)
  local timeout = self.socket and self.socket:gettimeout()
  if timeout == nil then
    timeout = self.timeout
  elseif self.timeout then
    timeout = math.min(timeout, self.timeout)
  end
  if timeout == 0 then -- a task would not even begin
    local ready, err, errno = csock.select({ self }, nil, nil, 0)
    if not ready then return nil, err, errno end
    if #ready == 0 then return self:handle_timeout() end
    timeout = internal.PATIENCE -- another process may have taken it
  end
  local ok, err, errno = take_request(self, timeout)
  if ok == false then return self:handle_timeout() end
  return ok, err, errno
end

--- Sees to one request, or calls `handle_timeout` when none has come within the shorter one of `timeout` and the
-- socket's timeout. Outside of tasks, this runs the loop meanwhile.
-- Source: Python's `socketserver.BaseServer.handle_request`.
-- @treturn[1] boolean true; or what `handle_timeout` returned
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF` when the server was closed)
-- @usage
-- local server = assert(socketserver.TCPServer({"", 21567}, socketserver.StreamRequestHandler))
-- server.timeout = 0.01
-- server:handle_request()
function BaseServer:handle_request() return internal.in_task(handle_one, self) end

--- Makes `serve_forever` return, and waits until it has, where that is possible. It may be called from anywhere: a
-- handler, a signal's handler, another task, a callback, a second time. No request is taken any more; one that
-- `serve_forever` is seeing to itself at the moment is finished first, which this does not wait for. When nobody
-- serves, the next `serve_forever` returns at once, as in Python.
-- Source: Python's `socketserver.BaseServer.shutdown`.
-- @treturn boolean true
-- @usage
-- local server = assert(socketserver.TCPServer({"", 21567}, socketserver.StreamRequestHandler))
-- csock.spawn(function() server:serve_forever() end)
-- loop.call_later(0.01, server.shutdown, server)
-- csock.run()
function BaseServer:shutdown()
  local ended, waiting = self._serving, self._waiting
  self._stopping = true
  if waiting and waiting ~= loop.current() and waiting:cancel() and internal.may_wait() then ended:wait() end
  return true
end

-- Hooks -------------------------------------------------------------------------------------------

--- Called by the constructor: makes the server ready for requests.
-- @function baseserver:server_activate
function BaseServer.server_activate() end

--- Closes the server. Also called at the end of a `<close>` variable's block.
-- @function baseserver:server_close
function BaseServer.server_close() end

function BaseServer:__close() self:server_close() end

--- Called in each turn of `serve_forever`.
-- @function baseserver:service_actions
function BaseServer.service_actions() end

--- Called when `handle_request` has seen no request in time.
-- @function baseserver:handle_timeout
function BaseServer.handle_timeout() end

--- Says whether to take a request.
-- @function baseserver:verify_request
-- @param request
-- @param client_address
-- @treturn boolean
function BaseServer.verify_request() return true end

--- Sees to a request.
-- @param request
-- @param client_address
function BaseServer:process_request(request, client_address)
  self:finish_request(request, client_address)
  self:shutdown_request(request)
end

--- Makes a handler, which does the work.
-- @param request
-- @param client_address
function BaseServer:finish_request(request, client_address)
  self.RequestHandlerClass(request, client_address, self)
end

--- Ends a request.
-- @param request
function BaseServer:shutdown_request(request) self:close_request(request) end

--- Frees what a request holds.
-- @function baseserver:close_request
-- @param request
function BaseServer.close_request() end

local RULE = ("-"):rep(40) .. "\n"

--- Called when seeing to a request raised an error: writes a traceback to standard error. The server goes on,
-- unless this raises an error as well.
-- @function baseserver:handle_error
-- @param request
-- @param client_address
-- @param err what was raised
-- @tparam string traceback its text, and where it came from
function BaseServer.handle_error(_, _, client_address, err, traceback)
  io.stderr:write(RULE, "Exception occurred during processing of request from ", tostring(client_address), "\n",
    traceback or tostring(err), "\n", RULE)
end

function BaseServer:__tostring()
  return ("<%s %s>"):format(self.__class.__name, tostring(self.server_address))
end

-- TCP ---------------------------------------------------------------------------------------------

--- A server on a stream socket. A request is a connection. `UnixStreamServer` is the same at a path: it replaces a
-- socket that a dead server has left there, but none at which somebody answers, and takes its own away when it is
-- closed.
-- Source: Python's `socketserver.TCPServer`.
-- @type tcpserver
local TCPServer = class("TCPServer", BaseServer)

--- `AF_INET`; a class or an object may have another one.
-- @field tcpserver:address_family
TCPServer.address_family = csock.AF_INET

--- `SOCK_STREAM`.
-- @field tcpserver:socket_type
TCPServer.socket_type = csock.SOCK_STREAM

--- How many connections may wait to be accepted: 5.
-- @field tcpserver:request_queue_size
TCPServer.request_queue_size = 5

--- Whether the server can be started again at once on the port that it has had (`SO_REUSEADDR`): false.
-- @field tcpserver:allow_reuse_address
TCPServer.allow_reuse_address = false

--- Whether several servers may have the port (`SO_REUSEPORT`): false.
-- @field tcpserver:allow_reuse_port
TCPServer.allow_reuse_port = false

--- What puts the connections over TLS: a server's context of @{csock.ssl}; nil (the default): nothing. The handshake is
-- made by `finish_request`, and so in the request's own task or process where it has one; what fails in it never
-- reaches the handler. May be changed while the server serves. (csock's own.)
-- @field tcpserver:ssl_context

--- How many seconds the handshake may take, and so how long a silent client can hold up a server that sees to one
-- request after the other: 10; false: no limit. (csock's own.)
-- @field tcpserver:handshake_timeout
TCPServer.handshake_timeout = secure.HANDSHAKE_TIMEOUT

--- The proxies before this server, `{"10.0.0.0/8"}`, whose headers of the PROXY protocol are read: see
-- @{csock.proxyproto.rules}; nil (the default): none. As the handshake of TLS, before which it comes, the header is
-- read by `finish_request`: `verify_request` and `process_request` get the proxy's address, the handler gets the
-- client's. What fails in it never reaches the handler. (csock's own.)
-- @field tcpserver:proxy_protocol

local function has_messages(kind) return kind == csock.SOCK_DGRAM end

-- Takes a socket over that somebody else has made: an object or a descriptor.
local function take_over(self, socket)
  local descriptor = math.type(socket)
  if descriptor then
    local err, errno
    socket, err, errno = csock.socket { fileno = socket }
    if not socket then return nil, err, errno end
  end
  if has_messages(socket.type) ~= has_messages(self.socket_type) then
    if descriptor then socket:detach() end
    return csock.make_error { call = self.__class.__name, errno = csock.errno.EPROTOTYPE }
  end
  if descriptor then socket:set_inheritable(false) end
  self.socket = socket
  self.address_family, self.socket_type = socket.family, socket.type
  self.server_address = socket:getsockname()
  return true
end

local function bind_and_activate(self)
  local ok, err, errno = self:server_bind()
  if ok ~= nil or err == nil then ok, err, errno = self:server_activate() end
  if ok == nil and err ~= nil then return nil, err, errno end
  return true
end

-- `mode` is of use to the servers at paths alone; see there.
local OPTIONS = {
  bind_and_activate = { check.ANY, true, false }, socket = { check.ANY }, mode = { unixpath.MODE },
  ssl_context = { secure.SERVER }, handshake_timeout = { secure.SECONDS, nil, false },
  proxy_protocol = { check.TABLE },
}

-- Options that are fields of the server as well.
local FIELDS = { "mode", "ssl_context", "handshake_timeout", "proxy_protocol" }

-- The rules about proxies, of that field.
local function rules_of(self)
  return self.proxy_protocol and require "csock.proxyproto.accept".rules(self.proxy_protocol)
end

--- Made by calling the class: `TCPServer({"", 21567}, Handler)`.
-- @param server_address an address (`{host, port}`; a path for the Unix servers)
-- @tparam class RequestHandlerClass
-- @param[opt] options false alone says `bind_and_activate` = false
-- @tparam[opt=true] boolean options.bind_and_activate false: does not call `server_bind` and `server_activate`
-- @param[opt] options.socket a socket, or a descriptor such as `listen_fds` gives, that is bound and listens already:
-- the server takes it instead of making one, and its address is that socket's
-- @tparam[opt] string|int options.mode of the Unix servers, who may connect, as for chmod(1) (`"660"`, or a number);
-- what the umask leaves otherwise
-- @tparam[opt] SSLContext options.ssl_context the field of this name
-- @tparam[opt=10] number options.handshake_timeout the field of this name
-- @tparam[opt] table options.proxy_protocol the field of this name
-- @treturn[1] tcpserver
-- @treturn[2] nil when one of them failed; everything is closed
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE`, `EACCES` ...; `EPROTOTYPE` for a `socket` of another kind, which stays open)
function TCPServer:__init(server_address, RequestHandlerClass, options)
  if type(options) == "boolean" then options = { bind_and_activate = options } end
  options = check.options(options, OPTIONS, 3, self.__class.__name)
  TCPServer.super.__init(self, server_address, RequestHandlerClass)
  for _, name in ipairs(FIELDS) do
    if options[name] ~= nil then self[name] = options[name] end
  end
  if rules_of(self) and has_messages(self.socket_type) then
    check.bad(self.__class.__name, 3, "option 'proxy_protocol' for datagrams")
  end
  if options.socket then return take_over(self, options.socket) end
  local ok, err, errno
  self.socket, err, errno = csock.socket(self.address_family, self.socket_type)
  if not self.socket then return nil, err, errno end
  if not options.bind_and_activate then return true end
  local _ <close> = internal.guard(function()
    if not ok then self:server_close() end
  end)
  ok, err, errno = bind_and_activate(self)
  return ok, err, errno
end

local waits_itself = {} -- csock's own methods get_request, which need not be called only when there is a request

function TCPServer:_await()
  if waits_itself[self.get_request] and self.socket:gettimeout() ~= 0 then return true end
  return TCPServer.super._await(self)
end

local bind = check.public(function(socket, address) return socket:bind(address) end)

--- Called by the constructor: binds the socket, and puts the address that it got into `server_address`. Who overrides
-- it returns what this returns.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function TCPServer:server_bind()
  local socket = self.socket
  if self.allow_reuse_address then
    local ok, err, errno = socket:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, 1)
    if not ok then return nil, err, errno end
  end
  if self.allow_reuse_port and csock.SO_REUSEPORT then
    local ok, err, errno = socket:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEPORT, 1)
    if not ok then return nil, err, errno end
  end
  local ok, err, errno = bind(socket, self.server_address)
  if not ok then return nil, err, errno end
  self.server_address = socket:getsockname()
  return true
end

--- Called by the constructor: listens.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function TCPServer:server_activate() return self.socket:listen(self.request_queue_size) end

--- Closes the socket. Closing again is harmless.
-- @usage
-- local server = assert(socketserver.TCPServer({"", 21567}, socketserver.StreamRequestHandler))
-- server:server_close()
function TCPServer:server_close()
  if self.socket then self.socket:close() end
end

--- The socket's descriptor.
-- @treturn int -1 when closed
-- @usage
-- local server = assert(socketserver.TCPServer({"", 21567}, socketserver.StreamRequestHandler))
-- print(server:fileno())
function TCPServer:fileno() return self.socket:fileno() end

--- Accepts the next connection.
-- @treturn[1] socket
-- @treturn[1] address
-- @treturn[2] nil when there is none after all
-- @treturn[2] error
-- @treturn[2] int errno
function TCPServer:get_request() return self.socket:accept() end

local function cover(self, request)
  if self.ssl_context then secure.cover(self.ssl_context, request) end
end

-- A proxy's header comes in the clear: then TLS is put under the connection behind it.
function TCPServer:_cover(request)
  if not self.proxy_protocol then cover(self, request) end
end

--- Makes a handler, which does the work; behind proxies, when their header was read; over TLS, when the handshake has
-- been made.
-- @tparam socket request
-- @tparam address client_address
function TCPServer:finish_request(request, client_address)
  local rules = rules_of(self)
  if rules then
    client_address = rules:greet(request, client_address)
    if not client_address then return end
    cover(self, request)
  end
  if self.ssl_context then
    local ok, err = secure.greet(request, self.handshake_timeout or nil)
    if not ok then return self:handle_handshake_error(request, client_address, err) end
  end
  TCPServer.super.finish_request(self, request, client_address)
end

--- Called when the handshake has failed, or taken too long. May be overridden; does nothing, since every stranger can
-- make that happen. (csock's own.)
-- @function tcpserver:handle_handshake_error
-- @tparam socket request it is closed after this
-- @tparam address client_address
-- @tparam error err
function TCPServer.handle_handshake_error() end

--- Tells the client that no more will come, and closes the connection.
-- @tparam socket request
function TCPServer:shutdown_request(request)
  request:shutdown(csock.SHUT_WR) -- also where a stream of the handler's keeps the descriptor; it may be gone already
  self:close_request(request)
end

--- Closes the connection.
-- @function tcpserver:close_request
-- @tparam socket request
function TCPServer.close_request(_, request) request:close() end

-- UDP ---------------------------------------------------------------------------------------------

--- A server on a datagram socket. A request is `{data, socket}`. `UnixDatagramServer` is the same at a path, of which
-- it takes care as `UnixStreamServer` does.
-- Source: Python's `socketserver.UDPServer`.
-- @type udpserver
local UDPServer = class("UDPServer", TCPServer)

UDPServer.socket_type = csock.SOCK_DGRAM

--- The most bytes of a datagram that are received: 8192.
-- @field udpserver:max_packet_size
UDPServer.max_packet_size = 8192

--- Does nothing: there are no connections.
-- @function udpserver:server_activate
function UDPServer.server_activate() end

--- Receives the next datagram.
-- @treturn[1] table `{data, socket}`
-- @treturn[1] address
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function UDPServer:get_request()
  local data, address, errno = self.socket:recvfrom(self.max_packet_size)
  if not data then return nil, address, errno end
  return { data, self.socket }, address
end

waits_itself[TCPServer.get_request], waits_itself[UDPServer.get_request] = true, true

--- Calls `close_request`.
-- @tparam table request
function UDPServer:shutdown_request(request) self:close_request(request) end

--- Does nothing: the socket is the server's.
-- @function udpserver:close_request
-- @tparam table request
function UDPServer.close_request() end

-- Unix --------------------------------------------------------------------------------------------

-- What the two Unix servers have in common: they replace a path that a dead server has left, and take their own away
-- when they are closed, if nobody else has it.
local UnixPath = class("UnixPath")

UnixPath.address_family = csock.AF_UNIX

function UnixPath:server_bind()
  local ok, err, errno = unixpath.bind(self.server_address, self.mode, UnixPath.super.server_bind, self)
  self._path = ok and self.server_address
  return ok, err, errno
end

function UnixPath:server_close()
  UnixPath.super.server_close(self)
  if self._path then unixpath.remove_dead(self._path) end
  self._path = nil
end

return {
  BaseServer = BaseServer,
  TCPServer = TCPServer,
  UDPServer = UDPServer,
  UnixStreamServer = class("UnixStreamServer", UnixPath, TCPServer),
  UnixDatagramServer = class("UnixDatagramServer", UnixPath, UDPServer),
}
