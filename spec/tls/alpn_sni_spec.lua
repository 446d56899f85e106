-- What is agreed on in the handshake: the protocol above (ALPN), and which name the client has asked for (SNI).
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local certificates, E = tls.certificates, csock.errno

describe("ALPN", function()
  if tls.missing then return it("is agreed on", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  for _, version in ipairs { "1.2", "1.3" } do
    it("takes the first of the server's that the client has, TLS " .. version, function()
      local a, b = tls.pair(tls.client { version = version, set_alpn_protocols = { "a", "b", "c" } },
        tls.server(nil, { set_alpn_protocols = { "x", "c", "b" } }))
      assert.equal("c", a:selected_alpn_protocol())
      assert.equal("c", b:selected_alpn_protocol())
    end)

    it("fails where they have none in common, with an alert that says so, TLS " .. version, function()
      local a, b = tls.raw_pair(tls.client { version = version, set_alpn_protocols = { "a" } },
        tls.server(nil, { set_alpn_protocols = { "b" } }))
      local ok, err, errno, whose = tls.shake(a, b)
      assert.is_nil(ok)
      assert.equal(b, whose)
      assert.equal(E.EPROTO, errno)
      assert.equal("NO_APPLICATION_PROTOCOL", err.name)
      ok, err = a:do_handshake()
      assert.is_nil(ok)
      assert.equal("no_application_protocol", err.alert)
    end)

    it("is nothing where one of them has none, TLS " .. version, function()
      for _, options in ipairs { { client = { "a" } }, { server = { "a" } }, {} } do
        local a, b = tls.pair(tls.client { version = version, set_alpn_protocols = options.client },
          tls.server(nil, { set_alpn_protocols = options.server }))
        assert.is_nil(a:selected_alpn_protocol())
        assert.is_nil(b:selected_alpn_protocol())
      end
    end)
  end

  tls.ways(function(way, run)
    it("is agreed on with Python, " .. way, function()
      run(function()
        local server = tls.listen { role = "info", alpn = "h2,http/1.1" }
        local s = assert(tls.dial(server.port, tls.client { set_alpn_protocols = { "http/1.1" } }))
        assert.equal("http/1.1", s:selected_alpn_protocol())
        assert.matches("alpn=http/1.1 ", tls.line(s), 1, true)
      end)
    end)
  end)

  it("has names of 1 to 255 bytes", function()
    local context = tls.client()
    assert.has_error(function() context:set_alpn_protocols { "" } end)
    assert.has_error(function() context:set_alpn_protocols { ("x"):rep(256) } end)
    assert.has_error(function() context:set_alpn_protocols { 1, {} } end)
    context:set_alpn_protocols { ("x"):rep(255) }
  end)
end)

describe("SNI", function()
  if tls.missing then return it("is heard", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- The subject of the certificate that a server with this sni_callback shows to who asks for a name; and its socket.
  local function shown(callback, name, context)
    local server = context or tls.server()
    if not context then server.sni_callback = callback end
    local client = tls.client()
    client.check_hostname = false
    local a, b = tls.raw_pair(client, server, { server_hostname = name })
    local ok, err, errno, whose = tls.shake(a, b)
    if not ok then return nil, err, errno, whose, a, b end
    return a:getpeercert().subject[1][1][2], b
  end

  it("is what the client has asked for", function()
    local _, b = shown(nil, "localhost")
    assert.equal("localhost", b:server_hostname())
  end)

  it("is nothing for an IP address", function()
    for _, address in ipairs { "127.0.0.1", "::1" } do
      local _, b = shown(nil, address)
      assert.is_nil(b:server_hostname())
    end
  end)

  it("is sent to other servers, without a dot at its end", function()
    local server = tls.listen { role = "info" }
    local s = assert(tls.dial(server.port, nil, { server_hostname = "localhost." }))
    assert.matches("name=localhost ", tls.line(s), 1, true)
    s = assert(tls.dial(server.port, nil, { server_hostname = "127.0.0.1" }))
    assert.matches("name=None ", tls.line(s), 1, true)
  end)

  describe("by a table of contexts", function()
    local function names()
      return {
        ["other.example.test"] = tls.server(certificates.other),
        ["*.example.test"] = tls.server(certificates.wildcard),
      }
    end

    for name, subject in pairs {
      ["other.example.test"] = "other",
      ["OTHER.example.TEST"] = "other",
      ["a.example.test"] = "wildcard",
      ["a.b.example.test"] = "localhost",
      ["example.test"] = "localhost",
      ["elsewhere.test"] = "localhost",
      ["127.0.0.1"] = "localhost",
    } do
      it(("gives %s the certificate of %s"):format(name, subject), function()
        assert.equal(subject, (shown(names(), name)))
      end)
    end
  end)

  -- A name's context may demand what another's does not: a client's certificate, a version.
  for _, how in ipairs { "table", "function" } do
    describe("by a " .. how .. ", with contexts that demand different things,", function()
      local CERTIFICATE = { load_verify_locations = certificates.ca.cert, verify_mode = tls.ssl.CERT_REQUIRED }

      -- A server whose context for closed.test has these options.
      local function serve(options)
        local server, names = tls.server(), { ["open.test"] = tls.server(), ["closed.test"] = tls.server(nil, options) }
        server.sni_callback = how == "table" and names or function(_, name) return names[name] end
        return server
      end

      local function connect(server, client, name, session)
        local a, b = tls.raw_pair(client, server, { server_hostname = name, session = session })
        local ok, err = tls.shake(a, b)
        if not ok then return nil, err end
        assert(b:send "x" and a:recv(1)) -- the session is there
        return a, b
      end

      for _, version in ipairs { "1.2", "1.3" } do
        it("takes up a session again under its own context alone, TLS " .. version, function()
          local server = serve(CERTIFICATE)
          local client = tls.client { version = version, session_cache = false, check_hostname = false }
          local session = assert(connect(server, client, "open.test")):session()
          assert.is_true(assert(connect(server, client, "open.test", session)):session_reused())
          for _, name in ipairs { "other.test", "closed.test" } do
            local a, err = connect(server, client, name, session)
            if name == "closed.test" then
              assert.is_nil(a)
              assert.equal("PEER_DID_NOT_RETURN_A_CERTIFICATE", err.name)
            else
              assert.is_false(a:session_reused())
            end
          end
        end)
      end

      it("allows the versions that the chosen one does", function()
        local server = serve { version = "1.3" }
        local client = tls.client { version = "1.2", check_hostname = false }
        assert.equal("TLSv1.2", assert(connect(server, client, "open.test")):version())
        local a, err = connect(server, client, "closed.test")
        assert.is_nil(a)
        assert.equal("UNSUPPORTED_PROTOCOL", err.name)
      end)

      it("verifies as the chosen one does", function()
        local server = serve {
          load_verify_locations = CERTIFICATE.load_verify_locations, verify_mode = CERTIFICATE.verify_mode,
          verify_flags = tls.ssl.VERIFY_CRL_CHECK_LEAF, -- and there is no such list
        }
        local client = tls.client { check_hostname = false }
        assert(client:load_cert_chain(certificates.client.cert, certificates.client.key))
        local a, err = connect(server, client, "closed.test")
        assert.is_nil(a)
        assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
      end)
    end)
  end

  describe("by a function", function()
    it("is given the socket, the name and the context, and gives another one", function()
      local other, got = tls.server(certificates.other), nil
      local server = tls.server()
      server.sni_callback = function(sock, name, context)
        got = { sock, name, context }
        return other
      end
      local subject, b = shown(nil, "any.example.test", server)
      assert.equal("other", subject)
      assert.equal(b, got[1])
      assert.equal("any.example.test", got[2])
      assert.equal(server, got[3])
    end)

    it("keeps the context with nil", function()
      local subject, b = shown(function() return nil end, "any.example.test")
      assert.equal("localhost", subject)
      assert.equal("any.example.test", b:server_hostname())
    end)

    it("refuses with false: the client is told that the name is not recognized", function()
      local ok, err, errno, whose, a = shown(function() return false end, "any.example.test")
      assert.is_nil(ok)
      assert.equal(E.EPROTO, errno)
      assert.is_true(#tostring(err) > 0)
      if whose ~= a then ok, err = a:do_handshake() end
      assert.is_nil(ok)
      assert.equal("unrecognized_name", err.alert)
    end)

    it("passes its error on, after which the connection is closed", function()
      local server = tls.server()
      server.sni_callback = function() error("a fault of the program's", 0) end
      local a, b = tls.raw_pair(nil, server)
      local ok, err = pcall(tls.shake, a, b)
      assert.is_false(ok)
      assert.equal("a fault of the program's", err)
      for _ = 1, 20 do
        ok, err = a:do_handshake()
        if err.errno ~= E.EAGAIN then break end
      end
      assert.is_nil(ok)
      assert.not_equal(E.EAGAIN, err.errno)
    end)

    it("may give nothing but a server's context, nil or false", function()
      for _, value in ipairs { 1, "x", tls.client() } do
        local server = tls.server()
        server.sni_callback = function() return value end
        assert.is_false((pcall(tls.shake, tls.raw_pair(nil, server))))
      end
    end)

    it("is called for those who ask for no name, too, or not: the name is nil then", function()
      local got = "not called"
      local subject = shown(function(_, name) got = name end, "127.0.0.1")
      assert.equal("localhost", subject)
      assert.is_true(got == nil or got == "not called")
    end)
  end)
end)
