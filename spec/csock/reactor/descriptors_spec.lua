-- Descriptors of the program's own in the reactor, beside Twisted's.
local class = require "csock.class"
local csock = require "csock"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local reason = require "csock.reactor.reason"
local same = require("spec.support.twisted").specs(it, pending)

local SCENARIOS = "spec/support/twisted/descriptors.py:"

local function is_in(list, wanted)
  for _, object in ipairs(list) do
    if object == wanted then return true end
  end
  return false
end

-- Says what it is told; `reads` and `writes` are what its methods give, at last for ever.
local Mine = class "Mine"

function Mine:__init(say, name, socket, reads, writes)
  self.say, self.name, self.socket, self.reads, self.writes = say, name, socket, reads or {}, writes or {}
end

local function next_of(results)
  local result = table.remove(results, 1)
  if result == "raise" then error("bad", 0) end
  return result or nil
end

function Mine:fileno() return self.socket:fileno() end

function Mine:doRead()
  local data = assert(self.socket:recv(1))
  self.say(self.name, "reads", data == "" and "the end" or data)
  return next_of(self.reads)
end

function Mine:doWrite()
  self.say(self.name, "writes")
  return next_of(self.writes)
end

function Mine:connectionLost(why)
  local reads, writes = is_in(reactor.getReaders(), self), is_in(reactor.getWriters(), self)
  self.say(self.name, "is lost", why.__class.__name, reads, writes)
end

local function turns(n)
  for _ = 1, n or 4 do reactor.iterate(0.02) end
end

local function listed(mine)
  mine.say(is_in(reactor.getReaders(), mine), is_in(reactor.getWriters(), mine))
end

describe("a descriptor of the program's own", function()
  local a, b

  before_each(function() a, b = assert(csock.socketpair()) end)

  after_each(function()
    assert.same({}, reactor.getReaders())
    assert.same({}, reactor.getWriters())
    a:close()
    b:close()
  end)

  same("is read as long as it is readable, once a turn", SCENARIOS .. "level", function(say)
    local mine = Mine(say, "it", a)
    reactor.addReader(mine)
    reactor.addReader(mine)
    listed(mine)
    b:send "abc"
    for n = 0, 3 do
      say("turn", n)
      turns(1)
    end
    b:send "d"
    turns()
    reactor.removeReader(mine)
    reactor.removeReader(mine)
    listed(mine)
    b:send "e"
    turns()
  end)

  same("is written to as long as it is writable, once a turn", SCENARIOS .. "writer", function(say)
    local mine = Mine(say, "it", a)
    reactor.addWriter(mine)
    listed(mine)
    turns(2)
    reactor.removeWriter(mine)
    turns(2)
    listed(mine)
  end)

  same("is read first, then written to, and lost when doWrite gives a reason", SCENARIOS .. "both", function(say)
    local mine = Mine(say, "it", a, nil, { false, reason.ConnectionDone() })
    reactor.addReader(mine)
    reactor.addWriter(mine)
    b:send "abc"
    turns(1)
    say "again"
    turns(2)
    listed(mine)
  end)

  same("is lost when doRead gives a reason", SCENARIOS .. "reason", function(say)
    local mine = Mine(say, "it", a, { false, reason.ConnectionLost() })
    reactor.addReader(mine)
    reactor.addWriter(mine)
    reactor.removeWriter(mine)
    b:send "abc"
    turns()
    listed(mine)
  end)

  same("may go on writing where it is to be read no more", SCENARIOS .. "half", function(say)
    local mine = Mine(say, "it", a, { reason.ConnectionDone() }, { false, reason.ConnectionDone() })
    function mine:readConnectionLost(why)
      say("half", why.__class.__name)
      listed(self)
    end
    b:send "a"
    reactor.addReader(mine)
    reactor.addWriter(mine)
    turns()
    listed(mine)
  end)

  same("is lost by an error, which is told", SCENARIOS .. "raising", function(say)
    local mine = Mine(say, "it", a, { "raise" })
    function mine:connectionLost(why) say("lost", why.value) end -- luacheck: ignore 212
    reactor.addReader(mine)
    b:send "ab"
    local onerror = csock.loop.onerror
    function csock.loop.onerror(err) say("unhandled:", err) end
    turns()
    csock.loop.onerror = onerror
    listed(mine)
  end)

  same("is read to its end where the other one hangs up", SCENARIOS .. "hangup", function(say)
    local mine = Mine(say, "it", a, { false, reason.ConnectionDone() })
    reactor.addReader(mine)
    b:send "a"
    b:close()
    turns(2)
    listed(mine)
  end)

  same("may ask for something else as it is told", SCENARIOS .. "itself", function(say)
    local mine = Mine(say, "it", a)
    function mine:doRead()
      Mine.doRead(self)
      reactor.removeReader(self)
      reactor.addWriter(self)
    end
    function mine:doWrite()
      Mine.doWrite(self)
      reactor.removeWriter(self)
      reactor.addReader(self)
    end
    reactor.addReader(mine)
    b:send "ab"
    turns(6)
    reactor.removeReader(mine)
    reactor.removeWriter(mine)
  end)

  same("is forgotten with all others by removeAll, and told nothing", SCENARIOS .. "all_of_them", function(say)
    local first, second = Mine(say, "first", a), Mine(say, "second", b)
    reactor.addReader(first)
    reactor.addWriter(first)
    reactor.addWriter(second)
    local removed = reactor.removeAll()
    say(#removed, is_in(removed, first), is_in(removed, second))
    listed(first)
    listed(second)
    turns(2)
    for _, mine in ipairs { first, second } do mine:connectionLost(reason.ConnectionLost()) end
  end)

  same("is lost by disconnectAll", SCENARIOS .. "disconnected", function(say)
    local mine = Mine(say, "it", a)
    reactor.addReader(mine)
    reactor.addWriter(mine)
    reactor.disconnectAll()
    listed(mine)
  end)

  it("may be a pipe's, or that of a file, which is always readable", function()
    for name, want in pairs { ["echo hello"] = "hello\n", ["/dev/null"] = "" } do
      local got, lost
      local file <close> = assert(name:find "^/" and io.open(name) or io.popen(name))
      local reader = { fileno = function() return csock.stream(file, "r", { closefd = false }):fileno() end }
      function reader:doRead() -- luacheck: ignore 212
        got = file:read "a"
        return reason.ConnectionDone()
      end
      function reader:connectionLost(why) lost = why end -- luacheck: ignore 212
      assert(reactor.addReader(reader))
      for _ = 1, 500 do
        if not lost then reactor.iterate(0.02) end
      end
      assert.is_truthy(lost and lost:check "ConnectionDone")
      assert.equal(want, got)
    end
  end)

  it("is lost when it was closed behind the reactor's back", function()
    local lost
    local reader = { fileno = function() return a:fileno() end, doRead = error }
    function reader:connectionLost(why) lost = why end -- luacheck: ignore 212
    local fd = a:fileno()
    function reader:fileno() return fd end -- luacheck: ignore 212
    assert.is_true(reactor.addReader(reader))
    csock.run(function() csock.yield() end)
    a:close()
    turns(2)
    assert.is_truthy(lost:check "ConnectionLost")
  end)

  it("is lost by nil and an error, as csock's calls fail", function()
    local lost
    local reader = { fileno = function() return a:fileno() end }
    function reader:doRead() return nil, "broken" end -- luacheck: ignore 212
    function reader:connectionLost(why) lost = why end -- luacheck: ignore 212
    reactor.addReader(reader)
    b:send "a"
    turns(2)
    assert.equal("broken", lost.value)
  end)

  it("may be removed, and another one added under the same number, before it is told", function()
    local said = {}
    local function say(...) said[#said + 1] = table.concat({ ... }, " ") end
    local first = Mine(say, "first", a)
    reactor.addReader(first)
    b:send "ab"
    csock.run(function() csock.sleep(0.01) end) -- it is known to be readable
    reactor.removeReader(first)
    local second = Mine(say, "second", a)
    reactor.addReader(second)
    turns(3)
    reactor.removeReader(second)
    assert.same({ "second reads a", "second reads b" }, said)
  end)

  it("is refused where there is none", function()
    a:close()
    local ok, err, errno = reactor.addReader(Mine(print, "it", a))
    assert.is_nil(ok)
    assert.equal("EBADF", err.name)
    assert.equal(csock.errno.EBADF, errno)
    assert.error_matches(function() reactor.addReader {} end, "#1 to 'addReader' %(descriptor expected")
    assert.error_matches(function() reactor.addWriter(1) end, "#1 to 'addWriter' %(descriptor expected")
    assert.error_matches(function() reactor.removeReader(1) end, "#1 to 'removeReader' %(descriptor expected")
    reactor.removeWriter(Mine(print, "it", a))
  end)

  it("is served in the next run as well, and in a forked child", function()
    local program <close> = process.lua({ "-e", [[
      local csock, reactor = require "csock", require "csock.reactor"
      local a, b = csock.socketpair()
      local reader = { fileno = function() return a:fileno() end, connectionLost = function() print "lost" end }
      function reader:doRead() print(a:recv(1)) reactor.crash() end
      reactor.addReader(reader)
      b:send "abc"
      reactor.run()
      reactor.run()
      io.stdout:flush()
      local pid = csock.fork()
      if pid == 0 then reactor.run() else assert(csock.waitpid(pid)) end
    ]] })
    local out = program:read_all()
    assert.equal("a\nb\nc\n", out)
    assert.equal(0, program:wait())
  end)
end)

describe("ports and transports", function()
  it("are among the readers and writers, and can be added and removed", function()
    local events = csock.loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    assert.is_true(is_in(reactor.getReaders(), port))
    reactor.removeReader(port)
    assert.same({}, reactor.getReaders())
    reactor.addReader(port)
    reactors.run(function()
      local s <close> = reactors.dial(port)
      local transport = reactors.expect(events, "made").transport
      reactor.removeReader(transport)
      assert.is_false(is_in(reactor.getReaders(), transport))
      assert(s:sendall "hello")
      csock.sleep(0.01)
      reactor.addReader(transport)
      assert.equal("hello", select(2, reactors.expect(events, "data")))
      reactor.callFromThread(function()
        transport:write "kept"
        reactor.removeWriter(transport)
      end)
      csock.sleep(0.01)
      assert.is_true(is_in(reactor.getWriters(), transport))
      local data, _, errno = s:recv(10, csock.MSG_DONTWAIT)
      assert.is_nil(data)
      assert.equal(csock.errno.EAGAIN, errno)
      reactor.addWriter(transport)
      assert.equal("kept", reactors.read(s, 4))
      assert.is_false(is_in(reactor.getWriters(), transport))
      local removed = reactor.removeAll()
      assert.equal(2, #removed)
      assert.same({}, reactor.getReaders())
      for _, object in ipairs(removed) do object:connectionLost(reason.ConnectionLost()) end
    end)
  end)

  it("send nothing of what waits for room while that is stopped", function()
    local events = csock.loop.queue()
    local port = reactors.listen(reactors.recorder(events))
    local much = ("x"):rep(8 * 2 ^ 20 // 1)
    reactors.run(function()
      local s <close> = reactors.dial(port)
      local transport = reactors.expect(events, "made").transport
      transport:write(much)
      transport:stopWriting()
      local got = 0
      repeat -- what the system has of it
        local data = s:recv(65536, csock.MSG_DONTWAIT)
        got = got + #(data or "")
        csock.sleep(0.002)
      until not data
      assert.is_true(got < #much)
      assert.is_true(is_in(reactor.getWriters(), transport))
      transport:startWriting()
      reactors.read(s, #much - got)
      reactor.callFromThread(transport.loseConnection, transport)
      assert.equal("", reactors.read_all(s))
    end)
  end)

  it("send what was stopped when something else is written, or when they close", function()
    local port = reactors.listen(class("Stopping", protocol.Protocol))
    function port.factory.protocol:connectionMade()
      local transport = self.transport
      transport:write "one "
      transport:stopWriting()
      reactor.callLater(0.01, function()
        transport:write "two "
        reactor.callLater(0.01, function()
          transport:write "three"
          transport:stopWriting()
          transport:loseConnection()
        end)
      end)
    end
    reactors.run(function()
      local s <close> = reactors.dial(port)
      assert.equal("one two three", reactors.read_all(s))
    end)
  end)
end)
