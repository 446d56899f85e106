-- What an error says: no handshake at all, the wrong protocol, alerts; and that it is over for whoever comes next.
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local certificates, ssl, E = tls.certificates, tls.ssl, csock.errno

describe("an error of TLS", function()
  if tls.missing then return it("has words", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- All that each of them has.
  local function assert_whole(err, errno)
    assert.equal(errno, err.errno)
    assert.is_string(err.call)
    assert.is_true(#err.call > 0)
    assert.is_string(err.name)
    assert.matches("^[%u%d_]+$", err.name)
    assert.is_true(#err.strerror > 0)
    assert.is_true(#tostring(err) > #err.call + 2)
    assert.is_nil((tostring(err):find "nil"))
    if errno == E.EPROTO then assert.equal("ssl", err.kind) end
  end

  tls.ways(function(way, run)
    for name, row in pairs {
      ["that is a page of HTTP"] = { "answer", "HTTP/1.0 400 Bad Request\r\n\r\n", "does not speak TLS" },
      ["that is a greeting of SMTP"] = { "speak", "220 mail.example.test ESMTP\r\n" },
      ["that is text"] = { "answer", "what do you mean?\n" },
      ["that is nothing but zeros"] = { "answer", ("\0"):rep(100) },
      ["that is a record of 20000 bytes"] = { "answer", "\22\3\3\x4e\x20" .. ("x"):rep(20000) },
      ["that is a record of a version unknown"] = { "answer", "\22\9\9\0\5hello" },
      ["that is application data"] = { "answer", "\23\3\3\0\5hello" },
      ["that is an alert"] = { "answer", "\21\3\3\0\2\2\x50" },
      ["that is an empty handshake message"] = { "answer", "\22\3\3\0\4\2\0\0\0" },
    } do
      it("for an answer " .. name .. " says so at once, " .. way, function()
        run(function()
          local server = tls.listen { role = row[1], bytes = row[2] }
          local s = tls.plain(server.port)
          local ok, err, errno = tls.client():wrap_socket(s, { server_hostname = "localhost" })
          assert.is_nil(ok)
          assert.equal(E.EPROTO, errno)
          assert_whole(err, errno)
          assert.equal(E.EBADF, select(3, s:send "x"))
          if row[3] then assert.matches(row[3], tostring(err)) end
          assert.not_matches("fault", server:result())
        end)
      end)
    end

    it("for a server that is spoken to in plain has a hint, " .. way, function()
      run(function()
        local server = tls.listen { role = "speak", bytes = "220 mail.example.test ESMTP\r\n" }
        local _, err = tls.dial(server.port)
        assert.equal("WRONG_VERSION_NUMBER", err.name)
        assert.is_string(err.hint)
        assert.matches(err.hint, tostring(err), 1, true)
      end)
    end)

    it("for a server that hangs up, or hangs up hard, says which, " .. way, function()
      run(function()
        local server = tls.listen { role = "hang_up" }
        local ok, err, errno = tls.dial(server.port)
        assert.is_nil(ok)
        assert_whole(err, errno)
        assert.equal(E.EPROTO, errno)
        assert.equal("UNEXPECTED_EOF_WHILE_READING", err.name)
        server = tls.listen { role = "hang_up_hard" }
        ok, err, errno = tls.dial(server.port)
        assert.is_nil(ok)
        assert_whole(err, errno)
        assert.equal(E.ECONNRESET, errno)
      end)
    end)

    -- A server of ours that hears this.
    local function hear(bytes)
      local listener = keep(csock.create_server { "127.0.0.1", 0 })
      local s = tls.plain(listener:getsockname().port)
      assert(s:sendall(bytes))
      local conn = keep((assert(listener:accept())))
      conn:settimeout(tls.LIMIT)
      local ok, err, errno = tls.server():wrap_socket(conn, { server_side = true })
      assert.is_nil(ok)
      assert_whole(err, errno)
      assert.equal(E.EPROTO, errno)
      assert.equal(E.EBADF, select(3, conn:send "x"))
      return err, s
    end

    it("for a request in plain HTTP to a server says so, " .. way, function()
      run(function()
        for _, method in ipairs { "GET", "POST", "HEAD", "PUT" } do
          local err = hear(method .. " / HTTP/1.1\r\nHost: localhost\r\n\r\n")
          assert.equal("HTTP_REQUEST", err.name)
          assert.matches("HTTP", err.strerror)
          assert.is_string(err.hint)
        end
      end)
    end)

    it("for garbage to a server says something, and the client gets no byte of the program's, " .. way, function()
      run(function()
        for _, bytes in ipairs {
          "garbage that is no handshake\n", ("\0"):rep(64), ("\255"):rep(64), "\22\3\1\xff\xff" .. ("x"):rep(70000),
          "\22\3\1\0\4\1\0\0\0", "SSH-2.0-OpenSSH_9.2\r\n", "\x80\x2e\1\3\1\0\x15\0\0\0\x10" .. ("x"):rep(64),
        } do
          local _, s = hear(bytes)
          local rest = s:recv(1000) -- an alert at most, or a reset
          assert.is_true(rest == nil or #rest <= 7)
        end
      end)
    end)

    it("that is an alert has the alert's name, " .. way, function()
      run(function()
        for number, name in pairs {
          [40] = "handshake_failure", [42] = "bad_certificate", [45] = "certificate_expired", [48] = "unknown_ca",
          [70] = "protocol_version", [80] = "internal_error", [112] = "unrecognized_name",
          [116] = "certificate_required",
          [120] = "no_application_protocol", [86] = "inappropriate_fallback", [71] = "insufficient_security",
        } do
          local server = tls.listen { role = "answer", bytes = "\21\3\3\0\2\2" .. string.char(number) }
          local ok, err, errno = tls.dial(server.port)
          assert.is_nil(ok)
          assert_whole(err, errno)
          assert.equal(name, err.alert)
        end
      end)
    end)

    it("is given again by what comes after it, " .. way, function()
      run(function()
        local server = tls.listen { role = "corrupt" }
        local s = assert(tls.dial(server.port))
        local _, first = s:recv(100)
        local _, second, errno = s:recv(100)
        assert_whole(second, errno)
        assert.equal(first.name, second.name)
        _, second, errno = s:send "x"
        assert_whole(second, errno)
      end)
    end)

    it("of one connection is nothing to another, " .. way, function()
      run(function()
        local a, b = tls.pair()
        for _ = 1, 20 do
          local server = tls.listen { role = "hang_up" }
          assert.is_nil((tls.dial(server.port)))
          a:settimeout(0)
          assert.equal(E.EAGAIN, select(3, a:recv(1))) -- its SSL_get_error is told nothing of the others
          a:settimeout(tls.LIMIT)
          assert(a:sendall "x")
          assert.equal("x", b:recv(1))
        end
      end)
    end)
  end)

  it("leaves nothing in OpenSSL's queue, the host's as well, and is not led by what others have left", function()
    local openssl = require "spec.support.openssl"
    if not pcall(openssl.first_error) then return pending "another libcrypto" end
    local a, b = tls.raw_pair()
    local expired = { tls.raw_pair(nil, tls.server(certificates.expired)) }
    local steps = {
      shake = function() return tls.shake(a, b) end,
      refuse = function() return tls.shake(expired[1], expired[2]) end,
      nothing = function() return a:recv(1) end,
      context = function() return tls.server() end,
      file = function() return tls.server():load_cert_chain "/nonexistent" end,
      ciphers = function() return tls.client():set_ciphers "NONE" end,
      data = function() return tls.client():load_verify_locations { cadata = "x" } end,
      key = function() return tls.server():load_cert_chain(certificates.encrypted.cert, certificates.encrypted.key) end,
      pem = function() return ssl.PEM_cert_to_DER_cert "x" end,
      details = function() return a:getpeercert(), a:cipher(), a:get_verified_chain(), a:session() end,
      keys = function() return a:key_update() end,
      unwrap = function() return a:unwrap() end,
    }
    local want = {
      { "shake", true }, { "nothing" }, { "refuse" }, { "context", true }, { "file" }, { "ciphers" }, { "data" },
      { "key" }, { "pem" }, { "details", true }, { "keys", true }, { "nothing" }, { "unwrap" },
    }
    for _, row in ipairs(want) do
      openssl.leave_error()
      local ok, err = steps[row[1]]()
      assert.equal(row[2] or false, ok and true or false, row[1] .. ": " .. tostring(err))
      if row[1] == "nothing" then assert.equal(E.EAGAIN, err.errno) end
      if row[1] == "refuse" then assert.equal("CERTIFICATE_VERIFY_FAILED", err.name) end
      assert.equal(0, openssl.first_error(), row[1])
    end
    a:settimeout(tls.LIMIT)
    for _, s in ipairs { a, b } do
      openssl.leave_error()
      s:close()
      assert.equal(0, openssl.first_error())
    end
  end)

  for name, load in pairs {
    ["a file that is not there"] = function(context) return context:load_cert_chain "/nonexistent/cert.pem" end,
    ["a file without a certificate"] = function(context)
      return context:load_cert_chain(certificates.good.key, certificates.good.key)
    end,
    ["a key that is another's"] = function(context)
      return context:load_cert_chain(certificates.good.cert, certificates.other.key)
    end,
    ["a key file that is not there"] = function(context)
      return context:load_cert_chain(certificates.good.cert, "/nonexistent/key.pem")
    end,
    ["an encrypted key and no password"] = function(context)
      return context:load_cert_chain(certificates.encrypted.cert, certificates.encrypted.key)
    end,
    ["an encrypted key and a wrong password"] = function(context)
      return context:load_cert_chain(certificates.encrypted.cert, certificates.encrypted.key, "wrong")
    end,
    ["a chain file that is not there"] = function(context)
      return context:load_cert_chain(certificates.good.cert, certificates.good.key, nil, "/nonexistent/chain.pem")
    end,
    ["a chain file without a certificate"] = function(context)
      return context:load_cert_chain(certificates.good.cert, certificates.good.key, nil, certificates.good.key)
    end,
    ["authorities that are not there"] = function(context)
      return context:load_verify_locations { cafile = "/nonexistent/ca.pem" }
    end,
    ["data that is no certificate"] = function(context)
      return context:load_verify_locations { cadata = "no certificate" }
    end,
    ["ciphers that nobody knows"] = function(context) return context:set_ciphers "NO-SUCH-CIPHER" end,
    ["suites that nobody knows"] = function(context) return context:set_ciphersuites "TLS_NO_SUCH" end,
    ["a curve that nobody knows"] = function(context) return context:set_ecdh_curve "no-such-curve" end,
  } do
    it("is told of " .. name .. ", and the context is as it was", function()
      local context = tls.server()
      local ok, err, errno = load(context)
      assert.is_nil(ok)
      assert.is_true(#tostring(err) > 0)
      assert.is_nil((tostring(err):find "nil"))
      assert.is_number(errno)
      local a, b = tls.pair(nil, context)
      assert(a:sendall "x")
      assert.equal("x", b:recv(1))
    end)
  end

  it("names the file that could not be read", function()
    local _, err, errno = tls.server():load_cert_chain "/nonexistent/cert.pem"
    assert.matches("/nonexistent/cert.pem", tostring(err), 1, true)
    assert.equal(E.ENOENT, errno)
    _, err = tls.server():load_verify_locations { cafile = "/nonexistent/ca.pem" }
    assert.matches("/nonexistent/ca.pem", tostring(err), 1, true)
    _, err = ssl.create_default_context(nil, { cafile = "/nonexistent/ca.pem" })
    assert.matches("/nonexistent/ca.pem", tostring(err), 1, true)
  end)

  it("says that a file has no key in it", function()
    local _, err = tls.server():load_cert_chain(certificates.good.cert)
    assert.matches("no private key", tostring(err), 1, true)
    assert.matches(certificates.good.cert, tostring(err), 1, true)
  end)

  it("is given by create_connection, too, with a closed socket behind it", function()
    local server = tls.listen { role = "lines", cert = certificates.expired }
    local s, err, errno = csock.create_connection({ "127.0.0.1", server.port },
      { ssl = tls.client(), server_hostname = "localhost" })
    assert.is_nil(s)
    assert_whole(err, errno)
    assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
    assert.equal(10, err.verify_code)
    assert.equal("SSLError SSLV3_ALERT_CERTIFICATE_EXPIRED", server:result())
  end)
end)
