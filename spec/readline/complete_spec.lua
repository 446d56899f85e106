-- Completion: which word is asked for, and what comes of the answer.
local typist = require "spec.support.typist"

if not typist.edits then return end

describe("completion", function()
  -- Types a line with a tab, and gives what the program was asked for.
  local function asked(line)
    local p <close> = typist.start [[
      function complete(line, first, last) asked = line:sub(first, last) return {} end
    ]]
    p:write(line, "\t\21", "=return asked\r") -- Ctrl-U: the line is gone
    return p:expect "<([^\r<>]*)>"
  end

  it("asks for the name in front of the cursor", function()
    assert.equal("rec", asked "x = conn:rec")
    assert.equal("", asked "x = conn.")
    assert.equal("größe", asked "f(größe")
  end)

  it("asks for all of a string", function()
    assert.equal("/tmp/a b-c", asked "f('/tmp/a b-c")
    assert.equal("x", asked "f('it\\'s', x")
  end)

  it("asks for all that has no blank behind a command", function()
    assert.equal("/tmp/a-b", asked ":watch /tmp/a-b")
  end)

  it("puts in what all candidates begin with, of whole characters", function()
    local p <close> = typist.start "function complete() return { 'xäö', 'xäü' } end "
    p:write "x\t\r"
    p:expect "<xä>"
  end)

  it("passes over candidates that are no strings, or do not begin so", function()
    local p <close> = typist.start "function complete() return { 'other', 'x\\0y', 'xyz', 42 } end "
    p:write "x\t!\r"
    p:expect "<xyz!>"
  end)
end)
