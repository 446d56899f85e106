--- Dovecot for specs: a server of IMAP and POP3 under a directory of its own, on free ports of loopback, with the user
-- jane, whose password is "secret". Nobody's configuration is touched.
--
--     local server = keep(dovecot.start())        -- server.imap, server.pop3, server.imaps, server.pop3s: ports
--
-- With certificates it offers STARTTLS and TLS as well, by the good one.
local certificates = require "spec.support.certificates"
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local M = {}

-- It is in root's PATH alone.
local PROGRAM = tree.output("command -v dovecot || ls /usr/sbin/dovecot 2>/dev/null || true"):match "[^\n]+"
local HOME = "/usr/lib*/dovecot/" -- libexec elsewhere

-- Its processes have users of their own then, those that Debian has made for it.
local ROOT = tree.output "id -u" == "0\n"

local function has(protocol) return tree.output("ls " .. HOME .. protocol .. " 2>/dev/null || true") ~= "" end

--- What is not here: nil, or words for it.
M.missing = not PROGRAM and "no dovecot-core" or not has "imap" and "no dovecot-imapd" or not has "pop3" and
  "no dovecot-pop3d" or nil

--- Whether it speaks TLS here.
M.tls = not M.missing and certificates.available

local CONFIG = [[
base_dir = @DIR/run
state_dir = @DIR/state
log_path = @DIR/log
protocols = imap pop3
listen = 127.0.0.1
default_internal_user = @USER
default_internal_group = @GROUP
default_login_user = @LOGIN
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:@DIR/mail/%u
mail_fsync = never
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u @DIR/users
}
userdb {
  driver = static
  args = uid=@UID gid=@GID home=@DIR/mail/%u
}
namespace inbox {
  inbox = yes
  separator = /
}
service anvil {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    port = @IMAP
  }
  inet_listener imaps {
    port = @SIMAP
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = @POP
  }
  inet_listener pop3s {
    port = @SPOP
  }
}
ssl = @SSL
@TLS
]]

local Server = {}
Server.__index = Server

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function free_ports(n)
  local listeners, ports = {}, {}
  for i = 1, n do
    listeners[i] = assert(csock.create_server { "127.0.0.1", 0 })
    ports[i] = listeners[i]:getsockname().port
  end
  for i = 1, n do listeners[i]:close() end
  return ports
end

-- Whether it came up; somebody else may have taken a port meanwhile.
local function try(self)
  local ports = free_ports(4)
  self.imap, self.imaps, self.pop3, self.pop3s = table.unpack(ports)
  local user, group = tree.output("id -un"):match "%S+", tree.output("id -gn"):match "%S+"
  local tls = ""
  if M.tls then
    tls = ("ssl_cert = <%s/cert.pem\nssl_key = <%s/key.pem\nssl_min_protocol = TLSv1.2"):format(self.dir, self.dir)
  end
  local values = {
    DIR = self.dir, USER = ROOT and "dovecot" or user, GROUP = ROOT and "dovecot" or group,
    LOGIN = ROOT and "dovenull" or user,
    UID = ROOT and "nobody" or user, GID = ROOT and "nogroup" or group,
    IMAP = ports[1], SIMAP = M.tls and ports[2] or 0, POP = ports[3],
    SPOP = M.tls and ports[4] or 0, SSL = M.tls and "yes" or "no", TLS = tls,
  }
  write(self.dir .. "/conf", (CONFIG:gsub("@(%u+)", values)))
  self.process = process.start({ PROGRAM, "-F", "-c", self.dir .. "/conf" }, { cwd = self.dir, group = true })
  local deadline = csock.now() + 10 * process.slowness
  while csock.now() < deadline do
    local s <close> = csock.create_connection({ "127.0.0.1", self.imap }, { timeout = 5 })
    if s and (s:recv(100) or ""):find "^%* OK" then return true end
    csock.sleep(0.02)
  end
  return false
end

function M.start()
  local self = setmetatable({ dir = assert(posix.mkdtemp()) }, Server)
  os.execute(("cd %s && mkdir -p mail/jane/new mail/jane/cur mail/jane/tmp mail/joe && chmod 755 ."):format(self.dir))
  if ROOT then os.execute(("chown -R nobody:nogroup %s/mail"):format(self.dir)) end
  write(self.dir .. "/users", "jane:secret\njoe:a \"b\"\\c\n")
  if M.tls then
    os.execute(("cp %s %s/cert.pem; cp %s %s/key.pem"):format(
      certificates.good.cert, self.dir, certificates.good.key, self.dir))
  end
  for _ = 1, 3 do
    if try(self) then return self end
    self.process:kill()
    self.said, self.process = self.process.out .. self.process.err, nil
  end
  local log = io.open(self.dir .. "/log")
  local err = self.said .. (log and log:read "a" or "")
  self:close()
  error("dovecot does not start: " .. err)
end

--- Puts a message into the inbox, as a mail server would.
function Server:deliver(name, text)
  write(("%s/mail/jane/tmp/%s"):format(self.dir, name), text)
  if ROOT then os.execute(("chown nobody:nogroup %s/mail/jane/tmp/%s"):format(self.dir, name)) end
  assert(os.rename(("%s/mail/jane/tmp/%s"):format(self.dir, name), ("%s/mail/jane/new/%s"):format(self.dir, name)))
end

function Server:close()
  if self.process then
    if self.process:running() then self.process:signal "SIGTERM" end -- its processes end with it
    self.process:wait()
    self.process:kill()
  end
  os.execute("rm -rf '" .. self.dir .. "'")
end

Server.__close = Server.close

return M
