--- Encoded words: other characters than ASCII's in the header fields of mail (RFC 2047).
--
-- Of the charsets, UTF-8, US-ASCII, ISO 8859-1 and -15 and Windows-1252 are known. What is in others stays as it is;
-- its bytes are what `parts` gives, with the charset's name.
-- @module csock.wire.words
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local charset = require "csock.wire.charset"
local check = require "csock.check"

local M = {}

local WORD = "=%?([^?%s]+)%?([bBqQ])%?([^?]-)%?="
local LONGEST = 64 -- characters of an encoded word: 75 are allowed, but it shall fit behind the name of a field
local LINE = 900   -- what is longer without a blank could not be folded, so it is encoded

-- --- decoding -------------------------------------------------------------------------------------

local function decode_q(text)
  return (text:gsub("_", " "):gsub("=(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function decode_b(text)
  local bytes, first, second = base64.decode(text, { lenient = true })
  if first == "length" or second == "length" then return nil end
  return bytes
end

local function add(list, bytes, name)
  local last = list[#list]
  if last and last[2] == name then
    last[1] = last[1] .. bytes
  else
    list[#list + 1] = { bytes, name }
  end
end

--- Takes the value of a field apart.
-- @function parts
-- @tparam string value
-- @treturn {table,...} pairs of bytes and the charset's name in lower case; without a name: what is not encoded
-- @usage for _, part in ipairs(words.parts "Re: =?iso-8859-1?q?caf=E9?=") do print(#part[1], part[2]) end --> 4 nil 4
-- --> iso-8859-1
function M.parts(value)
  local list, from, behind_word = {}, 1, false
  while true do
    local first, last, name, how, text = value:find(WORD, from)
    local bytes = first and (how:lower() == "q" and decode_q(text) or decode_b(text))
    local plain = value:sub(from, (bytes and first or last or #value + 1) - (bytes and 1 or 0))
    -- Blanks between two encoded words are there for folding alone.
    if plain ~= "" and not (behind_word and bytes and plain:find "^%s+$") then add(list, plain) end
    if not first then return list end
    if bytes then add(list, bytes, ascii.lower(name:match "^[^*]*")) end -- a language: RFC 2231, section 5
    behind_word, from = bytes ~= nil, last + 1
  end
end

--- Decodes the value of a field.
-- @function decode
-- @tparam string value
-- @treturn string UTF-8, as far as the charsets are known
-- @usage print(words.decode "=?utf-8?q?caf=C3=A9?= =?utf-8?b?IG9sZQ==?=") --> café ole
function M.decode(value)
  if not value:find("=?", 1, true) then return value end
  local pieces = {}
  for i, part in ipairs(M.parts(value)) do
    local bytes, name = part[1], part[2]
    pieces[i] = not name and bytes or charset.decode(bytes, name, true) or M.word(bytes, name)
  end
  return table.concat(pieces)
end

-- --- encoding -------------------------------------------------------------------------------------

local function encode_q(bytes)
  return (bytes:gsub("[^%w!*+/ -]", function(byte) return ("=%02X"):format(byte:byte()) end):gsub(" ", "_"))
end

local function size_q(bytes)
  local _, quoted = bytes:gsub("[^%w!*+/ -]", "")
  return #bytes + 2 * quoted
end

local function size_b(bytes) return (#bytes + 2) // 3 * 4 end

-- As Python has it: "q" is what people can read, so it may be a little longer.
local function way(bytes) return size_q(bytes) - size_b(bytes) < 5 and "q" or "b" end

--- Makes one encoded word of bytes, however long it is.
-- @function word
-- @tparam string bytes
-- @tparam[opt="utf-8"] string name the charset
-- @tparam[opt] string how `"q"` or `"b"`; default: the shorter one
-- @treturn string
-- @usage print(words.word "caf\u{e9}") --> =?utf-8?q?caf=C3=A9?=
function M.word(bytes, name, how)
  how = how or way(bytes)
  return ("=?%s?%s?%s?="):format(name or "utf-8", how, how == "q" and encode_q(bytes) or base64.encode(bytes))
end

-- Encoded words that are none too long, each with whole characters.
local function encode_run(text, name)
  local how = way(charset.encode(text, name))
  local size = how == "q" and size_q or size_b
  local room = LONGEST - #name - #"=??q??="
  local list, piece = {}, ""
  for utf8_character in text:gmatch "[%z\1-\x7f\xc2-\xf4][\x80-\xbf]*" do
    local character = charset.encode(utf8_character, name)
    if size(piece .. character) > room then
      list[#list + 1] = M.word(piece, name, how)
      piece = ""
    end
    piece = piece .. character
  end
  list[#list + 1] = M.word(piece, name, how)
  return table.concat(list, " ")
end

-- Whether a word cannot stand for itself: it is no ASCII, looks like an encoded word, or is too long for a line.
local function is_special(word) return word:find "[^\x20-\x7e\t]" or word:find("=?", 1, true) or #word > LINE end

--- Encodes a text, from the first word on that is not ASCII to the last one. Encoded words are short, with
-- blanks between them, at which the field can be folded.
-- @function encode
-- @tparam string text UTF-8; other bytes count as ISO 8859-1
-- @tparam[opt="utf-8"] string name the charset; what it lacks comes in UTF-8
-- @tparam[opt] bool whole true: all of the text
-- @treturn string
-- @usage print(words.encode "a caf\u{e9} in Paris") --> a =?utf-8?q?caf=C3=A9?= in Paris
function M.encode(text, name, whole)
  if type(text) ~= "string" then check.expected("encode", 1, "string", text) end
  if name ~= nil and not charset.name(name) then check.bad("encode", 2, "the name of a known charset expected") end
  if not is_special(text) then return text end
  text = utf8.len(text) and text or charset.decode(text, "iso-8859-1")
  if not name or not charset.encode(text, name) then name = "utf-8" end
  if whole then return encode_run(text, charset.name(name)) end
  local first, last
  for from, word, to in text:gmatch "()([^ \t]+)()" do
    if is_special(word) then first, last = first or from, to - 1 end
  end
  if not first then return text end
  return text:sub(1, first - 1) .. encode_run(text:sub(first, last), charset.name(name)) .. text:sub(last + 1)
end

return M
