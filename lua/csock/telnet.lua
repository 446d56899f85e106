--- Telnet (RFC 854): Python's telnetlib, for robots that log in and for what speaks lines over TCP; and servers that
-- people reach by `telnet`: bulletin boards, games, consoles.
--
--     local telnet = require "csock.telnet"
--
--     local tn <close> = assert(telnet.Telnet("localhost", 23, { timeout = 10 }))
--     tn:read_until "login: "
--     tn:write "guest\n"
--     local which = tn:expect { "Password: ", "%$ $", "incorrect" }
--
--     telnet.serve({ "0.0.0.0", 2323 }, function(session)
--       session:write "Who are you?\n"
--       local name = session:read_line()
--       session:write(("Good day, %s. Your window has %s columns.\n"):format(name, session.width or "unknown"))
--     end)
--
-- Options (RFC 855) are agreed upon without loops (RFC 1143): what nobody asked for is refused. Nothing is encrypted
-- unless `tls` says so.
-- @module csock.telnet
local check = require "csock.check"
local class = require "csock.class"
local codec = require "csock.telnet.codec"
local csock = require "csock"
local internal = require "csock.loop.internal"
local links = require "csock.telnet.link"
local loop = require "csock.loop"
local numbers = require "csock.telnet.options"
local secure = require "csock.secure"
local server = require "csock.telnet.server"

local E = csock.errno

local M = {}

--- The numbers of commands and options: `IAC`, `WILL`, `WONT`, `DO`, `DONT`, `SB`, `SE`, `NOP`, `IP`, `AYT` ...;
-- `ECHO`, `SGA`, `NAWS`, `TTYPE`, `BINARY`, `LINEMODE`.
-- @table numbers
for _, names in ipairs { codec, numbers } do
  for name, value in pairs(names) do
    if math.type(value) == "integer" then M[name] = value end
  end
end

--- The port of telnet: 23.
-- @field TELNET_PORT
M.TELNET_PORT = 23

M.serve = server.serve

local SIZE = check.kind("{ columns, rows }", function(value)
  local fits = check.integer(0, 65535).fits
  return type(value) == "table" and fits(value[1]) and fits(value[2])
end)

local OPTIONS = {
  timeout = { secure.SECONDS, nil, false }, source_address = { check.ANY }, tls = { check.ANY },
  context = { secure.CLIENT, true }, server_hostname = { secure.NAME, nil, false }, socket = { check.ANY },
  limit = { check.integer(1), 1 << 26 }, terminal = { check.STRING }, size = { SIZE },
}

--- A client.
-- Source: Python's `telnetlib.Telnet`.
--
-- What a call waits for it waits for as long as its own `timeout` says, in seconds, or else that of the connection. A
-- call that fails, as with `ETIMEDOUT`, leaves what has come to be read by the next one.
-- @type telnet
local Telnet = class("Telnet")
M.Telnet = Telnet

--- Made by calling the class; connects where there is a host.
-- @function csock.telnet.Telnet
-- @tparam[opt] string host
-- @tparam[opt=23] int port
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds that connecting, and each call, may take (default: the default timeout)
-- @param[opt] options.source_address an address of this side
-- @tparam[opt=false] boolean options.tls TLS from the first byte on
-- @tparam[opt] context options.context for TLS (default: see `csock.ssl`)
-- @tparam[opt] string options.server_hostname whose certificate must be shown (default: the host's; false: anybody's)
-- @tparam[opt] socket options.socket a connected socket, in the place of host and port
-- @tparam[opt=67108864] int options.limit bytes that are kept while something is waited for
-- @tparam[opt] string options.terminal the terminal's name, for servers that ask (RFC 1091)
-- @tparam[opt] table options.size `{ columns, rows }`, for servers that ask (RFC 1073)
-- @treturn[1] telnet
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567, {timeout = 10}))
-- tn:write "hello\n"
-- print(tn:read_until "lo") --> hello	true
function Telnet:__init(host, port, options)
  options = check.options(options, OPTIONS, 3, "Telnet")
  self.options, self.limit, self.size, self.terminal = options, options.limit, options.size, options.terminal
  self.timeout = options.timeout
  if self.timeout == nil then self.timeout = csock.getdefaulttimeout() end
  if self.timeout == math.huge or self.timeout == false then self.timeout = nil end
  self.debuglevel, self.said = 0, ""
  if options.socket then return self:__attach(options.socket) end
  if host ~= nil then return self:open(host, port) end
end

function Telnet:__attach(sock)
  self.link = links.new(sock, self.timeout, {
    on_command = function(command) self:__hear(command) end,
    on_sub = function(option, bytes) self:__hear_sub(option, bytes) end,
    on_option = function(verb, option) return self:__hear(verb, option) end,
    agrees = function(side, option)
      if side == "him" then return option == M.SGA or option == M.ECHO end
      return option == M.SGA or option == M.TTYPE and self.terminal ~= nil or option == M.NAWS and self.size ~= nil
    end,
    changed = function(side, option, on)
      if side == "us" and option == M.NAWS and on then self:resize(self.size[1], self.size[2]) end
    end,
  })
  return true
end

--- Connects one that has no connection.
-- @tparam string host
-- @tparam[opt=23] int port
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EISCONN`: it has one)
-- @usage
-- local tn <close> = telnet.Telnet()
-- assert(tn:open("localhost", 21567))
function Telnet:open(host, port)
  if self.link then return csock.make_error { call = "open", errno = E.EISCONN } end
  local options = self.options
  local ssl = options.tls and options.context
  local sock, err, errno = csock.create_connection({ host, port or M.TELNET_PORT }, {
    timeout = self.timeout or false, source_address = options.source_address, ssl = ssl or nil,
    server_hostname = ssl and options.server_hostname,
  })
  if not sock then return nil, err, errno end
  self.host, self.port = host, port or M.TELNET_PORT
  return self:__attach(sock)
end

--- Closes the connection. Closing again is harmless.
-- @treturn boolean true
-- @usage
-- local tn = assert(telnet.Telnet("localhost", 21567))
-- tn:close()
function Telnet:close()
  if self.link then self.link:close() end
  self.link, self.said = nil, ""
  return true
end

Telnet.__close = Telnet.close

--- The socket.
-- @treturn ?socket nil without a connection
-- @usage print(telnet.Telnet():get_socket()) --> nil
function Telnet:get_socket() return self.link and self.link.sock end

--- The socket's descriptor.
-- @treturn int -1 without a connection
-- @usage print(telnet.Telnet():fileno()) --> -1
function Telnet:fileno() return self.link and self.link.sock:fileno() or -1 end

--- With a level above 0 commands and options that come are told on standard error.
-- @tparam int level
-- @usage telnet.Telnet():set_debuglevel(1)
function Telnet:set_debuglevel(level) self.debuglevel = check.argument(check.INTEGER, level, 1, "set_debuglevel") end

local NAMES = {}
for name, value in pairs(codec) do
  if math.type(value) == "integer" then NAMES[value] = name end
end

-- A command, or a verb and its option: whether the program has answered it.
function Telnet:__hear(command, option)
  if self.debuglevel > 0 then
    io.stderr:write(("Telnet: IAC %s %s\n"):format(NAMES[command] or command, option or ""))
  end
  if not self.callback then return false end
  self.callback(self, command, option or 0)
  return true
end

local TTYPE_IS, TTYPE_SEND = "\0", "\1"

function Telnet:__hear_sub(option, bytes)
  self.said = (self.said .. string.char(option) .. bytes):sub(-self.limit)
  if self:__hear(M.SE) then return end
  if option == M.TTYPE and bytes == TTYPE_SEND and self.link.options:on("us", option) then
    self.link:send(codec.sub(option, TTYPE_IS .. self.terminal))
  end
end

--- Has a function called for each command and option that comes, which then answers itself, by `get_socket():sendall`.
-- @tparam ?function callback `callback(telnet, command, option)`; option 0 behind commands that have none. Behind `SE`,
-- `read_sb_data` has what was said of an option. Nil: as before
-- @usage telnet.Telnet():set_option_negotiation_callback(function(_, command, option) print(command, option) end)
function Telnet:set_option_negotiation_callback(callback) self.callback = callback end

--- What the server has said of options (behind `SB`), which is then gone: an option's byte and its bytes, of all that
-- came one behind the other.
-- @treturn string
-- @usage print(#telnet.Telnet():read_sb_data()) --> 0
function Telnet:read_sb_data()
  local said = self.said
  self.said = ""
  return said
end

--- Tells the server of another window size, if it has asked for it.
-- @tparam int columns
-- @tparam int rows
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567, {size = {80, 24}}))
-- tn:resize(100, 30)
function Telnet:resize(columns, rows)
  self.size = check.argument(SIZE, { columns, rows }, 1, "resize")
  local link = self.link
  if not link or not link.options:on("us", M.NAWS) then return true end
  return link:send(codec.sub(M.NAWS, (">I2I2"):pack(columns, rows)))
end

-- --- writing and reading --------------------------------------------------------------------------

local function closed(call) return csock.make_error { call = call, errno = E.EBADF } end

--- Sends bytes; those with the number 255 are doubled, as telnet wants it. (Line ends are sent as they are: servers of
-- telnet take "\n" for one, too.)
-- @tparam string bytes
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- assert(tn:write "ls\n")
function Telnet:write(bytes)
  check.argument(check.STRING, bytes, 1, "write")
  if not self.link then return closed "write" end
  return self.link:send(codec.escape(bytes))
end

-- Waits for what `find(data, from)` finds, and gives it; false at the end.
local function wait(self, call, timeout, find)
  check.timeout(timeout, 2, call)
  local link = self.link
  if not link then return closed(call) end
  if timeout == nil then timeout = self.timeout end
  if timeout == math.huge then timeout = nil end
  return link:wait(timeout, self.limit, function(from) return find(link.data, from) end)
end

-- What is left at the end of the connection: nil where that is nothing.
local function rest(self)
  local text = self.link:take(#self.link.data)
  return text ~= "" and text or nil
end

--- Reads up to a text, with it.
-- @tparam string expected
-- @tparam[opt] number timeout seconds
-- @treturn[1] string what came
-- @treturn[1] boolean true; false: the connection has ended before it came
-- @treturn[2] nil at its end
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno (`ETIMEDOUT`; `EMSGSIZE`: more than `limit` bytes came without it)
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- tn:write "one two"
-- print(tn:read_until(" ", 10)) --> one 	true
function Telnet:read_until(expected, timeout)
  check.argument(check.STRING, expected, 1, "read_until")
  local found, err, errno = wait(self, "read_until", timeout, function(data, from)
    return (select(2, data:find(expected, math.max(1, from - #expected), true)))
  end)
  if found then return self.link:take(found), true end
  if found == nil then return nil, err, errno end
  local text = rest(self)
  return text, text and false
end

--- Reads up to the first match of one of several patterns of Lua (see `string.find`), with it. They are tried in their
-- order whenever something has come: one that ends in `.*` matches what there is.
-- @tparam {string,...} list
-- @tparam[opt] number timeout seconds
-- @treturn[1] int which one it was; -1: the connection has ended before
-- @treturn[1] ?table its captures, or all of the match where it has none; nil with -1
-- @treturn[1] string what came, with the match
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- tn:write "Linux 6.1, Password: "
-- local index, captures, text = tn:expect({"login: ", "(%d+)%.(%d+).*Password: "}, 10)
-- print(index, captures[2], #text) --> 2	1	21
function Telnet:expect(list, timeout)
  check.argument(check.TABLE, list, 1, "expect")
  local index, captures, last
  local found, err, errno = wait(self, "expect", timeout, function(data)
    for i, pattern in ipairs(list) do
      local results = table.pack(data:find(pattern))
      if results[1] then
        index, last = i, results[2]
        captures = table.move(results, 3, results.n, 1, {})
        if captures[1] == nil then captures[1] = data:sub(results[1], last) end
        return true
      end
    end
  end)
  if found then return index, captures, self.link:take(last) end
  if found == nil then return nil, err, errno end
  return -1, nil, rest(self) or ""
end

local function never() return false end

--- Reads all up to the end of the connection.
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- tn:write "bye"
-- tn:get_socket():shutdown(csock.SHUT_WR)
-- print(tn:read_all()) --> bye
function Telnet:read_all()
  local found, err, errno = wait(self, "read_all", nil, never)
  if found == nil then return nil, err, errno end
  return rest(self) or ""
end

--- Reads what there is, and waits until there is something.
-- @treturn[1] string "" at the end
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- tn:write "hi"
-- print(tn:read_some()) --> hi
function Telnet:read_some()
  local found, err, errno = wait(self, "read_some", nil, function(data) return data ~= "" end)
  if found == nil then return nil, err, errno end
  return rest(self) or ""
end

--- Reads what has come, without waiting.
-- @treturn[1] string
-- @treturn[2] nil at the end
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- print(#tn:read_very_eager()) --> 0
function Telnet:read_very_eager()
  if not self.link then return closed "read_very_eager" end
  local more, err, errno
  repeat more, err, errno = self.link:fill(0) until not more
  local text = rest(self)
  if text then return text end
  if more == nil and errno ~= E.EAGAIN then return nil, err, errno end
  return more == nil and "" or nil
end

--- The same, but it looks for no more where something is there already.
-- @treturn[1] string
-- @treturn[2] nil at the end
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- print(#tn:read_eager()) --> 0
function Telnet:read_eager()
  if not self.link then return closed "read_eager" end
  return rest(self) or self:read_very_eager()
end

--- What has been received already, and not been read.
-- @treturn[1] string
-- @treturn[2] nil at the end
-- @treturn[3] nil
-- @treturn[3] error
-- @treturn[3] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- print(#tn:read_lazy()) --> 0
function Telnet:read_lazy()
  if not self.link then return closed "read_lazy" end
  return rest(self) or not self.link.ended and "" or nil
end

--- The same.
-- @function telnet:read_very_lazy
-- @treturn ?string
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- print(#tn:read_very_lazy()) --> 0
Telnet.read_very_lazy = Telnet.read_lazy

-- --- a person at a terminal -----------------------------------------------------------------------

-- Copies what `read` gives to `write` until the end, or a failure.
local function pump(read, write)
  while true do
    local bytes, err, errno = read()
    if not bytes or bytes == "" then return bytes and true, err, errno end
    local ok
    ok, err, errno = write(bytes)
    if not ok then return nil, err, errno end
  end
end

--- Connects a person with the server, until one of them ends it: what comes is written, what is typed is sent.
-- @tparam[opt] stream input of `csock.stream` (default: standard input)
-- @tparam[opt] stream output (default: standard output)
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- a:close()
-- tn:interact(b:makefile "r")
function Telnet:interact(input, output)
  if not self.link then return closed "interact" end
  local holder <close> = internal.holder()
  input = input or holder:hold(csock.stream(0, "r"))
  local out = output or io.stdout
  local function put(bytes)
    local ok, err, errno = out:write(bytes)
    if ok then ok, err, errno = out:flush() end
    return ok, err, errno
  end
  local function typed()
    local bytes, err, errno = input:peek()
    if not bytes then return nil, err, errno end
    return input:read(#bytes)
  end
  return internal.in_task(function()
    local group <close> = loop.group()
    local results
    local function direction(read, write)
      results = results or table.pack(pump(read, write))
      group:cancel()
    end
    group:spawn(direction, typed, function(bytes) return self:write(bytes) end)
    group:spawn(direction, function() return self:read_some() end, put)
    group:join()
    return table.unpack(results, 1, results.n)
  end)
end

--- The same; here both directions are tasks anyway.
-- @function telnet:mt_interact
-- @tparam[opt] stream input
-- @tparam[opt] stream output
-- @treturn ?boolean
-- @usage
-- local tn <close> = assert(telnet.Telnet("localhost", 21567))
-- a:close()
-- tn:mt_interact(b:makefile "r")
Telnet.mt_interact = Telnet.interact

return M
