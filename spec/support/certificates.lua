--- Certificates and keys for specs, made by the program `openssl` when this is first loaded, and used again by
-- later runs: what shall be valid is so from 1970 to 2049, so no clock makes it stale.
--
--     local certificates = require "spec.support.certificates"
--     if not certificates.available then return end    -- no `openssl` here
--     context:load_cert_chain(certificates.good.cert, certificates.good.key)
--     context:load_verify_locations { cafile = certificates.ca.cert }
--
-- Each is a table of paths: `cert` (PEM), `key` (PEM), and `chain` (the certificate, and then the intermediate
-- authority's) for those by that. Where this openssl cannot make one (SHA-1), there is nil.
local posix = require "spec.support.posix"
local process = require "spec.support.process"

--- The encrypted key's password.
local PASSWORD = "correct horse"

local VALID = { "700101000000Z", "491231235959Z" }
local LOCAL = "DNS:localhost, IP:127.0.0.1, IP:::1"

-- Of each kind that a certificate tells of.
local RICH = "DNS:localhost, DNS:*.example.test, IP:127.0.0.1, IP:2001:db8::1, email:somebody@example.test, "
  .. "URI:https://example.test/a?b, RID:1.2.3.4, dirName:directory"
local MORE = [[
authorityInfoAccess = OCSP;URI:http://ocsp.example.test/, caIssuers;URI:http://ca.example.test/ca.crt
crlDistributionPoints = URI:http://crl.example.test/a.crl, URI:http://crl.example.test/b.crl
]]

-- name -> `subject`, `by` (an authority, or itself), `names`, `days` (of validity: from, to), `extensions` (a section
-- below), `more` (lines of one's own), `key` (P-256 unless told), `md`. In the order in which they are made.
local LIST = {
  { "ca", subject = "Good CA", by = "ca", extensions = "authority" },
  { "intermediate", subject = "Intermediate CA", by = "ca", extensions = "authority" },
  { "unknown_ca", subject = "Unknown CA", by = "unknown_ca", extensions = "authority" },

  { "good", subject = "localhost", by = "ca", names = LOCAL },
  { "rsa", subject = "localhost", by = "ca", names = LOCAL, key = "rsa:2048" },
  { "encrypted", subject = "localhost", by = "ca", names = LOCAL, password = PASSWORD },
  { "chained", subject = "localhost", by = "intermediate", names = LOCAL },
  { "wildcard", subject = "wildcard", by = "ca", names = "DNS:*.example.test" },
  { "other", subject = "other", by = "ca", names = "DNS:other.example.test" }, -- a second one, for SNI
  { "wrong_host", subject = "elsewhere", by = "ca", names = "DNS:elsewhere.test, DNS:www.elsewhere.test" },
  { "common_name", subject = "localhost", by = "ca" }, -- the name stands in the subject alone
  { "rich", subject = "rich/O=An Organization/OU=A Unit/C=XX", by = "ca", names = RICH, more = MORE },
  { "expired", subject = "localhost", by = "ca", names = LOCAL, days = { VALID[1], "710101000000Z" } },
  { "not_yet_valid", subject = "localhost", by = "ca", names = LOCAL, days = { "490101000000Z", VALID[2] } },
  { "self_signed", subject = "localhost", by = "self_signed", names = LOCAL },
  { "unknown", subject = "localhost", by = "unknown_ca", names = LOCAL },
  { "sha1", subject = "localhost", by = "ca", names = LOCAL, md = "sha1", optional = true },
  { "short", subject = "localhost", by = "ca", names = LOCAL, key = "rsa:1024", optional = true },

  { "client", subject = "a client", by = "ca", extensions = "client" },
  { "unknown_client", subject = "a client", by = "unknown_ca", extensions = "client" },
  { "expired_client", subject = "a client", by = "ca", extensions = "client", days = { VALID[1], "710101000000Z" } },
}

local CONFIG = [[
[ ca ]
default_ca = any
[ any ]
database = index
serial = serial
new_certs_dir = .
policy = policy
default_md = sha256
unique_subject = no
[ policy ]
commonName = supplied
organizationName = optional
organizationalUnitName = optional
countryName = optional
[ req ]
distinguished_name = names
[ names ]
[ directory ]
C = XX
O = Another
CN = a directory's
[ authority ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ client ]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
]]

local SERVER = [[
[ %s ]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
]]

-- The config file, and the lines for /bin/sh that make all in the working directory.
local function recipe()
  local config = { CONFIG }
  local lines = { "set -e", ": > index", "echo 1000 > serial" }
  for _, row in ipairs(LIST) do
    local name, key, days = row[1], row.key, row.days or VALID
    if not row.extensions then
      config[#config + 1] = SERVER:format(name)
      if row.names then config[#config + 1] = ("subjectAltName = %s\n"):format(row.names) end
      config[#config + 1] = row.more
    end
    local by = row.by == name and ("-selfsign -keyfile %s.key"):format(name)
      or ("-cert %s.pem -keyfile %s.key"):format(row.by, row.by)
    local make = ("openssl req -config config -new -newkey %s %s -keyout %s.key -out request -subj '/CN=%s' && ")
      :format(key or "ec -pkeyopt ec_paramgen_curve:P-256",
        row.password and ("-passout 'pass:%s'"):format(row.password) or "-nodes", name, row.subject)
      .. ("openssl ca -config config -batch -notext -md %s %s -in request -out %s.pem -extensions %s ")
      :format(row.md or "sha256", by, name, row.extensions or name)
      .. ("-startdate %s -enddate %s"):format(days[1], days[2])
    lines[#lines + 1] = row.optional and make .. " || rm -f " .. name .. ".pem" or make
    if row.by == "intermediate" then
      lines[#lines + 1] = ("cat %s.pem intermediate.pem > %s.chain.pem"):format(name, name)
    end
  end
  return table.concat(config), table.concat(lines, "\n")
end

-- A number that is another one when the text is.
local function digest(text)
  local h = 5381
  for i = 1, #text do h = (h * 33 + text:byte(i)) & 0xffffffff end
  return ("%08x"):format(h)
end

local function readable(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- The directory with all of them. It is made under another name: whoever is first gives it its own.
local function directory()
  local config, lines = recipe()
  local _, here = process.run { "pwd" }
  local dir = here:gsub("\n$", "") .. "/build/certificates-" .. digest(config .. lines)
  if not readable(dir .. "/ca.pem") then
    local making = ("%s.%d"):format(dir, posix.getpid())
    assert(process.run { "mkdir", "-p", making } == 0)
    local file <close> = assert(io.open(making .. "/config", "w"))
    assert(assert(file:write(config)):flush())
    local status, out, err = process.run({ "sh", "-c", lines }, { cwd = making, timeout = 60 })
    assert(status == 0, out .. err)
    if not os.rename(making, dir) then process.run { "rm", "-rf", making } end
  end
  return dir
end

local M = { PASSWORD = PASSWORD, available = process.run { "sh", "-c", "command -v openssl" } == 0 }

if M.available then
  M.dir = directory()
  for _, row in ipairs(LIST) do
    local base = M.dir .. "/" .. row[1]
    if readable(base .. ".pem") then
      M[row[1]] = {
        cert = base .. ".pem",
        key = base .. ".key",
        chain = row.by == "intermediate" and base .. ".chain.pem" or nil,
      }
    end
  end
end

return M
