-- A server that is alone in its process, and a peer that sends as fast as it can: the others have their turns, signals
-- are heard, and it can be stopped.
local alone = require "spec.support.alone"
local csock = require "csock"
local keep = require "spec.support.keep"

local PINGS = 20

local REACTOR = [[
  local class, protocol, reactor = require "csock.class", require "csock.protocol", require "csock.reactor"

  local latest, due = 0, csock.now() -- by how much a timed call was late
  local function tick()
    latest = math.max(latest, csock.now() - due)
    due = csock.now() + 0.01
    reactor.callLater(0.01, tick)
  end
  reactor.callLater(0, tick)

  local turns = 0 -- of the flood, since somebody asked last
  local Stream = class("Stream", protocol.Protocol)
  function Stream:dataReceived(data)
    if data == "ping" then self.transport:write "pong"
    elseif data == "turns" then
      self.transport:write(("%.0f"):format(turns))
      turns = 0
    elseif data == "late" then self.transport:write(("%f"):format(latest))
    elseif data == "stop" then reactor.stop()
    else -- as a parser has
      work(0.002)
      turns = turns + 1
    end
  end
  local Datagrams = class("Datagrams", protocol.DatagramProtocol)
  function Datagrams:datagramReceived(data, addr)
    if data == "ping" then return self.transport:write("pong", addr) end
    work(0.00002)
    turns = turns + 1 / 64 -- so many in one
  end

  local tcp = assert(reactor.listenTCP(0, protocol.Factory:forProtocol(Stream), 50, "127.0.0.1"))
  local udp = assert(reactor.listenUDP(0, Datagrams(), "127.0.0.1"))
  local other_udp = assert(reactor.listenUDP(0, Datagrams(), "127.0.0.1"))
  roomy(tcp.socket)
  roomy(udp.socket)
  loop.on_signal("SIGTERM", function()
    print "terminated"
    reactor.stop()
  end)
  ready(tcp:getHost().port, udp:getHost().port, other_udp:getHost().port)
  reactor.run()
]]

-- A task for each connection; `serve(handler)` in a program.
local HANDLER = [[
  local function handler(conn)
    while true do
      local data = assert(conn:recv(1000))
      if data == "" then break end
      if data == "ping" then conn:sendall "pong" else work(0.0005) end
    end
  end
  loop.on_signal("SIGTERM", function()
    print "terminated"
    loop.stop()
  end)
]]

local function terminates(server)
  server:signal "SIGTERM"
  server:expect("terminated\n", 2)
  assert.equal(0, server:wait())
end

for _, backend in ipairs(csock.loop.backends()) do
  local function start(code, options)
    return keep(alone.start(code, { backend = backend, group = options and options.group }))
  end

  for kind, index in pairs { tcp = 1, udp = 2 } do
    describe(("a reactor on %s that is flooded over %s"):format(backend, kind), function()
      after_each(keep.close)

      local server
      before_each(function() server = start(REACTOR) end)

      local function flood() keep(alone.flood(kind, server.ports[index])) end

      it("accepts and serves others", function()
        flood()
        for _ = 1, PINGS do
          local socket <close> = alone.dial(server.ports[1])
          assert.equal("pong", alone.ask(socket, "ping"))
        end
      end)

      it("goes on serving those that were there before", function()
        local socket = keep(alone.dial(server.ports[1]))
        flood()
        for _ = 1, PINGS do assert.equal("pong", alone.ask(socket, "ping")) end
      end)

      it("gives the others a turn after each of the flood's", function()
        local socket = keep(alone.dial(server.ports[1]))
        flood()
        local turns = {}
        for i = 1, 2 * PINGS + 1 do turns[i] = tonumber(alone.ask(socket, "turns")) end
        table.sort(turns)
        assert.is_true(turns[PINGS + 1] <= 8, turns[PINGS + 1]) -- this process, too, has to wait for a processor
      end)

      it("serves its other UDP port", function()
        local socket = keep(alone.dial_udp(server.ports[3]))
        flood()
        for _ = 1, PINGS do assert.equal("pong", alone.ask(socket, "ping")) end
      end)

      it("keeps its times", function()
        local socket = keep(alone.dial(server.ports[1]))
        flood()
        for _ = 1, PINGS do alone.ask(socket, "ping") end
        assert.is_true(tonumber(alone.ask(socket, "late")) < alone.LIMIT)
      end)

      it("hears of SIGTERM", function()
        flood()
        terminates(server)
      end)

      it("is stopped by another connection", function()
        local socket = keep(alone.dial(server.ports[1]))
        flood()
        socket:sendall "stop"
        assert.equal(0, server:wait(2))
      end)
    end)
  end

  describe(("tasks on %s, one of them flooded,"):format(backend), function()
    after_each(keep.close)

    it("accept and serve others", function()
      local server = start(HANDLER .. [[
        local server = assert(csock.serve({ "127.0.0.1", 0 }, handler))
        roomy(server.listener)
        ready(server:getsockname().port)
        csock.run()
      ]])
      keep(alone.flood("tcp", server.ports[1]))
      for _ = 1, PINGS do
        local socket <close> = alone.dial(server.ports[1])
        assert.equal("pong", alone.ask(socket, "ping"))
      end
      terminates(server)
    end)

    it("hear of SIGTERM when no more connections are taken", function()
      local server = start(HANDLER .. [[
        local server = assert(csock.serve({ "127.0.0.1", 0 }, handler, { max_connections = 1 }))
        roomy(server.listener)
        ready(server:getsockname().port)
        csock.run()
      ]])
      keep(alone.flood("tcp", server.ports[1]))
      terminates(server)
    end)

    it("hear of SIGTERM in a TCPServer, which has one client at a time", function()
      local server = start(HANDLER .. [[
        local class, socketserver = require "csock.class", require "csock.socketserver"
        local Handler = class("Handler", socketserver.BaseRequestHandler)
        function Handler:handle() handler(self.request) end
        local server = assert(socketserver.TCPServer({ "127.0.0.1", 0 }, Handler))
        roomy(server.socket)
        ready(server.server_address.port)
        csock.run(server.serve_forever, server)
      ]])
      keep(alone.flood("tcp", server.ports[1]))
      terminates(server)
    end)

    it("hear of SIGTERM when there is nothing else but a task that is always ready", function()
      local server = start [[
        loop.on_signal("SIGTERM", function()
          print "terminated"
          loop.stop()
        end)
        csock.run(function()
          csock.sleep(0.01)
          ready()
          while true do csock.yield() end
        end)
      ]]
      terminates(server)
    end)

    it("hear of the end of the parent and of SIGTERM in a prefork worker that takes no more clients", function()
      local server = start(HANDLER .. [[
        local class, socketserver = require "csock.class", require "csock.socketserver"
        local Handler = class("Handler", socketserver.BaseRequestHandler)
        function Handler:handle() handler(self.request) end
        local server = assert(socketserver.PreforkTCPServer({ "127.0.0.1", 0 }, Handler))
        server.own_listeners = false
        server.workers, server.max_connections, server.drain_timeout = 1, 1, 0.1
        function server.worker_ended(_, _, _, why) print("worker ended", why) end
        function server.worker_setup() print("worker", csock.getpid()) end
        roomy(server.socket)
        ready(server.server_address.port)
        server:serve_forever()
      ]], { group = true })
      local first = tonumber(server:expect "worker\t(%d+)")
      keep(alone.flood("tcp", server.ports[1]))
      csock.kill(first, "SIGTERM")
      server:expect("worker ended\t0\n", 5)
      server:expect "worker\t%d+"
    end)
  end)
end
