-- socket_options.lua: reading and setting the options of a socket.
--
--   lua5.4 examples/socket_options.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  example.arguments()
  local socket <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM))

  local size = assert(socket:getsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF))
  print(("SO_SNDBUF: %d bytes wait at most to be sent"):format(size))

  local before = assert(socket:getsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR))
  assert(socket:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, 1))
  local after = assert(socket:getsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR))
  print(("SO_REUSEADDR: %d at first, %d after setting it"):format(before, after))

  local hops = assert(socket:getsockopt(csock.SOL_IP, csock.IP_TTL))
  print(("IP_TTL: %d hops, then a packet is dropped"):format(hops))
end)
