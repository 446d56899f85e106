-- tsTclntSS_persist.lua: the client of tsTservSS_persist.lua. It keeps one connection for all lines that are typed; an
-- empty line or Ctrl-D ends it.
--
--   lua5.4 examples/tsTclntSS_persist.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local MOST = BUFSIZ - #"\r\n" -- the server takes no longer line

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21567)

  local client <close> = assert(csock.create_connection { host, port })
  local stream <close> = assert(client:makefile("rw", 0))

  while true do
    local line = example.prompt("> ", client)
    if not line or line == "" then break end
    for i = 1, #line, MOST do
      assert(stream:write(line:sub(i, i + MOST - 1), "\r\n"))
      print(example.clean(example.reply(stream)))
    end
  end
end)
