-- tsTclntSS.lua: the client of tsTservSS.lua. It makes a new connection for each line that is typed; an empty line or
-- Ctrl-D ends it.
--
--   lua5.4 examples/tsTclntSS.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local MOST = BUFSIZ - #"\r\n" -- the server reads so much of a line
local REPLY = 2 * BUFSIZ -- bytes of a reply: the line and the date

local function ask(host, port, line)
  local client <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM))
  assert(client:connect(host, port))
  assert(client:sendall(line .. "\r\n"))
  local stream <close> = assert(client:makefile())
  return stream:read(REPLY) -- or all that comes before the end; nil when that is nothing
end

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21567)

  while true do
    local line = example.prompt("> ")
    if not line or line == "" then break end
    for i = 1, #line, MOST do
      local reply, err = ask(host, port, line:sub(i, i + MOST - 1))
      if not reply then example.fail("%s", err or "the server has closed the connection") end
      example.show("", reply)
    end
  end
end)
