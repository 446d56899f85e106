-- csock.testing: time that passes only where somebody waits for it.
local csock = require "csock"
local host = require "spec.support.host"
local keep = require "spec.support.keep"
local loop = require "csock.loop"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local testing = require "csock.testing"

local real, turn = require "csock.core".testing.now, require "csock.core".testing.turn

-- How far the clock has gone, in milliseconds: a wait may be a few nanoseconds longer than it was told.
local function elapsed(f, ...)
  local begin = csock.now()
  f(...)
  return math.floor((csock.now() - begin) * 1000 + 0.5)
end

describe("virtual time", function()
  after_each(keep.close)

  it("passes in sleeps, at once", function()
    local began = real()
    testing.virtual_time(function()
      assert.equal(86400000, elapsed(csock.sleep, 86400))
    end)
    assert.is_true(real() - began < 60)
  end)

  it("is the time limit's of every socket", function()
    local a = keep(csock.socketpair())
    a:settimeout(30)
    testing.virtual_time(function()
      local err
      assert.equal(30000, elapsed(function() err = select(2, a:recv(1)) end))
      assert.equal("ETIMEDOUT", err.name)
      assert.equal(5000, elapsed(csock.select, { a }, {}, {}, 5))
    end)
  end)

  it("bounds pieces of work", function()
    testing.virtual_time(function()
      local ok, err
      assert.equal(7000, elapsed(function() ok, err = loop.timeout(7, csock.sleep, 3600) end))
      assert.is_nil(ok)
      assert.equal("ETIMEDOUT", err.name)
    end)
  end)

  it("wakes tasks in the order of their times", function()
    local order = {}
    local function note(text) order[#order + 1] = text .. " " .. csock.now() % 1000 // 1 end
    testing.virtual_time(function()
      local begin = csock.now() % 1000 // 1
      for _, seconds in ipairs { 30, 10, 20 } do loop.call_later(seconds, note, "after " .. seconds) end
      csock.sleep(25)
      note "slept 25"
      csock.sleep(25)
      for i, text in ipairs(order) do
        local seconds = math.tointeger(text:match "%d+")
        order[i] = (tonumber(text:match "%S+$") - begin) % 1000 == seconds and seconds
      end
    end)
    assert.same({ 10, 20, 25, 30 }, order)
  end)

  it("is the reactor's", function()
    local ends = {}
    testing.virtual_time(function()
      local begin = csock.now()
      reactor.callLater(600, function()
        ends[1] = csock.now() - begin
        reactor.stop()
      end)
      reactor.run()
    end)
    assert.equal(600, ends[1] // 1)
  end)

  it("is that of the reactor's protocols", function()
    local lost
    testing.virtual_time(function()
      local Idle = require "csock.class" ("Idle", protocol.Protocol)
      function Idle:connectionMade()
        reactor.callLater(3600, function() self.transport:loseConnection() end)
      end
      local port = assert(reactor.listenTCP(0, protocol.Factory:forProtocol(Idle)))
      csock.spawn(function()
        local s = keep(csock.create_connection { "127.0.0.1", port:getHost().port })
        lost = elapsed(function() assert.equal("", s:recv(1)) end)
        reactor.stop()
      end)
      reactor.run()
    end)
    assert.equal(3600000, lost)
  end)

  it("does not pass while anything is to be done", function()
    testing.virtual_time(function()
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        for line in conn:makefile():lines() do conn:sendall(line .. "\n") end
      end))
      local s = keep(csock.create_connection(server:getsockname()))
      assert.equal(0, elapsed(function()
        local stream = keep(s:makefile())
        for i = 1, 100 do
          s:sendall(i .. "\n")
          assert.equal(tostring(i), stream:read())
        end
      end))
    end)
  end)

  it("does not pass in a wait for another process that nobody has limited", function()
    testing.virtual_time(function()
      local pipe <close> = assert(io.popen "sleep 0.05; echo")
      assert.equal(0, elapsed(function() assert.equal(1, #csock.select({ pipe }, {}, {})) end))
    end)
  end)

  it("passes outside of the loop, too", function()
    local clock <close> = testing.clock()
    assert.equal(60000, elapsed(csock.sleep, 60))
    assert.is_truthy(clock)
    local a = keep(csock.socketpair())
    a:settimeout(5)
    assert.equal(5000, elapsed(a.recv, a, 1))
  end)

  it("can be let pass", function()
    local clock <close> = testing.clock()
    local order = {}
    loop.call_later(10, table.insert, order, "ten")
    loop.call_later(20, table.insert, order, "twenty")
    clock:advance(9)
    assert.same({}, order)
    clock:advance(1)
    assert.same({ "ten" }, order)
    csock.run(function() clock:advance(15) end)
    assert.same({ "ten", "twenty" }, order)
  end)

  for _, how in ipairs { "returns", "fails", "is cancelled" } do
    it("is over when the function " .. how, function()
      local stood
      local function f()
        csock.sleep(1000)
        stood = csock.now()
        if how == "fails" then error "as it should" end
        if how == "is cancelled" then loop.event():wait() end
      end
      if how == "is cancelled" then
        local task <close> = csock.spawn(testing.virtual_time, f)
        while not stood do turn(1) end
        task:cancel()
      else
        assert.equal(how == "returns", (pcall(testing.virtual_time, f)))
      end
      local began = real()
      csock.sleep(0.03)
      assert.is_true(real() - began >= 0.03)
      assert.is_true(csock.now() >= stood + 0.03) -- it never goes back
      assert.is_true(csock.now() < stood + 600)
    end)
  end

  it("is over with the outermost of several", function()
    testing.virtual_time(function()
      testing.virtual_time(csock.sleep, 10)
      assert.equal(3600000, elapsed(csock.sleep, 3600))
    end)
  end)

  it("gives what the function returns", function()
    assert.same({ 1, nil, 3 }, { testing.virtual_time(function(...) return ... end, 1, nil, 3) })
    csock.run(function() assert.equal("in a task", testing.virtual_time(function() return "in a task" end)) end)
  end)

  it("is each Lua state's own", function()
    local state <close> = host()
    testing.virtual_time(function()
      csock.sleep(3600)
      assert.equal("true", state:run [[
        local csock = require "csock"
        local begin = csock.now()
        csock.sleep(0.02)
        local slept = csock.now() - begin
        return tostring(slept >= 0.02 and slept < 600)
      ]])
    end)
  end)
end)
