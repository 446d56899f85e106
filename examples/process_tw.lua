-- process_tw.lua: a program with which one talks over the network: each client has a process of its own, as inetd
-- would start it, by a ProcessProtocol. What the client sends is its standard input, what the program prints (its
-- complaints, too) goes to the client, and its exit status is told here.
--
--   lua5.4 examples/process_tw.lua [host] [port]   # then type something at nc localhost 21567
--   --run COMMAND: what to start, by the shell ("tr a-z A-Z")
--   --terminal: in a terminal of its own, in which programs talk to a person, and Ctrl-C stops them
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local Program = class("Program", protocol.ProcessProtocol)

function Program:__init(client) self.client = client end

function Program:outReceived(data) self.client.transport:write(data) end
Program.errReceived = Program.outReceived

function Program:processEnded(why)
  print(("process %d: %s"):format(self.pid, example.clean(why:getErrorMessage())))
  self.client.transport:loseConnection()
end

local Client = class("Client", protocol.Protocol)

function Client:connectionMade()
  local program = Program(self)
  local command = { "sh", "-c", self.factory.command }
  local process, err = reactor.spawnProcess(program, "/bin/sh", command, nil, nil, nil, nil, self.factory.terminal)
  if not process then
    print(example.clean(tostring(err)))
    return self.transport:loseConnection()
  end
  self.process, program.pid = process, process.pid
  print(("process %d for %s"):format(process.pid, self.transport:getPeer()))
end

function Client:dataReceived(data) self.process:write(data) end

-- The client has finished: the program is to see that, and may still answer.
function Client:readConnectionLost() self.process:closeStdin() end

-- The client is gone, and so is who would read its answers.
function Client:connectionLost()
  if self.process and self.process.pid then self.process:signalProcess "HUP" end
end

example.run(function()
  local command, terminal = example.value("--run", "COMMAND") or "tr a-z A-Z", example.option "--terminal"
  local host, port = example.arguments("host", "localhost", "port", 21567)

  local factory = protocol.Factory:forProtocol(Client)
  factory.command, factory.terminal = command, terminal
  example.announce(assert(reactor.listenTCP(port, factory, 50, host)))
  example.run_reactor(reactor)
end)
