-- charset.lua: the charsets of mail that need no library: UTF-8 of their bytes, and back.
local ascii = require "csock.wire.ascii"

local M = {}

-- What the bytes from 128 on are, where they are not the character of that number. (Python's tables.)
local WINDOWS = {
  [0x80] = 0x20AC, [0x82] = 0x201A, [0x83] = 0x192, [0x84] = 0x201E, [0x85] = 0x2026, [0x86] = 0x2020, [0x87] = 0x2021,
  [0x88] = 0x2C6, [0x89] = 0x2030, [0x8A] = 0x160, [0x8B] = 0x2039, [0x8C] = 0x152, [0x8E] = 0x17D, [0x91] = 0x2018,
  [0x92] = 0x2019, [0x93] = 0x201C, [0x94] = 0x201D, [0x95] = 0x2022, [0x96] = 0x2013, [0x97] = 0x2014, [0x98] = 0x2DC,
  [0x99] = 0x2122, [0x9A] = 0x161, [0x9B] = 0x203A, [0x9C] = 0x153, [0x9E] = 0x17E, [0x9F] = 0x178,
  [0x81] = false, [0x8D] = false, [0x8F] = false, [0x90] = false, [0x9D] = false,
}
local LATIN9 = {
  [0xA4] = 0x20AC, [0xA6] = 0x160, [0xA8] = 0x161, [0xB4] = 0x17D, [0xB8] = 0x17E, [0xBC] = 0x152, [0xBD] = 0x153,
  [0xBE] = 0x178,
}

local REPLACEMENT = utf8.char(0xFFFD)

-- A charset of single bytes: `to`, from a byte to UTF-8, and `from`, back; no entry: there is none.
local function table_of(most, differences)
  local to, from = {}, {}
  for byte = 0x80, most do
    local code = differences[byte]
    if code == nil then code = byte end
    if code then
      local character = utf8.char(code)
      to[string.char(byte)], from[character] = character, string.char(byte)
    end
  end
  return { to = to, from = from }
end

local TABLES = {
  ["us-ascii"] = table_of(0, {}), ["iso-8859-1"] = table_of(255, {}), ["iso-8859-15"] = table_of(255, LATIN9),
  ["windows-1252"] = table_of(255, WINDOWS),
}

local ALIASES = {
  utf8 = "utf-8", ascii = "us-ascii", ["ansi_x3.4-1968"] = "us-ascii", ["iso_8859-1"] = "iso-8859-1",
  ["iso8859-1"] = "iso-8859-1", latin1 = "iso-8859-1", ["latin-1"] = "iso-8859-1", l1 = "iso-8859-1",
  ["iso_8859-15"] = "iso-8859-15", ["iso8859-15"] = "iso-8859-15", ["latin-9"] = "iso-8859-15", cp1252 = "windows-1252",
}

-- The name by which a charset is known here; nil: it is none of these.
function M.name(name)
  name = ascii.lower(name)
  name = ALIASES[name] or name
  return (name == "utf-8" or TABLES[name]) and name or nil
end

local function replace_utf8(bytes)
  local pieces, from = {}, 1
  while true do
    local length, at = utf8.len(bytes, from)
    if length then break end
    pieces[#pieces + 1] = bytes:sub(from, at - 1) .. REPLACEMENT
    from = at + 1
  end
  return table.concat(pieces) .. bytes:sub(from)
end

-- UTF-8 of `bytes`; nil where the charset is not known, or lacks some of these bytes: with `replace`, U+FFFD is there.
function M.decode(bytes, name, replace)
  name = M.name(name)
  if not name then return nil end
  if name == "utf-8" then
    if utf8.len(bytes) then return bytes end
    return replace and replace_utf8(bytes) or nil
  end
  local to, missing = TABLES[name].to, false
  local text = bytes:gsub("[\x80-\xff]", function(byte)
    if not to[byte] then missing = true end
    return to[byte] or REPLACEMENT
  end)
  if missing and not replace then return nil end
  return text
end

-- The bytes of a text in a charset; nil where that is not known, or lacks a character.
function M.encode(text, name)
  name = M.name(name)
  if not name or not utf8.len(text) then return nil end
  if name == "utf-8" then return text end
  local from, missing = TABLES[name].from, false
  local bytes = text:gsub("[\xc2-\xf4][\x80-\xbf]+", function(character)
    if not from[character] then missing = true end
    return from[character]
  end)
  return not missing and bytes or nil
end

return M
