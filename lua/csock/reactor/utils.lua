--- What a program says, and how it ends, as deferreds (@{csock.defer}).
--
-- Names and meaning are those of Twisted's `twisted.internet.utils`.
-- @module csock.reactor.utils
local class = require "csock.class"
local defer = require "csock.defer"
local protocol = require "csock.protocol"
local usual = require "csock.reactor"

local M = {}

-- Runs a program for a protocol that has a deferred. What keeps it from running is the deferred's failure.
local function run(new, executable, args, env, path, reactor)
  local argv = { executable, table.unpack(args or {}) }
  local process, err = (reactor or usual).spawnProcess(new, executable, argv, env, path)
  if not process then new.deferred:errback(err) end
  return new.deferred
end

-- --- what it says -----------------------------------------------------------------------------------

-- What `getProcessOutput` fails with when something comes that is not part of the output.
local UnexpectedErrorOutput = class("UnexpectedErrorOutput")

function UnexpectedErrorOutput:__init(text, processEnded)
  self.text, self.processEnded = text, processEnded
end

function UnexpectedErrorOutput:__tostring() return ("got stderr: %q"):format(self.text) end

local Output = class("ProcessOutput", protocol.ProcessProtocol)

function Output:__init(errortoo)
  self.deferred, self.pieces, self.errortoo, self.failed = defer.Deferred(), {}, errortoo, false
end

function Output:outReceived(data) table.insert(self.pieces, data) end

function Output:errReceived(data)
  if self.errortoo then return self:outReceived(data) end
  if self.failed then return end
  self.failed = defer.Deferred()
  self.transport:loseConnection()
  self.deferred:errback(UnexpectedErrorOutput(data, self.failed))
end

function Output:processEnded(reason)
  if self.failed then return self.failed:errback(reason) end
  self.deferred:callback(table.concat(self.pieces))
end

--- Runs a program, and gives what it writes to its standard output.
-- @tparam string executable as for `reactor.spawnProcess`
-- @tparam[opt] {string,...} args without the program's name
-- @tparam[opt] table env its environment; nil: this process's
-- @tparam[opt] string path its working directory
-- @param[opt] reactor whose `spawnProcess` is called: that of @{csock.reactor}, unless given
-- @tparam[opt=false] boolean errortoo whether what it writes to its standard error is part of the result. If not, the
-- deferred fails as soon as something comes, with an object whose `text` is that, and whose `processEnded` is a
-- deferred that fails with the process's `reason` when it has ended
-- @treturn deferred of a string; its failure, when the program cannot be started, is the error
-- @usage
-- local utils = require "csock.reactor.utils"
-- utils.getProcessOutput("echo", {"hello"}):addCallback(function(text) print(#text) end):addBoth(reactor.stop)
-- reactor.run() --> 6
function M.getProcessOutput(executable, args, env, path, reactor, errortoo)
  return run(Output(errortoo), executable, args, env, path, reactor)
end

-- --- how it ends ------------------------------------------------------------------------------------

local Value = class("ProcessValue", protocol.ProcessProtocol)

function Value:__init() self.deferred = defer.Deferred() end

function Value:processEnded(reason) self.deferred:callback(reason.exitCode) end

--- Runs a program, and gives its exit status: nil when a signal has ended it.
-- @tparam string executable as for `reactor.spawnProcess`
-- @tparam[opt] {string,...} args without the program's name
-- @tparam[opt] table env its environment; nil: this process's
-- @tparam[opt] string path its working directory
-- @param[opt] reactor as for `getProcessOutput`
-- @treturn deferred of an integer
-- @usage
-- local utils = require "csock.reactor.utils"
-- utils.getProcessValue("sh", {"-c", "exit 3"}):addCallback(print):addBoth(reactor.stop)
-- reactor.run() --> 3
function M.getProcessValue(executable, args, env, path, reactor)
  return run(Value(), executable, args, env, path, reactor)
end

local Everything = class("ProcessOutputAndValue", protocol.ProcessProtocol)

function Everything:__init(stdinBytes)
  self.deferred, self.stdinBytes = defer.Deferred(), stdinBytes
  self.out, self.err = {}, {}
end

function Everything:connectionMade()
  if not self.stdinBytes then return end
  self.transport:write(self.stdinBytes)
  self.transport:closeStdin()
end

function Everything:outReceived(data) table.insert(self.out, data) end
function Everything:errReceived(data) table.insert(self.err, data) end

function Everything:processEnded(reason)
  local results = { table.concat(self.out), table.concat(self.err), reason.signal or reason.exitCode }
  if reason.signal then return self.deferred:errback(results) end
  self.deferred:callback(results)
end

--- Runs a program, and gives all that it says, and its exit status.
-- @tparam string executable as for `reactor.spawnProcess`
-- @tparam[opt] {string,...} args without the program's name
-- @tparam[opt] table env its environment; nil: this process's
-- @tparam[opt] string path its working directory
-- @param[opt] reactor as for `getProcessOutput`
-- @tparam[opt] string stdinBytes what it has on its standard input, which is closed then
-- @treturn deferred of `{out, err, code}`; when a signal has ended the process, the `value` of its failure is
-- `{out, err, signal}`
-- @usage
-- local utils = require "csock.reactor.utils"
-- local d = utils.getProcessOutputAndValue("sort", nil, nil, nil, nil, "b\na\n")
-- d:addCallback(function(results) print(results[1], results[3]) end):addBoth(reactor.stop)
-- reactor.run()
function M.getProcessOutputAndValue(executable, args, env, path, reactor, stdinBytes)
  return run(Everything(stdinBytes), executable, args, env, path, reactor)
end

return M
