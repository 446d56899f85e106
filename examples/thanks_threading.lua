-- thanks_threading.lua: the server of thanks_ss.lua with a task for each client: the mix-in comes first.
--
--   lua5.4 examples/thanks_threading.lua [host] [port]   # then thanks_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local Server = class("Server", socketserver.ThreadingMixIn, socketserver.TCPServer)
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
