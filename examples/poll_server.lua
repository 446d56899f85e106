-- poll_server.lua: many clients at once, in one process: the server of select_server.lua on poll,
-- which knows sockets by their descriptors, so the program keeps a map from descriptor to socket.
--
--   lua5.4 examples/poll_server.lua [host] [port]   # then telnet localhost 1234
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "", "port", 1234)

  local server <close> = assert(csock.create_server { host, port })
  server:setblocking(false) -- a client that is gone before accept must not make it wait
  example.announce(server)

  local sockets <close> = example.closing {} -- the clients, by descriptor
  local address_of = {}
  local poll = csock.poll()
  poll:register(server, csock.POLLIN)
  if example.keyboard() then poll:register(io.stdin, csock.POLLIN) end

  local function connect()
    local client, address = server:accept()
    if not client then -- gone already, or there is no descriptor left for it: no hurry to ask again
      csock.select({}, {}, {}, 0.1)
      return
    end
    sockets[client:fileno()] = client
    address_of[client] = address
    poll:register(client, csock.POLLIN)
    print(("Got connection from %s"):format(address))
  end

  local function disconnect(fd)
    print(("%s disconnected"):format(address_of[sockets[fd]]))
    poll:unregister(fd)
    address_of[sockets[fd]] = nil
    sockets[fd]:close()
    sockets[fd] = nil
  end

  while true do
    for _, ready in ipairs(assert(poll:poll())) do
      local fd, event = ready[1], ready[2]
      if fd == server:fileno() then
        connect()
      elseif not sockets[fd] then
        if not io.read() then return end -- Ctrl-D
      elseif event & csock.POLLIN ~= 0 then
        local data = sockets[fd]:recv(1024)
        if data and data ~= "" then
          example.show(("%s: "):format(address_of[sockets[fd]]), data)
        else
          disconnect(fd) -- it has finished, or was lost
        end
      else -- POLLHUP, POLLERR: come without being asked for
        disconnect(fd)
      end
    end
  end
end)
