-- select_stdin.lua: waiting for standard input. select takes Lua's files as well as sockets, so one
-- call could wait for both (see chat_full.lua).
--
--   lua5.4 examples/select_stdin.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  example.arguments()
  -- select sees what the system holds, not what Lua's file has already read ahead.
  io.stdin:setvbuf("no")

  print("Type something; Ctrl-D ends it.")
  while true do
    local ready = assert(csock.select({ io.stdin }, {}, {}, 5))
    if ready[1] == io.stdin then
      local line = io.read()
      if not line then break end
      print("You typed: " .. line)
    else
      print("Five seconds elapsed.")
    end
  end
end)
