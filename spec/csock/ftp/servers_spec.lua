-- The client of FTP with servers that others have made: vsftpd, and Python's pyftpdlib; beside Python's ftplib.
local contexts = require "spec.support.contexts"
local certificates = require "spec.support.certificates"
local csock = require "csock"
local ftps = require "csock.ftp"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness

local function has(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local PYTHON3 = has "/usr/bin/python3" and "/usr/bin/python3" or "python3" -- the one that has Debian's modules

local function free_port()
  local sock <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return sock:getsockname().port
end

-- Waits until somebody listens there.
local function wait_for(server, port)
  for _ = 1, 200 do
    local sock = csock.create_connection { "127.0.0.1", port }
    if sock then
      sock:close()
      return
    end
    if not server:running() then break end
    csock.sleep(0.05)
  end
  error("it does not listen: " .. server:read_all())
end

local PYTHON = [[
import sys, logging
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer
logging.disable(logging.CRITICAL)
root, host, certificate = sys.argv[1], sys.argv[2], sys.argv[3]
authorizer = DummyAuthorizer()
authorizer.add_user("jane", "secret", root, perm="elradfmwMT")
authorizer.add_anonymous(root)
handler = TLS_FTPHandler if certificate else FTPHandler
handler.authorizer = authorizer
if certificate:
    handler.certfile, handler.keyfile = certificate, sys.argv[4]
    handler.tls_control_required = handler.tls_data_required = True
server = FTPServer((host, 0), handler)
print(server.address[1], flush=True)
server.serve_forever()
]]

local dir

local function python_server(host, tls)
  local found = process.start { PYTHON3, "-c", "import pyftpdlib, OpenSSL" }
  if found:wait() ~= 0 then return nil, "no python3-pyftpdlib, or no python3-openssl" end
  local good = certificates.good or {}
  local server = keep(process.start { PYTHON3, "-W", "ignore", "-c", PYTHON, dir .. "/files", host,
    tls and good.cert or "", tls and good.key or "" })
  return tonumber(server:expect "(%d+)\n")
end

local VSFTPD = [[
listen=YES
background=NO
listen_address=127.0.0.1
listen_port=%d
anonymous_enable=YES
anon_root=%s/files
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
no_anon_password=YES
write_enable=YES
run_as_launching_user=YES
secure_chroot_dir=%s/empty
pasv_address=127.0.0.1
xferlog_enable=NO
port_enable=YES
connect_from_port_20=NO
seccomp_sandbox=NO
allow_writeable_chroot=YES
]]

local function vsftpd()
  if not has "/usr/sbin/vsftpd" then return nil, "no vsftpd" end
  local port = free_port()
  local path = dir .. "/vsftpd.conf"
  local file = assert(io.open(path, "w"))
  file:write(VSFTPD:format(port, dir, dir))
  file:close()
  local server = keep(process.start { "/usr/sbin/vsftpd", path })
  wait_for(server, port)
  return port
end

local SERVERS = {
  ["pyftpdlib"] = function() return python_server "127.0.0.1" end,
  ["pyftpdlib over IPv6"] = function() return python_server "::1" end,
  ["vsftpd"] = vsftpd,
}

local function write(name, bytes)
  local file = assert(io.open(dir .. "/files/" .. name, "wb"))
  file:write(bytes)
  file:close()
end

local function read(name)
  local file <close> = assert(io.open(dir .. "/files/" .. name, "rb"))
  return file:read "a"
end

describe("a client of FTP", function()
  before_each(function()
    dir = assert(posix.mkdtemp())
    os.execute(("mkdir '%s/files' '%s/empty' && chmod 755 '%s'"):format(dir, dir, dir))
  end)
  after_each(function()
    keep.close()
    os.execute(("rm -rf '%s'"):format(dir))
  end)

  for name, start in pairs(SERVERS) do
    for _, passive in ipairs { true, false } do
      local opener = passive and "itself" or "the server"
      it(("speaks with %s, data connections opened by %s"):format(name, opener), function()
        local port, why = start()
        if not port then return pending(why) end
        local host = name:find "IPv6" and "::1" or "127.0.0.1"
        local large = ("0123456789abcdef"):rep(60000)
        write("README", "hello\n")
        write("large", large)
        csock.run(function()
          local ftp = keep(ftps.FTP(host, { port = port, timeout = LIMIT }))
          assert(ftp:login())
          ftp:set_pasv(passive)
          local pieces, last = {}, nil
          assert(ftp:retrbinary("RETR large", function(piece) pieces[#pieces + 1] = piece end,
            { progress = function(count) last = count end }))
          assert.is_true(large == table.concat(pieces))
          assert.equal(#large, last)
          pieces = {}
          assert(ftp:retrbinary("RETR large", function(piece) pieces[#pieces + 1] = piece end, { rest = 900000 }))
          assert.equal(large:sub(900001), table.concat(pieces))
          local names = {}
          for _, one in ipairs(assert(ftp:nlst())) do names[one:match "[^/]*$"] = true end
          assert.same({ README = true, large = true }, names)
          if name ~= "vsftpd" then -- which has no MLSD
            assert.equal("6", ftp:mlsd().README.size)
            assert(ftp:voidcmd "TYPE I")
            assert(ftp:login("jane", "secret"))
          end
          local lines = {}
          assert(ftp:retrlines("RETR README", function(line) lines[#lines + 1] = line end))
          assert.same({ "hello" }, lines)
          local made = assert(ftp:mkd "new")
          assert.matches("new$", made)
          assert(ftp:cwd "new")
          assert.matches("new$", ftp:pwd())
          assert(ftp:storbinary("STOR up", large))
          assert(ftp:voidcmd "NOOP") -- some say that all is done before they have closed the file
          assert.is_true(large == read "new/up")
          assert(ftp:rename("up", "down"))
          assert(ftp:delete "down")
          assert(ftp:cwd "..")
          assert(ftp:rmd "new")
          local _, err = ftp:retrbinary("RETR none", print)
          assert.equal(550, err.code)
          assert(ftp:quit())
        end)
      end)
    end
  end

  it("speaks with a server that wants TLS for everything", function()
    if contexts.missing then return pending(contexts.missing) end
    local port, why = python_server("127.0.0.1", true)
    if not port then return pending(why) end
    write("README", ("hello\n"):rep(50000))
    csock.run(function()
      local ftp = keep(ftps.FTP_TLS("localhost", { port = port, timeout = LIMIT, context = contexts.client() }))
      assert(ftp:login("jane", "secret"))
      local none, err = ftp:retrbinary("RETR README", print)
      assert.is_nil(none)
      assert.matches("TLS", err.text)
      assert(ftp:prot_p())
      local pieces = {}
      assert(ftp:retrbinary("RETR README", function(piece) pieces[#pieces + 1] = piece end))
      assert.equal(300000, #table.concat(pieces))
      assert(ftp:storbinary("STOR up", ("x"):rep(300000)))
      assert(ftp:voidcmd "NOOP")
      assert.equal(300000, #read "up")
      assert(ftp:quit())
    end)
  end)
end)
