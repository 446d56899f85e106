local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local socketserver = require "csock.socketserver"
local serving = require "spec.support.serving"

local program

after_each(function()
  keep.close()
  if not program then return end
  local workers = serving.children(program.pid)
  program:kill()
  for pid in pairs(workers) do posix.kill(pid, posix.SIGKILL) end
  program = nil
end)

-- The handler says in which process it runs, then sends lines back.
local PRELUDE = [[
  local Handler = class("Handler", socketserver.StreamRequestHandler)
  function Handler:handle()
    self.wfile:write(csock.getpid(), "\n")
    for line in self.rfile:lines "L" do self.wfile:write(line) end
  end
  local server = serving.make("PreforkTCPServer", Handler)
  server.workers = 2
]]

local function start(code, options)
  program = serving.start(PRELUDE .. (code or ""), options)
  return program
end

-- A connection, and the process that serves it.
local function connect()
  local client = keep(serving.connect(program))
  local stream = keep(client:makefile("rw", 0))
  local pid = assert(stream:read "n", "no answer")
  assert(stream:read "l")
  return client, pid, stream
end

-- The workers' process ids, as a set, when there are so many of them.
local function workers(count)
  return serving.eventually(function()
    local list, n = serving.children(program.pid), 0
    for _, state in pairs(list) do n = n + (state == "Z" and 100 or 1) end
    return n == count and list
  end)
end

local function gone(pid) return csock.kill(pid, 0) == nil end

for _, mode in ipairs { "a listening socket for each worker", "one for all" } do
  local setting = mode == "one for all" and "server.own_listeners = false\n" or ""

  describe("PreforkMixIn with " .. mode, function()
    it("serves with several processes, each with many clients at once", function()
      start(setting)
      local pids = workers(2)
      local seen, clients = {}, {}
      serving.eventually(function()
        local _, pid, stream = connect()
        assert.is_truthy(pids[pid])
        clients[#clients + 1] = stream
        seen[pid] = true
        return next(seen, next(seen))
      end)
      for i, stream in ipairs(clients) do
        assert(stream:write(i, "\n"))
        assert.equal(i, stream:read "n")
      end
      assert.is_not_nil(clients[2])
    end)

    it("replaces a worker that dies, and says so", function()
      start(setting)
      local before = workers(2)
      local victim = next(before)
      csock.kill(victim, "SIGKILL")
      program:expect_err(("worker %%d %%(process %d%%) ended with %%-9; another one in"):format(victim))
      serving.eventually(function() return gone(victim) end)
      local after = workers(2)
      assert.is_nil(after[victim])
      for _ = 1, 10 do assert.is_truthy(after[select(2, connect())]) end
    end)

    it("lets the workers finish what they are doing on SIGTERM", function()
      start(setting)
      workers(2)
      local _, _, stream = connect()
      program:signal "SIGTERM"
      serving.eventually(function()
        local client = csock.create_connection(program.server_address)
        if client then client:close() end
        return not client
      end)
      assert(stream:write "still here\n")
      assert.equal("still here", stream:read())
      assert.is_true(program:running())
      stream:close()
      keep.close()
      program:expect "served\ttrue\n"
      assert.equal(0, program:wait())
    end)

    it("replaces the workers one by one on SIGHUP, and no client is refused or lost", function()
      start(setting)
      local before = workers(2)
      local old = {}
      for _ = 1, 4 do
        local _, _, stream = connect()
        old[#old + 1] = stream
      end
      program:signal "SIGHUP"
      csock.run(function()
        local done = false
        local asking = csock.spawn(function()
          while not done do
            local client <close> = serving.connect(program)
            local stream <close> = client:makefile("rw", 0)
            assert(stream:read "l")
            assert(stream:write "hi\n")
            assert.equal("hi", stream:read())
          end
        end)
        for _, stream in ipairs(old) do -- those that were there before are served to their end
          assert(stream:write "old\n")
          assert.equal("old", stream:read())
          stream:close()
        end
        keep.close()
        serving.eventually(function()
          for pid in pairs(before) do if not gone(pid) then return false end end
          return true
        end)
        done = true
        assert.is_nil(select(2, asking:join()))
      end)
      local after = workers(2)
      for pid in pairs(before) do assert.is_nil(after[pid]) end
      assert.is_truthy(after[select(2, connect())])
      assert.equal("", program.err)
    end)
  end)
end

describe("PreforkMixIn", function()
  it("keeps each worker until the one that is to replace it has been set up", function()
    start [[
      local broken = false
      function server.worker_setup() if broken then error "on purpose" end end
      loop.on_signal("SIGUSR1", function()
        broken = not broken
        print("broken " .. tostring(broken))
      end)
    ]]
    local before = workers(2)
    connect()
    program:signal "SIGUSR1"
    program:expect "broken true\n"
    program:signal "SIGHUP"
    for _ = 1, 2 do program:expect_err "on purpose\nstack traceback.-worker 1 %(process %d+%) ended with 1; " end
    for _ = 1, 10 do assert.is_truthy(before[select(2, connect())]) end
    keep.close()
    program:signal "SIGUSR1"
    program:expect "broken false\n"
    serving.eventually(function()
      for pid in pairs(before) do if not gone(pid) then return false end end
      return true
    end)
    assert.is_truthy(workers(2)[select(2, connect())])
  end)

  it("ends while it waits for a worker that cannot be set up", function()
    start [[
      local healthy = true
      function server.worker_setup() if not healthy then error "on purpose" end end
      loop.on_signal("SIGUSR1", function()
        healthy = false
        print "broken"
      end)
    ]]
    workers(2)
    connect()
    keep.close()
    program:signal "SIGUSR1"
    program:expect "broken\n"
    program:signal "SIGHUP"
    program:expect_err "on purpose"
    program:signal "SIGTERM"
    program:expect "served\ttrue\n"
    assert.equal(0, program:wait())
  end)

  it("replaces the workers once more after a SIGHUP that comes while they are replaced", function()
    start [[ function server.worker_setup(_, number) print("set up " .. number .. " in " .. csock.getpid()) end ]]
    local old = {}
    for _ = 1, 2 do
      local number, pid = program:expect "set up (%d) in (%d+)\n"
      old[number] = math.tointeger(pid)
    end
    serving.eventually(function() -- somebody whom the first of the old ones must see off
      local _, pid = connect()
      return pid == old["1"]
    end)
    program:signal "SIGHUP"
    program:expect "set up 1 in %d+\n"
    program:signal "SIGHUP"
    keep.close()
    for number in ("2 1 2"):gmatch "%d" do program:expect("set up " .. number .. " in %d+\n") end
    workers(2)
  end)

  it("says so when a worker cannot be started, and tries again", function()
    start [[
      local fork, times = csock.fork, 0
      function csock.fork()
        times = times + 1
        if times <= 3 then return csock.make_error { call = "fork", errno = csock.errno.EAGAIN } end
        return fork()
      end
      server.workers = 1
    ]]
    for _, delay in ipairs { "0.1", "0.2", "0.4" } do
      program:expect_err("worker 1 %(not started%) ended with fork: Resource temporarily unavailable %[EAGAIN%]; "
        .. "another one in " .. delay:gsub("%.", "%%.") .. " s\n")
    end
    assert.is_truthy(workers(1)[select(2, connect())])
  end)

  it("refuses to serve with no number of workers", function()
    for _, count in ipairs { 0, -1, 1.5, "2", true } do
      local server = keep(serving.make "PreforkTCPServer")
      server.workers = count
      assert.error_matches(function() server:serve_forever() end,
        "^PreforkTCPServer%.workers: integer >= 1 expected, got " .. tostring(count):gsub("%p", "%%%0") .. "$")
    end
  end)

  it("waits longer and longer before it replaces a worker that dies at once", function()
    start [[
      function server.worker_setup() error "on purpose" end
      server.workers = 1
    ]]
    for _, delay in ipairs { "0.1", "0.2", "0.4" } do
      program:expect_err "on purpose\nstack traceback"
      program:expect_err("worker 1 %(process %d+%) ended with 1; another one in " .. delay:gsub("%.", "%%.") .. " s\n")
    end
    program:signal "SIGTERM" -- while it waits
    assert.equal(0, program:wait())
  end)

  it("calls worker_setup in each worker, with its number", function()
    start [[ function server.worker_setup(_, number) print("set up " .. number .. " in " .. csock.getpid()) end ]]
    local numbers = {}
    for _ = 1, 2 do
      local number, pid = program:expect "set up (%d) in (%d+)\n"
      numbers[number] = math.tointeger(pid)
    end
    local pids = workers(2)
    assert.is_truthy(pids[numbers["1"]])
    assert.is_truthy(pids[numbers["2"]])
  end)

  it("cannot serve again after SIGTERM, and says so", function()
    start [[
      print("port " .. server.server_address.port)
      print("first", server:serve_forever())
    ]]
    workers(2)
    program:signal "SIGTERM"
    program:expect "first\ttrue\n"
    program:expect "served\tnil\t[^\n]*EBADF"
    assert.equal(0, program:wait())
  end)

  it("has a worker for each processor unless told", function()
    start "server.workers = nil"
    workers(csock.cpu_count())
  end)

  it("is shut down from a handler, which runs in a worker", function()
    start [[
      function Handler:handle()
        self.server:shutdown()
        self.wfile:write "bye\n"
      end
    ]]
    workers(2)
    assert.equal("bye\n", keep(serving.connect(program)):makefile():read "a")
    program:expect "served\ttrue\n"
    assert.equal(0, program:wait())
  end)

  it("is shut down from another task of the process that looks after the workers", function()
    start [[ csock.spawn(function() csock.stream(io.stdin):read() server:shutdown() print "shut down" end) ]]
    workers(2)
    program:write "\n"
    program:expect "served\ttrue\n"
    assert.equal(0, program:wait())
  end)

  it("gives signals back that it handles, and lets the program have them", function()
    start [[
      loop.on_signal("SIGHUP", function() print "mine" end)
      csock.spawn(function()
        csock.stream(io.stdin):read()
        server:shutdown()
      end)
      print("port " .. server.server_address.port)
      server:serve_forever()
      csock.kill(csock.getpid(), "SIGHUP")
      csock.sleep(0.05)
      server.handle_signals = false
      loop.on_signal("SIGTERM", function() print "mine, too" server:shutdown() end)
    ]]
    workers(2)
    program:write "\n"
    program:expect "mine\n"
    workers(2)
    program:signal "SIGTERM"
    program:expect "mine, too\n"
    program:expect "served\ttrue\n"
    assert.equal(0, program:wait())
  end)

  it("kills a worker that does not end in time", function()
    start [[
      server.drain_timeout = 0.1
      function Handler.handle() while true do end end
    ]]
    workers(2)
    keep(serving.connect(program))
    program:signal "SIGTERM"
    program:expect "served\ttrue\n"
    assert.equal(0, program:wait())
  end)

  it("cuts off a client that does not end in time", function()
    start "server.drain_timeout = 0.1"
    workers(2)
    local client = connect()
    program:signal "SIGTERM"
    assert.equal(0, program:wait())
    assert.equal("", client:recv(1))
  end)

  it("leaves no worker behind, whatever ends the process that looks after them", function()
    for _, signal in ipairs { "SIGKILL", "SIGINT" } do
      start()
      local pids = workers(2)
      connect()
      keep.close()
      program:signal(signal)
      program:wait()
      serving.eventually(function()
        for pid in pairs(pids) do if not gone(pid) then return false end end
        return true
      end)
      program = nil
    end
  end)

  it("has no finalizer and no <close> variable of its parent's run in a worker", function()
    start [[
      object = setmetatable({}, { __gc = function() print("finalized in " .. csock.getpid()) end })
      local closing <close> = require("csock.loop.internal").guard(function() print("closed in " .. csock.getpid()) end)
    ]]
    workers(2)
    program:signal "SIGTERM"
    assert.equal(0, program:wait())
    local rest = program.out:gsub("port %d+\n", "")
    assert.equal(("served\ttrue\nclosed in %d\nfinalized in %d\n"):format(program.pid, program.pid), rest)
  end)

  it("fails when the port is taken, by its like as well", function()
    start()
    local server, err = socketserver.PreforkTCPServer(program.server_address, serving.Echo)
    assert.is_nil(server)
    assert.equal("EADDRINUSE", err.name)
  end)

  it("serves a socket that somebody else has made", function()
    program = serving.start [[
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      local server = assert(socketserver.PreforkTCPServer(nil, serving.Echo, { socket = listener }))
      server.workers = 2
    ]]
    workers(2)
    assert.equal("hi", serving.ask_once(program, "hi"))
    program:signal "SIGTERM"
    assert.equal(0, program:wait())
  end)

  it("serves datagrams", function()
    program = serving.start [[
      local server = serving.make("PreforkUDPServer", serving.handler(function(self)
        self.wfile:write("<", self.packet, ">")
      end, socketserver.DatagramRequestHandler))
      server.workers = 2
    ]]
    workers(2)
    for _ = 1, 10 do
      local client = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
      client:settimeout(5)
      assert(client:connect(program.server_address))
      assert(client:send "hi")
      assert.equal("<hi>", client:recv(10))
    end
  end)

  it("serves a path, which it takes away at its end", function()
    local path = os.tmpname()
    os.remove(path)
    program = serving.start(([[
      local server = assert(socketserver.PreforkUnixStreamServer(%q, serving.Echo))
      server.workers = 2
    ]]):format(path))
    program.server_address = path
    workers(2)
    for _ = 1, 4 do assert.equal("hi", serving.ask_once(program, "hi")) end
    program:signal "SIGTERM"
    assert.equal(0, program:wait())
    assert.is_false(csock.is_socket(path))
  end)
end)
