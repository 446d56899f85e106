-- thanks_server.lua: a first server: it thanks each client for connecting, and hangs up.
--
--   lua5.4 examples/thanks_server.lua [host] [port]   # then thanks_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "", "port", 1234)

  -- socket, setsockopt(SO_REUSEADDR), bind and listen in one call
  local server <close> = assert(csock.create_server { host, port })
  example.announce(server)

  while true do
    example.wait(server)
    local client <close>, address = assert(server:accept())
    print(("Got connection from %s"):format(address))
    client:sendall("Thank you for connecting")
  end
end)
