-- What stands on sockets, over a transport: the toy cipher of spec/support/cipher.c, and TLS. Nothing here knows of
-- them but for the line that puts one under a socket. The socket's own calls: spec/socket/transport_spec.lua.
local asynchat = require "csock.asynchat"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local ciphered = require "spec.support.ciphered"
local class = require "csock.class"
local csock = require "csock"
local internal = require "csock.loop.internal"
local keep = require "spec.support.keep"
local protocol = require "csock.protocol"
local reactors = require "spec.support.reactors"
local redis = require "csock.redis"
local redis_server = require "spec.support.redis"
local serving = require "spec.support.serving"
local socketserver = require "csock.socketserver"

local cipher, pattern, in_task, LIMIT = ciphered.cipher, ciphered.pattern, ciphered.in_task, ciphered.LIMIT
local E = csock.errno

after_each(keep.close)

-- Lua's own `assert`, which raises the very error: channels know what EAGAIN means.
local function must(value, err)
  if not value then error(err, 0) end
  return value
end

for _, layer in ipairs(ciphered.layers) do
  for way, run in pairs {
    ["outside of tasks"] = function(f, ...) f(...) end,
    ["in a task"] = function(f, ...) in_task(f, ...) end,
  } do
    for how, timeout in pairs { [""] = false, [" with a time-out"] = LIMIT } do
      describe("a stream over " .. layer.name .. ", " .. way .. how .. ",", function()
        local peer
        setup(function() peer = layer.start() end)
        teardown(function() peer:kill() end)

        -- Runs f with a stream to the peer, which plays this role, and its socket.
        local function with(role, mode, buffering, f, options)
          run(function()
            local s = layer.dial(peer, role, timeout or nil, options)
            f(keep((s:makefile(mode, buffering))), s)
          end)
        end

        it("reads by all formats", function()
          with("source 5000", "r", nil, function(stream)
            assert.equal("0000001", stream:read())
            assert.equal("0000002\n", stream:read "L")
            local a, b, c = stream:read("n", 1, 250)
            assert.equal(3, a)
            assert.equal(pattern(274):sub(24), b .. c)
            assert.equal(pattern(5000):sub(275), stream:read "a")
            assert.is_nil(stream:read "l")
          end)
        end)

        it("reads lines, records and what it may peek at", function()
          with("source 800", "r", nil, function(stream)
            local lines = {}
            for line in stream:lines() do
              lines[#lines + 1] = line
              if #lines == 40 then break end
            end
            assert.equal(pattern(320), table.concat(lines, "\n") .. "\n")
            assert.equal("0000041\n00000", stream:read_until "42\n")
            assert.equal("0000043", stream:peek(7))
            assert.equal("0000043\n", stream:readline())
            assert.equal(57, #stream:readlines())
            assert.equal("", stream:readline())
          end)
        end)

        for _, mode in ipairs { "no", "line", "full", "turn" } do
          it(("writes all in the mode %q"):format(mode), function()
            with("sink", "w", nil, function(stream, s)
              local data = pattern(40000)
              assert(stream:setvbuf(mode, 1000))
              for i = 1, #data, 37 do assert(stream:write(data:sub(i, i + 36))) end
              assert(stream:flush())
              assert(s:shutdown(csock.SHUT_WR))
              assert.equal("40000 right\n", s:recv(100, csock.MSG_WAITALL))
            end)
          end)
        end

        it("sends at the turn's end what a full kernel has not taken", function()
          with("sink", "w", "turn", function(stream, s)
            s:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 4096)
            local data = pattern(500000)
            for i = 1, #data, 50000 do assert(stream:write(data:sub(i, i + 49999))) end
            assert(stream:close())
            assert(s:shutdown(csock.SHUT_WR))
            assert.equal("500000 right\n", s:recv(100, csock.MSG_WAITALL))
          end, { record = 4096, every = 20 })
        end)

        it("asks and answers, line by line", function()
          with("lines", "rw", 0, function(stream)
            for i = 1, 50 do
              assert(stream:write("line ", i, "\n"))
              assert.equal("LINE " .. i, stream:read())
            end
          end)
        end)

        it("loses nothing by a time-out", function()
          run(function()
            local a, b = layer.pair()
            local stream = keep((b:makefile()))
            assert(a:sendall "half a ")
            b:settimeout(0.02)
            assert.equal(E.ETIMEDOUT, select(3, stream:read()))
            assert(a:sendall "line\n")
            b:settimeout(LIMIT)
            assert.equal("half a line", stream:read())
          end)
        end)

        it("is followed by a file", function()
          with("sink", "w", nil, function(stream, s)
            local file <close> = assert(io.tmpfile())
            assert(file:write(pattern(300000)))
            assert(stream:write(pattern(80)))
            assert(stream:flush())
            assert.equal(299920, s:sendfile(file, 80))
            assert(s:shutdown(csock.SHUT_WR))
            assert.equal("300000 right\n", s:recv(100, csock.MSG_WAITALL))
            assert.equal(300000, file:seek "cur")
          end)
        end)

        it("is followed by what comes from a pipe", function()
          with("sink", "w", nil, function(_, s)
            local from <close>, to = csock.socketpair()
            assert(to:sendall(pattern(5000)))
            to:close()
            assert.equal(5000, s:sendfile(from))
            assert(s:shutdown(csock.SHUT_WR))
            assert.equal("5000 right\n", s:recv(100, csock.MSG_WAITALL))
          end)
        end)
      end)
    end
  end
end

describe("a stream over a transport", function()
  -- One that a task writes more to than it can send before the peer answers, and the task; what comes after the
  -- answer asks no question. The peer answers in the turn after, when the loop has looked for it in vain.
  local function answered(mode)
    local a, b = csock.socketpair()
    cipher.wrap(keep(a), { every = 2 })
    cipher.wrap(keep(b), { every = 0 })
    a:settimeout(LIMIT)
    local stream = keep(a:makefile "w")
    assert(stream:setvbuf(mode, 250))
    local writer = csock.spawn(function()
      assert(stream:write(pattern(10))) -- what the turn's end is for
      return stream:write(pattern(250):sub(11))
    end)
    csock.sleep(0)
    csock.sleep(0)
    assert.equal("waiting", writer:status())
    b:settimeout(0)
    assert.equal(pattern(200), b:recv(100) .. b:recv(100))
    assert.equal(E.EAGAIN, select(3, b:recv(100))) -- answers
    return stream, writer, b
  end

  it("has written all when the turn's end has received the answer that a write waits for", function()
    in_task(function()
      local stream, writer, b = answered "turn"
      assert.equal(stream, (assert(writer:join(LIMIT))))
      assert.equal(pattern(250):sub(201), b:recv(100))
    end)
  end)

  it("has written all when another task's flush has received the answer that a write waits for", function()
    in_task(function()
      local stream, writer, b = answered "full"
      assert(stream:flush())
      assert.equal(stream, (assert(writer:join(LIMIT))))
      assert.equal(pattern(250):sub(201), b:recv(100))
    end)
  end)
end)

for _, layer in ipairs(ciphered.layers) do
  local wrapped = layer.wrap -- a server's socket, as it comes from accept

  local function dial(address)
    local s = keep((csock.create_connection(address, { timeout = LIMIT })))
    s:settimeout(LIMIT)
    return layer.wrap_client(s)
  end

  -- Sends lines and expects them back, changed by `f`; then ends, and expects the end.
  local function converse(address, f)
    local s = dial(address)
    local stream = keep((s:makefile "rw"))
    for i = 1, 30 do
      local line = ("line %d %s"):format(i, ("x"):rep(i * 20))
      assert(assert(stream:write(line, "\n")):flush())
      assert.equal(f and f(line) or line, stream:read())
    end
    assert(s:shutdown(csock.SHUT_WR))
    assert.is_nil((stream:read())) -- and no error: the goodbye has come
    assert.is_nil((select(2, stream:read())))
  end

  describe("csock.serve over " .. layer.name, function()
    it("serves many at once", function()
      in_task(function()
        local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
          wrapped(conn)
          local stream <close> = assert(conn:makefile "rw")
          for line in stream:lines "L" do assert(assert(stream:write(line:upper())):flush()) end
        end))
        local tasks = {}
        for i = 1, 10 do
          tasks[i] = csock.spawn(function()
            converse(server:getsockname(), string.upper)
            return true
          end)
        end
        for i = 1, 10 do assert(tasks[i]:join(LIMIT)) end
      end)
    end)

    it("ends a connection when its peer has taken all, though the handler has returned long ago", function()
      in_task(function()
        local data, sent = ("x"):rep(4096), 0
        local done = csock.loop.event()
        local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
          layer.wrap(conn, { record = 4096, every = 0 })
          assert.equal("x", conn:recv(1))
          conn:settimeout(0)
          repeat -- until nothing more goes, not even a goodbye
            local n = conn:send(data)
            sent = sent + (n or 0)
          until not n
          done:set()
        end))
        local s = keep((csock.create_connection(server:getsockname(), { timeout = LIMIT })))
        s:settimeout(LIMIT)
        layer.wrap_client(s, { every = 0, ahead = 4096 })
        assert(s:sendall "x")
        assert(done:wait(LIMIT))
        csock.sleep(0) -- the connection's task has ended
        local stream <close> = s:makefile()
        assert.is_true(#assert(stream:read "a") >= sent) -- an end without a goodbye would be an error
      end)
    end)
  end)

  describe("socketserver over " .. layer.name, function()
    local function make(kind, handler)
      local Server = class("Server", kind)
      function Server:get_request()
        local conn, address, errno = Server.super.get_request(self)
        if not conn then return nil, address, errno end
        return wrapped(conn), address
      end
      return serving.make(Server, handler)
    end

    for _, name in ipairs { "TCPServer", "ThreadingTCPServer", "ForkingTCPServer" } do
      it("serves lines: " .. name, function()
        local server = make(socketserver[name])
        serving.during(server, function()
          for _ = 1, 2 do converse(server.server_address) end
          keep.close()
        end)
      end)
    end
  end)

  describe("asyncore over " .. layer.name, function()
    it("echoes, also what a channel had held back", function()
      local map = {}
      local Echo = class("Echo", asyncore.dispatcher_with_send)
      function Echo:handle_read() self:send(must(self:recv(7))) end
      function Echo:handle_close() self:close() end
      local server = channels.server(function(sock, its_map) return Echo(wrapped(sock), its_map) end, map)
      channels.during(map, function()
        local s = dial(server.addr)
        local data = pattern(3000)
        local writer = csock.spawn(function() return s:sendall(data) end)
        assert.equal(data, s:recv(#data, csock.MSG_WAITALL))
        assert(writer:join(LIMIT))
      end)
    end)

    it("cuts lines with asynchat", function()
      local map = {}
      local Chat = class("Chat", asynchat.async_chat)
      function Chat:__init(sock, its_map)
        Chat.super.__init(self, sock, its_map)
        self.line = ""
        self:set_terminator "\n"
      end
      function Chat:collect_incoming_data(data) self.line = self.line .. data end
      function Chat:found_terminator()
        self:push(self.line .. "\n")
        self.line = ""
      end
      function Chat:handle_close() self:close() end
      local server = channels.server(function(sock, its_map) return Chat(wrapped(sock), its_map) end, map)
      channels.during(map, function()
        local s = dial(server.addr)
        local stream <close> = s:makefile "rw"
        for i = 1, 20 do
          assert(assert(stream:write("line ", i, "\n")):flush())
          assert.equal("line " .. i, stream:read())
        end
      end)
    end)
  end)

  describe("the reactor over " .. layer.name, function()
    -- A port whose protocols are over the layer.
    local function listen(Base, methods, options)
      local Mine = class("Mine", Base)
      function Mine:makeConnection(transport)
        layer.wrap(transport.socket, options)
        Mine.super.makeConnection(self, transport)
      end
      for name, method in pairs(methods) do Mine[name] = method end
      return reactors.listen(Mine)
    end

    it("gives lines and sends them", function()
      reactors.run(function()
        local port = listen(protocol.LineOnlyReceiver, {
          delimiter = "\n",
          lineReceived = function(self, line) self:sendLine(line:upper()) end,
        })
        converse(port:getHost(), string.upper)
        port:stopListening()
        keep.close()
      end)
    end)

    it("sends much, when the peer is slow and has to be heard meanwhile", function()
      local data = pattern(2000000)
      reactors.run(function()
        local port = listen(protocol.Protocol, {
          dataReceived = function(self)
            self.transport:write(data)
            self.transport:write "."
            self.transport:loseConnection()
          end,
        })
        local s = dial(port:getHost())
        assert(s:sendall "go")
        local stream <close> = s:makefile()
        assert.is_true(data .. "." == assert(stream:read "a"))
        assert.equal(2, select(2, s:getstats()))
        port:stopListening()
        keep.close()
      end)
    end)

    it("sends what is written outside of the connection's own callbacks, and receives meanwhile", function()
      local data = pattern(100000)
      for name, size in pairs { ["at the turn's end"] = 10000, ["at once"] = 50000 } do
        reactors.run(function()
          local events = csock.loop.queue()
          local port = listen(protocol.Protocol, {
            connectionMade = function(self) events:put(self.transport) end,
            dataReceived = function(_, bytes) events:put(bytes) end,
          }, { every = 0 }) -- no answer wakes it
          local s = dial(port:getHost())
          local transport = assert(events:get(LIMIT))
          local reader = csock.spawn(function() return s:recv(#data, csock.MSG_WAITALL) end)
          for i = 1, #data, size do
            transport:write(data:sub(i, i + size - 1))
            csock.sleep(0)
          end
          assert.is_true(data == reader:join(LIMIT), name)
          assert(s:sendall "bye")
          assert.equal("bye", events:get(LIMIT))
          port:stopListening()
          keep.close()
        end)
      end
    end)

    if layer.reads_to_write then
      it("is told what a write has received", function()
        reactors.run(function()
          local events = csock.loop.queue()
          local port = listen(protocol.Protocol, {
            connectionMade = function(self) events:put(self.transport) end,
            dataReceived = function(_, bytes) events:put(bytes) end,
          })
          local s = dial(port:getHost())
          local transport = assert(events:get(LIMIT))
          for i = 1, 3 do
            transport:write(tostring(i)) -- and a question after the third
            csock.sleep(0)
            assert.equal(tostring(i), s:recv(1))
          end
          assert(s:sendall "in the same turn")
          s:settimeout(0)
          assert.equal(E.EAGAIN, select(3, s:recv(1))) -- answers
          transport:write "4"
          internal.hub.flush() -- before the loop has heard of it: receives both
          assert.equal("in the same turn", events:get(LIMIT))
          port:stopListening()
          keep.close()
        end)
      end)

      it("sends on when a task has received the answer", function()
        reactors.run(function()
          local connections = csock.loop.queue()
          local port = listen(protocol.Protocol, {
            connectionMade = function(self)
              self.transport:pauseProducing() -- the answer is not the reactor's to receive
              connections:put(self.transport)
            end,
          })
          local s = dial(port:getHost())
          local transport = assert(connections:get(LIMIT))
          for i = 1, 4 do transport:write(tostring(i)) internal.hub.flush() end -- the third asks
          assert.equal("123", s:recv(1) .. s:recv(1) .. s:recv(1))
          s:settimeout(0)
          assert.equal(E.EAGAIN, select(3, s:recv(1))) -- answers
          transport.socket:settimeout(0)
          assert.equal(E.EAGAIN, select(3, transport.socket:recv(1))) -- before the loop has heard of it
          s:settimeout(LIMIT)
          assert.equal("4", s:recv(1))
          port:stopListening()
          keep.close()
        end)
      end)
    end

    it("takes much, and answers it", function()
      local data = pattern(300000)
      reactors.run(function()
        local port = listen(protocol.Protocol, {
          dataReceived = function(self, bytes) self.transport:write(bytes) end,
        })
        local s = dial(port:getHost())
        local writer = csock.spawn(function() return s:sendall(data) end)
        assert.is_true(data == s:recv(#data, csock.MSG_WAITALL))
        assert(writer:join(LIMIT))
        port:stopListening()
        keep.close()
      end)
    end)

    it("tells of the end, and of an end without a goodbye", function()
      local events = csock.loop.queue()
      reactors.run(function()
        local port = listen(protocol.Protocol, {
          dataReceived = function(self, bytes) self.transport:write(bytes) end,
          connectionLost = function(_, reason) events:put(reason) end,
        })
        local function connected()
          local s = dial(port:getHost())
          assert(s:sendall "x")
          assert.equal("x", s:recv(1))
          return s
        end
        connected():close()
        assert.equal("ConnectionDone", assert(events:get(LIMIT)).__class.__name)
        csock.close(connected():detach())
        local reason = assert(events:get(LIMIT))
        assert.equal("ConnectionLost", reason.__class.__name)
        assert.matches(layer.cut, tostring(reason), 1, true)
        port:stopListening()
        keep.close()
      end)
    end)
  end)

  describe("csock.redis over " .. layer.name, function()
    it("asks and gets its answers, in pipelines too", function()
      local create_connection = csock.create_connection
      finally(function() csock.create_connection = create_connection end)
      function csock.create_connection(...)
        local s, err, errno = create_connection(...)
        if not s then return nil, err, errno end
        return layer.wrap_client(s)
      end
      in_task(function()
        local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
          wrapped(conn)
          local stream <close> = assert(conn:makefile "rw")
          for text in function() return redis_server.command(stream) end do
            assert(assert(stream:write("$", #text, "\r\n", text, "\r\n")):flush())
          end
        end))
        local r = keep(redis.connect("redis://127.0.0.1:" .. server:getsockname().port))
        for i = 1, 30 do assert.equal("GET " .. i, r:call("GET", i)) end
        local long = ("x"):rep(5000)
        assert.equal("SET k " .. long, r:call("SET", "k", long))
        local tasks = {}
        for i = 1, 20 do tasks[i] = csock.spawn(function() return r:call("GET", "k" .. i) end) end
        for i = 1, 20 do assert.equal("GET k" .. i, tasks[i]:join(LIMIT)) end
      end)
    end)
  end)
end
