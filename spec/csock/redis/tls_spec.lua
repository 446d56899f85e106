-- csock.redis over TLS, with a real server and with fakes.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local redis = require "csock.redis"
local redis_server = require "spec.support.redis"

local in_task = redis_server.in_task
local E = csock.errno
local LIMIT = 10 * process.slowness

if contexts.missing then
  pending("csock.redis over TLS: " .. contexts.missing)
  return
end

local ways = { ["outside of tasks"] = function(f) f() end, ["in a task"] = in_task }

describe("a real redis-server over TLS", function()
  local test = redis_server.over_tls and it or function(name)
    it(name, function() pending "there is no redis-server with TLS here" end)
  end

  local server
  setup(function()
    if not redis_server.over_tls then return end
    local good = certificates.good
    server = redis_server.start { tls = { cert = good.cert, key = good.key, ca = certificates.ca.cert } }
  end)
  teardown(redis_server.stop_all)
  after_each(keep.close)

  for how, run in pairs(ways) do
    test("keeps what it is given " .. how, function()
      run(function()
        local r = keep(redis.connect(server.url, { ssl = contexts.client() }))
        assert.matches("^TLSv1", r.connection.socket:version())
        assert(r:call "FLUSHALL")
        local big = ("x"):rep(1000000)
        assert.same({ "OK", 1000000 }, r:pipeline { { "SET", "big", big }, { "STRLEN", "big" } })
        assert.equal(big, r:call("GET", "big"))
      end)
    end)

    test("is refused when its certificate is not by whom one trusts " .. how, function()
      run(function()
        local r, err, errno = redis.connect(server.url, { ssl = contexts.client "unknown_ca" })
        assert.is_nil(r)
        assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
        assert.equal(E.EPROTO, errno)
      end)
    end)
  end

  test("is verified by the host of the URL, or by server_hostname", function()
    local ctx = contexts.client()
    local host = "rediss://localhost:" .. server.port
    assert.equal("localhost", keep(redis.connect(host, { ssl = ctx })).connection.socket:server_hostname())
    local _, err = redis.connect(host, { ssl = ctx, server_hostname = "redis.example.test" })
    assert.matches("redis.example.test", tostring(err), 1, true)
  end)

  test("is verified against the system's authorities by rediss alone", function()
    local _, out, err = process.run({ process.interpreter, "-e", ([[
      local redis = require "csock.redis"
      print(assert(redis.connect %q):call "PING")
    ]]):format(server.url) }, { env = { SSL_CERT_FILE = certificates.ca.cert } })
    assert.equal("PONG\n", out, err)
    assert.matches("CERTIFICATE_VERIFY_FAILED", tostring(select(2, redis.connect(server.url))))
  end)

  test("tells subscribers, on connections over TLS of their own", function()
    in_task(function()
      local r = keep(redis.connect(server.url, { ssl = contexts.client() }))
      local subscription <close> = assert(r:subscribe "news")
      assert.equal(1, r:call("PUBLISH", "news", "hello"))
      assert.equal("hello", subscription:get(LIMIT))
    end)
  end)
end)

describe("csock.redis over TLS", function()
  after_each(keep.close)

  -- A server over TLS that does as it is told.
  local function fake(serve)
    local server = keep(csock.serve({ "127.0.0.1", 0 }, serve, { ssl = contexts.server() }))
    return "rediss://localhost:" .. server:getsockname().port
  end

  it("says in the words of TLS how a connection has ended", function()
    in_task(function()
      local url = fake(function(conn)
        conn:recv(100)
        csock.close(conn:detach())
      end)
      local r = keep(redis.client(url, { ssl = contexts.client() }))
      local _, err, errno = r:call "PING"
      assert.equal("UNEXPECTED_EOF_WHILE_READING", err.name)
      assert.equal("redis", err.call)
      assert.equal(E.EPROTO, errno)
    end)
  end)

  it("does not wait to say goodbye to a server that takes nothing", function()
    in_task(function()
      local url = fake(function() csock.loop.queue():get() end)
      local r = keep(redis.connect(url, { ssl = contexts.client(), timeout = false }))
      local socket = r.connection.socket
      assert(socket:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 4096))
      local task = csock.spawn(function() return select(3, r:call("SET", "key", ("x"):rep(1 << 24))) end)
      local sent, before
      repeat -- until nothing more goes
        before = sent
        csock.sleep(0.1)
        sent = select(2, socket:getstats())
      until sent > 0 and sent == before
      assert.is_true(task:status() == "waiting")
      local closing = csock.spawn(function() return r:close() end)
      assert.is_true(closing:join(LIMIT))
      assert.equal(E.EBADF, task:join(LIMIT))
    end)
  end)

  it("takes a context for redis:// as well, and raises for what is none", function()
    in_task(function()
      local url = fake(function(conn)
        conn:recv(100)
        conn:sendall "+PONG\r\n"
        conn:recv(100)
      end):gsub("^rediss", "redis")
      assert.equal("PONG", keep(redis.connect(url, { ssl = contexts.client() })):call "PING")
    end)
    assert.error_matches(function() redis.connect("rediss://h", { ssl = contexts.server() }) end,
      "ssl: true or a client's SSLContext expected")
    assert.error_matches(function() redis.client("redis://h", { server_hostname = "h" }) end,
      "'server_hostname' without TLS")
  end)
end)
