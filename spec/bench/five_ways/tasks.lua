-- Capitals in tasks: one process, and a task for each client.
local csock = require "csock"

local server = assert(csock.serve({ "127.0.0.1", tonumber(arg[1]) or 21567 }, function(conn)
  local stream <close> = assert(conn:makefile("rw", 0))
  while true do
    local line = stream:read_until("\n", 1024)
    if not line or not stream:write(line:upper(), "\n") then return end
  end
end))
print(server:getsockname().port)
csock.run()
