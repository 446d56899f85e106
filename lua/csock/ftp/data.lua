--- Data connections: who opens them, and where to.
-- @module csock.ftp
local check = require "csock.check"
local csock = require "csock"
local internal = require "csock.loop.internal"
local replies = require "csock.ftp.replies"
local secure = require "csock.secure"

-- The methods: csock.ftp gives them to its class.
local FTP = {}

-- --- opened by this side --------------------------------------------------------------------------

-- The port of a reply to EPSV (RFC 2428): "(|||port|)", with any mark; nil for none.
local function port_of_epsv(text)
  local mark, port = text:match "%(([!-~])%1%1(%d+)%1%)"
  port = mark and replies.number(port)
  return port and port > 0 and port < 65536 and port or nil
end

-- Address and port of a reply to PASV; nil for none.
local function place_of_pasv(text)
  local a, b, c, d, high, low = text:match "(%d+),(%d+),(%d+),(%d+),(%d+),(%d+)"
  local numbers = { a, b, c, d, high, low }
  for i, digits in ipairs(numbers) do
    numbers[i] = replies.number(digits)
    if not numbers[i] or numbers[i] > 255 then return nil end
  end
  if #numbers < 6 then return nil end
  return table.concat(numbers, ".", 1, 4), numbers[5] * 256 + numbers[6]
end

-- Refusals after which the older command is worth a try.
local UNKNOWN = { [500] = true, [501] = true, [502] = true, [504] = true, [522] = true }

-- Asks where to connect to, in an operation: host, port; nil, err, errno.
local function passive_place(self, d)
  local peer, err, errno = d.socket:getpeername()
  if not peer then return nil, err, errno end
  if not self.without_epsv then
    local reply, code, text = replies.ask(d, "EPSV", nil, 229)
    if reply then
      local port = port_of_epsv(text)
      if not port then return d:protest(("no port in the reply to EPSV: %q"):format(text:sub(1, 80))) end
      return peer.host, port
    end
    if not code.code or peer.family ~= csock.AF_INET or not UNKNOWN[code.code] then return nil, code, text end
    self.without_epsv = true
  end
  local reply, code, text = replies.ask(d, "PASV", nil, 227)
  if not reply then return nil, code, text end
  local host, port = place_of_pasv(text)
  if not host then return d:protest(("no address in the reply to PASV: %q"):format(text:sub(1, 80))) end
  return self.trust_server_pasv_ipv4_address and host or peer.host, port
end

--- Has the server listen for a data connection: where.
-- @treturn[1] string host
-- @treturn[1] int port
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(math.type(select(2, ftp:makepasv()))) --> integer
function FTP:makepasv() return replies.run(self, function(d) return passive_place(self, d) end) end

-- --- opened by the server -------------------------------------------------------------------------

--- Says by `PORT` where this side listens (IPv4).
-- @tparam string host
-- @tparam int port
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:sendport("127.0.0.1", 5000)) --> 200 ok
function FTP:sendport(host, port)
  local place = { host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  if not place[1] then check.expected("sendport", 1, "IPv4 address", host) end
  check.argument(check.integer(1, 65535), port, 2, "sendport")
  table.move({ port // 256, port % 256 }, 1, 2, 5, place)
  return self:voidcmd("PORT " .. table.concat(place, ","))
end

--- Says by `EPRT` where this side listens (IPv4 and IPv6, RFC 2428).
-- @tparam string host
-- @tparam int port
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:sendeprt("::1", 5000)) --> 200 ok
function FTP:sendeprt(host, port)
  if type(host) ~= "string" or host:find "[^%x:.]" then check.expected("sendeprt", 1, "address", host) end
  check.argument(check.integer(1, 65535), port, 2, "sendeprt")
  return self:voidcmd(("EPRT |%d|%s|%d|"):format(host:find(":", 1, true) and 2 or 1, host, port))
end

--- Listens for a data connection, and tells the server where.
-- @treturn[1] socket it listens
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- local listener <close> = assert(ftp:makeport())
function FTP:makeport()
  return replies.run(self, function(d)
    local here, err, errno = d.socket:getsockname()
    if not here then return nil, err, errno end
    local listener
    listener, err, errno = csock.create_server({ here.host, 0 }, { family = here.family, backlog = 1 })
    if not listener then return nil, err, errno end
    local holder <close> = internal.holder(listener)
    local port, ok = listener:getsockname().port
    ok, err, errno = self:sendeprt(here.host, port)
    if not ok and err.code and UNKNOWN[err.code] and here.family == csock.AF_INET then
      ok, err, errno = self:sendport(here.host, port)
    end
    if not ok then return nil, err, errno end
    return holder:take()
  end)
end

-- --- both -----------------------------------------------------------------------------------------

-- Puts TLS under a data connection: with the session of the conversation, as servers want it that way to know whose it
-- is.
local function cover(self, sock, seconds)
  if not self.private then return sock end
  local d = self.d
  return secure.connect(self.options.context or true, sock, {
    server_hostname = d.server_hostname or nil, session = d.secure and d.socket:session() or nil,
  }, seconds)
end

-- Waits for the server: nobody else may connect.
local function accept(self, listener, seconds)
  local left = internal.countdown(seconds)
  local peer = self.d.socket:getpeername()
  while true do
    listener:settimeout(left() or nil)
    local sock, from, errno = listener:accept()
    if not sock then return nil, from, errno end
    if from.host == peer.host then return sock end
    sock:close()
  end
end

-- The size that a reply to RETR tells; nil where it does not.
local function size_of(text) return replies.number(text:match "%((%d+) bytes%)") end

-- Sends a command, and opens the data connection of it, in an operation: the socket, the size that the server tells, or
-- nil; nil, err, errno.
local function open(self, d, line, rest)
  local host, port, errno, listener
  if self.passive then
    host, port, errno = passive_place(self, d)
    if not host then return nil, port, errno end
  else
    listener, port, errno = self:makeport()
    if not listener then return nil, port, errno end
  end
  local holder <close> = internal.holder(listener)
  if not listener then
    local sock, err, number = csock.create_connection({ host, port }, {
      timeout = d:remaining() or false, source_address = self.options.source_address,
    })
    if not sock then return nil, err, number end
    holder:hold(sock)
  end
  if rest then
    local reply, err, number = replies.ask(d, ("REST %d"):format(rest), nil, 3)
    if not reply then return nil, err, number end
  end
  local reply, code, text = replies.ask(d, line, nil, 1)
  if not reply then return nil, code, text end
  if listener then
    local sock, err, number = accept(self, listener, d:remaining())
    if not sock then return d:fail(err, number) end
    listener:close()
    holder:hold(sock)
  end
  local sock, err, number = cover(self, holder:take(), d:remaining())
  if not sock then return d:fail(err, number) end
  sock:settimeout(d.timeout or nil)
  return sock, size_of(text)
end

FTP.__open = open

--- Sends a command that moves data, and gives the connection for them. When they have passed, and it is closed, the
-- server's verdict is read by `voidresp`.
-- @tparam string line `"RETR name"` ...
-- @tparam[opt] int rest the byte to begin at
-- @treturn[1] socket
-- @treturn[1] ?int how many bytes will come, where the server tells
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- local sock, size = ftp:ntransfercmd "RETR README"
-- print(sock:recv(100), size) --> hello 5
-- sock:close()
-- print(ftp:voidresp()) --> 226 done
function FTP:ntransfercmd(line, rest)
  check.argument(replies.LINE, line, 1, "ntransfercmd")
  if rest ~= nil then check.argument(check.integer(0), rest, 2, "ntransfercmd") end
  return replies.run(self, function(d) return open(self, d, line, rest) end)
end

--- The same without the size.
-- @tparam string line
-- @tparam[opt] int rest
-- @treturn[1] socket
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- ftp:transfercmd("RETR README"):close()
function FTP:transfercmd(line, rest)
  local sock, err, errno = self:ntransfercmd(line, rest)
  if not sock then return nil, err, errno end
  return sock
end

--- Reads the server's verdict on a transfer: it must be success (2xx).
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- ftp:transfercmd("RETR README"):close()
-- print(ftp:voidresp()) --> 226 done
function FTP:voidresp()
  return replies.run(self, function(d)
    local code, text, errno = d:ok(2)
    if not code then return nil, text, errno end
    return replies.whole(code, text)
  end)
end

FTP.__places = { port_of_epsv = port_of_epsv, place_of_pasv = place_of_pasv }

return FTP
