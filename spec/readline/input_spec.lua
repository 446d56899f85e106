-- What the terminal sends.
local typist = require "spec.support.typist"

if not typist.edits then return end

describe("what is typed", function()
  it("before there is a line is taken by the next ones, and so is Ctrl-D", function()
    for _, typed in ipairs { "\4", "another\r\4" } do
      local p <close> = typist.start()
      p:write "=io.write 'begun' io.stdout:flush() local t = os.clock() while os.clock() < t + 0.2 do end\r"
      p:expect "begun"
      p:write(typed)
      p:expect "<end>"
      assert.equal(0, p:wait())
    end
  end)

  it("is left to the program behind the line's end", function()
    local p <close> = typist.start()
    p:write "=return io.read 'l'\rfor the program\n"
    p:expect "<for the program>"
  end)
end)

describe("a paste", function()
  it("has LF for each line's end, and whole characters, wherever the steps are in which it is inserted", function()
    for shift = 0, 2 do
      local p <close> = typist.start()
      p:write "=function e.remember(_, text) taken = text end\r"
      p:expect "ready> "
      local text = ("x"):rep(shift) .. ("ä\r\n"):rep(10000) .. ("漢"):rep(10000)
      p:write("\27[200~", text, "\27[201~\r")
      local clean = text:gsub("\r\n", "\n")
      p:expect(("<%d>"):format(#clean))
      p:expect "ready> "
      p:write(("=return utf8.len(taken) == %d and not taken:find '\\r' and select(2, taken:gsub('\\n', '')) == 10000\r")
        :format(utf8.len(clean)))
      p:expect "<true>"
    end
  end)

  it("is undone as a whole", function()
    local p <close> = typist.start()
    p:write "here "
    p:write("\27[200~", ("y"):rep(100000), "\27[201~")
    p:write "\31\r" -- Ctrl-_
    p:expect "<here ?>"
  end)

  it("is gone when Ctrl-C comes in its midst", function()
    local p <close> = typist.start()
    p:write "\27[200~never"
    p:write "\3"
    p:expect "<interrupted>"
    p:expect "ready> "
    p:write "on\r"
    p:expect "<on>"
  end)
end)
