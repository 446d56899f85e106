-- ending.lua: commands that end something.
local state = require "csock.repl.state"

local M = {}

M.close = {
  usage = "ID", complete = "socket", help = "closes a socket (:sockets tells the numbers)",
  run = function(_, id) return state.close(id) end,
}

M.kill = {
  usage = "TASK", complete = "task", help = "cancels a task, by its number or name (:tasks tells them)",
  run = function(session, id)
    local row = state.task(id)
    if not row then return nil, id == "" and "expects the number of a task" or "there is no task " .. id end
    if row.own then return nil, "the prompt itself is made of this one" end
    row.task:cancel()
    session:print(tostring(row.task))
  end,
}

M.quit = {
  help = "leaves the prompt",
  run = function(session) session.over = true end,
}

return M
