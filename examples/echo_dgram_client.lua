-- echo_dgram_client.lua: sends each line that is typed to the echo server, each as a datagram, and
-- prints what comes back; an empty line or Ctrl-D ends it.
--
--   lua5.4 examples/echo_dgram_client.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 45000)

  local server = assert(csock.gethostbyname(host))
  local client <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  client:settimeout(5) -- a datagram can be lost: never wait for one without an end

  while true do
    local line = example.prompt("> ")
    if not line or line == "" then break end
    local sent, err = client:sendto(line, { server, port })
    if sent then
      local echo, address = assert(client:recvfrom(65535))
      print(("%s from %s"):format(example.clean(echo), address))
    else
      print(err) -- a line too long for a datagram, for instance
    end
  end
end)
