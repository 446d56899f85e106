-- connection.lua: one connection to a Redis server, for csock.redis and csock.redis.subscription.
-- Tasks send their commands as they come; the replies come in the same order, and the right to read
-- goes from one task to the next. There is no task that only reads: who waits for a reply reads it.
local csock = require "csock"
local loop = require "csock.loop"
local resp = require "csock.redis.resp"
local internal = require "csock.loop.internal"

local M = {}

local Connection = {}
Connection.__index = Connection

-- The commands that belong at the beginning of a connection.
local function greetings(settings)
  local list = {}
  local login = settings.password and { settings.username or "default", settings.password }
  if settings.protocol == 3 then
    list[1] = login and { "HELLO", 3, "AUTH", login[1], login[2] } or { "HELLO", 3 }
  elseif login then
    list[1] = settings.username and { "AUTH", login[1], login[2] } or { "AUTH", login[2] }
  end
  if settings.db ~= 0 then list[#list + 1] = { "SELECT", settings.db } end
  return list
end

local function greet(connection, settings)
  for _, command in ipairs(greetings(settings)) do
    local replies, err, errno = connection:exchange(resp.encode(command), { command[1] })
    if not replies then return nil, err, errno end
    if type(replies[1]) == "userdata" then return nil, replies[1] end
  end
  return true
end

-- Connects and logs in: a connection; nil, err, errno (none with an error that the server answered).
function M.open(settings)
  local socket, err, errno = csock.create_connection({ settings.host, settings.port }, {
    timeout = settings.timeout or false, ssl = settings.ssl, server_hostname = settings.server_hostname,
  })
  if not socket then return nil, err, errno end
  local connection = setmetatable({
    socket = socket, timeout = settings.timeout, protocol = settings.protocol, limit = settings.limit,
    requests = {}, first = 1, last = 0, -- those whose replies have not all come
  }, Connection)
  local holder <close> = internal.holder(connection)
  local ok
  ok, err, errno = socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
  if ok then connection.stream, err, errno = socket:makefile "rw" end
  if not connection.stream then return nil, err, errno end
  ok, err, errno = greet(connection, settings)
  if not ok then return nil, err, errno end
  return holder:take()
end

-- --- the end --------------------------------------------------------------------------------------

-- The connection is of no more use: all who wait for a reply get the error. It is the first one that
-- counts. Returns it as a failure's results.
function Connection:fail(err, errno)
  if self.err then return nil, self.err, self.errno end
  if err.call ~= "redis" and err.kind ~= "redis" then
    local _
    _, err = csock.make_error {
      call = "redis", errno = errno, address = self.socket:getpeername(), -- in the words of TLS, where those are its
      kind = err.kind, name = err.name, strerror = err.strerror,
    }
  end
  self.err, self.errno = err, errno
  self.socket:settimeout(0) -- a goodbye (TLS) has one try
  self.socket:shutdown(csock.SHUT_RDWR) -- so that closing the stream does not wait to send the rest
  if self.stream then self.stream:close() end
  self.socket:close()
  for i = self.first, self.last do
    local turn = self.requests[i].turn
    if turn then turn:wake(true) end
  end
  return nil, err, errno
end

function Connection:close()
  local EBADF = csock.errno.EBADF
  self:fail(select(2, csock.make_error { call = "redis", errno = EBADF }), EBADF)
end

Connection.__close = Connection.close

-- Whether the next command can go out. A server that has left while nobody waited for it is noticed
-- here, and not by a command that may or may not have been carried out.
function Connection:usable()
  if self.err then return false end
  if self.first <= self.last then return true end
  local data, err, errno = self:peek(0)
  if errno == csock.errno.EAGAIN then return true end
  if data and data ~= "" and self.protocol == 3 then return true end -- a push
  if data then errno = csock.errno.ECONNRESET end
  err = err or select(2, csock.make_error { call = "redis", errno = errno })
  self:fail(err, errno)
  return false
end

-- --- sending and receiving ------------------------------------------------------------------------

function Connection:send(text)
  if self.err then return nil, self.err, self.errno end
  local ok, err, errno = self.stream:write(text)
  if ok then ok, err, errno = self.stream:flush() end
  if not ok then return self:fail(err, errno) end
  return true
end

-- Waits until a reply begins: its first byte, "" at the end. A time-out does no harm here.
function Connection:peek(timeout)
  if timeout == self.timeout then return self.stream:peek(1) end
  self.socket:settimeout(timeout)
  local byte, err, errno = self.stream:peek(1)
  self.socket:settimeout(self.timeout)
  return byte, err, errno
end

-- The next reply, and whether it is a push; nil, err, errno when the connection has failed.
function Connection:receive(command)
  if self.err then return nil, self.err, self.errno end
  self.midway = true -- until all of it has been read
  local deadline = self.timeout and loop.now() + self.timeout
  local reply, push, errno = resp.read(self.stream, command, deadline, self.limit)
  self.midway = false
  if reply == nil then return self:fail(push, errno) end
  return reply, push
end

-- --- requests -------------------------------------------------------------------------------------

local Request = {}

-- Its task has the replies, or has given up (a time-out, a cancel): the next one reads these.
function Request:__close()
  local connection = self.connection
  self.left = true
  if connection.reader == self then
    connection.reader = nil
    if connection.midway then
      local ECANCELED = csock.errno.ECANCELED
      connection:fail(select(2, csock.make_error { call = "redis", errno = ECANCELED }), ECANCELED)
    end
  end
  if connection.reader or connection.err then return end
  for i = connection.first, connection.last do
    local request = connection.requests[i]
    if not request.left then
      if request.turn then request.turn:wake() end
      return
    end
  end
end

-- Whether nobody reads, and all requests before this one have their replies or have been left.
local function is_next(connection, request)
  if connection.reader then return false end
  for i = connection.first, connection.last do
    local other = connection.requests[i]
    if other == request then return true end
    if not other.left then return false end
  end
end

local function read_replies(connection, request)
  connection.reader = request
  local head
  repeat
    head = connection.requests[connection.first]
    while head.read < #head.names do
      local byte, err, errno = connection:peek(connection.timeout)
      if not byte then return connection:fail(err, errno) end
      local reply, push, failure = connection:receive(head.names[head.read + 1])
      if reply == nil then return nil, push, failure end
      if not push then
        head.read = head.read + 1
        head.replies[head.read] = reply
      end
    end
    connection.requests[connection.first] = nil
    connection.first = connection.first + 1
  until head == request
  return request.replies
end

-- Sends encoded commands, of these names, and gives the list of the replies; nil, err, errno.
function Connection:exchange(text, names)
  if self.err then return nil, self.err, self.errno end
  local request <close> = setmetatable({ connection = self, names = names, replies = {}, read = 0 }, Request)
  self.last = self.last + 1
  self.requests[self.last] = request
  local ok, err, errno = self:send(text) -- which has it in the stream before it waits
  if not ok then return nil, err, errno end
  while not is_next(self, request) do
    request.turn = request.turn or internal.waiters()
    ok, err, errno = request.turn:wait()
    if self.err then return nil, self.err, self.errno end
    if not ok then return nil, err, errno end
  end
  return read_replies(self, request)
end

-- --- patience -------------------------------------------------------------------------------------

-- How long to wait between tries, in seconds: twice as long each time, up to a limit, and by chance a
-- little less, so that many clients do not come back all at once.
function M.backoff(settings)
  local delay = settings.delay
  return function()
    local pause = delay * (0.5 + math.random() / 2)
    delay = math.min(2 * delay, settings.max_delay)
    return pause
  end
end

return M
