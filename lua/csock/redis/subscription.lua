--- Subscriptions to the messages of a Redis server: a connection of their own, and a task that keeps it.
-- @module csock.redis
local csock = require "csock"
local loop = require "csock.loop"
local resp = require "csock.redis.resp"
local connections = require "csock.redis.connection"
local internal = require "csock.loop.internal"

local M = {}

--- What a client's `subscribe` gives. When the connection is lost it is made again, with growing
-- pauses, and the channels are subscribed to again; what was published meanwhile is lost.
-- @type subscription
local Subscription = {}
Subscription.__index = Subscription
Subscription.__name = "csock.redis.subscription"

-- Runs a callback: its errors are reported, and end nothing.
local function call_back(self, f, ...)
  if not f then return end
  local ok, failure = xpcall(f, internal.traced, ...)
  if not ok then loop.onerror(failure.err, failure.traceback, self.task) end
end

local function deliver(self, data, channel, pattern)
  if self.handler then return call_back(self, self.handler, data, channel, pattern) end
  self.queue:put { data, channel, pattern }
end

-- --- the server's side ----------------------------------------------------------------------------

-- What is subscribed to: for either command the names, each "asked" or "confirmed".
local function all_confirmed(self)
  for _, names in pairs(self.wanted) do
    for _, state in pairs(names) do
      if state ~= "confirmed" then return false end
    end
  end
  return true
end

local function confirm(self, command, name)
  local names = self.wanted[command]
  if names[name] then names[name] = "confirmed" end
  self.changed:wake(true)
  if not self.up and all_confirmed(self) then
    self.up, self.err, self.errno, self.pauses = true, nil, nil, nil
    call_back(self, self.ready)
    loop.yield() -- so that who subscribed has the subscription before the first message comes
  end
end

local arrivals = {
  message = function(self, reply) deliver(self, reply[3], reply[2]) end,
  pmessage = function(self, reply) deliver(self, reply[4], reply[3], reply[2]) end,
  subscribe = function(self, reply) confirm(self, "SUBSCRIBE", reply[2]) end,
  psubscribe = function(self, reply) confirm(self, "PSUBSCRIBE", reply[2]) end,
}

local function request(command, names)
  return resp.encode { command, table.unpack(names) }
end

local function names_of(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  return list
end

-- Takes what comes until the connection fails; asks the server for a sign of life when it is silent.
local function listen(self, connection)
  for command, names in pairs(self.wanted) do
    for name in pairs(names) do names[name] = "asked" end
    if next(names) and not connection:send(request(command, names_of(names))) then return end
  end
  while true do
    local byte, err, errno = connection:peek(self.settings.heartbeat)
    if not byte and errno == csock.errno.ETIMEDOUT and connection:send(resp.encode { "PING" }) then
      byte, err, errno = connection:peek(connection.timeout)
    end
    if not byte then return connection:fail(err, errno) end
    local reply = connection:receive()
    if reply == nil then return end
    if type(reply) == "userdata" then return connection:fail(reply) end
    local arrive = type(reply) == "table" and arrivals[reply[1]]
    if arrive then arrive(self, reply) end
  end
end

-- Takes back what was asked for just now, and not confirmed.
local function forget(self, command, names)
  for _, name in ipairs(names) do
    if self.wanted[command][name] == "asked" then self.wanted[command][name] = nil end
  end
end

local function tell_lost(self, err, errno)
  local first = not self.err
  self.connection, self.up, self.err, self.errno = nil, false, err, errno
  self.changed:wake(true)
  if first and not self.closed then call_back(self, self.lost, err) end
end

local function keep_connected(self)
  while not self.closed do
    local connection, err, errno = connections.open(self.settings)
    if connection then
      local _ <close> = connection
      self.connection = connection
      listen(self, connection)
      err, errno = connection.err, connection.errno
    end
    tell_lost(self, err, errno)
    self.pauses = self.pauses or connections.backoff(self.settings)
    if not self.closed then loop.sleep(self.pauses()) end
  end
end

-- --- the program's side ---------------------------------------------------------------------------

-- Asks for more, when there is a connection.
local function ask(self, command, names)
  local connection = self.connection
  if not self.up then
    if self.err then return nil, self.err, self.errno end
    return csock.make_error { call = "redis", errno = csock.errno.ENOTCONN }
  end
  local fresh = {}
  for _, name in ipairs(names) do
    if not self.wanted[command][name] then
      self.wanted[command][name] = "asked"
      fresh[#fresh + 1] = name
    end
  end
  local ok, err, errno = connection:send(request(command, names))
  local function unconfirmed(name) return self.wanted[command][name] == "asked" end
  for _, name in ipairs(fresh) do
    while ok and unconfirmed(name) do
      ok, err, errno = self.changed:wait()
      if connection.err then ok, err, errno = nil, connection.err, connection.errno end
    end
  end
  if ok then return true end
  forget(self, command, fresh)
  return nil, err, errno
end

local function take_back(self, command, prefix, names)
  if #names == 0 then names = names_of(self.wanted[command]) end
  if #names == 0 then return true end
  for _, name in ipairs(names) do self.wanted[command][name] = nil end
  if not self.up then return true end
  return self.connection:send(request(prefix .. command, names))
end

--- Subscribes to more channels, and waits until the server has confirmed it.
-- @tparam string ... channels
-- @treturn[1] boolean true
-- @treturn[2] nil when there is no connection; they are not subscribed to then
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- assert(news:subscribe "weather")
function Subscription:subscribe(...) return ask(self, "SUBSCRIBE", { ... }) end

--- The same with patterns, such as `"news.*"`.
-- @tparam string ... patterns
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- assert(news:psubscribe "weather.*")
function Subscription:psubscribe(...) return ask(self, "PSUBSCRIBE", { ... }) end

--- Ends the subscription to channels; without any, to all. Messages that are on their way still come.
-- @tparam string ... channels
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- assert(news:unsubscribe "news")
function Subscription:unsubscribe(...) return take_back(self, "SUBSCRIBE", "UN", { ... }) end

--- The same with patterns.
-- @tparam string ... patterns
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:psubscribe "news.*")
-- assert(news:punsubscribe "news.*")
function Subscription:punsubscribe(...) return take_back(self, "PSUBSCRIBE", "PUN", { ... }) end

--- Takes the next message; waits for it.
-- @tparam[opt] number timeout seconds; 0: does not wait
-- @treturn[1] string the message
-- @treturn[1] string its channel
-- @treturn[1] ?string the pattern that the channel fits
-- @treturn[2] nil alone, when the subscription is closed
-- @treturn[3] nil
-- @treturn[3] error (`ETIMEDOUT`, `EAGAIN`)
-- @treturn[3] int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- local message, channel = news:get(5)
-- print(channel, message) --> news hello
function Subscription:get(timeout)
  local message, err, errno = self.queue:get(timeout)
  if not message then return nil, err, errno end
  return message[1], message[2], message[3]
end

--- Takes messages until the subscription is closed: `for message, channel in s:iter() do`.
-- @treturn function
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- for message, channel in news:iter() do
--   print(channel, message) --> news hello
--   news:close()
-- end
function Subscription:iter()
  return function() return self:get() end
end

--- Ends it. Closing again is harmless.
-- @treturn boolean true
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- news:close()
function Subscription:close()
  if self.closed then return true end
  self.closed = true
  if self.connection then self.connection:close() end
  tell_lost(self, select(2, csock.make_error { call = "redis", errno = csock.errno.EBADF }), csock.errno.EBADF)
  self.queue:close()
  if self.task ~= loop.current() then self.task:cancel() end
  return true
end

Subscription.__close = Subscription.close

function Subscription:__tostring()
  return ("<csock.redis.subscription %s:%d%s>"):format(self.settings.host, self.settings.port,
    self.closed and " [closed]" or self.up and "" or " [not connected]")
end

-- Makes a subscription to `names` by `command`; options: see Client:subscribe.
function M.new(settings, command, names, options)
  local self = setmetatable({
    settings = settings, wanted = { SUBSCRIBE = {}, PSUBSCRIBE = {} }, up = false,
    queue = loop.queue(options.maxsize), changed = internal.waiters(),
    handler = options.handler, ready = options.ready,
  }, Subscription)
  for _, name in ipairs(names) do self.wanted[command][name] = "asked" end
  local holder <close> = internal.holder(self)
  self.task = loop.spawn(keep_connected, self)
  if options.wait then
    while not self.up and not self.err do
      local ok, err, errno = self.changed:wait()
      if not ok then return nil, err, errno end
    end
    if not self.up then return nil, self.err, self.errno end
  end
  self.lost = options.lost
  return holder:take()
end

return M
