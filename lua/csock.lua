--- Python's sockets for Lua.
-- @module csock
local core = require "csock.core"

local M = {}
for name, value in pairs(core) do M[name] = value end

return M
