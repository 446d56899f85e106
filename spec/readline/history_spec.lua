-- Lines of earlier times, in a file.
local posix = require "spec.support.posix"
local tree = require "spec.support.tree"

local found, rl = pcall(require, "csock.readline")
if not found then return end

describe("the history's file", function()
  local dir, path

  before_each(function()
    dir = assert(posix.mkdtemp())
    path = dir .. "/history"
  end)

  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("has a line for each entry, and a tab before each further line of one", function()
    assert.is_true(rl.append_history(path, "one"))
    assert.is_true(rl.append_history(path, "\n\tfor\n  all\nend"))
    assert.equal("one\nfor\n\t  all\n\tend\n", tree.read(path))
  end)

  it("need not be there to be read", function()
    assert.is_true(rl.read_history(path, 10))
  end)

  it("is shortened to the last entries when it has grown to twice as many", function()
    for i = 1, 19 do assert.is_true(rl.append_history(path, "x" .. i .. "\ny")) end
    assert.is_true(rl.read_history(path, 10))
    assert.equal(19, select(2, tree.read(path):gsub("x", "")))
    assert.is_true(rl.append_history(path, "the last"))
    assert.is_true(rl.read_history(path, 10))
    assert.equal("x11\n\ty\nx12\n\ty", tree.read(path):sub(1, 13))
    assert.equal("\nthe last\n", tree.read(path):sub(-10))
  end)

  it("says why it cannot be read or written", function()
    for _, name in ipairs { "read_history", "append_history" } do
      local ok, err, number = rl[name]("/dev/null/none", name == "read_history" and 10 or "x")
      assert.is_nil(ok)
      assert.equal("/dev/null/none: Not a directory", err)
      assert.equal(20, number)
    end
  end)

  it("takes a line once that is entered twice in a row", function()
    local line = "once " .. path
    assert.is_true(rl.add_history(line))
    assert.is_false(rl.add_history(line))
  end)
end)
