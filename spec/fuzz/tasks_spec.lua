-- Tasks that do anything, on each backend, with the same seeds in every run. With FUZZ_SECONDS in the environment, new
-- ones follow on each backend for so long.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local ROUNDS = "6"
local seconds = tonumber(os.getenv "FUZZ_SECONDS") or 0

describe("tasks that do anything", function()
  for _, backend in ipairs(csock.loop.backends()) do
    local function run(seed)
      local p <close> = process.lua({ "spec/fuzz/tasks.lua", tostring(seed), ROUNDS },
        { env = { CSOCK_BACKEND = backend } })
      local status = p:wait(50)
      assert.same({ 0, "", "" }, { status, p.out, p.err }, "seed " .. seed)
    end

    it("come to an end, and leave nothing behind: " .. backend, function()
      local now, deadline = os.time(), posix.monotonic() + seconds
      for _, seed in ipairs { 1, 2, 3 } do run(seed) end
      while posix.monotonic() < deadline do
        now = now + 1
        run(now)
      end
    end)
  end
end)
