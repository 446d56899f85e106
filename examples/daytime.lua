-- daytime.lua: asks a daytime server (RFC 867) for the date, on UDP. What the question says does
-- not matter: any datagram is answered. Both the question and the answer may be lost, so it asks
-- again, waiting longer each time.
--
--   lua5.4 examples/daytime.lua [host] [port]   # daytime_server.lua is such a server
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local WAITS = { 0.5, 1, 2 } -- seconds

-- The service's port, from the system's table of services, where there is one.
local function daytime_port()
  local port = csock.getservbyname("daytime", "udp")
  if not port then
    io.stderr:write("this system does not list the service daytime: trying port 13\n")
  end
  return port or 13
end

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 0)
  if port == 0 then port = daytime_port() end

  local client <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(client:connect(host, port))

  for _, seconds in ipairs(WAITS) do
    client:settimeout(seconds)
    assert(client:send("what time is it?"))
    local date, err = client:recv(1024)
    if date then
      print(example.clean((date:gsub("%s+$", ""))))
      return
    end
    if not err:is(csock.timeout) then error(err) end
    io.stderr:write(("no answer within %g s\n"):format(seconds))
  end
  example.fail("no answer from %s, port %d", host, port)
end)
