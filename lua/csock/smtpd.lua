--- A server that takes mail: Python's `smtpd`.
--
--     local class, csock, smtpd = require "csock.class", require "csock", require "csock.smtpd"
--
--     local Server = class("Server", smtpd.SMTPServer)
--     function Server:process_message(peer, mailfrom, rcpttos, data, options)
--       print(("%d bytes from %s for %s"):format(#data, mailfrom, table.concat(rcpttos, ", ")))
--     end
--     local server = assert(Server({ "127.0.0.1", 8025 }))
--     csock.run()
--
-- Each client is served in a task of its own. The server has SIZE, 8BITMIME, SMTPUTF8, PIPELINING and
-- ENHANCEDSTATUSCODES, and where it is given what they need, STARTTLS and AUTH. It relays nothing and delivers
-- nothing: `process_message` gets each mail, `accept_sender` and `accept_recipient` say whose and for whom.
--
-- A message ends with CRLF, a dot and CRLF, and with nothing else, so that no other mail can be hidden in one. A CR or
-- an LF that is no part of CRLF is refused, in messages and in commands, unless the option `keep_newlines` is set: then
-- commands may end with LF, and messages come as they are. What a client sends in the clear behind STARTTLS ends the
-- connection.
--
-- Python's `PureProxy` and `MailmanProxy` are left out: what they do is to send each mail on, by @{csock.smtp}.
-- @module csock.smtpd
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local secure = require "csock.secure"
local session = require "csock.smtpd.session"

local M = {}

--- A server. Fields: `hostname`, `server` (that of @{csock.serve}).
-- Source: Python's `smtpd.SMTPServer`.
-- @type smtpserver
local SMTPServer = class("SMTPServer")
M.SMTPServer = SMTPServer

local OWN = {
  data_size_limit = { check.integer(1), 33554432 }, enable_SMTPUTF8 = { check.ANY, true, false },
  hostname = { check.STRING }, ident = { check.STRING, "csock" },
  timeout = { secure.SECONDS, 300, math.huge }, data_timeout = { secure.SECONDS, 600, math.huge },
  line_limit = { check.integer(512), 2048 }, max_recipients = { check.integer(1), 1000 },
  max_errors = { check.integer(0), 20 }, max_connections = { check.integer(1), 1000, math.huge },
  keep_newlines = { check.ANY, false, false },
  ssl = { secure.SERVER }, starttls = { secure.SERVER }, require_tls = { check.ANY, false, false },
  handshake_timeout = { secure.SECONDS, secure.HANDSHAKE_TIMEOUT }, handshake_failed = { check.FUNCTION },
  auth = { check.kind("function or table", function(value)
    return type(value) == "function" or type(value) == "table"
  end) },
  require_auth = { check.ANY, false, false }, insecure = { check.ANY, false, false },
  proxy_protocol = { check.TABLE }, family = { check.INTEGER }, backlog = { check.INTEGER },
  reuse_port = { check.ANY }, dualstack_ipv6 = { check.ANY },
}

-- Options that are csock.serve's.
local SERVING = {
  "max_connections", "ssl", "handshake_timeout", "handshake_failed", "proxy_protocol", "family", "backlog",
  "reuse_port", "dualstack_ipv6",
}

--- Made by calling the class: it listens at once, and serves while the loop runs.
-- @function csock.smtpd.SMTPServer
-- @param localaddr where to listen: as for `csock.create_server`, or a listening socket
-- @param[opt] remoteaddr for Python's sake: nothing is sent on
-- @tparam[opt] table options those of `csock.create_server`, `proxy_protocol` of @{csock.serve}, and
-- @tparam[opt=33554432] int options.data_size_limit the most bytes of a message
-- @tparam[opt=true] boolean options.enable_SMTPUTF8 false: addresses in ASCII alone
-- @tparam[opt] string options.hostname what the server calls itself (default: this machine's name)
-- @tparam[opt="csock"] string options.ident what stands behind it in the greeting
-- @tparam[opt=300] number options.timeout how many seconds a client may take for each command
-- @tparam[opt=600] number options.data_timeout how many seconds it may take for a message
-- @tparam[opt=2048] int options.line_limit the most bytes of a command
-- @tparam[opt=1000] int options.max_recipients of one mail
-- @tparam[opt=20] int options.max_errors after so many wrong commands the client is sent away
-- @tparam[opt=1000] int options.max_connections how many clients are served at once; others wait
-- @tparam[opt=false] boolean options.keep_newlines true: a CR or LF by itself is no error, and a message has its lines'
-- ends as they came
-- @tparam[opt] SSLContext options.ssl a server's context: TLS from the first byte on
-- @tparam[opt] SSLContext options.starttls a server's context: STARTTLS is offered
-- @tparam[opt=false] boolean options.require_tls true: neither mails nor logins before STARTTLS
-- @tparam[opt=10] number options.handshake_timeout seconds for TLS's handshake
-- @tparam[opt] function options.handshake_failed called with the error and the address when it has failed
-- @param[opt] options.auth AUTH is offered: a function `(user)` that gives the user's password, or what `verifier` has
-- made of it, or nil; or a table of such functions: `password`, as that; `check(user, password, authzid)`, whether they
-- are right (for PLAIN and LOGIN); `token(user, token)` (for XOAUTH2); and `mechanisms`, a list: none but these
-- @tparam[opt=false] boolean options.require_auth true: no mails before a login
-- @tparam[opt=false] boolean options.insecure true: logins that show the password are offered in the clear, too
-- @treturn[1] smtpserver
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(smtpd.SMTPServer {"127.0.0.1", 0})
-- print(server:getsockname().port > 0) --> true
-- server:close()
function SMTPServer:__init(localaddr, remoteaddr, options)
  local shifted = options == nil and type(remoteaddr) == "table" and remoteaddr[1] == nil
  if shifted then remoteaddr, options = nil, remoteaddr end
  self.remoteaddr = remoteaddr
  options = check.options(options, OWN, 3, self.__class.__name)
  if type(options.auth) == "function" then options.auth = { password = options.auth } end
  if options.require_auth and not options.auth then
    check.bad(self.__class.__name, 3, "option 'require_auth' without 'auth'")
  end
  if options.require_tls and not (options.starttls or options.ssl) then
    check.bad(self.__class.__name, 3, "option 'require_tls' without 'starttls' or 'ssl'")
  end
  self.options, self.hostname = options, options.hostname or csock.gethostname()
  local serving = {}
  for _, name in ipairs(SERVING) do serving[name] = options[name] end
  local err, errno
  self.server, err, errno = csock.serve(localaddr, function(conn, addr)
    session.serve(self, conn, addr, options.ssl ~= nil)
  end, serving)
  if not self.server then return nil, err, errno end
end

--- Gets each mail. May be overridden; this one takes all, and does nothing with them. It may wait: other clients are
-- served meanwhile.
-- Source: Python's `SMTPServer.process_message`.
-- @function smtpserver:process_message
-- @tparam address peer the client's
-- @tparam string mailfrom the sender's address; `""`: nobody, as bounces have it
-- @tparam {string,...} rcpttos the recipients' addresses
-- @tparam string data the message, its lines with line feeds between, without the last one's
-- @tparam table options `mail_options` and `rcpt_options` (sequences of words), `user` (who has logged in), `secure`
-- (whether TLS is on), `helo` (what the client calls itself), `esmtp`
-- @treturn[1] nil the mail was taken: the client hears 250
-- @treturn[2] string another answer: `"550 5.7.1 not here"`
-- @usage
-- local Server = class("Server", smtpd.SMTPServer)
-- function Server:process_message(peer, mailfrom, rcpttos, data) print(data) end
function SMTPServer.process_message() end

--- Says whether mails of this sender are taken. May be overridden; this one takes all.
-- @function smtpserver:accept_sender
-- @tparam address peer
-- @tparam string sender
-- @tparam table options as for `process_message`
-- @treturn[1] nil they are
-- @treturn[2] string the answer that refuses it
-- @usage
-- local Server = class("Server", smtpd.SMTPServer)
-- function Server:accept_sender(peer, sender)
--   if sender:find "@example.com$" then return "550 5.7.1 not you" end
-- end
function SMTPServer.accept_sender() end

--- Says whether mails for this recipient are taken. May be overridden; this one takes all.
-- @function smtpserver:accept_recipient
-- @tparam address peer
-- @tparam string recipient
-- @tparam table options as for `process_message`
-- @treturn[1] nil they are
-- @treturn[2] string the answer that refuses it
-- @usage
-- local Server = class("Server", smtpd.SMTPServer)
-- function Server:accept_recipient(peer, recipient)
--   if not recipient:find "@example.org$" then return "550 5.7.1 no relaying" end
-- end
function SMTPServer.accept_recipient() end

--- The address that it listens on.
-- @treturn address
-- @usage
-- local server = assert(smtpd.SMTPServer {"127.0.0.1", 0})
-- print(server:getsockname().host) --> 127.0.0.1
-- server:close()
function SMTPServer:getsockname() return self.server:getsockname() end

--- Stops listening, and ends the connections.
-- Source: Python's `SMTPServer.close`.
-- @tparam[opt] table options
-- @tparam[opt=0] number options.drain how many seconds the clients have to come to an end by themselves
-- @treturn int how many did not
-- @usage
-- local server = assert(smtpd.SMTPServer {"127.0.0.1", 0})
-- server:close()
function SMTPServer:close(options) return self.server:close(options) end

SMTPServer.__close = function(self) self:close() end

--- A server that prints each mail.
-- Source: Python's `smtpd.DebuggingServer`.
-- @type debuggingserver
local DebuggingServer = class("DebuggingServer", SMTPServer)
M.DebuggingServer = DebuggingServer

--- Made by calling the class, by the arguments of @{csock.smtpd.SMTPServer}.
-- @function csock.smtpd.DebuggingServer
-- @param localaddr
-- @param[opt] remoteaddr
-- @tparam[opt] table options
-- @treturn[1] debuggingserver
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(smtpd.DebuggingServer {"127.0.0.1", 0})
-- server:close()

local function show_options(name, words)
  if #words > 0 then print(("%s options: %s"):format(name, table.concat(words, " "))) end
end

function DebuggingServer.process_message(_, peer, _, _, data, options)
  print "---------- MESSAGE FOLLOWS ----------"
  show_options("mail", options.mail_options)
  show_options("rcpt", options.rcpt_options)
  local inside = true
  for line in (data .. "\n"):gmatch "([^\n]*)\n" do
    if inside and line == "" then
      print("X-Peer: " .. tostring(peer.host))
      inside = false
    end
    print(line)
  end
  print "------------ END MESSAGE ------------"
end

--- Makes of a password what a server can keep in its place: it tells who knows the password (PLAIN, LOGIN,
-- SCRAM-SHA-256), and whoever steals it still has to guess.
-- @function verifier
-- @tparam string password
-- @treturn table `salt`, `iterations`, `stored_key`, `server_key`
-- @raise without the module csock.tls
-- @usage
-- local kept = {jane = smtpd.verifier "secret"}
-- local server = assert(smtpd.SMTPServer({"127.0.0.1", 0}, nil, {auth = function(user) return kept[user] end}))
-- server:close()
function M.verifier(password) return require "csock.wire.sasl".verifier(password) end

return M
