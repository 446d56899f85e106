-- examples/embed: programs that have csock inside, as make builds them.
local process = require "spec.support.process"
local tree = require "spec.support.tree"

-- Where this run's core was built.
local build = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "")

local function run(name, ...)
  local status, out, err = process.run({ build .. "examples/embed/" .. name, ... }, {
    input = "one\ntwo\n", cwd = "/", env = { LUA_PATH = false, LUA_CPATH = false, LUA_INIT = false },
  })
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

describe("a host in C", function()
  it("has csock in its own poll loop (poll_host)", function()
    local out = run "poll_host"
    assert.matches("answer: ONE\n", out, 1, true)
    assert.matches("answer: TWO\n", out, 1, true)
    assert.matches("the thread has counted\n", out, 1, true)
  end)

  it("has a budget of each frame for csock (frame_host)", function()
    local frames, answers = run("frame_host", "10", "20"):match "^(%d+) frames, (%d+) answers, worst [%d.]+ ms of"
    assert.equal("10", frames)
    assert.is_true(tonumber(answers) > 0)
  end)

  it("has two states in two threads (two_states)", function()
    assert.equal("served\nasked: 5050\n", run "two_states")
  end)

  it("is short", function()
    for _, name in ipairs(tree.files("examples/embed", "%.c$")) do
      local _, lines = tree.read(name):gsub("\n", "")
      assert.is_true(lines < 100, name)
    end
  end)
end)
