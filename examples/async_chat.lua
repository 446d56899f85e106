-- async_chat.lua: a server for lines, on csock.asynchat: each line comes back with its number, "quit" ends the
-- conversation. A line that is too long gets an answer, too, and eats no memory, however long it is.
--
--   lua5.4 examples/async_chat.lua [host] [port]   # then telnet localhost 21573
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local asynchat = require "csock.asynchat"
local asyncore = require "csock.asyncore"
local class = require "csock.class"

local Lines = class("Lines", asynchat.async_chat)
Lines.terminator = "\n" -- telnet sends "\r\n", nc "\n"
Lines.max_incoming = 1024
Lines.collect_incoming_data = asynchat.async_chat._collect_incoming_data
Lines.count = 0

function Lines:found_terminator()
  local line = self:_get_data():gsub("\r$", "")
  if self.finished then return end -- what it says after "quit"
  print(("%s: %s"):format(self.addr, example.clean(line)))
  if line == "quit" then
    self:push "Goodbye.\r\n"
    self:handle_close()
  else
    self.count = self.count + 1
    self:push(("%d: %s\r\n"):format(self.count, line))
  end
end

function Lines:handle_incoming_overflow()
  self:push(("A line has %d bytes at most.\r\n"):format(self.max_incoming))
end

-- The client has finished, or is lost: what still waits is sent first, if that can be done. It ends here again.
function Lines:handle_close()
  if self.finished then
    print(("%s disconnected"):format(self.addr))
    self:close()
  else
    self.finished = true
    self:close_when_done()
  end
end

function Lines:readable() return not self.finished end

local Server = class("Server", asyncore.dispatcher)

function Server:__init(host, port)
  Server.super.__init(self)
  assert(self:create_socket())
  assert(self:set_reuse_addr())
  assert(self:bind(host, port))
  assert(self:listen(128))
end

function Server:handle_accepted(sock, addr) -- luacheck: ignore 212
  local client = Lines(sock)
  if not client then return end -- gone already
  print(("Got connection from %s"):format(addr))
  client:push "Each line comes back with its number; quit ends this.\r\n"
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 21573)

  local _ <close> = example.closing(asyncore.socket_map)
  local server = Server(host, port)
  example.announce(server.socket)
  example.at_end_of_input(asyncore.close_all)
  assert(asyncore.loop())
end)
