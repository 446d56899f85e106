-- Channels over TLS: what they wait for is not always what they are asked for. In loops (epoll, where there is one) and
-- by single turns (poll).
local asynchat = require "csock.asynchat"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local ciphered = require "spec.support.ciphered"
local class = require "csock.class"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"

local LIMIT = channels.LIMIT
local E = csock.errno

after_each(keep.close)

-- Runs f in a task beside the channels of a map, served in one of two ways.
local ways = {
  ["in a loop"] = channels.during,
  ["by single turns"] = function(map, f)
    csock.run(function()
      local serving = csock.spawn(function()
        while next(map) ~= nil do assert(asyncore.poll(0.01, map)) end
      end):watch()
      local ok, err = xpcall(f, debug.traceback)
      asyncore.close_all(map)
      assert(serving:join(LIMIT) == nil and ok, err)
    end)
  end,
}

-- A class of channels that counts the turns in which it was asked.
local function counting(base, methods)
  local Counting = class("Counting", base)
  Counting.turns = 0
  function Counting:readable()
    self.turns = self.turns + 1
    return true
  end
  function Counting:handle_close() self:close() end
  for name, method in pairs(methods) do Counting[name] = method end
  return Counting
end

-- How often a channel is asked in a time in which nothing happens.
local function turns_at_rest(channel)
  local before = channel.turns
  csock.sleep(0.1)
  return channel.turns - before
end

-- Lua's own `assert`, which raises the very error.
local function must(value, err)
  if not value then error(err, 0) end
  return value
end

local FEW = 30 -- single turns take 0.01 s each

describe("a channel over a transport", function()
  it("waits until it can write where it has to before it reads on, and keeps nobody busy", function()
    for how, during in pairs(ways) do
      local map = {}
      local a, b = ciphered.pair { every = 2, record = 4096, ahead = 4096 }
      a:settimeout(0)
      assert(a:send "1")
      assert(a:send "2") -- and a question
      ciphered.cipher.unwrap(b)
      ciphered.wrap(b, { every = 0, record = 4096, ahead = 4096 })
      b:settimeout(0)
      local filled = 0
      repeat -- nobody reads at a: the answer must wait
        local n = b:send(("x"):rep(65536))
        filled = filled + (n or 0)
      until not n
      during(map, function()
        local got = ""
        local channel = counting(asyncore.dispatcher, {
          handle_read = function(self) got = got .. must(self:recv(1)) end,
          writable = function() return false end,
        })(b, map)
        a:settimeout(LIMIT)
        while got ~= "12" do csock.sleep(0.001) end
        local writer = csock.spawn(function() return a:sendall "3" end) -- not before the answer
        csock.sleep(0.01)
        assert.is_true(turns_at_rest(channel) < FEW, how)
        local read = 0
        while read < filled do read = read + #assert(a:recv(65536)) end
        assert(writer:join(LIMIT))
        while got ~= "123" do csock.sleep(0.001) end
      end)
    end
  end)
end)

if contexts.missing then
  pending("channels over TLS: " .. contexts.missing)
  return
end

local client, server_context
setup(function() client, server_context = contexts.client(), contexts.server() end)

local function plain(address)
  local s = keep(csock.create_connection(address, { timeout = LIMIT }))
  s:settimeout(LIMIT)
  return s
end

local function dial(address)
  return keep(csock.create_connection({ "localhost", address.port }, { ssl = client, timeout = LIMIT }))
end

-- A channel that listens, over TLS, and so what it accepts.
local function listen(kind, map, context)
  local server = channels.server(kind, map)
  assert((context or server_context):wrap_socket(server.socket))
  return server
end

-- A channel that connects to a port over TLS.
local function connecting(kind, map, address, context)
  local channel = kind(nil, map)
  assert(channel:create_socket())
  assert((context or client):wrap_socket(channel.socket, { server_hostname = "localhost" }))
  assert(channel:connect(address))
  return channel
end

for how, during in pairs(ways) do
  describe("a channel over TLS, " .. how .. ",", function()
    it("serves what its listener has accepted, and reads what a record has left", function()
      local map = {}
      local server = listen(counting(asyncore.dispatcher_with_send, {
        handle_read = function(self) self:send(must(self:recv(1000))) end,
      }), map)
      during(map, function()
        local s = dial(server.addr)
        local data = ciphered.pattern(300000)
        local writer = csock.spawn(function() return s:sendall(data) end)
        assert.is_true(data == s:recv(#data, csock.MSG_WAITALL))
        assert(writer:join(LIMIT))
        assert(s:unwrap())
        assert.equal("", s:recv(1))
      end)
    end)

    it("takes a socket over that has been wrapped", function()
      local map = {}
      local Shout = counting(asyncore.dispatcher_with_send, {
        handle_read = function(self) self:send(must(self:recv(1000)):upper()) end,
      })
      local server = channels.server(function(sock, its_map)
        sock:settimeout(0)
        local channel = Shout(nil, its_map)
        channel:set_socket(assert(server_context:wrap_socket(sock)))
        channel.connected = true
        return channel
      end, map)
      during(map, function()
        local s = dial(server.addr)
        assert(s:sendall "hello")
        assert.equal("HELLO", s:recv(10))
      end)
    end)

    it("connects, and says so when the handshake is made", function()
      local map, events = {}, csock.loop.queue()
      during(map, function()
        local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
          conn:sendall(conn:recv(100):upper())
          conn:recv(1)
        end, { ssl = server_context }))
        connecting(counting(asyncore.dispatcher_with_send, {
          handle_connect = function(self)
            events:put(tostring(self.socket:version()))
            self:send "hello"
          end,
          handle_read = function(self) events:put(must(self:recv(100))) end,
        }), map, server:getsockname())
        assert.matches("^TLSv1", events:get(LIMIT))
        assert.equal("HELLO", events:get(LIMIT))
        server:close()
      end)
    end)

    it("tells handle_error why a handshake of its own has failed", function()
      local map, events = {}, csock.loop.queue()
      during(map, function()
        local server = keep(csock.serve({ "127.0.0.1", 0 }, print, { ssl = server_context }))
        connecting(counting(asyncore.dispatcher, {
          handle_error = function(self, err)
            events:put(err)
            self:close()
          end,
        }), map, server:getsockname(), contexts.client "unknown_ca")
        assert.equal("CERTIFICATE_VERIFY_FAILED", assert(events:get(LIMIT)).name)
        server:close()
      end)
    end)

    it("speaks first where TLS has to, though it is to read alone", function()
      local map, events = {}, csock.loop.queue()
      during(map, function()
        local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
          conn:sendall "220 hello"
          conn:recv(1)
        end, { ssl = server_context }))
        local s = plain(server:getsockname())
        s:settimeout(0)
        assert(client:wrap_socket(s, { server_hostname = "localhost" }))
        counting(asyncore.dispatcher, {
          writable = function() return false end,
          handle_read = function(self) events:put(must(self:recv(100))) end,
        })(s, map)
        assert.equal("220 hello", events:get(LIMIT))
        server:close()
      end)
    end)

    it("keeps nobody busy while its peer is silent in the handshake and it has something to send", function()
      local map = {}
      local Speaks = counting(asyncore.dispatcher_with_send, {
        __init = function(self, ...)
          asyncore.dispatcher_with_send.__init(self, ...)
          self:send "220 hello"
        end,
        handle_read = function(self) self:recv(100) end,
      })
      local server = listen(Speaks, map)
      during(map, function()
        local s = plain(server.addr)
        while not server.last do csock.sleep(0.001) end
        assert.is_true(turns_at_rest(server.last) < FEW)
        assert(client:wrap_socket(s, { server_hostname = "localhost" }))
        assert.equal("220 hello", s:recv(100))
        assert.is_true(turns_at_rest(server.last) < FEW)

        local silent = keep(csock.create_server { "127.0.0.1", 0 })
        local waits = connecting(Speaks, map, silent:getsockname())
        csock.sleep(0.01)
        assert.is_true(turns_at_rest(waits) < FEW)
        assert.is_false(waits.connected)
      end)
    end)

    it("hears of an end that was said, and of one that was not", function()
      local map, events = {}, csock.loop.queue()
      local server = listen(counting(asyncore.dispatcher, {
        handle_read = function(self)
          local data = must(self:recv(100))
          if data == "" then return end
          events:put(data)
          self:send "heard"
        end,
        handle_close = function(self)
          events:put "close"
          self:close()
        end,
        handle_error = function(self, err)
          events:put(err.name)
          self:close()
        end,
      }), map)
      during(map, function()
        local s = dial(server.addr)
        assert(s:sendall "one")
        assert.equal("one", events:get(LIMIT))
        s:close()
        assert.equal("close", events:get(LIMIT))
        s = dial(server.addr)
        assert(s:sendall "two")
        assert.equal("two", events:get(LIMIT))
        assert.equal("heard", s:recv(10)) -- what is left unread would make it a reset
        assert(csock.close(s:detach()))
        assert.equal("UNEXPECTED_EOF_WHILE_READING", events:get(LIMIT))
      end)
    end)

    it("cuts lines with asynchat", function()
      local map = {}
      local server = listen(counting(asynchat.async_chat, {
        terminator = "\n",
        readable = asynchat.async_chat.readable,
        collect_incoming_data = asynchat.async_chat._collect_incoming_data,
        found_terminator = function(self) self:push(self:_get_data():upper() .. "\n") end,
      }), map)
      during(map, function()
        local stream <close> = dial(server.addr):makefile "rw"
        for i = 1, 20 do
          assert(assert(stream:write("line ", i, "\n")):flush())
          assert.equal("LINE " .. i, stream:read())
        end
      end)
    end)
  end)
end

describe("connect over TLS with a timeout of 0", function()
  it("goes on with the handshake, and says when that is made", function()
    csock.run(function()
      local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn) conn:recv(1) end, { ssl = server_context }))
      local s = keep(csock.socket())
      s:settimeout(0)
      assert(client:wrap_socket(s, { server_hostname = "localhost" }))
      local deadline, errno = csock.now() + LIMIT
      repeat
        errno = select(3, s:connect(server:getsockname()))
        csock.sleep(0.001)
      until errno ~= E.EINPROGRESS and errno ~= E.EALREADY or csock.now() > deadline
      assert.equal(E.EISCONN, errno)
      assert.matches("^TLSv1", s:version())
      assert.equal(E.EISCONN, select(3, s:connect(server:getsockname())))
      server:close()
    end)
  end)

  it("is taken up again by one that waits", function()
    csock.run(function()
      local silent = keep(csock.create_server { "127.0.0.1", 0 })
      local s = keep(csock.socket())
      s:settimeout(0.02)
      assert(client:wrap_socket(s, { server_hostname = "localhost" }))
      assert.equal(E.ETIMEDOUT, select(3, s:connect(silent:getsockname())))
      local conn = keep(silent:accept())
      assert(server_context:wrap_socket(conn, { do_handshake_on_connect = false }))
      local greeting = csock.spawn(function() return conn:do_handshake() end)
      s:settimeout(LIMIT)
      assert.is_true(s:connect(silent:getsockname()))
      assert.is_true(greeting:join(LIMIT))
    end)
  end)
end)
