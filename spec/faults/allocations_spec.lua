-- Memory runs out at every allocation in turn: what is there is an error, and nothing is lost. (See
-- allocations.lua for what is tried.)
local oom = require "spec.faults.oom"
local posix = require "spec.support.posix"

local FILE = "spec/faults/allocations.lua"
local rows = dofile(FILE)

local names = {}
for name in pairs(rows) do names[#names + 1] = name end
table.sort(names)

-- Tries with allocation 0, 1, 2 ... failing until none of them was asked for.
local function exhaust(name, lasting)
  local before = posix.fds()
  local n = 0
  while true do
    local ran, fine, message, left = oom.try(FILE, name, n, lasting)
    local where = ("allocation %d%s: %s"):format(n, lasting and " and all after it" or "", message)
    assert.same(before, posix.fds(), where)
    assert.equal(0, left, where)
    if ran <= n then
      assert.is_true(fine, message)
      return
    end
    -- Memory may be asked for in vain without harm, as when a cache cannot grow.
    assert(fine or message:find("not enough memory", 1, true) or message:find("ENOMEM", 1, true)
      or message:find("error in error handling", 1, true), where)
    n = n + 1
  end
end

describe("with memory running out", function()
  for _, name in ipairs(names) do
    it(name .. " loses nothing", function()
      exhaust(name, false)
      exhaust(name, true)
    end)
  end
end)
