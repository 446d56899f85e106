-- Processes of the reactor: what a program gets, what is told of it, and that nothing is left of it.
local class = require "csock.class"
local csock = require "csock"
local loop = require "csock.loop"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local processes = require "spec.support.processes"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local run, sh = processes.run, processes.sh

-- A sanitizer's library: what a shell that starts Lua passes on, and what `ps` does not end with.
local PASSED_ON = { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } }
local PS = "env -u LD_PRELOAD ps"

-- Whether this process has no child that it has not waited for.
local function no_children()
  local pid, _, errno = csock.waitpid(-1, csock.WNOHANG)
  return pid == nil and errno == csock.errno.ECHILD
end

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- Notes what `onerror` is told while `f` runs.
local function errors_of(f)
  local before, errors = loop.onerror, {}
  function loop.onerror(err) table.insert(errors, tostring(err)) end
  local ok, err = xpcall(f, debug.traceback)
  loop.onerror = before
  assert(ok, err)
  return errors
end

describe("reactor.spawnProcess", function()
  local before
  setup(function() processes.run_until(reactor.stop) end) -- what the loop itself has
  before_each(function()
    collectgarbage()
    before = posix.fds()
  end)
  after_each(function()
    collectgarbage()
    assert.same(before, posix.fds())
    assert.is_true(no_children())
  end)

  describe("gives a program", function()
    it("its arguments, as they are", function()
      local argv = { "/bin/sh", "-c", "printf '%s|' \"$0\" \"$@\"", "a b", "", "*", "$HOME" }
      assert.equal("a b||*|$HOME|", run(argv).out)
    end)

    it("its own name, unless told", function()
      local recorder = processes.recorder { processEnded = reactor.stop }
      processes.run_until(function() assert(reactor.spawnProcess(recorder, "/bin/pwd", nil, nil, "/")) end)
      assert.equal("/\n", recorder.out)
    end)

    it("the environment that is given, and nothing else", function()
      assert.equal("A=1\nB==2\n", run({ "env" }, { env = { B = "=2", A = "1" } }).out)
      assert.equal("", run({ "env" }, { env = {} }).out)
      assert.matches("PATH=" .. os.getenv("PATH"):gsub("%p", "%%%0") .. "\n", run({ "env" }).out)
    end)

    it("its working directory", function()
      assert.equal("/usr\n", run({ "pwd" }, { path = "/usr" }).out)
    end)

    it("descriptors that are not ours, and no others", function()
      local foreign <close> = assert(io.open "/dev/null") -- close-on-exec it is not
      local s <close> = assert(csock.socket())
      assert(s:set_inheritable(true) and foreign)
      local list = lines(sh("ls /proc/$$/fd; true").out)
      assert.same({ "0", "1", "2" }, list)
    end)

    it("signals that are neither blocked nor ignored", function()
      local script = [[
        local processes = require "spec.support.processes"
        for name, bits in processes.sh("grep ^Sig /proc/self/status").out:gmatch "Sig(%a+):%s*(%x+)" do
          local usual = 3 << 31 -- the C library's own, which it lets nobody change
          if name == "Ign" or name == "Blk" then io.write(name, tonumber(bits, 16) & ~usual, "\n") end
        end
      ]]
      local argv = { "sh", "-c", "trap '' INT USR1; exec \"$@\"", "sh", process.interpreter, "-e", script }
      local _, out, err = process.run(argv, PASSED_ON)
      assert.equal("Blk0\nIgn0\n", out, err)
    end)

    it("pipes, not sockets, and of its own accord no process group", function()
      local out = sh("readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; " .. PS .. " -o pgid= -p $$").out
      local list = lines(out)
      for i = 1, 3 do assert.matches("^pipe:", list[i]) end
      assert.equal(tostring(posix.getpgid and posix.getpgid() or list[4]), list[4])
    end)

    it("another user and that user's groups", function()
      if csock.geteuid() ~= 0 then return pending "for root alone" end
      local nobody = csock.getpwnam "nobody"
      local text = "id -u; id -g; id -G; touch /root/by_nobody 2>/dev/null && echo written"
      local list = lines(sh(text, { uid = nobody.pw_uid, gid = nobody.pw_gid }).out)
      local groups = csock.getgrouplist("nobody", nobody.pw_gid)
      local expected = { tostring(nobody.pw_uid), tostring(nobody.pw_gid), table.concat(groups, " ") }
      assert.same(expected, list)
      assert.equal("0 12\n", sh("echo $(id -u) $(id -g)", { gid = 12 }).out)
    end)
  end)

  describe("looks for a program", function()
    local dir
    before_each(function()
      dir = os.tmpname()
      os.remove(dir)
      os.execute(("mkdir -p %s/a/tool %s/b %s/c"):format(dir, dir, dir))
      for _, name in ipairs { "b", "c" } do
        local file = assert(io.open(("%s/%s/tool"):format(dir, name), "w"))
        file:write("#!/bin/sh\necho " .. name .. "\n")
        file:close()
      end
      os.execute(("chmod 755 %s/c/tool"):format(dir))
      before = posix.fds()
    end)
    after_each(function() os.execute("rm -rf " .. dir) end)

    it("in the PATH of its environment, and takes the first that runs", function()
      local path = ("%s/none:%s/a:%s/b:%s/c:/bin"):format(dir, dir, dir, dir)
      assert.equal("c\n", run({ "tool" }, { env = { PATH = path } }).out)
    end)

    it("by a path with a slash, seen from its working directory", function()
      assert.equal("c\n", run({ "./tool" }, { path = dir .. "/c" }).out)
      assert.equal("c\n", run({ "c/tool" }, { path = dir }).out)
    end)

    it("in the usual places, where the environment has no PATH", function()
      assert.equal("", run({ "env" }, { env = {} }).out)
    end)

    it("and tells what is wrong with the one that there is", function()
      local recorder = processes.recorder()
      local process_, err, errno = reactor.spawnProcess(recorder, "tool", nil, { PATH = dir .. "/b:" .. dir })
      assert.is_nil(process_)
      assert.equal("EACCES", err.name)
      assert.equal(csock.errno.EACCES, errno)
      assert.same({}, recorder.events)
    end)
  end)

  describe("gives an error, and leaves nothing,", function()
    for what, case in pairs {
      ["when there is no such program"] = { "ENOENT", "no-such-program" },
      ["when there is none at a path"] = { "ENOENT", "/no/such/program" },
      ["when its name is empty"] = { "ENOENT", "" },
      ["when it is a directory"] = { "EACCES", "/usr" },
      ["when its directory is not there"] = { "ENOENT", "/bin/true", path = "/no/such/directory" },
      ["when a descriptor is closed"] = { "EBADF", "/bin/true", childFDs = { [1] = "r", [2] = 999 } },
      ["when a descriptor's number is none"] = { "EINVAL", "/bin/true", childFDs = { [0x7ffffff0] = "r" } },
    } do
      it(what, function()
        local recorder = processes.recorder()
        local got, err = reactor.spawnProcess(recorder, case[2], nil, nil, case.path, nil, nil, nil, case.childFDs)
        assert.is_nil(got)
        assert.equal(case[1], err.name)
        assert.equal(1, tostring(err):find(case[2] .. (case.path and " in " .. case.path or "") .. ": ", 1, true))
        assert.same({}, recorder.events)
        assert.is_true(no_children())
      end)
    end

    it("when descriptors run out, wherever that is", function()
      local script = [[
        local csock = require "csock"
        local processes, reactor = require "spec.support.processes", require "csock.reactor"
        reactor.callLater(0, reactor.stop)
        reactor.run() -- what the loop itself has
        for room = 0, 12 do
          local held = {}
          local function fill()
            local before, s = #held, csock.socket()
            while s do
              held[#held + 1] = s
              s = csock.socket()
            end
            return #held - before
          end
          fill()
          for _ = 1, room do table.remove(held):close() end
          local process, err = reactor.spawnProcess(processes.recorder(), "/bin/true")
          if process then
            assert(room >= 8, room)
            reactor.callLater(0, reactor.stop)
            reactor.run()
            csock.waitpid(process.pid or -1)
          else
            assert(err.name == "EMFILE" and room < 12, tostring(err))
            assert(fill() == room, room)
          end
          for _, s in ipairs(held) do s:close() end
        end
        io.write "fine"
      ]]
      local argv = { "sh", "-c", "ulimit -n 40; exec \"$@\"", "sh", process.interpreter, "-e", script }
      local _, out, err = process.run(argv, PASSED_ON)
      assert.equal("fine", out, err)
    end)
  end)

  describe("tells", function()
    it("of what comes, of each end, of the exit, and in the end that all is over", function()
      local recorder = run({ "cat" }, { on = { connectionMade = function(self)
        self.transport:write "hello"
        self.transport:closeStdin()
      end } })
      assert.equal("hello", recorder.out)
      local place = {} -- which of the ends and the exit comes first is the system's to say
      for i, event in ipairs(recorder.events) do place[event] = i end
      assert.equal(7, #recorder.events)
      assert.equal(1, place.connectionMade)
      assert.is_true(place.outReceived < place.outConnectionLost)
      assert.is_truthy(place.inConnectionLost and place.errConnectionLost and place.processExited)
      assert.equal(7, place.processEnded)
      assert.is_true(recorder.reason:check "ProcessDone" ~= nil)
      assert.equal(0, recorder.reason.value.exitCode)
    end)

    it("connectionMade before spawnProcess returns, of a process that has an id", function()
      local pid
      local recorder = processes.recorder { processEnded = reactor.stop, connectionMade = function(self)
        pid = self.transport.pid
      end }
      local transport = assert(reactor.spawnProcess(recorder, "/bin/true"))
      assert.equal("integer", math.type(pid))
      assert.equal(recorder.transport, transport)
      assert.matches("^<process pid=%d+>$", tostring(transport))
      processes.run_until(function() end)
      assert.is_nil(transport.pid)
      assert.matches("^<process exited>$", tostring(transport))
    end)

    it("with which status it has exited", function()
      local reason = sh("exit 3").reason
      assert.is_truthy(reason:check "ProcessTerminated")
      assert.is_truthy(reason:check(reason.ConnectionLost))
      assert.same({ 3, 768 }, { reason.exitCode, reason.status })
      assert.is_nil(reason.signal)
      assert.equal("A process has ended with a probable error condition: process ended with exit code 3.",
        tostring(reason))
    end)

    it("which signal has ended it", function()
      local reason = sh("kill -9 $$").reason
      assert.same({ 9, 9 }, { reason.signal, reason.status })
      assert.is_nil(reason.exitCode)
      assert.equal("A process has ended with a probable error condition: process ended by signal 9.",
        reason:getErrorMessage())
    end)

    it("processExited as soon as it has, and processEnded when others have closed its pipes, too", function()
      local recorder = sh("cat <&3 & exit 0", { childFDs = { [1] = "r", [3] = "w" }, on = {
        processExited = function(self)
          assert.is_nil(self.transport.pid)
          reactor.callLater(0.05, function()
            self.transport:writeToChild(3, "still here")
            self.transport:closeChildFD(3)
          end)
        end,
      } })
      assert.equal("still here", recorder.out)
      assert.same({ "connectionMade", "processExited", "outReceived", "outConnectionLost", "processEnded" },
        recorder.events)
    end)

    it("of a program that closes all and lives on", function()
      local recorder = sh("exec >&- 2>&-; read line; exec <&-; exit 5", { on = {
        errConnectionLost = function(self) self.transport:write "\n" end,
      } })
      assert.same({
        "connectionMade", "outConnectionLost", "errConnectionLost", "inConnectionLost", "processExited",
        "processEnded",
      }, recorder.events)
      assert.equal(5, recorder.reason.exitCode)
    end)

    it("of the end of standard input when the program closes that, and nothing of what is written then", function()
      local errors = errors_of(function()
        local recorder = sh("exec <&-; sleep 0.05; echo on", { on = {
          connectionMade = function(self) self.transport:write(("x"):rep(300000)) end,
          inConnectionLost = function(self) self.transport:write "more" end,
          outReceived = function(self) self.transport:writeToChild(0, "more") end,
        } })
        assert.equal("on\n", recorder.out)
        assert.equal("inConnectionLost", recorder.events[2])
        assert.equal(0, recorder.reason.exitCode)
      end)
      assert.same({}, errors)
    end)

    it("of a process that is stopped, when it goes on and ends", function()
      local recorder = sh("kill -STOP $$; echo on", { on = {
        connectionMade = function(self)
          local function go_on()
            if not self.transport.pid then return end
            assert(self.transport:signalProcess "CONT")
            reactor.callLater(0.02, go_on)
          end
          reactor.callLater(0.05, go_on)
        end,
      } })
      assert.equal("on\n", recorder.out)
      assert.equal(0, recorder.reason.exitCode)
    end)

    it("of an exit of which somebody else has heard", function()
      local recorder = processes.recorder { processEnded = reactor.stop }
      local transport = assert(reactor.spawnProcess(recorder, "/bin/true"))
      assert(csock.waitpid(transport.pid))
      processes.run_until(function() end)
      assert.is_truthy(recorder.reason:check "ProcessTerminated")
      assert.is_nil(recorder.reason.exitCode or recorder.reason.signal or recorder.reason.status)
    end)

    it("of 200 processes at once, of each its own", function()
      local left, codes = 200, {}
      processes.run_until(function()
        for i = 1, 200 do
          local recorder = processes.recorder { processEnded = function(self, reason)
            codes[i] = { reason.exitCode, self.out }
            left = left - 1
            if left == 0 then reactor.stop() end
          end }
          assert(reactor.spawnProcess(recorder, "/bin/sh", { "sh", "-c", ("echo %d; exit %d"):format(i, i % 100) }))
        end
      end)
      for i = 1, 200 do assert.same({ i % 100, i .. "\n" }, codes[i]) end
    end)

    it("of a process that nobody refers to", function()
      local ended
      processes.run_until(function()
        local recorder = processes.recorder { processEnded = function(self)
          ended = self.out
          reactor.stop()
        end }
        assert(reactor.spawnProcess(recorder, "/bin/sh", { "sh", "-c", "sleep 0.05; echo on" }))
        reactor.callLater(0.01, collectgarbage)
      end)
      assert.equal("on\n", ended)
    end)

    it("goes on with all that while children of fork come and go", function()
      local recorder = sh("sleep 0.05; echo on", { on = { connectionMade = function()
        local pid = assert(csock.fork())
        if pid == 0 then csock._exit(0) end
        csock.waitpid(pid)
      end } })
      assert.equal("on\n", recorder.out)
      assert.equal(0, recorder.reason.exitCode)
    end)
  end)

  describe("maps descriptors:", function()
    it("as many pipes as there are, in both directions", function()
      local got, closed = {}, {}
      local recorder = processes.recorder { processEnded = reactor.stop }
      function recorder.childDataReceived(_, fd, data) got[fd] = (got[fd] or "") .. data end
      function recorder.childConnectionLost(_, fd) closed[#closed + 1] = fd end
      processes.run_until(function()
        local transport = assert(reactor.spawnProcess(recorder, "sh",
          { "sh", "-c", "cat <&3 >&7; cat <&5 >&1" }, nil, nil, nil, nil, nil,
          { [1] = "r", [3] = "w", [5] = "w", [7] = "r" }))
        transport:writeToChild(5, "five")
        transport:writeToChild(3, "three")
        transport:closeChildFD(5)
        transport:closeChildFD(3)
      end)
      assert.equal("three", got[7])
      assert.equal("five", got[1])
      table.sort(closed)
      assert.same({ 1, 3, 5, 7 }, closed)
    end)

    it("our own, files and sockets", function()
      local file = assert(io.tmpfile())
      local a, b = assert(csock.socketpair())
      sh("echo to the file; echo to the socket >&4", { childFDs = { [1] = file, [4] = b } })
      file:seek "set"
      assert.equal("to the file\n", file:read "a")
      assert.equal("to the socket\n", a:recv(100))
      file:close()
      a:close()
      b:close()
    end)

    it("whose numbers are each other's", function()
      local a, b = assert(csock.socketpair())
      local c, d = assert(csock.socketpair())
      local first, second = b:fileno(), d:fileno()
      local text = ("echo first >&%d; echo second >&%d"):format(second, first)
      sh(text, { childFDs = { [second] = first, [first] = second } })
      assert.equal("first\n", a:recv(100))
      assert.equal("second\n", c:recv(100))
      for _, s in ipairs { a, b, c, d } do s:close() end
    end)

    it("and needs no protocol where there are no pipes", function()
      local file = assert(io.tmpfile())
      local transport = assert(reactor.spawnProcess(nil, "echo", { "echo", "hello" }, nil, nil, nil, nil, nil,
        { [1] = file }))
      processes.run_until(function()
        local function look()
          if not transport.pid then return reactor.stop() end
          reactor.callLater(0.01, look)
        end
        look()
      end)
      file:seek "set"
      assert.equal("hello\n", file:read "a")
      file:close()
    end)
  end)

  describe("gives a terminal", function()
    it("which is the process's own", function()
      local script = "tty; test -t 0 && test -t 1 && test -t 2 && " .. PS .. " -o tty= -p $$; exit 4"
      local recorder = sh(script, { usePTY = true })
      local list = lines((recorder.out:gsub("\r", "")))
      assert.matches("^/dev/pts/", list[1])
      assert.equal(list[1]:gsub("^/dev/", ""), list[2])
      assert.equal(4, recorder.reason.exitCode)
      assert.same({ "connectionMade", "outReceived", "processExited", "processEnded" }, recorder.events)
    end)

    it("of a size, which may change", function()
      local recorder = sh("stty size; trap 'stty size; exit' WINCH; echo set; while :; do read line; done", {
        usePTY = { 24, 81 },
        on = { outReceived = function(self)
          if self.out:find "set" then assert(self.transport:setWindowSize(30, 90)) end
        end },
      })
      assert.matches("^24 81\r\nset\r\n30 90", recorder.out)
    end)

    it("whose keys send signals", function()
      local recorder = run({ "sh", "-c", "echo ready; exec sleep 60" }, {
        usePTY = true, on = { outReceived = function(self)
          if self.out:find "ready" then self.transport:write "\3" end
        end },
      })
      assert.equal(2, recorder.reason.signal)
    end)

    it("that is closed as a whole", function()
      local recorder = run({ "sh", "-c", "echo ready; exec sleep 60" }, {
        usePTY = true, on = { outReceived = function(self)
          self.transport:closeStdin()
          self.transport:loseConnection()
        end },
      })
      assert.equal(1, recorder.reason.signal) -- SIGHUP
    end)
  end)

  describe("has a transport that", function()
    it("keeps what does not fit into the pipe, in its order", function()
      local pieces, number = {}, 0
      for i = 1, 40000 do pieces[i] = ("%07d "):format(i) end
      local whole = table.concat(pieces)
      local recorder = run({ "cat" }, { on = { connectionMade = function(self)
        for i = 1, #pieces, 1000 do
          self.transport:writeSequence(table.move(pieces, i, i + 999, 1, {}))
          number = number + 1
        end
        self.transport:closeStdin()
      end } })
      assert.equal(40, number)
      assert.is_true(whole == recorder.out)
    end)

    it("pauses and resumes what comes", function()
      local paused, early = true, false
      local recorder = sh("head -c 1000000 /dev/zero", { on = {
        connectionMade = function(self)
          self.transport:pauseProducing()
          reactor.callLater(0.05, function()
            paused = false
            self.transport:resumeProducing()
          end)
        end,
        outReceived = function() early = early or paused end,
      } })
      assert.is_false(early)
      assert.equal(1000000, #recorder.out)
    end)

    it("has a producer write as fast as the process reads", function()
      local most, sent, calls = 0, 0, 0
      local Producer = class "Producer"
      function Producer:resumeProducing()
        calls = calls + 1
        if sent == 400000 then
          self.transport:unregisterProducer()
          return self.transport:closeStdin()
        end
        sent = sent + 100000
        self.transport:write(("x"):rep(100000))
        most = math.max(most, sent)
      end
      function Producer.stopProducing() end
      local recorder = sh("sleep 0.02; wc -c", { on = { connectionMade = function(self)
        local producer = Producer()
        producer.transport = self.transport
        self.transport:registerProducer(producer, false)
      end } })
      assert.equal(400000, tonumber(recorder.out))
      assert.equal(5, calls)
    end)

    it("tells a producer to stop where there is no standard input", function()
      local stopped
      sh("exit 0", { childFDs = { [1] = "r" }, on = { connectionMade = function(self)
        self.transport:registerProducer({ stopProducing = function() stopped = true end }, true)
        self.transport:unregisterProducer()
        self.transport:write "nowhere"
      end } })
      assert.is_true(stopped)
    end)

    it("closes each descriptor, and all of them", function()
      local recorder = sh("echo one; while echo two 2>/dev/null; do :; done; exit 6", { on = {
        outReceived = function(self) self.transport:closeStdout() end,
      } })
      assert.is_true(recorder.reason.signal == 13 or recorder.reason.exitCode == 6)
      recorder = run({ "cat" }, { on = { connectionMade = function(self)
        self.transport:write "lost"
        self.transport:loseConnection()
        self.transport:loseConnection()
        self.transport:closeStderr()
      end } })
      assert.equal("processEnded", table.remove(recorder.events))
      assert.equal("", recorder.out)
    end)

    for what, signal in pairs { ["a short name"] = "TERM", ["a name"] = "SIGTERM", ["a number"] = 15 } do
      it("sends a signal by " .. what, function()
        local recorder = run({ "sleep", "60" }, { on = { connectionMade = function(self)
          assert.is_true(self.transport:signalProcess(signal))
        end } })
        assert.equal(15, recorder.reason.signal)
      end)
    end

    it("has no signal for a process that has exited", function()
      local recorder, transport = run { "true" }
      local ok, err, errno = transport:signalProcess "KILL"
      assert.is_nil(ok)
      assert.is_truthy(err:check(recorder.reason.ProcessExitedAlready))
      assert.equal(csock.errno.ESRCH, errno)
    end)

    it("has no window without a terminal", function()
      local _, transport = run { "true" }
      local ok, err = transport:setWindowSize(24, 80)
      assert.is_nil(ok)
      assert.equal("EBADF", err.name)
    end)
  end)

  describe("when a callback raises an error,", function()
    local names = { "connectionMade", "inConnectionLost", "outConnectionLost", "processExited", "processEnded" }
    for _, name in ipairs(names) do
      it(("goes on with the rest: %s"):format(name), function()
        local recorder
        local errors = errors_of(function()
          recorder = sh("cat; echo on >&2; exit 2", { on = {
            connectionMade = function(self)
              self.transport:closeStdin()
              if name == "connectionMade" then error("no " .. name, 0) end
            end,
            [name ~= "connectionMade" and name or "none"] = function() error("no " .. name, 0) end,
          } })
        end)
        assert.same({ "no " .. name }, errors)
        assert.equal("on\n", recorder.err)
        assert.equal("processEnded", recorder.events[#recorder.events])
        assert.equal(2, recorder.reason.exitCode)
      end)
    end

    it("closes the pipe that it came from", function()
      local recorder
      local errors = errors_of(function()
        recorder = sh("echo one; sleep 0.02; echo on >&2", { on = {
          outReceived = function() error("no output", 0) end,
        } })
      end)
      assert.same({ "no output" }, errors)
      assert.equal("on\n", recorder.err)
      assert.same({ "connectionMade", "outReceived", "outConnectionLost" }, table.move(recorder.events, 1, 3, 1, {}))
    end)
  end)

  it("leaves a process alone when the reactor stops, closes its pipes, and tells its end in the next run", function()
    local recorder = processes.recorder { connectionMade = function() reactor.callLater(0.02, reactor.stop) end }
    local transport
    processes.run_until(function()
      transport = assert(reactor.spawnProcess(recorder, "sleep", { "sleep", "60" }))
    end)
    assert.is_true(csock.kill(transport.pid, 0))
    table.sort(recorder.events)
    assert.same({ "connectionMade", "errConnectionLost", "inConnectionLost", "outConnectionLost" }, recorder.events)
    assert.is_true(transport:signalProcess "KILL")
    function recorder.processEnded(self, reason)
      self.reason = reason
      reactor.stop()
    end
    processes.run_until(function() end)
    assert.equal(9, recorder.reason.signal)
  end)

  it("holds up no loop when the reactor has stopped", function()
    local transport
    csock.run(function()
      local recorder = processes.recorder { connectionMade = function() reactor.callLater(0, reactor.stop) end }
      processes.run_until(function()
        transport = assert(reactor.spawnProcess(recorder, "sleep", { "sleep", "60" }))
      end)
    end)
    assert(transport:signalProcess "KILL")
    assert(csock.waitpid(transport.pid))
    processes.run_until(function() reactor.callLater(0, reactor.stop) end)
  end)

  it("asks the policy", function()
    local script = [[
      local csock, reactor = require "csock", require "csock.reactor"
      local processes = require "spec.support.processes"
      local allowed = { process = true, file = true }
      csock.policy(function(ask) return allowed[ask.what] and ask.path ~= "/bin/echo" end)
      local function try(...)
        local process, err = reactor.spawnProcess(processes.recorder(), ...)
        io.write(process and "runs" or err.name, "\n")
      end
      try("echo", nil, { PATH = "/bin" })
      try("echo", nil, { PATH = "/bin:/usr/bin" })
      try("true", nil, nil, nil, nil, nil, nil, { [2] = 2 })
      try("true", nil, nil, nil, nil, nil, nil, { [3] = 2 })
      allowed.process = false
      try("true")
      try("true", nil, nil, nil, nil, nil, true)
      try("true", nil, nil, nil, nil, nil, nil, {})
    ]]
    local _, out, err = process.run { process.interpreter, "-e", script }
    assert.equal("EPERM\nruns\nruns\nEPERM\nEPERM\nEPERM\nEPERM\n", out, err)
  end)

  it("raises what is no argument where it was called", function()
    local p, c = protocol.ProcessProtocol(), protocol.ProcessProtocol
    for words, arguments in pairs {
      ["#1 to 'spawnProcess' (process protocol expected"] = { 1, "true" },
      ["#1 to 'spawnProcess' (process protocol expected, "] = { c, "true" },
      ["#1 to 'spawnProcess' (a process without a protocol has no pipes)"] = { nil, "true" },
      ["#2 to 'spawnProcess' (executable: string expected"] = { p, 1 },
      ["#3 to 'spawnProcess' (args: sequence of strings expected"] = { p, "true", { "a\0b" } },
      ["#4 to 'spawnProcess' (env: table of strings expected"] = { p, "true", {}, { ["A=B"] = "1" } },
      ["#5 to 'spawnProcess' (path: string expected"] = { p, "true", {}, {}, 1 },
      ["#6 to 'spawnProcess' (integer: 0 to 2^32 - 2 expected"] = { p, "true", {}, {}, nil, -1 },
      ["#8 to 'spawnProcess' (usePTY: boolean, or {rows, columns} expected"] = { p, "true", {}, {}, nil, nil, nil, {} },
      ["#9 to 'spawnProcess' ([1]: \"r\", \"w\" or a descriptor expected)"] =
        { p, "true", {}, {}, nil, nil, nil, nil, { "x" } },
      ["#9 to 'spawnProcess' (a process with a terminal has no childFDs)"] =
        { p, "true", {}, {}, nil, nil, nil, true, { "r" } },
    } do
      local ok, err = pcall(function() reactor.spawnProcess(table.unpack(arguments, 1, 9)) end)
      assert.is_false(ok)
      assert(err:find("process_spec.lua:%d+: bad argument "), err)
      assert(err:find(words, 1, true), err)
    end
    sh("exit 0", { on = { connectionMade = function(self)
      for _, fd in ipairs { 1, 3 } do
        local ok, err = pcall(function() self.transport:writeToChild(fd, "x") end)
        assert.is_false(ok)
        assert(err:find "process_spec.lua:%d+: descriptor %d of the process is not one to write to", err)
      end
    end } })
  end)
end)
