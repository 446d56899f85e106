--- Cookies (RFC 6265): what Set-Cookie says, a jar that knows which cookies a URL gets, and a server's own.
--
--     local cookies = require "csock.cookies"
--
--     local jar = cookies.CookieJar()
--     jar:set("https://example.org/", "id=1; Path=/; Secure; Max-Age=3600")
--     print(jar:header "https://www.example.org/a")                       --> nil
--     print(jar:header "https://example.org/a")                           --> id=1
--
--     print(cookies.parse("a=1; b=2").b)                                  --> 2
--     print(cookies.format("id", "1", { path = "/", httponly = true }))   --> id=1; Path=/; HttpOnly
--
--     local cookie = cookies.SimpleCookie(request.headers.cookie)         -- Python's http.cookies
--     cookie.seen = "yes"
--     cookie.seen.path = "/"
--     print(cookie.seen:OutputString())                                   --> seen=yes; Path=/
--
--     local kept = cookies.MozillaCookieJar "cookies.txt"                 -- Python's http.cookiejar
--     kept:load()
--
-- **No list of public suffixes is kept:** that `co.uk` is no domain of somebody's, a jar does not know, and a server
-- below it could set a cookie for all others there. (One for a domain without a dot is refused.) Where that matters,
-- use a jar for each site.
-- @module csock.cookies
local check = require "csock.check"
local dates = require "csock.wire.dates"
local filejar = require "csock.cookies.filejar"
local jar = require "csock.cookies.jar"
local morsel = require "csock.cookies.morsel"
local policy = require "csock.cookies.policy"
local setcookie = require "csock.cookies.setcookie"
local simple = require "csock.cookies.simple"

local M = {
  CookieJar = jar, FileCookieJar = filejar.FileCookieJar, MozillaCookieJar = filejar.MozillaCookieJar,
  LWPCookieJar = filejar.LWPCookieJar, DefaultCookiePolicy = policy, SimpleCookie = simple, Morsel = morsel,
}

local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"
local OUTSIDE, SPECIAL = '[^!-~]', '[",;\\]' -- what no value has (RFC 6265, section 4.1.1)

--- Reads a Set-Cookie header as browsers do.
-- @function parse_set_cookie
-- @tparam string text
-- @treturn ?table `name`, `value`, and what it says of `domain`, `path`, `expires` (seconds since 1970), `max_age`
-- (seconds), `secure`, `httponly`, `samesite`; nil for what a client must leave out
-- @usage
-- local cookie = cookies.parse_set_cookie "id=1; Path=/; Secure"
-- print(cookie.name, cookie.value, cookie.path, cookie.secure) --> id 1 / true
M.parse_set_cookie = setcookie.parse

--- Reads a Cookie header. Of several cookies with one name the first counts, as it has the longer path.
-- Source: Python's `http.cookies.SimpleCookie.load`.
-- @function parse
-- @tparam string text
-- @treturn table name -> value
-- @usage print(cookies.parse("a=1; b=2").b) --> 2
function M.parse(text)
  check.argument(check.STRING, text, 1, "parse")
  local values = {}
  for pair in text:gmatch "[^;]+" do
    local name, value = pair:match "^%s*([^=]-)%s*=%s*(.-)%s*$"
    if name and name ~= "" and values[name] == nil then values[name] = value:match '^"(.*)"$' or value end
  end
  return values
end

local ATTRIBUTES = {
  path = { check.STRING }, domain = { check.STRING }, expires = { check.INTEGER }, max_age = { check.INTEGER },
  secure = { check.ANY }, httponly = { check.ANY }, samesite = { check.one_of("Strict, Lax or None", "Strict", "Lax",
    "None") },
}

local function plain(text, name)
  if text and text:find "[%c;]" then check.bad("format", 3, name .. ": no ';' and no control characters expected") end
  return text
end

--- Writes a Set-Cookie header.
-- Source: Python's `http.cookies.Morsel.OutputString`.
-- @function format
-- @tparam string name a token
-- @tparam string value without blanks, quotes, commas, semicolons and backslashes: quote others first, as by
-- @{csock.url.quote}
-- @tparam[opt] table attributes
-- @tparam[opt] string attributes.path
-- @tparam[opt] string attributes.domain
-- @tparam[opt] int attributes.expires seconds since 1970
-- @tparam[opt] int attributes.max_age seconds
-- @tparam[opt] boolean attributes.secure
-- @tparam[opt] boolean attributes.httponly
-- @tparam[opt] string attributes.samesite `"Strict"`, `"Lax"` or `"None"`
-- @treturn string
-- @raise for what no cookie may have
-- @usage print(cookies.format("id", "1", {path = "/", httponly = true})) --> id=1; Path=/; HttpOnly
function M.format(name, value, attributes)
  check.argument(check.STRING, name, 1, "format")
  check.argument(check.STRING, value, 2, "format")
  if not name:find(TOKEN) then check.bad("format", 1, "a token expected") end
  if value:find(OUTSIDE) or value:find(SPECIAL) then
    check.bad("format", 2, "a value without blanks, quotes, ',', ';' and '\\' expected")
  end
  local a = check.options(attributes, ATTRIBUTES, 3, "format")
  local list = { name .. "=" .. value }
  local function put(text) list[#list + 1] = text end
  if a.domain then put("Domain=" .. plain(a.domain, "domain")) end
  if a.path then put("Path=" .. plain(a.path, "path")) end
  if a.expires then put("Expires=" .. dates.http(a.expires)) end
  if a.max_age then put("Max-Age=" .. a.max_age) end
  if a.secure then put "Secure" end
  if a.httponly then put "HttpOnly" end
  if a.samesite then put("SameSite=" .. a.samesite) end
  return table.concat(list, "; ")
end

return M
