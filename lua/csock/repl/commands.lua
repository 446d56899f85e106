-- commands.lua: what begins with a colon at the prompt.
local M = {}

-- name -> { usage =, help =, complete =, run = function(session, argument) ... end }. A command is run in a task, which
-- Ctrl-C ends. It prints by `session:print`, and returns nil and what is wrong, where something is. `complete`: what
-- its arguments are ("socket", "task", "module", "file", "setting"; else Lua).
M.all = {}

for _, part in ipairs { "seeing", "ending", "measuring", "code", "traffic", "settings", "dashboard" } do
  for name, command in pairs(require("csock.repl.commands." .. part)) do M.all[name] = command end
end

-- Runs a command: whether it did what it should.
function M.run(session, name, argument)
  local command = M.all[name]
  if not command then
    session:complain((":%s is no command; :help lists them"):format(name))
    return false
  end
  local ok, done, why = session:call(command.run, session, argument)
  if ok and (done or why == nil) then return true end
  if not ok and done == "interrupted" then
    session:complain(done)
  else
    session:complain((":%s: %s"):format(name, tostring(not ok and done or why)))
  end
  return false
end

-- A text in lines of at most so many characters, broken at blanks; the lines after the first begin with `indent`.
local function wrapped(text, columns, indent)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if line ~= "" and #line + 1 + #word > columns - #indent then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. indent)
end

local NARROW = 60 -- columns: what a command does is below it

-- The commands as a text: of each its usage and what it does.
function M.help(columns)
  local rows, width = {}, 0
  for name, command in pairs(M.all) do
    local usage = ":" .. name .. (command.usage and " " .. command.usage or "")
    rows[#rows + 1] = { usage, command.help }
    width = math.max(width, #usage)
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  local below = columns < NARROW
  local indent = (" "):rep(below and 4 or width + 2)
  for i, row in ipairs(rows) do
    local head = below and row[1] .. "\n" .. indent or ("%-" .. width .. "s  "):format(row[1])
    rows[i] = head .. wrapped(row[2], columns, indent)
  end
  return table.concat(rows, "\n")
end

return M
