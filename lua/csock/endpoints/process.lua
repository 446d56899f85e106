--- An endpoint whose other side is a process, for csock.endpoints.
-- @module csock.endpoints
local check = require "csock.check"
local class = require "csock.class"
local connecting = require "csock.endpoints.connecting"
local defer = require "csock.defer"
local given = require "csock.reactor.arguments"
local internal = require "csock.loop.internal"
local reason = require "csock.reactor.reason"

local M = {}

--- What becomes of what a process writes to its standard error: `LOG` (it goes to this one's) or `DROP`.
-- Source: Twisted's `StandardErrorBehavior`.
-- @field StandardErrorBehavior
local Behavior = { LOG = "LOG", DROP = "DROP" }
M.StandardErrorBehavior = Behavior

local FLAG = check.one_of("StandardErrorBehavior", Behavior.LOG, Behavior.DROP)

-- The protocol of a process, which has another one see nothing but a stream.
local StreamOfProcess = class("StreamOfProcess")

function StreamOfProcess:__init(protocol, executable, errFlag)
  self.protocol, self.executable, self.errFlag = protocol, executable, errFlag
end

function StreamOfProcess:makeConnection(process) self.protocol:makeConnection(process) end

function StreamOfProcess:childDataReceived(childFD, data)
  if childFD == 1 then
    self.protocol:dataReceived(data)
  elseif childFD == 2 and self.errFlag == Behavior.LOG then
    internal.log(("process '%s' wrote to its standard error"):format(self.executable), (data:gsub("\n$", "")))
  end
end

function StreamOfProcess:childConnectionLost() end -- luacheck: ignore 212
function StreamOfProcess:processExited() end -- luacheck: ignore 212

function StreamOfProcess:processEnded(why)
  self.protocol:connectionLost(why:check "ProcessDone" and reason.ConnectionDone() or why)
end

--- Starts a process, and connects to its standard input and output. Made by calling the class:
-- `ProcessEndpoint(reactor, executable[, args[, env[, path[, uid[, gid[, usePTY[, childFDs[, errFlag]]]]]]]])`, as for
-- `reactor.spawnProcess`; `errFlag` is one of `StandardErrorBehavior`, `LOG` unless told.
-- @type processendpoint
local ProcessEndpoint = class("ProcessEndpoint")
M.ProcessEndpoint = ProcessEndpoint

function ProcessEndpoint:__init(reactor, executable, args, env, path, uid, gid, usePTY, childFDs, errFlag)
  self.reactor, self.executable = reactor, executable
  self.arguments = table.pack(executable, args, env, path, uid, gid, usePTY, childFDs)
  self.errFlag = check.argument(FLAG, errFlag or Behavior.LOG, 10, "ProcessEndpoint")
end

--- Starts it. The protocol's `connectionLost` is called with `ConnectionDone` when the process has ended well, else
-- with `ProcessTerminated`.
-- @function processendpoint:connect
-- @tparam factory factory
-- @treturn deferred of the protocol, whose `transport` is a process's (`reactor.spawnProcess`); its failure is what
-- `spawnProcess` gives
-- @usage
-- local Sorter = class("Sorter", protocol.LineReceiver)
-- Sorter.delimiter = "\n"
-- function Sorter:lineReceived(line) print(line) end
-- function Sorter:connectionLost() reactor.stop() end
-- local endpoint = endpoints.ProcessEndpoint(reactor, "sort")
-- endpoint:connect(protocol.Factory:forProtocol(Sorter)):addCallback(function(sorter)
--   sorter:sendLine "b"
--   sorter:sendLine "a"
--   sorter.transport:closeStdin()
-- end)
-- reactor.run()
-- --> a
-- --> b
function ProcessEndpoint:connect(factory)
  given.object("connect", 1, factory, "factory", "buildProtocol")
  return defer.maybeDeferred(function()
    local built, err = connecting.build(factory)
    if not built then return nil, err end
    local stream = StreamOfProcess(built, self.executable, self.errFlag)
    local process
    process, err = self.reactor.spawnProcess(stream, table.unpack(self.arguments, 1, self.arguments.n))
    if not process then return nil, err end
    return built
  end)
end

return M
