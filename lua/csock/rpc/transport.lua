-- transport.lua: a client's end of remote calls by HTTP: what is posted, and what comes back.
local check = require "csock.check"
local class = require "csock.class"
local gzip = require "csock.rpc.gzip"
local http = require "csock.http"
local urls = require "csock.url"

local M = {}

local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)
local SESSION = check.kind("Session", function(value) return class.isinstance(value, http.Session) end)

-- What a session of csock.http takes itself.
local OF_SESSION = { "timeout", "auth", "proxies", "headers", "limits", "source_address", "limit" }

-- The options of a ServerProxy that the way there understands; a protocol's own come on top.
function M.rows(own)
  local rows = {
    timeout = { check.TIMEOUT, nil, false }, auth = { check.TABLE }, proxies = { check.TABLE, nil, false },
    headers = { check.TABLE }, limits = { check.TABLE }, source_address = { check.ANY }, cookies = { check.TABLE },
    limit = { check.integer(0), 1 << 24, false }, context = { check.ANY }, session = { SESSION }, gzip = { BOOLEAN },
  }
  for name, row in pairs(own) do rows[name] = row end
  return rows
end

local Transport = {}
Transport.__index = Transport

-- The part of a media type before its parameters.
local function media_type(text) return (text or ""):lower():match "^%s*([^;%s]*)" end

-- A transport to this URL. `protocol`: `name`; `content_type` of what is sent; `accepts`, the media types that may come
-- back, as keys; `fail(name, words, more)`, which makes nil, err, errno. nil, err, errno for what is no URL of HTTP.
function M.new(url, options, protocol)
  local parts, err, errno = urls.urlsplit(url)
  if not parts then return nil, err, errno end
  if parts.scheme ~= "http" and parts.scheme ~= "https" or not parts.hostname then
    check.bad("ServerProxy", 1, "a URL with http or https expected")
  end
  if parts.path == "" and parts.query == "" then
    parts = parts:_replace { path = protocol.default_path }
  end
  local session = options.session
  if not session then
    local settings = { redirects = 0, cookies = options.cookies or false, ssl = options.context }
    for _, name in ipairs(OF_SESSION) do settings[name] = options[name] end
    session = http.Session(settings)
  end
  if options.gzip and not gzip.available() then check.fail "ServerProxy: gzip needs lua-zlib" end
  return setmetatable({
    url = parts:_replace { fragment = "" }:geturl(),
    shown = parts:_replace { netloc = parts.netloc:match "[^@]*$" }:geturl(), -- without a login
    session = session, own = not options.session, protocol = protocol, gzip = options.gzip, limit = options.limit,
  }, Transport)
end

-- Posts a text: the text of the answer, or nil, err, errno. `""`: the server has nothing to say (204).
function Transport:post(text)
  local protocol, fields = self.protocol, { ["Content-Type"] = self.protocol.content_type }
  if self.gzip then
    text, fields["Content-Encoding"] = gzip.pack(text), "gzip"
  end
  local response, err, errno = self.session:post(self.url, {
    data = text, headers = fields, redirects = 0, limit = self.limit or false,
  })
  if not response then return nil, err, errno end
  local status, kind = response.status, media_type(response.headers["content-type"])
  if status == 204 then return "" end
  if status ~= 200 and not (protocol.statuses and protocol.accepts[kind]) then
    return protocol.fail("ProtocolError", ("%s: %d %s"):format(self.shown, status, response.reason),
      { code = status, text = response.reason, response = response })
  end
  if not protocol.accepts[kind] and not (kind == "" and status == 200) then
    return protocol.fail("ProtocolError", ("%s: the answer is %s"):format(self.shown, kind),
      { code = status, text = response.reason, response = response })
  end
  if response.headers["content-encoding"] and response.headers["content-encoding"]:lower() ~= "identity"
    and not gzip.available() then
    return protocol.fail("ResponseError", "the answer is packed, and lua-zlib is not installed")
  end
  return response.body
end

function Transport:close()
  if self.own then self.session:close() end
  return true
end

M.BOOLEAN, M.media_type = BOOLEAN, media_type

return M
