-- What csock.testing needs of the loop: a clock that stands still, and turns that are bounded by the system's.
local csock = require "csock"
local keep = require "spec.support.keep"
local loop = require "csock.loop"
local core = require "csock.core".testing

-- What a function makes of both clocks: seconds on the state's, and real ones.
local function measure(f)
  local began, real = csock.now(), core.now()
  f()
  return csock.now() - began, core.now() - real
end

describe("a clock that stands still", function()
  before_each(core.stop)
  after_each(core.go)
  after_each(keep.close)

  it("is moved to the next deadline, outside of tasks and in them", function()
    local function sleep() csock.sleep(3600) end
    for _, f in ipairs { sleep, function() csock.run(sleep) end } do
      local passed, really = measure(f)
      assert.equal(3600, passed)
      assert.is_true(really < 60)
    end
  end)

  it("stays where nothing is to be waited for until a time", function()
    local a, b = keep(csock.socketpair())
    local passed = measure(function()
      csock.run(function()
        csock.spawn(function() assert(b:sendall "x") end)
        assert.equal("x", a:recv(1))
      end)
    end)
    assert.equal(0, passed)
  end)

  it("is moved by no time limit that nobody needs any more", function()
    local a, b = keep(csock.socketpair())
    a:settimeout(30)
    local _ <close> = csock.spawn(function() return a:recv(1), a:settimeout(nil), a:recv(1) end)
    local passed = measure(function()
      core.turn(0)
      assert(b:sendall "x") -- the reader's limit still stands at 30 seconds, but it waits without one
      for _ = 1, 3 do core.turn(0.01) end
    end)
    assert.equal(0, passed)
  end)

  it("stands at a whole second, so that times add up", function()
    assert.equal(0, csock.now() % 1)
  end)

  it("goes on from where it stands", function()
    csock.sleep(1000)
    local stood = csock.now()
    core.go()
    local passed, really = measure(function() csock.sleep(0.02) end)
    assert.is_true(csock.now() >= stood + 0.02)
    assert.is_true(passed >= 0.02 and really >= 0.02)
  end)
end)

describe("a turn that is bounded by the system's clock", function()
  after_each(core.go)
  after_each(keep.close)

  it("ends then, though the state's stands still", function()
    core.stop()
    local a = keep(csock.socketpair())
    local _ <close> = csock.spawn(a.recv, a, 1)
    assert.is_true(core.turn(0))
    local passed, really = measure(function() assert.is_true(core.turn(0.03)) end)
    assert.equal(0, passed)
    assert.is_true(really >= 0.03)
  end)

  it("tells when nothing is left that could happen", function()
    local event = loop.event()
    local _ <close> = csock.spawn(event.wait, event)
    core.turn(1)
    local ok, err = core.turn(1)
    assert.is_nil(ok)
    assert.equal("EDEADLK", err.name)
  end)

  it("leaves other runs alone", function()
    core.turn(0)
    local passed = measure(function() csock.run(function() csock.sleep(0.02) end) end)
    assert.is_true(passed >= 0.02)
  end)
end)
