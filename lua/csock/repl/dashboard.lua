-- dashboard.lua: what is going on in this process, as a page for a browser on the same machine: its sockets and tasks,
-- curves of what passes, and how late the loop is. The page is whole in itself, and only who has its address, with the
-- token in it, gets anything.
local csock = require "csock"
local httpserver = require "csock.httpserver"
local page = require "csock.repl.dashboard.page"
local sampler = require "csock.repl.dashboard.sampler"
local state = require "csock.repl.state"
local trace = require "csock.repl.dashboard.trace"

local M = {}

local POLICY = "default-src 'none'; connect-src 'self'; img-src data:; script-src 'nonce-%s'; style-src 'nonce-%s'; "
  .. "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

local function token()
  return (csock.random(16):gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

-- Only under a name of this machine: a page from elsewhere could have a name of its own that leads here.
local function is_local(request)
  local host = (request.headers.host or ""):gsub(":%d+$", "")
  return host == "127.0.0.1" or host == "localhost" or host == "[::1]"
end

local function fields(kind)
  return {
    ["content-type"] = kind, ["cache-control"] = "no-store", ["x-content-type-options"] = "nosniff",
    ["referrer-policy"] = "no-referrer",
  }
end

local function id_of(request)
  local id = request.query and request.query:match "^id=(%d+)$"
  return id and #id <= 15 and math.tointeger(tonumber(id)) or 0 -- which is no socket's
end

-- --- what there is under the token ------------------------------------------------------------------

local function show_page()
  local nonce = token()
  local head = fields "text/html; charset=utf-8"
  head["content-security-policy"] = POLICY:format(nonce, nonce)
  return 200, head, (page:gsub("NONCE", nonce))
end

local function show_events()
  local viewer = sampler.view()
  return 200, fields "text/event-stream", function() return httpserver.event { data = viewer:next() } end, viewer
end

local function show_trace(request)
  local row = state.socket(id_of(request))
  local tap = row and trace.tap(row.socket)
  if not tap then return 404 end
  return 200, fields "text/event-stream", trace.body(tap), tap
end

local function close_socket(request) return state.close(id_of(request)) and 204 or 404 end

local ROUTES = {
  [""] = { "GET", show_page }, events = { "GET", show_events }, trace = { "GET", show_trace },
  close = { "POST", close_socket },
}

-- Serves the page at a port of this machine (0: any that is free): the server, and the page's address.
function M.start(port)
  csock.debug(true)
  local key = "/" .. token() .. "/"
  local server, err, errno = httpserver.serve({ "127.0.0.1", port }, function(request)
    if not is_local(request) then return 403 end
    local route = request.path:sub(1, #key) == key and ROUTES[request.path:sub(#key + 1)]
    if not route then return 404 end
    if request.method ~= route[1] then return 405, { allow = route[1] } end
    return route[2](request)
  end, { max_connections = 64 })
  if not server then return nil, err, errno end
  return server, ("http://127.0.0.1:%d%s"):format(server:getsockname().port, key)
end

return M
