-- What deferreds cost, beside Twisted's.
local harness = require "spec.bench.harness"

local ROUNDS = 7
local PYTHON = "/usr/bin/python3" -- Debian's: python3-twisted is its

local function run(...)
  local argv = { ... }
  return function() return harness.measure(argv) end
end

return function()
  print(("100,000 deferreds, ms of CPU, %d rounds\n"):format(ROUNDS))
  local directory = harness.directory .. "defer/"
  local twisted = harness.first_line { PYTHON, "-c", "import twisted; print(twisted.__version__)" }
  local results = harness.compare({
    {
      name = "Twisted " .. (twisted or ""), why = "not installed for " .. PYTHON,
      run = twisted and run(PYTHON, "-W", "ignore", directory .. "deferreds.py"),
    },
    { name = "csock.defer", run = run(harness.lua, directory .. "deferreds.lua") },
  }, ROUNDS)
  local rows = { { "", "in a row, fired at one end", "times", "one by one, three functions each", "times" } }
  for i, r in ipairs(results) do
    rows[i + 1] = { r.name }
    for k, seconds in ipairs(r.medians) do
      table.insert(rows[i + 1], ("%.0f"):format(seconds * 1e3))
      table.insert(rows[i + 1], ("%.2f"):format(r.ratios[k]))
    end
  end
  harness.table(rows)
  if twisted then harness.goal("in a row: times Twisted's CPU", results[2].ratios[1], 0.3, "%.2f") end
end
