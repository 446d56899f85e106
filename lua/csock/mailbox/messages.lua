-- messages.lua: messages of mailboxes: what each kind knows of one beside what is in it, and what becomes of that in
-- another kind.
local base = require "csock.mailbox.base"
local check = require "csock.check"
local message = require "csock.email.message"
local parse = require "csock.email.parse"
require "csock.email" -- all methods of messages

local M = {}

local LIMITS = check.options({}, parse.OPTIONS)

-- --- what is common -------------------------------------------------------------------------------

-- What a message knows, whatever its kind, by Maildir's letters: S seen, R replied, F flagged, T trashed, D draft,
-- P passed on; and O: not new.
local function flags_of(msg)
  local state = base.state_of(msg)
  return state and state.flags or {}
end

-- A message of a class, of bytes or of another message; nil, err, errno.
local function make(class, content, kind)
  local msg, err, errno
  if content == nil then
    msg = message.new(class)
  else
    local bytes
    if message.is(content) then bytes = content:as_bytes() else bytes, err, errno = base.bytes_of(content, 1, kind) end
    if not bytes then return nil, err, errno end
    msg, err, errno = parse.parse(bytes, LIMITS, class)
    if not msg then return nil, err, errno end
  end
  local before = base.state_of(content)
  local flags = {}
  for flag, set in pairs(before and before.flags or {}) do flags[flag] = set or nil end
  rawset(msg, "_mailbox", {
    kind = kind, flags = flags, date = before and before.date or os.time(), from = before and before.from,
    subdir = before and before.subdir or "new", sequences = {},
  })
  return msg, before
end

local function text_of(flags, order)
  local list = {}
  for flag in order:gmatch "." do
    if flags[flag] then list[#list + 1] = flag end
  end
  return table.concat(list)
end

local function set_flags(flags, text, order, call)
  if type(text) ~= "string" or text:find("[^" .. order .. "]") then
    check.bad(call, 1, "of the flags " .. order .. " expected")
  end
  for flag in order:gmatch "." do flags[flag] = text:find(flag, 1, true) ~= nil or nil end
end

local function change(flags, text, order, value, call)
  local copy = {}
  set_flags(copy, text, order, call)
  for flag in pairs(copy) do flags[flag] = value end
end

-- --- Maildir --------------------------------------------------------------------------------------

--- A message of a Maildir. The methods of an `emailmessage`, and these.
-- @type maildirmessage
local maildir = {}
local MAILDIR = "DFPRST"

--- The flags: `D` draft, `F` flagged, `P` passed on, `R` replied, `S` seen, `T` trashed.
-- @function maildirmessage:get_flags
-- @treturn string in this order
-- @usage print(mailbox.MaildirMessage "A: b\n\n":get_flags()) -->
function maildir:get_flags() return text_of(flags_of(self), MAILDIR) end

--- Sets the flags.
-- @function maildirmessage:set_flags
-- @tparam string flags
-- @treturn maildirmessage itself
-- @usage print(mailbox.MaildirMessage "A: b\n\n":set_flags "SF":get_flags()) --> FS
function maildir:set_flags(flags)
  set_flags(flags_of(self), flags, MAILDIR, "set_flags")
  return self
end

--- Adds flags.
-- @function maildirmessage:add_flag
-- @tparam string flags
-- @treturn maildirmessage itself
-- @usage print(mailbox.MaildirMessage "A: b\n\n":add_flag "S":get_flags()) --> S
function maildir:add_flag(flags)
  change(flags_of(self), flags, MAILDIR, true, "add_flag")
  return self
end

--- Takes flags away.
-- @function maildirmessage:remove_flag
-- @tparam string flags
-- @treturn maildirmessage itself
-- @usage print(mailbox.MaildirMessage "A: b\n\n":set_flags "SF":remove_flag "S":get_flags()) --> F
function maildir:remove_flag(flags)
  change(flags_of(self), flags, MAILDIR, nil, "remove_flag")
  return self
end

--- In which folder it is: `"new"`, where nobody has looked yet, or `"cur"`.
-- @function maildirmessage:get_subdir
-- @treturn string
-- @usage print(mailbox.MaildirMessage "A: b\n\n":get_subdir()) --> new
function maildir:get_subdir() return base.state_of(self).subdir end

--- Says in which it is to be.
-- @function maildirmessage:set_subdir
-- @tparam string subdir
-- @treturn maildirmessage itself
-- @usage print(mailbox.MaildirMessage "A: b\n\n":set_subdir "cur":get_subdir()) --> cur
function maildir:set_subdir(subdir)
  if subdir ~= "new" and subdir ~= "cur" then check.bad("set_subdir", 1, "\"new\" or \"cur\" expected") end
  base.state_of(self).subdir = subdir
  return self
end

--- What is behind the colon of the file's name: `"2,"` and the flags.
-- @function maildirmessage:get_info
-- @treturn string `""` where there are none
-- @usage print(mailbox.MaildirMessage "A: b\n\n":set_flags "S":get_info()) --> 2,S
function maildir:get_info()
  local flags = self:get_flags()
  return base.state_of(self).info or flags ~= "" and "2," .. flags or ""
end

--- Sets that.
-- @function maildirmessage:set_info
-- @tparam string info
-- @treturn maildirmessage itself
-- @usage print(mailbox.MaildirMessage "A: b\n\n":set_info "2,S":get_flags()) --> S
function maildir:set_info(info)
  if type(info) ~= "string" or info:find "[/%z:]" then check.bad("set_info", 1, "a part of a file's name expected") end
  local state = base.state_of(self)
  local flags = info:match "^2,(.*)$"
  for flag in MAILDIR:gmatch "." do state.flags[flag] = flags and flags:find(flag, 1, true) ~= nil or nil end
  state.info = info ~= "" and (not flags or flags:find("[^" .. MAILDIR .. "]")) and info or nil
  return self
end

--- When it was delivered.
-- @function maildirmessage:get_date
-- @treturn int seconds since 1970
-- @usage print(mailbox.MaildirMessage "A: b\n\n":get_date() > 0) --> true
function maildir:get_date() return base.state_of(self).date end

--- Sets that.
-- @function maildirmessage:set_date
-- @tparam int date
-- @treturn maildirmessage itself
-- @usage print(mailbox.MaildirMessage "A: b\n\n":set_date(5):get_date()) --> 5
function maildir:set_date(date)
  base.state_of(self).date = check.argument(check.integer(0), date, 1, "set_date")
  return self
end

local maildir_class = message.class("csock.mailbox.MaildirMessage", maildir)

function M.MaildirMessage(content)
  local msg, before = make(maildir_class, content, "MaildirMessage")
  if msg and before and before.kind ~= "MaildirMessage" then
    base.state_of(msg).subdir = before.flags.O and "cur" or "new"
  end
  return msg, before
end

-- --- mbox -----------------------------------------------------------------------------------------

--- A message of an mbox. The methods of an `emailmessage`, and these. Its flags are kept in the fields `Status` and
-- `X-Status`.
-- @type mboxmessage
local mbox = {}
local MBOX = "RODFA" -- as Python has them: read, old, deleted, flagged, answered

-- By Maildir's letters.
local IN_COMMON = { R = "S", O = "O", D = "T", F = "F", A = "R" }

--- The flags: `R` read, `O` old, `D` deleted, `F` flagged, `A` answered.
-- @function mboxmessage:get_flags
-- @treturn string in this order
-- @usage print(mailbox.mboxMessage "Status: RO\n\n":get_flags()) --> RO
function mbox:get_flags()
  local flags = flags_of(self)
  return (MBOX:gsub(".", function(flag) return flags[IN_COMMON[flag]] and flag or "" end))
end

-- Puts the flags into the fields.
local function write_status(msg)
  local all = msg:get_flags()
  for name, of in pairs { Status = "[RO]", ["X-Status"] = "[DFA]" } do
    local text = ""
    for flag in all:gmatch(of) do text = text .. flag end
    if text ~= "" or msg:get(name) then msg:set_header(name, text) end
  end
  return msg
end

--- Sets the flags.
-- @function mboxmessage:set_flags
-- @tparam string flags
-- @treturn mboxmessage itself
-- @usage print(mailbox.mboxMessage "A: b\n\n":set_flags "RO".status) --> RO
function mbox:set_flags(flags)
  local copy = {}
  set_flags(copy, flags, MBOX, "set_flags")
  for flag, common in pairs(IN_COMMON) do flags_of(self)[common] = copy[flag] end
  return write_status(self)
end

--- Adds flags.
-- @function mboxmessage:add_flag
-- @tparam string flags
-- @treturn mboxmessage itself
-- @usage print(mailbox.mboxMessage "A: b\n\n":add_flag "F"["x-status"]) --> F
function mbox:add_flag(flags)
  set_flags({}, flags, MBOX, "add_flag")
  return self:set_flags(self:get_flags() .. flags)
end

--- Takes flags away.
-- @function mboxmessage:remove_flag
-- @tparam string flags
-- @treturn mboxmessage itself
-- @usage print(mailbox.mboxMessage "Status: RO\n\n":remove_flag "R":get_flags()) --> O
function mbox:remove_flag(flags)
  set_flags({}, flags, MBOX, "remove_flag")
  if flags == "" then return self end
  return self:set_flags((self:get_flags():gsub("[" .. flags .. "]", "")))
end

--- Who it comes from, and when it came, as the line `From ...` before it has it.
-- @function mboxmessage:get_from
-- @treturn string
-- @usage print(mailbox.mboxMessage "From ann today\nA: b\n\n":get_from()) --> ann today
function mbox:get_from() return base.state_of(self).from end

--- Sets that.
-- @function mboxmessage:set_from
-- @tparam string from
-- @tparam[opt] int time is put behind it: seconds since 1970
-- @treturn mboxmessage itself
-- @usage print(mailbox.mboxMessage "A: b\n\n":set_from("ann", 0):get_from()) --> ann Thu Jan  1 00:00:00 1970
function mbox:set_from(from, time)
  if type(from) ~= "string" or from:find "[\r\n%z]" then check.bad("set_from", 1, "one line expected") end
  base.state_of(self).from = time and from .. " " .. M.asctime(time) or from
  return self
end

local mbox_class = message.class("csock.mailbox.mboxMessage", mbox)

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

-- asctime(3), in any locale.
function M.asctime(time)
  local t = os.date("!*t", time)
  return ("%s %s %2d %02d:%02d:%02d %d"):format(DAYS[t.wday], MONTHS[t.month], t.day, t.hour, t.min, t.sec, t.year)
end

function M.mboxMessage(content)
  local msg, before, errno = make(mbox_class, content, "mboxMessage")
  if not msg then return nil, before, errno end
  local state = base.state_of(msg)
  state.from = msg.unixfrom and msg:get_unixfrom():gsub("^From ", "") or state.from
    or "MAILER-DAEMON " .. M.asctime(state.date)
  msg.unixfrom = false
  if before and before.kind ~= "mboxMessage" then
    if before.subdir == "cur" then state.flags.O = true end
    write_status(msg)
  else
    local text = (msg:get "status" or "") .. (msg:get "x-status" or "")
    for flag, common in pairs(IN_COMMON) do state.flags[common] = text:find(flag, 1, true) ~= nil or nil end
  end
  return msg, before
end

-- --- MH -------------------------------------------------------------------------------------------

--- A message of an MH folder. The methods of an `emailmessage`, and these.
-- @type mhmessage
local mh = {}

--- The sequences that it is in.
-- @function mhmessage:get_sequences
-- @treturn {string,...}
-- @usage print(#mailbox.MHMessage "A: b\n\n":get_sequences()) --> 0
function mh:get_sequences()
  local list = {}
  for name in pairs(base.state_of(self).sequences) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- The name of a sequence, which becomes a line of a file.
local function sequence_name(name, call)
  if type(name) ~= "string" or not name:find "^[%w_.-]+$" then
    check.bad(call, 1, "the name of a sequence expected")
  end
  return name
end

--- Puts it into exactly these sequences.
-- @function mhmessage:set_sequences
-- @tparam {string,...} names
-- @treturn mhmessage itself
-- @usage print(mailbox.MHMessage "A: b\n\n":set_sequences {"unseen"}:get_sequences()[1]) --> unseen
function mh:set_sequences(names)
  local set = {}
  for _, name in ipairs(names) do set[sequence_name(name, "set_sequences")] = true end
  base.state_of(self).sequences = set
  return self
end

--- Puts it into a sequence.
-- @function mhmessage:add_sequence
-- @tparam string name
-- @treturn mhmessage itself
-- @usage print(#mailbox.MHMessage "A: b\n\n":add_sequence "unseen":get_sequences()) --> 1
function mh:add_sequence(name)
  base.state_of(self).sequences[sequence_name(name, "add_sequence")] = true
  return self
end

--- Takes it out of a sequence.
-- @function mhmessage:remove_sequence
-- @tparam string name
-- @treturn mhmessage itself
-- @usage print(#mailbox.MHMessage "A: b\n\n":remove_sequence "unseen":get_sequences()) --> 0
function mh:remove_sequence(name)
  base.state_of(self).sequences[sequence_name(name, "remove_sequence")] = nil
  return self
end

local mh_class = message.class("csock.mailbox.MHMessage", mh)

function M.MHMessage(content)
  local msg, before, errno = make(mh_class, content, "MHMessage")
  if not msg then return nil, before, errno end
  local state = base.state_of(msg)
  if before and before.kind == "MHMessage" then
    for name in pairs(before.sequences) do state.sequences[name] = true end
  elseif before then
    state.sequences.unseen = not state.flags.S or nil
    state.sequences.replied, state.sequences.flagged = state.flags.R, state.flags.F
  end
  return msg, before
end

-- What MH's sequences say, for other kinds.
function M.note_sequences(msg)
  local state = base.state_of(msg)
  local flags, sequences = state.flags, state.sequences
  flags.S, flags.R, flags.F = not sequences.unseen or nil, sequences.replied, sequences.flagged
  flags.O = flags.S
  return msg
end

return M
