--- Real peers for the specs of TLS, each a process: Python's ssl, openssl's s_server and s_client, nginx, curl.
-- What is not installed is nil, or false in `M.has`: specs skip it (`make deps-specs` brings all).
--
--     local peer = peers.python()                      -- in setup; peer:kill() in teardown
--     local server = peer:listen { role = "echo", cert = certificates.good }
--     ... server.port ...
--     assert.equal("closed", server:result())          -- what came of the next connection that has ended
--     local client = peer:connect { port = port, role = "ask", ca = certificates.ca.cert }
--     assert.matches("answer=hello", client:result())
local certificates = require "spec.support.certificates"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

local M = {}

--- Seconds that nothing here takes.
M.LIMIT = 10 * process.slowness

local function find(name)
  for _, path in ipairs { name, "/usr/sbin/" .. name } do
    if process.run { "sh", "-c", "command -v " .. path } == 0 then return path end
  end
  return false
end

--- The programs: path or false. Python's must have ssl.
M.has = { openssl = certificates.available and "openssl", curl = find "curl", nginx = nginx.path }
M.has.python = find "python3" and process.run { "python3", "-c", "import ssl" } == 0 and "python3"

--- `n` bytes in which a lost, doubled or misplaced one is noticed; the roles `source` and `sink` know them.
function M.pattern(n)
  local parts = {}
  for i = 1, n // 8 + 1 do parts[i] = ("%07d\n"):format(i) end
  return table.concat(parts):sub(1, n)
end

-- --- Python's ssl ---

local Peer = {}
Peer.__index = Peer

local Connection = {}
Connection.__index = Connection

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

-- `certificate` in certificates' form becomes its paths; `bytes` and `starttls` become hexadecimal.
local function command(verb, options)
  local words = { verb }
  for name, value in pairs(options) do
    if name == "cert" then
      words[#words + 1] = "cert=" .. (value.chain or value.cert)
      words[#words + 1] = "key=" .. value.key
    elseif name == "bytes" or name == "starttls" then
      words[#words + 1] = name .. "=" .. hex(value)
    else
      words[#words + 1] = name .. "=" .. tostring(value)
    end
  end
  return table.concat(words, "\t") .. "\n"
end

function Peer:call(text)
  self.process:write(text)
  return self.process:read_line(4 * M.LIMIT)
end

--- Starts a listener.
-- @tparam table options `role`: what it does with each connection. After the handshake: `echo`; `lines` (answers in
-- capitals; "bye" ends); `info` (first says in a line what was agreed on); `source` (sends the pattern of `size`
-- bytes); `records` (the same in full records); `sink` (takes all, answers "5000 right"); `ragged` ("last words", and
-- no close_notify); `reset` (the same, and a reset when a byte has come); `cut` ("whole", and half a record); `half`
-- ("before", close_notify, reads on: its result); `dribble` (lines, a byte every `pace` seconds); `deaf` (reads
-- nothing until `peer:release()`); `corrupt` (a forged record). Instead of one: `stall`; `answer` (with `bytes`, when
-- something has come); `speak` (`bytes` at once); `hang_up`; `hang_up_hard` (a reset); `part` (the first `size` bytes).
-- Further ones: `cert` (as in certificates), `version` ("1.2", "1.3"), `ciphers`, `alpn` ("a,b"), `tickets`,
-- `client_ca`, `optional`, `handshake_pace` (seconds per byte), `buffer` (its receive buffer's size), `starttls` (what
-- it answers to a line before all)
-- @treturn table with `port`, and the method `result`
function Peer:listen(options)
  local port = self:call(command("listen", options))
  return setmetatable({ peer = self, key = port, port = tonumber(port) }, Connection)
end

--- Connects to a port of this machine.
-- @tparam table options `port`; `role` (`ask`, whose result says what was agreed on; `taker`; or any of the above);
-- `ca` (else nothing is verified), `name` (the server's, "localhost"), `keep` (a name for the session), `session` (such
-- a name), and as above: `cert`, `version`, `ciphers`, `alpn`, `handshake_pace`, `starttls` (what it says before)
-- @treturn table with the method `result`
function Peer:connect(options)
  local key = self:call(command("connect", options))
  return setmetatable({ peer = self, key = key }, Connection)
end

--- What has become of the next connection that has ended: the role's own words, "cut" (no close_notify came),
-- "SSLError REASON", or the name of an OSError.
function Connection:result()
  return self.peer:call("result\t" .. self.key .. "\n")
end

--- Lets one that is `deaf` go on.
function Peer:release() return self:call "release\n" end

function Peer:kill() self.process:kill() end
Peer.__close = Peer.kill

--- Starts one; nil where there is no Python.
function M.python()
  if not M.has.python then return nil end
  return setmetatable({ process = process.start({ M.has.python, "spec/support/tls_peer.py" }) }, Peer)
end

-- --- openssl ---

--- Starts `openssl s_server` on a free port: `port`. Lines that are written to it are sent, what is received is
-- printed; a line of K asks for new keys, r (TLS 1.2) for a new handshake, Q ends it. (In a terminal, so that each line
-- is a command or data of its own; what is written is printed, too.)
-- @tparam table certificate as in certificates
-- @tparam {string} arguments further ones
function M.s_server(certificate, arguments)
  local p = process.start({ "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate.cert,
    "-key", certificate.key, "-naccept", "1", table.unpack(arguments or {}) }, { pty = true })
  p.port = tonumber(p:expect "ACCEPT [^\n]*:(%d+)\r?\n")
  return p
end

--- Starts `openssl s_client` for a port of this machine, with lines as above; R asks for a new handshake. It verifies
-- against the good authority, and ends at once when that fails.
function M.s_client(port, arguments)
  return process.start({ "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-CAfile", certificates.ca.cert,
    "-verify_return_error", "-servername", "localhost", "-verify_hostname", "localhost",
    table.unpack(arguments or {}) }, { pty = true })
end

-- --- curl and nginx ---

--- Runs curl: exit status, output, errors.
function M.curl(arguments)
  return process.run({ M.has.curl, "-sS", "--noproxy", "*", "--max-time", tostring(M.LIMIT), "--cacert",
    certificates.ca.cert, table.unpack(arguments) })
end

local NGINX = [[
  server {
    listen 127.0.0.1:PORT ssl;
    ssl_protocols %s;
    ssl_certificate %s;
    ssl_certificate_key %s;
    location / { return 200 "nginx over $ssl_protocol\n"; }
  }
]]

--- Starts nginx on a free port (`port`), where any path gives "nginx over TLSv1.3"; to be closed.
-- @tparam table certificate as in certificates
-- @tparam[opt] string protocols "TLSv1.2": that one alone
function M.nginx(certificate, protocols)
  return nginx.start(NGINX:format(protocols or "TLSv1.2 TLSv1.3", certificate.chain or certificate.cert,
    certificate.key))
end

return M
