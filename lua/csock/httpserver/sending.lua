-- sending.lua: the bodies of answers on their way out: strings, iterators, files. A client that takes too little is
-- given up; one that takes enough may take as long as that lasts.
--
-- A connection, here: `conn`, `stream` (for both directions, sending at the turn's end) and its server's `settings`
-- (`least`: how many bytes a client has to take while the connection's timeout runs).
local csock = require "csock"

local E = csock.errno
local format = string.format

local M = {}

-- The size of a connection's buffer: what fits into it is sent without waiting for the client.
M.BUFFER = 1 << 15

-- Calls `send`, and `go_on` as long as that runs into the timeout with enough taken. What the last one gave.
local function persist(self, send, go_on, ...)
  local _, before = self.conn:getstats()
  local ok, err, errno = send(self, ...)
  while not ok and errno == E.ETIMEDOUT do
    local _, now = self.conn:getstats()
    if now - before < self.server.settings.least then break end
    before = now
    ok, err, errno = go_on(self)
  end
  return ok, err, errno
end

local function write(self, ...) return self.stream:write(...) end
local function flush(self) return self.stream:flush() end

-- Writes, and waits while the buffer is full. True; or nil, err, errno.
function M.write(self, ...) return persist(self, write, flush, ...) end

-- --- iterators -------------------------------------------------------------------------------------

-- The next piece that is not empty; nil at the end.
local function next_piece(f)
  repeat
    local piece = f()
    if piece == nil then return nil end
    if math.type(piece) then piece = tostring(piece) end
    if type(piece) ~= "string" then error(("the body of an answer gave a %s"):format(type(piece)), 0) end
    if piece ~= "" then return piece end
  until false
end

-- Sends what a function gives until that is nil, in chunks or as it is. The bytes sent; or nil, err, errno.
function M.pieces(self, f, chunked)
  local sent = 0
  for piece in next_piece, f do
    local ok, err, errno
    if chunked then
      ok, err, errno = M.write(self, format("%x\r\n", #piece), piece, "\r\n")
    else
      ok, err, errno = M.write(self, piece)
    end
    if not ok then return nil, err, errno end
    sent = sent + #piece
  end
  if chunked then
    local ok, err, errno = M.write(self, "0\r\n\r\n")
    if not ok then return nil, err, errno end
  end
  return sent
end

-- The same where the head has said how many bytes there are: raises when there are more or fewer, since what follows
-- them would be taken for the next answer.
function M.counted(self, f, length)
  local left = length
  for piece in next_piece, f do
    left = left - #piece
    if left < 0 then error(("the body has more than the %d bytes of its Content-Length"):format(length), 0) end
    local ok, err, errno = M.write(self, piece)
    if not ok then return nil, err, errno end
  end
  if left > 0 then error(("the body has %d bytes less than its Content-Length"):format(left), 0) end
  return length
end

-- --- files -----------------------------------------------------------------------------------------

-- What an iterator reads at once from what has no length.
M.PIECE = 1 << 14

-- A file so small goes with the head, in one system call.
local SMALL = M.BUFFER / 2

local function is_file(value)
  if io.type(value) then return io.type(value) == "file" end
  local kind = type(value)
  return (kind == "table" or kind == "userdata") and (value.read or value.fileno) ~= nil
end

-- What is wrong is to be known before the head goes.
local function check_place(name, value)
  if math.type(value) ~= "integer" or value < 0 then
    error(("the %s of a file is %s"):format(name, tostring(value)), 0)
  end
end

-- What an answer may have for a file: Lua's own, or an object that sendfile takes; or a table with it in `file`, and
-- `offset` and `count`. The file, where it begins, and how many bytes there are, nil where that is not known.
function M.file_of(body)
  local file, offset, count = body, 0, nil
  if type(body) == "table" and body.file ~= nil then file, offset, count = body.file, body.offset or 0, body.count end
  check_place("offset", offset)
  if count ~= nil then check_place("count", count) end
  if not is_file(file) then error(("the body of an answer is a %s"):format(io.type(file) or type(file)), 0) end
  if count == nil then
    if io.type(file) == "file" then
      local size = file:seek "end" -- nil: a pipe
      count = size and math.max(size - offset, 0)
    elseif type(file.size) == "function" then
      count = math.max(file:size() - offset, 0)
    end
  end
  return file, offset, count
end

-- An iterator over a file without positions.
function M.reader(file)
  return function()
    local piece, err = file:read(M.PIECE)
    if not piece and err then error(err, 0) end
    return piece
  end
end

local function read_small(file, offset, count)
  if io.type(file) == "file" then return file:seek("set", offset) and file:read(count) end
  return file.pread and file:pread(count, offset)
end

-- Sends a part of a file after what was written before. The bytes sent; or nil, err, errno.
local function send_file(self, file, offset, count)
  local sent = 0
  local function send_rest()
    local n, err, errno, before = self.conn:sendfile(file, offset + sent, count - sent)
    sent = sent + (n or before or 0)
    return n, err, errno
  end
  local ok, err, errno = persist(self, flush, flush)
  if ok then ok, err, errno = persist(self, send_rest, send_rest) end
  if not ok then return nil, err, errno end
  if sent < count then error(("the file ended %d bytes before the end that it had"):format(count - sent), 0) end
  return sent
end

-- Sends the head, and `count` bytes of a file. The bytes sent; or nil, err, errno. Raises when the file is shorter.
function M.file(self, head, file, offset, count)
  local small = count > 0 and count <= SMALL and read_small(file, offset, count)
  if small and #small == count then
    local ok, err, errno = M.write(self, head, small)
    return ok and count, err, errno
  end
  local ok, err, errno = M.write(self, head)
  if not ok then return nil, err, errno end
  return count == 0 and 0 or send_file(self, file, offset, count)
end

return M
