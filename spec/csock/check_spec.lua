-- csock.check: what csock's modules check their arguments and options with.
local csock = require "csock"
local check = require "csock.check"

-- What f raises, which is text.
local function raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

describe("a mistake of the caller's", function()
  it("is told of at the line that called csock, however deep in its modules it is found", function()
    local here = "^spec/csock/check_spec.lua:%d+: bad argument "
    for _, wrong in ipairs {
      function() csock.loop.call_later(-1, print) end,
      function() csock.loop.call_at("soon", print) end,
      function() csock.loop.timeout(0 / 0, print) end,
      function() csock.loop.event():wait("long") end,
      function() csock.loop.queue():put(nil) end,
      function() csock.loop.queue(-1) end,
      function() csock.loop.add_reader(0, 7) end,
    } do
      assert.matches(here, raised(wrong))
    end
  end)

  it("names the argument, the function, what was expected, and what came", function()
    assert.matches("bad argument #1 to 'call_later' (seconds >= 0 expected, got -1)",
      raised(csock.loop.call_later, -1, print), 1, true)
    assert.matches("bad argument #2 to 'timeout' (function expected, got nil)",
      raised(csock.loop.timeout, 1), 1, true)
  end)
end)

describe("seconds", function()
  it("are numbers from 0 that a clock can reach", function()
    for _, good in ipairs { 0, 0.5, 7 } do assert.equal(good, check.seconds(good, 1, "f")) end
    for _, bad in ipairs { -1, 0 / 0, math.huge, -math.huge, "1", {} } do
      assert.matches("bad argument #1 to 'f' (seconds >= 0 expected, got ", raised(check.seconds, bad, 1, "f"), 1, true)
    end
    assert.matches("got nil", raised(check.seconds, nil, 1, "f"))
  end)

  it("as a limit may be none: nil or math.huge", function()
    assert.equal(0.5, check.timeout(0.5, 1, "f"))
    assert.is_nil(check.timeout(nil, 1, "f"))
    assert.equal(math.huge, check.timeout(math.huge, 1, "f"))
    for _, bad in ipairs { -1, 0 / 0, "1", false } do
      assert.matches("seconds >= 0 expected", raised(check.timeout, bad, 1, "f"))
    end
  end)
end)

describe("options", function()
  local rows = {
    timeout = { check.TIMEOUT, 10 },
    retry = { check.SECONDS, 1, 0 },
    size = { check.integer(1, 9) },
    handler = { check.FUNCTION },
  }
  local function read(given) return check.options(given, rows, 2, "f") end

  it("have their defaults when they are not given", function()
    assert.same({ timeout = 10, retry = 1 }, read(nil))
    assert.same({ timeout = 10, retry = 1 }, read {})
    assert.same({ timeout = 10, retry = 1, size = 3, handler = print }, read { size = 3, handler = print })
  end)

  it("are turned off by false, whatever their default is", function()
    assert.same({ retry = 0 }, read { timeout = false, retry = false, size = false, handler = false })
  end)

  it("raise for a name that there is not, and for a value of another kind", function()
    assert.matches("bad argument #2 to 'f' (unknown option 'time')", raised(read, { time = 1 }), 1, true)
    assert.matches("bad argument #2 to 'f' (unknown option '1')", raised(read, { "timeout" }), 1, true)
    assert.matches("bad argument #2 to 'f' (timeout: seconds >= 0 expected, got -1)",
      raised(read, { timeout = -1 }), 1, true)
    assert.matches("(size: integer from 1 to 9 expected, got 10)", raised(read, { size = 10 }), 1, true)
    assert.matches("bad argument #2 to 'f' (table expected, got 7)", raised(read, 7), 1, true)
  end)

  it("may come from a metatable's __index", function()
    assert.equal(5, read(setmetatable({}, { __index = { timeout = 5 } })).timeout)
  end)
end)
