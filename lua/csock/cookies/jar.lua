-- jar.lua: the cookies of a client, and which of them a URL gets (RFC 6265, sections 5.3 and 5.4; of its revision, that
-- what is not secure cannot set or replace what is, and the prefixes of names).
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local setcookie = require "csock.cookies.setcookie"
local urls = require "csock.url"

-- How many are kept, of a domain and in all: of more, those that were used last.
local MOST_OF_DOMAIN, MOST = 180, 3000

--- The cookies of a client.
-- Source: Python's `http.cookiejar.CookieJar`.
-- @type cookiejar
local CookieJar = class("CookieJar")

--- Made by calling the class: `CookieJar()`.
-- @function csock.cookies.CookieJar
-- @treturn cookiejar
-- @usage
-- local jar = cookies.CookieJar()
-- http.get("http://localhost:8080/", {cookies = {id = "1"}})
function CookieJar:__init()
  self.domains, self.count = {}, 0 -- domain -> path -> name -> cookie
  self.uses = 0                    -- a clock of its own: of two cookies the one that was used before
end

-- --- matching --------------------------------------------------------------------------------------

-- Whether a host is an IP address, which has no domains above it.
local function is_address(host)
  return csock.inet_pton(csock.AF_INET, host) ~= nil or host:find(":", 1, true) ~= nil
end

local function in_domain(host, domain)
  return host == domain or host:sub(-#domain - 1) == "." .. domain and not is_address(host)
end

local function in_path(path, of)
  return path:sub(1, #of) == of and (#path == #of or of:sub(-1) == "/" or path:sub(#of + 1, #of + 1) == "/")
end

local function default_path(path) return path:match "^(/.*)/[^/]*$" or "/" end

-- Where a URL leads: host, path, whether that is secure. nil for one without a host.
local function place_of(url, call)
  local parts = type(url) == "table" and url or urls.urlsplit(check.argument(check.STRING, url, 1, call))
  if not parts or not parts.hostname then return nil end
  local secure = parts.scheme == "https" or parts.scheme == "wss"
  return parts.hostname, parts.path == "" and "/" or parts.path, secure
end

-- --- keeping ---------------------------------------------------------------------------------------

local function forget(self, cookie)
  local paths = self.domains[cookie.domain]
  paths[cookie.path][cookie.name] = nil
  self.count = self.count - 1
  if not next(paths[cookie.path]) then paths[cookie.path] = nil end
  if not next(paths) then self.domains[cookie.domain] = nil end
end

-- Calls `f` for each cookie of a domain, or of all. `f` may forget it.
local function each(self, domain, f)
  local list = {}
  for name, paths in pairs(self.domains) do
    if not domain or name == domain then
      for _, cookies in pairs(paths) do
        for _, cookie in pairs(cookies) do list[#list + 1] = cookie end
      end
    end
  end
  for _, cookie in ipairs(list) do f(cookie) end
  return #list
end

-- Makes room: forgets what is over, and then what was not used for the longest time.
local function bound(self, domain, most)
  local now, list = os.time(), {}
  each(self, domain, function(cookie)
    if cookie.expires and cookie.expires <= now then return forget(self, cookie) end
    list[#list + 1] = cookie
  end)
  table.sort(list, function(a, b) return a.used < b.used end)
  for i = 1, #list - most do forget(self, list[i]) end
end

local function used(self, cookie)
  self.uses = self.uses + 1
  cookie.used = self.uses
end

-- Whether a secure cookie is there already that this one, which is not, would hide.
local function hides_secure(self, cookie)
  local found = false
  each(self, nil, function(other)
    found = found or other.secure and other.name == cookie.name and in_path(cookie.path, other.path)
      and (in_domain(other.domain, cookie.domain) or in_domain(cookie.domain, other.domain))
  end)
  return found
end

local function prefix_fits(cookie, secure)
  local prefix = ascii.lower(cookie.name:match "^__%a+%-" or "")
  if prefix == "__secure-" then return secure and cookie.secure end
  if prefix == "__host-" then return secure and cookie.secure and cookie.host_only and cookie.path == "/" end
  return true
end

--- Takes a Set-Cookie header, if it is one that a server at this URL may send.
-- @tparam string url
-- @tparam string text
-- @treturn boolean whether it was taken
-- @usage print(cookies.CookieJar():set("https://example.org/", "id=1; Secure")) --> true
function CookieJar:set(url, text)
  local cookie = setcookie.parse(text)
  local host, path, secure = place_of(url, "set")
  if not cookie or not host then return false end
  if cookie.domain == "" then cookie.domain = nil end
  if cookie.domain and cookie.domain ~= host then
    if not cookie.domain:find("%.", 2) or not in_domain(host, cookie.domain) then return false end
    cookie.host_only = false
  else
    cookie.host_only = not cookie.domain or is_address(host) or not host:find("%.", 2)
    cookie.domain = host
  end
  cookie.path = cookie.path or default_path(path)
  if cookie.secure and not secure or not prefix_fits(cookie, secure) then return false end
  if not secure and hides_secure(self, cookie) then return false end
  local now = os.time()
  if cookie.max_age then cookie.expires = now + cookie.max_age end
  local paths = self.domains[cookie.domain]
  local old = paths and paths[cookie.path] and paths[cookie.path][cookie.name]
  if old then forget(self, old) end
  if cookie.expires and cookie.expires <= now then return true end -- that is how one is taken back
  paths = self.domains[cookie.domain] or {}
  self.domains[cookie.domain] = paths
  paths[cookie.path] = paths[cookie.path] or {}
  paths[cookie.path][cookie.name] = cookie
  self.count = self.count + 1
  used(self, cookie)
  cookie.made = old and old.made or cookie.used
  bound(self, cookie.domain, MOST_OF_DOMAIN)
  if self.count > MOST then bound(self, nil, MOST) end
  return true
end

--- Takes the cookies of an answer.
-- Source: Python's `CookieJar.extract_cookies`.
-- @tparam headers headers the answer's
-- @tparam string url
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- cookies.CookieJar():extract_cookies(response.headers, response.url)
function CookieJar:extract_cookies(headers, url)
  if not headers:get "set-cookie" then return end
  for _, text in ipairs(headers:all "set-cookie") do self:set(url, text) end
end

--- The cookies that a request to this URL has.
-- @tparam string url
-- @treturn table a sequence of cookies: `name`, `value`, `domain`, `path`, `expires`, `secure`, `httponly`
-- @usage
-- local jar = cookies.CookieJar()
-- jar:set("https://example.org/", "id=1")
-- print(jar:get("https://example.org/a")[1].value) --> 1
function CookieJar:get(url)
  local host, path, secure = place_of(url, "get")
  local list, now = {}, os.time()
  if not host then return list end
  local domain = host
  repeat
    each(self, domain, function(cookie)
      if cookie.expires and cookie.expires <= now then return forget(self, cookie) end
      if cookie.host_only and domain ~= host or cookie.secure and not secure then return end
      if not in_path(path, cookie.path) then return end
      used(self, cookie)
      list[#list + 1] = cookie
    end)
    domain = not is_address(host) and domain:match "^[^.]*%.(.+)$"
  until not domain
  table.sort(list, function(a, b)
    if #a.path ~= #b.path then return #a.path > #b.path end
    return a.made < b.made
  end)
  return list
end

--- The Cookie header of a request to this URL.
-- @tparam string url
-- @treturn ?string nil: it has none
-- @usage
-- local jar = cookies.CookieJar()
-- jar:set("https://example.org/", "id=1; Secure")
-- print(jar:header "https://example.org/", jar:header "http://example.org/") --> id=1 nil
function CookieJar:header(url)
  local pairs_of = {}
  for i, cookie in ipairs(self:get(url)) do pairs_of[i] = cookie.name .. "=" .. cookie.value end
  return pairs_of[1] and table.concat(pairs_of, "; ")
end

--- Forgets all cookies, or those of a domain.
-- Source: Python's `CookieJar.clear`.
-- @tparam[opt] string domain
-- @usage cookies.CookieJar():clear "example.org"
function CookieJar:clear(domain)
  each(self, domain, function(cookie) forget(self, cookie) end)
end

--- Forgets what ends with the session: the cookies that do not say when they expire.
-- Source: Python's `CookieJar.clear_session_cookies`.
-- @usage cookies.CookieJar():clear_session_cookies()
function CookieJar:clear_session_cookies()
  each(self, nil, function(cookie)
    if not cookie.expires then forget(self, cookie) end
  end)
end

-- How many there are.
function CookieJar:__len() return self.count end

return CookieJar
