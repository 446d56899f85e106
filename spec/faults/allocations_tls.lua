-- What is tried of csock.ssl with a failing allocator: Lua's, OpenSSL's, and that of csock.tls itself (tls_spec.lua);
-- see allocations.lua. CERTIFICATES in the environment is the directory of spec.support.certificates, where
-- FAULTS_ALLOCATOR says which of them fails: without it, it is Lua's.
--
-- Each row checks what it gets: a result that lacks something, for want of memory, is a fault as well.

local DIR = os.getenv "CERTIFICATES"

-- OpenSSL may have no memory to say what went wrong.
local OPENSSL = os.getenv "FAULTS_ALLOCATOR" == "openssl"

local function pem(name) return DIR .. "/" .. name .. ".pem" end
local function key(name) return DIR .. "/" .. name .. ".key" end

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

-- What a call gave must be this; an error of its own is raised.
local function equal(expected, got, err)
  if got == nil and err ~= nil then error(err, 0) end
  if got ~= expected then error(("%s expected, got %s"):format(expected, got), 2) end
end

-- The call has failed with the error of this name.
local function fails(name, got, err)
  assert(not got, "it does not fail")
  if err.name ~= name then error(err, 0) end
end

-- It has failed, with words.
local function refused(got, err)
  assert(not got, "it does not fail")
  assert(tostring(err) ~= "", "no words")
  if err.errno == 12 then error(err, 0) end
end

local function load_ssl()
  return require "csock.ssl"
end

-- A server's context, not used yet.
local function server_context(ssl, name)
  local context = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
  assert(context:load_cert_chain(pem(name or "good"), key(name or "good")))
  return context
end

local function client_context(ssl)
  local context = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
  assert(context:load_verify_locations(pem "ca"))
  return context
end

local function bare_contexts()
  local ssl = load_ssl()
  return ssl, assert(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
end

local function contexts(change)
  return function()
    local ssl = load_ssl()
    local client, server = client_context(ssl), server_context(ssl)
    if change then change(ssl, client, server) end
    return ssl, client, server
  end
end

-- --- SSLObjects ---

local NAMED = { server_hostname = "localhost" }

-- Two ends, each with the queue that the other writes to.
local function ends(ssl, client, server)
  local up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
  return assert(client:wrap_bio(down, up, NAMED)), assert(server:wrap_bio(up, down))
end

-- A step of both; an error of either is raised.
local function step(one, other)
  local done = true
  for _, x in ipairs { one, other } do
    local ok, err = x:do_handshake()
    if not ok then fails("EAGAIN", ok, err) end
    done = done and ok
  end
  return done
end

local function shake(one, other)
  for _ = 1, 10 do
    if step(one, other) then return one, other end
  end
  error "the handshake does not end"
end

local function say(from, to, text)
  equal(#text, from:write(text))
  equal(text, to:read())
end

local function talking(change)
  return function()
    local ssl, client, server = contexts(change)()
    local a, b = shake(ends(ssl, client, server))
    say(b, a, "hello") -- with the tickets before it
    return ssl, a, b, client, server
  end
end

local function handshake(ssl, client, server)
  local a, b = shake(ends(ssl, client, server))
  say(a, b, "hello")
  say(b, a, "hello, too")
  return a, b
end

-- --- sockets ---

local function pair()
  local csock = require "csock"
  local a, b = assert(csock.socketpair())
  a:settimeout(0)
  b:settimeout(0)
  return csock, a, b
end

local function sockets(change)
  return function()
    local ssl, client, server = contexts(change)()
    local csock, a, b = pair()
    assert(client:wrap_socket(a, NAMED))
    assert(server:wrap_socket(b, { server_side = true }))
    shake(a, b)
    equal(5, b:sendall "hello")
    equal("hello", a:recv(100))
    return csock, a, b, ssl, client, server
  end
end

local function tls12(ssl, client) client.maximum_version = ssl.TLSVersion.TLSv1_2 end

local SECRET = "the secret that nobody sees"

-- Whatever comes of `talk`, nothing of the secret goes over the wire in the clear.
local function covered(wire, talk)
  local ok, err = pcall(talk)
  local seen, data = {}, nil
  repeat
    seen[#seen + 1], data = data, wire:recv(10000)
  until not data or data == ""
  local all = table.concat(seen)
  assert(not all:find(SECRET, 1, true), "LEAKED")
  assert(all == "" or all:find "^[\20-\23]\3", "LEAKED")
  if not ok then error(err, 0) end
end

local rows = {
  ["require"] = {
    run = function() assert(require("csock.ssl").CERT_NONE == 0) end,
  },

  -- contexts -------------------------------------------------------------------------------------

  ["SSLContext"] = {
    prepare = load_ssl,
    run = function(ssl)
      assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
      assert(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
      assert(assert(ssl.insecure_context()).insecure)
    end,
  },
  ["create_default_context"] = {
    prepare = function()
      local ssl = load_ssl()
      ssl.create_default_context() -- the system's authorities are loaded, where there are any
      return ssl
    end,
    run = function(ssl)
      local context, err = ssl.create_default_context()
      assert(context or err.name == "ENOENT", err)
      assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    end,
  },
  ["load_cert_chain"] = {
    prepare = bare_contexts,
    run = function(_, server)
      assert(server:load_cert_chain(pem "chained.chain", key "chained"))
      assert(server:load_cert_chain(pem "rsa", key "rsa"))
    end,
  },
  ["load_cert_chain with a chain of its own"] = {
    prepare = bare_contexts,
    run = function(_, server)
      assert(server:load_cert_chain(pem "chained", key "chained", nil, pem "intermediate"))
      assert(server:reload())
    end,
  },
  ["load_cert_chain with a long chain"] = {
    prepare = function()
      local ssl, server = bare_contexts()
      local name = os.tmpname()
      local file <close> = assert(io.open(name, "w"))
      assert(file:write(read(pem "good"), read(pem "ca"):rep(12)))
      return name, ssl, server, client_context(ssl)
    end,
    run = function(name, ssl, server, client)
      local gone <close> = setmetatable({}, { __close = function() os.remove(name) end })
      assert(server:load_cert_chain(name, key "good"))
      local a = shake(ends(ssl, client, server))
      assert(#assert(a:get_unverified_chain()) == 13 and gone, "the chain is cut")
    end,
  },
  ["load_cert_chain with passwords"] = {
    prepare = bare_contexts,
    run = function(_, server)
      assert(server:load_cert_chain(pem "encrypted", key "encrypted", "correct horse"))
      assert(server:load_cert_chain(pem "encrypted", key "encrypted", function() return "correct horse" end))
      local ok, got, err = pcall(server.load_cert_chain, server, pem "encrypted", key "encrypted",
        function() error "on purpose" end)
      if ok then refused(got, err) end
    end,
  },
  ["load_cert_chain that fails"] = {
    prepare = bare_contexts,
    run = function(_, server)
      for _, arguments in ipairs {
        { pem "good", key "rsa" }, { pem "encrypted", key "encrypted" }, { pem "encrypted", key "encrypted", "wrong" },
        { "/nowhere", key "good" }, { key "good" }, { pem "good", "/nowhere" },
      } do
        refused(server:load_cert_chain(table.unpack(arguments)))
      end
    end,
  },
  ["reload"] = {
    prepare = function()
      local ssl, server = bare_contexts()
      assert(server:load_cert_chain(pem "good", key "good"))
      assert(server:load_cert_chain(pem "rsa", key "rsa"))
      return ssl, server
    end,
    run = function(_, server) assert(server:reload()) end,
  },
  ["load_verify_locations"] = {
    prepare = function()
      local ssl, _, client = bare_contexts()
      local text = read(pem "ca") .. read(pem "unknown_ca") .. read(pem "intermediate")
      local der = assert(ssl.PEM_cert_to_DER_cert(read(pem "ca"))) .. ssl.PEM_cert_to_DER_cert(read(pem "unknown_ca"))
      return ssl, client, text, der
    end,
    run = function(_, client, text, der)
      assert(client:load_verify_locations(pem "ca"))
      assert(client:load_verify_locations { capath = DIR })
      assert(client:load_verify_locations { cadata = text })
      assert(client:load_verify_locations { cadata = der })
      assert(client:cert_store_stats().x509 == 3, "lost authorities")
      -- (One whose extensions OpenSSL could not read, for want of memory, is no authority from then on.)
      assert(#client:get_ca_certs() == 3 or OPENSSL, "lost authorities")
      assert(#client:get_ca_certs(true) == 3 or OPENSSL, "lost authorities")
    end,
  },
  ["load_verify_locations that fails"] = {
    prepare = bare_contexts,
    run = function(_, _, client)
      for _, data in ipairs { "", "text", "\48\130", read(key "good") } do
        refused(client:load_verify_locations { cadata = data })
      end
      refused(client:load_verify_locations "/nowhere")
    end,
  },
  ["load_verify_locations beside the system's authorities"] = {
    prepare = function()
      local ssl, _, client = bare_contexts()
      return ssl, client, client:load_default_certs()
    end,
    run = function(_, client)
      assert(client:load_verify_locations(pem "ca"))
      assert(client:load_default_certs() or true)
    end,
  },
  ["properties"] = {
    prepare = bare_contexts,
    run = function(ssl, server, client)
      for _, context in ipairs { server, client } do
        for name, value in pairs {
          verify_mode = ssl.CERT_REQUIRED, verify_flags = ssl.VERIFY_X509_STRICT, options = ssl.OP_ALL,
          minimum_version = ssl.TLSVersion.TLSv1_3, maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED,
          session_cache = false, suppress_ragged_eofs = true,
        } do
          context[name] = value
          assert(context[name] ~= nil)
        end
        assert(tostring(context) ~= "" and context.protocol and context.security_level)
        assert(not pcall(function() context.nothing = 1 end))
      end
      server.num_tickets = 3
      client.check_hostname = false
    end,
  },
  ["keylog_filename"] = {
    prepare = function()
      local name = os.tmpname()
      return name, contexts()()
    end,
    run = function(name, ssl, client, server)
      local gone <close> = setmetatable({}, { __close = function() os.remove(name) end })
      client.keylog_filename = name
      client.keylog_filename = name
      handshake(ssl, client, server)
      assert(client.keylog_filename == name and gone)
    end,
  },
  ["ciphers"] = {
    prepare = bare_contexts,
    run = function(_, server)
      assert(server:set_ciphers "ECDHE+AESGCM")
      assert(server:set_ciphersuites "TLS_AES_128_GCM_SHA256")
      assert(server:set_ecdh_curve "X25519:P-256")
      assert(#server:get_ciphers() > 1 and server:session_stats().hits == 0)
      refused(server:set_ciphers "none of them")
    end,
  },
  ["set_alpn_protocols"] = {
    prepare = contexts(),
    run = function(ssl, client, server)
      client:set_alpn_protocols { "h2", "http/1.1" }
      server:set_alpn_protocols { "http/1.1" }
      server:set_alpn_protocols { "http/1.1", "other" }
      local a, b = handshake(ssl, client, server)
      equal("http/1.1", a:selected_alpn_protocol())
      equal("http/1.1", b:selected_alpn_protocol())
    end,
  },
  ["sni_callback, a table"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      return ssl, client, server, server_context(ssl, "rsa"), client_context(ssl)
    end,
    run = function(ssl, client, server, other)
      server.sni_callback = { ["*.example.test"] = other, ["a.example.test"] = other }
      server.sni_callback = { LOCALHOST = other, ["*.example.test"] = other }
      assert(server.sni_callback.LOCALHOST == other)
      handshake(ssl, client, server)
    end,
  },
  ["sni_callback, a function"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      return ssl, client, server, server_context(ssl, "rsa")
    end,
    run = function(ssl, client, server, other)
      server.sni_callback = function(_, name)
        equal("localhost", name)
        return other
      end
      local _, b = handshake(ssl, client, server)
      equal("localhost", b:server_hostname())
    end,
  },
  ["sni_callback that refuses or raises"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      local raising = server_context(ssl)
      server.sni_callback = function() return false end
      raising.sni_callback = function() error "no such name" end
      return ssl, client, server, raising
    end,
    run = function(ssl, client, server, raising)
      for _, context in ipairs { server, raising } do
        local a, b = ends(ssl, client, context)
        fails("EAGAIN", a:do_handshake())
        local fine, ok, err = pcall(b.do_handshake, b)
        assert(not (fine and ok), err)
        refused(a:do_handshake())
      end
    end,
  },
  ["set_stapled_response"] = {
    prepare = contexts(),
    run = function(ssl, client, server)
      server:set_stapled_response "one"
      server:set_stapled_response "a response"
      local a = handshake(ssl, client, server)
      equal("a response", a:get_stapled_response())
    end,
  },

  -- without connections --------------------------------------------------------------------------

  ["functions"] = {
    prepare = load_ssl,
    run = function(ssl)
      assert(#ssl.RAND_bytes(10000) == 10000 and ssl.RAND_status())
      assert(#ssl.get_default_verify_paths().tried > 0)
      assert(ssl.cert_time_to_seconds "Jan  5 09:34:43 2018 GMT" == 1515144883)
    end,
  },
  ["PEM and DER"] = {
    prepare = load_ssl,
    run = function(ssl)
      local der = assert(ssl.PEM_cert_to_DER_cert(read(pem "good")))
      equal(der, ssl.PEM_cert_to_DER_cert(assert(ssl.DER_cert_to_PEM_cert(der))))
      refused(ssl.PEM_cert_to_DER_cert "text")
    end,
  },
  ["MemoryBIO"] = {
    prepare = load_ssl,
    run = function(ssl)
      local queue = ssl.MemoryBIO()
      for i = 1, 10 do assert(queue:write(("x"):rep(i * 100)) == i * 100) end
      assert(queue:pending() == 5500 and #queue:read(3000) == 3000)
      queue:write(("y"):rep(10000))
      queue:write_eof()
      assert(#queue:read() == 12500 and queue:eof())
    end,
  },

  -- connections ----------------------------------------------------------------------------------

  ["wrap_bio"] = {
    prepare = contexts(),
    run = function(ssl, client, server)
      local a, b = ends(ssl, client, server)
      assert(tostring(a) ~= tostring(b) and a:context() == client and a:server_hostname() == "localhost")
      assert(b:server_side() and not a:server_side())
      assert(client:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), { server_hostname = "127.0.0.1" }))
    end,
  },
  ["a handshake"] = { prepare = contexts(), run = handshake },
  ["a handshake of TLS 1.2"] = { prepare = contexts(tls12), run = handshake },
  ["a handshake with a client's certificate"] = {
    prepare = contexts(function(ssl, client, server)
      assert(client:load_cert_chain(pem "client", key "client"))
      assert(server:load_verify_locations(pem "ca"))
      server.verify_mode = ssl.CERT_REQUIRED
    end),
    run = function(ssl, client, server)
      local _, b = handshake(ssl, client, server)
      assert(b:getpeercert().subject[1][1][2] == "a client")
      assert(#b:get_verified_chain() == 2 and #b:get_unverified_chain() == 1)
    end,
  },
  ["handshakes that take sessions up again"] = {
    prepare = function()
      local ssl, a, b, client, server = talking()()
      return ssl, client, server, a, b
    end,
    run = function(ssl, client, server, first)
      handshake(ssl, client, server)
      local a = assert(client:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(),
        { server_hostname = "localhost", session = first:session() }))
      assert(a:context() == client)
    end,
  },
  ["handshakes of TLS 1.2 that take a session up again"] = {
    prepare = function()
      local ssl, a, b, client, server = talking(tls12)()
      return ssl, client, server, a, b
    end,
    run = function(ssl, client, server) handshake(ssl, client, server) end,
  },
  ["a handshake that fails"] = {
    prepare = function()
      local ssl = load_ssl()
      return ssl, client_context(ssl), server_context(ssl, "unknown"), server_context(ssl, "wrong_host"),
        server_context(ssl, "expired")
    end,
    run = function(ssl, client, ...)
      for _, server in ipairs { ... } do
        local a, b = ends(ssl, client, server)
        local fine, err = pcall(shake, a, b)
        assert(not fine)
        if err.name ~= "CERTIFICATE_VERIFY_FAILED" then error(err, 0) end
        assert(err.verify_code and err.verify_message and err.depth or OPENSSL, "not why")
        local ok, alert = b:do_handshake()
        refused(ok, alert)
        assert(alert.alert or OPENSSL, "no alert")
      end
    end,
  },
  ["what is no TLS"] = {
    prepare = contexts(),
    run = function(ssl, client, server)
      local incoming = ssl.MemoryBIO()
      local a = assert(client:wrap_bio(incoming, ssl.MemoryBIO(), NAMED))
      incoming:write "HTTP/1.1 400 Bad Request\r\n\r\n"
      refused(a:do_handshake())
      local b = assert(server:wrap_bio(incoming, ssl.MemoryBIO()))
      incoming:write "GET / HTTP/1.1\r\n\r\n"
      refused(b:do_handshake())
    end,
  },
  ["what is said of a connection"] = {
    prepare = talking(),
    run = function(_, a, b)
      for _, x in ipairs { a, b } do
        assert(x:version() == "TLSv1.3" and select("#", x:cipher()) == 3)
        assert(x:selected_alpn_protocol() == nil and x:pending() == 0 and not x:session_reused())
        assert(#assert(x:get_channel_binding "tls-exporter") == 32)
        assert(x:want() == nil or x:want() == "readable")
      end
      assert(#b:shared_ciphers() > 0 and a:shared_ciphers() == nil)
      assert(b:getpeercert() == nil)
    end,
  },
  ["getpeercert"] = {
    prepare = talking(),
    run = function(_, a)
      local cert = a:getpeercert()
      assert(cert.subject[1][1][2] == "localhost" and cert.issuer[1][1][2] == "Good CA")
      assert(cert.version == 3 and #cert.serialNumber > 0 and #cert.notBefore > 10 and #cert.notAfter > 10)
      assert(#cert.subjectAltName == 3, "names are lost")
      assert(#a:getpeercert(true) > 100)
      assert(#a:get_verified_chain() == 2 and #a:get_unverified_chain() == 1)
    end,
  },
  ["session"] = {
    prepare = talking(),
    run = function(_, a)
      local session = assert(a:session())
      assert(session.has_ticket and session.timeout > 0 and session == a:session() and #session.id >= 0)
    end,
  },
  ["read and write"] = {
    prepare = talking(),
    run = function(_, a, b)
      local text = ("x"):rep(16384)
      say(a, b, text)
      say(b, a, text)
      fails("EAGAIN", a:read(10))
    end,
  },
  ["unwrap"] = {
    prepare = talking(),
    run = function(_, a, b)
      fails("EAGAIN", a:unwrap())
      assert(b:unwrap())
      assert(a:unwrap())
      equal("", a:read())
      fails("EPIPE", a:write "x")
    end,
  },

  -- sockets --------------------------------------------------------------------------------------

  ["wrap_socket"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      local csock, a, b = pair()
      return csock, a, b, ssl, client, server
    end,
    run = function(csock, a, b, _, client, server)
      equal(a, client:wrap_socket(a, NAMED))
      fails("EISCONN", server:wrap_socket(a, { server_side = true }))
      equal(client, a:context())
      b:close()
      fails("EBADF", server:wrap_socket(b, { server_side = true }))
      fails("EOPNOTSUPP", client:wrap_socket(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)), NAMED))
    end,
  },
  ["wrap_socket while a stream is open"] = {
    prepare = function()
      local _, client = contexts()()
      local csock, a, b = pair()
      return csock, a, b, client, assert(a:makefile())
    end,
    run = function(_, a, _, client, stream)
      fails("EBUSY", client:wrap_socket(a, NAMED))
      assert(stream)
    end,
  },
  ["a handshake of sockets"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      local csock, a, b = pair()
      return csock, a, b, ssl, client, server
    end,
    run = function(_, a, b, _, client, server)
      assert(client:wrap_socket(a, NAMED))
      assert(server:wrap_socket(b, { server_side = true }))
      shake(a, b)
      equal(5, a:sendall "hello")
      equal("hello", b:recv(100))
    end,
  },
  ["accept over TLS"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      local csock = require "csock"
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      local s = assert(csock.create_connection(listener:getsockname()))
      s:settimeout(0)
      return csock, listener, s, ssl, client, server
    end,
    run = function(_, listener, s, _, client, server)
      assert(server:wrap_socket(listener, { server_side = true }))
      assert(client:wrap_socket(s, NAMED))
      local conn = assert(listener:accept())
      assert(conn:settimeout(0))
      shake(s, conn)
      equal(server, conn:context())
      fails("EISCONN", server:wrap_socket(listener, { server_side = true }))
    end,
  },
  ["connect over TLS"] = {
    prepare = function()
      local ssl, client = contexts()()
      local csock = require "csock"
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      return csock, listener, ssl, client
    end,
    run = function(csock, listener, _, client)
      local s = assert(csock.socket())
      assert(s:settimeout(1e-6))
      assert(client:wrap_socket(s, NAMED))
      fails("ETIMEDOUT", s:connect(listener:getsockname()))
    end,
  },
  ["send and recv"] = {
    prepare = sockets(),
    run = function(csock, a, b)
      local text = ("x"):rep(40000)
      equal(#text, a:sendall(text))
      local n, list = 0, {}
      while n < #text do
        list[#list + 1] = assert(b:recv(100000))
        n = n + #list[#list]
      end
      assert(table.concat(list) == text)
      local buffer = csock.buffer(10)
      equal(5, b:send "hello")
      equal("he", a:recv(2, csock.MSG_PEEK))
      equal(5, a:recv_into(buffer))
      fails("EAGAIN", a:recv(10))
    end,
  },
  ["a stream"] = {
    prepare = sockets(),
    run = function(_, a, b)
      local out, into = assert(a:makefile "w"), assert(b:makefile "r")
      assert(out:write("one\ntwo\n"))
      assert(out:flush())
      equal("one", into:read "l")
      equal("two", into:read "l")
    end,
  },
  ["key_update"] = {
    prepare = sockets(),
    run = function(_, a, b)
      assert(a:key_update())
      equal(5, a:sendall "hello")
      equal("hello", b:recv(100))
      equal(5, b:sendall "hello")
      equal("hello", a:recv(100))
    end,
  },
  ["the end"] = {
    prepare = sockets(),
    run = function(csock, a, b)
      assert(a:shutdown(csock.SHUT_WR))
      equal("", b:recv(10))
      assert(b:close())
      equal("", a:recv(10))
      assert(a:close())
    end,
  },
  ["a cut"] = {
    prepare = sockets(),
    run = function(csock, a, b)
      assert(csock.close(b:detach()))
      fails("UNEXPECTED_EOF_WHILE_READING", a:recv(10))
    end,
  },
  ["unwrap of sockets, and what comes behind"] = {
    prepare = sockets(),
    run = function(_, a, b, _, client)
      fails("EAGAIN", a:unwrap())
      equal(b, b:unwrap())
      equal(12, b:sendall "in the clear")
      equal(a, a:unwrap())
      equal("in the clear", a:recv(100))
      assert(client:wrap_socket(a, NAMED))
    end,
  },
  ["what goes over the wire"] = {
    prepare = function()
      local ssl, client = contexts()()
      local csock, a, wire = pair()
      return csock, a, wire, ssl, client
    end,
    run = function(_, a, wire, _, client)
      covered(wire, function()
        assert(client:wrap_socket(a, NAMED))
        fails("EAGAIN", a:send(SECRET))
        a:sendall(SECRET)
        a:close()
      end)
    end,
  },
  ["what goes over the wire after a handshake"] = {
    prepare = function()
      local csock, a, b = sockets()()
      local wire = assert(csock.socket { fileno = b:detach() })
      wire:settimeout(0)
      return a, wire
    end,
    run = function(a, wire)
      covered(wire, function()
        equal(#SECRET, a:sendall(SECRET))
        assert(a:key_update())
        equal(#SECRET, a:sendall(SECRET))
        assert(a:close())
      end)
    end,
  },
  ["digests"] = {
    prepare = function()
      load_ssl()
      return require "csock.tls"
    end,
    run = function(tls)
      equal(32, #assert(tls.digest("SHA256", "abc")))
      equal(32, #assert(tls.hmac("SHA256", "key", "abc")))
      equal(32, #assert(tls.pbkdf2("SHA256", "password", "salt", 2)))
    end,
  },
  ["connections in tasks"] = {
    prepare = function()
      local ssl, client, server = contexts()()
      local csock = require "csock"
      csock.run() -- the loop is there
      return csock, ssl, client, server
    end,
    run = function(csock, _, client, server)
      csock.run(function()
        local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
        local group <close> = csock.loop.group()
        group:spawn(function()
          local conn <close> = assert(listener:accept())
          conn:settimeout(1)
          assert(server:wrap_socket(conn, { server_side = true }))
          assert(conn:sendall(assert(conn:recv(10))))
          assert(conn:unwrap())
        end)
        local s <close> = assert(csock.create_connection(listener:getsockname(), {
          ssl = client, server_hostname = "localhost", timeout = 1,
        }))
        assert(s:sendall "hello")
        equal("hello", s:recv(10))
        equal("", s:recv(10))
        assert(s:unwrap())
      end)
    end,
  },
}

-- Another allocator than Lua's fails while `run` runs.
local kind = os.getenv "FAULTS_ALLOCATOR"
if kind and kind ~= "lua" then
  local memory = require("spec.faults." .. kind)
  for _, row in pairs(rows) do
    local run = row.run
    function row.run(...)
      local over <close> = setmetatable({}, { __close = memory.disarm })
      memory.arm()
      run(...)
      return over
    end
  end
end

return rows
