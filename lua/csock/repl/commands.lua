-- commands.lua: what begins with a colon at the prompt.
local M = {}

-- name -> { usage =, help =, run = function(session, argument) ... end }. A command prints by `session:print`, and
-- returns nil and what is wrong, where something is.
M.all = {}

for _, part in ipairs { "seeing", "ending", "measuring", "code", "traffic", "settings", "dashboard" } do
  for name, command in pairs(require("csock.repl.commands." .. part)) do M.all[name] = command end
end

-- Runs a command: whether it did what it should.
function M.run(session, name, argument)
  local command = M.all[name]
  if not command then
    session:print((":%s is no command; :help lists them"):format(name))
    return false
  end
  local ok, done, why = pcall(command.run, session, argument)
  if ok and (done or why == nil) then return true end
  session:print((":%s: %s"):format(name, tostring(not ok and done or why)))
  return false
end

-- The commands as a text: of each its usage and what it does.
function M.help()
  local rows, width = {}, 0
  for name, command in pairs(M.all) do
    local usage = ":" .. name .. (command.usage and " " .. command.usage or "")
    rows[#rows + 1] = { usage, command.help }
    width = math.max(width, #usage)
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  for i, row in ipairs(rows) do rows[i] = ("%-" .. width .. "s  %s"):format(row[1], row[2]) end
  return table.concat(rows, "\n")
end

return M
