--- Messages of mail and news: taken apart and built, as Python's `email` does it.
--
--     local email = require "csock.email"
--
--     local msg = email.EmailMessage()
--     msg.from = "Ann <ann@example.org>"
--     msg.to = "bob@example.org"
--     msg.subject = "A picture"
--     msg:set_content "Here it is."
--     msg:add_attachment(bytes, { maintype = "image", subtype = "png", filename = "bud.png" })
--     smtp:send_message(msg)
--
--     local received = assert(email.message_from_bytes(bytes))
--     print(received.subject, received:get_body():get_content())
--     for part in received:iter_attachments() do print(part:get_filename(), #part:get_content()) end
--
-- Texts are UTF-8. What is wrong with a message is listed in its `defects`, under Python's names; it is never an error.
-- What was parsed is written as it was (`as_bytes`), byte by byte. The functions of Python's `email.utils` are here,
-- too.
-- @module csock.email
local check = require "csock.check"
local message = require "csock.email.message"
local parse = require "csock.email.parse"
local utils = require "csock.email.utils"
require "csock.email.content"
require "csock.email.generate"

local M = {}
for name, value in pairs(utils) do M[name] = value end

--- Makes an empty message.
-- @function EmailMessage
-- @treturn emailmessage
-- @usage print(#email.EmailMessage()) --> 0
function M.EmailMessage() return message.new() end

--- Whether this is a message.
-- @function is_message
-- @param value
-- @treturn boolean
-- @usage print(email.is_message(email.EmailMessage()), email.is_message {}) --> true false
M.is_message = message.is

local function from_bytes(text, options, call)
  if type(text) ~= "string" then check.expected(call, 1, "string", text) end
  return parse.parse(text, check.options(options, parse.OPTIONS, 2, call))
end

--- Takes a message apart.
-- @function message_from_string
-- @tparam string text
-- @tparam[opt] table options what it may cost:
-- @tparam int options.max_size bytes; default 2^30
-- @tparam int options.max_header bytes of the fields of a part; default 2^20
-- @tparam int options.max_parts in all; default 10000
-- @tparam int options.max_depth of parts in parts; default 100
-- @tparam bool options.headersonly true: what is behind the fields is not looked at
-- @treturn[1] emailmessage
-- @treturn[2] nil when it is over a limit
-- @treturn[2] error
-- @treturn[2] int errno (EMSGSIZE)
-- @usage print(email.message_from_string("Subject: hello\n\ntext"):get_payload()) --> text
function M.message_from_string(text, options) return from_bytes(text, options, "message_from_string") end

--- The same as `message_from_string`: Lua's strings are bytes.
-- @function message_from_bytes
-- @tparam string bytes
-- @tparam[opt] table options
-- @treturn[1] emailmessage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(email.message_from_bytes("Subject: hello\n\ntext").subject) --> hello
function M.message_from_bytes(bytes, options) return from_bytes(bytes, options, "message_from_bytes") end

--- Takes the message apart that a file or a stream has, up to its end. It is read in pieces, `max_size` bytes at most;
-- what has no end of its fields within `max_header` is not read any further.
-- @function message_from_file
-- @param file of Lua's, a stream (it waits in a task as any read), or a function that gives one piece after the other
-- @tparam[opt] table options as for `message_from_string`
-- @treturn[1] emailmessage
-- @treturn[2] nil when reading fails, or it is over a limit
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local file = assert(io.tmpfile())
-- file:write "Subject: hello\n\n"
-- file:seek "set"
-- print(email.message_from_file(file).subject) --> hello
function M.message_from_file(file, options)
  options = check.options(options, parse.OPTIONS, 2, "message_from_file")
  local text, err, errno = parse.read_all(file, options.max_size, options.max_header)
  if not text then return nil, err, errno end
  return parse.parse(text, options)
end

return M
