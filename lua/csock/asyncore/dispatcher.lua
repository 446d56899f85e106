--- Channels: sockets with handlers.
-- @module csock.asyncore
local csock = require "csock"
local class = require "csock.class"
local errors = require "csock.asyncore.errors"
local outgoing = require "csock.asyncore.outgoing"
local polling = require "csock.asyncore.polling"
local watches = require "csock.asyncore.watch"
local internal = require "csock.loop.internal"

local loop = csock.loop
local errno_of = csock.errno

local MOST = 64 -- connections that are accepted before other channels have a turn

--- A socket with handlers. To be inherited from; it enters itself in a map (`socket_map`), of which `loop` sees to the
-- sockets.
--
-- `loop` asks `readable` and `writable` before each wait. It calls `handle_accept` when a listening channel has a
-- connection, `handle_connect` when one that connects has got through, `handle_read` and `handle_write` when it is
-- ready for that, and `handle_expt` for urgent data. `recv` and `send` call `handle_close` when the peer has gone.
-- `handle_error` is called when any of these raises an error: also when a connection could not be established.
--
-- `socket` is the socket, `addr` the address that it is bound or connected to; `connected`, `accepting`,
-- `connecting` and `closing` (it is closed) are booleans.
-- Source: Python's `asyncore.dispatcher`.
-- @type dispatcher
local Dispatcher = class("dispatcher")

Dispatcher.debug = false
Dispatcher.connected = false
Dispatcher.accepting = false
Dispatcher.connecting = false
Dispatcher.closing = false
Dispatcher._passing_on = false -- a connection that was accepted
Dispatcher._failures = 0 -- to accept, one after the other

--- The types of messages that `log_info` does not print: a set.
-- @field dispatcher:ignore_log_types
Dispatcher.ignore_log_types = { warning = true }

--- Made by calling the class. With a socket, it takes it over; without one, `create_socket` makes one.
-- @function dispatcher:__init
-- @tparam[opt] socket sock
-- @tparam[opt=socket_map] table map
-- @treturn[1] dispatcher
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (when the socket is broken, or closed)
function Dispatcher:__init(sock, map)
  self._map = map or polling.socket_map
  if not sock then return end
  local ok, err, errno = sock:settimeout(0)
  if not ok then return nil, err, errno end
  self:set_socket(sock, map)
  self.addr, err, errno = sock:getpeername()
  self.connected = self.addr ~= nil
  if not self.addr and errno ~= errno_of.ENOTCONN and errno ~= errno_of.EINVAL then
    self:del_channel(map)
    return nil, err, errno
  end
end

-- An address as in `localhost:80`; whatever was given to connect.
local function host_and_port(addr)
  if type(addr) == "string" then return addr end
  return ("%s:%s"):format(addr[1] or addr.host, addr[2] or addr.port)
end

--- As Python's: `<Echo connected 127.0.0.1:1040 at 0x55d0c0ffee00>`.
function Dispatcher:__tostring()
  local words = { self.__class.__name }
  if self.accepting and self.addr then
    words[#words + 1] = "listening"
  elseif self.connected then
    words[#words + 1] = "connected"
  end
  if self.addr and self.addr ~= "" then words[#words + 1] = host_and_port(self.addr) end
  return ("<%s at %p>"):format(table.concat(words, " "), self)
end

-- The map ------------------------------------------------------------------------------------------

--- Enters the channel in its map.
-- @function dispatcher:add_channel
-- @tparam[opt] table map another one
-- @usage asyncore.dispatcher(a):add_channel()
function Dispatcher:add_channel(map)
  map = map or self._map
  map[self._fileno] = self
  polling.wake(map)
end

--- Takes the channel out of its map; the socket stays open.
-- @function dispatcher:del_channel
-- @tparam[opt] table map another one
-- @usage asyncore.dispatcher(a):del_channel()
function Dispatcher:del_channel(map)
  map = map or self._map
  local fd = self._fileno
  self._fileno = nil
  if fd and map[fd] == self then
    map[fd] = nil
    watches.forget(map, fd)
    polling.wake(map)
  end
end

-- Sockets ------------------------------------------------------------------------------------------

--- Makes a socket for the channel, and enters it in the map.
-- @function dispatcher:create_socket
-- @tparam[opt=AF_INET] int family
-- @tparam[opt=SOCK_STREAM] int type
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- print(channel.socket:fileno())
function Dispatcher:create_socket(family, type)
  family, type = family or csock.AF_INET, type or csock.SOCK_STREAM
  local sock, err, errno = csock.socket(family, type)
  if not sock then return nil, err, errno end
  self.family_and_type = { family, type }
  sock:settimeout(0)
  self:set_socket(sock)
  return true
end

--- Gives the channel a socket, which does not wait (`settimeout(0)`), and enters it in the map.
-- @function dispatcher:set_socket
-- @tparam socket sock
-- @tparam[opt] table map
-- @usage
-- local channel = asyncore.dispatcher()
-- channel:set_socket(a)
function Dispatcher:set_socket(sock, map)
  self.socket = sock
  self.closing = false
  self._fileno = sock:fileno()
  self:add_channel(map)
end

--- Sets `SO_REUSEADDR`, so that a server can be started again at once.
-- @function dispatcher:set_reuse_addr
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- assert(channel:set_reuse_addr())
function Dispatcher:set_reuse_addr()
  return self.socket:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, 1)
end

--- Binds the socket. `addr` is its address then, with the port that it got.
-- @function dispatcher:bind
-- @param ... an address, or its parts
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EADDRINUSE` ...)
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- assert(channel:bind("127.0.0.1", 0))
function Dispatcher:bind(...)
  local ok, err, errno = self.socket:bind(...)
  if not ok then return nil, err, errno end
  self.addr = self.socket:getsockname()
  return true
end

--- Listens for connections.
-- @function dispatcher:listen
-- @tparam[opt] int num how many may wait to be accepted
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- assert(channel:bind("127.0.0.1", 0))
-- assert(channel:listen(5))
function Dispatcher:listen(num)
  local ok, err, errno = self.socket:listen(num)
  if not ok then return nil, err, errno end
  self.accepting = true
  polling.wake(self._map)
  return true
end

--- Connects: `handle_connect` is called when that is done (at once, if it is), and `handle_error` when it turns out
-- not to be possible. A name is looked up first, which may take a while.
-- @function dispatcher:connect
-- @param address an address, or its parts
-- @param ... the other parts
-- @treturn[1] boolean true: it is done, or under way
-- @treturn[2] nil it has failed right now
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- assert(channel:connect("localhost", 21567))
function Dispatcher:connect(address, ...)
  local ok, err, errno
  do
    self.dialling = true -- a look-up lets other tasks run, and a loop would take the socket for one that has failed
    local _ <close> = internal.guard(function() self.dialling = nil end)
    self.connected, self.connecting = false, false
    ok, err, errno = self.socket:connect(address, ...)
  end
  if not ok and errno ~= errno_of.EINPROGRESS and errno ~= errno_of.EISCONN then return nil, err, errno end
  self.addr = select("#", ...) > 0 and { address, ... } or address
  self.connecting = true
  if errno == errno_of.EINPROGRESS then
    self._destination = err.address -- without its name
    polling.wake(self._map)
  else
    self:handle_connect_event()
  end
  return true
end

--- Accepts a connection.
-- @function dispatcher:accept
-- @treturn[1] socket
-- @treturn[1] address the peer's
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN`: there is none; `EMFILE` ...: no descriptor is left, and the channel asks for none
-- for a while; `EINVAL` ...: there never will be one again, and `accepting` is false)
-- @usage
-- local channel = asyncore.dispatcher()
-- assert(channel:create_socket())
-- channel:bind("127.0.0.1", 0)
-- channel:listen(5)
-- print(select(2, channel:accept()).name) --> EAGAIN
function Dispatcher:accept()
  local conn, addr, errno = self.socket:accept()
  if conn or errno == errno_of.EAGAIN then
    self._failures = 0
    return conn, addr, errno
  end
  self._failures = self._failures + 1
  local verdict, pause = internal.accept_verdict(addr, self._failures)
  if verdict == "over" then
    self.accepting = false
  elseif pause > 0 then
    self.resting = loop.now() + pause
  end
  return nil, addr, errno
end

-- The peer has gone, as send or recv says.
local function gone(self, err, surely)
  if not surely and not errors.disconnected(err) then return false end
  if not self.closing then self:handle_close() end
  return true
end

--- Sends what the socket takes at once. Calls `handle_close` when the peer has gone.
-- @function dispatcher:send
-- @tparam string data
-- @treturn[1] int how many bytes were sent, perhaps 0
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(asyncore.dispatcher(a):send "hello") --> 5
function Dispatcher:send(data)
  local sent, err, errno = self.socket:send(data)
  if sent then return sent end
  if errno == errno_of.EAGAIN or gone(self, err) then return 0 end
  return nil, err, errno
end

--- Receives what there is. Calls `handle_close` when the peer has finished, or gone.
-- @function dispatcher:recv
-- @tparam int buffer_size bytes at most
-- @treturn[1] string `""` after `handle_close`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EAGAIN`: there is nothing)
-- @usage
-- b:send "hello"
-- print(asyncore.dispatcher(a):recv(100)) --> hello
function Dispatcher:recv(buffer_size)
  local data, err, errno = self.socket:recv(buffer_size)
  local is_stream = self.socket.type ~= csock.SOCK_DGRAM
  if data == "" and buffer_size > 0 and is_stream then
    self:handle_close()
  elseif not data then
    local unconnected = errno == errno_of.EINVAL and is_stream -- what Unix sockets say for ENOTCONN
    if not gone(self, err, unconnected) then return nil, err, errno end
    data = ""
  end
  return data
end

--- Closes the channel. Closing again is harmless.
-- @function dispatcher:close
-- @usage asyncore.dispatcher(a):close()
function Dispatcher:close()
  self.connected, self.accepting, self.connecting, self.closing = false, false, false, true
  self:del_channel()
  if self.socket then self.socket:close() end
end

-- Events -------------------------------------------------------------------------------------------

--- Asked before each wait: whether the channel wants to know when it can be read from, or accept.
-- @function dispatcher:readable
-- @treturn boolean true, unless overridden; 0 and `""` count as false
-- @usage print(asyncore.dispatcher(a):readable()) --> true
function Dispatcher.readable() return true end

--- Asked before each wait: whether the channel wants to know when it can be written to.
-- @function dispatcher:writable
-- @treturn boolean true while it connects, and for a class with a `handle_write` of its own, unless overridden; 0
-- and `""` count as false
-- @usage print(asyncore.dispatcher(a):writable()) --> false
function Dispatcher:writable()
  return self.connecting or self.handle_write ~= Dispatcher.handle_write
end

-- Whether the channel is past its connecting, if there was any.
local function is_through(self)
  if self.connected or not self.connecting then return true end
  self:handle_connect_event()
  return self.connected
end

--- Called by `loop` when the channel is readable: calls `handle_accept` or `handle_read`, and `handle_connect` before.
-- @function dispatcher:handle_read_event
function Dispatcher:handle_read_event()
  if self.accepting then
    self:handle_accept()
  elseif is_through(self) then
    self:handle_read()
  end
end

--- Called by `loop` when the channel is writable: calls `handle_write`, and `handle_connect` before.
-- @function dispatcher:handle_write_event
function Dispatcher:handle_write_event()
  if not self.accepting and is_through(self) then self:handle_write() end
end

--- Called by `loop` when there is urgent data: calls `handle_expt`, or `handle_close` when there is an error.
-- @function dispatcher:handle_expt_event
function Dispatcher:handle_expt_event()
  if self.socket:getsockopt(csock.SOL_SOCKET, csock.SO_ERROR) ~= 0 then
    self:handle_close()
  else
    self:handle_expt()
  end
end

--- Called when an attempt to connect has come to its end: calls `handle_connect`.
-- @function dispatcher:handle_connect_event
-- @raise the error, when it has failed
function Dispatcher:handle_connect_event()
  -- The socket goes on with its attempt, and says what has become of it.
  local ok, err, errno = self.socket:connect(self._destination or self.addr)
  if errno == errno_of.EALREADY or errno == errno_of.EINPROGRESS then return end
  if not ok and errno ~= errno_of.EISCONN then
    self.connecting = false
    error(err, 0)
  end
  self.connected, self.connecting = true, false
  self:handle_connect()
end

-- Handlers -----------------------------------------------------------------------------------------

local function unhandled(self, event) self:log_info("unhandled " .. event, "warning") end

--- Called when there is something to read. To be overridden; throws away what has come.
-- @function dispatcher:handle_read
function Dispatcher:handle_read()
  unhandled(self, "read event")
  self:recv(65536)
end

--- Called when there is room to write. To be overridden.
-- @function dispatcher:handle_write
function Dispatcher:handle_write() unhandled(self, "write event") end

--- Called when there is urgent data (`MSG_OOB`). To be overridden; throws it away.
-- @function dispatcher:handle_expt
function Dispatcher:handle_expt()
  unhandled(self, "incoming priority event")
  self.socket:recv(1, csock.MSG_OOB)
end

--- Called when the channel has connected. To be overridden.
-- @function dispatcher:handle_connect
function Dispatcher:handle_connect() unhandled(self, "connect event") end

-- An error in handle_accepted costs this connection, and not the channel that listens.
local function pass_on(self, conn, addr)
  self._passing_on = true
  local holder <close> = internal.holder(conn)
  self:handle_accepted(conn, addr)
  self._passing_on = false
  holder:take()
end

--- Called when there is a connection to accept. May be overridden; accepts all that there are, and calls
-- `handle_accepted` for each.
-- @function dispatcher:handle_accept
function Dispatcher:handle_accept()
  for _ = 1, MOST do
    local conn, addr, errno = self:accept()
    if conn then
      pass_on(self, conn, addr)
      if not self.accepting then return end
    elseif not self.accepting then
      error(addr, 0)
    elseif errno == errno_of.EAGAIN or self.resting then
      return
    end
  end
end

--- Called with a new connection. To be overridden; closes it.
-- @function dispatcher:handle_accepted
-- @tparam socket sock
-- @tparam address addr the peer's
function Dispatcher:handle_accepted(sock, addr) -- luacheck: ignore 212
  sock:close()
  unhandled(self, "accepted event")
end

--- Called when the peer has finished, or gone. May be overridden; closes the channel.
-- @function dispatcher:handle_close
function Dispatcher:handle_close()
  unhandled(self, "close event")
  self:close()
end

--- Called when a handler has raised an error. May be overridden; prints where it came from, and closes the channel.
-- After an error in `handle_accepted` the channel stays: what is closed is the connection. What this raises itself
-- ends `loop`.
-- @function dispatcher:handle_error
-- @param err what was raised
-- @tparam string info where it came from, see `compact_traceback`
function Dispatcher:handle_error(err, info)
  local stays = self._passing_on
  self._passing_on = false
  local named, name = pcall(tostring, self)
  self:log_info(("uncaught error, closing %s %s (%s %s)"):format(stays and "a connection to" or "channel",
    named and name or self.__class, err, info or ""), "error")
  if stays then return end
  local ok, failure = pcall(self.handle_close, self)
  if ok then return end
  self:close() -- what it does for itself has failed
  if errors.ends_the_loop(failure) then error(failure, 0) end
end

-- Messages -----------------------------------------------------------------------------------------

--- Writes a message to standard error. May be overridden.
-- @function dispatcher:log
-- @param message
function Dispatcher:log(message) -- luacheck: ignore 212
  io.stderr:write("log: ", tostring(message), "\n")
end

--- Prints a message, unless its type is one of `ignore_log_types`. May be overridden.
-- @function dispatcher:log_info
-- @param message
-- @tparam[opt="info"] string type "info", "warning" or "error"
function Dispatcher:log_info(message, type)
  type = type or "info"
  if not self.ignore_log_types[type] then print(("%s: %s"):format(type, message)) end
end

-- dispatcher_with_send -----------------------------------------------------------------------------

--- A channel that keeps what the socket does not take at once. It is a `dispatcher` whose `send` takes all, as long
-- as not more than `max_outgoing` bytes wait.
--
-- While more than half of that waits, it is not told of data to read, whatever `readable` says: a peer that sends
-- and never reads is kept waiting itself.
-- Source: Python's `asyncore.dispatcher_with_send`; the limit is csock's own.
-- @type dispatcher_with_send
local DispatcherWithSend = class("dispatcher_with_send", Dispatcher)

--- How many bytes may wait to be sent; what is to be sent while there are more is refused.
-- @field dispatcher_with_send:max_outgoing
DispatcherWithSend.max_outgoing = 1 << 20

-- What waits: a queue (csock.asyncore.outgoing), or false.
DispatcherWithSend._out = false
DispatcherWithSend._sending = false

-- Whether a channel takes data while so many bytes wait: true, or nil, err, errno.
local function may_send(self, waiting, data)
  if type(data) ~= "string" then error(("bad argument #1 (string expected, got %s)"):format(type(data)), 3) end
  if self.closing then return csock.make_error { call = "send", errno = errno_of.EBADF } end
  if waiting <= self.max_outgoing then return true end
  self:handle_outgoing_overflow()
  return csock.make_error { call = "send", errno = errno_of.ENOBUFS }
end

-- A call that sends gives way to other tasks now and then, which must not send from the same queue meanwhile.
local Sending = { __close = function(self) self.channel._sending = false end }

-- To be kept in a `<close>` variable while the channel sends; false when it does so already.
local function sending(self)
  if self._sending then return false end
  self._sending = true
  return setmetatable({ channel = self }, Sending)
end

local function send_piece(channel, piece, _, i)
  return Dispatcher.send(channel, piece:sub(i, i + 65535))
end

--- Sends what waits, as much as the socket takes.
-- @function dispatcher_with_send:initiate_send
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage assert(asyncore.dispatcher_with_send(a):initiate_send())
function DispatcherWithSend:initiate_send()
  local queue = self._out
  local mine <close> = sending(self)
  if not queue or self.closing or not mine then return true end
  local empty, err, errno = outgoing.send(queue, send_piece, self)
  if empty then self._out = false end
  if empty == nil then return nil, err, errno end
  return true
end

--- Sends data: at once what the socket takes, the rest when it takes more.
-- @function dispatcher_with_send:send
-- @tparam string data
-- @treturn[1] boolean true
-- @treturn[2] nil when it is refused, or cannot be sent
-- @treturn[2] error
-- @treturn[2] int errno (`ENOBUFS`: more than `max_outgoing` bytes wait, `handle_outgoing_overflow` was called;
-- `EBADF`: the channel is closed)
-- @usage assert(asyncore.dispatcher_with_send(a):send "hello")
function DispatcherWithSend:send(data)
  if self.debug then self:log_info(("sending %q"):format(data)) end
  local ok, err, errno = may_send(self, self._out and self._out.size or 0, data)
  if not ok then return nil, err, errno end
  if data == "" then return true end
  if self._out then
    outgoing.put(self._out, data)
  else
    self._out = outgoing.new(data, 0)
  end
  if self.connected then ok, err, errno = self:initiate_send() end
  if self._out then polling.wake(self._map) end
  return ok, err, errno
end

function DispatcherWithSend:handle_write() assert(self:initiate_send()) end

-- Whether the peer reads what it is sent, more or less.
function DispatcherWithSend:_is_flowing()
  return not self._out or self._out.size <= self.max_outgoing // 2
end

function DispatcherWithSend:writable()
  return self.connecting or self._out
end

--- Called when something is to be sent and more than `max_outgoing` bytes wait already: the peer does not read. May be
-- overridden; closes the channel.
-- @function dispatcher_with_send:handle_outgoing_overflow
function DispatcherWithSend:handle_outgoing_overflow()
  self:log_info(("closing channel %s: it does not read what it is sent"):format(self), "error")
  self:handle_close()
end

return {
  dispatcher = Dispatcher,
  dispatcher_with_send = DispatcherWithSend,
  may_send = may_send,
  sending = sending,
}
