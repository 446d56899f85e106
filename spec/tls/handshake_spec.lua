-- The handshake: when it is made, what it agrees on, and how it ends when the other side is slow, or no such thing.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

local certificates, ssl, E = tls.certificates, tls.ssl, csock.errno

-- Seconds that something takes which is to time out, and how much later that may be noticed.
local SHORT, LATE = 0.05, 1 * process.slowness

describe("a handshake", function()
  if tls.missing then return it("is made", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  local function assert_closed(s) assert.equal(E.EBADF, select(3, s:send "x")) end

  for _, version in ipairs { "1.2", "1.3" } do
    it("by a client of TLS " .. version .. " alone, and by a server of that alone, agrees on it", function()
      for _, pair in ipairs { { { version = version } }, { nil, { version = version } } } do
        local a, b = tls.pair(tls.client(pair[1]), tls.server(nil, pair[2]))
        for _, s in ipairs { a, b } do
          assert.equal("TLSv" .. version, s:version())
          local name, protocol, bits = s:cipher()
          assert.is_string(name)
          assert.is_string(protocol)
          assert.is_true(bits >= 128)
          assert.is_false(s:session_reused())
        end
        assert.is_false(a:server_side())
        assert.is_true(b:server_side())
        assert.equal("localhost", a:server_hostname())
        assert.is_nil(a:want())
      end
    end)
  end

  it("makes a cipher that was asked for, TLS 1.2", function()
    local a = tls.pair(tls.client { version = "1.2", set_ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305" })
    assert.equal("ECDHE-ECDSA-CHACHA20-POLY1305", (a:cipher()))
  end)

  it("makes a cipher that was asked for, TLS 1.3", function()
    local a, b = tls.pair(tls.client { set_ciphersuites = "TLS_CHACHA20_POLY1305_SHA256" })
    assert.equal("TLS_CHACHA20_POLY1305_SHA256", (a:cipher()))
    assert.equal("TLS_CHACHA20_POLY1305_SHA256", (b:cipher()))
  end)

  -- The first failure of a pair, with the other side's: of the client, of the server.
  local function failures(client, server)
    local a, b = tls.raw_pair(client, server)
    local ok, err, errno, whose = tls.shake(a, b)
    assert.is_nil(ok)
    assert.equal(E.EPROTO, errno)
    local other = whose == a and b or a
    local other_err
    repeat
      ok, other_err, errno = other:do_handshake()
    until errno ~= E.EAGAIN
    assert.is_nil(ok)
    if whose == a then return err, other_err end
    return other_err, err
  end

  it("fails without a version in common, and both sides say so", function()
    for _, versions in ipairs { { "1.2", "1.3" }, { "1.3", "1.2" } } do
      local client, server = failures(tls.client { version = versions[1] }, tls.server(nil, { version = versions[2] }))
      assert.equal("UNSUPPORTED_PROTOCOL", server.name)
      assert.equal("protocol_version", client.alert)
      assert.matches("version", tostring(client))
      assert.matches("version", tostring(server))
      assert.is_string(client.hint)
    end
  end)

  it("fails without a cipher in common, and both sides say so", function()
    local client, server = failures(tls.client { version = "1.2", set_ciphers = "ECDHE-RSA-AES128-GCM-SHA256" })
    assert.equal("NO_SHARED_CIPHER", server.name)
    assert.equal("handshake_failure", client.alert)
    assert.matches("cipher", tostring(server))
  end)

  it("fails with a server that has no certificate", function()
    local server = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    local _, err = failures(nil, server)
    assert.equal("NO_SHARED_CIPHER", (err.name:gsub("NO_SUITABLE_SIGNATURE_ALGORITHM", "NO_SHARED_CIPHER")))
  end)

  tls.ways(function(way, run)
    it("is made at once on a connected socket, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines" }
        local s = assert(tls.dial(server.port))
        assert.equal("TLSv1.3", s:version())
        assert.equal("HELLO\n", tls.ask(s, "hello"))
        assert.is_true(s:do_handshake()) -- once more: nothing to do
      end)
    end)

    it("is made by the first recv or send where it was put off, " .. way, function()
      run(function()
        local server = tls.listen { role = "info" }
        local s = assert(tls.dial(server.port, nil, { do_handshake_on_connect = false }))
        assert.is_nil(s:version())
        assert.is_nil(s:cipher())
        assert.matches("^TLSv1.3", tls.line(s))
        s = assert(tls.dial(server.port, nil, { do_handshake_on_connect = false }))
        assert.equal(3, s:send "hi\n")
        assert.equal("TLSv1.3", s:version())
        s = assert(tls.dial(server.port, nil, { do_handshake_on_connect = false }))
        assert.is_true(s:do_handshake())
        assert.equal("TLSv1.3", s:version())
      end)
    end)

    it("is verified by the first recv or send, too, before any byte of the program's goes, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines", cert = certificates.unknown }
        for _, use in ipairs { function(s) return s:send "secret" end, function(s) return s:recv(1) end } do
          local s = assert(tls.dial(server.port, nil, { do_handshake_on_connect = false }))
          local ok, err, errno = use(s)
          assert.is_nil(ok)
          assert.equal(E.EPROTO, errno)
          assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
          assert.is_nil((s:send "secret"))
          s:close()
          assert.equal("SSLError TLSV1_ALERT_UNKNOWN_CA", server:result())
        end
      end)
    end)

    it("is the second half of connect, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines" }
        local s = keep(csock.socket())
        s:settimeout(tls.LIMIT)
        assert.equal(s, tls.client():wrap_socket(s, { server_hostname = "localhost" }))
        assert(s:connect { "127.0.0.1", server.port })
        assert.equal("TLSv1.3", s:version())
        assert.equal("HELLO\n", tls.ask(s, "hello"))
      end)
    end)

    it("that was asked for before the socket was connected is made by connect all the same, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines" }
        for _, early in ipairs {
          function(s) return s:do_handshake() end, function(s) return s:send "x" end,
          function(s) return s:recv(1) end, function(s) return s:sendall "x" end,
        } do
          local s = keep(csock.socket())
          s:settimeout(tls.LIMIT)
          assert(tls.client():wrap_socket(s, { server_hostname = "localhost" }))
          local ok, _, errno = early(s)
          assert.is_nil(ok)
          assert.equal(E.ENOTCONN, errno)
          assert(s:connect("127.0.0.1", server.port))
          assert.equal("TLSv1.3", s:version())
        end
      end)
    end)

    it("is under the time-out of connect, and of wrap_socket, which closes the socket, " .. way, function()
      run(function()
        local server = tls.listen { role = "stall" }
        local s = keep(csock.socket())
        s:settimeout(SHORT)
        assert(tls.client():wrap_socket(s, { server_hostname = "localhost" }))
        local began = csock.now()
        assert.equal(E.ETIMEDOUT, select(3, s:connect { "127.0.0.1", server.port }))
        assert.is_true(csock.now() - began < SHORT + LATE)
        s:settimeout(0)
        assert.is_nil((s:send "must not go in the clear"))
        s:close()
        assert.equal("ended", server:result())

        s = tls.plain(server.port)
        s:settimeout(SHORT)
        local ok, err, errno = tls.client():wrap_socket(s, { server_hostname = "localhost" })
        assert.is_nil(ok)
        assert.equal(E.ETIMEDOUT, errno)
        assert.is_true(#tostring(err) > 0)
        assert_closed(s)
        assert.equal("ended", server:result())
      end)
    end)

    it("that stops in the middle, at any place, ends with the time, " .. way, function()
      run(function()
        for _, size in ipairs { 1, 4, 5, 100, 300 } do
          local server = tls.listen { role = "part", size = size }
          local s = tls.plain(server.port)
          s:settimeout(SHORT)
          assert.equal(E.ETIMEDOUT, select(3, tls.client():wrap_socket(s, { server_hostname = "localhost" })))
          assert.equal("ended", server:result())
        end
      end)
    end)

    it("that comes byte by byte is a handshake, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines", handshake_pace = 0.0002 }
        local s = assert(tls.dial(server.port))
        assert.equal("HELLO\n", tls.ask(s, "hello"))
        s:close()

        local listener = keep(csock.create_server { "127.0.0.1", 0 })
        local client = tls.connect { role = "ask", port = listener:getsockname().port, handshake_pace = 0.0002 }
        local conn = keep((assert(listener:accept())))
        conn:settimeout(tls.LIMIT)
        assert(tls.server():wrap_socket(conn, { server_side = true }))
        assert.equal("hello\n", tls.line(conn))
        assert(conn:sendall "answer\n")
        assert.matches("answer=answer", client:result())
      end)
    end)

    it("that comes a byte every 20 ms is not given more time for that, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines", handshake_pace = 0.02 }
        local s = tls.plain(server.port)
        s:settimeout(0.2)
        local began = csock.now()
        assert.equal(E.ETIMEDOUT, select(3, tls.client():wrap_socket(s, { server_hostname = "localhost" })))
        local took = csock.now() - began
        assert.is_true(took >= 0.2 and took < 0.2 + LATE)
      end)
    end)

    it("goes on after a time-out of do_handshake, or the socket is closed, " .. way, function()
      run(function()
        local a, b = tls.raw_pair()
        a:settimeout(SHORT)
        local ok, _, errno = a:do_handshake()
        assert.is_nil(ok)
        assert.equal(E.ETIMEDOUT, errno)
        a:settimeout(0)
        if select(3, a:send "") ~= E.EBADF then
          local shaken = tls.shake(a, b)
          if not shaken then assert_closed(a) end
        end
      end)
    end)

    it("of a server, too, is made at once, and ends with the time, " .. way, function()
      run(function()
        local listener = keep(csock.create_server { "127.0.0.1", 0 })
        local s = tls.plain(listener:getsockname().port)
        local conn = keep((assert(listener:accept())))
        conn:settimeout(SHORT)
        assert.equal(E.ETIMEDOUT, select(3, tls.server():wrap_socket(conn, { server_side = true })))
        assert_closed(conn)
        assert.equal("", s:recv(1000)) -- not a byte in the clear
      end)
    end)
  end)

  it("is made step by step with no time to wait; `want` says for what", function()
    local a, b = tls.raw_pair()
    local ok, _, errno = b:do_handshake()
    assert.is_nil(ok)
    assert.equal(E.EAGAIN, errno)
    assert.equal("readable", b:want())
    assert.equal(E.EAGAIN, select(3, a:do_handshake()))
    assert.equal("readable", a:want())
    assert.equal(E.EAGAIN, select(3, a:recv(10)))
    assert.equal(E.EAGAIN, select(3, a:send "x"))
    assert.equal("readable", a:want()) -- what it waits for is the other side
    assert(tls.shake(a, b))
    assert.is_nil(a:want())
    assert.equal(1, a:send "x")
    assert.equal("x", b:recv(10))
  end)

  it("may be made by a client and a server that are tasks, at once", function()
    tls.in_task(function()
      local server, client = tls.server(), tls.client()
      local a, b = tls.plain_pair()
      local other = csock.spawn(function() return server:wrap_socket(b, { server_side = true }) end)
      assert.equal(a, client:wrap_socket(a, { server_hostname = "localhost" }))
      assert.equal(b, other:join(tls.LIMIT))
    end)
  end)

  it("is given up at Ctrl-C", function()
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    local p <close> = process.lua { "-e", ([[
      local csock, tls = require "csock", require "spec.support.tls"
      local s = csock.create_connection { "127.0.0.1", %d }
      print(pcall(tls.client().wrap_socket, tls.client(), s, { server_hostname = "localhost" }))
    ]]):format(listener:getsockname().port) }
    local s = keep((assert(listener:accept())))
    s:settimeout(tls.LIMIT)
    assert.equal("\22", s:recv(1)) -- its hello
    p:signal "SIGINT"
    p:expect "^false\t[^\n]*interrupted!\n"
    assert.equal(0, p:wait())
  end)

  it("is given up where its task is cancelled, and the socket is closed or of no use", function()
    tls.in_task(function()
      local server = tls.listen { role = "stall" }
      local s = tls.plain(server.port)
      s:settimeout(nil)
      local task = csock.spawn(function() return tls.client():wrap_socket(s, { server_hostname = "localhost" }) end)
      while task:status() ~= "waiting" do csock.sleep(0) end
      task:cancel()
      task:join(tls.LIMIT)
      s:settimeout(0)
      assert.is_nil((s:send "must not go in the clear"))
      s:close()
      assert.equal("ended", server:result())
    end)
  end)

  it("of what a listening socket over TLS has accepted is made when the connection is used", function()
    tls.in_task(function()
      local listener = keep(csock.create_server { "127.0.0.1", 0 })
      assert.equal(listener, tls.server():wrap_socket(listener, { server_side = true }))
      listener:settimeout(tls.LIMIT)
      local port = listener:getsockname().port
      local slow = tls.plain(port) -- says nothing, and holds nobody up
      local client = tls.connect { role = "ask", port = port }
      local first = keep((assert(listener:accept())))
      local second = keep((assert(listener:accept())))
      assert.is_nil(first:version())
      assert.is_true(second:server_side())
      second:settimeout(tls.LIMIT)
      assert.equal("hello\n", tls.line(second))
      assert(second:sendall "answer\n")
      assert.matches("answer=answer", client:result())
      first:settimeout(SHORT)
      assert.equal(E.ETIMEDOUT, select(3, first:do_handshake()))
      slow:close()
    end)
  end)

  it("is made on sockets of this machine alone, too", function()
    local a, b = csock.socketpair()
    keep(a, b)
    a:settimeout(0)
    b:settimeout(0)
    assert(tls.client():wrap_socket(a, { server_hostname = "localhost" }))
    assert(tls.server():wrap_socket(b, { server_side = true }))
    assert(tls.shake(a, b))
  end)
end)

describe("a socket", function()
  if tls.missing then return it("is put over TLS", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  it("is shown over TLS by tostring", function()
    assert.matches("transport=ssl", tostring((tls.pair())))
  end)

  it("is put over TLS once", function()
    local a, b = tls.pair()
    assert.equal(E.EISCONN, select(3, tls.client():wrap_socket(a, { server_hostname = "localhost" })))
    assert.equal(1, a:send "x") -- and goes on
    assert.equal("x", b:recv(1))
  end)

  it("is not put over TLS while a stream may hold bytes that came before", function()
    local a, b = tls.plain_pair()
    assert(b:sendall "220 ready\r\nin the clear")
    local stream = keep((a:makefile "rw"))
    assert.equal("220 ready", stream:read())
    local ok, err, errno = tls.client():wrap_socket(a, { server_hostname = "localhost" })
    assert.is_nil(ok)
    assert.equal(E.EBUSY, errno)
    assert.matches("wrap_socket: a stream over it is open, which may hold", tostring(err), 1, true)
    assert.equal("in the clear", stream:read(12)) -- it is as it was
    assert(stream:close())
    a:settimeout(0)
    assert.equal(a, tls.client():wrap_socket(a, { server_hostname = "localhost" }))
  end)

  it("is a stream, and open", function()
    local u = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert.equal(E.EOPNOTSUPP, select(3, tls.client():wrap_socket(u, { server_hostname = "localhost" })))
    u:close()
    assert.equal(E.EBADF, select(3, tls.client():wrap_socket(u, { server_hostname = "localhost" })))
    assert.has_error(function() tls.client():wrap_socket(1, { server_hostname = "localhost" }) end)
  end)

  it("that is plain has none of the methods", function()
    local a = tls.plain_pair()
    for _, name in ipairs { "do_handshake", "unwrap", "version", "cipher", "getpeercert", "session" } do
      assert.has_error(function() return a[name](a) end)
    end
  end)

  it("is put over TLS by a context for that side alone", function()
    local a = tls.plain_pair()
    assert.has_error(function() tls.client():wrap_socket(a, { server_side = true }) end)
    assert.has_error(function() tls.server():wrap_socket(a, { server_side = false }) end)
  end)

  tls.ways(function(way, run)
    it("goes over to TLS in the middle, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines", starttls = "220 go ahead\n" }
        local s = tls.plain(server.port)
        assert(s:sendall "STARTTLS\n")
        assert.equal("220 go ahead\n", tls.line(s))
        assert(tls.client():wrap_socket(s, { server_hostname = "localhost" }))
        assert.equal("HELLO\n", tls.ask(s, "hello"))
      end)
    end)

    it("of a server goes over to TLS in the middle, " .. way, function()
      run(function()
        local listener = keep(csock.create_server { "127.0.0.1", 0 })
        local client = tls.connect { role = "ask", port = listener:getsockname().port, starttls = "STARTTLS\n" }
        local s = keep((assert(listener:accept())))
        s:settimeout(tls.LIMIT)
        assert.equal("STARTTLS\n", tls.line(s))
        assert(s:sendall "GO\n")
        assert(tls.server():wrap_socket(s, { server_side = true }))
        assert.equal("hello\n", tls.line(s))
        assert(s:sendall "answer\n")
        assert.matches("answer=answer", client:result())

        local plain = tls.plain(listener:getsockname().port)
        assert(plain:sendall "STARTTLS\nMAIL FROM:<injected>\n")
        s = keep((assert(listener:accept())))
        s:settimeout(tls.LIMIT)
        assert.equal("STARTTLS\n", tls.line(s))
        assert(s:sendall "GO\n")
        local ok, err, errno = tls.server():wrap_socket(s, { server_side = true })
        assert.is_nil(ok)
        assert.equal(E.EPROTO, errno)
        assert.equal("ssl", err.kind)
      end)
    end)

    it("takes what was put into the conversation in the clear for no TLS, " .. way, function()
      run(function()
        local server = tls.listen { role = "lines", starttls = "220 go ahead\n250 injected\n" }
        local s = tls.plain(server.port)
        assert(s:sendall "STARTTLS\n")
        assert.equal("220 go ahead\n", tls.line(s)) -- the rest is still in the kernel
        local ok, err, errno = tls.client():wrap_socket(s, { server_hostname = "localhost" })
        assert.is_nil(ok)
        assert.equal(E.EPROTO, errno)
        assert.equal("ssl", err.kind)
      end)
    end)
  end)
end)
