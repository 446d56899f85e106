-- select_server.lua: many clients at once, in one process: select tells which of the sockets have
-- something to read. It prints who connects, what each client sends, and who disconnects.
--
--   lua5.4 examples/select_server.lua [host] [port]   # then telnet localhost 1234
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

example.run(function()
  local host, port = example.arguments("host", "", "port", 1234)

  local server = assert(csock.create_server { host, port })
  server:setblocking(false) -- a client that is gone before accept must not make it wait
  example.announce(server)

  local inputs <close> = example.closing { server, example.keyboard() }
  local address_of = {}

  local function connect()
    local client, address = server:accept()
    if not client then -- gone already, or there is no descriptor left for it: no hurry to ask again
      csock.select({}, {}, {}, 0.1)
      return
    end
    table.insert(inputs, client)
    address_of[client] = address
    print(("Got connection from %s"):format(address))
  end

  local function disconnect(client)
    print(("%s disconnected"):format(address_of[client]))
    address_of[client] = nil
    for i, input in ipairs(inputs) do
      if input == client then table.remove(inputs, i) end
    end
    client:close()
  end

  while true do
    for _, input in ipairs(assert(csock.select(inputs, {}, {}))) do
      if input == server then
        connect()
      elseif input == io.stdin then
        if not io.read() then return end -- Ctrl-D
      else
        local data = input:recv(1024)
        if data and data ~= "" then
          example.show(("%s: "):format(address_of[input]), data)
        else
          disconnect(input) -- it has finished, or was lost
        end
      end
    end
  end
end)
