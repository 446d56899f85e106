-- thanks_client.lua: a first client: it prints all that the server sends.
--
--   lua5.4 examples/thanks_client.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 1234)

  local client <close> = assert(csock.socket())
  assert(client:connect(host, port))

  -- recv gives what there is, which may be a part of the message; "" means that there is no more.
  while true do
    local data = assert(client:recv(1024))
    if data == "" then break end
    io.write(example.clean_lines(data))
  end
  print()
end)
