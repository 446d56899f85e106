-- A queue of bytes that wait to be sent: strings in order, of which small ones leave joined.
--
-- A queue is a sequence of strings from [first] to [last], `size` bytes in all that are not sent yet; the first
-- `offset` bytes of the first string are. `blocked` is its owner's.

local csock = require "csock"

local EAGAIN = csock.errno.EAGAIN

local PIECE = 65536 -- bytes that short strings are joined to
local MOST = 16 -- pieces that may be sent before others have a turn

local M = {}

-- Makes a queue that holds a string, of which `sent` bytes are sent already.
function M.new(data, sent)
  return { data, first = 1, last = 1, size = #data - sent, offset = sent, blocked = false }
end

-- Adds a string at the end.
function M.put(queue, data)
  queue.last = queue.last + 1
  queue[queue.last] = data
  queue.size = queue.size + #data
end

-- Takes what is to be sent next: whole strings, joined to at least PIECE bytes if there are so many.
local function take_piece(queue)
  local first, size = queue.first, #queue[queue.first] - queue.offset
  if size >= PIECE or first == queue.last then return queue[first] end
  local last = first
  while last < queue.last and size < PIECE do
    last = last + 1
    size = size + #queue[last]
  end
  local joined = table.concat(queue, "", first, last)
  for i = first, last - 1 do queue[i] = nil end
  queue.first = last
  queue[last] = joined
  return joined
end

-- Sends by calls of `send(object, piece, 0, i)`, which sends a piece from its i-th byte on and gives how many bytes
-- went, or nil, err, errno. True when the queue is empty, and done with; false when no more goes for now; or nil, err,
-- errno.
function M.send(queue, send, object)
  for _ = 1, MOST do
    local piece = take_piece(queue)
    local sent, err, errno = send(object, piece, 0, queue.offset + 1)
    if not sent then
      if errno == EAGAIN then return false end
      return nil, err, errno
    end
    queue.offset = queue.offset + sent
    queue.size = queue.size - sent
    if queue.offset < #piece then return false end
    queue[queue.first] = nil
    queue.offset = 0
    if queue.first == queue.last then return true end
    queue.first = queue.first + 1
  end
  return false
end

return M
