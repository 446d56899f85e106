-- auth.lua: who asks: basic and digest authentication (RFC 7617, RFC 7616).
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local csock = require "csock"

local M = {}

local function check_login(call, user, password)
  check.argument(check.STRING, user, 1, call)
  check.argument(check.STRING, password, 2, call)
  if (user .. password):find "%c" then check.bad(call, 1, "a login without control characters expected") end
  return user, password
end

-- --- basic -----------------------------------------------------------------------------------------

local Basic = {}
Basic.__index = Basic

function M.basic(user, password)
  user, password = check_login("HTTPBasicAuth", user, password)
  if user:find(":", 1, true) then check.bad("HTTPBasicAuth", 1, "a user without a colon expected") end
  return setmetatable({ value = "Basic " .. base64.encode(user .. ":" .. password) }, Basic)
end

-- The value of Authorization for a request; nil as long as there is none.
function Basic:header() return self.value end

-- Whether another try can do better, after such an answer.
function Basic.answer() return false end

-- --- digest ----------------------------------------------------------------------------------------

local Digest = {}
Digest.__index = Digest

local ALGORITHMS = { ["md5"] = "MD5", ["sha-256"] = "SHA256" }

function M.digest(user, password)
  user, password = check_login("HTTPDigestAuth", user, password)
  local ok, tls = pcall(require, "csock.tls")
  if not ok then check.fail "HTTPDigestAuth: digests need the module csock.tls (`luarocks install csock-ssl`)" end
  return setmetatable({ user = user, password = password, digest = tls.digest, count = 0 }, Digest)
end

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

-- The text in the quotes that open at a byte, and where it goes on behind them.
local function unquoted(text, at)
  local i = at + 1
  while true do
    local j = text:find('["\\]', i)
    if not j then return nil end
    if text:sub(j, j) == '"' then return (text:sub(at + 1, j - 1):gsub("\\(.)", "%1")), j + 1 end
    i = j + 2
  end
end

-- The parameters of a challenge: name -> value. `text` begins behind the scheme.
local function parameters(text)
  local list, at = {}, 1
  while true do
    local name, after = text:match("^[ \t,]*([%w!#$%%&'*+.^_`|~-]+)[ \t]*=[ \t]*()", at)
    if not name then return list end
    local value, next_at
    if text:sub(after, after) == '"' then
      value, next_at = unquoted(text, after)
    else
      value, next_at = text:match("^([%w!#$%%&'*+.^_`|~-]+)()", after)
    end
    if not value then return list end
    list[ascii.lower(name)], at = value, next_at
  end
end

-- The challenge that can be met, the strongest first: MD5 counts less than SHA-256.
local function best(values)
  local found
  for _, value in ipairs(values) do
    for at in value:gmatch "()[Dd][Ii][Gg][Ee][Ss][Tt] " do
      local p = parameters(value:sub(at + 7))
      p.session = (p.algorithm or ""):find "%-[sS][eE][sS][sS]$" ~= nil
      p.name = ALGORITHMS[ascii.lower((p.algorithm or "MD5"):gsub("%-[sS][eE][sS][sS]$", ""))]
      local qop = not p.qop or (p.qop .. ","):find "%f[%w]auth%s*,"
      if p.name and p.realm and p.nonce and qop and not (found and found.name == "SHA256") then
        if not found or p.name == "SHA256" then found = p end
      end
    end
  end
  return found
end

local function quoted(text) return '"' .. text:gsub('[\\"]', "\\%0") .. '"' end

function Digest:header(method, target)
  local c = self.challenge
  if not c then return nil end
  local function h(text) return hex(assert(self.digest(c.name, text))) end
  self.count = self.count + 1
  local count, cnonce = ("%08x"):format(self.count), hex(assert(csock.random(16)))
  local a1 = h(self.user .. ":" .. c.realm .. ":" .. self.password)
  if c.session then a1 = h(a1 .. ":" .. c.nonce .. ":" .. cnonce) end
  local a2 = h(method .. ":" .. target)
  local middle = c.qop and c.nonce .. ":" .. count .. ":" .. cnonce .. ":auth" or c.nonce
  local fields = {
    "username=" .. quoted(self.user), "realm=" .. quoted(c.realm), "nonce=" .. quoted(c.nonce),
    "uri=" .. quoted(target), "response=" .. quoted(h(a1 .. ":" .. middle .. ":" .. a2)),
  }
  if c.algorithm then fields[#fields + 1] = "algorithm=" .. c.algorithm end
  if c.opaque then fields[#fields + 1] = "opaque=" .. quoted(c.opaque) end
  if c.qop then fields[#fields + 1] = ('qop=auth, nc=%s, cnonce="%s"'):format(count, cnonce) end
  return "Digest " .. table.concat(fields, ", ")
end

-- A second refusal is the last word, unless only the nonce was too old.
function Digest:answer(response, sent)
  if response.status ~= 401 then return false end
  local challenge = best(response.headers:all "www-authenticate")
  if not challenge or sent and ascii.lower(challenge.stale or "") ~= "true" then return false end
  self.challenge, self.count = challenge, 0
  return true
end

-- --- what an option may be -------------------------------------------------------------------------

M.KIND = check.kind("{user, password}, HTTPBasicAuth or HTTPDigestAuth", function(value)
  return type(value) == "table" and (value.header ~= nil or type(value[1]) == "string" and type(value[2]) == "string")
end)

function M.of(value)
  if not value then return nil end
  if value.header then return value end
  return M.basic(value[1], value[2])
end

return M
