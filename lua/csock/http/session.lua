-- session.lua: csock.http's requests: connections that are kept, redirects, cookies, one deadline.
local auth = require "csock.http.auth"
local check = require "csock.check"
local class = require "csock.class"
local coding = require "csock.http.coding"
local connections = require "csock.http.connection"
local cookies = require "csock.cookies"
local csock = require "csock"
local deliver = require "csock.http.deliver"
local failure = require "csock.http.failure"
local headers = require "csock.wire.headers"
local internal = require "csock.loop.internal"
local plans = require "csock.http.plan"
local pools = require "csock.http.pool"
local proxy = require "csock.http.proxy"
local secure = require "csock.secure"

local E = csock.errno

local M = {}

--- Requests that belong together: they share connections, which are kept open between them, cookies, and settings.
-- Tasks may use one at the same time.
-- Source: `Session` of Python's requests.
-- @type session
local Session = class("Session")
M.Session = Session

local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)
local JAR = check.kind("CookieJar", function(value) return class.isinstance(value, cookies.CookieJar) end)
local PARAMS = check.kind("table or string", function(value)
  return type(value) == "table" or type(value) == "string"
end)

-- What holds for a session, or for a request alone.
local BOTH = {
  timeout = { check.TIMEOUT, nil, false }, redirects = { check.integer(0), nil, 0 }, auth = { auth.KIND, nil, false },
  ssl = { secure.CLIENT }, proxies = { proxy.KIND, nil, false }, limit = { check.integer(0), nil, false },
  insecure_redirects = { BOOLEAN }, decode = { BOOLEAN, nil, false }, limits = { check.TABLE },
  source_address = { check.ANY }, headers = { check.TABLE },
}

local OF_SESSION = {
  cookies = { JAR, nil, false }, max_idle = { check.integer(0), 16, 0 }, idle_timeout = { check.SECONDS, 60, 0 },
}

local OF_REQUEST = {
  params = { PARAMS }, data = { check.ANY }, json = { check.ANY, nil, false }, form = { check.TABLE },
  files = { check.TABLE }, cookies = { check.TABLE }, stream = { BOOLEAN }, to = { deliver.SINK },
  on_upload = { check.FUNCTION }, on_download = { check.FUNCTION }, expect = { check.SECONDS },
}

for name, row in pairs(BOTH) do
  OF_SESSION[name], OF_REQUEST[name] = row, row
end

-- What is so unless it was said.
local DEFAULTS = { redirects = 10, limit = 1 << 26 }

--- Made by calling the class. Close it when it is no longer needed: by `close`, or `<close>`.
-- @function csock.http.Session
-- @tparam[opt] table options those of @{csock.http.request} that are marked (S), for all requests (`headers`: each
-- request's own come over them), and
-- @tparam[opt] cookiejar options.cookies a jar of @{csock.cookies} (default: one of its own; false: none)
-- @tparam[opt=16] int options.max_idle how many connections are kept open
-- @tparam[opt=60] number options.idle_timeout for how many seconds they are
-- @treturn session
-- @usage
-- local session <close> = http.Session {timeout = 10}
-- print(session:get("http://localhost:8080/").status) --> 200
function Session:__init(options)
  local settings = check.options(options, OF_SESSION, 1, "Session")
  if settings.cookies == nil then settings.cookies = cookies.CookieJar() end
  settings.headers = headers.new(settings.headers)
  self.usual = {} -- options of requests that do not say them
  for name in pairs(BOTH) do
    local value = settings[name]
    if value == nil then value = DEFAULTS[name] end
    if name ~= "headers" then self.usual[name] = value end
  end
  --- The jar of its cookies; false: none are kept.
  -- @field session:cookies
  self.cookies = settings.cookies
  --- The headers of all requests, a block: `session.headers:set("User-Agent", "me")`.
  -- @field session:headers
  self.headers = settings.headers
  self.over_usual = { __index = self.usual }
  self.pool = pools.new(settings.max_idle, settings.idle_timeout)
end

local function options_of(self, given)
  if given == nil then return self.usual end
  return setmetatable(check.options(given, OF_REQUEST, 3, "request"), self.over_usual)
end

local function clock_of(settings)
  local timeout = settings.timeout
  if timeout == nil then timeout = csock.getdefaulttimeout() end
  return internal.countdown(timeout ~= math.huge and timeout)
end

-- --- one request, one answer -----------------------------------------------------------------------

-- A connection for a plan, and whether it was used before; nil, err, errno.
local function connection_for(self, plan, through, fresh)
  local at, options = plan.at, plan.options
  local ssl = at.scheme == "https" and (options.ssl or true) or nil
  local key = at.origin
  if through then key = ("%s %s:%d %s"):format(key, through.host, through.port, through.authorization or "") end
  if type(ssl) == "userdata" then key = ("%s %p"):format(key, ssl) end
  local kept = not fresh and self.pool:take(key)
  if kept then
    kept.checked = true
    return kept, true
  end
  local Class = ssl and connections.HTTPSConnection or connections.HTTPConnection
  local dialed = through or at
  local connection = Class(dialed.host, dialed.port, {
    timeout = false, source_address = options.source_address, context = ssl, limits = options.limits,
  })
  if through and ssl then
    local login = through.authorization
    connection:set_tunnel(at.host, at.port, login and { ["Proxy-Authorization"] = login })
  end
  connection.key = key
  connection.on_release = function(_, clean)
    connection.clock = nil
    if clean then self.pool:put(connection) end
  end
  return connection, false
end

-- Those that do the same if they are done twice (RFC 9110, 9.2.2).
local IDEMPOTENT = { GET = true, HEAD = true, OPTIONS = true, TRACE = true, PUT = true, DELETE = true }

local CLOSED = { [E.ECONNRESET] = true, [E.EPIPE] = true }

-- Sends a plan over one connection: the answer; nil, err, errno, and whether another connection may be tried. The
-- holder has what is to be closed where it does not return.
local function exchange(self, plan, clock, holder, fresh)
  local through, err, errno = plan:proxy()
  if through == nil then return nil, err, errno end
  local connection, reused = connection_for(self, plan, through, fresh)
  holder:hold(connection).clock = clock
  local by_proxy = through and plan.at.scheme == "http"
  local target = by_proxy and plan.at.url:match "^[^#]*" or plan.at.target
  local fields = plan:headers(self.cookies, by_proxy and through)
  local ok, response
  ok, err, errno = connection:ask(plan.method, target, plan.body, fields, plan.sending)
  if ok then response, err, errno = connection:getresponse() end
  if response then
    holder:hold(response)
    response.url, response.request = plan.at.url, { method = plan.method, url = plan.at.url, headers = fields }
    return response
  end
  connection:close()
  local again = reused and CLOSED[errno] and connection.silent and IDEMPOTENT[plan.method]
    and (not plan.body or plan.body.again)
  return nil, err, errno, again
end

-- The same, on a new connection where the one that was kept had been closed meanwhile.
local function attempt(self, plan, clock, holder)
  local response, err, errno, again = exchange(self, plan, clock, holder, false)
  if again then response, err, errno = exchange(self, plan, clock, holder, true) end
  if not response then return nil, err, errno end
  if self.cookies then self.cookies:extract_cookies(response.headers, plan.at.url) end
  return response
end

-- --- requests --------------------------------------------------------------------------------------

-- Whether the plan, as it now is, has to be sent again after such an answer; nil, err, errno.
local function goes_on(plan, response, redirects)
  local again = plan.auth and plan.auth:answer(response, plan.authorized)
  if again and plan.body and not plan.body.again then
    return failure("request", "UnrewindableBodyError", "the server asks who it is, and the body cannot be sent again")
  end
  if again then return true end
  if plan.options.redirects == 0 then return false end
  local follow, err, errno = plan:follow(response)
  if follow and redirects >= plan.options.redirects then
    return failure("request", "TooManyRedirects", ("more than %d redirects"):format(plan.options.redirects),
      { code = response.status, text = response.reason })
  end
  return follow, err, errno
end

local function ask(self, plan, settings)
  local clock, history = clock_of(settings), {}
  local holder <close> = internal.holder()
  while true do
    local response, err, errno = attempt(self, plan, clock, holder)
    if not response then return nil, err, errno end
    response.history = history
    local again
    again, err, errno = goes_on(plan, response, #history)
    if again == nil then return nil, err, errno end
    if not again then
      if settings.decode ~= false then coding.unpack(response) end
      local delivered
      delivered, err, errno = deliver.response(response, settings)
      if not delivered then return nil, err, errno end
      holder:take()
      return delivered
    end
    deliver.drain(response)
    history = table.move(history, 1, #history, 1, {})
    history[#history + 1] = response
  end
end

--- Sends a request, and what follows from its answers; see @{csock.http.request}.
-- @tparam string method
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- print(assert(session:request("GET", "http://localhost:8080/")).status) --> 200
function Session:request(method, url, options)
  local settings = options_of(self, options)
  local plan, err, errno = plans.new(method, url, settings, self.headers)
  if not plan then return nil, err, errno end
  local response
  response, err, errno = ask(self, plan, settings)
  if response then return response end
  return failure.within(plan.method, plan.at.url, err, errno)
end

for _, method in ipairs { "get", "head", "options", "post", "put", "patch", "delete" } do
  local name = method:upper()
  Session[method] = function(self, url, options) return self:request(name, url, options) end
end

--- Gets what is at a URL: `session:request("GET", url, options)`.
-- @function session:get
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- print(assert(session:get "http://localhost:8080/").body) --> hello

--- As @{session:get}, with the method HEAD: the answer has no body.
-- @function session:head
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- print(assert(session:head "http://localhost:8080/").status) --> 200

--- As @{session:get}, with the method OPTIONS: what the server can do.
-- @function session:options
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- assert(session:options "http://localhost:8080/")

--- As @{session:get}, with the method POST: to send something, by `data`, `json`, `form` or `files`.
-- @function session:post
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- assert(session:post("http://localhost:8080/", {form = {name = "x"}}))

--- As @{session:get}, with the method PUT: to put something in the place of what is there.
-- @function session:put
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- assert(session:put("http://localhost:8080/thing", {data = "x"}))

--- As @{session:get}, with the method PATCH: to change a part of what is there.
-- @function session:patch
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- assert(session:patch("http://localhost:8080/thing", {data = "x"}))

--- As @{session:get}, with the method DELETE.
-- @function session:delete
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- assert(session:delete "http://localhost:8080/thing")

--- Closes the connections that are kept. Answers that are still read go on.
-- @treturn boolean true
-- @usage
-- local session = http.Session()
-- session:close()
function Session:close()
  self.pool:close()
  return true
end

Session.__close = Session.close

return M
