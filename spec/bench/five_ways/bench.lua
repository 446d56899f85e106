-- The same server five times (doc/many-clients.md): how many lines a second each answers, and what a
-- client costs. Nothing is pinned to a CPU here: what several processes are good for is part of the
-- question. Takes turns, and prints the medians as the charts that the guide shows.
--
-- Environment: ROUNDS (5).
local csock = require "csock"
local harness = require "spec.bench.harness"
local process = require "spec.support.process"

local WAYS = { "select", "tasks", "forking", "prefork", "reactor" }
local WIDTH = 40 -- of the longest bar

-- About half half a millisecond of work for each line.
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
  { title = "32 clients, half a millisecond of work for each line: lines a second", load = "talk 32 64 32 1 2000",
    prelude = WORK },
}

local function start(way, prelude)
  local script = harness.directory .. "five_ways/" .. way .. ".lua"
  -- A group, so that its children end with it.
  local server = process.lua({ "-e", prelude or "", script, "0" }, { group = true })
  return server, server:read_line()
end

local function rate(way, row)
  local server, port = start(way, row.prelude)
  local _ <close> = server
  local argv = { harness.built .. "loop/load", tostring(server.pid), port }
  for word in row.load:gmatch "%S+" do argv[#argv + 1] = word end
  local load <close> = process.start(argv)
  local count, seconds = load:expect("(%d+) ([%d.]+) %d+\n", 60)
  return count / seconds
end

-- The memory that the processes of a group share with nobody, in KiB.
local function memory_of(group)
  local total = 0
  local pids <close> = io.popen "ls /proc"
  for pid in pids:lines() do
    local stat <close> = pid:find "^%d+$" and io.open("/proc/" .. pid .. "/stat") or nil
    local of = stat and (stat:read "a" or ""):match "%) %a %d+ (%d+)"
    local map <close> = of == tostring(group) and io.open("/proc/" .. pid .. "/smaps_rollup") or nil
    total = total + (map and map:read("a"):match "Private_Dirty:%s+(%d+)" or 0)
  end
  return total
end

-- What a client costs that has said something and says no more, in KiB.
local function memory(way)
  local server, port = start(way)
  local _ <close> = server
  local count = way == "forking" and 30 or 600
  local clients <close> = setmetatable({}, {
    __close = function(list) for _, client in ipairs(list) do client:close() end end,
  })
  local before = memory_of(server.pid)
  for i = 1, count do
    clients[i] = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 }))
    assert(clients[i]:sendall "hi\n")
    assert(clients[i]:recv(3))
  end
  return (memory_of(server.pid) - before) / count
end

local function chart(values, format)
  local most = 0
  for _, way in ipairs(WAYS) do most = math.max(most, values[way]) end
  for _, way in ipairs(WAYS) do
    local bar = ("█"):rep(math.max(math.floor(values[way] / most * WIDTH + 0.5), 1))
    print(("    %-8s " .. format .. "  %s"):format(way, values[way], bar))
  end
  print()
end

-- The medians of what `measure` gives for each way.
local function in_turns(rounds, measure)
  local lists, medians = {}, {}
  for round = 1, rounds do
    for turn = 1, #WAYS do
      local way = WAYS[(turn + round) % #WAYS + 1]
      lists[way] = lists[way] or {}
      table.insert(lists[way], measure(way))
    end
  end
  for way, list in pairs(lists) do medians[way] = harness.median(list) end
  return medians
end

return function()
  local rounds = tonumber(os.getenv "ROUNDS") or 5
  print(("Five ways\n%s\n%d rounds\n"):format(harness.machine(), rounds))
  for _, row in ipairs(ROWS) do
    print(row.title .. ":\n")
    chart(in_turns(rounds, function(way) return rate(way, row) end), "%7.0f")
  end
  print "memory of a client, in KiB:\n"
  chart(in_turns(rounds, memory), "%7.1f")
end
