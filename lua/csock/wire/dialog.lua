-- dialog.lua: a client's end of a line protocol: SMTP, POP3, IMAP, FTP and NNTP talk through it.
--
--     local d, code, text = dialog.connect("localhost", 25, { what = "SMTP", timeout = 10 }, function(d)
--       return d:ok(220)                               -- the greeting, in the time that connecting has, too
--     end)                                             -- nil, err, errno; and it is closed
--     local code, text = d:run(function()              -- one operation, under one deadline
--       d:put("NOOP")
--       return d:ok(250)
--     end)
--
-- **Operations.** Each public method of a protocol's module does its work in `d:run(f, ...)`, which gives what f
-- returns. What is in it has `timeout` seconds in all; `d:within(seconds, f, ...)` has so many instead (false: no
-- limit). A run in a run of the same task is part of that one. Another task meanwhile gets `EBUSY`, and nothing is
-- mixed up. Where f raises, or its task is cancelled, after it has read or written, the dialog is broken: replies might
-- be left over that the next one would take for its own. Outside of `run` each call has the whole time.
--
-- **Failures.** A time-out, the end of the connection, a line or a reply that is too long or malformed: the dialog
-- is broken, its connection closed, and each call after it gives the same nil, err, errno: it is never out of step.
-- A reply that was not hoped for is no failure of the dialog. `d.err`: what broke it, `d.errno`; `d:close()` is
-- the last of these (`EBADF`). `d:fail(err, errno)` breaks it by hand, `d:protest(words)` for what the protocol
-- forbids (`EPROTO`, kind "protocol").
--
-- **Writing.** `d:put(line [, shown])` sends a line and CRLF, `d:put { line, ... }` several (pipelined); CR, LF and NUL
-- in one raise before a byte is sent. `d:write(bytes)` sends them as they are. All of it is buffered until something is
-- read, or `d:flush()`: what goes out together is one write. `shown` is what the debug output has in a secret's place.
-- Where sending fails because the server has hung up, the next reading call still finds what the server has said before
-- (a 421), and only then gives the error. So put, write and flush can be used without looking at their results.
--
-- **Reading.**
-- `d:line()`: a line, without its CRLF (or LF).
-- `d:reply()`: a reply with three digits: code, text (its lines with "\n" between), lines.
-- `d:ok(2)`, `d:ok(250, 251)`: the same, if its code, or its first digit, is one of these; else what
-- `d:refusal(code, text [, fields])` gives: nil, an error with `code`, `text` and `kind` ("temporary": 4xx,
-- "permanent": 5xx, "protocol": others), `EPROTO`.
-- `d:block()`: the lines up to a line with a dot alone, each without the dot that was doubled; `d:block(sink)` hands
-- each to `sink(line)` and gives how many there were; `d:text()`: the same as one string, with CRLF line ends (fast).
-- There a line ends with CRLF and nothing else.
-- `d:exactly(n)`: n bytes.
-- `d:wait(seconds)`: whether anything comes in that time (also the end): true or false.
--
-- `d:starttls([context [, server_hostname]])`: the handshake, behind the reply to the protocol's word for it. Anything
-- that came behind that reply is an error: somebody would have put it there before TLS.
--
-- A host that begins with "/" is the path of a Unix socket.
--
-- Fields: `host`, `port` (nil with `socket`), `socket` (nil where a stream was given), `stream`, `secure` (whether TLS
-- is on), `closed`, `timeout`, `what`, `debuglevel` (may be changed).
local check = require "csock.check"
local csock = require "csock"
local dots = require "csock.wire.dots"
local internal = require "csock.loop.internal"
local loop = require "csock.loop"
local secure = require "csock.secure"

local E = csock.errno

local END = "\r\n.\r\n" -- of a block

local M = {}

-- Rows of options (see csock.check), for modules that hand theirs on:
M.OPTIONS = {
  timeout = { secure.SECONDS, nil, false },  -- seconds of an operation (default: the default timeout; false: none)
  source_address = { check.ANY },
  tls = { check.ANY },                       -- TLS from the first byte on
  context = { secure.CLIENT },               -- for TLS: default true
  server_hostname = { secure.NAME, nil, false }, -- that is verified (default: the host; false: none)
  socket = { check.ANY },                    -- a connected socket or a stream, in the place of host and port
  limit = { check.integer(1), 8192 },        -- bytes of a line
  replies = { check.integer(1), 1000 },      -- lines of a reply
  block_limit = { check.integer(1), 1 << 26 }, -- bytes that block, text and exactly keep in memory
  what = { check.STRING, "dialog" },         -- what errors call it
  goodbye = { check.INTEGER },               -- the code by which a server hangs up (421): it breaks the dialog
  free_lines = { check.ANY },                -- FTP: between the first and the last line of a reply may be any
  debuglevel = { check.integer(0), 0 },      -- 1: what passes is printed to standard error
}

-- The rows of options that each client on a dialog has: for its own table of rows, where it may have others, too.
local OF_CLIENTS = {
  "timeout", "source_address", "context", "server_hostname", "socket", "limit", "block_limit", "debuglevel",
}

-- What the lines of a server say that tell what it can do: name, in capital letters -> the words behind it.
function M.capabilities(lines)
  local all = {}
  for _, line in ipairs(lines) do
    local words = {}
    for word in line:gmatch "[^ ]+" do words[#words + 1] = word end
    local name = table.remove(words, 1)
    if name then all[name:upper()] = words end
  end
  return all
end

function M.rows(own)
  for _, name in ipairs(OF_CLIENTS) do own[name] = own[name] or M.OPTIONS[name] end
  return own
end

-- Settings for `connect`: those of a client's options that are a dialog's, over these.
function M.settings(settings, options)
  for name, value in pairs(options) do
    if M.OPTIONS[name] then settings[name] = value end
  end
  return settings
end

local Dialog = {}
Dialog.__index = Dialog
Dialog.__name = "csock.dialog"

-- --- the end --------------------------------------------------------------------------------------

local function hang_up(self)
  self.closed = true
  local stream, socket = self.stream, self.socket
  if stream then
    stream:settimeout(0) -- what was not sent is not waited for
    stream:close()
  end
  if socket then socket:close() end
end

function Dialog:fail(err, errno)
  if not self.err then
    if err.call ~= self.what then err = err:within(self.what) end
    self.err, self.errno = err, errno
    hang_up(self)
  end
  return nil, self.err, self.errno
end

-- nil, an error of the dialog's own, its errno.
local function failure(self, name, words, more)
  local fields = { call = self.what, errno = E[name], strerror = words }
  for key, value in pairs(more or {}) do fields[key] = value end
  return csock.make_error(fields)
end

local function break_off(self, name, words, more)
  local _, err, errno = failure(self, name, words, more)
  return self:fail(err, errno)
end

function Dialog:protest(words) return break_off(self, "EPROTO", words, { kind = "protocol" }) end

function Dialog:close()
  if not self.err then break_off(self, "EBADF") end
  return true
end

Dialog.__close = Dialog.close

-- --- operations -----------------------------------------------------------------------------------

-- One that is under way, closed with its block, however that is left.
local Operation = {
  __close = function(operation)
    local self = operation.dialog
    self.owner, self.left = nil, nil
    if not operation.over and self.touched then break_off(self, "ECANCELED", "an operation was not finished") end
  end,
}

local function finish(operation, ...)
  operation.over = true
  return ...
end

function Dialog:within(seconds, f, ...)
  local owner = loop.current() or true
  if self.owner == owner then return f(...) end
  if self.err then return nil, self.err, self.errno end
  if self.owner then return failure(self, "EBUSY", "another task is in the middle of an operation") end
  local operation <close> = setmetatable({ dialog = self }, Operation)
  self.owner, self.touched, self.left = owner, false, internal.countdown(seconds)
  return finish(operation, f(...))
end

function Dialog:run(f, ...) return self:within(self.timeout, f, ...) end

-- How many seconds the operation has left for what else it waits for; nil: there is no limit.
function Dialog:remaining()
  if self.left then return self.left() end
  return self.timeout or nil
end

-- To be called before each wait: true; nil, err, errno, and the dialog is broken.
local function arm(self)
  if self.err then return nil, self.err, self.errno end
  self.touched = true
  local seconds = self.timeout or nil
  if self.left then
    seconds = self.left()
    local ok, err, errno = internal.in_time(seconds, self.what)
    if not ok then return self:fail(err, errno) end
  end
  self.stream:settimeout(seconds)
  return true
end

-- --- writing --------------------------------------------------------------------------------------

local function show(self, direction, text)
  if self.debuglevel > 0 then io.stderr:write(("%s: %q\n"):format(direction, text)) end
end

-- A server that hangs up may have said why: that is read first.
local function unsendable(self, err, errno)
  if errno == E.ETIMEDOUT then return self:fail(err, errno) end
  self.unsent, self.send_err, self.send_errno = false, err, errno
  return true
end

function Dialog:write(bytes)
  local ok, err, errno = arm(self)
  if not ok then return nil, err, errno end
  if self.send_err then return true end
  self.unsent = true
  ok, err, errno = self.stream:write(bytes)
  if not ok then return unsendable(self, err, errno) end
  return true
end

function Dialog:flush()
  if not self.unsent then return true end
  local ok, err, errno = arm(self)
  if not ok then return nil, err, errno end
  self.unsent = false
  ok, err, errno = self.stream:flush()
  if not ok then return unsendable(self, err, errno) end
  return true
end

local function checked(self, line)
  if type(line) ~= "string" or line:find "[\r\n\0]" then
    check.fail(self.what .. ": a line without CR, LF and NUL expected")
  end
  return line
end

function Dialog:put(line, shown)
  local lines = type(line) == "table" and line or { line }
  local bytes = {}
  for i, one in ipairs(lines) do bytes[i] = checked(self, one) .. "\r\n" end
  for _, one in ipairs(lines) do show(self, "send", shown or one) end
  return self:write(table.concat(bytes))
end

-- --- reading --------------------------------------------------------------------------------------

-- Gets ready for reading: what was put goes out first.
local function turn(self)
  if self.unsent then
    local ok, err, errno = self:flush()
    if not ok then return nil, err, errno end
  end
  return arm(self)
end

-- Breaks the dialog for what a read gave in the place of its result.
local function broken_read(self, err, errno, midway, limit)
  if errno == E.EMSGSIZE then
    return break_off(self, "EMSGSIZE", ("a line of more than %d bytes"):format(limit), { kind = "protocol" })
  end
  if self.send_err then return self:fail(self.send_err, self.send_errno) end
  if err then return self:fail(err, errno) end
  return break_off(self, "ECONNRESET", "the server has closed the connection" .. (midway and " in mid-sentence" or ""))
end

local function read_until(self, delimiter, limit)
  local ok, err, errno = turn(self)
  if not ok then return nil, err, errno end
  local line, whole, code = self.stream:read_until(delimiter, limit)
  if whole == true then return line end
  return broken_read(self, whole, code, line ~= nil, limit)
end

function Dialog:line()
  local line, err, errno = read_until(self, "\n", self.limit)
  if not line then return nil, err, errno end
  if line:byte(-1) == 13 then line = line:sub(1, -2) end
  show(self, "reply", line)
  return line
end

-- A line of a reply: its code, whether it is the last one, what it says; nil for what is none.
local function parse(line)
  local code, mark, text = line:match "^([1-6]%d%d)([ -]?)(.*)$"
  if not code or mark == "" and text ~= "" then return nil end
  return code, mark ~= "-", text
end

M.parse = parse

function Dialog:reply()
  local lines, first = {}, nil
  while true do
    local line, err, errno = self:line()
    if not line then return nil, err, errno end
    local code, last, text = parse(line)
    if first and self.free_lines and (code ~= first or not last) then
      if code ~= first then text = line end
      code, last = first, false
    end
    if not code or first and code ~= first then
      return self:protest(("no reply: %q"):format(line:sub(1, 80)))
    end
    first = code
    lines[#lines + 1] = text
    if last then break end
    if #lines >= self.replies then return self:protest(("a reply of more than %d lines"):format(self.replies)) end
  end
  local code, text = math.tointeger(tonumber(first)), table.concat(lines, "\n")
  if code == self.goodbye then
    local _, err, errno = self:refusal(code, text)
    return self:fail(err, errno)
  end
  return code, text, lines
end

local KINDS = { [4] = "temporary", [5] = "permanent" }

-- The words of a reply in an error: one line, and nothing in it that a terminal would take for an order.
local function words_of(code, text)
  return (("%d %s"):format(code, text):gsub("\n", "; "):gsub("%c", "?"))
end

-- `more`: further fields of the error, such as a `name`.
function Dialog:refusal(code, text, more)
  local fields = { kind = KINDS[code // 100] or "protocol", code = code, text = text }
  for key, value in pairs(more or {}) do fields[key] = value end
  return failure(self, "EPROTO", words_of(code, text), fields)
end

function Dialog:ok(...)
  local code, text, lines = self:reply()
  if not code then return nil, text, lines end
  for i = 1, select("#", ...) do
    local wanted = select(i, ...)
    if wanted == code or wanted == code // 100 then return code, text, lines end
  end
  return self:refusal(code, text)
end

local function too_much(self)
  return break_off(self, "EMSGSIZE", ("more than %d bytes"):format(self.block_limit), { kind = "protocol" })
end

function Dialog:block(sink)
  local lines, count, bytes = not sink and {} or nil, 0, 0
  while true do
    local line, err, errno = read_until(self, "\r\n", self.limit)
    if not line then return nil, err, errno end
    if line:byte() == 46 then
      if line == "." then return lines or count end
      line = line:sub(2)
    end
    count = count + 1
    if sink then
      sink(line)
    else
      bytes = bytes + #line + 2
      if bytes > self.block_limit then return too_much(self) end
      lines[count] = line
    end
  end
end

function Dialog:text()
  local ok, err, errno = turn(self)
  if not ok then return nil, err, errno end
  local start, why, code = self.stream:peek(3)
  if not start or #start < 3 then return broken_read(self, why, code, start ~= "") end
  if start == ".\r\n" then
    self.stream:read(3)
    return ""
  end
  local text, whole, cause = self.stream:read_until(END, self.block_limit)
  if whole ~= true then
    if cause == E.EMSGSIZE then return too_much(self) end
    return broken_read(self, whole, cause, true)
  end
  return (dots.unstuff(text .. END))
end

function Dialog:exactly(n)
  if n > self.block_limit then return too_much(self) end
  local ok, err, errno = turn(self)
  if not ok then return nil, err, errno end
  if n == 0 then return "" end
  local bytes, why, code = self.stream:read(n)
  if bytes and #bytes == n then return bytes end
  return broken_read(self, not bytes and why or nil, code, true)
end

function Dialog:wait(seconds)
  local ok, err, errno = turn(self)
  if not ok then return nil, err, errno end
  local left = self.stream:gettimeout()
  self.stream:settimeout(left and math.min(left, seconds) or seconds)
  local byte, why, code = self.stream:peek(1)
  if byte then return true end
  if code == E.EAGAIN or code == E.ETIMEDOUT then return false end
  return broken_read(self, why, code)
end

-- --- connecting -----------------------------------------------------------------------------------

-- Has the stream over its socket: true; nil, err, errno, and the dialog is broken.
local function open(self)
  local stream, err, errno = self.socket:makefile "rw"
  if not stream then return self:fail(err, errno) end
  self.stream = stream
  return true
end

-- Puts TLS under the socket, and a new stream over it: true; nil, err, errno, and the dialog is broken.
local function cover(self, context, server_hostname)
  if server_hostname == nil then server_hostname = self.server_hostname end
  local seconds = self.timeout or nil
  if self.left then seconds = self.left() end
  local ok, err, errno = secure.connect(context or self.context, self.socket, {
    server_hostname = server_hostname or nil,
  }, seconds)
  if not ok then return self:fail(err, errno) end
  self.secure = true
  return open(self)
end

function Dialog:starttls(context, server_hostname)
  if not self.socket then check.fail(self.what .. ": TLS needs a socket, not a stream") end
  local ok, err, errno = turn(self)
  if not ok then return nil, err, errno end
  if self.stream:buffered() > 0 then return self:protest "something came in the clear behind the reply to STARTTLS" end
  self.stream:close()
  self.stream = nil
  return cover(self, context, server_hostname)
end

local function dial(self, host, port, options)
  local ssl = options.tls and self.context
  local socket, err, errno = csock.create_connection({ host, port }, {
    timeout = self.left() or false, source_address = options.source_address, ssl = ssl or nil,
    server_hostname = ssl and options.server_hostname,
  })
  if not socket then return self:fail(err, errno) end
  self.socket, self.secure = socket, ssl and true or false
  local ok
  ok, err, errno = socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
  if not ok then return self:fail(err, errno) end
  return open(self)
end

local function dial_path(self, path, options)
  local err, errno, ok
  self.socket, err, errno = csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)
  if not self.socket then return self:fail(err, errno) end
  self.socket:settimeout((self.left()))
  ok, err, errno = self.socket:connect(path)
  if not ok then return self:fail(err, errno) end
  return (options.tls and cover or open)(self)
end

-- Takes what was given: a socket, which may be over TLS already, or a stream.
local function adopt(self, given, options)
  if not given.makefile then
    if options.tls then check.fail(self.what .. ": TLS needs a socket, not a stream") end
    self.stream = given
    return true
  end
  local has, version = pcall(given.version, given) -- which only sockets over TLS have
  self.socket, self.secure = given, has and version ~= nil
  if options.tls and not self.secure then return cover(self) end
  return open(self)
end

local function start(self, host, port, options, greet)
  local ok, err, errno
  if options.socket then
    ok, err, errno = adopt(self, options.socket, options)
  elseif type(host) == "string" and host:find "^/" then
    ok, err, errno = dial_path(self, host, options)
  else
    ok, err, errno = dial(self, host, port, options)
  end
  if not ok then return nil, err, errno end
  if not greet then return self end
  local results = table.pack(greet(self))
  if results[1] then return self, table.unpack(results, 1, results.n) end
  self:close()
  return table.unpack(results, 1, 3)
end

-- Connects, and gives the dialog and what `greet(d)` gives, all in one operation; nil, err, errno.
function M.connect(host, port, options, greet)
  options = check.options(options, M.OPTIONS, 3, "connect")
  local self = setmetatable({
    host = host, port = port, closed = false, secure = false, unsent = false, debuglevel = options.debuglevel,
    timeout = options.timeout, limit = options.limit, replies = options.replies, block_limit = options.block_limit,
    what = options.what, goodbye = options.goodbye, free_lines = options.free_lines, context = options.context or true,
    server_hostname = options.server_hostname,
  }, Dialog)
  if self.timeout == nil then self.timeout = csock.getdefaulttimeout() or false end
  if self.timeout == math.huge then self.timeout = false end
  if self.server_hostname == nil then self.server_hostname = secure.name_of(host) end
  local holder <close> = internal.holder(self)
  local results = table.pack(self:run(start, self, host, port, options, greet))
  if results[1] then holder:take() end
  return table.unpack(results, 1, results.n)
end

return M
