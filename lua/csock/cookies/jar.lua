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
-- @tparam[opt] table policy a @{csock.cookies.DefaultCookiePolicy}, or anything with its `set_ok` and `return_ok`
-- @treturn cookiejar
-- @usage
-- local jar = cookies.CookieJar()
-- http.get("http://localhost:8080/", {cookies = {id = "1"}})
function CookieJar:__init(policy)
  self:set_policy(policy)
  self.domains, self.count = {}, 0 -- domain -> path -> name -> cookie
  self.uses = 0                    -- a clock of its own: of two cookies the one that was used before
end

local POLICY = check.kind("policy", function(value)
  return type(value) == "table" and value.set_ok ~= nil and value.return_ok ~= nil
end)

--- Sets who decides, beside the rules of RFC 6265, which cookies are taken and sent.
-- Source: Python's `CookieJar.set_policy`.
-- @tparam ?table policy nil: nobody
-- @usage
-- local jar = cookies.CookieJar()
-- jar:set_policy(cookies.DefaultCookiePolicy {blocked_domains = {".example.net"}})
function CookieJar:set_policy(policy)
  if policy ~= nil then check.argument(POLICY, policy, 1, "set_policy") end
  self.policy = policy
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

-- Keeps a cookie, in the place of one with the same name, domain and path.
local function keep(self, cookie)
  local now = os.time()
  local paths = self.domains[cookie.domain]
  local old = paths and paths[cookie.path] and paths[cookie.path][cookie.name]
  if old then forget(self, old) end
  if cookie.expires and cookie.expires <= now then return end -- that is how one is taken back
  paths = self.domains[cookie.domain] or {}
  self.domains[cookie.domain] = paths
  paths[cookie.path] = paths[cookie.path] or {}
  paths[cookie.path][cookie.name] = cookie
  self.count = self.count + 1
  used(self, cookie)
  cookie.made = old and old.made or cookie.used
  bound(self, cookie.domain, MOST_OF_DOMAIN)
  if self.count > MOST then bound(self, nil, MOST) end
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
  if cookie.max_age then cookie.expires = os.time() + cookie.max_age end
  if self.policy and not self.policy:set_ok(cookie, url) then return false end
  keep(self, cookie)
  return true
end

local TEXT = check.kind("string without control characters and ';'", function(value)
  return type(value) == "string" and not value:find "[\0-\8\10-\31\127;]"
end)

local COOKIE = {
  name = { TEXT }, value = { TEXT }, domain = { TEXT }, path = { TEXT, "/" }, expires = { check.INTEGER },
  secure = { check.ANY }, httponly = { check.ANY }, samesite = { TEXT }, host_only = { check.ANY },
}

--- Puts a cookie in, without asking whether its server might set it.
-- Source: Python's `CookieJar.set_cookie`.
-- @tparam table cookie
-- @tparam string cookie.name
-- @tparam string cookie.value
-- @tparam string cookie.domain
-- @tparam[opt="/"] string cookie.path
-- @tparam[opt] int cookie.expires seconds since 1970 (default: with the session)
-- @tparam[opt] boolean cookie.secure
-- @tparam[opt] boolean cookie.httponly
-- @tparam[opt] boolean cookie.host_only whether it is for this host alone, and not for those below it
-- @tparam[opt] string cookie.samesite
-- @usage
-- local jar = cookies.CookieJar()
-- jar:set_cookie {name = "id", value = "1", domain = "example.org"}
-- print(jar:header "http://www.example.org/") --> id=1
function CookieJar:set_cookie(cookie)
  local copy = check.options(check.argument(check.TABLE, cookie, 1, "set_cookie"), COOKIE, 1, "set_cookie")
  for _, name in ipairs { "name", "value", "domain" } do
    if not copy[name] then check.expected("set_cookie", 1, name .. ": string", nil) end
  end
  if copy.name == "" or copy.name:find "=" or copy.domain == "" then
    check.bad("set_cookie", 1, "a name and a domain expected")
  end
  copy.domain = ascii.lower((copy.domain:gsub("^%.", "")))
  keep(self, copy)
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
      if self.policy and not self.policy:return_ok(cookie, url) then return end
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

--- Gives a request its Cookie header, unless it has one.
-- Source: Python's `CookieJar.add_cookie_header`.
-- @tparam urlrequest request of @{csock.url.Request}
-- @usage
-- local jar = cookies.CookieJar()
-- jar:set("http://example.org/", "id=1")
-- local request = url.Request "http://example.org/a"
-- jar:add_cookie_header(request)
-- print(request:get_header "Cookie") --> id=1
function CookieJar:add_cookie_header(request)
  local text = self:header(request:get_full_url())
  if text and not request:has_header "Cookie" then request:add_header("Cookie", text) end
end

--- Forgets all cookies, or those of a domain, or of a path there, or one.
-- Source: Python's `CookieJar.clear`.
-- @tparam[opt] string domain
-- @tparam[opt] string path
-- @tparam[opt] string name
-- @usage cookies.CookieJar():clear "example.org"
function CookieJar:clear(domain, path, name)
  each(self, domain and domain:gsub("^%.", "") or nil, function(cookie)
    if (not path or cookie.path == path) and (not name or cookie.name == name) then forget(self, cookie) end
  end)
end

--- Forgets what is over.
-- Source: Python's `CookieJar.clear_expired_cookies`.
-- @usage cookies.CookieJar():clear_expired_cookies()
function CookieJar:clear_expired_cookies()
  local now = os.time()
  each(self, nil, function(cookie)
    if cookie.expires and cookie.expires <= now then forget(self, cookie) end
  end)
end

--- All cookies, by domain and path, and there as they came: an iterator. (Python: `for cookie in jar`.)
-- @treturn function
-- @usage
-- local jar = cookies.CookieJar()
-- jar:set("http://example.org/", "id=1")
-- for cookie in jar:each() do print(cookie.name, cookie.domain) end --> id example.org
function CookieJar:each()
  local list, i = {}, 0
  each(self, nil, function(cookie) list[#list + 1] = cookie end)
  table.sort(list, function(a, b)
    if a.domain ~= b.domain then return a.domain < b.domain end
    if a.path ~= b.path then return a.path < b.path end
    return a.made < b.made
  end)
  return function()
    i = i + 1
    return list[i]
  end
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
