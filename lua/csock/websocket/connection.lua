--- A WebSocket, at either side.
-- @module csock.websocket
local check = require "csock.check"
local csock = require "csock"
local core = require "csock.core".websocket
local deflate = require "csock.websocket.deflate"
local failure = require "csock.websocket.failure"
local internal = require "csock.loop.internal"
local shut = require "csock.websocket.shut"

local E = csock.errno
local is_utf8, may_say, pending, receive, transmit = core.is_utf8, core.may_say, core.pending, core.receive, core.send
local is_awaited = core.is_awaited

local M = {}

-- The first bytes of frames.
local FIN, PACKED = 0x80, 0x40
local NEXT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

-- The codes of RFC 6455, 7.4.1, that are used here.
local NORMAL, NO_CODE, LOST, NOT_UTF8, INTERNAL = 1000, 1005, 1006, 1007, 1011

--- A WebSocket: messages in both directions, until it is closed.
--
-- It is the same object at both sides, in tasks and outside of them. Any number of tasks may send; what one of them
-- sends comes whole. Somebody has to receive: that is how pings are answered, and how the end is noticed.
--
-- Errors have the kind `"websocket"`, and as `name` `"ConnectionClosedOK"` (errno `ENOTCONN`: closed with 1000 or 1001,
-- or without a code) or `"ConnectionClosedError"` (`ECONNRESET`); their `code` and `text` are those that it was closed
-- with: 1006 where the connection was lost. When it is this side that had to refuse what came, the error says why.
--
-- It is closed by `close`, at the end of a `<close>` variable's block, and at the server's side when the function
-- returns that it was given to (1000), or raises an error (1011).
-- @type websocket
local WebSocket = {}
WebSocket.__index = WebSocket
WebSocket.__name = "csock.websocket"

--- The subprotocol that was agreed on; nil for none.
-- @field websocket:subprotocol

--- The code that it was closed with; nil while it is open. It is the peer's; 1005: the peer gave none; 1006: the
-- connection was lost; or what this side had to close it with (1002, 1007, 1009, 1011).
-- @field websocket:close_code

--- The reason that came with it, or `""`; nil while it is open.
-- @field websocket:close_reason

--- `"server"` or `"client"`.
-- @field websocket:side

--- The request that it began with, at the server's side; else nil.
-- @field websocket:request

-- --- the end ---------------------------------------------------------------------------------------

local GOODBYE = shut.PATIENCE

-- It is over: nothing can be sent any more, and `err` is what is said from now on.
local function finish(self, code, reason, err, errno, how)
  if self.failure then return end
  self.failure, self.failure_errno, self.plain = err, errno, nil
  self.close_code, self.close_reason = code, reason
  self.changed:wake(true)
  shut.connection(self, how)
end

local ORDERLY = { [NORMAL] = true, [1001] = true, [NO_CODE] = true }

local function closed_error(call, code, reason)
  local words = ("the WebSocket was closed: %s%s"):format(code == NO_CODE and "no code" or code,
    reason ~= "" and " (" .. reason .. ")" or "")
  local _, err, errno = failure(call, ORDERLY[code] and "ConnectionClosedOK" or "ConnectionClosedError", words,
    { code = code, text = reason })
  return err, errno
end

local function lose(self, words)
  local _, err, errno = failure("recv", "ConnectionClosedError", words, { code = LOST, text = "" })
  finish(self, LOST, "", err, errno, "cut")
end

local function say_close(self, code, reason, seconds)
  self.closing, self.plain = true, nil
  local data = code == NO_CODE and "" or (">I2"):pack(code) .. reason
  return transmit(self.stream, self.channel, FIN | CLOSE, data, seconds)
end

-- Ends a connection of which this side will have no more: with a code, and an error that says why.
local function refuse(self, code, err, errno)
  if not self.closing then say_close(self, code, "", GOODBYE) end
  finish(self, code, "", err, errno, "refused")
end

-- --- receiving -------------------------------------------------------------------------------------

-- Nothing has come for as long as keepalive waits.
local function grow_impatient(self)
  local received = self.conn:getstats()
  if received ~= self.heard then
    self.heard, self.asked = received, false
  elseif self.asked then
    lose(self, "the peer does not answer pings")
  else
    self.asked = true
    transmit(self.stream, self.channel, FIN | PING, "", self.ping_timeout)
  end
end

local function handle_close(self, code, reason)
  if not self.closing then say_close(self, code, "", GOODBYE) end
  local err, errno = closed_error("recv", code, reason)
  finish(self, code, reason, err, errno, "orderly")
end

local function unpack(self, data, kind)
  local message, err, errno = self.unpack(data)
  if not message then
    refuse(self, err.code, err, errno)
  elseif kind == "text" and not is_utf8(message) then
    local _, bad, number = failure("recv", "PayloadError", "the text is no UTF-8", { code = NOT_UTF8 })
    refuse(self, NOT_UTF8, bad, number)
  else
    return message, kind
  end
end

-- The most pongs that wait with what the peer does not take: it may go on to ask.
local MOST_PONGS = 32

local function answer_ping(self, payload)
  local waiting = pending(self.stream) >= self.max_pending and (self.waiting_pongs or 0) + 1 or nil
  if self.closing or waiting and waiting > MOST_PONGS then return end
  self.waiting_pongs = waiting
  transmit(self.stream, self.channel, FIN | PONG, payload, self.send_timeout)
end

local NONE = {}

-- Does what an event asks for: a message and its kind, or nothing. `self.failure` is set when it was the end.
local function handle(self, data, kind, extra)
  if data == nil then
    if kind == nil then
      lose(self, "the connection ended without a close frame")
    elseif kind.code then
      refuse(self, math.tointeger(kind.code), kind, extra)
    else
      lose(self, "the connection is lost: " .. tostring(kind))
    end
  elseif kind == "text" or kind == "binary" then
    if not extra then return data, kind end
    return unpack(self, data, kind)
  elseif kind == "ping" then
    answer_ping(self, data)
  elseif kind == "pong" then
    for ping in next, self.pings or NONE do
      if ping.payload == data and not ping.took then
        ping.took = csock.now() - ping.sent
        self.changed:wake(true)
      end
    end
  else
    handle_close(self, extra, data)
  end
end

-- Waits for an event, and handles it: a message and its kind; nothing, when it was something else; or nil, err, errno.
local function step(self, seconds)
  local patience = self.asked and self.ping_timeout or self.patience
  local mine = seconds and not (patience and patience < seconds)
  local data, kind, extra = receive(self.stream, self.channel, mine and seconds or patience)
  if self.failure then return nil, self.failure, self.failure_errno end -- another task has come to the end
  if data == nil and (extra == E.ETIMEDOUT or extra == E.EAGAIN) then
    if mine then return nil, kind, extra end
    grow_impatient(self)
  else
    local message, what = handle(self, data, kind, extra)
    if message then return message, what end
  end
  if self.failure then return nil, self.failure, self.failure_errno end
end

-- Messages that came while something else was waited for. What keeping one takes counts, too: it may be empty.
local function size_of(message) return #message + 64 end

local function take_kept(self)
  local kept = self.kept
  local first = kept[kept.first]
  if not first then
    self.kept = nil
    self.detour = self.pinging or nil
    return nil
  end
  kept[kept.first] = nil
  kept.first, kept.size = kept.first + 1, kept.size - size_of(first[1])
  return first[1], first[2]
end

local function keep(self, message, kind)
  local kept = self.kept or { first = 1, last = 0, size = 0 }
  kept.last, kept.size = kept.last + 1, kept.size + size_of(message)
  kept[kept.last] = { message, kind }
  self.kept = kept
  self.changed:wake(true)
  return kept.last == kept.first or kept.size <= self.max_message
end

local function recv(self, timeout)
  local left = internal.countdown(timeout)
  while true do
    if self.kept then
      local message, kind = take_kept(self)
      if message then return message, kind end
    end
    if self.failure then return nil, self.failure, self.failure_errno end
    local message, kind, errno
    if self.pinging and internal.may_wait() and csock.loop.current() then
      message, kind, errno = self.changed:wait(left())
      if message then message = nil else return nil, kind, errno end
    else
      message, kind, errno = step(self, left())
    end
    if message or errno then return message, kind, errno end
  end
end

--- Waits for a message.
-- @function websocket:recv
-- @tparam[opt] number timeout seconds; 0: does not wait (`EAGAIN`). Nothing is lost when the time is up
-- @treturn[1] string the message
-- @treturn[1] string `"text"` or `"binary"`
-- @treturn[2] nil
-- @treturn[2] error `ETIMEDOUT`, `EAGAIN`; or it is over: see `websocket`
-- @treturn[2] int errno
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- ws:send "hello"
-- print((ws:recv(5))) --> hello
function WebSocket:recv(timeout)
  if timeout == nil and not self.detour and not self.failure then
    local data, kind, extra = receive(self.stream, self.channel, self.patience)
    if data and extra == nil then return data, kind end
    if not self.failure then
      local message, what
      if data == nil and extra == E.ETIMEDOUT then
        grow_impatient(self)
      else
        message, what = handle(self, data, kind, extra)
      end
      if message then return message, what end
    end
  elseif timeout ~= nil then
    check.timeout(timeout, 1, "recv")
  end
  return recv(self, timeout)
end

--- An iterator over the messages, for `for message, kind in ws:messages() do`. It ends when the WebSocket is over,
-- however that came about: `close_code` tells.
-- @function websocket:messages
-- @treturn function
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- ws:send "hello"
-- for message in ws:messages() do
--   print(message) --> hello
--   ws:close()
-- end
function WebSocket:messages()
  return function()
    local message, kind = self:recv()
    if message then return message, kind end
  end
end

-- --- sending ---------------------------------------------------------------------------------------

local OPCODES = { text = TEXT, binary = BINARY }

local function being_closed()
  return failure("send", "ConnectionClosedOK", "the WebSocket is being closed", { code = NORMAL, text = "" })
end

-- A frame, all of it or nothing: true; nil, err, errno (EBUSY: a message in fragments is under way). `data` nil: waits
-- until there is room for one.
local function put(self, first, data, seconds)
  local ok, err, errno = transmit(self.stream, self.channel, first, data, seconds)
  if ok then return ok end
  if self.failure then return nil, self.failure, self.failure_errno end -- it was closed meanwhile
  if errno == E.ECANCELED then return being_closed() end
  return nil, err, errno
end

-- Whether something may be sent: true; nil, err, errno.
local function may_send(self)
  if self.failure then return nil, self.failure, self.failure_errno end
  if self.closing then return being_closed() end
  return true
end

-- Waits until no message in fragments is under way.
local function wait_for_turn(self, left)
  while self.fragmenting do
    local ok, err, errno = self.changed:wait(left())
    if not ok then return nil, err, errno end
  end
  return may_send(self)
end

local function send_packed(self, data, opcode, left)
  if opcode == TEXT and not is_utf8(data) then
    return csock.make_error { call = "send", errno = E.EILSEQ }
  end
  -- First the turn and the room, then the packing: it has to be sent in the order in which it was packed.
  local ok, err, errno
  repeat
    ok, err, errno = wait_for_turn(self, left)
    if ok then ok, err, errno = put(self, FIN | opcode, nil, left()) end
  until not ok or not self.fragmenting
  if ok then ok, err, errno = may_send(self) end
  if not ok then return nil, err, errno end
  local packed = self.pack(data)
  return put(self, packed and FIN | PACKED | opcode or FIN | opcode, packed or data, left())
end

-- The message is cut: there is no way to take it back.
local function give_up(self)
  local _, err, errno = failure("send", "ConnectionClosedError", "a message was not sent to its end",
    { code = INTERNAL, text = "" })
  refuse(self, INTERNAL, err, errno)
end

local function send_fragments(self, f, opcode, left)
  local whole, plain = false, self.plain
  self.fragmenting, self.plain = true, nil
  local _ <close> = internal.guard(function()
    self.fragmenting = nil
    if not self.closing and not self.failure then self.plain = plain end
    self.changed:wake(true)
    if not whole and not self.closing and not self.failure then give_up(self) end
  end)
  local first = opcode
  for piece in f do
    if type(piece) ~= "string" then error(("a piece of a message is a %s"):format(type(piece)), 0) end
    if piece ~= "" then
      local ok, err, errno = put(self, first, piece, left())
      if not ok then return nil, err, errno end
      first = NEXT
    end
  end
  local ok, err, errno = put(self, FIN | first, "", left())
  whole = ok ~= nil
  return ok, err, errno
end

local function send(self, data, kind, timeout)
  local opcode = OPCODES[kind or "text"]
  if not opcode then check.bad("send", 2, ("invalid kind '%s'"):format(tostring(kind))) end
  if timeout == nil then
    timeout = self.send_timeout
  elseif timeout ~= false then
    check.timeout(timeout, 3, "send")
  end
  local is_function = type(data) == "function"
  if not is_function and type(data) ~= "string" then check.expected("send", 1, "string or function", data) end
  local left = internal.countdown(timeout ~= math.huge and timeout or nil)
  if not is_function and self.pack then return send_packed(self, data, opcode, left) end
  local ok, err, errno
  repeat
    ok, err, errno = wait_for_turn(self, left)
    if not ok then return nil, err, errno end
    if is_function then return send_fragments(self, data, opcode, left) end
    ok, err, errno = put(self, FIN | opcode, data, left())
  until errno ~= E.EBUSY
  return ok, err, errno
end

--- Sends a message. In a task it is queued, and goes at the end of the loop's turn; where `max_pending` bytes wait
-- already because the peer takes nothing, this waits. Outside of the loop it goes at once.
--
-- A message that could not be queued in time (`ETIMEDOUT`, `EAGAIN`) has not been taken at all, in a task: another
-- one may be sent, or the peer be given up. (Outside of the loop what had to wait goes with the next call:
-- `pending` tells.)
-- @function websocket:send
-- @tparam string|function data the message; or a function that gives it piece by piece, and then nil: each is sent as
-- it comes, as a fragment, and the messages of other tasks wait meanwhile. An error in it ends the WebSocket
-- @tparam[opt="text"] string kind `"text"` or `"binary"`
-- @tparam[opt] number|boolean timeout seconds (default: `send_timeout`); 0: does not wait; false: no limit
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EILSEQ`: a text that is no UTF-8; nothing was sent)
-- @raise for anything else than a string or a function
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- assert(ws:send "hello")
function WebSocket:send(data, kind, timeout)
  if self.plain and kind == nil and timeout == nil and type(data) == "string" then
    local ok, err, errno = put(self, FIN | TEXT, data, self.send_timeout)
    if errno ~= E.EBUSY then return ok, err, errno end
  end
  return send(self, data, kind, timeout)
end

--- `send(data, "binary"[, timeout])`.
-- @function websocket:send_binary
-- @tparam string|function data
-- @tparam[opt] number|boolean timeout
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- assert(ws:send_binary "\0\1")
function WebSocket:send_binary(data, timeout) return send(self, data, "binary", timeout) end

--- How many bytes wait to be sent, of which the system does not know yet: a peer where these stay many is slow.
-- @function websocket:pending
-- @treturn int
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- print(ws:pending()) --> 0
function WebSocket:pending() return self.failure and 0 or pending(self.stream) end

-- --- pings -----------------------------------------------------------------------------------------

-- Receives until the pong has come: messages are kept.
local function await_pong(self, ping, left)
  self.pinging, self.detour = true, true
  local _ <close> = internal.guard(function()
    self.pinging, self.detour = nil, self.kept and true or nil
    self.changed:wake(true)
  end)
  while not ping.took do
    local message, kind, errno = step(self, left())
    if errno then return nil, kind, errno end
    if message and not keep(self, message, kind) then
      return failure("ping", "QueueFull", "too many messages came before the pong")
    end
  end
  return true
end

--- Sends a ping and waits for its pong. Messages that come meanwhile are kept for `recv`.
-- @function websocket:ping
-- @tparam[opt] string payload up to 125 bytes, which the pong has, too; by default one of its own
-- @tparam[opt] number timeout seconds (default: `ping_timeout`)
-- @treturn[1] number seconds that it took
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- ws:ping()
function WebSocket:ping(payload, timeout)
  if payload ~= nil then check.argument(M.PAYLOAD, payload, 1, "ping") end
  timeout = check.timeout(timeout, 2, "ping") or self.ping_timeout
  local left = internal.countdown(timeout)
  local ok, err, errno = may_send(self)
  if not ok then return nil, err, errno end
  self.pinged = (self.pinged or 0) + 1
  local ping = { payload = payload or tostring(self.pinged), sent = csock.now() }
  self.pings = self.pings or {}
  local _ <close> = internal.guard(function() self.pings[ping] = nil end)
  self.pings[ping] = true
  ok, err, errno = put(self, FIN | PING, ping.payload, left())
  while ok and not ping.took do
    if is_awaited(self.stream) or self.pinging then
      ok, err, errno = self.changed:wait(left())
    else
      ok, err, errno = await_pong(self, ping, left)
    end
    if self.failure then return nil, self.failure, self.failure_errno end
  end
  if not ok then return nil, err, errno end
  return ping.took
end

M.PAYLOAD = check.kind("string of up to 125 bytes", function(value)
  return type(value) == "string" and #value <= 125
end)

-- --- closing ---------------------------------------------------------------------------------------

local REASON = check.kind("UTF-8 of up to 123 bytes", function(value)
  return type(value) == "string" and #value <= 123 and is_utf8(value)
end)

local CODE = check.kind("code of a close frame", function(value)
  return math.type(value) == "integer" and may_say(value)
end)

--- Closes it: says so to the peer, and waits until that has said the same; messages that come meanwhile are lost.
-- When the time is up the connection is cut. Closing again is harmless.
-- @function websocket:close
-- @tparam[opt=1000] int code 1000 to 1003, 1007 to 1014, 3000 to 4999
-- @tparam[opt=""] string reason up to 123 bytes
-- @tparam[opt] number timeout seconds (default: `close_timeout`); 0: cuts it as soon as the peer has been told
-- @treturn[1] boolean true: the peer has agreed, or it was over
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- ws:close()
function WebSocket:close(code, reason, timeout)
  code, reason = code or NORMAL, reason or ""
  check.argument(CODE, code, 1, "close")
  check.argument(REASON, reason, 2, "close")
  timeout = check.timeout(timeout, 3, "close") or self.close_timeout
  if self.failure then return true end
  local left = internal.countdown(timeout)
  local may_wait = internal.may_wait()
  if not self.closing then
    say_close(self, code, reason, may_wait and left() or 0)
  end
  local _, err, errno
  while may_wait and timeout > 0 and not self.failure do
    _, err, errno = step(self, left())
    if errno and not self.failure then break end
  end
  if self.failure then
    if self.close_code == LOST then return nil, self.failure, self.failure_errno end
    return true
  end
  lose(self, "the peer has not answered the close frame")
  if not err then return csock.make_error { call = "close", errno = E.ETIMEDOUT } end
  return nil, err, errno
end

WebSocket.__close = function(self, err) self:close(err ~= nil and INTERNAL or NORMAL) end

--- The peer's address.
-- @function websocket:getpeername
-- @treturn[1] address
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- print(ws:getpeername().port)
function WebSocket:getpeername() return self.conn:getpeername() end

--- This side's address.
-- @function websocket:getsockname
-- @treturn[1] address
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- print(ws:getsockname().port)
function WebSocket:getsockname() return self.conn:getsockname() end

--- The descriptor: -1 once it is over.
-- @function websocket:fileno
-- @treturn int
-- @usage
-- local ws <close> = assert(websocket.connect "ws://localhost:8080/chat")
-- print(ws:fileno())
function WebSocket:fileno() return self.conn:fileno() end

function WebSocket:__tostring()
  return ("<csock.websocket %s %s>"):format(self.side, self.failure and "closed " .. self.close_code or "open")
end

-- --- making ----------------------------------------------------------------------------------------

local SECONDS = check.kind("seconds > 0", function(value) return check.TIMEOUT.fits(value) and value > 0 end)

-- The options that both sides have.
M.OPTIONS = {
  max_message = { check.integer(1), 1 << 20 }, max_fragments = { check.integer(1, 0x7FFFFFFF), 10000 },
  max_pending = { check.integer(1), 1 << 16 }, send_timeout = { SECONDS, 30 }, close_timeout = { check.SECONDS, 10, 0 },
  ping_interval = { SECONDS, 30 }, ping_timeout = { SECONDS, 20 }, deflate = { deflate.KIND },
}

-- Puts one over a connection's stream, whose handshake is done. `agreed`: `subprotocol`, `deflate`.
function M.new(side, stream, conn, agreed, options)
  local packed = agreed.deflate
  local self = setmetatable({
    side = side, stream = stream, conn = conn, subprotocol = agreed.subprotocol, changed = internal.waiters(),
    channel = core.channel {
      server = side == "server", deflate = packed ~= nil, max_message = options.max_message or false,
      max_fragments = options.max_fragments, max_pending = options.max_pending,
    },
    max_message = options.max_message or math.maxinteger, max_pending = options.max_pending,
    send_timeout = options.send_timeout, close_timeout = options.close_timeout,
    patience = options.ping_interval, ping_timeout = options.ping_timeout, plain = not packed or nil,
  }, WebSocket)
  if packed then self.pack, self.unpack = deflate.packer(packed), deflate.unpacker(packed, self.max_message) end
  return self
end

return M
