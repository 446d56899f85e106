-- secure.lua: TLS for what makes and takes connections. All that is known of it here: a context is something with a
-- method `wrap_socket`, which puts TLS under a socket, and may have a field `server_side`. (csock.ssl is loaded only
-- where somebody asks for the default context.)
local check = require "csock.check"
local internal = require "csock.loop.internal"

local M = {}

-- Whether a value is a context for this side.
local function is_context(value, server_side)
  local kind = type(value)
  if kind ~= "userdata" and kind ~= "table" then return false end
  local ok, fits = pcall(function()
    return value.wrap_socket ~= nil and (value.server_side == nil or value.server_side == server_side)
  end)
  return ok and fits
end

-- Kinds of options.
M.CLIENT = check.kind("true or a client's SSLContext", function(value)
  return value == true or is_context(value, false)
end)
M.SERVER = check.kind("a server's SSLContext", function(value) return is_context(value, true) end)
M.NAME = check.kind("name", function(value) return type(value) == "string" and value ~= "" end)
M.SECONDS = check.kind("seconds > 0", function(value) return check.TIMEOUT.fits(value) and value > 0 end)

-- The name that the server at this host must show a certificate for, unless told: the host that was asked for.
function M.name_of(host)
  if not M.NAME.fits(host) then return nil end
  return host:find(":", 1, true) and host:match "^[^%%]*" or host -- an IPv6 address's scope is this side's alone
end

-- Seconds that a server gives a client for the handshake, unless told.
M.HANDSHAKE_TIMEOUT = 10

-- What `ssl = true` stands for: made once, so that its sessions are used again.
local default

local function context_of(ssl)
  if ssl ~= true then return ssl end
  if not default then
    local made, err, errno = require "csock.ssl".create_default_context()
    if not made then return nil, err, errno end
    default = made
  end
  return default
end

-- Bounds what a socket's calls take until the variable is left: for a `<close>` variable.
local function limited(sock, seconds)
  local timeout = sock:gettimeout()
  sock:settimeout(seconds)
  return internal.guard(function() sock:settimeout(timeout) end)
end

-- Puts TLS under a client's connected socket, with the handshake, in so many seconds (nil: no limit). The socket; or
-- nil, err, errno, and it is closed.
function M.connect(ssl, sock, options, seconds)
  local holder <close> = internal.holder(sock)
  local context, err, errno = context_of(ssl)
  if not context then return nil, err, errno end
  local _ <close> = limited(sock, seconds)
  local ok
  ok, err, errno = context:wrap_socket(sock, {
    server_side = false, server_hostname = options.server_hostname, session = options.session,
  })
  if not ok then return nil, err, errno end
  return holder:take()
end

-- Puts TLS under a connection that a server has taken, without the handshake: from now on nothing goes over it in the
-- clear. Raises what is wrong with that, which is the server's fault.
function M.cover(context, conn)
  assert(context:wrap_socket(conn, { server_side = true, do_handshake_on_connect = false }))
end

-- Makes the handshake, in so many seconds (nil: no limit). True; or nil, err, errno, which is the client's fault.
function M.greet(conn, seconds)
  local _ <close> = limited(conn, seconds)
  return conn:do_handshake()
end

return M
