-- link.lua: what a server's forked children and their parent have in common: two connected sockets. A child asks the
-- parent to shut down, or says that it is ready; the end of the stream tells the children that the parent is gone.
local csock = require "csock"
local internal = require "csock.loop.internal"
local loop = csock.loop

local M = {}

-- What a child says: a letter and its process id. So short that it is never mixed with what another one says.
local MESSAGE = ">c1I4"
local SHUT_DOWN, READY = "s", "r"

-- No stream: a child would have a copy of it, which keeps the descriptor.
local function listen(self, socket)
  local size, rest = MESSAGE:packsize(), ""
  while true do
    local data = socket:recv(64)
    if not data or data == "" then return end
    rest = rest .. data
    while #rest >= size do
      local kind, pid = MESSAGE:unpack(rest)
      rest = rest:sub(size + 1)
      if kind == SHUT_DOWN then self:shutdown() else self:_worker_ready(pid) end
    end
  end
end

local function say(link, kind) link.childrens:send(MESSAGE:pack(kind, csock.getpid())) end

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
  say(link, SHUT_DOWN)
  return true
end

-- In a child of a prefork server, which is told so by `_worker_ready(pid)` in the parent.
function M.tell_ready(self) say(self._link, READY) end

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
  return internal.guard(function()
    for _, file in ipairs { io.stdout, io.stderr } do pcall(file.flush, file) end
    csock._exit(status())
  end)
end

return M
