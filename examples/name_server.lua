-- name_server.lua: a name server: services register where they are, and whoever needs one asks. The
-- server connects to each service now and then (a ping) and takes those off its list that have not
-- answered three times running. It prints who registered, and who asked for what.
--
--   lua5.4 examples/name_server.lua [host] [port]   # then name_client.lua
--
-- It listens on this machine alone unless it is told otherwise: whoever can connect can make it
-- connect to any address and port. Options:
--
--   --ping SECONDS   how often services are pinged (10)
--   --store URL      keeps the registrations in a Redis server, such as redis://localhost:6379; any
--                    number of name servers with the same store answer alike
--
-- A request is a line; an answer is some lines (of which the first begins with "error: " if it is
-- one) and then an empty line. HOST is an address, or -, which is where the request comes from. It
-- cannot be a name: whoever registers names that nobody answers for would keep us waiting for them.
--
--   register NAME HOST PORT [DESCRIPTION]   "ok". For as long as it answers pings; repeating it does
--                                           no harm. A name that another service has is refused
--   unregister NAME HOST PORT               "ok"
--   lookup NAME                             "HOST PORT DESCRIPTION"
--   list                                    "NAME HOST PORT DESCRIPTION", for each in a line
--   ping                                    "pong"
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"
local loop = require "csock.loop"
local redis = require "csock.redis"

local LINE = 512 -- bytes of a request
local SILENCE = 300 -- seconds without a request, after which the server hangs up
local CLIENTS = 1000 -- at once; others wait until one has left
local SERVICES = 1000 -- registered at most
local FAILURES = 3 -- pings without an answer, after which a service is delisted
local PINGS = 100 -- services pinged at once
local PATIENCE = 2 -- seconds that a service has to answer a ping
local ROUND = SERVICES / PINGS * PATIENCE -- seconds, if none of them answers
local POPULAR = 3 -- times that a name is asked for before its answer is kept
local FRESH = 5 -- seconds that a kept answer is good for

local function log(text, ...)
  print(("[%s] %s"):format(os.date "%c", example.clean(text:format(...))))
end

-- Stores ------------------------------------------------------------------------------------------
--
-- A store keeps a text for each name: "HOST PORT DESCRIPTION". Its first two words are the service's
-- address. It keeps SERVICES of them at most. Registrations expire unless they are renewed. `changed` is
-- called with a name whenever what the store says of it may be different from now on; without one, of all.

-- No name, which would have to be looked up.
local function is_address(host)
  return csock.inet_pton(csock.AF_INET, host) or csock.inet_pton(csock.AF_INET6, host)
end

local function has_address(text, address)
  return text:sub(1, #address + 1) == address .. " "
end

local Memory = {}
Memory.__index = Memory

function Memory.new(changed)
  return setmetatable({ texts = {}, expiry = {}, count = 0, changed = changed }, Memory)
end

-- Sets a name's text, or with nil takes it off.
function Memory:set(name, text)
  self.count = self.count + (text and 1 or 0) - (self.texts[name] and 1 or 0)
  self.texts[name] = text
end

function Memory:get(name)
  if self.texts[name] and self.expiry[name] <= loop.now() then self:set(name, nil) end
  return self.texts[name]
end

-- "new" or "renewed"; "taken" and the text of the service that has the name; "full".
function Memory:put(name, address, text, seconds)
  local old = self:get(name)
  if old and not has_address(old, address) then return "taken", old end
  if not old and self.count >= SERVICES then
    self:all() -- of which some may have expired
    if self.count >= SERVICES then return "full" end
  end
  self:set(name, text)
  self.expiry[name] = loop.now() + seconds
  if old == text then return "renewed" end
  self.changed(name)
  return "new"
end

function Memory:renew(name, seconds)
  if self:get(name) then self.expiry[name] = loop.now() + seconds end
end

-- Whether it was there.
function Memory:remove(name, address)
  local old = self:get(name)
  if not old or not has_address(old, address) then return false end
  self:set(name, nil)
  self.changed(name)
  return true
end

-- All texts by their names.
function Memory:all()
  local all = {}
  for name in pairs(self.texts) do all[name] = self:get(name) end
  return all
end

-- The same with a Redis server: its keys expire by themselves. Every call may give nil and an error.
local Shared = {}
Shared.__index = Shared

local KEY = "csock names:" -- before the name
local INDEX = "csock names" -- a sorted set: the names, by when they expire
local CHANNEL = "csock names" -- where the servers tell each other what has changed

-- What must not be torn apart by another server, the Redis server does in one go, and by its own clock.
-- KEYS: a name's key, the index. ARGV: the name, milliseconds, and what each says.
local EXPIRE = [[
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local function expire()
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
  end
]]
local PUT = EXPIRE .. [[ -- the address, the text, how many there may be
  local old = redis.call('GET', KEYS[1])
  if old and old:sub(1, #ARGV[3] + 1) ~= ARGV[3] .. ' ' then return {'taken', old} end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  local listed = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if not listed and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return {'full'} end
  redis.call('SET', KEYS[1], ARGV[4])
  expire()
  return {old == ARGV[4] and 'renewed' or 'new'}
]]
local RENEW = EXPIRE .. "if redis.call('EXISTS', KEYS[1]) == 1 then expire() end"
local REMOVE = [[ -- the address
  local old = redis.call('GET', KEYS[1])
  if not old or old:sub(1, #ARGV[3] + 1) ~= ARGV[3] .. ' ' then return 0 end
  redis.call('ZREM', KEYS[2], ARGV[1])
  return redis.call('DEL', KEYS[1])
]]

function Shared.new(url, changed)
  local self = setmetatable({ client = redis.client(url, { timeout = 5 }), changed = changed }, Shared)
  assert(self.client:subscribe(CHANNEL, {
    wait = false,
    handler = function(name) changed(name) end,
    ready = function()
      self.connected = true
      changed()
      log "connected to the store"
    end,
    lost = function(err)
      self.connected = false
      changed()
      log("no connection to the store: %s", err)
    end,
  }))
  return self
end

-- What others have put there may be nonsense: nil then.
local function sound(text)
  text = text and text ~= redis.null and example.clean(text)
  local host = text and text:match "^(%S+) %d+ "
  return host and is_address(host) and text or nil
end

function Shared:eval(script, name, seconds, ...)
  local milliseconds = math.ceil(seconds * 1000)
  return self.client:call("EVAL", script, 2, KEY .. name, INDEX, name, milliseconds, ...)
end

function Shared:get(name)
  local text, err = self.client:call("GET", KEY .. name)
  return sound(text), err
end

function Shared:tell(name)
  self.changed(name)
  self.client:call("PUBLISH", CHANNEL, name)
end

function Shared:put(name, address, text, seconds)
  local reply, err = self:eval(PUT, name, seconds, address, text, SERVICES)
  if not reply then return nil, err end
  if reply[1] == "taken" then return "taken", sound(reply[2]) or "somebody" end
  if reply[1] == "new" then self:tell(name) end
  return reply[1]
end

function Shared:renew(name, seconds)
  self:eval(RENEW, name, seconds)
end

function Shared:remove(name, address)
  local count, err = self:eval(REMOVE, name, 0, address)
  if not count then return nil, err end
  if count > 0 then self:tell(name) end
  return count > 0
end

function Shared:all()
  local names, err = self.client:call("ZRANGE", INDEX, 0, SERVICES - 1)
  if not names then return nil, err end
  if #names == 0 then return {} end
  local keys = {}
  for i, name in ipairs(names) do keys[i] = KEY .. name end
  local texts, failure = self.client:call("MGET", table.unpack(keys))
  if not texts then return nil, failure end
  local all = {}
  for i, text in ipairs(texts) do all[example.clean(names[i])] = sound(text) end
  return all
end

function Shared:__close()
  self.client:close()
end

-- The cache ---------------------------------------------------------------------------------------

-- Keeps the answers that are asked for often, for a short time.
local Cache = {}
Cache.__index = Cache

function Cache.new()
  return setmetatable({ answers = {}, asked = {}, names = 0, changes = 0 }, Cache)
end

function Cache:get(name)
  local answer = self.answers[name]
  if answer and answer.good_until > loop.now() then return answer.text end
  self.answers[name] = nil
end

-- Counts that a name was asked for; whether that makes it popular.
function Cache:count(name)
  if not self.asked[name] then
    if self.names >= SERVICES then self.asked, self.names = {}, 0 end -- somebody asks for all sorts of names
    self.asked[name], self.names = 0, self.names + 1
  end
  self.asked[name] = self.asked[name] + 1
  return self.asked[name] >= POPULAR
end

function Cache:keep(name, text)
  self.answers[name] = { text = text, good_until = loop.now() + FRESH }
end

function Cache:forget(name)
  self.changes = self.changes + 1
  if name then self.answers[name] = nil else self.answers = {} end
end

-- The server --------------------------------------------------------------------------------------

local Names = {}
Names.__index = Names

function Names.new(url, interval)
  local cache = Cache.new()
  local function changed(name) cache:forget(name) end
  return setmetatable({
    store = url and Shared.new(url, changed) or Memory.new(changed), cache = cache, interval = interval,
    expiry = FAILURES * (interval + ROUND), failures = {},
  }, Names)
end

-- Its text, and whether that is from the cache; nil when it is unknown; nil and an error.
function Names:lookup(name)
  local text = self.cache:get(name)
  if text then return text, "cached" end
  local changes = self.cache.changes
  local err
  text, err = self.store:get(name)
  if not text then return nil, err end
  -- What has changed while we asked is not worth keeping.
  if self.cache:count(name) and self.cache.changes == changes then self.cache:keep(name, text) end
  return text
end

local commands = {}

-- A service's name and address out of a request; nil and what is wrong.
local function service_of(argument, from)
  local name, host, port, description = argument:match "^(%S+) +(%S+) +(%S+) *(.*)$"
  if not name then return nil, "NAME HOST PORT expected" end
  if #name > 64 or name:find "[^%w._-]" then return nil, "a name has 1 to 64 letters, digits, ., _ and -" end
  if host == "-" then host = from[1] end
  if not is_address(host) then return nil, "no address: " .. host end
  port = port:find "^%d+$" and math.tointeger(tonumber(port))
  if not port or port < 1 or port > 65535 then return nil, "the port must be 1 to 65535" end
  return name, ("%s %d"):format(host, port), description
end

-- For a store's failure, which concerns whoever asked and whoever reads the log.
local function out_of_order(err)
  log("the store: %s", err)
  return "error: the store is out of order; try again later"
end

function commands.register(names, argument, from)
  local name, address, description = service_of(argument, from)
  if not name then return "error: " .. address end
  local text = address .. " " .. description
  local done, other = names.store:put(name, address, text, names.expiry)
  if not done then return out_of_order(other) end
  if done == "full" then return "error: no more than " .. SERVICES .. " services" end
  if done == "taken" then return ("error: %s is taken, by %s"):format(name, other:match "^%S+ ?%S*") end
  names.failures[name] = nil
  if done == "new" then log("%s registered %s at %s", from, name, text) end
  return "ok"
end

function commands.unregister(names, argument, from)
  local name, address = service_of(argument, from)
  if not name then return "error: " .. address end
  local removed, err = names.store:remove(name, address)
  if removed == nil then return out_of_order(err) end
  if not removed then return ("error: %s is not registered at %s"):format(name, address) end
  log("%s unregistered %s at %s", from, name, address)
  return "ok"
end

function commands.lookup(names, name, from)
  if name == "" then return "error: NAME expected" end
  local text, how = names:lookup(name)
  if not text and how then return out_of_order(how) end
  log("%s asked for %s: %s", from, name, text and text .. (how and " (" .. how .. ")" or "") or "unknown")
  return text or ("error: there is no %s"):format(name)
end

function commands.list(names, _, from)
  local all, err = names.store:all()
  if not all then return out_of_order(err) end
  local lines = {}
  for name, text in pairs(all) do lines[#lines + 1] = name .. " " .. text end
  table.sort(lines)
  log("%s asked for the list: %s", from, #lines == 1 and "1 service" or (#lines .. " services"):gsub("^0 ", "no "))
  return table.concat(lines, "\n")
end

function commands.ping() return "pong" end

function Names:answer(line, from)
  local name, argument = example.clean(line):match "^ *(%S*) *(.-) *$"
  local command = commands[name]
  if not command then return "error: unknown request; there are: register, unregister, lookup, list, ping" end
  return command(self, argument, from)
end

function Names:serve(conn, from)
  conn:settimeout(SILENCE)
  local stream <close> = assert(conn:makefile())
  local function complain() conn:sendall(("error: a line of over %d bytes\n\n"):format(LINE)) end
  while true do
    local line = example.read_line(stream, LINE, complain)
    if not line then return end
    local text = self:answer(line, from)
    if not conn:sendall(text .. (text == "" and "" or "\n") .. "\n") then return end
  end
end

-- Pings ---------------------------------------------------------------------------------------------

-- Lacks of ours, which say nothing about a service.
local OURS = { EMFILE = true, ENFILE = true, ENOBUFS = true, ENOMEM = true }

-- Whoever can be connected to is alive.
function Names:ping(name, text)
  local host, port = text:match "^(%S+) (%S+)"
  local conn, err = csock.create_connection({ host, port }, { timeout = PATIENCE })
  if conn then
    conn:close()
    self.failures[name] = nil
    self.store:renew(name, self.expiry)
    return
  end
  if OURS[err.name] then return end
  self.failures[name] = (self.failures[name] or 0) + 1
  if self.failures[name] < FAILURES then return end
  self.failures[name] = nil
  if self.store:remove(name, host .. " " .. port) then
    log("delisted %s at %s %s, after %d pings: %s", name, host, port, FAILURES, err)
  end
end

function Names:ping_all()
  while true do
    csock.sleep(self.interval)
    local services, group <close> = loop.queue(), loop.group()
    for name, text in pairs(self.store:all() or {}) do services:put { name, text } end
    services:close()
    for _ = 1, math.min(PINGS, services:qsize()) do
      group:spawn(function()
        for service in services:iter() do self:ping(service[1], service[2]) end
      end)
    end
  end
end

example.run(function()
  local url = example.value("--store", "URL")
  local interval = example.seconds("--ping", 10)
  local host, port = example.arguments("host", "localhost", "port", 21572)
  if url then
    local parts, why = redis.parse_url(url)
    if not parts then example.fail("--store: %s", why) end
  end

  local names = Names.new(url, interval)
  local _ <close> = url and names.store or nil
  local function handle(conn, from) names:serve(conn, from) end
  local server <close> = assert(csock.serve({ host, port }, handle, { max_connections = CLIENTS }))
  example.announce(server)
  print("waiting for requests...")
  csock.spawn(names.ping_all, names)
  example.run_loop()
end)
