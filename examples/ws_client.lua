-- ws_client.lua: sends lines to a WebSocket, and prints the message that comes for each.
--
--   lua5.4 examples/ws_client.lua [host] [port]
--
--   --tls   over TLS (wss)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local websocket = require "csock.websocket"

example.run(function()
  local scheme = example.option "--tls" and "wss" or "ws"
  local host, port = example.arguments("host", "localhost", "port", 8765)
  local authority = host:find(":", 1, true) and "[" .. host .. "]" or host

  local ws <close> = assert(websocket.connect(("%s://%s:%d/"):format(scheme, authority, port), { proxies = false }))
  while true do
    local line = example.prompt("> ", ws.conn)
    if not line or line == "" then break end
    assert(ws:send(line))
    local message, kind = ws:recv()
    assert(message, kind)
    if kind == "text" then example.show("", message .. "\n") else print(("%d bytes"):format(#message)) end
  end
end)
