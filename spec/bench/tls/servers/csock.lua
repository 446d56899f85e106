-- The contender csock, in tasks: csock.lua MODE CERTIFICATE KEY (see ../load.c). Prints the port.
local csock = require "csock"
local ssl = require "csock.ssl"
local mode, certificate, key = arg[1], arg[2], arg[3]

local MESSAGE = ("x"):rep(1048576)

local handlers = {}

function handlers.echo(conn)
  while true do
    local data = conn:recv(65536)
    if not data or data == "" then return end
    conn:sendall(data)
  end
end

function handlers.send(conn)
  while #(conn:recv(1) or "") == 1 do conn:sendall(MESSAGE) end
end

function handlers.receive(conn)
  local got = 0
  while true do
    local data = conn:recv(65536)
    if not data or data == "" then return end
    got = got + #data
    if got >= #MESSAGE then
      got = 0
      conn:sendall "x"
    end
  end
end

function handlers.accept(conn)
  conn:sendall(conn:recv(1))
end

local context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
assert(context:load_cert_chain(certificate, key))
local server = assert(csock.serve({ "127.0.0.1", 0 }, handlers[mode], { ssl = context, backlog = 1024 }))
print(server:getsockname().port)
io.stdout:flush()
csock.run()
