-- chat_server.lua: a chat server over select: what one client types, all the others read. A client
-- that stops reading does not stop the others: what it has not read waits in a queue, and when that
-- is too long, the client is dropped.
--
--   lua5.4 examples/chat_server.lua [host] [port]   # then telnet localhost 2626
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local LINE = 1024 -- bytes: a longer line is not passed on
local QUEUE = 65536 -- bytes that may wait for a slow reader

local ChatServer = {}
ChatServer.__index = ChatServer

function ChatServer:__close()
  for client in pairs(self.clients) do client:close() end
  self.server:close()
end

-- Opens a server: ChatServer(port), or ChatServer(port, host).
setmetatable(ChatServer, {
  __call = function(class, port, host)
    local server = assert(csock.create_server { host or "", port })
    server:setblocking(false)
    example.announce(server)
    print("ChatServer started on port " .. server:getsockname()[2])
    return setmetatable({ server = server, clients = {} }, class)
  end,
})

-- Sends a line to every client but one, and prints it.
function ChatServer:broadcast_string(text, omit)
  print(text)
  for client, state in pairs(self.clients) do
    if client ~= omit then state.queue = state.queue .. text .. "\r\n" end
  end
end

function ChatServer:accept_new_connection()
  local client, address = self.server:accept()
  if not client then -- gone already, or there is no descriptor left for it: no hurry to ask again
    csock.select({}, {}, {}, 0.1)
    return
  end
  client:setblocking(false)
  local name = ("%s:%d"):format(address[1], address[2])
  self.clients[client] = {
    name = name,
    received = "",
    queue = "You're connected to the csock chatserver\r\n",
  }
  self:broadcast_string("Client joined " .. name, client)
end

function ChatServer:drop(client)
  local name = self.clients[client].name
  self.clients[client] = nil
  client:close()
  self:broadcast_string("Client left " .. name)
end

-- Passes a client's line on, without what would do something to the others' terminals.
function ChatServer:say(client, line)
  local state = self.clients[client]
  if #line <= LINE then
    self:broadcast_string(("[%s] %s"):format(state.name, example.clean(line)), client)
  elseif not state.told then
    state.queue = state.queue .. ("That line is too long: over %d bytes. It is not passed on\r\n"):format(LINE)
  end
end

-- Takes what a client has sent, and passes its whole lines on.
function ChatServer:receive(client)
  local state = self.clients[client]
  local data, err = client:recv(LINE)
  if not data and err.errno == csock.errno.EAGAIN then return end
  local received = state.received .. (data or "")
  local first = 1
  for last in received:gmatch("()\n") do
    self:say(client, (received:sub(first, last - 1):gsub("\r$", "")))
    state.told = false
    first = last + 1
  end
  state.received = received:sub(first)
  if not data or data == "" then
    if state.received ~= "" then self:say(client, state.received) end -- a line all the same, being the last
    self:drop(client)
  elseif #state.received > LINE then -- the rest of the line is of no use
    self:say(client, state.received)
    state.told = true
    state.received = state.received:sub(-LINE - 1)
  end
end

-- Sends as much of a client's queue as it takes.
function ChatServer:send(client)
  local state = self.clients[client]
  local sent, err = client:send(state.queue)
  if sent then
    state.queue = state.queue:sub(sent + 1)
  elseif err.errno ~= csock.errno.EAGAIN then
    self:drop(client)
  end
end

-- Serves until Ctrl-C or Ctrl-D.
function ChatServer:run()
  while true do
    for client, state in pairs(self.clients) do
      if #state.queue > QUEUE then self:drop(client) end
    end
    local readers, writers = { self.server, example.keyboard() }, {}
    for client, state in pairs(self.clients) do
      table.insert(readers, client)
      if state.queue ~= "" then table.insert(writers, client) end
    end

    local readable, writable = assert(csock.select(readers, writers, {}))
    for _, socket in ipairs(readable) do
      if socket == self.server then
        self:accept_new_connection()
      elseif socket == io.stdin then
        if not io.read() then return end
      else
        self:receive(socket)
      end
    end
    for _, client in ipairs(writable) do
      if self.clients[client] then self:send(client) end -- receive may have dropped it
    end
  end
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 2626)
  local server <close> = ChatServer(port, host)
  server:run()
end)
