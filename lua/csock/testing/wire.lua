-- wire.lua: what lies between the two ends of a connection where that takes time: a task for each direction that
-- receives, and one that sends when the time has come.
local csock = require "csock"
local loop = require "csock.loop"

local PIECE = 16384 -- bytes that travel together
local ROOM = 64     -- pieces under way before the sender has to wait

-- Bytes from one end to the other; `latency()` gives seconds. What comes, comes in its order.
local function carry(from, to, latency, cut, ended)
  local queue = loop.queue(ROOM)
  local function send()
    for piece in queue:iter() do
      local left = piece.due - loop.now()
      if left > 0 then loop.sleep(left) end
      if piece.bytes == "" then
        to:shutdown(csock.SHUT_WR)
      elseif not to:sendall(piece.bytes) then
        return cut() -- nobody is there any more
      end
    end
    ended()
  end
  local function receive()
    local due = 0
    repeat
      local bytes = from:recv(PIECE)
      if not bytes then return cut() end
      due = math.max(due, loop.now() + latency())
      queue:put { bytes = bytes, due = due }
    until bytes == ""
    queue:close()
  end
  loop.spawn(send):daemon()
  loop.spawn(receive):daemon()
end

-- Joins two sockets, and closes them in the end. Gives the function that does so at once.
return function(a, b, latency)
  local open = 2
  local function cut()
    a:close()
    b:close()
  end
  local function ended()
    open = open - 1
    if open == 0 then cut() end
  end
  carry(a, b, latency, cut, ended)
  carry(b, a, latency, cut, ended)
  return cut
end
