-- echo_stream_client.lua: sends each line that is typed to the echo server and prints what comes
-- back; an empty line or Ctrl-D ends it.
--
--   lua5.4 examples/echo_stream_client.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 45000)

  local client <close> = assert(csock.create_connection { host, port })
  -- A stream has no lines, only bytes. makefile puts the methods of Lua's files over the socket:
  -- reading a line takes as many pieces as it needs to come to its end.
  local stream <close> = assert(client:makefile("rw"))

  while true do
    local line = example.prompt("> ", client)
    if not line or line == "" then break end
    assert(assert(stream:write(line, "\n")):flush())
    print(example.clean(example.reply(stream)))
  end
end)
