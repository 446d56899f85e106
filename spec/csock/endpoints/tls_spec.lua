-- Endpoints over TLS: when there is a protocol, and what goes wrong before.
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local endpoints = require "csock.endpoints"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local tls = require "spec.support.tls"

local certificates = tls.certificates
local LIMIT = 10 * process.slowness

describe("an endpoint over TLS", function()
  if tls.missing then return it("shakes hands", function() pending(tls.missing) end) end

  local function recording(events) return protocol.Factory:forProtocol(reactors.recorder(events)) end

  local function failure_of(deferred)
    local result, err = defer.wait(deferred, LIMIT)
    assert.is_nil(result)
    return err
  end

  local function server(events, certificate)
    local endpoint = endpoints.SSL4ServerEndpoint(reactor, 0, tls.server(certificate), 5, "127.0.0.1")
    return assert(defer.wait(endpoint:listen(recording(events)), LIMIT)):getHost().port
  end

  local function named(context, name)
    return { getContext = function() return context end, server_hostname = name or "localhost" }
  end

  local KINDS = {
    ["from the start"] = function(port, contextFactory)
      return endpoints.SSL4ClientEndpoint(reactor, "127.0.0.1", port, contextFactory)
    end,
    ["put under another one"] = function(port, contextFactory)
      return endpoints.wrapClientTLS(contextFactory, endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port))
    end,
  }

  for kind, make in pairs(KINDS) do
    for _, stage in ipairs { "connectionMade", "buildProtocol" } do
      it(("%s that is cancelled in %s closes the connection, and nothing is wrong"):format(kind, stage), function()
        reactors.run(function()
          local theirs, errors = csock.loop.queue(), {}
          local before = csock.loop.onerror
          local _ <close> = setmetatable({}, { __close = function() csock.loop.onerror = before end })
          function csock.loop.onerror(err) errors[#errors + 1] = err end
          local port, connected = server(theirs), nil
          local factory = recording(csock.loop.queue())
          local build = factory.buildProtocol
          function factory:buildProtocol(address)
            local built = build(self, address)
            function built.connectionMade() connected:cancel() end
            if stage == "buildProtocol" then connected:cancel() end
            return built
          end
          reactor.callFromThread(function() connected = make(port, named(tls.client())):connect(factory) end)
          repeat csock.sleep(0.001) until connected
          assert.is_truthy(failure_of(connected):check "ConnectingCancelledError")
          reactors.expect(theirs, "made")
          reactors.expect(theirs, "lost")
          assert.same({}, errors)
        end)
      end)
    end

    it(kind .. " gives the protocol when the handshake is made", function()
      reactors.run(function()
        local theirs, calls = csock.loop.queue(), {}
        local factory = recording(csock.loop.queue())
        local build = factory.buildProtocol
        function factory:buildProtocol(address)
          local built = build(self, address)
          function built.connectionMade(made) calls[#calls + 1] = made.transport.TLS and "made" or "made too early" end
          function built.handshakeCompleted() calls[#calls + 1] = "handshake" end
          return built
        end
        local deferred = make(server(theirs), named(tls.client())):connect(factory)
        deferred:addCallback(function(client)
          calls[#calls + 1] = "connected"
          return client
        end)
        local client = assert(defer.wait(deferred, LIMIT))
        client.transport:write "hello"
        reactors.expect(theirs, "made")
        assert.equal("hello", select(2, reactors.expect(theirs, "data")))
        assert.same({ "made", "connected", "handshake" }, calls)
      end)
    end)

    it(kind .. " fails when the server is somebody else", function()
      reactors.run(function()
        local theirs, ours = csock.loop.queue(), csock.loop.queue()
        local port = server(theirs)
        local why = failure_of(make(port, named(tls.client(), "elsewhere.test")):connect(recording(ours)))
        assert.equal("SSLError", why:check "SSLError")
        assert.equal("CERTIFICATE_VERIFY_FAILED", why.value.name)
        assert.equal(0, #ours)
      end)
    end)

    it(kind .. " can be given up during the handshake", function()
      reactors.run(function()
        local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
        local deferred = make(listener:getsockname().port, named(tls.client())):connect(recording(csock.loop.queue()))
        local socket <close> = assert(listener:accept())
        assert(socket:recv(100)) -- the client's first words
        deferred:cancel()
        assert.is_truthy(failure_of(deferred):check "ConnectingCancelledError")
        socket:settimeout(LIMIT)
        repeat local data = socket:recv(1000) until not data or data == ""
      end)
    end)

    it(kind .. " fails when connectionMade raises an error", function()
      local events = {}
      local errors = reactors.errors(function()
        reactors.run(function()
          local Broken = class("Broken", protocol.Protocol)
          function Broken.connectionMade() error("broken", 0) end
          function Broken.connectionLost(_, why) events[#events + 1] = why.value end
          local port = server(csock.loop.queue())
          local why = failure_of(make(port, named(tls.client())):connect(protocol.Factory:forProtocol(Broken)))
          assert.equal("broken", why:check "CallbackError" and why.value)
        end)
      end)
      assert.same({ "broken" }, events)
      assert.equal(1, #errors)
    end)

    it(kind .. " fails when the factory makes nothing", function()
      reactors.run(function()
        local factory = protocol.Factory()
        function factory.buildProtocol() end
        local port = server(csock.loop.queue())
        assert.is_truthy(failure_of(make(port, named(tls.client())):connect(factory)):check "NoProtocol")
      end)
    end)
  end

  it("from a description verifies the host's certificate", function()
    local dir = assert(posix.mkdtemp())
    os.execute(("cp '%s' '%s/ca.pem'"):format(certificates.ca.cert, dir))
    reactors.run(function()
      local port = server(csock.loop.queue(), certificates.wrong_host)
      for _, text in ipairs { "ssl:localhost:%d:caCertsDir=%s", "tls:localhost:%d:trustRoots=%s" } do
        local endpoint = assert(endpoints.clientFromString(reactor, text:format(port, dir)))
        local why = failure_of(endpoint:connect(recording(csock.loop.queue())))
        assert.equal("CERTIFICATE_VERIFY_FAILED", why.value.name)
      end
      local text = ("ssl:localhost:%d:caCertsDir=%s:hostname=www.elsewhere.test"):format(port, dir)
      local endpoint = assert(endpoints.clientFromString(reactor, text))
      assert(defer.wait(endpoint:connect(recording(csock.loop.queue())), LIMIT))
    end)
    os.execute(("rm -r '%s'"):format(dir))
  end)

  it("trusts nobody but those in the folder, in which other files may be", function()
    local dir = assert(posix.mkdtemp())
    os.execute(("echo none > '%s/none.pem'; cp '%s' '%s/ca.txt'"):format(dir, certificates.ca.cert, dir))
    reactors.run(function()
      local port = server(csock.loop.queue())
      local endpoint = assert(endpoints.clientFromString(reactor, ("tls:localhost:%d:trustRoots=%s"):format(port, dir)))
      assert.equal("SSLError", failure_of(endpoint:connect(recording(csock.loop.queue()))):check "SSLError")
      os.execute(("cp '%s' '%s/ca.PEM'"):format(certificates.ca.cert, dir))
      endpoint = assert(endpoints.clientFromString(reactor, ("tls:localhost:%d:trustRoots=%s"):format(port, dir)))
      assert(defer.wait(endpoint:connect(recording(csock.loop.queue())), LIMIT))
    end)
    os.execute(("rm -r '%s'"):format(dir))
  end)

  it("shows a client's certificate", function()
    local dir = assert(posix.mkdtemp())
    os.execute(("cp '%s' '%s/ca.pem'"):format(certificates.ca.cert, dir))
    reactors.run(function()
      local context = tls.server()
      assert(context:load_verify_locations(certificates.ca.cert))
      context.verify_mode = tls.ssl.CERT_REQUIRED
      local theirs = csock.loop.queue()
      local listening = endpoints.SSL4ServerEndpoint(reactor, 0, context, 5, "127.0.0.1"):listen(recording(theirs))
      local port = assert(defer.wait(listening, LIMIT)):getHost().port
      local text = ("tls:localhost:%d:trustRoots=%s:certificate=%s:privateKey=%s")
        :format(port, dir, certificates.client.cert, certificates.client.key)
      assert(defer.wait(endpoints.clientFromString(reactor, text):connect(recording(csock.loop.queue())), LIMIT))
      local subject = reactors.expect(theirs, "made").transport:getPeerCertificate().subject
      assert.equal("a client", subject[1][1][2])
    end)
    os.execute(("rm -r '%s'"):format(dir))
  end)
end)
