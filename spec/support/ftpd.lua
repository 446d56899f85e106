--- A server of FTP for specs, as far as they go: files in a table, and whatever else a spec wants said.
--
--     local server = ftpd.serve({ README = "hello" }, { answers = { SYST = "215 UNIX" } })   -- in this process's loop
--     server:getsockname().port, server.files, server.heard (lines), server.peers (of data connections)
--
-- Options: `answers`: verb -> reply, in the place of what it would do; `address`: what PASV names; `ssl`: a context for
-- AUTH TLS and data; `cut`: bytes after which a file breaks off; `verdict`: what comes behind a transfer.
local csock = require "csock"

local M = {}

local DONE = "226 done"

local function names(files)
  local list = {}
  for name in pairs(files) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local Visit = {}
Visit.__index = Visit

local function listen(self)
  self.listener = assert(csock.create_server({ self.here.host, 0 }, { family = self.here.family }))
  return self.listener:getsockname().port
end

-- The data connection: one that was agreed upon.
function Visit:data()
  local sock
  if self.target then
    sock = assert(csock.create_connection(self.target))
  else
    sock = self.listener:accept()
    self.listener:close()
  end
  self.target, self.listener = nil, nil
  if self.private then assert(self.options.ssl:wrap_socket(sock, { server_side = true })) end
  return sock
end

function Visit:send(name)
  local bytes, cut = name, self.options.cut
  self:say "150 here it comes (5 bytes)"
  local sock <close> = self:data()
  sock:sendall(bytes:sub((self.rest or 0) + 1, cut))
  self.rest = nil
  sock:shutdown(csock.SHUT_WR)
  sock:recv(1)
  sock:close()
  return self.options.verdict or DONE
end

function Visit:take(name, append)
  self:say "150 go on"
  local sock <close> = self:data()
  local stream <close> = sock:makefile "r"
  local before = append and self.files[name] or self.rest and (self.files[name] or ""):sub(1, self.rest) or ""
  self.files[name] = before .. (stream:read "a" or "")
  self.rest = nil
  return self.options.verdict or DONE
end

local VERBS = {
  USER = function(_, name) return name == "anonymous" and "230 in" or "331 who says so" end,
  PASS = function() return "230 in" end,
  TYPE = function() return "200 type" end, NOOP = function() return "200 ok" end,
  PWD = function() return '257 "/pub" is here' end,
  MKD = function(_, name) return ('257 "/pub/%s" made'):format(name) end,
  CWD = function() return "250 done" end, CDUP = function() return "250 done" end,
  RMD = function() return "250 done" end, DELE = function() return "250 done" end,
  RNFR = function() return "350 and" end, RNTO = function() return "250 done" end,
  ABOR = function() return "226 nothing to abort" end, PBSZ = function() return "200 ok" end,
  SIZE = function(self, name) return self.files[name] and "213 " .. #self.files[name] or "550 no such file" end,
  REST = function(self, offset)
    self.rest = tonumber(offset)
    return "350 from there"
  end,
  EPSV = function(self) return ("229 go (|||%d|)"):format(listen(self)) end,
  PASV = function(self)
    local port = listen(self)
    local place = (self.options.address or self.here.host):gsub("%.", ",")
    return ("227 go (%s,%d,%d)"):format(place, port // 256, port % 256)
  end,
  EPRT = function(self, text)
    local host, port = text:match "^|%d|([^|]+)|(%d+)|$"
    self.target = { host, tonumber(port) }
    return "200 ok"
  end,
  PORT = function(self, text)
    local a, b, c, d, high, low = text:match "^(%d+),(%d+),(%d+),(%d+),(%d+),(%d+)$"
    self.target = { ("%s.%s.%s.%s"):format(a, b, c, d), high * 256 + low }
    return "200 ok"
  end,
  RETR = function(self, name)
    if not self.files[name] then return "550 no such file" end
    return self:send(self.files[name])
  end,
  STOR = function(self, name) return self:take(name) end,
  APPE = function(self, name) return self:take(name, true) end,
  NLST = function(self) return self:send(table.concat(names(self.files), "\r\n") .. "\r\n") end,
  LIST = function(self)
    return self:send("-rw-r--r-- " .. table.concat(names(self.files), "\r\n-rw-r--r-- ") .. "\r\n")
  end,
  MLSD = function(self)
    local lines = { "type=cdir;unix.mode=0755; ." }
    for i, name in ipairs(names(self.files)) do
      lines[i + 1] = ("Type=file;Size=%d; %s"):format(#self.files[name], name)
    end
    return self:send(table.concat(lines, "\r\n") .. "\r\n")
  end,
  OPTS = function() return "200 ok" end,
  PROT = function(self, level)
    self.private = level == "P"
    return "200 ok"
  end,
}

function Visit:say(text) return self.stream:write(text, "\r\n") and self.stream:flush() end

local function attend(server, conn)
  local self = setmetatable({
    conn = conn, files = server.files, options = server.options, here = conn:getsockname(),
  }, Visit)
  self.stream = conn:makefile "rw"
  self:say(server.options.greeting or "220 ready")
  while true do
    local line = self.stream:read()
    if not line then return end
    line = line:gsub("\r$", "")
    server.heard[#server.heard + 1] = line
    local verb, argument = line:match "^(%S*) ?(.*)$"
    local answer = server.options.answers and server.options.answers[verb]
    if not answer and verb == "AUTH" and server.options.ssl then
      self:say "234 go on"
      self.stream:close()
      if not server.options.ssl:wrap_socket(conn, { server_side = true }) then return end
      self.stream = conn:makefile "rw"
    else
      if not answer then answer = VERBS[verb] and VERBS[verb](self, argument) end
      self:say(answer or verb == "QUIT" and "221 bye" or "500 what")
      if verb == "QUIT" then return end
    end
  end
end

function M.serve(files, options, address)
  local server = { files = files, options = options or {}, heard = {} }
  local running, err = csock.serve(address or { "127.0.0.1", 0 }, function(conn) attend(server, conn) end)
  if not running then return nil, err end
  server.running, server.port = running, running:getsockname().port
  function server.close() return running:close() end
  return setmetatable(server, { __close = server.close })
end

return M
