-- handshake.lua: the two heads of RFC 6455, section 4: what a server says to a request, and what a client makes of an
-- answer.
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local core = require "csock.core".websocket
local csock = require "csock"
local deflate = require "csock.websocket.deflate"
local failure = require "csock.websocket.failure"
local headers = require "csock.wire.headers"

local M = {}

local VERSION = "13"
local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

local function accept_of(key) return base64.encode(core.sha1(key .. GUID)) end

-- The members of a comma-separated list.
local function members(text)
  local list = {}
  for piece in (text or ""):gmatch "[^,]+" do
    local member = piece:match "^[ \t]*(.-)[ \t]*$"
    if member ~= "" then list[#list + 1] = member end
  end
  return list
end

-- --- kinds of options ------------------------------------------------------------------------------

local function is_protocol_list(value)
  if type(value) ~= "table" then return false end
  for _, name in ipairs(value) do
    if not headers.is_name(name) then return false end
  end
  return true
end

M.SUBPROTOCOLS = check.kind("sequence of tokens", is_protocol_list)
M.CHOICE = check.kind("sequence of tokens or function", function(value)
  return type(value) == "function" or is_protocol_list(value)
end)
M.ORIGINS = check.kind("'*', sequence of origins or function", function(value)
  return value == "*" or type(value) == "table" or type(value) == "function"
end)

-- --- the server's side -----------------------------------------------------------------------------

-- "host:port" without the port that is usual for the scheme; nil: for either.
local function authority(text, scheme)
  text = ascii.lower(text)
  if scheme ~= "https" then text = text:gsub(":80$", "") end
  if scheme ~= "http" then text = text:gsub(":443$", "") end
  return text
end

-- Whether a page from there may connect. By default one from the same host and port: browsers connect to anywhere, with
-- the cookies that they have for it.
local function may_come(origins, origin, request)
  if not origin or origins == "*" then return true end
  if type(origins) == "function" then return origins(origin, request) end
  if origins then
    for _, one in ipairs(origins) do
      if ascii.lower(one) == ascii.lower(origin) then return true end
    end
    return false
  end
  local scheme, host = origin:match "^(%a[%w+.-]*)://([^/]+)$"
  if not scheme then return false end
  scheme = ascii.lower(scheme)
  return authority(host, scheme) == authority(request.headers.host or "", scheme)
end

local function choose_subprotocol(choice, request)
  local offered = members(request.headers["sec-websocket-protocol"])
  if type(choice) == "function" then return choice(offered, request) end
  for _, name in ipairs(offered) do
    for _, known in ipairs(choice or {}) do
      if name == known then return name end
    end
  end
end

local function is_key(text)
  return text ~= nil and #text == 24 and #(base64.decode(text) or "") == 16
end

local function refusal(status, words, fields)
  fields = fields or {}
  fields["Content-Type"] = "text/plain; charset=utf-8"
  return nil, status, fields, words .. "\n"
end

M.refusal = refusal

-- What is to be answered to a request (`method`, `version`, `headers`): the fields of 101, and what was agreed:
-- `subprotocol`, `deflate`; or nil, the status of a refusal, its fields and its body. `options`: `origins`,
-- `subprotocols`, `deflate`, `headers`.
function M.answer(request, options)
  local h = request.headers
  if request.method ~= "GET" then return refusal(405, "A WebSocket begins with GET.", { Allow = "GET" }) end
  if request.version < 11 then return refusal(400, "A WebSocket begins with HTTP/1.1.") end
  if not h:has("upgrade", "websocket") or not h:has("connection", "upgrade") then
    return refusal(426, "This is a WebSocket.", { Upgrade = "websocket", Connection = "Upgrade" })
  end
  if h["sec-websocket-version"] ~= VERSION then
    return refusal(426, "The version of WebSocket is not 13.",
      { Upgrade = "websocket", Connection = "Upgrade", ["Sec-WebSocket-Version"] = VERSION })
  end
  if h["transfer-encoding"] or (h["content-length"] or "0") ~= "0" then
    return refusal(400, "A WebSocket begins without a body.")
  end
  if not is_key(h["sec-websocket-key"]) then return refusal(400, "The Sec-WebSocket-Key is malformed.") end
  if not may_come(options.origins, h.origin, request) then return refusal(403, "This origin may not connect.") end
  local agreed = { subprotocol = choose_subprotocol(options.subprotocols, request) }
  local fields = headers.new(options.headers)
  fields:set("Upgrade", "websocket"):set("Connection", "Upgrade")
  fields:set("Sec-WebSocket-Accept", accept_of(h["sec-websocket-key"]))
  if agreed.subprotocol then fields:set("Sec-WebSocket-Protocol", agreed.subprotocol) end
  if options.deflate then
    local said
    agreed.deflate, said = deflate.accept(members(h["sec-websocket-extensions"]), options.deflate)
    if said then fields:set("Sec-WebSocket-Extensions", said) end
  end
  return fields, agreed
end

-- --- the client's side -----------------------------------------------------------------------------

-- The fields of a request, and the key in them; nil, err, errno.
function M.request(options)
  local bytes, err, errno = csock.random(16)
  if not bytes then return nil, err, errno end
  local key = base64.encode(bytes)
  local fields = headers.new(options.headers)
  fields:set("Upgrade", "websocket"):set("Connection", "Upgrade")
  fields:set("Sec-WebSocket-Version", VERSION):set("Sec-WebSocket-Key", key)
  if options.origin then fields:set("Origin", options.origin) end
  if options.subprotocols and #options.subprotocols > 0 then
    fields:set("Sec-WebSocket-Protocol", table.concat(options.subprotocols, ", "))
  end
  if options.deflate then fields:set("Sec-WebSocket-Extensions", deflate.offer()) end
  return fields, key
end

local function wrong(words) return failure("connect", "InvalidHandshake", words) end

-- What was agreed on, by the answer (`status`, `reason`, `headers`); nil, err, errno.
function M.agreement(response, key, options)
  local h = response.headers
  if response.status ~= 101 then
    return failure("connect", "InvalidStatus",
      ("the server refuses: %d %s"):format(response.status, response.reason or ""),
      { code = response.status, text = response.reason })
  end
  if not h:has("upgrade", "websocket") or not h:has("connection", "upgrade") then
    return wrong "the server switches to another protocol"
  end
  if h["sec-websocket-accept"] ~= accept_of(key) then return wrong "the Sec-WebSocket-Accept is wrong" end
  local agreed = { subprotocol = h["sec-websocket-protocol"] }
  if agreed.subprotocol then
    local offered = false
    for _, name in ipairs(options.subprotocols or {}) do offered = offered or name == agreed.subprotocol end
    if not offered then return wrong "the server chose a subprotocol that was not offered" end
  end
  local extensions = members(h["sec-websocket-extensions"])
  if #extensions > 0 then
    agreed.deflate = options.deflate and #extensions == 1 and deflate.agree(extensions[1], options.deflate) or nil
    if not agreed.deflate then return wrong "the server chose an extension that was not offered" end
  end
  return agreed
end

return M
