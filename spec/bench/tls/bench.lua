-- TLS: servers written as several libraries want it, against C on OpenSSL and bare epoll (floor.c), under the same
-- load (load.c): TLS 1.3, TLS_AES_128_GCM_SHA256, P-256. See spec/bench/contest.lua. And what the first context
-- takes, in which the system's certificates are.
--
-- Environment: ROUNDS, ROWS and CONTENDERS as there; the row `context` is that of the contexts.
local certificates = require "spec.support.certificates"
local contest = require "spec.bench.contest"
local harness = require "spec.bench.harness"

local SERVERS = harness.directory .. "tls/servers/"
local BUILT = harness.built .. "tls/"

local FLOOR = { name = "C", argv = { BUILT .. "floor" },
  version = { "sh", "-c", "test -x " .. BUILT .. "floor && echo \"C on $(openssl version | cut -d' ' -f1,2)\"" } }

local CONTENDERS = {
  FLOOR,
  contest.in_lua("csock", SERVERS .. "csock.lua",
    "require 'csock.ssl'; print(require 'csock'._VERSION .. ' on ' .. _VERSION)"),
  contest.in_lua("LuaSec", SERVERS .. "copas.lua", "local copas = require 'copas'; assert(copas.dohandshake);"
    .. "print('LuaSec ' .. require 'ssl'._VERSION .. ' with ' .. copas._VERSION)"),
  contest.in_python("asyncio", SERVERS .. "asyncio_server.py", nil,
    "import sys, ssl; print('Python', sys.version.split()[0])"),
  contest.in_python("uvloop", SERVERS .. "asyncio_server.py", "uvloop",
    "import uvloop; print('uvloop', uvloop.__version__)"),
  { name = "node", argv = { "node", SERVERS .. "node_server.js" },
    version = { "node", "-p", "'node ' + process.version + ' on OpenSSL ' + process.versions.openssl" } },
}

-- load: CONNECTIONS SIZE ACTIVE FLIGHT COUNT, see load.c.
local ROWS = {
  { name = "send", title = "sending, a record of 16 KiB", mode = "send", load = "4 16384 4 64 40960", goal = 1.08 },
  { name = "receive", title = "receiving, a record of 16 KiB", mode = "receive", load = "4 16384 4 64 40960",
    goal = 1.08 },
  { name = "echo", title = "echo of 64 bytes, 64 connections", mode = "echo", load = "64 64 64 1 60000", goal = 1.10 },
  { name = "full", title = "full handshake, one byte, close", mode = "accept", load = "1 1 16 1 2000", goal = 1.08 },
  { name = "resumed", title = "resumed handshake, one byte, close", mode = "accept", load_mode = "resume",
    load = "1 1 16 1 2000", goal = 1.08 },
  { name = "idle", title = "memory of an idle connection", mode = "echo", load_mode = "idle",
    load = "1000 64 1 1 1", goal = 25000, unit = "bytes" },
}

-- Milliseconds of requiring a module, of its first context and of its second.
local FIRST_CONTEXT = {
  csock = [[
    local now = require "csock".now
    local t0 = now()
    local ssl = require "csock.ssl"
    local t1 = now()
    local first = assert(ssl.create_default_context())
    local t2 = now()
    local second = assert(ssl.create_default_context())
    local t3 = now()
    print((t1 - t0) * 1e3, (t2 - t1) * 1e3, (t3 - t2) * 1e3, first ~= second)
  ]],
  python = [[
import time
now = time.perf_counter
import socket
t0 = now()
import ssl
t1 = now()
first = ssl.create_default_context()
t2 = now()
second = ssl.create_default_context()
t3 = now()
print((t1 - t0) * 1e3, (t2 - t1) * 1e3, (t3 - t2) * 1e3)
]],
  node = [[
const now = () => Number(process.hrtime.bigint()) / 1e6
const t0 = now()
const tls = require("tls")
const t1 = now()
tls.createSecureContext()
const t2 = now()
tls.createSecureContext()
const t3 = now()
console.log(t1 - t0, t2 - t1, t3 - t2)
]],
}

local function compare_contexts(rounds)
  local function timed(name, argv, version)
    local there = harness.first_line(version)
    return { name = name, why = "not installed", run = there and function() return harness.measure(argv) end }
  end
  print "The module and its contexts for clients, ms\n"
  local csock = { harness.lua, "-e", FIRST_CONTEXT.csock }
  local results = harness.compare({
    timed("csock", csock, csock),
    timed("Python", { contest.python, "-c", FIRST_CONTEXT.python }, { contest.python, "-c", "import ssl; print(1)" }),
    timed("node", { "node", "-e", FIRST_CONTEXT.node }, { "node", "-p", "1" }),
  }, rounds)
  local cells = { { "", "the module", "the first context", "the second" } }
  for _, r in ipairs(results) do
    local line = { r.name }
    for i, median in ipairs(r.medians) do line[i + 1] = ("%.2f"):format(median) end
    cells[#cells + 1] = line
  end
  harness.table(cells)
end

return function()
  if not (certificates.available and harness.first_line(FLOOR.version)) then
    print "TLS: left out, without OpenSSL's headers and its program\n"
    return
  end
  contest.run {
    title = "TLS", load = BUILT .. "load", saved = harness.built .. "tls.tsv",
    contenders = CONTENDERS, rows = ROWS, arguments = { certificates.good.cert, certificates.good.key },
  }
  local wanted = os.getenv "ROWS"
  if not wanted or wanted:find "%f[%w]context%f[%W]" then compare_contexts(tonumber(os.getenv "ROUNDS") or 5) end
end
