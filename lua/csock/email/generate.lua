-- generate.lua: messages as bytes. What was parsed and has not been changed is written as it was.
local check = require "csock.check"
local csock = require "csock"
local message = require "csock.email.message"
local params = require "csock.email.params"

local methods = message.methods

-- Whether the parts still are those that were read, so that what stood between them fits.
local function unchanged(msg)
  local layout = msg._layout
  if not layout or layout.boundary ~= msg:get_boundary() or layout.preamble ~= msg.preamble
    or layout.epilogue ~= msg.epilogue or #layout.parts ~= #msg._parts then
    return false
  end
  for i, part in ipairs(layout.parts) do
    if part ~= msg._parts[i] then return false end
  end
  return true
end

-- One that is in none of the parts.
local function new_boundary(pieces)
  while true do
    local random = ("<I8"):unpack(assert(csock.random(8))) & math.maxinteger
    local boundary = ("===============%019d=="):format(random)
    local found = false
    for _, piece in ipairs(pieces) do found = found or piece:find(boundary, 1, true) end
    if not found then return boundary end
  end
end

-- The parts, each as bytes, with what is between them; and the boundary where it is a new one.
local function body_of(msg)
  if not msg._parts then return msg._payload end
  local pieces = {}
  for i, part in ipairs(msg._parts) do pieces[i] = part:as_bytes() end
  if msg:get_content_maintype() ~= "multipart" then return table.concat(pieces) end
  local list = {}
  if unchanged(msg) then
    local layout = msg._layout
    list[1] = msg.preamble or ""
    for i, mark in ipairs(layout.marks) do
      list[#list + 1] = mark
      list[#list + 1] = pieces[i]
    end
    list[#list + 1] = layout.close
    list[#list + 1] = msg.epilogue or ""
    return table.concat(list)
  end
  local eol, boundary = msg.linesep, msg:get_boundary()
  if not boundary then
    boundary = new_boundary(pieces)
    msg:set_param("boundary", boundary)
  end
  if msg.preamble then list[1] = msg.preamble .. eol end
  for i, piece in ipairs(pieces) do
    list[#list + 1] = (i > 1 and eol or "") .. "--" .. boundary .. eol
    list[#list + 1] = piece
  end
  if #pieces == 0 then list[#list + 1] = "--" .. boundary .. eol end
  list[#list + 1] = eol .. "--" .. boundary .. "--" .. eol
  list[#list + 1] = msg.epilogue or ""
  return table.concat(list)
end

--- The message as bytes. What was parsed is written as it was, but for what has been changed since.
-- @function emailmessage:as_bytes
-- @tparam[opt] table options
-- @tparam bool options.unixfrom true: with the line `From ...` of mailboxes before it
-- @tparam string options.linesep `"\n"` or `"\r\n"`: all lines end so; default: as they were, new ones with the
-- message's `linesep`, which is `"\n"`
-- @treturn string
-- @usage
-- local msg = email.EmailMessage()
-- msg.subject = "hello"
-- print(msg:as_bytes()) --> Subject: hello
function methods:as_bytes(options)
  local unixfrom, linesep = false, nil
  if options ~= nil then
    if type(options) ~= "table" then check.expected("as_bytes", 1, "table", options) end
    unixfrom, linesep = options.unixfrom, options.linesep
  end
  local body = body_of(self) -- which may give the header a boundary
  local list = {}
  if self.unixfrom then
    list[1] = self.unixfrom
  elseif unixfrom then
    list[1] = "From nobody " .. os.date "!%a %b %d %H:%M:%S %Y" .. self.linesep
  end
  for _, field in ipairs(self._fields) do
    if field[1] then list[#list + 1] = field[1] .. ":" end
    list[#list + 1] = field[2]
  end
  local separator = self._separator
  if not separator or separator == "" and body ~= "" and not self:_begins_body(body) then separator = self.linesep end
  list[#list + 1] = separator
  list[#list + 1] = body
  local bytes = table.concat(list)
  if not linesep then return bytes end
  return (bytes:gsub("\r?\n", linesep))
end

-- Whether what was behind the fields without an empty line still is: then a body begins there as it did.
function methods:_begins_body(body)
  local last = self._fields[#self._fields]
  if last and not last[2]:find "\n$" then return false end
  local line = body:match "^[^\n]*"
  return not line:find "^[ \t]" and not line:find "^[!-9;-~]+:" and not line:find "^From " and not line:find "^:"
    and not body:find "^\r?\n"
end

--- The same as `as_bytes`: Lua's strings are bytes.
-- @function emailmessage:as_string
-- @tparam[opt] table options
-- @treturn string
-- @usage print(email.message_from_string("A: 1\n\nb"):as_string()) --> A: 1 b
function methods:as_string(options) return self:as_bytes(options) end

--- Sets what separates the parts.
-- @function emailmessage:set_boundary
-- @tparam string boundary
-- @treturn emailmessage itself
-- @usage
-- local msg = email.message_from_string "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nb\n--a--\n"
-- print(msg:set_boundary("c"):as_string():match "%-%-.-\n") --> --c
function methods:set_boundary(boundary)
  if type(boundary) ~= "string" or boundary == "" or #boundary > 70
    or boundary:find "[^%w'()+_,./:=? -]" or boundary:find " $" then
    check.bad("set_boundary", 1, "a boundary expected")
  end
  if params.get(self:get("content-type") or "", "boundary") == nil and not self:get "content-type" then
    check.fail("set_boundary: a message with a Content-Type expected")
  end
  return self:set_param("boundary", boundary)
end
