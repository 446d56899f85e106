-- csock.h: what programs that have Lua inside call.
local csock = require "csock"
local embed = require "spec.support.embed"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local tree = require "spec.support.tree"

local function host(options) return keep(embed.new(options or {})) end

-- Whether the descriptor is readable now, which nobody waits for.
local function readable(fd) return #csock.select({ fd }, {}, {}, 0) > 0 end

-- Steps until nothing is left to wait for.
local function run(state)
  local steps = 0
  while state:step(-1) > 0 do steps = steps + 1 end
  return steps
end

after_each(keep.close)

describe("a host", function()
  it("has the version of the header, of the library and of Lua's csock alike", function()
    local header = tree.read "csrc/csock.h"
    local text = header:match '#define CSOCK_VERSION%s+"([^"]+)"'
    local major, minor, patch = text:match "^(%d+)%.(%d+)%.(%d+)$"
    assert.equal(major * 10000 + minor * 100 + patch, embed.version)
    assert.equal(embed.version, tonumber(header:match "#define CSOCK_VERSION_NUM%s+(%d+)"))
    assert.equal("csock " .. text, csock._VERSION)
  end)

  it("finds every module without a file, but for those on other libraries", function()
    local state = host()
    for _, path in ipairs(tree.files("lua", "%.lua$")) do
      local name = path:sub(5, -5):gsub("/", ".")
      assert.equal("function", state:run(("return type(package.preload[%q])"):format(name)), name)
    end
    assert.equal("table", state:run "return type(require 'csock.httpserver')")
    assert.matches("csock.tls", (select(2, pcall(state.run, state, "require 'csock.ssl'"))))
  end)

  it("has errors with the modules' names and lines", function()
    local state = host()
    local line = state:run [[
      local info = debug.getinfo(require "csock.serve", "S")
      return info.short_src .. ":" .. info.linedefined
    ]]
    local file = debug.getinfo(require "csock.serve", "S")
    assert.equal("csock.serve:" .. file.linedefined, line)
  end)

  it("has its stack as before after each call", function()
    local state = host()
    state:fd()
    state:waker()
    state:spawn "return 1"
    run(state)
    state:timeout()
    state:push(-1)
    state:stop()
    assert.equal(0, state:depth())
  end)
end)

describe("csock_setup", function()
  it("is too late when csock is open", function() assert.equal(csock.errno.EBUSY, host():setup()) end)

  it("refuses sizes that are none", function() assert.equal(csock.errno.EINVAL, host():setup(3)) end)

  it("bounds the sockets of a state", function()
    local state = host { max_fds = 3 }
    assert.equal("EMFILE", state:run [[
      local csock = require "csock"
      list = { assert(csock.socketpair()) }
      list[3] = assert(csock.socket())
      return select(2, csock.socket()).name
    ]])
    assert.equal("EMFILE", state:run [[ return select(2, list[1]:dup()).name ]])
    assert.equal("socket", state:run [[
      list[1]:close()
      return require "csock.loop" and (list[2]:dup()) and "socket"
    ]])
  end)

  it("bounds the descriptors of a state, whatever they are and however they come", function()
    local state = host { max_fds = 4 }
    assert.equal("4", state:run [[
      csock, a, b = require "csock", assert(require "csock".socketpair())
      -- Takes what there is room for, by f, and gives it back by g; how many that were.
      function count(f, g)
        local list = {}
        for i = 1, 100 do
          local got, err = f()
          if not got then assert(err.name == "EMFILE", err) break end
          list[i] = got
        end
        for _, got in ipairs(list) do g(got) end
        return #list
      end
      local close = function(object) object:close() end
      if csock.epoll then
        assert(count(csock.epoll, close) == 2)
        local ep = csock.epoll()
        assert(count(function() return csock.dup(ep) end, csock.close) == 1)
        ep:close()
      end
      assert(count(function() return csock.dup(a) end, csock.close) == 2)
      assert(count(function() return csock.dup(a) end, function(fd) csock.socket({ fileno = fd }):close() end) == 2)
      assert(count(function()
        local s, err = csock.socket()
        return s and s:detach(), err
      end, csock.close) == 2)
      assert(count(function()
        local fd, err = csock.dup(a)
        return fd and csock.stream(fd, "r"), err
      end, close) == 2)
      local kept = csock.dup(a)
      csock.stream(kept, "r", { closefd = false }):close() -- stays the program's
      assert(count(csock.socket, close) == 1)
      csock.close(kept)
      return 2 + count(csock.socket, close)
    ]])
  end)

  it("receives as many descriptors as there is room for, and says that there were more", function()
    local state = host { max_fds = 4 }
    assert.equal("true", state:run [[
      local csock = require "csock"
      local a, b = assert(csock.socketpair())
      local function fds() return csock.recv_fds(b, 10, 10) end
      csock.send_fds(a, "x", { a, a, a })
      local _, first, flags = fds()
      assert(#first == 2 and flags & csock.MSG_CTRUNC ~= 0)
      csock.send_fds(a, "x", { a })
      local data, none, cut = fds()
      assert(data == "x" and #none == 0 and cut & csock.MSG_CTRUNC ~= 0)
      csock.close(first[1])
      if csock.SO_PASSCRED then b:setsockopt(csock.SOL_SOCKET, csock.SO_PASSCRED, true) end
      csock.send_fds(a, "x", { a, b })
      local _, ancdata, more = b:recvmsg(10, 200)
      local item
      for _, i in ipairs(ancdata) do if i.type == csock.SCM_RIGHTS then item = i.data end end
      assert(#item == 4 and more & csock.MSG_CTRUNC ~= 0)
      csock.close(("i"):unpack(item))
      csock.close(first[2])
      csock.send_fds(a, "x", { a, b })
      local _, last, fine = fds()
      return #last == 2 and fine & csock.MSG_CTRUNC == 0
    ]])
  end)

  it("counts a look-up and a wait for several while they last", function()
    local state = host { max_fds = 3 }
    assert.equal("EMFILE", state:run [[
      local csock = require "csock"
      local a, b, why = csock.socketpair()
      csock.run(function()
        local many = csock.spawn(function() return #csock.select({ a, b }, {}, {}) end)
        csock.yield()
        why = select(2, csock.getaddrinfo("localhost", 80)).name
        b:sendall "x"
        assert(many:join() == 1)
        assert(csock.getaddrinfo("localhost", 80))
      end)
      return why
    ]])
  end)

  it("bounds what is accepted, which waits until there is room", function()
    local state = host { max_fds = 3 }
    assert.equal("3", state:run [[
      local csock = require "csock"
      local n = 0
      csock.run(function()
        local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn) n = n + 1 conn:sendall "x" end))
        for _ = 1, 3 do
          local conn <close> = assert(csock.create_connection(server:getsockname()))
          assert(conn:recv(1) == "x")
        end
      end)
      return n
    ]])
  end)

  it("gives new sockets a timeout", function()
    assert.equal("1.5", host { default_timeout = 1.5 }:run "return require 'csock'.socket():gettimeout()")
  end)

  it("has the host told of errors that nobody joins", function()
    local state = host()
    state:run "require 'csock'.spawn(error, 'oh')"
    run(state)
    assert.matches("^error in a task oh", state:logged())
  end)

  it("has it told of them when all of the loop is there, without the library io", function()
    local state = host()
    state:run "io = nil; require 'csock.loop'.spawn(error, 'oh')"
    run(state)
    assert.matches("^error in a task oh", state:logged())
  end)

  it("has Lua entered by the host", function()
    local state = host()
    state:spawn "return 1"
    run(state)
    assert.is_true(state:entered() > 0)
  end)
end)

describe("csock_spawn", function()
  it("tells of results, errors and being cancelled", function()
    local state = host()
    state:spawn("return 1, ...", "two")
    state:spawn "error('oh', 0)"
    state:spawn "require 'csock.loop'.current():cancel()"
    run(state)
    assert.equal("0:1,two 1:oh 2:", state:ended())
    assert.equal("", state:logged())
  end)

  it("opens csock where nobody has", function()
    local state = host()
    state:spawn "return 1"
    assert.equal(0, state:timeout())
    assert.equal(0, state:step())
    assert.equal("0:1", state:ended())
  end)
end)

describe("csock_step", function()
  it("does what poll(2) says there is to do", function()
    local state = host()
    state:run "csock = require 'csock' a, b = csock.socketpair()"
    state:spawn "return a:recv(10)"
    assert.equal(1, state:step())
    local fd = state:fd() // 1 | 0
    if fd < 0 then return pending "this backend has no descriptor" end
    while readable(fd) do state:step() end
    assert.equal(-1, state:timeout())
    state:run "b:sendall 'hello'"
    assert.is_true(readable(fd))
    assert.equal(0, state:step())
    assert.equal("0:hello", state:ended())
  end)

  it("says for how long there is nothing to do", function()
    local state = host()
    assert.equal(-1, state:timeout())
    state:spawn "require 'csock'.sleep(60)"
    state:step()
    assert.is_true(state:timeout() > 50 and state:timeout() <= 60)
  end)

  it("resumes no further task when the budget is spent, and keeps their order", function()
    local state = host()
    state:run [[
      csock, order = require "csock", {}
      function work(name)
        order[#order + 1] = name
        local began = csock.now()
        while csock.now() - began < 0.001 do end
      end
      for i = 1, 4 do csock.spawn(work, i) end
    ]]
    for i = 1, 4 do
      assert.equal(4 - i, state:step(0, 0.0005))
      assert.equal(tostring(i), state:run "return #order")
    end
    assert.equal("1234", state:run "return table.concat(order)")
  end)

  it("resumes as many tasks as the host allows, whatever they wait for, and nobody waits for ever", function()
    local state = host { step_tasks = 1 }
    state:run [[
      csock, count = require "csock", {}
      local function task(name, wait)
        csock.spawn(function()
          while true do
            wait()
            count[name], all = (count[name] or 0) + 1, (all or 0) + 1
          end
        end)
      end
      local a, b = csock.socketpair()
      task("busy", csock.yield)
      task("timer", function() csock.sleep(1e-9) end)
      task("ping", function() a:sendall "x" a:recv(1) end)
      task("pong", function() b:recv(1) b:sendall "x" end)
    ]]
    local most = 0
    for _ = 1, 300 do
      local before = tonumber(state:run "return all or 0")
      state:step()
      most = math.max(most, tonumber(state:run "return all or 0") - before)
    end
    assert.equal(1, most)
    for _, name in ipairs { "busy", "timer", "ping", "pong" } do
      assert.is_true(tonumber(state:run("return count." .. name)) > 20, name)
    end
  end)

  it("takes several turns of a budget while there is something to do", function()
    local state = host()
    state:spawn "for _ = 1, 50 do require 'csock'.yield() end"
    assert.equal(0, state:step(0, 60))
  end)

  describe("of two who answer each other", function()
    local state

    before_each(function()
      state = host()
      state:run [[
        local csock = require "csock"
        local a, b = csock.socketpair()
        local began = csock.now()
        n = 0
        local function on() n = n + 1 return csock.now() - began < 5 end -- (not for ever)
        csock.spawn(function() while on() do a:sendall "x" a:recv(1) end end)
        csock.spawn(function() while on() do b:recv(1) b:sendall "x" end end)
      ]]
    end)

    it("counts the budget once, however often the poller is asked meanwhile", function()
      assert.equal(2, state:step(0, 0.1))
    end)

    it("resumes one at least, wherever the last step was stopped", function()
      for _ = 1, 20 do
        local before = tonumber(state:run "return n")
        state:step(0, 1e-9)
        assert.is_true(tonumber(state:run "return n") > before)
      end
    end)
  end)

  it("resumes those who are only told of an event, too, in the same step", function()
    local state = host()
    state:run [[
      csock = require "csock"
      a, b = csock.socketpair()
      csock.spawn(function() csock.select({ a }, {}, {}) n = 1 end)
    ]]
    state:step()
    state:run "b:sendall 'x'"
    assert.equal(0, state:step(0, 60))
    assert.equal("1", state:run "return n")
  end)

  it("counts no budget while it waits", function()
    local state = host()
    state:spawn "require 'csock'.sleep(0.05) for _ = 1, 10 do require 'csock'.yield() end"
    state:step()
    assert.equal(0, state:step(-1, 0.04))
  end)

  it("has a task do little in one go where there is a budget", function()
    local state = host()
    state:run [[
      local csock = require "csock"
      n = 0
      listener = csock.create_server({ "127.0.0.1", 0 }, { backlog = 100 })
      list = {}
      for i = 1, 50 do list[i] = assert(csock.create_connection(listener:getsockname())) end
      csock.spawn(function()
        while listener:accept() do n = n + 1 end
      end)
    ]]
    state:step(0, 1e-9)
    local first = tonumber(state:run "return n")
    assert.is_true(first > 0 and first < 20, first)
    for _ = 1, 50 do state:step(0, 1e-9) end
    assert.equal("50", state:run "return n")
  end)

  it("has the reactor serve as many connections as there is time for, and the others next", function()
    local state = host()
    state:run [[
      local csock = require "csock"
      local reactor, protocol = require "csock.reactor", require "csock.protocol"
      local Count = require "csock.class"("Count", protocol.Protocol)
      n, peers = 0, {}
      function Count:dataReceived() n = n + 1 end
      local factory = protocol.Factory()
      function factory:buildProtocol() return Count() end
      local port = reactor.listenTCP(0, factory, 50, "127.0.0.1")
      for i = 1, 30 do peers[i] = assert(csock.create_connection(port:getHost())) end
      csock.spawn(reactor.run)
      step = function() for _, peer in ipairs(peers) do peer:sendall "x" end end
    ]]
    for _ = 1, 20 do state:step() end
    state:run "step()"
    local most, before = 0, 0
    for _ = 1, 300 do
      state:step(0, 1e-9)
      local now = tonumber(state:run "return n")
      most, before = math.max(most, now - before), now
    end
    assert.equal(30, before)
    assert.is_true(most < 10, most)
  end)

  it("gives the error that has ended the run, and goes on after it", function()
    local state = host()
    state:run [[
      csock = require "csock"
      nested = function() csock.loop.run() end
    ]]
    state:spawn "nested()"
    run(state)
    assert.matches("running already", state:ended())
    state:spawn "return 'on'"
    run(state)
    assert.matches("0:on$", state:ended())
  end)
end)

describe("csock_wakeup", function()
  for _, thread in ipairs { false, true } do
    it("ends a wait" .. (thread and " from another thread" or ""), function()
      local state = host { max_fds = 1 }
      local waker = state:waker() // 1 | 0
      assert.equal(waker, state:waker())
      state:spawn "require 'csock'.sleep(60)"
      while state:step() ~= 1 or state:timeout() == 0 do end
      embed.wakeup(waker, thread)
      if state:fd() >= 0 then assert.is_true(readable(state:fd() // 1 | 0)) end
      local began = csock.now()
      assert.equal(1, state:step(-1))
      assert.is_true(csock.now() - began < 30)
    end)
  end

  it("may be called very often", function()
    local state = host()
    local waker = state:waker() // 1 | 0
    for _ = 1, 10000 do embed.wakeup(waker) end
    state:step()
    while state:timeout() == 0 do state:step() end
    if state:fd() >= 0 then assert.is_false(readable(state:fd() // 1 | 0)) end
  end)
end)

describe("csock_post", function()
  for _, from in ipairs { "here", "thread", "signal" } do
    it("has the state call what was posted from " .. from .. ", in its order", function()
      local state = host { max_fds = 1 }
      state:spawn "require 'csock'.sleep(60)"
      state:step()
      for i = 1, 3 do state:post("return " .. i, from) end
      assert.equal("", state:ended())
      while state:ended() == "" do assert.equal(1, state:step(-1)) end
      assert.equal("1 2 3", state:ended())
    end)
  end

  it("reports what a call raises, and goes on", function()
    local state = host()
    state:spawn "require 'csock'.sleep(60)"
    state:post "require('csock.loop').onerror = function(err) message = err end"
    state:post "error('oh', 0)"
    state:post "return message"
    while not state:ended():find "oh" do state:step(-1) end
    assert.equal("nil oh", state:ended())
  end)

  it("lets a call start tasks", function()
    local state = host()
    state:post "require('csock').spawn(function() require('csock').sleep(0); done = true end)"
    while not state:run "return done" do state:step(-1) end
  end)

  it("gives back what nobody called before the end", function()
    for _, ending in ipairs { "stop", "close" } do
      local state = host()
      state:post "return 1"
      state:post "return 2"
      state[ending](state)
      assert.equal("back:return 1 back:return 2", state:ended())
    end
  end)

  it("makes the parent's calls in the parent alone", function()
    local state = host()
    state:post "return 1"
    local pid = assert(csock.fork())
    if pid == 0 then
      local good = state:after_fork() == 0 and state:ended() == "back:return 1"
      state:post "return 2"
      while not state:ended():find "2$" do state:step(-1) end
      csock._exit(good and 0 or 1)
    end
    assert.same(0, csock.waitstatus_to_exitcode(select(2, assert(csock.waitpid(pid)))))
    while state:ended() == "" do state:step() end
    assert.equal("1", state:ended())
  end)
end)

describe("sockets", function()
  it("are handed to the state, and shown to the host", function()
    local state = host()
    local a, b = assert(csock.socketpair())
    local fd = b:detach()
    assert.equal(0, state:push(fd))
    assert.equal(fd, state:to_fd "return pushed")
    state:run "pushed:sendall 'x'"
    assert.equal("x", a:recv(1))
    state:run "pushed:close()"
    assert.equal(-1, state:to_fd "return pushed")
    assert.equal(-1, state:to_fd "return io.stdout")
    a:close()
  end)

  it("are refused where there is none", function()
    local state = host()
    assert.equal(csock.errno.EBADF, state:push(-1))
    local file <close> = assert(io.open "/dev/null")
    local stream <close> = assert(csock.stream(file, "r"))
    assert.equal(csock.errno.ENOTSOCK, state:push(stream:fileno()))
  end)
end)

describe("csock_close", function()
  it("ends all tasks, and tells the host", function()
    local before = posix.fds()
    local state = host()
    state:waker()
    state:spawn [[
      local x <close> = setmetatable({}, { __close = function() closed = true end })
      require "csock".sleep(60)
    ]]
    state:step()
    assert.equal(0, state:stop())
    assert.equal("2:", state:ended())
    assert.equal("true", state:run "return closed")
    assert.equal(0, state:step(-1))
    state:close()
    assert.same(before, posix.fds())
  end)
end)

describe("csock_after_fork", function()
  it("leaves the parent's tasks to the parent", function()
    local state = host()
    local waker = state:waker()
    state:spawn "require 'csock'.sleep(60)"
    state:step()
    local pid = assert(csock.fork())
    if pid == 0 then
      local good = state:after_fork() == 0 and state:step(-1) == 0 and state:waker() >= 0
      state:spawn "return require 'csock'.sleep(0)"
      csock._exit(good and run(state) and state:ended():find "^0:" and 0 or 1)
    end
    assert.same(0, csock.waitstatus_to_exitcode(select(2, assert(csock.waitpid(pid)))))
    assert.equal(1, state:step())
    assert.equal(waker, state:waker())
  end)
end)

describe("a host whose loop watches the descriptors", function()
  local READ, WRITE, HANGUP = 1, 2, 4

  local ECHO = [[
    local csock = require "csock"
    server = csock.serve({ "127.0.0.1", 0 }, function(conn)
      while true do
        local data = conn:recv(65536)
        if not data or data == "" then return end
        conn:sendall(data)
      end
    end)
    return server:getsockname().port
  ]]

  -- One round of a host's loop: waits until something is seen, or is due, and feeds it.
  local function round(state)
    local watched, reads, writes = state:watched(), {}, {}
    for fd, directions in pairs(watched) do
      if directions & READ ~= 0 then reads[#reads + 1] = fd end
      if directions & WRITE ~= 0 then writes[#writes + 1] = fd end
    end
    local due = state:told()
    local inputs, outputs = csock.select(reads, writes, {}, due >= 0 and due or 10)
    for _, fd in ipairs(inputs) do assert.equal(0, state:feed(fd, READ)) end
    for _, fd in ipairs(outputs) do assert.equal(0, state:feed(fd, WRITE)) end
    return state:step(0)
  end

  local function rounds(state, done)
    for n = 1, 10000 do
      if done() then return n end
      round(state)
    end
    error "it never ends"
  end

  it("has no descriptor to be polled, and is told which ones are", function()
    local state = host { watched = true }
    state:run(ECHO)
    state:step(0)
    assert.equal(-1, state:fd())
    local fd = state:run "return server:fileno()"
    assert.same({ [tonumber(fd)] = READ }, state:watched())
  end)

  it("serves clients", function()
    local state = host { watched = true }
    local port = state:run(ECHO)
    state:spawn([[
      local csock, port = require "csock", ...
      local tasks, total = {}, 0
      for i = 1, 20 do
        tasks[i] = csock.spawn(function()
          local conn <close> = assert(csock.create_connection("127.0.0.1", port))
          local text = ("x"):rep(100000)
          csock.spawn(conn.sendall, conn, text)
          local got = 0
          while got < #text do got = got + #assert(conn:recv(65536)) end
          return got
        end)
      end
      for _, task in ipairs(tasks) do total = total + task:join() end
      server:close()
      return total
    ]], port)
    rounds(state, function() return state:ended() ~= "" end)
    assert.equal("0:2000000", state:ended())
  end)

  it("watches on what is soon wanted again, and no longer what nobody wants", function()
    local state = host { watched = true }
    local a, b = csock.socketpair()
    keep(b)
    assert.equal(0, state:push(a:detach()))
    local fd = tonumber(state:run "return pushed:fileno()")
    state:spawn "return pushed:recv(10)"
    state:step(0)
    assert.same({ [fd] = READ }, state:watched())
    b:send "x"
    assert.equal(0, state:feed(fd, READ))
    state:step(0)
    assert.equal("0:x", state:ended())
    assert.same({ [fd] = READ }, state:watched())
    assert.equal(0, state:feed(fd, READ)) -- it is level-triggered; and nobody reads
    assert.same({}, state:watched())
    state:spawn "return pushed:recv(10)"
    state:step(0)
    assert.same({ [fd] = READ }, state:watched())
  end)

  it("says when the next step is due: at once for what was started or fed, in time for what sleeps", function()
    local state = host { watched = true }
    state:run "require 'csock'.loop.due()"
    state:spawn "require 'csock'.sleep(5)"
    assert.equal(0, (state:told()))
    state:step(0)
    local due = state:told()
    assert.is_true(due > 4 and due <= 5)
    state:run "require 'csock'.spawn(function() end)"
    assert.equal(0, (state:told()))
    state:step(0)
    assert.is_true((state:told()) > 4)
    state:stop()
    state:step(0)
    assert.equal(-1, (state:told()))
  end)

  it("is told again after each step, since its timer may have gone off too early", function()
    local state = host { watched = true }
    state:spawn "require 'csock'.sleep(5)"
    state:step(0)
    local _, before = state:told()
    state:step(0)
    local _, after = state:told()
    assert.equal(before + 1, after)
  end)

  it("is no longer to watch what is closed, by the program or with the state", function()
    local state = host { watched = true }
    state:run(ECHO)
    state:run(ECHO:gsub("server", "other"))
    state:step(0)
    state:run "server:close()"
    local fd = tonumber(state:run "return other:fileno()")
    assert.same({ [fd] = READ }, state:watched())
    state:close()
    assert.same({}, state:watched())
  end)

  it("is not believed what it cannot have seen", function()
    local state = host { watched = true }
    assert.equal(csock.errno.EINVAL, state:feed(0, READ)) -- there is no loop
    state:run(ECHO)
    state:step(0)
    local fd = tonumber(state:run "return server:fileno()")
    assert.equal(csock.errno.ENOENT, state:feed(fd + 1, READ))
    assert.equal(csock.errno.ENOENT, state:feed(-1, READ))
    assert.equal(csock.errno.ENOENT, state:feed(1 << 30, READ))
    assert.equal(csock.errno.EINVAL, state:feed(fd, 0))
    assert.equal(csock.errno.EINVAL, state:feed(fd, 8))
    assert.equal(0, state:feed(fd, READ | WRITE | HANGUP)) -- it is none: the task waits on
    state:step(0)
    assert.equal(1, state:step(0))
  end)

  it("can let the program run its loop itself", function()
    local state = host { watched = true }
    assert.equal("hello", state:run [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      return csock.run(function()
        csock.spawn(function()
          csock.sleep(0.01)
          b:sendall "hello"
        end)
        return a:recv(10)
      end)
    ]])
  end)

  it("hears of threads: of csock_wakeup, and of look-ups", function()
    local state = host { watched = true }
    local waker = state:waker()
    state:spawn "return #assert(require 'csock'.getaddrinfo('localhost', 80))"
    rounds(state, function() return state:ended() ~= "" end)
    assert.matches("^0:%d", state:ended())
    local _, before = state:told()
    embed.wakeup(waker, true)
    round(state)
    local _, after = state:told()
    assert.is_true(after > before)
  end)

  it("has the bounds of a step with it", function()
    local state = host { watched = true, step_tasks = 2 }
    state:run "n = 0; for i = 1, 5 do require 'csock'.spawn(function() n = n + 1 end) end"
    state:step(0)
    assert.equal("2", state:run "return n")
    assert.equal(0, (state:told()))
    state:step(0)
    assert.equal("4", state:run "return n")
  end)

  it("watches the same things anew in the child of a fork", function()
    local state = host { watched = true }
    state:run "server = require 'csock'.create_server({ '127.0.0.1', 0 })"
    local accept = "require 'csock'.spawn(function() server:accept() end)"
    state:run(accept)
    state:step(0)
    local fd = tonumber(state:run "return server:fileno()")
    assert.same({ [fd] = READ }, state:watched())
    local pid = assert(csock.fork())
    if pid == 0 then
      local ok = state:after_fork() == 0
      state:feed(fd, READ) -- it is the parent's loop that knows of it
      state:run(accept)
      local _, before = state:told()
      state:step(0)
      local _, after = state:told()
      local same = state:watched()[fd] == READ and after > before
      csock._exit(ok and same and 0 or 1)
    end
    local _, status = csock.waitpid(pid)
    assert.equal(0, csock.waitstatus_to_exitcode(status))
  end)

  it("is one from the beginning, and only once", function()
    local state = host { watched = true }
    assert.equal(csock.errno.EBUSY, state:set_watcher())
    local other = host()
    assert.equal(csock.errno.EINVAL, other:set_watcher(true))
    other:fd()
    assert.equal(csock.errno.EBUSY, other:set_watcher())
  end)
end)
