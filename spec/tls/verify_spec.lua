-- Which certificates a client takes, and what it says of the others.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

local certificates, ssl, E = tls.certificates, tls.ssl, csock.errno

-- What a server with an old-fashioned certificate must allow itself.
local WEAK = "DEFAULT:@SECLEVEL=0"

describe("a client", function()
  if tls.missing then return it("verifies", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- An error with all that is known: `verify_code`, and each of the words in its text.
  local function assert_refused(ok, err, errno, code, words)
    assert.is_nil(ok)
    assert.equal(E.EPROTO, errno)
    assert.equal("ssl", err.kind)
    assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
    assert.equal(code, err.verify_code)
    assert.is_string(err.verify_message)
    for _, word in ipairs(words) do assert.matches(word, tostring(err), 1, true) end
  end

  tls.ways(function(way, run)
    for _, row in ipairs {
      { "good" }, { "rsa" }, { "chained" }, { "good", "127.0.0.1" }, { "good", "::1" }, { "good", "LocalHost" },
      { "good", "localhost." }, { "wildcard", "a.example.test" }, { "wildcard", "A.Example.TEST" },
      { "other", "other.example.test" }, { "wrong_host", "www.elsewhere.test" },
    } do
      local certificate, name = row[1], row[2] or "localhost"
      it(("takes a certificate (%s) for %s, %s"):format(certificate, name, way), function()
        run(function()
          local server = tls.listen { role = "lines", cert = certificates[certificate] }
          local s = assert(tls.dial(server.port, nil, { server_hostname = name }))
          assert.equal("HELLO\n", tls.ask(s, "hello"))
          assert.is_true(s:close())
          assert.equal("closed", server:result())
        end)
      end)
    end

    for _, row in ipairs {
      { "expired", nil, 10, { "expired", "depth 0", "CN=localhost" }, "CERTIFICATE_EXPIRED" },
      { "not_yet_valid", nil, 9, { "not yet valid", "clock" }, "BAD_CERTIFICATE" },
      { "self_signed", nil, 18, { "self-signed certificate", "CN=localhost" }, "UNKNOWN_CA" },
      { "unknown", nil, 20, { "unable to get local issuer certificate", "CN=localhost" }, "UNKNOWN_CA" },
      { "missing", nil, 20, { "unable to get local issuer certificate", "intermediate" }, "UNKNOWN_CA" },
      { "wrong_host", nil, 62, { "localhost", "elsewhere.test", "www.elsewhere.test" }, "BAD_CERTIFICATE" },
      { "wrong_host", "127.0.0.1", 64, { "127.0.0.1", "elsewhere.test" }, "BAD_CERTIFICATE" },
      { "good", "127.0.0.2", 64, { "127.0.0.2", "127.0.0.1" }, "BAD_CERTIFICATE" },
      { "wildcard", "example.test", 62, { "example.test", "*.example.test" }, "BAD_CERTIFICATE" },
      { "wildcard", "a.b.example.test", 62, { "a.b.example.test", "*.example.test" }, "BAD_CERTIFICATE" },
      { "sha1", nil, 68, { "too weak" }, "" },
      { "short", nil, 66, { "key too weak" }, "" },
    } do
      local name, host, code, words, alert = table.unpack(row, 1, 5)
      -- The leaf by the intermediate authority, without that.
      local certificate = certificates[name]
      if name == "missing" then certificate = { cert = certificates.chained.cert, key = certificates.chained.key } end
      it(("refuses a certificate (%s) for %s, and says why, %s"):format(name, host or "localhost", way), function()
        local context = tls.client()
        if not certificate or name == "short" and context.security_level < 2
          or name == "sha1" and context.security_level < 1 then
          return pending("this OpenSSL makes or takes it")
        end
        run(function()
          local server = tls.listen { role = "lines", cert = certificate, ciphers = code > 64 and WEAK or nil }
          local s = tls.plain(server.port)
          local ok, err, errno = context:wrap_socket(s, { server_hostname = host or "localhost" })
          assert_refused(ok, err, errno, code, words)
          assert.equal(E.EBADF, select(3, s:send "must not go in the clear")) -- it is closed
          assert.matches(alert, server:result(), 1, true)
        end)
      end)
    end
  end)

  it("verifies nothing with an insecure context, which is what its name says", function()
    for _, name in ipairs { "expired", "self_signed", "unknown", "wrong_host" } do
      local server = tls.listen { role = "lines", cert = certificates[name] }
      local s = assert(tls.dial(server.port, ssl.insecure_context()))
      assert.equal("HELLO\n", tls.ask(s, "hello"))
      s:close()
      assert.equal("closed", server:result())
    end
    local err = select(2, pcall(function() tls.client().verify_mode = ssl.CERT_NONE end))
    assert.matches("ssl.insecure_context", tostring(err), 1, true)
  end)

  it("may leave the name unchecked, and still verifies the chain", function()
    local server = tls.listen { role = "lines", cert = certificates.wrong_host }
    assert(tls.dial(server.port, tls.client { check_hostname = false }))
    local context = tls.client { check_hostname = false }
    assert(context:wrap_socket(tls.plain(server.port))) -- and needs none
    server = tls.listen { role = "lines", cert = certificates.unknown }
    local ok, err, errno = tls.dial(server.port, tls.client { check_hostname = false })
    assert_refused(ok, err, errno, 20, {})
  end)

  it("must say which name it wants", function()
    local a = tls.plain_pair()
    assert.has_error(function() tls.client():wrap_socket(a) end)
    assert.has_error(function() tls.client():wrap_socket(a, { server_hostname = "" }) end)
    assert(a:send "still plain")
  end)

  it("takes a leaf, an intermediate authority or a self-signed certificate that it was told to trust", function()
    for trusted, served in pairs {
      [certificates.good.cert] = certificates.good,
      [certificates.intermediate.cert] = certificates.chained,
      [certificates.self_signed.cert] = certificates.self_signed,
    } do
      local server = tls.listen { role = "lines", cert = { cert = served.cert, key = served.key } }
      local context = assert(ssl.create_default_context(nil, { cafile = trusted }))
      assert(tls.dial(server.port, context))
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
      assert(context:load_verify_locations { cafile = trusted })
      assert(tls.dial(server.port, context), trusted)
    end
  end)

  it("trusts nobody with a context that has no authority", function()
    local server = tls.listen { role = "lines" }
    local ok, err, errno = tls.dial(server.port, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert_refused(ok, err, errno, 20, {})
  end)

  it("takes authorities as a string, PEM or DER, and from a directory", function()
    local server = tls.listen { role = "lines" }
    local file <close> = assert(io.open(certificates.ca.cert))
    local pem = file:read "a"
    for _, data in ipairs { pem, ssl.PEM_cert_to_DER_cert(pem) } do
      assert(tls.dial(server.port, assert(ssl.create_default_context(nil, { cadata = data }))))
    end
    local dir = require "spec.support.posix".mkdtemp()
    assert.equal(0, (process.run { "cp", certificates.ca.cert, dir .. "/ca.pem" }))
    for _, empty in ipairs { dir, dir .. "/ca.pem", dir .. "/none" } do
      local none, err, errno = ssl.create_default_context(nil, { capath = empty })
      assert.is_nil(none)
      assert.equal(csock.errno.ENOENT, errno)
      assert.matches(empty .. ": no certificate", tostring(err), 1, true)
    end
    assert.equal(0, (process.run { "openssl", "rehash", dir }))
    local context = assert(ssl.create_default_context(nil, { capath = dir }))
    local s, err = tls.dial(server.port, context)
    process.run { "rm", "-r", dir }
    assert(s, tostring(err))
  end)

  it("has the certificates that it verified, and those that it was sent", function()
    local server = tls.listen { role = "lines", cert = certificates.chained }
    local s = assert(tls.dial(server.port))
    local verified, sent = s:get_verified_chain(), s:get_unverified_chain()
    assert.equal(3, #verified)
    assert.equal(2, #sent)
    assert.equal(sent[1], s:getpeercert(true))
    local file <close> = assert(io.open(certificates.ca.cert))
    assert.equal(ssl.PEM_cert_to_DER_cert(file:read "a"), verified[3])
    local certificate = s:getpeercert()
    assert.same({ { { "commonName", "localhost" } } }, certificate.subject)
    assert.same({ { { "commonName", "Intermediate CA" } } }, certificate.issuer)
    assert.equal(3, certificate.version)
    assert.same({ { "DNS", "localhost" }, { "IP Address", "127.0.0.1" }, { "IP Address", "::1" } },
      certificate.subjectAltName)
    assert.equal("Jan  1 00:00:00 1970 GMT", certificate.notBefore)
    assert.equal(0, ssl.cert_time_to_seconds(certificate.notBefore))
    assert.equal("Dec 31 23:59:59 2049 GMT", certificate.notAfter)
    assert.matches("^%x+$", certificate.serialNumber)
  end)

  it("describes a certificate as Python does, but for IPv6 addresses, which it shortens", function()
    local server = tls.listen { role = "lines", cert = certificates.rich }
    local lines = {}
    local function flatten(path, value)
      if type(value) ~= "table" then
        lines[#lines + 1] = ("%s = %s\n"):format(path, value)
      elseif #value > 0 then
        for i, part in ipairs(value) do flatten(path .. "/" .. i, part) end
      else
        for name, part in pairs(value) do flatten(path .. "/" .. name, part) end
      end
    end
    flatten("", assert(tls.dial(server.port)):getpeercert())
    table.sort(lines)
    local _, theirs, err = process.run { "python3", "-c", [[
import ssl, sys
def flatten(path, value):
    if isinstance(value, tuple):
        return [line for i, part in enumerate(value) for line in flatten("%s/%d" % (path, i + 1), part)]
    if isinstance(value, dict):
        return [line for name in value for line in flatten(path + "/" + name, value[name])]
    return ["%s = %s" % (path, value)]
for line in sorted(flatten("", ssl._ssl._test_decode_cert(sys.argv[1]))):
    print(line.replace("2001:DB8:0:0:0:0:0:1", "2001:db8::1"))
]], certificates.rich.cert }
    assert.equal("", err)
    assert.equal(theirs, table.concat(lines))
  end)

  -- In a process of its own, with these names in its environment.
  local function elsewhere(code, env)
    local status, out, err = process.run({ process.interpreter, "-e", code }, { env = env, timeout = 20 })
    assert.equal(0, status, err)
    return out
  end

  local DIAL = [[
    local csock, ssl = require "csock", require "csock.ssl"
    local context, err = ssl.create_default_context()
    if not context then return print(err) end
    local s = assert(csock.create_connection { "127.0.0.1", %d })
    local wrapped, err = context:wrap_socket(s, { server_hostname = "localhost" })
    print(wrapped and s:version() or err)
  ]]

  it("goes by the system's authorities, which do not know those of the specs", function()
    local server = tls.listen { role = "lines" }
    local out = elsewhere(DIAL:format(server.port), { SSL_CERT_FILE = false, SSL_CERT_DIR = false })
    assert.truthy(out:find("local issuer", 1, true) or out:find("no CA", 1, true) or out:find "tried", out)
  end)

  it("goes by SSL_CERT_FILE and SSL_CERT_DIR", function()
    local server = tls.listen { role = "lines" }
    assert.equal("TLSv1.3\n", elsewhere(DIAL:format(server.port),
      { SSL_CERT_FILE = certificates.ca.cert, SSL_CERT_DIR = false }))
  end)

  it("names the places that it has tried when there are no authorities", function()
    local out = elsewhere(DIAL:format(1), { SSL_CERT_FILE = "/nonexistent/file", SSL_CERT_DIR = "/nonexistent/dir" })
    assert.matches("/nonexistent/file", out, 1, true)
    assert.matches("/nonexistent/dir", out, 1, true)
  end)

  it("says nothing to a terminal in the words of a certificate", function()
    local base = os.tmpname()
    local status, _, text = process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
      "ec_paramgen_curve:P-256", "-nodes", "-keyout", base .. ".key", "-out", base, "-subj", "/CN=a\27[2Jb",
      "-addext", "subjectAltName=DNS:a\27[2Jb.test" }
    assert(status == 0, text)
    local server = tls.server { cert = base, key = base .. ".key" }
    for _, trusted in ipairs { base, certificates.ca.cert } do
      local client = assert(ssl.create_default_context(nil, { cafile = trusted }))
      local _, err = tls.shake(tls.raw_pair(client, server))
      assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
      for _, words in ipairs { tostring(err), err.subject } do assert.is_nil((words:find "%c")) end
    end
    os.remove(base)
    os.remove(base .. ".key")
  end)
end)
