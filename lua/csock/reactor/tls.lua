-- TLS under the reactor's connections: the handshake, which the reactor makes beside everything else it does, and
-- what connections have for it.
local csock = require "csock"
local class = require "csock.class"
local reason = require "csock.reactor.reason"
local transport = require "csock.reactor.transport"
local turns = require "csock.reactor.turns"
local check = require "csock.check"
local secure = require "csock.secure"
local internal = require "csock.loop.internal"

local hub = internal.hub
local E = csock.errno
local EAGAIN, EBUSY, ENOTCONN, ETIMEDOUT = E.EAGAIN, E.EBUSY, E.ENOTCONN, E.ETIMEDOUT

local Connection = transport.Connection

local SSLCONTEXT = check.kind("SSLContext", function(value)
  return value ~= true and (secure.SERVER.fits(value) or secure.CLIENT.fits(value))
end)

local M = {}

-- --- contexts -------------------------------------------------------------------------------------

local function gives_context(value)
  return type(value) == "table" and not class.isclass(value) and value.getContext ~= nil
end

-- Raises for what is no context of this kind (see csock.secure), and no object that gives one.
function M.check(kind, value, place, call)
  if not gives_context(value) then check.argument(kind, value, place, call) end
end

-- The context for the next connection, and the name that a client verifies.
function M.context(factory, host)
  if not gives_context(factory) then return factory, host end
  return factory:getContext(), factory.server_hostname or host
end

-- --- the handshake --------------------------------------------------------------------------------

-- It is made, before the protocol is told of the connection or later.
function Connection:secured()
  self.TLS, self.negotiatedProtocol = true, self.socket:selected_alpn_protocol()
end

local function handshake_over(self, err)
  local handshake = self.handshake
  self.handshake = nil
  if handshake.timer and handshake.timer:active() then handshake.timer:cancel() end
  if not err then
    self:secured()
    hub.part(self.socket, false) -- what was written meanwhile goes
  end
  return handshake.over(self, err)
end

-- Makes it in at most so many seconds, and calls `over(self)` then, or `over(self, err)`.
function Connection:shake_hands(seconds, over)
  self.handshake = { over = over }
  if seconds < math.huge then
    self.handshake.timer = turns.callLater(seconds, function()
      handshake_over(self, select(2, csock.make_error {
        call = "do_handshake", errno = ETIMEDOUT,
        strerror = ("the peer has not finished the TLS handshake within %g seconds"):format(seconds),
      }))
    end)
  end
  self:watch()
  hub.part(self.socket, true)
end

-- The hub: another try is worth it.
function Connection:ready()
  local _, err, errno = self.socket:do_handshake()
  if errno == EAGAIN or not self.handshake then return end -- or the context's sni_callback has ended the connection
  return handshake_over(self, err)
end

-- --- STARTTLS -------------------------------------------------------------------------------------

-- What was sent in the clear would pass for what came over TLS, and the other way round.
local function buffered(self)
  if hub.unsent(self.socket, true) > 0 then return "what was written in the clear is not sent yet" end
  if self.protocol:holdsInput() then return "the peer has sent more in the clear" end
end

-- Puts TLS under the socket.
local function put_under(self, contextFactory, options)
  local context, name = M.context(contextFactory, self.connector and self.connector.host)
  local given = { do_handshake_on_connect = false }
  for option, value in pairs(options or {}) do given[option] = value end
  if given.server_hostname == nil and not context.server_side then given.server_hostname = name end
  return context:wrap_socket(self.socket, given)
end

local function started(self, err)
  if err then return self:connectionLost(reason.ConnectionLost(err)) end
  self.protocol:handshakeCompleted()
end

--- Goes on over TLS, on either side: what is written from now on waits until the handshake is made, and nothing that
-- comes in the clear is passed on. The protocol's `handshakeCompleted` is called then, if it has one; a failure, or a
-- handshake that takes longer than `handshakeTimeout`, comes as `connectionLost`.
--
-- It is refused as long as something is buffered in the clear: what was written and the socket has not taken, or what
-- has come and a receiver (see `protocol:holdsInput`) has not passed on: whoever is in between could have sent that.
-- The connection is aborted then, as after any other failure, so that nothing follows in the clear.
-- Source: Twisted's `ITLSTransport.startTLS`.
-- @function transport:startTLS
-- @param contextFactory an `SSLContext`, or an object whose `getContext()` gives one; it says which side this is
-- @tparam[opt] table options
-- @tparam[opt] string options.server_hostname for clients: the name that is verified (default: the host that was
-- connected to)
-- @tparam[opt] SSLSession options.session an earlier one, to be taken up again
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBUSY`: something is buffered; `EISCONN`: it is over TLS already; `ENOTCONN`: it is closed,
-- or being closed)
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   assert(self.transport:startTLS(self.factory.context))
-- end
function Connection:startTLS(contextFactory, options)
  M.check(SSLCONTEXT, contextFactory, 1, "startTLS")
  if options ~= nil then M.check(check.TABLE, options, 2, "startTLS") end
  if not self.connected or self.disconnecting or self.writeDisconnecting or self.writeDisconnected then
    return csock.make_error { call = "startTLS", errno = ENOTCONN }
  end
  if self.TLS or self.handshake then return csock.make_error { call = "startTLS", errno = E.EISCONN } end
  local why = buffered(self)
  local ok, err, errno
  if why then
    ok, err, errno = csock.make_error { call = "startTLS", errno = EBUSY, strerror = why }
  else
    ok, err, errno = put_under(self, contextFactory, options)
  end
  if not ok then
    self:abortConnection()
    return nil, err, errno
  end
  self:shake_hands(self.handshakeTimeout, started)
  return true
end

--- The peer's certificate, which is verified where the context verifies.
-- Source: Twisted's `ISSLTransport.getPeerCertificate`; the fields are those of Python's `getpeercert`.
-- @function transport:getPeerCertificate
-- @tparam[opt=false] boolean binary_form in DER instead of a table
-- @treturn ?table|string nil: it has shown none, or the connection is lost, or not over TLS
-- @usage
-- local Greeter = class("Greeter", protocol.Protocol)
-- function Greeter:connectionMade()
--   print(self.transport:getPeerCertificate())
-- end
function Connection:getPeerCertificate(binary_form)
  if self.connected and self.TLS then return self.socket:getpeercert(binary_form) end
end

return M
