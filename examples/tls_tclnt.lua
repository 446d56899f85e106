-- tls_tclnt.lua: the client of tls_tserv.lua. It sends each line that is typed and prints the reply; an
-- empty line or Ctrl-D ends it. A server whose certificate is not for this host, or that nobody vouches
-- for whom we trust, is not spoken to.
--
--   lua5.4 examples/tls_tclnt.lua [host] [port]
--
--   --cafile FILE    whom to trust, in PEM, instead of the system's authorities: the one that has signed
--                    the server's certificate, or just that certificate (tls_tserv.pem)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local STAMP = #"[Sat Jun 17 17:27:21 2006] "
local PATIENCE = 10 -- seconds

-- Sends the data and returns the reply, which may come in pieces.
local function ask(client, data)
  assert(client:sendall(data))
  local reply = ""
  repeat
    local piece = assert(client:recv(BUFSIZ))
    if piece == "" then example.fail("the server has closed the connection") end
    reply = reply .. piece
  until #reply >= STAMP + #data
  return reply
end

example.run(function()
  local cafile = example.value("--cafile", "FILE")
  local host, port = example.arguments("host", "localhost", "port", 21567)
  local ssl = require "csock.ssl"

  local context = assert(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, { cafile = cafile }))
  -- One limit of time for all of it: the name is looked up, the connection and the handshake are made, and
  -- the certificate is verified. Nothing is sent before.
  local client <close> = assert(csock.create_connection({ host, port }, { ssl = context, timeout = PATIENCE }))
  print(("connected: %s, %s"):format(client:version(), (client:cipher())))

  while true do
    local line = example.prompt("> ", client)
    if not line or line == "" then break end
    for i = 1, #line, BUFSIZ do
      example.show("", ask(client, line:sub(i, i + BUFSIZ - 1)))
    end
  end
end)
