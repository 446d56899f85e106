--- Python's sockets for Lua.
-- @module csock
local core = require "csock.core"
local loop = require "csock.loop"
local serve = require "csock.serve"

--- The version: `"csock 0.1.0"`.
-- @field _VERSION
local M = { _VERSION = "csock 0.1.0" }
for name, value in pairs(core) do M[name] = value end
M.loop = loop
for _, name in ipairs { "spawn", "sleep", "yield", "run", "now", "wrap", "resume" } do M[name] = loop[name] end
require "csock.net"(M)

function M.serve(address, handler, options)
  return serve(M.create_server, address, handler, options)
end

return M
