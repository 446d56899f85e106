-- chat_rooms.lua: a chat with many people and many rooms, in tasks: one that reads for each person,
-- and one that writes what waits in a queue. A slow reader's queue runs full, and then it is dropped;
-- the others never wait for it. Who sends too much is read more slowly.
--
--   lua5.4 examples/chat_rooms.lua [host] [port]   # then telnet localhost 2627, and /help
--
-- Any number of such servers are one chat when they share a bus, which is a Redis server:
--
--   lua5.4 examples/chat_rooms.lua --bus redis://localhost:6379 2627
--   lua5.4 examples/chat_rooms.lua --bus redis://localhost:6379 2628
--
-- Other options:
--
--   --clients N      how many people this server takes (1000)
--   --rate N         how many lines a second of one person are read (10)
--   --idle SECONDS   how long somebody may say nothing (3600)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"
local loop = require "csock.loop"
local redis = require "csock.redis"

local LINE = 1024 -- bytes: a longer line is not passed on
local QUEUE = 100 -- lines that may wait for a slow reader
local NAME = 20 -- characters of a name
local BURST = 20 -- lines that one may send at once
local PEOPLE = 10000 -- at this server, and at all others together
local NAMES = 50 -- that one line tells
local GOODBYE = 2 -- seconds for the last lines to whoever leaves
local LOBBY = "lobby" -- the room where everybody begins

-- Names are printed on other people's terminals, and must look different when they are.
local function is_name(text)
  return #text <= NAME and text:find "^[%w_%-]+$" ~= nil
end

-- The chat ----------------------------------------------------------------------------------------

local Chat = {}
Chat.__index = Chat

function Chat.new(limits)
  -- people: by name in small letters; here: how many have a connection to us; elsewhere: to other servers
  return setmetatable({ people = {}, here = 0, elsewhere = 0, limits = limits }, Chat)
end

function Chat:find(name) return self.people[name:lower()] end

-- The name must be free.
function Chat:add(person)
  self.people[person.name:lower()] = person
  if person.server then self.elsewhere = self.elsewhere + 1 end
end

function Chat:remove(person)
  if self:find(person.name) ~= person then return end
  self.people[person.name:lower()] = nil
  if person.server then self.elsewhere = self.elsewhere - 1 end
end

-- Of so many names that all people there can be have only a few of them: a free one is soon found.
function Chat:guest_name()
  local name
  repeat name = "guest" .. math.random(1, 100 * PEOPLE) until not self:find(name)
  return name
end

-- Puts a line in the queue of somebody who is at this server. A full queue is the end.
local function send(person, text)
  if not person.queue or person.gone then return end
  local _, _, errno = person.queue:put(text .. "\r\n", 0)
  if errno ~= csock.errno.EAGAIN then return end
  person.gone = "too slow"
  person.conn:shutdown(csock.SHUT_RDWR) -- wakes both of its tasks
end

local function notice(person, text, ...)
  send(person, "* " .. text:format(...))
end

-- Sends a line to everybody at this server in a room (nil: in any), but one.
function Chat:tell(room, omit, text)
  for _, person in pairs(self.people) do
    if person ~= omit and (not room or person.room == room) then send(person, text) end
  end
end

function Chat:announce(room, omit, text, ...)
  self:tell(room, omit, "* " .. text:format(...))
end

-- Tells the other servers, if there are any.
function Chat:publish(...)
  if self.bus then self.bus:publish(...) end
end

-- What people do: the same for those of this server and of others -----------------------------------

function Chat:enter(person)
  self:add(person)
  self:announce(person.room, person, "%s has joined", person.name)
end

function Chat:leave(person, why)
  self:remove(person)
  self:announce(person.room, person, "%s has left%s", person.name, why and " (" .. why .. ")" or "")
end

function Chat:move(person, room)
  self:announce(person.room, person, "%s has gone to %s", person.name, room)
  person.room = room
  self:announce(room, person, "%s has joined", person.name)
end

function Chat:rename(person, name)
  self:announce(person.room, person, "%s is now %s", person.name, name)
  self:remove(person)
  person.name = name
  self:add(person)
end

function Chat:say(person, text)
  self:tell(person.room, person, ("[%s] %s"):format(person.name, text))
end

-- What people here can type -------------------------------------------------------------------------

local commands = {}

local HELP = {
  "What you type is read by all in your room. And there is:",
  "/nick NAME       take another name",
  "/join ROOM       go to a room; it need not exist",
  "/leave           go back to the lobby",
  "/rooms           which rooms there are",
  "/who             who is in this room",
  "/msg NICK TEXT   say something to one person alone",
  "/quit            leave the chat",
  "/help            this",
}

function commands.help(_, person)
  for _, line in ipairs(HELP) do notice(person, "%s", line) end
end

function commands.nick(chat, person, name)
  local other = chat:find(name)
  if not is_name(name) then
    notice(person, "A name has 1 to %d letters, digits, - and _; not '%s'", NAME, name:sub(1, 2 * NAME))
  elseif other and other ~= person then
    notice(person, "%s is taken", name)
  else
    chat:publish("rename", person.name, name)
    chat:rename(person, name)
    notice(person, "You are now %s", name)
  end
end

function commands.join(chat, person, room)
  room = room:lower()
  if not is_name(room) then
    notice(person, "A room's name has 1 to %d letters, digits, - and _; not '%s'", NAME, room:sub(1, 2 * NAME))
  elseif room == person.room then
    notice(person, "You are in %s already", room)
  else
    chat:publish("move", person.name, room)
    chat:move(person, room)
    notice(person, "You are now in %s", room)
  end
end

function commands.leave(chat, person)
  if person.room == LOBBY then
    notice(person, "You are in the lobby; /quit leaves the chat")
  else
    commands.join(chat, person, LOBBY)
  end
end

local function sorted(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  table.sort(list)
  return list
end

-- Names in a line, of which there may be very many.
local function listed(set)
  local list = sorted(set)
  local text = table.concat(list, ", ", 1, math.min(#list, NAMES))
  return #list > NAMES and ("%s and %d more"):format(text, #list - NAMES) or text
end

function commands.rooms(chat, person)
  local count = {}
  for _, each in pairs(chat.people) do count[each.room] = (count[each.room] or 0) + 1 end
  for i, room in ipairs(sorted(count)) do
    if i > NAMES then return notice(person, "... and more") end
    notice(person, "%s (%d)", room, count[room])
  end
end

function commands.who(chat, person)
  local names = {}
  for _, each in pairs(chat.people) do
    if each.room == person.room then names[each.name] = true end
  end
  notice(person, "In %s: %s", person.room, listed(names))
end

function commands.msg(chat, person, argument)
  local name, text = argument:match "^(%S+)%s+(.+)$"
  local other = name and chat:find(name)
  if not name then
    notice(person, "/msg NICK TEXT")
  elseif not other then
    notice(person, "There is no %s here", name:sub(1, 2 * NAME))
  else
    local line = ("[%s -> %s] %s"):format(person.name, other.name, text)
    if other.server then chat:publish("msg", person.name, other.name, text) end
    send(other, line)
    if other ~= person then send(person, line) end
  end
end

function commands.quit(_, person)
  notice(person, "Good bye, %s", person.name)
  person.gone = "quit"
end

function Chat:obey(person, line)
  local name, argument = line:match "^/(%a+)%s*(.-)%s*$"
  local command = name and commands[name:lower()]
  if command then
    command(self, person, argument)
  elseif line:find "^/" then
    notice(person, "There is no command %s; /help lists them", line:match "^%S+":sub(1, 2 * NAME))
  else
    self:publish("say", person.name, line)
    self:say(person, line)
  end
end

-- One person's connection ---------------------------------------------------------------------------

-- Writes what is in the queue, until that is closed and empty.
local function write_queue(person)
  for text in person.queue:iter() do
    local lines = { text }
    while not person.queue:empty() do lines[#lines + 1] = person.queue:get() end
    if not person.conn:sendall(table.concat(lines)) then return end
  end
end

-- Makes whoever sends too many lines wait. Credit for one line comes back `rate` times a second.
local function pace(person, rate)
  local now = loop.now()
  person.credit = math.min(person.credit + (now - person.since) * rate, BURST) - 1
  person.since = now
  if person.credit >= 0 then
    person.slowed = false
    return
  end
  if not person.slowed then notice(person, "Not so fast: only %d lines a second are read", rate) end
  person.slowed = true
  csock.sleep(-person.credit / rate)
end

local Person = {}
Person.__index = Person

-- However it ends, the others are told.
function Person:__close()
  self.chat.here = self.chat.here - 1
  local why = self.gone ~= "quit" and self.gone or nil
  print(("%s (%s) has left%s"):format(self.address, self.name, why and ": " .. why or ""))
  self.chat:publish("leave", self.name, why)
  self.chat:leave(self, why)
end

function Chat:welcome(conn, address)
  local person = setmetatable({
    chat = self, conn = conn, address = ("%s:%d"):format(address[1], address[2]), queue = loop.queue(QUEUE),
    name = self:guest_name(), room = LOBBY, credit = BURST, since = loop.now(),
  }, Person)
  self.here = self.here + 1
  print(("%s (%s) has come"):format(person.address, person.name))
  self:publish("enter", person.name, person.room)
  self:enter(person)
  notice(person, "Welcome to the csock chat. You are %s in the %s. /help tells what you can do",
    person.name, person.room)
  if self.bus and not self.bus.up then
    notice(person, "There is no connection to the other servers at the moment")
  end
  return person
end

function Chat:serve(conn, address)
  if self.here >= self.limits.clients then
    conn:sendall "* The chat is full; come back later\r\n"
    return
  end
  conn:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 32768) -- what is late is in our queue, not there
  conn:settimeout(self.limits.idle)
  local stream <close> = assert(conn:makefile())
  local person <close> = self:welcome(conn, address)
  local writer <close> = csock.spawn(write_queue, person)
  local function complain() notice(person, "That line is too long: over %d bytes. It is not passed on", LINE) end
  while not person.gone do
    local line, err = example.read_line(stream, LINE, complain)
    if err and err:is(csock.timeout) then
      notice(person, "You have said nothing for %g seconds", self.limits.idle)
      person.gone = "idle"
    end
    if not line then break end
    pace(person, self.limits.rate)
    line = example.clean(line)
    if line:find "%S" then self:obey(person, line) end
  end
  person.queue:close()
  writer:join(GOODBYE)
end

-- The bus -------------------------------------------------------------------------------------------

-- Every server publishes what its people do, and listens to what the others publish. A message is
-- the server's number, a verb and its arguments, with tabs between. Now and then each says who is
-- there, so that nothing that was lost stays wrong for long. Each also listens to a channel of its
-- own: who does not any more has lost its connection, or is dead.
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
      names[person.name] = true
      self.chat:remove(person)
    end
  end
  if next(names) then self.chat:announce(nil, nil, "Out of reach: %s", listed(names)) end
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
      person.room = rooms[person.name]
      if not person.room then bus.chat:remove(person) end
    end
  end
  for name, room in pairs(rooms) do
    local person = not bus:theirs(number, name) and bus:admit(number, name, room)
    if person then
      bus.chat:add(person)
      fresh[name] = true
    end
  end
  if next(fresh) then
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

example.run(function()
  local url = example.value("--bus", "URL")
  local limits = {
    clients = example.number("--clients", 1000, 1, PEOPLE), rate = example.number("--rate", 10, 1, 1000000),
    idle = example.seconds("--idle", 3600),
  }
  local host, port = example.arguments("host", "", "port", 2627)
  if url then
    local parts, why = redis.parse_url(url)
    if not parts then example.fail("--bus: %s", why) end
  end

  local chat = Chat.new(limits)
  local server <close> = assert(csock.serve({ host, port }, function(conn, address) chat:serve(conn, address) end))
  example.announce(server)
  print "the chat is open"
  local bus <close> = url and Bus.new(url, chat) or nil
  chat.bus = bus
  example.run_loop()
end)
