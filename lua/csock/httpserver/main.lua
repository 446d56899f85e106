--- A server for the command line.
-- @module csock.httpserver
local check = require "csock.check"
local csock = require "csock"
local files = require "csock.httpserver.files"
local serve = require "csock.httpserver.serve"

local M = {}

local OPTIONS = { bind = { check.STRING, "" }, links = { check.ANY } }

--- Shows the files below a directory until Ctrl-C: Python's `python -m http.server`, as
-- `lua5.4 -e 'require"csock.httpserver".main()'`. It says where, and logs to standard error.
-- @function main
-- @tparam[opt="."] string directory
-- @tparam[opt=8000] int port 0: any free one
-- @tparam[opt] table options
-- @tparam[opt] string options.bind the host to listen on (default: every address of the machine)
-- @tparam[opt=false] boolean options.links symbolic links are followed
-- @raise when it cannot listen
-- @usage
-- loop.call_later(0.05, csock._exit) -- without it, until Ctrl-C
-- httpserver.main(".", 0)
function M.main(directory, port, options)
  if directory ~= nil then check.argument(check.STRING, directory, 1, "main") end
  if port ~= nil then check.argument(check.integer(0, 65535), port, 2, "main") end
  options = check.options(options, OPTIONS, 3, "main")
  local server <close> = assert(serve.serve({ options.bind, port or 8000 },
    files.files(directory or ".", { links = options.links }), { access_log = true }))
  print("listening on port " .. server:getsockname()[2])
  io.stdout:flush()
  assert(csock.run())
end

return M
