-- How small things are: a socket's memory, what require "csock" adds to a program's start, what a policy costs, and
-- what Base64 does.
local harness = require "spec.bench.harness"
local posix = require "spec.support.posix"

local ROUNDS = 101

-- Milliseconds of CPU that a program uses, and those from its start to its end.
local function start_up(code)
  local env = posix.environ()
  return function()
    local cpu, start = posix.children_clock(), harness.monotonic()
    local pid, stdin, stdout, stderr = assert(posix.spawn({ harness.lua, "-e", code }, { env = env }))
    repeat until posix.read(stdout, 10) == "" -- which nobody holds open once the program is gone
    local took = harness.monotonic() - start
    local _, status = posix.waitpid(pid, 10)
    for _, fd in ipairs { stdin, stdout, stderr } do posix.close(fd) end
    assert(status == 0, code)
    return (posix.children_clock() - cpu) * 1e3, took * 1e3
  end
end

-- Gigabytes of plain bytes that a program with this loop encodes or decodes in a second of CPU.
local function base64_speed(verb)
  local code = ([[
    local base64 = require "csock.wire.base64"
    local bytes, rounds = ("csock"):rep(13107), 4000
    local text = base64.encode(bytes)
    local start = os.clock()
    for _ = 1, rounds do base64.%s end
    print(#bytes * rounds / (os.clock() - start) / 1e9)]]):format(verb)
  return harness.measure { harness.lua, "-e", code }
end

return function()
  print "A socket's memory\n"
  harness.goal("a csock.socket", harness.measure { harness.lua, harness.directory .. "small/socket_size.lua" },
    200, "%.0f bytes")

  print "What a host's policy in C costs that allows an action\n"
  local asked = { harness.measure { harness.built .. "small/policy" } }
  local costs = { { "", "without a policy, ns", "with one, ns" } }
  for i, name in ipairs { "a connect, IPv4", "a connect, IPv6", "a fork" } do
    costs[i + 1] = { name, ("%.1f"):format(asked[2 * i - 1]), ("%.1f"):format(asked[2 * i]) }
  end
  harness.table(costs)
  harness.goal("an ask", math.max(asked[2] - asked[1], asked[4] - asked[3], asked[6] - asked[5]), 20, "%.1f ns")

  print(("From the start of %s to its end, %d rounds\n"):format(harness.lua, ROUNDS))
  local results = harness.compare({
    { name = "nothing", run = start_up "" },
    { name = "require 'csock'", run = start_up "require 'csock'" },
    {
      name = "require 'socket' (LuaSocket)", why = "not installed for " .. harness.lua,
      run = harness.interpreter_with("socket", { harness.lua }) and start_up "require 'socket'",
    },
  }, ROUNDS)
  local rows = { { "", "ms of CPU", "more than nothing", "ms", "more than nothing" } }
  local nothing = results[1].medians
  for _, r in ipairs(results) do
    local row = { r.name }
    for i, median in ipairs(r.medians) do
      row[2 * i], row[2 * i + 1] = ("%.2f"):format(median), ("%.2f"):format(median - nothing[i])
    end
    rows[#rows + 1] = row
  end
  harness.table(rows)
  harness.goal("csock adds", results[2].medians[1] - nothing[1], 0.4, "%.2f ms of CPU")

  print "Base64, of 64 KiB at once\n"
  harness.least("encoding", base64_speed "encode(bytes)", 1, "%.2f GB/s")
  harness.least("decoding", base64_speed "decode(text)", 1, "%.2f GB/s")
end
