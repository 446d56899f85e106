-- daytime_server.lua: a daytime server (RFC 867) on UDP: it answers any datagram with the date. The
-- service's own port, 13, is for the superuser; give another one to try it.
--
--   lua5.4 examples/daytime_server.lua [host] [port]
--   lua5.4 examples/daytime_server.lua 1313   # then daytime.lua 1313
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "", "port", 13)

  -- No SO_REUSEADDR: with UDP it would let two servers take the same port.
  local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(server:bind(host, port))
  example.announce(server)

  while true do
    print("waiting for message...")
    example.wait(server)
    local _, address = assert(server:recvfrom(1024))
    server:sendto(os.date("%c") .. "\r\n", address)
    print(("...told the date to: %s"):format(address))
  end
end)
