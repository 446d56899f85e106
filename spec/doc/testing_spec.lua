-- doc/testing.md: every program in it runs, and prints what it says; busted takes its specs.
local guide = require "spec.support.guide"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local PAGE = "doc/testing.md"

describe(PAGE, function()
  local programs = guide.blocks(PAGE, "lua")

  for i, code in ipairs(programs) do
    if guide.tells(code) then
      it(("has a program %d that prints what the page says"):format(i), function() guide.check(code) end)
    else
      it(("has a file of specs %d, which pass"):format(i), function()
        local dir = assert(posix.mkdtemp())
        local file <close> = assert(io.open(dir .. "/page_spec.lua", "w"))
        assert(file:write(code))
        file:close()
        local status, out, err = process.run {
          process.interpreter, "spec/support/run.lua", "--output=TAP", dir .. "/page_spec.lua",
        }
        os.execute("rm -r '" .. dir .. "'")
        assert.equal("", err)
        assert.matches("^ok 1 .*\n1%.%.1\n$", out)
        assert.equal(0, status)
      end)
    end
  end

  it("has programs", function() assert.is_true(#programs >= 8) end)
end)
