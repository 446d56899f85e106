-- Prompts in a program that runs, and those who attach.
local csock = require "csock"
local frame = require "csock.repl.frame"
local process = require "spec.support.process"

describe("a program with a prompt", function()
  local started, path, program

  local function start(argv, options)
    local p = process.lua(argv, options)
    started[#started + 1] = p
    return p
  end

  local function serve(options)
    program = start { "-e", ([[
      io.stdout:setvbuf "line"
      csock = require "csock"
      answer = 42
      assert(require "csock.repl".serve(%q, %s))
      print "ready"
      csock.run()
    ]]):format(path, options or "nil") }
    program:expect "ready\n"
  end

  local function attach(options)
    local p = start({ "-e", ("os.exit(require 'csock.repl'.attach(%q), true)"):format(path) }, options)
    if options and options.pty then p:expect "csock 1> " end
    return p
  end

  before_each(function()
    started = {}
    path = os.tmpname()
    os.remove(path)
  end)

  after_each(function()
    for _, p in ipairs(started) do p:kill() end
    os.remove(path)
  end)

  local function raw()
    local conn = assert(csock.socket(csock.AF_UNIX))
    conn:settimeout(10)
    assert(conn:connect(path))
    local stream = assert(conn:makefile "rw")
    conn:close()
    return stream
  end

  -- The next frame of this kind.
  local function take(stream, wanted)
    for word, payload in frame.read, stream do
      if word == wanted then return payload end
    end
  end

  it("evaluates there what is typed here", function()
    serve()
    local p = attach { pty = true }
    p:write "answer + 1\n"
    p:expect "\n43\r\ncsock 2> "
    p:write "answer = 7\n"
    p:expect "csock 3> "
    p:write "print(answer) io.write 'written\\n'\n"
    p:expect "\n7\r\nwritten\r\ncsock 4> "
    p:write "\4"
    assert.equal(0, p:wait())
    assert.equal("", program.unread.out)
  end)

  it("has an input wait for who reads slowly, and loses nothing of what it prints", function()
    serve()
    local stream <close> = raw()
    local text = "for i = 1, 30 do print(('x'):rep(99999)) end io.stdout:write 'printed\\n'"
    stream:write(frame.text("run", text)):flush()
    local got = 0
    for word, payload in frame.read, stream do
      if word == "out" then got = got + #payload end
      if word == "done" then break end
    end
    assert.equal(30 * 100000, got)
    program:expect "printed\n"
  end)

  it("ends the input of one who vanishes, and nothing else", function()
    serve()
    do
      local stream <close> = raw()
      stream:write(frame.text("run", "function tick() while true do csock.sleep(0.01) ticked = true end end")):flush()
      take(stream, "done")
      stream:write(frame.text("run", "tick() &")):flush()
      take(stream, "done")
      stream:write(frame.text("run", [[local function wait()
        local _ <close> = setmetatable({}, { __close = function() io.stdout:write "ended\n" end })
        io.stdout:write "begun\n"
        csock.sleep(60)
      end
      wait()]])):flush()
      program:expect "begun\n"
    end
    program:expect "ended\n"
    local stream <close> = raw()
    stream:write(frame.text("run", "ticked = false csock.sleep(0.1) return ticked")):flush()
    assert.equal("true\n", take(stream, "out"))
  end)

  it("ends by the second Ctrl-C an input that catches the first", function()
    serve "{watchdog = 0.05}"
    local p = attach { pty = true }
    for i, what in ipairs { "csock.sleep(60)", "while true do end" } do
      p:write(("while true do pcall(function() print 'again' %s end) end\n"):format(what))
      p:expect "\nagain\r\n"
      p:write "\3"
      p:expect "again\r\n"
      p:write "\3"
      p:expect(("interrupted\r\ncsock %d> "):format(i + 1))
    end
  end)

  it("keeps several who attach apart", function()
    serve()
    local a, b = attach { pty = true }, attach { pty = true }
    a:write "local mine = 1 print 'for a'\n"
    a:expect "\nfor a\r\ncsock 2> "
    b:write "mine, answer\n"
    b:expect "\nnil, 42\r\n"
    assert.is_nil(b.out:find("for a", 1, true))
  end)

  it("is interrupted there by Ctrl-C here", function()
    serve()
    local p = attach { pty = true }
    p:write "csock.sleep(60)\n"
    p:expect "sleep%(60%)\r\n"
    p:write "\3"
    p:expect "interrupted\r\ncsock 2> "
    p:write "1\n"
    p:expect "\n1\r\n"
  end)

  it("completes with the names that are there", function()
    serve()
    local stream <close> = raw()
    take(stream, "prompt")
    assert(stream:write(frame.text("complete", "1 5\nanswe")):flush())
    assert.equal("answer", take(stream, "list"))
    assert(stream:write(frame.text("complete", "1 8\nio.open('")):flush())
    assert.is_string(take(stream, "list"))
  end)

  it("goes on when one who attached vanishes in the midst of it", function()
    serve()
    do
      local stream <close> = raw()
      take(stream, "prompt")
      assert(stream:write(frame.text("run", "csock.sleep(60)")):flush())
    end
    local p = attach { pty = true }
    p:write "answer\n"
    p:expect "\n42\r\n"
  end)

  it("sends away who says what is no frame, or too long a one", function()
    serve()
    for _, bytes in ipairs {
      "hello\n", ("x"):rep(100), "run 99999999\n", "run -1\n", "run 1e3\n", "dance 0\n", "run 0x10\n",
    } do
      local stream <close> = raw()
      take(stream, "prompt")
      assert(stream:write(bytes):flush())
      local rest = stream:read "a"
      assert.is_true(rest == "" or rest == nil, bytes)
    end
    local p = attach { pty = true }
    p:write "answer\n"
    p:expect "\n42\r\n"
  end)

  it("lets nothing in the background wait for one who does not read", function()
    serve()
    local stream <close> = raw()
    take(stream, "prompt")
    assert(stream:write(frame.text("run", "for i = 1, 100 do print(('x'):rep(100000)) end &")):flush())
    local p = attach { pty = true }
    p:write "answer\n"
    p:expect "\n42\r\n"
    local all, text = 0, ""
    for word, payload in frame.read, stream do
      if word == "out" then all, text = all + #payload, payload end
      if text:find "not taken" then break end
    end
    assert.is_true(all < 10000000)
    assert.matches("bytes were not taken in time", text)
  end)

  it("lets only its own user in", function()
    serve()
    local p <close> = process.start({ "ls", "-l", path }, {})
    assert.matches("^srw%-%-%-%-%-%-%-", (p:read_all()))
  end)

  it("can be looked at while a task of it is in an endless loop", function()
    serve "{ watchdog = 0.05 }"
    local p = attach { pty = true }
    p:write "csock.spawn(function() while true do end end):set_name 'spinner' return\n"
    p:expect "csock 2> "
    p:write ":tasks\n"
    p:expect "spinner"
    p:write ":kill spinner\n"
    p:expect "spinner .* cancelled>\r\ncsock 2> "
    p:write "while true do end\n"
    p:expect "do end\r\n"
    p:write "\3"
    p:expect "interrupted\r\n"
  end)

  it("reads what to do from a pipe, too", function()
    serve()
    local p = attach()
    p:write "answer\nerror 'no'\nanswer\n"
    p:close_stdin()
    assert.equal(1, p:wait())
    assert.matches("^42\n%[1:2%]:1: no\n", p.out)
  end)

  it("says so where there is no such program", function()
    local p = attach()
    assert.equal(1, p:wait())
    assert.matches("^csock: .*No such file", p.err)
  end)
end)
