-- thanks_ss.lua: the server of thanks_server.lua on csock.socketserver: it sees to one client after the other.
--
--   lua5.4 examples/thanks_ss.lua [host] [port]   # then thanks_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local Server = class("Server", socketserver.TCPServer)
Server.allow_reuse_address = true
Server.request_queue_size = 100 -- so many may wait to be accepted

local Handler = class("Handler", socketserver.StreamRequestHandler)

function Handler:handle()
  print(("Got connection from %s"):format(self.client_address))
  self.wfile:write("Thank you for connecting")
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 1234)

  local server <close> = assert(Server({ host, port }, Handler))
  example.announce(server.socket)
  example.serve(server)
end)
