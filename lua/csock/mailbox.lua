--- Mailboxes on the disk: mbox, Maildir and MH, as Python's `mailbox` has them.
--
--     local mailbox = require "csock.mailbox"
--
--     local box <close> = assert(mailbox.Maildir("/home/ann/Maildir", { create = false }))
--     for key, msg in box:iteritems() do
--       print(key, msg:get_flags(), msg.subject)
--       if msg.subject == "old" then assert(box:remove(key)) end
--     end
--     local key = assert(box:add(msg))
--
-- **Two writers.** A Maildir needs no lock. An mbox and the sequences of an MH folder are locked while something is
-- written, by fcntl(2) and by a file with `.lock` behind its name, as Python and mail programs do it; `lock` keeps them
-- locked for longer. A process must not have the same mbox open twice.
--
-- **Crashes.** A message is there when `add` has returned, and stays there; what is half written is nobody's. What is
-- removed from an mbox, or changed there, is so when `flush` or `close` has returned.
--
-- **Messages** are those of `csock.email`, with what a mailbox knows of them: flags, dates, sequences. One of another
-- kind may be added: its flags become those of this kind.
-- @module csock.mailbox
local check = require "csock.check"
local messages = require "csock.mailbox.messages"

local M = {}

local OPTIONS = { create = { check.ANY, true, false }, timeout = { check.TIMEOUT, 10, 0 } }

local function opener(name)
  return function(path, options)
    if type(path) ~= "string" or path == "" or path:find "%z" then check.expected(name, 1, "path", path) end
    options = check.options(options, OPTIONS, 2, name)
    return require("csock.mailbox." .. name:lower())(path, options)
  end
end

--- Opens an mbox: one file. Its keys are numbers, from 0 on.
-- @function mbox
-- @tparam string path
-- @tparam[opt] table options
-- @tparam bool options.create false: it must be there; default: it is made
-- @tparam number options.timeout for how many seconds another's lock is waited for; default 10
-- @treturn[1] mailbox
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#mailbox.mbox(path)) --> 0
M.mbox = opener "mbox"

--- Opens a Maildir: a folder with the folders `tmp`, `new` and `cur`. Its keys are strings.
-- @function Maildir
-- @tparam string path
-- @tparam[opt] table options
-- @tparam bool options.create false: it must be there; default: it is made
-- @tparam number options.timeout of no use here
-- @treturn[1] mailbox
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#mailbox.Maildir(path)) --> 0
M.Maildir = opener "Maildir"

--- Opens an MH folder. Its keys are numbers, from 1 on.
-- @function MH
-- @tparam string path
-- @tparam[opt] table options
-- @tparam bool options.create false: it must be there; default: it is made
-- @tparam number options.timeout for how many seconds another's lock is waited for; default 10
-- @treturn[1] mailbox
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#mailbox.MH(path)) --> 0
M.MH = opener "MH"

local function maker(name)
  return function(content)
    local msg, err, errno = messages[name](content)
    if not msg then return nil, err, errno end
    return msg
  end
end

--- Makes a message for a Maildir.
-- @function MaildirMessage
-- @param[opt] content an `emailmessage`, a message of another mailbox, whose flags it gets, a string or a file
-- @treturn[1] maildirmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.MaildirMessage "Subject: a\n\n".subject) --> a
M.MaildirMessage = maker "MaildirMessage"

--- Makes a message for an mbox.
-- @function mboxMessage
-- @param[opt] content as for `MaildirMessage`
-- @treturn[1] mboxmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.mboxMessage(mailbox.MaildirMessage "A: b\n\n":set_flags "S"):get_flags()) --> R
M.mboxMessage = maker "mboxMessage"

--- Makes a message for an MH folder.
-- @function MHMessage
-- @param[opt] content as for `MaildirMessage`
-- @treturn[1] mhmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.MHMessage "Subject: a\n\n".subject) --> a
M.MHMessage = maker "MHMessage"

--- A mailbox: what each kind has by itself. The rest is below.
-- @type mailbox

--- Adds a message.
-- @function mailbox:add
-- @param message an `emailmessage`, a string, a file or a stream
-- @return[1] its key
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (EAGAIN: somebody else has it locked)
-- @usage print(mailbox.mbox(path):add "Subject: a\n\n") --> 0

--- Puts another message in the place of one.
-- @function mailbox:set
-- @param key
-- @param message as for `add`
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (ENOENT: there is none)
-- @usage
-- local box = mailbox.mbox(path)
-- print(box:set(box:add "A: b\n\n", "A: c\n\n")) --> true

--- Removes a message.
-- @function mailbox:remove
-- @param key
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (ENOENT: there is none)
-- @usage
-- local box = mailbox.mbox(path)
-- print(box:remove(box:add "A: b\n\n"), #box) --> true 0

--- The message of a key, with what the mailbox knows of it.
-- @function mailbox:get_message
-- @param key
-- @treturn[1] maildirmessage|mboxmessage|mhmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local box = mailbox.mbox(path)
-- print(box:get_message(box:add "Subject: a\n\n").subject) --> a

--- The message of a key, as it is stored: an mbox has `>` before lines that begin with `From `.
-- @function mailbox:get_bytes
-- @param key
-- @tparam[opt] bool from of an mbox: true: with the line `From ...` before it
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local box = mailbox.mbox(path)
-- print(#box:get_bytes(box:add "A: b\n\n")) --> 6

--- The keys of all messages, in order.
-- @function mailbox:keys
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#mailbox.mbox(path):keys()) --> 0

--- Whether there is a message with this key.
-- @function mailbox:contains
-- @param key
-- @treturn boolean
-- @usage print(mailbox.mbox(path):contains(1)) --> false

--- Locks the mailbox, until `unlock` or `close`. A Maildir needs none.
-- @function mailbox:lock
-- @tparam[opt=0] number timeout for how many seconds another's lock is waited for
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (EAGAIN: somebody else has it)
-- @usage print(mailbox.mbox(path):lock()) --> true

--- Ends that.
-- @function mailbox:unlock
-- @treturn boolean true
-- @usage print(mailbox.mbox(path):unlock()) --> true

--- Writes what is still to be written: of an mbox, what was removed and changed.
-- @function mailbox:flush
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (ESTALE: somebody else has removed something meanwhile, so that nothing was written)
-- @usage print(mailbox.mbox(path):flush()) --> true

--- Writes that, and gives the mailbox back.
-- @function mailbox:close
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.mbox(path):close()) --> true

--- The names of the folders in a Maildir or MH folder.
-- @function mailbox:list_folders
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#mailbox.Maildir(path):list_folders()) --> 0

--- A folder in a Maildir or MH folder.
-- @function mailbox:get_folder
-- @tparam string name
-- @treturn[1] mailbox
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (ENOENT: there is none)
-- @usage print(mailbox.Maildir(path):get_folder "old" == nil) --> true

--- Makes a folder in a Maildir or MH folder, if there is none yet.
-- @function mailbox:add_folder
-- @tparam string name
-- @treturn[1] mailbox
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(#mailbox.Maildir(path):add_folder "old") --> 0

--- Removes a folder, which must be empty.
-- @function mailbox:remove_folder
-- @tparam string name
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (ENOTEMPTY)
-- @usage
-- local box = mailbox.Maildir(path)
-- box:add_folder "old"
-- print(box:remove_folder "old") --> true

--- Removes what deliveries that have ended badly have left in a Maildir, after 36 hours.
-- @function mailbox:clean
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.Maildir(path):clean()) --> true

--- The sequences of an MH folder.
-- @function mailbox:get_sequences
-- @treturn[1] table from names to sequences of keys
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(next(mailbox.MH(path):get_sequences())) --> nil

--- Sets the sequences of an MH folder.
-- @function mailbox:set_sequences
-- @tparam table sequences from names to sequences of keys
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.MH(path):set_sequences {unseen = {1, 2, 3}}) --> true

--- Gives the messages of an MH folder the numbers from 1 on: their keys change.
-- @function mailbox:pack
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(mailbox.MH(path):pack()) --> true

return M
