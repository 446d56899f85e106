-- CSOCK_OMIT_*: what a host leaves out of the amalgamation, or `make OMIT=...` of the core.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"
local omit = dofile "csrc/csock/omit.lua"

local build = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "")
local lua_headers = tree.read(build .. "flags"):match "%-I%S*lua%S*" or "-I/usr/include/lua5.4"
local source = build .. "amalgamation/csock.c"

local GROUPS = {}
for group in pairs(omit.files) do GROUPS[#GROUPS + 1] = group end
table.sort(GROUPS)
local ALL = table.concat(GROUPS, " ")

local dir
local libraries = {} -- groups -> where the module csock is that has been built without them

local function macros(groups)
  local list = {}
  for group in groups:gmatch "%S+" do list[#list + 1] = "-DCSOCK_OMIT_" .. group end
  return list
end

local function succeeds(command, ...)
  local status, out, err = process.run(command, ...)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

-- The amalgamation without the groups, as a module.
local function library_without(groups)
  if not libraries[groups] then
    local path = ("%s/%s.so"):format(dir, groups:gsub(" ", "-"))
    local command = { "cc", "-std=c11", "-O0", "-Wall", "-Wextra", "-Werror", lua_headers, "-shared", "-fPIC",
      "-pthread", "-o", path, source }
    for _, macro in ipairs(macros(groups)) do command[#command + 1] = macro end
    succeeds(command, { timeout = 120 })
    libraries[groups] = path
  end
  return libraries[groups]
end

-- What a program prints with that module and no file of Lua's.
local function run_without(groups, program)
  return succeeds({ process.interpreter, "-e", program }, {
    cwd = "/", timeout = 30, env = { LUA_PATH = "", LUA_CPATH = library_without(groups), LUA_INIT = false },
  })
end

-- A few calls of sockets, which work without any group.
local SOCKETS = [[
  local csock = require "csock"
  local a, b = csock.socketpair()
  assert(a:sendall "hello\n")
  assert(b:makefile("r"):read "l" == "hello")
  b:settimeout(0.01)
  assert(select(3, b:recv(1)) == csock.errno.ETIMEDOUT)
  local listener = assert(csock.create_server {"127.0.0.1", 0})
  local client = assert(csock.create_connection {"localhost", listener:getsockname().port})
  local server = assert(listener:accept())
  assert(server:sendall "x" and client:recv(1) == "x")
  assert(csock.sleep(0.001))
  print "sockets work"
]]

-- Loads every module; prints why one cannot be loaded, unless it is a library that is not inside.
local MODULES = [[
  require "csock"
  local names = {}
  for name in pairs(package.preload) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    local ok, err = pcall(require, name)
    if not ok and not err:find "csock%.tls" and not err:find "csock%.readline" then
      print(name, err:match "is not in this csock: it was built with ([%w_ ]+)" or err)
    end
  end
]]

describe("csock without", function()
  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  for _, groups in ipairs { ALL, table.unpack(GROUPS) } do
    local name = groups == ALL and "all of it" or groups
    local left_out = {}
    for _, macro in ipairs(macros(groups)) do left_out[macro:sub(3)] = true end

    it(name .. " compiles as C, and its sockets work", function()
      assert.equal("sockets work\n", run_without(groups, SOCKETS))
    end)

    it(name .. " compiles as C++", function()
      if process.run { "sh", "-c", "command -v g++" } ~= 0 then return pending "g++ is not here" end
      succeeds({ "g++", "-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", lua_headers, source,
        table.unpack(macros(groups)) }, { timeout = 300 })
    end)

    it(name .. " loads each module, or says which macro it is that has left it out", function()
      for line in run_without(groups, MODULES):gmatch "[^\n]+" do
        local module, why = line:match "^(%S+)\t(.*)$"
        local named = false
        for macro in (why or ""):gmatch "CSOCK_OMIT_%u+" do named = named or left_out[macro] == true end
        assert(named, module .. ": " .. tostring(why))
      end
    end)
  end

  it("LOOP says so where a task is to be started, and has no csock_step", function()
    assert.equal([[
loop.spawn is not in this csock: it was built with CSOCK_OMIT_LOOP
loop.serve is not in this csock: it was built with CSOCK_OMIT_LOOP
module 'csock.loop' is not in this csock: it was built with CSOCK_OMIT_LOOP
nil
]], run_without("LOOP", [[
      local csock = require "csock"
      local function said(...) print((select(2, pcall(...)):gsub("^[%w.]+:%d+: ", ""))) end
      said(csock.spawn, print)
      said(csock.serve, {"127.0.0.1", 0}, print)
      said(require, "csock.loop")
      print(csock.getuid)
    ]]))
    for _, name in ipairs(tree.exports(library_without "LOOP")) do
      assert.not_equal("csock_step", name)
      assert.not_equal("csock_spawn", name)
    end
  end)

  it("CONSTANTS has those of sockets in general alone", function()
    assert.equal("1 nil nil EAGAIN\n", run_without("CONSTANTS", [[
      local csock = require "csock"
      print(("%d %s %s %s"):format(csock.AF_UNIX, csock.IP_TTL, csock.AF_CAN and csock.CAN_RAW, csock.errno[11]))
    ]]))
  end)

  it("RESOLVER_THREADS looks names up in the thread that asks, in tasks too", function()
    local program = [[
      local csock = require "csock"
      assert(csock.run(csock.getnameinfo, {"127.0.0.1", 80}, 0))
      local threads = io.popen("ls /proc/" .. csock.getpid() .. "/task | wc -l"):read "n"
      print(threads)
    ]]
    assert.equal("2\n", run_without("WEBSOCKET", program)) -- with the threads
    assert.equal("1\n", run_without("RESOLVER_THREADS", program))
  end)

  it("HTTP, REACTOR, POLL or WEBSOCKET says so where they are asked for", function()
    for group, name in pairs { HTTP = "csock.http", REACTOR = "csock.reactor", WEBSOCKET = "csock.websocket" } do
      assert.matches(("module '%s' is not in this csock: it was built with .*CSOCK_OMIT_%s"):format(name, group),
        run_without(group, ("require 'csock' print(pcall(require, '%s'))"):format(name)))
    end
    assert.matches("csock.select is not in this csock: it was built with CSOCK_OMIT_POLL",
      run_without("POLL", "print(pcall(require 'csock'.select, {}, {}, {}, 0))"))
  end)

  it("is none of a part that there is not", function()
    local status, _, err = process.run { "env", "-u", "MAKEFLAGS", "make", "-s", "OMIT=LOPO HTTP" }
    assert.not_equal(0, status)
    assert.matches("there is no part LOPO", err)
  end)

  it("all of it is a core of 150 KB at most, for which the modules are files", function()
    local core = dir .. "/small/csock/core.so"
    succeeds({ "env", "-u", "MAKEFLAGS", "make", "-s", "BUILD=" .. dir .. "/small", "OMIT=" .. ALL, core,
      "CFLAGS=-Os -flto=auto -fno-asynchronous-unwind-tables", "LDFLAGS=-Wl,-z,noseparate-code" }, { timeout = 300 })
    assert.equal("sockets work\n", succeeds({ process.interpreter, "-e", SOCKETS }, {
      env = { LUA_CPATH = dir .. "/small/?.so", LUA_INIT = false },
    }))
    succeeds { "strip", core }
    local size = tonumber(tree.output("wc -c < '" .. core .. "'"))
    assert(size <= 150 * 1024, size .. " bytes")
  end)
end)

describe("core.so", function()
  it("has 450 KB at most, stripped", function()
    if not tree.read(build .. "flags"):find "%-O2" or tree.read(build .. "flags"):find "sanitize" then
      return pending "built with other flags"
    end
    local copy = assert(posix.mkdtemp()) .. "/core.so"
    succeeds { "strip", "-o", copy, build .. "csock/core.so" }
    local size = tonumber(tree.output("wc -c < '" .. copy .. "'"))
    os.remove(copy)
    assert(size <= 450 * 1024, size .. " bytes")
  end)
end)
