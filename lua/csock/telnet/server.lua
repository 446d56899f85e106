--- The other end: a person who has come by `telnet`, and writes lines.
-- @module csock.telnet
local check = require "csock.check"
local codec = require "csock.telnet.codec"
local csock = require "csock"
local links = require "csock.telnet.link"
local numbers = require "csock.telnet.options"

local E = csock.errno

local M = {}

--- Somebody's visit, which a server's handler gets.
--
-- Fields: `peer`, the address; `socket`; `width` and `height` of the window, and `terminal`, its name, where the client
-- has told them (soon after it has come: `on_resize` hears of it). `data` is the program's.
-- @type telnetsession
local Session = {}
M.Session = Session
Session.__index = Session
Session.__name = "csock.telnetsession"

local BACKSPACE, DELETE, CTRL_C, CTRL_D, CTRL_U, CTRL_W = 8, 127, 3, 4, 21, 23
local ERASE = "\8 \8"

-- --- what the client says -------------------------------------------------------------------------

-- The keys that commands stand for.
local KEYS = { [codec.IP] = CTRL_C, [codec.BRK] = CTRL_C, [codec.EC] = DELETE, [codec.EL] = CTRL_U }

local function hear(self, command)
  if command == codec.AYT then self.link:send "\r\n[yes]\r\n" end
  return KEYS[command] and string.char(KEYS[command])
end

local TTYPE_IS, TTYPE_SEND = "\0", "\1"

local function hear_sub(self, option, bytes)
  if not self.link.options:on("him", option) then return end
  if option == numbers.NAWS and #bytes == 4 then
    local width, height = (">I2I2"):unpack(bytes)
    self.width, self.height = width > 0 and width or nil, height > 0 and height or nil
    if self.on_resize then self:on_resize() end
  elseif option == numbers.TTYPE and bytes:sub(1, 1) == TTYPE_IS then
    local name = bytes:match "^%z([%w%-_./+]+)$"
    self.terminal = name and name:lower()
  end
end

local ALLOWED = { -- what it may be that nobody has asked for
  him = { [numbers.SGA] = true, [numbers.NAWS] = true, [numbers.TTYPE] = true },
  us = { [numbers.SGA] = true },
}

local function new_session(conn, peer, options)
  local self = setmetatable({
    peer = peer, socket = conn, timeout = options.timeout, limit = options.limit, echoing = options.character,
  }, Session)
  self.link = links.new(conn, options.timeout, {
    on_command = function(command) return hear(self, command) end,
    on_sub = function(option, bytes) hear_sub(self, option, bytes) end,
    agrees = function(side, option) return ALLOWED[side][option] == true end,
    changed = function(side, option, on)
      if side == "him" and option == numbers.TTYPE and on then self.link:send(codec.sub(option, TTYPE_SEND)) end
    end,
  })
  local ask = self.link.options
  if options.ask_size then ask:ask("him", numbers.NAWS, true) end
  if options.ask_terminal then ask:ask("him", numbers.TTYPE, true) end
  if options.character then
    ask:ask("us", numbers.ECHO, true)
    ask:ask("us", numbers.SGA, true)
  end
  return self
end

-- --- writing --------------------------------------------------------------------------------------

--- Writes text: "\n" becomes CR LF, as the network's terminals have it.
-- @function telnetsession:write
-- @tparam string ... numbers, too
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session) session:write("Hello.\n") end))
-- server:close()
function Session:write(...) return self.link:send(codec.text(table.concat { ... })) end

--- Has the client show what is typed, or not, as for a password. (It does so by saying that the server will.)
-- @function telnetsession:echo
-- @tparam boolean on
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session) session:echo(false) end))
-- server:close()
function Session:echo(on)
  local link = self.link
  self.silent = not on
  if not self.echoing then link.options:ask("us", numbers.ECHO, not on) end
  if link.err then return nil, link.err, link.errno end
  return true
end

-- --- reading --------------------------------------------------------------------------------------

local function show(self, text)
  if self.echoing and not self.silent then return self.link:send(text) end
  return true
end

-- Takes the last character off: all of its bytes, in UTF-8.
local function erase(self, line)
  if line == "" then return line end
  local at = #line
  while at > 1 and line:byte(at) & 0xC0 == 0x80 do at = at - 1 end
  show(self, ERASE)
  return line:sub(1, at - 1)
end

local CONTROL = {
  [BACKSPACE] = erase, [DELETE] = erase,
  [CTRL_U] = function(self, line)
    repeat line = erase(self, line) until line == ""
    return line
  end,
  [CTRL_W] = function(self, line)
    while line:find " $" do line = erase(self, line) end
    while line:find "[^ ]$" do line = erase(self, line) end
    return line
  end,
}

-- Takes what has come of a line: the line, when it has ended; or nil, what there is of it, and "interrupt" or "end".
local function edit(self, line)
  local data, at = self.link.data, 1
  if self.after_cr and data ~= "" then
    if data:byte() == 10 then at = 2 end
    self.after_cr = false
  end
  while at <= #data do
    local special = data:find("[%c\127]", at)
    local plain = data:sub(at, (special or #data + 1) - 1)
    line = line .. plain
    show(self, codec.escape(plain))
    if not special or #line > self.limit then break end
    local byte = data:byte(special)
    at = special + 1
    if byte == 13 or byte == 10 then
      self.after_cr = byte == 13
      self.link:take(at - 1)
      if self.echoing then self.link:send "\r\n" end
      return line
    elseif byte == CTRL_C or byte == CTRL_D and line == "" then
      self.link:take(at - 1)
      show(self, byte == CTRL_C and "^C\r\n" or "\r\n")
      return nil, "", byte == CTRL_C and "interrupt" or "end"
    elseif CONTROL[byte] then
      line = CONTROL[byte](self, line)
    elseif byte == 9 then
      line = line .. " "
      show(self, " ")
    end
  end
  self.link:take(#data)
  return nil, line
end

local READING = { timeout = { check.TIMEOUT, nil, math.huge } }

--- Reads a line, which the person may edit while typing it: the last character (Backspace), the last word (Ctrl-W) and
-- all of it (Ctrl-U) can be taken back. Other control characters are left out, a tab is a blank.
-- @function telnetsession:read_line
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds (default: that of `serve`; false: no limit)
-- @treturn[1] string without its end
-- @treturn[2] nil at the end: of the connection, or by Ctrl-D in an empty line
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno (`EINTR`: Ctrl-C, or telnet's own interrupt, after which one may read on; `ETIMEDOUT`: what was
-- typed stays; `EMSGSIZE`: a line longer than `limit`)
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session)
--   for line in session:lines() do session:write("You said: ", line, "\n") end
-- end))
-- server:close()
function Session:read_line(options)
  local timeout = check.options(options, READING, 1, "read_line").timeout or self.timeout
  local line, why = nil, nil
  local found, err, errno = self.link:wait(timeout ~= math.huge and timeout or nil, math.maxinteger, function()
    line, self.typed, why = edit(self, self.typed or "")
    return line ~= nil or why ~= nil or #self.typed > self.limit
  end)
  if found == nil then return nil, err, errno end
  if line then
    self.typed = nil
    if #line <= self.limit then return line end
    self.typed = line
  end
  if why == "interrupt" then return csock.make_error { call = "read_line", errno = E.EINTR } end
  if self.typed and #self.typed > self.limit then
    self.typed = nil
    return csock.make_error {
      call = "read_line", errno = E.EMSGSIZE, strerror = ("a line of more than %d bytes"):format(self.limit),
    }
  end
  if not found and self.typed ~= "" and self.typed then -- the connection ended in a line
    line, self.typed = self.typed, nil
    return line
  end
  return nil
end

--- An iterator over the lines to come, up to the end; interrupts are passed over, other failures raise.
-- @function telnetsession:lines
-- @treturn function
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session)
--   for line in session:lines() do session:write(#line, " bytes\n") end
-- end))
-- server:close()
function Session:lines()
  return function()
    while true do
      local line, err, errno = self:read_line()
      if line or not err then return line end
      if errno ~= E.EINTR then error(err, 0) end
    end
  end
end

--- Writes a question, and reads the line that answers it.
-- @function telnetsession:ask
-- @tparam string question
-- @tparam[opt] table options those of `read_line`
-- @treturn ?string as of `read_line`
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session) print(session:ask "Name: ") end))
-- server:close()
function Session:ask(question, options)
  local ok, err, errno = self:write(question)
  if not ok then return nil, err, errno end
  return self:read_line(options)
end

--- The same for a password: what is typed is not shown.
-- @function telnetsession:ask_secret
-- @tparam string question
-- @tparam[opt] table options those of `read_line`
-- @treturn ?string as of `read_line`
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session) session:ask_secret "Password: " end))
-- server:close()
function Session:ask_secret(question, options)
  local ok, err, errno = self:echo(false)
  if not ok then return nil, err, errno end
  local line
  line, err, errno = self:ask(question, options)
  self:echo(true)
  if line and not self.echoing then self:write "\n" end
  return line, err, errno
end

--- Ends the visit.
-- @function telnetsession:close
-- @treturn boolean true
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 0}, function(session) session:close() end))
-- server:close()
function Session:close()
  self.link:close()
  return true
end

Session.__close = Session.close

-- --- serving --------------------------------------------------------------------------------------

local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)

local OWN = {
  character = { BOOLEAN, false, false }, ask_size = { BOOLEAN, true, false }, ask_terminal = { BOOLEAN, true, false },
  limit = { check.integer(1), 1024 }, timeout = { check.TIMEOUT, nil, math.huge },
}

--- Serves people who come by telnet: `handler(session)` runs in a task for each of them. (See `csock.serve`.)
-- @function serve
-- @param address as for `csock.serve`
-- @tparam function handler
-- @tparam[opt] table options those of @{csock.serve}, and
-- @tparam[opt=false] boolean options.character characters are sent as they are typed, and the server shows them; else
-- the client sends lines, which it has edited itself
-- @tparam[opt=true] boolean options.ask_size ask for the window's size
-- @tparam[opt=true] boolean options.ask_terminal ask for the terminal's name
-- @tparam[opt=1024] int options.limit bytes of a line
-- @tparam[opt] number options.timeout seconds that a line, and each writing, may take (default: no limit)
-- @treturn[1] server
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(telnet.serve({"127.0.0.1", 2323}, function(session)
--   local name = session:ask "login: "
--   if name and session:ask_secret "Password: " then session:write("Welcome, ", name, ".\n") end
-- end))
-- server:close()
function M.serve(address, handler, options)
  check.argument(check.FUNCTION, handler, 2, "serve")
  local own, theirs = check.split(options or {}, OWN, 3, "serve")
  if own.timeout == math.huge then own.timeout = nil end
  return csock.serve(address, function(conn, peer) return handler(new_session(conn, peer, own)) end, theirs)
end

return M
