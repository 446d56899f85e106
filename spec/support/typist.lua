-- typist.lua: a program with the prompt's editor in a terminal, for specs.
--
-- It answers each line with "<text>", each interrupt with "<interrupted>", the end with "<end>". Lines that begin with
-- "=" are Lua; `e` is the editor. `late()`: by how many seconds at most a ticker of 50 ms has been late since the last
-- call: for as long as this process was busy, and in all, also while others had the processor.
local process = require "spec.support.process"
local terminal = require "spec.support.terminal"

local PROGRAM = [[
  csock = require "csock"
  local loop = csock.loop
  csock.run(function()
    e = require "csock.repl.editor".open{ history = os.getenv "EDITOR_HISTORY", complete = complete }
    local _ <close> = e
    e:capture(true)
    local own, all = 0, 0
    function late()
      local o, a = own, all
      own, all = 0, 0
      return o, a
    end
    loop.spawn(function()
      while true do
        local began, used = loop.now(), os.clock()
        csock.sleep(0.05)
        local took = loop.now() - began
        all = math.max(all, took - 0.05)
        own = math.max(own, math.min(took, os.clock() - used) - 0.05)
      end
    end):daemon()
    while true do
      local line, why = e:read "ready> "
      if line and line:sub(1, 1) == "=" then
        local value = assert(load(line:sub(2), "typed"))()
        print("<" .. tostring(value) .. ">")
      elseif line then
        e:remember(line)
        print("<" .. (#line > 1000 and #line or line) .. ">")
      elseif why then
        print("<" .. why .. ">")
      else
        break
      end
    end
    print "<end>"
    loop.stop()
  end)
]]

local M = { program = PROGRAM }

M.terminal = {
  TERM = "xterm", LC_ALL = "C.UTF-8", INPUTRC = "/dev/null", LUA_PATH = package.path, LUA_CPATH = package.cpath,
}

-- The environment that it needs in a terminal which others have made.
function M.environment()
  local all = { LD_PRELOAD = os.getenv "LD_PRELOAD" }
  for name, value in pairs(M.terminal) do all[name] = value end
  return all
end

-- Starts it, with a piece of Lua before it and changes of the environment.
function M.start(before, env, opts)
  local all = {}
  for name, value in pairs(M.terminal) do all[name] = value end
  for name, value in pairs(env or {}) do all[name] = value end
  opts = opts or { pty = true }
  opts.env = all
  local p = process.lua({ "-e", (before or "") .. PROGRAM }, opts)
  if opts.pty then p:expect "ready> " end
  return p
end

-- The modes of a terminal that nobody has changed yet.
function M.modes()
  local p <close> = process.start({ "cat" }, { pty = true })
  return assert(terminal.modes(p.stdin))
end

M.edits = package.searchpath("csock.readline", package.cpath) ~= nil

return M
