--- The rules of robots.txt: what a robot may fetch.
--
--     local robots = require "csock.url.robots"
--
--     local rules = robots.RobotFileParser "http://example.org/robots.txt"
--     rules:parse "User-agent: *\nDisallow: /private"
--     print(rules:can_fetch("csock", "http://example.org/private/x"))   --> false
--
-- As in Python the first group that fits a robot counts, in it the first rule that fits, and there are no wildcards.
-- Paths are compared unquoted, byte by byte. Numbers that are not ASCII digits, or do not fit in an integer, are left
-- out.
-- @module csock.url.robots
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"
local quoting = require "csock.url.quote"
local split = require "csock.url.split"
local urls = require "csock.url"

local quote, unquote = quoting.quote, quoting.unquote

-- --- groups of rules ------------------------------------------------------------------------------

local function rest_of(scheme, path, query, fragment)
  path = split.with_params(split.split_params(scheme, path))
  return split.with_query(path, query, fragment)
end

-- What a rule's path is compared with: the URL behind its host.
local function target_of(url)
  local scheme, _, path, query, fragment = split.split(unquote(url), "", true)
  local target = quote(rest_of(scheme, path, query, fragment))
  return target == "" and "/" or target
end

local function rule(path, allowance)
  local scheme, netloc, rest, query, fragment = split.split(path, "", true)
  local start = (scheme ~= "" and scheme .. ":" or "") .. (netloc ~= "" and "//" .. netloc or "")
  return {
    path = quote(start .. rest_of(scheme, rest, query, fragment)),
    allowance = allowance or path == "", -- nothing is disallowed
  }
end

local function new_group() return { useragents = {}, rules = {} } end

local function applies_to(group, useragent)
  local name = ascii.lower(useragent:match "^[^/]*")
  for _, agent in ipairs(group.useragents) do
    if agent == "*" or name:find(ascii.lower(agent), 1, true) then return true end
  end
  return false
end

local function allows(group, target)
  for _, line in ipairs(group.rules) do
    if target:sub(1, #line.path) == line.path then return line.allowance end
  end
  return true
end

local function text_of(group)
  local lines = {}
  local function put(name, value) lines[#lines + 1] = name .. ": " .. value end
  for _, agent in ipairs(group.useragents) do put("User-agent", agent) end
  if group.delay then put("Crawl-delay", group.delay) end
  if group.rate then put("Request-rate", group.rate.requests .. "/" .. group.rate.seconds) end
  for _, line in ipairs(group.rules) do put(line.allowance and "Allow" or "Disallow", line.path) end
  return table.concat(lines, "\n")
end

-- --- lines ----------------------------------------------------------------------------------------

local function stripped(text)
  local first = text:find "[^ \t\n\v\f\r]"
  return first and text:match("^.*[^ \t\n\v\f\r]", first) or ""
end

local function integer(text) return ascii.integer(stripped(text), math.maxinteger) end

-- What a line does to its group. Where there is none, it does nothing.
local LINES = {
  disallow = function(group, value) table.insert(group.rules, rule(value, false)) end,
  allow = function(group, value) table.insert(group.rules, rule(value, true)) end,
  ["crawl-delay"] = function(group, value) group.delay = integer(value) or group.delay end,
  ["request-rate"] = function(group, value)
    local requests, seconds = value:match "^([^/]*)/([^/]*)$"
    requests, seconds = integer(requests or ""), integer(seconds or "")
    if requests and seconds then group.rate = { requests = requests, seconds = seconds } end
  end,
}

-- The lines of a text, of a sequence, or those that an iterator gives.
local function each(lines)
  if type(lines) == "function" then return lines end
  if type(lines) == "string" then return (lines:gsub("\r\n?", "\n") .. "\n"):gmatch "([^\n]*)\n" end
  local i = 0
  return function()
    i = i + 1
    return lines[i]
  end
end

local SOURCE = check.kind("string, table or function", function(value)
  return type(value) == "string" or type(value) == "table" or type(value) == "function"
end)

-- --- the parser -----------------------------------------------------------------------------------

--- The rules of one server. The fields `url`, `host` and `path` say where they are; `disallow_all` and `allow_all` are
-- for whoever fetches them: true where the server refused (401, 403), or has none (other 4xx).
-- Source: Python's `urllib.robotparser.RobotFileParser`.
-- @type robotfileparser
local RobotFileParser = class("RobotFileParser")

--- Made by calling the class.
-- @function csock.url.robots.RobotFileParser
-- @tparam[opt=""] string url of the robots.txt
-- @treturn[1] robotfileparser
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`: a URL that is none)
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- assert(rules:read())
-- print(rules:can_fetch("me", "http://localhost:8080/no")) --> false
function RobotFileParser:__init(url)
  self.groups, self.sitemaps = {}, {}
  self.disallow_all, self.allow_all = false, false
  self.last_checked = 0
  return self:set_url(url == nil and "" or url)
end

--- Says where the rules are.
-- @tparam string url
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage
-- local rules = robots.RobotFileParser()
-- assert(rules:set_url "http://localhost:8080/robots.txt")
function RobotFileParser:set_url(url)
  local parts, err, errno = urls.urlparse(url)
  if not parts then return nil, err, errno end
  self.url, self.host, self.path = url, parts.netloc, parts.path
  return true
end

--- When the rules were read last.
-- @treturn int seconds, as of `os.time`; 0: never
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- print(rules:mtime()) --> 0
function RobotFileParser:mtime() return self.last_checked end

--- Says that the rules were read just now. `parse` does so.
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- rules:modified()
function RobotFileParser:modified() self.last_checked = os.time() end

local function add(self, group)
  for _, agent in ipairs(group.useragents) do
    if agent == "*" then
      self.default_group = self.default_group or group
      return
    end
  end
  table.insert(self.groups, group)
end

--- Reads the rules. Lines that are none are left out.
-- @tparam string|{string,...}|function lines a text, its lines, or an iterator such as `io.lines(name)`
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- rules:parse "User-agent: *\nDisallow: /no"
function RobotFileParser:parse(lines)
  check.argument(SOURCE, lines, 1, "parse")
  local group, in_rules = nil, false

  local function finish()
    if in_rules then add(self, group) end
    group, in_rules = nil, false
  end

  local number = 0
  self:modified()
  for line in each(lines) do
    number = number + 1
    if type(line) ~= "string" then check.expected("parse", 1, ("line %d: string"):format(number), line) end
    local bom = number == 1 and line:match "^\xEF\xBB\xBF()"
    local name, value = line:match("^([^#:]*):([^#]*)", bom or 1)
    if line == "" then finish() end
    name, value = ascii.lower(stripped(name or "")), unquote(stripped(value or ""))
    if name == "user-agent" then
      if in_rules then finish() end
      group = group or new_group()
      table.insert(group.useragents, value)
    elseif name == "sitemap" then
      table.insert(self.sitemaps, value)
    elseif group and LINES[name] then
      LINES[name](group, value)
      in_rules = true
    end
  end
  finish()
end

-- No server's rules are longer.
local MOST = 512 * 1024

--- Fetches the rules and reads them. Where the server refuses to show them (401, 403), nothing may be fetched; where it
-- has none (other 4xx), everything. Of a robots.txt that is longer than 512 KiB the rest is left out.
-- Source: Python's `RobotFileParser.read`.
-- @tparam[opt] table options those of @{csock.url.urlopen}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- assert(rules:read())
function RobotFileParser:read(options)
  local response <close>, err, errno = urls.urlopen(self.url, nil, options)
  if not response then
    local code = err.code
    if not code or code < 400 or code >= 500 then return nil, err, errno end
    local refused <close> = err.response
    self.disallow_all = refused.status == 401 or refused.status == 403
    self.allow_all = not self.disallow_all
    self:modified()
    return true
  end
  local text
  text, err, errno = response:read(MOST)
  if not text then return nil, err, errno end
  self:parse(text)
  return true
end

-- The group of rules for a robot.
local function group_for(self, call, useragent)
  check.argument(check.STRING, useragent, 1, call)
  for _, group in ipairs(self.groups) do
    if applies_to(group, useragent) then return group end
  end
  return self.default_group
end

--- Whether a robot may fetch a URL: not before the rules were read.
-- @tparam string useragent its name, perhaps with a version behind a slash
-- @tparam string url
-- @treturn boolean
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- rules:parse "User-agent: *\nDisallow: /no"
-- print(rules:can_fetch("me", "http://localhost:8080/no")) --> false
function RobotFileParser:can_fetch(useragent, url)
  check.argument(check.STRING, url, 2, "can_fetch")
  local group = group_for(self, "can_fetch", useragent)
  if self.disallow_all then return false end
  if self.allow_all then return true end
  if self.last_checked == 0 then return false end
  return not group or allows(group, target_of(url))
end

--- How long a robot has to wait between requests.
-- @tparam string useragent
-- @treturn int seconds; nil when the rules do not say so
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- rules:parse "User-agent: *\nCrawl-delay: 5"
-- print(rules:crawl_delay "me") --> 5
function RobotFileParser:crawl_delay(useragent)
  local group = group_for(self, "crawl_delay", useragent)
  return group and group.delay
end

--- How often a robot may fetch something.
-- @tparam string useragent
-- @treturn table `requests` in so many `seconds`; nil when the rules do not say so
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- rules:parse "User-agent: *\nRequest-rate: 1/10"
-- print(rules:request_rate("me").seconds) --> 10
function RobotFileParser:request_rate(useragent)
  local group = group_for(self, "request_rate", useragent)
  return group and group.rate
end

--- Where the site maps are.
-- @treturn {string,...} URLs; nil when there are none
-- @usage
-- local rules = robots.RobotFileParser "http://localhost:8080/robots.txt"
-- rules:parse "Sitemap: http://a/map"
-- print(rules:site_maps()[1]) --> http://a/map
function RobotFileParser:site_maps()
  return self.sitemaps[1] and self.sitemaps or nil
end

-- The rules, as they were understood.
function RobotFileParser:__tostring()
  local texts = {}
  for i, group in ipairs(self.groups) do texts[i] = text_of(group) end
  if self.default_group then texts[#texts + 1] = text_of(self.default_group) end
  return table.concat(texts, "\n\n")
end

return { RobotFileParser = RobotFileParser }
