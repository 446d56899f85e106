-- hello_ss.lua: the smallest server on csock.socketserver: whoever connects is told "Hello World!".
--
--   lua5.4 examples/hello_ss.lua [host] [port]   # then telnet localhost 2525
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local Hello = class("Hello", socketserver.StreamRequestHandler)

function Hello:handle()
  self.wfile:write("Hello World!\r\n")
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 2525)

  local Server = socketserver.TCPServer
  Server.allow_reuse_address = true
  Server.request_queue_size = 100 -- so many may wait to be accepted
  local server <close> = assert(Server({ host, port }, Hello))
  example.announce(server.socket)
  example.serve(server)
end)
