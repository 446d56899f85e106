-- mh.lua: a folder with a file for each message, whose name is a number, and a file that says which are in which
-- sequences.
local base = require "csock.mailbox.base"
local check = require "csock.check"
local core = require "csock.core"
local csock = require "csock"
local lock = require "csock.mailbox.lock"
local messages = require "csock.mailbox.messages"

local files = core.file
local E = csock.errno

local MOST = 1 << 31 -- the greatest number of a message

local methods = {}
local open

local function path_of(box, key) return box.path .. "/" .. tostring(key) end

local function is_key(key) return math.type(key) == "integer" and key > 0 and key <= MOST end

-- --- locking --------------------------------------------------------------------------------------

local function sequences_path(box) return box.path .. "/.mh_sequences" end

function methods:lock(timeout)
  if self.locked then return true end
  local seconds = check.timeout(timeout, 1, "lock") or 0
  for _ = 1, 10 do
    local path = sequences_path(self)
    local file, err, errno = files.open(path, "a", 384)
    if not file then return nil, err, errno end
    local dotted
    dotted, err, errno = lock.lock(file, path, seconds)
    if dotted == nil then
      file:close()
      return nil, err, errno
    end
    if file:is(path) then
      self.file, self.dotted, self.locked = file, dotted, true
      return true
    end
    lock.unlock(file, path, dotted) -- it has been written anew meanwhile
    file:close()
  end
  return base.fail("lock", "EAGAIN", "the sequences are written all the time")
end

function methods:unlock()
  if not self.locked then return true end
  self.locked = false
  lock.unlock(self.file, sequences_path(self), self.dotted)
  return self.file:close()
end

local function locked(box, f)
  if box.locked then return f() end
  local ok, err, errno = box:lock(box.timeout)
  if not ok then return nil, err, errno end
  local results = table.pack(pcall(f))
  box:unlock()
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- --- sequences ------------------------------------------------------------------------------------

local function read_sequences(text, has)
  local sequences = {}
  for line in text:gmatch "[^\n]+" do
    local name, rest = line:match "^([^:]+):(.*)$"
    if not name then return base.fail("get_sequences", "EBADMSG", "no line of sequences: " .. line) end
    local keys, seen = {}, {}
    for word in rest:gmatch "%S+" do
      local from, to = word:match "^(%d+)%-(%d+)$"
      from = from or word:match "^%d+$"
      if not from or #word > 40 then return base.fail("get_sequences", "EBADMSG", "no numbers: " .. word) end
      from, to = tonumber(from), tonumber(to or from)
      for _, key in ipairs(has) do -- a range may be as wide as somebody has written
        if key >= from and key <= to and not seen[key] then
          seen[key] = true
          keys[#keys + 1] = key
        end
      end
    end
    table.sort(keys)
    if #keys > 0 then sequences[name] = keys end
  end
  return sequences
end

function methods:get_sequences()
  local has, err, errno = self:keys()
  if not has then return nil, err, errno end
  local file <close>, why, code = files.open(sequences_path(self), "r")
  if not file then
    if code == E.ENOENT then return {} end
    return nil, why, code
  end
  local text
  text, err, errno = file:read((file:stat()), 0)
  if not text then return nil, err, errno end
  return read_sequences(text, has)
end

local function format_keys(keys)
  local sorted, seen = {}, {}
  for _, key in ipairs(keys) do
    if not is_key(key) then check.bad("set_sequences", 1, "keys of messages expected") end
    if not seen[key] then sorted[#sorted + 1] = key end
    seen[key] = true
  end
  table.sort(sorted)
  local list, i = {}, 1
  while i <= #sorted do
    local first = i
    while sorted[i + 1] == sorted[i] + 1 do i = i + 1 end
    list[#list + 1] = i > first and ("%d-%d"):format(sorted[first], sorted[i]) or tostring(sorted[i])
    i = i + 1
  end
  return table.concat(list, " ")
end

-- In place: others may have it locked or open.
local function write_sequences(box, sequences)
  local names, lines = {}, {}
  for name in pairs(sequences) do
    if type(name) ~= "string" or not name:find "^[^:%s%c]+$" then
      check.bad("set_sequences", 1, "names of sequences expected")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if #sequences[name] > 0 then lines[#lines + 1] = name .. ": " .. format_keys(sequences[name]) .. "\n" end
  end
  local text = table.concat(lines)
  local ok, err, errno = box.file:write(text, 0)
  if ok then ok, err, errno = box.file:truncate(#text) end
  if ok then ok, err, errno = box.file:sync() end
  if not ok then return nil, err, errno end
  return true
end

function methods:set_sequences(sequences)
  if type(sequences) ~= "table" then check.expected("set_sequences", 1, "table", sequences) end
  return locked(self, function() return write_sequences(self, sequences) end)
end

-- Changes the sequences by `f(sequences)`.
local function change_sequences(box, f)
  return locked(box, function()
    local sequences, err, errno = box:get_sequences()
    if not sequences then return nil, err, errno end
    f(sequences)
    return write_sequences(box, sequences)
  end)
end

local function put(sequences, name, key)
  sequences[name] = sequences[name] or {}
  table.insert(sequences[name], key)
end

-- The sequences of a message that knows some, for the key that it has.
local function note(box, value, key)
  local state = base.state_of(value)
  if not state then return true end
  if state.kind ~= "MHMessage" then
    local msg, err, errno = messages.MHMessage(value)
    if not msg then return nil, err, errno end
    state = base.state_of(msg)
  end
  return change_sequences(box, function(sequences)
    for name, keys in pairs(sequences) do
      local kept = {}
      for _, one in ipairs(keys) do
        if one ~= key then kept[#kept + 1] = one end
      end
      sequences[name] = kept
    end
    for name in pairs(state.sequences) do put(sequences, name, key) end
  end)
end

-- --- messages -------------------------------------------------------------------------------------

function methods:keys()
  local names, err, errno = files.names(self.path)
  if not names then return nil, err, errno end
  local list = {}
  for _, name in ipairs(names) do
    local key = name:find "^[1-9]%d*$" and #name <= 10 and tonumber(name)
    if key and is_key(key) then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

function methods:contains(key) return is_key(key) and files.kind(path_of(self, key)) == "file" end

-- The message has its name when all of it is on the disk, and never another's.
function methods:add(value)
  local bytes, err, errno = base.bytes_of(value, 1, "add")
  if not bytes then return nil, err, errno end
  local keys
  keys, err, errno = self:keys()
  if not keys then return nil, err, errno end
  local key = #keys > 0 and keys[#keys] or 0
  local ok
  repeat
    key = key + 1
    ok, err, errno = lock.replace(path_of(self, key), 384, true, function(file) return file:write(bytes, 0) end)
  until ok or errno ~= E.EEXIST or key >= MOST
  if ok then ok, err, errno = note(self, value, key) end
  if not ok then return nil, err, errno end
  return key
end

function methods:set(key, value)
  if not self:contains(key) then return base.missing("set", key) end
  local bytes, err, errno = base.bytes_of(value, 1, "set")
  if not bytes then return nil, err, errno end
  local ok
  ok, err, errno = lock.replace(path_of(self, key), 384, false, function(file) return file:write(bytes, 0) end)
  if ok then ok, err, errno = note(self, value, key) end
  return ok, err, errno
end

function methods:remove(key)
  if not is_key(key) then return base.missing("remove", key) end
  local ok, err, errno = files.unlink(path_of(self, key))
  if not ok and errno == E.ENOENT then return base.missing("remove", key) end
  return ok, err, errno
end

function methods:get_bytes(key)
  if not is_key(key) then return base.missing("get_bytes", key) end
  local file <close>, err, errno = files.open(path_of(self, key), "r")
  if not file then
    if errno == E.ENOENT then return base.missing("get_bytes", key) end
    return nil, err, errno
  end
  return file:read((file:stat()), 0)
end

function methods:get_message(key)
  local bytes, err, errno = self:get_bytes(key)
  if not bytes then return nil, err, errno end
  local msg, sequences
  msg, err, errno = messages.MHMessage(bytes)
  if not msg then return nil, err, errno end
  sequences, err, errno = self:get_sequences()
  if not sequences then return nil, err, errno end
  for name, keys in pairs(sequences) do
    for _, one in ipairs(keys) do
      if one == key then base.state_of(msg).sequences[name] = true end
    end
  end
  return messages.note_sequences(msg)
end

-- --- the folder -----------------------------------------------------------------------------------

function methods.flush() return true end

function methods:close() return self:unlock() end

-- Gives the messages the numbers from 1 on, without gaps.
function methods:pack()
  return locked(self, function()
    local sequences, err, errno = self:get_sequences()
    if not sequences then return nil, err, errno end
    local new = {}
    for i, key in ipairs(assert(self:keys())) do
      new[key] = i
      if key ~= i then
        local ok
        ok, err, errno = files.link(path_of(self, key), path_of(self, i))
        if not ok then return nil, err, errno end
        files.unlink(path_of(self, key))
      end
    end
    for name, keys in pairs(sequences) do
      local list = {}
      for i, key in ipairs(keys) do list[i] = new[key] or key end
      sequences[name] = list
    end
    return write_sequences(self, sequences)
  end)
end

function methods:list_folders() return base.folders(self.path, "^(.*)") end

function methods:get_folder(name)
  local ok, err, errno = base.folder_name(name, "get_folder")
  if not ok then return nil, err, errno end
  return open(self.path .. "/" .. name, { create = false, timeout = self.timeout })
end

function methods:add_folder(name)
  local ok, err, errno = base.folder_name(name, "add_folder")
  if not ok then return nil, err, errno end
  return open(self.path .. "/" .. name, { create = true, timeout = self.timeout })
end

function methods:remove_folder(name)
  local box, err, errno = self:get_folder(name)
  if not box then return nil, err, errno end
  for _, entry in ipairs(assert(files.names(box.path))) do
    if entry ~= ".mh_sequences" then return base.fail("remove_folder", "ENOTEMPTY", "the folder is not empty") end
  end
  files.unlink(sequences_path(box))
  return files.rmdir(box.path)
end

local metatable = base.class("csock.mailbox.MH", methods)

function open(path, options)
  local kind, err, errno = files.kind(path .. "/.")
  if not kind then
    if errno ~= E.ENOENT or not options.create then return nil, err, errno end
    local ok
    ok, err, errno = files.mkdir(path)
    if not ok then return nil, err, errno end
    local file
    file, err, errno = files.open(path .. "/.mh_sequences", "a", 384)
    if not file then return nil, err, errno end
    file:close()
  end
  return setmetatable({ path = path, timeout = options.timeout, locked = false }, metatable)
end

return open
