-- Tasks that do anything, on each backend, with seeds of every run and one that is new each time.
local csock = require "csock"
local process = require "spec.support.process"

local seeds = { 1, 2, 3, os.time() }

describe("tasks that do anything", function()
  for _, backend in ipairs(csock.loop.backends()) do
    it("come to an end, and leave nothing behind: " .. backend, function()
      for _, seed in ipairs(seeds) do
        local p <close> = process.lua({ "spec/fuzz/tasks.lua", tostring(seed), "6" },
          { env = { CSOCK_BACKEND = backend } })
        local status = p:wait(50)
        assert.same({ 0, "", "" }, { status, p.out, p.err }, "seed " .. seed)
      end
    end)
  end
end)
