-- What a service manager is told: by datagrams to a socket of this spec's.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local service = require "csock.service"

local E = csock.errno
local LIMIT = 10 * process.slowness

local dir
before_each(function() dir = assert(posix.mkdtemp()) end)
after_each(function()
  keep.close()
  os.execute("rm -rf '" .. dir .. "'")
end)

-- A service manager: its socket, and what NOTIFY_SOCKET is.
local function manager(abstract)
  local s = keep(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
  s:settimeout(LIMIT)
  local name = abstract and ("\0csock-%d-%d"):format(csock.getpid(), math.random(1 << 30)) or dir .. "/notify"
  assert(s:bind(name))
  return s, (name:gsub("^%z", "@"))
end

-- A program that uses csock.service, with such an environment.
local function program(code, env)
  return keep(process.lua({ "-e", [[
    io.stdout:setvbuf "line"
    local csock, service = require "csock", require "csock.service"
    ]] .. code }, { env = env }))
end

describe("service.notify", function()
  it("tells a service manager, at a path or an abstract name", function()
    for _, abstract in ipairs { false, true } do
      local s, name = manager(abstract)
      local p = program([[
        print(service.notify "READY=1\nSTATUS=up")
        print(service.notify { STATUS = "still up", READY = true, MAINPID = 4711 })
      ]], { NOTIFY_SOCKET = name })
      assert.equal("READY=1\nSTATUS=up", s:recv(1000))
      assert.equal("MAINPID=4711\nREADY=1\nSTATUS=still up", s:recv(1000))
      assert.equal(0, p:wait())
      assert.equal("true\ntrue\n", p.out)
      s:close()
    end
  end)

  it("says what systemd-notify says", function()
    if process.run { "sh", "-c", "command -v systemd-notify" } ~= 0 then return pending "no systemd-notify" end
    local s, name = manager()
    local command = { "systemd-notify", "--no-block", "--ready", "--status=up" }
    local status = process.run(command, { env = { NOTIFY_SOCKET = name } })
    assert.equal(0, status)
    local theirs = s:recv(1000)
    program([[service.notify { READY = true, STATUS = "up" }]], { NOTIFY_SOCKET = name })
    local function sorted(text)
      local lines = {}
      for line in text:gmatch "[^\n]+" do
        if not line:find "^MAINPID=" then lines[#lines + 1] = line end -- it speaks for another process
      end
      table.sort(lines)
      return lines
    end
    assert.same(sorted(theirs), sorted(s:recv(1000)))
  end)

  it("tells nobody where nobody listens", function()
    local p = program([[print(service.notify "READY=1", service.barrier(), service.watchdog(), service.forget "x")]],
      { NOTIFY_SOCKET = false, WATCHDOG_USEC = false })
    assert.equal(0, p:wait())
    assert.equal("false\tfalse\tfalse\tfalse\n", p.out)
  end)

  it("fails where the service manager is gone, or is of another kind", function()
    local p = program([[
      print(select(3, service.notify "READY=1"))
    ]], { NOTIFY_SOCKET = dir .. "/none" })
    assert.equal(E.ENOENT, tonumber((p:expect "^(%d+)\n")))
    p = program([[ print(select(3, service.notify "READY=1")) ]], { NOTIFY_SOCKET = "vsock:2:1234" })
    assert.equal(E.EAFNOSUPPORT, tonumber((p:expect "^(%d+)\n")))
  end)

  it("tells the time of a reload by itself", function()
    local s, name = manager()
    program([[
      service.notify { RELOADING = true }
      service.notify "RELOADING=1\nMONOTONIC_USEC=7"
    ]], { NOTIFY_SOCKET = name })
    local microseconds = s:recv(1000):match "^RELOADING=1\nMONOTONIC_USEC=(%d+)$"
    assert.is_true(math.abs(tonumber(microseconds) / 1e6 - csock.now()) < LIMIT)
    assert.equal("RELOADING=1\nMONOTONIC_USEC=7", s:recv(1000))
  end)

  it("raises for what is no state", function()
    local states = { 5, true, { ready = 1 }, { READY = 1.5 }, { STATUS = "a\nb" }, { "READY" }, { STATUS = {} } }
    for _, state in ipairs(states) do
      assert.error_matches(function() service.notify(state) end, "bad argument #1 to 'notify'")
    end
    assert.error_matches(function() service.notify("READY=1", { fd = 1 }) end, "bad argument #2 to 'notify'")
  end)
end)

describe("service.watchdog", function()
  it("tells twice in the time that was set, for as long as the loop turns", function()
    local s, name = manager()
    local p = program([[
      print(service.watchdog() ~= false)
      csock.spawn(function()
        csock.sleep(0.12)
        print "stuck"
        while true do end
      end)
      csock.run()
    ]], { NOTIFY_SOCKET = name, WATCHDOG_USEC = "40000", WATCHDOG_PID = false })
    for _ = 1, 4 do assert.equal("WATCHDOG=1", s:recv(1000)) end
    p:expect "stuck"
    s:settimeout(0.1)
    local last
    repeat last = s:recv(1000) until not last -- what it has told before
    assert.is_nil((s:recv(1000)))
  end)

  it("does not keep the loop running, and is not for another process", function()
    local s, name = manager()
    local p = program([[
      service.watchdog()
      csock.run(function() csock.sleep(0.01) end)
      print "over"
    ]], { NOTIFY_SOCKET = name, WATCHDOG_USEC = "40000000" })
    p:expect "over"
    assert.equal(0, p:wait())
    assert.equal("WATCHDOG=1", s:recv(1000))
    for _, env in ipairs {
      { WATCHDOG_USEC = "40000", WATCHDOG_PID = "1" }, { WATCHDOG_USEC = "x" }, { WATCHDOG_USEC = "0" },
    } do
      env.NOTIFY_SOCKET = name
      assert.equal("false", program("print(service.watchdog())", env):read_line())
    end
  end)
end)

describe("what a service manager keeps", function()
  it("is sent with its name", function()
    local s, name = manager()
    local p = program([[
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      print(listener:getsockname().port)
      print(service.store(listener, "web"), service.forget "web")
      print(service.notify("FDSTORE=1", { fds = { listener, io.stdout } }))
    ]], { NOTIFY_SOCKET = name })
    local port = tonumber(p:read_line())
    local text, fds = csock.recv_fds(s, 1000, 3)
    assert.equal("FDSTORE=1\nFDNAME=web", text)
    local listener = keep(csock.socket { fileno = fds[1] })
    assert.equal(port, listener:getsockname().port)
    assert.equal("FDSTOREREMOVE=1\nFDNAME=web", (csock.recv_fds(s, 1000, 3)))
    text, fds = csock.recv_fds(s, 1000, 3)
    assert.same({ "FDSTORE=1", 2 }, { text, #fds })
    for _, fd in ipairs(fds) do csock.close(fd) end
  end)

  it("has names that fit into a list of them", function()
    for _, name in ipairs { "", "a:b", "a\n", ("x"):rep(256), 5 } do
      assert.error_matches(function() service.store(1, name) end, "bad argument #2 to 'store'")
      assert.error_matches(function() service.forget(name) end, "bad argument #1 to 'forget'")
    end
  end)
end)

describe("service.barrier", function()
  it("waits until the service manager has seen what was told", function()
    local s, name = manager()
    local p = program([[
      service.notify "STOPPING=1"
      print(service.barrier())
      local _, _, errno = service.barrier { timeout = 0.01 }
      print(errno)
    ]], { NOTIFY_SOCKET = name })
    assert.equal("STOPPING=1", s:recv(1000))
    local text, fds = csock.recv_fds(s, 1000, 3)
    assert.same({ "BARRIER=1", 1 }, { text, #fds })
    assert.equal("", p.out)
    csock.close(fds[1])
    p:expect "true\n"
    fds = select(2, csock.recv_fds(s, 1000, 3))
    assert.equal(E.ETIMEDOUT, tonumber((p:expect "(%d+)\n")))
    csock.close(fds[1])
  end)
end)
