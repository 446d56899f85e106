-- Lines of 40 bytes read from a connection: csock's makefile():lines(), Python's readline,
-- LuaSocket's receive("*l").
local harness = require "spec.bench.harness"

local ROUNDS = 7
local LINES = 500000
local DIRECTORY = harness.directory .. "lines/"
local FLOOR = harness.built .. "lines/floor"

-- Nanoseconds of CPU a line.
local function read_lines(kind, ...)
  local sender <close> = harness.start { FLOOR, "send", kind, tostring(LINES) }
  local argv = { ... }
  argv[#argv + 1] = sender:read_line()
  local n, cpu = harness.measure(argv)
  assert(n == LINES, "lines were lost")
  return cpu / n * 1e9
end

return function()
  local python = harness.python()
  local socket_lua = harness.interpreter_with("socket", { harness.lua })
  local function contender(name, program, why, ...)
    local argv = { program, ... }
    return function(kind)
      return {
        name = name, why = why, run = program and function() return read_lines(kind, table.unpack(argv)) end,
      }
    end
  end
  local all = {
    contender("C, fgets", FLOOR, nil, "read"),
    contender("csock", harness.lua, nil, DIRECTORY .. "csock.lua"),
    contender("Python", python, "no python3 here", DIRECTORY .. "python.py"),
    contender("LuaSocket", socket_lua, "not installed for " .. harness.lua, DIRECTORY .. "luasocket.lua"),
  }
  for _, case in ipairs {
    { kind = "same", name = "one line again and again", limit = 70 },
    { kind = "new", name = "each line another one" },
  } do
    print(("Lines of 40 bytes, %s: %d lines, %d rounds\n"):format(case.name, LINES, ROUNDS))
    local contenders = {}
    for i, make in ipairs(all) do contenders[i] = make(case.kind) end
    local results = harness.compare(contenders, ROUNDS)
    local rows = { { "", "CPU ns a line", "times C" } }
    for _, r in ipairs(results) do
      rows[#rows + 1] = { r.name, ("%.0f"):format(r.medians[1]), ("%.1f"):format(r.ratios[1]) }
    end
    harness.table(rows)
    if case.limit then harness.goal("csock", results[2].medians[1], case.limit, "%.0f ns a line") end
  end
end
