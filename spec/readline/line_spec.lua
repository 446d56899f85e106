-- The life of a line: what it makes of the terminal, and how it ends.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local terminal = require "spec.support.terminal"
local typist = require "spec.support.typist"

if not typist.edits then return end

describe("a line that is typed", function()
  local function assert_restored(p)
    assert.equal(typist.modes(), terminal.modes(p.stdin))
  end

  it("changes the terminal's modes only while it is there", function()
    local p <close> = typist.start()
    assert.not_equal(typist.modes(), terminal.modes(p.stdin))
    p:write "\4"
    p:expect "<end>"
    assert.equal(0, p:wait())
    assert_restored(p)
  end)

  for _, name in ipairs { "SIGTERM", "SIGQUIT" } do
    it("leaves the terminal as it was when " .. name .. " ends the process", function()
      local p <close> = typist.start()
      p:write "half"
      p:expect "half"
      p:signal(name)
      assert.equal("signal " .. posix[name], p:wait())
      assert_restored(p)
    end)
  end

  for _, close in ipairs { "true", "false" } do
    it("leaves the terminal as it was at os.exit, which closes the state: " .. close, function()
      local p <close> = typist.start()
      p:write(("=csock.spawn(function() csock.sleep(0.05) os.exit(3, %s) end)\r"):format(close))
      p:expect "ready> "
      assert.equal(3, p:wait())
      assert_restored(p)
    end)
  end

  it("is shown again when a stopped process goes on, by whomever", function()
    local p <close> = typist.start()
    p:write "half"
    p:expect "half"
    p:signal "SIGSTOP"
    p:signal "SIGCONT"
    p:expect "ready> half"
    p:write " whole\r"
    p:expect "<half whole>"
  end)

  it("waits while Ctrl-Z has stopped the process, and goes on at fg", function()
    local env = typist.environment()
    env.TYPIST, env.PRELOAD, env.PS1, env.ENV = typist.program, env.LD_PRELOAD or "", "shell> ", false
    env.LD_PRELOAD = false
    local p <close> = process.start({ "sh", "-i" }, { pty = true, group = true, env = env })
    p:expect "shell> "
    p:write(("LD_PRELOAD=\"$PRELOAD\" '%s' -e \"$TYPIST\"\n"):format(process.interpreter))
    p:expect "ready> "
    p:write "half"
    p:expect "half"
    p:write "\26"
    p:expect "shell> "
    p:write "stty -a; echo mo'des'\n"
    local modes = p:expect "(speed.-)modes"
    assert.matches(" icanon", modes)
    assert.matches(" echo ", modes)
    assert.matches("intr = ^C", modes, 1, true)
    p:write "fg\n"
    p:expect "ready> half"
    p:write " whole\r"
    p:expect "<half whole>"
    p:expect "ready> "
    p:write "\4"
    p:expect "<end>"
    p:expect "shell> "
  end)

  it("is at its end when the terminal is gone", function()
    local p <close> = typist.start()
    posix.close(p.stdin)
    p.stdin, p.channels = nil, {}
    local status = p:wait()
    assert.is_true(status == 0 or status == "signal " .. posix.SIGHUP, status) -- which comes after the line, or in it
  end)

  it("is at its end at once where standard input is closed", function()
    local status, out = process.run({ "sh", "-c", "exec \"$0\" -e \"$1\" <&-", process.interpreter, typist.program },
      { env = typist.environment() })
    assert.equal("<end>\n", out)
    assert.equal(0, status)
  end)

  it("is at its end when the terminal takes no output any more", function()
    local p <close> = typist.start "posix = require 'spec.support.posix' "
    p:write("=local open = {} for _, fd in ipairs(posix.fds()) do open[fd] = true end ",
      "full = io.open('/dev/full', 'w') for _, fd in ipairs(posix.fds()) do ",
      "if not open[fd] then return posix.dup2(fd, require 'csock.readline'.output()) end end\r")
    p:expect "<end>"
    assert.equal(0, p:wait())
    assert_restored(p)
  end)

  it("belongs to one Lua state of a process, until that is closed", function()
    local p <close> = process.lua({ "-e", [[
      local host = require "spec.support.host"
      local one, two = host(), host()
      one:run "require 'csock.readline'.start 'one> '"
      print(pcall(two.run, two, "require 'csock.readline'.start 'two> '"))
      print(two:run "return tostring(require 'csock.readline'.running())")
      print(two:run "return tostring(require 'csock.readline'.feed())")
      one:close()
      two:run "require 'csock.readline'.start 'two> ' require 'csock.readline'.flush()"
      two:close()
      print "closed"
    ]] }, { pty = true, env = typist.terminal })
    p:expect "false.-another Lua state has the prompt"
    p:expect "false"
    p:expect "nil"
    p:expect "two> "
    p:expect "closed"
    assert.equal(0, p:wait())
    assert_restored(p)
  end)

  it("is one at a time", function()
    local p <close> = typist.start()
    p:write "=csock.spawn(function() print(pcall(require 'csock.readline'.start, '> ')) end)\r"
    p:expect "false.-a line is being typed already"
  end)
end)

describe("keys without a line", function()
  it("are there at once, and the terminal is as it was before", function()
    local p <close> = typist.start()
    p:write "=e.full(function(show, key) show 'which' got = key(10) end) return got\r"
    p:expect "which"
    p:write "q"
    p:expect "<q>"
    p:expect "ready> "
    p:write "=return require 'spec.support.terminal'.modes(0)\r"
    assert.equal(typist.modes(), p:expect "<(%d[%d :]*)>")
  end)

  it("are nil when the time has passed", function()
    local p <close> = typist.start()
    p:write "=e.full(function(_, key) got = key(0.01) end) return got\r"
    p:expect "<nil>"
  end)

  it("leave the terminal as it was when the wait is given up", function()
    local p <close> = typist.start()
    p:write "=return csock.loop.timeout(0.05, e.full, function(_, key) key(10) end)\r"
    p:expect "<nil>"
    p:expect "ready> "
    p:write "\4"
    assert.equal(0, p:wait())
    assert.equal(typist.modes(), terminal.modes(p.stdin))
  end)
end)
