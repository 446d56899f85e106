-- tsTservSS_async.lua: the server of tsTservSS.lua for many clients at once: a task for each, with ThreadingMixIn, or
-- a process for each, with --fork. Nobody waits for a client that says nothing, and what is printed of
-- several clients interleaves.
--
--   lua5.4 examples/tsTservSS_async.lua [--fork] [host] [port]   # then tsTclntSS.lua, several times
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local BUFSIZ = 1024

local Handler = class("Handler", socketserver.StreamRequestHandler)
Handler.timeout = 60 -- seconds

function Handler:handle()
  print(("...connected from: %s"):format(self.client_address))
  local line, err = self.rfile:readline(BUFSIZ)
  if line then
    line, err = self.wfile:write(("[%s] %s"):format(os.date("%c"), line))
  end
  print(("...%s: %s"):format(line and "finished" or "lost", line and self.client_address or err))
end

example.run(function()
  local how = example.option("--fork") and socketserver.ForkingMixIn or socketserver.ThreadingMixIn
  local host, port = example.arguments("host", "", "port", 21567)

  local Server = class("Server", how, socketserver.TCPServer)
  Server.allow_reuse_address = true
  Server.request_queue_size = 100
  Server.max_connections, Server.max_children = 1000, 100
  Server.block_on_close = false -- who has said nothing so far does not keep the server from ending
  local server <close> = assert(Server({ host, port }, Handler))
  example.announce(server.socket)
  print("waiting for connection...")
  example.serve(server)
end)
