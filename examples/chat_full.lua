-- chat_full.lua: two people talk, each whenever they like: select waits for the keyboard and for
-- the socket together. Ctrl-D ends it.
--
--   lua5.4 examples/chat_full.lua --listen [host] [port]   # one side
--   lua5.4 examples/chat_full.lua [host] [port]   # the other side
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local PORT = 21570

-- Waits for somebody to call.
local function listen()
  local host, port = example.arguments("host", "", "port", PORT)
  local server <close> = assert(csock.create_server { host, port })
  example.announce(server, port)
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

example.run(function()
  local socket <close> = example.option("--listen") and listen() or call()
  socket:settimeout(10) -- for sendall, when the other side does not read
  -- io.stdin itself would wait for a whole line, when the socket may have something, too.
  local keyboard = assert(csock.stream(io.stdin, "r"))

  while true do
    for _, ready in ipairs(assert(csock.select({ socket, keyboard }, {}, {}))) do
      if ready == keyboard then
        local typed = keyboard:peek() -- what is there
        if not typed or typed == "" then return end
        assert(socket:sendall(assert(keyboard:read(#typed))))
      else
        local data = assert(socket:recv(65536))
        if data == "" then
          print("the other side has left")
          return
        end
        -- What would do something to the terminal is not for it.
        io.write((data:gsub("\r\n", "\n"):gsub("[^\n]+", example.clean))):flush()
      end
    end
  end
end)
