-- tsTservSS_persist.lua: the timestamp server with subclasses of csock.socketserver's classes that keep a connection
-- for as many lines as the client likes, with many clients at once.
--
--   lua5.4 examples/tsTservSS_persist.lua [host] [port]   # then tsTclntSS_persist.lua, several times
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local BUFSIZ = 1024

-- A handler that calls handle_line for each line, until the client has finished. It returns what to send back.
local LineHandler = class("LineHandler", socketserver.StreamRequestHandler)
LineHandler.timeout = 600 -- seconds that a client may say nothing, or read nothing

function LineHandler:handle()
  local function complain()
    self.wfile:write(("error: a line of over %d bytes\r\n"):format(BUFSIZ))
  end
  while true do
    local line, err = example.read_line(self.rfile, BUFSIZ, complain)
    if err then return self:lost(err) end
    if not line then return end
    local sent
    sent, err = self.wfile:write(self:handle_line(line) .. "\r\n")
    if not sent then return self:lost(err) end
  end
end

function LineHandler.lost(_, err) print("...lost: " .. err) end

local Handler = class("Handler", LineHandler)

function Handler:setup()
  Handler.super.setup(self)
  print(("...connected from: %s"):format(self.client_address))
end

function Handler.handle_line(_, line)
  return ("[%s] %s"):format(os.date("%c"), line)
end

function Handler:finish()
  Handler.super.finish(self)
  print(("...finished: %s"):format(self.client_address))
end

local Server = class("Server", socketserver.ThreadingMixIn, socketserver.TCPServer)
Server.allow_reuse_address = true
Server.request_queue_size = 100
Server.max_connections = 1000
Server.block_on_close = false -- who just keeps a connection does not keep the server from ending

example.run(function()
  local host, port = example.arguments("host", "", "port", 21567)

  local server <close> = assert(Server({ host, port }, Handler))
  example.announce(server.socket)
  print("waiting for connection...")
  example.serve(server)
end)
