-- Capitals with prefork: some processes, made beforehand, each with a task for each client.
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local Capitals = class("Capitals", socketserver.StreamRequestHandler)

function Capitals:handle()
  while true do
    local line = self.rfile:read_until("\n", 1024)
    if not line or not self.wfile:write(line:upper(), "\n") then return end
  end
end

local Server = class("Server", socketserver.PreforkTCPServer)
Server.request_queue_size = 128 -- Python's 5 turns clients away who come all at once

local server <close> = assert(Server({ "127.0.0.1", tonumber(arg[1]) or 21567 }, Capitals))
print(server.server_address.port)
server:serve_forever()
