-- Going into the background: who waits for whom, and what the daemon is.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local E = csock.errno

local dir
before_each(function() dir = assert(posix.mkdtemp()) end)
after_each(function()
  keep.close()
  os.execute("rm -rf '" .. dir .. "'")
end)

local function run(code)
  return keep(process.lua { "-e", [[
    local csock, service = require "csock", require "csock.service"
    ]] .. code })
end

local function alive(pid) return csock.kill(pid, 0) == true end

-- Its fields in /proc/PID/stat from the fourth on: parent, group, session, terminal.
local function stat(pid)
  local file <close> = assert(io.open(("/proc/%d/stat"):format(pid)))
  return file:read("a"):match "%) %a (%d+) (%d+) (%d+) (%-?%d+)"
end

describe("service.daemonize", function()
  it("goes on in a process of its own, when that is ready", function()
    local p = run(([[
      local ready = assert(service.daemonize { umask = 63 })
      local file <close> = assert(service.pidfile "%s/pid")
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        conn:sendall(io.popen("pwd; umask; readlink /proc/" .. csock.getpid() .. "/fd/[0-2]"):read "a")
        csock.loop.stop()
      end))
      print("port " .. server:getsockname().port)
      ready()
      ready()
      print "this is seen by nobody"
      csock.run()
    ]]):format(dir))
    local port = tonumber(p:expect "port (%d+)\n")
    assert.equal(0, p:wait())
    assert.equal(("port %d\n"):format(port), p.out)
    local file <close> = assert(io.open(dir .. "/pid"))
    local pid = file:read "n"
    assert.not_equal(p.pid, pid)
    local parent, group, session, terminal = stat(pid)
    assert.not_equal(p.pid, tonumber(parent))
    assert.equal(group, session)
    assert.not_equal(pid, tonumber(session)) -- no leader: it never gets a terminal
    assert.equal("0", terminal)
    assert.is_false(alive(tonumber(session)))
    local s = keep(csock.create_connection({ "127.0.0.1", port }, { timeout = 5 }))
    local text = s:makefile():read "a"
    assert.equal("/\n0077\n/dev/null\n/dev/null\n/dev/null\n", text)
    serving.eventually(function() return not io.open(dir .. "/pid") end)
  end)

  it("lets the first process end with the daemon's status, when that ends before", function()
    local p = run [[
      local ready = assert(service.daemonize())
      io.stderr:write "no configuration\n"
      os.exit(ready and 7)
    ]]
    assert.equal(7, p:wait())
    assert.equal("no configuration\n", p.err)
    p = run [[
      assert(service.daemonize())
      csock.kill(csock.getpid(), "SIGKILL")
    ]]
    assert.equal(137, p:wait())
    p = run [[
      assert(service.daemonize())
      error "broken"
    ]]
    assert.equal(1, p:wait())
    assert.matches("broken", p.err)
  end)

  it("fails in the first process when it cannot be done", function()
    local p = run [[
      local ready, err, errno = service.daemonize { directory = "/no/such/place" }
      print(ready, err.call, errno)
    ]]
    assert.equal(0, p:wait())
    assert.equal(("nil\tchdir\t%d\n"):format(E.ENOENT), p.out)
  end)

  it("leaves one process behind, and a terminal at once", function()
    local p = keep(process.start({ process.interpreter, "-e", ([[
      local csock, service = require "csock", require "csock.service"
      local ready = assert(service.daemonize())
      assert(service.pidfile "%s/pid")
      ready()
      csock.sleep(60)
    ]]):format(dir) }, { pty = true }))
    assert.equal(0, p:wait())
    local file <close> = assert(io.open(dir .. "/pid"))
    local pid = file:read "n"
    assert.equal("0", (select(4, stat(pid))))
    assert.same({}, serving.children(pid))
    assert.not_equal(tostring(p.pid), (stat(pid)))
    csock.kill(pid, "SIGKILL")
  end)

  it("works in a task", function()
    local p = run [[
      csock.run(function()
        local ready = assert(service.daemonize())
        csock.sleep(0.01)
        ready()
      end)
    ]]
    assert.equal(0, p:wait())
  end)

  it("raises for what is no option", function()
    local service = require "csock.service"
    assert.error_matches(function() service.daemonize { dir = "/" } end, "unknown option 'dir'")
    assert.error_matches(function() service.daemonize { umask = 512 } end, "umask: integer from 0 to 511")
  end)
end)
