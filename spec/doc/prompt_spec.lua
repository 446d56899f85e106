-- doc/prompt.md: what it says that the prompt answers, the prompt answers.
local csock = require "csock"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local PAGE, PORT = "doc/prompt.md", "21567"

local function free_port()
  local s <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return tostring(s:getsockname().port)
end

-- Without what is another time otherwise: how long ago, and the lines of csock's own files.
local function masked(text)
  return (text:gsub("%f[%w]%d+%.%ds", "0.0s"):gsub("(csock/[%w_/]+%.lua:)%d+", "%10"):gsub(" +", " "))
end

describe(PAGE, function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  -- The page as the script writes it now.
  local function played()
    local port = free_port()
    do
      local file <close> = assert(io.open(path, "w"))
      file:write((tree.read(PAGE):gsub(PORT, port)))
    end
    local status, out, err = process.run({ process.interpreter, "doc/transcript.lua", path }, { timeout = 30 })
    assert.same({ 0, "", "" }, { status, out, err })
    return (tree.read(path):gsub(port, PORT))
  end

  it("is what the prompt answers", function() assert.equal(masked(tree.read(PAGE)), masked(played())) end)

  it("has answers, and no line that is too long", function()
    local inputs, answers = 0, 0
    for block in tree.read(PAGE):gmatch "```text\n(.-)```" do
      for line in block:gmatch "[^\n]+" do
        local is_input, goes_on = line:find "^csock %d+> ", line:find "^ +%.> "
        if is_input then inputs = inputs + 1 end
        if not is_input and not goes_on then answers = answers + 1 end
        assert.is_true(utf8.len(line) <= 80, line)
      end
    end
    assert.is_true(inputs >= 15 and answers >= 15)
  end)
end)
