--- What the benches share: contenders that are run in turns, medians, and tables.
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

M.lua = process.interpreter
M.directory = "spec/bench/"
M.built = (os.getenv "BUILD" or "build") .. "/bench/"

local function succeeds(argv)
  local ok, status = pcall(process.run, argv)
  return ok and status == 0
end

-- The last two CPUs that this process may use, where taskset is there to choose them.
local function cpus()
  local file <close> = io.open "/proc/self/status"
  local list = file and file:read("a"):match "Cpus_allowed_list:%s*(%S+)"
  if not list or not succeeds { "taskset", "-V" } then return end
  local all = {}
  for first, last in list:gmatch "(%d+)%-?(%d*)" do
    for cpu = tonumber(first), tonumber(last) or tonumber(first) do all[#all + 1] = cpu end
  end
  return all[#all], all[#all - 1] or all[#all]
end

local MEASURED, HELPING = cpus()

local function pinned(cpu, argv)
  if not cpu then return argv end
  return { "taskset", "-c", tostring(cpu), table.unpack(argv) }
end

--- Starts what is measured from outside, on the CPU for what is measured.
function M.start_measured(argv)
  return process.start(pinned(MEASURED, argv))
end

--- Runs a contender on a CPU of its own, and gives the numbers that it prints.
function M.measure(argv)
  local status, out, err = process.run(pinned(MEASURED, argv), { timeout = 120 })
  assert(status == 0, table.concat(argv, " ") .. ": " .. err)
  local numbers = {}
  for word in out:gmatch "%S+" do numbers[#numbers + 1] = tonumber(word) end
  return table.unpack(numbers)
end

--- Starts a program that a contender talks to, on another CPU.
function M.start(argv)
  return process.start(pinned(HELPING, argv))
end

--- Waits until somebody listens on this port, five seconds at most.
function M.wait_for(port)
  local csock = require "csock"
  for _ = 1, 500 do
    local conn = csock.create_connection { "127.0.0.1", math.tointeger(tonumber(port)) }
    if conn then return conn:close() end
    csock.sleep(0.01)
  end
  error("nobody listens on " .. port)
end

--- The first of these interpreters that has the module, or nil.
function M.interpreter_with(module, candidates)
  for _, lua in ipairs(candidates) do
    if succeeds { lua, "-e", "require '" .. module .. "'" } then return lua end
  end
end

--- The first line that a program prints; nil when it cannot be run, or fails.
function M.first_line(argv)
  local ok, status, out = pcall(process.run, argv)
  return ok and status == 0 and out:match "[^\r\n]+" or nil
end

--- One line that names the machine.
function M.machine()
  local file <close> = io.open "/proc/cpuinfo"
  local info = file and file:read "a" or ""
  local _, cores = info:gsub("processor%s*:", "")
  local model = info:match "model name%s*:%s*([^\n]+)" or "unknown processor"
  local system = M.first_line { "uname", "-sr" } or "unknown system"
  return ("%s, %d cores, %s"):format(model, cores, system:match "^%a+ %d+%.%d+" or system)
end

function M.python()
  return succeeds { "python3", "-c", "" } and "python3" or nil
end

function M.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local half = #sorted // 2
  return #sorted % 2 == 1 and sorted[half + 1] or (sorted[half] + sorted[half + 1]) / 2
end

--- Runs contenders in turns, so that whatever disturbs the machine disturbs them all.
-- @tparam {table} contenders each `{name=, run=function -> numbers}`; without `run` it is missing,
-- and `why` says why; the first one is what the others are measured against
-- @tparam int rounds
-- @treturn {table} for each contender that is there `{name=, medians = {each number's},
-- ratios = {the median of each number's ratio to the first contender's of the same round}}`
function M.compare(contenders, rounds)
  local results = {}
  for _, contender in ipairs(contenders) do
    if contender.run then
      results[#results + 1] = { name = contender.name, run = contender.run, rows = {} }
    else
      print(("  (%s is left out: %s)"):format(contender.name, contender.why))
    end
  end
  for round = 1, rounds do
    for _, result in ipairs(results) do result.rows[round] = { result.run() } end
  end
  for _, result in ipairs(results) do
    result.medians, result.ratios = {}, {}
    for i in ipairs(result.rows[1]) do
      local values, ratios = {}, {}
      for round, row in ipairs(result.rows) do
        values[round] = row[i]
        ratios[round] = row[i] / results[1].rows[round][i]
      end
      result.medians[i], result.ratios[i] = M.median(values), M.median(ratios)
    end
  end
  return results
end

--- Prints rows of cells, the first column to the left and the others to the right.
function M.table(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, utf8.len(cell)) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local pad = (" "):rep(widths[i] - utf8.len(cell))
      cells[i] = i == 1 and cell .. pad or pad .. cell
    end
    print("  " .. table.concat(cells, "  "))
  end
  print()
end

--- A line on what was wanted.
function M.goal(what, value, limit, format)
  print(("  %s: %s, wanted at most %s\n"):format(what, format:format(value), format:format(limit)))
end

--- The same of what cannot be enough.
function M.least(what, value, limit, format)
  print(("  %s: %s, wanted at least %s\n"):format(what, format:format(value), format:format(limit)))
end

M.monotonic = posix.monotonic

return M
