--- Debian's Twisted as an oracle: the same scenario written in Python and in Lua, each of which tells by `say` what
-- happens, and the two texts compared.
--
--     local same = require("spec.support.twisted").specs(it, pending)
--
--     same("calls back with the result", [[
--       d = defer.Deferred()
--       d.addCallback(say)
--       d.callback(42)
--     ]], function(say)
--       local d = defer.Deferred()
--       d:addCallback(say)
--       d:callback(42)
--     end)
--
-- A Python text has what spec/support/twisted/say.py has: `say`, `defer`, `task`, `protocol`, `error` and others (no
-- reactor: it imports that itself). Many short scenarios stand in one file there, each under `@scenario`: they take
-- one interpreter, and are fetched by `twisted.scenarios`.
local assert = require "luassert"
local process = require "spec.support.process"

local M = {}

--- The interpreter: whatever other one comes first in PATH has no packages of Debian's.
M.python = "/usr/bin/python3"

--- Whether it is there: without it, what is compared with it is pending.
M.there = os.execute(M.python .. " -c 'import twisted' >/dev/null 2>&1") == true

-- The text without the indentation of its first line.
local function dedent(text)
  local indent = text:match "^\n*([ \t]*)"
  return (("\n" .. text):gsub("\n" .. indent, "\n"))
end

--- Runs a Python script to its end.
-- @tparam string script a path, or the text (of more than a line, indented as it may be)
-- @param ... its arguments
-- @treturn string what it printed
function M.run(script, ...)
  local env = { PYTHONPATH = "spec/support/twisted", PYTHONDONTWRITEBYTECODE = "1" }
  local opts, argv = { env = env, timeout = 60 }, { M.python, "-W", "ignore", script, ... }
  if script:find "\n" then
    argv[4] = "-c"
    table.insert(argv, 5, "from say import *\n" .. dedent(script))
  end
  local status, out, err = process.run(argv, opts)
  assert(status == 0, err)
  return out
end

local fetched = {}

--- What the scenarios of a file say.
-- @tparam string path of a Python file whose functions `@scenario` runs
-- @treturn {[string]=string} by their names
function M.scenarios(path)
  if fetched[path] then return fetched[path] end
  local texts, name = {}, nil
  for line in M.run(path):gmatch "[^\n]*\n" do
    local title = line:match "^== (.*)\n"
    name = title or name
    texts[name] = title and "" or texts[name] .. line
  end
  fetched[path] = texts
  return texts
end

local AS_PYTHON = { ["true"] = "True", ["false"] = "False", ["nil"] = "None" }

-- A value as Python's print writes it.
local function word(value)
  local text = tostring(value)
  return type(value) ~= "string" and AS_PYTHON[text] or text
end

--- Calls a function with a `say` of its own.
-- @tparam function f
-- @treturn string the lines that it said
function M.record(f)
  local lines = {}
  f(function(...)
    local words = {}
    for i = 1, select("#", ...) do words[i] = word((select(i, ...))) end
    lines[#lines + 1] = table.concat(words, " ") .. "\n"
  end)
  return table.concat(lines)
end

--- Gives a function that makes a spec: both say the same. (busted's own are known in spec files alone.)
-- @tparam function it
-- @tparam function pending
-- @treturn function (name, script, f): `script` is Python, as for `run`, or the path and name of a scenario,
-- `path.py:name`; `f` is the same in Lua, called with `say`
function M.specs(it, pending)
  return function(name, script, f)
    it(name, function()
      if not M.there then return pending "Twisted is not installed" end
      local path, scenario = script:match "^([^\n]*%.py):([%w_]+)$"
      local wanted = path and M.scenarios(path)[scenario] or M.run(script)
      assert.equal(wanted, M.record(f))
    end)
  end
end

return M
