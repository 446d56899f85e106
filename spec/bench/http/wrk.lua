-- wrk as the client of a bench: wrk.lua PID PORT MODE CONNECTIONS SECONDS. Prints what load.c prints.
local harness = require "spec.bench.harness"
local pid, port, _, connections, seconds = table.unpack(arg)

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert(pipe:close(), command)
  return text
end

-- The nanoseconds that the server's threads have run.
local function server_cpu()
  local total = 0
  for ran in output("cat /proc/" .. pid .. "/task/*/schedstat"):gmatch "(%d+) %d+ %d+\n" do total = total + ran end
  return total
end

local function run(time)
  return output(("wrk -t1 -c%s -d%ss --latency http://127.0.0.1:%s/"):format(connections, time, port))
end

local MICROSECONDS = { us = 1, ms = 1000, s = 1000000 }

harness.wait_for(port)
run(1)
local before = server_cpu()
local text = run(seconds)
local cpu = server_cpu() - before
assert(not text:find "Non%-2xx" and not text:find "Socket errors", text)
local p99, unit = text:match "99%%%s+([%d.]+)(%a+)"
local count, time = text:match "(%d+) requests in ([%d.]+)s"
print(("%d %s %d %.0f"):format(count, time, cpu, p99 * MICROSECONDS[unit]))
