-- create_connection over TLS: to a server in a process of its own, blocking and in tasks.
local alone = require "spec.support.alone"
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness

-- Says which name it was asked for, then sends back what comes.
local ECHO = contexts.SERVER .. [[
  local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
    conn:sendall(tostring(conn:server_hostname()) .. "\n")
    repeat
      local data = conn:recv(1000)
    until not data or data == "" or not conn:sendall(data)
  end, { ssl = ctx }))
  ready(server:getsockname().port)
  csock.run()
]]

if contexts.missing then
  pending("create_connection over TLS: " .. contexts.missing)
  return
end

local function line(s)
  local text = ""
  repeat text = text .. assert(s:recv(1)) until text:find "\n"
  return text
end

describe("create_connection over TLS", function()
  local server, port
  setup(function()
    server = alone.start(ECHO)
    port = server.ports[1]
  end)
  teardown(function() server:kill() end)
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("gives a connection with the handshake made " .. how, function()
      run(function()
        local s = keep(csock.create_connection({ "localhost", port }, { ssl = contexts.client(), timeout = LIMIT }))
        assert.matches("^TLSv1%.[23]$", s:version())
        assert.equal(LIMIT, s:gettimeout())
        assert.equal("localhost\n", line(s))
        assert(s:sendall "hello")
        assert.equal("hello", s:recv(10))
      end)
    end)

    it("closes the socket when the handshake fails, and says what was wrong, " .. how, function()
      run(function()
        local ctx = contexts.client "unknown_ca"
        collectgarbage()
        local before = posix.fds()
        local s, err, errno = csock.create_connection({ "localhost", port }, { ssl = ctx, timeout = LIMIT })
        assert.is_nil(s)
        assert.equal("do_handshake", err.call)
        assert.equal("ssl", err.kind)
        assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
        assert.equal(E.EPROTO, errno)
        assert.same(before, posix.fds())
      end)
    end)

    it("has one deadline for all of it, " .. how, function()
      run(function()
        local silent = keep(csock.create_server { "127.0.0.1", 0 }) -- connects, and says nothing
        local ctx = contexts.client()
        local began = csock.now()
        local s, err, errno = csock.create_connection(silent:getsockname(), { ssl = ctx, timeout = 0.05 })
        assert.is_nil(s)
        assert.equal(E.ETIMEDOUT, errno)
        assert.is_true(err:is(csock.timeout))
        local took = csock.now() - began
        assert.is_true(took >= 0.05 and took < LIMIT / 2)
      end)
    end)
  end

  it("verifies an address where it was asked for one", function()
    local s = keep(csock.create_connection("127.0.0.1", port, { ssl = contexts.client(), timeout = LIMIT }))
    assert.equal("127.0.0.1", s:server_hostname())
    s = keep(csock.create_connection(s:getpeername(), { ssl = contexts.client(), timeout = LIMIT }))
    assert.equal("127.0.0.1", s:server_hostname())
  end)

  it("asks for and verifies another name where that is given, or none", function()
    local function dial(ctx, name)
      return csock.create_connection({ "127.0.0.1", port }, { ssl = ctx, timeout = LIMIT, server_hostname = name })
    end
    assert.equal("localhost\n", line(keep(dial(contexts.client(), "localhost"))))
    local _, err = dial(contexts.client(), "www.example.test")
    assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
    assert.matches("www.example.test", tostring(err), 1, true)
    local ctx = contexts.client()
    ctx.check_hostname = false
    assert.equal("nil\n", line(keep(dial(ctx, false))))
  end)

  it("tries no other address after a handshake that has failed", function()
    local accepted = 0
    csock.run(function()
      local plain = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
        accepted = accepted + 1
        conn:sendall "220 hello, this is no TLS\r\n"
        conn:recv(1000)
      end))
      local real = csock.getaddrinfo
      finally(function() csock.getaddrinfo = real end)
      function csock.getaddrinfo(_, ...)
        local one = real("127.0.0.1", ...)[1]
        return { one, one }
      end
      local s, err = csock.create_connection({ "two.example", plain:getsockname().port },
        { ssl = contexts.client(), timeout = LIMIT })
      assert.is_nil(s)
      assert.equal("WRONG_VERSION_NUMBER", err.name)
      assert.equal(1, accepted)
      plain:close()
    end)
  end)

  it("takes an earlier session up again", function()
    local ctx = contexts.client()
    ctx.session_cache = false
    local function dial(session)
      local s = keep(csock.create_connection({ "localhost", port },
        { ssl = ctx, timeout = LIMIT, session = session }))
      assert.equal("localhost\n", line(s))
      return s
    end
    local first = dial()
    assert.is_false(first:session_reused())
    assert.is_true(dial(first:session()):session_reused())
    assert.is_false(dial():session_reused())
  end)

  it("verifies against the system's authorities where ssl is true, with a context that is made once", function()
    local status, out, err = process.run({ process.interpreter, "-e", ([[
      local csock = require "csock"
      for _ = 1, 2 do
        local s <close> = assert(csock.create_connection({ "localhost", %d }, { ssl = true, timeout = %g }))
        assert(s:recv(100))
        print(s:session_reused())
      end
    ]]):format(port, LIMIT) }, { env = { SSL_CERT_FILE = certificates.ca.cert } })
    assert.equal("", err)
    assert.equal("false\ntrue\n", out)
    assert.equal(0, status)
  end)

  it("loads csock.ssl for nobody else", function()
    local _, out = process.run { process.interpreter, "-e", [[
      local csock = require "csock"
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      assert(csock.create_connection(listener:getsockname()))
      csock.serve(listener, print, {})
      require "csock.socketserver"
      require "csock.asyncore"
      require "csock.redis"
      print(package.loaded["csock.ssl"], package.loaded["csock.tls"])
    ]] }
    assert.equal("nil\tnil\n", out)
  end)

  it("raises for what is no client's context, and for options that need one", function()
    local address = { "localhost", port }
    for _, bad in ipairs { 1, "ssl", {}, contexts.server(), io.stdout } do
      assert.error_matches(function() csock.create_connection(address, { ssl = bad }) end,
        "ssl: true or a client's SSLContext expected")
    end
    assert.error_matches(function() csock.create_connection(address, { server_hostname = "x" }) end,
      "'server_hostname' without 'ssl'")
    collectgarbage()
    local before = posix.fds()
    assert.error_matches(function()
      csock.create_connection(address, { ssl = contexts.client(), server_hostname = false })
    end, "server_hostname: the context verifies the server's name")
    assert.same(before, posix.fds())
  end)
end)
