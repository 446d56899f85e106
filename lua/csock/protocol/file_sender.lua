--- What sends a file, for csock.protocol, which has it.
-- @module csock.protocol
local class = require "csock.class"

--- Sends what is in a file to a transport, or another consumer, as fast as that takes it.
-- Source: Twisted's `FileSender`.
-- @type filesender
local FileSender = class("FileSender")

--- How much is read from the file at a time, in bytes.
-- @field filesender:CHUNK_SIZE
FileSender.CHUNK_SIZE = 16384

--- The last byte that was sent.
-- @field filesender:lastSent
FileSender.lastSent = ""

--- Begins.
-- @function filesender:beginFileTransfer
-- @param file what has `read(n)`, as Lua's files and csock's streams; a stream that waits keeps all other callbacks
-- waiting
-- @param consumer what has `registerProducer`, `write` and `unregisterProducer`: a transport
-- @tparam[opt] function transform what is read goes through it: a string to a string
-- @treturn deferred its result is the last byte that was sent, when all of it was written to the consumer; its failure,
-- what `read` could not do, or that the consumer wants no more: the connection is lost
-- @usage
-- local Giver = class("Giver", protocol.Protocol)
-- function Giver:connectionMade()
--   local file = assert(io.open("/etc/services", "rb"))
--   local sent = protocol.FileSender():beginFileTransfer(file, self.transport)
--   sent:addBoth(function() file:close() self.transport:loseConnection() end)
-- end
function FileSender:beginFileTransfer(file, consumer, transform)
  local deferred = require("csock.defer").Deferred()
  self.file, self.consumer, self.transform, self.deferred = file, consumer, transform, deferred
  consumer:registerProducer(self, false)
  return deferred
end

-- The next piece that is not empty; nil and perhaps an error when there is none.
local function next_piece(self)
  local file, transform, size = self.file, self.transform, self.CHUNK_SIZE
  repeat
    local chunk, err = file:read(size)
    if not chunk or chunk == "" then return nil, err end
    if transform then chunk = transform(chunk) end
    if chunk ~= "" then return chunk end
  until false
end

-- Tells the deferred, once.
local function over(self, method, result)
  local deferred = self.deferred
  self.file, self.deferred = nil, nil
  if deferred then deferred[method](deferred, result) end
end

--- Called by the consumer: sends another piece.
-- @function filesender:resumeProducing
function FileSender:resumeProducing()
  if not self.file then return end
  local piece, err = next_piece(self)
  if piece then
    self.lastSent = piece:sub(-1)
    self.consumer:write(piece)
    return
  end
  self.consumer:unregisterProducer()
  if err then over(self, "errback", err) else over(self, "callback", self.lastSent) end
end

--- Called by the consumer: it asks for each piece, so there is nothing to pause.
-- @function filesender:pauseProducing
function FileSender:pauseProducing() end -- luacheck: ignore 212

--- Called by the consumer: it wants no more.
-- @function filesender:stopProducing
function FileSender:stopProducing() over(self, "errback", "Consumer asked us to stop producing") end

return FileSender
