-- examples/embed: programs that have csock inside, as make builds them.
local process = require "spec.support.process"
local tree = require "spec.support.tree"

-- Where this run's core was built.
local build = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "")

-- Programs that are built where what they want is.
local function built(name)
  return package.searchpath(name, build .. "examples/embed/?")
end

local function run(name, ...)
  local status, out, err = process.run({ build .. "examples/embed/" .. name, ... }, {
    input = name == "poll_host" and "one\ntwo\n" or nil,
    cwd = "/", env = { LUA_PATH = false, LUA_CPATH = false, LUA_INIT = false },
  })
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

describe("a host in C", function()
  it("has csock in its own poll loop (poll_host)", function()
    local out = run "poll_host"
    assert.matches("answer: ONE\n", out, 1, true)
    assert.matches("answer: TWO\n", out, 1, true)
    assert.matches("the thread has counted\n", out, 1, true)
  end)

  it("has a budget of each frame for csock (frame_host)", function()
    local out = run("frame_host", "10", "20")
    local frames, answers = out:match "^(%d+) frames, (%d+) answers, worst [%d.]+ ms %(of the processor [%d.]+ ms%) of"
    assert.equal("10", frames)
    assert.is_true(tonumber(answers) > 0)
  end)

  it("has two states in two threads (two_states)", function()
    assert.equal("served\nasked: 5050\n", run "two_states")
  end)

  it("has scripts of strangers, which reach 127.0.0.1 alone (sandbox)", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local function sandbox(script)
      local file <close> = assert(io.open(name, "w"))
      assert(file:write(script)):close()
      return run("sandbox", name)
    end

    assert.equal("hello\n", sandbox [[
      local csock = require "csock"
      local server <close> = assert(csock.serve({"127.0.0.1", 0}, function(conn) conn:sendall "hello" end))
      return assert(csock.create_connection(server:getsockname())):recv(10)
    ]])
    for _, attempt in ipairs {
      'csock.create_connection {"192.0.2.1", 80}', 'csock.socket():bind {"0.0.0.0", 0}', "csock.socket(csock.AF_UNIX)",
      "csock.fromfd(1)", "csock.fork()", "csock.create_server {'::1', 0}",
    } do
      assert.matches("127.0.0.1 alone [EPERM]", sandbox(([[
        local csock = require "csock"
        local ok, err = %s
        return ok or err
      ]]):format(attempt)), 1, true)
    end
    assert.equal("nil nil nil nil\n", sandbox [[
      return ("%s %s %s %s"):format(io, os, debug, package.loadlib)
    ]])
    assert.equal("stopped: too many instructions\n", sandbox "while true do end")
    assert.equal("stopped: too many instructions\n",
      sandbox "repeat pcall(function() repeat until false end) until false")
    assert.equal("stopped: not enough memory\n",
      sandbox "local t = {} repeat t[#t + 1] = ('x'):rep(999) .. #t until false")
  end)

  for _, name in ipairs { "glib_host", "uv_host" } do
    it("has csock in the loop of a library (" .. name .. ")", function()
      if not built(name) then return pending "the library is not here" end
      local out = run(name)
      assert.matches("answer: HELLO\n", out, 1, true)
      assert.matches("the host has ticked\n", out, 1, true)
    end)
  end

  it("is C++, with exceptions that are Lua's errors and errors that are exceptions (plugin)", function()
    if not built "plugin" then return pending "Lua as C++ is not here" end
    assert.equal("true: 1\nfalse: not so much tea\nfalse: there is no gold\n"
      .. "false: bad argument #2 to 'take' (number expected, got string)\n"
      .. "the visit is over\nfalse\trice has no price\n"
      .. "the program has caught: there is no silver\n", run "plugin")
  end)

  for name, what in pairs { static_lua = "the static libraries are", static_lua_musl = "a Lua for musl is" } do
    it("is one static binary (" .. name .. ")", function()
      if not built(name) then return pending(what .. " not here, or cannot be used") end
      local headers = tree.output(("LC_ALL=C readelf -lW '%s'"):format(built(name)))
      assert.matches("LOAD", headers, 1, true)
      assert.no.matches("INTERP", headers, 1, true)
      assert.no.matches("DYNAMIC", headers, 1, true)
      assert.matches("^today is %d+%-%d+%-%d+\n$", run(name))
    end)
  end

  it("is an interpreter, in which a name is looked up in a thread (static_lua_musl)", function()
    if not built "static_lua_musl" then return pending "a Lua for musl is not here" end
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file <close> = assert(io.open(script, "w"))
    assert(file:write [[
      local csock = require "csock"
      print(select(2, coroutine.running()), #assert(csock.getaddrinfo("localhost", 80)) > 0)
      error("no more", 0)
    ]]):close()
    local status, out, err = process.run { built "static_lua_musl", script }
    assert.equal("no more\n", err)
    assert.equal("false\ttrue\n", out)
    assert.equal(1, status)
  end)

  it("is short", function()
    for _, name in ipairs(tree.files("examples/embed", "%.cc?$")) do
      local _, lines = tree.read(name):gsub("\n", "")
      assert.is_true(lines < 100, name)
    end
  end)
end)
