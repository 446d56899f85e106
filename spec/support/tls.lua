--- Sockets over TLS, for specs: contexts, connections to peers in other processes, and pairs within this one.
-- `M.missing` says what is not there, or is nil.
local certificates = require "spec.support.certificates"
local ciphered = require "spec.support.ciphered"
local csock = require "csock"
local keep = require "spec.support.keep"
local peers = require "spec.support.tls_peers"

local found, ssl = pcall(require, "csock.ssl")

local M = {
  ssl = found and ssl or nil,
  certificates = certificates,
  peers = peers,
  LIMIT = ciphered.LIMIT,
  in_task = ciphered.in_task,
  pattern = peers.pattern,
}

if not found then
  if package.searchpath("csock.tls", package.cpath) then error(ssl, 0) end -- it is there, and cannot be loaded
  M.missing = "csock.tls is not built"
elseif not certificates.available or not peers.has.python then
  M.missing = "no openssl, or no Python with ssl"
end

-- --- contexts ---

-- Properties are set; a field that names a method is its argument.
local function set(context, options)
  for name, value in pairs(options or {}) do
    if type(context[name]) == "function" then
      context[name](context, value)
    else
      context[name] = value
    end
  end
  return context
end

local function versions(options)
  local version = options and options.version
  if not version then return options end
  local copy = {}
  for name, value in pairs(options) do copy[name] = value end
  copy.version = nil
  copy.minimum_version = ssl.TLSVersion["TLSv" .. version:gsub("%.", "_")]
  copy.maximum_version = copy.minimum_version
  return copy
end

--- A client's context that trusts the good authority. `options`: properties, methods with their argument
-- (`set_alpn_protocols = { "a" }`), and `version = "1.2"`.
function M.client(options)
  return set(assert(ssl.create_default_context(nil, { cafile = certificates.ca.cert })), versions(options))
end

--- A server's context with this certificate (the good one).
function M.server(certificate, options)
  certificate = certificate or certificates.good
  local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
  assert(context:load_cert_chain(certificate.chain or certificate.cert, certificate.key))
  return set(context, versions(options))
end

-- --- connections ---

local shared

-- Python's ssl, one for all the specs of a file: it starts when it is first asked for.
local function python()
  shared = shared or peers.python()
  return shared
end

--- As peer:listen, peer:connect and peer:release of tls_peers.lua.
function M.listen(options)
  options.cert = options.cert or certificates.good
  return python():listen(options)
end

function M.connect(options)
  if options.ca == nil then options.ca = certificates.ca.cert end
  return python():connect(options)
end

function M.release() return python():release() end

--- For `teardown`: ends what the specs of a file have started.
function M.close()
  keep.close()
  if shared then shared:kill() end
  shared = nil
end

--- A plain connection to a port of this machine, that waits for LIMIT seconds at most; it is kept.
function M.plain(port)
  local s = keep((csock.create_connection({ "127.0.0.1", port }, { timeout = M.LIMIT })))
  s:settimeout(M.LIMIT)
  return s
end

--- A connection to a port of this machine over TLS: what wrap_socket gives. Raises nothing.
-- @tparam[opt] table options for wrap_socket; the server's name is localhost unless told
function M.dial(port, context, options)
  local wrapping = { server_hostname = "localhost" }
  for name, value in pairs(options or {}) do wrapping[name] = value end
  return (context or M.client()):wrap_socket(M.plain(port), wrapping)
end

--- A plain connected pair over TCP; both are kept.
function M.plain_pair()
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  local a = M.plain(listener:getsockname().port)
  local b = keep((assert(listener:accept())))
  b:settimeout(M.LIMIT)
  return a, b
end

--- A pair over TLS, the client's end first, with the handshake still to be made. Both have no time to wait.
function M.raw_pair(client, server, options)
  local a, b = M.plain_pair()
  a:settimeout(0)
  b:settimeout(0)
  local wrapping = { server_hostname = "localhost" }
  for name, value in pairs(options or {}) do wrapping[name] = value end
  assert((client or M.client()):wrap_socket(a, wrapping))
  assert((server or M.server()):wrap_socket(b, { server_side = true }))
  return a, b
end

--- Makes the handshake of such a pair, in turns: true, or the first failure of either as nil, err, errno, and whose.
function M.shake(a, b)
  local deadline = csock.now() + M.LIMIT
  local done = {}
  while not (done[a] and done[b]) do
    for _, s in ipairs { a, b } do
      if not done[s] then
        local ok, err, errno = s:do_handshake()
        if not ok and errno ~= csock.errno.EAGAIN then return nil, err, errno, s end
        done[s] = ok
      end
    end
    if csock.now() > deadline then error("the handshake does not end", 2) end
  end
  return true
end

--- A pair over TLS that is ready, each end with LIMIT seconds to wait.
function M.pair(client, server, options)
  local a, b = M.raw_pair(client, server, options)
  local ok, err = M.shake(a, b)
  if not ok then error(err, 2) end
  a:settimeout(M.LIMIT)
  b:settimeout(M.LIMIT)
  return a, b
end

--- The same, with little room (less than 1 MB) in the kernel on the way from the first to the second.
function M.narrow_pair(client, server)
  local a, b = M.pair(client, server)
  assert(a:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 65536))
  assert(b:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 262144))
  return a, b
end

--- The next line, with its end: by single bytes, so that nothing behind it is taken. Less at the stream's end.
function M.line(s)
  local line = ""
  while line:sub(-1) ~= "\n" do
    local data, err, errno = s:recv(1)
    if not data then return nil, err, errno end
    if data == "" then break end
    line = line .. data
  end
  return line
end

--- Sends a line, and gives the one that comes back.
function M.ask(s, text)
  local n, err, errno = s:sendall(text .. "\n")
  if not n then return nil, err, errno end
  return M.line(s)
end

--- Both ways to wait: `f("outside of tasks", run)` and `f("in a task", run)`, for specs that call `run(function)`.
function M.ways(f)
  f("outside of tasks", function(g, ...) return g(...) end)
  f("in a task", M.in_task)
end

--- Writes until the kernel takes no more; how many bytes.
function M.fill(s)
  s:settimeout(0)
  local total = 0
  repeat
    local n = s:send(("x"):rep(65536))
    total = total + (n or 0)
  until not n
  s:settimeout(M.LIMIT)
  return total
end

return M
