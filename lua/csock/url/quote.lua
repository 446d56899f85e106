-- quote.lua: percent-encoding, and back.
local check = require "csock.check"

local M = {}

-- --- quoting --------------------------------------------------------------------------------------

local ESCAPES, BYTES = {}, {}
for byte = 0, 255 do
  local char = string.char(byte)
  ESCAPES[char] = ("%%%02X"):format(byte)
  for _, form in ipairs { "%02x", "%02X" } do
    local digits = form:format(byte)
    BYTES[digits] = char
    BYTES[digits:sub(1, 1) .. digits:sub(2):upper()] = char
    BYTES[digits:sub(1, 1):upper() .. digits:sub(2)] = char
  end
end

-- The pattern of what is quoted. Letters and digits stand for themselves in it, other bytes behind a percent sign.
local function unsafe(safe)
  local others = safe:gsub("[\x80-\xFF]", ""):gsub("[^A-Za-z0-9]", "%%%0")
  return "[^A-Za-z0-9_.~%-" .. others .. "]"
end

local SLASH, NONE = unsafe "/", unsafe ""

--- Replaces bytes by `%XX`, but for letters, digits, `_.-~` and those in `safe`.
-- Source: Python's `urllib.parse.quote`. Any bytes may be quoted; text is best UTF-8.
-- @tparam string text
-- @tparam[opt="/"] string safe what else stays; bytes that are not ASCII never do
-- @treturn string
-- @usage print(url.quote "a b/ü") --> a%20b/%C3%BC
function M.quote(text, safe)
  check.argument(check.STRING, text, 1, "quote")
  if safe == nil then return (text:gsub(SLASH, ESCAPES)) end
  check.argument(check.STRING, safe, 2, "quote")
  return (text:gsub(unsafe(safe), ESCAPES))
end

--- The same: a Lua string is bytes.
-- Source: Python's `urllib.parse.quote_from_bytes`.
-- @function quote_from_bytes
-- @tparam string bytes
-- @tparam[opt="/"] string safe
-- @treturn string
-- @usage print(url.quote_from_bytes "\0a") --> %00a
M.quote_from_bytes = M.quote

--- Quotes as HTML forms do: a blank becomes `+`.
-- Source: Python's `urllib.parse.quote_plus`.
-- @tparam string text
-- @tparam[opt=""] string safe what else stays
-- @treturn string
-- @usage print(url.quote_plus "a b&c") --> a+b%26c
function M.quote_plus(text, safe)
  check.argument(check.STRING, text, 1, "quote_plus")
  if safe ~= nil then check.argument(check.STRING, safe, 2, "quote_plus") end
  if not text:find(" ", 1, true) then return (text:gsub(safe and unsafe(safe) or NONE, ESCAPES)) end
  return (text:gsub(unsafe((safe or "") .. " "), ESCAPES):gsub(" ", "+"))
end

-- --- unquoting ------------------------------------------------------------------------------------

--- Replaces `%XX` by the byte. What is no `%XX` stays.
-- Source: Python's `urllib.parse.unquote`, or rather `unquote_to_bytes`: what is no UTF-8 then stays as it is.
-- @tparam string text
-- @treturn string any bytes, zeros and line ends too
-- @usage print(url.unquote "a%20b") --> a b
function M.unquote(text)
  check.argument(check.STRING, text, 1, "unquote")
  return (text:gsub("%%([0-9A-Fa-f][0-9A-Fa-f])", BYTES))
end

--- The same: a Lua string is bytes.
-- Source: Python's `urllib.parse.unquote_to_bytes`.
-- @function unquote_to_bytes
-- @tparam string text
-- @treturn string
-- @usage print(#url.unquote_to_bytes "%00a") --> 2
M.unquote_to_bytes = M.unquote

--- The same for what HTML forms have quoted: `+` is a blank.
-- Source: Python's `urllib.parse.unquote_plus`.
-- @tparam string text
-- @treturn string
-- @usage print(url.unquote_plus "a+b%26c") --> a b&c
function M.unquote_plus(text)
  check.argument(check.STRING, text, 1, "unquote_plus")
  return M.unquote((text:gsub("%+", " ")))
end

return M
