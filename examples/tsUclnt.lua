-- tsUclnt.lua: the client of tsUserv.lua, on UDP. It sends each line that is typed and prints the
-- reply; an empty line or Ctrl-D ends it.
--
--   lua5.4 examples/tsUclnt.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local MOST = BUFSIZ - #"[Sat Jun 17 17:27:21 2006] " -- so that the reply fits in BUFSIZ too

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21567)

  -- connect() sends nothing on UDP. It names the one address to talk to, and lets the system tell
  -- us that nobody is there. A datagram can still be lost, so no wait is without an end.
  local client <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(client:connect(host, port))
  client:settimeout(5)

  while true do
    local line = example.prompt("> ")
    if not line or line == "" then break end
    for i = 1, #line, MOST do
      assert(client:send(line:sub(i, i + MOST - 1)))
      example.show("", (assert(client:recv(BUFSIZ))))
    end
  end
end)
