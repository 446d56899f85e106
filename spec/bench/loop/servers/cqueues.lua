-- The contender cqueues: cqueues.lua MODE (see ../load.c). Prints the port.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local mode = arg[1]

local handlers, clients = {}, {}

function handlers.echo(conn)
  conn:setmode("bn", "bn")
  while true do
    local data = conn:read(-65536)
    if not data then break end
    if #data > 8192 then conn:setbufsiz(65536, 65536) end
    conn:write(data)
  end
  conn:close()
end

function handlers.accept(conn)
  conn:setmode("bn", "bn")
  conn:write(conn:read(1))
  conn:close()
end

function handlers.lines(conn)
  local count = 0
  conn:setmode("bf", "bn")
  for _ in conn:lines() do count = count + 1 end
  conn:write(count .. "\n")
  conn:close()
end

function handlers.fanout(conn)
  conn:setmode("bn", "bn")
  clients[#clients + 1] = conn
  conn:write "!"
  while true do
    local data = conn:read(-1024)
    if not data then os.exit(0) end
    for _, client in ipairs(clients) do client:write(data) end
  end
end

local loop = cqueues.new()
local server = socket.listen { host = "127.0.0.1", port = 0, nodelay = true }
assert(server:listen())
print((select(3, server:localname())))
io.stdout:flush()
loop:wrap(function()
  for conn in server:clients() do
    loop:wrap(handlers[mode], conn)
  end
end)
assert(loop:loop())
