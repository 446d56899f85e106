-- echo_stream_server.lua: sends back what it receives, on TCP, one client at a time.
--
--   lua5.4 examples/echo_stream_server.lua [host] [port]   # then echo_stream_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

-- Until the client has finished: the number of bytes echoed; or nil and why it was lost.
local function echo(client)
  local count = 0
  while true do
    example.wait(client)
    local data, err = client:recv(4096)
    if data == "" then return count end
    if data then
      data, err = client:sendall(data) and data, err
    end
    if not data then return nil, err end
    count = count + #data
  end
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 45000)

  local server <close> = assert(csock.create_server { host, port })
  example.announce(server)

  while true do
    example.wait(server)
    local client <close>, address = assert(server:accept())
    print(("connected: %s"):format(address))
    local count, err = echo(client)
    print(("disconnected: %s, %s"):format(address, err or count .. " bytes echoed"))
  end
end)
