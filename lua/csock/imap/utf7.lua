--- Names of mailboxes: UTF-7 as IMAP has it (RFC 3501 section 5.1.3).
-- @module csock.imap
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local csock = require "csock"

local M = {}

local E = csock.errno

local UTF8 = check.kind("string of UTF-8", function(value)
  return type(value) == "string" and utf8.len(value) ~= nil
end)

local function shifted(units)
  return "&" .. base64.encode(table.concat(units)):gsub("=", ""):gsub("/", ",") .. "-"
end

--- A name as it is sent: what is not ASCII becomes UTF-7, and `&` becomes `&-`.
-- @function encode_mailbox
-- @tparam string name UTF-8
-- @treturn string
-- @usage print(imap.encode_mailbox "Entwürfe & mehr") --> Entw&APw-rfe &- mehr
function M.encode_mailbox(name)
  check.argument(UTF8, name, 1, "encode_mailbox")
  local parts, units = {}, {}
  local function unshift()
    if #units > 0 then parts[#parts + 1], units = shifted(units), {} end
  end
  for _, c in utf8.codes(name) do
    if c >= 0x20 and c <= 0x7E then
      unshift()
      parts[#parts + 1] = c == 38 and "&-" or string.char(c)
    elseif c < 0x10000 then
      units[#units + 1] = (">I2"):pack(c)
    else
      c = c - 0x10000
      units[#units + 1] = (">I2I2"):pack(0xD800 | c >> 10, 0xDC00 | c & 0x3FF)
    end
  end
  unshift()
  return table.concat(parts)
end

-- The characters of UTF-16; nil for what is none.
local function characters(bytes)
  if #bytes % 2 == 1 then return nil end
  local parts, at = {}, 1
  while at <= #bytes do
    local c = (">I2"):unpack(bytes, at)
    at = at + 2
    if c >= 0xD800 and c <= 0xDFFF then
      local low = c < 0xDC00 and at < #bytes and (">I2"):unpack(bytes, at) or 0
      if low < 0xDC00 or low > 0xDFFF then return nil end
      c, at = 0x10000 + ((c & 0x3FF) << 10 | low & 0x3FF), at + 2
    end
    parts[#parts + 1] = utf8.char(c)
  end
  return table.concat(parts)
end

-- What stands between "&" and "-".
local function unshifted(letters)
  if letters == "" then return "&" end
  if not letters:find "^[%w+,]+$" or #letters % 4 == 1 then return nil end
  local bytes = base64.decode((letters:gsub(",", "/")) .. ("="):rep(-#letters % 4))
  -- Only what encoding gives is taken: two names would be one otherwise.
  if not bytes or base64.encode(bytes):gsub("=", ""):gsub("/", ",") ~= letters then return nil end
  return characters(bytes)
end

--- The name that was sent.
-- @function decode_mailbox
-- @tparam string name
-- @treturn[1] string UTF-8
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`: it is no UTF-7)
-- @usage print(imap.decode_mailbox "Entw&APw-rfe &- mehr") --> Entwürfe & mehr
function M.decode_mailbox(name)
  check.argument(check.STRING, name, 1, "decode_mailbox")
  local parts, at = {}, 1
  local function bad()
    return csock.make_error {
      call = "IMAP", kind = "protocol", errno = E.EBADMSG, strerror = "a name that is no UTF-7",
    }
  end
  if not utf8.len(name) then return bad() end -- servers that have gone over to UTF-8 send that
  while at <= #name do
    local plain, letters, behind = name:match("^([^&]*)&([^-]*)%-()", at)
    if not plain then
      plain = name:sub(at)
      if plain:find "&" then return bad() end
      letters, behind = nil, #name + 1
    end
    parts[#parts + 1] = plain
    if letters then
      local text = unshifted(letters)
      if not text then return bad() end
      parts[#parts + 1] = text
    end
    at = behind
  end
  return table.concat(parts)
end

return M
