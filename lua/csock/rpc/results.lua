--- What several calls at once have given.
-- @module csock.xmlrpc

--- The results of several calls, in their order; `#results` is how many there are.
-- Source: Python's `xmlrpc.client.MultiCallIterator`.
-- @type results
local Results = {}
Results.__index = Results
Results.__name = "results"

function Results:__len() return #self.list end

--- What the i-th call gave.
-- @function results:get
-- @tparam int i
-- @treturn[1] value
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local multi = xmlrpc.MultiCall(assert(xmlrpc.ServerProxy "http://localhost:8000/"))
-- multi.add(2, 3)
-- print(assert(multi()):get(1)) --> 5
function Results:get(i)
  local result = self.list[i]
  if not result then error(("bad argument #1 to 'get' (1 to %d expected)"):format(#self.list), 2) end
  return table.unpack(result, 1, result.n)
end

--- An iterator over all: number, value; or number, nil, error.
-- @function results:each
-- @treturn function
-- @usage
-- local multi = xmlrpc.MultiCall(assert(xmlrpc.ServerProxy "http://localhost:8000/"))
-- multi.add(2, 3)
-- for i, value, err in assert(multi()):each() do print(i, value or err) end --> 1 5
function Results:each()
  local i = 0
  return function()
    i = i + 1
    local result = self.list[i]
    if result then return i, table.unpack(result, 1, result.n) end
  end
end

return { new = function(list) return setmetatable({ list = list }, Results) end }
