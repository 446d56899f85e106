-- deflate.lua: messages that are deflated (RFC 7692), where lua-zlib is installed.
local check = require "csock.check"
local failure = require "csock.websocket.failure"
local zlib = require "csock.wire.zlib"

local M = {}

local NAME = "permessage-deflate"

-- --- options ---------------------------------------------------------------------------------------

local ROWS = {
  level = { check.integer(1, 9), 6 }, threshold = { check.integer(0), 64, 0 },
  context_takeover = { check.kind("boolean", function(value) return value == true end), true, false },
}

M.KIND = check.kind("boolean or table of options", function(value) return value == true or type(value) == "table" end)

-- The options of the option `deflate`; nil when it is off, or there is no lua-zlib.
function M.options(given, number, call)
  if not given or not zlib() then return nil end
  return check.options(given ~= true and given or nil, ROWS, number, call)
end

-- --- negotiation -----------------------------------------------------------------------------------
-- What both sides agree on, seen from one: `out_takeover`, `in_takeover`: whether a message may refer to those before
-- it; `out_bits`: how far back, as a power of two. (Inflating always goes back as far as there is, 15.)

-- zlib has no raw window of 8.
local LEAST_BITS, MOST_BITS = 9, 15

-- An extension's name and its parameters: name -> value, true where it has none; nil for what is malformed, or says
-- something twice.
local function parse(text)
  local name, rest = text:match "^([%w!#$%%&'*+.^_`|~-]+)[ \t]*(.*)$"
  if not name then return nil end
  local parameters = {}
  while rest ~= "" do
    local key, more = rest:match "^;[ \t]*([%w_]+)[ \t]*(.*)$"
    if not key or parameters[key] then return nil end
    local value, behind = more:match '^=[ \t]*"?(%d+)"?[ \t]*(.*)$'
    parameters[key] = value or true
    rest = behind or more
  end
  return name, parameters
end

local function bits_of(value)
  if type(value) ~= "string" or not value:find "^[1-9]%d?$" then return nil end
  local bits = math.tointeger(tonumber(value))
  return bits >= 8 and bits <= MOST_BITS and bits or nil
end

local KNOWN = {
  server_no_context_takeover = true, client_no_context_takeover = true, server_max_window_bits = true,
  client_max_window_bits = true,
}

local function is_sound(p, offer)
  for name, value in pairs(p) do
    if not KNOWN[name] then return false end
    if name:find "bits$" then
      local may_be_bare = offer and name == "client_max_window_bits"
      if not (value == true and may_be_bare or bits_of(value)) then return false end
    elseif value ~= true then
      return false
    end
  end
  return true
end

-- The server's side: of what a client offers, the first that can be had: what was agreed, and what is said of it.
function M.accept(offers, options)
  for _, offer in ipairs(offers) do
    local name, p = parse(offer)
    local bits = p and (bits_of(p.server_max_window_bits) or MOST_BITS)
    if name == NAME and is_sound(p, true) and bits >= LEAST_BITS then
      local own = options.context_takeover and not p.server_no_context_takeover
      local said = NAME .. (own and "" or "; server_no_context_takeover")
      local theirs = not p.client_no_context_takeover and options.context_takeover
      if not theirs then said = said .. "; client_no_context_takeover" end
      if p.server_max_window_bits then said = said .. "; server_max_window_bits=" .. bits end
      return { out_takeover = own, in_takeover = theirs, out_bits = bits, options = options }, said
    end
  end
end

-- The client's side: what it offers, and what it makes of the answer: nil for one that it must not get.
function M.offer() return NAME .. "; client_max_window_bits" end

function M.agree(extension, options)
  local name, p = parse(extension)
  if name ~= NAME or not is_sound(p, false) then return nil end
  local bits = bits_of(p.client_max_window_bits) or MOST_BITS
  if bits < LEAST_BITS then return nil end
  return {
    out_takeover = options.context_takeover and not p.client_no_context_takeover,
    in_takeover = not p.server_no_context_takeover, out_bits = bits, options = options,
  }
end

-- --- packing ---------------------------------------------------------------------------------------
-- What zlib holds for a stream, a third of a megabyte, Lua's collector knows nothing of: it is given back at the
-- stream's end.

local TAIL = "\0\0\xFF\xFF" -- ends what is flushed; it is left out (RFC 7692, 7.2.1)
local LAST = "\3\0"          -- the last block, without anything in it

-- A function that deflates a message; it gives nil for one that is sent as it is. Called without one, it gives back
-- what it holds.
function M.packer(agreed)
  local level, threshold, bits = agreed.options.level, agreed.options.threshold, agreed.out_bits
  local stream
  local function finish()
    if stream then stream("", "finish") end
    stream = nil
  end
  return function(data)
    if not data then return finish() end
    if #data < threshold or data == "" then return nil end -- zlib flushes nothing twice
    stream = stream or zlib().deflate(level, -bits)
    local packed = stream(data, "sync")
    if not agreed.out_takeover then finish() end
    return packed:sub(1, -1 - #TAIL)
  end
end

-- zlib makes at most so many bytes of one.
local RATIO = 1032

-- A function that inflates a message, up to so many bytes: the message; or nil, err, errno: err.code is what the
-- connection is to be closed with. Without one, as above.
function M.unpacker(agreed, most)
  local step = math.max(256, math.min(most // RATIO, 1 << 14))
  local stream
  local function finish()
    if stream then pcall(stream, LAST) end
    stream = nil
  end
  local function fail(words, code)
    finish()
    return failure("recv", "PayloadError", words, { code = code })
  end
  return function(packed)
    if not packed then return finish() end
    packed = packed .. TAIL
    stream = stream or zlib().inflate(-MOST_BITS)
    local pieces, size = {}, 0
    for i = 1, #packed, step do
      local ok, piece, ended = pcall(stream, packed:sub(i, i + step - 1))
      if not ok then return fail("the deflated message is malformed", 1007) end
      size = size + #piece
      if size > most then return fail("the message is longer than the limit", 1009) end
      pieces[#pieces + 1] = piece
      if ended then -- by a last block: the next message begins anew
        stream = nil
        break
      end
    end
    if not agreed.in_takeover then finish() end
    return table.concat(pieces)
  end
end

return M
