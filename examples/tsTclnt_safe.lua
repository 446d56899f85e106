-- tsTclnt_safe.lua: the client of tsTclnt.lua with every error handled: a line of any length, a
-- reply that comes in pieces or not at all, a server that resets, closes, or closes only its half.
--
--   lua5.4 examples/tsTclnt_safe.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local STAMP = #"[Sat Jun 17 17:27:21 2006] "
local PATIENCE = 10 -- seconds

-- Sends the data and returns the reply. TCP may deliver that in pieces; it is whole when it is as
-- long as the data and the stamp.
local function ask(client, data)
  assert(client:sendall(data))
  local pieces, length = {}, 0
  repeat
    local piece, err = client:recv(BUFSIZ)
    if not piece and err:is(csock.timeout) then
      example.fail("no whole reply within %d seconds", PATIENCE)
    elseif not piece then
      example.fail("the connection is lost: %s", err)
    elseif piece == "" then
      example.fail("the server has closed the connection")
    end
    table.insert(pieces, piece)
    length = length + #piece
  until length >= STAMP + #data
  return table.concat(pieces)
end

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21567)

  local client <close> = assert(csock.create_connection({ host, port }, { timeout = PATIENCE }))

  while true do
    local line = example.prompt("> ", client)
    if not line or line == "" then break end
    -- The server takes BUFSIZ bytes at a time, and stamps each.
    for i = 1, #line, BUFSIZ do
      example.show("", ask(client, line:sub(i, i + BUFSIZ - 1)))
    end
  end
end)
