-- ThreadingMixIn and ForkingMixIn.
local csock = require "csock"
local class = require "csock.class"
local socketserver = require "csock.socketserver"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

after_each(keep.close)

describe("ThreadingMixIn", function()
  it("serves clients side by side", function()
    local server = keep(serving.make "ThreadingTCPServer")
    serving.during(server, function()
      local clients = {}
      for i = 1, 20 do clients[i] = keep(serving.connect(server)) end
      for round = 1, 3 do
        for i = #clients, 1, -1 do
          assert.equal(round .. " " .. i, serving.ask(clients[i], round .. " " .. i))
        end
      end
      for _, client in ipairs(clients) do client:close() end
    end)
  end)

  it("sees to max_connections at once, and to the others as they end", function()
    local Server = class("Server", socketserver.ThreadingTCPServer)
    Server.max_connections = 2
    local now, most, total = 0, 0, 0
    local server = keep(serving.make(Server, serving.handler(function(self)
      now, total = now + 1, total + 1
      most = math.max(most, now)
      self.wfile:write "in\n"
      self.rfile:read()
      now = now - 1
    end)))
    serving.during(server, function()
      local clients = {}
      for i = 1, 6 do
        clients[i] = keep(serving.connect(server))
        clients[i]:settimeout(5)
      end
      for i = 1, 6 do
        assert.equal("in\n", clients[i]:recv(10))
        if i < 5 then assert.same({}, (csock.select({ clients[i + 2] }, nil, nil, 0.01))) end
        clients[i]:close()
      end
    end)
    assert.same({ 2, 6, 0 }, { most, total, now })
  end)

  it("can be shut down while it is full", function()
    local Server = class("Server", socketserver.ThreadingTCPServer)
    Server.max_connections = 1
    local server = keep(serving.make(Server))
    csock.run(function()
      local task = csock.spawn(server.serve_forever, server)
      local client <close> = serving.connect(server)
      assert.equal("hi", serving.ask(client, "hi"))
      server:shutdown()
      assert.is_true(task:join())
    end)
  end)

  it("counts a task no more that is cancelled before it has begun", function()
    local Server = class("Server", socketserver.ThreadingTCPServer)
    Server.max_connections = 1
    local server = keep(serving.make(Server))
    function Server:process_request(...)
      Server.super.process_request(self, ...)
      Server.process_request = nil
      for task in pairs(self._tasks) do
        if type(task) == "userdata" then task:cancel() end
      end
    end
    serving.during(server, function()
      local lost = keep(serving.connect(server))
      assert.equal("hi", serving.ask_once(server, "hi"))
      lost:close()
    end)
  end)

  it("waits for the requests in server_close", function()
    local server = serving.make "ThreadingTCPServer"
    csock.run(function()
      local task = csock.spawn(server.serve_forever, server)
      local client <close> = serving.connect(server)
      assert.equal("hi", serving.ask(client, "hi"))
      server:shutdown()
      task:join()
      local closing = csock.spawn(server.server_close, server)
      csock.sleep(0.01)
      assert.equal("waiting", closing:status())
      assert.equal(-1, server:fileno())
      assert.equal("hi", serving.ask(client, "hi"))
      client:close()
      assert.is_not_equal("cancelled", closing:status())
      closing:join()
      assert.equal("done", closing:status())
    end)
  end)

  it("does not wait with daemon_threads, without block_on_close, and in a handler", function()
    for _, attribute in ipairs { "daemon_threads", "block_on_close", "handler" } do
      local Server = class("Server", socketserver.ThreadingTCPServer)
      if Server[attribute] ~= nil then Server[attribute] = not Server[attribute] end
      local handled
      local server = serving.make(Server, serving.handler(function(self)
        self.wfile:write "in\n"
        if attribute == "handler" then
          self.rfile:read()
          self.server:server_close()
        end
        handled = true
        self.rfile:read "a"
      end))
      csock.run(function()
        local task = csock.spawn(server.serve_forever, server)
        local client, other = keep(serving.connect(server)), keep(serving.connect(server))
        assert.equal("in\n", client:recv(10))
        assert.equal("in\n", other:recv(10))
        server:shutdown()
        task:join()
        if attribute == "handler" then
          client:sendall "close\n"
          serving.eventually(function() return handled end)
        else
          server:server_close()
        end
        assert.equal(-1, server:fileno())
        client:close()
        other:close()
      end)
    end
  end)

  it("does not keep the loop running for handlers with daemon_threads, whatever they wait for", function()
    local Server = class("Server", socketserver.ThreadingTCPServer)
    Server.daemon_threads = true
    local handling
    local server = keep(serving.make(Server, serving.handler(function()
      handling = csock.loop.current()
      csock.sleep(60)
    end)))
    csock.run(function()
      local task = csock.spawn(server.serve_forever, server)
      keep(serving.connect(server))
      serving.eventually(function() return handling end)
      server:shutdown()
      task:join()
    end)
    assert.is_true(csock.run()) -- returns
    assert.equal("waiting", handling:status())
    handling:cancel()
  end)

  it("closes a connection whose task is cancelled", function()
    local tasks = {}
    local server = keep(serving.make("ThreadingTCPServer", serving.handler(function(self)
      tasks[1] = csock.loop.current()
      self.wfile:write "in\n"
      self.rfile:read()
    end)))
    serving.during(server, function()
      local client = keep(serving.connect(server))
      assert.equal("in\n", client:recv(10))
      tasks[1]:cancel()
      assert.equal("", client:recv(10))
    end)
  end)

  it("serves a flood of connections with few descriptors: all of them, in the end", function()
    local program <close> = serving.start([[
      local server = serving.make "ThreadingTCPServer"
      server.request_queue_size = 200
      server:server_activate()
    ]], { descriptors = 20 })
    csock.run(function()
      local clients = {}
      for i = 1, 60 do clients[i] = keep(serving.connect(program)) end
      local served = 0
      for i = 1, 60 do
        csock.spawn(function()
          clients[i]:settimeout(30)
          assert.equal("hi " .. i, serving.ask(clients[i], "hi " .. i))
          clients[i]:close()
          served = served + 1
        end)
      end
      serving.eventually(function() return served == 60 end)
    end)
    assert.is_true(program:running())
    assert.equal("", program.err)
  end)
end)

describe("ForkingMixIn", function()
  local server

  after_each(function()
    if server then server:kill() end
    server = nil
  end)

  local function start(code, options)
    server = serving.start("local server = serving.make('ForkingTCPServer')\n" .. (code or ""), options)
    return server
  end

  it("serves each request in a process of its own", function()
    start [[
      function server.RequestHandlerClass:handle()
        self.wfile:write(csock.getpid(), " ", csock.getppid(), "\n")
        self.rfile:read()
      end
    ]]
    local seen = {}
    for _ = 1, 3 do
      local client = keep(serving.connect(server))
      local pid, parent = client:makefile():read("n", "n")
      assert.equal(server.pid, parent)
      assert.is_nil(seen[pid])
      seen[pid] = true
    end
  end)

  it("serves clients side by side", function()
    start()
    local clients = {}
    for i = 1, 5 do clients[i] = keep(serving.connect(server)) end
    for i = 5, 1, -1 do assert.equal("hi " .. i, serving.ask(clients[i], "hi " .. i)) end
  end)

  it("leaves no zombie, also when no request comes any more", function()
    start()
    for _ = 1, 5 do
      assert.equal("hi", serving.ask_once(server, "hi"))
      serving.eventually(function() return next(serving.children(server.pid)) == nil end)
    end
  end)

  it("leaves no zombie when handle_request is used, nor when a child is killed", function()
    server = serving.start [[
      local server = serving.make "ForkingTCPServer"
      print("port " .. server.server_address[2])
      for _ = 1, 2 do server:handle_request() end
      print "now"
      io.read()
      server:handle_request()
    ]]
    local client = keep(serving.connect(server))
    assert.equal("hi", serving.ask(client, "hi"))
    csock.kill(next(serving.children(server.pid)), "SIGKILL")
    assert.equal("", client:recv(1))
    assert.equal("hi", serving.ask_once(server, "hi"))
    server:expect "now\n"
    serving.eventually(function()
      for _, state in pairs(serving.children(server.pid)) do if state ~= "Z" then return false end end
      return true
    end)
    server:write "\n"
    local last = keep(serving.connect(server))
    assert.equal("hi", serving.ask(last, "hi"))
    serving.eventually(function()
      local count = 0
      for _ in pairs(serving.children(server.pid)) do count = count + 1 end
      return count == 1
    end)
  end)

  it("closes the parent's copy of the connection: the client sees the end as the child ends it", function()
    start()
    local client = keep(serving.connect(server))
    assert.equal("hi", serving.ask(client, "hi"))
    assert(client:shutdown(csock.SHUT_WR))
    assert.equal("", client:recv(1))
  end)

  it("has max_children at once, and serves the others as they end", function()
    start "server.max_children = 2"
    local clients = {}
    for i = 1, 5 do clients[i] = keep(serving.connect(server)) end
    for i = 1, 5 do
      assert.equal("hi", serving.ask(clients[i], "hi"))
      local count = 0
      for _ in pairs(serving.children(server.pid)) do count = count + 1 end
      assert.is_true(count <= 2)
      clients[i]:close()
    end
  end)

  it("can be shut down while it has max_children", function()
    start [[
      server.max_children = 1
      server.block_on_close = false
      loop.on_signal("SIGTERM", function() server:shutdown() end)
    ]]
    local client = keep(serving.connect(server))
    assert.equal("hi", serving.ask(client, "hi"))
    server:signal "SIGTERM"
    server:expect "served\ttrue\n"
    assert.equal(0, server:wait())
  end)

  it("reports a handler that fails, and goes on; the child's exit code says so too", function()
    start [[
      function server.RequestHandlerClass:handle() error "on purpose" end
      local waitpid = csock.waitpid
      function csock.waitpid(...)
        local pid, status = waitpid(...)
        if pid and pid > 0 then print("code " .. csock.waitstatus_to_exitcode(status)) end
        return pid, status
      end
    ]]
    for _ = 1, 3 do
      assert.equal("", keep(serving.connect(server)):recv(1))
      server:expect_err "on purpose\nstack traceback"
      server:expect "code 1\n"
    end
  end)

  -- As CPython 3.11 calls them.
  for what, code in pairs {
    ["a request"] = "",
    ["a handle that fails"] = "function Handler.handle() log 'handle' error 'on purpose' end",
    ["a handle_error that fails"] = [[
      function Handler.handle() log "handle" error "on purpose" end
      function server:handle_error() log "handle_error" error "once more" end]],
  } do
    it("calls the hooks in Python's order, in the parent and in the child, for " .. what, function()
      start([[
        local parent = csock.getpid()
        function log(name) io.write(csock.getpid() == parent and "parent " or "child ", name, "\n"):flush() end
        for _, name in ipairs { "get_request", "verify_request", "process_request", "finish_request", "handle_error",
          "shutdown_request", "close_request", "collect_children" } do
          local hook = server[name]
          server[name] = function(...) log(name) return hook(...) end
        end
        Handler = server.RequestHandlerClass
        for _, name in ipairs { "setup", "handle", "finish" } do
          Handler[name] = function(self)
            log(name)
            Handler.super[name](self)
          end
        end
        server.service_actions = function() end
      ]] .. code .. [[
        print("port " .. server.server_address[2])
        server:handle_request()
        print "seen to"
        server:server_close()
        print "closed"
      ]])
      assert.equal("", keep(serving.connect(server)):recv(1))
      server:expect "closed\n"
      local seen = { parent = {}, child = {} }
      for who, name in server.out:match("^(.-)\nclosed\n"):gmatch "(%l+) ([%l_]+)" do
        if seen[who] then table.insert(seen[who], name) end
      end
      assert.equal("get_request verify_request process_request close_request collect_children",
        table.concat(seen.parent, " "))
      assert.equal("finish_request setup handle finish" .. (code ~= "" and " handle_error" or "")
        .. " shutdown_request close_request", table.concat(seen.child, " "))
    end)
  end

  it("reports a process that cannot be made, closes the connection and goes on", function()
    start [[
      local fork, times = csock.fork, 0
      function csock.fork()
        times = times + 1
        if times <= 3 then return csock.make_error { call = "fork", errno = csock.errno.EAGAIN } end
        return fork()
      end
    ]]
    for _ = 1, 3 do
      assert.equal("", keep(serving.connect(server)):recv(1))
      server:expect_err "fork: Resource temporarily unavailable %[EAGAIN%]\nstack traceback"
    end
    assert.equal("hi", serving.ask_once(server, "hi"))
  end)

  it("leaves by _exit: nothing of the parent's is finalized, closed or written in a child", function()
    start [[
      io.stdout:setvbuf "full"
      io.write "buffered once\n"
      object = setmetatable({}, { __gc = function() print("finalized in " .. csock.getpid()) end })
      local closing <close> = require("csock.loop.internal").guard(function() print("closed in " .. csock.getpid()) end)
      loop.on_signal("SIGTERM", function() server:shutdown() end)
    ]]
    for _ = 1, 3 do assert.equal("hi", serving.ask_once(server, "hi")) end
    server:signal "SIGTERM"
    assert.equal(0, server:wait())
    local out = server.out:gsub("port %d+\n", "")
    assert.equal(("buffered once\nserved\ttrue\nclosed in %d\nfinalized in %d\n"):format(server.pid, server.pid), out)
  end)

  it("writes what a handler prints", function()
    start [[
      io.stdout:setvbuf "full"
      function server.RequestHandlerClass.handle() print "from a child" end
    ]]
    keep(serving.connect(server)):recv(1)
    server:expect "from a child\n"
  end)

  it("is shut down from a handler, which runs in a child", function()
    start [[
      function server.RequestHandlerClass:handle()
        self.server:shutdown()
        self.wfile:write "bye\n"
      end
    ]]
    assert.equal("bye\n", keep(serving.connect(server)):makefile():read "a")
    server:expect "served\ttrue\n"
    assert.equal(0, server:wait())
  end)

  it("waits for the children in server_close with block_on_close", function()
    start [[ loop.on_signal("SIGTERM", function() server:shutdown() end) ]]
    local client = keep(serving.connect(server))
    assert.equal("hi", serving.ask(client, "hi"))
    server:signal "SIGTERM"
    server:expect "served\ttrue\n"
    assert.equal("still here", serving.ask(client, "still here"))
    assert.is_true(server:running())
    serving.eventually(function() -- the children do not listen
      local other = csock.create_connection(server.server_address)
      if other then other:close() end
      return not other
    end)
    client:close()
    assert.equal(0, server:wait())
  end)

  it("ends its children's work on Ctrl-C without a sound from them", function()
    start([[
      print("port " .. server.server_address[2])
      local ok, err = pcall(server.serve_forever, server)
      print(ok, err)
      os.exit(0, true)
    ]], { group = true })
    local client = keep(serving.connect(server))
    assert.equal("hi", serving.ask(client, "hi"))
    assert(csock.kill(-server.pid, "SIGINT"))
    server:expect "false\tinterrupted!\n"
    assert.equal(0, server:wait())
    assert.equal("", client:recv(1))
    assert.equal("", server.err)
    assert.equal(1, select(2, server.out:gsub("interrupted", "")))
  end)

  it("answers datagrams", function()
    server = serving.start [[
      local server = serving.make("ForkingUDPServer", serving.handler(function(self)
        self.wfile:write("<", self.packet, ">")
      end, socketserver.DatagramRequestHandler))
    ]]
    local client = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
    client:settimeout(5)
    assert(client:connect(server.server_address))
    for _ = 1, 3 do
      assert(client:send "hi")
      assert.equal("<hi>", client:recv(10))
    end
    serving.eventually(function() return next(serving.children(server.pid)) == nil end)
  end)

  it("counts and collects the children", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      local serving = require "spec.support.serving"
      local server = serving.make("ForkingTCPServer", serving.handler(function(self) self.rfile:read() end))
      assert(server.active_children == nil)
      server:collect_children()
      local client = serving.connect(server)
      server:handle_request()
      local pid = next(server.active_children)
      server:collect_children()
      assert(next(server.active_children) == pid)
      client:sendall "enough\n"
      server:collect_children { blocking = true }
      assert(next(server.active_children) == nil)
      print(csock.waitpid(pid, csock.WNOHANG))
    ]] }
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("ECHILD", out)
  end)
end)
