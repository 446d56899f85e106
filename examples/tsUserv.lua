-- tsUserv.lua: the timestamp server, on UDP. There is no connection: each datagram comes with the
-- address of its sender, and is sent back there with the date before it.
--
--   lua5.4 examples/tsUserv.lua [host] [port]   # then tsUclnt.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024

example.run(function()
  local host, port = example.arguments("host", "", "port", 21567)

  -- No SO_REUSEADDR: with UDP it would let two servers take the same port.
  local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(server:bind(host, port)) -- "" is every address of this machine
  example.announce(server)

  while true do
    print("waiting for message...")
    example.wait(server)
    local data, address = assert(server:recvfrom(BUFSIZ))
    local sent, err = server:sendto(("[%s] %s"):format(os.date("%c"), data), address)
    if sent then
      print(("...received from and returned to: %s"):format(address))
    else
      print("...not returned: " .. err)
    end
  end
end)
