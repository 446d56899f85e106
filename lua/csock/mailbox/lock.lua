-- lock.lua: the two locks of mailboxes: by fcntl(2), and a file beside it with ".lock" behind its name, as Python and
-- mail programs have them. And files that are there as a whole or not at all.
local base = require "csock.mailbox.base"
local core = require "csock.core"
local csock = require "csock"

local files = core.file
local E = csock.errno

local M = {}

local count = 0

-- A name of one's own beside `path`.
function M.beside(path)
  count = count + 1
  return ("%s.%d.%s.%d.%d"):format(path, os.time(), csock.gethostname(), csock.getpid(), count)
end

-- Makes "path.lock". Whether there is one; nil, err, errno when somebody else has it. Without the right to write there
-- it is left out.
local function take_dot_lock(path)
  local name = M.beside(path .. ".lock")
  local file, err, errno = files.open(name, "x", 420)
  if not file then
    if errno == E.EACCES or errno == E.EROFS then return false end
    return nil, err, errno
  end
  file:close()
  local ok
  ok, err, errno = files.link(name, path .. ".lock")
  files.unlink(name)
  if ok then return true end
  if errno == E.EEXIST then return base.fail("lock", "EAGAIN", "the mailbox is locked: " .. path .. ".lock") end
  if errno ~= E.EPERM and errno ~= E.EOPNOTSUPP then return nil, err, errno end
  file, err, errno = files.open(path .. ".lock", "x", 420) -- a file system without links
  if not file then
    if errno == E.EEXIST then return base.fail("lock", "EAGAIN", "the mailbox is locked: " .. path .. ".lock") end
    return nil, err, errno
  end
  file:close()
  return true
end

-- Locks the open file at `path`: whether there is a file "path.lock", too; nil, err, errno: somebody else has it
-- (EAGAIN), ... . Tried again for so many seconds.
function M.lock(file, path, timeout)
  local deadline = timeout and csock.now() + timeout
  while true do
    local dotted
    local ok, err, errno = file:lock()
    if ok then
      dotted, err, errno = take_dot_lock(path)
      if dotted ~= nil then return dotted end
      file:unlock()
    end
    if errno ~= E.EAGAIN or not deadline or csock.now() >= deadline then return nil, err, errno end
    csock.sleep(math.min(0.05, math.max(0, deadline - csock.now())))
  end
end

function M.unlock(file, path, dotted)
  if dotted then files.unlink(path .. ".lock") end
  return file:unlock()
end

function M.folder_of(path) return path:match "^(.*)/[^/]*$" or "." end

-- Writes a file beside `path`, by `fill(file)`, and puts it in its place when it is on the disk. With `fresh` there
-- must be none yet (EEXIST).
function M.replace(path, mode, fresh, fill)
  local name = M.beside(path)
  local file <close>, err, errno = files.open(name, "x", mode)
  if not file then return nil, err, errno end
  local ok
  ok, err, errno = file:chmod(mode)
  if ok then ok, err, errno = fill(file) end
  if ok then ok, err, errno = file:sync() end
  if ok and fresh then
    ok, err, errno = files.link(name, path)
  elseif ok then
    ok, err, errno = files.rename(name, path)
    if ok then return files.sync(M.folder_of(path)) end
  end
  files.unlink(name)
  if ok then return files.sync(M.folder_of(path)) end
  return nil, err, errno
end

return M
