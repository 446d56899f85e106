-- tsTserv6.lua: the timestamp server of tsTserv.lua, over IPv6. Only the family and the host
-- differ.
--
--   lua5.4 examples/tsTserv6.lua [host] [port]   # then tsTclnt6.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024

example.run(function()
  local host, port = example.arguments("host", "::1", "port", 21567)

  local server <close> = assert(csock.socket(csock.AF_INET6, csock.SOCK_STREAM))
  -- Without this, the port of a server that has just ended stays taken for a minute.
  assert(server:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, 1))
  assert(server:bind(host, port))
  assert(server:listen(5))
  example.announce(server)

  while true do
    print("waiting for connection...")
    example.wait(server)
    local client <close>, address = assert(server:accept())
    print(("...connected from: %s"):format(address))

    while true do
      example.wait(client)
      local data, err = client:recv(BUFSIZ)
      if data == "" then break end -- the client has finished
      if data then
        data, err = client:sendall(("[%s] %s"):format(os.date("%c"), data))
      end
      if not data then -- the client is gone; the next one may be waiting
        print("...lost: " .. err)
        break
      end
    end
  end
end)
