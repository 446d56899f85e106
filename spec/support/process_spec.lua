-- The specs' own tool is judged by programs that are surely right: sh, cat, the interpreter.
local posix = require "spec.support.posix"
local process = require "spec.support.process"

describe("spec.support.process", function()
  it("reads what a program prints, as it comes, and its exit status", function()
    local p <close> = process.start { "sh", "-c", "echo port 1234; echo trouble >&2; exit 3" }
    assert.equal("1234", p:expect "port (%d+)")
    assert.equal("trouble\n", p:expect_err "trouble\n")
    assert.equal(3, p:wait())
  end)

  it("writes to a program until the end of its input", function()
    local p <close> = process.start { "cat" }
    p:write("one\n", "two\n")
    assert.equal("one", p:read_line())
    p:close_stdin()
    assert.equal("two\n", p:read_all())
    assert.equal(0, p:wait())
  end)

  it("runs a program to its end", function()
    local status, out, err = process.run({ "sh", "-c", "cat; echo done >&2" }, { input = "abc" })
    assert.same({ 0, "abc", "done\n" }, { status, out, err })
  end)

  it("says why a program cannot be started", function()
    assert.has_error(function() process.start { "/no/such/program" } end,
      "cannot start /no/such/program: No such file or directory")
  end)

  it("shows the output so far when a pattern does not come", function()
    local p <close> = process.start { "sh", "-c", "echo hello; sleep 100" }
    local ok, err = pcall(p.expect, p, "goodbye", 0.2)
    assert.is_false(ok)
    assert.matches("did not print 'goodbye'\nstandard output so far: hello", err, 1, true)
  end)

  it("signals a program", function()
    local p <close> = process.start { "cat" }
    assert.is_true(p:running())
    p:signal "SIGTERM"
    assert.equal("signal 15", p:wait())
  end)

  it("gives a program its environment and its directory", function()
    local _, out = process.run({ "sh", "-c", "echo $X $HOME $LD_PRELOAD; pwd" },
      { env = { X = "y", HOME = false }, cwd = "/usr" })
    assert.equal("y\n/usr\n", out)
  end)

  it("drives an interactive interpreter in a terminal, with Ctrl-C", function()
    local p <close> = process.lua({ "-i" }, { pty = true })
    p:expect "> "
    -- Not before the chunk runs: until then Lua has not set its handler.
    p:write "print('running') while true do end\n"
    p:expect "\nrunning"
    p:write "\3"
    p:expect "interrupted!"
    p:expect "\n> " -- what is typed before the prompt stands may be lost
    p:write "1 + 1\n"
    p:expect "\n2\r?\n> "
    p:close_stdin()
    assert.equal(0, p:wait())
  end)

  it("ends a whole group of processes", function()
    local p <close> = process.start({ "sh", "-c", "sleep 100 & echo $!; wait" }, { group = true })
    local grandchild = tonumber(p:read_line())
    p:kill()
    local deadline = posix.monotonic() + 5
    while posix.kill(grandchild, 0) and posix.monotonic() < deadline do
      local stat = io.open(("/proc/%d/stat"):format(grandchild))
      local state = stat and stat:read("a"):match("%) (%a)")
      if stat then stat:close() end
      if state == "Z" then return end -- dead, and waiting for its new parent
      posix.sleep(0.01)
    end
    assert.is_nil((posix.kill(grandchild, 0)))
  end)

  it("leaves no descriptor open", function()
    local before = posix.fds()
    do
      local a <close> = process.start { "cat" }
      local b <close> = process.start({ "cat" }, { pty = true })
      local c <close> = process.start({ "cat" }, { merge = true })
      assert.is_true(#posix.fds() > #before)
      assert.is_true(a:running() and b:running() and c:running())
    end
    assert.same(before, posix.fds())
  end)
end)

describe("spec.support.posix", function()
  it("counts signals that a timer sends", function()
    posix.signal(posix.SIGUSR1, "count")
    local timer = posix.timer(posix.SIGUSR1, 0.001, 0.001)
    local deadline = posix.monotonic() + 5
    while posix.signals_seen() < 3 and posix.monotonic() < deadline do posix.sleep(0.01) end
    posix.stop_timer(timer)
    local seen = posix.signals_seen()
    posix.signal(posix.SIGUSR1, "default")
    assert.is_true(seen >= 3)
  end)

  it("lists descriptors in order", function()
    local r, w = posix.pipe()
    local list = posix.fds()
    posix.close(r)
    posix.close(w)
    local sorted = table.move(list, 1, #list, 1, {})
    table.sort(sorted)
    assert.same(sorted, list)
    assert.is_true(r < w and #list >= 5)
  end)
end)
