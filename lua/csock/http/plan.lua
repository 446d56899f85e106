-- plan.lua: what is asked of whom: a request of csock.http, made of its arguments, and what a redirect makes of it.
local auth = require "csock.http.auth"
local bodies = require "csock.http.body"
local check = require "csock.check"
local coding = require "csock.http.coding"
local csock = require "csock"
local failure = require "csock.http.failure"
local headers = require "csock.wire.headers"
local json = require "csock.http.json"
local multipart = require "csock.http.multipart"
local place = require "csock.http.place"
local proxy = require "csock.http.proxy"
local urls = require "csock.url"

local M = {}

local Plan = {}
Plan.__index = Plan

local PORTS = { http = 80, https = 443 }

-- --- where to --------------------------------------------------------------------------------------

-- What browsers quote without being asked; in a place that a server names blanks, too. (urlsplit refuses them, and
-- control characters.)
local QUOTED, QUOTED_IN_PLACES = '[\x80-\xFF"<>\\^`{|}]', '[\x80-\xFF "<>\\^`{|}]'

-- Quotes it behind the authority: there, what is quoted would be another one.
local function requoted(url, set)
  local at = url:match "^%a[%w+.-]*://[^/?#]*()" or url:match "^//[^/?#]*()" or 1
  return url:sub(1, at - 1) .. url:sub(at):gsub(set, function(c) return ("%%%02X"):format(c:byte()) end)
end

-- Takes a URL apart: `scheme`, `host`, `port`, `target`, `url` (without login), `login`; nil, err, errno.
local function locate(text)
  local parts, err, errno = urls.urlsplit(requoted(text, QUOTED))
  if not parts then return nil, err, errno end
  local usual = PORTS[parts.scheme]
  if not usual then
    return failure("request", "UnknownProtocol", ("no http or https: '%s'"):format(parts.scheme))
  end
  if not parts.hostname then return failure("request", "InvalidURL", "the URL has no host") end
  if parts.hostname:find "[\x80-\xFF]" then
    return failure("request", "InvalidURL", "the host is not ASCII: write it as xn--...")
  end
  local login = proxy.login(parts)
  if login == false then return failure("request", "InvalidURL", "a control character in the login") end
  local host, port = place.bare(parts.hostname), parts.port or usual
  local authority_of = place.authority(host, port, usual)
  local target = parts.path == "" and "/" or parts.path
  if parts.query ~= "" then target = target .. "?" .. parts.query end
  return {
    scheme = parts.scheme, host = host, port = port, authority = authority_of, target = target, login = login,
    fragment = parts.fragment, origin = ("%s://%s:%d"):format(parts.scheme, host, port),
    host_field = headers.new { "Host", authority_of },
    url = parts.scheme .. "://" .. authority_of .. target
      .. (parts.fragment ~= "" and "#" .. parts.fragment or ""),
  }
end

-- The same, for URLs that are asked for again and again. (What it gives is not changed by anybody.)
local MOST = 256
local located, located_count = {}, 0

local function locate_again(text)
  if located[text] then return located[text] end
  local at, err, errno = locate(text)
  if not at then return nil, err, errno end
  if located_count == MOST then located, located_count = {}, 0 end
  located[text], located_count = at, located_count + 1
  return at
end

local function with_params(url, params)
  if params == nil then return url end
  local query = type(params) == "string" and params or urls.urlencode(params, { doseq = true })
  if query == "" then return url end
  local base, fragment = url:match "^([^#]*)(.*)$"
  return base .. (base:find("?", 1, true) and "&" or "?") .. query .. fragment
end

-- --- what ------------------------------------------------------------------------------------------

-- Gives the body its header, unless the caller has.
local function typed(fields, kind)
  if not fields["content-type"] then fields:add("Content-Type", kind) end
end

-- The source of the body that the options say: at most one of them.
local function body_of(options, fields)
  local data, form = options.data ~= nil and "data", options.form ~= nil and "form"
  local given, other = data or form, data and form
  if options.json ~= nil then given, other = "json", given end
  if other then check.bad("request", 3, ("both '%s' and '%s'"):format(other, given)) end
  if options.files then
    if given and given ~= "form" then check.bad("request", 3, ("both 'files' and '%s'"):format(given)) end
    local source, kind = multipart.source(options.form, options.files)
    typed(fields, kind)
    return source
  end
  if not given then return nil end
  if given == "data" then return bodies.source(options.data, 3, "request") end
  if given == "json" then
    typed(fields, "application/json")
    return bodies.source(json.encode(options.json), 3, "request")
  end
  typed(fields, "application/x-www-form-urlencoded")
  return bodies.source(urls.urlencode(options.form, { doseq = true }), 3, "request")
end

local NOTHING = {} -- to be said of how a request without a body is sent
-- What Cookie says for names and values: none of them can become two.
local function cookies_of(given)
  local list = {}
  for name, value in pairs(given) do
    value = tostring(value)
    if type(name) ~= "string" or name:find "[=;%c ]" or name == "" or value:find "[;%c]" then
      check.bad("request", 3, "cookies: names and values without ';' and control characters expected")
    end
    list[#list + 1] = name .. "=" .. value
  end
  table.sort(list)
  return list[1] and table.concat(list, "; ")
end

local USUAL = headers.new { "User-Agent", (csock._VERSION:gsub(" ", "/")), "Accept", "*/*" }
local USUAL_PLAIN = headers.new(USUAL):add("Accept-Encoding", "identity")
local USUAL_PACKED -- made when it is wanted: the module that unpacks is loaded then

-- What a request says unless it is told otherwise.
local function usual_fields(options, of_session, given)
  local part = given and given.range or of_session.range -- a part is one of the thing itself (Fetch, 4.6)
  if options.decode == false or part then return USUAL_PLAIN end
  USUAL_PACKED = USUAL_PACKED or headers.new(USUAL):add("Accept-Encoding", coding.accepted())
  return USUAL_PACKED
end

-- A plan for a request of a session whose headers are the block `of_session`; nil, err, errno. `options` have been
-- checked.
function M.new(method, url, options, of_session)
  if not headers.is_name(method) then
    check.argument(check.STRING, method, 1, "request")
    check.bad("request", 1, "a method expected: a token")
  end
  if type(url) ~= "string" then check.expected("request", 2, "string", url) end
  local at, err, errno = locate_again(with_params(url, options.params))
  if not at then return nil, err, errno end
  local given = options.headers and headers.new(options.headers)
  local fields = headers.merge(at.host_field, usual_fields(options, of_session, given), of_session, given)
  local framing = fields["content-length"] and "content-length" or fields["transfer-encoding"] and "transfer-encoding"
  if framing then check.bad("request", 3, ("headers: %s follows from the body"):format(framing)) end
  local plan = setmetatable({ method = method, at = at, fields = fields, options = options, sending = NOTHING }, Plan)
  plan.body = body_of(options, fields)
  if plan.body then plan.sending = { expect = options.expect, progress = options.on_upload } end
  plan.auth = auth.of(options.auth)
  if options.auth == nil and at.login then plan.auth = auth.of { at.login:match "^(.-):(.*)$" } end
  plan.cookies = options.cookies and cookies_of(options.cookies)
  return plan
end

-- The proxy on the way: a table; false for none; nil, err, errno.
function Plan:proxy()
  local given = self.options.proxies
  if given == false then return false end
  return proxy.find(given or proxy.CURRENT, self.at.scheme, self.at.host, self.at.port)
end

-- The headers as they are sent, a block that stays as it is; `through`: the proxy that reads the request, as it does of
-- http. `authorized` is set to whether they say who asks.
function Plan:headers(jar, through)
  local fields, cookies = self.fields, nil
  if not fields.cookie then
    cookies = jar and #jar > 0 and jar:header(self.at.url) or nil
    if self.cookies then cookies = cookies and cookies .. "; " .. self.cookies or self.cookies end
  end
  local login = self.auth and not fields.authorization and self.auth:header(self.method, self.at.target)
  local of_proxy = through and through.authorization
  self.authorized = login ~= nil and login ~= false
  if not cookies and not login and not of_proxy then return fields end
  fields = headers.new(fields)
  if cookies then fields:add("Cookie", cookies) end
  if of_proxy then fields:set("Proxy-Authorization", of_proxy) end
  if login then fields:add("Authorization", login) end
  return fields
end

-- --- redirects -------------------------------------------------------------------------------------

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local function fail(name, words, response)
  return failure("request", name, words, { code = response.status, text = response.reason })
end

-- As browsers do (Fetch, 4.4): what was posted is then fetched, and 303 always says so.
local function method_after(method, status)
  if status == 303 and method ~= "HEAD" then return "GET" end
  if (status == 301 or status == 302) and method == "POST" then return "GET" end
  return method
end

-- What only the origin may see.
local SECRET = { "Authorization", "Cookie", "Proxy-Authorization", "Host" }

-- Changes the plan to what an answer leads to: true; false for an answer that leads nowhere; nil, err, errno.
function Plan:follow(response)
  local location = REDIRECTS[response.status] and response.headers:all("location")[1]
  if not location then return false end
  local joined, err, errno = urls.urljoin(self.at.url, requoted(location, QUOTED_IN_PLACES))
  if not joined then return nil, err, errno end
  local at
  at, err, errno = locate(joined)
  if not at then return nil, err, errno end
  if self.at.scheme == "https" and at.scheme == "http" and not self.options.insecure_redirects then
    return fail("InsecureRedirect", "a redirect from https to http", response)
  end
  if at.fragment == "" and self.at.fragment ~= "" then at.url = at.url .. "#" .. self.at.fragment end
  local method, fields = method_after(self.method, response.status), headers.new(self.fields)
  if method ~= self.method then
    self.body = nil
    for _, name in ipairs { "Content-Type", "Content-Encoding", "Content-Language", "Content-Location", "Expect" } do
      fields:remove(name)
    end
  elseif self.body and not self.body.again then
    return fail("UnrewindableBodyError", "a redirect, and the body cannot be sent again", response)
  end
  if at.origin ~= self.at.origin then -- for good: a way back brings them not again
    for _, name in ipairs(SECRET) do fields:remove(name) end
    fields = headers.merge(at.host_field, fields)
    self.auth, self.cookies = nil, nil
  end
  self.method, self.at, self.fields = method, at, fields
  return true
end

return M
