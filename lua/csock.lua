--- Python's sockets for Lua.
--
-- All of Python's modules `socket` and `select`, under Python's names. What waits can wait in a task as
-- well: `spawn`, `sleep`, `yield`, `run`, `now`, `wrap` and `resume` are those of @{csock.loop}, which is
-- `csock.loop`, and `serve` is that of @{csock.serve}.
--
-- A call that fails for reasons outside the program gives nil, an error (see the type `error`) and its
-- number. A wrong argument raises.
-- @module csock
local core = require "csock.core"
local loop = require "csock.loop"
local internal = require "csock.loop.internal"
local serve = require "csock.serve"

--- The version: `"csock 0.1.0"`.
-- @field _VERSION
local M = { _VERSION = "csock 0.1.0" }
for name, value in pairs(core) do M[name] = value end
M.loop = loop
for _, name in ipairs { "spawn", "sleep", "yield", "run", "now", "wrap", "resume" } do M[name] = loop[name] end
require "csock.net"(M)

--- Whether a value is an error of csock's: what a call has given as its second result, or `assert` has raised; as
-- opposed to a mistake in the program, or another library's error. Any value may be asked about.
-- @function is_error
-- @param value
-- @treturn boolean
-- @usage local ok, err = pcall(work)
-- if not ok and csock.is_error(err) and err.name == "ECONNRESET" then return end
M.is_error = internal.is_error

M.fork = internal.fork -- the core's, documented there

function M.serve(address, handler, options)
  return serve(M.create_server, address, handler, options)
end

return M
