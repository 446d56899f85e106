-- tsTclnt.lua: the client of tsTserv.lua. It sends each line that is typed and prints the reply; an
-- empty line or Ctrl-D ends it.
--
--   lua5.4 examples/tsTclnt.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local MOST = BUFSIZ - #"[Sat Jun 17 17:27:21 2006] " -- so that the reply fits in BUFSIZ too

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21567)

  local client <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM))
  assert(client:connect(host, port))

  while true do
    local line = example.prompt("> ", client)
    if not line or line == "" then break end
    for i = 1, #line, MOST do
      assert(client:sendall(line:sub(i, i + MOST - 1)))
      local reply = assert(client:recv(BUFSIZ))
      if reply == "" then example.fail("the server has closed the connection") end
      example.show("", reply)
    end
  end
end)
