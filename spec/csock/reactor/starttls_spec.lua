-- transport:startTLS: a connection that goes on over TLS, and what must not slip through on the way.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local internal = require "csock.loop.internal"
local keep = require "spec.support.keep"
local peers = require "spec.support.tls_peers"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local hub, loop = internal.hub, csock.loop
local run, expect, read = reactors.run, reactors.expect, reactors.read
local E = csock.errno
local LIMIT = 10 * process.slowness

if contexts.missing then
  pending("startTLS: " .. contexts.missing)
  return
end

local with_python = peers.has.python and it or pending
local events, server, client, peer

-- A class of protocols that tell `events`: on the line STARTTLS, one does `start` (or answers, and goes over to TLS).
local function lines(start, methods)
  local Lines = reactors.recorder(events, protocol.LineReceiver)
  Lines.dataReceived = nil -- the receiver's
  function Lines:handshakeCompleted() events:put { "secured", self } end
  function Lines:lineReceived(line)
    events:put { "line", self, line }
    if line ~= "STARTTLS" then return self:sendLine(line:upper()) end
    if start then return start(self) end
    self:sendLine "GO"
    assert(self.transport:startTLS(server))
  end
  for name, method in pairs(methods or {}) do Lines[name] = method end
  return Lines
end

-- Runs f with a port of such, and a plain socket that is connected to it.
local function with(class_of_protocols, f)
  local port = reactors.listen(class_of_protocols)
  run(function()
    local s = keep(reactors.dial(port))
    s:settimeout(LIMIT)
    f(s, expect(events, "made").transport, port)
  end)
end

local function secure(s, options)
  return assert(client:wrap_socket(s, options or { server_hostname = "localhost" }))
end

setup(function()
  server, client, peer = contexts.server(), contexts.client(), peers.python()
end)
teardown(function() if peer then peer:kill() end end)
before_each(function() events = loop.queue() end)
after_each(function()
  keep.close()
  assert.same({}, reactor.getDelayedCalls())
  assert.same({}, hub.objects())
end)

describe("startTLS", function()
  it("goes on over TLS behind what was written in the clear", function()
    with(lines(), function(s, transport)
      assert.is_false(transport.TLS)
      assert.is_nil(transport:getPeerCertificate())
      assert(s:sendall "STARTTLS\r\n")
      assert.equal("GO\r\n", read(s, 4))
      secure(s)
      expect(events, "line")
      expect(events, "secured")
      assert.is_true(transport.TLS)
      assert(s:sendall "hello\r\n")
      assert.equal("HELLO\r\n", read(s, 7))
      transport:loseConnection()
      assert.equal("", s:recv(10))
    end)
  end)

  with_python("does so with Python's ssl on either side", function()
    local port = reactors.listen(lines(nil, { delimiter = "\n" }))
    local asked
    run(function()
      asked = peer:connect { role = "ask", port = port:getHost().port, ca = certificates.ca.cert,
        starttls = "STARTTLS\n" }
      repeat local event = events:get(LIMIT) until event[1] == "lost"
    end)
    assert.matches("answer=HELLO$", asked:result())

    events = loop.queue()
    local listener = peer:listen { role = "lines", cert = certificates.good, starttls = "GO\n" }
    local Client = lines(nil, {
      delimiter = "\n",
      connectionMade = function(self) self:sendLine "STARTTLS" end,
      lineReceived = function(self, line)
        events:put { "line", self, line }
        if line == "GO" then assert(self.transport:startTLS(client)) end
      end,
      handshakeCompleted = function(self) self:sendLine "hello" end,
    })
    run(function()
      reactor.connectTCP("localhost", listener.port, protocol.ClientFactory:forProtocol(Client))
      expect(events, "line")
      local made, line = expect(events, "line")
      assert.equal("HELLO", line)
      made:sendLine "bye"
      expect(events, "lost")
    end)
    assert.equal("bye", listener:result())
  end)

  it("keeps what is written during the handshake, and ends after it", function()
    with(lines(function(self)
      self:sendLine "GO"
      assert(self.transport:startTLS(server))
      self:sendLine(("x"):rep(200000))
      self.transport:loseConnection()
    end), function(s)
      assert(s:sendall "STARTTLS\r\n")
      assert.equal("GO\r\n", read(s, 4))
      secure(s)
      assert.equal(200002, #reactors.read_all(s))
      expect(events, "line")
      expect(events, "secured")
      assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionDone"))
    end)
  end)

  it("tells a producer when to go on, during the handshake as before it", function()
    local given = 0
    local producer = { pauseProducing = print, stopProducing = function() end }
    with(lines(function(self)
      self:sendLine "GO"
      assert(self.transport:startTLS(server))
      function producer.resumeProducing()
        given = given + 1
        if given == 20 then
          self.transport:unregisterProducer()
          self.transport:loseConnection()
        end
        self.transport:write(("%d"):format(given % 10):rep(10000))
      end
      self.transport:registerProducer(producer, false)
    end), function(s)
      assert(s:sendall "STARTTLS\r\n")
      assert.equal("GO\r\n", read(s, 4))
      csock.sleep(0.01)
      assert.equal(1, given)
      secure(s)
      assert.equal(200000, #reactors.read_all(s))
    end)
  end)

  it("verifies the host that connectTCP was given, or the name that is told", function()
    local cases = { { "localhost" }, { "127.0.0.1" }, { "localhost", "elsewhere.test", "not for 'elsewhere" } }
    for _, case in ipairs(cases) do
      events = loop.queue()
      local port = reactors.listen(lines())
      local Client = lines(nil, {
        connectionMade = function(self) self:sendLine "STARTTLS" end,
        lineReceived = function(self)
          assert(self.transport:startTLS(client, case[2] and { server_hostname = case[2] }))
        end,
        handshakeCompleted = function(self) events:put { "client secured", self } end,
        connectionLost = function(self, why) events:put { "client lost", self, why } end,
      })
      run(function()
        reactor.connectTCP(case[1], port:getHost().port, protocol.ClientFactory:forProtocol(Client))
        local event
        repeat event = events:get(LIMIT) until event[1]:find "^client"
        if not case[3] then return assert.equal("client secured", event[1], tostring(event[3])) end
        assert.equal("client lost", event[1])
        assert.equal("CERTIFICATE_VERIFY_FAILED", event[3].value.name)
        assert.matches(case[3], tostring(event[3]))
      end)
    end
  end)

  -- What an attacker in between puts behind the line in the clear must not be taken for the peer's, over TLS.
  for name, behind in pairs { ["a line"] = "steal\r\n", ["half a line"] = "ste", ["lines"] = "a\r\nb\r\n" } do
    it("is refused, and the connection cut, when " .. name .. " came behind it in the clear", function()
      local refused
      with(lines(function(self)
        self:sendLine "GO"
        refused = table.pack(self.transport:startTLS(server))
        self:sendLine "in the clear?"
      end), function(s)
        assert(s:sendall("STARTTLS\r\n" .. behind))
        expect(events, "line")
        assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionAborted"))
        assert.equal("GO\r\n", s:recv(100))
        assert.equal(E.ECONNRESET, select(3, s:recv(100)))
      end)
      assert.is_nil(refused[1])
      assert.equal(E.EBUSY, refused[3])
      assert.matches("startTLS: the peer has sent more in the clear", tostring(refused[2]))
    end)
  end

  it("is refused by receivers of strings, too, and not where nothing came behind", function()
    for behind, errno in pairs { ["\0\5steal"] = E.EBUSY, ["\0\5st"] = E.EBUSY, [""] = false } do
      local refused
      events = loop.queue()
      local Strings = reactors.recorder(events, protocol.Int16StringReceiver)
      Strings.dataReceived = nil
      function Strings:stringReceived(text)
        events:put { "string", self, text }
        refused = select(3, self.transport:startTLS(server)) or false
      end
      with(Strings, function(s)
        assert(s:sendall("\0\8STARTTLS" .. behind))
        expect(events, "string")
        if errno then expect(events, "lost") else secure(s) end
      end)
      assert.equal(errno, refused)
    end
  end)

  it("takes nothing for TLS that comes in the clear after it", function()
    with(lines(), function(s)
      assert(s:sendall "STARTTLS\r\n")
      assert.equal("GO\r\n", read(s, 4))
      assert(s:sendall "steal\r\n")
      expect(events, "line")
      local _, reason = expect(events, "lost")
      assert.is_truthy(reason:check "ConnectionLost")
      assert.equal("WRONG_VERSION_NUMBER", reason.value.name)
    end)
  end)

  it("is refused while something is written that the socket has not taken", function()
    local errno
    with(lines(function(self)
      self.transport:write(("x"):rep(1 << 24))
      errno = select(3, self.transport:startTLS(server))
    end), function(s)
      assert(s:sendall "STARTTLS\r\n")
      expect(events, "line")
      expect(events, "lost")
      assert.equal(E.EBUSY, errno)
    end)
  end)

  it("wants options in a table, and leaves the connection as it was without", function()
    local fine, words
    with(lines(function(self)
      fine, words = pcall(self.transport.startTLS, self.transport, server, "localhost")
      self:sendLine "in the clear"
    end), function(s)
      assert(s:sendall "STARTTLS\r\n")
      expect(events, "line")
      assert.equal("in the clear\r\n", s:recv(100))
    end)
    assert.is_false(fine)
    assert.matches("bad argument #2 to 'startTLS' (table expected, got string)", words, 1, true)
  end)

  it("has a limit of time", function()
    with(lines(), function(s, transport)
      transport.handshakeTimeout = 0.03
      assert(s:sendall "STARTTLS\r\n")
      expect(events, "line")
      local _, reason = expect(events, "lost")
      assert.equal(E.ETIMEDOUT, reason.value.errno)
    end)
  end)

  it("can be aborted, and lost, in the middle of the handshake", function()
    for how, why in pairs { abortConnection = "ConnectionAborted", close = "ConnectionLost" } do
      events = loop.queue()
      with(lines(), function(s, transport)
        assert(s:sendall "STARTTLS\r\n")
        assert.equal("GO\r\n", read(s, 4))
        expect(events, "line")
        if how == "close" then s:close() else transport[how](transport) end
        assert.is_truthy((select(2, expect(events, "lost")):check(why)))
      end)
    end
  end)

  it("goes on after the reactor was told to pause, and waits with what comes", function()
    with(lines(), function(s, transport)
      assert(s:sendall "STARTTLS\r\n")
      assert.equal("GO\r\n", read(s, 4))
      expect(events, "line")
      transport:pauseProducing()
      secure(s)
      expect(events, "secured")
      assert(s:sendall "hello\r\n")
      csock.sleep(0.01)
      assert.equal(0, events:qsize())
      transport:resumeProducing()
      expect(events, "line")
    end)
  end)

  it("is for open connections that are not over TLS yet", function()
    with(lines(), function(s, transport)
      assert.error_matches(function() transport:startTLS() end, "#1 to 'startTLS' %(SSLContext expected, got nil")
      assert.error_matches(function() transport:startTLS(client) end, "server_hostname")
      assert(s:sendall "STARTTLS\r\n")
      expect(events, "line")
      assert.equal(E.EISCONN, select(3, transport:startTLS(server)))
      assert.equal("GO\r\n", read(s, 4))
      secure(s)
      expect(events, "secured")
      assert.equal(E.EISCONN, select(3, transport:startTLS(server)))
      transport:loseConnection()
      assert.equal(E.ENOTCONN, select(3, transport:startTLS(server)))
      expect(events, "lost")
      assert.equal(E.ENOTCONN, select(3, transport:startTLS(server)))
    end)
  end)
end)
