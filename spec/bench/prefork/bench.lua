-- Prefork: an echo server in one process against two and more worker processes on one port, under the same load,
-- none of them bound to a CPU. The load takes CPU as well, so that two workers on two CPUs cannot reach twice the
-- messages of one; where a message costs the server something, they come close.
--
-- Environment: ROUNDS (5).
local harness = require "spec.bench.harness"
local process = require "spec.support.process"

local SERVER = harness.directory .. "prefork/server.lua"
local LOAD = harness.built .. "loop/load"

local ROWS = {
  { title = "echo of 64 bytes, 64 connections", work = 0, count = 150000 },
  { title = "the same, and 20 µs of Lua for each", work = 3000, count = 50000 },
}

local CONTENDERS = {
  { name = "one process", kind = "ThreadingTCPServer", workers = 1 },
  { name = "prefork, 1 worker", kind = "PreforkTCPServer", workers = 1 },
  { name = "prefork, 2 workers", kind = "PreforkTCPServer", workers = 2 },
  { name = "prefork, 4 workers", kind = "PreforkTCPServer", workers = 4 },
}

-- Messages a second.
local function measure(contender, row)
  local server <close> = process.lua { SERVER, contender.kind, tostring(contender.workers), tostring(row.work) }
  local port = server:read_line()
  local argv = { LOAD, tostring(server.pid), port, "echo", "64", "64", "64", "1", tostring(row.count) }
  local load <close> = process.start(argv)
  local count, seconds = load:expect("(%d+) ([%d.]+) %d+\n", 60)
  server:signal "SIGTERM"
  server:wait()
  return count / seconds
end

return function()
  local rounds = tonumber(os.getenv "ROUNDS") or 5
  print(("Prefork\n%s\n%d rounds\n"):format(harness.machine(), rounds))
  for _, row in ipairs(ROWS) do
    local contenders = {}
    for i, c in ipairs(CONTENDERS) do
      contenders[i] = { name = c.name, run = function() return measure(c, row) end }
    end
    print(row.title .. "\n")
    local cells = { { "", "messages a second", "times one process" } }
    for _, result in ipairs(harness.compare(contenders, rounds)) do
      cells[#cells + 1] = { result.name, ("%.0f"):format(result.medians[1]), ("%.2f"):format(result.ratios[1]) }
    end
    harness.table(cells)
  end
end
