-- tsTclntTW.lua: the client of tsTservTW.lua, on csock.reactor too: everything is done in answer to an event. It
-- sends each line that is typed and prints the reply; an empty line or Ctrl-D ends it.
--
--   lua5.4 examples/tsTclntTW.lua [host] [port]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local csock = require "csock"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local STAMP = #"[Sat Jun 17 17:27:21 2006] "
local MOST = 1024 -- bytes of a request

local Client = class("Client", protocol.Protocol)

-- Asks for a line and sends it. In a task: the reactor does not wait for who sits at the keyboard, and
-- learns at once when the server is gone.
function Client:sendData()
  csock.spawn(function()
    local line = example.prompt("> ")
    if not line or line == "" then
      self.transport:loseConnection()
    else
      self.rest = line
      print(("...sending %s..."):format(line))
      self:sendRest()
    end
  end)
end

-- Sends what is left of the line, as much as one reply is given for.
function Client:sendRest()
  self.reply = ""
  local data = self.rest:sub(1, MOST)
  self.rest = self.rest:sub(MOST + 1)
  self.awaited = STAMP + #data
  self.transport:write(data)
end

function Client:connectionMade()
  self:sendData()
end

-- A reply may come in pieces. What the server says unasked is passed over.
function Client:dataReceived(data)
  if not self.awaited then return end
  self.reply = self.reply .. data
  if #self.reply < self.awaited then return end
  self.awaited = nil
  example.show("", self.reply)
  if self.rest ~= "" then self:sendRest() else self:sendData() end
end

local Factory = class("Factory", protocol.ClientFactory)
Factory.protocol = Client

function Factory:clientConnectionFailed(_, reason)
  self.problem = reason
  reactor.stop()
end

function Factory:clientConnectionLost(connector, reason)
  if not connector.transport.disconnecting then -- it was not we who closed it
    self.problem = reason:check(reason.ConnectionDone) and "the server has closed the connection" or reason
  end
  reactor.stop()
end

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21567)

  local factory = Factory()
  reactor.connectTCP(host, port, factory)
  reactor.run()
  if factory.problem then example.fail("%s", factory.problem) end
end)
