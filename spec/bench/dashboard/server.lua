-- An echo server with the dashboard: prints its port and the page's address, and for each line of its standard input
-- how many bytes it has received.
local csock = require "csock"

csock.debug(true)
local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
  while true do
    local data = conn:recv(1024)
    if not data or data == "" then return end
    conn:sendall(data)
  end
end, { backlog = 2000 }))
local _, address = assert(require "csock.repl.dashboard".start(0))
io.stdout:setvbuf "line"
print(server:getsockname().port)
print(address)
csock.spawn(function()
  for _ in csock.stream(0, "r", { closefd = false }):lines() do print((csock.counters())) end
end)
csock.run()
