-- csock.serve over TLS: the handshake is made in the connection's task, and what fails in it reaches nobody else.
local alone = require "spec.support.alone"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local loop = csock.loop
local E = csock.errno
local LIMIT = 10 * process.slowness
local rest = contexts.rest
local LOCAL = { "127.0.0.1", 0 }

if contexts.missing then
  pending("csock.serve over TLS: " .. contexts.missing)
  return
end

local client, server_context
setup(function() client, server_context = contexts.client(), contexts.server() end)
after_each(keep.close)

local function plain(address)
  local s = keep(csock.create_connection(address, { timeout = LIMIT }))
  s:settimeout(LIMIT)
  return s
end

local function dial(address, context)
  return keep(csock.create_connection({ "localhost", address.port or address[2] },
    { ssl = context or client, timeout = LIMIT }))
end

local GARBAGE = {
  ["a request of HTTP"] = "GET / HTTP/1.0\r\n\r\n",
  ["zeros"] = ("\0"):rep(1000),
  ["half a record"] = "\22\3\1\2\0\1\0\1\252\3\3",
  ["nothing"] = "",
}

-- Runs f in a task, with a function that starts a server; afterwards no descriptor is left, and no task has failed.
local function trial(f)
  csock.run()
  collectgarbage()
  local before, errors, onerror = posix.fds(), {}, loop.onerror
  loop.onerror = function(err) errors[#errors + 1] = tostring(err) end
  finally(function() loop.onerror = onerror end)
  csock.run(function()
    assert(select("#", loop.timeout(2 * LIMIT, function()
      f(function(handler, options)
        options = options or {}
        options.ssl = options.ssl or server_context
        return keep(csock.serve(LOCAL, handler, options))
      end)
      return true
    end)) == 1, "it took too long")
    keep.close()
  end)
  collectgarbage()
  assert.same(before, posix.fds())
  return errors
end

local function echo(conn)
  repeat
    local data = assert(conn:recv(1000))
  until data == "" or not conn:sendall(data)
end

describe("csock.serve over TLS", function()
  it("calls the handler when the handshake is made, with the timeout that it would have had", function()
    assert.same({}, trial(function(serve)
      csock.setdefaulttimeout(LIMIT)
      finally(function() csock.setdefaulttimeout(nil) end)
      local seen
      local server = serve(function(conn, addr)
        seen = { conn:version() ~= nil, conn:gettimeout(), addr }
        echo(conn)
      end)
      local s = dial(server:getsockname())
      assert(s:sendall "hello")
      assert.equal("hello", s:recv(10))
      assert.same({ true, LIMIT, s:getsockname() }, seen)
    end))
  end)

  it("lets what fails in the handshake reach neither the handler nor onerror", function()
    local called = 0
    assert.same({}, trial(function(serve)
      local server = serve(function() called = called + 1 end)
      for _, garbage in pairs(GARBAGE) do
        local s = plain(server:getsockname())
        assert(s:sendall(garbage))
        assert(s:shutdown(csock.SHUT_WR))
        rest(s)
      end
      assert.is_nil((csock.create_connection({ "localhost", server:getsockname().port },
        { ssl = contexts.client "unknown_ca", timeout = LIMIT })))
    end))
    assert.equal(0, called)
  end)

  it("tells handshake_failed what was wrong, and with whom", function()
    local told = loop.queue()
    assert.same({}, trial(function(serve)
      local server = serve(print, { handshake_failed = function(err, addr) told:put { err, addr } end })
      local s = plain(server:getsockname())
      assert(s:sendall(GARBAGE["a request of HTTP"]))
      local err, addr = table.unpack(assert(told:get(LIMIT)))
      assert.equal("HTTP_REQUEST", err.name)
      assert.equal(s:getsockname(), addr)
    end))
  end)

  it("reports an error of handshake_failed itself, and one of sni_callback", function()
    local errors = trial(function(serve)
      local server = serve(print, { handshake_failed = function() error "oh no" end })
      local s = plain(server:getsockname())
      assert(s:sendall(GARBAGE["a request of HTTP"]))
      rest(s)
      local ctx = contexts.server()
      function ctx.sni_callback() error "oh dear" end
      server = serve(print, { ssl = ctx })
      assert.is_nil((csock.create_connection({ "localhost", server:getsockname().port },
        { ssl = client, timeout = LIMIT })))
    end)
    assert.equal(2, #errors)
    assert.matches("oh no", errors[1])
    assert.matches("oh dear", errors[2])
  end)

  it("ends a handshake that takes longer than handshake_timeout", function()
    assert.same({}, trial(function(serve)
      local errors = loop.queue()
      local server = serve(print, { handshake_timeout = 0.05, handshake_failed = function(err) errors:put(err) end })
      local s = plain(server:getsockname())
      assert.equal("", rest(s))
      assert.equal(E.ETIMEDOUT, assert(errors:get(LIMIT)).errno)
      local slow = plain(server:getsockname()) -- a byte now and then is no excuse
      local writer = csock.spawn(function()
        for byte in ("\22\3\1\2\0\1\0\1\252\3\3"):gmatch "." do
          if not slow:send(byte) then return end
          csock.sleep(0.02)
        end
      end)
      rest(slow)
      writer:join()
      assert.equal(E.ETIMEDOUT, assert(errors:get(LIMIT)).errno)
    end))
  end)

  it("waits without a limit where handshake_timeout is false", function()
    assert.same({}, trial(function(serve)
      csock.setdefaulttimeout(0.01)
      finally(function() csock.setdefaulttimeout(nil) end)
      local server = serve(function(conn) conn:sendall "late" end, { handshake_timeout = false })
      local s = plain(server:getsockname())
      csock.sleep(0.05)
      assert(client:wrap_socket(s, { server_hostname = "localhost" }))
      assert.equal("late", s:recv(10))
    end))
  end)

  it("counts those that make their handshake for max_connections", function()
    assert.same({}, trial(function(serve)
      local server = serve(function(conn) conn:sendall "served" end, { max_connections = 2 })
      local first, second = plain(server:getsockname()), plain(server:getsockname())
      while server.count < 2 do csock.sleep(0.001) end
      local waiting = csock.spawn(function() return dial(server:getsockname()):recv(10) end)
      csock.sleep(0.02)
      assert.equal("waiting", waiting:status())
      first:close()
      assert.equal("served", assert(waiting:join(LIMIT)))
      second:close()
    end))
  end)

  it("ends by idle_timeout whom no byte reaches, before and after the handshake", function()
    assert.same({}, trial(function(serve)
      local server = serve(echo, { idle_timeout = 0.1, handshake_timeout = false })
      assert.equal("", rest(plain(server:getsockname())))
      local s = dial(server:getsockname())
      assert.equal("", s:recv(1))
      s = dial(server:getsockname())
      for _ = 1, 10 do
        assert(s:sendall ".")
        assert.equal(".", s:recv(1))
        csock.sleep(0.02)
      end
      assert.equal("", s:recv(1))
    end))
  end)

  it("drains: a handshake that is under way is finished and served, one that stalls is cancelled", function()
    assert.same({}, trial(function(serve)
      local server = serve(function(conn) conn:sendall "served" end)
      local address = server:getsockname()
      local stalls, goes_on = plain(address), plain(address)
      while server.count < 2 do csock.sleep(0.001) end
      local cancelled
      local closing = csock.spawn(function() cancelled = server:close { drain = 0.2 * process.slowness } end)
      csock.sleep(0.01)
      assert(client:wrap_socket(goes_on, { server_hostname = "localhost" }))
      assert.equal("served", goes_on:recv(10))
      assert.equal("", goes_on:recv(10))
      closing:join()
      assert.equal(1, cancelled)
      assert.equal("", rest(stalls))
    end))
  end)

  it("closes at once those that make their handshake", function()
    assert.same({}, trial(function(serve)
      local server = serve(print)
      local s = plain(server:getsockname())
      while server.count < 1 do csock.sleep(0.001) end
      assert.equal(1, server:close())
      assert.equal("", rest(s))
    end))
  end)

  it("serves many at once, and each name with its own certificate", function()
    assert.same({}, trial(function(serve)
      local ctx = contexts.server()
      ctx.sni_callback = function(_, name) return name == "other.example.test" and contexts.server "other" or nil end
      local server = serve(echo, { ssl = ctx })
      local group <close> = loop.group()
      for i = 1, 20 do
        local name = i % 2 == 0 and "other.example.test" or "localhost"
        group:spawn(function()
          local s <close> = assert(csock.create_connection({ "localhost", server:getsockname().port },
            { ssl = client, server_hostname = name, timeout = LIMIT }))
          assert(s:sendall(name))
          assert.equal(name, s:recv(100))
        end)
      end
      group:join()
    end))
  end)

  it("raises for what is no server's context", function()
    for _, bad in ipairs { true, 1, {}, client } do
      assert.error_matches(function() csock.serve(LOCAL, print, { ssl = bad }) end,
        "ssl: a server's SSLContext expected")
    end
    assert.error_matches(function() csock.serve(LOCAL, print, { handshake_timeout = 0 }) end,
      "handshake_timeout: seconds > 0 expected")
  end)
end)

for _, backend in ipairs { "epoll", "poll" } do
  describe("a server over TLS that is alone in its process, by " .. backend .. ",", function()
    local server, port
    setup(function()
      server = alone.start(contexts.SERVER .. [[
        local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
          repeat
            local data = assert(conn:recv(1000))
          until data == "" or not conn:sendall(data)
        end, { ssl = ctx, handshake_timeout = 0.2 }))
        ready(server:getsockname().port)
        csock.run()
      ]], { backend = backend })
      port = server.ports[1]
    end)
    teardown(function() server:kill() end)

    it("serves others while handshakes stall, and then ends those", function()
      local stalled = {}
      for i = 1, 20 do stalled[i] = plain { "127.0.0.1", port } end
      for i = 1, 10 do assert(stalled[i]:sendall "\22\3\1") end
      for _ = 1, 5 do
        local s = dial { "127.0.0.1", port }
        assert(s:sendall "hello")
        assert.equal("hello", s:recv(10))
        s:close()
      end
      for _, s in ipairs(stalled) do assert.equal("", rest(s)) end
    end)

    it("takes and gives more than the system holds", function()
      local s = dial { "127.0.0.1", port }
      local data = ("0123456789abcdef"):rep(1 << 16)
      csock.run(function()
        local writer = csock.spawn(function() return s:sendall(data) end)
        assert.is_true(data == s:recv(#data, csock.MSG_WAITALL))
        assert(writer:join(LIMIT))
      end)
      s:close()
    end)

    it("writes nothing on standard error, whatever strangers send", function()
      for _, garbage in pairs(GARBAGE) do
        local s = plain { "127.0.0.1", port }
        assert(s:sendall(garbage))
        assert(s:shutdown(csock.SHUT_WR))
        rest(s)
      end
      server:skip()
      assert.equal("", server.err)
    end)
  end)
end
