-- Mail: 1,000 messages of 10 KB sent over one connection to a server of its own (csock.smtpd, which has PIPELINING):
-- csock.smtp, in a blocking program and in a task, and Python's smtplib, which does not pipeline.
local harness = require "spec.bench.harness"

local ROUNDS = 5
local MAILS, BYTES = 1000, 10240
local DIRECTORY = harness.directory .. "mail/"

-- Milliseconds of CPU, and of time.
local function send(argv, ...)
  local server <close> = harness.start { harness.lua, DIRECTORY .. "server.lua" }
  local command = table.move(argv, 1, #argv, 1, {})
  for _, value in ipairs { server:read_line(), MAILS, BYTES, ... } do command[#command + 1] = tostring(value) end
  local cpu, time = harness.measure(command)
  assert(server:read_line() == tostring(MAILS), "mails were lost")
  return cpu * 1000, time * 1000
end

return function()
  local python = harness.python()
  local function contender(name, argv, why, ...)
    local more = { ... }
    return { name = name, why = why, run = argv and function() return send(argv, table.unpack(more)) end }
  end
  print(("Mail: %d messages of %d bytes on one connection, %d rounds\n"):format(MAILS, BYTES, ROUNDS))
  local results = harness.compare({
    contender("Python smtplib", python and { python, DIRECTORY .. "python.py" }, "no python3 here"),
    contender("csock", { harness.lua, DIRECTORY .. "csock.lua" }),
    contender("csock, in a task", { harness.lua, DIRECTORY .. "csock.lua" }, nil, "task"),
  }, ROUNDS)
  local rows = { { "", "CPU ms", "time ms", "CPU, times the first" } }
  for _, r in ipairs(results) do
    rows[#rows + 1] = {
      r.name, ("%.0f"):format(r.medians[1]), ("%.0f"):format(r.medians[2]), ("%.2f"):format(r.ratios[1]),
    }
  end
  harness.table(rows)
  if python then harness.goal("csock", results[2].ratios[1], 1, "%.2f times Python's CPU") end
end
