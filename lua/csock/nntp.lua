--- The client of NNTP (RFC 3977, 4642, 4643): Python's nntplib.
--
--     local nntp = require "csock.nntp"
--
--     local news <close> = assert(nntp.NNTP("news.example.org", nil, { timeout = 30 }))
--     local _, count, first, last = assert(news:group "comp.lang.lua")
--     local _, overview = assert(news:over { last - 9, last })
--     for _, row in ipairs(overview) do print(row[1], nntp.decode_header(row[2].subject)) end
--     news:quit()
--
-- **Results** are Python's: first the reply, as `"211 3 1 3 comp.lang.lua"`, then what it says. A refusal
-- is an error with `code`, `text` and `kind`: "temporary" (4xx), "permanent" (5xx).
--
-- Where Python takes a `file`, a function can be given, `sink(line)`, which is called with each line instead of their
-- being kept; what would be made of them then is how many there were.
--
-- What goes wrong in the middle of a reply (a time-out, a line that is too long, the end of the connection) ends the
-- conversation: each call after it gives the same error, so that no reply is taken for another one's.
-- @module csock.nntp
local articles = require "csock.nntp.articles"
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"
local dialog = require "csock.wire.dialog"
local overview = require "csock.nntp.overview"
local talk = require "csock.nntp.talk"
local words = require "csock.wire.words"

local ask, failure, long, run, short = talk.ask, talk.failure, talk.long, talk.run, talk.short
local instant, whole, word = talk.instant, talk.whole, talk.word

local M = {}

--- The ports: 119, and 563 for TLS from the first byte on.
-- @field NNTP_PORT
M.NNTP_PORT = 119

--- See `NNTP_PORT`.
-- @field NNTP_SSL_PORT
M.NNTP_SSL_PORT = 563

--- A header's value as it is to be read: its encoded words decoded (RFC 2047).
-- @function decode_header
-- @tparam string value
-- @treturn string UTF-8
-- @usage print(nntp.decode_header "=?utf-8?q?caf=C3=A9?=") --> café
function M.decode_header(value) return words.decode(check.argument(check.STRING, value, 1, "decode_header")) end

local OPTIONS = dialog.rows {
  user = { check.STRING }, password = { check.STRING },
  readermode = { check.kind("boolean", function(value) return type(value) == "boolean" end), false, false },
}

-- --- the connection -------------------------------------------------------------------------------

--- A connection to a server.
-- Source: Python's `nntplib.NNTP`.
-- @type nntp
local NNTP = class("NNTP")
M.NNTP = NNTP

NNTP.__tls, NNTP.__port = false, M.NNTP_PORT

-- What the server can do: kept until that changes. What else was known of it is forgotten then: somebody else may have
-- said it (RFC 4642, section 2.2.2).
local function learn(self)
  self.caps, self.nntp_version, self.nntp_implementation, self.overview = {}, 1, nil, nil
  local reply, lines, errno = long(self, "CAPABILITIES", nil, 101)
  if not reply then
    if lines.code then return true end -- it knows none
    return nil, lines, errno
  end
  self.caps = dialog.capabilities(lines)
  for _, version in ipairs(self.caps.VERSION or {}) do
    self.nntp_version = math.max(self.nntp_version, ascii.integer(version, 1 << 31) or 1)
  end
  if self.caps.IMPLEMENTATION then self.nntp_implementation = table.concat(self.caps.IMPLEMENTATION, " ") end
  return true
end

-- Many servers take the orders of readers only after this one; some only when one has logged in. One that offers
-- them is not told.
local function be_reader(self)
  if self.caps.READER then return true end
  local reply, err, errno = short(self, "MODE READER", 2)
  if reply then
    self.welcome, self.wants_reader = reply, false
    return learn(self)
  end
  self.wants_reader = err.code == 480
  if err.code and (err.code == 480 or err.code >= 500) then return true end
  return nil, err, errno
end

-- All that is done before anybody has the connection: nil, err, errno.
local function enter(self, d, options)
  local code, text, errno = d:ok(200, 201)
  if not code then return nil, text, errno end
  self.d, self.welcome = d, whole(code, text)
  local ok, err
  ok, err, errno = learn(self)
  if ok and options.readermode then ok, err, errno = be_reader(self) end
  if ok and options.user then ok, err, errno = self:login(options.user, options.password or "") end
  return ok, err, errno
end

--- Made by calling the class: connects, reads the greeting and what the server can do.
-- @function csock.nntp.NNTP
-- @tparam string host
-- @tparam[opt=119] int port
-- @tparam[opt] table options
-- @tparam[opt] string options.user log in as this one
-- @tparam[opt] string options.password with this password
-- @tparam[opt=false] boolean options.readermode send `MODE READER`, which some servers need
-- @tparam[opt] number options.timeout seconds that connecting, and each call, may take (default: the default timeout)
-- @param[opt] options.source_address an address of this side
-- @tparam[opt] context options.context for TLS (default: see `csock.ssl`)
-- @tparam[opt] string options.server_hostname whose certificate must be shown (default: the host's; false: anybody's)
-- @tparam[opt] socket options.socket a connected socket, in the place of host and port
-- @tparam[opt=8192] int options.limit bytes of a line
-- @tparam[opt=67108864] int options.block_limit bytes of an article, or a list
-- @tparam[opt=0] int options.debuglevel 1: what passes is told on standard error
-- @treturn[1] nntp
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119, {timeout = 10}))
-- print(news:getwelcome()) --> 200 ready
function NNTP:__init(host, port, options)
  options = check.options(options, OPTIONS, 3, "NNTP")
  local settings = dialog.settings({ what = "NNTP", tls = self.__tls or nil, goodbye = 400 }, options)
  self.host, self.port = host, port or self.__port
  local d, err, errno = dialog.connect(host, self.port, settings, function(d) return enter(self, d, options) end)
  if not d then return nil, err, errno end
end

--- The same over TLS from the first byte on, port 563.
-- @function csock.nntp.NNTP_SSL
-- @tparam string host
-- @tparam[opt=563] int port
-- @tparam[opt] table options those of `NNTP`
-- @treturn[1] nntp
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news, err = nntp.NNTP_SSL("localhost", 1)
-- print(news, err.name) --> nil ECONNREFUSED
local NNTP_SSL = class("NNTP_SSL", NNTP)
M.NNTP_SSL = NNTP_SSL

NNTP_SSL.__tls, NNTP_SSL.__port = true, M.NNTP_SSL_PORT

--- What the server has greeted with: 200 where one may post, 201 where not.
-- @treturn string
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:getwelcome()) --> 200 ready
function NNTP:getwelcome() return self.welcome end

--- What the server can do, as it said last: name -> its arguments, a sequence; empty where it does not say. (The fields
-- `nntp_version` and `nntp_implementation` are made of it.)
-- @treturn table
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:getcapabilities().VERSION[1]) --> 2
function NNTP:getcapabilities() return self.caps end

--- With a level above 0 what passes is told on standard error (but no passwords).
-- @tparam int level
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- news:set_debuglevel(0)
function NNTP:set_debuglevel(level)
  if self.d then self.d.debuglevel = check.argument(check.integer(0), level, 1, "set_debuglevel") end
end

--- Logs in, in the clear unless the connection is over TLS.
-- @tparam string user
-- @tparam string password
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:login("jane", "secret")) --> 281 in
function NNTP:login(user, password)
  check.argument(talk.LINE, user, 1, "login")
  check.argument(check.STRING, password, 2, "login")
  if self.authenticated then return failure("EISCONN", "logged in already") end
  return run(self, function(d)
    local reply, code, text = ask(d, "AUTHINFO USER " .. user, nil, 281, 381)
    if reply and code == 381 then reply, code, text = ask(d, "AUTHINFO PASS " .. password, "AUTHINFO PASS ...", 281) end
    if not reply then return nil, code, text end
    self.authenticated = true
    local ok, err, errno = learn(self)
    if ok and self.wants_reader then ok, err, errno = be_reader(self) end
    if not ok then return nil, err, errno end
    return reply
  end)
end

--- Goes over to TLS (RFC 4642). A server that does not offer it is not asked: nothing goes on in the clear by mistake.
-- What was known of the server is asked anew.
-- @tparam[opt] context context (default: that of the connection)
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EOPNOTSUPP`: it does not offer it; `EISCONN`: over TLS, or logged in, already)
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:starttls()).name) --> EOPNOTSUPP
function NNTP:starttls(context)
  if self.d and self.d.secure then return failure("EISCONN", "the connection is over TLS already") end
  if self.authenticated then return failure("EISCONN", "logged in already: TLS comes before") end
  if not self.caps.STARTTLS then return failure("EOPNOTSUPP", "the server does not offer STARTTLS") end
  return run(self, function(d)
    local reply, code, text = ask(d, "STARTTLS", nil, 382)
    if not reply then return nil, code, text end
    local ok, err, errno = d:starttls(context)
    if ok then ok, err, errno = learn(self) end
    if not ok then return nil, err, errno end
    return reply
  end)
end

-- --- groups ---------------------------------------------------------------------------------------

--- Asks what the server can do, anew.
-- @treturn[1] string the reply
-- @treturn[1] table name -> its arguments
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:capabilities()).VERSION[1]) --> 2
function NNTP:capabilities()
  local reply, lines, errno = long(self, "CAPABILITIES", nil, 101)
  if not reply then return nil, lines, errno end
  return reply, dialog.capabilities(lines)
end

local function groups_of(reply, lines, errno)
  if not reply then return nil, lines, errno end
  if type(lines) == "number" then return reply, lines end
  local groups = {}
  for _, line in ipairs(lines) do groups[#groups + 1] = overview.group(line) end
  return reply, groups
end

--- The groups that are new since then.
-- @tparam int time seconds since 1970
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {table,...} as of `list`
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(#select(2, news:newgroups(0))) --> 1
function NNTP:newgroups(time, sink)
  return groups_of(long(self, "NEWGROUPS " .. instant(time, 1, "newgroups"), sink, 231))
end

--- The message-ids of articles that are new since then in a group, or `"*"`.
-- @tparam string group
-- @tparam int time seconds since 1970
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:newnews("*", 0))[1]) --> <1@localhost>
function NNTP:newnews(group, time, sink)
  return long(self, ("NEWNEWS %s %s"):format(word(group, 1, "newnews"), instant(time, 2, "newnews")), sink, 230)
end

--- The groups that there are, or those that a pattern (`"comp.*"`) fits.
-- @tparam[opt] string pattern
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {table,...} `group`, `last`, `first` (numbers), `flag` ("y": one may post, "n", "m": moderated)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:list())[1].group) --> comp.lang.lua
function NNTP:list(pattern, sink)
  return groups_of(long(self, pattern and "LIST ACTIVE " .. word(pattern, 1, "list") or "LIST", sink, 215))
end

--- What groups are for.
-- @tparam string pattern
-- @treturn[1] string the reply
-- @treturn[1] table name -> text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:descriptions "comp.*")["comp.lang.lua"]) --> The language.
function NNTP:descriptions(pattern)
  local reply, lines, errno = long(self, "LIST NEWSGROUPS " .. word(pattern, 1, "descriptions"), nil, 215)
  if not reply then return nil, lines, errno end
  local found = {}
  for _, line in ipairs(lines) do
    local name, text = line:match "^([^ \t]+)[ \t]+(.-)[ \t]*$"
    if name then found[name] = text end
  end
  return reply, found
end

--- What a group is for.
-- @tparam string group
-- @treturn[1] string "" where nobody has said it
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:description "comp.lang.lua") --> The language.
function NNTP:description(group)
  local reply, found, errno = self:descriptions(group)
  if not reply then return nil, found, errno end
  return found[group] or select(2, next(found)) or ""
end

--- Goes to a group: its first article is the current one.
-- @tparam string name
-- @treturn[1] string the reply
-- @treturn[1] int how many articles there are, about
-- @treturn[1] int the first number
-- @treturn[1] int the last one
-- @treturn[1] string the name
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:group "comp.lang.lua") --> 211 1 1 1 comp.lang.lua 1 1 1 comp.lang.lua
function NNTP:group(name)
  return run(self, function(d)
    local reply, code, text = ask(d, "GROUP " .. word(name, 1, "group"), nil, 211)
    if not reply then return nil, code, text end
    local count, first, last, found = text:match "^(%d+) +(%d+) +(%d+) *([^ ]*)"
    count, first, last = overview.number(count), overview.number(first), overview.number(last)
    if not last then return d:protest(("no reply to GROUP: %q"):format(text:sub(1, 80))) end
    return reply, count, first, last, found ~= "" and found or name
  end)
end

--- The server's help.
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:help())[1]) --> help yourself
function NNTP:help(sink) return long(self, "HELP", sink, 100) end

for name, method in pairs(articles) do NNTP[name] = method end

--- Ends the session, and closes the connection.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news = assert(nntp.NNTP("localhost", 119))
-- print((news:quit())) --> 205 bye
function NNTP:quit()
  local reply, err, errno = short(self, "QUIT", 2)
  self:close()
  if not reply then return nil, err, errno end
  return reply
end

--- Closes the connection. Closing again is harmless.
-- @treturn boolean true
-- @usage
-- local news = assert(nntp.NNTP("localhost", 119))
-- news:close()
function NNTP:close()
  if self.d then self.d:close() end
  self.d = nil
  return true
end

NNTP.__close = NNTP.close

return M
