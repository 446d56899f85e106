-- session.lua: one client's connection to a server of mail: its commands, one after the other, and their answers.
local base64 = require "csock.wire.base64"
local ascii = require "csock.wire.ascii"
local command = require "csock.smtpd.command"
local csock = require "csock"
local internal = require "csock.loop.internal"
local loop = require "csock.loop"
local receive = require "csock.smtpd.receive"
local sasl = require "csock.wire.sasl"
local secure = require "csock.secure"

local M = {}

local AUTH_LINE = 12288 -- bytes of a response in AUTH (RFC 4954 section 4)
local MOST_REFUSALS = 3 -- of logins, before the connection is closed
local BUFFER = 1 << 15 -- bytes of answers that wait for the turn's end

local Session = {}
Session.__index = Session

local E = csock.errno

-- --- answers --------------------------------------------------------------------------------------

-- They leave together at the end of the loop's turn: so pipelined commands have theirs in one segment.
local function reply(self, code, status, text)
  return self.stream:write(("%d %s%s\r\n"):format(code, status and status .. " " or "", text)) ~= nil
end

-- The same of a command that was wrong; a client that does nothing else is sent away.
local function refuse(self, code, status, text)
  self.errors = self.errors + 1
  if self.errors > self.options.max_errors then
    reply(self, 421, "4.7.0", self.server.hostname .. " too many errors")
    return false
  end
  return reply(self, code, status, text)
end

-- What a hook of the program's has said: nil or true: it agrees; a string: that answer. An error is the program's, and
-- no client's business.
local function hook(self, name, ...)
  local ok, result = xpcall(self.server[name], internal.traced, self.server, ...)
  if not ok then
    loop.onerror(result.err, result.traceback)
    return "451 4.3.0 local error in processing"
  end
  if result == nil or result == true then return nil end
  if type(result) == "string" and result:find "^[245]%d%d " and not result:find "[\r\n%z]" then return result end
  loop.onerror(("%s: a reply such as '550 5.1.1 no such user' expected, got %s"):format(name, tostring(result)))
  return "451 4.3.0 local error in processing"
end

-- --- the state ------------------------------------------------------------------------------------

-- The mail that was begun is forgotten.
local function reset(self) self.sender, self.recipients, self.mail_options, self.rcpt_options = nil, {}, nil, {} end

-- All that the client said of itself is.
local function forget(self)
  reset(self)
  self.helo, self.esmtp, self.user = nil, false, nil
end

-- What hooks and process_message are told about the connection.
local function about(self)
  return {
    mail_options = self.mail_options or {}, rcpt_options = self.rcpt_options, helo = self.helo, esmtp = self.esmtp,
    user = self.user, secure = self.secure,
  }
end

local function mechanisms(self)
  if not self.options.auth or self.options.require_tls and not self.secure then return {} end
  return sasl.offered(self.options.auth, self.secure or self.options.insecure)
end

-- --- commands: true, or false where the connection ends ---------------------------------------------

local commands = {}

function commands.HELO(self, rest)
  if rest == "" then return refuse(self, 501, "5.5.4", "HELO hostname") end
  reset(self)
  self.helo, self.esmtp = rest, false
  return reply(self, 250, nil, self.server.hostname)
end

function commands.EHLO(self, rest)
  if rest == "" then return refuse(self, 501, "5.5.4", "EHLO hostname") end
  reset(self)
  self.helo, self.esmtp = rest, true
  local options = self.options
  local lines = { self.server.hostname, "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "HELP" }
  lines[#lines + 1] = ("SIZE %d"):format(options.data_size_limit)
  if options.enable_SMTPUTF8 then lines[#lines + 1] = "SMTPUTF8" end
  if options.starttls and not self.secure then lines[#lines + 1] = "STARTTLS" end
  local names = mechanisms(self)
  if #names > 0 and not self.user then lines[#lines + 1] = "AUTH " .. table.concat(names, " ") end
  for i, line in ipairs(lines) do lines[i] = (i < #lines and "250-" or "250 ") .. line .. "\r\n" end
  return self.stream:write(table.concat(lines)) ~= nil
end

function commands.NOOP(self) return reply(self, 250, "2.0.0", "OK") end

function commands.RSET(self)
  reset(self)
  return reply(self, 250, "2.0.0", "OK")
end

function commands.QUIT(self)
  reply(self, 221, "2.0.0", self.server.hostname .. " closing connection")
  return false
end

function commands.VRFY(self, rest)
  if rest == "" then return refuse(self, 501, "5.5.4", "VRFY address") end
  return reply(self, 252, "2.1.5", "cannot verify, but will take messages and try to deliver them")
end

function commands.HELP(self)
  return reply(self, 214, "2.0.0", "commands: AUTH DATA EHLO HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY")
end

function commands.EXPN(self) return refuse(self, 502, "5.5.1", "EXPN is not there") end

-- Whether the client may begin a mail: true, or what refuse gives.
local function may_mail(self)
  if not self.helo then return nil, refuse(self, 503, "5.5.1", "say EHLO first") end
  if self.options.require_tls and not self.secure then
    return nil, refuse(self, 530, "5.7.0", "say STARTTLS first")
  end
  if self.options.require_auth and not self.user then
    return nil, refuse(self, 530, "5.7.0", "authentication required")
  end
  return true
end

-- What is wrong with MAIL's parameters: code, status, text; nil.
local function check_parameter(self, name, value)
  if name == "SIZE" then
    local size = ascii.integer(value or "", math.maxinteger)
    if not size then return 501, "5.5.4", "SIZE=digits" end
    if size > self.options.data_size_limit then return 552, "5.3.4", "the message is too big" end
  elseif name == "BODY" then
    if not value or value:upper() ~= "7BIT" and value:upper() ~= "8BITMIME" then
      return 501, "5.5.4", "BODY=7BIT or BODY=8BITMIME"
    end
  elseif name == "SMTPUTF8" and self.options.enable_SMTPUTF8 then
    if value then return 501, "5.5.4", "SMTPUTF8 takes no value" end
    self.utf8 = true
  elseif name ~= "AUTH" or not self.options.auth then
    return 555, "5.5.4", "a parameter that is not known here"
  end
end

local function words_of(list)
  local words = {}
  for i, parameter in ipairs(list) do words[i] = parameter[1] .. (parameter[2] and "=" .. parameter[2] or "") end
  return words
end

function commands.MAIL(self, rest)
  local may, result = may_mail(self)
  if not may then return result end
  if self.sender then return refuse(self, 503, "5.5.1", "a mail was begun already") end
  local sender, list = command.path(rest, "FROM")
  if not sender then return refuse(self, 501, "5.5.4", "MAIL " .. list .. " expected") end
  self.utf8 = false
  if not self.esmtp and #list > 0 then return refuse(self, 555, "5.5.4", "parameters need EHLO") end
  for _, parameter in ipairs(list) do
    local code, status, text = check_parameter(self, parameter[1], parameter[2])
    if code then return refuse(self, code, status, text) end
  end
  if sender:find "[\x80-\xff]" and not self.utf8 then
    return refuse(self, 553, "5.6.7", "an address that needs SMTPUTF8")
  end
  local answer = hook(self, "accept_sender", self.peer, sender, about(self))
  if answer then return refuse(self, answer:match "^%d+", nil, answer:sub(5)) end
  self.sender, self.mail_options = sender, words_of(list)
  return reply(self, 250, "2.1.0", "OK")
end

function commands.RCPT(self, rest)
  if not self.sender then return refuse(self, 503, "5.5.1", "say MAIL first") end
  local recipient, list = command.path(rest, "TO")
  if not recipient then return refuse(self, 501, "5.5.4", "RCPT " .. list .. " expected") end
  if #list > 0 then return refuse(self, 555, "5.5.4", "a parameter that is not known here") end
  if recipient:find "[\x80-\xff]" and not self.utf8 then
    return refuse(self, 553, "5.6.7", "an address that needs SMTPUTF8")
  end
  if #self.recipients >= self.options.max_recipients then
    return refuse(self, 452, "4.5.3", "too many recipients")
  end
  local answer = hook(self, "accept_recipient", self.peer, recipient, about(self))
  if answer then return refuse(self, answer:match "^%d+", nil, answer:sub(5)) end
  table.insert(self.recipients, recipient)
  return reply(self, 250, "2.1.5", "OK")
end

local WRONG = {
  size = { 552, "5.3.4", "the message is too big" },
  newline = { 550, "5.6.11", "a CR or LF that is no part of CRLF" },
}

function commands.DATA(self, rest)
  if rest ~= "" then return refuse(self, 501, "5.5.4", "DATA takes no parameter") end
  if not self.sender then return refuse(self, 503, "5.5.1", "say MAIL first") end
  if #self.recipients == 0 then return refuse(self, 554, "5.5.1", "no valid recipients") end
  local options = self.options
  reply(self, 354, nil, "end with CRLF . CRLF")
  if not self.stream:flush() then return false end
  local data, why = receive.message(self.stream, options.data_size_limit, options.data_timeout, options.keep_newlines)
  if data == nil then
    if why.errno == E.ETIMEDOUT then reply(self, 421, "4.4.2", self.server.hostname .. " timeout") end
    return false
  end
  local sender, recipients, more = self.sender, self.recipients, about(self)
  reset(self)
  if not data then return refuse(self, table.unpack(WRONG[why])) end
  if not options.keep_newlines then data = data:gsub("\r\n", "\n"):sub(1, -2) end
  local answer = hook(self, "process_message", self.peer, sender, recipients, data, more)
  if answer then return refuse(self, answer:match "^%d+", nil, answer:sub(5)) end
  self.errors = 0
  return reply(self, 250, "2.0.0", "OK")
end

function commands.STARTTLS(self, rest)
  if self.secure then return refuse(self, 503, "5.5.1", "TLS is on already") end
  if not self.options.starttls then return refuse(self, 502, "5.5.1", "STARTTLS is not there") end
  if rest ~= "" then return refuse(self, 501, "5.5.4", "STARTTLS takes no parameter") end
  if self.stream:buffered() > 0 then -- it came in the clear, and would be taken for what came over TLS
    reply(self, 554, "5.5.1", "nothing may follow STARTTLS")
    return false
  end
  reply(self, 220, "2.0.0", "go on")
  if not self.stream:flush() then return false end
  self.stream:close()
  secure.cover(self.options.starttls, self.conn)
  local ok, err = secure.greet(self.conn, self.options.handshake_timeout)
  if not ok then
    if self.options.handshake_failed then self.options.handshake_failed(err, self.peer) end
    self.stream = nil
    return false
  end
  self.secure = true
  forget(self)
  return self:open()
end

-- --- logins ---------------------------------------------------------------------------------------

-- What the client says in a login: bytes; false for what is none; nil at the end.
local function response(self)
  local line = self:line(AUTH_LINE)
  if not line then return nil end
  if line == "*" then return false end
  return base64.decode(line) or false
end

local function login_failed(self)
  self.refusals = self.refusals + 1
  if self.refusals >= MOST_REFUSALS then
    reply(self, 421, "4.7.0", self.server.hostname .. " too many refused logins")
    return false
  end
  return refuse(self, 535, "5.7.8", "authentication credentials invalid")
end

local function converse(self, conversation, message)
  while true do
    local ok, challenge = xpcall(conversation.step, internal.traced, conversation, message)
    if not ok then
      loop.onerror(challenge.err, challenge.traceback)
      return refuse(self, 454, "4.7.0", "temporary authentication failure")
    end
    if challenge == true then break end
    if not challenge then return login_failed(self) end
    self.stream:write("334 ", base64.encode(challenge), "\r\n")
    message = response(self)
    if message == nil then return false end
    if not message then return refuse(self, 501, "5.5.2", "the login was given up") end
  end
  self.user = conversation.user
  return reply(self, 235, "2.7.0", "authentication succeeded")
end

function commands.AUTH(self, rest)
  if not self.options.auth then return refuse(self, 502, "5.5.1", "AUTH is not there") end
  if not self.esmtp then return refuse(self, 503, "5.5.1", "say EHLO first") end
  if self.user then return refuse(self, 503, "5.5.1", "logged in already") end
  if self.sender then return refuse(self, 503, "5.5.1", "not in the middle of a mail") end
  local name, first = rest:match "^([%w_-]+) ?(.*)$"
  if not name then return refuse(self, 501, "5.5.4", "AUTH mechanism") end
  local offered = false
  for _, known in ipairs(mechanisms(self)) do offered = offered or known == name:upper() end
  if not offered then
    if not self.secure and sasl.is_plain(name) then
      return refuse(self, 538, "5.7.11", "encryption required for this mechanism")
    end
    return refuse(self, 504, "5.5.4", "a mechanism that is not offered")
  end
  local message
  if first == "=" then
    message = ""
  elseif first ~= "" then
    message = base64.decode(first)
    if not message then return refuse(self, 501, "5.5.2", "that is no base64") end
  end
  return converse(self, assert(sasl.server(name, self.options.auth)), message)
end

-- --- the connection -------------------------------------------------------------------------------

function Session:open()
  self.stream = self.conn:makefile "rw"
  if not self.stream then return false end
  self.stream:setvbuf("turn", BUFFER)
  return true
end

-- A line without its end, false for one that is none; nil when there is none any more.
function Session:line(limit)
  self.stream:settimeout(self.options.timeout)
  local line, whole, errno = self.stream:read_until("\n", limit)
  if whole == true then
    if line:byte(-1) == 13 then return line:sub(1, -2) end
    return self.options.keep_newlines and line
  end
  if not line and errno == E.EMSGSIZE then
    reply(self, 500, "5.5.2", "line too long")
    return nil
  end
  if not line and errno == E.ETIMEDOUT then reply(self, 421, "4.4.2", self.server.hostname .. " timeout") end
  return nil
end

local function step(self)
  local line = self:line(self.options.line_limit)
  if line == nil then return false end
  local verb, rest = command.parse(line or "\n")
  if not verb then return refuse(self, 500, "5.5.2", line and "syntax error" or "a line ends with CRLF") end
  local run = commands[verb]
  if not run then return refuse(self, 500, "5.5.1", "command not known") end
  return run(self, rest)
end

-- Serves a client to its end.
function M.serve(server, conn, peer, is_secure)
  local self = setmetatable({
    server = server, options = server.options, conn = conn, peer = peer, secure = is_secure, errors = 0, refusals = 0,
  }, Session)
  forget(self)
  if not self:open() then return end
  local _ <close> = internal.guard(function() -- also where the task is cancelled, which must not wait
    if not self.stream then return end
    self.stream:settimeout(0)
    self.stream:close()
  end)
  reply(self, 220, nil, server.hostname .. " ESMTP " .. server.options.ident)
  while step(self) do end
  if self.stream then self.stream:flush() end
end

return M
