-- connection.lua: SMTP's connection: how it comes about and ends, and one command on it. The commands themselves:
-- commands.lua; whole mails: transaction.lua.
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local dialog = require "csock.wire.dialog"
local place = require "csock.http.place"
local secure = require "csock.secure"

local M = { SMTP_PORT = 25, SMTP_SSL_PORT = 465, LMTP_PORT = 2003 }

local SUBMISSION_PORT = 587

--- A connection to a server of mail.
--
-- Fields: `does_esmtp`, `esmtp_features` (name of an extension, in lower case, to its parameters), `helo_resp`,
-- `ehlo_resp` (what the server said, or nil), `local_hostname`, `timeout`, `sock`.
-- Source: Python's `smtplib.SMTP`.
-- @type smtp
local SMTP = class("SMTP")
M.SMTP = SMTP

SMTP.default_port, SMTP.hello, SMTP.tls = M.SMTP_PORT, "EHLO", "none"
SMTP.lmtp = false -- whether each recipient has an answer of its own

local OPTIONS = {
  timeout = { secure.SECONDS, nil, false }, source_address = { check.ANY }, local_hostname = { check.STRING },
  tls = { check.one_of("'auto', 'starttls', 'tls' or 'none'", "auto", "starttls", "tls", "none") },
  context = { secure.CLIENT }, server_hostname = { secure.NAME, nil, false }, insecure = { check.ANY, false, false },
  debuglevel = { check.integer(0), 0 }, socket = { check.ANY },
}

-- --- connecting -----------------------------------------------------------------------------------

-- Forgets what was learned of a server.
function M.forget(self)
  self.helo_resp, self.ehlo_resp, self.does_esmtp, self.esmtp_features = nil, nil, false, {}
end

local forget = M.forget

--- Made by calling the class; with a host, or an open socket, it connects.
-- @function csock.smtp.SMTP
-- @tparam[opt] string host a name or an address, or both: `"mail.example.org:25"`; a path (`"/run/lmtp"`) is that of a
-- Unix socket. None: `connect` is to be called
-- @tparam[opt] int port default: 25; over TLS 465; with `starttls` and `auto` 587
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds for each call as a whole (default: `csock.getdefaulttimeout()`; false:
-- none)
-- @tparam[opt] string options.tls `"none"`, the default: in the clear, until `starttls` is called; `"starttls"`: with
-- connecting comes STARTTLS, and a server that has none is an error; `"tls"`: TLS from the first byte on; `"auto"`:
-- `"tls"` for the port 465, `"starttls"` for all others
-- @param[opt] options.context a client's context of @{csock.ssl} (default: one that verifies)
-- @tparam[opt] string options.server_hostname the name that is verified (default: the host)
-- @tparam[opt=false] boolean options.insecure true: `login` shows the password in the clear, where it has to
-- @tparam[opt] string options.local_hostname what this side calls itself in EHLO (default: this machine's full name, or
-- its address in brackets; no name is looked up for it)
-- @param[opt] options.source_address as for `csock.create_connection`
-- @param[opt] options.socket a connected socket or a stream, instead of host and port
-- @tparam[opt=0] int options.debuglevel 1: what is said is printed to standard error, but for passwords
-- @treturn[1] smtp
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25, {timeout = 10}))
-- print(server:noop()) --> 250 2.0.0 OK
function SMTP:__init(host, port, options)
  local call = self.__class.__name
  if type(port) == "table" then port, options = nil, port end
  if type(host) == "table" then host, options = nil, host end
  options = check.options(options, OPTIONS, 3, call)
  for name, value in pairs(options) do self[name] = value end
  self.given_hostname = options.local_hostname
  forget(self)
  if host == nil and not options.socket then return end
  local code, err, errno = self:connect(host, port)
  if not code then return nil, err, errno end
end

local function split(self, host, port, call)
  if host == nil or host == "" then host = "localhost" end
  check.argument(check.STRING, host, 1, call)
  if host:find "^/" then return host, nil, self.tls == "auto" and "starttls" or self.tls end
  local default = self.default_port
  if self.tls == "tls" then default = M.SMTP_SSL_PORT end
  if self.tls == "starttls" or self.tls == "auto" then default = SUBMISSION_PORT end
  host, port = place.split(host, port ~= 0 and port or nil, default, call)
  if self.tls ~= "auto" then return host, port, self.tls end
  return host, port, port == M.SMTP_SSL_PORT and "tls" or "starttls"
end

-- How this side calls itself, once it is connected.
local function own_name(socket)
  local name = csock.gethostname()
  if name:find(".", 1, true) then return name end
  local here = socket and socket:getsockname()
  if type(here) ~= "userdata" then return "localhost" end
  return (here.family == csock.AF_INET6 and "[IPv6:%s]" or "[%s]"):format(here.host:match "^[^%%]*")
end

local function not_connected(self)
  return csock.make_error {
    call = self.__class.__name, name = "SMTPServerDisconnected", errno = csock.errno.ENOTCONN,
    strerror = "not connected: call connect()",
  }
end

-- An operation, or a part of one: with the connection, under its time limit.
function M.run(self, f, ...)
  if not self.dialog then return not_connected(self) end
  return self.dialog:run(f, self, ...)
end

local run = M.run

-- The server's answer: code, text; nil, err, errno.
function M.answer(self)
  local code, text, errno = self.dialog:reply()
  if not code then return nil, text, errno end
  return code, text
end

-- A command and its answer.
function M.ask(self, line, shown)
  local ok, err, errno = self.dialog:put(line, shown)
  if not ok then return nil, err, errno end
  return M.answer(self)
end

local function greet(self, d, mode)
  self.dialog, self.sock = d, d.socket
  self.local_hostname = self.given_hostname or own_name(d.socket)
  local code, text, errno = M.answer(self)
  if not code then return nil, text, errno end
  if code ~= 220 then return d:refusal(code, text, { name = "SMTPConnectError" }) end
  if mode == "starttls" then
    local ok, err, broken = self:starttls()
    if not ok then return nil, err, broken end
  end
  return code, text
end

--- Connects, and reads the greeting; whatever was known of an earlier connection is forgotten. Making the object does
-- it where there was a host.
-- Source: Python's `SMTP.connect`.
-- @tparam[opt="localhost"] string host as for the class
-- @tparam[opt] int port
-- @tparam[opt] table options
-- @param[opt] options.source_address
-- @treturn[1] int code 220
-- @treturn[1] string what the server says
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP())
-- print((server:connect("localhost", 25))) --> 220
function SMTP:connect(host, port, options)
  if type(port) == "table" then port, options = nil, port end
  options = check.options(options, { source_address = { check.ANY, self.source_address } }, 3, "connect")
  local mode
  host, port, mode = split(self, host, port, "connect")
  self:close()
  self.host, self.port = host, port
  local d, code, text = dialog.connect(host, port, {
    what = self.__class.__name, timeout = self.timeout, source_address = options.source_address,
    tls = mode == "tls", context = self.context, server_hostname = self.server_hostname, socket = self.socket,
    debuglevel = self.debuglevel, goodbye = 421,
  }, function(d) return greet(self, d, mode) end)
  self.socket = nil -- it is used up
  if d then return code, text end
  self:close()
  return nil, code, text
end

-- nil, an error, its errno: the server has not what it takes.
function M.unsupported(self, words)
  return csock.make_error {
    call = self.__class.__name, kind = "permanent", name = "SMTPNotSupportedError", errno = csock.errno.EOPNOTSUPP,
    strerror = words,
  }
end

local function starttls(self, options)
  local ok, err, errno = self:ehlo_or_helo_if_needed()
  if not ok then return nil, err, errno end
  if not self.esmtp_features.starttls then return M.unsupported(self, "the server has no STARTTLS") end
  local code, text, broken = M.ask(self, "STARTTLS")
  if not code then return nil, text, broken end
  if code ~= 220 then return self.dialog:refusal(code, text, { name = "SMTPResponseException" }) end
  ok, err, errno = self.dialog:starttls(options.context, options.server_hostname)
  if not ok then return nil, err, errno end
  forget(self) -- it was said in the clear, perhaps by somebody else
  return code, text
end

--- Puts TLS under the connection. What the server said of itself before is forgotten; the next command says EHLO anew.
-- Source: Python's `SMTP.starttls`.
-- @tparam[opt] table options
-- @param[opt] options.context a client's context of @{csock.ssl} (default: that of the object, or one that verifies)
-- @tparam[opt] string options.server_hostname the name that is verified (default: the host)
-- @treturn[1] int code 220
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error `SMTPNotSupportedError` where the server has none; the handshake's
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:starttls()
function SMTP:starttls(options)
  local rows = { context = { secure.CLIENT }, server_hostname = { secure.NAME, nil, false } }
  return run(self, starttls, check.options(options, rows, 1, "starttls"))
end

--- Closes the connection, and says nothing; see `quit`.
-- Source: Python's `SMTP.close`.
-- @treturn boolean true
-- @usage
-- local server = assert(smtp.SMTP("localhost", 25))
-- server:close()
function SMTP:close()
  if self.dialog then self.dialog:close() end
  self.dialog, self.sock = nil, nil
  forget(self)
  return true
end

-- Says QUIT, and does not wait for the answer.
function SMTP:__close()
  local d = self.dialog
  if d and not d.err and not d.owner then d:put "QUIT" end
  self:close()
end

--- How much is printed, to standard error, of what is said: 0, nothing, or 1.
-- Source: Python's `SMTP.set_debuglevel`.
-- @tparam int level
-- @usage smtp.SMTP():set_debuglevel(1)
function SMTP:set_debuglevel(level)
  self.debuglevel = check.argument(check.integer(0), level, 1, "set_debuglevel")
  if self.dialog then self.dialog.debuglevel = level end
end

-- --- commands -------------------------------------------------------------------------------------

--- Sends a command, and gives what the server answers.
-- Source: Python's `SMTP.docmd`.
-- @tparam string command
-- @tparam[opt] string arguments
-- @treturn[1] int code
-- @treturn[1] string text, of several lines with line feeds between
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for CR, LF or NUL
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- print((server:docmd "NOOP")) --> 250
function SMTP:docmd(command, arguments)
  check.argument(check.STRING, command, 1, "docmd")
  return run(self, M.ask, arguments and arguments ~= "" and command .. " " .. arguments or command)
end

--- Sends a command; `getreply` reads the answer.
-- Source: Python's `SMTP.putcmd`.
-- @tparam string command
-- @tparam[opt] string arguments
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for CR, LF or NUL
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:putcmd "NOOP"
-- print((server:getreply())) --> 250
function SMTP:putcmd(command, arguments)
  check.argument(check.STRING, command, 1, "putcmd")
  return run(self, function()
    local ok, err, errno = self.dialog:put(arguments and command .. " " .. arguments or command)
    if not ok then return nil, err, errno end
    return self.dialog:flush()
  end)
end

--- Reads an answer.
-- Source: Python's `SMTP.getreply`.
-- @treturn[1] int code
-- @treturn[1] string text
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server <close> = assert(smtp.SMTP("localhost", 25))
-- server:putcmd "NOOP"
-- print((server:getreply())) --> 250
function SMTP:getreply() return run(self, M.answer) end

return M
