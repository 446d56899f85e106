-- The contender csock, in tasks: csock.lua MODE (see ../load.c). Prints the port.
local csock = require "csock"
local mode = arg[1]
local ADDRESS = { "127.0.0.1", 0 }

local handlers, clients = {}, {}

function handlers.echo(conn)
  while true do
    local data = conn:recv(65536)
    if not data or data == "" then return end
    conn:sendall(data)
  end
end

function handlers.accept(conn)
  conn:sendall(conn:recv(1))
end

function handlers.lines(conn)
  local count = 0
  for _ in conn:makefile():lines() do count = count + 1 end
  conn:sendall(count .. "\n")
end

function handlers.fanout(conn)
  conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, true)
  conn:sendall "!"
  clients[#clients + 1] = conn:makefile("w", "turn")
  while true do
    local data = conn:recv(1024)
    if not data or data == "" then os.exit(0) end
    for _, client in ipairs(clients) do client:write(data) end
  end
end

local function udp(socket)
  while true do
    local data, addr = socket:recvfrom(65536)
    socket:sendto(data, addr)
  end
end

local server
if mode == "udp" then
  server = csock.socket(csock.AF_INET, csock.SOCK_DGRAM)
  assert(server:bind(ADDRESS))
  csock.spawn(udp, server)
else
  server = assert(csock.serve(ADDRESS, handlers[mode], { backlog = 1024 }))
end
print(server:getsockname().port)
io.stdout:flush()
csock.run()
