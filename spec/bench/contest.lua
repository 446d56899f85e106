--- Servers written as several libraries want it, against one in C, under the same load. The figure
-- is the server's CPU for each message, as the kernel counts it, or the bytes for each connection.
-- The contenders take turns in every round; a ratio to C is the median of the rounds' own.
--
-- Environment: ROUNDS (5); ROWS and CONTENDERS: the names of those to run, by default all.
local harness = require "spec.bench.harness"

local M = {}

M.python = "/usr/bin/python3" -- Debian's, which knows Debian's uvloop and gevent

--- A contender: `argv` runs it, with the mode behind. `version` prints what is there, and fails
-- where nothing is.
function M.in_lua(name, script, version)
  return { name = name, argv = { harness.lua, script }, version = { harness.lua, "-e", version } }
end

--- The same in Python. `option`, if any, comes last among the arguments.
function M.in_python(name, script, option, version)
  return { name = name, argv = { M.python, script }, option = option, version = { M.python, "-c", version } }
end

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

-- Runs one contender under one load: {cpu = ns a message, rate = messages a second, p99 = us, where the load says
-- it}, or {bytes = ... a connection}.
local function measure(contest, contender, row)
  local argv = appended(contender.argv, row.mode, table.unpack(contest.arguments or {}))
  argv[#argv + 1] = contender.option
  local server <close> = harness.start_measured(argv)
  argv = appended(row.client or { contest.load }, tostring(server.pid), server:read_line(),
    row.load_mode or row.mode)
  for word in row.load:gmatch "%S+" do argv[#argv + 1] = word end
  local load <close> = harness.start(argv)
  local count, a, b, p99 = load:expect("(%d+) ([%d.]+) (%d+) ?([%d.]*)\n", 60)
  if row.unit == "bytes" then return { bytes = (b - a) / count } end
  return { cpu = b / count, rate = count / a, p99 = tonumber(p99) }
end

local function medians(figures)
  local result = {}
  for key, list in pairs(figures) do result[key] = harness.median(list) end
  return result
end

-- The contenders of a row: first the one against which the others are measured.
local function of_row(row, contenders)
  local list = {}
  for _, c in ipairs(contenders) do
    local place = c.name == row.against and 1 or #list + 1
    if not (row.without and row.without[c.name]) then table.insert(list, place, c) end
  end
  return list
end

-- contender's name -> {cpu =, ratio =, rate =, p99 =, bytes =}: the medians.
local function run_row(contest, row, all, rounds)
  local contenders = of_row(row, all)
  local results, first = {}, row.against or contest.contenders[1].name
  for round = 1, rounds do
    local floor
    for turn = 1, #contenders do
      -- The floor comes first, and the others in another order each time.
      local c = turn == 1 and contenders[1] or contenders[(turn + round) % (#contenders - 1) + 2]
      local ok, figure = pcall(measure, contest, c, row)
      if not ok then
        print(("  (%s failed: %s)"):format(c.name, figure))
        figure = {}
      end
      if c.name == first then floor = figure end
      figure.ratio = floor and floor.cpu and figure.cpu and figure.cpu / floor.cpu
      results[c.name] = results[c.name] or {}
      for key, value in pairs(figure) do
        results[c.name][key] = results[c.name][key] or {}
        table.insert(results[c.name][key], value)
      end
    end
  end
  for name, figures in pairs(results) do results[name] = medians(figures) end
  return results
end

--- A cell of a table.
function M.number(format, value)
  return value and format:format(value) or "-"
end

local number = M.number

local function print_row(row, contenders, results)
  local bytes = row.unit == "bytes"
  local late = false
  for _, r in pairs(results) do late = late or r.p99 ~= nil end
  print(row.title .. "\n")
  local cells = { bytes and { "", "bytes" } or
    { "", "CPU ns", "times " .. (row.against or "C"), "a second", late and "p99 us" } }
  for _, c in ipairs(of_row(row, contenders)) do
    local r = results[c.name]
    if r and bytes then
      cells[#cells + 1] = { c.name, number("%.0f", r.bytes) }
    elseif r then
      cells[#cells + 1] = { c.name, number("%.1f", r.cpu), number("%.2f", r.ratio), number("%.0f", r.rate),
        late and number("%.0f", r.p99) }
    end
  end
  harness.table(cells)
end

-- A line for each workload, a column for each contender.
local function print_summary(contest, rows, contenders, all)
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
    local unit = row.unit or row.against and "times " .. row.against
    add(unit and row.title .. ", " .. unit or row.title, number(format, row.goal), function(name)
      return number(format, (all[row.name][name] or {})[key])
    end)
  end
  if contest.summary then contest.summary(all, add) end
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

--- Runs a contest and prints it.
-- @tparam table contest
--
--  - `title`; `load`: the client, see load.c; `saved`: where the figures go
--  - `contenders`: the first one is C. Each is run with the row's mode and `arguments`
--  - `rows`, each: `client`, if any, is run instead of `load`; `against`: whom the others are measured against, if
--    not C; `mode` is the server's, and the load's unless `load_mode` says otherwise; `load`
--    has the load's further arguments; `goal` is what csock is to reach, and `unit` is of what, if not
--    times C; `without` has the names of contenders that cannot
--  - `summary(all, add)`, if any: adds further lines to the last table, by
--    `add(title, goal, function(name) -> cell)`
-- @treturn string the machine, the versions and the number of rounds, in lines
-- @treturn {table} the rows that ran
-- @treturn {table} the contenders that ran
-- @treturn table row's name -> contender's name -> {cpu =, ratio =, rate =, p99 =, bytes =}
function M.run(contest)
  local rounds = tonumber(os.getenv "ROUNDS") or 5
  local rows, all = chosen(contest.rows, "ROWS"), {}
  local contenders, versions = installed(chosen(contest.contenders, "CONTENDERS"))
  local head = ("%s\n%s\n%d rounds"):format(harness.machine(), versions, rounds)
  print(contest.title .. "\n" .. head .. "\n")
  for _, row in ipairs(rows) do
    all[row.name] = run_row(contest, row, contenders, rounds)
    print_row(row, contenders, all[row.name])
  end
  print_summary(contest, rows, contenders, all)
  save(contest.saved, head, rows, contenders, all)
  return head, rows, contenders, all
end

return M
