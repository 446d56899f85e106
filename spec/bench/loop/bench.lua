-- The loop: servers written as several libraries want it, against C on bare epoll (floor.c), under
-- the same load (load.c). See spec/bench/contest.lua.
--
-- Environment: ROUNDS, ROWS and CONTENDERS as there; CHART: where to draw the chart.
local contest = require "spec.bench.contest"
local draw = require "spec.bench.loop.chart"
local harness = require "spec.bench.harness"

local SERVERS = harness.directory .. "loop/servers/"
local BUILT = harness.built .. "loop/"

local function in_lua(name, script, version)
  return contest.in_lua(name, SERVERS .. script, version)
end

local function in_python(name, script, option, version)
  return contest.in_python(name, SERVERS .. script, option, version)
end

local CONTENDERS = {
  { name = "C", argv = { BUILT .. "floor" }, version = { "echo", "C on bare epoll" } },
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

-- load: CONNECTIONS SIZE ACTIVE FLIGHT COUNT, see load.c.
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

local function summary(all, add)
  local few, many = all["rate-1000"], all["rate-10000"]
  if not (few and many) then return end
  add("10,000 connections against 1,000", "1.30", function(name)
    local a, b = few[name], many[name]
    return contest.number("%.2f", a and b and a.cpu and b.cpu and b.cpu / a.cpu)
  end)
end

return function()
  local head, rows, contenders, all = contest.run {
    title = "The loop", load = BUILT .. "load", saved = harness.built .. "loop.tsv",
    contenders = CONTENDERS, rows = ROWS, summary = summary,
  }
  local path = os.getenv "CHART" or harness.built .. "loop.svg"
  local missing = draw(path, head, rows, contenders, all)
  print(missing and "no chart: " .. missing or "the chart: " .. path)
end
