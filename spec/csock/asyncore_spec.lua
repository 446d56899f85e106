-- The loop of asyncore. Channels, and what becomes of errors in handlers: spec/csock/asyncore/.
local csock = require "csock"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local process = require "spec.support.process"

local dispatcher = asyncore.dispatcher
local LIMIT = channels.LIMIT

-- A channel in a map of its own, and its peer.
local function channel(base, hooks)
  local peer, socket = channels.pair()
  local map = {}
  return channels.recorder(base, hooks)(socket, map), peer, map
end

describe("asyncore.loop", function()
  it("returns at once when there is no channel", function()
    assert.is_true(asyncore.loop())
    assert.is_true(asyncore.loop(30, false, {}))
  end)

  it("serves until no channel is left", function()
    local one, peer, map = channel()
    assert(peer:send "hi")
    assert(peer:shutdown(csock.SHUT_WR))
    assert.is_true(asyncore.loop(LIMIT, false, map))
    assert.equal("read:hi close read: ", one.log_text)
    assert.same({}, map)
    peer:close()
  end)

  it("takes its arguments as the fields of a table, too", function()
    local one, peer, map = channel()
    assert(peer:send "hi")
    assert.is_true(asyncore.loop { timeout = LIMIT, map = map, count = 1, use_poll = true })
    assert.equal("read:hi ", one.log_text)
    one:close()
    peer:close()
  end)

  it("serves the channels of socket_map when it is given no other map", function()
    local peer, socket = channels.pair()
    local one = channels.recorder()(socket)
    assert.equal(one, asyncore.socket_map[socket:fileno()])
    peer:close()
    asyncore.loop()
    assert.equal("close read: ", one.log_text)
  end)

  it("serves another socket_map, when the program puts one there", function()
    local before = asyncore.socket_map
    finally(function() asyncore.socket_map = before end)
    asyncore.socket_map = {}
    local peer, socket = channels.pair()
    local one = channels.recorder()(socket)
    assert.equal(one, asyncore.socket_map[socket:fileno()])
    peer:close()
    asyncore.loop()
    assert.same({}, asyncore.socket_map)
  end)

  it("makes as many turns as it is told", function()
    local asked = 0
    local one, peer, map = channel(nil, { readable = function() asked = asked + 1 end })
    asyncore.loop(0, false, map, 3)
    assert.equal(3, asked)
    asyncore.loop(0, false, map, 0)
    assert.equal(3, asked)
    one:close()
    peer:close()
  end)

  it("refuses arguments of another kind, naming them", function()
    for call, words in pairs {
      ["asyncore.loop 'x'"] = "#1 to 'loop' (seconds >= 0 expected, got string)",
      ["asyncore.loop(-1)"] = "#1 to 'loop' (seconds >= 0 expected, got -1)",
      ["asyncore.loop(1, 1)"] = "#2 to 'loop' (boolean expected, got 1)",
      ["asyncore.loop(1, true, 1)"] = "#3 to 'loop' (table expected, got 1)",
      ["asyncore.loop(1, true, {}, 'x')"] = "#4 to 'loop' (number expected, got string)",
      ["asyncore.loop { map = 1 }"] = "#1 to 'loop' (map: table expected, got 1)",
      ["asyncore.loop { count = 'x' }"] = "#1 to 'loop' (count: number expected, got string)",
      ["asyncore.loop { time_out = 1 }"] = "#1 to 'loop' (unknown option 'time_out')",
      ["asyncore.poll {}"] = "#1 to 'poll' (seconds >= 0 expected, got table)",
      ["asyncore.poll(0, 1)"] = "#2 to 'poll' (table expected, got 1)",
    } do
      local ok, err = pcall(load(call, "=here", "t", { asyncore = asyncore }))
      assert.is_false(ok)
      assert.equal("here:1: bad argument " .. words, err)
    end
  end)

  it("asks readable and writable before every wait, and waits for what they say", function()
    local wanted = { readable = false, writable = false }
    local one, peer, map = channel(nil, {
      readable = function() return wanted.readable end,
      writable = function() return wanted.writable end,
      handle_write = function(self) self:note "write" end,
    })
    assert(peer:send "hi")
    asyncore.poll(0, map)
    assert.equal("", one.log_text)
    wanted.writable = true
    asyncore.poll(0, map)
    assert.equal("write ", one.log_text)
    wanted.readable, wanted.writable = true, false
    asyncore.poll(LIMIT, map)
    assert.equal("write read:hi ", one.log_text)
    one:close()
    peer:close()
  end)

  it("takes 0 and an empty string for false, as Python does", function()
    local one, peer, map = channel(nil, {
      readable = function() return 0 end,
      writable = function() return "" end,
      handle_write = function(self) self:note "write" end,
    })
    assert(peer:send "hi")
    asyncore.poll(0, map)
    assert.equal("", one.log_text)
    one:close()
    peer:close()
  end)

  it("waits when there is nothing to do", function()
    local asked = 0
    local one, peer, map = channel(dispatcher, { readable = function()
      asked = asked + 1
      return true
    end })
    local before = csock.now()
    assert(asyncore.poll(0.05, map))
    assert.is_true(csock.now() - before >= 0.05)
    assert.equal(1, asked)
    one:close()
    peer:close()
  end)

  it("waits when no channel wants anything", function()
    local one, peer, map = channel(dispatcher, { readable = function() end, writable = function() end })
    local before = csock.now()
    assert(asyncore.poll(0.05, map))
    assert.is_true(csock.now() - before >= 0.05)
    one:close()
    peer:close()
  end)

  it("lets other tasks run, outside of tasks and in one", function()
    for _, run in ipairs { function(f, ...) return f(...) end, csock.run } do
      local one, peer, map = channel()
      local ran = false
      csock.spawn(function()
        channels.let_others_wait()
        ran = true
        peer:close()
      end)
      run(asyncore.loop, math.huge, false, map)
      assert.is_true(ran)
      assert.equal("close read: ", one.log_text)
    end
  end)

  it("sees at once what another task adds, closes and sends, while it waits", function()
    local map = {}
    local peer, socket = channels.pair()
    local idle = dispatcher(socket, map)
    channels.during(map, function()
      channels.let_others_wait()
      local other_peer, other = channels.pair()
      local added = channels.recorder(asyncore.dispatcher_with_send)(other, map)
      channels.let_others_wait()
      assert(other_peer:sendall "x")
      csock.loop.timeout(LIMIT, function()
        while added.log_text == "" do csock.yield() end
      end)
      assert.equal("read:x ", added.log_text)
      channels.let_others_wait()
      added.max_outgoing = 1 << 24
      assert(added:send(("y"):rep(1 << 23)))
      assert.equal(1 << 23, #channels.read(other_peer, 1 << 23))
      channels.let_others_wait()
      added:close()
      assert.equal("", other_peer:recv(1))
      other_peer:close()
      assert.is_true(map[idle._fileno] == idle)
    end)
    peer:close()
  end)

  it("asks again after wake", function()
    local wanted = false
    local one, peer, map = channel(nil, { readable = function() return wanted end })
    assert(peer:send "hi")
    channels.during(map, function()
      channels.let_others_wait()
      wanted = true
      asyncore.wake(map)
      csock.loop.timeout(LIMIT, function()
        while one.log_text == "" do csock.yield() end
      end)
      assert.equal("read:hi ", one.log_text)
    end)
    peer:close()
  end)

  it("asks again when that came while it was asking", function()
    local one, peer, map = channel(dispatcher, { readable = function(self)
      self.asked = (self.asked or 0) + 1
      channels.let_others_wait()
      return true
    end })
    channels.during(map, function()
      csock.loop.timeout(LIMIT, function()
        while not one.asked do csock.yield() end
      end)
      asyncore.wake(map)
      csock.loop.timeout(LIMIT, function()
        while one.asked < 2 do csock.yield() end
      end)
      assert.equal(2, one.asked)
    end)
    peer:close()
  end)

  it("is one for each map at a time", function()
    local _, peer, map = channel()
    channels.during(map, function()
      channels.let_others_wait()
      local ok, err = pcall(asyncore.poll, 1, map)
      assert.is_false(ok)
      assert.matches("another task waits", err)
    end)
    peer:close()
  end)

  it("may be called in a handler", function()
    local one, peer, map = channel(nil, { handle_read = function(self)
      self:note(assert(self:recv(1)))
      asyncore.poll(0, self._map)
    end })
    assert(peer:send "abc")
    asyncore.poll(LIMIT, map)
    assert.equal("a b c ", one.log_text)
    one:close()
    peer:close()
  end)

  it("ends with its task when that is cancelled, and can be run again", function()
    local one, peer, map = channel()
    csock.run(function()
      local task = csock.spawn(asyncore.loop, math.huge, false, map)
      channels.let_others_wait()
      assert.is_true(task:cancel())
    end)
    peer:close()
    assert.is_true(asyncore.loop(LIMIT, false, map))
    assert.equal("close read: ", one.log_text)
  end)

  it("ends on Ctrl-C with interrupted!", function()
    local program <close> = process.lua { "-e", [[
      io.stdout:setvbuf "no"
      local csock, asyncore = require "csock", require "csock.asyncore"
      local server = asyncore.dispatcher()
      server:create_socket()
      server:bind("127.0.0.1", 0)
      server:listen(5)
      csock.spawn(function() print "runs" csock.sleep(100) end)
      print(pcall(asyncore.loop))
      print(next(asyncore.socket_map) ~= nil, server.accepting)
      asyncore.close_all()
      print(next(asyncore.socket_map), server.accepting)
    ]] }
    program:expect "runs"
    program:signal "SIGINT"
    program:expect "false\t[^\n]*interrupted!\n"
    program:expect "true\ttrue\nnil\tfalse\n"
    assert.equal(0, program:wait())
  end)

  it("ends on Ctrl-C also while handlers are busy", function()
    local program <close> = process.lua { "-e", [[
      io.stdout:setvbuf "no"
      local csock, asyncore, class = require "csock", require "csock.asyncore", require "csock.class"
      local a, b = csock.socketpair()
      local Echo = class("Echo", asyncore.dispatcher_with_send)
      function Echo:handle_read()
        self:send(self:recv(1000))
        if not self.reads then print "runs" end
        self.reads = true
      end
      Echo(a) Echo(b):send "round and round"
      print(pcall(asyncore.loop))
    ]] }
    program:expect "runs"
    program:signal "SIGINT"
    program:expect "false\t[^\n]*interrupted!\n"
    assert.equal(0, program:wait())
  end)

  it("goes on without descriptors to wait with", function()
    if csock.epoll and csock.loop.backend() == "kqueue" then
      return pending "libkqueue: a kqueue is several descriptors, too many for this limit"
    end
    local program <close> = process.start({ "sh", "-c", "ulimit -n 12; exec \"$@\"", "sh", process.interpreter, "-e", [[
      io.stdout:setvbuf "no"
      local csock, asyncore, class = require "csock", require "csock.asyncore", require "csock.class"
      local Echo = class("Echo", asyncore.dispatcher_with_send)
      function Echo:handle_read() self:send(self:recv(1000)) end
      function Echo:handle_close() print "closed" self:close() end
      local Server = class("Server", asyncore.dispatcher)
      function Server:handle_accepted(sock) print "accepted" Echo(sock) end
      local server = Server()
      server:create_socket()
      server:bind("127.0.0.1", 0)
      server:listen(50)
      print(server.addr.port)
      asyncore.loop()
    ]] }, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
    local port = tonumber(program:read_line())
    local clients = {}
    for i = 1, 20 do clients[i] = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT })) end
    program:expect "accepted"
    assert(clients[1]:sendall "hi")
    assert.equal("hi", channels.read(clients[1], 2))
    for i = 1, 19 do clients[i]:close() end
    assert(clients[20]:sendall "hi")
    assert.equal("hi", channels.read(clients[20], 2))
    clients[20]:close()
    assert.equal("", program.err)
  end)
end)

describe("asyncore.poll", function()
  it("does not wait unless told to", function()
    local one, peer, map = channel()
    asyncore.poll(nil, map)
    assert.equal("", one.log_text)
    assert(peer:send "hi")
    channels.turn_until(map, function() return one.log_text ~= "" end)
    assert.equal("read:hi ", one.log_text)
    one:close()
    peer:close()
  end)

  it("has Python's other names", function()
    assert.equal(asyncore.poll, asyncore.poll2)
    assert.equal(asyncore.poll, asyncore.poll3)
  end)

  it("does not tell a channel that another one has closed in the same turn", function()
    local map, peers, list = {}, {}, {}
    local hooks = { handle_read = function(self)
      self:note(self:recv(10))
      for _, other in ipairs(list) do
        if other ~= self then other:close() end
      end
    end }
    for i = 1, 2 do
      local peer, socket = channels.pair()
      assert(peer:send "hi")
      peers[i], list[i] = peer, channels.recorder(nil, hooks)(socket, map)
    end
    for _, one in ipairs(list) do assert(csock.select({ one.socket }, nil, nil, LIMIT)[1]) end
    asyncore.poll(LIMIT, map)
    assert.equal("hi ", list[1].log_text .. list[2].log_text)
    asyncore.close_all(map)
    for _, peer in ipairs(peers) do peer:close() end
  end)

  it("does not tell a new channel of what was its descriptor's", function()
    local map, list = {}, {}
    local peer_of, read = {}, {}
    local function add(hooks)
      local peer, socket = channels.pair()
      local one = channels.recorder(nil, hooks)(socket, map)
      list[#list + 1], peer_of[one] = one, peer
      return one
    end
    local hooks = {}
    function hooks.handle_read(self)
      read[#read + 1] = self
      assert(self:recv(10))
      if #read > 1 then return end
      for _, other in ipairs { list[1], list[2] } do
        if other ~= self then other:close() end
      end
      add(hooks) -- which gets the number that has become free
    end
    for _ = 1, 2 do assert(peer_of[add(hooks)]:send "hi") end
    for i = 1, 2 do assert(csock.select({ list[i].socket }, nil, nil, LIMIT)[1]) end
    asyncore.poll(LIMIT, map)
    assert.equal(1, #read)
    assert.equal("", list[3].log_text)
    asyncore.close_all(map)
    for _, peer in pairs(peer_of) do peer:close() end
  end)

  it("closes a channel whose socket somebody has closed, and serves the others", function()
    local one, peer, map = channel()
    local other_peer, other_socket = channels.pair()
    local other = channels.recorder()(other_socket, map)
    one.socket:close()
    assert(other_peer:send "hi")
    channels.turn_until(map, function() return other.log_text ~= "" end)
    assert.equal("close ", one.log_text)
    assert.equal("read:hi ", other.log_text)
    other:close()
    peer:close()
    other_peer:close()
  end)
end)

describe("asyncore.readwrite", function()
  it("tells a channel of all that poll says", function()
    local one, peer = channel(nil, {
      handle_read = function(self) self:note "read" end,
      handle_write = function(self) self:note "write" end,
      handle_expt = function(self) self:note "expt" end,
    })
    asyncore.readwrite(one, csock.POLLIN | csock.POLLOUT | csock.POLLPRI)
    assert.equal("read write expt ", one.log_text)
    asyncore.readwrite(one, csock.POLLHUP)
    assert.equal("read write expt close ", one.log_text)
    peer:close()
  end)
end)

describe("asyncore.close_all", function()
  local function two()
    local map = {}
    for _ = 1, 2 do
      local a, b = assert(csock.socketpair())
      dispatcher(a, map)
      dispatcher(b, map)
    end
    return map
  end

  it("closes all channels of a map", function()
    local map = two()
    local list = {}
    for _, one in pairs(map) do list[#list + 1] = one end
    asyncore.close_all(map)
    assert.same({}, map)
    for _, one in ipairs(list) do assert.equal(-1, one.socket:fileno()) end
  end)

  it("closes those of socket_map when it is given no other map", function()
    local a, b = assert(csock.socketpair())
    dispatcher(a)
    asyncore.close_all()
    assert.same({}, asyncore.socket_map)
    assert.equal("", b:recv(1))
    b:close()
  end)

  it("raises what a channel's close raises, unless told to ignore it", function()
    local map = two()
    for _, one in pairs(map) do
      function one.close(self)
        dispatcher.close(self)
        error "on purpose"
      end
    end
    assert.error_matches(function() asyncore.close_all(map) end, "on purpose")
    asyncore.close_all(map, true)
    assert.same({}, map)
  end)

  it("ends a loop that waits", function()
    local map = two()
    csock.run(function()
      local task = csock.spawn(asyncore.loop, math.huge, false, map)
      channels.let_others_wait()
      asyncore.close_all(map)
      assert.is_true(task:join(LIMIT))
    end)
  end)
end)
