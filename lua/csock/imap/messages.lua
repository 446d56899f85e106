--- What is done with messages.
-- @module csock.imap
local check = require "csock.check"
local mailboxes = require "csock.imap.mailboxes"
local parser = require "csock.imap.parser"
local session = require "csock.imap.session"
local values = require "csock.imap.values"

local ask, command, failure, raw, raws = session.ask, session.command, session.failure, session.raw, session.raws
local parenthesized, mailbox = session.parenthesized, mailboxes.mailbox_argument

-- The methods: csock.imap gives them to its class.
local IMAP4 = {}

-- --- getting ------------------------------------------------------------------------------------------

--- Parts of messages. `messages` gives the same as values.
-- @tparam string|int message_set `"1:3,7,9:*"`, or a number
-- @tparam string message_parts `"(UID BODY[TEXT])"`, `"RFC822"`, `"FLAGS"` ...
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} as imaplib has it: a string for each message, or, where there are literals,
-- `{text, literal}` and then what is behind it
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:fetch(1, "(BODY[])"))[1][2]) --> Subject: one
function IMAP4:fetch(set, parts) return ask(self, "FETCH", { raw(set, 1, "fetch"), raw(parts, 2, "fetch") }) end

--- Parts of messages, as values: see `parse_fetch`.
-- @tparam string|int message_set
-- @tparam string message_parts
-- @tparam[opt=false] boolean uid whether the set's numbers are UIDs
-- @treturn[1] {table,...} with `number`, `UID`, `FLAGS`, `ENVELOPE` ...: what was asked for, and what the server adds
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- local message = mail:messages(1, "(FLAGS ENVELOPE)")[1]
-- print(message.number, message.FLAGS[1], message.ENVELOPE.subject) --> 1 \Seen one
function IMAP4:messages(set, parts, uid)
  local args = { raw(set, 1, "messages"), raw(parts, 2, "messages") }
  if uid then table.insert(args, 1, "FETCH") end
  local status, data, errno = ask(self, uid and "UID" or "FETCH", args, "FETCH")
  if not status then return nil, data, errno end
  return parser.parse_fetch(data)
end

--- Looks for messages. `find` gives the same as numbers.
-- @tparam ?string charset of what is looked for; nil: none is told
-- @param ... criteria: `"UNSEEN"`, `"FROM"`, `'"jane"'` ...; or one string with all of them
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} `{"1 2 3"}`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:search(nil, "ALL"))[1]) --> 1 2
function IMAP4:search(charset, ...)
  local args = raws(table.pack(...), 2, "search")
  if charset ~= nil then
    if self.utf8_enabled then return failure("EINVAL", "there is no charset where UTF8=ACCEPT is on") end
    table.insert(args, 1, "CHARSET")
    table.insert(args, 2, raw(charset, 1, "search"))
  end
  return ask(self, "SEARCH", args)
end

--- Looks for messages: their numbers, see `parse_search`.
-- @tparam string|table criteria as `"UNSEEN SINCE 1-Feb-2026"`, or a sequence of words and literals
-- @tparam[opt=false] boolean uid UIDs, instead of numbers
-- @treturn[1] {int,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(#mail:find "ALL") --> 2
function IMAP4:find(criteria, uid)
  local args
  if type(criteria) == "table" then
    args = raws(criteria, 1, "find")
  else
    args = { raw(criteria, 1, "find") }
  end
  if uid then table.insert(args, 1, "SEARCH") end
  local status, data, errno = ask(self, uid and "UID" or "SEARCH", args, "SEARCH")
  if not status then return nil, data, errno end
  return parser.parse_search(data)
end

--- Looks for messages, in an order (RFC 5256).
-- @tparam string sort_criteria `"(REVERSE DATE)"`
-- @tparam string charset `"UTF-8"`
-- @param ... criteria, as with `search`
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} `{"3 1 2"}`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:sort("DATE", "UTF-8", "ALL"))[1]) --> 2 1
function IMAP4:sort(order, charset, ...)
  local args = raws(table.pack(...), 3, "sort")
  table.insert(args, 1, parenthesized(order, 1, "sort"))
  table.insert(args, 2, raw(charset, 2, "sort"))
  return ask(self, "SORT", args)
end

--- Looks for messages, by threads (RFC 5256). `parse` makes lists of it.
-- @tparam string threading_algorithm `"REFERENCES"`, `"ORDEREDSUBJECT"`
-- @tparam string charset
-- @param ... criteria, as with `search`
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} `{"(1 2)(3)"}`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:thread("REFERENCES", "UTF-8", "ALL"))[1]) --> (1)(2)
function IMAP4:thread(algorithm, charset, ...)
  local args = raws(table.pack(...), 3, "thread")
  table.insert(args, 1, raw(algorithm, 1, "thread"))
  table.insert(args, 2, raw(charset, 2, "thread"))
  return ask(self, "THREAD", args)
end

--- A part of a part of a message. (No server has this command any more: `BODY[]<0.100>` is the way.)
-- @tparam int message_num
-- @tparam string message_part
-- @tparam int start
-- @tparam int length
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} as with `fetch`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:partial(1, "RFC822.TEXT", 1, 9))) --> OK
function IMAP4:partial(number, part, start, length)
  return ask(self, "PARTIAL", raws({ number, part, start, length }, 1, "partial"), "FETCH")
end

-- --- changing -----------------------------------------------------------------------------------------

--- Changes flags.
-- @tparam string|int message_set `"1:3,7,9:*"`, or a number
-- @tparam string command `"FLAGS"`, `"+FLAGS"`, `"-FLAGS"`; with `.SILENT` behind it no answer comes
-- @tparam string flags `"(\\Deleted)"`
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} the flags that there are now
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:store(1, "+FLAGS", "\\Deleted"))[1]) --> 1 (FLAGS (\Deleted))
function IMAP4:store(set, how, flags)
  return ask(self, "STORE", {
    raw(set, 1, "store"), raw(how, 2, "store"), parenthesized(flags, 3, "store"),
  }, "FETCH")
end

--- Copies messages to a mailbox.
-- @tparam string|int message_set `"1:3,7,9:*"`, or a number
-- @tparam string new_mailbox
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:copy("1:2", "old"))) --> OK
function IMAP4:copy(set, name)
  return command(self, "COPY", { raw(set, 1, "copy"), mailbox(self, name, 2, "copy") })
end

--- Moves messages to a mailbox (RFC 6851). A server that cannot is not asked.
-- @tparam string|int message_set `"1:3,7,9:*"`, or a number
-- @tparam string new_mailbox
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:move("1:2", "old"))) --> OK
function IMAP4:move(set, name)
  local args = { raw(set, 1, "move"), mailbox(self, name, 2, "move") }
  return session.where_offered(self, "MOVE", function() return command(self, "MOVE", args) end)
end

--- Removes the messages that are marked as deleted.
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} their numbers, as each was when it was removed
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:expunge())[1]) --> 1
function IMAP4:expunge() return ask(self, "EXPUNGE", {}) end

--- Puts a message into a mailbox.
-- @tparam ?string mailbox (default: `"INBOX"`)
-- @tparam ?string flags `"(\\Seen)"`
-- @param date_time when it came: see `Time2Internaldate`; nil: now
-- @tparam string message (line ends become CR LF)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:append(nil, "\\Seen", os.time(), "Subject: x\r\n\r\nhello\r\n"))) --> OK
function IMAP4:append(name, flags, date_time, message)
  local args = { mailbox(self, (name == nil or name == "") and "INBOX" or name, 1, "append") }
  if flags ~= nil and flags ~= "" then args[#args + 1] = parenthesized(flags, 2, "append") end
  if date_time ~= nil then args[#args + 1] = values.Time2Internaldate(date_time) end
  check.argument(session.LITERAL, message, 4, "append")
  local literal = { literal = (message:gsub("\r\n", "\n"):gsub("[\r\n]", "\r\n")) }
  if self.utf8_enabled then
    args[#args + 1] = { "UTF8 (~", literal, ")" }
  else
    args[#args + 1] = literal
  end
  return command(self, "APPEND", args)
end

-- --- others -------------------------------------------------------------------------------------------

--- A command with UIDs, in the place of the messages' numbers.
-- @tparam string command `"FETCH"`, `"STORE"`, `"COPY"`, `"MOVE"`, `"SEARCH"`, `"SORT"`, `"THREAD"`, `"EXPUNGE"` ...
-- @param ... its arguments
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} as with the command
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:uid("SEARCH", "ALL"))[1]) --> 1 2
function IMAP4:uid(name, ...)
  name = check.argument(session.TEXT, name, 1, "uid"):upper()
  if not session.STATES[name] then check.bad("uid", 1, ("there is no command '%s'"):format(name)) end
  local args = raws(table.pack(...), 2, "uid")
  table.insert(args, 1, name)
  return ask(self, "UID", args, (name == "SEARCH" or name == "SORT" or name == "THREAD") and name or "FETCH")
end

--- Has the server bring its files in order.
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:check())) --> OK
function IMAP4:check() return command(self, "CHECK", {}) end

--- Does nothing, but that the server tells what is new.
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:noop())) --> OK
function IMAP4:noop() return command(self, "NOOP", {}) end

--- How many messages are new since the mailbox was opened by anybody; the server is asked where it has not told.
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:recent())) --> OK
function IMAP4:recent()
  local list = session.pop(self, "RECENT")
  if list then return "OK", list end
  return ask(self, "NOOP", {}, "RECENT")
end

--- What the server has said under a name, since that was last asked: `"UIDVALIDITY"`, `"EXISTS"`, `"FLAGS"` ...
-- @tparam string code
-- @treturn string the name
-- @treturn {string,...}
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print(select(2, mail:response "UIDVALIDITY")[1]) --> 7
function IMAP4:response(code)
  check.argument(check.STRING, code, 1, "response")
  return code, session.pop(self, code:upper()) or {}
end

return IMAP4
