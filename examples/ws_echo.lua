-- ws_echo.lua: a WebSocket that sends back what comes, to many clients at once: texts as texts, and
-- bytes as bytes. What comes by plain HTTP is told that this is a WebSocket.
--
--   lua5.4 examples/ws_echo.lua [host] [port]
--
--   --deflate   messages are deflated, where lua-zlib is installed and the client agrees
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local httpserver = require "csock.httpserver"
local websocket = require "csock.websocket"

example.run(function()
  local deflate = example.option "--deflate"
  local host, port = example.arguments("host", "localhost", "port", 8765)

  local function echo(ws)
    local address, count = tostring(ws:getpeername()), 0
    print("...connected from: " .. address)
    for message, kind in ws:messages() do
      if not ws:send(message, kind) then break end
      count = count + 1
    end
    print(("...closed with %s: %s, %d messages"):format(ws.close_code or "-", address, count))
  end

  local server <close> = assert(httpserver.serve({ host, port }, function(request)
    return websocket.upgrade(request, echo, { deflate = deflate })
  end))
  example.announce(server)
  example.run_loop()
end)
