-- tls_tserv.lua: the timestamp server over TLS, for many clients at once. It needs a certificate and the
-- key for it; to try it out, it makes both itself.
--
--   lua5.4 examples/tls_tserv.lua [host] [port]   # then tls_tclnt.lua
--
--   --certificate FILE    in PEM, with those of the authorities between; else tls_tserv.pem
--   --key FILE            in PEM; else tls_tserv.key
--   --make-certificate    if they are not there: makes a key, which nobody else may read, and a certificate
--                         for localhost, 127.0.0.1 and ::1 that nobody has signed but itself. The client
--                         trusts that one alone: tls_tclnt.lua --cafile tls_tserv.pem
--
-- `kill -HUP` has it read both files again: new clients are shown the new certificate, and those that are
-- connected stay.
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local BUFSIZ = 1024
local PATIENCE = 10 -- seconds in which a client must have made the handshake

local CERTIFICATE = [[
umask 077
openssl req -config /dev/stdin -x509 -days 365 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -keyout %s -out %s 2>/dev/null <<'END' && chmod 644 %s
[req]
distinguished_name = name
prompt = no
x509_extensions = server
[name]
commonName = localhost
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
END
]]

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- For /bin/sh.
local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

local function make_certificate(certificate, key)
  local made = os.execute(CERTIFICATE:format(quoted(key), quoted(certificate), quoted(certificate)))
  if not made then example.fail("the program openssl has not made %s and %s", certificate, key) end
end

local function serve(conn, address)
  print(("...connected from: %s (%s, %s)"):format(address, conn:version(), (conn:cipher())))
  while true do
    local data, err = conn:recv(BUFSIZ)
    if data == "" then break end -- the client has finished, and said so
    if data then
      data, err = conn:sendall(("[%s] %s"):format(os.date("%c"), data))
    end
    if not data then return print("...lost: " .. err) end
  end
end

example.run(function()
  local certificate = example.value("--certificate", "FILE") or "tls_tserv.pem"
  local key = example.value("--key", "FILE") or "tls_tserv.key"
  local make = example.option("--make-certificate")
  local host, port = example.arguments("host", "", "port", 21567)
  local ssl = require "csock.ssl"

  local made = make and not (exists(certificate) or exists(key))
  if made then make_certificate(certificate, key) end
  if make and not exists(certificate) then
    example.fail("there is a %s, but no %s for it: move it away, and --make-certificate makes both", key, certificate)
  end
  if not exists(certificate) then
    example.fail("there is no %s: --make-certificate makes one, to try things out", certificate)
  end
  local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
  assert(context:load_cert_chain(certificate, key))

  local server <close> = assert(csock.serve({ host, port }, serve, {
    ssl = context,
    handshake_timeout = PATIENCE,
    handshake_failed = function(err, address) print(("...not connected: %s: %s"):format(address, err)) end,
  }))
  example.announce(server)
  if made then print("made " .. certificate .. ": start the client with --cafile " .. certificate) end
  csock.loop.on_signal("SIGHUP", function()
    local ok, err = context:reload()
    print(ok and "...the certificate is read again" or "...the old certificate stays: " .. err)
  end)
  print("waiting for connections...")
  example.run_loop()
end)
