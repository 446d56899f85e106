-- utils.lua: addresses, dates and identifiers of mail: Python's email.utils. csock.email has the same functions.
local address = require "csock.email.address"
local check = require "csock.check"
local csock = require "csock"
local dates = require "csock.wire.dates"
local headers = require "csock.wire.headers"
local params = require "csock.email.params"

local M = {}

local function text_of(value, number, call)
  if type(value) ~= "string" then check.expected(call, number, "string", value) end
  return value
end

-- --- addresses ------------------------------------------------------------------------------------

--- The name and the address in a text.
-- @function parseaddr
-- @tparam string text
-- @treturn string the name, or `""`; a comment, where there is no other
-- @treturn string the address; `""` when there is none
-- @usage print(email.parseaddr '"Doe, Ann" <ann@example.org>') --> Doe, Ann ann@example.org
function M.parseaddr(text)
  local first = address.parse(text_of(text, 1, "parseaddr"))[1]
  if not first then return "", "" end
  return first[1], first[2]
end

--- The names and addresses in the values of fields: also those in groups.
-- @function getaddresses
-- @tparam {string,...} values as `get_all` gives them
-- @treturn {table,...} pairs of a name and an address
-- @usage
-- for _, pair in ipairs(email.getaddresses {"Ann <ann@example.org>", "list: bob@example.org;"}) do print(pair[2]) end
-- --> ann@example.org bob@example.org
function M.getaddresses(values)
  if type(values) ~= "table" then check.expected("getaddresses", 1, "table", values) end
  return address.parse(table.concat(values, ", "))
end

--- Puts a name and an address together.
-- @function formataddr
-- @tparam string|table name UTF-8, `""` for none; or a pair of both
-- @tparam[opt] string addr
-- @tparam[opt="utf-8"] string charset of an encoded name
-- @treturn string
-- @usage print(email.formataddr("Doe, Ann", "ann@example.org")) --> "Doe, Ann" <ann@example.org>
function M.formataddr(name, addr, charset)
  if type(name) == "table" then
    name, addr, charset = name[1], name[2], addr
  end
  name, addr = text_of(name, 1, "formataddr"), text_of(addr, 2, "formataddr")
  if not headers.is_value(addr) then check.bad("formataddr", 2, "an address without CR, LF and NUL expected") end
  if name == "" then return addr end
  return ("%s <%s>"):format(address.format_name(name, charset), addr)
end

--- Puts backslashes before what has a meaning in a quoted string.
-- @function quote
-- @tparam string text
-- @treturn string without the quotes
-- @usage print(email.quote 'a "b"') --> a \"b\"
function M.quote(text) return (text_of(text, 1, "quote"):gsub('[\\"]', "\\%0")) end

--- What is in a quoted string; another text is itself.
-- @function unquote
-- @tparam string text
-- @treturn string
-- @usage print(email.unquote '"a \\"b\\""') --> a "b"
function M.unquote(text) return params.unquote(text_of(text, 1, "unquote")) end

-- --- identifiers ----------------------------------------------------------------------------------

--- Makes a Message-ID that nobody else makes.
-- @function make_msgid
-- @tparam[opt] string idstring a part of it
-- @tparam[opt] string domain default: this host's name
-- @treturn string in angle brackets
-- @usage print(email.make_msgid(nil, "example.org"):match "@.*") --> @example.org>
function M.make_msgid(idstring, domain)
  for number, text in pairs { idstring, domain } do
    if text_of(text, number, "make_msgid"):find "[^!-;=?-~]" then
      check.bad("make_msgid", number, "characters of an identifier expected")
    end
  end
  local random = ("<I8"):unpack(assert(csock.random(8)))
  return ("<%d.%d.%s%s@%s>"):format(os.time(), csock.getpid(), ("%u"):format(random & math.maxinteger),
    idstring and "." .. idstring or "", domain or csock.getfqdn())
end

-- --- dates ----------------------------------------------------------------------------------------

--- A time as mail writes it.
-- @function formatdate
-- @tparam[opt] number timeval seconds since 1970; now by default
-- @tparam[opt] bool localtime true: in the local zone; else as `-0000`, which says nothing of where it is written
-- @tparam[opt] bool usegmt true: with `GMT` in place of the zone, as HTTP has it
-- @treturn string
-- @usage print(email.formatdate(784111777)) --> Sun, 06 Nov 1994 08:49:37 -0000
function M.formatdate(timeval, localtime, usegmt)
  if timeval ~= nil and not math.type(timeval) then check.expected("formatdate", 1, "number", timeval) end
  local time = timeval and timeval // 1 | 0 or os.time()
  if localtime then return dates.mail(time, "local") end
  local text = dates.http(time)
  return usegmt and text or (text:gsub("GMT$", "-0000"))
end

--- What a date says.
-- @function parsedate_tz
-- @tparam string text
-- @treturn ?table year, month, day, hour, minute, second, 0, 1, -1, as Python has them, and tenth the seconds east of
-- Greenwich (0 also where it does not say); nil for what is no date
-- @usage print(email.parsedate_tz("Sun, 06 Nov 1994 09:49:37 +0100")[10]) --> 3600
function M.parsedate_tz(text)
  local read = dates.read_mail(text_of(text, 1, "parsedate_tz"))
  if not read then return nil end
  return { read.year, read.month, read.day, read.hour, read.min, read.sec, 0, 1, -1, (read.zone or 0) * 60 }
end

--- The time that `parsedate_tz` has read.
-- @function mktime_tz
-- @tparam table date
-- @treturn int seconds since 1970
-- @usage print(email.mktime_tz(email.parsedate_tz "Sun, 06 Nov 1994 09:49:37 +0100")) --> 784111777
function M.mktime_tz(date)
  if type(date) ~= "table" then check.expected("mktime_tz", 1, "table", date) end
  return dates.seconds(date[1], date[2], date[3], date[4], date[5], date[6]) - (date[10] or 0)
end

--- The time that a date is: Lua's times are numbers.
-- @function parsedate_to_datetime
-- @tparam string text
-- @treturn ?int seconds since 1970; nil for what is no date
-- @treturn ?int minutes east of Greenwich where it was written; nil: it does not say
-- @usage print(email.parsedate_to_datetime "Sun, 06 Nov 1994 09:49:37 +0100") --> 784111777 60
function M.parsedate_to_datetime(text)
  local read = dates.read_mail(text_of(text, 1, "parsedate_to_datetime"))
  if not read then return nil end
  return (dates.parse_mail(text)), read.zone
end

return M
