-- csock.loop.internal: what csock's own modules share.
local csock = require "csock"
local internal = require "csock.loop.internal"
local keep = require "spec.support.keep"

after_each(keep.close)

local function error_named(name)
  local _, err = csock.make_error { call = "accept", errno = csock.errno[name] }
  return err
end

describe("an error of accept", function()
  it("ends a server only when the listener is none", function()
    for _, name in ipairs { "EBADF", "EINVAL", "ENOTSOCK", "EOPNOTSUPP" } do
      assert.equal("over", (internal.accept_verdict(error_named(name))))
    end
  end)

  it("lets it rest when there is too little of something", function()
    for _, name in ipairs { "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM" } do
      assert.same({ "rest", internal.PATIENCE }, { internal.accept_verdict(error_named(name)) })
    end
  end)

  it("is the client's otherwise; the server goes on, and slower when there are many", function()
    for _, name in ipairs { "EPERM", "ETIMEDOUT", "ECONNABORTED", "EIO" } do
      assert.same({ "retry", 0 }, { internal.accept_verdict(error_named(name)) })
    end
    local _, pause = internal.accept_verdict(error_named "EPERM", 11)
    assert.equal(0.01, pause)
    _, pause = internal.accept_verdict(error_named "EPERM", 1000000)
    assert.equal(internal.PATIENCE, pause)
  end)
end)

describe("a holder", function()
  local function thing()
    local closed = 0
    return { close = function() closed = closed + 1 end, closed = function() return closed end }
  end

  it("closes what nobody has taken, however its block is left", function()
    local a, b = thing(), thing()
    do local _ <close> = internal.holder(a) end
    pcall(function()
      local _ <close> = internal.holder(b)
      error "oh no"
    end)
    assert.same({ 1, 1 }, { a.closed(), b.closed() })
  end)

  it("leaves open what was taken", function()
    local a = thing()
    do
      local holder <close> = internal.holder(a)
      assert.equal(a, holder:take())
    end
    assert.equal(0, a.closed())
  end)
end)

describe("is_error", function()
  it("knows csock's errors from all else, also from userdata that cannot be asked", function()
    assert.is_true(internal.is_error(error_named "EPERM"))
    for _, other in ipairs { "text", 7, {}, io.stdout, csock.buffer(1), print, true } do
      assert.is_false(internal.is_error(other))
    end
    assert.is_false(internal.is_error(nil))
  end)
end)

describe("Lua's random numbers", function()
  -- What so many forked children draw, each in a function that `run` calls.
  local function drawn(run)
    local numbers, distinct = {}, 0
    for _ = 1, 4 do
      local mine, its = keep(assert(csock.socketpair()))
      run(function()
        local pid = assert(csock.fork())
        if pid == 0 then
          its:sendall(("j"):pack(math.random(0)))
          csock._exit(0)
        end
        csock.waitpid(pid)
      end)
      numbers[("j"):unpack(assert(mine:recv(100)))] = true
    end
    for _ in pairs(numbers) do distinct = distinct + 1 end
    return distinct
  end

  it("differ in every forked child, in tasks and outside of them", function()
    assert.equal(4, drawn(function(f) f() end))
    assert.equal(4, drawn(csock.run))
  end)

  it("go on in the parent as they were", function()
    math.randomseed(42)
    local expected = { math.random(0), math.random(0) }
    math.randomseed(42)
    local first = math.random(0)
    drawn(csock.run)
    assert.same(expected, { first, math.random(0) })
    math.randomseed()
  end)
end)
