-- A host whose allocator fails, at each of its requests in turn, and that goes on all the same.
local hostile = require "spec.support.hostile"
local posix = require "spec.support.posix"

for _, lasting in ipairs { false, true } do
  describe("a host whose allocator fails at the n-th request" .. (lasting and " and all after it" or ""), function()
    it("loses no descriptor and no memory, whatever it was doing", function()
      local before, n = posix.fds(), 0
      while true do
        local asked, left, ended = hostile.starve(n, lasting)
        assert.equal(0, left, n)
        assert.same(before, posix.fds(), n)
        if asked <= n then return assert.is_true(ended) end
        n = n + 1
      end
    end)
  end)
end
