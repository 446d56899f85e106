--- What a function of `httpserver.serve` is given.
-- @module csock.httpserver
local csock_core = require "csock.core"
local headers = require "csock.wire.headers"
local split = require "csock.httpserver.target"

local http = csock_core.http

--- A request.
-- @type request

--- `"GET"`, `"POST"` ..., as it was sent.
-- @field request:method

--- What the request is for, as it was sent: `"/a%20b?c=d"`; `"http://a/b"` at a proxy, `"*"`.
-- @field request:target

--- The target's path, as it was sent (`"/a%20b"`): @{csock.url.unquote} decodes it.
-- @field request:path

--- What comes after the target's `?`, as it was sent (@{csock.url.parse_qs}); nil where there is none.
-- @field request:query

--- 11 for HTTP/1.1, 10 for HTTP/1.0.
-- @field request:version

--- The fields of the head, a block (@{csock.wire.headers}): `request.headers["content-type"]`, `request.headers.host`.
-- @field request:headers

--- The body: a stream, with all methods of one; it ends with the body. A client that waits for leave to send it
-- (`Expect: 100-continue`) gets that when this field is first asked for, unless the answer has begun by then. A read
-- fails when the body is refused: too long, malformed, cut off, too slow. `assert` what is read: the client then gets
-- the status that this calls for (413, 400, 408), and not 500.
-- @field request:body

--- The client's address.
-- @field request:client_address

--- The connection, a socket.
-- @field request:connection

--- The address of the server that the client has connected to.
-- @field request:server_address

local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

-- What is found out when it is first asked for.
local found = {}

-- What the program has put there itself stays.
local function split_target(request)
  local path, query = split(request.target)
  request.path, request.query = rawget(request, "path") or path, rawget(request, "query") or query
end

function found.path(request)
  split_target(request)
  return request.path
end

function found.query(request)
  split_target(request)
  return rawget(request, "query")
end

function found.headers(request)
  request.headers = headers.adopt(http.fields(request.lines))
  return request.headers
end

function found.client_address(request) return request.link.address end

function found.connection(request) return request.link.conn end

function found.server_address(request) return request.link.conn:getsockname() end

-- The body, whatever the program puts into `body`.
function found.input(request)
  local link = request.link
  local settings = link.server.settings
  if request.expect_continue and not link.begun then -- in an answer it would be a part of that
    link.stream:write(CONTINUE)
    link.stream:flush()
  end
  local kind = request.framing
  if kind == "tunnel" then kind = "none" end
  request.input = http.body(link.stream, kind, request.length, settings.limits, settings.body_timeout,
    settings.minimum_rate)
  return request.input
end

function found.body(request)
  request.body = request.input
  return request.body
end

local Request = {
  __name = "csock.httpserver.request",
  __index = function(request, name)
    local find_out = found[name]
    return find_out and find_out(request)
  end,
  __tostring = function(request)
    return ("<csock.httpserver.request %s %s>"):format(request.method, request.target)
  end,
}

local M = {}

-- Reads the next one: (stream, limits, seconds, link). What it has then is said in push.c; `link` is the connection.
M.read = http.server(Request)

-- The body, if the handler has asked for it.
function M.opened_body(request) return rawget(request, "input") end

-- Takes what is left of a body that nobody wants, up to so many bytes: whether another request may follow.
function M.drain(request, most)
  local body = M.opened_body(request)
  if not body then
    if request.expect_continue then return false end -- it may come, or not
    if request.framing == "length" and request.length > most then return false end
    body = request.input
  end
  while not http.body_ended(body) do
    local piece = most > 0 and body:read(math.min(most, 1 << 14))
    if not piece then return http.body_ended(body) end
    most = most - #piece
  end
  return true
end

return M
