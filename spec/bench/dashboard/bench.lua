-- What the dashboard costs: the CPU that an echo server takes for each message of 1,000 busy connections, and how many
-- it answers a second, with somebody who looks and with nobody. One server under one load does both in turns, so that
-- what else the machine does falls on both; csock.debug is on all the time.
--
-- Environment: ROUNDS (15).
local harness = require "spec.bench.harness"
local posix = require "spec.support.posix"

local SERVER = harness.directory .. "dashboard/server.lua"
local LOAD = harness.built .. "loop/load"
local SIZE = 64 -- bytes of a message
local WINDOW = 3 -- seconds
local SETTLE = 2.5 -- until the server knows that nobody looks any more

-- Reads what the dashboard says, as a page does.
local VIEWER = [[
  local response = assert(require "csock.http".get(%q, { stream = true }))
  print(#response:read1(1))
  io.stdout:flush()
  while response:read1(65536) ~= "" do end
]]

-- Nanoseconds of CPU that a process has taken.
local function cpu_of(server)
  local file <close> = assert(io.open("/proc/" .. server.pid .. "/schedstat"))
  return file:read "n"
end

local function messages_of(server)
  return server:write "\n":expect "(%d+)\n" / SIZE
end

-- For WINDOW seconds: nanoseconds of CPU for each message, and nanoseconds.
local function measure(server)
  local count, cpu, began = messages_of(server), cpu_of(server), harness.monotonic()
  posix.sleep(WINDOW)
  local more, seconds = messages_of(server) - count, harness.monotonic() - began
  return (cpu_of(server) - cpu) / more, seconds / more * 1e9
end

return function()
  local rounds = tonumber(os.getenv "ROUNDS") or 15
  print(("Dashboard\n%s\n%d rounds\n"):format(harness.machine(), rounds))
  local server <close> = harness.start_measured { harness.lua, SERVER }
  local port, address = server:read_line(), server:read_line()
  local load <close> = harness.start { LOAD, tostring(server.pid), port, "echo", "1000", tostring(SIZE), "1000", "1",
    "1000000000" } -- messages: it goes on until it is ended
  posix.sleep(SETTLE)
  assert(load:running() and messages_of(server) > 1000)
  local results = harness.compare({
    { name = "nobody looks", run = function() return measure(server) end },
    { name = "somebody looks", run = function()
      local viewer <close> = harness.start { harness.lua, "-e", VIEWER:format(address .. "events") }
      viewer:expect "1"
      local cpu, time = measure(server)
      viewer:kill()
      posix.sleep(SETTLE)
      return cpu, time
    end },
  }, rounds)
  local cells = { { "", "CPU ns", "times nobody", "a second", "times nobody" } }
  for _, result in ipairs(results) do
    cells[#cells + 1] = { result.name, ("%.0f"):format(result.medians[1]), ("%.3f"):format(result.ratios[1]),
      ("%.0f"):format(1e9 / result.medians[2]), ("%.3f"):format(1 / result.ratios[2]) }
  end
  harness.table(cells)
end
