-- telnet.lua: people of a chat who come with telnet, a line at a time. For chat_rooms.lua and chat_web.lua.
local example = ...
local csock = require "csock"
local Chat = example.part "chat/rooms"

local telnet = {}

-- Writes what is in the queue, until that is closed and empty.
local function write_queue(person)
  for text in person.queue:iter() do
    local lines = { text }
    while not person.queue:empty() do lines[#lines + 1] = person.queue:get() end
    lines[#lines + 1] = ""
    if not person.conn:sendall(table.concat(lines, "\r\n")) then return end
  end
end

-- Sees to one connection, to its end.
function telnet.serve(chat, conn, address)
  if chat:is_full() then
    conn:sendall "* The chat is full; come back later\r\n"
    return
  end
  conn:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 32768) -- what is late is in our queue, not there
  conn:settimeout(chat.limits.idle)
  local stream <close> = assert(conn:makefile())
  local person <close> = chat:come {
    conn = conn, address = ("%s:%d"):format(address[1], address[2]),
    hang_up = function() conn:shutdown(csock.SHUT_RDWR) end, -- wakes both of its tasks
  }
  local function complain() Chat.complain(person) end
  chat:attend(person, function() return example.read_line(stream, Chat.LINE, complain) end, write_queue)
end

return telnet
