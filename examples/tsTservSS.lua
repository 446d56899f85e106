-- tsTservSS.lua: the timestamp server on csock.socketserver, which does the work of tsTserv.lua: what is left is the
-- handler. Each connection is one request: a line, which is sent back with the date before it.
--
--   lua5.4 examples/tsTservSS.lua [host] [port]   # then tsTclntSS.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local BUFSIZ = 1024

local Handler = class("Handler", socketserver.StreamRequestHandler)
Handler.timeout = 60 -- seconds: the next client waits as long as this one says nothing

function Handler:handle()
  print(("...connected from: %s"):format(self.client_address))
  local line, err = self.rfile:readline(BUFSIZ)
  if line then
    line, err = self.wfile:write(("[%s] %s"):format(os.date("%c"), line))
  end
  if not line then print("...lost: " .. err) end
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 21567)

  local Server = socketserver.TCPServer
  -- Without this, the port of a server that has just ended stays taken for a minute.
  Server.allow_reuse_address = true
  Server.request_queue_size = 100 -- so many may wait to be accepted
  local server <close> = assert(Server({ host, port }, Handler))
  example.announce(server.socket)
  print("waiting for connection...")
  example.serve(server)
end)
