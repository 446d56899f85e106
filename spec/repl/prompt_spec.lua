-- The prompt itself, in a pseudo-terminal: what is typed, and what one sees.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local terminal = require "spec.support.terminal"
local typist = require "spec.support.typist"

describe("the prompt", function()
  local started

  before_each(function() started = {} end)

  after_each(function()
    for _, program in ipairs(started) do program:kill() end
  end)

  local function start(code, options)
    options = options or {}
    options.env = options.env or {}
    options.env.CSOCK_HISTORY, options.env.INPUTRC = "/dev/null", "/dev/null"
    local program = process.lua({ "-e", code or 'os.exit(require "csock.repl".start{}, true)' }, options)
    started[#started + 1] = program
    return program
  end

  local function prompt(code)
    local program = start(code, { pty = true })
    program:expect "csock 1> "
    return program
  end

  it("prints what an expression gives", function()
    local p = prompt()
    p:write "1 + 1\n"
    p:expect "\n2\r\ncsock 2> "
    p:write "_ + 1\n"
    p:expect "\n3\r\ncsock 3> "
  end)

  it("goes on with an input that is not complete", function()
    local p = prompt()
    p:write "for i = 1, 2 do\n"
    p:expect "%.> "
    p:write "print(i) end\n"
    p:expect "\n1\r\n2\r\ncsock 2> "
  end)

  it("serves while nothing is typed, and while a line is half typed", function()
    local p = prompt()
    p:write "s = csock.serve({'127.0.0.1', 0}, function(c) print('a client') c:sendall 'hello' end)\n"
    p:write "s:getsockname().port\n"
    local port = tonumber(p:expect "\n(%d+)\r\n")
    p:expect "> $"
    local first <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 }))
    assert.equal("hello", first:recv(10))
    p:expect "a client"
    p:write "1 + 4"
    p:expect "1 %+ 4"
    local second <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 }))
    assert.equal("hello", second:recv(10))
    p:expect "a client.*1 %+ 4" -- the line is there again
    p:write "1\n"
    p:expect "\n42\r\n"
  end)

  it("ends what waits by Ctrl-C, and a loop of pure Lua, and nothing else", function()
    local p = prompt()
    p:write "ticks = 0 csock.spawn(function() while true do csock.sleep(0.001) ticks = ticks + 1 end end) return\n"
    p:expect "csock 2> "
    for i, input in ipairs { "csock.sleep(60)", "while true do end", "csock.loop.queue():get()" } do
      p:write(input .. " print 'never'\n")
      p:expect "\n"
      p:signal "SIGINT"
      p:expect("interrupted\r\ncsock " .. i + 2 .. "> ")
    end
    p:write "before = ticks csock.sleep(0.05) print(ticks > before)\n"
    p:expect "\ntrue\r\n"
  end)

  it("ends by the second Ctrl-C what catches the first", function()
    local p = prompt()
    for i, what in ipairs { "csock.sleep(60)", "while true do end" } do
      p:write(("while true do pcall(function() print 'again' %s end) end\n"):format(what))
      p:expect "\nagain\r\n"
      p:signal "SIGINT"
      p:expect "again\r\n"
      p:signal "SIGINT"
      p:expect(("interrupted\r\ncsock %d> "):format(i + 1))
    end
  end)

  it("ends commands by Ctrl-C, too", function()
    local p = prompt()
    for _, command in ipairs { ":time csock.sleep(60)", ":bench while true do end", ":bench csock.sleep(60)" } do
      p:write(command .. "\n")
      p:expect "\n"
      p:signal "SIGINT"
      p:expect "interrupted\r\ncsock 1> "
    end
  end)

  it("has :top on another screen, until a key or Ctrl-C", function()
    local p = start(nil, { pty = true, env = { TERM = "xterm" } })
    p:expect "csock 1> "
    for _, key in ipairs { "q", "\3" } do
      p:write ":top\n"
      p:expect "\27%[%?1049h.*0 sockets, 0 tasks, .*Any key ends this%.\r\nid"
      p:write(key)
      p:expect "\27%[%?1049l.*csock 1> "
    end
  end)

  it("gives the terminal back from :top when a signal ends it", function()
    local p = start(nil, { pty = true, env = { TERM = "xterm" } })
    p:expect "csock 1> "
    p:write ":top\n"
    p:expect "\27%[%?1049h.*Any key ends this%.\r\nid"
    p:signal "SIGTERM"
    p:expect "\27%[%?1049l"
    assert.equal("signal " .. posix.SIGTERM, p:wait())
    assert.equal(typist.modes(), terminal.modes(p.stdin))
  end)

  it("says nothing of what is open when it is left", function()
    local p = prompt()
    p:write "a, b = csock.socketpair()\n"
    p:expect "csock 2> "
    p:write "\4"
    assert.equal(0, p:wait())
    assert.is_nil((p.out .. p.err):find "still open")
  end)

  it("clears the line by Ctrl-C, and leaves when it is typed twice at an empty one", function()
    local p = prompt()
    p:write "half a line"
    p:expect "half a line"
    p:write "\3"
    p:expect "csock 1> $"
    p:write "another"
    p:expect "another"
    p:write "\3"
    p:expect "csock 1> $"
    p:write "\3"
    p:expect "Ctrl%-C again, or Ctrl%-D, leaves the prompt%.\r\ncsock 1> "
    p:write "\3"
    assert.equal(0, p:wait())
  end)

  it("forgets by Ctrl-C the lines of an input that is not complete", function()
    local p = prompt()
    p:write "for i = 1, 2 do\n"
    p:expect "%.> "
    p:write "\3"
    p:expect "csock 1> $"
    p:write "1\n"
    p:expect "\n1\r\ncsock 2> "
  end)

  it("is left by Ctrl-D, and the servers end with it", function()
    local p = prompt()
    p:write "s = csock.serve({'127.0.0.1', 0}, print)\n"
    p:expect "csock 2> "
    p:write "\4"
    assert.equal(0, p:wait())
  end)

  it("survives any number of Ctrl-C between inputs", function()
    local p = prompt()
    for i = 1, 20 do
      p:write "csock.sleep(60)\n"
      p:expect "60%)\r\n"
      p:signal "SIGINT"
      p:signal "SIGINT" -- which may be for the line that is typed next
      p:expect "> $"
      local deadline, answer = csock.now() + 10, "\nround " .. i .. "\r\n"
      repeat
        p:write(("print 'round %d'\n"):format(i))
      until pcall(p.expect, p, answer, 1) or csock.now() > deadline
      p:expect "> $"
    end
    p:write "print('here')\n"
    p:expect "\nhere\r\n"
  end)

  it("stays as it is when a handler crashes", function()
    local p = prompt()
    p:write "csock.spawn(function() error 'broken' end)\n"
    p:expect "error in a task: .*broken"
    p:write "1 + 1\n"
    p:expect "\n2\r\n"
  end)

  it("runs a file first", function()
    local path = os.tmpname()
    do
      local file <close> = assert(io.open(path, "w"))
      file:write "greeting = 'hello ' .. ..."
    end
    local p = prompt(([[os.exit(require "csock.repl".start{file = %q, arguments = {"you"}}, true)]]):format(path))
    p:write "greeting\n"
    p:expect '\n"hello you"\r\n'
    os.remove(path)
  end)

  it("lets programs be pasted that run the loop themselves", function()
    local p = prompt()
    p:write "csock.run(function() return 'ran' end)\n"
    p:expect '\n"ran"\r\n'
    p:write "csock.run() print 'went on'\n"
    p:expect "\nwent on\r\n"
  end)

  describe("without a terminal", function()
    local function run(input)
      local p = start(nil)
      p:write(input)
      p:close_stdin()
      local status = p:wait()
      return status, p.out, p.err
    end

    it("prints what comes, and no prompt", function()
      assert.same({ 0, "2\nhello\n", "" }, { run "1 + 1\nfor i = 1, 1 do\nprint 'hello'\nend\n" })
    end)

    it("ends at the first error with status 1", function()
      local status, out, err = run "print 'before'\nerror 'wrong'\nprint 'after'\n"
      assert.equal(1, status)
      assert.equal("before\n", out)
      assert.equal("[2]:1: wrong\n", err)
    end)

    it("ends with status 1 when the last input is not complete", function()
      local status, _, err = run "print 'before'\nfor i = 1, 2 do\n"
      assert.equal(1, status)
      assert.matches("not complete", err)
    end)

    it("is over with its input, whatever serves", function()
      assert.equal(0, (run "s = csock.serve({'127.0.0.1', 0}, print)\n"))
    end)
  end)
end)
