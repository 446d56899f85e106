--- Python's sockets for Lua.
-- @module csock
local core = require "csock.core"

--- The version: `"csock 0.1.0"`.
-- @field _VERSION
local M = { _VERSION = "csock 0.1.0" }
for name, value in pairs(core) do M[name] = value end
require "csock.net"(M)

return M
