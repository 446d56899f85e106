-- proxy.lua: which proxy a URL is fetched through, as the environment or the caller says.
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local failure = require "csock.http.failure"
local place = require "csock.http.place"
local urls = require "csock.url"

local M = {}

local NAMES = {}
for _, scheme in ipairs { "http", "https", "ftp", "all", "no" } do
  NAMES[scheme] = { scheme .. "_proxy", (scheme .. "_proxy"):upper() }
end

-- What the environment says for a scheme. In a CGI program HTTP_PROXY is what a client has sent as the header Proxy.
local function variable(scheme)
  local names = NAMES[scheme]
  local value = os.getenv(names[1])
  if value == nil and not (scheme == "http" and os.getenv "REQUEST_METHOD") then value = os.getenv(names[2]) end
  return value ~= "" and value or nil
end

-- The proxies of the environment: scheme -> URL; `no`: for which hosts there is none.
function M.environment()
  local proxies = {}
  for scheme in next, NAMES do proxies[scheme] = variable(scheme) end
  return proxies
end

-- The same as it is at each look.
M.CURRENT = setmetatable({}, { __index = function(_, scheme) return NAMES[scheme] and variable(scheme) end })

-- Whether a host is in a list such as "localhost, .example.org, 10.0.0.1:8080, *".
function M.bypasses(list, host, port)
  host = ascii.lower(host)
  for entry in (list or ""):gmatch "[^%s,]+" do
    if entry == "*" then return true end
    local name = ascii.lower(entry)
    local before, digits = name:match "^(.-):(%d+)$"
    if before and not before:find "^[^%[]*:" then name = before else digits = nil end -- not a part of an IPv6 address
    name = place.bare((name:gsub("^%*?%.", "")))
    local fits = host == name or host:sub(-#name - 1) == "." .. name
    if name ~= "" and fits and (not digits or ascii.integer(digits, 65535) == port) then return true end
  end
  return false
end

M.KIND = check.kind("table from schemes to URLs", function(value) return type(value) == "table" end)

-- The user and password of a URL's parts, unquoted: "user:password"; nil where there are none, false for such with a
-- control character.
function M.login(parts)
  if not parts.username then return nil end
  local login = urls.unquote(parts.username) .. ":" .. urls.unquote(parts.password or "")
  return not login:find "%c" and login
end

-- The proxy for a place: a table of `host`, `port`, `authorization`; false for none; nil, err, errno for one that
-- cannot be used.
function M.find(proxies, scheme, host, port)
  local text = proxies[scheme] or proxies.all
  if not text or M.bypasses(proxies.no, host, port) then return false end
  if not text:find "://" then text = "http://" .. text end
  local parts, err, errno = urls.urlsplit(text)
  if not parts then return nil, err, errno end
  if parts.scheme ~= "http" then
    return failure("request", "UnknownProtocol", ("a proxy over %s: only http can be used"):format(parts.scheme))
  end
  if not parts.hostname then return failure("request", "InvalidURL", "the proxy has no host") end
  local login = M.login(parts)
  if login == false then return failure("request", "InvalidURL", "a control character in the proxy's login") end
  return {
    host = place.bare(parts.hostname), port = parts.port or 80,
    authorization = login and "Basic " .. base64.encode(login),
  }
end

return M
