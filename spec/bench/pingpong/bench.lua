-- 16 bytes sent and received in a loop by one process: what a call costs beside the system's part.
local harness = require "spec.bench.harness"

local ROUNDS = 9
local DIRECTORY = harness.directory .. "pingpong/"

local function contenders(kind, times)
  local posix_lua = harness.interpreter_with("posix.sys.socket",
    { harness.lua, "lua5.4", "lua5.3", "lua5.2", "lua5.1", "luajit" })
  local socket_lua = harness.interpreter_with("socket", { harness.lua })
  local python = harness.python()
  local function contender(name, program, why, ...)
    local argv = program and { program, ... }
    return {
      name = name, why = why,
      run = argv and function()
        local cpu, wall = harness.measure(argv)
        return cpu / times * 1e9, wall / times * 1e9
      end,
    }
  end
  local n = tostring(times)
  return {
    contender("C", harness.built .. "pingpong/floor", nil, kind, n),
    contender("csock", harness.lua, nil, DIRECTORY .. "csock.lua", kind, n),
    contender("csock, as a:send(...)", harness.lua, nil, DIRECTORY .. "csock.lua", kind, n, "methods"),
    contender("Python", python, "no python3 here", DIRECTORY .. "python.py", kind, n),
    contender("LuaSocket", socket_lua, "not installed for " .. harness.lua, DIRECTORY .. "luasocket.lua", kind, n),
    contender("luaposix" .. (posix_lua and " (" .. posix_lua .. ")" or ""), posix_lua,
      "not installed for any Lua here", DIRECTORY .. "luaposix.lua", kind, n),
  }
end

return function()
  for _, case in ipairs {
    { kind = "tcp", name = "loopback TCP", times = 40000, limit = 1.08 },
    { kind = "unix", name = "a Unix pair", times = 120000, limit = 1.15 },
  } do
    print(("16 bytes sent and received over %s, %d times, %d rounds\n"):format(case.name, case.times, ROUNDS))
    local results = harness.compare(contenders(case.kind, case.times), ROUNDS)
    local rows = { { "", "CPU ns", "times C", "time ns", "times C" } }
    for _, r in ipairs(results) do
      rows[#rows + 1] = {
        r.name, ("%.0f"):format(r.medians[1]), ("%.3f"):format(r.ratios[1]),
        ("%.0f"):format(r.medians[2]), ("%.3f"):format(r.ratios[2]),
      }
    end
    harness.table(rows)
    harness.goal("csock's CPU", results[2].ratios[1], case.limit, "%.2f times C")
  end
end
