-- select_two.lua: waiting on two connections at once, for five seconds at most. It prints what each
-- of them receives, until both have ended or nothing comes any more.
--
--   lua5.4 examples/select_two.lua [host] [port]   # after thanks_server.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 1234)

  local first <close> = assert(csock.create_connection { host, port })
  local second <close> = assert(csock.create_connection { host, port })
  local open = { [first] = "first", [second] = "second" }

  while next(open) do
    local waiting = {}
    for socket in pairs(open) do table.insert(waiting, socket) end
    local ready = assert(csock.select(waiting, {}, {}, 5))
    if #ready == 0 then
      print("Five seconds elapsed.")
      break
    end
    for _, socket in ipairs(ready) do
      local data = assert(socket:recv(1024))
      if data == "" then
        print(open[socket] .. " has ended")
        open[socket] = nil
      else
        example.show(open[socket] .. ": ", data)
      end
    end
  end
end)
