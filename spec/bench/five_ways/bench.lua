-- The same server five times (doc/many-clients.md): how many lines a second each answers. Nothing is
-- pinned to a CPU here: what several processes are good for is part of the question. Takes turns, and
-- prints the medians as the charts that the guide shows.
--
-- Environment: ROUNDS (5).
local harness = require "spec.bench.harness"
local process = require "spec.support.process"

local WAYS = { "select", "tasks", "forking", "prefork" }
local WIDTH = 40 -- of the longest bar

-- About a millisecond of work for each line.
local WORK = [[
  local upper = string.upper
  function string.upper(s)
    local x = 0
    for i = 1, 100000 do x = x ~ i * i end
    return upper(s), x
  end
]]

-- load: MODE CONNECTIONS SIZE ACTIVE FLIGHT COUNT, see ../loop/load.c.
local ROWS = {
  { title = "32 clients, lines of 64 bytes: lines a second", load = "talk 32 64 32 1 40000" },
  { title = "a connection for each line, 32 at a time: connections a second", load = "visit 1 1 32 1 4000" },
  { title = "32 clients, a millisecond of work for each line: lines a second", load = "talk 32 64 32 1 2000",
    prelude = WORK },
}

local function rate(way, row)
  local script = harness.directory .. "five_ways/" .. way .. ".lua"
  -- A group, so that its children end with it.
  local server <close> = process.lua({ "-e", row.prelude or "", script, "0" }, { group = true })
  local argv = { harness.built .. "loop/load", tostring(server.pid), server:read_line() }
  for word in row.load:gmatch "%S+" do argv[#argv + 1] = word end
  local load <close> = process.start(argv)
  local count, seconds = load:expect("(%d+) ([%d.]+) %d+\n", 60)
  return count / seconds
end

local function chart(rates)
  local most = 0
  for _, way in ipairs(WAYS) do most = math.max(most, rates[way]) end
  for _, way in ipairs(WAYS) do
    local bar = ("█"):rep(math.max(math.floor(rates[way] / most * WIDTH + 0.5), 1))
    print(("%-8s %7.0f  %s"):format(way, rates[way], bar))
  end
  print()
end

return function()
  local rounds = tonumber(os.getenv "ROUNDS") or 5
  print(("Five ways\n%s\n%d rounds\n"):format(harness.machine(), rounds))
  for _, row in ipairs(ROWS) do
    local lists = {}
    for round = 1, rounds do
      for turn = 1, #WAYS do
        local way = WAYS[(turn + round) % #WAYS + 1]
        lists[way] = lists[way] or {}
        table.insert(lists[way], rate(way, row))
      end
    end
    local rates = {}
    for way, list in pairs(lists) do rates[way] = harness.median(list) end
    print(row.title .. "\n")
    chart(rates)
  end
end
