-- connected_dgram.lua: a UDP socket with connect. It then sends and receives without naming an
-- address, hears nobody else, and is told when nobody is there.
--
--   lua5.4 examples/connected_dgram.lua [host] [port] [message]   # after echo_dgram_server.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port, message =
    example.arguments("host", "localhost", "port", 45000, "message", "Hello, world")

  local client <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(client:connect(host, port)) -- sends nothing yet
  client:settimeout(5)
  print(("from %s to %s"):format(client:getsockname(), client:getpeername()))

  print(("sent %d bytes"):format(assert(client:send(message))))
  example.show("received ", (assert(client:recv(65535))))
end)
