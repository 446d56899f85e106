-- http.lua: `csock http`.
local address = require "csock.command.address"
local failure = require "csock.command.failure"

local M = {
  name = "http",
  usage = { "[OPTIONS] [DIRECTORY] [PORT]" },
  about = "Shows the files below a directory (the present one) by HTTP, on port 8000 or this one; 0 is any free one.",
  options = {
    { "-b", "--bind", "HOST", help = "listen at this address alone, such as 127.0.0.1" },
    { "-L", "--links", help = "follow symbolic links" },
  },
  text = { "A number alone is the port; a directory of such a name is ./NUMBER." },
  operands = { 0, 2 },
}

function M.run(found, operands)
  local directory, port = table.unpack(operands)
  if not port and directory and directory:find "^%d+$" then directory, port = nil, directory end
  local number = port and failure.expect(address.port(port))
  failure.check(io.open(directory or ".")):close()
  require "csock.httpserver".main(directory, number, { bind = found.bind, links = found.links })
end

return M
