-- python.lua: Python as an oracle: thousands of questions at once, and its answers (oracle.py).
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

-- The version whose results are csock's: later ones give others.
local function is_python(name)
  return os.execute("command -v " .. name .. " >/dev/null 2>&1")
    and process.run { name, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))" } == 0
end

-- nil where there is none.
M.name = is_python "python3" and "python3" or is_python "python3.11" and "python3.11" or nil

local HEX, BYTE = {}, {}
for byte = 0, 255 do
  local digits = ("%02x"):format(byte)
  HEX[string.char(byte)], BYTE[digits] = digits, string.char(byte)
end

local function hex(text) return (text:gsub(".", HEX)) end

local function unhex(digits) return (digits:gsub("..", BYTE)) end

-- The answers of a script below spec/ to questions, each a list of a function's name and its arguments: lists of "ok"
-- and what it gives, or of "refused" and why.
function M.ask(script, questions)
  local dir = assert(posix.mkdtemp())
  local path = dir .. "/questions"
  do
    local file <close> = assert(io.open(path, "wb"))
    for _, question in ipairs(questions) do
      local fields = {}
      for i, field in ipairs(question) do fields[i] = hex(field) end
      file:write(table.concat(fields, " "), "\n")
    end
  end
  local env = { PYTHONPATH = "spec/support", PYTHONDONTWRITEBYTECODE = "1" }
  local status, out, err = process.run({ M.name, script, path }, { timeout = 100, env = env })
  os.remove(path)
  os.remove(dir)
  assert(status == 0, err)
  local answers = {}
  for line in out:gmatch "([^\n]*)\n" do
    local answer = {}
    for field in (line .. " "):gmatch "([^ ]*) " do answer[#answer + 1] = unhex(field) end
    answers[#answers + 1] = answer
  end
  return answers
end

return M
