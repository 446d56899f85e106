-- echo_threading.lua: an echo server for many clients at once on csock.socketserver. Its handler uses the connection
-- itself, self.request, instead of streams.
--
--   lua5.4 examples/echo_threading.lua [host] [port]   # then telnet localhost 12321
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local Echo = class("Echo", socketserver.BaseRequestHandler)

function Echo:handle()
  print("Got new connection!")
  while true do
    local data = self.request:recv(4096)
    if not data or data == "" then break end
    example.show("Received: ", data)
    if not self.request:sendall(data) then break end
  end
  print("Done with connection")
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 12321)

  local Server = socketserver.ThreadingTCPServer
  Server.allow_reuse_address = true
  Server.request_queue_size = 100
  Server.block_on_close = false -- nobody who stays connected keeps the server from ending
  local server <close> = assert(Server({ host, port }, Echo))
  example.announce(server.socket)
  example.serve(server)
end)
