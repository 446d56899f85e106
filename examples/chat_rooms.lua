-- chat_rooms.lua: a chat with many people and many rooms, in tasks: one that reads for each person,
-- and one that writes what waits in a queue. A slow reader's queue runs full, and then it is dropped;
-- the others never wait for it. Who sends too much is read more slowly. (The chat itself is in the
-- files of chat/.)
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
local redis = require "csock.redis"
local Bus = example.part "chat/bus"
local Chat = example.part "chat/rooms"
local telnet = example.part "chat/telnet"

example.run(function()
  local url = example.value("--bus", "URL")
  local limits = {
    clients = example.number("--clients", 1000, 1, Chat.PEOPLE), rate = example.number("--rate", 10, 1, 1000000),
    idle = example.seconds("--idle", 3600),
  }
  local host, port = example.arguments("host", "", "port", 2627)
  if url then
    local parts, why = redis.parse_url(url)
    if not parts then example.fail("--bus: %s", why) end
  end

  local chat = Chat.new(limits)
  local server <close> = assert(csock.serve({ host, port }, function(conn, address)
    telnet.serve(chat, conn, address)
  end))
  example.announce(server)
  print "the chat is open"
  local bus <close> = url and Bus.new(url, chat) or nil
  chat.bus = bus
  example.run_loop()
end)
