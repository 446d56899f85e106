-- chat_full.lua: two people talk, each whenever they like: select waits for the keyboard and for
-- the socket together. What comes in appears above the line that is being typed. Ctrl-D ends it.
--
--   lua5.4 examples/chat_full.lua --listen [host] [port]   # one side
--   lua5.4 examples/chat_full.lua [host] [port]   # the other side
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local PORT = 21570
local LINE = 65536 -- bytes: a longer line is shown in pieces

-- Waits for somebody to call.
local function listen()
  local host, port = example.arguments("host", "", "port", PORT)
  local server <close> = assert(csock.create_server { host, port })
  example.announce(server)
  print("waiting for connection...")
  example.wait(server)
  local socket, address = assert(server:accept())
  print(("...connected from: %s"):format(address))
  return socket
end

local function call()
  local host, port = example.arguments("host", "localhost", "port", PORT)
  return assert(csock.create_connection { host, port })
end

-- Shows the lines of what came; returns the rest, of which the end is still to come.
local function show(keyboard, data)
  local first = 1
  for last in data:gmatch "()\n" do
    keyboard:show("< " .. example.clean((data:sub(first, last - 1):gsub("\r$", ""))))
    first = last + 1
  end
  local rest = data:sub(first)
  if #rest <= LINE then return rest end
  keyboard:show("< " .. example.clean(rest))
  return ""
end

example.run(function()
  local socket <close> = example.option("--listen") and listen() or call()
  socket:settimeout(10) -- for sendall, when the other side does not read
  local keyboard <close> = example.typing("> ")
  keyboard:open()
  local rest = ""

  while true do
    for _, ready in ipairs(assert(csock.select({ socket, keyboard }, {}, {}))) do
      if ready == keyboard then
        for _, line in ipairs(keyboard:lines()) do assert(socket:sendall(line .. "\n")) end
        if keyboard.finished then return end
      else
        local data = assert(socket:recv(65536))
        if data == "" then
          if rest ~= "" then show(keyboard, rest .. "\n") end -- a line all the same, being the last
          keyboard:show("the other side has left")
          return
        end
        rest = show(keyboard, rest .. data)
      end
    end
  end
end)
