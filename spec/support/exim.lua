--- Exim for specs: a server of mail under a directory of its own, on a free port of loopback, which delivers all mail
-- to one file. Nobody's configuration is touched, and no mail leaves the machine.
--
--     local server = keep(exim.start())          -- server.port; with TLS where there are certificates
--     server:delivered "hello"                   -- waits for a mail with this text; all mails so far
local certificates = require "spec.support.certificates"
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local M = {}

-- It is in root's PATH alone.
local PROGRAM = tree.output("command -v exim4 || ls /usr/sbin/exim4 2>/dev/null || true"):match "[^\n]+"

--- Whether this machine has one.
M.available = PROGRAM ~= nil

--- Whether it speaks TLS here.
M.tls = M.available and certificates.available

local CONFIG = [[
spool_directory = DIR/spool
log_file_path = DIR/%slog
pid_file_path = DIR/pid
primary_hostname = mail.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT
deliver_drop_privilege
never_users =
acl_smtp_rcpt = recipients
acl_smtp_data = data
acl_smtp_vrfy = accept
message_size_limit = 1M
dsn_advertise_hosts = *
smtp_accept_max = 100
TLS
begin acl
recipients:
  deny local_parts = nobody
       message = no such user
  accept
data:
  deny condition = ${if match{$message_body}{spam}}
       message = we do not like that
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = DIR/mail
  envelope_to_add
  return_path_add
  no_check_owner
begin authenticators
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{jane}{secret}fail}
  server_set_id = $auth1
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{jane}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{jane}}{eq{$auth2}{secret}}}}
  server_set_id = $auth1
]]

local Server = {}
Server.__index = Server

-- Whether it came up; somebody else may have taken the port meanwhile.
local function try(self)
  local listener = assert(csock.create_server { "127.0.0.1", 0 })
  self.port = listener:getsockname().port
  listener:close()
  local tls = ""
  if M.tls then
    tls = ("tls_advertise_hosts = *\ntls_certificate = %s\ntls_privatekey = %s"):format(
      self.dir .. "/cert.pem", self.dir .. "/key.pem")
  end
  local values = { DIR = self.dir, PORT = tostring(self.port), TLS = tls }
  local file <close> = assert(io.open(self.dir .. "/conf", "w"))
  assert(file:write((CONFIG:gsub("%f[%u]%u+%f[%U]", values))))
  file:flush()
  self.process = process.start({ PROGRAM, "-C", self.dir .. "/conf", "-bdf" }, { cwd = self.dir, group = true })
  local deadline = csock.now() + 10 * process.slowness
  while csock.now() < deadline do
    local s <close> = csock.create_connection({ "127.0.0.1", self.port }, { timeout = 1 })
    if s then return true end
    csock.sleep(0.01)
  end
  return false
end

function M.start()
  local self = setmetatable({ dir = assert(posix.mkdtemp()) }, Server)
  os.execute(("mkdir %s/spool; chmod -R 777 %s"):format(self.dir, self.dir))
  if M.tls then
    os.execute(("cp %s %s/cert.pem; cp %s %s/key.pem; chmod 644 %s/*.pem"):format(
      certificates.good.cert, self.dir, certificates.good.key, self.dir, self.dir))
  end
  for _ = 1, 5 do
    if try(self) then return self end
    self.process:kill()
  end
  local err = self.process.out .. self.process.err
  self:close()
  error("exim does not start: " .. err)
end

--- Waits until some text has been delivered, and gives all mails so far: each has a line `From ...` before it, and
-- says in its header who sent it (Return-path) and who got it (Envelope-to).
function Server:delivered(text)
  local deadline = csock.now() + 20 * process.slowness
  while csock.now() < deadline do
    local file <close> = io.open(self.dir .. "/mail")
    local mails = file and file:read "a"
    if mails and mails:find(text, 1, true) and mails:find "\n\n$" then return mails end
    csock.sleep(0.02)
  end
  error("not delivered: " .. text)
end

-- Those that deliver have sessions of their own, and make the directory anew that is removed: their end is waited for.
-- They are known by its name, which is in their command lines.
local function wait_for_deliveries(self)
  local deadline = csock.now() + 20 * process.slowness
  local function busy() -- (a sanitizer's library is not for ps)
    return tree.output "env -u LD_PRELOAD ps -eo args":find(self.dir .. "/conf", 1, true)
  end
  while csock.now() < deadline and busy() do csock.sleep(0.02) end
end

function Server:close()
  if self.process then
    self.process:kill()
    wait_for_deliveries(self)
  end
  os.execute("rm -rf '" .. self.dir .. "'")
end

Server.__close = Server.close

return M
