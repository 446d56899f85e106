-- safe_send.lua: sending more than the system takes at once. `send` says how many bytes it took,
-- and the program goes on from there; `sendall` does the same by itself.
--
--   lua5.4 examples/safe_send.lua --receive [host] [port]   # in one terminal
--   lua5.4 examples/safe_send.lua [host] [port] [bytes]   # in another
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

-- Counts what each client sends, and tells it.
local function receive()
  local host, port = example.arguments("host", "", "port", 45001)
  local server <close> = assert(csock.create_server { host, port })
  example.announce(server)

  while true do
    example.wait(server)
    local client <close>, address = assert(server:accept())
    local count = 0
    while true do
      example.wait(client)
      local data, err = client:recv(65536)
      if err then print("lost: " .. err) end
      if not data or data == "" then break end
      count = count + #data
    end
    print(("%d bytes from %s"):format(count, address))
    client:sendall(tostring(count))
  end
end

-- Sends the message with `send`, piece by piece; returns how many pieces it took.
local function safe_send(socket, message)
  local sent, pieces = 0, 0
  while sent < #message do
    -- From the byte after the last one that was sent: the message itself is not cut.
    sent = sent + assert(socket:send(message, 0, sent + 1))
    pieces = pieces + 1
  end
  return pieces
end

-- Says that there is no more to come, and reads the receiver's count.
local function counted(socket)
  assert(socket:shutdown(csock.SHUT_WR))
  local stream <close> = assert(socket:makefile("r"))
  return example.clean(assert(stream:read(20))) -- a number has no more bytes; or all before the end
end

local function send()
  local host, port, size =
    example.arguments("host", "localhost", "port", 45001, "bytes", 10000000)
  local message = ("x"):rep(size)

  do
    local socket <close> = assert(csock.create_connection { host, port })
    local pieces = safe_send(socket, message)
    local count = counted(socket)
    print(("send: %d bytes in %d pieces; the receiver counted %s"):format(size, pieces, count))
  end
  do
    local socket <close> = assert(csock.create_connection { host, port })
    assert(socket:sendall(message))
    print(("sendall: %d bytes; the receiver counted %s"):format(size, counted(socket)))
  end
end

example.run(example.option("--receive") and receive or send)
