-- address.lua: ports and addresses as they stand on a command line, and nothing that only looks like one.
local csock = require "csock"
local internal = require "csock.loop.internal"
local secure = require "csock.secure"
local unixpath = require "csock.unixpath"

local M = {}

-- A port: digits alone. nil, complaint.
function M.port(text, least)
  local port = text:find "^%d+$" and #text <= 5 and math.tointeger(tonumber(text))
  if port and port >= (least or 0) and port <= 65535 then return port end
  return nil, ("a port is a number from %d to 65535, not '%s'"):format(least or 0, text)
end

-- A host without anything that would make it something else.
local function is_host(text) return text:find "^[^%s%c%[%]/]+$" ~= nil end

-- PORT, :PORT, HOST:PORT, [IPV6]:PORT or unix:PATH: { host =, port = } or { path = }. nil, complaint. `least`: the
-- smallest port (0 only where one listens).
function M.parse(text, least)
  local path = text:match "^unix:(.*)$"
  if path then
    if path == "" then return nil, "unix: needs a path" end
    return { path = path }
  end
  local host, port = text:match "^%[([^%[%]]+)%]:([^:]*)$"
  if host and not host:find(":", 1, true) then return nil, ("'%s' is no IPv6 address"):format(host) end
  if not host then host, port = text:match "^([^:]*):([^:]*)$" end
  if not host then host, port = "", text:match "^%d+$" end
  if not port or host ~= "" and not is_host(host) then
    return nil, ("an address is PORT, :PORT, HOST:PORT, [IPV6]:PORT or unix:PATH, not '%s'"):format(text)
  end
  local number, complaint = M.port(port, least)
  if not number then return nil, complaint end
  return { host = host, port = number }
end

-- As it would be written.
function M.text(address)
  if address.path then return "unix:" .. address.path end
  return (address.host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(address.host, address.port)
end

-- The same of what a socket says of itself.
function M.text_of(name)
  if type(name) ~= "string" then return M.text(name) end
  return name == "" and "unix:" or "unix:" .. name:gsub("^%z", "@")
end

-- A socket that listens there.
function M.listen(address)
  if not address.path then return csock.create_server { address.host, address.port } end
  return unixpath.bind(address.path, nil, csock.create_server, address.path, { family = csock.AF_UNIX })
end

-- For a `<close>` variable: removes the path of a socket that has listened there.
function M.cleaner(address)
  return internal.guard(function()
    if address.path then os.remove(address.path) end
  end)
end

-- A connection to there, in so many seconds (nil: no limit). `ssl`, `server_hostname`: as for create_connection.
function M.connect(address, timeout, ssl, server_hostname)
  if not address.path then
    local host = address.host == "" and "localhost" or address.host
    return csock.create_connection({ host, address.port },
      { timeout = timeout or false, ssl = ssl, server_hostname = server_hostname })
  end
  local sock, err, errno = csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)
  if not sock then return nil, err, errno end
  sock:settimeout(timeout)
  local ok
  ok, err, errno = sock:connect(address.path)
  if ok and ssl then
    ok, err, errno = secure.connect(ssl, sock, { server_hostname = server_hostname }, timeout)
  end
  if ok then return sock end
  sock:close()
  return nil, err, errno
end

return M
