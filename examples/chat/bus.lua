-- bus.lua: any number of chats as one, over a Redis server. For chat_rooms.lua and chat_web.lua, which may share a bus.
--
-- Every server publishes what its people do, and listens to what the others publish. A message is
-- the server's number, a verb and its arguments, with tabs between. Now and then each says who is
-- there, so that nothing that was lost stays wrong for long. Each also listens to a channel of its
-- own: who does not any more has lost its connection, or is dead.
local example = ...
local csock = require "csock"
local loop = require "csock.loop"
local redis = require "csock.redis"
local Chat = example.part "chat/rooms"

local is_name, listed, notice, send = Chat.is_name, Chat.listed, Chat.notice, Chat.send
local LINE, NAME, PEOPLE = Chat.LINE, Chat.NAME, Chat.PEOPLE

local CHANNEL = "csock chat"
local OWN = CHANNEL .. ":" -- before the server's number
local BEAT = 5 -- seconds
local SILENCE = 3 * BEAT -- after which a server is thought dead, whose machine perhaps has lost its power
local LOOK = 0.5 -- seconds, after which we look again who listens
local SERVERS = 100 -- that we hear of
local FIELDS = 2 * PEOPLE + 2 -- of a message, and their bytes
local MESSAGE = 64 + 2 * PEOPLE * (NAME + 1)

local Bus = {}
Bus.__index = Bus

local function log_bus(err)
  print("bus: " .. example.clean(tostring(err)))
end

-- What no other server calls itself. Not from math.random: servers that start in the same second may
-- be given the same numbers.
local function server_number() return ("%016x"):format(string.unpack("i8", assert(csock.random(8)))) end

-- Joins the bus, or goes on trying to.
function Bus.new(url, chat)
  local bus = setmetatable({
    chat = chat, number = server_number(), up = false, out = loop.queue(1000), heard = {}, known = 0,
  }, Bus)
  bus.client = redis.client(url, { timeout = 5, heartbeat = BEAT, max_delay = 2 })
  assert(bus.client:subscribe(CHANNEL, OWN .. bus.number, {
    wait = false,
    handler = function(text, channel)
      if channel == CHANNEL then bus:hear(text) end
    end,
    ready = function() bus:join() end,
    lost = function(err) bus:lose(err) end,
  }))
  csock.spawn(bus.send, bus)
  csock.spawn(bus.beat, bus)
  csock.spawn(bus.look, bus)
  return bus
end

function Bus:message(...)
  return table.concat({ self.number, ... }, "\t")
end

-- What cannot be sent now is not kept: the others would read it out of its time.
function Bus:publish(...)
  if self.up then self.out:put(self:message(...), 0) end
end

-- Who is here.
function Bus:publish_people()
  local list = {}
  for _, person in pairs(self.chat.people) do
    if person.queue then table.move({ person.name, person.room }, 1, 2, #list + 1, list) end
  end
  self:publish("people", table.unpack(list))
end

function Bus:send()
  for text in self.out:iter() do
    local batch = { { "PUBLISH", CHANNEL, text } }
    while not self.out:empty() do batch[#batch + 1] = { "PUBLISH", CHANNEL, self.out:get() } end
    local replies, err = self.client:pipeline(batch)
    if not replies then
      log_bus(err)
      self.chat:announce(nil, nil, "The last lines may not have reached the other servers")
    end
  end
end

function Bus:join()
  print("bus: connected")
  self.up = true
  self.chat:announce(nil, nil, "The connection to the other servers is there")
  self:publish "hello"
  self:publish_people()
end

function Bus:lose(err)
  log_bus(err)
  self.up = false
  for number in pairs(self.heard) do self:forget(number) end
  self.chat:announce(nil, nil, "There is no connection to the other servers: "
    .. "you reach only those who are at this one, until it is back")
end

-- A server's people are gone with it.
function Bus:forget(number)
  if self.heard[number] then self.known = self.known - 1 end
  self.heard[number] = nil
  local names = {}
  for _, person in pairs(self.chat.people) do
    if person.server == number then
      names[#names + 1] = person.name
      self.chat:remove(person)
    end
  end
  if #names > 0 then self.chat:announce(nil, nil, "Out of reach: %s", listed(names)) end
end

function Bus:beat()
  while true do
    csock.sleep(BEAT)
    self:publish_people()
  end
end

-- Forgets the servers that nobody listens for any more, and those that say nothing.
function Bus:look()
  while true do
    csock.sleep(LOOK)
    local channels = {}
    for number, when in pairs(self.heard) do
      if loop.now() - when > SILENCE then self:forget(number) else channels[#channels + 1] = OWN .. number end
    end
    local counts = self.up and #channels > 0 and self.client:call("PUBSUB", "NUMSUB", table.unpack(channels)) or {}
    for i = 1, #counts, 2 do
      if counts[i + 1] == 0 then self:forget(counts[i]:sub(#OWN + 1)) end
    end
  end
end

function Bus:__close()
  if self.up then self.client:call("PUBLISH", CHANNEL, self:message "bye") end
  self.client:close()
end

-- What comes from the others. They are not believed blindly: names must be names, and each server
-- speaks for its own people alone.
local arrivals = {}

function Bus:hear(text)
  if #text > MESSAGE then return end
  local fields = {}
  for field in (text .. "\t"):gmatch "([^\t]*)\t" do
    if #fields == FIELDS then return end
    fields[#fields + 1] = field
  end
  local number, verb = fields[1], fields[2]
  if number == self.number or #number > 16 or not number:find "^%x+$" or not arrivals[verb] then return end
  if not self.heard[number] then
    if self.known == SERVERS then return end
    self.known = self.known + 1
  end
  self.heard[number] = loop.now()
  arrivals[verb](self, number, table.unpack(fields, 3))
end

-- The person of that name, if it is one of that server's.
function Bus:theirs(number, name)
  local person = self.chat:find(name or "")
  return person and person.server == number and person or nil
end

-- While servers could not hear each other, two may have taken one name. The server with the smaller number
-- keeps it; whether this one is free for `number` now.
function Bus:settle(number, name)
  local chat = self.chat
  local other = chat:find(name)
  if not other or other.server == number then return true end
  if (other.server or self.number) < number then
    if other.queue then self:publish_people() end -- so that it learns of ours
    return false
  end
  if other.queue then
    local new = chat:guest_name()
    notice(other, "%s is also at another server, and keeps the name; you are now %s", name, new)
    chat:rename(other, new)
    self:publish_people()
  else
    chat:remove(other) -- its own server will find another name for it
  end
  return true
end

function arrivals.hello(bus) bus:publish_people() end

-- One more of theirs, if the name can be theirs and there are not too many already.
function Bus:admit(number, name, room)
  if self.chat.elsewhere >= PEOPLE or not self:settle(number, name) then return nil end
  return { name = name, room = room, server = number }
end

function arrivals.people(bus, number, ...)
  local list, rooms, fresh = { ... }, {}, {}
  for i = 1, #list - 1, 2 do
    if is_name(list[i]) and is_name(list[i + 1]) then rooms[list[i]] = list[i + 1] end
  end
  for _, person in pairs(bus.chat.people) do
    if person.server == number then
      local room = rooms[person.name]
      if not room then bus.chat:remove(person) elseif room ~= person.room then bus.chat:place(person, room) end
    end
  end
  for name, room in pairs(rooms) do
    local person = not bus:theirs(number, name) and bus:admit(number, name, room)
    if person then
      bus.chat:add(person)
      fresh[#fresh + 1] = name
    end
  end
  if #fresh > 0 then
    bus.chat:announce(nil, nil, "At another server: %s", listed(fresh))
  end
end

function arrivals.enter(bus, number, name, room)
  if not name or not room or not is_name(name) or not is_name(room) or bus:theirs(number, name) then return end
  local person = bus:admit(number, name, room)
  if person then bus.chat:enter(person) end
end

function arrivals.leave(bus, number, name, why)
  local person = bus:theirs(number, name)
  if person then bus.chat:leave(person, why and example.clean(why):sub(1, NAME)) end
end

function arrivals.move(bus, number, name, room)
  local person = bus:theirs(number, name)
  if person and room and is_name(room) then bus.chat:move(person, room) end
end

function arrivals.rename(bus, number, name, new)
  local person = bus:theirs(number, name)
  if not person or not new or not is_name(new) then return end
  local other = bus:theirs(number, new)
  if other and other ~= person then return end -- they are in a muddle; their list of people will tell
  if bus:settle(number, new) then bus.chat:rename(person, new) end
end

function arrivals.say(bus, number, name, text)
  local person = bus:theirs(number, name)
  if person and text then bus.chat:say(person, example.clean(text:sub(1, LINE))) end
end

function arrivals.msg(bus, number, name, to, text)
  local person, other = bus:theirs(number, name), bus.chat:find(to or "")
  if not person or not other or not other.queue or not text then return end
  send(other, ("[%s -> %s] %s"):format(person.name, other.name, example.clean(text:sub(1, LINE))))
end

function arrivals.bye(bus, number) bus:forget(number) end

return Bus
