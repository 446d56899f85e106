-- command_client.lua: the client of command_server.lua. Type date, os, ls or ls DIR; an empty line
-- or Ctrl-D ends it.
--
--   lua5.4 examples/command_client.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21568)

  local client <close> = assert(csock.create_connection { host, port })
  local stream <close> = assert(client:makefile("rw"))

  while true do
    local command = example.prompt("> ", client)
    if not command or command == "" then break end
    assert(stream:write(command, "\n"))
    assert(stream:flush())
    while true do
      local line = example.reply(stream)
      if line == "" then break end
      print(example.clean(line))
    end
  end
end)
