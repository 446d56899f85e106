-- leaks.lua: what a piece of work has left behind: open sockets and tasks that are not over.
local core = require "csock.core".testing
local csock = require "csock"
local loop = require "csock.loop"

local M = {}

local Before = { __close = function(self) csock.debug(self.debug) end }

local PATIENCE = 0.2 -- real seconds, for what is just about to end

-- What there is already: none of it counts. Sockets that are made are listed from now on, until it is closed.
function M.begin()
  local before = setmetatable({ debug = csock.debug(), sockets = {}, tasks = {} }, Before)
  csock.debug(true)
  for _, row in ipairs(csock.sockets()) do before.sockets[row.id] = true end
  for _, row in ipairs(loop.tasks()) do before.tasks[row.task] = true end
  return before
end

-- Those that are open. A stream that nobody has any more may keep the descriptor of a socket that was closed: that is
-- the collector's.
local function open_since(before)
  local function list() return csock.sockets(function(id) return not before.sockets[id] end) end
  local sockets = list() -- which keeps the others from being collected
  for _, row in ipairs(sockets) do
    if row.socket:fileno() < 0 then
      collectgarbage()
      collectgarbage()
      return list()
    end
  end
  return sockets
end

-- Rows of sockets and of tasks.
local function left_since(before)
  local sockets = open_since(before)
  local tasks = {}
  for _, row in ipairs(loop.tasks(function(task) return not before.tasks[task] end)) do
    if not row.daemon then tasks[#tasks + 1] = row end
  end
  table.sort(tasks, function(a, b) return (a.made or "") < (b.made or "") end)
  return sockets, tasks
end

local function text_of(sockets, tasks)
  local lines = {}
  for _, row in ipairs(sockets) do
    lines[#lines + 1] = ("  %s, made at %s"):format(row.socket, row.made or "?")
  end
  for _, row in ipairs(tasks) do
    local at = row.waits and ("%s in %s at %s"):format(row.status, row.waits, row.where) or row.status
    lines[#lines + 1] = ("  %s, made at %s: %s"):format(row.task, row.made or "?", at)
  end
  return table.concat(lines, "\n")
end

-- What has been left since then is ended. Gives the text that names it; nil: nothing. Not to be called in a task: what
-- is about to end has some turns of the loop first.
function M.finish(before)
  local sockets, tasks = left_since(before)
  local deadline = core.now() + PATIENCE
  while #sockets + #tasks > 0 and core.now() < deadline do
    if not core.turn(0.01) then break end -- nothing is left that could happen
    sockets, tasks = left_since(before)
  end
  local text = #sockets + #tasks > 0 and text_of(sockets, tasks) or nil
  for _, row in ipairs(tasks) do row.task:cancel() end
  for _, row in ipairs(sockets) do row.socket:close() end
  return text
end

return M
