-- outcome.lua: what has come of a function, in one value: a deferred, a failure (a reason), or else its first result.
--
-- A failure is what it gives as one, what follows nil (as of any function of csock that fails), or what it raises.
local failures = require "csock.defer.failure"

local failure, traced = failures.failure, failures.traced

local M = {}

-- Of the first two results of a function.
local function of(result, err)
  if result == nil and err ~= nil then return failure(err) end
  return result
end
M.of = of

local function settled(_, result, err) return of(result, err) end

-- Calls a function with some arguments.
function M.call(f, ...) return settled(xpcall(f, traced, ...)) end

return M
