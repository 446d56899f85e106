--- The client of FTP (RFC 959, 2228, 2389, 2428, 3659, 4217): Python's ftplib.
--
--     local ftps = require "csock.ftp"
--
--     local ftp <close> = assert(ftps.FTP("ftp.example.org", { timeout = 30 }))
--     assert(ftp:login())                                   -- as "anonymous"
--     for name, facts in pairs(assert(ftp:mlsd "/pub")) do print(name, facts.size) end
--     local file <close> = assert(io.open("README", "wb"))
--     assert(ftp:retrbinary("RETR README", file))
--     ftp:quit()
--
-- **Results** are Python's: the reply, as `"250 done"`. A refusal is an error with `code`, `text` and `kind`:
-- "temporary" (4xx), "permanent" (5xx).
--
-- **Data connections** are opened by this side (passive: `EPSV`, then `PASV`), or by the server (`set_pasv(false)`:
-- `EPRT`, then `PORT`). Nobody connects to the address in a `PASV` reply, by which a server could have others attacked:
-- it is the server's own that counts, and of who connects, too.
--
-- **Time.** `timeout` is for each call; while a file passes, for each piece of it, so that a large one has the time it
-- needs, and one that stands still ends.
--
-- What goes wrong in the middle of a reply ends the conversation: each call after it gives the same error. What is cut
-- in a transfer is an error as well: the server must say that all of it has passed.
-- @module csock.ftp
local check = require "csock.check"
local class = require "csock.class"
local data = require "csock.ftp.data"
local dialog = require "csock.wire.dialog"
local listing = require "csock.ftp.listing"
local replies = require "csock.ftp.replies"
local transfers = require "csock.ftp.transfers"

local failure = replies.failure

local M = {}

--- The port: 21.
-- @field FTP_PORT
M.FTP_PORT = 21

local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)

local OPTIONS = dialog.rows {
  port = { check.integer(0, 65535) }, user = { check.STRING }, passwd = { check.STRING }, acct = { check.STRING },
  trust_server_pasv_ipv4_address = { BOOLEAN, false, false },
}

-- --- the connection -------------------------------------------------------------------------------

--- A connection to a server.
-- Source: Python's `ftplib.FTP`.
-- @type ftp
local FTP = class("FTP")
M.FTP = FTP

FTP.__tls = false

-- Connects, and has `enter` called, in one operation: the greeting.
local function open(self, host, port, enter)
  local settings = dialog.settings({ what = "FTP", goodbye = 421, free_lines = true }, self.options)
  self.host, self.port = host, port or M.FTP_PORT
  local made, err, errno = dialog.connect(host, self.port, settings, function(d)
    local code, text, number = d:reply()
    while code == 120 do code, text, number = d:reply() end -- it will be there soon
    if not code then return nil, text, number end
    if code ~= 220 then return d:refusal(code, text) end
    self.d, self.welcome, self.logged_in = d, replies.whole(code, text), false
    return enter()
  end)
  if made then return self.welcome end
  self.d = nil
  return nil, err, errno
end

--- Made by calling the class: connects where there is a host, and logs in where there is a user.
-- @function csock.ftp.FTP
-- @tparam[opt] string host
-- @tparam[opt] table options
-- @tparam[opt=21] int options.port
-- @tparam[opt] string options.user log in as this one
-- @tparam[opt] string options.passwd with this password
-- @tparam[opt] string options.acct and this account
-- @tparam[opt] number options.timeout seconds that connecting, each call, and each piece of a file may take (default:
-- the default timeout)
-- @param[opt] options.source_address an address of this side
-- @tparam[opt] context options.context for TLS (default: see `csock.ssl`)
-- @tparam[opt] string options.server_hostname whose certificate must be shown (default: the host's; false: anybody's)
-- @tparam[opt] socket options.socket a connected socket, in the place of the host
-- @tparam[opt=8192] int options.limit bytes of a line
-- @tparam[opt=67108864] int options.block_limit bytes of a listing
-- @tparam[opt=0] int options.debuglevel 1: what passes is told on standard error (but no passwords)
-- @tparam[opt=false] boolean options.trust_server_pasv_ipv4_address connect to the address that a `PASV` reply names,
-- whoever that is
-- @treturn[1] ftp
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:getwelcome()) --> 220 ready
function FTP:__init(host, options)
  options = check.options(options, OPTIONS, 2, "FTP")
  self.options, self.passive, self.encoding = options, true, "utf-8"
  self.trust_server_pasv_ipv4_address = options.trust_server_pasv_ipv4_address
  if not host and not options.socket then return end
  local ok, err, errno = open(self, host, options.port, function()
    if not options.user then return true end
    return self:login(options.user, options.passwd, options.acct)
  end)
  if not ok then return nil, err, errno end
end

--- Connects one that has no connection.
-- @tparam string host
-- @tparam[opt=21] int port
-- @treturn[1] string the greeting
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = ftps.FTP()
-- print(ftp:connect("localhost", 21)) --> 220 ready
function FTP:connect(host, port)
  if self.d then return failure("EISCONN", "connected already") end
  return open(self, host, port, function() return true end)
end

--- What the server has greeted with.
-- @treturn string
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:getwelcome()) --> 220 ready
function FTP:getwelcome() return self.welcome end

--- With a level above 0 what passes is told on standard error (but no passwords).
-- @tparam int level
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- ftp:set_debuglevel(0)
function FTP:set_debuglevel(level)
  check.argument(check.integer(0), level, 1, "set_debuglevel")
  if self.d then self.d.debuglevel = level end
end

--- Whether data connections are opened by this side (the default), or by the server.
-- @tparam boolean passive
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- ftp:set_pasv(false)
function FTP:set_pasv(passive) self.passive = passive and true or false end

--- Logs in, in the clear unless the connection is over TLS.
-- @tparam[opt="anonymous"] string user
-- @tparam[opt] string passwd (default: of "anonymous" `anonymous@`, else "")
-- @tparam[opt] string acct
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:login()) --> 230 in
function FTP:login(user, passwd, acct)
  user = check.argument(replies.LINE, user or "anonymous", 1, "login")
  passwd = check.argument(replies.LINE, passwd or user == "anonymous" and "anonymous@" or "", 2, "login")
  if acct then check.argument(replies.LINE, acct, 3, "login") end
  return replies.run(self, function(d)
    local ready, err, errno = self:__ready()
    if not ready then return nil, err, errno end
    local reply, code, text = replies.ask(d, "USER " .. user, nil, 230, 331, 332)
    if code == 331 then reply, code, text = replies.ask(d, "PASS " .. passwd, "PASS ...", 2, 332) end
    if code == 332 and acct then reply, code, text = replies.ask(d, "ACCT " .. acct, "ACCT ...", 2) end
    if reply and code // 100 ~= 2 then return d:refusal(code, text) end
    if not reply then return nil, code, text end
    self.logged_in = true
    return reply
  end)
end

-- Called before logging in: FTP_TLS goes over to TLS here.
function FTP.__ready() return true end

-- --- commands -------------------------------------------------------------------------------------

--- Sends a command, and gives the reply, unless that is a refusal (4xx, 5xx).
-- @tparam string line
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:sendcmd "NOOP") --> 200 ok
function FTP:sendcmd(line)
  return replies.short(self, check.argument(replies.LINE, line, 1, "sendcmd"), 1, 2, 3)
end

--- The same where anything but success (2xx) is a refusal.
-- @tparam string line
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:voidcmd "NOOP") --> 200 ok
function FTP:voidcmd(line) return replies.short(self, check.argument(replies.LINE, line, 1, "voidcmd"), 2) end

--- Goes to a directory; ".." is the one above.
-- @tparam string directory
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:cwd "/pub") --> 250 done
function FTP:cwd(directory)
  check.argument(replies.LINE, directory, 1, "cwd")
  return replies.run(self, function()
    if directory == ".." then
      local reply, err, errno = self:voidcmd "CDUP"
      if reply then return reply end
      if err.code ~= 500 then return nil, err, errno end
    end
    return self:voidcmd("CWD " .. (directory ~= "" and directory or "."))
  end)
end

--- The directory that it is in.
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:pwd()) --> /pub
function FTP:pwd()
  local reply, err, errno = self:voidcmd "PWD"
  if not reply then return nil, err, errno end
  return replies.quoted(reply) or ""
end

--- Makes a directory.
-- @tparam string directory
-- @treturn[1] string how the server calls it
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:mkd "new") --> /pub/new
function FTP:mkd(directory)
  local reply, err, errno = self:voidcmd("MKD " .. check.argument(replies.LINE, directory, 1, "mkd"))
  if not reply then return nil, err, errno end
  return replies.quoted(reply) or ""
end

--- Removes a directory.
-- @tparam string name
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:rmd "old") --> 250 done
function FTP:rmd(name) return self:voidcmd("RMD " .. check.argument(replies.LINE, name, 1, "rmd")) end

--- Removes a file.
-- @tparam string name
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:delete "old") --> 250 done
function FTP:delete(name) return self:voidcmd("DELE " .. check.argument(replies.LINE, name, 1, "delete")) end

--- Gives a file another name.
-- @tparam string fromname
-- @tparam string toname
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:rename("old", "new")) --> 250 done
function FTP:rename(fromname, toname)
  check.argument(replies.LINE, fromname, 1, "rename")
  check.argument(replies.LINE, toname, 2, "rename")
  return replies.run(self, function(d)
    local reply, code, text = replies.ask(d, "RNFR " .. fromname, nil, 3)
    if not reply then return nil, code, text end
    return replies.only(replies.ask(d, "RNTO " .. toname, nil, 2))
  end)
end

--- How large a file is (RFC 3659). Of most servers that is told only of binary transfers: `voidcmd "TYPE I"`.
-- @tparam string name
-- @treturn[1] int bytes; nil where the server says no number
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:size "README") --> 5
function FTP:size(name)
  local reply, err, errno = self:sendcmd("SIZE " .. check.argument(replies.LINE, name, 1, "size"))
  if not reply then return nil, err, errno end
  return replies.number(reply:match "^213 +(%d+)")
end

--- Has the server end a transfer that `ntransfercmd` has begun.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:abort()) --> 226 nothing to abort
function FTP:abort() return replies.short(self, "ABOR", 225, 226, 426) end

--- Ends the session, and closes the connection.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:quit()) --> 221 bye
function FTP:quit()
  local reply, err, errno = self:voidcmd "QUIT"
  self:close()
  if not reply then return nil, err, errno end
  return reply
end

--- Closes the connection. Closing again is harmless.
-- @treturn boolean true
-- @usage
-- local ftp = ftps.FTP()
-- ftp:close()
function FTP:close()
  if self.d then self.d:close() end
  self.d = nil
  return true
end

FTP.__close = FTP.close

for _, methods in ipairs { data, transfers, listing } do
  for name, method in pairs(methods) do FTP[name] = method end
end

-- --- over TLS -------------------------------------------------------------------------------------

--- The same over TLS (RFC 4217): before it logs in it goes over to TLS, or does not log in. Data are in the clear until
-- `prot_p`.
-- Source: Python's `ftplib.FTP_TLS`.
-- @function csock.ftp.FTP_TLS
-- @tparam[opt] string host
-- @tparam[opt] table options those of `FTP`
-- @treturn[1] ftp_tls
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp, err = ftps.FTP_TLS("localhost", {port = 1})
-- print(ftp, err.name) --> nil ECONNREFUSED
M.FTP_TLS = class("FTP_TLS", FTP)

--- One over TLS: an `ftp`, and
-- @type ftp_tls
local FTP_TLS = M.FTP_TLS

function FTP_TLS:__ready()
  if self.d and self.d.secure then return true end
  return self:auth()
end

--- Goes over to TLS.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EISCONN`: the connection is over TLS already)
-- @usage print((pcall(ftps.FTP_TLS().auth))) --> false
function FTP_TLS:auth()
  if self.d and self.d.secure then return failure("EISCONN", "the connection is over TLS already") end
  return replies.run(self, function(d)
    local reply, code, text = replies.ask(d, "AUTH TLS", nil, 234)
    if not reply then return nil, code, text end
    local ok, err, errno = d:starttls(self.options.context)
    if not ok then return nil, err, errno end
    return reply
  end)
end

-- Both commands in one operation.
local function protect(self, level)
  return replies.run(self, function()
    local reply, err, errno = self:voidcmd "PBSZ 0"
    if reply then reply, err, errno = self:voidcmd("PROT " .. level) end
    if not reply then return nil, err, errno end
    self.private = level == "P"
    return reply
  end)
end

--- Has data connections be over TLS from now on.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print((select(2, ftps.FTP_TLS():prot_p())).name) --> EBADF
function FTP_TLS:prot_p() return protect(self, "P") end

--- Has data connections be in the clear from now on.
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print((select(2, ftps.FTP_TLS():prot_c())).name) --> EBADF
function FTP_TLS:prot_c() return protect(self, "C") end

--- Not there: going back from TLS to the clear (`CCC`) would leave what follows to whoever listens.
-- @function ftp_tls:ccc
-- @treturn nil
-- @treturn error
-- @treturn int errno (`EOPNOTSUPP`)
-- @usage print((select(2, ftps.FTP_TLS():ccc())).name) --> EOPNOTSUPP
function FTP_TLS.ccc() return failure("EOPNOTSUPP", "the conversation stays over TLS") end

return M
