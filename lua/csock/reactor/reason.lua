--- Why a connection ended, or never came about: what `connectionLost`, `clientConnectionLost` and
-- `clientConnectionFailed` are told.
--
--     function Echo:connectionLost(reason)
--       if not reason:check(reason.ConnectionDone) then print("lost: " .. reason) end
--     end
--
-- The classes are Twisted's, with their parents:
--
-- - `ConnectionClosed`: any end of a connection;
--   `ConnectionDone`: the peer, or `loseConnection`, closed it; `ConnectionLost`: it broke, or the reactor stopped;
--   `ConnectionAborted` (a `ConnectionLost`): `abortConnection`;
-- - `ConnectError`: any failure to connect; `ConnectBindError`, `DNSLookupError`, `NoRouteError`,
--   `ConnectionRefusedError`, `TimeoutError`, `SSLError` (the handshake of TLS failed: `value.name`, `value.hint` and
--   others say why); `UserError`: the program gave up;
-- - `CannotListenError`, `AlreadyListened`, `ConnectingCancelledError`, `NoProtocol`: of endpoints
--   (@{csock.endpoints}); `MulticastJoinError`: a group could not be joined, or left;
-- - `ProcessDone` (a `ConnectionDone`) and `ProcessTerminated` (a `ConnectionLost`): how a process has ended;
--   `ProcessExitedAlready`: there is no process any more;
-- - `CallbackError` (ours): a callback raised an error; `value` is what it raised, `traceback` says where.
-- @module csock.reactor.reason
local check = require "csock.check"
local class = require "csock.class"
local internal = require "csock.loop.internal"

local M = {}

--- A reason. `value` is what lies behind it: an error of csock, what a callback raised, or nil. All
-- classes are fields of every reason, too, so that a callback needs no `require`.
-- @type reason
local Reason = class("Reason")
M.Reason = Reason
Reason.message = "Something happened"

-- `value` may be nil.
function Reason:__init(value)
  self.value = value
end

-- Whether a name is that of a class of an object.
local function is_called(object, name)
  for _, ancestor in ipairs(object.__mro) do
    if ancestor.__name == name then return true end
  end
  return false
end

-- What lies behind it counts as well: an object of a class, or an error of csock's.
local function belongs(self, wanted)
  local value = self.value
  local object = class.isinstance(value, class.Object)
  if class.isclass(wanted) then return class.isinstance(self, wanted) or object and class.isinstance(value, wanted) end
  return is_called(self, wanted) or object and is_called(value, wanted)
    or internal.is_error(value) and value.name == wanted
end

--- Which of some kinds it belongs to, or `value`.
-- Source: Twisted's `Failure.check`.
-- @function reason:check
-- @param ... classes, names of classes, or names of csock's errors (`"ECONNREFUSED"`)
-- @return the first of them that it belongs to; nil when there is none
-- @usage
-- local why = reason.ConnectionDone()
-- print(why:check(reason.ConnectionLost, reason.ConnectionDone) == reason.ConnectionDone) --> true
function Reason:check(...)
  for i = 1, select("#", ...) do
    local wanted = select(i, ...)
    if type(wanted) ~= "string" and not class.isclass(wanted) then
      check.expected("check", i, "class or name", wanted)
    end
    if belongs(self, wanted) then return wanted end
  end
end

--- The same, but raises the reason when it belongs to none.
-- Source: Twisted's `Failure.trap`.
-- @function reason:trap
-- @param ... classes, names of classes, or names of csock's errors
-- @return the first of them that it belongs to
-- @usage
-- local why = reason.ConnectionDone()
-- assert(why:trap(reason.ConnectionDone))
function Reason:trap(...)
  return self:check(...) or error(self, 0)
end

--- Raises it.
-- Source: Twisted's `Failure.raiseException`.
-- @function reason:raiseException
-- @raise the reason itself
-- @usage
-- local why = reason.ConnectionDone()
-- print(pcall(why.raiseException, why)) --> false Connection was closed cleanly.
function Reason:raiseException() error(self, 0) end

--- In words, and where it came from, if that is known.
-- Source: Twisted's `Failure.getTraceback`.
-- @function reason:getTraceback
-- @treturn string
-- @usage
-- local why = reason.ConnectionDone()
-- print(why:getTraceback()) --> Connection was closed cleanly.
function Reason:getTraceback() return self.traceback or self:getErrorMessage() end

--- In words, such as `Connection was refused by other side: connect ('127.0.0.1', 1): Connection refused
-- [ECONNREFUSED]`. So do `tostring` and `..`.
-- Source: Twisted's `Failure.getErrorMessage`.
-- @function reason:getErrorMessage
-- @treturn string
-- @usage
-- local why = reason.ConnectionDone()
-- print(why:getErrorMessage()) --> Connection was closed cleanly.
function Reason:getErrorMessage()
  if self.value == nil then return self.message .. "." end
  return self.message .. ": " .. tostring(self.value)
end

function Reason:__tostring() return self:getErrorMessage() end
function Reason.__concat(a, b) return tostring(a) .. tostring(b) end

local function define(name, parent, message)
  local new = class(name, parent)
  new.message = message
  M[name] = new
  Reason[name] = new
end

--- Any end of a connection.
-- @field ConnectionClosed
define("ConnectionClosed", Reason, "Connection was closed")

--- The peer, or `loseConnection`, has closed the connection.
-- @field ConnectionDone
define("ConnectionDone", M.ConnectionClosed, "Connection was closed cleanly")

--- The connection broke, or the reactor stopped.
-- @field ConnectionLost
define("ConnectionLost", M.ConnectionClosed, "Connection to the other side was lost in a non-clean fashion")

--- `abortConnection` has ended the connection.
-- @field ConnectionAborted
define("ConnectionAborted", M.ConnectionLost, "Connection was aborted locally")

--- Any failure to connect.
-- @field ConnectError
define("ConnectError", Reason, "An error occurred while connecting")

--- This side's address could not be had.
-- @field ConnectBindError
define("ConnectBindError", M.ConnectError, "Couldn't bind")

--- The name could not be looked up.
-- @field DNSLookupError
define("DNSLookupError", M.ConnectError, "DNS lookup failed")

--- There is no way to that host.
-- @field NoRouteError
define("NoRouteError", M.ConnectError, "No route to host")

--- Nobody listens there.
-- @field ConnectionRefusedError
define("ConnectionRefusedError", M.ConnectError, "Connection was refused by other side")

--- The handshake of TLS has failed: `value.name`, `value.hint` and others say why.
-- @field SSLError
define("SSLError", M.ConnectError, "TLS handshake failed")

--- The program gave up.
-- @field UserError
define("UserError", Reason, "User aborted connection")

--- A group could not be joined, or left: `value` says why.
-- @field MulticastJoinError
define("MulticastJoinError", Reason, "An attempt to join or leave a multicast group failed")

--- It took too long to connect.
-- @field TimeoutError
define("TimeoutError", M.UserError, "User timeout caused connection failure")

--- An endpoint could not listen: `value` is why, `port` (a number, or a Unix socket's path) and `interface` say where.
-- @field CannotListenError
define("CannotListenError", Reason, "Couldn't listen")

function M.CannotListenError:__init(value, interface, port)
  Reason.__init(self, value)
  self.interface, self.port = interface, port
  self.message = ("Couldn't listen on %s:%s"):format(interface ~= "" and interface or "any", port)
end

--- An endpoint's descriptor is listened on already.
-- @field AlreadyListened
define("AlreadyListened", Reason, "The descriptor is listened on already")

--- An endpoint's attempt to connect was cancelled; `address` says where to: `{host=, port=}` or `{address=}`.
-- @field ConnectingCancelledError
define("ConnectingCancelledError", Reason, "Connecting was cancelled")

function M.ConnectingCancelledError:__init(address)
  Reason.__init(self)
  self.address = address
end

--- The factory that was given to an endpoint has made no protocol.
-- @field NoProtocol
define("NoProtocol", Reason, "The factory has made no protocol")

-- What Twisted has in the failure's value is in the reason, which is its own value.
local function describe_process(self, exitCode, signal, status)
  self.exitCode, self.signal, self.status, self.value = exitCode, signal, status, self
end

--- A process has exited with status 0: `exitCode` is 0, `status` what `waitpid` gave.
-- @field ProcessDone
define("ProcessDone", M.ConnectionDone, "A process has ended without apparent errors")

function M.ProcessDone:__init(status) describe_process(self, 0, nil, status) end

function M.ProcessDone:getErrorMessage() return self.message .. ": process finished with exit code 0." end

--- A process has ended otherwise: `exitCode` is its status, or nil when a signal has ended it: that is `signal` then, a
-- number. `status` is what `waitpid` gave. All are nil when something else in this program has waited for the process.
-- @field ProcessTerminated
define("ProcessTerminated", M.ConnectionLost, "A process has ended with a probable error condition")

M.ProcessTerminated.__init = describe_process

function M.ProcessTerminated:getErrorMessage()
  local how = self.exitCode and (" with exit code %d"):format(self.exitCode)
    or self.signal and (" by signal %d"):format(self.signal) or ""
  return ("%s: process ended%s."):format(self.message, how)
end

--- The process has exited already.
-- @field ProcessExitedAlready
define("ProcessExitedAlready", Reason, "The process has already exited")

--- A callback raised an error: `value` is what it raised, `traceback` says where. (csock's own.)
-- @field CallbackError
define("CallbackError", Reason, "A callback failed")

local of_connect = {
  ECONNREFUSED = M.ConnectionRefusedError,
  ENOENT = M.ConnectionRefusedError, -- of a Unix path: nobody listens there
  ETIMEDOUT = M.TimeoutError,
  EHOSTUNREACH = M.NoRouteError,
  ENETUNREACH = M.NoRouteError,
}

-- The reason for a failed `create_connection` or `connect`.
function M.of_connect(err)
  local last = err.errors and err.errors[#err.errors] or err
  if err.kind == "gaierror" then return M.DNSLookupError(err) end
  if err.kind == "ssl" then return M.SSLError(err) end
  if last.call == "bind" then return M.ConnectBindError(err) end
  return (of_connect[last.name] or M.ConnectError)(err)
end

return M
