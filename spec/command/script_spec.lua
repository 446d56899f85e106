-- Programs inside the loop: `csock FILE`, `csock -e CODE`.
local command = require "spec.support.command"

local function ok(arguments, opts)
  local status, out, err = command.run(arguments, opts)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

-- Runs a text as a file.
local function run_file(text, ...)
  local name = command.file(text)
  local status, out, err = command.run({ name, ... })
  return status, out, (err:gsub(name:gsub("%p", "%%%0"), "FILE"))
end

describe("csock FILE", function()
  after_each(command.remove_files)

  it("gives the program its arguments as lua does", function()
    local name = command.file 'print(#arg, arg[0], arg[-1] ~= nil, arg[-3], ...)'
    assert.equal(("2\t%s\ttrue\tnil\ta\tb\n"):format(name), ok { name, "a", "b" })
  end)

  it("leaves options behind the file to the program", function()
    local name = command.file "print(...)"
    assert.equal("-x\t--help\t--\n", ok { name, "-x", "--help", "--" })
  end)

  it("runs it as a task, beside which others go on", function()
    local status, out = run_file [[
      local csock = require "csock"
      csock.spawn(function() print "first" end)
      csock.sleep(0)
      print("then", csock.loop.current() ~= nil)
    ]]
    assert.equal("first\nthen\ttrue\n", out)
    assert.equal(0, status)
  end)

  it("ends when nothing is left to wait for", function()
    local _, out = run_file [[
      local csock = require "csock"
      local server
      server = assert(csock.serve({ "127.0.0.1", 0 }, function() server:close() print "closed" end))
      csock.spawn(function() assert(csock.create_connection(server:getsockname())):recv(1) end)
      print "the script has ended"
    ]]
    assert.equal("the script has ended\nclosed\n", out)
  end)

  it("lets a program call csock.run, which waits until nothing else is left", function()
    local status, out = run_file [[
      local csock = require "csock"
      csock.spawn(function() csock.sleep(0.01) print "over" end)
      print(csock.run())
      print(csock.run(function(a) csock.sleep(0.01) return a, 2 end, 1))
      print(pcall(csock.run, function() error("wrong", 0) end))
      csock.spawn(function() csock.loop.stop() end)
      csock.spawn(csock.sleep, 1000)
      print(csock.run())
    ]]
    assert.equal("over\ntrue\n1\t2\nfalse\twrong\ntrue\n", out)
    assert.equal(0, status)
  end)

  it("is over when a program ends that has called csock.run, whatever is left", function()
    local status, out = run_file [[
      local csock = require "csock"
      csock.spawn(csock.sleep, 1000)
      csock.spawn(csock.loop.stop)
      csock.run()
      print "stopped"
    ]]
    assert.equal("stopped\n", out)
    assert.equal(0, status)
  end)

  it("runs what runs the reactor", function()
    assert.equal("tick\nafter\n", ok { "-e", [[
      local reactor = require "csock.reactor"
      reactor.callLater(0.01, function() print "tick" reactor.stop() end)
      reactor.run()
      print "after"
    ]] })
  end)

  it("ends with an error's traceback as lua's and status 1, also while servers run", function()
    local status, out, err = run_file [[
      local csock = require "csock"
      assert(csock.serve({ "127.0.0.1", 0 }, print))
      local guard <close> = setmetatable({}, { __close = function() print "closed" end })
      csock.spawn(function() local _ <close> = guard csock.sleep(1000) end)
      csock.sleep(0)
      local function f() error "boom" end
      f()
    ]]
    assert.equal(1, status)
    assert.equal("closed\nclosed\n", out)
    assert.equal("csock: FILE:6: boom\nstack traceback:\n\t[C]: in function 'error'\n\tFILE:6: in local 'f'\n"
      .. "\tFILE:7: in main chunk\n\t[C]: in ?\n", (err:gsub("function <FILE:5>", "local 'f'")))
  end)

  it("tells an error of csock's in one line", function()
    local status, _, err = run_file 'assert(require "csock".create_connection{"127.0.0.1", 1})'
    assert.equal(1, status)
    assert.equal("csock: create_connection ('127.0.0.1', 1): Connection refused [ECONNREFUSED]\n", err)
  end)

  it("names what is raised and has no text", function()
    local status, _, err = run_file "error {}"
    assert.equal(1, status)
    assert.matches("^csock: %(error object is a table value%)\n", err)
  end)

  it("says what is wrong with a file that it cannot run", function()
    local status, _, err = command.run { "./nothing.lua" }
    assert.equal(1, status)
    assert.matches("^csock: cannot open %./nothing%.lua[^\n]*\n$", err)
    status, _, err = run_file "x ="
    assert.equal(1, status)
    assert.matches("^csock: FILE:1: [^\n]*\n$", err)
  end)

  it("goes on after an error in another task", function()
    local status, out, err = run_file [[
      local csock = require "csock"
      csock.spawn(error, "in a task")
      csock.sleep(0.01)
      print "on"
    ]]
    assert.equal("on\n", out)
    assert.matches("in a task", err)
    assert.equal(0, status)
  end)

  it("lets os.exit end it, with its status", function()
    assert.equal(7, (run_file "os.exit(7)"))
    assert.equal(1, (run_file "os.exit(false, true)"))
  end)

  it("reads a program from standard input for -", function()
    assert.equal("hello\tstdin\n", ok({ "-", "hello" },
      { input = "#!/usr/bin/env csock\nprint(..., debug.getinfo(1).short_src)" }))
  end)
end)

describe("csock -e", function()
  it("runs several pieces of code, in which csock and its names are there", function()
    assert.equal("1\t2\ttrue\ttrue\n",
      ok { "-e", "a = 1", "-e", "print(a, AF_INET, csock.spawn == spawn, url == require 'csock.url')" })
  end)

  it("runs before the file, with the same arguments", function()
    local name = command.file "print(x, ...)"
    assert.equal("5\targument\n", ok { "-ex = 5", name, "argument" })
    command.remove_files()
  end)

  it("leaves a file behind it to Lua's own names, and shares globals with it", function()
    local name = command.file "print(a, csock, AF_INET)"
    assert.equal("1\tnil\tnil\n", ok { "-e", "a = AF_INET and 1", name })
    command.remove_files()
  end)

  it("leaves Lua's own names alone, and tells what is none", function()
    assert.equal("true\tnil\n", ok { "-e", "print(select == _G.select and select('#') == 0, nothing)" })
  end)
end)

describe("Ctrl-C", function()
  for what, code in pairs {
    ["a loop of pure Lua"] = "while true do end",
    ["a program that yields"] = "while true do yield() end",
    ["a program that waits"] = "csock.create_server{'127.0.0.1', 0}:accept()",
    ["a server whose program has ended"] = "serve({'127.0.0.1', 0}, print)",
    ["a program that runs the loop"] = "serve({'127.0.0.1', 0}, print) run()",
  } do
    it("ends " .. what .. " by SIGINT, quietly", function()
      local p <close> = command.start { "-e", "print 'ready' io.stdout:flush()", "-e", code }
      p:expect "ready\n"
      p:signal "SIGINT"
      assert.equal("signal 2", p:wait())
      assert.equal("", p.err)
    end)
  end

  it("is status 130 for a shell", function()
    local _, out = command.run_in_shell('"$@"; echo $?', { "-e", "kill(getpid(), 'SIGINT') sleep(1000)" })
    assert.equal("130\n", out)
  end)

  it("closes what the program has open", function()
    local p <close> = command.start { "-e", [[
      local file <close> = setmetatable({}, { __close = function() print "closed" end })
      setmetatable({}, { __gc = function() print "collected" end })
      print "ready" io.stdout:flush()
      sleep(1000)
    ]] }
    p:expect "ready\n"
    p:signal "SIGINT"
    assert.equal("signal 2", p:wait())
    assert.equal("ready\nclosed\ncollected\n", p.out)
  end)

  it("can be caught by the program", function()
    local p <close> = command.start { "-e", "print 'ready' io.stdout:flush() print(pcall(sleep, 1000)) print 'on'" }
    p:expect "ready\n"
    p:signal "SIGINT"
    assert.equal(0, p:wait())
    assert.matches("^false\t[^\n]*interrupted!\non\n$", p.unread.out)
  end)
end)

describe("a reader that goes away", function()
  it("ends the program quietly", function()
    local status, out, err = command.run_in_shell('{ "$@"; echo $? >&2; } | head -n 1',
      { "-e", "for i = 1, 1e7 do print(i) end" })
    assert.equal("1\n", out)
    assert.equal("141\n", err)
    assert.equal(0, status)
  end)
end)
