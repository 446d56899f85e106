--- Who may set cookies, and who gets them.
-- @module csock.cookies
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local urls = require "csock.url"

--- Domains from which no cookies are taken and to which none are sent; for a jar, beside the rules that it follows
-- anyway (RFC 6265). A name with a dot before it means the hosts below it. (What Python's has about RFC 2965, ports
-- and third parties is left out.)
-- Source: Python's `http.cookiejar.DefaultCookiePolicy`.
-- @type defaultcookiepolicy
local DefaultCookiePolicy = class("DefaultCookiePolicy")

local OPTIONS = { blocked_domains = { check.TABLE, {} }, allowed_domains = { check.TABLE } }

--- Made by calling the class. May be subclassed: `set_ok` and `return_ok` decide.
-- @function csock.cookies.DefaultCookiePolicy
-- @tparam[opt] table options
-- @tparam[opt] {string,...} options.blocked_domains
-- @tparam[opt] {string,...} options.allowed_domains only these (default: all)
-- @treturn defaultcookiepolicy
-- @usage
-- local policy = cookies.DefaultCookiePolicy {blocked_domains = {"ads.example.net", ".ads.example.net"}}
-- print(policy:is_blocked "www.ads.example.net") --> true
function DefaultCookiePolicy:__init(options)
  local settings = check.options(options, OPTIONS, 1, "DefaultCookiePolicy")
  self:set_blocked_domains(settings.blocked_domains)
  self:set_allowed_domains(settings.allowed_domains)
end

local function copy_of(domains, call)
  local list = {}
  for i, domain in ipairs(check.argument(check.TABLE, domains, 1, call)) do
    list[i] = ascii.lower(check.argument(check.STRING, domain, 1, call))
  end
  return list
end

--- Sets the blocked domains.
-- @tparam {string,...} domains
-- @usage cookies.DefaultCookiePolicy():set_blocked_domains {"example.net"}
function DefaultCookiePolicy:set_blocked_domains(domains)
  self._blocked = copy_of(domains, "set_blocked_domains")
end

--- The blocked domains.
-- @treturn {string,...}
-- @usage print(#cookies.DefaultCookiePolicy():blocked_domains()) --> 0
function DefaultCookiePolicy:blocked_domains() return table.move(self._blocked, 1, #self._blocked, 1, {}) end

--- Sets the allowed domains.
-- @tparam ?{string,...} domains nil: all
-- @usage cookies.DefaultCookiePolicy():set_allowed_domains {"example.org", ".example.org"}
function DefaultCookiePolicy:set_allowed_domains(domains)
  self._allowed = domains and copy_of(domains, "set_allowed_domains")
end

--- The allowed domains.
-- @treturn ?{string,...} nil: all
-- @usage print(cookies.DefaultCookiePolicy():allowed_domains()) --> nil
function DefaultCookiePolicy:allowed_domains()
  return self._allowed and table.move(self._allowed, 1, #self._allowed, 1, {})
end

local function is_in(list, domain)
  domain = ascii.lower(domain)
  for _, one in ipairs(list) do
    if domain == one then return true end
    if one:sub(1, 1) == "." and domain:sub(-#one) == one and not csock.inet_pton(csock.AF_INET, domain) then
      return true
    end
  end
  return false
end

--- Whether a domain is blocked.
-- @tparam string domain
-- @treturn boolean
-- @usage print(cookies.DefaultCookiePolicy({blocked_domains = {".b"}}):is_blocked "a.b") --> true
function DefaultCookiePolicy:is_blocked(domain) return is_in(self._blocked, domain) end

--- Whether there are allowed domains, and this is none of them.
-- @tparam string domain
-- @treturn boolean
-- @usage print(cookies.DefaultCookiePolicy({allowed_domains = {"a"}}):is_not_allowed "b") --> true
function DefaultCookiePolicy:is_not_allowed(domain)
  return self._allowed ~= nil and not is_in(self._allowed, domain)
end

local function is_ok(self, cookie, url)
  local parts = type(url) == "table" and url or urls.urlsplit(url)
  local domain = cookie.host_only and cookie.domain or "." .. cookie.domain
  for _, one in ipairs { domain, parts and parts.hostname } do
    if self:is_blocked(one) or self:is_not_allowed(one) then return false end
  end
  return true
end

--- Called for a cookie that might be taken: says whether it is.
-- @tparam table cookie
-- @tparam string url where it comes from
-- @treturn boolean
function DefaultCookiePolicy:set_ok(cookie, url) return is_ok(self, cookie, url) end

--- Called for a cookie that might be sent: says whether it is.
-- @tparam table cookie
-- @tparam string url where it goes
-- @treturn boolean
function DefaultCookiePolicy:return_ok(cookie, url) return is_ok(self, cookie, url) end

return DefaultCookiePolicy
