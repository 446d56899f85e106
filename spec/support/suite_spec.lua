-- suite.lua: many spec files, each in a process of its own.
local posix = require "spec.support.posix"
local process = require "spec.support.process"

describe("a suite of spec files", function()
  local dir

  before_each(function() dir = assert(posix.mkdtemp()) end)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function write(name, text)
    local file = assert(io.open(("%s/%s_spec.lua"):format(dir, name), "w"))
    assert(file:write(text))
    file:close()
  end

  local function suite(jobs)
    local status, out = process.run({ process.interpreter, "spec/support/suite.lua", process.interpreter,
      "spec/support/run.lua", "--", dir }, { timeout = 60, env = { JOBS = jobs } })
    return status, out:match "([^\n]*)\n$", out
  end

  for _, jobs in ipairs { "1", "3" } do
    it(("adds up what each has, %s at a time"):format(jobs), function()
      write("good", [[it("a", function() end) it("b", function() end)]])
      write("other", [[it("c", function() end) it("d", function() pending "not here" end)]])
      local status, counts = suite(jobs)
      assert.equal(0, status)
      assert.equal("3 passed, 0 failed, 1 skipped", counts)
    end)
  end

  it("fails with one that fails, and shows why", function()
    write("good", [[it("a", function() end)]])
    write("bad", [[it("b", function() error "the reason" end)]])
    local status, counts, out = suite "2"
    assert.equal(1, status)
    assert.equal("1 passed, 1 failed", counts)
    assert.matches("the reason", out, 1, true)
  end)

  it("counts one that dies, or ends badly after all has passed, as failed", function()
    write("dies", [[it("a", function() os.exit(3) end)]])
    write("leaks", [[it("b", function() end) setmetatable({}, { __gc = function() os.exit(4) end })]])
    local status, counts, out = suite "2"
    assert.equal(1, status)
    assert.equal("1 passed, 2 failed", counts)
    assert.matches("dies_spec.lua ended with the status 3", out, 1, true)
    assert.matches("leaks_spec.lua ended with the status 4", out, 1, true)
  end)

  it("fails where there is none", function()
    local status, counts = suite "2"
    assert.equal(1, status)
    assert.equal("0 passed, 0 failed", counts)
  end)
end)
