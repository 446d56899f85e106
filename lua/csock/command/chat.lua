-- chat.lua: `csock chat`: a chat in rooms, for telnet and nc. (examples/chat_rooms.lua is the one of several servers.)
local address = require "csock.command.address"
local csock = require "csock"
local failure = require "csock.command.failure"
local loop = require "csock.loop"

local M = {
  name = "chat",
  usage = { "[PORT]" },
  about = "A chat in rooms, for whoever comes by telnet or nc, on port 2627 or this one; 0 is any free one.",
  text = { "Instead of a PORT there may be HOST:PORT, [IPV6]:PORT or unix:PATH. /help tells people what they can do." },
  operands = { 0, 1 },
}

local LINE = 1024 -- bytes; who sends a longer one is sent away
local QUEUE = 100 -- lines that may wait for a slow reader
local PEOPLE = 1000
local IDLE = 3600 -- seconds in which somebody may say nothing
local GOODBYE = 2 -- seconds for the last lines to whoever leaves
local LOBBY = "lobby"

-- What would do something to other people's terminals.
local function clean(text)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
  return (text:gsub("%c", "?"):gsub("\194[\128-\159]", "?"):gsub("\226\128[\142\143\168-\174]", "?"))
end

local function is_name(text) return #text <= 20 and text:find "^[%w_%-]+$" ~= nil end

local people, here = {}, 0 -- by name; how many

-- Puts a line in somebody's queue. A full one is the end: the others never wait.
local function send(person, text, ...)
  local _, _, errno = person.queue:put(text:format(...) .. "\r\n", 0)
  if errno == csock.errno.EAGAIN then person.conn:shutdown(csock.SHUT_RDWR) end
end

local function tell(room, omit, text, ...)
  for _, person in pairs(people) do
    if person.room == room and person ~= omit then send(person, text, ...) end
  end
end

local function listed(list)
  table.sort(list)
  return table.concat(list, ", ")
end

-- --- what people can type -------------------------------------------------------------------------

local commands = {}

function commands.help(person)
  send(person, "* What you type is read by all in your room. /nick NAME, /join ROOM, /rooms, /who, /quit")
end

function commands.nick(person, name)
  if not is_name(name) then return send(person, "* A name has 1 to 20 letters, digits, - and _") end
  if people[name] then return send(person, "* %s is taken", name) end
  tell(person.room, nil, "* %s is now %s", person.name, name)
  people[person.name], people[name] = nil, person
  person.name = name
end

function commands.join(person, room)
  if not is_name(room) then return send(person, "* A room has 1 to 20 letters, digits, - and _") end
  tell(person.room, person, "* %s has gone to %s", person.name, room)
  person.room = room
  tell(room, nil, "* %s has joined %s", person.name, room)
end

function commands.rooms(person)
  local count, list = {}, {}
  for _, each in pairs(people) do count[each.room] = (count[each.room] or 0) + 1 end
  for room, n in pairs(count) do list[#list + 1] = ("%s (%d)"):format(room, n) end
  send(person, "* %s", listed(list))
end

function commands.who(person)
  local list = {}
  for name, each in pairs(people) do
    if each.room == person.room then list[#list + 1] = name end
  end
  send(person, "* In %s: %s", person.room, listed(list))
end

function commands.quit(person)
  send(person, "* Good bye, %s", person.name)
  person.gone = true
end

local function obey(person, line)
  local name, argument = line:match "^/(%a+)%s*(.-)%s*$"
  if name and commands[name] then
    commands[name](person, argument)
  elseif line:find "^/" then
    send(person, "* There is no such command; /help lists them")
  elseif line:find "%S" then
    tell(person.room, nil, "[%s] %s", person.name, line)
  end
end

-- --- a connection ---------------------------------------------------------------------------------

local function write_queue(person)
  for line in person.queue:iter() do
    if not person.conn:sendall(line) then return end
  end
end

local Person = {}

-- However it ends, the others are told.
function Person:__close()
  people[self.name] = nil
  here = here - 1
  tell(self.room, nil, "* %s has left", self.name)
end

local function welcome(conn)
  local name
  repeat name = "guest" .. math.random(1, 100 * PEOPLE) until not people[name]
  local person = setmetatable({ name = name, room = LOBBY, conn = conn, queue = loop.queue(QUEUE) }, Person)
  tell(LOBBY, nil, "* %s has joined", name)
  people[name] = person
  here = here + 1
  send(person, "* Welcome to the csock chat. You are %s in the %s. /help tells what you can do", name, LOBBY)
  return person
end

local function serve(conn)
  if here >= PEOPLE then return conn:sendall "* The chat is full; come back later\r\n" end
  conn:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 32768) -- what is late is in our queue, not there
  conn:settimeout(IDLE)
  local stream <close> = conn:makefile("r", { limit = LINE })
  local person <close> = welcome(conn)
  local writer <close> = csock.spawn(write_queue, person)
  while not person.gone do
    local line = stream:read()
    if not line then break end
    obey(person, clean(line))
  end
  person.queue:close()
  writer:join(GOODBYE)
end

function M.run(_, operands)
  local place = failure.expect(address.parse(operands[1] or "2627"))
  local listener = failure.check(address.listen(place))
  local _ <close> = address.cleaner(place)
  local server <close> = csock.serve(listener, serve)
  print("listening on " .. address.text_of(server:getsockname()))
  io.stdout:flush()
  csock.run()
end

return M
