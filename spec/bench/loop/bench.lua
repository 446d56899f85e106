-- The loop's benches: servers in the ways of several libraries, against C on bare epoll (floor.c),
-- under the same load (load.c). Server on one core and load on the other; the contenders take turns
-- in every round. The figure is the server's CPU for each message, as the kernel counts it; ratios
-- are the medians of each round's own.
--
-- Environment: ROUNDS (5), ROWS and CONTENDERS: names, separated by blanks, of those to run.
local process = require "spec.support.process"
local report = require "spec.bench.report"

local BUILD = (os.getenv "BUILD" or "build") .. "/bench/"
local SERVERS = "spec/bench/servers/"
local PYTHON = "/usr/bin/python3"
local LUA = process.interpreter

-- `version` prints what is there, and fails where nothing is.
local function lua_contender(name, script, version)
  return { name = name, argv = { LUA, SERVERS .. script }, version = { LUA, "-e", version } }
end

local function python_contender(name, script, option, version)
  return { name = name, argv = { PYTHON, SERVERS .. script }, option = option, version = { PYTHON, "-c", version } }
end

local CONTENDERS = {
  { name = "C", argv = { BUILD .. "floor" }, version = { "echo", "C on bare epoll" } },
  lua_contender("csock", "csock.lua", "print(require 'csock'._VERSION .. ', ' .. _VERSION)"),
  lua_contender("luv", "luv.lua", "print('luv on libuv ' .. require 'luv'.version_string())"),
  python_contender("uvloop", "asyncio_server.py", "uvloop", "import uvloop; print('uvloop', uvloop.__version__)"),
  lua_contender("cqueues", "cqueues.lua", "print('cqueues ' .. require 'cqueues'.VERSION)"),
  lua_contender("LuaSocket", "luasocket.lua", "print(require 'socket'._VERSION)"),
  python_contender("asyncio", "asyncio_server.py", nil, "import sys; print('Python', sys.version.split()[0])"),
  python_contender("gevent", "gevent_server.py", nil, "import gevent; print('gevent', gevent.__version__)"),
  python_contender("Python", "blocking_server.py", nil, "print('Python with blocking calls')"),
  { name = "node", argv = { "node", SERVERS .. "node_server.js" }, version = { "node", "-p", "'node ' + process.version" } },
}

local MANY_FAIL = { Python = true, LuaSocket = true } -- one connection at a time; select's limit
local ONE_AT_A_TIME = { Python = true }

-- load: CONNECTIONS SIZE ACTIVE FLIGHT COUNT, see load.c. target: what csock is to reach.
local ROWS = {
  { name = "echo-64", title = "echo, 64 connections", mode = "echo",
    load = "64 64 64 1 60000", target = 1.10, without = ONE_AT_A_TIME },
  { name = "echo-1000", title = "echo, 1,000 connections", mode = "echo",
    load = "1000 64 1000 1 60000", target = 1.15, without = MANY_FAIL },
  { name = "echo-1", title = "echo, one connection", mode = "echo",
    load = "1 64 1 1 25000", target = 1.10 },
  { name = "flight", title = "echo, 16 in flight on each of 64", mode = "echo",
    load = "64 64 64 16 400000", target = 1.10, without = ONE_AT_A_TIME },
  { name = "bulk", title = "echo, 64 KiB messages", mode = "echo",
    load = "16 65536 16 1 8000", target = 1.05, without = ONE_AT_A_TIME },
  { name = "accept", title = "accept, serve a byte, close", mode = "accept",
    load = "1 1 32 1 12000", target = 1.15 },
  { name = "udp", title = "UDP echo, 32 outstanding", mode = "udp",
    load = "1 64 1 32 80000", target = 1.15, without = { cqueues = true } },
  { name = "lines", title = "40-byte lines read one by one", mode = "lines",
    load = "1 40 1 1 1500000", target_ns = 70 },
  { name = "fanout", title = "fan-out to 200 clients, a delivery", mode = "fanout",
    load = "200 64 8 1 600000", target = 1.00, without = ONE_AT_A_TIME },
  { name = "rate-1000", title = "20,000 messages a second, 1,000 connections", mode = "echo", load_mode = "rate",
    load = "1000 64 0 20 20000", without = MANY_FAIL },
  { name = "rate-10000", title = "20,000 messages a second, 10,000 connections", mode = "echo", load_mode = "rate",
    load = "10000 64 0 20 20000", without = MANY_FAIL },
  { name = "idle", title = "memory of an idle connection, bytes", mode = "echo", load_mode = "idle", memory = true,
    load = "5000 64 1 1 1", target_bytes = 1300, without = MANY_FAIL },
}

-- The items whose names the environment's variable has, or all.
local function chosen(list, variable)
  local names = os.getenv(variable)
  if not names then return list end
  local wanted, found = {}, {}
  for name in names:gmatch "%S+" do wanted[name] = true end
  for _, item in ipairs(list) do
    if wanted[item.name] then found[#found + 1] = item end
  end
  return found
end

local function with_arguments(argv, ...)
  local all = table.move(argv, 1, #argv, 1, {})
  return table.move({ ... }, 1, select("#", ...), #all + 1, all)
end

-- Runs one contender under one load: {cpu = ns a message, rate = messages a second}, or {bytes = ...}
-- of each connection; nil and why when it fails.
local function measure(contender, row)
  local argv = with_arguments({ "taskset", "-c", "0" }, table.unpack(contender.argv))
  local server <close> = process.start(with_arguments(argv, row.mode, contender.option))
  local port = server:read_line()
  argv = { "taskset", "-c", "1", BUILD .. "load", tostring(server.pid), port, row.load_mode or row.mode }
  for word in row.load:gmatch "%S+" do argv[#argv + 1] = word end
  local load <close> = process.start(argv)
  local count, a, b = load:expect("(%d+) ([%d.]+) (%d+)\n", 60)
  if row.memory then return { bytes = (tonumber(b) - tonumber(a)) / tonumber(count) } end
  return { cpu = tonumber(b) / tonumber(count), rate = tonumber(count) / tonumber(a) }
end

-- All figures of a row: results[contender's name] = {cpu = {...}, ratio = {...}, rate = {...}, bytes = {...}}.
local function run_row(row, contenders, rounds)
  local results = {}
  for _, c in ipairs(contenders) do results[c.name] = { cpu = {}, ratio = {}, rate = {}, bytes = {} } end
  for round = 1, rounds do
    local figures = {}
    for turn = 1, #contenders do
      local c = contenders[(turn + round) % #contenders + 1]
      if not (row.without and row.without[c.name]) then
        local ok, figure = pcall(measure, c, row)
        if ok then figures[c.name] = figure else io.stderr:write(c.name, ": ", figure, "\n") end
      end
    end
    for name, figure in pairs(figures) do
      local result = results[name]
      for key, value in pairs(figure) do table.insert(result[key], value) end
      if figure.cpu and figures.C then table.insert(result.ratio, figure.cpu / figures.C.cpu) end
    end
  end
  for _, result in pairs(results) do
    for key, list in pairs(result) do result[key] = report.median(list) end
  end
  return results
end

local function installed(contenders, print)
  local found, versions, missing = {}, {}, {}
  for _, c in ipairs(contenders) do
    c.found = report.first_line(c.version)
    if c.found then
      found[#found + 1] = c
      versions[#versions + 1] = c.found
    else
      missing[#missing + 1] = c.name
    end
  end
  print(report.machine())
  print(table.concat(versions, ", "))
  if #missing > 0 then print("not installed, so left out: " .. table.concat(missing, ", ")) end
  return found
end

local function number(format, value)
  return value and format:format(value) or "-"
end

local function print_row(row, contenders, results, print)
  local target = row.target and (" (csock: at most %.2f)"):format(row.target)
    or row.target_ns and (" (csock: at most %d ns)"):format(row.target_ns)
    or row.target_bytes and (" (csock: at most %d)"):format(row.target_bytes) or ""
  local cells = { { row.title .. target, row.memory and "bytes" or "CPU, ns", "against C", "a second" } }
  for _, c in ipairs(contenders) do
    local r = results[c.name]
    local first = row.memory and number("%.0f", r.bytes) or number("%.1f", r.cpu)
    cells[#cells + 1] = { "  " .. c.name, first, number("%.2f", r.ratio), number("%.0f", r.rate) }
  end
  print ""
  for _, line in ipairs(report.lines_of(cells)) do print(line) end
end

-- The last table: a line for each workload, a column for each contender.
local function print_summary(rows, contenders, all, print)
  local head = { "ratio to C; CPU a message" }
  for i = 2, #contenders do head[i] = contenders[i].name end
  local cells = { head }
  for _, row in ipairs(rows) do
    local line = { row.title }
    for i = 2, #contenders do
      local r = all[row.name][contenders[i].name]
      line[i] = row.memory and number("%.0f", r.bytes) or row.target_ns and number("%.0f ns", r.cpu)
        or number("%.2f", r.ratio)
    end
    cells[#cells + 1] = line
  end
  if all["rate-1000"] and all["rate-10000"] then
    local line = { "10,000 against 1,000 connections" }
    for i = 2, #contenders do
      local few, many = all["rate-1000"][contenders[i].name].cpu, all["rate-10000"][contenders[i].name].cpu
      line[i] = number("%.2f", few and many and many / few)
    end
    cells[#cells + 1] = line
  end
  print ""
  for _, line in ipairs(report.lines_of(cells)) do print(line) end
end

-- build/bench/loop.tsv, for the chart: row, title, contender, ns, ratio, messages a second, bytes.
local function save(rows, contenders, all)
  local file <close> = assert(io.open(BUILD .. "loop.tsv", "w"))
  for _, row in ipairs(rows) do
    for _, c in ipairs(contenders) do
      local r = all[row.name][c.name]
      file:write(table.concat({ row.name, row.title, c.name, number("%.1f", r.cpu), number("%.3f", r.ratio),
        number("%.0f", r.rate), number("%.0f", r.bytes) }, "\t"), "\n")
    end
  end
end

return function()
  local text <close> = assert(io.open(BUILD .. "loop.txt", "w"))
  local function print(line)
    io.write(line, "\n")
    io.flush()
    text:write(line, "\n")
  end
  local rounds = tonumber(os.getenv "ROUNDS") or 5
  local rows, all = chosen(ROWS, "ROWS"), {}
  local contenders = installed(chosen(CONTENDERS, "CONTENDERS"), print)
  print(("medians of %d rounds"):format(rounds))
  for _, row in ipairs(rows) do
    all[row.name] = run_row(row, contenders, rounds)
    print_row(row, contenders, all[row.name], print)
  end
  print_summary(rows, contenders, all, print)
  save(rows, contenders, all)
end
