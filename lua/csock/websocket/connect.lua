-- connect.lua: the client's way to a WebSocket: a connection of csock.http, on which the protocol is switched.
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local connection = require "csock.websocket.connection"
local deflate = require "csock.websocket.deflate"
local failure = require "csock.websocket.failure"
local handshake = require "csock.websocket.handshake"
local http = require "csock.http.connection"
local internal = require "csock.loop.internal"
local place = require "csock.http.place"
local proxy = require "csock.http.proxy"
local secure = require "csock.secure"
local urls = require "csock.url"

local M = {}

local OPTIONS = {
  subprotocols = { handshake.SUBPROTOCOLS }, headers = { check.TABLE }, origin = { check.STRING },
  timeout = { check.TIMEOUT, 10, math.huge }, ssl = { secure.CLIENT }, server_hostname = { secure.NAME, nil, false },
  proxies = { proxy.KIND, nil, {} }, source_address = { check.ANY },
}
for name, row in pairs(connection.OPTIONS) do OPTIONS[name] = row end

local SCHEMES = { ws = { as = "http", port = 80 }, wss = { as = "https", port = 443 } }

local function invalid(words) return failure("connect", "InvalidURI", words) end

-- Takes a URL apart: `as`, the scheme that HTTP has for it, `host`, `port`, `target`, `login`; nil, err, errno.
local function locate(url)
  local parts, err, errno = urls.urlsplit(url)
  if not parts then return nil, err, errno end
  local scheme = SCHEMES[parts.scheme]
  if not scheme then return invalid(("no ws or wss: '%s'"):format(parts.scheme)) end
  if not parts.hostname then return invalid "the URL has no host" end
  if url:find("#", 1, true) then return invalid "the URL has a fragment" end
  local login = proxy.login(parts)
  if login == false then return invalid "a control character in the login" end
  local target = parts.path == "" and "/" or parts.path
  if parts.query ~= "" then target = target .. "?" .. parts.query end
  if not place.is_target(target) then return invalid "the target is malformed" end
  return {
    as = scheme.as, host = place.bare(parts.hostname), port = parts.port or scheme.port, target = target, login = login,
  }
end

-- An HTTPConnection that is not connected yet; nil, err, errno.
local function make_connection(at, options)
  local through, err, errno = proxy.find(options.proxies or proxy.CURRENT, at.as, at.host, at.port)
  if through == nil then return nil, err, errno end
  local class = at.as == "https" and http.HTTPSConnection or http.HTTPConnection
  local to = through or at
  local made = class(place.authority(to.host, to.port), {
    timeout = options.timeout, source_address = options.source_address, context = options.ssl,
    server_hostname = options.server_hostname,
  })
  if through then
    made:set_tunnel(place.authority(at.host, at.port), nil, { ["Proxy-Authorization"] = through.authorization })
  end
  made.clock = internal.countdown(options.timeout ~= math.huge and options.timeout or nil)
  return made
end

-- Asks for the other protocol: what was agreed on; nil, err, errno.
local function shake_hands(client, at, options)
  local fields, key, errno = handshake.request(options)
  if not fields then return nil, key, errno end
  if at.login and not fields.authorization then fields:add("Authorization", "Basic " .. base64.encode(at.login)) end
  fields:remove("Host")
  local ok, err
  ok, err, errno = client:putrequest("GET", at.target, { skip_accept_encoding = true })
  if not ok then return nil, err, errno end
  for name, value in fields:each() do client:putheader(name, value) end
  ok, err, errno = client:endheaders()
  if not ok then return nil, err, errno end
  local response
  response, err, errno = client:getresponse()
  if not response then return nil, err, errno end
  return handshake.agreement(response, key, options)
end

function M.connect(url, options)
  check.argument(check.STRING, url, 1, "connect")
  options = check.options(options, OPTIONS, 2, "connect")
  options.deflate = deflate.options(options.deflate, 2, "connect")
  local at, err, errno = locate(url)
  if not at then return nil, err, errno end
  local client
  client, err, errno = make_connection(at, options)
  if not client then return nil, err, errno end
  local _ <close> = client
  local agreed
  agreed, err, errno = shake_hands(client, at, options)
  if not agreed then return nil, err, errno end
  local stream, conn = client.stream, client.sock
  client.stream, client.sock = nil, nil -- they are the WebSocket's now
  conn:settimeout(nil)
  stream:setvbuf("turn", 1 << 15)
  return connection.new("client", stream, conn, agreed, options)
end

return M
