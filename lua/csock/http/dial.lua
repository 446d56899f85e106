-- dial.lua: how a connection comes about: directly, or through a proxy's tunnel; in the clear, or over TLS.
local core = require "csock.core".http
local csock = require "csock"
local failure = require "csock.http.failure"
local headers = require "csock.wire.headers"
local internal = require "csock.loop.internal"
local place = require "csock.http.place"
local secure = require "csock.secure"

local M = {}

-- How many answers before the final one (1xx) are passed over.
M.MOST_INTERIM = 32

local function dial(self, ssl)
  return csock.create_connection({ self.host, self.port }, {
    timeout = self.left() or false, source_address = self.source_address,
    ssl = ssl, server_hostname = ssl and self.server_hostname,
  })
end

-- Asks the proxy for the tunnel: true; nil, err, errno.
local function open_tunnel(self)
  local tunnel = self.tunnel
  local stream <close> = self.sock:makefile("rw", -1)
  local authority = place.authority(tunnel.host, tunnel.port)
  local fields = headers.new(tunnel.headers)
  if not fields.host then fields:add("Host", authority) end
  local ok, err, errno = stream:write("CONNECT ", authority, " HTTP/1.1\r\n", fields:encode(), "\r\n")
  if ok then ok, err, errno = stream:flush() end
  if not ok then return nil, err, errno end
  local head
  for _ = 1, M.MOST_INTERIM do
    self:arm()
    head, err, errno = core.read_response(stream, "CONNECT", self.limits)
    if not head or head.status >= 200 then break end
  end
  if not head then
    if err then return nil, err, errno end
    return failure("connect", "RemoteDisconnected", "the proxy has closed the connection")
  end
  if head.status >= 300 or head.status < 200 then
    return failure("connect", "ProxyError", ("the proxy refuses: %d %s"):format(head.status, head.reason),
      { code = head.status, text = head.reason })
  end
  if stream:buffered() > 0 then -- it would be lost, or taken for the server's
    return failure("connect", "BadStatusLine", "the proxy says more than that the tunnel is open")
  end
  return true
end

-- Connects an HTTPConnection: true, and it has `sock` and `stream`; nil, err, errno.
function M.connect(self)
  local ssl = self:security()
  local sock, err, errno = dial(self, not self.tunnel and ssl or nil)
  if not sock then return nil, err, errno end
  self.sock = sock
  local _ <close> = internal.guard(function() -- a failure, an error, a task that is cancelled
    if not self.stream then self:close() end
  end)
  local ok = true
  if sock.family ~= csock.AF_UNIX then ok, err, errno = sock:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1) end
  if ok and self.tunnel then
    self:arm()
    ok, err, errno = open_tunnel(self)
    if ok and ssl then
      local name = self.server_hostname
      if name == nil then name = self.tunnel.host:match "^[^%%]*" end
      ok, err, errno = secure.connect(ssl, sock, { server_hostname = name }, self.left())
    end
  end
  if ok then self.stream, err, errno = sock:makefile "rw" end
  if not self.stream then return nil, err, errno end
  return true
end

return M
