--- Numbers that are the same in every run, and nobody else's; and trials of a function with them.
local posix = require "spec.support.posix"

local M = {}

--- `random(n)`, a number from 1 to n; and a function that gives the state, with which another one goes on.
function M.generator(seed)
  return function(n)
    seed = seed * 6364136223846793005 + 1442695040888963407
    return (seed >> 33) % n + 1
  end, function() return seed end
end

--- Functions that choose by a generator: one of a list; up to `most` things that `make` makes, as a text; a value, once
-- in so often, else "".
function M.choices(random)
  local function repeated(most, make)
    local list = {}
    for i = 1, random(most + 1) - 1 do list[i] = make() end
    return table.concat(list)
  end
  return function(list) return list[random(#list)] end, repeated,
    function(one_in, value) return random(one_in) == 1 and value or "" end
end

local function attempt(seed, count, check, show)
  local random, state = M.generator(seed)
  for i = 1, count do
    local before = state()
    local ok, err = xpcall(check, debug.traceback, random)
    if not ok then
      local shown = show and show((M.generator(before))) or ("state %d"):format(before)
      error(("seed %d, number %d: %s: %s"):format(seed, i, shown, err))
    end
  end
end

--- Calls `check(random)` so often, with the same numbers in every run; and then, for as many seconds as FUZZ_SECONDS in
-- the environment says, with new ones. What it raises is told with the seed and the number of the call, and with what
-- `show(random)` makes of the same numbers.
-- @tparam table trials `seed`, `count`, and `more`: how many with each new seed
function M.fuzz(trials, check, show)
  local seed, deadline = os.time(), posix.monotonic() + (tonumber(os.getenv "FUZZ_SECONDS") or 0)
  attempt(trials.seed, trials.count, check, show)
  while posix.monotonic() < deadline do
    seed = seed + 1
    attempt(seed, trials.more, check, show)
  end
end

return M
