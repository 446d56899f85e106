-- link.lua: what a server's forked children and their parent have in common: two connected sockets. A byte from a
-- child asks the parent to shut down; the end of the stream tells the children that the parent is gone.
local csock = require "csock"
local loop = csock.loop

local M = {}

local function listen(self, socket)
  while true do
    local data = socket:recv(64)
    if not data or data == "" then return end
    self:shutdown()
  end
end

-- In the parent, before a fork. True; nil, err, errno.
function M.open(self)
  local link = self._link
  if not link then
    local parents, childrens, errno = csock.socketpair()
    if not parents then return nil, childrens, errno end
    link = { parents = parents, childrens = childrens }
    self._link = link
  end
  local status = link.listener and link.listener:status()
  if status ~= "waiting" and status ~= "ready" then
    link.listener = loop.spawn(listen, self, link.parents):daemon()
  end
  return true
end

-- In the child: it is one from now on. The socket whose stream ends with the parent.
function M.enter(self)
  self._link.parents:close()
  self._link.in_child = true
  return self._link.childrens
end

-- Asks the parent to shut down. False in the parent itself.
function M.ask_parent(self)
  local link = self._link
  if not (link and link.in_child) then return false end
  link.childrens:send("s")
  return true
end

function M.close(self)
  local link = self._link
  self._link = nil
  if not link then return end
  link.parents:close()
  link.childrens:close()
end

-- For a `<close>` variable of a child: however its block is left, the process ends there, with this status, and
-- nothing else is closed or collected.
function M.leaving(status)
  return loop.guard(function()
    for _, file in ipairs { io.stdout, io.stderr } do pcall(file.flush, file) end
    csock._exit(status())
  end)
end

return M
