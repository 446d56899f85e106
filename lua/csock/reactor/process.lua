--- Processes, as the reactor's protocols see them: the transport of what `reactor.spawnProcess` has started.
--
-- Names and meaning are Twisted's (`IProcessTransport`).
-- @module csock.reactor.process
local csock = require "csock"
local check = require "csock.check"
local class = require "csock.class"
local given = require "csock.reactor.arguments"
local internal = require "csock.loop.internal"
local reason = require "csock.reactor.reason"
local transport = require "csock.reactor.transport"
local turns = require "csock.reactor.turns"

local program = internal.program
local ESRCH = csock.errno.ESRCH

local M = {}

--- A process. `pid` is its id, until it has exited; `protocol` is whom it tells.
-- @type processtransport
local ProcessTransport = class("ProcessTransport")
M.ProcessTransport = ProcessTransport

ProcessTransport.connected = true
ProcessTransport.disconnecting = false

-- `childFDs`: what each of its descriptors is: "r", "w" or a descriptor of ours; nil: it has a terminal.
function ProcessTransport:__init(protocol, childFDs)
  self.protocol, self.childFDs, self.pipes, self.pid, self.reason = protocol, childFDs, {}, false, false
end

function ProcessTransport:__tostring()
  local state = self.pid and "pid=" .. self.pid or self.reason and "exited" or "not started"
  return ("<process %s>"):format(state)
end

-- --- the end --------------------------------------------------------------------------------------

-- It has ended when it has exited, and nothing can come any more.
local function end_if_over(self)
  if not self.reason or next(self.pipes) or not self.connected then return end
  self.connected = false
  local protocol = self.protocol
  if protocol then turns.call(protocol.processEnded, protocol, self.reason) end
end

local function reason_of(status)
  local code = status and csock.waitstatus_to_exitcode(status)
  if code == 0 then return reason.ProcessDone(status) end
  if not code then return reason.ProcessTerminated() end -- somebody else has waited for it
  return reason.ProcessTerminated(code > 0 and code or nil, code < 0 and -code or nil, status)
end

local function exited(self, status)
  self.reason = reason_of(status)
  local protocol = self.protocol
  if protocol then turns.call(protocol.processExited, protocol, self.reason) end
  end_if_over(self)
end

-- A task of its own. From when it is known that it has exited, its number may be another one's.
function M.wait_for_exit(self)
  if not self.pid then return end
  local _, status = csock.waitpid(self.pid)
  self.pid = nil
  turns.post(exited, self, math.type(status) and status)
end

-- --- pipes ----------------------------------------------------------------------------------------

-- The reactor's end of a pipe, or of the terminal. A program may take as long as it likes to read.
local Pipe = class("ProcessPipe", transport.Connection)
Pipe.abortTimeout = math.huge

function Pipe:waits(bytes)
  if self.producer then Pipe.super.waits(self, bytes) end
end

-- Whom a pipe tells, for the process's protocol.
local Relay = class("ProcessRelay")

function Relay:__init(process, childFD)
  self.process, self.childFD = process, childFD
end

function Relay:dataReceived(data)
  self.process.protocol:childDataReceived(self.childFD, data)
end

function Relay:connectionLost()
  local process = self.process
  local protocol = process.protocol
  process.pipes[self.childFD] = nil
  if process.childFDs then turns.call(protocol.childConnectionLost, protocol, self.childFD) end
  end_if_over(process)
end

function M.open_pipe(self, childFD, socket)
  local pipe = Pipe(socket, tostring(self))
  pipe.protocol = Relay(self, childFD)
  self.pipes[childFD] = pipe
  pipe:watch()
end

-- A terminal is known as its output, and is closed as a whole.
local TERMINAL = 1
M.TERMINAL = TERMINAL

local function input(self)
  return self.pipes[self.childFDs and 0 or TERMINAL]
end

-- --- writing --------------------------------------------------------------------------------------

--- Writes to the process's standard input, or terminal. Never waits: what there is no room for in the pipe is kept.
-- Ignored when there is none, or the process has closed it.
-- @function processtransport:write
-- @tparam string data
-- @usage
-- local Sorter = class("Sorter", protocol.ProcessProtocol)
-- function Sorter:connectionMade()
--   self.transport:write "b\na\n"
--   self.transport:closeStdin()
-- end
-- function Sorter:outReceived(data) io.write(data) end
-- function Sorter:processEnded() reactor.stop() end
-- assert(reactor.spawnProcess(Sorter(), "sort", {"sort"}))
-- reactor.run()
function ProcessTransport:write(data)
  local pipe = input(self)
  if pipe then pipe:write(data) end
end

--- Writes several pieces.
-- @function processtransport:writeSequence
-- @tparam {string,...} pieces
-- @usage
-- local Sorter = class("Sorter", protocol.ProcessProtocol)
-- function Sorter:connectionMade() self.transport:writeSequence {"b\n", "a\n"} end
function ProcessTransport:writeSequence(pieces)
  self:write(table.concat(pieces))
end

--- Writes to one of the process's descriptors. Ignored when the process has closed it.
-- @function processtransport:writeToChild
-- @tparam int childFD
-- @tparam string data
-- @raise when that is no descriptor that `childFDs` has as `"w"`
-- @usage
-- local Verifier = class("Verifier", protocol.ProcessProtocol)
-- function Verifier:connectionMade() self.transport:writeToChild(3, "signature") end
function ProcessTransport:writeToChild(childFD, data)
  if not self.childFDs or self.childFDs[childFD] ~= "w" then
    error(("descriptor %s of the process is not one to write to"):format(childFD), 2)
  end
  local pipe = self.pipes[childFD]
  if pipe then pipe:write(data) end
end

--- Has a producer write to the standard input, or terminal, as fast as the process takes the data; see
-- `transport:registerProducer`. Where there is none, the producer is told to stop.
-- @function processtransport:registerProducer
-- @param producer
-- @tparam boolean streaming
-- @usage
-- local Feeder = class("Feeder", protocol.ProcessProtocol)
-- function Feeder:connectionMade() self.transport:registerProducer(self.producer, true) end
function ProcessTransport:registerProducer(producer, streaming)
  local pipe = input(self)
  if not pipe then return producer:stopProducing() end
  pipe:registerProducer(producer, streaming)
end

--- The producer has nothing more to write.
-- @function processtransport:unregisterProducer
-- @usage
-- local Feeder = class("Feeder", protocol.ProcessProtocol)
-- function Feeder:stop() self.transport:unregisterProducer() end
function ProcessTransport:unregisterProducer()
  local pipe = input(self)
  if pipe then pipe:unregisterProducer() end
end

-- --- reading --------------------------------------------------------------------------------------

--- Receives nothing for a while: the process is a producer itself, which waits when its pipes are full.
-- @function processtransport:pauseProducing
-- @usage
-- local Reader = class("Reader", protocol.ProcessProtocol)
-- function Reader:connectionMade() self.transport:pauseProducing() end
function ProcessTransport:pauseProducing()
  for childFD, pipe in pairs(self.pipes) do
    if not self.childFDs or self.childFDs[childFD] == "r" then pipe:pauseProducing() end
  end
end

--- Receives again.
-- @function processtransport:resumeProducing
-- @usage
-- local Reader = class("Reader", protocol.ProcessProtocol)
-- function Reader:connectionMade()
--   self.transport:pauseProducing()
--   reactor.callLater(1, function() self.transport:resumeProducing() end)
-- end
function ProcessTransport:resumeProducing()
  for childFD, pipe in pairs(self.pipes) do
    if not self.childFDs or self.childFDs[childFD] == "r" then pipe:resumeProducing() end
  end
end

--- The same as `loseConnection`.
-- @function processtransport:stopProducing
function ProcessTransport:stopProducing() self:loseConnection() end

-- --- closing --------------------------------------------------------------------------------------

--- Closes one of the process's descriptors: one that is written to, when it has taken all. A terminal cannot be closed
-- in parts.
-- @function processtransport:closeChildFD
-- @tparam int childFD
-- @usage
-- local Verifier = class("Verifier", protocol.ProcessProtocol)
-- function Verifier:connectionMade()
--   self.transport:writeToChild(3, "signature")
--   self.transport:closeChildFD(3)
-- end
function ProcessTransport:closeChildFD(childFD)
  local pipe = self.childFDs and self.pipes[childFD]
  if pipe then pipe:loseConnection() end
end

--- Closes the standard input when the process has taken all that was written.
-- @function processtransport:closeStdin
-- @usage
-- local Sorter = class("Sorter", protocol.ProcessProtocol)
-- function Sorter:connectionMade()
--   self.transport:write "b\na\n"
--   self.transport:closeStdin()
-- end
function ProcessTransport:closeStdin() self:closeChildFD(0) end

--- Closes the standard output: the process cannot write any more.
-- @function processtransport:closeStdout
-- @usage
-- local Quiet = class("Quiet", protocol.ProcessProtocol)
-- function Quiet:connectionMade() self.transport:closeStdout() end
function ProcessTransport:closeStdout() self:closeChildFD(1) end

--- Closes the standard error.
-- @function processtransport:closeStderr
-- @usage
-- local Quiet = class("Quiet", protocol.ProcessProtocol)
-- function Quiet:connectionMade() self.transport:closeStderr() end
function ProcessTransport:closeStderr() self:closeChildFD(2) end

--- Closes standard input, output and error; or the terminal, which sends the process SIGHUP. That alone does not end a
-- process: see `signalProcess`.
-- @function processtransport:loseConnection
-- @usage
-- local Quiet = class("Quiet", protocol.ProcessProtocol)
-- function Quiet:outReceived() self.transport:loseConnection() end
function ProcessTransport:loseConnection()
  self.disconnecting = true
  if self.childFDs then
    for childFD = 0, 2 do self:closeChildFD(childFD) end
  elseif self.pipes[TERMINAL] then
    self.pipes[TERMINAL]:loseConnection()
  end
end

--- Sends the process a signal.
-- @function processtransport:signalProcess
-- @tparam int|string signalID a number, or a name: `"KILL"`, `"TERM"`, `"INT"` ..., also with `SIG` before it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] reason|error `ProcessExitedAlready` (Twisted raises it); or why it cannot be sent
-- @treturn[2] int errno (`ESRCH`: it has exited already)
-- @usage
-- local Sleeper = class("Sleeper", protocol.ProcessProtocol)
-- function Sleeper:processEnded(reason) print(reason.signal) reactor.stop() end
-- local process = assert(reactor.spawnProcess(Sleeper(), "sleep", {"sleep", "60"}))
-- assert(process:signalProcess "KILL")
-- reactor.run() --> 9
function ProcessTransport:signalProcess(signalID)
  if not self.pid then return nil, reason.ProcessExitedAlready(), ESRCH end
  if type(signalID) == "string" and not signalID:find "^SIG" then signalID = "SIG" .. signalID end
  local ok, err, errno = csock.kill(self.pid, signalID)
  if errno == ESRCH then err = reason.ProcessExitedAlready() end
  return ok, err, errno
end
ProcessTransport.signalProcess = check.public(ProcessTransport.signalProcess)

-- Gives a terminal a size: true; nil, err, errno.
function M.resize(terminal, rows, columns)
  local ok, err, errno = csock.ioctl(terminal, program.TIOCSWINSZ, ("HHHH"):pack(rows, columns, 0, 0))
  return ok and true, err, errno
end

--- Gives its terminal another size, of which the process is told by SIGWINCH. (csock's own.)
-- @function processtransport:setWindowSize
-- @tparam int rows
-- @tparam int columns
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADF`: it has none, or it is closed)
-- @usage
-- local Shell = class("Shell", protocol.ProcessProtocol)
-- function Shell:connectionMade() self.transport:setWindowSize(24, 80) end
function ProcessTransport:setWindowSize(rows, columns)
  check.argument(given.CELLS, rows, 1, "setWindowSize")
  check.argument(given.CELLS, columns, 2, "setWindowSize")
  local pipe = not self.childFDs and self.pipes[TERMINAL]
  return M.resize(pipe and pipe.socket or -1, rows, columns)
end

return M
