-- The hub: one task that serves many sockets.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local loop, hub = csock.loop, csock.loop.hub

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

-- All objects that the hub has to offer in one turn, as "name:r", "name:w" or "name:rw".
local function served()
  local list = {}
  while true do
    local object, readable, writable = hub.next()
    if not object then return list end
    list[#list + 1] = object.name .. ":" .. (readable and "r" or "") .. (writable and "w" or "")
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
      assert.is_nil((hub.next()))
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
