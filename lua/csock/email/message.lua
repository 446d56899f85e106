-- message.lua: one message or part: its header fields as they were sent, what they say, and its payload.
--
-- A field is { name, raw, key }: `raw` is all behind the colon, with folds and the end of the line; `key` is the name
-- in lower case. What stands between fields and is none has no name. So what was parsed is written as it was.
local address = require "csock.email.address"
local ascii = require "csock.wire.ascii"
local base64 = require "csock.wire.base64"
local charset = require "csock.wire.charset"
local check = require "csock.check"
local headers = require "csock.wire.headers"
local params = require "csock.email.params"
local quoted = require "csock.wire.quoted"
local words = require "csock.wire.words"

local lower = ascii.lower

local M = {}

--- A message, or a part of one.
--
-- A field is found by its name in any case (`msg.subject`), unless a method or a field of the object is called so:
-- `get` finds each. Assigning puts a field in the place of those of its name, nil takes them away; `add_header` adds
-- one. Values are UTF-8, in which encoded words are decoded and folds are gone. `#msg` is how many fields there are.
-- @type emailmessage
local methods = {}
M.methods = methods

-- Fields with addresses: there an encoded word must not become more than a name.
local ADDRESSES = {}
for name in ([[from to cc bcc sender reply-to resent-from resent-to resent-cc resent-bcc resent-sender
  return-path delivered-to mail-followup-to disposition-notification-to]]):gmatch "%S+" do
  ADDRESSES[name] = true
end

-- A name that is all in lower case, as people write it in mail: "Message-ID".
local function spelled(name)
  if name:find "%u" then return name end
  return (name:gsub("%f[%a]%a", string.upper):gsub("%f[%a]Id%f[%A]", "ID"):gsub("^Mime%f[%A]", "MIME"))
end

local function new_index(message, name, value)
  if type(name) ~= "string" then check.bad("a message", 1, "the name of a field expected") end
  if value == nil then
    message:del(name)
  else
    message:set_header(message:get(name) and name or spelled(name), value)
  end
end

-- Metatables of messages: with more methods, for those that other modules make.
function M.class(name, more)
  local all = setmetatable(more, more ~= methods and { __index = methods } or nil)
  return {
    __name = name,
    __index = function(message, key)
      local method = all[key]
      if method ~= nil then return method end
      return type(key) == "string" and methods.get(message, key) or nil
    end,
    __newindex = new_index,
    __len = function(message) return #message:keys() end,
    __tostring = function(message) return message:as_string() end,
  }
end

local metatable = M.class("csock.emailmessage", methods)

-- Makes an empty message.
function M.new(class, default_type)
  return setmetatable({
    _fields = {}, -- see above
    _type = default_type or "text/plain",
    _separator = false, -- what is between the fields and the body; false: a line's end
    _payload = "",
    _parts = false,  -- a sequence in the place of the payload
    _layout = false, -- how the parts were written: see parse.lua
    linesep = "\n",  -- how new lines end
    preamble = false, epilogue = false, unixfrom = false,
    defects = {},
  }, class or metatable)
end

function M.is(value)
  local mt = type(value) == "table" and getmetatable(value)
  return mt and type(mt.__name) == "string" and rawget(value, "_fields") ~= nil and mt.__newindex == new_index or false
end

-- --- fields ---------------------------------------------------------------------------------------

local function decoded(field)
  local value = field[2]:gsub("\r?\n", ""):match "^[ \t]*(.*)$"
  if not value:find("=?", 1, true) then return value end
  return ADDRESSES[field[3]] and address.decode(value) or words.decode(value)
end

-- `value`, as it is written: checked and encoded.
local function raw_value(message, name, value, call)
  if not headers.is_name(name) then check.bad(call, 1, "the name of a field expected") end
  if type(value) == "table" and ADDRESSES[lower(name)] then
    local list = {}
    for i, one in ipairs(value) do
      list[i] = type(one) == "table" and ("%s <%s>"):format(address.format_name(one[1]), one[2]) or one
    end
    value = table.concat(list, ", ")
  end
  if math.type(value) then value = tostring(value) end
  if type(value) ~= "string" then check.expected(call, 2, "string", value) end
  if not headers.is_value(value) then check.bad(call, 2, "a value without CR, LF and NUL expected") end
  value = ADDRESSES[lower(name)] and address.encode(value) or words.encode(value)
  return headers.fold(name, value, message.linesep):sub(#name + 2)
end

local function find(message, name)
  local key = lower(name)
  for i, field in ipairs(message._fields) do
    if field[3] == key then return field, i end
  end
end

local function add(message, name, value, call)
  local fields = message._fields
  local last = fields[#fields]
  -- Where the text ended in a line:
  if last and not last[2]:find "\n$" then last[2] = last[2] .. message.linesep end
  if message.unixfrom
    and not message.unixfrom:find "\n$" then message.unixfrom = message.unixfrom .. message.linesep end
  fields[#fields + 1] = { name, raw_value(message, name, value, call), lower(name) }
end

--- The value of the first field of this name.
-- @function emailmessage:get
-- @tparam string name
-- @param[opt] default what is given where there is none
-- @treturn ?string
-- @usage print(email.message_from_string("Subject: =?utf-8?q?caf=C3=A9?=\n\n"):get "subject") --> café
function methods:get(name, default)
  local field = find(self, name)
  if field then return decoded(field) end
  return default
end

--- The values of all fields of this name.
-- @function emailmessage:get_all
-- @tparam string name
-- @param[opt] default what is given where there is none
-- @treturn ?{string,...}
-- @usage print(#email.message_from_string("A: 1\nA: 2\n\n"):get_all "a") --> 2
function methods:get_all(name, default)
  local list, key = {}, lower(name)
  for _, field in ipairs(self._fields) do
    if field[3] == key then list[#list + 1] = decoded(field) end
  end
  if #list == 0 then return default end
  return list
end

--- The names of all fields, in order.
-- @function emailmessage:keys
-- @treturn {string,...}
-- @usage print(table.concat(email.message_from_string("A: 1\nB: 2\n\n"):keys(), " ")) --> A B
function methods:keys()
  local list = {}
  for _, field in ipairs(self._fields) do
    if field[1] then list[#list + 1] = field[1] end
  end
  return list
end

--- The values of all fields, in order.
-- @function emailmessage:values
-- @treturn {string,...}
-- @usage print(table.concat(email.message_from_string("A: 1\nB: 2\n\n"):values(), " ")) --> 1 2
function methods:values()
  local list = {}
  for _, field in ipairs(self._fields) do
    if field[1] then list[#list + 1] = decoded(field) end
  end
  return list
end

local function walk_fields(message, value_of)
  local fields, i = message._fields, 0
  return function()
    repeat i = i + 1 until not fields[i] or fields[i][1]
    if fields[i] then return fields[i][1], value_of(fields[i]) end
  end
end

--- Walks over all fields, in order.
-- @function emailmessage:items
-- @treturn function for `for name, value in`
-- @usage for name, value in email.message_from_string("A: 1\n\n"):items() do print(name, value) end --> A 1
function methods:items() return walk_fields(self, decoded) end

--- Walks over all fields as they were sent: values with folds and encoded words.
-- @function emailmessage:raw_items
-- @treturn function for `for name, value in`
-- @usage
-- local msg = email.message_from_string "A: =?utf-8?q?b?=\n\n"
-- for name, value in msg:raw_items() do print(name, value) end --> A =?utf-8?q?b?=
function methods:raw_items()
  return walk_fields(self, function(field) return (field[2]:gsub("\r?\n$", ""):gsub("^[ \t]*", "")) end)
end

--- Adds a field, behind those of the same name.
-- @function emailmessage:add_header
-- @tparam string name
-- @tparam string|number|table value UTF-8; of a field with addresses also a sequence of addresses, or of pairs of a
-- name and an address
-- @tparam[opt] table parameters from names to values, which may be true: without one
-- @treturn emailmessage itself
-- @usage
-- local msg = email.EmailMessage()
-- msg:add_header("Content-Disposition", "attachment", {filename = "bud.gif"})
-- print(msg:get_filename()) --> bud.gif
function methods:add_header(name, value, parameters)
  if parameters ~= nil then
    if type(parameters) ~= "table" then check.expected("add_header", 3, "table", parameters) end
    local names = {}
    for key in pairs(parameters) do names[#names + 1] = key end
    table.sort(names)
    for i, key in ipairs(names) do
      local written = key:gsub("_", "-")
      names[i] = parameters[key] == true and written or params.format(written, tostring(parameters[key]))
    end
    value = table.concat({ value, table.unpack(names) }, "; ")
  end
  add(self, name, value, "add_header")
  return self
end

--- Makes this the only field of its name, where the first one was, and in whose case.
-- @function emailmessage:set_header
-- @tparam string name
-- @tparam string|number|table value
-- @treturn emailmessage itself
-- @usage print(email.EmailMessage():set_header("Subject", "hello").subject) --> hello
function methods:set_header(name, value)
  local field = find(self, name)
  if not field then
    add(self, name, value, "set_header")
    return self
  end
  local raw = raw_value(self, name, value, "set_header")
  local fields = self._fields
  for i = #fields, 1, -1 do
    if fields[i][3] == field[3] and fields[i] ~= field then table.remove(fields, i) end
  end
  field[2] = raw
  return self
end

--- Changes the value of the first field of this name, which keeps its place and its case.
-- @function emailmessage:replace_header
-- @tparam string name raises where there is none
-- @tparam string|number|table value
-- @treturn emailmessage itself
-- @usage
-- local msg = email.message_from_string "SUBJECT: a\n\n"
-- msg:replace_header("subject", "b")
-- print(msg:as_string()) --> SUBJECT: b
function methods:replace_header(name, value)
  local field = find(self, name)
  if not field then check.bad("replace_header", 1, "the name of a field that is there expected") end
  field[2] = raw_value(self, field[1], value, "replace_header")
  return self
end

--- Takes away all fields of this name.
-- @function emailmessage:del
-- @tparam string name
-- @treturn emailmessage itself
-- @usage print(email.message_from_string("A: 1\n\n"):del("a"):get("a")) --> nil
function methods:del(name)
  local fields, key = self._fields, lower(name)
  for i = #fields, 1, -1 do
    if fields[i][3] == key then table.remove(fields, i) end
  end
  return self
end

-- --- what the fields say --------------------------------------------------------------------------

local function raw_text(message, name)
  local field = find(message, name)
  return field and field[2]:gsub("\r?\n", ""):match "^[ \t]*(.-)[ \t]*$"
end

--- A parameter of a field.
-- @function emailmessage:get_param
-- @tparam string name
-- @param[opt] default what is given where there is none
-- @tparam[opt="Content-Type"] string header
-- @treturn ?string UTF-8, without quotes
-- @usage print(email.message_from_string("Content-Type: text/plain; format=flowed\n\n"):get_param "format") --> flowed
function methods:get_param(name, default, header)
  local value = raw_text(self, header or "content-type")
  local found = value and params.get(value, name)
  if found == nil then return default end
  return found
end

--- Sets a parameter of a field.
-- @function emailmessage:set_param
-- @tparam string name
-- @tparam ?string value UTF-8; nil: it is taken away
-- @tparam[opt="Content-Type"] string header
-- @treturn emailmessage itself
-- @usage
-- local msg = email.message_from_string "Content-Type: text/plain\n\n"
-- print(msg:set_param("charset", "utf-8").content_type, msg["content-type"]) --> nil text/plain; charset="utf-8"
function methods:set_param(name, value, header)
  header = header or "Content-Type"
  local list, main = params.parse(raw_text(self, header) or self:get_content_type())
  local key, done = lower(name), value == nil
  for i = #list, 1, -1 do
    if list[i][1] == key then
      if done then
        table.remove(list, i)
      else
        list[i][2], done = value, true
      end
    end
  end
  if not done then list[#list + 1] = { name, value } end
  return self:set_header(header, params.join(main, list))
end

--- Takes a parameter away.
-- @function emailmessage:del_param
-- @tparam string name
-- @tparam[opt="Content-Type"] string header
-- @treturn emailmessage itself
-- @usage print(email.message_from_string("Content-Type: a/b; c=d\n\n"):del_param("c")["content-type"]) --> a/b
function methods:del_param(name, header) return self:set_param(name, nil, header) end

--- The type, as `"text/html"`; of what has none, or none that is one, `"text/plain"`.
-- @function emailmessage:get_content_type
-- @treturn string in lower case
-- @usage print(email.EmailMessage():get_content_type()) --> text/plain
function methods:get_content_type()
  local value = raw_text(self, "content-type")
  if not value then return self._type end
  local found = lower(value:match "^[^;]*":match "^%s*(.-)%s*$")
  local _, slashes = found:gsub("/", "")
  return slashes == 1 and found or "text/plain"
end

--- The part of the type before the slash.
-- @function emailmessage:get_content_maintype
-- @treturn string
-- @usage print(email.EmailMessage():get_content_maintype()) --> text
function methods:get_content_maintype() return self:get_content_type():match "^[^/]*" end

--- The part of the type behind the slash.
-- @function emailmessage:get_content_subtype
-- @treturn string
-- @usage print(email.EmailMessage():get_content_subtype()) --> plain
function methods:get_content_subtype() return self:get_content_type():match "[^/]*$" end

--- The charset of the content, in lower case.
-- @function emailmessage:get_content_charset
-- @param[opt] default what is given where it is not said
-- @treturn ?string
-- @usage print(email.EmailMessage():set_content("a"):get_content_charset()) --> utf-8
function methods:get_content_charset(default)
  local name = self:get_param "charset"
  if not name or name:find "[^\x20-\x7e]" then return default end
  return lower(name)
end

--- How it is to be shown, as `"attachment"` or `"inline"`.
-- @function emailmessage:get_content_disposition
-- @treturn ?string in lower case; nil where it is not said
-- @usage print(email.message_from_string("Content-Disposition: inline\n\n"):get_content_disposition()) --> inline
function methods:get_content_disposition()
  local value = raw_text(self, "content-disposition")
  return value and lower(value:match "^[^;]*":match "^%s*(.-)%s*$")
end

--- Whether it is an attachment.
-- @function emailmessage:is_attachment
-- @treturn boolean
-- @usage print(email.EmailMessage():is_attachment()) --> false
function methods:is_attachment() return self:get_content_disposition() == "attachment" end

--- The name of the file, as the sender has it: the `filename` of Content-Disposition, or the `name` of Content-Type.
-- Who saves something under that name takes only what is behind the last slash.
-- @function emailmessage:get_filename
-- @param[opt] default what is given where there is none
-- @treturn ?string UTF-8
-- @usage
-- local msg = email.message_from_string "Content-Disposition: attachment; filename*=utf-8''caf%C3%A9\n\n"
-- print(msg:get_filename()) --> café
function methods:get_filename(default)
  return self:get_param("filename", nil, "content-disposition") or self:get_param "name" or default
end

--- What separates the parts.
-- @function emailmessage:get_boundary
-- @param[opt] default what is given where there is none
-- @treturn ?string
-- @usage print(email.message_from_string("Content-Type: multipart/mixed; boundary=b\n\n--b--"):get_boundary()) --> b
function methods:get_boundary(default)
  local boundary = self:get_param "boundary"
  if not boundary then return default end
  return (boundary:gsub("%s+$", ""))
end

--- The line before the fields with which mailboxes begin a message, or nil.
-- @function emailmessage:get_unixfrom
-- @treturn ?string without its end
-- @usage print(email.message_from_string("From ann today\nA: 1\n\n"):get_unixfrom()) --> From ann today
function methods:get_unixfrom() return self.unixfrom and self.unixfrom:gsub("\r?\n$", "") or nil end

-- --- the payload ----------------------------------------------------------------------------------

--- Whether it has parts.
-- @function emailmessage:is_multipart
-- @treturn boolean
-- @usage print(email.EmailMessage():is_multipart()) --> false
function methods:is_multipart() return self._parts ~= false end

local DECODERS = {
  base64 = function(bytes)
    local decoded_bytes, first, second = base64.decode(bytes, { lenient = true })
    local length = first == "length" or second == "length"
    return not length and decoded_bytes or bytes, first, second, length
  end,
  ["quoted-printable"] = quoted.decode,
}

local DEFECTS = {
  characters = "InvalidBase64CharactersDefect", padding = "InvalidBase64PaddingDefect",
  length = "InvalidBase64LengthDefect",
}

local function note(message, name)
  for _, defect in ipairs(message.defects) do
    if defect == name then return end
  end
  table.insert(message.defects, name)
end

--- What the message has in it.
-- @function emailmessage:get_payload
-- @tparam[opt] int i of a message with parts: this one, from 1 on
-- @tparam[opt] bool decode true: the bytes, without the transfer encoding; of a message with parts: nil
-- @treturn string|{emailmessage,...} the text as it was sent, or the parts
-- @usage
-- local msg = email.message_from_string "Content-Transfer-Encoding: base64\n\naGVsbG8="
-- print(msg:get_payload(), msg:get_payload(nil, true)) --> aGVsbG8= hello
function methods:get_payload(i, decode)
  if self._parts then
    if i ~= nil then return self._parts[i] end
    if decode then return nil end
    return self._parts
  end
  if i ~= nil then check.bad("get_payload", 1, "a message with parts expected") end
  local how = decode and DECODERS[lower(raw_text(self, "content-transfer-encoding") or "")]
  if not how then return self._payload end
  local bytes, first, second, too_long = how(self._payload)
  if too_long then
    note(self, DEFECTS.length)
  else
    if first then note(self, DEFECTS[first]) end
    if second then note(self, DEFECTS[second]) end
  end
  return bytes
end

--- Sets what the message has in it, as it is sent: nothing is encoded.
-- @function emailmessage:set_payload
-- @tparam string|{emailmessage,...} payload
-- @treturn emailmessage itself
-- @usage print(email.EmailMessage():set_payload("hello"):get_payload()) --> hello
function methods:set_payload(payload)
  if type(payload) == "table" then
    for _, part in ipairs(payload) do
      if not M.is(part) then check.bad("set_payload", 1, "messages expected") end
    end
    self._parts, self._payload = payload, ""
  elseif type(payload) == "string" then
    self._parts, self._payload = false, payload
  else
    check.expected("set_payload", 1, "string or table", payload)
  end
  return self
end

--- Adds a part, as it is.
-- @function emailmessage:attach
-- @tparam emailmessage part
-- @treturn emailmessage itself
-- @usage print(#email.EmailMessage():attach(email.EmailMessage()):get_payload()) --> 1
function methods:attach(part)
  if not M.is(part) then check.expected("attach", 1, "message", part) end
  if not self._parts and self._payload ~= "" then check.fail("attach: a message with parts expected") end
  self._parts = self._parts or {}
  table.insert(self._parts, part)
  return self
end

--- Walks over this message and all parts, from the outside in.
-- @function emailmessage:walk
-- @treturn function for `for part in`
-- @usage for part in email.EmailMessage():walk() do print(part:get_content_type()) end --> text/plain
function methods:walk()
  local stack = { self }
  return function()
    local message = table.remove(stack)
    for i = message and message._parts and #message._parts or 0, 1, -1 do stack[#stack + 1] = message._parts[i] end
    return message
  end
end

--- Takes away all content: the payload, and the fields that begin with `Content-`.
-- @function emailmessage:clear_content
-- @treturn emailmessage itself
-- @usage print(#email.message_from_string("A: 1\nContent-Type: a/b\n\nc"):clear_content()) --> 1
function methods:clear_content()
  local fields = self._fields
  for i = #fields, 1, -1 do
    if fields[i][3] and fields[i][3]:find "^content%-" then table.remove(fields, i) end
  end
  self._payload, self._parts, self._layout = "", false, false
  self.preamble, self.epilogue = false, false
  return self
end

--- Takes away everything.
-- @function emailmessage:clear
-- @treturn emailmessage itself
-- @usage print(email.message_from_string("A: 1\n\nb"):clear():as_string()) -->
function methods:clear()
  self._fields = {}
  return self:clear_content()
end

-- The text in a charset, for content.lua.
function M.decode_text(bytes, name) return charset.decode(bytes, name, true) end

return M
