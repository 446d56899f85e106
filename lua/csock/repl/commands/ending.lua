-- ending.lua: commands that end something.
local state = require "csock.repl.state"

local M = {}

M.close = {
  usage = "ID", help = "closes a socket (:sockets tells the numbers)",
  run = function(_, id)
    local row = state.socket(math.tointeger(tonumber(id)))
    if not row then return nil, "there is no open socket " .. id end
    return row.socket:close()
  end,
}

M.kill = {
  usage = "TASK", help = "cancels a task, by its number or name (:tasks tells them)",
  run = function(session, id)
    local row = state.task(id)
    if not row then return nil, "there is no task " .. id end
    row.task:cancel()
    session:print(tostring(row.task))
  end,
}

M.quit = {
  help = "leaves the prompt",
  run = function(session) session.over = true end,
}

return M
