-- base.lua: what all mailboxes have in common: messages by keys, and what is made of the methods that each kind has:
-- `add`, `remove`, `set`, `get_bytes`, `get_message`, `keys`, `contains`.
--
-- Failures are nil, err, errno, as everywhere: a key that is not there is ENOENT.
local core = require "csock.core"
local csock = require "csock"
local message = require "csock.email.message"
local parse = require "csock.email.parse"
local bytesio = require "csock.bytesio"
local check = require "csock.check"

local files = core.file

local M = {}

--- A mailbox: what all kinds have.
--
-- It is closed by `close`, or as a `<close>` variable. `#box` is how many messages there are, and
-- `for key, msg in box:iteritems()` walks over them.
-- @type mailbox
local methods = {}
M.methods = methods

-- nil, an error, its errno.
function M.fail(call, name, words)
  return csock.make_error { call = call, errno = csock.errno[name], strerror = words, kind = "mailbox" }
end

function M.missing(call, key) return M.fail(call, "ENOENT", "no message with the key " .. tostring(key)) end

-- A folder's name in one of folders: itself; nil, err, errno for none.
function M.folder_name(name, call)
  if type(name) ~= "string" or name == "" or name:find "[/%z]" or name:find "^%." then
    return M.fail(call, "EINVAL", "no name of a folder")
  end
  return name
end

-- The folders in a directory, sorted: what `pattern` takes of the names of directories.
function M.folders(path, pattern)
  local names, err, errno = files.names(path)
  if not names then return nil, err, errno end
  local list = {}
  for _, name in ipairs(names) do
    local folder = name:match(pattern)
    if folder and files.kind(path .. "/" .. name) == "directory" then list[#list + 1] = folder end
  end
  table.sort(list)
  return list
end

-- A class of mailboxes: the metatable of its objects.
function M.class(name, own)
  for key, value in pairs(methods) do
    if own[key] == nil then own[key] = value end
  end
  return {
    __name = "csock.mailbox", __index = own, __close = function(box) box:close() end,
    __len = function(box) return box:len() end, __tostring = function() return ("<%s>"):format(name) end,
  }
end

-- What `add` and `set` take, as bytes with LF: a message, a string, a file or a stream.
function M.bytes_of(value, number, call)
  if message.is(value) then return value:as_bytes { linesep = "\n" } end
  if type(value) ~= "string" then
    local text, err, errno = parse.read_all(value, math.maxinteger - 1)
    if not text then return nil, err, errno end
    value = text
  end
  if type(value) ~= "string" then check.expected(call, number, "string or message", value) end
  return (value:gsub("\r\n", "\n"))
end

-- What a message knows of a kind of mailbox, or nil: { kind = ..., ... }; see messages.lua.
function M.state_of(value) return message.is(value) and rawget(value, "_mailbox") or nil end

--- The message of a key.
-- @function mailbox:get
-- @param key
-- @param[opt] default what is given where there is none
-- @treturn[1] emailmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.mbox(path):get(0, "none")) --> none
function methods:get(key, default)
  local msg, err, errno = self:get_message(key)
  if not msg and errno == csock.errno.ENOENT and default ~= nil then return default end
  return msg, err, errno
end

--- The message of a key as it is stored.
-- @function mailbox:get_string
-- @param key
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local box = mailbox.Maildir(path)
-- print(#box:get_string(box:add "A: b\n\n")) --> 6
function methods:get_string(key) return self:get_bytes(key) end

--- The message of a key, as a file to read.
-- @function mailbox:get_file
-- @param key
-- @treturn[1] bytesio
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local box = mailbox.Maildir(path)
-- print(box:get_file(box:add "A: b\n\n"):read()) --> A: b
function methods:get_file(key)
  local bytes, err, errno = self:get_bytes(key)
  if not bytes then return nil, err, errno end
  return bytesio(bytes)
end

--- Removes the message of a key, if there is one.
-- @function mailbox:discard
-- @param key
-- @treturn[1] boolean true
-- @treturn[2] nil when removing fails
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.Maildir(path):discard "none") --> true
function methods:discard(key)
  local ok, err, errno = self:remove(key)
  if not ok and errno ~= csock.errno.ENOENT then return nil, err, errno end
  return true
end

-- Walks over what `get(box, key)` gives for each key that still is there.
local function walk(box, get)
  local keys, err = box:keys()
  if not keys then error(err, 0) end
  local i = 0
  return function()
    while keys[i + 1] ~= nil do
      i = i + 1
      local value, why, errno = get(box, keys[i])
      if value ~= nil then return keys[i], value end
      if errno ~= csock.errno.ENOENT then error(why, 0) end -- else somebody has removed it meanwhile
    end
  end
end

--- Walks over the messages and their keys. What cannot be read raises.
-- @function mailbox:iteritems
-- @treturn function for `for key, msg in`
-- @usage for key, msg in mailbox.Maildir(path):iteritems() do print(key, msg.subject) end -->
function methods:iteritems() return walk(self, self.get_message) end

--- Walks over the keys.
-- @function mailbox:iterkeys
-- @treturn function for `for key in`
-- @usage for key in mailbox.Maildir(path):iterkeys() do print(key) end -->
function methods:iterkeys()
  return walk(self, function(_, key) return key end)
end

--- Walks over the messages.
-- @function mailbox:itervalues
-- @treturn function for `for msg in`
-- @usage for msg in mailbox.Maildir(path):itervalues() do print(msg.subject) end -->
function methods:itervalues()
  local step = self:iteritems()
  return function() return (select(2, step())) end
end

--- All messages.
-- @function mailbox:values
-- @treturn {emailmessage,...}
-- @usage print(#mailbox.Maildir(path):values()) --> 0
function methods:values()
  local list = {}
  for _, msg in self:iteritems() do list[#list + 1] = msg end
  return list
end

--- How many messages there are.
-- @function mailbox:len
-- @treturn int
-- @usage print(mailbox.Maildir(path):len()) --> 0
function methods:len()
  local keys, err = self:keys()
  if not keys then error(err, 0) end
  return #keys
end

--- Removes a message, and gives it.
-- @function mailbox:pop
-- @param key
-- @param[opt] default what is given where there is none
-- @treturn[1] emailmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local box = mailbox.Maildir(path)
-- print(box:pop(box:add "Subject: a\n\n").subject, #box) --> a 0
function methods:pop(key, default)
  local msg, err, errno = self:get_message(key)
  if msg then
    local ok
    ok, err, errno = self:remove(key)
    if ok then return msg end
  end
  if errno == csock.errno.ENOENT and default ~= nil then return default end
  return nil, err, errno
end

--- Removes any message, and gives it and its key.
-- @function mailbox:popitem
-- @return[1] key
-- @treturn[1] emailmessage
-- @treturn[2] nil when there is none
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.Maildir(path):popitem() == nil) --> true
function methods:popitem()
  for key in self:iterkeys() do
    local msg = self:pop(key)
    if msg then return key, msg end
  end
  return M.fail("popitem", "ENOENT", "no messages")
end

--- Changes the messages of several keys.
-- @function mailbox:update
-- @tparam table messages from keys, which are there, to messages
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local box = mailbox.Maildir(path)
-- print(box:update {[box:add "A: b\n\n"] = "A: c\n\n"}) --> true
function methods:update(messages)
  for key, msg in pairs(messages) do
    local ok, err, errno = self:set(key, msg)
    if not ok then return nil, err, errno end
  end
  return true
end

--- Removes all messages.
-- @function mailbox:clear
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.Maildir(path):clear()) --> true
function methods:clear()
  for key in self:iterkeys() do
    local ok, err, errno = self:discard(key)
    if not ok then return nil, err, errno end
  end
  return true
end

return M
