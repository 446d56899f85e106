--- Clients.
-- @module csock.jsonrpc
local check = require "csock.check"
local failure = require "csock.jsonrpc.failure"
local proxy = require "csock.rpc.proxy"
local results = require "csock.rpc.results"
local shape = require "csock.rpc.shape"
local text = require "csock.jsonrpc.text"
local transport = require "csock.rpc.transport"

local M = {}

local JSON = {
  ["application/json"] = true, ["application/json-rpc"] = true, ["application/jsonrequest"] = true,
}
M.TYPES = JSON

local PROTOCOL = {
  content_type = "application/json", accepts = JSON, statuses = true, default_path = "/", fail = failure.fail,
}

local OPTIONS = transport.rows {}

-- --- named parameters ------------------------------------------------------------------------------

local Named = { __jsontype = "object", __name = "named" }

function M.named(fields)
  check.argument(check.TABLE, fields, 1, "named")
  return setmetatable(fields, Named)
end

-- --- requests --------------------------------------------------------------------------------------

-- The text of a request; without an id it is a notification. Raises for what cannot be sent.
local function request_of(id, name, ...)
  local params, count = { ... }, select("#", ...)
  if count == 1 and getmetatable(params[1]) == Named then
    params = params[1]
  else
    for i = 1, count do
      if params[i] == nil then params[i] = shape.null end
    end
    shape.array(params)
  end
  local ok, encoded = pcall(text.encode, params)
  if not ok then check.fail(("%s: %s"):format(name, encoded)) end
  local tail = id and (',"id":%d'):format(id) or ""
  return ('{"jsonrpc":"2.0","method":%s,"params":%s%s}'):format(text.encode(name), encoded, tail)
end

local function malformed(words) return failure.fail("ResponseError", words) end

-- What an answer says: its result; nil, err, errno.
local function result_of(answer)
  if type(answer) ~= "table" or answer.jsonrpc ~= "2.0" then return malformed "no answer of JSON-RPC 2.0" end
  local err = answer.error
  if err ~= nil and err ~= shape.null then
    if type(err) ~= "table" or math.type(err.code) ~= "integer" or type(err.message) ~= "string" then
      return malformed "an error that says nothing"
    end
    local fault = failure.fault(err)
    return nil, fault, fault.errno
  end
  if answer.result == nil then return malformed "an answer with neither result nor error" end
  return answer.result
end

local links = setmetatable({}, { __mode = "k" }) -- proxy -> what it sends by: `way`, `id`

local function next_id(link)
  link.id = link.id + 1
  return link.id
end

local function call(link, name, ...)
  local id = next_id(link)
  local body, err, errno = link.way:post(request_of(id, name, ...))
  if not body then return nil, err, errno end
  if body == "" then return malformed "no answer" end
  local answer
  answer, err, errno = text.decode(body)
  if answer == nil then return nil, err, errno end
  -- An error before the server has understood who asks has the id null.
  if type(answer) == "table" and answer.id ~= id and not (answer.error and answer.id == shape.null) then
    return malformed "an answer to something else"
  end
  return result_of(answer)
end

local function notify(link, name, ...)
  local body, err, errno = link.way:post(request_of(nil, name, ...))
  if not body then return nil, err, errno end
  return true
end

--- A server's functions, as functions: `proxy.name(arguments)`, with a dot, not a colon, before the name.
--
-- `proxy._notify.name(arguments)` sends a notification: the server says nothing, and the call gives true. One argument
-- that is `jsonrpc.named {...}` gives the function parameters by name. `proxy("close")()` closes the connections, as
-- the end of a `<close>` variable's block does.
-- @type serverproxy

--- Made by a call.
-- @function csock.jsonrpc.ServerProxy
-- @tparam string uri with http or https; a login in it is used for basic authentication
-- @tparam[opt] table options those of @{csock.xmlrpc.ServerProxy}, without those about types
-- @treturn[1] serverproxy
-- @treturn[2] nil for what is no URL
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local proxy <close> = assert(jsonrpc.ServerProxy("http://localhost:8001/", {timeout = 10}))
-- print(assert(proxy.add(2, 3))) --> 5
-- print(proxy._notify.add(2, 3)) --> true
function M.ServerProxy(uri, options)
  check.argument(check.STRING, uri, 1, "ServerProxy")
  local way, err, errno = transport.new(uri, check.options(options, OPTIONS, 2, "ServerProxy"), PROTOCOL)
  if not way then return nil, err, errno end
  local link = { way = way, id = 0 }
  local function close() return way:close() end
  local notifying = proxy.new("ServerProxy", function(...) return notify(link, ...) end, {})
  local server = proxy.new("ServerProxy", function(...) return call(link, ...) end, {
    __close = close,
    __call = function(_, what)
      if what == "close" then return close end
      if what == "transport" then return function() return way.session end end
      check.bad("ServerProxy", 1, '"close" or "transport" expected')
    end,
    __tostring = function() return ("<ServerProxy for %s>"):format(way.shown) end,
  }, { _notify = notifying })
  links[server] = link
  return server
end

-- --- batches ---------------------------------------------------------------------------------------

local PROXY = check.kind("ServerProxy", function(value) return links[value] ~= nil end)

-- The results of a batch, in the order of the requests, whatever that of the answers is. nil, err, errno.
local function collect(body, ids)
  local answers, err, errno
  if body == "" then answers = {} else answers, err, errno = text.decode(body) end
  if answers == nil then return nil, err, errno end
  if type(answers) ~= "table" then return malformed "no batch" end
  if answers.jsonrpc then return result_of(answers) end -- an error about all of it
  local by_id = {}
  for _, answer in ipairs(answers) do
    local id = type(answer) == "table" and answer.id
    if math.type(id) == "integer" and not by_id[id] then by_id[id] = table.pack(result_of(answer)) end
  end
  local list = {}
  for i, id in ipairs(ids) do list[i] = by_id[id] or table.pack(malformed "no answer in the batch") end
  return results.new(list)
end

--- Calls that are collected, and then sent as one batch: `multi.name(arguments)` for each, `multi._notify.name(...)`
-- for a notification, and `multi()`.
-- @type multicall

--- Made by a call.
-- @function csock.jsonrpc.MultiCall
-- @tparam serverproxy server
-- @treturn multicall calling it sends what was collected, and gives @{csock.xmlrpc.results} of what was no
-- notification; or nil, an error and its number
-- @usage
-- local proxy <close> = assert(jsonrpc.ServerProxy "http://localhost:8001/")
-- local multi = jsonrpc.MultiCall(proxy)
-- multi.add(2, 3)
-- multi.add(4, 5)
-- for i, value, err in assert(multi()):each() do print(i, value or err) end --> 1 5 2 9
function M.MultiCall(server)
  check.argument(PROXY, server, 1, "MultiCall")
  local link, requests, ids = links[server], {}, {}
  local notifying = proxy.new("MultiCall", function(...) requests[#requests + 1] = request_of(nil, ...) end, {})
  return proxy.new("MultiCall", function(...)
    ids[#ids + 1] = next_id(link)
    requests[#requests + 1] = request_of(ids[#ids], ...)
  end, {
    __len = function() return #requests end,
    __call = function()
      local sent, of = requests, ids
      requests, ids = {}, {}
      if #sent == 0 then return results.new {} end
      local body, err, errno = link.way:post("[" .. table.concat(sent, ",") .. "]")
      if not body then return nil, err, errno end
      return collect(body, of)
    end,
    __tostring = function() return ("<MultiCall, %d requests>"):format(#requests) end,
  }, { _notify = notifying })
end

return M
