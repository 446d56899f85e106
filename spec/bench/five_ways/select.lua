-- Capitals with select: one process, one loop, written out.
local csock = require "csock"

local listener = assert(csock.create_server { "127.0.0.1", tonumber(arg[1]) or 21567 })
listener:setblocking(false)
print(listener:getsockname().port)

local clients = {} -- socket -> what came of a line that is not complete, and what is still to be sent
local exhausted = false -- whether there was no descriptor for the next client, who has to wait a little

local function close(client)
  clients[client] = nil
  client:close()
end

local function send(client, state)
  local sent, err = client:send(state.queue)
  if sent then
    state.queue = state.queue:sub(sent + 1)
  elseif err.errno ~= csock.errno.EAGAIN then
    close(client)
  end
end

local function receive(client, state)
  local data, err = client:recv(65536)
  if not data and err.errno == csock.errno.EAGAIN then return end
  if not data or data == "" then return close(client) end
  state.line = state.line .. data
  local lines, rest = state.line:match "^(.*\n)(.*)$"
  if lines then
    state.line, state.queue = rest, lines:upper()
    send(client, state)
  elseif #state.line > 1024 then
    close(client)
  end
end

while true do
  local readers, writers = { not exhausted and listener or nil }, {}
  for client, state in pairs(clients) do -- who has not read the answer need not ask again
    table.insert(state.queue == "" and readers or writers, client)
  end
  local readable, writable = assert(csock.select(readers, writers, {}, exhausted and 0.1 or nil))
  exhausted = false
  for _, socket in ipairs(writable) do send(socket, clients[socket]) end
  for _, socket in ipairs(readable) do
    if socket ~= listener then
      receive(socket, clients[socket])
    else
      local client, err = listener:accept()
      if client then
        client:setblocking(false)
        clients[client] = { line = "", queue = "" }
      else
        exhausted = err.errno ~= csock.errno.EAGAIN
      end
    end
  end
end
