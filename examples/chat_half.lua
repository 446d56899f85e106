-- chat_half.lua: two people talk in turns: the one who connected begins, and each then waits for
-- the other's line. Ctrl-D ends it.
--
--   lua5.4 examples/chat_half.lua --listen [host] [port]   # one side
--   lua5.4 examples/chat_half.lua [host] [port]   # the other side
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local PORT = 21569
local LINE = 65536 -- bytes: a longer line is not shown

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

local function complain()
  print(("(a line of over %d bytes)"):format(LINE))
end

example.run(function()
  local my_turn = not example.option("--listen")
  local socket <close> = my_turn and call() or listen()
  local stream <close> = assert(socket:makefile("rw"))

  while true do
    if my_turn then
      io.write("> "):flush()
      local line, left = example.typed_line(socket)
      if not line then print(left and "\nthe other side has left" or "") end
      if not line then break end
      assert(assert(stream:write(line, "\n")):flush())
    elseif not example.attend(stream) then
      break
    else
      local line, err = example.read_line(stream, LINE, complain)
      if err then error(err) end
      if not line then
        print("the other side has left")
        break
      end
      print("< " .. example.clean(line))
    end
    my_turn = not my_turn
  end
end)
