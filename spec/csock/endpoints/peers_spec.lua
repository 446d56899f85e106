-- Twisted itself at the other end: csock's endpoints connect to its servers, and its clients to csock's.
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
local twisted = require "spec.support.twisted"

local certificates = tls.certificates

-- The server's description and the client's; in capital letters, what is put in.
local PAIRS = {
  { "tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:PORT" },
  { "unix:PATH", "unix:path=PATH" },
  { "unix:PATH:lockfile=0:mode=600", "unix:PATH:lockfile=0:timeout=5" },
  { "ssl:0:interface=127.0.0.1:privateKey=KEY:certKey=CERT", "ssl:127.0.0.1:PORT:caCertsDir=DIR:hostname=localhost" },
  { "ssl:0:interface=127.0.0.1:privateKey=KEY:certKey=CERT", "tls:localhost:PORT:trustRoots=DIR" },
  {
    "ssl:0:interface=127.0.0.1:privateKey=CHAINEDKEY:certKey=CHAINED:extraCertChain=MORE",
    "tls:localhost:PORT:trustRoots=DIR:endpoint=tcp\\:127.0.0.1\\:PORT",
  },
}

local Shouting = class("Shouting", protocol.LineReceiver)
function Shouting:lineReceived(line) self:sendLine(line:upper()) end

describe("beside Twisted", function()
  local dir, fields

  setup(function()
    dir = assert(posix.mkdtemp())
    fields = { PATH = dir .. "/socket", DIR = dir }
    if tls.missing then return end
    os.execute(("cp '%s' '%s/ca.pem'"):format(certificates.ca.cert, dir))
    fields.KEY, fields.CERT = certificates.good.key, certificates.good.cert
    fields.CHAINEDKEY, fields.CHAINED = certificates.chained.key, certificates.chained.cert
    fields.MORE = certificates.intermediate.cert
  end)

  teardown(function() os.execute(("rm -rf '%s'"):format(dir)) end)

  local function fill(text, port)
    fields.PORT = port
    return (text:gsub("%u+%f[%U]", fields))
  end

  local function start(side, text)
    return process.start({ "/usr/bin/python3", "-W", "ignore", "spec/support/twisted/peer.py", side, text },
      { env = { PYTHONPATH = "spec/support/twisted", PYTHONDONTWRITEBYTECODE = "1" } })
  end

  local function possible(server)
    if not twisted.there then return pending "Twisted is not installed" end
    if server:find "^ssl" and tls.missing then return pending(tls.missing) end
    return true
  end

  for _, pair in ipairs(PAIRS) do
    it(pair[2] .. " connects to its server at " .. pair[1], function()
      if not possible(pair[1]) then return end
      local peer <close> = start("server", fill(pair[1]))
      local port = peer:expect "listening at (%w+)\n"
      local answer
      reactors.run(function()
        local Asking, events = class("Asking", protocol.LineReceiver), csock.loop.queue()
        function Asking:connectionMade() self:sendLine "hello" end
        function Asking.lineReceived(_, line) events:put(line) end
        local endpoint = assert(endpoints.clientFromString(reactor, fill(pair[2], port)))
        local client = assert(defer.wait(endpoints.connectProtocol(endpoint, Asking()), 10 * process.slowness))
        answer = events:get(10 * process.slowness)
        client.transport:loseConnection()
      end)
      assert.equal("HELLO", answer)
    end)

    it("its client at " .. pair[2] .. " connects to " .. pair[1], function()
      if not possible(pair[1]) then return end
      local peer
      reactors.run(function()
        local endpoint = assert(endpoints.serverFromString(reactor, fill(pair[1])))
        local events = csock.loop.queue()
        local Server = class("Server", Shouting)
        function Server.connectionLost() events:put(true) end
        local factory = protocol.Factory:forProtocol(Server)
        local port = assert(defer.wait(endpoint:listen(factory), 10 * process.slowness))
        peer = start("client", fill(pair[2], tostring(port:getHost().port)))
        assert(events:get(20 * process.slowness))
      end)
      local _ <close> = peer
      assert.equal(0, peer:wait())
      assert.equal("answer: HELLO\nlost: ConnectionDone\n", peer.out)
    end)
  end

  it("its client is refused who does not trust this server", function()
    if not possible "ssl" then return end
    local peer
    reactors.run(function()
      local endpoint = assert(endpoints.serverFromString(reactor, fill(PAIRS[4][1])))
      local events = csock.loop.queue()
      local factory = protocol.Factory:forProtocol(Shouting)
      function factory.handshakeFailed(_, _, why) events:put(why) end
      local port = assert(defer.wait(endpoint:listen(factory), 10 * process.slowness))
      peer = start("client", ("tls:localhost:%d"):format(port:getHost().port))
      assert.is_truthy(assert(events:get(20 * process.slowness)):check "SSLError")
    end)
    local _ <close> = peer
    peer:wait()
    assert.equal("lost: Error\n", peer.out)
  end)
end)
