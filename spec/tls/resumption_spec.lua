-- Sessions that are used again: by clients of themselves and when told, by servers, in TLS 1.2 and 1.3.
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local certificates = tls.certificates

describe("a session", function()
  if tls.missing then return it("is used again", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- Lets the tickets of TLS 1.3 come: they are in front of the first bytes.
  local function converse(a, b)
    assert(b:sendall "x")
    assert.equal("x", a:recv(1))
    assert(a:sendall "y")
    assert.equal("y", b:recv(1))
  end

  -- A conversation between these contexts: whether it was resumed, and the client's session.
  local function meet(client, server, options)
    local a, b = tls.pair(client, server, options)
    converse(a, b)
    local reused, session = a:session_reused(), a:session()
    assert.equal(reused, b:session_reused())
    a:close()
    b:close()
    return reused, session
  end

  for _, version in ipairs { "1.2", "1.3" } do
    describe("of TLS " .. version, function()
      it("is used again by a client's context of itself", function()
        local client, server = tls.client { version = version }, tls.server()
        assert.is_false((meet(client, server)))
        for _ = 1, 5 do assert.is_true((meet(client, server))) end
      end)

      it("is used again for the same name alone", function()
        local client, server = tls.client { version = version }, tls.server()
        meet(client, server)
        assert.is_false((meet(client, server, { server_hostname = "127.0.0.1" })))
        assert.is_true((meet(client, server, { server_hostname = "127.0.0.1" })))
        assert.is_true((meet(client, server)))
      end)

      it("is not used again where the context keeps none", function()
        local client, server = tls.client { version = version, session_cache = false }, tls.server()
        meet(client, server)
        assert.is_false((meet(client, server)))
      end)

      it("is given to wrap_socket", function()
        local server = tls.server()
        local client = tls.client { version = version, session_cache = false }
        local _, session = meet(client, server)
        assert.is_true(session.has_ticket)
        assert.is_true(session.timeout > 0)
        assert.is_true(math.abs(session.time - os.time()) < 100)
        assert.is_number(session.ticket_lifetime_hint)
        assert.is_string(session.id)
        assert.is_true((meet(client, server, { session = session })))
      end)

      it("is not used again by a server that does not know it", function()
        local client = tls.client { version = version }
        meet(client, tls.server())
        local server = tls.server()
        assert.is_false((meet(client, server)))
        assert.is_true((meet(client, server)))
      end)

      it("ends with a connection that failed: the next one makes a handshake of its own", function()
        local client, server = tls.client { version = version }, tls.server()
        meet(client, server)
        local a = tls.pair(client, server)
        assert(a:session_reused())
        a:close()
        assert((tls.pair(client, server)))
      end)

      tls.ways(function(way, run)
        it("is used again by a Python server, " .. way, function()
          run(function()
            local client, server = tls.client { version = version }, tls.listen { role = "info" }
            for _, reused in ipairs { false, true, true } do
              local s = assert(tls.dial(server.port, client))
              assert.matches("reused=" .. (reused and "True" or "False"), tls.line(s), 1, true)
              assert.equal(reused, s:session_reused())
              assert.same({ { { "commonName", "localhost" } } }, s:getpeercert().subject)
              s:close()
            end
          end)
        end)

        it("is used again by a Python client, " .. way, function()
          run(function()
            local server = tls.server(nil, { version = version })
            local listener = keep(csock.create_server { "127.0.0.1", 0 })
            listener:settimeout(tls.LIMIT)
            for i, reused in ipairs { false, true } do
              local client = tls.connect { role = "ask", port = listener:getsockname().port,
                keep = "ours" .. version .. way, session = i == 2 and "ours" .. version .. way or nil }
              local conn = keep((assert(listener:accept())))
              conn:settimeout(tls.LIMIT)
              assert(server:wrap_socket(conn, { server_side = true }))
              assert.equal(reused, conn:session_reused())
              assert.equal("hello\n", tls.line(conn))
              assert(conn:sendall "answer\n")
              assert.matches("reused=" .. (reused and "True" or "False"), client:result(), 1, true)
              conn:close()
            end
          end)
        end)
      end)
    end)
  end

  it("is of use to its own context alone, for its own name: wrap_socket raises for others", function()
    local a = tls.plain_pair()
    local client, server = tls.client(), tls.server()
    local _, session = meet(client, server)
    for _, row in ipairs {
      { assert(tls.ssl.create_default_context(nil, { cafile = certificates.unknown_ca.cert })), "localhost", session },
      { tls.client(), "localhost", session },
      { client, "127.0.0.1", session },
      { client, "localhost", {} },
      { client, "localhost", a },
    } do
      assert.has_error(function() row[1]:wrap_socket(a, { server_hostname = row[2], session = row[3] }) end)
    end
    assert.has_error(function() server:wrap_socket(a, { server_side = true, session = session }) end)
    assert(a:send "still plain")
    assert.is_true((meet(client, server, { server_hostname = "LocalHost.", session = session })))
  end)

  it("comes in as many tickets as the server is told to give", function()
    for _, n in ipairs { 0, 1, 3 } do
      local client, server = tls.client(), tls.server(nil, { num_tickets = n })
      meet(client, server)
      assert.equal(n > 0, (meet(client, server)))
    end
  end)

  it("is counted", function()
    local client, server = tls.client(), tls.server()
    meet(client, server)
    meet(client, server)
    local stats = server:session_stats()
    assert.equal(2, stats.accept)
    assert.equal(1, stats.hits)
  end)
end)
