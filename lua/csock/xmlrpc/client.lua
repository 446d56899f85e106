--- Clients.
-- @module csock.xmlrpc
local check = require "csock.check"
local failure = require "csock.xmlrpc.failure"
local message = require "csock.xmlrpc.message"
local proxy = require "csock.rpc.proxy"
local shape = require "csock.rpc.shape"
local transport = require "csock.rpc.transport"

local M = {}

local PROTOCOL = {
  content_type = "text/xml", accepts = { ["text/xml"] = true, ["application/xml"] = true }, default_path = "/RPC2",
  fail = failure,
}

local OPTIONS = transport.rows {
  allow_none = { transport.BOOLEAN, nil, false }, use_datetime = { transport.BOOLEAN, nil, false },
  use_builtin_types = { transport.BOOLEAN, nil, false },
}

local calls = setmetatable({}, { __mode = "k" }) -- proxy -> its function (name, params)

-- Calls a method with a sequence of parameters, by a proxy.
function M.call(server, name, params) return calls[server](name, params) end

function M.is_proxy(value) return calls[value] ~= nil end

--- A server's functions, as functions: `proxy.name(arguments)`, also `proxy.system.listMethods()`. The names are the
-- server's, whatever they are; with a dot, not a colon, before them.
--
-- A call gives the result, or nil, an error and its number. It is sent once: that a kept connection is closed by the
-- server at that moment is an error, since the function may have run.
--
-- `proxy("close")()` closes the connections, as the end of a `<close>` variable's block does. Tasks may use a proxy at
-- the same time, over a connection each.
-- Source: Python's `xmlrpc.client.ServerProxy`.
-- @type serverproxy

--- Made by a call.
-- @function csock.xmlrpc.ServerProxy
-- @tparam string uri with http or https; a login in it is used for basic authentication. Without a path: `/RPC2`
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.allow_none whether nil and `xmlrpc.null` may be sent
-- @tparam[opt=false] boolean options.use_datetime dates come as tables
-- @tparam[opt=false] boolean options.use_builtin_types dates come as tables, and bytes as strings
-- @tparam[opt] table options.headers of each request
-- @param[opt] options.context a client's context of @{csock.ssl} (default: one that verifies)
-- @tparam[opt] number options.timeout seconds for each call (default: `csock.getdefaulttimeout()`; false: none)
-- @tparam[opt=false] boolean options.gzip packs what is sent; needs lua-zlib. (What comes is unpacked where that is
-- installed.)
-- @tparam[opt=16777216] int options.limit the most bytes of an answer (false: no limit)
-- @tparam[opt] table options.auth as for @{csock.http.request}, like
-- @tparam[opt] table options.proxies and
-- @tparam[opt] table options.limits and
-- @param[opt] options.source_address
-- @tparam[opt] cookiejar options.cookies a jar of @{csock.cookies} (default: none are kept)
-- @tparam[opt] session options.session a @{csock.http.Session}, instead of one of its own; it stays open
-- @treturn[1] serverproxy
-- @treturn[2] nil for what is no URL
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local proxy <close> = assert(xmlrpc.ServerProxy("http://localhost:8000/", {timeout = 10}))
-- print(assert(proxy.add(2, 3))) --> 5
function M.ServerProxy(uri, options)
  check.argument(check.STRING, uri, 1, "ServerProxy")
  local settings = check.options(options, OPTIONS, 2, "ServerProxy")
  local way, err, errno = transport.new(uri, settings, PROTOCOL)
  if not way then return nil, err, errno end

  local function call(name, params)
    local ok, text = pcall(message.dumps, params, { methodname = name, allow_none = settings.allow_none })
    if not ok then check.fail(("%s: %s"):format(name, text)) end
    local answer, why, code = way:post(text)
    if not answer then return nil, why, code end
    local results
    results, why, code = message.loads(answer, settings)
    if not results then return nil, why, code end
    if why then return failure("ResponseError", "a call came instead of an answer") end
    if #results == 1 then return results[1] end
    return shape.array(results)
  end

  local function close() return way:close() end

  local server = proxy.new("ServerProxy", function(name, ...) return call(name, table.pack(...)) end, {
    __close = close,
    __call = function(_, what)
      if what == "close" then return close end
      if what == "transport" then return function() return way.session end end
      check.bad("ServerProxy", 1, '"close" or "transport" expected')
    end,
    __tostring = function() return ("<ServerProxy for %s>"):format(way.shown) end,
  })
  calls[server] = call
  return server
end

return M
