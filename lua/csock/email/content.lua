-- content.lua: what a message has in it as programs mean it: texts, files, bodies, attachments; Python's EmailMessage.
local base64 = require "csock.wire.base64"
local charset = require "csock.wire.charset"
local check = require "csock.check"
local message = require "csock.email.message"
local quoted = require "csock.wire.quoted"

local methods = message.methods

local LINE = 78 -- characters: what has longer lines is encoded

local OPTIONS = {
  maintype = { check.STRING }, subtype = { check.STRING }, charset = { check.STRING, "utf-8" }, cte = { check.STRING },
  disposition = { check.STRING }, filename = { check.STRING }, cid = { check.STRING }, params = { check.TABLE },
  headers = { check.TABLE },
}

-- --- encoding -------------------------------------------------------------------------------------

-- A transfer encoding for a text: as it is where that is ASCII in short lines; else what is shorter.
local function best_for(text)
  if not text:find "[^\t\n\x20-\x7e]" then
    local longest = 0
    for line in text:gmatch "[^\n]+" do longest = math.max(longest, #line) end
    if longest <= LINE then return "7bit" end
  end
  local sample = text:sub(1, 1000)
  return #quoted.encode(sample) > #base64.encode(sample) and "base64" or "quoted-printable"
end

local ENCODERS = {
  base64 = function(bytes, eol) return base64.encoder { columns = 76, linesep = eol }:whole(bytes) end,
  ["7bit"] = function(text, eol) return (text:gsub("\r?\n", eol)) end,
}
ENCODERS["8bit"] = ENCODERS["7bit"]
ENCODERS.binary = function(bytes) return bytes end

local function encode(msg, bytes, how, is_text, call)
  if how == "quoted-printable" then return quoted.encode(bytes, { binary = not is_text, linesep = msg.linesep }) end
  local encoder = ENCODERS[how]
  if not encoder then check.bad(call, 2, "cte: 7bit, 8bit, binary, base64 or quoted-printable expected") end
  if how == "7bit" and bytes:find "[\x80-\xff]" then check.bad(call, 2, "cte: 7bit is for ASCII alone") end
  return encoder(bytes, msg.linesep)
end

-- --- setting --------------------------------------------------------------------------------------

local function check_type(text, call)
  if text and not text:find "^[%w!#$&^_.+-]+$" then check.bad(call, 2, "the name of a type expected") end
end

local function set_text(msg, text, options, call)
  text = text:gsub("\r\n?", "\n")
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  local bytes = charset.encode(text, options.charset)
  if not bytes then check.bad(call, 1, "a text in " .. options.charset .. " expected") end
  local how = options.cte or best_for(bytes)
  msg:add_header("Content-Type", "text/" .. (options.subtype or "plain"), { charset = options.charset })
  msg:add_header("Content-Transfer-Encoding", how)
  msg._payload = encode(msg, bytes, how, true, call)
end

local function set_message(msg, content, options, call)
  local subtype, how = options.subtype or "rfc822", options.cte or "8bit"
  if options.maintype and options.maintype ~= "message" then check.bad(call, 2, "maintype: message expected") end
  if how ~= "7bit" and how ~= "8bit" and how ~= "binary" then
    check.bad(call, 2, "cte: 7bit, 8bit or binary expected")
  end
  msg:add_header("Content-Type", "message/" .. subtype)
  msg:add_header("Content-Transfer-Encoding", how)
  msg._parts = { content }
end

local function set_bytes(msg, bytes, options, call)
  if options.maintype == "text" then return set_text(msg, bytes, options, call) end
  local how = options.cte or "base64"
  msg:add_header("Content-Type", options.maintype .. "/" .. (options.subtype or "octet-stream"))
  msg:add_header("Content-Transfer-Encoding", how)
  msg._payload = encode(msg, bytes, how, false, call)
end

local function set(msg, content, options, call)
  options = check.options(options, OPTIONS, 2, call)
  check_type(options.maintype, call)
  check_type(options.subtype, call)
  if not charset.name(options.charset) then check.bad(call, 2, "charset: one that is known expected") end
  local parent = message.is(content)
  if not parent and type(content) ~= "string" then check.expected(call, 1, "string or message", content) end
  if msg:get_content_maintype() == "multipart" then check.fail(call .. ": a message without parts expected") end
  msg:clear_content()
  if parent then
    set_message(msg, content, options, call)
  elseif options.maintype then
    set_bytes(msg, content, options, call)
  else
    set_text(msg, content, options, call)
  end
  local disposition = options.disposition or options.filename and "attachment"
  if disposition then
    msg:add_header("Content-Disposition", disposition, options.filename and { filename = options.filename })
  end
  if options.cid then msg:add_header("Content-ID", options.cid) end
  local names = {}
  for name in pairs(options.params or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do msg:set_param(name, tostring(options.params[name])) end
  for name, value in pairs(options.headers or {}) do msg:add_header(name, value) end
  return msg
end

--- Sets the content, in a transfer encoding that every server takes.
-- @function emailmessage:set_content
-- @tparam string|emailmessage content a text in UTF-8; bytes, with a `maintype`; a message
-- @tparam[opt] table options
-- @tparam string options.maintype `"image"`, `"application"`, ...; default: it is a text
-- @tparam string options.subtype default `"plain"`; of bytes `"octet-stream"`
-- @tparam string options.charset of a text; default `"utf-8"`
-- @tparam string options.cte the transfer encoding: `"7bit"`, `"8bit"`, `"binary"`, `"quoted-printable"` or `"base64"`;
-- default: what fits
-- @tparam string options.disposition `"attachment"` or `"inline"`
-- @tparam string options.filename makes it an attachment, if nothing else is said
-- @tparam string options.cid the Content-ID
-- @tparam table options.params parameters of the type
-- @tparam table options.headers more fields
-- @treturn emailmessage itself
-- @usage
-- local msg = email.EmailMessage()
-- msg:set_content("caf\u{e9}", {cte = "quoted-printable"})
-- print(msg:get_payload()) --> caf=C3=A9
function methods:set_content(content, options)
  set(self, content, options, "set_content")
  if not self:get "mime-version" then self:add_header("MIME-Version", "1.0") end
  return self
end

--- The content as the program means it: of a text UTF-8, of other types bytes, of a message in it that message.
-- @function emailmessage:get_content
-- @treturn string|emailmessage
-- @usage
-- local msg = email.EmailMessage()
-- print(msg:set_content("caf\u{e9}", {cte = "base64"}):get_content()) --> café
function methods:get_content()
  if self._parts then
    if self:get_content_maintype() == "message" then return self._parts[1] end
    check.fail("get_content: a message without parts expected")
  end
  local bytes = self:get_payload(nil, true)
  if self:get_content_maintype() ~= "text" then return bytes end
  return charset.decode(bytes, self:get_content_charset "us-ascii", true) or bytes
end

-- --- parts ----------------------------------------------------------------------------------------

-- What a multipart can become, by what it is: mixed may have all in it, related no other.
local RANK = { related = 1, alternative = 2, mixed = 3 }

-- Makes the message a multipart, with what it was as the first part.
local function make(msg, subtype, call)
  if msg:get_content_maintype() == "multipart" then
    local rank = RANK[msg:get_content_subtype()]
    if not rank or rank >= RANK[subtype] then
      check.fail(call .. (": multipart/%s cannot become multipart/%s"):format(msg:get_content_subtype(), subtype))
    end
  end
  local kept, moved = {}, {}
  for _, field in ipairs(msg._fields) do
    table.insert(field[3] and field[3]:find "^content%-" and moved or kept, field)
  end
  local part = false
  if #moved > 0 then
    part = message.new()
    part._fields, part._payload, part._parts, part._layout = moved, msg._payload, msg._parts, msg._layout
    part.preamble, part.epilogue, part.linesep = msg.preamble, msg.epilogue, msg.linesep
  end
  msg._fields, msg._payload, msg._layout, msg.preamble, msg.epilogue = kept, "", false, false, false
  msg._parts = part and { part } or {}
  msg:add_header("Content-Type", "multipart/" .. subtype)
  return msg
end

local function add_part(msg, subtype, disposition, content, options, call)
  if msg:get_content_type() ~= "multipart/" .. subtype then make(msg, subtype, call) end
  msg._parts = msg._parts or {}
  local part = message.new()
  part.linesep = msg.linesep
  set(part, content, options, call)
  if disposition and not part:get "content-disposition" then part:add_header("Content-Disposition", disposition) end
  msg:attach(part)
  if not msg:get "mime-version" then msg:add_header("MIME-Version", "1.0") end
  return part
end

--- Makes the message a multipart/mixed, with what it was as its first part.
-- @function emailmessage:make_mixed
-- @treturn emailmessage itself
-- @usage print(email.EmailMessage():make_mixed():get_content_type()) --> multipart/mixed
function methods:make_mixed() return make(self, "mixed", "make_mixed") end

--- Makes the message a multipart/alternative, with what it was as its first part.
-- @function emailmessage:make_alternative
-- @treturn emailmessage itself
-- @usage print(email.EmailMessage():make_alternative():get_content_type()) --> multipart/alternative
function methods:make_alternative() return make(self, "alternative", "make_alternative") end

--- Makes the message a multipart/related, with what it was as its first part.
-- @function emailmessage:make_related
-- @treturn emailmessage itself
-- @usage print(email.EmailMessage():make_related():get_content_type()) --> multipart/related
function methods:make_related() return make(self, "related", "make_related") end

--- Adds an attachment.
-- @function emailmessage:add_attachment
-- @tparam string|emailmessage content as for `set_content`
-- @tparam[opt] table options as for `set_content`
-- @treturn emailmessage the part
-- @usage
-- local msg = email.EmailMessage():set_content "see the picture"
-- msg:add_attachment("GIF89a", {maintype = "image", subtype = "gif", filename = "bud.gif"})
-- for part in msg:iter_attachments() do print(part:get_filename()) end --> bud.gif
function methods:add_attachment(content, options)
  return add_part(self, "mixed", "attachment", content, options, "add_attachment")
end

--- Adds another form of the same content, which who can shows rather than those before.
-- @function emailmessage:add_alternative
-- @tparam string|emailmessage content as for `set_content`
-- @tparam[opt] table options as for `set_content`
-- @treturn emailmessage the part
-- @usage
-- local msg = email.EmailMessage():set_content "hello"
-- msg:add_alternative("<b>hello</b>", {subtype = "html"})
-- print(msg:get_body {"html"}:get_content()) --> <b>hello</b>
function methods:add_alternative(content, options)
  return add_part(self, "alternative", nil, content, options, "add_alternative")
end

--- Adds something that the content uses, as a picture in a page.
-- @function emailmessage:add_related
-- @tparam string|emailmessage content as for `set_content`
-- @tparam[opt] table options as for `set_content`
-- @treturn emailmessage the part
-- @usage
-- local msg = email.EmailMessage():set_content("<img src='cid:a'>", {subtype = "html"})
-- print(msg:add_related("GIF89a", {maintype = "image", subtype = "gif", cid = "<a>"})["content-id"]) --> <a>
function methods:add_related(content, options)
  return add_part(self, "related", "inline", content, options, "add_related")
end

--- Walks over the parts; of a message without any, over nothing.
-- @function emailmessage:iter_parts
-- @treturn function for `for part in`
-- @usage for part in email.EmailMessage():iter_parts() do print(part) end -->
function methods:iter_parts()
  local i, parts = 0, self._parts or {}
  return function()
    i = i + 1
    return parts[i]
  end
end

-- Of multipart/related, the part that the others are for.
local function root_of(msg)
  local start, parts = msg:get_param "start", msg._parts or {}
  for _, part in ipairs(start and parts or {}) do
    if part:get "content-id" == start then return part end
  end
  return parts[1]
end

local BODIES = {
  ["text/plain"] = true, ["text/html"] = true, ["multipart/related"] = true, ["multipart/alternative"] = true,
}

--- Walks over what is attached: the parts that are no body.
-- @function emailmessage:iter_attachments
-- @treturn function for `for part in`
-- @usage for part in email.EmailMessage():iter_attachments() do print(part) end -->
function methods:iter_attachments()
  local kind, list, seen = self:get_content_type(), {}, {}
  if self:get_content_maintype() == "multipart" and kind ~= "multipart/alternative" and self._parts then
    local root = kind == "multipart/related" and root_of(self)
    for _, part in ipairs(self._parts) do
      local of = part:get_content_type()
      if root then
        if part ~= root then list[#list + 1] = part end
      elseif BODIES[of] and not part:is_attachment() and not seen[of] then
        seen[of] = true
      else
        list[#list + 1] = part
      end
    end
  end
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

-- Shows each part that can be the body to `found(subtype, part)`.
local function find_bodies(part, wants, found)
  if part:is_attachment() then return end
  local subtype = part:get_content_subtype()
  if part:get_content_maintype() == "text" then return found(subtype, part) end
  if part:get_content_maintype() ~= "multipart" or not part._parts then return end
  if subtype ~= "related" then
    for _, one in ipairs(part._parts) do find_bodies(one, wants, found) end
    return
  end
  found("related", part)
  local root = root_of(part)
  if root then find_bodies(root, wants, found) end
end

--- The part that is best shown as the body.
-- @function emailmessage:get_body
-- @tparam[opt] {string,...} preferencelist what is wanted, the best first: default `{"related", "html", "plain"}`
-- @treturn ?emailmessage
-- @usage print(email.EmailMessage():set_content("hello"):get_body {"plain"}:get_content()) --> hello
function methods:get_body(preferencelist)
  local rank, best, body = {}, math.huge, nil
  for i, name in ipairs(preferencelist or { "related", "html", "plain" }) do rank[name] = rank[name] or i end
  find_bodies(self, rank, function(subtype, part)
    local at = rank[subtype]
    if at and at < best then best, body = at, part end
  end)
  return body
end
