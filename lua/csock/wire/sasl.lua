-- sasl.lua: how a client says who it is, and how a server finds out (RFC 4422): PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256,
-- XOAUTH2, EXTERNAL. Bytes go in and out as they are: each protocol wraps them up in its own way (base64).
--
-- **The client's side.**
--
--     local s = sasl.start("PLAIN", { user = "jane", password = "secret" })  -- nil, err, errno: not to be had here
--     local first = s:first()                    -- the initial response; nil: the server speaks first
--     local response = s:step(challenge)         -- nil, err, errno: the server is not to be believed
--     local ok = s:finish()                      -- when the server has said yes: true; nil, err, errno
--
-- Fields: `user`, `password`, `token` (XOAUTH2), `authzid` (as whom to act). A server that says yes before it has shown
-- that it knows the password (SCRAM) is an impostor: `finish` says so. `sasl.choose(offered, fields, { secure =,
-- insecure = })` gives the mechanisms to try, best first; `sasl.is_plain(name)`: whether one shows the password.
--
-- **The server's side.**
--
--     local s = sasl.server("PLAIN", callbacks)  -- nil, err, errno
--     local challenge = s:step(response)         -- response nil: the client has not said anything yet
--     -- a string: to be sent; true: it is `s.user`, who wants to act as `s.authzid`; nil, err, errno: refused
--
-- Callbacks: `password(user)` gives a password, or what `sasl.verifier(password)` has made of one, or nil; or
-- `check(user, password, authzid)`, whether they are right (PLAIN and LOGIN alone); `token(user, token)`, whether it is
-- right; `external`, the name that the connection itself has proved; `mechanisms`, a list: no others than these.
-- `sasl.offered(callbacks, secure)`: for which mechanisms they suffice; those that show the password to whoever listens
-- only where the connection is `secure`.
--
-- Digests are OpenSSL's (csock.tls). Passwords are bytes: what SASLprep makes equal (composed and decomposed letters)
-- is not.
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local csock = require "csock"

local E = csock.errno

local M = {}

-- SCRAM: rounds of PBKDF2. Fewer make a password that was overheard cheap to guess (RFC 7677 section 4), more are an
-- attack on whoever computes them.
M.LEAST_ITERATIONS, M.MOST_ITERATIONS = 4096, 1 << 20

local function failure(words, name, errno)
  return csock.make_error {
    call = "sasl", kind = "sasl", name = name or "SASLError", errno = errno or E.EPROTO, strerror = words,
  }
end

local function unavailable(words) return failure(words, "SASLUnavailable", E.EOPNOTSUPP) end

local function refused() return failure("who this is was not proved", "SASLRefused", E.EACCES) end

-- --- digests --------------------------------------------------------------------------------------

local tls

-- The module with the digests; nil, err, errno.
local function digests()
  if not tls then
    local found, module = pcall(require, "csock.tls")
    if not found then return unavailable "digests need the module csock.tls (`luarocks install csock-ssl`)" end
    tls = module
  end
  return tls
end

local function sha256(bytes) return assert(tls.digest("SHA256", bytes)) end
local function hmac(key, bytes) return assert(tls.hmac("SHA256", key, bytes)) end

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

local function xor(a, b)
  local bytes = {}
  for i = 1, #a do bytes[i] = string.char(a:byte(i) ~ b:byte(i)) end
  return table.concat(bytes)
end

-- Whether two secrets are equal, in a time that does not tell where they differ.
local function same(a, b)
  local differ = #a ~ #b
  for i = 1, #a do differ = differ | (a:byte(i) ~ (b:byte(i) or 0)) end
  return differ == 0
end

local function nonce() return base64.encode(assert(csock.random(18))) end

-- The MD5 of bytes, in hexadecimal, as POP3's APOP wants it; nil, err, errno.
function M.md5(bytes)
  local found, err, errno = digests()
  if not found then return nil, err, errno end
  return hex(assert(tls.digest("MD5", bytes)))
end

-- --- SCRAM-SHA-256: what both sides compute (RFC 5802, RFC 7677) ------------------------------------

-- The keys of a salted password: StoredKey and ServerKey, and ClientKey, which only the client needs.
local function keys_of(password, salt, iterations)
  local salted = assert(tls.pbkdf2("SHA256", password, salt, iterations))
  local client = hmac(salted, "Client Key")
  return sha256(client), hmac(salted, "Server Key"), client
end

-- What a server keeps in the place of a password: it lets nobody in who has stolen it, unless they guess the password.
function M.verifier(password, salt, iterations)
  check.argument(check.STRING, password, 1, "verifier")
  assert(digests())
  salt, iterations = salt or assert(csock.random(16)), iterations or M.LEAST_ITERATIONS
  local stored, server = keys_of(password, salt, iterations)
  return { salt = salt, iterations = iterations, stored_key = stored, server_key = server }
end

-- Names in SCRAM: "," and "=" are written otherwise.
local function escaped(name) return (name:gsub("[=,]", { ["="] = "=3D", [","] = "=2C" })) end

local function unescaped(name)
  if name:gsub("=2C", ""):gsub("=3D", ""):find "=" then return nil end
  return (name:gsub("=2C", ","):gsub("=3D", "="))
end

-- --- the client's side ----------------------------------------------------------------------------

local PLAIN = {}

function PLAIN:first()
  self.done = true
  return (self.authzid or "") .. "\0" .. self.user .. "\0" .. self.password
end

function PLAIN.step() return failure "the server asks for more than PLAIN has" end

local LOGIN = {} -- two questions, which are not looked at: servers differ in their words

function LOGIN.first() end

function LOGIN:step()
  self.asked = (self.asked or 0) + 1
  if self.asked == 1 then return self.user end
  if self.asked > 2 then return failure "the server asks for more than LOGIN has" end
  self.done = true
  return self.password
end

local CRAM = {} -- RFC 2195

function CRAM.first() end

function CRAM:step(challenge)
  if self.done then return failure "the server asks for more than CRAM-MD5 has" end
  self.done = true
  return self.user .. " " .. hex(assert(tls.hmac("MD5", self.password, challenge)))
end

local SCRAM = {}

function SCRAM:first()
  self.nonce = self.nonce or nonce()
  self.header = "n," .. (self.authzid and "a=" .. escaped(self.authzid) or "") .. ","
  self.bare = ("n=%s,r=%s"):format(escaped(self.user), self.nonce)
  return self.header .. self.bare
end

-- The server's first message: nonce, salt, iterations; nil, err, errno.
local function read_challenge(self, challenge)
  local theirs, salt, count = challenge:match "^r=([!-+%-.-~]+),s=([%w+/=]+),i=(%d+)$"
  if not theirs then theirs, salt, count = challenge:match "^r=([!-+%-.-~]+),s=([%w+/=]+),i=(%d+)," end
  salt = salt and base64.decode(salt)
  local iterations = count and ascii.integer(count, math.maxinteger)
  if not salt or not iterations then return failure "the server's challenge is malformed" end
  if theirs:sub(1, #self.nonce) ~= self.nonce or #theirs == #self.nonce then
    return failure "the server's nonce is not made of ours"
  end
  if iterations < M.LEAST_ITERATIONS or iterations > M.MOST_ITERATIONS then
    return failure(("%d iterations: at least %d, and at most %d, are taken"):format(
      iterations, M.LEAST_ITERATIONS, M.MOST_ITERATIONS))
  end
  return theirs, salt, iterations
end

local function prove(self, challenge)
  local theirs, salt, iterations = read_challenge(self, challenge)
  if not theirs then return nil, salt, iterations end
  local bare = ("c=%s,r=%s"):format(base64.encode(self.header), theirs)
  local message = self.bare .. "," .. challenge .. "," .. bare
  local stored, server, client = keys_of(self.password, salt, iterations)
  self.signature = hmac(server, message)
  return bare .. ",p=" .. base64.encode(xor(client, hmac(stored, message)))
end

local function check_server(self, message)
  local why = message:match "^e=([^,]*)"
  if why then return failure("the server refuses: " .. why:gsub("%c", "?"), "SASLRefused", E.EACCES) end
  local signature = base64.decode(message:match "^v=([^,]+)" or "!")
  if not signature or not same(self.signature, signature) then
    return failure "the server does not know the password"
  end
  self.done = true
  return ""
end

function SCRAM:step(challenge)
  if self.done then return failure "the server asks for more than SCRAM has" end
  if self.signature then return check_server(self, challenge) end
  return prove(self, challenge)
end

local XOAUTH2 = {} -- Google's; no RFC

function XOAUTH2:first()
  self.done = true
  return ("user=%s\1auth=Bearer %s\1\1"):format(self.user, self.token)
end

-- A server that refuses says why in a challenge, and "no" when that was answered.
function XOAUTH2:step()
  if self.answered then return failure "the server asks for more than XOAUTH2 has" end
  self.answered = true
  return ""
end

local EXTERNAL = {}

function EXTERNAL:first()
  self.done = true
  return self.authzid or ""
end

function EXTERNAL:step(challenge)
  if challenge ~= "" or self.answered then return failure "the server asks for more than EXTERNAL has" end
  self.answered = true
  return self:first()
end

-- In the order in which they are chosen. `needs`: fields; `plain`: see is_plain; `digest`: csock.tls is needed;
-- `asked`: only who asks for it by name gets it.
local MECHANISMS = {
  { name = "SCRAM-SHA-256", client = SCRAM, needs = { "user", "password" }, digest = true },
  { name = "CRAM-MD5", client = CRAM, needs = { "user", "password" }, digest = true },
  { name = "XOAUTH2", client = XOAUTH2, needs = { "user", "token" }, plain = true },
  { name = "PLAIN", client = PLAIN, needs = { "user", "password" }, plain = true },
  { name = "LOGIN", client = LOGIN, needs = { "user", "password" }, plain = true },
  { name = "EXTERNAL", client = EXTERNAL, needs = {}, asked = true },
}

local BY_NAME = {}
for _, mechanism in ipairs(MECHANISMS) do
  BY_NAME[mechanism.name] = mechanism
  mechanism.client.__index = mechanism.client
  -- To be called when the server has said yes.
  function mechanism.client:finish()
    if self.done then return true end
    return failure("the server says yes before it has proved who it is")
  end
end

local function mechanism_of(name, call)
  check.argument(check.STRING, name, 1, call)
  local mechanism = BY_NAME[name:upper()]
  if not mechanism then return unavailable(("no mechanism '%s'"):format((name:gsub("%c", "?")))) end
  if mechanism.digest then
    local found, err, errno = digests()
    if not found then return nil, err, errno end
  end
  return mechanism
end

-- Bytes that would end a field of PLAIN, LOGIN or XOAUTH2, or a line.
local function is_field(value) return type(value) == "string" and not value:find "[%z\1\r\n]" end


-- Whether it shows the password, or what is as good, to whoever listens.
function M.is_plain(name)
  local mechanism = BY_NAME[name:upper()]
  return mechanism ~= nil and mechanism.plain == true
end

-- Raises where a field could not be sent; a copy of them.
function M.check(fields, number, call)
  local copy = {}
  for _, field in ipairs { "user", "password", "token", "authzid" } do
    local value = fields[field]
    if value ~= nil and not is_field(value) then
      check.bad(call, number, ("%s: a string without NUL, CR and LF expected"):format(field))
    end
    copy[field] = value
  end
  return copy
end

function M.start(name, fields)
  check.argument(check.TABLE, fields, 2, "start")
  local mechanism, err, errno = mechanism_of(name, "start")
  if not mechanism then return nil, err, errno end
  for _, field in ipairs(mechanism.needs) do
    if fields[field] == nil then check.bad("start", 2, ("%s needs '%s'"):format(mechanism.name, field)) end
  end
  local self = M.check(fields, 2, "start")
  self.done, self.nonce = false, fields.nonce
  return setmetatable(self, mechanism.client)
end

local function has_all(fields, names)
  for _, name in ipairs(names) do
    if fields[name] == nil then return false end
  end
  return true
end

-- The names of the mechanisms to be tried, best first: those among `offered` (a sequence of names, or words) for
-- which there are the fields; those that show the password only where the connection is `secure`, or the caller
-- says `insecure`. nil, err, errno where there is none.
function M.choose(offered, fields, options)
  if type(offered) == "table" then offered = table.concat(offered, " ") end
  local on_offer, list, shy = (" " .. offered:upper() .. " "), {}, false
  for _, mechanism in ipairs(MECHANISMS) do
    local has = on_offer:find(" " .. mechanism.name .. " ", 1, true)
    if has and not mechanism.asked and has_all(fields, mechanism.needs) then
      if mechanism.plain and not options.secure and not options.insecure then
        shy = true
      elseif not mechanism.digest or digests() then
        list[#list + 1] = mechanism.name
      end
    end
  end
  if list[1] then return list end
  if shy then
    return failure("what the server offers shows the password to whoever listens: use TLS, or say `insecure`",
      "SASLInsecure", E.EPERM)
  end
  return unavailable(("none of the server's mechanisms will do: '%s'"):format((offered:gsub("%c", "?"))))
end

-- --- the server's side ----------------------------------------------------------------------------

-- What is computed with where there is no such user, so that nobody can tell: made anew in each process, the same for
-- each name.
local secret

local function stand_in(user)
  secret = secret or assert(csock.random(32))
  return M.verifier(secret .. user, hmac(secret, user):sub(1, 16))
end

-- Whether a password is right: against one, or a verifier.
local function is_right(known, password)
  if type(known) == "string" then return same(known, password) end
  if not known or not digests() then return false end
  return same(known.stored_key, (keys_of(password, known.salt, known.iterations)))
end

local function check_password(self, user, password, authzid)
  local callbacks, right = self.callbacks
  if callbacks.check then
    right = callbacks.check(user, password, authzid)
  else
    right = is_right(callbacks.password(user), password)
  end
  if not right then return refused() end
  self.done, self.user, self.authzid = true, user, authzid
  return true
end

local PlainServer = {}

function PlainServer:step(response)
  if not response then return "" end
  local authzid, user, password = response:match "^([^%z]*)%z([^%z]+)%z([^%z]*)$"
  if not user then return failure "a malformed response" end
  return check_password(self, user, password, authzid ~= "" and authzid or nil)
end

local LoginServer = {}

function LoginServer:step(response)
  if not response then return "Username:" end
  if not self.name then
    self.name = response
    return "Password:"
  end
  return check_password(self, self.name, response)
end

local CramServer = {}

function CramServer:step(response)
  if not self.challenge then
    self.challenge = self.callbacks.challenge or ("<%s@%s>"):format(hex(assert(csock.random(12))), "csock")
    return self.challenge
  end
  local user, digest = (response or ""):match "^(.+) (%x+)$"
  if not user then return failure "a malformed response" end
  local password = self.callbacks.password(user)
  if type(password) ~= "string" then return refused() end
  if not same(hex(assert(tls.hmac("MD5", password, self.challenge))), ascii.lower(digest)) then return refused() end
  self.done, self.user = true, user
  return true
end

local ScramServer = {}

local function scram_hello(self, response)
  local header, authzid, bare, user, theirs = response:match "^([ny],([^,]*),)(n=([^,]+),r=([!-+%-.-~]+))$"
  user = user and unescaped(user)
  if authzid and authzid ~= "" then
    authzid = unescaped(authzid:match "^a=(.+)$" or "=")
    if not authzid then user = nil end
  end
  if not user then return failure "a malformed response" end
  local known = self.callbacks.password(user)
  self.known = known ~= nil
  if type(known) == "string" then known = M.verifier(known) end
  self.verifier = known or stand_in(user)
  self.header, self.bare, self.name, self.as = header, bare, user, authzid ~= "" and authzid or nil
  self.nonce = theirs .. (self.callbacks.nonce or nonce())
  self.first = ("r=%s,s=%s,i=%d"):format(self.nonce, base64.encode(self.verifier.salt), self.verifier.iterations)
  return self.first
end

local function scram_verify(self, response)
  local without, header, theirs, proof = response:match "^(c=([%w+/=]+),r=([!-+%-.-~]+)),p=([%w+/=]+)$"
  proof = proof and base64.decode(proof)
  if not proof or #proof ~= 32 or base64.decode(header) ~= self.header or theirs ~= self.nonce then
    return failure "a malformed response"
  end
  local message = self.bare .. "," .. self.first .. "," .. without
  local key = xor(proof, hmac(self.verifier.stored_key, message))
  if not same(sha256(key), self.verifier.stored_key) or not self.known then return refused() end
  self.proved = true
  return "v=" .. base64.encode(hmac(self.verifier.server_key, message))
end

function ScramServer:step(response)
  if not response then return "" end
  if not self.nonce then return scram_hello(self, response) end
  if not self.proved then return scram_verify(self, response) end
  if response ~= "" then return failure "a malformed response" end
  self.done, self.user, self.authzid = true, self.name, self.as
  return true
end

local OauthServer = {}

function OauthServer:step(response)
  if not response then return "" end
  local user, token = response:match "^user=([^\1]+)\1auth=[Bb][Ee][Aa][Rr][Ee][Rr] ([^\1]+)\1\1$"
  if not user then return failure "a malformed response" end
  if not self.callbacks.token(user, token) then return refused() end
  self.done, self.user = true, user
  return true
end

local ExternalServer = {}

function ExternalServer:step(response)
  if not response then return "" end
  self.done, self.user, self.authzid = true, self.callbacks.external, response ~= "" and response or nil
  return true
end

-- What each needs of the callbacks.
local SERVERS = {
  ["SCRAM-SHA-256"] = { ScramServer, { "password" } }, ["CRAM-MD5"] = { CramServer, { "password" } },
  PLAIN = { PlainServer, { "check", "password" } }, LOGIN = { LoginServer, { "check", "password" } },
  XOAUTH2 = { OauthServer, { "token" } }, EXTERNAL = { ExternalServer, { "external" } },
}
for _, row in pairs(SERVERS) do row[1].__index = row[1] end

-- Whether the callbacks suffice for it.
local function can_serve(callbacks, name)
  local allowed = callbacks.mechanisms == nil
  for _, one in ipairs(callbacks.mechanisms or {}) do allowed = allowed or one:upper() == name end
  for _, callback in ipairs(SERVERS[name][2]) do
    if allowed and callbacks[callback] then return true end
  end
  return false
end

function M.offered(callbacks, secure)
  local list = {}
  for _, mechanism in ipairs(MECHANISMS) do
    local fits = can_serve(callbacks, mechanism.name) and (secure or not mechanism.plain)
    if fits and (not mechanism.digest or digests()) then list[#list + 1] = mechanism.name end
  end
  return list
end

function M.server(name, callbacks)
  local mechanism, err, errno = mechanism_of(name, "server")
  if not mechanism then return nil, err, errno end
  if not can_serve(callbacks, mechanism.name) then
    return unavailable(("'%s' is not offered"):format(mechanism.name))
  end
  return setmetatable({ callbacks = callbacks, done = false }, SERVERS[mechanism.name][1])
end

return M
