-- netloc.lua: user, password, host and port of a URL, and what is refused there.
local ascii = require "csock.wire.ascii"
local csock = require "csock"

local M = {}

-- What IDNA (NFKC) turns into one of /?#@: or text with one: a host that is another one when it is looked up.
local CONFUSABLE = {}
for _, code in ipairs {
  0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x2A74, 0xFE13, 0xFE16, 0xFE55, 0xFE56, 0xFE5F, 0xFE6B,
  0xFF03, 0xFF0F, 0xFF1A, 0xFF1F, 0xFF20,
} do
  CONFUSABLE[code] = true
end

local function is_confusable(netloc)
  if not netloc:find "[\x80-\xFF]" then return false end
  if not utf8.len(netloc) then return true end
  for _, code in utf8.codes(netloc) do
    if CONFUSABLE[code] then return true end
  end
  return false
end

-- Whether what stands in brackets is an IPv6 address, perhaps with a zone, or of a version to come.
local function is_literal(text)
  if text:sub(1, 1) == "v" then return text:find "^v[0-9A-Fa-f]+%.." ~= nil end
  local address = text:match "^([^%%]*)%%[^%%]+$" or text
  return csock.inet_pton(csock.AF_INET6, address) ~= nil
end

-- In small letters, but for what follows a percent sign: a zone has both.
local function hostname_of(host)
  if host == "" then return nil end
  local name, zone = host:match "^([^%%]*)(.*)$"
  return ascii.lower(name) .. zone
end

-- Takes one apart: `username`, `password`, `hostname`, `port`, each where there is one. Nil and words for one that is
-- refused.
function M.parse(netloc)
  if netloc == "" then return {} end
  if netloc:find "[/?#\\]" then return nil, "a delimiter or a backslash in the host" end
  if is_confusable(netloc) then return nil, "the host is no UTF-8, or has a character that is taken for a delimiter" end
  local login, place = netloc:match "^(.*)@([^@]*)$"
  if not login then place = netloc end
  local bracketed, rest = place:match "^%[([^%[%]]*)%](.*)$"
  if not bracketed and netloc:find "[%[%]]" or login and login:find "[%[%]]" then
    return nil, "brackets that are not around the host"
  end
  if bracketed and not is_literal(bracketed) then return nil, "no IPv6 address in the brackets" end
  local host = bracketed
  if not host then host, rest = place:match "^([^:]*)(.*)$" end
  local digits = rest:match "^:?(.*)$"
  if rest ~= "" and rest:sub(1, 1) ~= ":" then return nil, "something between the host and the port" end
  local port
  if digits ~= "" then
    port = ascii.integer(digits, 65535)
    if not port then return nil, "the port must be digits, at most 65535" end
  end
  local user, password = (login or ""):match "^([^:]*):?(.*)$"
  return {
    username = login and user, password = login and login:find(":", 1, true) and password or nil,
    hostname = hostname_of(host), port = port,
  }
end

return M
