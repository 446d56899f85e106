--- What is done with mailboxes.
-- @module csock.imap
local check = require "csock.check"
local parser = require "csock.imap.parser"
local session = require "csock.imap.session"
local utf7 = require "csock.imap.utf7"

local ask, command, failure, raw, raws = session.ask, session.command, session.failure, session.raw, session.raws
local string_of = session.string_of

-- The methods: csock.imap gives them to its class.
local IMAP4 = {}

-- --- names ----------------------------------------------------------------------------------------

-- A name as it is sent: what is in quotes, or needs none, as it is; else in quotes, and UTF-7 where it is not ASCII.
local function mailbox(self, name, number, call)
  if type(name) == "table" then return raw(name, number, call) end
  check.argument(session.TEXT, name, number, call)
  if name:find '^".*"$' then return name end
  if name:find "[\x80-\xFF]" and not self.utf8_enabled and utf8.len(name) then name = utf7.encode_mailbox(name) end
  if name:find '^[^%c%s(){"\\\x80-\xFF]+$' then return name end
  return string_of(name, number, call)
end

IMAP4.mailbox_argument = mailbox

-- --- one is opened --------------------------------------------------------------------------------

--- Opens a mailbox. One that can only be read, though that was not asked for, is open, and the error `EROFS` tells.
-- @tparam[opt="INBOX"] string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @tparam[opt=false] boolean readonly do not change anything in it
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} how many messages there are
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print(select(2, mail:select "INBOX")[1]) --> 2
function IMAP4:select(name, readonly)
  local argument = mailbox(self, name == nil and "INBOX" or name, 1, "select")
  return session.run(self, "SELECT", function(d)
    self.untagged_responses, self.kept, self.is_readonly = {}, 0, readonly and true or false
    local status, text, errno = session.say(self, d, readonly and "EXAMINE" or "SELECT", { argument })
    if not status then
      if text.text and self.state == "SELECTED" then self.state = "AUTH" end
      return nil, text, errno
    end
    self.state = "SELECTED"
    if self.untagged_responses["READ-ONLY"] and not readonly then
      return failure("EROFS", "the mailbox is READ-ONLY", { kind = "permanent", code = "READ-ONLY" })
    end
    return status, self.untagged_responses.EXISTS or {}
  end)
end

--- Closes the mailbox, and removes what is marked as deleted. (The connection is closed by `shutdown`, and `logout`.)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:close())) --> OK
function IMAP4:close()
  local status, text, errno = command(self, "CLOSE", {})
  if self.state == "SELECTED" then self.state = "AUTH" end
  return status, text, errno
end

--- Closes the mailbox, and removes nothing (RFC 3691).
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- mail:select()
-- print((mail:unselect())) --> OK
function IMAP4:unselect()
  local status, text, errno = command(self, "UNSELECT", {})
  if self.state == "SELECTED" then self.state = "AUTH" end
  return status, text, errno
end

-- --- they come and go -----------------------------------------------------------------------------

--- Makes a mailbox.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:create "my drafts")) --> OK
function IMAP4:create(name) return command(self, "CREATE", { mailbox(self, name, 1, "create") }) end

--- Removes a mailbox.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:delete "my drafts")) --> OK
function IMAP4:delete(name) return command(self, "DELETE", { mailbox(self, name, 1, "delete") }) end

--- Gives a mailbox another name.
-- @tparam string oldmailbox
-- @tparam string newmailbox
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:rename("a", "b"))) --> OK
function IMAP4:rename(old, new)
  return command(self, "RENAME", { mailbox(self, old, 1, "rename"), mailbox(self, new, 2, "rename") })
end

--- Puts a mailbox on the list of those that one reads.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:subscribe "INBOX")) --> OK
function IMAP4:subscribe(name) return command(self, "SUBSCRIBE", { mailbox(self, name, 1, "subscribe") }) end

--- Takes it off the list.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:unsubscribe "INBOX")) --> OK
function IMAP4:unsubscribe(name) return command(self, "UNSUBSCRIBE", { mailbox(self, name, 1, "unsubscribe") }) end

--- The mailboxes. `mailboxes` gives the same as values.
-- @tparam[opt='""'] string directory
-- @tparam[opt="*"] string pattern `*` is anything, `%` anything on one level
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} one string each: flags, delimiter, name
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print(select(2, mail:list())[1]) --> (\HasNoChildren) "/" INBOX
function IMAP4:list(directory, pattern)
  directory = directory == nil and '""' or directory == "" and '""' or directory
  return ask(self, "LIST", {
    mailbox(self, directory, 1, "list"), mailbox(self, pattern == nil and "*" or pattern, 2, "list"),
  })
end

--- Those on the list of what one reads.
-- @tparam[opt='""'] string directory
-- @tparam[opt="*"] string pattern `*` is anything, `%` anything on one level
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} one string each: flags, delimiter, name
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print(select(2, mail:lsub())[1]) --> (\HasNoChildren) "/" INBOX
function IMAP4:lsub(directory, pattern)
  directory = directory == nil and '""' or directory == "" and '""' or directory
  return ask(self, "LSUB", {
    mailbox(self, directory, 1, "lsub"), mailbox(self, pattern == nil and "*" or pattern, 2, "lsub"),
  })
end

--- The mailboxes, as values: see `parse_list`.
-- @tparam[opt='""'] string directory
-- @tparam[opt="*"] string pattern
-- @treturn[1] {table,...} with `name` (UTF-8), `raw`, `delimiter`, `flags`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- for _, box in ipairs(mail:mailboxes()) do print(box.name, box.delimiter) end --> INBOX /
function IMAP4:mailboxes(directory, pattern)
  local status, data, errno = self:list(directory, pattern)
  if not status then return nil, data, errno end
  return parser.parse_list(data)
end

--- What is in a mailbox that is not open. `parse_status` makes numbers of it.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @tparam string names `"(MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT)"`: what to tell
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print(select(2, mail:status("INBOX", "(MESSAGES UNSEEN)"))[1]) --> INBOX (MESSAGES 2 UNSEEN 1)
function IMAP4:status(name, names)
  return ask(self, "STATUS", { mailbox(self, name, 1, "status"), raw(names, 2, "status") })
end

--- Where one's own mailboxes, other users', and shared ones are (RFC 2342).
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print(select(2, mail:namespace())[1]) --> (("" "/")) NIL NIL
function IMAP4:namespace() return ask(self, "NAMESPACE", {}) end

-- --- who may do what, and how much ------------------------------------------------------------------

--- Who may do what with a mailbox (RFC 4314).
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:getacl "INBOX")) --> OK
function IMAP4:getacl(name) return ask(self, "GETACL", { mailbox(self, name, 1, "getacl") }, "ACL") end

--- Sets what somebody may do.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @tparam string who
-- @tparam string what letters: `"lrs"`
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:setacl("INBOX", "joe", "lr"))) --> OK
function IMAP4:setacl(name, who, what)
  return command(self, "SETACL", { mailbox(self, name, 1, "setacl"), raw(who, 2, "setacl"), raw(what, 3, "setacl") })
end

--- Takes away what was set for somebody.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @tparam string who
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:deleteacl("INBOX", "joe"))) --> OK
function IMAP4:deleteacl(name, who)
  return command(self, "DELETEACL", { mailbox(self, name, 1, "deleteacl"), raw(who, 2, "deleteacl") })
end

--- What one may do oneself.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:myrights "INBOX")) --> OK
function IMAP4:myrights(name) return ask(self, "MYRIGHTS", { mailbox(self, name, 1, "myrights") }) end

--- How much there may be, and is (RFC 9208).
-- @tparam string root the name of a limit
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:getquota "user")) --> OK
function IMAP4:getquota(root) return ask(self, "GETQUOTA", { mailbox(self, root, 1, "getquota") }, "QUOTA") end

--- The limits that hold for a mailbox.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @treturn[1] string `"OK"`
-- @treturn[1] {table,table} two sequences: the names of limits, the limits
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:getquotaroot "INBOX")) --> OK
function IMAP4:getquotaroot(name)
  local status, roots, errno = ask(self, "GETQUOTAROOT", { mailbox(self, name, 1, "getquotaroot") }, "QUOTAROOT")
  if not status then return nil, roots, errno end
  return status, { roots, session.pop(self, "QUOTA") or {} }
end

--- Sets a limit.
-- @tparam string root
-- @tparam string limits `"(STORAGE 512)"`
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:setquota("user", "(STORAGE 512)"))) --> OK
function IMAP4:setquota(root, limits)
  return ask(self, "SETQUOTA", { mailbox(self, root, 1, "setquota"), raw(limits, 2, "setquota") }, "QUOTA")
end

--- Notes to a mailbox, as Cyrus has them.
-- @tparam string mailbox its name (as people write it, or in quotes, or in UTF-7)
-- @tparam string entry
-- @tparam string attribute
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:getannotation("INBOX", "/comment", "value.shared"))) --> OK
function IMAP4:getannotation(name, entry, attribute)
  return ask(self, "GETANNOTATION", {
    mailbox(self, name, 1, "getannotation"), raw(entry, 2, "getannotation"),
    raw(attribute, 3, "getannotation"),
  }, "ANNOTATION")
end

--- Sets such notes.
-- @param ... the words of the command
-- @treturn[1] string `"OK"`
-- @treturn[1] {string,...} what the server has sent
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local mail <close> = assert(imap.IMAP4("localhost", 143))
-- mail:login("jane", "secret")
-- print((mail:setannotation("INBOX", "/comment", '("value.shared" "x")'))) --> OK
function IMAP4:setannotation(...)
  return ask(self, "SETANNOTATION", raws(table.pack(...), 1, "setannotation"), "ANNOTATION")
end

return IMAP4
