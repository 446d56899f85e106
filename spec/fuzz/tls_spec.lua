-- Handshakes, connections and certificates with bytes in them that are wrong: cut everywhere, changed everywhere, and
-- garbage, the same in every run. With FUZZ_SECONDS in the environment, new ones follow for so long. Nothing crashes;
-- every try ends, with an error that says something; what is received is what was sent; nothing goes out in the clear.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local posix = require "spec.support.posix"
local generators = require "spec.support.random"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local ssl = contexts.ssl
local tls = ssl and require "csock.tls"
local seconds = tonumber(os.getenv "FUZZ_SECONDS") or 0

local test = contexts.missing and function(name) it(name, function() pending(contexts.missing) end) end or it

local random = generators.generator(1)

local function garbage(n)
  local list = {}
  for i = 1, n do list[i] = string.char(random(256) - 1) end
  return table.concat(list)
end

-- Bytes in which something is wrong. `at`: where; anywhere by default.
local function spoiled(text, at)
  at = at or random(#text)
  local before, byte, after = text:sub(1, at - 1), text:byte(at), text:sub(at + 1)
  local how = random(8)
  if how == 1 then return before .. after end
  if how == 2 then return before .. garbage(random(20)) .. text:sub(at) end
  if how == 3 then return before .. text:sub(at):sub(1, random(20)) .. text:sub(at) end
  if how == 4 then return before .. "\255\255" .. text:sub(at + 2) end
  if how == 5 then return before .. "\0" .. after end
  return before .. string.char(byte ~ 1 << random(8) - 1) .. after
end

-- Runs `round` with new random numbers while there is time; `once` runs in any case.
local function repeated(once, round)
  random = generators.generator(1)
  once()
  local now, deadline = os.time(), posix.monotonic() + seconds / 6
  while posix.monotonic() < deadline do
    now = now + 1
    random = generators.generator(now)
    local ok, err = xpcall(round, debug.traceback)
    if not ok then error(("seed %d: %s"):format(now, err), 0) end
  end
end

-- --- handshakes ---

local SECRET = "what only the two of them know"
local STEPS = 40

-- A call's results: what went well, or nil and an error that says something. OpenSSL's queue is empty.
local function checked(call, result, err, errno)
  assert(tls.errors() == 0, call .. ": errors are left in the queue")
  if result == nil then
    assert(#tostring(err) > 0 and math.type(errno) == "integer", call .. ": no words")
    if err.name == "EAGAIN" then return "again" end
    return nil, err
  end
  return result
end

-- Moves one end on, as far as it goes: false and the error once it is broken.
local function move(object)
  local done, err = checked("do_handshake", object:do_handshake())
  if not done then return false, err end
  local sent
  sent, err = checked("write", object:write(SECRET))
  if not sent then return false, err end
  if done == "again" then return true end
  for _ = 1, 10 * STEPS do
    local data
    data, err = checked("read", object:read(random(40)))
    if not data then return false, err end
    if data == "again" or data == "" then return true end
    assert(SECRET:rep(3):find(data, 1, true), "received what nobody has sent")
  end
  error "it reads on without end"
end

-- A conversation of a client and a server; `pass(bytes, from)` is what reaches the other end of what one sends.
-- Whether each is sound at its end.
local function converse(client, server, pass)
  local one = { into = ssl.MemoryBIO(), out = ssl.MemoryBIO(), name = "client" }
  local other = { into = ssl.MemoryBIO(), out = ssl.MemoryBIO(), name = "server" }
  one.object = assert(client:wrap_bio(one.into, one.out, { server_hostname = "localhost" }))
  other.object = assert(server:wrap_bio(other.into, other.out))
  local steps = 0
  repeat
    steps = steps + 1
    local moved = false
    for _, from in ipairs { one, other } do
      if not from.broken then
        local fine, err = move(from.object)
        from.broken = not fine and (err or true)
      end
      local bytes = from.out:read()
      assert(#bytes < 100000, "it says too much")
      assert(not bytes:find(SECRET, 1, true), "in the clear")
      bytes = pass(bytes, from.name)
      moved = moved or bytes ~= ""
      local to = from == one and other or one
      while bytes ~= "" do
        local n = random(3) == 1 and random(100) or #bytes
        to.into:write(bytes:sub(1, n))
        bytes = bytes:sub(n + 1)
        if bytes ~= "" and not to.broken then
          local fine, err = move(to.object)
          to.broken = not fine and (err or true)
        end
      end
    end
  until not moved or steps > STEPS or one.broken and other.broken
  for _, x in ipairs { one, other } do
    checked("unwrap", x.object:unwrap())
    x.into:write_eof()
    checked("read", x.object:read())
    for _, name in ipairs { "version", "cipher", "getpeercert", "session", "shared_ciphers", "get_unverified_chain" } do
      x.object[name](x.object)
      assert(tls.errors() == 0, name)
    end
  end
  return not one.broken and not other.broken, one, other
end

-- Both contexts, of this version, and each demands the other's certificate.
local function pair_of(version)
  local client, server = contexts.client(), contexts.server()
  client.session_cache = false
  client.maximum_version = ssl.TLSVersion[version]
  assert(client:load_cert_chain(certificates.client.cert, certificates.client.key))
  assert(server:load_verify_locations(certificates.ca.cert))
  server.verify_mode = ssl.CERT_REQUIRED
  client:set_alpn_protocols { "a", "b" }
  server:set_alpn_protocols { "b" }
  server.sni_callback = { localhost = server, ["*.test"] = server }
  return client, server
end

-- Passes everything on but for the n-th byte of what one end sends: from there on `change` says what comes.
local function spoiling(whose, at, change)
  local before = 0
  return function(bytes, from)
    if from ~= whose or bytes == "" then return bytes end
    local here = at - before
    before = before + #bytes
    return here >= 1 and here <= #bytes and change(bytes, here) or bytes
  end
end

describe("TLS with wrong bytes", function()
  for _, version in ipairs { "TLSv1_2", "TLSv1_3" } do
    for _, whose in ipairs { "client", "server" } do
      local function length(client, server)
        local n = 0
        assert(converse(client, server, function(bytes, from)
          if from == whose then n = n + #bytes end
          return bytes
        end), "it does not work with the right ones either")
        return n
      end

      test(("ends with an error, wherever what the %s says is wrong: %s"):format(whose, version), function()
        local client, server = pair_of(version)
        local n = length(client, server)
        local function at(where)
          converse(client, server, spoiling(whose, where, spoiled))
        end
        repeated(function()
          for where = 1, n, 11 do at(where) end
        end, function() at(random(n)) end)
      end)

      test(("ends with an error, wherever what the %s says is cut: %s"):format(whose, version), function()
        local client, server = pair_of(version)
        for where = 1, length(client, server), 11 do
          local cut = false
          local spoil = spoiling(whose, where, function(bytes, here)
            cut = true
            return bytes:sub(1, here - 1)
          end)
          local _, one, other = converse(client, server, function(bytes, from)
            return cut and from == whose and "" or spoil(bytes, from)
          end)
          if cut then
            local object = (whose == "client" and other or one).object
            local result, err = checked("read", object:read())
            assert(result == nil and err.name == "UNEXPECTED_EOF_WHILE_READING", tostring(err))
          end
        end
      end)
    end
  end

  test("is never satisfied by garbage", function()
    local client, server = pair_of "TLSv1_3"
    local HEADS = { "\22\3\1", "\22\3\3", "\23\3\3", "\21\3\3", "\20\3\3", "\128", "GET / HTTP/1.1\r\n", "" }
    local function round()
      for _, context in ipairs { client, server } do
        local into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        local object = assert(context:wrap_bio(into, out, { server_hostname = "localhost" }))
        local err
        for _ = 1, 30 do
          local head = HEADS[random(#HEADS)]
          local body = random(2) == 1 and garbage(random(60)) or ("\0"):rep(random(100))
          into:write(#head == 3 and head .. string.pack(">s2", body) or head .. body)
          local done
          done, err = checked("do_handshake", object:do_handshake())
          assert(done == nil or done == "again")
          assert(out:pending() < 10000)
          if err then break end
        end
        into:write_eof()
        assert(err or select(2, checked("do_handshake", object:do_handshake())), "it still hopes")
      end
    end
    repeated(function()
      for _ = 1, 300 do round() end
    end, round)
  end)
end)

-- --- anything, in any order ---

describe("sockets over TLS", function()
  test("do anything in any order, and lose nothing", function()
    local csock = require "csock"
    local client, server = pair_of "TLSv1_3"
    client.check_hostname = false

    local function any(list) return list[random(#list)] end

    -- A raised error is for wrong use alone; what is returned has words.
    local function try(s, method, ...)
      local ok, result, err, errno = pcall(s[method], s, ...)
      if ok then checked(method, result == nil and err == nil or result, err, errno) end
      assert(tls.errors() == 0, method)
    end

    local function round()
      local a, b = assert(csock.socketpair())
      local list, streams = { a, b }, {}
      for _, s in ipairs(list) do s:settimeout(0) end
      local function wrap(s, context)
        if context.server_side then return try(context, "wrap_socket", s, { server_side = true }) end
        try(context, "wrap_socket", s, { server_hostname = "localhost" })
      end
      wrap(a, client)
      wrap(b, server)
      local shakes = random(6) - 1
      for _ = 1, shakes do
        a:do_handshake()
        b:do_handshake()
      end
      local ops = {
        function(s) try(s, "recv", random(100)) end,
        function(s) try(s, "recv", random(100), csock.MSG_PEEK) end,
        function(s) try(s, "send", ("x"):rep(random(40000))) end,
        function(s) try(s, "sendall", ("x"):rep(random(40000))) end,
        function(s) try(s, "do_handshake") end,
        function(s) try(s, "key_update") end,
        function(s) if random(4) == 1 then try(s, "unwrap") end end,
        function(s) if random(4) == 1 then try(s, "shutdown", random(3) - 1) end end,
        function(s) if random(6) == 1 then try(s, "close") end end,
        function(s) if random(12) == 1 then csock.close(s:detach()) end end,
        function(s) wrap(s, any { client, server }) end,
        function(s) try(s, any { "getpeercert", "session", "version", "cipher", "shared_ciphers", "pending", "context",
          "server_hostname", "get_channel_binding", "get_verified_chain", "want", "session_reused" }) end,
        function(s) try(s, "recvmsg", 10) end,
        function(s) try(s, "sendmsg", { "ab", "cd" }) end,
        function(s)
          local stream = s:makefile "rw"
          if stream then streams[#streams + 1] = stream end
        end,
        function() if streams[1] then try(any(streams), any { "read", "flush", "close" }) end end,
        function() if streams[1] then try(any(streams), "write", ("y"):rep(random(2000))) end end,
        function() csock.select(list, list, {}, 0) end,
        function() if random(10) == 1 then collectgarbage() end end,
      }
      for _ = 1, random(40) do any(ops)(any(list)) end
      for _, x in ipairs(streams) do x:close() end
      for _, s in ipairs(list) do s:close() end
    end

    collectgarbage()
    local descriptors = #posix.fds()
    repeated(function()
      for _ = 1, 400 do round() end
    end, round)
    collectgarbage()
    assert.equal(descriptors, #posix.fds())
  end)
end)

-- --- certificates ---

-- A certificate with all that is looked at, in DER.
local function rich_certificate()
  local file = os.tmpname()
  local status, _, err = process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
    "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-out", file, "-utf8",
    "-subj", "/C=XX/O=Ünder a hat/OU=one/OU=two/CN=rich",
    "-addext", "subjectAltName=DNS:a.test,email:a@b.test,URI:http://c.test/,IP:1.2.3.4,IP:::1,RID:1.2.3.4,"
      .. "otherName:1.2.3.4;UTF8:name",
    "-addext", "authorityInfoAccess=OCSP;URI:http://o.test/,caIssuers;URI:http://i.test/",
    "-addext", "crlDistributionPoints=URI:http://l.test/",
  }
  assert(status == 0, err)
  local pem = tree.read(file)
  os.remove(file)
  return assert(ssl.PEM_cert_to_DER_cert(pem))
end

describe("a certificate with wrong bytes", function()
  test("is refused with words, or read without harm", function()
    local der, read = rich_certificate(), 0
    local function try(bytes)
      local context = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
      local fine = checked("load_verify_locations", context:load_verify_locations { cadata = bytes })
      for _, binary in ipairs { false, true } do
        for _, cert in ipairs(context:get_ca_certs(binary)) do
          assert(type(cert) == (binary and "string" or "table"))
          if fine and not binary then
            assert(cert.subject and cert.serialNumber and cert.notAfter)
            read = read + 1
          end
        end
      end
      context:cert_store_stats()
      assert(tls.errors() == 0)
      local pem = ssl.DER_cert_to_PEM_cert(bytes)
      checked("PEM_cert_to_DER_cert", ssl.PEM_cert_to_DER_cert(spoiled(pem)))
      checked("load_verify_locations", context:load_verify_locations { cadata = spoiled(pem) })
    end
    try(der)
    assert.equal(1, read)
    repeated(function()
      for i = 1, #der do
        try(spoiled(der, i))
        try(der:sub(1, i))
      end
    end, function() try(spoiled(spoiled(der))) end)
    assert.is_true(read > 100)
  end)
end)

-- --- queues ---

describe("a MemoryBIO", function()
  test("gives what was put in, in its order", function()
    local function round()
      local queue, model = ssl.MemoryBIO(), ""
      for _ = 1, random(60) do
        if random(2) == 1 then
          local data = garbage(random(300) - 1)
          assert(queue:write(data) == #data)
          model = model .. data
        else
          local n = random(4) == 1 and -1 or random(400) - 1
          local expected = n < 0 and model or model:sub(1, n)
          assert(queue:read(n) == expected)
          model = model:sub(#expected + 1)
        end
        assert(queue:pending() == #model and not queue:eof())
      end
      queue:write_eof()
      assert(queue:eof() == (model == ""))
      assert(queue:read() == model and queue:read() == "" and queue:eof())
      assert(not pcall(queue.write, queue, "x"))
    end
    repeated(function()
      for _ = 1, 300 do round() end
    end, round)
  end)
end)
