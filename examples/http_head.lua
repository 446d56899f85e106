-- http_head.lua: asks a web server for the head of `/`, and prints it; then, over the same connection, for the page
-- itself, and says how long that is.
--
--   lua5.4 examples/http_head.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local http = require "csock.http"

local PATIENCE = 30 -- seconds, for each step

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 80)
  local connection <close> = http.HTTPConnection(host, port, { timeout = PATIENCE })

  assert(connection:request("HEAD", "/"))
  local response = assert(connection:getresponse())
  print(response.status, example.clean(response.reason))
  for _, field in ipairs(response:getheaders()) do print(example.clean(field[1] .. ": " .. field[2])) end
  response:read() -- nothing, and the connection is free again

  assert(connection:request("GET", "/"))
  response = assert(connection:getresponse())
  local length = 0
  while true do
    local data = assert(response:read(8192)) -- what was promised and does not come is an error
    if data == "" then break end
    length = length + #data
  end
  print()
  print(("GET / gives %d %s: %d bytes"):format(response.status, example.clean(response.reason), length))
end)
