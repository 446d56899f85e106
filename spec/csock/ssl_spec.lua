-- csock.ssl: contexts, what they are made of, TLS between queues of bytes, and the module's functions. What happens on
-- connections: spec/tls.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tls = require "spec.support.tls"
local tree = require "spec.support.tree"

local certificates, ssl, E = tls.certificates, tls.ssl, csock.errno

describe("csock.ssl", function()
  if tls.missing then
    it("says in one line what to install", function()
      if tls.ssl then return pending(tls.missing) end
      local ok, err = pcall(require, "csock.ssl")
      assert.is_false(ok)
      assert.matches("^csock.ssl needs [^\n]*$", err)
    end)
    return
  end

  local dir
  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function()
    tls.close()
    process.run { "rm", "-r", dir }
  end)
  after_each(keep.close)

  local function write(name, text)
    local file <close> = assert(io.open(dir .. "/" .. name, "w"))
    assert(file:write(text))
    return dir .. "/" .. name
  end

  it("is not loaded by csock, and says in one line what to install where csock.tls is not", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      local csock = require "csock"
      print(package.loaded["csock.tls"], package.loaded["csock.ssl"])
      package.cpath = ""
      print(select(2, pcall(require, "csock.ssl")))
    ]] })
    assert.equal(0, status, err)
    assert.matches("^nil\tnil\ncsock.ssl needs [^\n]*\n$", out)
  end)

  it("gives its methods to the sockets that there are already, with a timeout and without one", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      b:settimeout(1)
      require "csock.ssl"
      for _, s in ipairs { a, b, (csock.socketpair()), csock.socket() } do print(s.do_handshake ~= nil) end
    ]] })
    assert.equal(0, status, err)
    assert.equal(("true\n"):rep(4), out)
  end)

  describe("a default context", function()
    it("verifies, and speaks TLS 1.2 and later", function()
      local context = tls.client()
      assert.equal(ssl.CERT_REQUIRED, context.verify_mode)
      assert.is_true(context.check_hostname)
      assert.equal(ssl.TLSVersion.TLSv1_2, context.minimum_version)
      assert.is_false(context.server_side)
      assert.equal(ssl.PROTOCOL_TLS_CLIENT, context.protocol)
      assert.is_false(context.suppress_ragged_eofs)
      assert.is_true(context.session_cache)
      assert.not_equal(0, context.options & ssl.OP_NO_COMPRESSION)
      assert.not_equal(0, context.options & ssl.OP_NO_RENEGOTIATION)
      assert.is_number(context.security_level)
      assert.matches("SSLContext", tostring(context))
    end)

    it("for a server asks for no certificate", function()
      local context = tls.server()
      assert.equal(ssl.CERT_NONE, context.verify_mode)
      assert.is_true(context.server_side)
      assert.equal(ssl.PROTOCOL_TLS_SERVER, context.protocol)
      assert.equal(ssl.TLSVersion.TLSv1_2, context.minimum_version)
    end)

    it("takes a purpose and the authorities, and nothing else", function()
      assert.has_error(function() ssl.create_default_context "no purpose" end)
      assert.has_error(function() ssl.create_default_context(nil, { ca_file = "x" }) end)
      assert.has_error(function() ssl.create_default_context(nil, { cafile = 1 }) end)
      assert.has_error(function() ssl.SSLContext(1) end)
    end)
  end)

  describe("a context", function()
    it("has properties that are read as they were written", function()
      local context = tls.server()
      for name, values in pairs {
        verify_mode = { ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL, ssl.CERT_NONE },
        minimum_version = { ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2 },
        maximum_version = { ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3 },
        num_tickets = { 0, 1, 5 },
        suppress_ragged_eofs = { true, false },
        verify_flags = { ssl.VERIFY_X509_STRICT, ssl.VERIFY_X509_PARTIAL_CHAIN },
        sni_callback = { function() end, { ["a.test"] = tls.server() } },
      } do
        for _, value in ipairs(values) do
          context[name] = value
          assert.equal(value, context[name], name)
        end
      end
    end)

    it("raises for properties that it does not have, and values of the wrong kind", function()
      local context = tls.server()
      for name, value in pairs {
        no_such_property = 1, verify_mode = 7, check_hostname = "yes", minimum_version = "TLSv1_2", options = "x",
        num_tickets = -1, sni_callback = 1, suppress_ragged_eofs = 1, session_cache = "no", verify_flags = {},
        keylog_filename = {}, protocol = 1, in_use = false, server_side = false, security_level = 0,
      } do
        assert.has_error(function() context[name] = value end, nil, name)
      end
      assert.has_error(function() context.sni_callback = { ["a.test"] = 1 } end)
      assert.has_error(function() context.sni_callback = { tls.server() } end)
      assert.has_error(function() context.sni_callback = { ["*.*.test"] = tls.server() } end)
      assert.has_error(function() context.sni_callback = { ["a.test"] = tls.client() } end)
    end)

    it("is frozen when it has wrapped something", function()
      local client, server = tls.client(), tls.server()
      assert.is_false(client.in_use)
      tls.pair(client, server)
      for _, context in ipairs { client, server } do
        assert.is_true(context.in_use)
        for name, change in pairs {
          verify_flags = function() context.verify_flags = 0 end,
          minimum_version = function() context.minimum_version = ssl.TLSVersion.TLSv1_3 end,
          suppress_ragged_eofs = function() context.suppress_ragged_eofs = true end,
          set_ciphers = function() context:set_ciphers "DEFAULT" end,
          set_alpn_protocols = function() context:set_alpn_protocols { "a" } end,
          load_verify_locations = function() context:load_verify_locations(certificates.ca.cert) end,
          load_cert_chain = function() context:load_cert_chain(certificates.good.cert, certificates.good.key) end,
          load_default_certs = function() context:load_default_certs() end,
        } do
          local ok, err = pcall(change)
          assert.is_false(ok, name)
          assert.matches("in use", tostring(err), nil, name)
        end
      end
    end)

    it("has the authorities that it was given", function()
      local context = tls.client()
      local list = context:get_ca_certs()
      assert.equal(1, #list)
      assert.same({ { { "commonName", "Good CA" } } }, list[1].subject)
      assert.equal(ssl.PEM_cert_to_DER_cert(tree.read(certificates.ca.cert)), context:get_ca_certs(true)[1])
      local stats = context:cert_store_stats()
      assert.same({ x509 = 1, x509_ca = 1, crl = 0 }, stats)
      assert(context:load_verify_locations { cafile = certificates.unknown_ca.cert })
      assert.equal(2, #context:get_ca_certs())
      assert.same({ x509 = 0, x509_ca = 0, crl = 0 }, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT):cert_store_stats())
    end)

    it("has the ciphers that it was given", function()
      local context = tls.client()
      assert(context:set_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256")
      local names = {}
      for _, cipher in ipairs(context:get_ciphers()) do names[cipher.name] = cipher.protocol end
      assert.is_string(names["ECDHE-ECDSA-AES128-GCM-SHA256"])
      assert.is_nil(names["ECDHE-RSA-AES128-GCM-SHA256"])
      assert.equal("TLSv1.3", names.TLS_AES_256_GCM_SHA384)
    end)

    it("that others have added authorities to is not the one that the process shares", function()
      local env = { SSL_CERT_FILE = certificates.ca.cert }
      local status, out, err = process.run({ process.interpreter, "-e", ([[
        local ssl = require "csock.ssl"
        local one, two = ssl.create_default_context(), ssl.create_default_context()
        assert(one:load_verify_locations { cafile = %q })
        print(#one:get_ca_certs(), #two:get_ca_certs(), #ssl.create_default_context():get_ca_certs())
      ]]):format(certificates.unknown_ca.cert) }, { env = env })
      assert.equal(0, status, err)
      assert.equal("2\t1\t1\n", out)
    end)

    it("writes its keys to a file, from which others can read what was said", function()
      local name = dir .. "/keys"
      local client = tls.client()
      client.keylog_filename = name
      assert.equal(name, client.keylog_filename)
      tls.pair(client)
      assert.matches("CLIENT_TRAFFIC_SECRET_0 %x+ %x+\n", tree.read(name))
      local context = tls.client()
      local ok, err = pcall(function() context.keylog_filename = "/nonexistent/keys" end)
      if not ok then assert.matches("/nonexistent/keys", tostring(err), 1, true) end
    end)

    it("writes them where SSLKEYLOGFILE says", function()
      local name = dir .. "/keys of the environment"
      local server = tls.listen { role = "lines" }
      local status, _, err = process.run({ process.interpreter, "-e", ([[
        local csock, ssl = require "csock", require "csock.ssl"
        assert(csock.create_connection({ "127.0.0.1", %d }, { ssl = ssl.create_default_context(nil, { cafile = %q }),
          server_hostname = "localhost" })):close()
      ]]):format(server.port, certificates.ca.cert) }, { env = { SSLKEYLOGFILE = name } })
      assert.equal(0, status, err)
      assert.matches("CLIENT_TRAFFIC_SECRET_0 %x+ %x+\n", tree.read(name))
    end)
  end)

  it("is not made where SSLKEYLOGFILE cannot be written, which is no mistake of the program's", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      local ssl = require "csock.ssl"
      for _, make in ipairs { ssl.create_default_context, ssl.insecure_context } do
        local context, err, errno = make()
        print(context, err.name, errno == err.errno, err)
      end
    ]] }, { env = { SSLKEYLOGFILE = "/nonexistent/keys" } })
    assert.equal(0, status, err)
    local words = "nil\tENOENT\ttrue\t%s: SSLKEYLOGFILE: /nonexistent/keys: No such file or directory [ENOENT]\n"
    assert.equal(words:format "create_default_context" .. words:format "insecure_context", out)
  end)

  describe("a key with a password", function()
    local encrypted = certificates.encrypted

    it("is opened with a string or a function", function()
      for _, password in ipairs { certificates.PASSWORD, function() return certificates.PASSWORD end } do
        local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
        assert(context:load_cert_chain(encrypted.cert, encrypted.key, password))
        tls.pair(nil, context)
      end
    end)

    it("asks nobody at the terminal", function()
      for _, arguments in ipairs { "", ", 'wrong'", ", function() return '' end", ", ('x'):rep(5000)" } do
        local p <close> = process.lua({ "-e", ([[
          local ssl = require "csock.ssl"
          local context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
          local ok, err = context:load_cert_chain(%q, %q%s)
          print(ok == nil and "refused: " .. tostring(err))
        ]]):format(encrypted.cert, encrypted.key, arguments) }, { pty = true })
        assert.equal(0, p:wait())
        assert.matches("^refused: ", p.out)
        assert.not_matches("pass phrase:", p.out)
      end
    end)

    it("passes on the error of its function, and refuses what it gives beside a string", function()
      local context = tls.server()
      local ok, err = pcall(context.load_cert_chain, context, encrypted.cert, encrypted.key,
        function() error("a fault of the program's", 0) end)
      assert.is_false(ok)
      assert.equal("a fault of the program's", err)
      assert.is_false((pcall(context.load_cert_chain, context, encrypted.cert, encrypted.key, function() end)))
      assert.is_false((pcall(context.load_cert_chain, context, encrypted.cert, encrypted.key, 1)))
    end)
  end)

  describe("a chain in a file of its own", function()
    it("is shown behind the certificate, and read again with it", function()
      local more = write("more.pem", tree.read(certificates.intermediate.cert))
      local server = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
      assert(server:load_cert_chain(certificates.chained.cert, certificates.chained.key, nil, more))
      assert.equal(2, #tls.pair(nil, server):get_unverified_chain())
      write("more.pem", tree.read(certificates.intermediate.cert) .. tree.read(certificates.ca.cert))
      assert(server:reload())
      assert.equal(3, #tls.pair(tls.client { session_cache = false }, server):get_unverified_chain())
    end)
  end)

  describe("reload", function()
    it("shows new certificates to who comes, and leaves alone who is there", function()
      local cert, key = write("cert.pem", tree.read(certificates.good.cert)),
        write("key.pem", tree.read(certificates.good.key))
      local server = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
      assert(server:load_cert_chain(cert, key))
      local a, b = tls.pair(nil, server)
      local before = a:getpeercert(true)
      write("cert.pem", tree.read(certificates.chained.chain))
      write("key.pem", tree.read(certificates.chained.key))
      assert(server:reload())
      local c = tls.pair(tls.client { session_cache = false }, server)
      assert.equal(ssl.PEM_cert_to_DER_cert(tree.read(certificates.chained.cert)), c:getpeercert(true))
      assert(a:sendall "still here")
      assert.equal("still here", b:recv(100))
      assert.equal(before, a:getpeercert(true))
    end)

    it("refuses a key of another kind, whose certificate would be shown beside the old one", function()
      local cert, key = write("cert.pem", tree.read(certificates.good.cert)),
        write("key.pem", tree.read(certificates.good.key))
      local server = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
      assert(server:load_cert_chain(cert, key))
      write("cert.pem", tree.read(certificates.rsa.cert))
      write("key.pem", tree.read(certificates.rsa.key))
      local ok, err = server:reload()
      assert.is_nil(ok)
      assert.equal("KEY_KIND_CHANGED", err.name)
      assert.matches("make a new context", tostring(err), 1, true)
    end)

    it("that fails leaves the certificates as they were", function()
      local cert, key = write("cert.pem", tree.read(certificates.good.cert)),
        write("key.pem", tree.read(certificates.good.key))
      local server = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
      assert(server:load_cert_chain(cert, key))
      tls.pair(nil, server)
      for _, text in ipairs { "", "no certificate", tree.read(certificates.other.cert) } do
        write("cert.pem", text)
        local ok, err = server:reload()
        assert.is_nil(ok)
        assert.is_true(#tostring(err) > 0)
        local a = tls.pair(nil, server)
        assert.equal(ssl.PEM_cert_to_DER_cert(tree.read(certificates.good.cert)), a:getpeercert(true))
      end
    end)
  end)

  describe("a MemoryBIO", function()
    it("is a queue of bytes", function()
      local bio = ssl.MemoryBIO()
      assert.equal(0, bio:pending())
      assert.is_false(bio:eof())
      assert.equal("", bio:read())
      assert.equal(5, bio:write "hello")
      assert.equal(0, bio:write "")
      assert.equal(6, bio:write " world")
      assert.equal(11, bio:pending())
      assert.equal("hel", bio:read(3))
      assert.equal("", bio:read(0))
      assert.equal("lo world", bio:read(100))
      bio:write "x"
      bio:write_eof()
      assert.is_false(bio:eof())
      assert.equal("x", bio:read())
      assert.is_true(bio:eof())
      assert.is_false((pcall(bio.write, bio, "after the end")))
      assert.is_false((pcall(bio.read, bio, "x")))
    end)

    it("takes much", function()
      local bio, data = ssl.MemoryBIO(), tls.pattern(1000000)
      for i = 1, #data, 10007 do bio:write(data:sub(i, i + 10006)) end
      local parts = {}
      repeat parts[#parts + 1] = bio:read(4099) until parts[#parts] == ""
      assert.equal(data, table.concat(parts))
    end)
  end)

  describe("an SSLObject", function()
    -- Two of them, and a function that carries bytes between, `size` at a time.
    local function objects(client, server, size)
      local to_a, to_b = ssl.MemoryBIO(), ssl.MemoryBIO()
      local a = assert((client or tls.client()):wrap_bio(to_a, to_b, { server_hostname = "localhost" }))
      local queue = { a = ssl.MemoryBIO(), b = ssl.MemoryBIO() }
      local b = assert((server or tls.server()):wrap_bio(queue.b, queue.a, { server_side = true }))
      local function carry()
        local moved = 0
        for from, to in pairs { [to_b] = queue.b, [queue.a] = to_a } do
          local data = from:read(size)
          to:write(data)
          moved = moved + #data
        end
        return moved
      end
      return a, b, carry, { to_a = to_a, to_b = to_b, from_b = queue.a, in_b = queue.b }
    end

    local function shake(a, b, carry)
      local done = {}
      for _ = 1, 20000 do
        for _, object in ipairs { a, b } do
          if not done[object] then
            local ok, err, errno = object:do_handshake()
            if not ok and errno ~= E.EAGAIN then return nil, err, object end
            done[object] = ok
          end
        end
        if carry() == 0 and done[a] and done[b] then return true end
      end
      error "it does not end"
    end

    for _, size in ipairs { 1, 7, 100000 } do
      it(("makes a handshake and speaks, %d bytes at a time"):format(size), function()
        local a, b, carry = objects(nil, nil, size)
        assert(shake(a, b, carry))
        assert.equal("TLSv1.3", a:version())
        assert.equal("localhost", b:server_hostname())
        assert.same({ { { "commonName", "localhost" } } }, a:getpeercert().subject)
        assert.equal(5, a:write "hello")
        repeat until carry() == 0
        assert.equal("hel", b:read(3))
        assert.equal(2, b:pending())
        assert.equal("lo", b:read(100))
        local data, _, errno = b:read(100)
        assert.is_nil(data)
        assert.equal(E.EAGAIN, errno)
        assert.equal("readable", b:want())
      end)
    end

    it("refuses a bad certificate as a socket does", function()
      local a, b, carry = objects(nil, tls.server(certificates.expired))
      local ok, err, whose = shake(a, b, carry)
      assert.is_nil(ok)
      assert.equal(a, whose)
      assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
      assert.equal(10, err.verify_code)
      repeat until carry() == 0
      ok, err = b:do_handshake()
      assert.is_nil(ok)
      assert.equal("certificate_expired", err.alert)
    end)

    it("leaves in the queue what came behind the end of TLS", function()
      local a, b, carry, queues = objects()
      assert(shake(a, b, carry))
      a:unwrap()
      carry()
      assert(b:unwrap())
      queues.to_a:write(queues.from_b:read() .. "plain")
      assert(a:unwrap())
      queues.to_a:write " again"
      assert.equal("plain again", queues.to_a:read())
    end)

    it("tells an end from a cut", function()
      local a, b, carry, queues = objects()
      assert(shake(a, b, carry))
      assert.equal(E.EAGAIN, select(3, a:unwrap()))
      carry()
      assert.equal("", b:read(10))
      queues.to_a:write_eof()
      local ok, err = a:unwrap()
      assert.is_nil(ok)
      assert.equal("UNEXPECTED_EOF_WHILE_READING", err.name)

      a, b, carry, queues = objects()
      assert(shake(a, b, carry))
      queues.in_b:write_eof()
      local data, cut = b:read(10)
      assert.is_nil(data)
      assert.equal("UNEXPECTED_EOF_WHILE_READING", cut.name)
    end)

    it("is ended by both", function()
      local a, b, carry = objects()
      assert(shake(a, b, carry))
      assert.equal(E.EAGAIN, select(3, a:unwrap()))
      carry()
      assert(b:unwrap())
      carry()
      assert(a:unwrap())
    end)

    it("carries TLS inside of TLS", function()
      local a, b = tls.pair()
      local inner = { tls.client(), tls.server() }
      local objs, bios = {}, {}
      for i = 1, 2 do
        bios[i] = { ssl.MemoryBIO(), ssl.MemoryBIO() }
        objs[i] = assert(inner[i]:wrap_bio(bios[i][1], bios[i][2], i == 1 and { server_hostname = "localhost" } or nil))
      end
      a:settimeout(0)
      b:settimeout(0)
      local outer = { a, b }
      local function pump()
        for i = 1, 2 do
          local out = bios[i][2]:read()
          if out ~= "" then assert(outer[i]:sendall(out)) end
        end
        for i = 1, 2 do
          local data = outer[i]:recv(65536)
          if data then bios[i][1]:write(data) end
        end
      end
      local done = {}
      for _ = 1, 20 do
        for i = 1, 2 do done[i] = done[i] or objs[i]:do_handshake() end
        pump()
      end
      assert.is_true(done[1] and done[2])
      assert.equal(5, objs[1]:write "inner")
      pump()
      assert.equal("inner", objs[2]:read(100))
    end)
  end)

  describe("the function", function()
    it("get_default_verify_paths says where OpenSSL looks, and what was tried", function()
      local paths = ssl.get_default_verify_paths()
      assert.equal("SSL_CERT_FILE", paths.openssl_cafile_env)
      assert.equal("SSL_CERT_DIR", paths.openssl_capath_env)
      assert.is_string(paths.openssl_cafile)
      assert.is_string(paths.openssl_capath)
      assert.is_table(paths.tried)
    end)

    it("RAND_bytes gives so many bytes, and others each time", function()
      assert.equal("", ssl.RAND_bytes(0))
      assert.equal(1000, #ssl.RAND_bytes(1000))
      assert.not_equal(ssl.RAND_bytes(16), ssl.RAND_bytes(16))
      assert.is_true(ssl.RAND_status())
      assert.has_error(function() ssl.RAND_bytes(-1) end)
      assert.has_error(function() ssl.RAND_bytes() end)
    end)

    it("DER_cert_to_PEM_cert is the other way round of PEM_cert_to_DER_cert", function()
      local pem = tree.read(certificates.good.cert)
      local der = ssl.PEM_cert_to_DER_cert(pem)
      assert.equal("\x30\x82", der:sub(1, 2))
      assert.equal(pem, ssl.DER_cert_to_PEM_cert(der))
      assert.is_nil((ssl.PEM_cert_to_DER_cert "no certificate"))
    end)

    it("cert_time_to_seconds reads a certificate's time", function()
      assert.equal(1515144883, ssl.cert_time_to_seconds "Jan  5 09:34:43 2018 GMT")
      assert.equal(0, ssl.cert_time_to_seconds "Jan  1 00:00:00 1970 GMT")
      assert.equal(4102444799, ssl.cert_time_to_seconds "Dec 31 23:59:59 2099 GMT")
      assert.is_false((pcall(ssl.cert_time_to_seconds, "yesterday")))
    end)

    it("get_server_certificate gives what a server shows, and verifies it where it is told whom to trust", function()
      local server = tls.listen { role = "lines", cert = certificates.good }
      local address = { "127.0.0.1", server.port }
      local pem = tree.read(certificates.good.cert)
      assert.equal(pem, ssl.get_server_certificate(address))
      assert.equal(pem, ssl.get_server_certificate(address, { ca_certs = certificates.ca.cert, timeout = tls.LIMIT }))
      local none, err = ssl.get_server_certificate(address, { ca_certs = certificates.unknown_ca.cert })
      assert.is_nil(none)
      assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
    end)
  end)

  it("has OpenSSL's version", function()
    assert.matches("^OpenSSL 3", ssl.OPENSSL_VERSION)
    assert.is_true(ssl.OPENSSL_VERSION_NUMBER >= 0x30000000)
    assert.equal(3, ssl.OPENSSL_VERSION_INFO[1])
    assert.is_true(ssl.HAS_TLSv1_3)
  end)
end)

describe("a connection over TLS", function()
  if tls.missing then return it("has details", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  it("has a channel binding, the same on both sides", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local a, b = tls.pair(tls.client { version = version })
      local kind = version == "1.3" and "tls-exporter" or "tls-unique"
      local binding = a:get_channel_binding(kind)
      assert.is_string(binding)
      assert.equal(binding, b:get_channel_binding(kind))
      assert.has_error(function() a:get_channel_binding "no such" end)
    end
  end)

  it("has the ciphers that both have, on the server's side", function()
    local a, b = tls.pair()
    local shared = b:shared_ciphers()
    assert.is_true(#shared > 0)
    assert.is_nil(a:shared_ciphers())
  end)

  it("has the response of OCSP that the server has stapled", function()
    local server = tls.server()
    server:set_stapled_response "any bytes: nobody reads them here"
    local a = tls.pair(nil, server)
    assert.equal("any bytes: nobody reads them here", a:get_stapled_response())
    assert.is_nil((tls.pair()):get_stapled_response())
  end)

  it("is made by create_connection, under one deadline", function()
    local server = tls.listen { role = "lines" }
    local s = keep((csock.create_connection({ "localhost", server.port }, { ssl = tls.client(), timeout = tls.LIMIT })))
    assert.equal("localhost", s:server_hostname())
    assert.equal("HELLO\n", tls.ask(s, "hello"))
    server = tls.listen { role = "stall" }
    local began = csock.now()
    local ok, _, errno = csock.create_connection({ "localhost", server.port }, { ssl = tls.client(), timeout = 0.1 })
    assert.is_nil(ok)
    assert.equal(E.ETIMEDOUT, errno)
    assert.is_true(csock.now() - began < 0.1 + process.slowness)
    assert.equal("ended", server:result())
  end)

  it("never reaches the handler of csock.serve when its handshake fails or takes too long", function()
    tls.in_task(function()
      local handled = 0
      local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
        handled = handled + 1
        assert(conn:sendall(conn:version() .. "\n"))
      end, { ssl = tls.server(), handshake_timeout = 0.1 }))
      local port = server:getsockname().port
      local silent = tls.plain(port)
      local plain = tls.plain(port)
      assert(plain:sendall "GET / HTTP/1.0\r\n\r\n")
      local rest = plain:recv(1000) -- an alert at most
      assert.is_true(rest == nil or #rest <= 7)
      local good = assert(tls.dial(port))
      assert.equal("TLSv1.3\n", tls.line(good))
      assert.equal("", silent:recv(1000))
      assert.equal(1, handled)
    end)
  end)
end)
