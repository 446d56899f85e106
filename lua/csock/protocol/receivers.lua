--- Protocols that cut the stream into messages, for csock.protocol, which has them.
--
-- Messages may come in pieces of any size. None grows beyond `MAX_LENGTH`: a peer that sends more loses its
-- connection, unless a method says otherwise.
-- @module csock.protocol
local check = require "csock.check"
local class = require "csock.class"
local internal = require "csock.loop.internal"
local reason = require "csock.reactor.reason"

local find, sub, split = string.find, string.sub, internal.hub.split

local BATCH = 64 -- lines that are cut at a time
local SHORT = 4096 -- bytes: shorter pieces are joined

-- What has come of a message that is not whole yet: pieces in order, `size` bytes in all. Short ones are joined to
-- those of their size, so that a message in many pieces costs neither a string for each nor a copy of all for each.
local function new_pieces(data) return { data, size = #data } end

local function add(pieces, data)
  if data == "" then return end
  pieces.size = pieces.size + #data
  local last = #pieces
  while last > 0 and #pieces[last] < SHORT and #pieces[last] <= #data do
    data = pieces[last] .. data
    pieces[last] = nil
    last = last - 1
  end
  pieces[last + 1] = data
end

return function(M)
  -- Whether the program has had enough of this connection.
  local function over(self)
    local transport = self.transport
    return transport and (transport.disconnecting or transport.disconnected)
  end

  --- What all receivers below can do: wait, in the middle of what came.
  -- @type pauseablereceiver
  local Pauseable = class("PauseableReceiver", M.Protocol)
  M.PauseableReceiver = Pauseable

  --- Whether it waits since `pauseProducing`.
  -- @field pauseablereceiver:paused
  Pauseable.paused = false
  Pauseable._held = false -- until the answers are sent

  -- Whether nothing is to be passed on.
  local function is_held(self) return self.paused or self._held or over(self) end

  function Pauseable:pauseWriting() self._held, self._changed = true, true end

  function Pauseable:resumeWriting()
    self._held = false
    self:dataReceived("")
  end

  --- Passes nothing on for a while, also of what has come, and receives nothing.
  -- @function pauseablereceiver:pauseProducing
  -- @usage
  -- local Calm = class("Calm", protocol.LineReceiver)
  -- function Calm:lineReceived(line)
  --   self:pauseProducing()
  --   reactor.callLater(1, function() self:resumeProducing() end)
  -- end
  function Pauseable:pauseProducing()
    self.paused, self._changed = true, true
    self.transport:pauseProducing()
  end

  --- Goes on: what has come is passed on, then what comes.
  -- @function pauseablereceiver:resumeProducing
  -- @usage
  -- local Calm = class("Calm", protocol.LineReceiver)
  -- function Calm:goOn() self:resumeProducing() end
  function Pauseable:resumeProducing()
    self.paused = false
    self.transport:resumeProducing()
    self:dataReceived("")
  end

  --- Passes nothing on any more, and closes the connection.
  -- @function pauseablereceiver:stopProducing
  -- @usage
  -- local Once = class("Once", protocol.LineReceiver)
  -- function Once:lineReceived(line) self:stopProducing() end
  function Pauseable:stopProducing()
    self.paused, self._changed = true, true
    self.transport:stopProducing()
  end

  -- --- lines --------------------------------------------------------------------------------------

  --- Receives lines, and nothing else.
  -- @type lineonlyreceiver
  local LineOnlyReceiver = class("LineOnlyReceiver", Pauseable)
  M.LineOnlyReceiver = LineOnlyReceiver

  --- What ends a line.
  -- @field lineonlyreceiver:delimiter
  LineOnlyReceiver.delimiter = "\r\n"

  --- The longest line, in bytes without its delimiter.
  -- @field lineonlyreceiver:MAX_LENGTH
  LineOnlyReceiver.MAX_LENGTH = 16384

  LineOnlyReceiver.line_mode = true

  -- What has come and is not used yet begins at `_at` in `_buffer`. Callbacks may change both, or how it is to be used:
  -- `_changed` says so, if it is not for another field to say. Of a long line that has begun, it is in `_pieces` until
  -- the next one comes. Those hold no `delimiter`, if they have this field; their `tail` may be the beginning of one.
  LineOnlyReceiver._buffer = ""
  LineOnlyReceiver._at = 1
  LineOnlyReceiver._pieces = false
  LineOnlyReceiver._busy = false
  LineOnlyReceiver._changed = false

  local function take_rest(self)
    local pieces = self._pieces
    if pieces then
      self._pieces = false
      return table.concat(pieces)
    end
    local rest = sub(self._buffer, self._at)
    self._buffer, self._at, self._changed = "", 1, true
    return rest
  end

  local spare -- a table for lines

  -- While lines are passed on, the receiver has these fields of its own, since those are found sooner. What a
  -- callback has set stays.
  local function let_go(self, name)
    local value = self[name]
    self[name] = nil
    if self[name] ~= value then self[name] = value end
  end

  -- Passes lines on: whether there may be another one.
  local function take_lines(self)
    local buffer, at, delimiter, limit = self._buffer, self._at, self.delimiter, self.MAX_LENGTH
    local transport, width = self.transport, #delimiter
    self.delimiter, self.MAX_LENGTH = delimiter, limit -- they are looked at after each line: see `let_go`
    local lines, most, count = spare or {}, 1, 1
    spare, self._changed = nil, false
    while count == most do -- the more lines there are, the more at a time
      count = split(lines, buffer, at, delimiter, limit, most)
      for i = 1, count do
        local line = lines[i]
        lines[i] = nil
        at = at + #line + width
        self._at = at
        self:lineReceived(line)
        if self._changed or transport and transport.disconnecting or self.delimiter ~= delimiter
          or self.MAX_LENGTH ~= limit then
          for rest = i + 1, count do lines[rest] = nil end
          spare = lines
          return true
        end
      end
      if count == most and most < BATCH then most, count = 2 * most, 2 * most end
    end
    spare = lines
    -- Without a delimiter, the last bytes may be the beginning of one.
    local left = #buffer - at + 1
    if left >= limit + width or left > limit and buffer:find(delimiter, at, true) then
      self:lineLengthExceeded(take_rest(self))
      return true -- it may have given back what follows the line
    end
    return false
  end

  -- The last bytes, of which the next ones may make a delimiter.
  local function tail_of(data, delimiter) return sub(data, math.max(#data - #delimiter + 2, 1)) end

  -- Whether a line that has begun does not end in these bytes either.
  local function goes_on(self, pieces, data)
    local delimiter = self.delimiter
    return self.line_mode and pieces.delimiter == delimiter and pieces.size + #data < self.MAX_LENGTH + #delimiter
      and not find(data, delimiter, 1, true)
      and not find(pieces.tail .. sub(data, 1, #delimiter - 1), delimiter, 1, true)
  end

  -- The pieces and these bytes; nil when they are not to be looked at yet.
  local function gather_line(self, pieces, data)
    if self.paused or self._held then
      pieces.delimiter = nil
    elseif goes_on(self, pieces, data) then
      local delimiter = pieces.delimiter
      pieces.tail = tail_of(#data < #delimiter and pieces.tail .. data or data, delimiter)
    else
      add(pieces, data)
      return take_rest(self)
    end
    add(pieces, data)
  end

  function LineOnlyReceiver:holdsInput() return self._pieces ~= false or self._at <= #self._buffer end

  function LineOnlyReceiver:dataReceived(data)
    if self._busy then -- a callback feeds it
      self._buffer, self._changed = self._buffer .. data, true
      return
    end
    local pieces, searched = self._pieces, nil
    if pieces then
      data = gather_line(self, pieces, data)
      if not data then return end
    else
      data = self._buffer .. data
    end
    self._buffer, self._changed, self._busy = data, true, true
    local delimiter, limit = rawget(self, "delimiter"), rawget(self, "MAX_LENGTH")
    while self._at <= #self._buffer and not is_held(self) do
      if not self.line_mode then
        self:rawDataReceived(take_rest(self))
      elseif not take_lines(self) then
        searched = self.delimiter
        break
      end
    end
    local rest = take_rest(self)
    if searched and #rest >= SHORT then
      pieces = new_pieces(rest)
      pieces.delimiter, pieces.tail = searched, tail_of(rest, searched)
      self._pieces = pieces
    else
      self._buffer = rest
    end
    self._busy = false
    if not delimiter then let_go(self, "delimiter") end
    if not limit then let_go(self, "MAX_LENGTH") end
  end

  --- Called with each line, without its delimiter. To be overridden.
  -- @function lineonlyreceiver:lineReceived
  -- @tparam string line
  function LineOnlyReceiver:lineReceived(line) end -- luacheck: ignore 212

  --- Called with what came when a line is longer than `MAX_LENGTH`: the line, or its beginning, and all
  -- that followed. May be overridden; closes the connection.
  -- @function lineonlyreceiver:lineLengthExceeded
  -- @tparam string data
  function LineOnlyReceiver:lineLengthExceeded(data) -- luacheck: ignore 212
    self.transport:loseConnection()
  end

  --- Sends a line: adds the delimiter.
  -- @function lineonlyreceiver:sendLine
  -- @tparam string line
  -- @usage
  -- local Echo = class("Echo", protocol.LineOnlyReceiver)
  -- function Echo:lineReceived(line) self:sendLine(line) end
  function LineOnlyReceiver:sendLine(line)
    self.transport:write(line .. self.delimiter)
  end

  --- Receives lines, and raw data in between: `delimiter`, `MAX_LENGTH`, `lineReceived`, `lineLengthExceeded` and
  -- `sendLine` are those of `LineOnlyReceiver`.
  -- @type linereceiver
  local LineReceiver = class("LineReceiver", LineOnlyReceiver)
  M.LineReceiver = LineReceiver

  --- Called with whatever has come, in raw mode. To be overridden.
  -- @function linereceiver:rawDataReceived
  -- @tparam string data
  function LineReceiver:rawDataReceived(data) end -- luacheck: ignore 212

  --- From now on, what comes goes to `rawDataReceived`: also what came behind this line.
  -- @function linereceiver:setRawMode
  -- @usage
  -- local Mail = class("Mail", protocol.LineReceiver)
  -- function Mail:lineReceived(line) if line == "DATA" then self:setRawMode() end end
  function LineReceiver:setRawMode() self.line_mode, self._changed = false, true end

  --- From now on, what comes goes to `lineReceived`.
  -- @function linereceiver:setLineMode
  -- @tparam[opt=""] string extra what came already: the end of the data that `rawDataReceived` was given
  -- @usage
  -- local Mail = class("Mail", protocol.LineReceiver)
  -- function Mail:rawDataReceived(data) self:setLineMode(data:sub(6)) end
  function LineReceiver:setLineMode(extra)
    self.line_mode, self._changed = true, true
    if extra and extra ~= "" then self:dataReceived(extra) end
  end

  --- Forgets what has come and was not passed on yet.
  -- @function linereceiver:clearLineBuffer
  -- @treturn string it
  -- @usage
  -- local Calm = class("Calm", protocol.LineReceiver)
  -- function Calm:lineLengthExceeded() return self:clearLineBuffer() end
  function LineReceiver:clearLineBuffer() return take_rest(self) end

  -- --- strings ------------------------------------------------------------------------------------

  --- Receives strings, each with its length before it. What is below holds for `NetstringReceiver` and all
  -- `IntNStringReceiver`s.
  -- @type stringreceiver
  local StringReceiver = class("StringReceiver", Pauseable)

  --- The longest string to receive, in bytes.
  -- @field stringreceiver:MAX_LENGTH
  StringReceiver.MAX_LENGTH = 99999

  StringReceiver._busy = false
  StringReceiver._more = false -- while a string is passed on: something has come behind it

  function StringReceiver:holdsInput() return self._pieces ~= nil or self._more end

  -- What has come of a string, in `_pieces`: it is looked at again when `need` bytes are there.
  local function gather(self, data)
    local pieces = self._pieces
    if not pieces then return data end
    add(pieces, data)
    if pieces.size < pieces.need or self._busy then return end
    self._pieces = nil
    return table.concat(pieces)
  end

  local function keep(self, data, need)
    self._pieces = new_pieces(data)
    self._pieces.need = need
  end

  function StringReceiver:dataReceived(data)
    if self._busy and not self._pieces then keep(self, "", 0) end -- a callback feeds it
    data = gather(self, data)
    if not data then return end
    local at, need = 1, 0
    self._busy = true
    while at <= #data and not is_held(self) do
      local text, where = self:_parse(data, at)
      if text then
        at = where
        self._more = at <= #data
        self:stringReceived(text)
        if self._pieces then -- fed by the callback
          data, at = sub(data, at) .. table.concat(self._pieces), 1
          self._pieces = nil
        end
      elseif where then
        need = where
        break
      else
        at = #data + 1 -- no way to tell where the next one would begin
      end
    end
    self._busy, self._more = false, false
    if at <= #data then keep(self, sub(data, at), need) end
  end

  --- Called with each string. To be overridden.
  -- @function stringreceiver:stringReceived
  -- @tparam string data
  function StringReceiver:stringReceived(data) end -- luacheck: ignore 212

  --- Called when a string announces itself as longer than `MAX_LENGTH`. May be overridden; closes the
  -- connection, for there is no way to go on.
  -- @function stringreceiver:lengthLimitExceeded
  -- @tparam int length
  function StringReceiver:lengthLimitExceeded(length) -- luacheck: ignore 212
    self.transport:loseConnection()
  end

  --- Sends a string, with its length before it.
  -- @function stringreceiver:sendString
  -- @tparam string data
  -- @raise when it is too long for its length to be sent
  -- @usage
  -- local Echo = class("Echo", protocol.NetstringReceiver)
  -- function Echo:stringReceived(data) self:sendString(data) end

  --- Receives strings, each with its length before it, which is an integer of a fixed size: a `StringReceiver`. To be
  -- derived from for other lengths than those of `Int8StringReceiver`, `Int16StringReceiver` and `Int32StringReceiver`.
  -- @type intnstringreceiver
  -- @usage
  -- local Int24StringReceiver = class("Int24StringReceiver", protocol.IntNStringReceiver)
  -- Int24StringReceiver.structFormat, Int24StringReceiver.prefixLength = ">I3", 3
  local IntNStringReceiver = class("IntNStringReceiver", StringReceiver)
  M.IntNStringReceiver = IntNStringReceiver

  --- What the length is: a format of `string.pack` with one integer. nil in this class itself: derived ones have it.
  -- @field intnstringreceiver:structFormat

  --- Of how many bytes it is. nil in this class itself: derived ones have it.
  -- @field intnstringreceiver:prefixLength

  function IntNStringReceiver:sendString(data)
    if #data >> (8 * self.prefixLength) ~= 0 then
      check.fail(("a string of %d bytes is too long for a prefix of %d"):format(#data, self.prefixLength))
    end
    self.transport:write(string.pack(self.structFormat, #data) .. data)
  end

  -- The string at `at`, and where the next one begins; nil and how many bytes are needed; or nil when
  -- nothing can be made of it.
  function IntNStringReceiver:_parse(data, at)
    local left = #data - at + 1
    local prefix = self.prefixLength
    if left < prefix then return nil, prefix end
    local length = string.unpack(self.structFormat, data, at)
    if length < 0 or length > self.MAX_LENGTH then
      self:lengthLimitExceeded(length < 0 and math.maxinteger or length) -- of 8 bytes it may be beyond that
      return nil
    end
    if left < prefix + length then return nil, prefix + length end
    return sub(data, at + prefix, at + prefix + length - 1), at + prefix + length
  end

  --- Strings with their length before them in one byte: an `IntNStringReceiver`.
  -- @field Int8StringReceiver

  --- Strings with their length before them in two bytes, the high one first: an `IntNStringReceiver`.
  -- @field Int16StringReceiver

  --- Strings with their length before them in four bytes, the high one first: an `IntNStringReceiver`.
  -- @field Int32StringReceiver
  for bytes, name in pairs { [1] = "Int8StringReceiver", [2] = "Int16StringReceiver", [4] = "Int32StringReceiver" } do
    local receiver = class(name, IntNStringReceiver)
    receiver.prefixLength, receiver.structFormat = bytes, ">I" .. bytes
    M[name] = receiver
  end

  --- What came is no netstring: a reason, whose `value` says why.
  -- @field NetstringParseError
  local NetstringParseError = class("NetstringParseError", reason.Reason)
  M.NetstringParseError = NetstringParseError
  NetstringParseError.message = "The incoming data is not in valid Netstring format"

  --- Strings as netstrings, `5:hello,`: a `StringReceiver`.
  -- @type netstringreceiver
  local NetstringReceiver = class("NetstringReceiver", StringReceiver)
  M.NetstringReceiver = NetstringReceiver

  --- Whether the peer has sent what is no netstring.
  -- @field netstringreceiver:brokenPeer
  NetstringReceiver.brokenPeer = false

  --- Called with what is wrong when something came that is no netstring, or too long a one: `brokenPeer` is true then.
  -- May be overridden; closes the connection, for there is no way to go on.
  -- @function netstringreceiver:handleParseError
  -- @tparam reason err a `NetstringParseError`
  function NetstringReceiver:handleParseError(err) -- luacheck: ignore 212
    self.transport:loseConnection()
  end

  function NetstringReceiver:sendString(data)
    self.transport:write(("%d:%s,"):format(#data, data))
  end

  -- The peer does not speak this language.
  local function broken(self, why)
    self.brokenPeer = true
    self:handleParseError(NetstringParseError(why))
    return nil
  end

  local NO_LENGTH = "The received netstring does not start with a length specification."
  local NO_COMMA = "The received netstring is not terminated by a comma."
  local TOO_LONG = "The received netstring is longer than the maximum %d specified by self.MAX_LENGTH"

  function NetstringReceiver:lengthLimitExceeded() broken(self, TOO_LONG:format(self.MAX_LENGTH)) end

  function NetstringReceiver:_parse(data, at)
    local digits = #tostring(self.MAX_LENGTH)
    local first, last, number = sub(data, at, at + digits):find "^(%d+)"
    if not first or number:find "^0%d" then return broken(self, NO_LENGTH) end
    local length = math.tointeger(tonumber(number))
    if not length or length > self.MAX_LENGTH then
      self.brokenPeer = true
      self:lengthLimitExceeded(length or math.maxinteger)
      return nil
    end
    local left = #data - at + 1
    if left == last then return nil, last + 1 end
    if sub(data, at + last, at + last) ~= ":" then return broken(self, NO_LENGTH) end
    local begin = at + last + 1
    local need = last + 1 + length + 1
    if left < need then
      -- A comma elsewhere is no comma: the mistake is told when the last byte has come.
      return nil, need
    end
    if sub(data, begin + length, begin + length) ~= "," then return broken(self, NO_COMMA) end
    return sub(data, begin, begin + length - 1), begin + length + 1
  end

  return StringReceiver
end
