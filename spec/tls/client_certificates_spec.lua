-- Certificates of clients: shown, not shown, and not good enough; on either side.
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local certificates, ssl, E = tls.certificates, tls.ssl, csock.errno

describe("a client's certificate", function()
  if tls.missing then return it("is verified", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- A context of a client that shows this certificate (or none).
  local function showing(name, version)
    local context = tls.client { version = version }
    if name then assert(context:load_cert_chain(certificates[name].cert, certificates[name].key)) end
    return context
  end

  for _, version in ipairs { "1.2", "1.3" } do
    tls.ways(function(way, run)
      local where = (", TLS %s, %s"):format(version, way)

      it("is shown to a server that asks" .. where, function()
        run(function()
          local server = tls.listen { role = "info", version = version, client_ca = certificates.ca.cert }
          local s = assert(tls.dial(server.port, showing("client", version)))
          assert.matches("peer=a client\n", assert(tls.line(s)))
          s:close()
          assert.equal("closed", server:result())
        end)
      end)

      -- In TLS 1.3 the client is done before the server has looked at its certificate: it hears of it when it reads.
      local function refusal(s, err, errno)
        if s then
          assert.equal("1.3", version)
          s, err, errno = tls.line(s)
        end
        assert.is_nil(s)
        return err, errno
      end

      it("that is not there is missed by a server that wants one" .. where, function()
        run(function()
          local server = tls.listen { role = "info", version = version, client_ca = certificates.ca.cert }
          local err, errno = refusal(tls.dial(server.port, showing(nil, version)))
          assert.equal(E.EPROTO, errno)
          assert.equal("ssl", err.kind)
          assert.equal(version == "1.3" and "certificate_required" or "handshake_failure", err.alert)
          assert.matches(err.alert:gsub("_", "[_ ]"), tostring(err))
          assert.matches("certificate", tostring(err)) -- in the hint, TLS 1.2
          assert.equal("SSLError PEER_DID_NOT_RETURN_A_CERTIFICATE", server:result())
        end)
      end)

      it("by an unknown authority is refused by the server" .. where, function()
        run(function()
          local server = tls.listen { role = "info", version = version, client_ca = certificates.ca.cert }
          local err, errno = refusal(tls.dial(server.port, showing("unknown_client", version)))
          assert.equal(E.EPROTO, errno)
          assert.equal("unknown_ca", err.alert)
          assert.equal("TLSV1_ALERT_UNKNOWN_CA", err.name)
          assert.equal("SSLError CERTIFICATE_VERIFY_FAILED", server:result())
        end)
      end)

      -- A server of ours: what its handshake gave, and what its client says of it.
      local function serve(mode, client)
        local context = tls.server(nil, { version = version, verify_mode = mode })
        assert(context:load_verify_locations { cafile = certificates.ca.cert })
        local listener = keep(csock.create_server { "127.0.0.1", 0 })
        local connection = tls.connect { role = "ask", port = listener:getsockname().port, cert = client }
        listener:settimeout(tls.LIMIT)
        local conn = keep((assert(listener:accept())))
        conn:settimeout(tls.LIMIT)
        local s, err, errno = context:wrap_socket(conn, { server_side = true })
        return s, err, errno, connection
      end

      local function answer(s, connection)
        assert.equal("hello\n", tls.line(s))
        assert(s:sendall "hello yourself\n")
        assert.matches("answer=hello yourself", connection:result())
      end

      it("is verified by a server that wants one" .. where, function()
        run(function()
          local s, err, _, connection = serve(ssl.CERT_REQUIRED, certificates.client)
          assert(s, tostring(err))
          assert.same({ { { "commonName", "a client" } } }, s:getpeercert().subject)
          assert.equal(2, #s:get_verified_chain())
          answer(s, connection)
        end)
      end)

      for name, row in pairs {
        ["by an unknown authority"] = { "unknown_client", 20, "local issuer" },
        ["that has expired"] = { "expired_client", 10, "expired" },
        ["that is a server's"] = { "good", 26, "purpose" },
      } do
        it(name .. " is refused by a server that wants one, which says why" .. where, function()
          run(function()
            local s, err, errno, connection = serve(ssl.CERT_REQUIRED, certificates[row[1]])
            assert.is_nil(s)
            assert.equal(E.EPROTO, errno)
            assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
            assert.equal(row[2], err.verify_code)
            assert.matches(row[3], tostring(err))
            assert.matches("SSLError", connection:result())
          end)
        end)
      end

      it("that is not there is missed, in words" .. where, function()
        run(function()
          local s, err, errno, connection = serve(ssl.CERT_REQUIRED, nil)
          assert.is_nil(s)
          assert.equal(E.EPROTO, errno)
          assert.equal("PEER_DID_NOT_RETURN_A_CERTIFICATE", err.name)
          assert.matches("certificate", tostring(err))
          assert.matches("SSLError", connection:result())
        end)
      end)

      it("may be missing where it is optional, and is nil then" .. where, function()
        run(function()
          local s, err, _, connection = serve(ssl.CERT_OPTIONAL, nil)
          assert(s, tostring(err))
          assert.is_nil(s:getpeercert())
          assert.is_nil(s:getpeercert(true))
          answer(s, connection)
        end)
      end)

      it("must be good where it is optional and shown" .. where, function()
        run(function()
          local s, err = serve(ssl.CERT_OPTIONAL, certificates.unknown_client)
          assert.is_nil(s)
          assert.equal(20, err.verify_code)
        end)
      end)

      it("is not asked for by default" .. where, function()
        run(function()
          local s, err, _, connection = serve(ssl.CERT_NONE, certificates.client)
          assert(s, tostring(err))
          assert.is_nil(s:getpeercert())
          answer(s, connection)
        end)
      end)
    end)

    it("is known to a resumed session, too, TLS " .. version, function()
      local server = tls.server(nil, { version = version, verify_mode = ssl.CERT_REQUIRED })
      assert(server:load_verify_locations { cafile = certificates.ca.cert })
      local client = showing("client", version)
      for i = 1, 2 do
        local a, b = tls.pair(client, server)
        assert.equal(i == 2, b:session_reused())
        assert.same({ { { "commonName", "a client" } } }, b:getpeercert().subject)
        assert(b:sendall "x") -- brings the tickets
        assert.equal("x", a:recv(1))
        a:close()
        b:close()
      end
    end)
  end
end)
