-- Mail: 1,000 messages of 10 KB sent over one connection to csock.smtpd, with PIPELINING: csock.smtp, in a blocking
-- program and in a task, and Python's smtplib, which does not pipeline. 10,000 headers by POP3 and by IMAP, beside
-- Python's modules; a file of 1 GiB by FTP, beside Python's and `cat` from a socket.
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

local HEADERS, FILE = 10000, 1 << 30

-- Milliseconds of CPU, and of time, for the headers.
local function headers(kind, argv)
  local server <close> = harness.start { harness.lua, DIRECTORY .. "mailbox.lua", kind, tostring(HEADERS) }
  local command = table.move(argv, 1, #argv, 1, {})
  table.move({ kind, server:read_line(), tostring(HEADERS) }, 1, 3, #command + 1, command)
  local cpu, time = harness.measure(command)
  return cpu * 1000, time * 1000
end

-- The same for the file; `cat` has it from a socket without any FTP.
local CAT = [[TIMEFORMAT="%U %S %R"; { time cat < /dev/tcp/127.0.0.1/$0 > /dev/null; } 2>&1]]

local function fetch(argv, how)
  local server <close> = harness.start { harness.lua, DIRECTORY .. "files.lua", tostring(FILE) }
  local port, plain = server:read_line():match "(%d+)%s+(%d+)"
  if not argv then
    local user, system, time = harness.measure { "bash", "-c", CAT, plain }
    return (user + system) * 1000, time * 1000
  end
  local command = table.move(argv, 1, #argv, 1, {})
  table.move({ port, tostring(FILE), how }, 1, 3, #command + 1, command)
  local cpu, time = harness.measure(command)
  return cpu * 1000, time * 1000
end

local function show(title, contenders)
  print(title .. "\n")
  local results = harness.compare(contenders, ROUNDS)
  local rows = { { "", "CPU ms", "time ms", "CPU, times the first", "time, times the first" } }
  for _, r in ipairs(results) do
    rows[#rows + 1] = {
      r.name, ("%.0f"):format(r.medians[1]), ("%.0f"):format(r.medians[2]), ("%.2f"):format(r.ratios[1]),
      ("%.2f"):format(r.ratios[2]),
    }
  end
  harness.table(rows)
  return results
end

return function()
  local python = harness.python()
  local function contender(name, argv, why, ...)
    local more = { ... }
    return { name = name, why = why, run = argv and function() return send(argv, table.unpack(more)) end }
  end
  local results = show(("Mail: %d messages of %d bytes on one connection, %d rounds"):format(MAILS, BYTES, ROUNDS), {
    contender("Python smtplib", python and { python, DIRECTORY .. "python.py" }, "no python3 here"),
    contender("csock", { harness.lua, DIRECTORY .. "csock.lua" }),
    contender("csock, in a task", { harness.lua, DIRECTORY .. "csock.lua" }, nil, "task"),
  })
  if python then harness.goal("csock", results[2].ratios[1], 1, "%.2f times Python's CPU") end

  local function by(f, script, ...)
    local more = { ... }
    local argv = { script:find "%.py$" and python or harness.lua, DIRECTORY .. script }
    more[#more + 1] = argv
    return function() return f(table.unpack(more)) end
  end
  for _, kind in ipairs { "pop3", "imap" } do
    results = show(("%d headers by %s, %d rounds"):format(HEADERS, kind:upper(), ROUNDS), {
      { name = "Python", why = "no python3 here", run = python and by(headers, "headers.py", kind) },
      { name = "csock", run = by(headers, "headers.lua", kind) },
    })
    if python then harness.goal("csock", results[2].ratios[1], 1, "%.2f times Python's CPU") end
  end
  results = show(("A file of %d MiB by FTP, %d rounds"):format(FILE >> 20, ROUNDS), {
    { name = "cat, from a socket", run = fetch },
    { name = "csock, into a buffer", run = function()
      return fetch({ harness.lua, DIRECTORY .. "fetch.lua" }, "buffer")
    end },
    { name = "csock, as strings", run = by(fetch, "fetch.lua") },
    { name = "Python", why = "no python3 here", run = python and by(fetch, "fetch.py") },
  })
  harness.goal("csock", results[2].ratios[2], 1.05, "%.2f times cat's time")
end
