--- What something costs, compared with other work in the same process: absolute times would say more of the machine
-- than of the program. Costs are processor time.
local M = {}

local RUNS = 3 -- the best of them counts

--- The processor time of so many calls, in seconds.
function M.cost(times, f)
  local began = os.clock()
  for _ = 1, times do f() end
  return os.clock() - began
end

--- Raises when a cost is more than `factor` times another. `measure` gives both, the cost in question first.
function M.assert_within(factor, measure)
  local cost, other = math.huge, math.huge
  for _ = 1, RUNS do
    collectgarbage()
    local a, b = measure()
    cost, other = math.min(cost, a), math.min(other, b)
  end
  assert(cost <= factor * other, ("%g s, and the other %g s"):format(cost, other))
end

return M
