--- Python's sockets for Lua.
--
-- All of Python's modules `socket` and `select`, under Python's names. What waits can wait in a task as
-- well: `spawn`, `sleep`, `yield`, `run`, `now`, `wrap` and `resume` are those of @{csock.loop}, which is
-- `csock.loop`, and `serve` is that of @{csock.serve}.
--
-- A call that fails for reasons outside the program gives nil, an error (see the type `error`) and its
-- number. A wrong argument raises.
--
-- A constant becomes a field when it is first asked for. What is written in Lua is loaded with the first of it that is
-- asked for: `loop`, `serve`, `fork`, `is_error`, `create_server`, `create_connection`, `getfqdn`,
-- `has_dualstack_ipv6`. A program that cannot load modules later (it goes to another directory or root, or takes
-- `require` away) asks before.
--
-- `pairs(csock)` makes and shows all fields, also for what completes names at a prompt; `next(csock)` and `rawget` know
-- those that were asked for. The same is true of `csock.errno`.
-- @module csock
local core = require "csock.core"

--- The version: `"csock 0.3.0"`.
-- @field _VERSION
local M = { _VERSION = core._VERSION }

-- What is written in Lua. Of the core's functions it wraps `fork`; the core's table `loop` is for csock.loop alone.
local in_lua = {
  loop = true, serve = true, fork = true, is_error = true,
  create_connection = true, create_server = true, getfqdn = true, has_dualstack_ipv6 = true,
}

-- Of the core, what is for the modules of these names alone.
local of_modules = {
  coding = true, file = true, http = true, program = true, websocket = true, service = true, testing = true,
}

for name, value in next, core do
  if not in_lua[name] and not of_modules[name] then M[name] = value end
end
for _, name in ipairs { "spawn", "sleep", "yield", "run", "now", "wrap", "resume" } do M[name] = core.loop[name] end

local function load_rest()
  local internal = require "csock.loop.internal"
  -- (Where a host has left out the loop, all of it says so when it is called.)
  local serve = internal.has_loop and require "csock.serve" or core.loop.serve
  local rest = require "csock.net"(M)

  rest.loop = internal.has_loop and require "csock.loop" or core.loop
  rest.fork = internal.fork -- the core's, documented there

  --- Whether a value is an error of csock's: what a call has given as its second result, or `assert` has raised; as
  -- opposed to a mistake in the program, or another library's error. Any value may be asked about.
  -- @function is_error
  -- @param value
  -- @treturn boolean
  -- @usage
  -- local ok, err = pcall(function() assert(csock.socket {fileno = -1}) end)
  -- print(ok, csock.is_error(err), csock.is_error "text") --> false false false
  rest.is_error = internal.is_error

  function rest.serve(address, handler, options)
    return serve(M.create_server, address, handler, options)
  end

  for name in pairs(in_lua) do
    if rawget(M, name) == nil then M[name] = rest[name] end -- a program may have set its own
  end
end

local constants = getmetatable(core)

return setmetatable(M, {
  __index = function(_, name)
    if not in_lua[name] then return constants.__index(M, name) end
    load_rest()
    return M[name]
  end,
  __pairs = function()
    for name in pairs(in_lua) do
      if rawget(M, name) == nil then load_rest() end
    end
    return constants.__pairs(M)
  end,
})
