--- What is done with articles.
-- @module csock.nntp
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local dates = require "csock.wire.dates"
local dots = require "csock.wire.dots"
local overview = require "csock.nntp.overview"
local talk = require "csock.nntp.talk"

local ask, failure, long, run, short = talk.ask, talk.failure, talk.long, talk.run, talk.short
local range_of, spec_of, whole, word = talk.range_of, talk.spec_of, talk.whole, talk.word

-- The methods: csock.nntp gives them to its class.
local NNTP = {}

-- --- articles -------------------------------------------------------------------------------------

-- What stands in a reply about an article: its number and message-id; nil, err, errno.
local function located(d, reply, text)
  local number, id = text:match "^(%d+) +(<[^ ]+>)"
  number = overview.number(number)
  if not number then return d:protest(("no article in the reply: %q"):format(reply:sub(1, 80))) end
  return number, id
end

local function status(self, line)
  return run(self, function(d)
    local reply, code, text = ask(d, line, nil, 223)
    if not reply then return nil, code, text end
    local number, id, errno = located(d, reply, text)
    if not number then return nil, id, errno end
    return reply, number, id
  end)
end

--- Whether an article is there; by its number it becomes the current one.
-- @tparam[opt] int|string spec its number, or message-id (default: the current one)
-- @treturn[1] string the reply
-- @treturn[1] int its number; 0 where it was asked for by its message-id
-- @treturn[1] string its message-id
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- news:group "comp.lang.lua"
-- print(news:stat(1)) --> 223 1 <1@localhost> 1 <1@localhost>
function NNTP:stat(spec) return status(self, "STAT" .. spec_of(spec, "stat")) end

--- Goes to the next article.
-- @treturn[1] string the reply
-- @treturn[1] int its number; 0 where it was asked for by its message-id
-- @treturn[1] string its message-id
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:next())) --> 1 <1@localhost>
function NNTP:next() return status(self, "NEXT") end

--- Goes to the article before.
-- @treturn[1] string the reply
-- @treturn[1] int its number; 0 where it was asked for by its message-id
-- @treturn[1] string its message-id
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:last())) --> 1 <1@localhost>
function NNTP:last() return status(self, "LAST") end

local function fetch(self, verb, code, spec, sink)
  return run(self, function(d)
    local reply, number, text = ask(d, verb .. spec_of(spec, verb:lower()), nil, code)
    if not reply then return nil, number, text end
    local id, errno
    number, id, errno = located(d, reply, text)
    if not number then return nil, id, errno end
    local lines, err
    lines, err, errno = d:block(sink)
    if not lines then return nil, err, errno end
    return reply, { number = number, message_id = id, lines = lines }
  end)
end

--- An article.
-- @tparam[opt] int|string spec its number, or message-id (default: the current one)
-- @tparam[opt] function sink is called with each line
-- @treturn[1] string the reply
-- @treturn[1] table `number`, `message_id`, `lines` (or how many)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:article(1)).lines[1]) --> Subject: hi
function NNTP:article(spec, sink) return fetch(self, "ARTICLE", 220, spec, sink) end

--- An article's header.
-- @tparam[opt] int|string spec its number, or message-id (default: the current one)
-- @tparam[opt] function sink is called with each line
-- @treturn[1] string the reply
-- @treturn[1] table `number`, `message_id`, `lines` (or how many)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:head(1)).lines[1]) --> Subject: hi
function NNTP:head(spec, sink) return fetch(self, "HEAD", 221, spec, sink) end

--- An article's body.
-- @tparam[opt] int|string spec its number, or message-id (default: the current one)
-- @tparam[opt] function sink is called with each line
-- @treturn[1] string the reply
-- @treturn[1] table `number`, `message_id`, `lines` (or how many)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(select(2, news:body(1)).lines[1]) --> hello
function NNTP:body(spec, sink) return fetch(self, "BODY", 222, spec, sink) end

--- Says that this is a server itself (which no server cares about).
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:slave()) --> 202 ok
function NNTP:slave() return short(self, "SLAVE", 202) end

-- By HDR where a server knows that alone.
local function ask_header(self, header, range, sink)
  return run(self, function()
    local reply, lines, errno = long(self, ("XHDR %s %s"):format(header, range), sink, 221)
    if reply or lines.code ~= 500 or not self.caps.HDR then return reply, lines, errno end
    return long(self, ("HDR %s %s"):format(header, range), sink, 225)
  end)
end

--- One header of several articles. An article that has none of that name is left out, or has the value "" or "(none)":
-- that differs from server to server.
-- @tparam string header its name
-- @tparam int|string|table spec a number, a message-id, or `{first, last}` (without the last one: to the end)
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {table,...} `{number, value}`; `{message-id, value}` where a message-id was asked for
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(table.unpack(select(2, news:xhdr("subject", {1, 1}))[1])) --> 1 hi
function NNTP:xhdr(header, spec, sink)
  local range = range_of(spec, 2, "xhdr")
  local reply, lines, errno = ask_header(self, word(header, 1, "xhdr"), range, sink)
  if not reply then return nil, lines, errno end
  if type(lines) == "number" then return reply, lines end
  local rows = {}
  for i, one in ipairs(lines) do
    local first, value = one:match "^([^ ]+) ?(.*)$"
    -- (For a message-id some servers give that, others 0.)
    rows[i] = { range:find "^<" and range or overview.number(first) or first, value }
  end
  return reply, rows
end

-- The fields of overviews, asked for once.
local function format_of(self)
  if self.overview then return self.overview end
  local reply, lines, errno = long(self, "LIST OVERVIEW.FMT", nil, 215)
  if not reply and not lines.code then return nil, lines, errno end
  local format, words_of_it = overview.format(reply and lines or {})
  if not format then return failure("EBADMSG", words_of_it) end
  self.overview = format
  return format
end

local function overviews(self, line, sink)
  return run(self, function()
    local format, err, errno = format_of(self)
    if not format then return nil, err, errno end
    local reply, lines, code = long(self, line, sink, 224)
    if not reply then return nil, lines, code end
    if type(lines) == "number" then return reply, lines end
    local rows = {}
    for _, one in ipairs(lines) do rows[#rows + 1] = overview.row(one, format) end
    return reply, rows
  end)
end

--- What is to be known of articles without reading them.
-- @tparam ?int|string|table spec a number, a message-id, or `{first, last}` (without the last one: to the end); nil:
-- the current one
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {table,...} `{number, fields}`: `subject`, `from`, `date`, `["message-id"]`, `references`, `[":bytes"]`,
-- `[":lines"]` ..., all strings
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- news:group "comp.lang.lua"
-- print(select(2, news:over {1})[1][2].subject) --> hi
function NNTP:over(spec, sink)
  local verb = self.caps.OVER and "OVER" or "XOVER"
  return overviews(self, verb .. (spec ~= nil and " " .. range_of(spec, 1, "over") or ""), sink)
end

--- The same in the old way.
-- @tparam int first
-- @tparam int last
-- @tparam[opt] function sink
-- @treturn[1] string the reply
-- @treturn[1] {table,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- news:group "comp.lang.lua"
-- print(select(2, news:xover(1, 1))[1][1]) --> 1
function NNTP:xover(first, last, sink)
  check.argument(talk.NUMBER, last, 2, "xover")
  return overviews(self, "XOVER " .. range_of({ first, last }, 1, "xover"), sink)
end

--- The server's time.
-- @treturn[1] string the reply
-- @treturn[1] int seconds since 1970
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:date()) --> 111 19700101000001 1
function NNTP:date()
  return run(self, function(d)
    local reply, code, text = ask(d, "DATE", nil, 111)
    if not reply then return nil, code, text end
    local y, mo, day, h, mi, s = text:match "^(%d%d%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)$"
    if not s then return d:protest(("no reply to DATE: %q"):format(text:sub(1, 80))) end
    local function two(digits) return ascii.integer(digits, 9999) end
    return reply, dates.seconds(two(y), two(mo), two(day), two(h), two(mi), two(s))
  end)
end

-- --- writing --------------------------------------------------------------------------------------

-- What gives the pieces of an article: a string, an iterator, or a file.
local ARTICLE = check.kind("string, function or file", function(value)
  return type(value) == "string" or type(value) == "function" or io.type(value) == "file"
end)

local function send(self, line, data, accepted)
  return run(self, function(d)
    local reply, code, text = ask(d, line, nil, 3)
    if not reply then return nil, code, text end
    local next_one = data
    if type(data) == "string" then
      next_one = function()
        local piece = data
        data = nil
        return piece
      end
    elseif type(data) ~= "function" then
      next_one = function() return data:read(65536) end
    end
    local stuffer = dots.stuffer()
    for piece in next_one do
      local ok, err, errno = d:write(stuffer:push(piece))
      if not ok then return nil, err, errno end
    end
    d:write(stuffer:finish())
    code, text, reply = d:ok(accepted)
    if not code then return nil, text, reply end
    return whole(code, text)
  end)
end

--- Posts an article: header, an empty line, body; any line ends.
-- @tparam string|function|file data the article, what gives its pieces, or a file
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:post "From: me\nNewsgroups: comp.lang.lua\nSubject: x\n\nhello\n") --> 240 thanks
function NNTP:post(data) return send(self, "POST", check.argument(ARTICLE, data, 1, "post"), 240) end

--- Offers an article to another server.
-- @tparam string id its message-id
-- @tparam string|function|file data as of `post`
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local news <close> = assert(nntp.NNTP("localhost", 119))
-- print(news:ihave("<2@localhost>", "Message-ID: <2@localhost>\n\nhello\n")) --> 235 thanks
function NNTP:ihave(id, data)
  return send(self, "IHAVE " .. word(id, 1, "ihave"), check.argument(ARTICLE, data, 2, "ihave"), 235)
end

return NNTP
