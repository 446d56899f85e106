--- Endpoints from descriptions, for csock.endpoints.
-- @module csock.endpoints
local activation = require "csock.service.activation"
local check = require "csock.check"
local client = require "csock.endpoints.client"
local csock = require "csock"
local description = require "csock.endpoints.description"
local server = require "csock.endpoints.server"
local tls = require "csock.endpoints.tls"

local INTEGER, OCTAL = description.INTEGER, description.OCTAL
local STRING, BOOLEAN = description.STRING, description.BOOLEAN

local M = {}

-- --- servers --------------------------------------------------------------------------------------

--- What makes servers' endpoints of descriptions, by their prefixes in small letters: a table of functions
-- `(reactor, arguments, named)` that give an endpoint, or nil, an error and an errno. `arguments` is a sequence of the
-- arguments without a name, `named` a table of the others; all are strings. Programs may add their own.
-- Source: Twisted's plugins, `IStreamServerEndpointStringParser`.
-- @field serverParsers
local serverParsers = {}
M.serverParsers = serverParsers

local TCP = { { "port", INTEGER, required = true }, { "interface", STRING }, { "backlog", INTEGER } }

function serverParsers.tcp(reactor, arguments, named)
  local o = description.bind("tcp", TCP, arguments, named)
  return server.TCP4ServerEndpoint(reactor, o.port, o.backlog, o.interface)
end

local TCP6 = { { "port", INTEGER, required = true }, { "backlog", INTEGER }, { "interface", STRING } }

function serverParsers.tcp6(reactor, arguments, named)
  local o = description.bind("tcp6", TCP6, arguments, named)
  return server.TCP6ServerEndpoint(reactor, o.port, o.backlog, o.interface)
end

local SSL = {
  { "port", INTEGER, required = true }, { "privateKey", STRING }, { "certKey", STRING }, { "sslmethod", STRING },
  { "interface", STRING }, { "backlog", INTEGER }, { "extraCertChain", STRING }, { "dhParameters", STRING },
}

function serverParsers.ssl(reactor, arguments, named)
  local o = description.bind("ssl", SSL, arguments, named)
  local context, err, errno = tls.server_context(o)
  if not context then return nil, err, errno end
  return server.SSL4ServerEndpoint(reactor, o.port, context, o.backlog, o.interface)
end

local UNIX = {
  { "address", STRING, required = true }, { "mode", OCTAL }, { "backlog", INTEGER }, { "lockfile", BOOLEAN },
}

function serverParsers.unix(reactor, arguments, named)
  local o = description.bind("unix", UNIX, arguments, named)
  return server.UNIXServerEndpoint(reactor, o.address, o.backlog, o.mode, o.lockfile ~= false)
end

local SYSTEMD = { { "domain", STRING, required = true }, { "index", INTEGER }, { "name", STRING } }

local entries -- of what the service manager has handed over: those that are listened on are not there any more

-- The descriptor under this index (from 0) or name; or nil, err, errno.
local function handed_over(index, name)
  entries = entries or activation.read()
  for i, entry in ipairs(entries) do
    if i - 1 == index or name and entry.name == name then return entry.fd end
  end
  return csock.make_error {
    call = "systemd", errno = csock.errno.EBADF,
    strerror = ("%d descriptors were handed over, and none is '%s'"):format(#entries, name or index),
  }
end

function serverParsers.systemd(reactor, arguments, named)
  local o = description.bind("systemd", SYSTEMD, arguments, named)
  if (o.index == nil) == (o.name == nil) then check.fail "systemd: specify one of 'index' and 'name'" end
  local family = csock["AF_" .. o.domain] or check.fail(("systemd: there is no family AF_%s"):format(o.domain))
  local fd, err, errno = handed_over(o.index, o.name)
  if not fd then return nil, err, errno end
  return server.AdoptedStreamServerEndpoint(reactor, fd, family)
end

-- --- clients --------------------------------------------------------------------------------------

--- The same for clients' endpoints.
-- Source: Twisted's plugins, `IStreamClientEndpointStringParserWithReactor`.
-- @field clientParsers
local clientParsers = {}
M.clientParsers = clientParsers

-- A single argument without a name is the host, or the port of a host that has one.
local function bind_host(prefix, parameters, arguments, named)
  if #arguments == 1 and named.host then
    local rest = { port = arguments[1] }
    for name, value in pairs(named) do rest[name] = value end
    arguments, named = {}, rest
  end
  local o = description.bind(prefix, parameters, arguments, named)
  if o.bindAddress then o.bindAddress = { o.bindAddress, 0 } end
  return o
end

local HOST = {
  { "host", STRING, required = true }, { "port", INTEGER, required = true },
  { "timeout", INTEGER }, { "bindAddress", STRING },
}

-- The parameters of a host, and others behind them.
local function host_and(more)
  return table.move(more, 1, #more, #HOST + 1, table.move(HOST, 1, #HOST, 1, {}))
end

function clientParsers.tcp(reactor, arguments, named)
  local o = bind_host("tcp", HOST, arguments, named)
  return client.TCP4ClientEndpoint(reactor, o.host, o.port, o.timeout, o.bindAddress)
end

local SSL_HOST = host_and {
  { "certKey", STRING }, { "privateKey", STRING }, { "caCertsDir", STRING }, { "hostname", STRING },
}

function clientParsers.ssl(reactor, arguments, named)
  local o = bind_host("ssl", SSL_HOST, arguments, named)
  local context, err, errno = tls.client_context(o.caCertsDir, o.certKey, o.privateKey)
  if not context then return nil, err, errno end
  return client.SSL4ClientEndpoint(
    reactor, o.host, o.port, tls.for_host(context, o.hostname), o.timeout, o.bindAddress)
end

local TLS_HOST = host_and {
  { "certificate", STRING }, { "privateKey", STRING }, { "trustRoots", STRING }, { "endpoint", STRING },
}

function clientParsers.tls(reactor, arguments, named)
  local o = bind_host("tls", TLS_HOST, arguments, named)
  local context, err, errno = tls.client_context(o.trustRoots, o.certificate, o.privateKey)
  if not context then return nil, err, errno end
  local wrapped
  if o.endpoint then
    wrapped, err, errno = M.clientFromString(reactor, o.endpoint)
  else
    wrapped = client.HostnameEndpoint(reactor, o.host, o.port, o.timeout, o.bindAddress)
  end
  if not wrapped then return nil, err, errno end
  return tls.wrapClientTLS(tls.for_host(context, o.host), wrapped)
end

local UNIX_PATH = { { "path", STRING, required = true }, { "timeout", INTEGER }, { "lockfile", BOOLEAN } }

function clientParsers.unix(reactor, arguments, named)
  local o = description.bind("unix", UNIX_PATH, arguments, named)
  return client.UNIXClientEndpoint(reactor, o.path, o.timeout, o.lockfile)
end

-- --- both -----------------------------------------------------------------------------------------

local REACTOR = check.kind("reactor", function(value) return type(value) == "table" and value.callWhenRunning end)

local function from_string(call, parsers, reactor, text)
  check.argument(REACTOR, reactor, 1, call)
  check.argument(check.STRING, text, 2, call)
  local prefix, arguments, named = description.parse(text)
  local parse = parsers[prefix] or check.fail(("Unknown endpoint type: '%s'"):format(prefix))
  return parse(reactor, arguments, named)
end

--- A server's endpoint of a description.
--
-- - `tcp:PORT`, with `interface` and `backlog`; `tcp6:PORT`, with the same;
-- - `ssl:PORT`, with `privateKey` (a PEM file; default: server.pem), `certKey` (default: the same file),
--   `extraCertChain` (a PEM file of what leads to the authority), `interface`, `backlog`, `sslmethod` (for instance
--   `TLSv1_2_METHOD`), and `dhParameters`, which changes nothing: contexts use elliptic curves;
-- - `unix:PATH`, with `mode` (octal; default: 666), `backlog`, and `lockfile`, which changes nothing;
-- - `systemd:domain=INET`, or `INET6`, `UNIX`, with `index` (from 0) or `name`: what the service manager has handed
--   over, and `service.listen_fds` has not taken.
--
-- Arguments are separated by colons, and named as in `tcp:8080:interface=127.0.0.1`; those without a name are in
-- the order of Twisted's. A backslash before a colon, an equals sign or a backslash makes it an ordinary character.
-- Source: Twisted's `twisted.internet.endpoints.serverFromString`.
-- @function serverFromString
-- @param reactor
-- @tparam string description
-- @treturn[1] endpoint with the method `listen`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ENOENT`: one of the files is not there; `EBADF`: nothing was handed over ...)
-- @raise when the description is none
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.serverFromString(reactor, "tcp:8000:interface=127.0.0.1")
-- endpoint:listen(factory):addCallback(function(port) port:stopListening() end)
function M.serverFromString(reactor, text)
  return from_string("serverFromString", serverParsers, reactor, text)
end

--- A client's endpoint of a description.
--
-- - `tcp:HOST:PORT`, with `timeout` (seconds) and `bindAddress` (a host);
-- - `ssl:HOST:PORT`, with the same, and `hostname` (what the server's certificate must be for; default: the host),
--   `caCertsDir` (a folder of authorities, in files named `.pem`; default: the system's), `certKey` and `privateKey`
--   (PEM files that say who this is);
-- - `tls:HOST:PORT`, with `timeout`, `bindAddress`, `trustRoots`, `certificate` and `privateKey`, which are the same
--   under other names, and `endpoint`: the (quoted) description of what is connected to in place of the host;
-- - `unix:PATH`, with `timeout`, and `lockfile`, which changes nothing.
--
-- The server's certificate is always verified. (With Twisted's `ssl:` it is not, unless there is a `hostname`.)
-- Source: Twisted's `twisted.internet.endpoints.clientFromString`.
-- @function clientFromString
-- @param reactor
-- @tparam string description
-- @treturn[1] endpoint with the method `connect`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ENOENT`: one of the files is not there ...)
-- @raise when the description is none
-- @usage
-- local factory = protocol.Factory:forProtocol(protocol.LineReceiver)
-- local endpoint = endpoints.clientFromString(reactor, "tcp:localhost:21567:timeout=5")
-- endpoint:connect(factory):addCallback(function(client) print(client.transport.connected) end):addBoth(reactor.stop)
-- reactor.run() --> true
function M.clientFromString(reactor, text)
  return from_string("clientFromString", clientParsers, reactor, text)
end

--- Quotes what is to be one argument of a description: a path, for instance.
-- Source: Twisted's `twisted.internet.endpoints.quoteStringArgument`.
-- @function quoteStringArgument
-- @tparam string argument
-- @treturn string
-- @usage print(endpoints.quoteStringArgument "C:\\key.pem") --> C\:\\key.pem
function M.quoteStringArgument(argument)
  check.argument(check.STRING, argument, 1, "quoteStringArgument")
  return description.quote(argument)
end

return M
