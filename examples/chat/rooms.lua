-- rooms.lua: the chat itself, whatever its people are connected with: who is there and in which room, what they can
-- type, and what the others are told of it. Each person at this server has a queue of lines that wait to be sent;
-- when a slow reader's queue is full, that reader is dropped, and nobody waits. For chat_rooms.lua and chat_web.lua.
local example = ...
local csock = require "csock"
local loop = require "csock.loop"

local QUEUE = 100 -- lines that may wait for a slow reader
local BURST = 20 -- lines that one may send at once
local NAMES = 50 -- that one line tells
local GOODBYE = 2 -- seconds for the last lines to whoever leaves
local LOBBY = "lobby" -- the room where everybody begins

local Chat = {
  LINE = 1024, -- bytes: a longer line is not passed on
  NAME = 20, -- characters of a name
  PEOPLE = 10000, -- at this server, and at all others together
}
Chat.__index = Chat

-- Names are printed on other people's terminals, and must look different when they are.
function Chat.is_name(text)
  return #text <= Chat.NAME and text:find "^[%w_%-]+$" ~= nil
end

local is_name, NAME = Chat.is_name, Chat.NAME

-- `limits`: `clients`, how many may be connected to this server; `rate`, how many lines a second of one person are
-- read; `idle`, for how many seconds somebody may say nothing.
function Chat.new(limits)
  -- people: by name in small letters; here: how many have a connection to us; elsewhere: to other servers.
  -- changed: called when somebody comes, goes, moves or takes another name.
  return setmetatable({ people = {}, here = 0, elsewhere = 0, limits = limits, changed = function() end }, Chat)
end

function Chat:find(name) return self.people[name:lower()] end

-- The name must be free.
function Chat:add(person)
  self.people[person.name:lower()] = person
  if person.server then self.elsewhere = self.elsewhere + 1 end
  self.changed()
end

function Chat:remove(person)
  if self:find(person.name) ~= person then return end
  self.people[person.name:lower()] = nil
  if person.server then self.elsewhere = self.elsewhere - 1 end
  self.changed()
end

function Chat:place(person, room)
  person.room = room
  self.changed()
end

-- Of so many names that all people there can be have only a few of them: a free one is soon found.
function Chat:guest_name()
  local name
  repeat name = "guest" .. math.random(1, 100 * Chat.PEOPLE) until not self:find(name)
  return name
end

-- Puts a line in the queue of somebody who is at this server. A full queue is the end.
function Chat.send(person, text)
  if not person.queue or person.gone then return end
  local _, _, errno = person.queue:put(text, 0)
  if errno ~= csock.errno.EAGAIN then return end
  person.gone = "too slow"
  person.hang_up()
end

local send = Chat.send

function Chat.notice(person, text, ...)
  send(person, "* " .. text:format(...))
end

local notice = Chat.notice

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
  self:place(person, room)
  self:announce(room, person, "%s has joined", person.name)
end

function Chat:rename(person, name)
  self:announce(person.room, person, "%s is now %s", person.name, name)
  self:remove(person)
  person.name = name
  self:add(person)
end

function Chat:say(person, text)
  local line = ("[%s] %s"):format(person.name, text)
  self:tell(person.room, person, line)
  if person.echo then person.echo(line) end
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

-- Names in a line, of which there may be very many.
function Chat.listed(list)
  table.sort(list)
  local text = table.concat(list, ", ", 1, math.min(#list, NAMES))
  return #list > NAMES and ("%s and %d more"):format(text, #list - NAMES) or text
end

-- The rooms in order, and who is in each: two tables.
function Chat:rooms()
  local rooms, names = {}, {}
  for _, person in pairs(self.people) do
    local here = names[person.room]
    if not here then
      here = {}
      rooms[#rooms + 1], names[person.room] = person.room, here
    end
    here[#here + 1] = person.name
  end
  table.sort(rooms)
  return rooms, names
end

function commands.rooms(chat, person)
  local rooms, names = chat:rooms()
  for i, room in ipairs(rooms) do
    if i > NAMES then return notice(person, "... and more") end
    notice(person, "%s (%d)", room, #names[room])
  end
end

function commands.who(chat, person)
  local _, names = chat:rooms()
  notice(person, "In %s: %s", person.room, Chat.listed(names[person.room]))
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

-- Somebody who is at this server --------------------------------------------------------------------

local Person = {}
Person.__index = Person

-- The others are told, once.
function Person:leave()
  if self.left then return end
  self.left = true
  self.chat.here = self.chat.here - 1
  local why = self.gone ~= "quit" and self.gone or nil
  print(("%s (%s) has left%s"):format(self.address, self.name, why and ": " .. why or ""))
  self.chat:publish("leave", self.name, why)
  self.chat:leave(self, why)
end

Person.__close = Person.leave -- however it ends

function Chat:is_full() return self.here >= self.limits.clients end

-- Somebody has come, and is in the chat until what this gives is closed. `person`: its `address`, as text; `hang_up`,
-- a function that ends its connection at once, so that nobody waits for it any more; a `name` and a `room` if it
-- wishes for some; `echo`, a function that shows it what it has said, where nothing else does.
function Chat:come(person)
  setmetatable(person, Person)
  local wish, room = person.name, person.room
  local free = wish and is_name(wish) and not self:find(wish)
  person.chat, person.queue, person.credit, person.since = self, loop.queue(QUEUE), BURST, loop.now()
  person.name = free and wish or self:guest_name()
  person.room = room and is_name(room) and room:lower() or LOBBY
  self.here = self.here + 1
  print(("%s (%s) has come"):format(person.address, person.name))
  self:publish("enter", person.name, person.room)
  self:enter(person)
  notice(person, "Welcome to the csock chat. You are %s in the %s. /help tells what you can do",
    person.name, person.room)
  if wish and wish ~= "" and not free then notice(person, "%s is taken", wish:sub(1, NAME)) end
  if self.bus and not self.bus.up then
    notice(person, "There is no connection to the other servers at the moment")
  end
  return person
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

function Chat.complain(person)
  notice(person, "That line is too long: over %d bytes. It is not passed on", Chat.LINE)
end

-- Does what somebody types, until the end. `read` gives the next line; nil at the end, and nil and a time-out when
-- nothing was said for too long. `write` sends what is in the person's queue until that is closed and empty; it has a
-- task.
function Chat:attend(person, read, write)
  local writer <close> = csock.spawn(write, person)
  while not person.gone do
    local line, err = read()
    if err and err:is(csock.timeout) then
      notice(person, "You have said nothing for %g seconds", self.limits.idle)
      person.gone = "idle"
    end
    if not line then break end
    pace(person, self.limits.rate)
    if person.gone then break end
    line = example.clean(line)
    if line:find "%S" then self:obey(person, line) end
  end
  person.queue:close()
  writer:join(GOODBYE)
end

return Chat
