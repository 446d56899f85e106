-- dashboard.lua: what is going on in this process, as a page for a browser on the same machine: its sockets and tasks,
-- curves of what passes, and how late the loop is. The page is whole in itself, and only who has its address, with the
-- token in it, gets anything.
local csock = require "csock"
local hex = require "csock.repl.hex"
local httpserver = require "csock.httpserver"
local page = require "csock.repl.dashboard.page"
local sampler = require "csock.repl.dashboard.sampler"
local state = require "csock.repl.state"
local url = require "csock.url"
local loop = csock.loop

local M = {}

local EVENTS = { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store" }

local function token()
  return (csock.random(16):gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

-- Only under a name of this machine: a page from elsewhere could have a name of its own that leads here.
local function is_local(request)
  local host = request.headers.host or ""
  host = host:gsub(":%d+$", "")
  return host == "127.0.0.1" or host == "localhost" or host == "[::1]"
end

local function id_of(request)
  local id = request.query and request.query:match "^id=(%d+)$"
  return id and #id <= 15 and math.tointeger(tonumber(id)) or nil
end

local function show_page()
  local nonce = token()
  return 200, {
    ["content-type"] = "text/html; charset=utf-8", ["cache-control"] = "no-store", ["referrer-policy"] = "no-referrer",
    ["content-security-policy"] = ("default-src 'none'; connect-src 'self'; img-src data:; script-src 'nonce-%s'; "
      .. "style-src 'nonce-%s'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"):format(nonce, nonce),
  }, (page:gsub("NONCE", nonce))
end

local function show_events()
  local viewer = sampler.view()
  return 200, EVENTS, function() return httpserver.event { data = viewer:next() } end, viewer
end

local function show_trace(request)
  local row = state.socket(id_of(request))
  local tap = row and csock.tap(row.socket)
  if not tap then return 404 end
  local began = loop.now()
  return 200, EVENTS, function()
    local time, direction, layer, data = tap:read()
    if not time then return nil end
    local head = ("%.3f %s%s"):format(time - began, direction, layer == "wire" and " wire" or "")
    return httpserver.event { data = hex.dump(head, data) }
  end, tap
end

local function close_socket(request)
  local row = state.socket(id_of(request))
  if not row then return 404 end
  row.socket:close()
  return 204
end

local ROUTES = {
  ["GET "] = show_page, ["GET events"] = show_events, ["GET trace"] = show_trace, ["POST close"] = close_socket,
}

-- Serves the page at a port of this machine (0: any that is free): the server, and the page's address.
function M.start(port)
  csock.debug(true)
  local key = "/" .. token() .. "/"
  local server, err, errno = httpserver.serve({ "127.0.0.1", port }, function(request)
    if not is_local(request) then return 403 end
    if request.path:sub(1, #key) ~= key then return 404 end
    local route = ROUTES[request.method .. " " .. url.unquote(request.path:sub(#key + 1))]
    if not route then return 404 end
    return route(request)
  end, { max_connections = 32 })
  if not server then return nil, err, errno end
  return server, ("http://127.0.0.1:%d%s"):format(server:getsockname().port, key)
end

return M
