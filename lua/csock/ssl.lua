--- TLS under a socket, secure by default: Python's module `ssl`.
--
-- A context says who is trusted and whose certificate is shown; `wrap_socket` puts TLS under a socket, which stays the
-- same object with all its methods, in each way of waiting, and has some more (see the type `socket` of @{csock.ssl}).
--
--     local csock, ssl = require "csock", require "csock.ssl"
--     local s = assert(csock.create_connection({ "example.org", 443, }, { ssl = ssl.create_default_context() }))
--     assert(s:sendall "HEAD / HTTP/1.0\r\nHost: example.org\r\n\r\n")
--     print(s:recv(1000), s:version())
--
-- A client's context verifies the chain of certificates and the name; the only one that does not is made by
-- `insecure_context`. Errors have the kind `"ssl"`, the errno `EPROTO`, OpenSSL's reason as `name`
-- (`"CERTIFICATE_VERIFY_FAILED"`), and, where they are known, `verify_code`, `verify_message`, `depth`, `subject`,
-- `alert`, `library` and `hint`.
-- @module csock.ssl
local check = require "csock.check"

local found, tls = pcall(require, "csock.tls")
if not found then
  if type(tls) ~= "string" or not tls:find("module 'csock.tls' not found", 1, true) then error(tls, 0) end
  error("csock.ssl needs the module csock.tls: install it with `luarocks install csock-ssl`"
    .. " (or build csock with OpenSSL 3's headers, libssl-dev, at hand)", 0)
end

local M = {}
for name, value in pairs(tls) do
  if math.type(value) then M[name] = value end
end

local Context = tls.SSLContext -- the methods that all contexts have

--- The library's version, such as `"OpenSSL 3.0.15 3 Sep 2024"`; `OPENSSL_VERSION_NUMBER` is its number.
-- @field OPENSSL_VERSION

--- The version's parts: a sequence of major, minor and patch.
-- @field OPENSSL_VERSION_INFO
local major, minor, patch
M.OPENSSL_VERSION, major, minor, patch = tls.version()
M.OPENSSL_VERSION_INFO = { major, minor, patch }

--- Whether a client can name the server that it wants: true. Source: Python's `ssl.HAS_SNI`.
-- @field HAS_SNI

--- Whether the two can agree on a protocol for the inside: true. Source: Python's `ssl.HAS_ALPN`.
-- @field HAS_ALPN

--- Whether elliptic curves can be used for the exchange of keys: true. Source: Python's `ssl.HAS_ECDH`.
-- @field HAS_ECDH

--- Whether there is TLS 1.2: true. Source: Python's `ssl.HAS_TLSv1_2`.
-- @field HAS_TLSv1_2

--- Whether there is TLS 1.3: true. Source: Python's `ssl.HAS_TLSv1_3`.
-- @field HAS_TLSv1_3

--- Whether there is SSL 2: false. Source: Python's `ssl.HAS_SSLv2`.
-- @field HAS_SSLv2

--- Whether there is NPN, which ALPN has taken the place of: false. Source: Python's `ssl.HAS_NPN`.
-- @field HAS_NPN

--- Whether names are looked for in the certificate's alternative names alone: true. Source: Python's
-- `ssl.HAS_never_check_common_name`.
-- @field HAS_never_check_common_name

-- What this OpenSSL can. Python's names.
M.HAS_SNI, M.HAS_ALPN, M.HAS_ECDH, M.HAS_TLSv1_2, M.HAS_TLSv1_3 = true, true, true, true, true
M.HAS_SSLv2, M.HAS_NPN, M.HAS_never_check_common_name = false, false, true

--- Versions of the protocol, for `minimum_version` and `maximum_version`.
-- @field TLSVersion
M.TLSVersion = {
  MINIMUM_SUPPORTED = -2, MAXIMUM_SUPPORTED = -1,
  SSLv3 = 0x300, TLSv1 = 0x301, TLSv1_1 = 0x302, TLSv1_2 = 0x303, TLSv1_3 = 0x304,
}

--- What a context is for: `SERVER_AUTH`, to verify servers (a client's), or `CLIENT_AUTH` (a server's).
-- @field Purpose
M.Purpose = { SERVER_AUTH = "SERVER_AUTH", CLIENT_AUTH = "CLIENT_AUTH" }

-- --- contexts --------------------------------------------------------------------------------------

local function is_server(call, purpose)
  if purpose == nil or purpose == M.Purpose.SERVER_AUTH then return false end
  if purpose == M.Purpose.CLIENT_AUTH then return true end
  check.expected(call, 1, "a purpose", purpose)
end

--- A context without certificates: it trusts nobody yet.
-- Source: Python's `ssl.SSLContext`.
-- @function SSLContext
-- @tparam int protocol `PROTOCOL_TLS_CLIENT` or `PROTOCOL_TLS_SERVER`
-- @treturn[1] SSLContext
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage local context = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
function M.SSLContext(protocol)
  if protocol ~= M.PROTOCOL_TLS_CLIENT and protocol ~= M.PROTOCOL_TLS_SERVER then
    check.expected("SSLContext", 1, "PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER", protocol)
  end
  return tls.context(protocol == M.PROTOCOL_TLS_SERVER, false)
end

-- What is logged where the environment says so, as curl, browsers and Python do. The context; or nil, err, errno.
local function keylog(context, call)
  local name = os.getenv "SSLKEYLOGFILE"
  if not name or name == "" then return context end
  local ok, err, code = tls.keylog(context, name, call)
  if not ok then return nil, err, code end
  return context
end

local CAS = { cafile = { check.STRING }, capath = { check.STRING }, cadata = { check.STRING } }

--- A context with good settings. A client's verifies the server's certificate and name: against the system's
-- authorities, or those that are given. TLS 1.2 and later, no renegotiation, no compression.
-- Source: Python's `ssl.create_default_context`.
-- @function create_default_context
-- @tparam[opt=Purpose.SERVER_AUTH] string purpose that, for a client, or `Purpose.CLIENT_AUTH`, for a server
-- @tparam[opt] table options whom to trust instead of the system's authorities
-- @tparam[opt] string options.cafile a file of certificates in PEM
-- @tparam[opt] string options.capath a directory of c_rehash
-- @tparam[opt] string options.cadata certificates in PEM or DER
-- @treturn[1] SSLContext
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ENOENT`: the system has no authorities; the error names the places; or
-- what `SSLKEYLOGFILE` in the environment names cannot be written)
-- @usage
-- local context = assert(ssl.create_default_context())
-- local s <close> = assert(csock.create_connection({"localhost", 443}, {ssl = context}))
function M.create_default_context(purpose, options)
  local call = "create_default_context"
  local server = is_server(call, purpose)
  local cas = check.options(options, CAS, 2, call)
  local context, err, code = tls.context(server, false)
  if not context then return nil, err, code end
  local ok = true
  if next(cas) then
    ok, err, code = context:load_verify(cas.cafile, cas.capath, cas.cadata)
  elseif not server then
    ok, err, code = context:load_default_certs()
  end
  if not ok then return nil, err, code end
  return keylog(context, call)
end

--- A context that verifies nothing: whoever is in between can read and change everything. To try things out.
-- @function insecure_context
-- @tparam[opt=Purpose.SERVER_AUTH] string purpose
-- @treturn[1] SSLContext
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage local context = assert(ssl.insecure_context())
function M.insecure_context(purpose)
  local context, err, code = tls.context(is_server("insecure_context", purpose), true)
  if not context then return nil, err, code end
  return keylog(context, "insecure_context")
end

--- Whom the context trusts, beside those whom it trusts already.
-- Source: Python's `SSLContext.load_verify_locations`.
-- @function SSLContext:load_verify_locations
-- @param cafile a PEM file; or a table with `cafile`, `capath`, `cadata`
-- @tparam[opt] string capath a directory of certificates, named by their hashes (c_rehash)
-- @tparam[opt] string cadata certificates in PEM or DER
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local context = assert(ssl.create_default_context())
-- assert(context:load_verify_locations "ca.pem")
function Context.load_verify_locations(context, cafile, capath, cadata)
  if type(cafile) == "table" then
    local cas = check.options(cafile, CAS, 1, "load_verify_locations")
    cafile, capath, cadata = cas.cafile, cas.capath, cas.cadata
  end
  if not (cafile or capath or cadata) then
    check.bad("load_verify_locations", 1, "cafile, capath or cadata expected")
  end
  return context:load_verify(cafile, capath, cadata)
end
Context.set_default_verify_paths = Context.load_default_certs

-- --- wrapping --------------------------------------------------------------------------------------

local NAME = check.kind("name", function(value)
  return type(value) == "string" and value ~= "" and not value:find "%c"
end)
local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)
local SESSION = check.kind("SSLSession", function(value) return type(value) == "userdata" end)

local ANY_END = { server_hostname = { NAME }, server_side = { BOOLEAN, nil, false }, session = { SESSION } }
local SOCKET_END = { do_handshake_on_connect = { BOOLEAN, true, false } }
for name, row in pairs(ANY_END) do SOCKET_END[name] = row end

local function wrap_options(context, given, rows, number, call)
  local options = check.options(given, rows, number, call)
  if options.server_side ~= nil and options.server_side ~= context.server_side then
    check.bad(call, number, context.server_side and "server_side: the context is a server's"
      or "server_side: the context is a client's: create_default_context(Purpose.CLIENT_AUTH)")
  end
  if context.check_hostname and not options.server_hostname then
    check.bad(call, number, "server_hostname: the context verifies the server's name, so it must be given")
  end
  return options
end

--- Puts TLS under a socket. A socket that is connected makes the handshake at once, within its timeout; if that fails,
-- the socket is closed: nothing goes over it in the clear. With a timeout of 0, or `do_handshake_on_connect = false`,
-- it is made by `do_handshake`, or by the first `recv` or `send`. A socket that is not connected makes it in
-- `connect`. A listening one gives sockets over TLS, whose handshake is made by `do_handshake` or the first use, so
-- that a slow client holds up no other.
-- Source: Python's `SSLContext.wrap_socket`.
-- @function SSLContext:wrap_socket
-- @tparam socket sock a stream
-- @tparam[opt] table options
-- @tparam[opt] string options.server_hostname the name or IP address of the server: it is asked for, and verified
-- @tparam[opt] boolean options.server_side that of the context
-- @tparam[opt=true] boolean options.do_handshake_on_connect
-- @tparam[opt] SSLSession options.session an earlier one, to be taken up again
-- @treturn[1] socket the same one
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EPROTO`: see the error's `name`; `ETIMEDOUT`; `EBUSY`: streams over it are open, which may
-- hold what came in the clear; `EISCONN`: it is over TLS already)
-- @usage
-- local context = assert(ssl.create_default_context())
-- local s <close> = assert(csock.create_connection {"localhost", 443})
-- assert(context:wrap_socket(s, {server_hostname = "localhost"}))
-- print(s:version()) --> TLSv1.3
function Context.wrap_socket(context, sock, options)
  options = wrap_options(context, options, SOCKET_END, 2, "wrap_socket")
  local now, err, code = tls.wrap(sock, context, options.server_hostname, options.session)
  if now == nil then return nil, err, code end
  if now and options.do_handshake_on_connect then
    local ok
    ok, err, code = sock:do_handshake()
    if not ok then
      sock:close()
      return nil, err, code
    end
  end
  return sock
end

--- TLS between two queues of bytes, without a socket.
-- Source: Python's `SSLContext.wrap_bio`.
-- @function SSLContext:wrap_bio
-- @tparam MemoryBIO incoming what comes from the peer
-- @tparam MemoryBIO outgoing what goes to the peer
-- @tparam[opt] table options
-- @tparam[opt] string options.server_hostname as for `wrap_socket`
-- @tparam[opt] boolean options.server_side as for `wrap_socket`
-- @tparam[opt] SSLSession options.session as for `wrap_socket`
-- @treturn[1] SSLObject
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local context = assert(ssl.create_default_context())
-- local incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
-- local object = assert(context:wrap_bio(incoming, outgoing, {server_hostname = "localhost"}))
-- object:do_handshake() -- outgoing has what is to be sent now
function Context.wrap_bio(context, incoming, outgoing, options)
  options = wrap_options(context, options, ANY_END, 3, "wrap_bio")
  return tls.object(context, incoming, outgoing, options.server_hostname, options.session)
end

--- The same as `context:wrap_bio`.
-- @function SSLObject
-- @tparam SSLContext context
-- @tparam MemoryBIO incoming
-- @tparam MemoryBIO outgoing
-- @tparam[opt] table options those of @{SSLContext:wrap_bio}
-- @treturn SSLObject
-- @usage
-- local context = assert(ssl.create_default_context())
-- local object = ssl.SSLObject(context, ssl.MemoryBIO(), ssl.MemoryBIO(), {server_hostname = "localhost"})
function M.SSLObject(context, ...) return context:wrap_bio(...) end

for name, f in pairs(require "csock.ssl.certificates"(M)) do M[name] = f end
M.MemoryBIO = tls.MemoryBIO

--- Random bytes from OpenSSL; `csock.random` has the system's.
-- Source: Python's `ssl.RAND_bytes`.
-- @function RAND_bytes
-- @tparam int n how many
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#assert(ssl.RAND_bytes(16))) --> 16
M.RAND_bytes = tls.RAND_bytes

--- Whether OpenSSL has gathered enough randomness.
-- Source: Python's `ssl.RAND_status`.
-- @function RAND_status
-- @treturn boolean
-- @usage print(ssl.RAND_status()) --> true
M.RAND_status = tls.RAND_status
M.get_default_verify_paths = tls.get_default_verify_paths

return M
