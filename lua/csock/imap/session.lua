-- session.lua: the conversation of csock.imap: commands and their tags, literals in both directions, and what the
-- server says meanwhile. `self` is an IMAP4.
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local csock = require "csock"

local E = csock.errno

local M = {}

-- Entries of untagged responses that are kept from command to command: nobody may ever ask for them.
local KEPT = 10000

-- Bytes of a literal that LITERAL- lets go out unasked (RFC 7888).
local SHORT = 4096

-- The states in which there are commands.
local ANY, NONAUTH, AUTH, SELECTED = {}, {}, {}, {}
for _, set in ipairs { ANY, NONAUTH } do set.NONAUTH = true end
for _, set in ipairs { ANY, AUTH } do set.AUTH = true end
for _, set in ipairs { ANY, AUTH, SELECTED } do set.SELECTED = true end

local STATES = {}
for words, states in pairs {
  ["CAPABILITY NOOP LOGOUT"] = ANY, ["AUTHENTICATE LOGIN STARTTLS"] = NONAUTH,
  ["APPEND CREATE DELETE DELETEACL ENABLE EXAMINE GETACL GETANNOTATION GETQUOTA GETQUOTAROOT MYRIGHTS LIST LSUB "
    .. "NAMESPACE PROXYAUTH RENAME SELECT SETACL SETANNOTATION SETQUOTA STATUS SUBSCRIBE UNSUBSCRIBE IDLE"] = AUTH,
  ["CHECK CLOSE COPY EXPUNGE FETCH MOVE PARTIAL SEARCH SORT STORE THREAD UID UNSELECT"] = SELECTED,
} do
  for word in words:gmatch "%S+" do STATES[word] = states end
end

M.STATES = STATES

-- --- failures -------------------------------------------------------------------------------------

function M.failure(name, words, more)
  local fields = { call = "IMAP", errno = E[name], strerror = words, kind = "protocol" }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end

local failure = M.failure

-- Response codes (RFC 5530) of what may go better next time.
local TEMPORARY = { UNAVAILABLE = true, INUSE = true, LIMIT = true, SERVERBUG = true, ["IN-USE"] = true }

-- What stands in brackets: its name and what follows it.
local function response_code(text)
  local code = text:match "^%[([%w-]+)%]"
  if code then return code:upper(), "" end
  local data
  code, data = text:match "^%[([%w-]+) (.*)%]"
  if code then return code:upper(), data end
end

local function refusal(status, text)
  local code = response_code(text)
  local temporary = TEMPORARY[code] or status == "BYE"
  return failure("EPROTO", (("%s %s"):format(status, text):gsub("%c", "?")), {
    code = code or status, text = text, kind = temporary and "temporary" or "permanent",
  })
end

local function protest(d, line)
  return d:protest(("an answer that is none: %q"):format(line:sub(1, 80)))
end

-- --- what the server says -------------------------------------------------------------------------

local function add(self, name, data)
  local list = self.untagged_responses[name]
  if not list then
    list = {}
    self.untagged_responses[name] = list
  end
  list[#list + 1] = data
  self.kept = self.kept + 1
end

-- Takes what has been said under a name out of what is kept; nil where nothing has.
function M.pop(self, name)
  local list = self.untagged_responses[name]
  self.untagged_responses[name] = nil
  if list then self.kept = self.kept - #list end
  return list
end

local function learn(self, list)
  self.capabilities, self.stale = {}, false
  for word in list:upper():gmatch "%S+" do table.insert(self.capabilities, word) end
end

-- Bytes count against what one command may bring; nil, err, errno, and the dialog is broken.
local function spend(self, d, n)
  self.left = self.left - n
  if self.left >= 0 then return true end
  local words = ("more than %d bytes in answer to one command"):format(d.block_limit)
  local _, err, errno = failure("EMSGSIZE", words)
  return d:fail(err, errno)
end

-- These say something to people, whatever braces they end with.
local STATUS = { OK = true, NO = true, BAD = true, BYE = true, PREAUTH = true }

-- Text and the literals in it: a list of { text, literal }, and the text behind the last.
local function with_literals(self, d, text)
  local pieces = {}
  while true do
    local digits = text:match "{(%d+)}$"
    if not digits then return pieces, text end
    local size = ascii.integer(digits, math.maxinteger)
    if not size then return d:protest(("a literal of %s bytes"):format(digits:sub(1, 40))) end
    local ok, err, errno = spend(self, d, size)
    if not ok then return nil, err, errno end
    local bytes
    bytes, err, errno = d:exactly(size)
    if not bytes then return nil, err, errno end
    pieces[#pieces + 1] = { text, bytes }
    text, err, errno = d:line()
    if not text then return nil, err, errno end
    ok, err, errno = spend(self, d, #text + 2)
    if not ok then return nil, err, errno end
  end
end

-- Reads what comes next: "tagged", status, text; "+", text; "*", name, a list of data. nil, err, errno.
local function next_response(self, d)
  local line, err, errno = d:line()
  if not line then return nil, err, errno end
  local ok
  ok, err, errno = spend(self, d, #line + 2)
  if not ok then return nil, err, errno end
  if line:byte() == 43 then return "+", line:match "^%+ ?(.*)$" end
  if line:sub(1, 2) ~= "* " then
    local tag, status, text = line:match "^(%w+) (%a+) ?(.*)$"
    status = status and status:upper()
    local known = status == "OK" or status == "NO" or status == "BAD"
    if not known or tag ~= self.tag then return protest(d, line) end
    return "tagged", status, text
  end
  local number, name, blank, text = line:match "^%* (%d+) ([%a-]+)( ?)(.*)$"
  if not name then
    name, blank, text = line:match "^%* ([%a-]+)( ?)(.*)$"
  end
  if not name or blank == "" and text ~= "" then return protest(d, line) end
  name = name:upper()
  if number then text = blank == "" and number or number .. " " .. text end
  if STATUS[name] then return "*", name, { text } end
  local data, rest, code = with_literals(self, d, text)
  if not data then return nil, rest, code end
  data[#data + 1] = rest
  return "*", name, data
end

-- Notes what stands in an answer, besides what it is: the code in brackets, and what the server can do.
local function note(self, name, text)
  if name == "CAPABILITY" then
    learn(self, text)
  elseif STATUS[name] then
    local code, data = response_code(text)
    if code == "CAPABILITY" then learn(self, data) end
    if code then add(self, code, data) end
  end
end

-- The same, with what is untagged taken in: "tagged", status, text; "+", text; "*", name, data. A BYE that nobody asked
-- for ends it.
function M.read(self, d)
  local kind, name, data = next_response(self, d)
  if kind == "tagged" then
    note(self, name, data)
  elseif kind == "*" then
    note(self, name, data[1])
    if name == "BYE" and not self.leaving then
      local _, err, errno = refusal(name, data[1])
      return d:fail(err, errno)
    end
  end
  return kind, name, data
end

-- Up to the tagged answer to what was sent, or a continuation: "tagged", status, text; "+", text.
function M.settle(self, d)
  while true do
    local kind, name, data = M.read(self, d)
    if kind ~= "*" then return kind, name, data end
    for _, entry in ipairs(data) do add(self, name, entry) end
  end
end

-- What a tagged answer makes of the command: "OK", its text; nil, err, errno.
function M.outcome(d, kind, status, text)
  if not kind then return nil, status, text end
  if kind == "+" then return d:protest "the server waits for more than there is" end
  if status ~= "OK" then return refusal(status, text) end
  return status, text
end

-- --- what is said ---------------------------------------------------------------------------------

function M.has(self, capability)
  for _, name in ipairs(self.capabilities) do
    if name == capability then return true end
  end
  return false
end

-- What f() gives where the server offers that, which whoever has logged in since it told may have to ask for: both in
-- one operation.
function M.where_offered(self, capability, f)
  if not self.d then return failure("EBADF", "there is no connection") end
  return self.d:run(function()
    if not M.has(self, capability) and self.stale then self:capability() end
    if self.d.err then return nil, self.d.err, self.d.errno end
    if M.has(self, capability) then return f() end
    return failure("EOPNOTSUPP", "the server does not offer " .. capability)
  end)
end

-- How the size of a literal is announced: its mark, and whether the server has to say that it may come.
local function mark_of(self, literal)
  local size = #literal.literal
  if M.has(self, "LITERAL+") or size <= SHORT and M.has(self, "LITERAL-") then return ("{%d+}"):format(size), false end
  return ("{%d}"):format(size), true
end

-- A tag of its own: letters of the connection, and a number.
function M.new_tag(self)
  self.tag = self.tagpre .. self.tagnum
  self.tagnum = self.tagnum + 1
  return self.tag
end

-- Sends the parts of a command: strings, and tables { literal = bytes }. True, or the answer that came before its end:
-- false, kind, status, text.
local function send(self, d, parts, shown)
  local line = {}
  for _, part in ipairs(parts) do
    if type(part) == "string" then
      line[#line + 1] = part
    else
      local mark, wait = mark_of(self, part)
      d:put(table.concat(line) .. mark, shown)
      line = {}
      if wait then
        local kind, status, text = M.settle(self, d)
        if kind ~= "+" then return false, kind, status, text end
      end
      d:write(part.literal)
    end
  end
  d:put(table.concat(line), shown)
  return true
end

-- What may be said though the mailbox has become one that is not what was asked for.
local LEAVING = { SELECT = true, CLOSE = true, UNSELECT = true, LOGOUT = true }

local function check_state(self, name)
  local states = STATES[name]
  if states and not states[self.state] then
    return failure("EPROTO", ("%s is not allowed in the state %s"):format(name, self.state), { kind = "state" })
  end
  if self.idling then return failure("EBUSY", "IDLE is under way") end
  if self.untagged_responses["READ-ONLY"] and not self.is_readonly and not LEAVING[name] then
    return failure("EROFS", "the mailbox has become READ-ONLY", { kind = "permanent", code = "READ-ONLY" })
  end
  return true
end

-- Begins a command: forgets what the one before it was answered.
function M.prepare(self, d)
  for status in pairs(STATUS) do M.pop(self, status) end
  if self.kept > KEPT then self.untagged_responses, self.kept = {}, 0 end
  self.left = d.block_limit
end

-- Runs f(dialog) as one operation, where the command may be said at all.
function M.run(self, name, f)
  if not self.d then return failure("EBADF", "there is no connection") end
  return self.d:run(function()
    local ok, err, errno = check_state(self, name)
    if not ok then return nil, err, errno end
    M.prepare(self, self.d)
    return f(self.d)
  end)
end

-- One command in an operation: "OK", its text; nil, err, errno. `args`: strings and literals, sent with blanks between.
function M.say(self, d, name, args, shown)
  local parts = { M.new_tag(self) .. " " .. name }
  for _, arg in ipairs(args) do
    parts[#parts + 1] = " "
    if type(arg) == "table" and not arg.literal then
      table.move(arg, 1, #arg, #parts + 1, parts)
    else
      parts[#parts + 1] = arg
    end
  end
  local whole, kind, status, text = send(self, d, parts, shown)
  if whole then
    kind, status, text = M.settle(self, d)
  elseif status == "OK" then
    return d:protest "the server has done what it has not heard to the end"
  end
  return M.outcome(d, kind, status, text)
end

-- The same as an operation of its own: "OK", { text }. imaplib's `literal` becomes the last argument.
function M.command(self, name, args, shown)
  local literal = self.literal
  self.literal = nil
  if literal then args[#args + 1] = { literal = literal } end
  return M.run(self, name, function(d)
    local status, text, errno = M.say(self, d, name, args, shown)
    if not status then return nil, text, errno end
    return status, { text }
  end)
end

-- The same with what the server has said under a name: "OK", a list of it.
function M.ask(self, name, args, answer)
  local status, text, errno = M.command(self, name, args)
  if not status then return nil, text, errno end
  return status, M.pop(self, answer or name) or {}
end

-- --- arguments ------------------------------------------------------------------------------------

local TEXT = check.kind("string without CR, LF and NUL", function(value)
  return type(value) == "string" and value ~= "" and not value:find "[\r\n%z]"
end)

local LITERAL = check.kind("string without NUL", function(value)
  return type(value) == "string" and not value:find "%z"
end)

-- What goes out as it is: a string, a number, or { literal = bytes }.
function M.raw(value, number, call)
  if math.type(value) == "integer" then return tostring(value) end
  if type(value) == "table" then
    check.argument(LITERAL, value.literal, number, call)
    return { literal = value.literal }
  end
  return check.argument(TEXT, value, number, call)
end

-- Several of them; nil is passed over, as imaplib does.
function M.raws(list, number, call)
  local args = {}
  for i = 1, list.n or #list do
    if list[i] ~= nil then args[#args + 1] = M.raw(list[i], number + i - 1, call) end
  end
  return args
end

-- A word that may need quotes, or to be a literal: a name, a password.
function M.string_of(value, number, call)
  check.argument(LITERAL, value, number, call)
  if value:find "[\r\n\x80-\xFF]" then return { literal = value } end
  return '"' .. value:gsub('["\\]', "\\%0") .. '"'
end

-- In parentheses, unless it is.
function M.parenthesized(value, number, call)
  check.argument(TEXT, value, number, call)
  return value:find "^%(.*%)$" and value or "(" .. value .. ")"
end

M.TEXT, M.LITERAL = TEXT, LITERAL

return M
