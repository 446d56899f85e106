-- Channels: their sockets, their events, what they do unless told otherwise.
local csock = require "csock"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local class = require "csock.class"
local posix = require "spec.support.posix"

local dispatcher = asyncore.dispatcher
local turn_until = channels.turn_until
local LIMIT = channels.LIMIT

local function channel(base, hooks)
  local peer, socket = channels.pair()
  local map = {}
  return channels.recorder(base, hooks)(socket, map), peer, map
end

-- A port at which nobody listens.
local function dead_port()
  local socket <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return socket:getsockname().port
end

-- A channel with a socket that is not connected.
local function client(hooks, map, ...)
  local one = channels.recorder(nil, hooks)(nil, map)
  assert(one:create_socket(...))
  return one
end

describe("a dispatcher", function()
  it("takes over a connected socket", function()
    local one, peer, map = channel()
    assert.is_true(one.connected)
    assert.equal(peer:getsockname(), one.addr)
    assert.equal(0, one.socket:gettimeout())
    assert.equal(one, map[one.socket:fileno()])
    one:close()
    peer:close()
  end)

  it("takes over a socket that is not connected", function()
    local map = {}
    local one = dispatcher(assert(csock.socket()), map)
    assert.is_false(one.connected)
    assert.is_nil(one.addr)
    assert.equal(one, map[one.socket:fileno()])
    one:close()
  end)

  it("refuses a closed socket", function()
    local socket, map = assert(csock.socket()), {}
    socket:close()
    local one, err, errno = dispatcher(socket, map)
    assert.is_nil(one)
    assert.equal("EBADF", err.name)
    assert.equal(csock.errno.EBADF, errno)
    assert.same({}, map)
  end)

  it("says what it is", function()
    local Named = class("Named", dispatcher)
    assert.matches("^<Named at 0x%x+>$", tostring(Named(nil, {})))
    local server = Named(nil, {})
    assert(server:create_socket())
    assert(server:bind("127.0.0.1", 0))
    assert(server:listen(1))
    assert.matches("^<Named listening 127.0.0.1:" .. server.addr.port .. " at 0x%x+>$", tostring(server))
    local one = Named(nil, {})
    assert(one:create_socket())
    assert(one:connect { "127.0.0.1", server.addr.port })
    assert.matches("^<Named [%l ]*127.0.0.1:" .. server.addr.port .. " at 0x%x+>$", tostring(one))
    one:close()
    server:close()
    local a, b = assert(csock.socketpair())
    assert.matches("^<Named connected at 0x%x+>$", tostring(Named(a, {})))
    a:close()
    b:close()
  end)

  it("makes, binds and listens on a socket; addr is what it got", function()
    local server = client(nil, {})
    assert.same({ csock.AF_INET, csock.SOCK_STREAM }, server.family_and_type)
    assert.is_true(server:set_reuse_addr())
    assert.not_equal(0, server.socket:getsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR))
    assert.is_true(server:bind { "127.0.0.1", 0 })
    assert.is_true(server.addr.port > 0)
    assert.is_true(server:listen(5))
    assert.is_true(server.accepting)
    local other = client(nil, {})
    local ok, err, errno = other:bind(server.addr)
    assert.is_nil(ok)
    assert.equal("EADDRINUSE", err.name)
    assert.equal(csock.errno.EADDRINUSE, errno)
    other:close()
    server:close()
    assert.is_false(server.accepting)
  end)

  it("may be closed again, and used no more", function()
    local one, peer, map = channel()
    one:close()
    one:close()
    assert.is_true(one.closing)
    assert.same({}, map)
    assert.equal("", one:recv(10))
    assert.equal(0, one:send "x")
    assert.equal("", one.log_text)
    peer:close()
  end)

  it("enters another map when told to", function()
    local one, peer, map = channel()
    local other = {}
    one:add_channel(other)
    assert.equal(one, other[one._fileno])
    one:del_channel(other)
    assert.same({}, other)
    one._fileno = one.socket:fileno()
    one:close()
    assert.same({}, map)
    peer:close()
  end)
end)

describe("connecting", function()
  local map, server
  before_each(function()
    map = {}
    server = channels.server(channels.recorder(asyncore.dispatcher_with_send), map)
  end)
  after_each(function() asyncore.close_all(map) end)

  it("calls handle_connect once, and then handle_read", function()
    local one = client({ writable = function(self) return self.connecting end }, map)
    assert.is_true(one:connect(server.addr))
    turn_until(map, function() return server.last and one.connected end)
    assert.equal("connect ", one.log_text)
    assert.is_false(one.connecting)
    server.last:send "hi"
    turn_until(map, function() return #one.log_text > 8 end)
    assert.equal("connect read:hi ", one.log_text)
  end)

  it("calls handle_connect before what comes at once", function()
    local one = client({ writable = function() return false end }, map)
    assert(one:connect(server.addr.host, server.addr.port))
    turn_until(map, function() return server.last end)
    server.last:send "hi"
    turn_until(map, function() return one.log_text:find "hi" end)
    assert.equal("connect read:hi ", one.log_text)
  end)

  it("may close the channel in handle_connect", function()
    local one = client({ handle_connect = function(self)
      self:note "connect"
      self:close()
    end }, map)
    assert(one:connect(server.addr))
    turn_until(map, function() return one.closing end)
    assert.equal("connect ", one.log_text)
    assert.is_false(one.connected)
  end)

  it("is told handle_error when it is refused later", function()
    local one = client(nil, map)
    assert.is_true(one:connect("127.0.0.1", dead_port()))
    turn_until(map, function() return one.closing end)
    assert.equal("error:Connection refused [ECONNREFUSED] ", one.log_text)
  end)

  it("prints the error and closes the channel by default", function()
    local one = client({ handle_error = dispatcher.handle_error }, map)
    local port = dead_port()
    assert(one:connect("127.0.0.1", port))
    local text = channels.printed(function()
      turn_until(map, function() return one.closing end)
    end)
    assert.matches("^error: uncaught error, closing channel <Recorder 127.0.0.1:" .. port .. " at 0x%x+> "
      .. "%(connect %('127.0.0.1', " .. port .. "%): Connection refused %[ECONNREFUSED%] ", text)
    assert.equal("close ", one.log_text)
  end)

  it("gives nil and the error when it fails at once, and the loop does not take it for connected", function()
    local one = client(nil, map, csock.AF_UNIX)
    local ok, err, errno = one:connect "/nowhere/at/all"
    assert.is_nil(ok)
    assert.equal("ENOENT", err.name)
    assert.equal(csock.errno.ENOENT, errno)
    turn_until(map, function() return one.closing end)
    assert.not_matches("connect", one.log_text)
  end)

  it("looks names up", function()
    local one = client(nil, map)
    assert(one:connect("localhost", server.addr.port))
    turn_until(map, function() return one.connected end)
    assert.equal("connect ", one.log_text)
    assert.matches("localhost:" .. server.addr.port, tostring(one))
  end)

  it("looks names up beside a loop that runs", function()
    channels.during(map, function()
      local one = client(nil, map)
      assert(one:connect("localhost", server.addr.port))
      csock.loop.timeout(LIMIT, function()
        while one.log_text == "" do csock.yield() end
      end)
      assert.equal("connect ", one.log_text)
    end)
  end)

  it("says that a name is unknown", function()
    local one = client(nil, map)
    local ok, err = one:connect("no host has a name like this", 80)
    assert.is_nil(ok)
    assert.equal("EAI_NONAME", err.name)
    one:close()
  end)

  it("works on a path", function()
    local dir = assert(posix.mkdtemp())
    finally(function() os.execute("rm -rf '" .. dir .. "'") end)
    local listener = client({ handle_accepted = function(self, sock, addr)
      self:note("accepted:" .. addr)
      sock:send "hi"
      sock:close()
    end }, map, csock.AF_UNIX)
    assert(listener:bind(dir .. "/s"))
    assert(listener:listen(1))
    local one = client(nil, map, csock.AF_UNIX)
    assert(one:connect(dir .. "/s"))
    turn_until(map, function() return one.closing end)
    assert.equal("accepted: ", listener.log_text)
    assert.matches("^connect read:hi close ", one.log_text)
  end)
end)

describe("accepting", function()
  it("calls handle_accepted for each connection, all in one turn", function()
    local map, accepted = {}, {}
    local server = channels.server(nil, map, { handle_accepted = function(_, sock, addr)
      accepted[#accepted + 1] = addr
      sock:close()
    end })
    local clients = {}
    for i = 1, 10 do clients[i] = assert(csock.create_connection(server.addr, { timeout = LIMIT })) end
    asyncore.poll(LIMIT, map)
    assert.equal(10, #accepted)
    for i, socket in ipairs(clients) do
      assert.equal(socket:getsockname(), accepted[i])
      socket:close()
    end
    server:close()
  end)

  it("closes a connection that nobody takes", function()
    local map = {}
    local server = channels.server(nil, map, { handle_accepted = dispatcher.handle_accepted, ignore_log_types = {} })
    local socket <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
    assert.equal("warning: unhandled accepted event", channels.printed(function() asyncore.poll(LIMIT, map) end))
    assert.equal("", socket:recv(1))
    server:close()
  end)

  it("goes on after an error in handle_accepted, which closes that connection", function()
    local map, told = {}, {}
    local Server = { handle_accepted = function() error "on purpose" end }
    function Server:handle_error(err, info)
      told[#told + 1] = err
      dispatcher.handle_error(self, err, info)
    end
    local server = channels.server(nil, map, Server)
    local text = channels.printed(function()
      for i = 1, 2 do
        local socket <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
        turn_until(map, function() return #told == i end)
        assert.equal("", socket:recv(1))
      end
    end)
    assert.matches("^error: uncaught error, closing a connection to <Server listening", text)
    assert.is_true(server.accepting)
    server:close()
  end)

  it("stops when the channel is closed by handle_accepted", function()
    local map, accepted = {}, 0
    local server = channels.server(nil, map, { handle_accepted = function(self, sock)
      accepted = accepted + 1
      sock:close()
      self:close()
    end })
    local one <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
    local two <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
    asyncore.loop(LIMIT, false, map)
    assert.equal(1, accepted)
    assert.is_true(one:fileno() ~= two:fileno())
  end)

  it("can be done by hand, as in handle_accept", function()
    local map = {}
    local server = channels.server(nil, map, { handle_accept = function(self)
      local sock = self:accept()
      self.taken = sock
      self.further = table.pack(self:accept())
    end })
    local socket <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
    asyncore.poll(LIMIT, map)
    assert.equal(socket:getsockname(), server.taken:getpeername())
    assert.equal("EAGAIN", server.further[2].name)
    server.taken:close()
    server:close()
  end)

  -- Has `accept` of the channel's socket fail so many times.
  local function failing(channel_, name, times)
    local real, calls = channel_.socket, 0
    local Failing = {}
    function Failing.__index(_, method)
      return real[method] and function(_, ...) return real[method](real, ...) end
    end
    channel_.socket = setmetatable({
      accept = function()
        calls = calls + 1
        if calls <= times then return csock.make_error { call = "accept", errno = csock.errno[name] } end
        return real:accept()
      end,
    }, Failing)
    return function() return calls end
  end

  it("passes over a client that the system refuses", function()
    local map, accepted = {}, 0
    local server = channels.server(nil, map, { handle_accepted = function(_, sock)
      accepted = accepted + 1
      sock:close()
    end })
    local calls = failing(server, "EPERM", 1)
    local socket <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
    asyncore.poll(LIMIT, map)
    assert.equal(1, accepted)
    assert.equal(3, calls())
    assert.equal("", socket:recv(1))
    server:close()
  end)

  it("rests longer and longer when the system refuses all", function()
    local map = {}
    local server = channels.server(nil, map)
    local calls = failing(server, "EPERM", 1000)
    local _ <close> = assert(csock.create_connection(server.addr, { timeout = LIMIT }))
    local pauses = {}
    while #pauses < 5 do
      asyncore.poll(LIMIT, map)
      if server.resting then pauses[#pauses + 1] = server.resting - csock.now() end
    end
    assert.is_true(server.accepting)
    assert.is_true(calls() <= 7)
    assert.is_true(pauses[5] <= 0.1)
    server:close()
  end)

  it("gives up a channel that cannot accept", function()
    local map = {}
    local one = client({ handle_close = dispatcher.handle_close }, map)
    assert(one:bind("127.0.0.1", 0))
    one.accepting = true -- which it is not
    asyncore.loop(LIMIT, false, map)
    assert.matches("^error:Invalid argument", one.log_text)
  end)
end)

describe("recv and send", function()
  it("call handle_close at the end of the stream, and give nothing", function()
    local one, peer, map = channel()
    peer:close()
    asyncore.loop(LIMIT, false, map)
    assert.equal("close read: ", one.log_text)
  end)

  it("call handle_close after a reset", function()
    local one, peer, map = channel()
    assert(peer:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
    peer:close()
    asyncore.loop(LIMIT, false, map)
    assert.equal("close read: ", one.log_text)
  end)

  it("call handle_close when nobody is there to send to", function()
    local a, b = assert(csock.socketpair())
    local one = channels.recorder()(a, {})
    b:close()
    assert.equal(0, one:send "x")
    assert.equal("close ", one.log_text)
  end)

  it("say that there is nothing, or no room", function()
    local one, peer = channel()
    local data, err, errno = one:recv(10)
    assert.is_nil(data)
    assert.equal("EAGAIN", err.name)
    assert.equal(csock.errno.EAGAIN, errno)
    repeat until one:send(("x"):rep(65536)) == 0
    one:close()
    peer:close()
  end)

  it("leave the other half alone: a channel may send after its peer has finished", function()
    local one, peer, map = channel(nil, {
      readable = function(self) return not self.finished end,
      handle_write = function(self)
        self:send "all of it"
        self:close()
      end,
      writable = function(self) return self.finished end,
      handle_close = function(self) self.finished = true end,
    })
    assert(peer:shutdown(csock.SHUT_WR))
    asyncore.loop(LIMIT, false, map)
    assert.equal("all of it", channels.read_all(peer))
    assert.is_true(one.closing)
    peer:close()
  end)

  it("serve datagrams, empty ones too", function()
    local map = {}
    local one = client(nil, map, csock.AF_INET, csock.SOCK_DGRAM)
    assert(one:bind("127.0.0.1", 0))
    local socket <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(socket:sendto("", one.addr))
    assert(socket:sendto("hi", one.addr))
    turn_until(map, function() return one.log_text:find "hi" end)
    assert.equal("read: read:hi ", one.log_text)
    one:close()
  end)
end)

describe("a channel that leaves it to its class", function()
  -- How often the channels were asked until `peer` has done its part and `condition` holds.
  local function count_turns(hooks, before, condition)
    local turns = 0
    hooks = hooks or {}
    local Plain = class("Plain", dispatcher)
    for name, method in pairs(hooks) do Plain[name] = method end
    function Plain:readable() -- luacheck: ignore 212
      turns = turns + 1
      return true
    end
    local peer, socket = channels.pair()
    local map = {}
    local one = Plain(socket, map)
    before(peer)
    local deadline = csock.now() + 0.1
    repeat asyncore.poll(0.1, map) until condition and condition(one) or csock.now() > deadline
    one:close()
    peer:close()
    return turns
  end

  it("is not told all the time that it may write", function()
    assert.is_true(count_turns(nil, function() end) <= 3)
  end)

  it("throws away what comes, once", function()
    assert.is_true(count_turns(nil, function(peer) assert(peer:send "hi") end) <= 4)
  end)

  it("throws away urgent data, once", function()
    assert.is_true(count_turns(nil, function(peer) assert(peer:send("!", csock.MSG_OOB)) end) <= 4)
  end)

  it("closes when the peer has finished", function()
    local closed = false
    count_turns(nil, function(peer) peer:close() end, function(one)
      closed = one.closing
      return closed
    end)
    assert.is_true(closed)
  end)

  it("is told of urgent data by handle_expt, if it has one", function()
    local one, peer, map = channel(nil, { handle_expt = function(self)
      self:note("urgent:" .. self.socket:recv(1, csock.MSG_OOB))
    end })
    assert(peer:send("!", csock.MSG_OOB))
    turn_until(map, function() return one.log_text ~= "" end)
    assert.equal("urgent:! ", one.log_text)
    one:close()
    peer:close()
  end)

  it("says what nobody handled, if warnings are not ignored", function()
    local Loud = class("Loud", dispatcher)
    Loud.ignore_log_types = {}
    local peer, socket = channels.pair()
    local map = {}
    local _ = Loud(socket, map)
    assert(peer:send "hi")
    assert.equal("warning: unhandled read event", channels.printed(function() asyncore.poll(LIMIT, map) end))
    peer:close()
    assert.equal("warning: unhandled read event\nwarning: unhandled close event", channels.printed(function()
      asyncore.loop(LIMIT, false, map)
    end))
  end)
end)

describe("messages", function()
  it("go where Python writes them", function()
    local one = dispatcher(nil, {})
    assert.equal("info: a\nerror: b", channels.printed(function()
      one:log_info "a"
      one:log_info("b", "error")
      one:log_info("c", "warning")
    end))
    local text = require("spec.support.serving").captured(function() one:log "d" end)
    assert.equal("log: d\n", text)
  end)
end)

describe("a dispatcher_with_send", function()
  local function sender(hooks)
    return channel(asyncore.dispatcher_with_send, hooks)
  end

  it("sends all of it, in order, to a peer that reads slowly", function()
    local one, peer, map = sender { max_outgoing = 1 << 24 }
    local parts = {}
    for i = 1, 3000 do parts[i] = tostring(i):rep(1000) end
    channels.during(map, function()
      for _, part in ipairs(parts) do assert(one:send(part)) end
      local all = table.concat(parts)
      assert.is_true(all == channels.read(peer, #all))
    end)
    peer:close()
  end)

  it("sends what it was given before it is connected", function()
    local map = {}
    local server = channels.server(channels.recorder(), map)
    local one = channels.recorder(asyncore.dispatcher_with_send)(nil, map)
    assert(one:create_socket())
    assert(one:connect(server.addr))
    assert.is_true(one:send "early")
    turn_until(map, function() return server.last and server.last.log_text ~= "" end)
    assert.equal("read:early ", server.last.log_text)
    asyncore.close_all(map)
  end)

  it("refuses more when max_outgoing bytes wait, and is closed by default", function()
    local one, peer = sender { max_outgoing = 100000 }
    local part = ("x"):rep(10000)
    local ok, err, errno
    local text = channels.printed(function()
      repeat ok, err, errno = one:send(part) until not ok
    end)
    assert.matches("^error: closing channel <Recorder [^>]*>: it does not read what it is sent$", text)
    assert.equal("ENOBUFS", err.name)
    assert.equal(csock.errno.ENOBUFS, errno)
    assert.equal("close ", one.log_text)
    ok, err = one:send "x"
    assert.is_nil(ok)
    assert.equal("EBADF", err.name)
    peer:close()
  end)

  it("may stay open, and lose what was refused alone", function()
    local one, peer, map = sender { max_outgoing = 100000, handle_outgoing_overflow = function(self)
      self:note "overflow"
    end }
    local sent = 0
    while one:send(("x"):rep(10000)) do sent = sent + 10000 end
    assert.equal("overflow ", one.log_text)
    channels.during(map, function() assert.equal(sent, #channels.read(peer, sent)) end)
    peer:close()
  end)

  it("does not read from a peer that never reads, and serves the others meanwhile", function()
    local map = {}
    local Echo = class("Echo", asyncore.dispatcher_with_send)
    Echo.max_outgoing = 1 << 18
    function Echo:handle_read()
      local ok = self:send(assert(self:recv(65536)))
      assert(ok or self.closing)
    end
    local server = channels.server(Echo, map)
    channels.during(map, function()
      local mute, talker = channels.dial(server), channels.dial(server)
      mute:settimeout(0.1)
      local _, err, _, sent = mute:sendall(("x"):rep(1 << 26))
      assert.equal("ETIMEDOUT", err.name)
      assert(talker:sendall "hi")
      assert.equal("hi", channels.read(talker, 2))
      mute:settimeout(LIMIT)
      assert.equal(sent, #channels.read(mute, sent))
      mute:close()
      talker:close()
    end)
  end)

  it("says what it sends, for debugging", function()
    local one, peer = sender { debug = true }
    assert.equal('info: sending "hi"', channels.printed(function() one:send "hi" end))
    one:close()
    peer:close()
  end)

  it("sends strings", function()
    local one, peer = sender()
    assert.error_matches(function() one:send(nil) end, "string expected, got nil")
    assert.is_true(one:send "")
    one:close()
    peer:close()
  end)
end)
