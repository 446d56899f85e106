-- place.lua: hosts, ports and targets, as they stand in requests.
local ascii = require "csock.wire.ascii"
local check = require "csock.check"

local M = {}

-- What no request line may have: control characters, blanks, and the fragment, which is never sent.
local NOT_IN_TARGET = "[%c \x7F#]"

function M.is_target(target) return type(target) == "string" and not target:find(NOT_IN_TARGET) end

-- A host as a connection is made to: without brackets, a zone with a bare percent sign.
function M.bare(host)
  local literal = host:match "^%[(.*)%]$" or host
  if literal:find(":", 1, true) then literal = literal:gsub("%%25", "%%", 1) end
  return literal
end

-- The host as Host and CONNECT have it: an IPv6 address in brackets, without its zone, which is this side's alone.
local function shown(host)
  if not host:find(":", 1, true) then return host end
  return "[" .. host:match "^[^%%]*" .. "]"
end

-- "host:port", without a port that is the usual one.
function M.authority(host, port, usual)
  return port == usual and shown(host) or shown(host) .. ":" .. port
end

-- The host and port of a constructor's arguments: "host", "host:port", "[::1]:port". Raises for what is none.
function M.split(host, port, usual, call)
  check.argument(check.STRING, host, 1, call)
  if port ~= nil then check.argument(check.integer(0, 65535), port, 2, call) end
  if host == "" or host:find "[%c %/?#@\\\x7F]" then check.bad(call, 1, "a host expected") end
  local name, digits = host:match "^(%[[^%[%]]*%]):?(%d*)$"
  if not name and not host:find "[%[%]]" then
    if host:find ":.*:" then name, digits = host, "" else name, digits = host:match "^([^:]*):?(%d*)$" end
  end
  if not name or name == "" then check.bad(call, 1, "a host expected") end
  if digits ~= "" and port == nil then
    port = ascii.integer(digits, 65535)
    if not port then check.bad(call, 1, "a port up to 65535 expected") end
  end
  return M.bare(name), port or usual
end

return M
