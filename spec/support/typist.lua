-- typist.lua: a program with the prompt's editor in a terminal, for specs.
--
-- It answers each line with "<text>", each interrupt with "<interrupted>", the end with "<end>". Lines that begin with
-- "=" are Lua, and `e` is the editor.
local process = require "spec.support.process"

local PROGRAM = [[
  local csock = require "csock"
  local loop = csock.loop
  csock.run(function()
    e = require "csock.repl.editor".open{ history = os.getenv "EDITOR_HISTORY", complete = complete }
    local _ <close> = e
    e:capture(true)
    worst, last = 0, loop.now()
    function late() local w = worst worst = 0 return w end
    loop.spawn(function()
      while true do
        csock.sleep(0.05)
        local now = loop.now()
        worst, last = math.max(worst, now - last - 0.05), now
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

local M = {}

M.terminal = {
  TERM = "xterm", LC_ALL = "C.UTF-8", INPUTRC = "/dev/null", LUA_PATH = package.path, LUA_CPATH = package.cpath,
}

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

M.edits = package.searchpath("csock.readline", package.cpath) ~= nil

return M
