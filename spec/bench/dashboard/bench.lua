-- What the dashboard costs: the CPU that an echo server takes for each message of 1,000 connections, and how many it
-- answers a second, with somebody who looks and with nobody. Both with csock.debug on.
--
-- Environment: ROUNDS (7).
local harness = require "spec.bench.harness"

local SERVER = harness.directory .. "dashboard/server.lua"
local LOAD = harness.built .. "loop/load"
local MESSAGES = 400000

-- Reads what the dashboard says, as a page does.
local VIEWER = [[
  local response = assert(require "csock.http".get(%q, { stream = true }))
  print(#response:read1(1))
  io.stdout:flush()
  while response:read1(65536) ~= "" do end
]]

-- Nanoseconds of the server's CPU for each message; and nanoseconds.
local function measure(looked_at)
  local server <close> = harness.start_measured { harness.lua, SERVER }
  local port, address = server:read_line(), server:read_line()
  local code = looked_at and VIEWER:format(address .. "events") or "print(1)"
  local viewer <close> = harness.start { harness.lua, "-e", code }
  viewer:expect "1"
  local argv = { LOAD, tostring(server.pid), port, "echo", "1000", "64", "1000", "1", tostring(MESSAGES) }
  local load <close> = harness.start(argv)
  local count, seconds, cost = load:expect("(%d+) ([%d.]+) (%d+)\n", 120)
  return cost / count, seconds / count * 1e9
end

return function()
  local rounds = tonumber(os.getenv "ROUNDS") or 7
  print(("Dashboard\n%s\n%d rounds\n"):format(harness.machine(), rounds))
  local results = harness.compare({
    { name = "nobody looks", run = function() return measure(false) end },
    { name = "somebody looks", run = function() return measure(true) end },
  }, rounds)
  local cells = { { "", "CPU ns", "times nobody", "a second", "times nobody" } }
  for _, result in ipairs(results) do
    cells[#cells + 1] = { result.name, ("%.0f"):format(result.medians[1]), ("%.3f"):format(result.ratios[1]),
      ("%.0f"):format(1e9 / result.medians[2]), ("%.3f"):format(1 / result.ratios[2]) }
  end
  harness.table(cells)
end
