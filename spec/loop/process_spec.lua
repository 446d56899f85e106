-- fork, waitpid and the rest, and what a forked child has of its parent's loop.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"
local terminal = require "spec.support.terminal"

local children = {}

-- Forks; the child runs `f` and leaves with its result as status (255 when it failed).
local function fork(f)
  local pid = assert(csock.fork())
  if pid > 0 then
    children[pid] = true
    return pid
  end
  local _ <close> = setmetatable({}, { __close = function() csock._exit(255) end })
  local ok, status = xpcall(f, function(err) io.stderr:write(debug.traceback(tostring(err), 2), "\n") end)
  csock._exit(ok and (status or 0) or 255)
end

local function exit_code(pid)
  local got, status = assert(csock.waitpid(pid))
  assert.equal(pid, got)
  children[pid] = nil
  return csock.waitstatus_to_exitcode(status)
end

-- Its state in the process table ("Z": ended, and not waited for), or nil.
local function state_of(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  return file and file:read("a"):match "%) (%a)"
end

local function eventually(condition)
  local deadline = posix.monotonic() + 5 * process.slowness
  while not condition() do
    assert.is_true(posix.monotonic() < deadline, "it did not come about")
    posix.sleep(0.002)
  end
end

after_each(function()
  for pid in pairs(children) do
    posix.kill(pid, posix.SIGKILL)
    posix.waitpid(pid, 5)
  end
  children = {}
  streams.close_all()
end)

describe("fork", function()
  it("gives the parent the child's id, and the child 0", function()
    local parent = csock.getpid()
    local a, b = streams.pair()
    local pid = fork(function() a:sendall(("%d %d"):format(csock.getpid(), csock.getppid())) end)
    assert.equal(("%d %d"):format(pid, parent), b:recv(100))
    assert.equal(0, exit_code(pid))
  end)

  it("writes what Lua's files hold, once", function()
    local status, out = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      io.stdout:setvbuf "full"
      io.write "once\n"
      local pid = csock.fork()
      if pid == 0 then
        io.write "child\n"
        io.stdout:flush()
        csock._exit(0)
      end
      csock.waitpid(pid)
      io.write "parent\n"
    ]] }
    assert.equal(0, status)
    assert.equal("once\nchild\nparent\n", out)
  end)

  for how, run in pairs(streams.ways) do
    it("leaves the parent's other tasks to the parent, " .. how, function()
      local a, b = streams.pair()
      local task = csock.spawn(function()
        csock.sleep(0.01)
        b:sendall "other task\n"
      end)
      run(function()
        local pid = fork(function()
          csock.spawn(function() b:sendall "child's task\n" end)
          csock.sleep(0.05)
          if not csock.loop.current() then csock.run() end
        end)
        assert.equal(0, exit_code(pid))
      end)
      task:join()
      b:close()
      local lines = {}
      for line in a:makefile():lines() do lines[#lines + 1] = line end
      table.sort(lines)
      assert.same({ "child's task", "other task" }, lines)
    end)

    it("gives the child a poller of its own: closing there takes nothing from the parent, " .. how, function()
      run(function()
        local a, b = streams.pair()
        local reader = csock.spawn(function() return a:recv(100) end)
        csock.spawn(function() csock.sleep(0) end):join() -- now it is being waited for
        assert.equal(0, exit_code(fork(function() a:close() end)))
        assert(b:sendall "still here")
        assert.equal("still here", reader:join())
      end)
    end)

    it("lets the child wait for what the parent waited for, " .. how, function()
      run(function()
        local a, b = streams.pair()
        local reader = csock.spawn(function() return a:recv(4) end)
        csock.spawn(function() csock.sleep(0) end):join()
        local pid = fork(function()
          local data
          csock.spawn(function() data = a:recv(5) end):join()
          assert(data == "child", data)
        end)
        reader:cancel()
        assert(b:sendall "child")
        assert.equal(0, exit_code(pid))
      end)
    end)
  end

  it("does not send what the parent's dropped streams hold", function()
    local a, b = streams.pair()
    csock.run(function()
      local task = csock.spawn(function()
        local st = b:makefile "w"
        st:write "held back"
        csock.sleep(60)
      end)
      csock.sleep(0)
      local pid = fork(function()
        csock.sleep(0)
        collectgarbage()
        collectgarbage()
      end)
      assert.equal(0, exit_code(pid))
      assert.same({}, (csock.select({ a }, nil, nil, 0)))
      task:cancel()
    end)
  end)

  it("is not kept waiting by a thread that reads standard input", function()
    local known <close> = io.open "/proc/thread-self/syscall"
    if not known then return pending "it cannot be seen what a thread does" end
    local p <close> = process.lua { "-e", [[
      local csock, host, posix = require "csock", require "spec.support.host", require "spec.support.posix"
      local r, w = posix.pipe()
      local reader = host()
      reader:start(("local stat <close> = io.open '/proc/thread-self/stat'"
        .. "require 'spec.support.posix'.write(%d, stat:read 'l' .. '\\n')"
        .. "return io.read()"):format(w))
      local tid = posix.read(r, 10):match "%d+"
      local function is_in_read() -- of descriptor 0
        local file <close> = io.open(("/proc/self/task/%s/syscall"):format(tid))
        return file:read "a":find "^%d+ 0x0 "
      end
      while not is_in_read() do posix.sleep(0.002) end
      io.write "written once\n"
      local pid = assert(csock.fork())
      if pid == 0 then
        print "child"
        io.stdout:flush()
        csock._exit()
      end
      csock.waitpid(pid)
      print "forked"
      io.stdout:flush()
      print(reader:join())
      reader:close()
    ]] }
    p:expect "^written once\nchild\nforked\n"
    p:write "a line\n"
    p:expect "a line\n"
    assert.equal(0, p:wait())
  end)

  it("has handlers of on_signal in the parent alone", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      csock.run(function()
        local got = csock.loop.event()
        csock.loop.on_signal("SIGUSR1", function() print "parent's handler"; got:set() end)
        csock.loop.on_signal("SIGTERM", function() print "wrong" end)
        local ready, gate = csock.socketpair()
        local pid = csock.fork()
        if pid == 0 then
          csock.loop.on_signal("SIGUSR1", function() print "child's handler"; csock._exit(7) end)
          gate:sendall "."
          csock.sleep(60)
        end
        ready:recv(1)
        csock.kill(pid, "SIGUSR1")
        print(csock.waitstatus_to_exitcode(select(2, csock.waitpid(pid))))
        pid = csock.fork()
        if pid == 0 then
          csock.kill(csock.getpid(), "SIGTERM")
          csock._exit(8)
        end
        print(csock.waitstatus_to_exitcode(select(2, csock.waitpid(pid))))
        csock.kill(csock.getpid(), "SIGUSR1")
        got:wait(5)
      end)
    ]] }
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("child's handler\n7\n-15\nparent's handler\n", out)
  end)

  for kind, prepare in pairs { ["a task"] = function() end, ["a daemon"] = function(task) task:daemon() end } do
    it("lets a child go on in the task that has cancelled another one, whose end forks: " .. kind, function()
      local pid, status, slept
      csock.run(function()
        local cancelled = csock.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() pid = csock.fork() end })
          csock.sleep(60)
        end)
        csock.yield()
        local canceller = csock.spawn(function()
          cancelled:cancel()
          if pid > 0 then return end
          status, slept = csock.loop.current():status(), csock.sleep(0.001)
          csock._exit(status == "running" and slept and 0 or 1)
        end)
        prepare(canceller)
        canceller:join()
      end)
      if pid == 0 then csock._exit(2) end
      children[pid] = true
      assert.equal(0, exit_code(pid))
    end)
  end

  it("keeps a child that a task made in its task, when the program waits for another one", function()
    local status, out = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      local main = csock.spawn(csock.sleep, 60)
      csock.spawn(function()
        local pid = csock.fork()
        if pid == 0 then
          csock.sleep(0.01)
          print "child"
          io.stdout:flush()
          csock._exit(0)
        end
        csock.waitpid(pid)
        main:cancel()
      end)
      main:join()
      print "once"
    ]] }
    assert.equal(0, status)
    assert.equal("child\nonce\n", out)
  end)

  it("lets the child look names up", function()
    csock.run(function() assert(csock.getaddrinfo("localhost", 80)) end)
    csock.run(function()
      assert.equal(0, exit_code(fork(function() assert(csock.getaddrinfo("localhost", 80)) end)))
    end)
  end)
end)

describe("waitpid", function()
  for how, run in pairs(streams.ways) do
    it("waits for a child's end, " .. how, function()
      run(function()
        local a, b = streams.pair()
        local pid = fork(function()
          b:recv(1)
          return 3
        end)
        assert.same({ 0, 0 }, { csock.waitpid(pid, csock.WNOHANG) })
        a:sendall "."
        assert.equal(3, exit_code(pid))
        local none, err, errno = csock.waitpid(pid)
        assert.is_nil(none)
        assert.equal("ECHILD", err.name)
        assert.equal(csock.errno.ECHILD, errno)
      end)
    end)

    it("waits for any child, and for one that was stopped, " .. how, function()
      run(function()
        local pid = fork(function() csock.sleep(60) end)
        csock.kill(pid, "SIGSTOP")
        local got, status = csock.waitpid(-1, csock.WUNTRACED)
        assert.equal(pid, got)
        assert.error_matches(function() csock.waitstatus_to_exitcode(status) end, "has not ended")
        csock.kill(pid, posix.SIGKILL)
        got, status = csock.waitpid(-1)
        assert.equal(pid, got)
        children[pid] = nil
        assert.equal(-9, csock.waitstatus_to_exitcode(status))
      end)
    end)

    it("gives an end that came before the call, " .. how, function()
      run(function()
        local pid = fork(function() return 4 end)
        eventually(function() return state_of(pid) == "Z" or not state_of(csock.getpid()) end)
        assert.equal(4, exit_code(pid))
      end)
    end)
  end

  it("suspends only its own task", function()
    csock.run(function()
      local a, b = streams.pair()
      local pid = fork(function() b:recv(1) end)
      local task = csock.spawn(exit_code, pid)
      csock.sleep(0)
      a:sendall "."
      assert.equal(0, task:join())
    end)
  end)

  it("keeps no descriptor, also when its task is cancelled", function()
    csock.run(function()
      local pid = fork(function() csock.sleep(60) end)
      csock.spawn(csock.sleep, 0):join()
      collectgarbage()
      local before = #posix.fds()
      local task = csock.spawn(csock.waitpid, pid)
      csock.sleep(0)
      task:cancel()
      assert.equal(before, #posix.fds())
      csock.kill(pid, "SIGKILL")
      exit_code(pid)
      assert.equal(before, #posix.fds())
    end)
  end)

  it("stops on Ctrl-C", function()
    local child <close> = process.lua { "-e", [[
      local csock = require "csock"
      local pid = csock.fork()
      if pid == 0 then csock.sleep(60) csock._exit(0) end
      local ok, err = pcall(function()
        print "waiting"
        csock.waitpid(pid)
      end)
      csock.kill(pid, "SIGKILL")
      csock.waitpid(pid)
      print(err)
    ]] }
    child:expect "waiting\n"
    child:signal "SIGINT"
    child:expect "interrupted!"
    assert.equal(0, child:wait())
  end)
end)

describe("kill", function()
  it("takes a signal by its name and by its number", function()
    for _, signal in ipairs { "SIGTERM", posix.SIGTERM } do
      local pid = fork(function() csock.sleep(60) end)
      assert.is_true(csock.kill(pid, signal))
      assert.equal(-15, exit_code(pid))
    end
  end)

  it("finds out with 0 whether a process is there", function()
    assert.is_true(csock.kill(csock.getpid(), 0))
    local pid = fork(function() end)
    exit_code(pid)
    local ok, err = csock.kill(pid, 0)
    assert.is_nil(ok)
    assert.equal("kill: No such process [ESRCH]", tostring(err))
  end)

  it("refuses what is no signal", function()
    assert.error_matches(function() csock.kill(csock.getpid(), "SIGCONT\0x") end, "no such signal")
    assert.error_matches(function() csock.kill(1, "SIGNONE") end, "bad argument #2 to 'kill' %(no such signal%)")
    assert.error_matches(function() csock.kill(1, 1000) end, "bad argument #2 to 'kill'")
    assert.error_matches(function() csock.kill("x", 1) end, "bad argument #1 to 'kill'")
  end)
end)

describe("_exit", function()
  it("ends at once, without finalizers and without what is buffered", function()
    local status, out = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      io.stdout:setvbuf "full"
      io.write "lost"
      object = setmetatable({}, { __gc = function() io.write "finalized" io.stdout:flush() end })
      csock._exit(9)
    ]] }
    assert.equal(9, status)
    assert.equal("", out)
  end)

  it("refuses a status that is none", function()
    assert.error_matches(function() csock._exit(256) end, "bad argument #1 to '_exit'")
  end)
end)

it("cpu_count counts at least one processor", function()
  assert.is_true(csock.cpu_count() >= 1)
end)

it("umask sets the mask of new files and gives the one before", function()
  local before = csock.umask(63)
  assert.equal(63, csock.umask(before))
  assert.error_matches(function() csock.umask(512) end, "bad argument #1 to 'umask'")
end)

-- What a program says in a terminal of its own.
local function in_terminal(code)
  local p = process.lua({ "-e", "csock = require 'csock' io.read() " .. code }, { pty = true })
  assert(terminal.window(p.stdin, 132, 43))
  return p:write "go\n"
end

describe("isatty", function()
  it("tells a terminal from other descriptors", function()
    local p <close> = in_terminal "local s = csock.socket() print('so', csock.isatty(0), csock.isatty(s:fileno()))"
    p:expect "so%s+true%s+false"
  end)

  it("is false for a descriptor that is not open", function()
    assert.is_false(csock.isatty(1000000))
    assert.error_matches(function() csock.isatty(-1) end, "bad argument #1 to 'isatty'")
  end)
end)

describe("get_terminal_size", function()
  it("gives columns and lines, of standard output when none is named", function()
    local p <close> = in_terminal "print('it is', csock.get_terminal_size()) print('also', csock.get_terminal_size(0))"
    p:expect "it is%s+132%s+43"
    p:expect "also%s+132%s+43"
  end)

  it("fails where there is no terminal", function()
    local s <close> = csock.socket()
    local columns, err, number = csock.get_terminal_size(s:fileno())
    assert.is_nil(columns)
    assert.equal(csock.errno.ENOTTY, number)
    assert.matches("^get_terminal_size: ", tostring(err))
  end)
end)
