-- resolve.lua: names, looked up for the reactor's callbacks.
local csock = require "csock"
local given = require "csock.reactor.arguments"
local lookup = require "csock.reactor.lookup"
local check = require "csock.check"

local M = {}

local PATIENCE = 60 -- seconds: Twisted's 1 + 3 + 11 + 45

local SECONDS = check.kind("timeout: seconds, or a sequence of them", function(value)
  if type(value) ~= "table" then return value == nil or check.TIMEOUT.fits(value) end
  for _, seconds in ipairs(value) do
    if not check.TIMEOUT.fits(seconds) then return false end
  end
  return true
end)

-- How long in all: of Twisted's, who asks again and again, the sum.
local function in_all(timeout)
  if type(timeout) ~= "table" then return timeout or PATIENCE end
  local sum = 0
  for _, seconds in ipairs(timeout) do sum = sum + seconds end
  return sum
end

--- Looks up a name's first IPv4 address. (`csock.getaddrinfo` is the same for tasks, and knows IPv6.)
-- Source: Twisted's `reactor.resolve`.
-- @tparam string name or an address, which is given back; `""` is `"0.0.0.0"`
-- @tparam[opt=60] number|table timeout seconds in all, or a sequence of them, of which the sum counts
-- @treturn deferred (@{csock.defer}) of a string; it fails with `DNSLookupError`, and is called back in the reactor's
-- task
-- @usage
-- reactor.resolve("localhost"):addCallback(print):addBoth(reactor.stop)
-- reactor.run() --> 127.0.0.1
function M.resolve(name, timeout)
  check.argument(given.HOST, name, 1, "resolve")
  timeout = in_all(check.argument(SECONDS, timeout, 2, "resolve"))
  local defer = require "csock.defer"
  if name == "" then return defer.succeed "0.0.0.0" end
  local is_address, address = pcall(csock.inet_pton, csock.AF_INET, name)
  if is_address and address then return defer.succeed(name) end
  return lookup(name, csock.AF_INET, csock.SOCK_STREAM, timeout):addCallback(function(found) return found.host end)
end

return M
