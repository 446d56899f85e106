-- mbox.lua: one file with all messages, each behind a line "From ...".
--
-- What is added is appended at once. What is removed or changed is so for this object alone until `flush`, which writes
-- the file anew from the first change on, in place, so that programs that have it open go on with the same file. Before
-- that it writes what will be there into a journal ("path.journal"): whoever opens the mailbox after a crash finishes
-- the work. Both are done under the locks of lock.lua, whether the program has locked the mailbox or not.
local base = require "csock.mailbox.base"
local check = require "csock.check"
local core = require "csock.core"
local csock = require "csock"
local lock = require "csock.mailbox.lock"
local messages = require "csock.mailbox.messages"

local files = core.file
local E = csock.errno

local PIECE = 65536
local MARK = 200 -- bytes by which a message is known again

local methods = {}

-- --- reading --------------------------------------------------------------------------------------

-- Where lines "From ..." begin, from the offset `from` on, where a line begins: a sequence, and the file's size.
local function scan(file, from)
  local starts, at, rest = {}, from, "\n"
  while true do
    local piece, err, errno = file:read(PIECE, at)
    if not piece then return nil, err, errno end
    local text, offset = rest .. piece, at - #rest
    local found = 1
    while true do
      found = text:find("\nFrom ", found, true)
      if not found then break end
      starts[#starts + 1] = offset + found
      found = found + 1
    end
    at = at + #piece
    if #piece < PIECE then return starts, at end
    rest = text:sub(-5)
  end
end

-- Adds the messages that begin at `starts` to the table of contents; the last one ends at `size`.
local function add_entries(box, starts, size)
  for i, start in ipairs(starts) do
    local stop = starts[i + 1] or size
    -- The empty line before the next one is none of its own.
    local before = assert(box.file:read(2, math.max(start, stop - 2)))
    if before == "\n\n" then stop = stop - 1 end
    box.toc[box.next_key] = { start = start, stop = stop, mark = assert(box.file:read(MARK, start)) }
    box.next_key = box.next_key + 1
  end
  box.size = size
end

local function read_all(box)
  box.toc, box.next_key = {}, 0
  local starts, size, errno = scan(box.file, 0)
  if not starts then return nil, size, errno end
  add_entries(box, starts, size)
  return true
end

local function is_same(box, entry) return box.file:read(math.min(MARK, #entry.mark), entry.start) == entry.mark end

local function changed(call)
  return base.fail(call, "ESTALE", "somebody else has changed the mailbox")
end

local function entry_of(box, key, call)
  local entry = box.toc[key]
  if not entry then return base.missing(call, key) end
  if not is_same(box, entry) then return changed(call) end
  return entry
end

-- --- the journal ----------------------------------------------------------------------------------

local HEAD = "csock journal %020d %020d %020d\n" -- where the change begins, the size before, how much is there then
local HEAD_SIZE = #HEAD:format(0, 0, 0)

local function copy(from, offset, to, at, length)
  while length > 0 do
    local piece, err, errno = from:read(math.min(PIECE, length), offset)
    if not piece then return nil, err, errno end
    if piece == "" then return base.fail("read", "EIO", "the file has become shorter") end
    local ok
    ok, err, errno = to:write(piece, at)
    if not ok then return nil, err, errno end
    offset, at, length = offset + #piece, at + #piece, length - #piece
  end
  return true
end

local function is_equal(a, at, b, offset, length)
  while length > 0 do
    local piece = a:read(math.min(PIECE, length), at)
    if not piece or piece == "" or piece ~= b:read(#piece, offset) then return false end
    at, offset, length = at + #piece, offset + #piece, length - #piece
  end
  return true
end

-- Writes the journal: `ranges` of files, each { file, from, to }, will be in place of all from `begin` on. They are
-- never longer than that was.
local function write_journal(box, begin, size, ranges)
  local length = 0
  for _, range in ipairs(ranges) do length = length + range[3] - range[2] end
  return lock.replace(box.path .. ".journal", box.mode, false, function(file)
    local ok, err, errno = file:write(HEAD:format(begin, size, length), 0)
    local at = HEAD_SIZE
    for _, range in ipairs(ranges) do
      if ok then ok, err, errno = copy(range[1], range[2], file, at, range[3] - range[2]) end
      at = at + range[3] - range[2]
    end
    return ok, err, errno
  end)
end

-- Does what the journal says.
local function apply(box, journal, begin, length)
  local ok, err, errno = copy(journal, HEAD_SIZE, box.file, begin, length)
  if ok then ok, err, errno = box.file:truncate(begin + length) end
  if ok then ok, err, errno = box.file:sync() end
  if ok then ok, err, errno = files.unlink(box.path .. ".journal") end
  if ok then ok, err, errno = files.sync(lock.folder_of(box.path)) end
  return ok, err, errno
end

-- Finishes what a crash has left. Others may have added messages since: those are kept.
local function recover(box)
  local journal <close>, err, errno = files.open(box.path .. ".journal", "r")
  if not journal then
    if errno == E.ENOENT then return true end
    return nil, err, errno
  end
  local head = journal:read(HEAD_SIZE, 0)
  local begin, old, length = (head or ""):match "^csock journal (%d+) (%d+) (%d+)\n$"
  if not begin then return base.fail("open", "EIO", "no journal of ours: " .. box.path .. ".journal") end
  begin, old, length = tonumber(begin), tonumber(old), tonumber(length)
  local size = box.file:stat()
  local done = is_equal(journal, HEAD_SIZE, box.file, begin, length)
  -- Was all of it written but for the end, which is still to be cut off?
  local uncut = begin + length < old and (size == old or size > old and box.file:read(5, old) == "From ")
  local from = done and not uncut and begin + length or old
  if from >= size then return apply(box, journal, begin, length) end
  local ranges = { { journal, HEAD_SIZE, HEAD_SIZE + length }, { box.file, from, size } }
  local ok
  ok, err, errno = write_journal(box, begin, size, ranges)
  if not ok then return nil, err, errno end
  local again <close> = assert(files.open(box.path .. ".journal", "r"))
  return apply(box, again, begin, length + size - from)
end

-- --- locking --------------------------------------------------------------------------------------

local function open_file(box, create)
  local file, err, errno = files.open(box.path, create and "a" or "w", 384)
  if not file then return nil, err, errno end
  if box.file then box.file:close() end
  box.file = file
  local _, mode = file:stat()
  box.mode = mode
  return true
end

-- Whether the table of contents is that of the file, to which others may have added messages.
local function refresh(box, call)
  if not box.file:is(box.path) then -- somebody has put another one in its place
    if box.pending then return changed(call) end
    return nil, "another"
  end
  local size, err, errno = box.file:stat()
  if not size then return nil, err, errno end
  local fine = size >= box.size
  for _, entry in pairs(fine and box.toc or {}) do fine = fine and is_same(box, entry) end
  if not fine then
    if box.pending then return changed(call) end
    return read_all(box)
  end
  if size > box.size then
    local starts, to, code = scan(box.file, box.size)
    if not starts then return nil, to, code end
    add_entries(box, starts, to)
  end
  return true
end

local function take(box, timeout, call)
  for _ = 1, 10 do
    local dotted, err, errno = lock.lock(box.file, box.path, timeout)
    if dotted == nil then return nil, err, errno end
    box.dotted = dotted
    local ok
    ok, err, errno = recover(box)
    if ok then ok, err, errno = refresh(box, call) end
    if ok then return true end
    lock.unlock(box.file, box.path, dotted)
    if err ~= "another" then return nil, err, errno end
    ok, err, errno = open_file(box, false)
    if ok then ok, err, errno = read_all(box) end
    if not ok then return nil, err, errno end
  end
  return changed(call)
end

-- Does something under the locks.
local function locked(box, call, f)
  if not box.file then return base.fail(call, "EBADF", "the mailbox is closed") end
  if box.locked then return f() end
  local ok, err, errno = take(box, box.timeout, call)
  if not ok then return nil, err, errno end
  local results = table.pack(pcall(f))
  lock.unlock(box.file, box.path, box.dotted)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

function methods:lock(timeout)
  if self.locked then return true end
  if not self.file then return base.fail("lock", "EBADF", "the mailbox is closed") end
  local ok, err, errno = take(self, check.timeout(timeout, 1, "lock") or 0, "lock")
  if not ok then return nil, err, errno end
  self.locked = true
  return true
end

function methods:unlock()
  if not self.locked then return true end
  self.locked = false
  return lock.unlock(self.file, self.path, self.dotted)
end

-- --- writing --------------------------------------------------------------------------------------

-- The line before a message, and the message with lines "From " in it quoted.
local function format(value)
  local from
  local state = base.state_of(value)
  if state and state.kind ~= "mboxMessage" then
    local msg, why, code = messages.mboxMessage(value)
    if not msg then return nil, why, code end
    value, state = msg, base.state_of(msg)
  end
  local bytes, err, errno = base.bytes_of(value, 1, "add")
  if not bytes then return nil, err, errno end
  if bytes:find "^From " then
    from, bytes = bytes:match "^(From [^\n]*)\n?(.*)$"
  elseif state and state.from then
    from = "From " .. state.from
  end
  from = from or "From MAILER-DAEMON " .. messages.asctime(os.time())
  bytes = ("\n" .. bytes):gsub("\nFrom ", "\n>From "):sub(2)
  if bytes:sub(-1) ~= "\n" then bytes = bytes .. "\n" end
  return from .. "\n" .. bytes .. "\n"
end

-- Appends a message: its key.
local function append(box, bytes, key)
  local size = box.size
  local last = assert(box.file:read(2, math.max(0, size - 2)))
  local gap = (size == 0 or last == "\n\n") and "" or last:sub(-1) == "\n" and "\n" or "\n\n"
  local ok, err, errno = box.file:write(gap .. bytes, size)
  if ok then ok, err, errno = box.file:sync() end
  if not ok then
    box.file:truncate(size)
    return nil, err, errno
  end
  local start = size + #gap
  if not key then
    key = box.next_key
    box.next_key = key + 1
  end
  box.toc[key] = { start = start, stop = start + #bytes - 1, mark = bytes:sub(1, MARK) }
  box.size = size + #gap + #bytes
  return key
end

function methods:add(value)
  local bytes, err, errno = format(value)
  if not bytes then return nil, err, errno end
  return locked(self, "add", function() return append(self, bytes) end)
end

function methods:set(key, value)
  local bytes, err, errno = format(value)
  if not bytes then return nil, err, errno end
  return locked(self, "set", function()
    if not self.toc[key] then return base.missing("set", key) end
    local old = self.toc[key]
    local ok
    ok, err, errno = append(self, bytes, key)
    if not ok then return nil, err, errno end
    self.gone[#self.gone + 1] = old
    self.pending = true
    return true
  end)
end

function methods:remove(key)
  local entry, err, errno = entry_of(self, key, "remove")
  if not entry then return nil, err, errno end
  self.toc[key], self.pending = nil, true
  self.gone[#self.gone + 1] = entry
  return true
end

-- What stays of the file, in order: the ranges between what has gone, and where each entry will be.
local function rest_of(box)
  local gone = box.gone
  table.sort(gone, function(a, b) return a.start < b.start end)
  local begin, ranges, at = gone[1].start, {}, gone[1].start
  for _, entry in ipairs(gone) do
    if entry.start > at then ranges[#ranges + 1] = { box.file, at, entry.start } end
    -- With the empty line behind it.
    at = entry.stop + (box.file:read(1, entry.stop) == "\n" and 1 or 0)
  end
  if at < box.size then ranges[#ranges + 1] = { box.file, at, box.size } end
  return begin, ranges
end

function methods:flush()
  if not self.pending then return true end
  return locked(self, "flush", function()
    local begin, ranges = rest_of(self)
    local ok, err, errno = write_journal(self, begin, self.size, ranges)
    if not ok then return nil, err, errno end
    local journal <close> = assert(files.open(self.path .. ".journal", "r"))
    local moved, to = {}, begin
    for _, range in ipairs(ranges) do
      moved[#moved + 1] = { range[2], range[3], to - range[2] }
      to = to + range[3] - range[2]
    end
    ok, err, errno = apply(self, journal, begin, to - begin)
    if not ok then return nil, err, errno end
    for _, entry in pairs(self.toc) do
      for _, move in ipairs(moved) do
        if entry.start >= move[1] and entry.start < move[2] then
          entry.start, entry.stop = entry.start + move[3], entry.stop + move[3]
          break
        end
      end
      entry.mark = assert(self.file:read(MARK, entry.start))
    end
    self.size, self.pending, self.gone = to, false, {}
    return true
  end)
end

function methods:close()
  if not self.file then return true end
  local ok, err, errno = self:flush()
  self:unlock()
  self.file:close()
  self.file = nil
  if not ok then return nil, err, errno end
  return true
end

-- --- messages -------------------------------------------------------------------------------------

function methods:keys()
  local list = {}
  for key in pairs(self.toc) do list[#list + 1] = key end
  table.sort(list)
  return list
end

function methods:contains(key) return self.toc[key] ~= nil end

function methods:get_bytes(key, from)
  local entry, err, errno = entry_of(self, key, "get_bytes")
  if not entry then return nil, err, errno end
  local bytes
  bytes, err, errno = self.file:read(entry.stop - entry.start, entry.start)
  if not bytes then return nil, err, errno end
  return from and bytes or bytes:match "^[^\n]*\n?(.*)$"
end

function methods:get_message(key)
  local bytes, err, errno = self:get_bytes(key, true)
  if not bytes then return nil, err, errno end
  return messages.mboxMessage(bytes)
end

-- --- opening --------------------------------------------------------------------------------------

local metatable = base.class("csock.mailbox.mbox", methods)

return function(path, options)
  local box = setmetatable({
    path = path, timeout = options.timeout, toc = {}, next_key = 0, size = 0, gone = {}, pending = false,
    locked = false,
  }, metatable)
  local ok, err, errno = open_file(box, options.create)
  -- A journal is looked for under the lock; reading alone needs none.
  if ok and files.kind(path .. ".journal") then
    ok, err, errno = take(box, box.timeout, "open")
    if ok then lock.unlock(box.file, box.path, box.dotted) end
  end
  if ok then ok, err, errno = read_all(box) end
  if ok then return box end
  if box.file then box.file:close() end
  return nil, err, errno
end
