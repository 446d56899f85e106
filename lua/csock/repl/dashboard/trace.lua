-- trace.lua: what passes on a socket, as server-sent events for the dashboard's page: `data` is a piece, for people,
-- and `end` says that nothing more can come.
local csock = require "csock"
local hex = require "csock.repl.hex"
local httpserver = require "csock.httpserver"
local loop = csock.loop

-- Somebody who reads sees no more than this, and the program has other things to do: what is beyond it is told as
-- bytes that were not kept.
local KEPT, PIECE, BATCH, PAUSE = 1 << 17, 1024, 1 << 14, 0.1 -- bytes, bytes, bytes, seconds

-- An answer whose client is gone is only noticed when something is sent.
local SILENCE = 2 -- seconds

local M = {}

local function event_of(since, direction, layer, data, count)
  local head = ("%.3f %s%s"):format(since, direction, layer == "wire" and " wire" or "")
  return httpserver.event { data = hex.dump(head, data or count, PIECE) }
end

-- The body of an answer: what comes next, until the tap ends.
function M.body(tap)
  local began, over, last = loop.now(), false, -PAUSE
  return function()
    if over then return nil end
    loop.sleep(math.max(0, last + PAUSE - loop.now()))
    local events, size, timeout = {}, 0, SILENCE
    repeat
      local time, direction, layer, data, count = tap:read(timeout)
      if not time then
        over = layer ~= csock.errno.ETIMEDOUT and layer ~= csock.errno.EAGAIN
        break
      end
      events[#events + 1] = event_of(time - began, direction, layer, data, count)
      size, timeout = size + #events[#events], 0
    until size >= BATCH
    last = loop.now()
    if over then events[#events + 1] = httpserver.event { event = "end", data = "" } end
    if #events == 0 then events[1] = httpserver.event { comment = "" } end
    return table.concat(events)
  end
end

-- A tap of the socket; nil: it is closed.
function M.tap(socket) return csock.tap(socket, { limit = KEPT }) end

return M
