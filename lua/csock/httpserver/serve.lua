--- The short form: a server out of one function.
-- @module csock.httpserver
local check = require "csock.check"
local csock = require "csock"
local csock_core = require "csock.core"
local connection = require "csock.httpserver.connection"
local internal = require "csock.loop.internal"
local log = require "csock.httpserver.log"

local POSITIVE = check.kind("seconds > 0", function(value) return check.TIMEOUT.fits(value) and value > 0 end)
local RATE = check.kind("bytes per second >= 0", function(value) return math.type(value) and value >= 0 end)
local LOG = check.kind("true, function or file", function(value)
  return value == true or type(value) == "function" or io.type(value) == "file"
    or (type(value) == "table" or type(value) == "userdata") and value.write ~= nil
end)

local OWN = {
  header_timeout = { POSITIVE, 20 }, idle_timeout = { POSITIVE, 60 }, body_timeout = { POSITIVE, 30 },
  send_timeout = { POSITIVE, 30 }, minimum_rate = { RATE, 500, 0 }, max_body = { check.integer(0), 1 << 20 },
  drain = { check.integer(0), 1 << 16, 0 }, limits = { check.TABLE, {}, {} }, access_log = { LOG },
  onerror = { check.FUNCTION },
}

-- Finds a global function, also one in a table: "handle", "app.handle".
local function find_by_name(name)
  local value = _G
  for word in name:gmatch "[^.]+" do
    value = type(value) == "table" and value[word] or nil
  end
  if type(value) ~= "function" then error(("there is no function %s"):format(name), 0) end
  return value
end


local HANDLER = check.kind("function or name of one", function(value)
  return type(value) == "function" or type(value) == "string" and value ~= ""
end)

local function settings_of(own)
  local limits = {}
  for name, value in pairs(own.limits) do limits[name] = value end
  limits.body = own.max_body
  return {
    header_timeout = own.header_timeout, idle_timeout = own.idle_timeout, body_timeout = own.body_timeout,
    send_timeout = own.send_timeout, minimum_rate = own.minimum_rate, drain = own.drain,
    least = math.max(own.minimum_rate * math.min(own.send_timeout or 0, 1 << 20), 1),
    limits = csock_core.http.limits(limits),
    read_limit = own.max_body and math.max(own.max_body, 1) or nil,
    access_log = log.logger(own.access_log),
  }
end

--- A running server.
-- @type httpd
local Httpd = {}
Httpd.__index = Httpd
Httpd.__name = "csock.httpd"

--- The address that it listens on.
-- @treturn address
-- @usage
-- local server = assert(httpserver.serve({"", 8080}, function(request) return 200, nil, "hello" end))
-- print(server:getsockname().port)
function Httpd:getsockname() return self.server:getsockname() end

--- The listening socket's descriptor.
-- @treturn int
-- @usage
-- local server = assert(httpserver.serve({"", 8080}, function(request) return 200, nil, "hello" end))
-- print(server:fileno())
function Httpd:fileno() return self.server:fileno() end

local CLOSING = { drain = { check.TIMEOUT, 10, math.huge } }

--- Stops: takes no more connections, closes those that are idle, and lets the requests that are being answered end;
-- those that have not ended in time are cut off. Closing again is harmless.
-- @tparam[opt] table options
-- @tparam[opt=10] number options.drain how many seconds they have (0: none; false: as long as it takes)
-- @treturn int how many were cut off
-- @usage
-- local server = assert(httpserver.serve({"", 8080}, function(request) return 200, nil, "hello" end))
-- print(server:close {drain = 5}) --> 0
function Httpd:close(options)
  local drain = check.options(options, CLOSING, 1, "close").drain
  self.closing = true
  for _, conn in pairs(self.server.connections) do
    local busy = self.busy[conn]
    if type(busy) == "function" then
      csock.spawn(busy) -- it has become something else, which knows how to end
    elseif not busy then
      conn:shutdown(csock.SHUT_RD) -- its task finds that there is no more
    end
  end
  return self.server:close { drain = drain }
end

Httpd.__close = function(self) self:close { drain = 0 } end

function Httpd:__tostring() return (tostring(self.server):gsub("^<csock.server", "<csock.httpserver")) end

local M = {}

--- Serves HTTP at an address: a function is called with each request, in the task of its connection, and what it
-- returns is the answer:
--
--     httpserver.serve({"", 8080}, function(request)
--       if request.path ~= "/" then return 404 end
--       return 200, {["content-type"] = "text/plain"}, "hello"
--     end)
--     csock.run()
--
-- It returns
--
-- - the status, an integer from 200 on;
-- - the fields: a table from names to values, where a sequence of values makes several fields; or what
--   @{csock.wire.headers} takes else. Date, Server, Content-Length, Transfer-Encoding and Connection are the server's
--   to add; `Connection = "close"` ends the connection after this answer;
-- - the body: nil; a string or a number; a function that is called for one piece after the other until it gives nil
--   (each is sent as it comes: server-sent events, see @{event}); a file, Lua's or anything that `sendfile` takes, or
--   `{file=, offset=, count=}` for a part of one. What has no known length is sent in chunks, and to HTTP/1.0 up to the
--   connection's end. With the status 101, or 2xx to CONNECT, a function gets the connection for itself:
--   `(stream, connection, request)`;
-- - something to be closed (`<close>`) when the answer has been sent or has failed: the file, for instance.
--
-- A handler that raises an error is answered for with 500, and no details. CR, LF or zero bytes in a field are such
-- an error. HEAD gets what GET would, without the body.
--
-- What is no HTTP, or longer than the limits, is answered with its status (400, 408, 413, 414, 431, 501, 505), and the
-- connection closed. Bodies that the handler has not read are passed over.
-- @function serve
-- @param address as for @{csock.serve}
-- @tparam function|string handler the function; or the name of a global one (`"handle"`, `"app.handle"`), which is
-- looked up for each request, so that it can be defined anew while the server runs
-- @tparam[opt] table options those of @{csock.serve} (`max_connections`, `ssl`, `backlog` ...), and
-- @tparam[opt=20] number options.header_timeout in how many seconds a head must be complete, and the first one have
-- come
-- @tparam[opt=60] number options.idle_timeout how many seconds a connection may wait for the next request
-- @tparam[opt=30] number options.body_timeout how many seconds a body may be waited for; each `minimum_rate` bytes give
-- a second back
-- @tparam[opt=500] int options.minimum_rate bytes a second; 0: any
-- @tparam[opt=30] number options.send_timeout in so many seconds a client must take as many bytes as `minimum_rate`
-- says
-- @tparam[opt=1048576] int options.max_body the most bytes of a body (false: no limit)
-- @tparam[opt] table options.limits those of heads, in bytes, `line` (8190), `field`, `head`, `trailer`, `extension`,
-- and of their number, `fields`
-- @tparam[opt=65536] int options.drain how many bytes of a body are passed over that nobody has read, before the
-- connection is rather closed
-- @param[opt] options.access_log a function that gets a line in the Common Log Format (and the request, the status and
-- the bytes of the body); or a file; or true: standard error (default: none)
-- @tparam[opt] function options.onerror called with the error that a handler raised, a traceback and the request
-- (default: the loop's `onerror`)
-- @treturn[1] httpd
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for a wrong argument or option
-- @usage
-- local server = assert(httpserver.serve({"", 8080}, function(request) return 200, nil, "hello" end))
-- print(server:getsockname().port)
-- server:close()
function M.serve(address, handler, options)
  check.argument(HANDLER, handler, 2, "serve")
  local own, rest = check.split(options == nil and {} or options, OWN, 3, "serve")
  local server = setmetatable({
    handler = type(handler) == "function" and handler or function(request) return find_by_name(handler)(request) end,
    settings = settings_of(own), busy = setmetatable({}, { __mode = "k" }), closing = false,
    onerror = own.onerror or function(err, traceback) internal.report(err, traceback, csock.loop.current()) end,
  }, Httpd)
  local made, err, errno = csock.serve(address, function(conn, client)
    return connection.serve(server, conn, client)
  end, rest)
  if not made then return nil, err, errno end
  server.server = made
  return server
end

return M
