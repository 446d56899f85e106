-- A server over TLS on the reactor, alone in its process: clients that stall, send garbage or do not read hold up
-- nobody, and cost no time.
local alone = require "spec.support.alone"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness

if contexts.missing then
  pending("the reactor over TLS, alone: " .. contexts.missing)
  return
end

local SERVER = contexts.SERVER .. [[
  local class, protocol, reactor = require "csock.class", require "csock.protocol", require "csock.reactor"
  local failed, lost, made = 0, 0, 0
  local Lines = class("Lines", protocol.LineReceiver)
  function Lines:connectionMade() made = made + 1 end
  function Lines:connectionLost() lost = lost + 1 end
  function Lines:lineReceived(line)
    if line == "flood" then return self.transport:write(("x"):rep(1 << 24)) end
    if line == "count" then line = ("%d made, %d lost, %d failed"):format(made, lost, failed) end
    self:sendLine(line:upper())
  end
  local factory = protocol.Factory:forProtocol(Lines)
  function factory:handshakeFailed() failed = failed + 1 end
  local port = assert(reactor.listenSSL(0, factory, ctx, 50, "127.0.0.1"))
  port.handshakeTimeout = 60
  ready(port:getHost().port)
  reactor.run()
]]

local context
setup(function() context = contexts.client() end)

for _, backend in ipairs(csock.loop.backends()) do
  describe("a server over TLS on the reactor, with " .. backend .. ",", function()
    local server

    before_each(function() server = keep(alone.start(SERVER, { backend = backend })) end)
    after_each(keep.close)

    local function plain()
      local s = keep(csock.create_connection({ "127.0.0.1", server.ports[1] }, { timeout = LIMIT }))
      s:settimeout(LIMIT)
      return s
    end

    local function dial()
      return keep(csock.create_connection({ "localhost", server.ports[1] }, { ssl = context, timeout = LIMIT }))
    end

    local function ask(s, line)
      assert(s:sendall(line .. "\r\n"))
      local stream <close> = assert(s:makefile())
      return stream:read()
    end

    -- Whether the server comes to rest, when it has done what there is to do.
    local function rests()
      local function cpu()
        local file <close> = io.open(("/proc/%d/schedstat"):format(server.pid))
        return file and file:read "n" / 1e9 or 0
      end
      local ends = csock.now() + LIMIT
      repeat
        local before = cpu()
        csock.sleep(0.2)
        if cpu() - before < 0.06 then return true end
      until csock.now() > ends
      return false
    end

    -- The server's certificates do not fit into what such a client lets the system keep.
    local function narrow()
      local s = keep(csock.socket(csock.AF_INET, csock.SOCK_STREAM))
      assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 1))
      s:settimeout(LIMIT)
      assert(s:connect("127.0.0.1", server.ports[1]))
      return s
    end

    it("serves others while handshakes stall, at no cost", function()
      for i = 1, 100 do
        local s = plain()
        if i % 2 == 0 then assert(s:sendall "\22\3\1\2\0\1\0\1\252\3\3") end
      end
      for _ = 1, 5 do assert.equal("HELLO", ask(dial(), "hello")) end
      assert.is_true(rests())
      assert.equal("6 MADE, 0 LOST, 0 FAILED", ask(dial(), "count"))
    end)

    it("serves others while clients send garbage and hang up", function()
      local garbage = { "GET / HTTP/1.0\r\n\r\n", ("\0"):rep(1000), "\22\3\1\2\0\1\0\1\252\3\3", "",
        ("\23\3\3\64\1"):rep(1000) }
      for i = 1, 50 do
        local s = plain()
        s:sendall(garbage[i % #garbage + 1])
        if i % 3 == 0 then s:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)) end
        s:close()
      end
      local s = dial()
      local text
      repeat text = ask(s, "count") until text:find "50 FAILED"
      assert.equal("1 MADE, 0 LOST, 50 FAILED", text)
      assert.is_true(rests())
    end)

    it("serves others while clients do not read what they have asked for, at no cost", function()
      for _ = 1, 5 do
        local s = dial()
        assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 1))
        assert(s:sendall "flood\r\nand more\r\n")
      end
      assert.equal("HELLO", ask(dial(), "hello"))
      assert.is_true(rests())
    end)

    it("goes on with a handshake, and with an answer, when a slow client takes it", function()
      local s = narrow()
      s:settimeout(0)
      assert(context:wrap_socket(s, { server_hostname = "localhost" }))
      s:do_handshake() -- says hello
      assert.equal("HELLO", ask(dial(), "hello"))
      assert.is_true(rests())
      s:settimeout(LIMIT)
      assert.equal("HELLO", ask(s, "hello"))
      assert(s:sendall "flood\r\n")
      local size = 0
      while size < 1 << 24 do size = size + #assert(s:recv(65536)) end
      assert.equal("HELLO", ask(s, "hello"))
    end)

    it("serves 200 connections at once, which all change their keys", function()
      local all = {}
      for i = 1, 200 do all[i] = dial() end
      for round = 1, 2 do
        for i, s in ipairs(all) do
          if (i + round) % 2 == 0 then assert(s:key_update()) end
          assert(s:sendall(("line %d of %d\r\n"):format(round, i)))
        end
        for i, s in ipairs(all) do
          local line = ("LINE %d OF %d\r\n"):format(round, i)
          assert.equal(line, s:recv(#line))
        end
      end
      for i = 1, 199 do
        if i % 2 == 0 then assert(all[i]:unwrap()) else all[i]:close() end
      end
      local text
      repeat text = ask(all[200], "count") until text:find "199 LOST"
      assert.equal("200 MADE, 199 LOST, 0 FAILED", text)
    end)
  end)
end
