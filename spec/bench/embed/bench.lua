-- What a host's csock costs: calls through the amalgamation, compiled as it is and with -flto, against the module.
local harness = require "spec.bench.harness"

local ROUNDS = tonumber(os.getenv "ROUNDS") or 31

-- A contender that finds csock in this file, and in no other; nil: this tree's.
local function calls(csock)
  local argv = { "env", harness.lua, harness.directory .. "embed/calls.lua" }
  if csock then table.insert(argv, 2, "LUA_CPATH=" .. csock) table.insert(argv, 2, "LUA_PATH=") end
  return function() return harness.measure(argv) end
end

return function()
  print(("Calls, ns of CPU and their ratio to the module's, %d rounds\n"):format(ROUNDS))
  local results = harness.compare({
    { name = "module", run = calls() },
    { name = "amalgamation", run = calls(harness.built .. "embed/csock.so") },
    { name = "amalgamation, -O2 -flto", run = calls(harness.built .. "embed/flto/csock.so") },
  }, ROUNDS)
  local rows = { { "", "fileno", "", "send and recv", "", "inet_aton and inet_ntoa", "" } }
  for _, result in ipairs(results) do
    local row = { result.name }
    for i, median in ipairs(result.medians) do
      row[2 * i], row[2 * i + 1] = ("%.1f"):format(median), ("%.3f"):format(result.ratios[i])
    end
    rows[#rows + 1] = row
  end
  harness.table(rows)
  harness.goal("a call through the amalgamation, module = 1", math.max(table.unpack(results[2].ratios)), 1.01, "%.3f")
end
