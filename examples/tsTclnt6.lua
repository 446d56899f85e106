-- tsTclnt6.lua: the client of tsTserv6.lua, over IPv6. Only the family and the host differ from
-- tsTclnt.lua.
--
--   lua5.4 examples/tsTclnt6.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local MOST = BUFSIZ - #"[Sat Jun 17 17:27:21 2006] " -- so that the reply fits in BUFSIZ too

example.run(function()
  local host, port = example.arguments("host", "::1", "port", 21567)

  local client <close> = assert(csock.socket(csock.AF_INET6, csock.SOCK_STREAM))
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
