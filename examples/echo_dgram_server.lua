-- echo_dgram_server.lua: sends back what it receives, on UDP.
--
--   lua5.4 examples/echo_dgram_server.lua [host] [port]   # then echo_dgram_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "", "port", 45000)

  -- No SO_REUSEADDR: with UDP it would let two servers take the same port.
  local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(server:bind(host, port))
  example.announce(server)

  while true do
    example.wait(server)
    local data, address = assert(server:recvfrom(65535)) -- no datagram is longer
    print(("%d bytes from %s"):format(#data, address))
    server:sendto(data, address)
  end
end)
