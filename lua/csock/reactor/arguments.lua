-- arguments.lua: what the reactor's functions are given, checked.
local class = require "csock.class"
local check = require "csock.check"

local M = {}

local function is_string(value) return type(value) == "string" end

local function integer(words, least, most)
  return check.kind(words, check.integer(least, most).fits)
end

M.HOST, M.PATH = check.kind("host: string", is_string), check.kind("path: string", is_string)
M.INTERFACE = check.kind("interface: string", function(value) return value == nil or is_string(value) end)
M.TIMEOUT = check.kind("timeout: seconds >= 0", function(value)
  return value == nil or check.TIMEOUT.fits(value)
end)
M.PORT = integer("port: 0 to 65535", 0, 65535)
M.BACKLOG = integer("backlog: integer >= 0", 0, 0x7fffffff)
M.SIZE = integer("maxPacketSize: integer >= 1", 1, 0x7fffffff)
M.DESCRIPTOR, M.CELLS = integer("descriptor", 0, 0x7fffffff), integer("rows, columns", 0, 65535)

local id = integer("", 0, 0xfffffffe)
M.ID = check.kind("integer: 0 to 2^32 - 2", function(value) return value == nil or id.fits(value) end)

-- An object that has this method, not a class; raises for others.
function M.object(call, place, value, what, method)
  if type(value) == "table" and not class.isclass(value) and value[method] then return value end
  if class.isclass(value) then check.bad(call, place, ("%s expected, got %s"):format(what, value)) end
  check.expected(call, place, what, value)
end

-- Raises unless it is a protocol that has this method, and no port.
function M.idle(call, place, protocol, method)
  M.object(call, place, protocol, "protocol", method)
  if protocol.transport then check.bad(call, place, "the protocol has a transport already") end
end

return M
