-- The server of the bench: KIND (a class of csock.socketserver), WORKERS, WORK (what a message costs beside the echo).
local csock = require "csock"
local class = require "csock.class"
local socketserver = require "csock.socketserver"

local kind, workers, work = arg[1], tonumber(arg[2]), tonumber(arg[3])

local Echo = class("Echo", socketserver.BaseRequestHandler)

function Echo:handle()
  local conn = self.request
  conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
  while true do
    local data = conn:recv(65536)
    if not data or data == "" then return end
    local sum = 0
    for i = 1, work do sum = sum + i % 7 end
    if sum < 0 or not conn:sendall(data) then return end
  end
end

local server <close> = assert(socketserver[kind]({ "127.0.0.1", 0 }, Echo))
server.workers = workers
server.drain_timeout = 0.1
print(server.server_address.port)
io.stdout:flush()
server:serve_forever()
