--- A client of Redis, and of servers that speak its protocol.
--
--     local redis = require "csock.redis"
--     local r <close> = assert(redis.connect "redis://:secret@localhost:6379/0")
--     assert(r:call("SET", "greeting", "hello"))
--     print(r:call("GET", "greeting"))        --> hello
--     print(r:call("LPUSH", "greeting", 1))   --> nil, an error whose name is "WRONGTYPE"
--
-- It works in tasks and outside of them. Any number of tasks may use one client: their commands go out
-- at once, and each task gets its own reply. A connection that was lost is made anew by the next call.
--
-- What the server refuses is an error of the kind `"redis"`, without a number: its `name` is the server's
-- (`"WRONGTYPE"`), its `strerror` says why. Other errors are of the connection, and have a number; a
-- command that fails in this way may or may not have been carried out.
-- @module csock.redis
local check = require "csock.check"
local csock = require "csock"
local loop = require "csock.loop"
local resp = require "csock.redis.resp"
local connections = require "csock.redis.connection"
local subscriptions = require "csock.redis.subscription"
local secure = require "csock.secure"
local internal = require "csock.loop.internal"

local M = {
  --- Stands for null within a reply, since a list cannot hold nil.
  -- @field null
  null = resp.null,
}

-- --- where it is ----------------------------------------------------------------------------------

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- Takes a URL apart: `redis://[[user]:password@]host[:port][/db]`, or the same with `rediss`, which is over TLS.
-- @tparam string url
-- @treturn[1] table `host`, `port`, `db`, and where given `username`, `password`; `ssl` = true for `rediss`
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it
-- @usage print(redis.parse_url("redis://:secret@localhost:6379/2").db) --> 2
function M.parse_url(url)
  local over_tls, authority, path = url:match "^redis(s?)://([^/?#]*)/?([^/?#]*)$"
  if not authority then return nil, "redis://[:password@]host[:port][/db] expected" end
  local login, place = authority:match "^(.*)@([^@]*)$"
  local host, port = (place or authority):match "^%[(.*)%]:?(%d*)$"
  if not host then host, port = (place or authority):match "^([^:%[%]]*):?(%d*)$" end
  if not host then return nil, "no host and port: " .. (place or authority) end
  local user, password = (login or ""):match "^([^:]*):?(.*)$"
  port = port == "" and 6379 or math.tointeger(tonumber(port))
  if not port or port < 1 or port > 65535 then return nil, "the port must be 1 to 65535" end
  if not path:find "^%d*$" then return nil, "the database must be a number, not '" .. path .. "'" end
  local db = path == "" and 0 or math.tointeger(tonumber(path))
  if not db then return nil, "the database's number is too large" end
  return {
    host = host == "" and "localhost" or decoded(host), port = port, db = db,
    username = user ~= "" and decoded(user) or nil, password = password ~= "" and decoded(password) or nil,
    ssl = over_tls ~= "" or nil,
  }
end

local SETTINGS = {
  timeout = { check.TIMEOUT, 10 }, retry = { check.TIMEOUT, 0, 0 }, protocol = { check.one_of("2 or 3", 2, 3), 2, 2 },
  delay = { check.SECONDS, 0.1, 0 }, max_delay = { check.TIMEOUT, 5, math.huge }, heartbeat = { check.TIMEOUT, 30 },
  limit = { check.integer(1), resp.LIMIT, math.huge }, ssl = { secure.CLIENT }, server_hostname = { secure.NAME },
}

local function settings_of(call, url, options)
  check.argument(check.STRING, url, 1, call)
  local place, what = M.parse_url(url)
  if not place then check.bad(call, 1, what) end
  local settings = check.options(options, SETTINGS, 2, call)
  place.ssl = settings.ssl or place.ssl -- a context of one's own, for either kind of URL
  if settings.server_hostname and not place.ssl then check.bad(call, 2, "option 'server_hostname' without TLS") end
  for name, value in pairs(place) do settings[name] = value end
  return settings
end

-- --- the client -----------------------------------------------------------------------------------

--- A client: one connection for commands, and one for each subscription.
-- @type client
local Client = {}
Client.__index = Client
Client.__name = "csock.redis.client"

--- Makes a client, which connects when it is first used.
-- @function csock.redis.client
-- @tparam string url `redis://[[user]:password@]host[:port][/db]`; `rediss://...` is over TLS
-- @tparam[opt] table options
-- @tparam[opt=10] number options.timeout seconds for connecting, and for each reply (false: no limit)
-- @tparam[opt=0] number options.retry how many seconds a call goes on trying to connect; 0: one try
-- @tparam[opt=0.1] number options.delay seconds of the first pause between tries; each is up to a half shorter, by
-- chance
-- @tparam[opt=5] number options.max_delay seconds of the longest pause
-- @tparam[opt=30] number options.heartbeat how many seconds a subscription is silent before the server is asked for a
-- sign of life (false: never)
-- @tparam[opt=2] int options.protocol 2, or 3 (`HELLO 3`)
-- @tparam[opt] int options.limit how many bytes a reply may have in all (512 MiB; each value in a list counts as 16
-- more), so that a server cannot fill the memory
-- @param[opt] options.ssl a client's context of @{csock.ssl} instead of the default one of `rediss`
-- @tparam[opt] string options.server_hostname over TLS: the name that is verified instead of the host's
-- @treturn client
-- @raise for an URL that is none
-- @usage local r <close> = redis.client("redis://localhost:6379", {timeout = 2})
function M.client(url, options)
  return setmetatable({
    settings = settings_of("client", url, options), changed = internal.waiters(),
    subscriptions = setmetatable({}, { __mode = "k" }),
  }, Client)
end

-- One task connects, and the others that need the connection wait for it.
local Attempt = {
  __close = function(self)
    self.over = true
    self.client.attempt = nil
    self.client.changed:wake(true)
  end,
}

local function closed_error()
  return csock.make_error { call = "redis", errno = csock.errno.EBADF }
end

-- Tries to connect, for as long as the settings say.
local function try(settings)
  local deadline, pauses = loop.now() + settings.retry, connections.backoff(settings)
  while true do
    local connection, err, errno = connections.open(settings)
    if connection then return connection end
    local pause = pauses()
    if err.kind == "redis" or loop.now() + pause > deadline then return nil, err, errno end
    loop.sleep(pause)
  end
end

local function connect(self)
  local attempt <close> = setmetatable({ client = self }, Attempt)
  self.attempt = attempt
  local connection
  connection, attempt.err, attempt.errno = try(self.settings)
  if connection and self.closed then
    connection:close()
    return closed_error()
  end
  self.connection = connection
  return connection, attempt.err, attempt.errno
end

local function ready_connection(self)
  while not self.closed do
    local connection, attempt = self.connection, self.attempt
    if connection and connection:usable() then return connection end
    if not attempt then return connect(self) end
    while not attempt.over do
      local ok, err, errno = self.changed:wait()
      if not ok then return nil, err, errno end
    end
    if attempt.err then return nil, attempt.err, attempt.errno end
  end
  return closed_error()
end

--- Connects.
-- @function csock.redis.connect
-- @tparam string url as for `client`
-- @tparam[opt] table options those of @{csock.redis.client}
-- @treturn[1] client
-- @treturn[2] nil
-- @treturn[2] error of the connection, or what the server says of the password or the database
-- @treturn[2] ?int errno of a connection's error
-- @raise for an URL that is none
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- r:call("SET", "greeting", "hello")
-- print(r:call("GET", "greeting")) --> hello
function M.connect(url, options)
  settings_of("connect", url, options)
  local client = M.client(url, options)
  local connection, err, errno = ready_connection(client)
  if not connection then return nil, err, errno end
  return client
end

-- They would turn the connection into something else.
local elsewhere = {
  SUBSCRIBE = "subscribe", PSUBSCRIBE = "psubscribe", SSUBSCRIBE = "subscribe", UNSUBSCRIBE = "unsubscribe",
  PUNSUBSCRIBE = "punsubscribe", SUNSUBSCRIBE = "unsubscribe", MONITOR = "subscribe", HELLO = "connect",
  SELECT = "select", AUTH = "auth",
}

local function encode(command)
  local ok, text = pcall(resp.encode, command)
  if not ok then check.fail(text) end
  local name = tostring(command[1]):upper()
  if elsewhere[name] then check.fail(("%s is not for call and pipeline: see '%s'"):format(name, elsewhere[name])) end
  return text, name
end

local function exchange(self, text, names)
  local connection, err, errno = ready_connection(self)
  if not connection then return nil, err, errno end
  return connection:exchange(text, names)
end

local function result(replies, err, errno)
  if not replies then return nil, err, errno end
  local reply = replies[1]
  if reply == resp.null then return nil end
  if type(reply) == "userdata" then return nil, reply end
  return reply
end

--- Sends a command and waits for its reply.
-- @tparam string command such as `"SET"`
-- @tparam string|number ... its arguments
-- @return[1] the reply: a string, an integer, a list (in which nothing is `csock.redis.null`); with
-- protocol 3 also a float, a boolean, a table
-- @treturn[2] nil alone, when the reply is null
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] ?int errno, of a connection's error
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- print(r:call("SET", "greeting", "hello")) --> OK
function Client:call(...)
  local text, name = encode(table.pack(...))
  return result(exchange(self, text, { name }))
end

--- Sends several commands at once, and then waits for their replies. Between them the server may carry
-- out those of other clients; put `{"MULTI"}` and `{"EXEC"}` around them if it must not.
-- @tparam {table,...} commands each a list of the command's name and its arguments
-- @treturn[1] table the replies in the same order: null is `csock.redis.null`, what the server refuses
-- is an error value
-- @treturn[2] nil when the connection has failed
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local replies = assert(r:pipeline {{"SET", "a", 1}, {"GET", "a"}})
-- print(replies[1], replies[2]) --> OK 1
function Client:pipeline(commands)
  local texts, names = {}, {}
  for i, command in ipairs(commands) do texts[i], names[i] = encode(command) end
  if #names == 0 then return {} end
  return exchange(self, table.concat(texts), names)
end

-- Does what each new connection does too.
local function settle(self, command, settings)
  local reply, err, errno = result(exchange(self, resp.encode(command), { command[1] }))
  if not reply then return nil, err, errno end
  for name, value in pairs(settings) do self.settings[name] = value end
  return true
end

--- Chooses the database, for this connection and those that follow it.
-- @tparam int db its number
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] ?int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- assert(r:select(1))
function Client:select(db)
  return settle(self, { "SELECT", db }, { db = db })
end

--- Logs in, for this connection and those that follow it.
-- @tparam string password
-- @tparam[opt="default"] string username
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] ?int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- assert(r:auth "secret")
function Client:auth(password, username)
  local command = username and { "AUTH", username, password } or { "AUTH", password }
  return settle(self, command, { password = password, username = username })
end

local SUBSCRIBING = {
  handler = { check.FUNCTION }, ready = { check.FUNCTION }, lost = { check.FUNCTION },
  wait = { check.ANY, true, false }, maxsize = { check.integer(0), 1000, 0 },
}

local function subscribe(self, call, command, ...)
  local names = table.pack(...)
  local options = type(names[names.n]) == "table" and table.remove(names) or nil
  options = check.options(options, SUBSCRIBING, names.n, call)
  for i, name in ipairs(names) do check.argument(check.STRING, name, i, call) end
  if #names == 0 then check.expected(call, 1, "string", nil) end
  if self.closed then return closed_error() end
  local subscription, err, errno = subscriptions.new(self.settings, command, names, options)
  if not subscription then return nil, err, errno end
  self.subscriptions[subscription] = true
  return subscription
end

--- Subscribes to channels, on a connection of its own. It is a task that receives the messages, so the
-- loop must run: it does while a task, or the program, waits for one.
-- @tparam string ... channels
-- @tparam[opt] table options
-- @tparam[opt] function options.handler called with each message, its channel and its pattern, instead of `get`
-- @tparam[opt] function options.ready called whenever the server has confirmed, at first and after a loss
-- @tparam[opt] function options.lost called with the error when the connection is lost, or cannot be made at first
-- (once, until it is ready again)
-- @tparam[opt=true] boolean options.wait false: does not wait for the server, but goes on trying
-- @tparam[opt=1000] int options.maxsize how many messages are kept for `get` (false: no limit) before the rest stays
-- with the server
-- @treturn[1] subscription
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] ?int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:subscribe "news")
-- print(news:get(5)) --> hello news nil
function Client:subscribe(...)
  local subscription, err, errno = subscribe(self, "subscribe", "SUBSCRIBE", ...)
  return subscription, err, errno
end

--- The same with patterns, such as `"news.*"`.
-- @tparam string ... patterns
-- @tparam[opt] table options those of @{client:subscribe}
-- @treturn[1] subscription
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] ?int errno
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- local news <close> = assert(r:psubscribe "news.*")
function Client:psubscribe(...)
  local subscription, err, errno = subscribe(self, "psubscribe", "PSUBSCRIBE", ...)
  return subscription, err, errno
end

--- Closes its connection and its subscriptions. Who waits for a reply gets `EBADF`. Closing again is
-- harmless.
-- @treturn boolean true
-- @usage
-- local r <close> = assert(redis.connect "redis://localhost:6379")
-- r:close()
function Client:close()
  self.closed = true
  if self.connection then self.connection:close() end
  for subscription in pairs(self.subscriptions) do subscription:close() end
  return true
end

Client.__close = Client.close

function Client:__tostring()
  return ("<csock.redis.client %s:%d%s>"):format(self.settings.host, self.settings.port,
    self.closed and " [closed]" or "")
end

return M
