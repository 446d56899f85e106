-- csock.serve: a task for each connection. In bad weather: spec/weather_spec.lua.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local testing = require "csock.testing"

local loop = csock.loop
local E = csock.errno

local LOCAL = { "127.0.0.1", 0 }

-- Lets all other tasks run until each of them waits.
local function settle()
  for _ = 1, 5 do loop.yield() end
  csock.sleep(0.001)
end

-- Runs f in a task with a function that connects to a server; then nothing may be left open.
local function trial(f)
  csock.run() -- the loop has its poller from now on
  collectgarbage()
  local before = posix.fds()
  csock.run(function()
    assert(select("#", loop.timeout(20, function()
      f(function(server)
        local s = keep(csock.create_connection(server:getsockname()))
        s:settimeout(10)
        return s
      end)
      return true
    end)) == 1, "it took too long")
  end)
  keep.close()
  collectgarbage()
  assert.same(before, posix.fds())
end

local function echo(conn)
  while true do
    local data = assert(conn:recv(1000))
    if data == "" then return end
    assert(conn:sendall(data))
  end
end

-- What onerror is told while f runs.
local function reported(f)
  local errors, before = {}, loop.onerror
  loop.onerror = function(err) errors[#errors + 1] = tostring(err) end
  local ok, err = pcall(f)
  loop.onerror = before
  if not ok then error(err, 0) end
  return errors
end

describe("csock.serve", function()
  after_each(keep.close)

  it("runs the handler in a task for each connection, with its address", function()
    trial(function(connect)
      local addresses = {}
      local server <close> = assert(csock.serve(LOCAL, function(conn, addr)
        addresses[#addresses + 1] = addr
        echo(conn)
      end))
      local clients = {}
      for i = 1, 10 do clients[i] = connect(server) end
      for round = 1, 3 do
        for i, s in ipairs(clients) do s:sendall(("%d %d"):format(round, i)) end
        for i, s in ipairs(clients) do assert.equal(("%d %d"):format(round, i), s:recv(100)) end
      end
      for i, s in ipairs(clients) do assert.equal(s:getsockname(), addresses[i]) end
    end)
  end)

  it("closes the connection when the handler returns", function()
    trial(function(connect)
      local server <close> = assert(csock.serve(LOCAL, function(conn) conn:sendall "bye" end))
      local s = connect(server)
      assert.equal("bye", s:recv(100))
      assert.equal("", s:recv(100))
    end)
  end)

  it("closes the connection when the handler fails, reports that, and goes on", function()
    local errors = reported(function()
      trial(function(connect)
        local server <close> = assert(csock.serve(LOCAL, function(conn)
          if conn:recv(1) == "!" then error "oh no" end
          conn:sendall "fine"
        end))
        for _ = 1, 2 do
          local bad, good = connect(server), connect(server)
          bad:sendall "!"
          assert.equal("", bad:recv(100))
          good:sendall "."
          assert.equal("fine", good:recv(100))
        end
      end)
    end)
    assert.equal(2, #errors)
    assert.matches("serve_spec.lua:%d+: oh no", errors[1])
  end)

  it("tells the peer that it is over also when a stream is still open", function()
    trial(function(connect)
      local stream
      local server <close> = assert(csock.serve(LOCAL, function(conn)
        stream = assert(conn:makefile "rw")
        stream:write "half\n"
        stream:flush()
      end))
      local s = connect(server)
      assert.equal("half\n", s:recv(100))
      assert.equal("", s:recv(100))
      stream:close()
    end)
  end)

  it("serves a listening socket that it is given, on any kind of address", function()
    trial(function()
      local name = ("\0csock-serve-%d"):format(posix.getpid())
      local listener = assert(csock.socket(csock.AF_UNIX))
      assert(listener:bind(name))
      assert(listener:listen())
      local server <close> = assert(csock.serve(listener, echo))
      assert.equal(listener:fileno(), server:fileno())
      local s = keep(csock.socket(csock.AF_UNIX))
      assert(s:connect(name))
      s:sendall "x"
      assert.equal("x", s:recv(1))
    end)
  end)

  it("gives nil and an error when it cannot listen", function()
    trial(function()
      local server <close> = assert(csock.serve(LOCAL, echo))
      local other, err, errno = csock.serve(server:getsockname(), echo)
      assert.is_nil(other)
      assert.equal(E.EADDRINUSE, errno)
      assert.equal("bind", err.call)
    end)
  end)

  it("says where it listens", function()
    trial(function()
      local server = assert(csock.serve(LOCAL, echo))
      assert.equal("127.0.0.1", server:getsockname().host)
      assert.equal(("<csock.server %s>"):format(server:getsockname()), tostring(server))
      server:close()
      assert.equal("<csock.server [closed]>", tostring(server))
      assert.equal(-1, server:fileno())
    end)
  end)

  it("keeps the loop running until it is closed", function()
    local clock <close> = testing.clock()
    local server = assert(csock.serve(LOCAL, echo))
    loop.call_later(3600, server.close, server)
    local began = loop.now()
    csock.run()
    assert.near(3600, loop.now() - began, 1e-6)
    assert.is_truthy(clock)
  end)

  describe("close", function()
    it("cancels the handlers, closes their connections, and says how many", function()
      trial(function(connect)
        local closed = 0
        local server = assert(csock.serve(LOCAL, function(conn)
          local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
          conn:recv(1)
        end))
        local clients = {}
        for i = 1, 3 do clients[i] = connect(server) end
        settle()
        assert.equal(3, server:close())
        assert.equal(3, closed)
        for _, s in ipairs(clients) do assert.equal("", s:recv(1)) end
        assert.equal(0, server:close())
      end)
    end)

    it("with drain lets the handlers finish first, but accepts nobody", function()
      trial(function(connect)
        local clock <close> = testing.clock()
        local server = assert(csock.serve(LOCAL, function(conn)
          conn:recv(1)
          csock.sleep(5)
          conn:sendall "finished"
        end))
        local address = server:getsockname()
        local s, slow = connect(server), connect(server)
        s:settimeout(nil)
        settle()
        s:sendall "x"
        local cancelled
        local closer = csock.spawn(function() cancelled = server:close { drain = 10 } end)
        settle()
        local began = loop.now()
        assert.equal(E.ECONNREFUSED, select(3, csock.create_connection(address)))
        assert.equal("finished", s:recv(100))
        assert.near(5, loop.now() - began, 0.01)
        closer:join()
        assert.near(10, loop.now() - began, 0.01)
        assert.equal(1, cancelled)
        assert.equal("", slow:recv(1))
        assert.is_truthy(clock)
      end)
    end)

    it("with drain is over as soon as the last handler is", function()
      trial(function(connect)
        local server = assert(csock.serve(LOCAL, function(conn) conn:recv(1) end))
        local s = connect(server)
        settle()
        csock.spawn(function()
          csock.sleep(0.005)
          s:sendall "x"
        end)
        local began = loop.now()
        assert.equal(0, server:close { drain = 30 })
        assert.is_true(loop.now() - began < 10)
      end)
    end)

    it("may come from a handler, which goes on", function()
      trial(function(connect)
        local server
        server = assert(csock.serve(LOCAL, function(conn)
          if conn:recv(1) ~= "q" then return end
          conn:sendall(tostring(server:close()))
        end))
        local other, s = connect(server), connect(server)
        settle()
        s:sendall "q"
        assert.equal("1", s:recv(100))
        assert.equal("", other:recv(100))
      end)
    end)

    it("sees also to connections that were accepted and have not begun", function()
      trial(function()
        local began = 0
        local server = assert(csock.serve(LOCAL, function() began = began + 1 end))
        local s = keep(csock.socket())
        s:settimeout(0)
        s:connect(server:getsockname())
        repeat loop.yield() until server.count == 1
        local cancelled = server:close()
        s:settimeout(10)
        assert.equal("", s:recv(1))
        assert.equal(0, server.count)
        assert.equal(1, began + cancelled)
      end)
    end)

    it("leaves nothing behind that was never served", function()
      trial(function()
        local server = assert(csock.serve(LOCAL, echo))
        server:close()
        local other = assert(csock.serve(LOCAL, echo))
        settle()
        other:close()
      end)
    end)

    it("is what <close> does, also when the task that holds the server is cancelled", function()
      trial(function(connect)
        local server, ended
        local task = csock.spawn(function()
          local s <close> = assert(csock.serve(LOCAL, function(conn)
            local _ <close> = setmetatable({}, { __close = function() ended = true end })
            conn:recv(1)
          end))
          server = s
          csock.sleep(30)
        end)
        settle()
        connect(server)
        settle()
        task:cancel()
        assert.is_true(ended)
        assert.equal(-1, server:fileno())
      end)
    end)
  end)

  it("ends quietly when somebody else closes the listener", function()
    local errors = reported(function()
      trial(function(connect)
        local server = assert(csock.serve(LOCAL, echo))
        local s = connect(server)
        settle()
        server.listener:close()
        s:sendall "still served"
        assert.equal("still served", s:recv(100))
        server:close()
      end)
    end)
    assert.same({}, errors)
  end)

  it("serves so many at once, and the others when one of them has left", function()
    csock.run(function()
      local most, now = 0, 0
      local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
        now = now + 1
        most = math.max(most, now)
        conn:sendall "hello"
        conn:recv(1)
        now = now - 1
      end, { max_connections = 2, backlog = 16 }))
      local group <close> = csock.loop.group()
      for _ = 1, 6 do
        group:spawn(function()
          local s <close> = assert(csock.create_connection(server:getsockname()))
          assert.equal("hello", s:recv(10))
        end)
      end
      group:join()
      assert.equal(2, most)
      server:close()
    end)
  end)

  it("waits for clients without end, whatever the default timeout or the listener's own", function()
    trial(function(connect)
      csock.setdefaulttimeout(0.01)
      local made = assert(csock.serve(LOCAL, echo))
      local listener = assert(csock.create_server(LOCAL))
      listener:settimeout(0)
      local given <close> = assert(csock.serve(listener, echo))
      local _ <close> = made
      csock.setdefaulttimeout(nil)
      csock.sleep(0.03)
      for _, server in ipairs { made, given } do
        local s = connect(server)
        s:sendall "x"
        assert.equal("x", s:recv(1))
        s:close()
      end
    end)
  end)

  it("ends a connection in which no byte passes, and no other", function()
    testing.run(function()
      local ended = 0
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        local _ <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
        local kind = conn:recv(1)
        if kind == "s" then
          while conn:send "." do csock.sleep(5) end
        elseif kind == "r" then
          while conn:recv(1) ~= "" do end
        else
          csock.loop.queue():get() -- also when it waits for something else
        end
      end, { idle_timeout = 60 }))
      local function connect(kind)
        local s = keep(assert(csock.create_connection { "localhost", server:getsockname().port }))
        s:sendall(kind)
        return s
      end
      local sent_to, receiving, silent, waiting = connect "s", connect "r", connect "", connect "w"
      local sending = csock.spawn(function()
        while receiving:send "." do csock.sleep(5) end
      end)
      local began = csock.now()
      assert.equal("", silent:recv(1))
      assert.equal("", waiting:recv(1))
      assert.equal(2, ended)
      assert.is_true(csock.now() - began <= 76) -- it looks four times in that time
      csock.sleep(600)
      assert.equal(2, ended)
      assert.equal(".", sent_to:recv(1))
      sending:cancel()
      assert.equal("", receiving:recv(1))
      assert.equal(3, ended)
    end, { virtual_time = true, network = {}, leaks = false })
  end)

  it("raises for options that are none", function()
    assert.error_matches(function() csock.serve({ "127.0.0.1", 0 }, print, { color = 1 }) end, "unknown option 'color'")
    assert.error_matches(function() csock.serve { "127.0.0.1", 0 } end, "function expected, got nil")
    for _, bad in ipairs { 0, -1, 0 / 0, "x" } do
      assert.error_matches(function() csock.serve({ "127.0.0.1", 0 }, print, { max_connections = bad }) end,
        "max_connections: integer >= 1 expected")
    end
    for _, bad in ipairs { 0, -1, 0 / 0, "x" } do
      assert.error_matches(function() csock.serve({ "127.0.0.1", 0 }, print, { idle_timeout = bad }) end,
        "idle_timeout: seconds > 0 expected")
    end
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    assert.error_matches(function() csock.serve(listener, print, { backlog = 5 }) end, "option 'backlog'")
    local server <close> = csock.serve(listener, print)
    for _, bad in ipairs { -1, 0 / 0, "x" } do
      assert.error_matches(function() server:close { drain = bad } end, "drain: seconds >= 0 expected")
    end
    assert.error_matches(function() server:close { drian = 1 } end, "to 'close' .unknown option 'drian'")
  end)
end)
