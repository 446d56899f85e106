--- Several deferreds.
-- @module csock.defer
local check = require "csock.check"
local class = require "csock.class"
local deferred = require "csock.defer.deferred"
local failures = require "csock.defer.failure"

local Deferred = deferred.Deferred

local M = {}

local FLAG = check.kind("boolean", function(value) return type(value) == "boolean" end)
local OPTIONS = {
  fireOnOneCallback = { FLAG, false, false },
  fireOnOneErrback = { FLAG, false, false },
  consumeErrors = { FLAG, false, false },
}
local GATHER_OPTIONS = { consumeErrors = OPTIONS.consumeErrors }

local function check_list(list, call)
  check.argument(check.TABLE, list, 1, call)
  for i = 1, #list do
    if not deferred.is_deferred(list[i]) then
      check.bad(call, 1, ("element %d: deferred expected, got %s"):format(i, type(list[i])))
    end
  end
end

-- The deferred number `index` of the list has a result.
local function got(self, result, index, succeeded)
  self.resultList[index] = { succeeded, result }
  self.finishedCount = self.finishedCount + 1
  if not self.called then
    if succeeded and self.fireOnOneCallback then
      self:callback { result, index }
    elseif not succeeded and self.fireOnOneErrback then
      self:errback(failures.FirstError(result, index))
    elseif self.finishedCount == #self.deferredList then
      self:callback(self.resultList)
    end
  end
  if not succeeded and self.consumeErrors then return nil end
  return result
end

local DeferredList = class("DeferredList", Deferred)
M.DeferredList = DeferredList

--- A deferred for several: it has its result when they have. That is a list of pairs in their order, `{true, result}`
-- or `{false, failure}`. Cancelling it cancels those that have no result yet.
-- Source: Twisted's `DeferredList`.
-- @function DeferredList
-- @tparam {deferred,...} list
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.fireOnOneCallback the first result ends it: `{result, place in the list}`
-- @tparam[opt=false] boolean options.fireOnOneErrback the first failure ends it: `FirstError`
-- @tparam[opt=false] boolean options.consumeErrors failures of the deferreds count as taken: they go on with nil
-- @treturn deferred
-- @usage
-- local list = defer.DeferredList({defer.succeed "a", defer.fail "b"}, {consumeErrors = true})
-- list:addCallback(function(results)
--   for _, pair in ipairs(results) do print(pair[1], pair[2]) end
-- end) --> true a false b
function DeferredList:__init(list, options)
  check_list(list, "DeferredList")
  options = check.options(options, OPTIONS, 2, "DeferredList")
  for name, value in pairs(options) do self[name] = value end
  self.deferredList, self.resultList, self.finishedCount = table.move(list, 1, #list, 1, {}), {}, 0
  if #list == 0 and not options.fireOnOneCallback then self:callback {} end
  for i, d in ipairs(self.deferredList) do
    d:addCallbacks(
      function(result) return got(self, result, i, true) end,
      function(failure) return got(self, failure, i, false) end)
  end
end

-- An error in a canceller is no reason to spare the others.
function DeferredList:cancel()
  if self.called then return end
  for _, d in ipairs(self.deferredList) do
    local ok, err = pcall(d.cancel, d)
    if not ok then deferred.report(failures.failure(err), "error in a canceller: ") end
  end
end

--- The results of several deferreds, in a list in their order; or `FirstError` as soon as one fails. `n` is how many
-- there are, since a result may be nil.
-- Source: Twisted's `gatherResults`.
-- @function gatherResults
-- @tparam {deferred,...} list
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.consumeErrors failures of the deferreds count as taken: they go on with nil
-- @treturn deferred
-- @usage
-- defer.gatherResults {defer.succeed(1), defer.succeed(2)}:addCallback(function(results)
--   print(table.concat(results, " "))
-- end) --> 1 2
function M.gatherResults(list, options)
  check_list(list, "gatherResults")
  options = check.options(options, GATHER_OPTIONS, 2, "gatherResults")
  local all = DeferredList(list, { fireOnOneErrback = true, consumeErrors = options.consumeErrors })
  return all:addCallback(function(given)
    local results = { n = #given }
    for i, pair in ipairs(given) do results[i] = pair[2] end
    return results
  end)
end

return M
