-- HTTP: servers written as several libraries want it, against C on bare epoll (floor.c), under the same load (load.c,
-- and wrk). See spec/bench/contest.lua. And clients against nginx, and what a head takes.
--
-- Environment: ROUNDS, ROWS and CONTENDERS as there; the rows `client` and `head` are those of the clients and of the
-- head.
local contest = require "spec.bench.contest"
local harness = require "spec.bench.harness"

local HERE = harness.directory .. "http/"
local SERVERS, CLIENTS = HERE .. "servers/", HERE .. "clients/"
local BUILT = harness.built .. "http/"
local MODULE = "/usr/lib/nginx/modules/ngx_http_lua_module.so"

local function shell(command) return { "sh", "-c", command } end

local FLOOR = { name = "C", argv = { BUILT .. "floor" }, version = { "echo", "C on bare epoll" } }

-- lua-http is pure Lua, which Debian puts where 5.1 finds it.
local function lua_http()
  local lua = harness.interpreter_with("http.server", { harness.lua, "luajit", "lua5.1" }) or harness.lua
  return { name = "lua-http", argv = { lua, SERVERS .. "lua_http.lua" },
    version = { lua, "-e", "require 'http.server'; print('lua-http ' .. require 'http.version'.version .. ' on ' .. "
      .. "(jit and jit.version or _VERSION))" } }
end

local function contenders()
  return {
    FLOOR,
    contest.in_lua("csock", SERVERS .. "csock.lua",
      "require 'csock.httpserver'; print(require 'csock'._VERSION .. ' on ' .. _VERSION)"),
    { name = "nginx", argv = { "sh", SERVERS .. "nginx.sh" },
      version = shell "PATH=$PATH:/usr/sbin nginx -v 2>&1 | grep -o 'nginx/.*'" },
    { name = "nginx-lua", argv = { "sh", SERVERS .. "nginx.sh" }, option = "lua",
      version = shell("test -e " .. MODULE .. " && echo 'its Lua module'") },
    { name = "node", argv = { "node", SERVERS .. "node_server.js" },
      version = { "node", "-p", "'node ' + process.version" } },
    contest.in_python("uvloop", SERVERS .. "asyncio_server.py", "uvloop",
      "import uvloop; print('uvloop', uvloop.__version__)"),
    contest.in_python("asyncio", SERVERS .. "asyncio_server.py", nil,
      "import sys; print('Python', sys.version.split()[0])"),
    contest.in_python("http.server", SERVERS .. "threading_server.py", nil,
      "import http.server; print('its http.server')"),
    lua_http(),
  }
end

local function only(...)
  local without = {}
  for _, c in ipairs(contenders()) do without[c.name] = true end
  for _, name in ipairs { ... } do without[name] = nil end
  return without
end

-- load: CONNECTIONS FLIGHT COUNT, see load.c; for wrk: CONNECTIONS SECONDS.
local function rows()
  local files, sockets = only("csock", "nginx", "node"), only("csock", "node")
  return {
    { name = "get", title = "GET / of 1 KiB, 64 connections", mode = "get", load = "64 1 60000", goal = 1.6 },
    { name = "wrk", title = "the same from wrk", mode = "get", load = "64 2", goal = 1.6,
      client = { harness.lua, HERE .. "wrk.lua" }, needs = shell "command -v wrk",
      without = { ["http.server"] = true } }, -- its threads are gone when their CPU is to be read
    { name = "pipelined", title = "16 requests at once, 64 connections", mode = "get", load = "64 16 160000",
      without = { ["lua-http"] = true } }, -- which loses some
    { name = "file-1m", title = "a file of 1 MiB", mode = "file-1m", load_mode = "file", load = "4 1 2000", goal = 1.05,
      against = "nginx", without = files },
    { name = "file-1g", title = "a file of 1 GiB", mode = "file-1g", load_mode = "file", load = "1 1 5", goal = 1.05,
      against = "nginx", without = files },
    { name = "ws", title = "WebSocket echo of 64 bytes, 64 connections", mode = "ws", load = "64 1 60000",
      against = "csock", without = sockets, needs = { "node", "-p", "require('ws') && 'ws'" } },
    { name = "idle", title = "memory of an idle connection", mode = "idle", load = "10000 1 1", goal = 3072,
      unit = "bytes", without = { ["http.server"] = true } },
  }
end

-- A directory with the files that are sent; the large one has holes, and takes no room.
local function make_files()
  local path = harness.first_line(shell("mkdir -p " .. BUILT .. "files && cd " .. BUILT .. "files && pwd"))
  local file <close> = assert(io.open(path .. "/file-1m", "w"))
  file:write(("0123456789abcdef"):rep(1 << 16))
  assert(harness.first_line(shell("truncate -s 1G '" .. path .. "/file-1g' && echo made")))
  return path
end

local function remove_files(path)
  for _, name in ipairs { "file-1m", "file-1g" } do os.remove(path .. "/" .. name) end
end

local function available(list)
  local found = {}
  for _, row in ipairs(list) do
    if not row.needs or harness.first_line(row.needs) then
      found[#found + 1] = row
    else
      print(("  (%s: left out, not installed)"):format(row.title))
    end
  end
  return found
end

-- --- clients ---------------------------------------------------------------------------------------

local TASKS, REQUESTS = "64", "30000"

local function client(name, argv, version)
  local there = harness.first_line(version)
  return {
    name = name, why = "not installed",
    of = there and function(port)
      local line = table.move(argv, 1, #argv, 1, {})
      table.move({ port, TASKS, REQUESTS, argv.option }, 1, 4, #line + 1, line)
      return function() return harness.measure(line) end
    end,
  }
end

local function compare_clients(directory, rounds)
  local nginx <close> = harness.start { "sh", SERVERS .. "nginx.sh", "get", directory }
  local port = nginx:read_line()
  harness.wait_for(port)
  local clients = {
    client("csock", { harness.lua, CLIENTS .. "csock.lua" },
      { harness.lua, "-e", "require 'csock.http'; print 'csock'" }),
    client("undici", { "node", CLIENTS .. "undici.js" }, { "node", "-p", "require('undici') && 'undici'" }),
    client("node's http", { "node", CLIENTS .. "undici.js", option = "http" }, { "node", "-v" }),
    client("http.client", { contest.python, CLIENTS .. "http_client.py" }, { contest.python, "-V" }),
  }
  for _, c in ipairs(clients) do c.run = c.of and c.of(port) end
  print("clients of nginx, " .. TASKS .. " tasks: 1 KiB\n")
  local cells = { { "", "CPU us", "times csock", "a second" } }
  for _, r in ipairs(harness.compare(clients, rounds)) do
    cells[#cells + 1] = { r.name, ("%.1f"):format(r.medians[1]), ("%.2f"):format(r.ratios[1]),
      ("%.0f"):format(r.medians[2]) }
  end
  harness.table(cells)
end

local function time_head(rounds)
  local argv = { harness.lua, HERE .. "head.lua" }
  local result = harness.compare({ { name = "csock", run = function() return harness.measure(argv) end } }, rounds)[1]
  harness.goal("microseconds of a head of eight fields, as a table", result.medians[1], 1.5, "%.2f")
  print(("  the same as a request whose fields nobody asks for, out of a stream: %.2f\n"):format(result.medians[2]))
end

return function()
  local wanted, rounds = os.getenv "ROWS", tonumber(os.getenv "ROUNDS") or 5
  local function is_wanted(name) return not wanted or (" " .. wanted .. " "):find(" " .. name .. " ", 1, true) end
  local directory = make_files()
  local ok, err = pcall(contest.run, {
    title = "HTTP", load = BUILT .. "load", saved = harness.built .. "http.tsv", contenders = contenders(),
    rows = available(rows()), arguments = { directory },
  })
  if ok and is_wanted "client" then ok, err = pcall(compare_clients, directory, rounds) end
  if ok and is_wanted "head" then ok, err = pcall(time_head, rounds) end
  remove_files(directory)
  if not ok then error(err, 0) end
end
