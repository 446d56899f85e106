--- Protocols of lines and messages, on channels: Python's `asynchat`.
--
-- A channel's input is cut where a *terminator* stands, and what is pushed is sent as the peer takes it:
--
--     local class = require "csock.class"
--     local asynchat = require "csock.asynchat"
--     local asyncore = require "csock.asyncore"
--
--     local Shout = class("Shout", asynchat.async_chat)
--     Shout.terminator = "\r\n"
--     Shout.collect_incoming_data = asynchat.async_chat._collect_incoming_data
--     function Shout:found_terminator()
--       self:push(self:_get_data():upper() .. "\r\n")
--     end
--
-- Names and meaning are Python's. In addition to what @{csock.asyncore} says: a channel that is closed passes on
-- nothing that has come already; and both directions are limited (`max_incoming`, `max_outgoing`).
-- @module csock.asynchat
local csock = require "csock"
local asyncore = require "csock.asyncore"
local class = require "csock.class"
local dispatchers = require "csock.asyncore.dispatcher"
local outgoing = require "csock.asyncore.outgoing"

local dispatcher, may_send, sending = dispatchers.dispatcher, dispatchers.may_send, dispatchers.sending
local EAGAIN = csock.errno.EAGAIN

local PRODUCER = 4096 -- bytes that a producer counts as
local MOST = 16 -- pieces of a producer that are sent before other channels have a turn

local M = {}

--- How many of the last bytes of a string may be the beginning of another one, which is not in it.
-- Source: Python's `asynchat.find_prefix_at_end`.
-- @tparam string haystack
-- @tparam string needle
-- @treturn int
-- @usage print(asynchat.find_prefix_at_end("text\r", "\r\n")) --> 1
function M.find_prefix_at_end(haystack, needle)
  local length = math.min(#needle - 1, #haystack)
  while length > 0 and haystack:sub(-length) ~= needle:sub(1, length) do length = length - 1 end
  return length
end

--- Gives a string in pieces.
-- Source: Python's `asynchat.simple_producer`.
-- @type simple_producer
local SimpleProducer = class("simple_producer")
M.simple_producer = SimpleProducer

--- Made by calling the class.
-- @function simple_producer:__init
-- @tparam string data
-- @tparam[opt=512] int buffer_size how many bytes to give at a time
function SimpleProducer:__init(data, buffer_size)
  self.data, self.buffer_size = data, buffer_size or 512
  self._at = 1
end

--- The next piece.
-- @function simple_producer:more
-- @treturn string `""` at the end
-- @usage
-- local producer = asynchat.simple_producer("hello", 3)
-- print(producer:more(), producer:more()) --> hel lo
function SimpleProducer:more()
  local at = self._at
  self._at = at + self.buffer_size
  return self.data:sub(at, self._at - 1)
end

--- A channel for protocols with terminators; a `dispatcher`. To be inherited from, with a `collect_incoming_data` and a
-- `found_terminator`.
--
-- While more than half of `max_outgoing` waits to be sent, nothing is received, and nothing that was received is
-- passed on: a peer that sends and never reads is kept waiting itself.
-- Source: Python's `asynchat.async_chat`; the limits are csock's own.
-- @type async_chat
local Chat = class("async_chat", dispatcher)
M.async_chat = Chat

--- How many bytes are received at a time.
-- @field async_chat:ac_in_buffer_size
Chat.ac_in_buffer_size = 65536

--- How many bytes are sent at a time.
-- @field async_chat:ac_out_buffer_size
Chat.ac_out_buffer_size = 65536

--- How many bytes may come before a terminator that is a string, and how many `_collect_incoming_data` keeps in any
-- case. One more, and `handle_incoming_overflow` is called.
-- @field async_chat:max_incoming
Chat.max_incoming = 1 << 20

--- How many bytes may wait to be sent; what is pushed while there are more is refused. A producer counts as 4096
-- bytes: large data is better given by one than pushed.
-- @field async_chat:max_outgoing
Chat.max_outgoing = 1 << 20

-- What is received and not passed on yet begins at `_at` in `_in`; `_length` is how much of the present message
-- was passed on.
Chat._in, Chat._at, Chat._length = "", 1, 0
Chat._skipping = false -- the rest of a message that is too long
Chat._sending = false
Chat._held = false -- there is more to pass on, when the peer has read

local CLOSE = {} -- in the fifo: to be closed when all before is sent

-- `producer_fifo` is a sequence from [first] to [last] of what is to be sent: queues of bytes (asyncore.outgoing),
-- producers and CLOSE.
local function new_fifo() return { first = 1, last = 0, size = 0 } end

local function append(fifo, entry)
  fifo.last = fifo.last + 1
  fifo[fifo.last] = entry
end

local function take_first(fifo)
  fifo[fifo.first] = nil
  fifo.first = fifo.first + 1
end

-- A queue of bytes, as opposed to a producer.
local function is_bytes(entry) return type(entry) == "table" and entry.offset ~= nil and entry.more == nil end

-- How many bytes wait to be sent.
local function waiting(fifo)
  local size = 0
  for i = fifo.first, fifo.last do
    local entry = fifo[i]
    size = size + (is_bytes(entry) and entry.size or PRODUCER)
  end
  return size
end

--- Made by calling the class.
-- @function async_chat:__init
-- @tparam[opt] socket sock
-- @tparam[opt=socket_map] table map
-- @treturn[1] async_chat
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
function Chat:__init(sock, map)
  self.incoming = { size = 0 }
  self.producer_fifo = new_fifo()
  return dispatcher.__init(self, sock, map)
end

-- Receiving ----------------------------------------------------------------------------------------

--- Called with what has come, in pieces of any size, without terminators. To be overridden;
-- `_collect_incoming_data` may be put in its place.
-- @function async_chat:collect_incoming_data
-- @tparam string data
function Chat.collect_incoming_data() error("collect_incoming_data must be defined by the class", 2) end

--- Called when a terminator has come. To be overridden.
-- @function async_chat:found_terminator
function Chat.found_terminator() error("found_terminator must be defined by the class", 2) end

--- Says where the input is to be cut: before the next such string; after so many bytes (after which the terminator
-- is 0); or, for nil, 0 and `""`, nowhere. May be called in `found_terminator`; it holds for what came already,
-- too.
-- @function async_chat:set_terminator
-- @tparam ?string|int term
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:set_terminator "\r\n"
function Chat:set_terminator(term)
  if math.type(term) ~= "integer" and type(term) ~= "string" and term ~= nil or math.type(term) and term < 0 then
    error("bad argument #1 to 'set_terminator' (string, integer >= 0 or nil expected)", 2)
  end
  self.terminator = term
end

--- The terminator: a string, how many bytes are still to come, or nil.
-- @function async_chat:get_terminator
-- @treturn ?string|int
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:set_terminator(5)
-- print(chat:get_terminator()) --> 5
function Chat:get_terminator() return self.terminator end

--- Keeps data until `_get_data`: in a sequence, `incoming`.
-- @function async_chat:_collect_incoming_data
-- @tparam string data
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:_collect_incoming_data "one"
-- print(chat:_get_data()) --> one
function Chat:_collect_incoming_data(data)
  local incoming = self.incoming
  local size = (incoming.size or 0) + #data
  if size > self.max_incoming then return self:_overflow() end
  incoming.size = size
  incoming[#incoming + 1] = data
end

--- What `_collect_incoming_data` has kept, which is forgotten then.
-- @function async_chat:_get_data
-- @treturn string
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:_collect_incoming_data "one"
-- print(chat:_get_data()) --> one
function Chat:_get_data()
  local data = table.concat(self.incoming)
  self.incoming = { size = 0 }
  return data
end

-- A message is longer than it may be.
function Chat:_overflow()
  self._skipping = true
  self:handle_incoming_overflow()
  self.incoming = { size = 0 }
end

--- Called when more than `max_incoming` bytes have come without a terminator, before what exceeds it is passed on.
-- May be overridden; closes the channel. When it does not close it, the rest of the message is skipped,
-- `found_terminator` is not called for it, and `incoming` is emptied.
-- @function async_chat:handle_incoming_overflow
function Chat:handle_incoming_overflow()
  self:log_info(("closing channel %s: no terminator in %d bytes"):format(self, self.max_incoming), "error")
  self:handle_close()
end

-- Whether the peer reads what it is sent, more or less.
function Chat:_is_flowing() return waiting(self.producer_fifo) <= self.max_outgoing // 2 end

-- Passes a piece of the message on, from `first` to `last`; what is behind it begins at `next`.
local function collect(self, first, last, next, limited)
  local size = last - first + 1
  self._at = next
  if size == 0 or self._skipping then return end
  if limited and self._length + size > self.max_incoming then return self:_overflow() end
  self._length = self._length + size
  self:collect_incoming_data(self._in:sub(first, last))
end

-- The message is complete.
local function complete(self)
  self._length = 0
  if self.closing then return end
  if not self._skipping then return self:found_terminator() end
  self._skipping = false
end

-- Goes on to the end of the present message, or of what there is. Whether there may be more to pass on.
local function take_in(self)
  local terminator = self:get_terminator()
  local at, size = self._at, #self._in
  if not terminator or terminator == 0 or terminator == "" then
    collect(self, at, size, size + 1)
  elseif type(terminator) == "number" then
    local last = math.min(at + terminator - 1, size)
    self.terminator = terminator - (last - at + 1)
    collect(self, at, last, last + 1)
    if self.terminator == 0 then complete(self) end
  else
    local first, last = self._in:find(terminator, at, true)
    if not first then
      last = size - M.find_prefix_at_end(self._in:sub(at), terminator)
      collect(self, at, last, last + 1, true)
      return false
    end
    collect(self, at, first - 1, last + 1, true)
    complete(self)
  end
  return true
end

-- Passes on what was received.
local function pass_on(self)
  self._held = false
  while self._at <= #self._in and not self.closing do
    self._held = not self:_is_flowing()
    if self._held or not take_in(self) then return end
  end
end

function Chat:handle_read()
  local data, err, errno = self:recv(self.ac_in_buffer_size)
  if data then
    self._in, self._at = self._in:sub(self._at) .. data, 1
    pass_on(self)
  elseif errno ~= EAGAIN then
    self:handle_error(err, (select(4, asyncore.compact_traceback(err))))
  end
end

function Chat:handle_close() self:close() end

-- Sending ------------------------------------------------------------------------------------------

function Chat:writable()
  local fifo = self.producer_fifo
  return self.connecting or fifo.first <= fifo.last or self._held and self:_is_flowing()
end

function Chat:handle_write()
  self:initiate_send()
  if self._held then pass_on(self) end
end

-- Something is in the fifo.
local function start(self)
  local fifo = self.producer_fifo
  self:initiate_send()
  if fifo.first <= fifo.last then asyncore.wake(self._map) end
  return true
end

--- Sends data: at once what the socket takes, the rest when it takes more.
-- @function async_chat:push
-- @tparam string data
-- @treturn[1] boolean true
-- @treturn[2] nil when it is refused
-- @treturn[2] error
-- @treturn[2] int errno (`ENOBUFS`: more than `max_outgoing` bytes wait, `handle_outgoing_overflow` was called;
-- `EBADF`: the channel is closed)
-- @usage
-- local chat = asynchat.async_chat(a)
-- assert(chat:push "hello")
function Chat:push(data)
  local fifo = self.producer_fifo
  local ok, err, errno = may_send(self, waiting(fifo), data)
  if not ok then return nil, err, errno end
  if data == "" then return true end
  local last = fifo[fifo.last]
  if is_bytes(last) then
    outgoing.put(last, data)
  else
    append(fifo, outgoing.new(data, 0))
  end
  return start(self)
end

--- Sends what a producer gives, as fast as the peer takes it: its method `more` is called for a piece at a time,
-- and gives `""` at the end.
-- @function async_chat:push_with_producer
-- @param producer such as a `simple_producer`
-- @treturn[1] boolean true
-- @treturn[2] nil when it is refused, as by `push`
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local chat = asynchat.async_chat(a)
-- assert(chat:push_with_producer(asynchat.simple_producer "hello"))
function Chat:push_with_producer(producer)
  local fifo = self.producer_fifo
  local ok, err, errno = may_send(self, waiting(fifo), "")
  if not ok then return nil, err, errno end
  append(fifo, producer)
  return start(self)
end

--- Closes the channel when all is sent that was pushed.
-- @function async_chat:close_when_done
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:push "bye"
-- chat:close_when_done()
function Chat:close_when_done()
  append(self.producer_fifo, CLOSE)
  asyncore.wake(self._map)
end

-- Sends a piece from its i-th byte on. Not with flags, so that `send` may be overridden as in Python.
local function send_piece(self, piece, _, i)
  local most = self.ac_out_buffer_size
  if i > 1 or #piece > most then piece = piece:sub(i, i + most - 1) end
  return self:send(piece)
end

--- Sends what was pushed, as much as the socket takes.
-- @function async_chat:initiate_send
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:initiate_send()
function Chat:initiate_send()
  local fifo = self.producer_fifo
  local mine <close> = sending(self)
  if not mine then return end
  for _ = 1, MOST do
    local first = fifo[fifo.first]
    if first == nil or not self.connected then return end
    if first == CLOSE then
      take_first(fifo)
      return self:handle_close()
    elseif is_bytes(first) then
      local empty, err = outgoing.send(first, send_piece, self)
      if empty == nil then self:handle_error(err, (select(4, asyncore.compact_traceback(err)))) end
      if not empty then return end
      take_first(fifo)
    else
      local data = first:more()
      if data and data ~= "" then
        fifo.first = fifo.first - 1
        fifo[fifo.first] = outgoing.new(data, 0)
      else
        take_first(fifo)
      end
    end
  end
end

--- Called when something is to be sent and more than `max_outgoing` bytes wait already: the peer does not read. May be
-- overridden; closes the channel.
-- @function async_chat:handle_outgoing_overflow
Chat.handle_outgoing_overflow = asyncore.dispatcher_with_send.handle_outgoing_overflow

--- Forgets what has come and what was pushed. For emergencies.
-- @function async_chat:discard_buffers
-- @usage
-- local chat = asynchat.async_chat(a)
-- chat:discard_buffers()
function Chat:discard_buffers()
  self._in, self._at, self._length, self._skipping, self._held = "", 1, 0, false, false
  self.incoming, self.producer_fifo = { size = 0 }, new_fifo()
end

return M
