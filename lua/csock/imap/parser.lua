--- What servers say, as values: a parser of IMAP's data (RFC 3501 section 9), and what FETCH, SEARCH, LIST and STATUS
-- mean. Pure functions: they take what the methods give, and wait for nothing.
-- @module csock.imap
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local csock = require "csock"
local dates = require "csock.wire.dates"
local utf7 = require "csock.imap.utf7"

local M = {}

local E = csock.errno

-- Lists in lists, values in all.
local DEPTH, VALUES = 100, 1000000

local LIMITS = { depth = { check.integer(1, 150), DEPTH }, values = { check.integer(1), VALUES } }

-- --- values ---------------------------------------------------------------------------------------

-- What is wrong is raised as a table of its own, and caught where the parser was called: no value is half read.
local function fault(words) error({ parser = words }, 0) end

local function guard(ok, ...)
  if ok then return ... end
  local why = ...
  if type(why) ~= "table" or not why.parser then error(why, 0) end
  return csock.make_error { call = "IMAP", kind = "protocol", errno = E.EBADMSG, strerror = why.parser }
end

local function protected(f, ...) return guard(pcall(f, ...)) end

-- A reader: `pieces` are text, literal, text, ... as they came; `i` the text's number, `at` the place in it.
local function reader(data, limits)
  local pieces = type(data) == "table" and data or { data }
  local self = { pieces = pieces, i = 1, at = 1, depth = limits.depth, left = limits.values }
  self.text = pieces[1] or ""
  for _, piece in ipairs(pieces) do
    if type(piece) ~= "string" then fault "pieces that are not strings" end
  end
  return self
end

local function take(self, pattern)
  local found = self.text:match("^" .. pattern, self.at)
  if found then self.at = self.at + #found end
  return found
end

-- Behind "{n}": n bytes, which are the next piece, or follow a line end.
local function literal(self, mark)
  local size = ascii.integer(mark:match "%d+", math.maxinteger)
  if not size then fault "a literal of too many bytes" end
  if self.at > #self.text and self.pieces[self.i + 1] then
    local bytes = self.pieces[self.i + 1]
    if #bytes ~= size then fault(("a literal of %d bytes has %d"):format(size, #bytes)) end
    self.i, self.at = self.i + 2, 1
    self.text = self.pieces[self.i] or ""
    return bytes
  end
  if not take(self, "\r\n") or size > #self.text - self.at + 1 then fault "a literal is cut off" end
  self.at = self.at + size
  return self.text:sub(self.at - size, self.at - 1)
end

local function quoted(self)
  local from = self.at
  while true do
    local at = self.text:find('["\\\r\n%z]', from)
    local byte = at and self.text:byte(at)
    if byte == 34 then -- "
      local content = self.text:sub(self.at, at - 1)
      self.at = at + 1
      return (content:gsub("\\(.)", "%1"))
    end
    if byte ~= 92 or at == #self.text then fault "a string is not closed" end
    from = at + 2
  end
end

-- What stands in brackets behind BODY: a part, or "HEADER.FIELDS (Subject To)".
local function section(self)
  local parts = {}
  while true do
    local plain = take(self, '[^%]"\r\n%z]*')
    parts[#parts + 1] = plain
    if take(self, "%]") then return "[" .. table.concat(parts) .. "]" end
    if not take(self, '"') then fault "a section is not closed" end
    parts[#parts + 1] = '"' .. quoted(self):gsub('["\\]', "\\%0") .. '"'
  end
end

local SECTIONED = { BODY = true, ["BODY.PEEK"] = true, BINARY = true, ["BINARY.SIZE"] = true }

-- Servers have been seen to use "]" and "[" in flags, and so they are letters.
local function atom(self)
  local word = take(self, '[^%c%s(){"%[]+') or ""
  if SECTIONED[word:upper()] and take(self, "%[") then
    return word .. section(self) .. (take(self, "<%d+>") or "")
  end
  word = word .. (take(self, '[^%c%s(){"]*') or "")
  if word == "" then fault(("nothing that could be read: %q"):format(self.text:sub(self.at, self.at + 20))) end
  if word:upper() == "NIL" then return false end
  return ascii.integer(word, math.maxinteger) or word
end

local value

-- Up to a parenthesis (`closed`), or to the end of all.
local function list(self, closed)
  local values = {}
  while true do
    take(self, " +")
    if closed and take(self, "%)") then return values end
    if self.at > #self.text then
      if closed then fault "a list is not closed" end
      return values
    end
    values[#values + 1] = value(self)
  end
end

function value(self)
  self.left = self.left - 1
  if self.left < 0 then fault "too many values" end
  if take(self, "%(") then
    self.depth = self.depth - 1
    if self.depth < 0 then fault "too many lists in lists" end
    local values = list(self, true)
    self.depth = self.depth + 1
    return values
  end
  if take(self, '"') then return quoted(self) end
  local mark = take(self, "~?{%d+%+?}")
  if mark then return literal(self, mark) end
  return atom(self)
end

local function whole(data, limits)
  local self = reader(data, limits)
  local values = list(self)
  if self.i < #self.pieces then fault "something is left over" end
  return values
end

--- Reads data of IMAP: strings (atoms, quoted strings, literals), integers, lists (tables); `NIL` is `false`. An atom
-- with brackets is one, as `BODY[HEADER.FIELDS (Subject)]<0>`.
-- @function parse
-- @tparam string|{string,...} data a text, in which literals are as they are sent (`{5}`, CR LF, the bytes); or text,
-- literal, text ..., where each text but the last ends with `{5}`
-- @tparam[opt] table options
-- @tparam[opt=100] int options.depth lists in lists
-- @tparam[opt=1000000] int options.values values in all
-- @treturn[1] table a sequence
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`: it is none, or more than the limits)
-- @usage
-- local values = imap.parse '7 (UID 9 FLAGS (\\Seen) X NIL)'
-- print(values[1], values[2][2], values[2][4][1], values[2][6]) --> 7 9 \Seen false
function M.parse(data, options)
  if type(data) ~= "table" then check.argument(check.STRING, data, 1, "parse") end
  return protected(whole, data, check.options(options, LIMITS, 2, "parse"))
end

-- --- what it means --------------------------------------------------------------------------------

local function text_of(v)
  if type(v) == "table" then fault "a list in the place of a string" end
  if v == false or v == nil then return nil end
  return tostring(v)
end

local function integer_of(v)
  if v and math.type(v) ~= "integer" then fault "no number where one is due" end
  return v or nil
end

local function list_of(v)
  if v and type(v) ~= "table" then fault "no list where one is due" end
  return v or {}
end

-- Addresses; those between the marks of a group have its name.
local function addresses(v)
  local found, group = {}, nil
  for _, one in ipairs(list_of(v)) do
    one = list_of(one)
    local name, mailbox, host = text_of(one[1]), text_of(one[3]), text_of(one[4])
    if host then
      found[#found + 1] = {
        name = name, mailbox = mailbox, host = host, address = (mailbox or "") .. "@" .. host, group = group,
      }
    else
      group = mailbox -- nil ends it
    end
  end
  return found
end

local function envelope(v)
  v = list_of(v)
  if #v < 10 then fault "an ENVELOPE without its ten fields" end
  return {
    date = text_of(v[1]), subject = text_of(v[2]), from = addresses(v[3]), sender = addresses(v[4]),
    reply_to = addresses(v[5]), to = addresses(v[6]), cc = addresses(v[7]), bcc = addresses(v[8]),
    in_reply_to = text_of(v[9]), message_id = text_of(v[10]),
  }
end

-- "name", "value", ... as a table with names in lower case.
local function parameters(v)
  v = list_of(v)
  local found = {}
  for i = 1, #v, 2 do found[ascii.lower(text_of(v[i]) or "")] = text_of(v[i + 1]) end
  return found
end

local function disposition(v)
  v = list_of(v)
  if #v == 0 then return nil end
  return { type = ascii.lower(text_of(v[1]) or ""), params = parameters(v[2]) }
end

local function strings(v)
  local found = {}
  for i, one in ipairs(list_of(v)) do found[i] = text_of(one) or "NIL" end
  return found
end

local function languages(v)
  if not v then return nil end
  return type(v) == "table" and strings(v) or { text_of(v) }
end

-- What all kinds of parts may have behind what they must.
local function extension(part, v, at)
  part.disposition, part.language, part.location = disposition(v[at]), languages(v[at + 1]), text_of(v[at + 2])
  return part
end

local structure

local function multipart(v, number)
  local parts, i = {}, 1
  while type(v[i]) == "table" do
    parts[i] = structure(v[i], (number ~= "" and number .. "." or "") .. i)
    i = i + 1
  end
  return extension({
    type = "multipart", subtype = ascii.lower(text_of(v[i]) or ""), parts = parts, part = number,
    params = parameters(v[i + 1]),
  }, v, i + 2)
end

-- `number`: of the part, as in BODY[1.2]; "" is the message.
function structure(v, number)
  v = list_of(v)
  if type(v[1]) == "table" then return multipart(v, number) end
  if #v < 7 then fault "a BODYSTRUCTURE without its fields" end
  local part = {
    type = ascii.lower(text_of(v[1]) or ""), subtype = ascii.lower(text_of(v[2]) or ""), params = parameters(v[3]),
    id = text_of(v[4]), description = text_of(v[5]), encoding = ascii.lower(text_of(v[6]) or "7bit"),
    size = integer_of(v[7]), part = number == "" and "1" or number,
  }
  local at = 8
  if part.type == "text" then
    part.lines, at = integer_of(v[8]), 9
  elseif part.type == "message" and type(v[8]) == "table" then
    part.envelope, part.lines, at = envelope(v[8]), integer_of(v[10]), 11
    local inner = list_of(v[9])
    -- A multipart message in a message has its parts numbered below the part's own number.
    part.body = structure(inner, type(inner[1]) == "table" and part.part or part.part .. ".1")
  end
  part.md5 = text_of(v[at])
  return extension(part, v, at + 1)
end

local function instant(v)
  local day, rest = (text_of(v) or ""):match "^ ?(%d%d?)%-(.*)$"
  local month, year, time = (rest or ""):match "^(%a%a%a)%-(%d%d%d%d) (%d%d:%d%d:%d%d [+-]%d%d%d%d)$"
  if not month then fault "an INTERNALDATE that is none" end
  return (dates.parse_mail(("%s %s %s %s"):format(day, month, year, time)))
end

local READERS = { ENVELOPE = envelope, FLAGS = strings, ["RFC822.SIZE"] = integer_of, UID = integer_of }

-- One answer to FETCH: number (ITEM value ...).
local function message(values)
  local found, items = { number = integer_of(values[1]) }, values[#values]
  if #values < 2 or type(items) ~= "table" or #items % 2 == 1 then fault "an answer to FETCH that is none" end
  for i = 1, #items, 2 do
    local name, v = text_of(items[i]), items[i + 1]
    if not name then fault "an item without a name" end
    -- (The names of header fields stay as they were asked for.)
    name = name:gsub("^[%w.]+", string.upper)
    if READERS[name] then
      v = READERS[name](v)
    elseif name == "BODYSTRUCTURE" or name == "BODY" then
      v = structure(v, "")
    elseif name == "INTERNALDATE" then
      found.date = instant(v)
    end
    found[name] = v
  end
  return found
end

-- imaplib's list of data: what belongs together, as pieces. A table { text, literal } goes on in what follows it.
local function grouped(data)
  local groups, pieces = {}, nil
  for _, entry in ipairs(list_of(data)) do
    pieces = pieces or {}
    if type(entry) == "table" then
      pieces[#pieces + 1], pieces[#pieces + 2] = entry[1], entry[2]
    else
      pieces[#pieces + 1] = entry
      groups[#groups + 1], pieces = pieces, nil
    end
  end
  if pieces then fault "the data ends with a literal" end
  return groups
end

local function each(data, make, limits)
  local found = {}
  for i, pieces in ipairs(grouped(data)) do found[i] = make(whole(pieces, limits)) end
  return found
end

local function reader_of(call, read)
  return function(data, options)
    check.argument(check.TABLE, data, 1, call)
    return protected(read, data, check.options(options, LIMITS, 2, call))
  end
end

--- What `fetch`, `store` and `uid` have given, as values: a table for each answer.
-- `number` is the message's; each item stands under its name: `FLAGS` is a sequence; `UID`, `RFC822.SIZE` integers;
-- `["BODY[]"]`, `["BODY[HEADER.FIELDS (Subject)]"]` ... strings, or `false`; `INTERNALDATE` a string, and `date` the
-- same as seconds since 1970.
--
-- `ENVELOPE`: `date`, `subject`, `in_reply_to`, `message_id`: strings, as in the header; `from`, `sender`, `reply_to`,
-- `to`, `cc`, `bcc`: sequences of `{name=, mailbox=, host=, address=, group=}`.
--
-- `BODYSTRUCTURE` (and `BODY`): `type`, `subtype`, `params`, `part` (its number: `"1.2"` is fetched as `BODY[1.2]`),
-- `disposition` (`type`, `params`), `language`, `location`; of a multipart `parts`, of others `id`, `description`,
-- `encoding`, `size`, `lines`, `md5`; of a message in the message `envelope` and `body`. Types and the names of
-- parameters are in lower case.
-- @function parse_fetch
-- @tparam table data
-- @tparam[opt] table options the limits of `parse`
-- @treturn[1] {table,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`)
-- @usage
-- local list = imap.parse_fetch { { "1 (UID 7 BODY[TEXT] {5}", "hello" }, ")", '2 (FLAGS (\\Seen))' }
-- print(list[1].UID, list[1]["BODY[TEXT]"], list[2].FLAGS[1]) --> 7 hello \Seen
M.parse_fetch = reader_of("parse_fetch", function(data, limits) return each(data, message, limits) end)

--- The numbers that `search` and `sort` have given.
-- @function parse_search
-- @tparam table data
-- @tparam[opt] table options the limits of `parse`
-- @treturn[1] {int,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`)
-- @usage print(table.concat(imap.parse_search { "2 84 882" }, "+")) --> 2+84+882
M.parse_search = reader_of("parse_search", function(data, limits)
  local numbers = {}
  for _, pieces in ipairs(grouped(data)) do
    for _, number in ipairs(whole(pieces, limits)) do
      if type(number) ~= "table" then numbers[#numbers + 1] = integer_of(number) end -- (MODSEQ 7) may stand behind
    end
  end
  return numbers
end)

-- A mailbox's name as people read it; one that is no UTF-7 stays as it is.
local function named(v)
  local name = text_of(v) or "NIL"
  return utf7.decode_mailbox(name) or name, name
end

--- What `list` and `lsub` have given: tables with `name` (UTF-8), `raw` (as the server has it), `delimiter` (nil: there
-- are no levels), `flags`.
-- @function parse_list
-- @tparam table data
-- @tparam[opt] table options the limits of `parse`
-- @treturn[1] {table,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`)
-- @usage
-- local box = imap.parse_list({ '(\\HasNoChildren) "/" "Entw&APw-rfe"' })[1]
-- print(box.name, box.delimiter, box.flags[1]) --> Entwürfe / \HasNoChildren
M.parse_list = reader_of("parse_list", function(data, limits)
  return each(data, function(values)
    if #values < 3 then fault "an answer to LIST that is none" end
    local name, raw = named(values[3])
    return { flags = strings(values[1]), delimiter = text_of(values[2]), name = name, raw = raw }
  end, limits)
end)

--- What `status` has given: tables with `name`, `raw`, and the numbers by their names.
-- @function parse_status
-- @tparam table data
-- @tparam[opt] table options the limits of `parse`
-- @treturn[1] {table,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`)
-- @usage print(imap.parse_status({ "INBOX (MESSAGES 3 UNSEEN 1)" })[1].UNSEEN) --> 1
M.parse_status = reader_of("parse_status", function(data, limits)
  return each(data, function(values)
    local items = list_of(values[2])
    local found = {}
    found.name, found.raw = named(values[1])
    for i = 1, #items - 1, 2 do found[(text_of(items[i]) or ""):upper()] = items[i + 1] end
    return found
  end, limits)
end)

return M
