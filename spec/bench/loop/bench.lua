-- The loop: servers written as several libraries want it, against C on bare epoll (floor.c), under
-- the same load (load.c). The figure is the server's CPU for each message, as the kernel counts it.
-- The contenders take turns in every round; a ratio to C is the median of the rounds' own.
--
-- Environment: ROUNDS (5); ROWS and CONTENDERS: the names of those to run, by default all; CHART:
-- where to draw the chart.
local draw = require "spec.bench.loop.chart"
local harness = require "spec.bench.harness"

local DIRECTORY = harness.directory .. "loop/"
local SERVERS = DIRECTORY .. "servers/"
local BUILT = harness.built .. "loop/"
local PYTHON = "/usr/bin/python3" -- Debian's, which knows Debian's uvloop and gevent
local FLOOR = "C"

-- `version` prints what is there, and fails where nothing is.
local function in_lua(name, script, version)
  return { name = name, argv = { harness.lua, SERVERS .. script }, version = { harness.lua, "-e", version } }
end

local function in_python(name, script, option, version)
  return { name = name, argv = { PYTHON, SERVERS .. script }, option = option, version = { PYTHON, "-c", version } }
end

local CONTENDERS = {
  { name = FLOOR, argv = { BUILT .. "floor" }, version = { "echo", "C on bare epoll" } },
  in_lua("csock", "csock.lua", "print(require 'csock'._VERSION .. ' on ' .. _VERSION)"),
  in_lua("reactor", "reactor.lua", "require 'csock'; print 'its reactor'"),
  in_lua("luv", "luv.lua", "print('luv on libuv ' .. require 'luv'.version_string())"),
  in_python("uvloop", "asyncio_server.py", "uvloop", "import uvloop; print('uvloop', uvloop.__version__)"),
  in_lua("cqueues", "cqueues.lua", "print('cqueues ' .. require 'cqueues'.VERSION)"),
  in_lua("LuaSocket", "luasocket.lua", "print(require 'socket'._VERSION)"),
  in_python("asyncio", "asyncio_server.py", nil, "import sys; print('Python', sys.version.split()[0])"),
  in_python("gevent", "gevent_server.py", nil, "import gevent; print('gevent', gevent.__version__)"),
  in_python("blocking", "blocking_server.py", nil, "print('Python with blocking calls')"),
  { name = "node", argv = { "node", SERVERS .. "node_server.js" },
    version = { "node", "-p", "'node ' + process.version" } },
}

local SERVES_ONE = { blocking = true } -- one connection at a time
local SERVES_FEW = { blocking = true, LuaSocket = true } -- select's limit
local NO_DATAGRAMS = { cqueues = true }

-- mode: the server's, and the load's unless `load_mode` says otherwise. load: CONNECTIONS SIZE
-- ACTIVE FLIGHT COUNT, see load.c. goal: what csock is to reach; `unit` is of what.
local ROWS = {
  { name = "echo-64", title = "echo, 64 connections", mode = "echo",
    load = "64 64 64 1 60000", goal = 1.05, without = SERVES_ONE },
  { name = "echo-1000", title = "echo, 1,000 connections", mode = "echo",
    load = "1000 64 1000 1 60000", goal = 1.12, without = SERVES_FEW },
  { name = "echo-1", title = "echo, one connection", mode = "echo",
    load = "1 64 1 1 25000", goal = 1.10 },
  { name = "flight", title = "echo, 16 in flight on each of 64", mode = "echo",
    load = "64 64 64 16 400000", goal = 1.10, without = SERVES_ONE },
  { name = "bulk", title = "echo, 64 KiB messages", mode = "echo",
    load = "16 65536 16 1 8000", goal = 1.10, without = SERVES_ONE },
  { name = "accept", title = "accept, serve one byte, close", mode = "accept",
    load = "1 1 32 1 12000", goal = 1.10 },
  { name = "udp", title = "UDP echo, 32 outstanding", mode = "udp",
    load = "1 64 1 32 80000", goal = 1.10, without = NO_DATAGRAMS },
  { name = "lines", title = "40-byte lines one by one", mode = "lines",
    load = "1 40 1 1 1500000", goal = 60, unit = "ns" },
  { name = "fanout", title = "fan-out to 200 clients, a delivery", mode = "fanout",
    load = "200 64 8 1 600000", goal = 1.00, without = SERVES_ONE },
  { name = "rate-1000", title = "20,000 messages/s, 1,000 connections", mode = "echo", load_mode = "rate",
    load = "1000 64 0 20 20000", without = SERVES_FEW },
  { name = "rate-10000", title = "20,000 messages/s, 10,000 connections", mode = "echo", load_mode = "rate",
    load = "10000 64 0 20 20000", without = SERVES_FEW },
  { name = "idle", title = "memory of an idle connection", mode = "echo", load_mode = "idle",
    load = "5000 64 1 1 1", goal = 1400, unit = "bytes", without = SERVES_FEW },
}

-- The items whose names the environment's variable has, or all.
local function chosen(list, variable)
  local names, found = os.getenv(variable), {}
  if not names then return list end
  for _, item in ipairs(list) do
    if (" " .. names .. " "):find(" " .. item.name .. " ", 1, true) then found[#found + 1] = item end
  end
  return found
end

-- The contenders that are there; says which, and which are not.
local function installed(contenders)
  local found, versions, missing = {}, {}, {}
  for _, c in ipairs(contenders) do
    local version = harness.first_line(c.version)
    table.insert(version and found or missing, version and c or c.name)
    versions[#versions + 1] = version
  end
  local text = table.concat(versions, ", ")
  if #missing > 0 then text = text .. "; left out, not installed: " .. table.concat(missing, ", ") end
  return found, text
end

local function appended(list, ...)
  local all = table.move(list, 1, #list, 1, {})
  return table.move({ ... }, 1, select("#", ...), #all + 1, all)
end

-- Runs one contender under one load: {cpu = ns a message, rate = messages a second}, or {bytes =
-- ... a connection}.
local function measure(contender, row)
  local server <close> = harness.start_measured(appended(contender.argv, row.mode, contender.option))
  local argv = { BUILT .. "load", tostring(server.pid), server:read_line(), row.load_mode or row.mode }
  for word in row.load:gmatch "%S+" do argv[#argv + 1] = word end
  local load <close> = harness.start(argv)
  local count, a, b = load:expect("(%d+) ([%d.]+) (%d+)\n", 60)
  if row.unit == "bytes" then return { bytes = (b - a) / count } end
  return { cpu = b / count, rate = count / a }
end

local function medians(figures)
  local result = {}
  for key, list in pairs(figures) do result[key] = harness.median(list) end
  return result
end

-- contender's name -> {cpu =, ratio =, rate =, bytes =}: the medians.
local function run_row(row, contenders, rounds)
  local results = {}
  for round = 1, rounds do
    local floor
    for turn = 1, #contenders do
      -- The floor comes first, and the others in another order each time.
      local c = turn == 1 and contenders[1] or contenders[(turn + round) % (#contenders - 1) + 2]
      if not (row.without and row.without[c.name]) then
        local ok, figure = pcall(measure, c, row)
        if not ok then
          print(("  (%s failed: %s)"):format(c.name, figure))
          figure = {}
        end
        if c.name == FLOOR then floor = figure end
        figure.ratio = floor and floor.cpu and figure.cpu and figure.cpu / floor.cpu
        results[c.name] = results[c.name] or {}
        for key, value in pairs(figure) do
          results[c.name][key] = results[c.name][key] or {}
          table.insert(results[c.name][key], value)
        end
      end
    end
  end
  for name, figures in pairs(results) do results[name] = medians(figures) end
  return results
end

local function number(format, value)
  return value and format:format(value) or "-"
end

local function print_row(row, contenders, results)
  local bytes = row.unit == "bytes"
  print(row.title .. "\n")
  local cells = { bytes and { "", "bytes" } or { "", "CPU ns", "times C", "a second" } }
  for _, c in ipairs(contenders) do
    local r = results[c.name]
    if r and bytes then
      cells[#cells + 1] = { c.name, number("%.0f", r.bytes) }
    elseif r then
      cells[#cells + 1] = { c.name, number("%.1f", r.cpu), number("%.2f", r.ratio), number("%.0f", r.rate) }
    end
  end
  harness.table(cells)
end

-- A line for each workload, a column for each contender.
local function print_summary(rows, contenders, all)
  local cells = { { "CPU, times C" } }
  local function add(title, goal, cell)
    local line = { title }
    for i = 2, #contenders do line[i] = cell(contenders[i].name) end
    table.insert(line, goal or "")
    cells[#cells + 1] = line
  end
  for i = 2, #contenders do cells[1][i] = contenders[i].name end
  table.insert(cells[1], "csock's goal")
  for _, row in ipairs(rows) do
    local key = row.unit == "bytes" and "bytes" or row.unit == "ns" and "cpu" or "ratio"
    local format = row.unit and "%.0f" or "%.2f"
    add(row.unit and row.title .. ", " .. row.unit or row.title, number(format, row.goal), function(name)
      return number(format, (all[row.name][name] or {})[key])
    end)
  end
  local few, many = all["rate-1000"], all["rate-10000"]
  if few and many then
    add("10,000 connections against 1,000", "1.30", function(name)
      local a, b = few[name], many[name]
      return number("%.2f", a and b and a.cpu and b.cpu and b.cpu / a.cpu)
    end)
  end
  harness.table(cells)
end

-- A line for each figure.
local function save(path, head, rows, contenders, all)
  local file <close> = assert(io.open(path, "w"))
  file:write("# ", head:gsub("\n", "\n# "), "\n# row\ttitle\tcontender\tCPU ns\ttimes C\ta second\tbytes\n")
  for _, row in ipairs(rows) do
    for _, c in ipairs(contenders) do
      local r = all[row.name][c.name]
      if r then
        file:write(table.concat({ row.name, row.title, c.name, number("%.1f", r.cpu), number("%.3f", r.ratio),
          number("%.0f", r.rate), number("%.0f", r.bytes) }, "\t"), "\n")
      end
    end
  end
end

return function()
  local rounds = tonumber(os.getenv "ROUNDS") or 5
  local rows, all = chosen(ROWS, "ROWS"), {}
  local contenders, versions = installed(chosen(CONTENDERS, "CONTENDERS"))
  local head = ("%s\n%s\n%d rounds"):format(harness.machine(), versions, rounds)
  print("The loop\n" .. head .. "\n")
  for _, row in ipairs(rows) do
    all[row.name] = run_row(row, contenders, rounds)
    print_row(row, contenders, all[row.name])
  end
  print_summary(rows, contenders, all)
  save(harness.built .. "loop.tsv", head, rows, contenders, all)
  local path = os.getenv "CHART" or harness.built .. "loop.svg"
  local missing = draw(path, head, rows, contenders, all)
  print(missing and "no chart: " .. missing or "the chart: " .. path)
end
