-- Programs, started: what the reactor and CGI call. (spec/csock/reactor/process_spec.lua has what programs get.)
local core = require "csock.core"

describe("program.run", function()
  -- A table with gaps may call any of them its length: here it would be 2^62.
  it("refuses a list of more strings than there can be", function()
    local list = {}
    for i = 62, 0, -1 do list[1 << i] = "x" end
    if #list < 1 << 62 then return pending "this Lua takes another of them" end
    local ok, err = pcall(core.program.run, { "/bin/true" }, list, {}, {})
    assert.is_false(ok)
    assert.matches("#2.*too many items", err)
  end)
end)
