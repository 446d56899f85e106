-- async_echo.lua: sending back what comes, to many clients at once, on csock.asyncore: a channel for each, whose
-- handlers are called when there is something to do. A client that never reads is read from no more until it does.
--
--   lua5.4 examples/async_echo.lua [host] [port]   # then echo_stream_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local asyncore = require "csock.asyncore"
local class = require "csock.class"

local Echo = class("Echo", asyncore.dispatcher_with_send)
Echo.echoed = 0

function Echo:handle_read()
  local data = self:recv(8192)
  if data and self:send(data) then self.echoed = self.echoed + #data end
end

-- The client has finished, or is lost: what still waits is sent first, if that can be done.
function Echo:handle_close()
  if self.finished or not self:writable() then
    print(("disconnected: %s, %d bytes echoed"):format(self.addr, self.echoed))
    self:close()
  end
  self.finished = true
end

function Echo:readable() return not self.finished end

function Echo:handle_write()
  Echo.super.handle_write(self)
  if self.finished and not self:writable() then self:handle_close() end
end

local Server = class("Server", asyncore.dispatcher)

function Server:__init(host, port)
  Server.super.__init(self)
  assert(self:create_socket())
  assert(self:set_reuse_addr())
  assert(self:bind(host, port))
  assert(self:listen(128))
end

function Server:handle_accepted(sock, addr) -- luacheck: ignore 212
  if Echo(sock) then print("connected: " .. addr) end
end

example.run(function()
  local host, port = example.arguments("host", "", "port", 45000)

  local _ <close> = example.closing(asyncore.socket_map)
  local server = Server(host, port)
  example.announce(server.socket)
  example.at_end_of_input(asyncore.close_all)
  assert(asyncore.loop())
end)
