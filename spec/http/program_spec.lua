-- Programs that answer requests, started.
local core = require "csock.core"

describe("http.run", function()
  -- A table with gaps may call any of them its length: here it would be 2^62.
  it("refuses a list of more strings than there can be", function()
    local list = {}
    for i = 62, 0, -1 do list[1 << i] = "x" end
    local ok, err = pcall(core.http.run, "/bin/true", list, {}, 0, 1)
    assert.is_false(ok)
    assert.matches("#2.*too many strings", err)
  end)
end)
