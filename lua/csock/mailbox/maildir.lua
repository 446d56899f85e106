-- maildir.lua: a folder with a file for each message (D. J. Bernstein's Maildir). No lock is needed: a message is
-- written in tmp/, and has its name in new/ or cur/ when all of it is on the disk.
local base = require "csock.mailbox.base"
local core = require "csock.core"
local csock = require "csock"
local lock = require "csock.mailbox.lock"
local messages = require "csock.mailbox.messages"

local files = core.file
local E = csock.errno

local OLD = 36 * 3600 -- seconds: a file in tmp/ of which nobody hears any more

local methods = {}
local open

-- The key of a file's name: what is before the colon.
local function key_of(name) return name:match "^[^:]*" end

-- Reads which messages there are: by keys, their paths below the Maildir.
local function refresh(box)
  local toc = {}
  for _, folder in ipairs { "new", "cur" } do
    local names, err, errno = files.names(box.path .. "/" .. folder)
    if not names then return nil, err, errno end
    for _, name in ipairs(names) do
      if not name:find "^%." then toc[key_of(name)] = folder .. "/" .. name end
    end
  end
  box.toc = toc
  return toc
end

-- Where the message of a key is now: other programs move and rename it.
local function look_up(box, key, call)
  local path = box.toc[key]
  if path and files.kind(box.path .. "/" .. path) == "file" then return path end
  local toc, err, errno = refresh(box)
  if not toc then return nil, err, errno end
  path = toc[key]
  if path and files.kind(box.path .. "/" .. path) == "file" then return path end
  return base.missing(call, key)
end

-- Does something with a message's path, again where that has been moved meanwhile.
local function with_path(box, key, call, f)
  for _ = 1, 10 do
    local path, err, errno = look_up(box, key, call)
    if not path then return nil, err, errno end
    local result
    result, err, errno = f(box.path .. "/" .. path, path)
    if result ~= nil or errno ~= E.ENOENT then return result, err, errno end
    box.toc[key] = nil
  end
  return base.missing(call, key)
end

-- --- writing --------------------------------------------------------------------------------------

local count = 0

-- A name that no other message has.
local function unique()
  count = count + 1
  local host = csock.gethostname():gsub("[/:]", { ["/"] = "\\057", [":"] = "\\072" })
  local random = ("<I4"):unpack(assert(csock.random(4)))
  return ("%d.R%08xP%dQ%d.%s"):format(os.time(), random, csock.getpid(), count, host)
end

-- Writes a message into tmp/: its name there. `at` is how it is marked: the folder, and what is behind the colon.
local function write(box, value, call)
  local bytes, err, errno = base.bytes_of(value, 1, call)
  if not bytes then return nil, err, errno end
  local name = unique()
  local path = box.path .. "/tmp/" .. name
  local file <close>, why, code = files.open(path, "x", 384)
  if not file then return nil, why, code end
  local ok
  ok, err, errno = file:write(bytes, 0)
  if ok then ok, err, errno = file:sync() end
  local state = base.state_of(value)
  if ok and state then ok, err, errno = files.utime(path, state.date) end
  if ok then return name, path end
  files.unlink(path)
  return nil, err, errno
end

-- Of a message that knows it, its folder and what is behind its name; else nil.
local function place_of(value)
  local state = base.state_of(value)
  if not state then return nil end
  if state.kind ~= "MaildirMessage" then
    value = messages.MaildirMessage(value)
    state = base.state_of(value)
  end
  local info = value:get_info()
  return state.subdir, info ~= "" and ":" .. info or ""
end

function methods:add(value)
  local name, path, errno = write(self, value, "add")
  if not name then return nil, path, errno end
  local folder, suffix = place_of(value)
  local target = (folder or "new") .. "/" .. name .. (suffix or "")
  local ok, err, code = files.link(path, self.path .. "/" .. target)
  if not ok and (code == E.EPERM or code == E.EOPNOTSUPP) then
    ok, err, code = files.rename(path, self.path .. "/" .. target) -- a file system without links
  else
    files.unlink(path)
  end
  if ok then ok, err, code = files.sync(self.path .. "/" .. (folder or "new")) end
  if not ok then return nil, err, code end
  self.toc[name] = target
  return name
end

-- The new one takes the old one's name in one step, so that one of them is always there.
function methods:set(key, value)
  local known, why, no = look_up(self, key, "set")
  if not known then return nil, why, no end
  local name, path, errno = write(self, value, "set")
  if not name then return nil, path, errno end
  local folder, suffix = place_of(value)
  local ok, err, code = with_path(self, key, "set", function(old, short)
    local target = folder and folder .. "/" .. key .. suffix or short
    local done, reason, number = files.rename(path, self.path .. "/" .. target)
    if not done then return nil, reason, number end
    if target ~= short then files.unlink(old) end
    self.toc[key] = target
    return files.sync(lock.folder_of(self.path .. "/" .. target))
  end)
  if not ok then files.unlink(path) end
  return ok, err, code
end

function methods:remove(key)
  local ok, err, errno = with_path(self, key, "remove", files.unlink)
  if ok then self.toc[key] = nil end
  return ok, err, errno
end

-- --- reading --------------------------------------------------------------------------------------

function methods:keys()
  local toc, err, errno = refresh(self)
  if not toc then return nil, err, errno end
  local list = {}
  for key in pairs(toc) do list[#list + 1] = key end
  table.sort(list)
  return list
end

function methods:contains(key) return look_up(self, key, "contains") ~= nil end

-- All of a file.
function methods:get_bytes(key)
  return with_path(self, key, "get_bytes", function(path)
    local file <close>, err, errno = files.open(path, "r")
    if not file then return nil, err, errno end
    return file:read((file:stat()), 0)
  end)
end

function methods:get_message(key)
  return with_path(self, key, "get_message", function(path, short)
    local file <close>, err, errno = files.open(path, "r")
    if not file then return nil, err, errno end
    local size, _, time = file:stat()
    local bytes
    bytes, err, errno = file:read(size, 0)
    if not bytes then return nil, err, errno end
    local msg
    msg, err, errno = messages.MaildirMessage(bytes)
    if not msg then return nil, err, errno end
    msg:set_subdir(short:match "^[^/]*"):set_date(math.max(0, time))
    local info = short:match "^.-:(.*)$"
    if info and not info:find ":" then msg:set_info(info) end
    return msg
  end)
end

-- --- the folder -----------------------------------------------------------------------------------

function methods.lock() return true end

methods.unlock, methods.flush, methods.close = methods.lock, methods.lock, methods.lock

function methods:list_folders() return base.folders(self.path, "^%.([^.].*)") end

function methods:get_folder(name)
  local ok, err, errno = base.folder_name(name, "get_folder")
  if not ok then return nil, err, errno end
  return open(self.path .. "/." .. name, { create = false })
end

function methods:add_folder(name)
  local ok, err, errno = base.folder_name(name, "add_folder")
  if not ok then return nil, err, errno end
  local path = self.path .. "/." .. name
  local box
  box, err, errno = open(path, { create = true })
  if not box then return nil, err, errno end
  local file
  file, err, errno = files.open(path .. "/maildirfolder", "a", 384)
  if not file then return nil, err, errno end
  file:close()
  return box
end

-- A folder and what is in it.
local function remove_all(path)
  local names, err, errno = files.names(path)
  if not names then return nil, err, errno end
  for _, name in ipairs(names) do
    local ok
    if files.kind(path .. "/" .. name) == "directory" then
      ok, err, errno = remove_all(path .. "/" .. name)
    else
      ok, err, errno = files.unlink(path .. "/" .. name)
    end
    if not ok then return nil, err, errno end
  end
  return files.rmdir(path)
end

function methods:remove_folder(name)
  local box, err, errno = self:get_folder(name)
  if not box then return nil, err, errno end
  local keys
  keys, err, errno = box:keys()
  if not keys then return nil, err, errno end
  if #keys > 0 then return base.fail("remove_folder", "ENOTEMPTY", "the folder has messages") end
  for _, entry in ipairs(assert(files.names(box.path))) do
    local ours = entry == "new" or entry == "cur" or entry == "tmp"
    if not ours and files.kind(box.path .. "/" .. entry) == "directory" then
      return base.fail("remove_folder", "ENOTEMPTY", "the folder has folders")
    end
  end
  -- The folders of messages go first: what is delivered meanwhile is not removed.
  for _, part in ipairs { "new", "cur" } do
    local ok
    ok, err, errno = files.rmdir(box.path .. "/" .. part)
    if not ok and errno ~= E.ENOENT then return nil, err, errno end
  end
  return remove_all(box.path)
end

function methods:clean()
  local names, err, errno = files.names(self.path .. "/tmp")
  if not names then return nil, err, errno end
  for _, name in ipairs(names) do
    local path = self.path .. "/tmp/" .. name
    local kind, _, _, _, used = files.kind(path)
    if kind == "file" and os.time() - used > OLD then files.unlink(path) end
  end
  return true
end

local metatable = base.class("csock.mailbox.Maildir", methods)

function open(path, options)
  local kind, err, errno = files.kind(path .. "/.")
  if not kind then
    if errno ~= E.ENOENT or not options.create then return nil, err, errno end
    local ok
    for _, part in ipairs { "", "/tmp", "/new", "/cur" } do
      ok, err, errno = files.mkdir(path .. part)
      if not ok and errno ~= E.EEXIST then return nil, err, errno end
    end
  end
  local box = setmetatable({ path = path, toc = {} }, metatable)
  local toc
  toc, err, errno = refresh(box)
  if not toc then return nil, err, errno end
  return box
end

return open
