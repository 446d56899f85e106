-- tmux.lua: a program in a terminal as people have it: what it shows is what one sees.
--
--     local t <close> = tmux.start({ "lua5.4", "-i" }, { columns = 40 })
--     t:type("1 + 1", "Enter")
--     t:expect "^> 1 %+ 1\n2\n"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = { found = os.execute "command -v tmux >/dev/null 2>&1" == true }

local Terminal = {}
Terminal.__index = Terminal

local function run(self, ...)
  local status, out, err = process.run { "tmux", "-S", self.dir .. "/socket", "-f", "/dev/null", ... }
  if status ~= 0 then error("tmux: " .. err, 3) end
  return out
end

-- Starts a program (its arguments need no quotes of the shell). Options: `columns`, `rows`, `env`.
function M.start(argv, opts)
  opts = opts or {}
  local self = setmetatable({ dir = assert(posix.mkdtemp()) }, Terminal)
  local words = { "env", "-u", "TMUX" }
  for name, value in pairs(opts.env or {}) do words[#words + 1] = name .. "=" .. value end
  table.move(argv, 1, #argv, #words + 1, words)
  local columns, rows = tostring(opts.columns or 80), tostring(opts.rows or 24)
  run(self, "new-session", "-d", "-x", columns, "-y", rows, table.unpack(words))
  return self
end

-- Presses keys: text, or a key's name as tmux knows it ("Enter", "C-z").
function Terminal:type(...)
  run(self, "send-keys", "-t", ":", ...)
end

function Terminal:resize(columns, rows)
  run(self, "resize-window", "-t", ":", "-x", tostring(columns), "-y", tostring(rows))
end

-- What is on the screen: a line for each row, and those in which a longer one is continued joined.
function Terminal:screen()
  return run(self, "capture-pane", "-p", "-J", "-t", ":"):gsub(" +\n", "\n"):gsub("\n+$", "\n")
end

-- Waits until the screen is so: a pattern, or a function of it; gives the screen.
function Terminal:expect(wanted, timeout)
  local deadline = posix.monotonic() + (timeout or 10) * process.slowness
  while true do
    local screen = self:screen()
    local found = type(wanted) == "function" and wanted(screen) or type(wanted) == "string" and screen:find(wanted)
    if found then return screen end
    if posix.monotonic() > deadline then error("it does not show " .. tostring(wanted) .. ", but\n" .. screen, 2) end
    posix.sleep(0.02)
  end
end

function Terminal:close()
  process.run { "tmux", "-S", self.dir .. "/socket", "kill-server" }
  os.execute("rm -rf '" .. self.dir .. "'")
end

Terminal.__close = Terminal.close

return M
