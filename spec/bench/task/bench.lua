-- A LoopingCall every millisecond: the calls that it misses, and what it costs. On a quiet machine nobody misses any.
local harness = require "spec.bench.harness"

local INTERVAL, SECONDS = "0.001", "10"
local PYTHON = "/usr/bin/python3" -- Debian's: python3-twisted is its

local function run(argv)
  return function() return harness.measure(argv) end
end

return function()
  print(("A LoopingCall, every %s s for %s s\n"):format(INTERVAL, SECONDS))
  local twisted = harness.first_line { PYTHON, "-c", "import twisted; print(twisted.__version__)" }
  local results = harness.compare({
    { name = "C, which sleeps", run = run { harness.built .. "task/floor", INTERVAL, SECONDS } },
    { name = "csock.task", run = run { harness.lua, harness.directory .. "task/csock.lua", INTERVAL, SECONDS } },
    {
      name = "Twisted " .. (twisted or ""), why = "not installed for " .. PYTHON,
      run = twisted and run { PYTHON, "-W", "ignore", harness.directory .. "task/python.py", INTERVAL, SECONDS },
    },
  }, 1)
  local rows = { { "", "calls", "missed", "CPU, ms", "µs a call" } }
  for _, r in ipairs(results) do
    local calls, missed, cpu = table.unpack(r.medians)
    local row = { r.name }
    for i, cell in ipairs { calls, missed, cpu * 1e3, cpu / calls * 1e6 } do row[i + 1] = ("%.0f"):format(cell) end
    rows[#rows + 1] = row
  end
  harness.table(rows)
  harness.goal("csock.task misses", results[2].medians[2], results[1].medians[2], "%.0f calls")
end
