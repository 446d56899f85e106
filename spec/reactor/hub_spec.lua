-- The hub: one task that serves many sockets.
local csock = require "csock"
local internal = require "csock.loop.internal"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local loop, hub = csock.loop, internal.hub

-- Runs `f` in a task, bounded.
local function in_task(f)
  return csock.run(function() return assert(loop.timeout(10 * process.slowness, f)) end)
end

-- A pair of sockets of which the first is for the hub.
local function pair()
  local a, b = assert(csock.socketpair())
  a:settimeout(0)
  return a, b
end

-- All that the hub has to tell in one turn: "name:r", "name:w" or "name:rw" of what is ready,
-- "name:sent" and the like else.
local function served()
  local list = {}
  while true do
    local object, method, readable, writable = hub.serve()
    if not object then return list end
    assert.equal(object, hub.served())
    if method == "ready" then method = (readable and "r" or "") .. (writable and "w" or "") end
    if method == "broken" then method = method .. " " .. readable.name end
    list[#list + 1] = object.name .. ":" .. method
    if object.serve then object.serve() end
  end
end

local function turn(timeout)
  hub.wait(timeout or 5)
  return served()
end

describe("the hub", function()
  local sockets

  local function watched(name, reading, writing, serve)
    local a, b = pair()
    sockets[#sockets + 1], sockets[#sockets + 2] = a, b
    assert(hub.add(a, { name = name, socket = a, serve = serve }, reading, writing))
    return a, b
  end

  before_each(function() sockets = {} end)
  after_each(function()
    for _, s in ipairs(sockets) do
      hub.remove(s)
      s:close()
    end
    assert.same({}, hub.objects())
  end)

  it("gives the object of a socket that has become readable", function()
    in_task(function()
      local _, b = watched("a", true, false)
      watched("silent", true, false)
      assert(b:send("x"))
      assert.same({ "a:r" }, turn())
      return true
    end)
  end)

  it("gives it again in the next turn as long as something is left to read", function()
    in_task(function()
      local a, b = watched("a", true, false)
      assert(b:send("xyz"))
      assert.same({ "a:r" }, turn())
      assert.equal("x", a:recv(1))
      assert.same({ "a:r" }, turn())
      assert.equal("yz", a:recv(100)) -- a short read: nothing is left
      assert.same({}, turn(0))
      assert(b:send("more"))
      assert.same({ "a:r" }, turn())
      return true
    end)
  end)

  it("tells of room to write only while it is asked to", function()
    in_task(function()
      local a = watched("a", false, true)
      assert.same({ "a:w" }, turn())
      assert(hub.add(a, { name = "a" }, true, false))
      assert.same({}, turn(0))
      return true
    end)
  end)

  it("tells of room when a full socket has some again", function()
    in_task(function()
      local a, b = watched("a", true, true)
      while a:send(("x"):rep(65536)) do end
      assert.same({}, turn(0))
      b:settimeout(0)
      while b:recv(65536) do end
      assert.same({ "a:w" }, turn())
      return true
    end)
  end)

  it("gives what came while nobody asked, as soon as somebody asks", function()
    in_task(function()
      local a, b = watched("a", false, false)
      assert(b:send("x"))
      assert.same({}, turn(0))
      assert(hub.add(a, { name = "again" }, true, false))
      assert.same({ "again:r" }, turn())
      return true
    end)
  end)

  it("serves each socket once before the first one again", function()
    in_task(function()
      for _, name in ipairs { "a", "b" } do
        local a, b
        a, b = watched(name, true, false, function() a:recv(1) end)
        assert(b:send("123"))
      end
      for _ = 1, 3 do
        local list = turn()
        table.sort(list)
        assert.same({ "a:r", "b:r" }, list)
      end
      return true
    end)
  end)

  it("forgets a socket that another one's turn closes", function()
    in_task(function()
      local a, b, peer_a, peer_b
      local count = 0
      local function close_both()
        count = count + 1
        hub.remove(a)
        hub.remove(b)
        a:close()
        b:close()
      end
      a, peer_a = watched("a", true, false, close_both)
      b, peer_b = watched("b", true, false, close_both)
      assert(peer_a:send("x"))
      assert(peer_b:send("x"))
      turn()
      assert.equal(1, count)
      assert.same({}, turn(0))
      return true
    end)
  end)

  it("outlives a socket that is closed without a word", function()
    in_task(function()
      local a, peer = watched("a", true, false)
      local b, other = watched("b", true, false)
      assert(peer:send("x"))
      assert(other:send("x"))
      hub.wait(5)
      a:close()
      assert.same({ "b:r" }, served())
      b:close()
      assert.same({}, turn(0))
      return true
    end)
  end)

  it("refuses a socket that is closed", function()
    local s = assert(csock.socket())
    s:close()
    local ok, err = hub.add(s, {}, true, false)
    assert.is_nil(ok)
    assert.equal("EBADF", err.name)
  end)

  it("wants an object, and a socket", function()
    local s <close> = assert(csock.socket())
    assert.error_matches(function() hub.add(s, nil, true) end, "#2.*object expected")
    assert.error_matches(function() hub.add(io.stdout, {}, true) end, "csock.socket expected")
  end)

  it("is waited for in a task", function()
    assert.error_matches(function() hub.wait(0) end, "outside a task")
  end)

  it("ends its wait when the time is out", function()
    in_task(function()
      watched("a", true, false)
      local before = csock.now()
      hub.wait(0.02)
      assert.is_true(csock.now() - before >= 0.02)
      assert.is_nil((hub.serve()))
      return true
    end)
  end)

  it("ends its wait when another task wakes it", function()
    in_task(function()
      watched("a", true, false)
      csock.spawn(hub.wake)
      hub.wait(60)
      return true
    end)
  end)

  it("keeps the loop running, other than a task that waits for a task", function()
    local woken = false
    local a, b = watched("a", true, false)
    csock.spawn(function()
      hub.wait()
      woken = true
    end)
    csock.spawn(function()
      csock.sleep(0)
      assert(b:send("x"))
    end)
    csock.run()
    assert.is_true(woken)
    assert.equal("x", a:recv(1))
  end)

  it("lets other tasks have their turn though its sockets are always ready", function()
    in_task(function()
      watched("a", false, true)
      local turns = 0
      csock.spawn(function()
        for _ = 1, 10 do
          csock.sleep(0)
          turns = turns + 1
        end
      end)
      for _ = 1, 12 do assert.same({ "a:w" }, turn()) end
      assert.equal(10, turns)
      return true
    end)
  end)

  it("keeps no object that was removed", function()
    local a = pair()
    local object = setmetatable({}, { __mode = "k" })
    object[a] = true
    do
      local kept = {}
      object[kept] = true
      assert(hub.add(a, kept, true, false))
      assert.same({ kept }, hub.objects())
    end
    hub.remove(a)
    a:close()
    collectgarbage()
    collectgarbage()
    local n = 0
    for key in pairs(object) do n = n + (type(key) == "table" and 1 or 0) end
    assert.equal(0, n)
  end)

  describe("receives and sends:", function()
    local got

    -- A connection whose protocol keeps what it is given, in `got`, and calls `react(object, data)`.
    local function connected(name, react)
      local a, b = pair()
      sockets[#sockets + 1], sockets[#sockets + 2] = a, b
      local object = { name = name, socket = a, waiting = {}, protocol = {} }
      function object.waits(self, bytes) table.insert(self.waiting, bytes) end
      function object.protocol.dataReceived(_, data)
        table.insert(got, name .. ":" .. data)
        if react then react(object, data) end
      end
      assert(hub.connect(a, object, true))
      return object, b
    end

    before_each(function() got = {} end)

    it("what comes goes to the protocol", function()
      in_task(function()
        local _, b = connected "a"
        assert(b:send "one")
        assert.same({}, turn())
        assert(b:send "two")
        assert.same({}, turn())
        assert.same({ "a:one", "a:two" }, got)
        assert.is_nil((hub.served()))
        return true
      end)
    end)

    it("what came with a new connection is received before the poller knows of it", function()
      in_task(function()
        local _, b = connected("a", function(object)
          hub.write(object, "bye")
          hub.remove(object.socket)
          object.socket:close()
        end)
        assert(b:send "first")
        assert.same({}, turn())
        assert.same({ "a:first" }, got)
        assert.equal("", b:recv(10))
        local c, d = connected "c"
        assert(hub.connect(c.socket, c, false)) -- changes its mind meanwhile
        assert(d:send "x")
        turn(0)
        assert.equal(1, #got)
        assert(hub.connect(c.socket, c, true))
        turn()
        assert.same({ "a:first", "c:x" }, got)
        return true
      end)
    end)

    it("what the protocol writes leaves when it returns, in one piece", function()
      in_task(function()
        local seen
        local _, b = connected("a", function(object)
          hub.write(object, "x")
          hub.write(object, "yz")
          seen = hub.unsent(object.socket)
        end)
        b:settimeout(0)
        assert(b:send "go")
        assert.same({}, turn())
        assert.equal(3, seen)
        assert.equal("xyz", b:recv(10))
        return true
      end)
    end)

    it("what is written elsewhere leaves at the turn's end, in one piece", function()
      in_task(function()
        local other, theirs = connected "b"
        local _, b = connected("a", function() hub.write(other, "x") end)
        hub.write(other, "w")
        assert(b:send "go")
        assert.same({}, turn())
        hub.write(other, "yz")
        assert.equal(4, hub.unsent(other.socket))
        assert.equal("wxyz", theirs:recv(10))
        assert.equal(0, hub.unsent(other.socket))
        return true
      end)
    end)

    it("or when it is told to", function()
      in_task(function()
        local a, b = connected "a"
        b:settimeout(0)
        hub.write(a, "now")
        hub.flush()
        assert.equal("now", b:recv(10))
        return true
      end)
    end)

    it("much leaves at once, behind what waits", function()
      in_task(function()
        local a, b = connected "a"
        b:settimeout(0)
        local much = ("x"):rep(20000)
        hub.write(a, much)
        assert.equal(much, b:recv(65536))
        hub.write(a, "first")
        hub.write(a, much)
        assert.equal("first" .. much, b:recv(65536))
        return true
      end)
    end)

    it("what the peer does not take follows when it does, in order", function()
      in_task(function()
        local a, b = connected "a"
        local sent, size = {}, 0
        while hub.unsent(a.socket) < 1000000 do
          sent[#sent + 1] = ("%07d,"):format(#sent):rep(#sent % 3 == 0 and 5000 or 50)
          size = size + #sent[#sent]
          hub.write(a, sent[#sent])
        end
        local task = csock.spawn(function() return b:recv(size, csock.MSG_WAITALL) end)
        while hub.unsent(a.socket) > 0 do assert.same({}, turn()) end
        assert.is_true(task:join() == table.concat(sent))
        return true
      end)
    end)

    it("objects that wish it are told when all is sent, and what waits meanwhile", function()
      in_task(function()
        local a, b = connected "a"
        hub.tell(a.socket, true)
        assert.same({}, turn(0))
        hub.tell(a.socket, true, true)
        assert.same({ "a:sent" }, turn())
        hub.write(a, "x")
        hub.write(a, "yz")
        assert.same({ 1, 3 }, a.waiting)
        assert.same({ "a:sent" }, turn())
        assert.equal("xyz", b:recv(10))
        hub.write(a, ("x"):rep(20000))
        assert.same({ "a:sent" }, turn())
        hub.tell(a.socket, true, true)
        hub.write(a, "more") -- then not all is sent
        hub.tell(a.socket, false)
        assert.same({}, turn(0))
        return true
      end)
    end)

    it("one whose protocol makes that happen is told in the same turn", function()
      in_task(function()
        local _, b = connected("a", function(object)
          hub.tell(object.socket, true, true)
          hub.write(object, "bye")
        end)
        assert(b:send "x")
        assert.same({ "a:sent" }, turn())
        return true
      end)
    end)

    it("tells of the end of a stream, and of what is broken", function()
      in_task(function()
        local a, b = connected "a"
        b:close()
        assert.same({ "a:finished" }, turn())
        hub.remove(a.socket)
        for _, much in ipairs { "x", ("x"):rep(20000) } do
          local c, d = connected "c"
          assert(hub.connect(c.socket, c, false)) -- so that it does not see the end
          d:close()
          hub.write(c, much)
          hub.write(c, "ignored")
          local list
          repeat list = turn() until #list > 0
          assert.same({ "c:broken EPIPE" }, list)
          assert.equal(0, hub.unsent(c.socket))
        end
        return true
      end)
    end)

    it("ignores what is written after shut", function()
      in_task(function()
        local a, b = connected "a"
        b:settimeout(0)
        hub.write(a, "x")
        hub.shut(a.socket)
        hub.write(a, "y")
        turn(0)
        assert.is_nil((b:recv(10)))
        assert(b:send "still received")
        turn()
        assert.same({ "a:still received" }, got)
        return true
      end)
    end)

    it("drops what is not sent when the socket is removed", function()
      in_task(function()
        local a, b = connected "a"
        b:settimeout(0)
        hub.write(a, "x")
        hub.remove(a.socket)
        hub.write(a, "y")
        turn(0)
        assert.is_nil((b:recv(10)))
        return true
      end)
    end)

    it("lets a protocol wait, and goes on with the others after it", function()
      in_task(function()
        local order = {}
        for _, name in ipairs { "a", "b" } do
          local _, b = connected(name, function(object, data)
            csock.sleep(0.001)
            table.insert(order, data)
            hub.write(object, data)
          end)
          assert(b:send(name))
        end
        turn()
        assert.equal(2, #order)
        for _, i in ipairs { 2, 4 } do assert.equal(i == 2 and "a" or "b", sockets[i]:recv(10)) end
        return true
      end)
    end)

    it("goes on after an error of a protocol, which it names", function()
      in_task(function()
        local a, b = connected("a", function(_, data) error(data, 0) end)
        local _, d = connected "c"
        assert(b:send "oh no")
        csock.sleep(0.001)
        assert(d:send "x")
        hub.wait(5)
        local ok, err = pcall(hub.serve)
        assert.same({ false, "oh no" }, { ok, err })
        assert.equal(a, hub.served())
        if #got == 1 then turn() end
        assert.same({ "a:oh no", "c:x" }, got)
        return true
      end)
    end)

    it("a protocol may remove and close its own socket, and others", function()
      in_task(function()
        local a, b, c, d
        local function close_both(object)
          hub.write(object, "x")
          for _, one in ipairs { a, c } do
            hub.remove(one.socket)
            one.socket:close()
          end
        end
        a, b = connected("a", close_both)
        c, d = connected("c", close_both)
        assert(b:send "1")
        assert(d:send "2")
        turn()
        assert.equal(1, #got)
        assert.equal("", b:recv(1))
        return true
      end)
    end)

    it("gives datagrams with their senders, cut to the object's size, some in one turn", function()
      in_task(function()
        local a = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
        local b = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
        sockets = { a, b }
        assert(a:bind("127.0.0.1", 0))
        assert(b:bind("127.0.0.1", 0))
        local object = { size = 5, protocol = {} }
        function object.protocol.datagramReceived(_, data, from)
          assert.equal(b:getsockname(), from)
          table.insert(got, data)
        end
        assert(hub.connect(a, object, true))
        for _, data in ipairs { "one", "", "longer than five" } do assert(b:sendto(data, a:getsockname())) end
        turn()
        assert.same({ "one", "", "longe" }, got)
        return true
      end)
    end)

    it("sends datagrams at once, to addresses of every form, or to the peer", function()
      local a = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
      local b = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
      sockets = { a, b }
      a:settimeout(0)
      assert(b:bind("127.0.0.1", 0))
      local to, object = b:getsockname(), { socket = a }
      assert.equal(3, hub.sendto(object, "one", to))
      assert.equal(3, hub.sendto(object, "two", { to.host, to.port }))
      assert.equal("EDESTADDRREQ", select(2, hub.sendto(object, "x")).name)
      assert.equal("EMSGSIZE", select(2, hub.sendto(object, ("x"):rep(70000), to)).name)
      assert.equal("EAFNOSUPPORT", select(2, hub.sendto(object, "x", csock.address(csock.AF_INET6, "::1", 1))).name)
      assert(a:connect(to))
      assert.equal(5, hub.sendto(object, "three"))
      for _, data in ipairs { "one", "two", "three" } do assert.equal(data, b:recv(10)) end
      a:close()
      assert.equal("EBADF", select(2, hub.sendto(object, "x", to)).name)
      assert.error_matches(function() hub.sendto(object, {}, to) end, "string")
    end)

    it("write wants an object with a socket, and a string", function()
      local a = connected "a"
      assert.error_matches(function() hub.write(a, 12) end, "#2 to 'write' %(string expected, got number%)")
      assert.error_matches(function() hub.write("a", "x") end, "#1 to 'write' %(table expected")
      assert.error_matches(function() hub.write({}, "x") end, "csock.socket expected")
    end)
  end)

  it("begins anew in a forked child", function()
    local a, b = watched("a", true, false)
    assert(b:send("x"))
    in_task(function()
      hub.wait(5) -- it is in the list when the process forks
      return true
    end)
    local pid = assert(csock.fork())
    if pid == 0 then
      local ok = pcall(in_task, function()
        assert(hub.add(a, { name = "child" }, true, false))
        assert.same({ "child:r" }, turn())
        return true
      end)
      csock._exit(ok and 7 or 1)
    end
    local how, status = posix.waitpid(pid, 10 * process.slowness)
    assert.same({ "exit", 7 }, { how, status })
  end)
end)
