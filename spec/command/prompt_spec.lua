-- `csock` without a file: what it hands to the prompt, and the status that comes of it. (The prompt: spec/csock/repl.)
local command = require "spec.support.command"

describe("csock with a pipe as its input", function()
  after_each(command.remove_files)

  it("runs it as the prompt does, without one", function()
    local status, out, err = command.run({}, { input = "1 + 1\nx = gethostname\ntype(x())\n" })
    assert.equal("", err)
    assert.equal('2\n"string"\n', out)
    assert.equal(0, status)
    assert.equal(0, (command.run({}, { input = "" })))
  end)

  it("ends at the first error, with status 1", function()
    local status, out, err = command.run({}, { input = "print 'first'\nerror 'bad'\nprint 'never'\n" })
    assert.equal(1, status)
    assert.equal("first\n", out)
    assert.matches("bad", err)
  end)

  it("runs the file of -i before, with its arguments", function()
    local name = command.file "y = 5 print(arg[0] ~= nil, arg[1], ...)"
    local status, out = command.run({ "-i", name, "A" }, { input = "y + 1\n" })
    assert.equal("true\tA\tA\n6\n", out)
    assert.equal(0, status)
  end)
end)

describe("csock -i", function()
  it("does not go together with -e", function()
    local status, _, err = command.run { "-i", "-e", "x = 1" }
    assert.equal("csock: -e and -i do not go together\n", err)
    assert.equal(2, status)
  end)
end)

describe("csock attach", function()
  it("says in one line that nobody is there", function()
    local status, _, err = command.run { "attach", "/nothing/here" }
    assert.matches("^csock[^\n]*%[ENOENT%]\n$", err)
    assert.equal(1, status)
  end)
end)
