--- INN for specs: a server of news under a directory of its own, on a free port of loopback. Nobody's configuration is
-- touched, and no article leaves the machine.
--
--     local server = keep(innd.start())           -- server.port: STARTTLS, too, where there are certificates
--     server.tls_port                             -- TLS from the first byte on; nil without certificates
--     server:control("newgroup", "a.b", "y")      -- what ctlinnd does
--
-- Who comes from 127.0.0.1 is a reader: anybody may read comp.lang.lua and comp.moderated; the user jane, whose
-- password is "secret", may post, and read private.jane, too. Who comes from 127.0.0.2 is another server.
--
-- Debian's package is not to be installed: that starts a daemon, and fails where a machine has no full name.
-- `make deps-specs` unpacks it below build/inn.
local certificates = require "spec.support.certificates"
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local M = {}

local HERE = tree.output "pwd":match "[^\n]+"
local UNPACKED = HERE .. "/build/inn"

local function works(command) return process.run { "sh", "-c", command } == 0 end

-- Below which directory it is.
local ROOT
for _, root in ipairs { UNPACKED, "" } do
  if not ROOT and works("test -x '" .. root .. "/usr/lib/news/bin/innd'") then ROOT = root end
end

-- It runs as the user news and as nobody else: root may become that, and who is another one is called so in a
-- namespace of users (Linux).
local SUPERUSER = tree.output "id -u" == "0\n"
local AS_NEWS = SUPERUSER and {} or { "unshare", "--map-user=news", "--map-group=news" }

--- Whether there is one, which may be run.
M.available = ROOT ~= nil and works("id news && " .. table.concat(AS_NEWS, " ") .. " true")

--- Whether it speaks TLS here.
M.tls = M.available and certificates.available

local CONFIG = [[
mta: "/bin/false %s"
mailcmd: /bin/false
organization: Specs
ovmethod: tradindexed
hismethod: hisv6
pathhost: news.test
domain: news.test
pathnews: @DIR
pathbin: @DIR/bin
pathdb: @DIR/db
pathetc: @DIR
pathfilter: @DIR/filter
pathlog: @DIR/log
pathrun: @DIR
pathspool: @DIR/spool
patharticles: @DIR/spool
pathoverview: @DIR/overview
pathincoming: @DIR/incoming
pathoutgoing: @DIR/outgoing
patharchive: @DIR/archive
pathtmp: @DIR/tmp
bindaddress: 127.0.0.1
nnrpdpostport: @PORT
doinnwatch: false
artcutoff: 0
extraoverviewadvertised: [ X-Raw ]
]]

local TLS = [[
tlscertfile: @DIR/cert.pem
tlskeyfile: @DIR/key.pem
tlscafile: @DIR/cert.pem
]]

local READERS = [[
auth "all" {
  hosts: "*"
  auth: "ckpasswd -f @DIR/users"
  default: "<anybody>"
}
access "anybody" {
  users: "<anybody>"
  newsgroups: "*,!private.*"
  access: RN
  addcanlockuser: none
}
access "jane" {
  users: "jane"
  newsgroups: "*"
  access: RPN
  addcanlockuser: none
}
]]

local FILES = {
  ["readers.conf"] = READERS,
  ["incoming.conf"] = 'max-connections: 0\npeer other {\n  hostname: "127.0.0.2"\n}\n',
  ["storage.conf"] = "method tradspool {\n  newsgroups: *\n  class: 0\n}\n",
  newsfeeds = "ME:*::\n",
  ["expire.ctl"] = "/remember/:11\n*:A:1:90:never\n",
  users = "jane:$1$csock$jxThWohrn9f2C7iK0s5s./\n", -- "secret"
  ["db/active"] = "control 0000000000 0000000001 n\ncontrol.cancel 0000000000 0000000001 n\n"
    .. "junk 0000000000 0000000001 n\ncomp.lang.lua 0000000000 0000000001 y\nprivate.jane 0000000000 0000000001 y\n"
    .. "comp.moderated 0000000000 0000000001 m\n",
  ["db/newsgroups"] = "comp.lang.lua\tThe language.\nprivate.jane\tHers alone.\ncomp.moderated\tÜber (Moderated)\n",
}

-- Programs and libraries are copied: the user news need not be able to come to where they are.
local PREPARE = [[
set -e
mkdir bin lib db filter log spool overview incoming incoming/bad outgoing archive tmp
for program in innd nnrpd ctlinnd makedbz auth; do cp -r 'ROOT'/usr/lib/news/bin/$program bin; done
cp -d 'ROOT'/usr/lib/news/*.so* lib
test -z 'ROOT' || for dir in $(find 'ROOT' -type d -name '*-linux-*'); do cp -d "$dir"/*.so* lib; done
touch control.ctl distrib.pats moderators passwd.nntp db/active.times db/history
]]

local Server = {}
Server.__index = Server

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- A program of INN's and its arguments, and what it is to be started with.
local function program(self, name, ...)
  local argv = { table.unpack(AS_NEWS) }
  argv[#argv + 1] = self.dir .. "/bin/" .. name
  return table.move({ ... }, 1, select("#", ...), #argv + 1, argv), { env = self.env, cwd = self.dir, group = true }
end

local function start(...) return process.start(program(...)) end

local function run(self, name, ...)
  local status, out, err = process.run(program(self, name, ...))
  if status ~= 0 then error(name .. ": " .. out .. err) end
end

local function free_port()
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return listener:getsockname().port
end

local function answers(port)
  local deadline = csock.now() + 10 * process.slowness
  while csock.now() < deadline do
    local s <close> = csock.create_connection({ "127.0.0.1", port }, { timeout = 5 })
    if s then return true end
    csock.sleep(0.01)
  end
  return false
end

local function configure(self)
  self.port = free_port()
  local config = CONFIG .. (M.tls and TLS or "")
  write(self.dir .. "/inn.conf", (config:gsub("@(%u+)", { DIR = self.dir, PORT = self.port })))
end

-- Whether it came up; somebody else may have taken a port meanwhile.
local function try(self)
  configure(self)
  self.process = start(self, "innd", "-f", "-N", "-P", tostring(self.port))
  if not answers(self.port) then return false end
  if not M.tls then return true end
  self.tls_port = free_port()
  self.over_tls = start(self, "nnrpd", "-D", "-f", "-S", "-4", "127.0.0.1", "-p", tostring(self.tls_port))
  return answers(self.tls_port)
end

-- (The processes of those who are connected end with it.)
local function stop(self)
  for _, name in ipairs { "process", "over_tls" } do
    if self[name] then self[name]:kill() end
    self[name] = nil
  end
end

function M.start()
  local self = setmetatable({ dir = assert(posix.mkdtemp()) }, Server)
  self.env = { INNCONF = self.dir .. "/inn.conf", LD_LIBRARY_PATH = self.dir .. "/lib", TZ = "UTC" }
  local status, _, err = process.run({ "sh", "-c", (PREPARE:gsub("ROOT", { ROOT = ROOT })) }, { cwd = self.dir })
  if status == 0 then
    for name, text in pairs(FILES) do write(self.dir .. "/" .. name, (text:gsub("@DIR", self.dir))) end
    if M.tls then
      os.execute(("cp %s %s/cert.pem; cp %s %s/key.pem; chmod 600 %s/key.pem"):format(
        certificates.good.cert, self.dir, certificates.good.key, self.dir, self.dir))
    end
    configure(self)
    if SUPERUSER then os.execute(("chown -R news:news %s"):format(self.dir)) end
    run(self, "makedbz", "-i", "-o", "-s", "1000")
    for _ = 1, 3 do
      if try(self) then return self end
      err = self.process.out .. self.process.err
      stop(self)
    end
  end
  self:close()
  error("INN does not start: " .. err)
end

--- What ctlinnd does: `server:control("newgroup", "a.b", "y")`.
function Server:control(...) run(self, "ctlinnd", "-t", "10", ...) end

function Server:close()
  stop(self)
  os.execute("rm -rf '" .. self.dir .. "'")
end

Server.__close = Server.close

return M
